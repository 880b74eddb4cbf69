"""Values that a decoder would see and a plain search would not."""

import base64

import keys
from pieces import Gold, fill, url
from special import sample

WIDE = {ord(c): ord(c) + 0xFEE0 for c in "0123456789@"}


TEXT = {
    "EMAIL": "mail {v} today",
    "CREDIT_CARD": "card {v} exp 12/29",
    "IBAN": "IBAN {v} please",
    "SSN": "SSN {v} on file",
    "PHONE": "phone {v} after six",
    "API_KEY": "API key {v} works",
    "JWT": "token {v} expired",
    "CPF": "CPF {v} do titular",
    "AADHAAR": "Aadhaar {v} linked",
    "NHS_NUMBER": "NHS number {v} noted",
    "PESEL": "PESEL {v} w aktach",
    "WEBHOOK_URL": "webhook {v} posts",
    "CRYPTO_WALLET": "wallet {v} only",
}


def _sprinkle(rng, text, signs):
    at = sorted(rng.sample(range(1, len(text)), min(rng.choice([1, 2, 3]), len(text) - 1)), reverse=True)
    for place in at:
        text = text[:place] + rng.choice(signs) + text[place:]
    return text


def _escape_some(rng, text, form, share=0.4):
    out = "".join(form(char) if rng.random() < share else char for char in text)
    return out if out != text else form(text[0]) + text[1:]


def zero_width(rng):
    name = rng.choice(
        [
            "EMAIL",
            "CREDIT_CARD",
            "IBAN",
            "SSN",
            "PHONE",
            "API_KEY",
            "CPF",
            "AADHAAR",
            "NHS_NUMBER",
            "CRYPTO_WALLET",
        ]
    )
    return name, _sprinkle(rng, sample(rng, name), "\u200b\u200c\u200d\u2060\ufeff\u00ad")


def full_width(rng):
    name = rng.choice(["CREDIT_CARD", "SSN", "PHONE", "IBAN", "CPF", "AADHAAR", "EMAIL", "PESEL"])
    return name, sample(rng, name).translate(WIDE)


def spaces(rng):
    """As copied from web pages: no-break and thin spaces, other dashes."""
    name = rng.choice(["CREDIT_CARD", "IBAN", "SSN", "PHONE", "AADHAAR"])
    for _ in range(80):
        value = sample(rng, name)
        if " " in value or "-" in value:
            break
    return name, value.replace(" ", rng.choice("\u00a0\u202f\u2009")).replace(
        "-", rng.choice("\u2011\u2013\u2010")
    )


def unicode_escape(rng):
    name = rng.choice(["EMAIL", "CREDIT_CARD", "IBAN", "SSN", "API_KEY", "PHONE"])
    return name, _escape_some(rng, sample(rng, name), lambda c: f"\\u{ord(c):04x}", rng.choice([0.2, 0.5, 1]))


def entities(rng):
    name = rng.choice(["EMAIL", "CREDIT_CARD", "IBAN", "PHONE", "SSN"])
    form = rng.choice([lambda c: f"&#{ord(c)};", lambda c: f"&#x{ord(c):x};"])
    value = sample(rng, name)
    if name == "EMAIL" and rng.random() < 0.5:
        return name, value.replace("@", rng.choice(["&#64;", "&#x40;", "&commat;"]))
    return name, _escape_some(rng, value, form, rng.choice([0.3, 1]))


def url_encoded(rng):
    name = rng.choice(["EMAIL", "PHONE", "IBAN", "CREDIT_CARD", "WEBHOOK_URL", "JWT", "SSN"])
    value = sample(rng, name)
    value = (
        _escape_some(rng, value, lambda c: f"%{ord(c):02X}" if ord(c) < 128 else c, 0.3)
        if rng.random() < 0.3
        else url(value)
    )
    return name, value


def line_breaks(rng):
    name = rng.choice(["IBAN", "IBAN", "CREDIT_CARD"])
    for _ in range(80):
        value = sample(rng, name)
        if value.count(" ") >= 2:
            break
    places = [place for place, char in enumerate(value) if char == " "]
    at = rng.choice(places) if places else 4
    return name, value[:at] + rng.choice(["\n", "\r\n", " \n"]) + value[at + 1 :]


EVASIONS = [zero_width, full_width, spaces, unicode_escape, entities, url_encoded, line_breaks]


def evasion(rng, place):
    make = EVASIONS[place % len(EVASIONS)]
    name, value = make(rng)
    text = TEXT[name]
    if make is url_encoded:
        text = (
            "https://example.com/f?x=1&"
            + {
                "EMAIL": "email",
                "PHONE": "phone",
                "IBAN": "iban",
                "CREDIT_CARD": "card_number",
                "WEBHOOK_URL": "hook",
                "JWT": "token",
                "SSN": "ssn",
            }[name]
            + "={v}&y=2"
        )
    return make.__name__.replace("_", "-"), fill(text, v=Gold(name, value))


def base64_secret(rng, place):
    """One level of base64 over a secret: Kubernetes, CI variables, pasted blobs."""
    kind, plain = [
        ("API_KEY", keys.api_key(rng, rng.randrange(1000))[1]),
        ("PRIVATE_KEY", keys.private_key(rng) + "\n"),
        ("API_KEY", keys.api_key(rng, rng.randrange(1000))[1] + "\n"),
        ("JWT", keys.jwt(rng)),
    ][place % 4]
    blob = Gold(kind, base64.b64encode(plain.encode()).decode())
    return [
        lambda: ["apiVersion: v1\nkind: Secret\nmetadata:\n  name: app\ndata:\n  token: ", blob, "\n"],
        lambda: ["echo ", blob, " | base64 -d"],
        lambda: ['{"encoding": "base64", "content": "', blob, '"}'],
        lambda: ["TOKEN_B64=", blob, "\n"],
    ][place // 4 % 4]()


def pem_forms(rng, place):
    """A PEM key whose line breaks were lost or changed."""
    value = keys.private_key(rng)
    new = ["\\n", " ", "\\r\\n", "\n> ", "\n\n", "<br>"][place % 6]
    return ["the key was ", Gold("PRIVATE_KEY", value.replace("\n", new)), " as pasted"]
