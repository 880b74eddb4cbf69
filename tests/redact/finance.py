"""Cards, accounts, wallets and devices: numbers with issuer ranges, lengths and checksums."""

import hashlib

from digits import ALNUM, HEX, LOWER, UPPER, chars, digits, luhn

# ISO/IEC 7812 ranges as the networks publish them: prefix, lengths, groups as printed.
NETWORKS = {
    "visa": (["4"], [16], (4, 4, 4, 4)),
    "mastercard": (["51", "52", "53", "54", "55", "2221", "2345", "2500", "2719"], [16], (4, 4, 4, 4)),
    "amex": (["34", "37"], [15], (4, 6, 5)),
    "discover": (["6011", "644", "645", "649", "65"], [16], (4, 4, 4, 4)),
    "diners": (["300", "301", "305", "36", "38"], [14], (4, 6, 4)),
    "jcb": (["3528", "3530", "3566", "3589"], [16], (4, 4, 4, 4)),
    "unionpay": (["6221", "6229", "6250", "6283"], [16, 19], (4, 4, 4, 4, 3)),
    "maestro": (["5018", "5020", "5038", "6304", "6759", "6761"], [16, 18], (4, 4, 4, 4, 2)),
    "mir": (["2200", "2202", "2204"], [16], (4, 4, 4, 4)),
    "rupay": (["6521", "6522", "8172", "6070"], [16], (4, 4, 4, 4)),
}
# Published by Stripe, Adyen and PayPal for tests.
TEST_CARDS = [
    "4242424242424242",
    "5555555555554444",
    "378282246310005",
    "6011111111111117",
    "3056930009020004",
    "3566002020360505",
    "6200000000000005",
    "2223003122003222",
    "4111111111111111",
    "371449635398431",
    "5105105105105100",
    "4000056655665556",
]


def card(rng):
    """The number and its printed groups."""
    prefixes, lengths, sizes = NETWORKS[rng.choice(["visa", "visa", "mastercard", "mastercard", *NETWORKS])]
    if rng.random() < 0.12:
        number = rng.choice(TEST_CARDS)
        return number, (4, 6, 5) if len(number) == 15 else (4, 4, 4, 4) if len(number) == 16 else (4, 6, 4)
    prefix, length = rng.choice(prefixes), rng.choice(lengths)
    head = prefix + digits(rng, length - 1 - len(prefix))
    return head + luhn(head), sizes


# SWIFT, IBAN Registry: the structure of the BBAN (n digits, a capitals, c either).
IBANS = dict(
    part.split(":")
    for part in (
        "AD:8n12c AE:19n AL:8n16c AT:16n AZ:4a20c BA:16n BE:12n BG:4a6n8c BH:4a14c BR:23n1a1c BY:4c4n16c "
        "CH:5n12c CR:18n CY:8n16c CZ:20n DE:18n DK:14n DO:4c20n EE:16n EG:25n ES:20n FI:14n FO:14n "
        "FR:10n11c2n GB:4a14n GE:2a16n GI:4a15c GL:14n GR:7n16c GT:24c HR:17n HU:24n IE:4a14n IL:19n "
        "IQ:4a15n IS:22n IT:1a10n12c JO:4a4n18c KW:4a22c KZ:3n13c LB:4n20c LC:4a24c LI:5n12c LT:16n "
        "LU:3n13c LV:4a13c LY:21n MC:10n11c2n MD:2c18c ME:18n MK:3n10c2n MR:23n MT:4a5n18c MU:4a19n3a "
        "NL:4a10n NO:11n PK:4a16c PL:24n PS:4a21c PT:21n QA:4a21c RO:4a16c RS:18n SA:2n18c SC:4a20n3a "
        "SE:20n SI:15n SK:20n SM:1a10n12c TN:20n TR:5n1n16c UA:6n19c VA:18n VG:4a16n XK:16n"
    ).split()
)
# The examples of the registry itself.
REGISTRY_IBANS = [
    "GB29NWBK60161331926819",
    "DE89370400440532013000",
    "FR1420041010050500013M02606",
    "NL91ABNA0417164300",
    "ES9121000418450200051332",
    "IT60X0542811101000000123456",
    "CH9300762011623852957",
    "BE68539007547034",
    "AT611904300234573201",
    "SE4550000000058398257466",
    "NO9386011117947",
    "PL61109010140000071219812874",
    "SA0380000000608010167519",
    "MT84MALT011000012345MTLCAST001S",
]


