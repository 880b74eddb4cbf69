"""Identifiers of Europe, each made from the scheme that its issuer publishes."""

from digits import UPPER, chars, date, digits, iso7064_11_10, luhn, weighted


def nino(rng):
    """HMRC, NIM39110: no D, F, I, Q, U, V; no O second; some pairs never issued."""
    while True:
        pair = rng.choice("ABCEGHJKLMNOPRSTWXYZ") + rng.choice("ABCEGHJKLMNPRSTWXYZ")
        if pair not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ"):
            return pair + digits(rng, 6) + rng.choice("ABCD")


def nhs(rng):
    """NHS Data Dictionary: mod 11 with weights 10 to 2."""
    head = digits(rng, 9, "4679")
    check = 11 - weighted(head, range(10, 1, -1)) % 11
    return head + str(check % 11) if check != 10 else nhs(rng)


CF_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        [
            1,
            0,
            5,
            7,
            9,
            13,
            15,
            17,
            19,
            21,
            1,
            0,
            5,
            7,
            9,
            13,
            15,
            17,
            19,
            21,
            2,
            4,
            18,
            20,
            11,
            3,
            6,
            8,
            12,
            14,
            16,
            10,
            22,
            25,
            24,
            23,
        ],
    )
)


def codice_fiscale(rng):
    """D.M. 23 December 1976: surname, name, date, Belfiore code, check letter."""
    consonants, born = "BCDFGLMNPRSTVZ", date(rng)
    day = born.day + (40 if rng.random() < 0.5 else 0)
    head = (
        chars(rng, consonants, 6)
        + f"{born.year % 100:02}"
        + "ABCDEHLMPRST"[born.month - 1]
        + f"{day:02}"
        + rng.choice(["H501", "F205", "L219", "F839", "A944", "D612", "G273"])
    )
    total = 0
    for place, char in enumerate(head):
        even = int(char) if char.isdigit() else ord(char) - 65
        total += CF_ODD[char] if place % 2 == 0 else even
    return head + UPPER[total % 26]


def nir(rng):
    """INSEE: sex, year, month, departement, commune, order, key 97 - n mod 97; 2A and 2B."""
    born = date(rng)
    place = rng.choice([f"{n:02}" for n in range(1, 96) if n != 20] + ["2A", "2B"])
    head = (
        rng.choice("12")
        + born.strftime("%y%m")
        + place
        + f"{rng.randint(1, 600):03}"
        + f"{rng.randint(1, 400):03}"
    )
    number = int(head.replace("2A", "19").replace("2B", "18"))
    return head + f"{97 - number % 97:02}"


def hetu(rng):
    """DVV: ddmmyy, century sign, individual number 002-899, check character mod 31."""
    born = date(rng)
    serial = rng.randint(2, 899)
    body = born.strftime("%d%m%y")
    check = "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(f"{body}{serial:03}") % 31]
    sign = "-" if born.year < 2000 else "A"
    return f"{body}{sign}{serial:03}{check}"


def personnummer(rng):
    """Skatteverket: yymmddnnn and Luhn; ten digits without separator (twelve by the caller)."""
    born = date(rng, last=1999)
    head = born.strftime("%y%m%d") + f"{rng.randint(1, 999):03}"
    return born.strftime("%Y")[:2] + head + luhn(head)


