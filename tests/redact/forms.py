"""How people write values: separators, groups, cases, national customs."""

import asia
import europe as eu
import finance as fin
from digits import date, digits, groups


def written(make, *forms):
    """A value made by `make`, in one of its written forms."""

    def sample(rng):
        return rng.choice(forms)(make(rng))

    return sample


def plain(value):
    return value


def cut(sizes, separator):
    return lambda value: groups(value, sizes, separator)


NAMES = (
    "ann.lee jdoe maria.garcia hans-peter.mueller k.tanaka sales info+news first_last x.y.z olu99 "
    "p.dubois li.wei support a.kowalska s.nilsson"
).split()


DOMAINS = (
    "example.com example.org mail.example.net firma.example.de acme.co.uk kontor.io "
    "contoso.com sub.dept.uni.example.edu posteo.example shop.example.com.br gmail.com "
    "qq.com web.de orange.fr naver.com outlook.com"
).split()


def email(rng):
    # An apostrophe is allowed and rare.
    name = rng.choice(NAMES) if rng.random() < 0.99 else "o'brien"
    name += rng.choice(["", "", str(rng.randint(1, 99))])
    domain = (
        rng.choice(DOMAINS)
        if rng.random() < 0.97
        else rng.choice(["bücher.example", "xn--bcher-kva.example"])
    )
    text = f"{name}@{domain}"
    return text.upper() if rng.random() < 0.05 else text


def phone(rng):
    """ITU E.164 numbers as national customs group them; ranges reserved for fiction where a
    regulator has some (NANPA 555-01xx, Ofcom 7946 0xxx)."""
    d = lambda n: digits(rng, n)
    forms = [
        f"+1 {rng.choice(['202', '415', '646', '312'])}-555-01{d(2)}",
        f"+1 ({rng.choice(['202', '415', '646'])}) 555-01{d(2)}",
        f"+1.212.555.01{d(2)}",
        f"+1415555{rng.choice(['01'])}{d(2)}",
        f"+44 20 7946 0{d(3)}",
        f"+44 7700 900{d(3)}",
        f"+44 (0)20 7946 0{d(3)}",
        f"+49 30 {digits(rng, 4, '23456789')} {d(4)}",
        f"+49 151 {digits(rng, 8, '123456789')}",
        f"+49 (0) 89 {digits(rng, 3, '23456789')} {d(3)} {d(2)}",
        f"+33 6 {d(2)} {d(2)} {d(2)} {d(2)}",
        f"+33 (0)1 {d(2)} {d(2)} {d(2)} {d(2)}",
        f"+34 6{d(2)} {d(3)} {d(3)}",
        f"+39 3{d(2)} {d(3)} {d(4)}",
        f"+31 6 {digits(rng, 8, '1234')}",
        f"+91 9{d(4)} {d(5)}",
        f"+91-8{d(9)}",
        f"+86 138 {d(4)} {d(4)}",
        f"+86-139{d(8)}",
        f"+81 90-{digits(rng, 4, '123456789')}-{d(4)}",
        f"+81-3-{digits(rng, 4, '3456')}-{d(4)}",
        f"+82 10-{digits(rng, 4, '23456789')}-{d(4)}",
        f"+55 11 9{d(4)}-{d(4)}",
        f"+55 (21) 9{d(4)}-{d(4)}",
        f"+52 55 {digits(rng, 4, '12345678')} {d(4)}",
        f"+61 4{d(2)} {d(3)} {d(3)}",
        f"+48 5{d(2)} {d(3)} {d(3)}",
        f"+46 70-{digits(rng, 3, '123456789')} {d(2)} {d(2)}",
        f"+41 79 {digits(rng, 3, '23456789')} {d(2)} {d(2)}",
        f"+65 9{d(3)} {d(4)}",
        f"+27 82 {d(3)} {d(4)}",
        f"0049 30 {digits(rng, 4, '23456789')}{d(4)}",
        f"+972 5{rng.choice('024')}-{digits(rng, 3, '23456789')}-{d(4)}",
        f"+90 532 {digits(rng, 3, '23456789')} {d(2)} {d(2)}",
        f"+4915112345{d(3)}",
    ]
    return rng.choice(forms)


def local_phone(rng):
    """The same without country code: a word must stand beside it."""
    d = lambda n: digits(rng, n)
    return rng.choice(
        [
            f"(202) 555-01{d(2)}",
            f"415-555-01{d(2)}",
            f"646.555.01{d(2)}",
            f"312 555 01{d(2)}",
            f"020 7946 0{d(3)}",
            f"07700 900{d(3)}",
            f"030 {digits(rng, 4, '23456789')}{d(4)}",
            f"089/{digits(rng, 6, '23456789')}",
            f"0151 {digits(rng, 8, '123456789')}",
            f"06 {d(2)} {d(2)} {d(2)} {d(2)}",
            f"01.{d(2)}.{d(2)}.{d(2)}.{d(2)}",
            f"9{d(4)} {d(5)}",
            f"138{d(8)}",
            f"139-{d(4)}-{d(4)}",
            f"090-{digits(rng, 4, '123456789')}-{d(4)}",
            f"03-{digits(rng, 4, '3456')}-{d(4)}",
            f"010-{digits(rng, 4, '23456789')}-{d(4)}",
            f"(11) 9{d(4)}-{d(4)}",
            f"612 {d(3)} {d(3)}",
            f"0412 {d(3)} {d(3)}",
        ]
    )


def card(rng):
    number, sizes = fin.card(rng)
    form = rng.choice([plain, cut(sizes, " "), cut(sizes, " "), cut(sizes, "-"), plain])
    return form(number).rstrip(" -")


def iban(rng):
    number = fin.iban(rng)
    form = rng.choice(
        [
            plain,
            plain,
            lambda v: groups(v, [4] * 9, " ").rstrip(),
            str.lower,
            lambda v: groups(v, [4] * 9, " ").rstrip(),
            lambda v: groups(v, [4] * 9, "-").rstrip("-"),
        ]
    )
    return form(number)


def ip(rng):
    return fin.ipv4(rng) if rng.random() < 0.65 else fin.ipv6(rng)


def dob(rng):
    born = date(rng)
    months = "January February March April May June July August September October November December".split()
    name = months[born.month - 1]
    return rng.choice(
        [
            born.isoformat(),
            born.strftime("%d.%m.%Y"),
            born.strftime("%m/%d/%Y"),
            born.strftime("%d/%m/%Y"),
            f"{name} {born.day}, {born.year}",
            f"{born.day} {name} {born.year}",
            f"{born.day} {name[:3]} {born.year}",
            born.strftime("%Y/%m/%d"),
            born.strftime("%d-%m-%Y"),
            born.strftime("%d-%b-%Y"),
            born.strftime("%m/%d/%y"),
            born.strftime("%Y年%-m月%-d日"),
        ]
    )


def swedish(value):
    return value[2:8] + "-" + value[8:]


def driving(rng):
    return asia.driving_licence(rng, rng.choice(["gb", "us", "us", "de", "in", "ca", "au", "it"]))


def passport(rng):
    return asia.passport(rng, rng.choice(list(asia.PASSPORTS)))


def spanish(rng):
    if rng.random() < 0.35:
        value = eu.nie(rng)
        return rng.choice([value, f"{value[0]}-{value[1:8]}-{value[8]}"])
    value = eu.dni(rng)
    dotted = f"{int(value[:8]):010,}".replace(",", ".")
    return rng.choice(
        [value, value, f"{value[:8]}-{value[8]}", f"{dotted}-{value[8]}", f"{value[:8]} {value[8]}"]
    )
