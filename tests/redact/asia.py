"""Identifiers of Asia, Africa and Oceania, each made from the scheme that its issuer publishes."""

from digits import ALNUM, UPPER, chars, date, digits, luhn, verhoeff, weighted


def pan(rng):
    """India, Income Tax Department: five letters (the fourth the holder's status), 4 digits, letter."""
    return (
        chars(rng, UPPER, 3)
        + rng.choice("PPPPCHFATBLJG")
        + rng.choice(UPPER)
        + f"{rng.randint(1, 9999):04}"
        + rng.choice(UPPER)
    )


def aadhaar(rng):
    """UIDAI: twelve digits, not beginning with 0 or 1, Verhoeff."""
    head = digits(rng, 11, "23456789")
    return head + verhoeff(head)


def gstin(rng):
    """GSTN: state, PAN, entity, Z, check character mod 36."""
    alphabet = "0123456789" + UPPER
    head = f"{rng.randint(1, 37):02}{pan(rng)}{rng.choice('123456789A')}Z"
    total = 0
    for place, char in enumerate(head):
        product = alphabet.index(char) * (1 + place % 2)
        total += product // 36 + product % 36
    return head + alphabet[-total % 36]


def voter_id(rng):
    """Election Commission of India, EPIC: three letters, seven digits, of which the last is Luhn's
    in the newer ones."""
    head = digits(rng, 6)
    return chars(rng, UPPER, 3) + head + (luhn(head) if rng.random() < 0.7 else rng.choice("0123456789"))


def nric(rng):
    """Singapore, ICA: weights 2765432; S, T citizens, F, G foreigners."""
    prefix, number = rng.choice("SSTFG"), digits(rng, 7)
    total = weighted(number, [2, 7, 6, 5, 4, 3, 2]) + (4 if prefix in "TG" else 0)
    return prefix + number + ("JZIHGFEDCBA" if prefix in "ST" else "XWUTRQPNMLK")[total % 11]


def my_number(rng):
    """Japan, Order of MIC 2014/85: Q = n + 1 (n <= 6), n - 5; 11 - sum mod 11."""
    head = digits(rng, 11)
    total = (
        sum(
            int(digit) * (place + 1 if place <= 6 else place - 5)
            for place, digit in enumerate(reversed(head), 1)
        )
        % 11
    )
    return head + ("0" if total <= 1 else str(11 - total))


