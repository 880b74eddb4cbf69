"""Identifiers of the Americas, each made from the scheme that its issuer publishes."""

from digits import UPPER, chars, date, digits, groups, luhn, weighted


def ssn(rng):
    """SSA, "SSN randomization": area 001-899 without 666, group 01-99, serial 0001-9999."""
    area = rng.choice([n for n in range(1, 900) if n != 666])
    number = f"{area:03}{rng.randint(1, 99):02}{rng.randint(1, 9999):04}"
    return number if number not in ("078051120", "219099999", "123456789") else ssn(rng)


def itin(rng):
    """IRS: 9xx, fourth and fifth digits 50-65, 70-88, 90-92, 94-99."""
    group = rng.choice([*range(50, 66), *range(70, 89), *range(90, 93), *range(94, 100)])
    return f"9{digits(rng, 2)}{group}{digits(rng, 4)}"


def ein(rng):
    """IRS, "How EINs are assigned": the prefixes in use."""
    prefix = rng.choice(
        "01 02 03 04 05 06 10 11 12 13 14 15 16 20 21 22 23 24 25 26 27 30 31 32 33 "
        "34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 50 51 52 53 54 55 56 57 58 59 "
        "60 61 62 63 64 65 66 67 68 71 72 73 74 75 76 77 80 81 82 83 84 85 86 87 88 "
        "90 91 92 93 94 95 98 99".split()
    )
    return prefix + digits(rng, 7)


def aba(rng):
    """ABA routing number: weights 3, 7, 1; Federal Reserve districts and thrifts."""
    head = f"{rng.choice([*range(1, 13), *range(21, 33)]):02}" + digits(rng, 6)
    return head + str(-weighted(head, [3, 7, 1, 3, 7, 1, 3, 7]) % 10)


def npi(rng):
    """CMS: Luhn over 80840 and the number, which begins with 1 or 2."""
    head = digits(rng, 9, "12")
    return head + luhn("80840" + head)


MBI_ALPHA = "ACDEFGHJKMNPQRTUVWXY"


def mbi(rng):
    """CMS, "Understanding the MBI": C A AN N A AN N A A N N, letters without S, L, O, I, B, Z."""
    shape = {"C": "123456789", "A": MBI_ALPHA, "M": MBI_ALPHA + "0123456789", "N": "0123456789"}
    return "".join(rng.choice(shape[place]) for place in "CAMNAMNAANN")


def dea(rng):
    """DEA registration: type letter, initial, six digits, (1+3+5)+2*(2+4+6) mod 10."""
    head = digits(rng, 6)
    total = sum(map(int, head[::2])) + 2 * sum(map(int, head[1::2]))
    return rng.choice("ABCFGMPR") + rng.choice(UPPER) + head + str(total % 10)


def sin(rng):
    """Service Canada: Luhn; the first digit names the province, 9 a temporary resident."""
    head = digits(rng, 8, "1234567" + "9")
    return head + luhn(head)


def _mod11(head, weights):
    rest = weighted(head, weights) % 11
    return "0" if rest < 2 else str(11 - rest)


def cpf(rng):
    """Receita Federal: two mod 11 digits."""
    head = digits(rng, 9)
    if len(set(head)) == 1:
        return cpf(rng)
    head += _mod11(head, range(10, 1, -1))
    return head + _mod11(head, range(11, 1, -1))


def cnpj(rng, letters=False):
    """Receita Federal; with letters as issued since July 2026 (value = ASCII - 48)."""
    alphabet = "0123456789" + (UPPER if letters else "")
    head = chars(rng, alphabet, 8) + rng.choice(["0001", "0001", "0002", "0011"])
    for weights in ([5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2], [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]):
        rest = sum((ord(char) - 48) * weight for char, weight in zip(head, weights)) % 11
        head += "0" if rest < 2 else str(11 - rest)
    return head


CURP_VALUES = "0123456789ABCDEFGHIJKLMN\u00d1OPQRSTUVWXYZ"
CURP_STATES = (
    "AS BC BS CC CL CM CS CH DF DG GT GR HG JC MC MN MS NT NL OC PL QT QR SP SL SR TC TS TL VZ YN ZS NE"
).split()


def curp(rng):
    """RENAPO: four letters, date, sex, state, three consonants, homoclave, check digit."""
    consonants, born = "BCDFGHJKLMNPQRSTVWXYZ", date(rng)
    head = (
        rng.choice(consonants)
        + rng.choice("AEIOU")
        + chars(rng, consonants, 2)
        + born.strftime("%y%m%d")
        + rng.choice("HM")
        + rng.choice(CURP_STATES)
        + chars(rng, consonants, 3)
        + ("0" if born.year < 2000 else "A")
    )
    total = sum(CURP_VALUES.index(char) * (18 - place) for place, char in enumerate(head))
    return head + str(-total % 10)


def cuit(rng):
    """AFIP: 5432765432 mod 11; 20, 23, 24, 27 persons, 30, 33, 34 companies."""
    head = rng.choice(["20", "23", "24", "27", "30", "33"]) + digits(rng, 8, "1234")
    check = 11 - weighted(head, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11
    return head + str({11: 0}.get(check, check)) if check != 10 else cuit(rng)


def rut(rng):
    """Registro Civil de Chile: mod 11 with weights 2 to 7, K for ten."""
    head = str(rng.randint(5_000_000, 26_000_000))
    total = sum(int(digit) * (2 + place % 6) for place, digit in enumerate(reversed(head)))
    return head + "0123456789K0"[11 - total % 11 if total % 11 else 11]


def rut_form(number, dots=True):
    body = f"{int(number[:-1]):,}".replace(",", ".") if dots else number[:-1]
    return f"{body}-{number[-1]}"


def dashed(sizes, separator="-"):
    return lambda number: groups(number, sizes, separator)