def iban(rng):
    if rng.random() < 0.15:
        return rng.choice(REGISTRY_IBANS)
    country = rng.choice(["DE", "FR", "GB", "ES", "IT", "NL", "CH", "AT", "BE", "PL", *IBANS])
    bban, shape = "", IBANS[country]
    pick = {"n": "0123456789", "a": UPPER, "c": "0123456789" + ("" if rng.random() < 0.7 else UPPER)}
    count = ""
    for char in shape:
        if char.isdigit():
            count += char
        else:
            bban, count = bban + chars(rng, pick[char], int(count)), ""
    value = int("".join(str(int(char, 36)) for char in f"{bban}{country}00"))
    return f"{country}{98 - value % 97:02}{bban}"


BANKS = [
    "DEUT",
    "COBA",
    "BNPA",
    "SOGE",
    "BARC",
    "HBUK",
    "CHAS",
    "CITI",
    "INGB",
    "RABO",
    "UBSW",
    "NDEA",
    "BSCH",
    "BBVA",
    "UNCR",
    "KRED",
    "DABA",
    "BOTK",
    "ICIC",
    "RZBA",
]


def bic(rng):
    """ISO 9362: bank, country, location, branch."""
    country = rng.choice(["DE", "FR", "GB", "US", "NL", "CH", "FI", "ES", "IT", "BE", "JP", "IN", "AT"])
    location = rng.choice(["FF", "PP", "22", "33", "2A", "2L", "ZH", "HH", "MM", "BB", "JT", "WW"])
    return rng.choice(BANKS) + country + location + rng.choice(["", "", "XXX", "500", digits(rng, 3)])


def imei(rng):
    """3GPP TS 23.003: TAC, serial, Luhn."""
    head = rng.choice(["35", "86", "01", "99"]) + digits(rng, 12)
    return head + luhn(head)