def rrn(rng):
    """Korea, MOIS: yymmdd, sex and century, six digits; 234567892345 mod 11 (before 10/2020)."""
    born = date(rng)
    sex = rng.choice([1, 2]) + (2 if born.year >= 2000 else 0)
    head = born.strftime("%y%m%d") + str(sex) + digits(rng, 5)
    return head + str((11 - weighted(head, [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11) % 10)


def china_id(rng):
    """GB 11643-1999: region, date, serial, ISO 7064 MOD 11-2."""
    region = rng.choice(
        ["110105", "310104", "440305", "330106", "510107", "420106", "350203", "320582", "610113", "370202"]
    )
    head = region + date(rng).strftime("%Y%m%d") + digits(rng, 3)
    return head + "10X98765432"[weighted(head, [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11]


def sa_id(rng):
    """South Africa, DHA: yymmdd, sequence, citizenship, 8, Luhn."""
    head = date(rng).strftime("%y%m%d") + digits(rng, 4) + rng.choice("01") + "8"
    return head + luhn(head)


def israeli_id(rng):
    """Israel, Ministry of Interior: nine digits, Luhn."""
    head = digits(rng, 8, "0123")
    return head + luhn(head)


def thai_id(rng):
    """Thailand, DOPA: weights 13 to 2, mod 11."""
    head = digits(rng, 12, "12345678")
    return head + str((11 - weighted(head, range(13, 1, -1)) % 11) % 10)


def hkid(rng):
    """Hong Kong, Immigration Department: letter(s) as 10 to 35 (space 36), mod 11, A for ten."""
    prefix = rng.choice(["A", "B", "C", "D", "E", "G", "H", "K", "M", "P", "R", "V", "Y", "Z", "WX"])
    number = digits(rng, 6)
    values = [36, ord(prefix) - 55] if len(prefix) == 1 else [ord(char) - 55 for char in prefix]
    total = sum(v * w for v, w in zip(values + [int(d) for d in number], range(9, 1, -1)))
    return prefix + number + "0123456789A"[-total % 11]


def tfn(rng):
    """Australia, ATO: nine digits, weights 1 4 3 7 5 8 6 9 10, mod 11."""
    while True:
        number = digits(rng, 9, "12345678")
        if weighted(number, [1, 4, 3, 7, 5, 8, 6, 9, 10]) % 11 == 0:
            return number


def abn(rng):
    """Australia, ABR: the first digit less one, weights 10 1 3 5 ... 19, mod 89."""
    while True:
        number = digits(rng, 11, "23456789")
        reduced = str(int(number[0]) - 1) + number[1:]
        if weighted(reduced, [10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]) % 89 == 0:
            return number


def medicare_au(rng):
    """Services Australia: first 2 to 6, weights 1 3 7 9 1 3 7 9, mod 10, then the issue number."""
    head = digits(rng, 8, "23456")
    return head + str(weighted(head, [1, 3, 7, 9, 1, 3, 7, 9]) % 10) + rng.choice("12345")


# Passports and licences have no public checksum on the number itself: ICAO 9303 puts the check
# digit in the machine-readable zone only. The shapes are those of the issuers' specimens.
PASSPORTS = {
    "us": lambda r: rng_shape(r, r.choice(["#########", "A########"])),
    "gb": lambda r: rng_shape(r, "#########"),
    "de": lambda r: r.choice("CFGHJKLMNPRTVWXYZ") + chars(r, "CFGHJKLMNPRTVWXYZ0123456789", 8),
    "fr": lambda r: rng_shape(r, "##AA#####"),
    "in": lambda r: r.choice("JKLMNPRSTUVZ") + digits(r, 7, "123456789"),
    "jp": lambda r: rng_shape(r, "TA#######").replace("TA", "T" + r.choice("HKRSZ"), 1),
    "cn": lambda r: r.choice(["E", "G", "EA", "EB", "EJ"]) + digits(r, 7) + r.choice("0123456789"),
    "kr": lambda r: "M" + digits(r, 8),
    "ca": lambda r: rng_shape(r, "AA######"),
    "au": lambda r: r.choice(["N", "E", "PA", "RA"]) + digits(r, 7),
    "it": lambda r: "Y" + r.choice("ABC") + digits(r, 7),
    "es": lambda r: rng_shape(r, "AAA######"),
    "br": lambda r: rng_shape(r, "AA######"),
    "nl": lambda r: "N" + rng_shape(r, "AAA##A##").replace("O", "P") + "1",
}


def rng_shape(rng, shape):
    """`#` a digit, `A` a letter, `*` either; all else stays."""
    pick = {"#": "0123456789", "A": UPPER, "*": UPPER + "0123456789", "x": ALNUM}
    return "".join(rng.choice(pick[char]) if char in pick else char for char in shape)


def passport(rng, country):
    return PASSPORTS[country](rng)


def uk_licence(rng):
    """DVLA: five of the surname, decade, month (+50 women), day, year, initials, 9, two characters."""
    born = date(rng)
    surname = rng.choice(["MORGA", "SMITH", "JONES", "TAYLO", "EVANS", "WOOD9", "FOX99", "KHAN9"])
    month = born.month + rng.choice([0, 50])
    return (
        f"{surname}{born.year // 10 % 10}{month:02}{born.day:02}{born.year % 10}"
        + rng.choice(UPPER)
        + rng.choice(UPPER + "9")
        + "9"
        + chars(rng, UPPER, 2)
    )


LICENCES = {
    "gb": uk_licence,
    "us": lambda r: rng_shape(
        r,
        r.choice(
            [
                "A#######",
                "A###-####-####",
                "A###-###-##-###-#",
                "########",
                "#########",
                "AA######A",
                "A############",
            ]
        ),
    ),
    "de": lambda r: rng_shape(r, "A###AA***##").replace("O", "P"),
    "in": lambda r: (
        r.choice(["MH", "DL", "KA", "TN", "UP"])
        + f"{r.randint(1, 60):02}"
        + r.choice(["", " ", "-"])
        + str(r.randint(1995, 2023))
        + digits(r, 7)
    ),
    "ca": lambda r: rng_shape(r, "A####-#####-#####"),
    "au": lambda r: rng_shape(r, r.choice(["########", "########", "#########"])),
    "it": lambda r: rng_shape(r, "AA#######A"),
}


def driving_licence(rng, country):
    return LICENCES[country](rng)
