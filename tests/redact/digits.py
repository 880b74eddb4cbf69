"""Check digits and small helpers that the number schemes share.

Written from the published definitions (ISO/IEC 7812 for Luhn, ISO 7064, Verhoeff 1969), not from
the program under test: two implementations that agree are evidence, one that agrees with itself
is none.
"""

import datetime
import string

UPPER = string.ascii_uppercase
LOWER = string.ascii_lowercase
ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


def digits(rng, count, first="0123456789"):
    """A run of digits whose first digit comes from `first`."""
    return rng.choice(first) + "".join(rng.choice("0123456789") for _ in range(count - 1))


def chars(rng, alphabet, count):
    return "".join(rng.choice(alphabet) for _ in range(count))


def weighted(number, weights):
    return sum(int(digit) * weight for digit, weight in zip(number, weights))


def luhn(number):
    """The digit that completes `number` (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


_D = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
    [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
    [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
    [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
    [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
    [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
    [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
    [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
]
_P = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]]
for _ in range(6):
    _P.append([_P[-1][_P[1][digit]] for digit in range(10)])


def verhoeff(number):
    """The digit that completes `number` (Verhoeff, dihedral group D5)."""
    check = 0
    for place, digit in enumerate(reversed(number), 1):
        check = _D[check][_P[place % 8][int(digit)]]
    return str(_D[check].index(0))


def iso7064_11_10(number):
    """ISO 7064, MOD 11,10: the German tax number, the Croatian OIB."""
    product = 10
    for digit in number:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return str((11 - product) % 10)


def date(rng, first=1935, last=2006):
    """A plausible date of birth."""
    start = datetime.date(first, 1, 1)
    return start + datetime.timedelta(days=rng.randrange((last - first) * 365))


def groups(number, sizes, separator):
    """`number` cut into groups of `sizes`, joined."""
    out, at = [], 0
    for size in sizes:
        out.append(number[at : at + size])
        at += size
    return separator.join(out)
