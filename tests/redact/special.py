"""Texts for the kinds whose value is bound to its surroundings, and mixed documents."""

import finance as fin
import forms
import keys
import kinds as kind_table
from carriers import Case
from digits import digits
from pieces import Gold, encode, fill, json_string

BY_NAME = {kind.name: kind for kind in reversed(kind_table.KINDS)}


def sample(rng, name):
    if name == "API_KEY":
        return keys.api_key(rng, rng.randrange(1000))[1]
    return BY_NAME[name].value(rng)


CREDENTIAL_TEXTS = [
    "DATABASE_URL={u}",
    'engine = create_engine("{u}")\n',
    "databases:\n  default:\n    url: {u}\n",
    "connecting to {u} failed, see the log",
    '{"dsn": "{u}", "pool": 5}',
    "git clone {u}\n",
    '<datasource url="{u}"/>',
    "please use {u} for staging",
    "spring.datasource.url={u}\n",
    "$ curl -I {u}\nHTTP/1.1 200 OK",
    "const client = new Client('{u}');",
    "连接串是{u}，请保密",
    "REDIS_URL='{u}'\nPORT=80\n",
    "| dsn | {u} |\n|---|---|\n",
]


def credentials(rng, place):
    before, value, after = keys.credentials(rng)
    if rng.random() < 0.08:
        before, after = "", "@tcp(10.0.0.7:3306)/shop?parseTime=true"
    address = [before, Gold("CREDENTIALS", value), after]
    text = CREDENTIAL_TEXTS[place % len(CREDENTIAL_TEXTS)]
    if text.startswith('{"dsn'):
        return ['{"dsn": "', *address, '", "pool": 5}']
    return fill(text, u=address)


AUTH_TEXTS = [
    "GET /v1/me HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: {s} {v}\r\nAccept: */*\r\n",
    "curl -H 'Authorization: {s} {v}' https://api.example.com/v1/me",
    '{"headers": {"Authorization": "{s} {v}", "Accept": "application/json"}}',
    'headers = {"Authorization": "{s} {v}"}\n',
    "authorization: {s} {v}",
    "Proxy-Authorization: {s} {v}\r\n",
    "2026-04-02 11:02:07,113 DEBUG send: headers Authorization='{s} {v}' bytes=312",
    "fetch(url, { headers: { authorization: `{s} {v}` } })",
    'http:\n  headers:\n    Authorization: "{s} {v}"\n',
    "I pasted this header: Authorization: {s} {v}\nand got a 401",
    'req.Header.Set("Authorization", "{s} {v}")\n',
    '{"role":"user","content":"call it with \\"Authorization: {s} {v}\\" please"}',
]


def auth_header(rng, place):
    scheme, value = rng.choice([("Bearer", keys.bearer), ("Basic", keys.basic), ("Bearer", keys.bearer)])
    text = AUTH_TEXTS[place % len(AUTH_TEXTS)]
    return fill(text, s=scheme, v=Gold("AUTH_HEADER", value(rng)))


def private_key(rng, place):
    value = keys.private_key(rng)
    gold = Gold("PRIVATE_KEY", value)
    indented = Gold("PRIVATE_KEY", value.replace("\n", "\n    "))
    return [
        lambda: [gold],
        lambda: ["Here is the key:\n```\n", gold, "\n```\nkeep it safe"],
        lambda: [
            '{"type": "service_account", "private_key_id": "',
            "0a1b2c3d",
            '", "private_key": "',
            *encode([gold, "\n"], json_string),
            '"}',
        ],
        lambda: ["tls:\n  key: |\n    ", indented, "\n  port: 443\n"],
        lambda: ['SSH_KEY="', *encode([gold], lambda t: t.replace("\n", "\\n")), '"\n'],
        lambda: ["cat > ~/.ssh/id <<EOF\n", gold, "\nEOF\nchmod 600 ~/.ssh/id\n"],
        lambda: ["KEY = '''", gold, "\n'''\n"],
        lambda: ['resource "tls" "a" {\n  key = <<-PEM\n    ', indented, "\n  PEM\n}\n"],
        lambda: ["<key>", gold, "</key>"],
        lambda: [*encode([gold], lambda t: t.replace("\n", "\r\n")), "\r\n"],
    ][place % 10]()


def _g(rng, name):
    return Gold(name, sample(rng, name))


def letter(rng):
    return [
        "Dear support,\n\nI moved last month. My new phone is ",
        _g(rng, "PHONE"),
        " and the best e-mail is now ",
        _g(rng, "EMAIL"),
        ".\nPlease charge order ",
        digits(rng, 7),
        " of 49.90 to my card ",
        _g(rng, "CREDIT_CARD"),
        " and refund the old one to IBAN ",
        _g(rng, "IBAN"),
        ".\n\nThank you",
    ]