VIN_VALUES = dict(
    zip(
        "ABCDEFGHJKLMNPRSTUVWXYZ0123456789",
        [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    )
)


def vin(rng):
    """49 CFR 565: check digit in the ninth place (North America)."""
    alphabet = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
    maker = rng.choice(["1HG", "1M8", "2T1", "3VW", "4T1", "5YJ", "1FT", "1G1", "WBA", "JTD", "KNA"])
    head = (
        maker
        + chars(rng, alphabet, 5)
        + "0"
        + rng.choice("ABCDEFGHJKLMNPRSTVWXY123456789")
        + rng.choice(alphabet)
        + digits(rng, 6)
    )
    total = sum(
        VIN_VALUES[char] * weight
        for char, weight in zip(head, [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2])
    )
    return head[:8] + "0123456789X"[total % 11] + head[9:]


B58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
RIPPLE = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"


def _base58(raw, alphabet=B58):
    number, out = int.from_bytes(raw, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        out = alphabet[rest] + out
    return alphabet[0] * (len(raw) - len(raw.lstrip(b"\0"))) + out


def _base58check(rng, version, alphabet=B58):
    raw = bytes(version) + rng.randbytes(20)
    return _base58(raw + hashlib.sha256(hashlib.sha256(raw).digest()).digest()[:4], alphabet)


BECH = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def _bech32(prefix, values, constant):
    """BIP 173 and 350."""

    def polymod(all_values):
        check = 1
        for value in all_values:
            top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
            for bit, generator in enumerate([0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3]):
                check ^= generator if top >> bit & 1 else 0
        return check

    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    rest = polymod(expanded + values + [0] * 6) ^ constant
    return prefix + "1" + "".join(BECH[v] for v in values + [rest >> 5 * (5 - i) & 31 for i in range(6)])


def _five_bits(raw):
    number, count = int.from_bytes(raw, "big"), -(-len(raw) * 8 // 5)
    number <<= count * 5 - len(raw) * 8
    return [number >> 5 * (count - 1 - place) & 31 for place in range(count)]


def keccak256(data):
    """Keccak with the original padding, as Ethereum uses it (the Keccak reference, 2011)."""
    mask, lanes = (1 << 64) - 1, [[0] * 5 for _ in range(5)]
    rotate = lambda v, n: (v << n | v >> 64 - n) & mask if n else v
    padded = bytearray(data + b"\x01" + b"\0" * (-(len(data) + 1) % 136))
    padded[-1] |= 0x80
    for start in range(0, len(padded), 136):
        for i in range(17):
            lanes[i % 5][i // 5] ^= int.from_bytes(padded[start + 8 * i : start + 8 * i + 8], "little")
        lfsr = 1
        for _ in range(24):
            c = [lanes[x][0] ^ lanes[x][1] ^ lanes[x][2] ^ lanes[x][3] ^ lanes[x][4] for x in range(5)]
            d = [c[(x - 1) % 5] ^ rotate(c[(x + 1) % 5], 1) for x in range(5)]
            lanes = [[lanes[x][y] ^ d[x] for y in range(5)] for x in range(5)]
            x, y, current = 1, 0, lanes[1][0]
            for t in range(24):
                x, y = y, (2 * x + 3 * y) % 5
                current, lanes[x][y] = lanes[x][y], rotate(current, (t + 1) * (t + 2) // 2 % 64)
            for y in range(5):
                row = [lanes[x][y] for x in range(5)]
                for x in range(5):
                    lanes[x][y] = row[x] ^ (~row[(x + 1) % 5] & mask & row[(x + 2) % 5])
            for j in range(7):
                lfsr = (lfsr << 1 ^ (lfsr >> 7) * 0x71) % 256
                if lfsr & 2:
                    lanes[0][0] ^= 1 << (1 << j) - 1
    return b"".join(lanes[i % 5][i // 5].to_bytes(8, "little") for i in range(4))


def ethereum(rng):
    """EIP-55: the case of the letters is the checksum; all lower is an address too."""
    body = chars(rng, HEX, 40)
    if rng.random() < 0.3:
        return "0x" + body
    digest = keccak256(body.encode()).hex()
    return "0x" + "".join(c.upper() if int(h, 16) > 7 else c for c, h in zip(body, digest))


WALLETS = [
    ethereum,
    ethereum,
    ethereum,
    lambda r: _base58check(r, [0]),
    lambda r: _base58check(r, [0]),
    lambda r: _base58check(r, [5]),
    lambda r: _bech32("bc", [0] + _five_bits(r.randbytes(20)), 1),
    lambda r: _bech32("bc", [0] + _five_bits(r.randbytes(32)), 1),
    lambda r: _bech32("bc", [1] + _five_bits(r.randbytes(32)), 0x2BC830A3),
    lambda r: _base58check(r, [0x30]),
    lambda r: _bech32("ltc", [0] + _five_bits(r.randbytes(20)), 1),
    lambda r: _base58check(r, [0x1E]),
    lambda r: _base58check(r, [0x41]),
    lambda r: _base58check(r, [0], RIPPLE),
    lambda r: _base58check(r, [0x4C]),
    lambda r: _bech32("addr", _five_bits(b"\x01" + r.randbytes(56)), 1),
]


def wallet(rng):
    """Bitcoin in four forms, Ethereum, Litecoin, Dogecoin, Tron, XRP, Dash, Cardano."""
    return rng.choice(WALLETS)(rng)


def mac(rng):
    """IEEE 802, unicast, with vendors' prefixes or locally administered."""
    head = rng.choice(["001a2b", "f4f5d8", "3c22fb", "b827eb", "000c29", "525400", "d8bb2c", "a4c3f0"])
    return head + chars(rng, HEX, 6)


def mac_form(rng, raw):
    form = rng.choice([":", ":", ":", "-", "-", "."])
    if form == ".":
        return ".".join(raw[i : i + 4] for i in (0, 4, 8))
    text = form.join(raw[i : i + 2] for i in range(0, 12, 2))
    return text.upper() if form == "-" or rng.random() < 0.4 else text


def ipv4(rng):
    """A global unicast address: none of IANA's special-purpose blocks."""
    while True:
        first, second = rng.randint(1, 223), rng.randint(0, 255)
        if first in (10, 127, 0, 100, 169, 172, 192, 198, 203, 224) or first >= 224:
            continue
        return f"{first}.{second}.{rng.randint(0, 255)}.{rng.randint(1, 254)}"


def ipv6(rng):
    head = rng.choice(["2a00:1450", "2606:4700", "2a01:4f8", "2600:1f18", "2400:cb00", "2a02:8108"])
    if rng.random() < 0.5:
        return f"{head}:{chars(rng, '123456789abcdef', 3)}::{chars(rng, '123456789abcdef', rng.choice([1, 2, 4]))}"
    tail = ":".join(chars(rng, "123456789abcdef", 4) for _ in range(6))
    return f"{head}:{tail}"


def account(rng):
    return digits(rng, rng.choice([8, 8, 9, 10, 10, 11, 12]), "123456789")


def slug(rng, size):
    return chars(rng, LOWER + "0123456789", size)


def token(rng, size):
    return chars(rng, ALNUM, size)