def cpr(rng):
    """CPR-kontoret: ddmmyy and serial; mod 11 holds for the numbers of before 2007."""
    while True:
        head = date(rng, last=1999).strftime("%d%m%y") + digits(rng, 3, "0123")
        check = -weighted(head, [4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11
        if check < 10:
            return head + str(check)


def fodselsnummer(rng):
    """Skatteetaten: ddmmyy, individual number, two mod 11 digits."""
    while True:
        head = date(rng, last=1999).strftime("%d%m%y") + f"{rng.randint(0, 499):03}"
        first = -weighted(head, [3, 7, 6, 1, 8, 9, 4, 5, 2]) % 11
        second = -weighted(head + str(first), [5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11
        if first < 10 and second < 10:
            return f"{head}{first}{second}"


def pesel(rng):
    """Ministerstwo Cyfryzacji: 1379137913; the century is in the month."""
    born = date(rng)
    month = born.month + (20 if born.year >= 2000 else 0)
    head = f"{born.year % 100:02}{month:02}{born.day:02}" + digits(rng, 4)
    return head + str(-weighted(head, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10)


def bsn(rng):
    """RvIG: the eleven test, last weight -1."""
    while True:
        head = digits(rng, 8, "12345678")
        check = weighted(head, range(9, 1, -1)) % 11
        if check < 10:
            return head + str(check)


DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"


def dni(rng):
    """Ministerio del Interior: number mod 23."""
    number = digits(rng, 8, "01234567")
    return number + DNI_LETTERS[int(number) % 23]


def nie(rng):
    """The foreigner's number: X, Y, Z count as 0, 1, 2."""
    prefix, number = rng.choice("XYZ"), digits(rng, 7)
    return prefix + number + DNI_LETTERS[int(str("XYZ".index(prefix)) + number) % 23]


def steuer_id(rng):
    """BZSt: of ten digits one is there twice, one missing; ISO 7064 MOD 11,10."""
    while True:
        pool = rng.sample("0123456789", 9)
        pool.append(rng.choice(pool))
        rng.shuffle(pool)
        head = "".join(pool)
        if head[0] != "0":
            return head + iso7064_11_10(head)


def rodne_cislo(rng):
    """Act 133/2000 Coll.: yymmdd (women month + 50), ten digits divisible by 11."""
    while True:
        born = date(rng, first=1955)
        month = born.month + rng.choice([0, 50])
        head = f"{born.year % 100:02}{month:02}{born.day:02}" + digits(rng, 3)
        if int(head) % 11 < 10:
            return head + str(int(head) % 11)


def cnp(rng):
    """Romania, MAI: sex and century, date, county, serial; 279146358279 mod 11."""
    born = date(rng)
    head = (
        str(rng.choice([1, 2]) + (4 if born.year >= 2000 else 0))
        + born.strftime("%y%m%d")
        + f"{rng.randint(1, 46):02}"
        + f"{rng.randint(1, 999):03}"
    )
    rest = weighted(head, [2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11
    return head + ("1" if rest == 10 else str(rest))


def egn(rng):
    """Bulgaria, GRAO: month + 40 since 2000; 2 4 8 5 10 9 7 3 6 mod 11."""
    born = date(rng)
    month = born.month + (40 if born.year >= 2000 else 0)
    head = f"{born.year % 100:02}{month:02}{born.day:02}" + digits(rng, 3)
    return head + str(weighted(head, [2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10)


def oib(rng):
    """Croatia, Porezna uprava: ISO 7064 MOD 11,10."""
    head = digits(rng, 10)
    return head + iso7064_11_10(head)


def nif_pt(rng):
    """Portugal, AT: mod 11 with weights 9 to 2; 1, 2, 3 natural persons, 5 companies."""
    head = digits(rng, 8, "1235")
    rest = weighted(head, range(9, 1, -1)) % 11
    number = head + ("0" if rest < 2 else str(11 - rest))
    return number if number != "123456789" else nif_pt(rng)


def ppsn(rng):
    """Ireland, DSP: weights 8 to 2, a second letter counts nine times; mod 23."""
    head = digits(rng, 7, "123456789")
    second = rng.choice(["", "", "A", "H"])
    total = weighted(head, range(8, 1, -1)) + (9 * (ord(second) - 64) if second else 0)
    return head + "WABCDEFGHIJKLMNOPQRSTUV"[total % 23] + second


def ahv(rng):
    """Switzerland, ZAS: 756, nine digits, EAN-13."""
    head = "756" + digits(rng, 9)
    return head + str(-weighted(head, [1, 3] * 6) % 10)


def belgian_nn(rng):
    """Rijksregister: yymmdd, serial, 97 - n mod 97 (a 2 before n since 2000)."""
    born = date(rng)
    head = born.strftime("%y%m%d") + f"{rng.randint(1, 997):03}"
    return head + f"{97 - int(('2' if born.year >= 2000 else '') + head) % 97:02}"


def tckn(rng):
    """Turkey, NVI: two check digits over nine."""
    head = digits(rng, 9, "123456789")
    odd, even = sum(map(int, head[::2])), sum(map(int, head[1::2]))
    tenth = (odd * 7 - even) % 10
    return f"{head}{tenth}{(odd + even + tenth) % 10}"