def employee(rng):
    return [
        '{"employee_id": "E-',
        digits(rng, 5),
        '", "email": "',
        _g(rng, "EMAIL"),
        '", "ssn": "',
        _g(rng, "SSN"),
        '", "date_of_birth": "',
        _g(rng, "DATE_OF_BIRTH"),
        '", "routing_number": "',
        _g(rng, "ABA_ROUTING"),
        '", "account_number": "',
        _g(rng, "BANK_ACCOUNT"),
        '", "hired": "2019-04-01"}',
    ]


def env_file(rng):
    before, secret, after = keys.credentials(rng)
    name, value = keys.secret(rng)
    return [
        "NODE_ENV=production\nPORT=3000\nDATABASE_URL=",
        before,
        Gold("CREDENTIALS", secret),
        after,
        "\nAPI_TOKEN=",
        _g(rng, "API_KEY"),
        f"\n{name.upper()}=",
        Gold("SECRET", value),
        "\nSMTP_PASSWORD=",
        Gold("PASSWORD", keys.plain_password(rng)),
        "\nADMIN_EMAIL=",
        _g(rng, "EMAIL"),
        "\nTIMEOUT_MS=30000\n",
    ]


def access_log(rng):
    out = []
    for _ in range(4):
        out += [
            _g(rng, "IP"),
            f' - - [12/Mar/2026:10:{rng.randint(10, 59)}:{rng.randint(10, 59)} +0000] "GET /items/{digits(rng, 6)} HTTP/1.1" 200 {digits(rng, 4)} "-" "curl/8.5.0"\n',
        ]
    return out


def customers(rng):
    out = ["customer_no,email,phone,iban,revenue\n"]
    for row in range(5):
        out += [
            f"10{row}{digits(rng, 3)},",
            _g(rng, "EMAIL"),
            ",",
            Gold("PHONE", forms.phone(rng)),
            ",",
            _g(rng, "IBAN"),
            f",{rng.randint(10, 9999)}.50\n",
        ]
    return out


def patient(rng):
    return [
        "Patient intake (visit ",
        digits(rng, 6),
        ")\nDOB: ",
        _g(rng, "DATE_OF_BIRTH"),
        "\nMBI: ",
        _g(rng, "MBI"),
        "\nReferring NPI: ",
        _g(rng, "NPI"),
        "\nDEA number: ",
        _g(rng, "DEA"),
        "\nBP 120/80, HR 72, temp 36.6\nContact: ",
        _g(rng, "EMAIL"),
    ]


def kyc(rng):
    return [
        "KYC: passport number ",
        _g(rng, "PASSPORT"),
        ", date of birth ",
        _g(rng, "DATE_OF_BIRTH"),
        ", PAN ",
        _g(rng, "PAN"),
        ", Aadhaar ",
        _g(rng, "AADHAAR"),
        ". Case 2026-",
        digits(rng, 5),
        " was opened on 2026-02-11.",
    ]


def uk_payment(rng):
    return [
        "Pay by bank transfer. Sort code: ",
        _g(rng, "SORT_CODE"),
        " Account number: ",
        Gold("BANK_ACCOUNT", digits(rng, 8, "123456789")),
        " IBAN: ",
        _g(rng, "IBAN"),
        " BIC: ",
        _g(rng, "SWIFT_BIC"),
        "\nReference INV-",
        digits(rng, 6),
    ]


def tool_result(rng):
    return [
        '{"type":"tool_result","tool_use_id":"toolu_01',
        digits(rng, 22),
        '","content":"{\\"user\\":{\\"email\\":\\"',
        _g(rng, "EMAIL"),
        '\\",\\"phone\\":\\"',
        Gold("PHONE", forms.phone(rng)),
        '\\"},\\"last_ip\\":\\"',
        Gold("IP", fin.ipv4(rng)),
        '\\",\\"session\\":\\"',
        digits(rng, 8),
        '\\"}"}',
    ]


MIXED = [letter, employee, env_file, access_log, customers, patient, kyc, uk_payment, tool_result]


def secret_case(rng, place):
    """A case of the kind SECRET: one family, so that every value in a table has its shape."""
    family = list(keys.SECRETS)[place % len(keys.SECRETS)]
    names, shape = keys.SECRETS[family]
    case = Case(rng, BY_NAME["SECRET"], lambda r: keys.fill(r, shape))
    case.key = rng.choice(names)
    case.label = case.key.replace("_", " ") if rng.random() < 0.6 else case.key
    return case
