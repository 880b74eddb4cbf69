"""Carriers that are data formats, code, logs and commands; prose is in carriers.py."""

from digits import HEX, chars, digits
from pieces import encode, json_string, url, xml

COLUMNS = [
    "order_id",
    "city",
    "amount",
    "status",
    "created_at",
    "quantity",
    "sku",
    "plan",
    "event_id",
    "updated_ms",
    "invoice_no",
    "commit",
    "trace_id",
    "version",
    "host",
    "weight",
    "tracking_number",
    "rating",
]


def column(rng, name):
    return {
        "order_id": digits(rng, 6, "123456789"),
        "city": rng.choice(["Lyon", "Leeds", "Osaka", "Graz", "Recife"]),
        "amount": f"{rng.randint(5, 900)}.{rng.randint(0, 99):02}",
        "status": rng.choice(["open", "paid", "new"]),
        "created_at": f"2026-0{rng.randint(1, 9)}-{rng.randint(10, 28)}T0{rng.randint(0, 9)}:{rng.randint(10, 59)}:00Z",
        "quantity": str(rng.randint(1, 40)),
        "sku": f"SKU-{digits(rng, 5)}",
        "plan": rng.choice(["basic", "pro", "team"]),
        "event_id": str(rng.randint(10**17, 10**18)),
        "updated_ms": str(rng.randint(1_690_000_000_000, 1_790_000_000_000)),
        "invoice_no": f"INV-2026-{digits(rng, 5)}",
        "commit": chars(rng, HEX, 40),
        "trace_id": chars(rng, HEX, 32),
        "version": f"{rng.randint(1, 9)}.{rng.randint(0, 30)}.{rng.randint(0, 9)}",
        "host": f"10.{rng.randint(0, 255)}.{rng.randint(0, 255)}.{rng.randint(1, 254)}",
        "weight": f"{rng.randint(1, 90)}.{digits(rng, 3)}",
        "tracking_number": "94" + digits(rng, 20),
        "rating": f"{rng.randint(1, 5)}/5",
    }[name]


def camel(name):
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def record(case):
    """Keys and values: one of them the value."""
    names = case.rng.sample(COLUMNS, 3)
    pairs = [(name, [column(case.rng, name)]) for name in names]
    pairs.insert(case.rng.randrange(4), (case.key, [case.gold()]))
    return pairs


def _json(pairs, indent, spaced=True, ascii_only=False):
    out, comma, colon = ["{"], ",", ": " if spaced else ":"
    for place, (name, value) in enumerate(pairs):
        lead = ("\n" + " " * indent) if indent else (" " if place and spaced else "")
        out += [
            (comma if place else "") + lead + f'"{name}"{colon}"',
            *encode(value, lambda text: json_string(text, ascii_only)),
            '"',
        ]
    return [*out, "\n}" if indent else "}"]


def json_pretty(case):
    return _json(record(case), case.rng.choice([2, 4]))


def json_compact(case):
    pairs = record(case)
    if case.rng.random() < 0.5:
        pairs = [(camel(name), value) for name, value in pairs]
    return _json(pairs, 0, spaced=case.rng.random() < 0.3)


def json_nested(case):
    """A tool's arguments: JSON inside a JSON string."""
    inner = encode(_json(record(case), 0), json_string)
    return [
        '{"id":"call_',
        digits(case.rng, 9),
        '","type":"function","function":{"name":"update_record","arguments":"',
        *inner,
        '"}}',
    ]


def json_array(case):
    return [f'{{"{case.key}s": ["', case.gold(), '", "', case.gold(), '"], "total": 2}']


def json_number(case):
    """Without quotes, where the value is digits: a number to JSON."""
    value = case.raw()
    if not value.isdigit() or value[0] == "0":
        return json_compact(case)
    return [
        f'{{"id": {case.rng.randint(1, 9999)}, "{case.key}": ',
        case.gold(value),
        f', "version": {case.rng.randint(1, 9)}}}',
    ]


def csv(case):
    separator = case.rng.choice([",", ",", ";", "\t"])
    names = case.rng.sample(COLUMNS, 3)
    place = case.rng.randrange(4)
    header = [*names[:place], case.key if case.rng.random() < 0.7 else case.label, *names[place:]]
    out = [separator.join(header)]
    for _ in range(case.rng.randint(3, 6)):
        cells = [column(case.rng, name) for name in names]
        out.append("\n" + separator.join(cells[:place]) + (separator if place else ""))
        value = case.raw()
        quoted = separator in value or case.rng.random() < 0.1
        out += ['"' if quoted else "", case.gold(value), '"' if quoted else ""]
        out.append((separator if cells[place:] else "") + separator.join(cells[place:]))
    return out


def yaml(case):
    quote = case.rng.choice(["", "'", '"'])
    return [
        "customer:\n  id: 10",
        digits(case.rng, 3),
        f"\n  {case.key}: {quote}",
        case.gold(),
        f"{quote}\n  plan: pro\n",
    ]


def env(case):
    quote = case.rng.choice(["", '"'])
    return [
        "APP_ENV=production\nLOG_LEVEL=info\n",
        f"{case.key.upper()}={quote}",
        case.gold(),
        f"{quote}\nPORT=8080\n",
    ]


def ini(case):
    return ["[profile]\nname = default\n", f"{case.key} = ", case.gold(), "\nretries = 3\n"]


def toml(case):
    return ["[customer]\nactive = true\n", f'{case.key} = "', case.gold(), '"\nlimit = 250\n']


def xml_elements(case):
    name = case.rng.choice([case.key, camel(case.key), camel(case.key)[0].upper() + camel(case.key)[1:]])
    return [
        '<?xml version="1.0"?>\n<customer><id>',
        digits(case.rng, 5),
        f"</id><{name}>",
        *encode([case.gold()], xml),
        f"</{name}></customer>",
    ]


def xml_attribute(case):
    return [
        f'<person id="{digits(case.rng, 4)}" {case.key}="',
        *encode([case.gold()], xml),
        '" active="true"/>',
    ]


def sql(case):
    out = [f"INSERT INTO customers (id, {case.key}, created_at) VALUES\n"]
    for row in range(case.rng.choice([1, 2, 3])):
        value = case.raw().replace("'", "")
        out += [
            ",\n" if row else "",
            f"  ({case.rng.randint(1, 9999)}, '",
            case.gold(value),
            "', '2026-03-0" + str(row + 1) + "')",
        ]
    return [*out, ";"]


def sql_where(case):
    return [
        f"SELECT id, status FROM accounts WHERE {case.key} = '",
        case.gold(case.raw().replace("'", "")),
        "' LIMIT 10;",
    ]


def log(case):
    stamp = f"2026-0{case.rng.randint(1, 9)}-1{case.rng.randint(0, 9)}T1{case.rng.randint(0, 9)}:42:07.{digits(case.rng, 3)}Z"
    return [
        f"{stamp} INFO [worker-{case.rng.randint(1, 9)}] request={digits(case.rng, 7)} {case.key}=",
        case.gold(),
        " status=200 took=37ms",
    ]


def log_error(case):
    return [
        f"[1{case.rng.randint(0, 9)}/Mar/2026:10:12:44 +0000] ERROR validation failed for {case.label} '",
        case.gold(),
        f"' (code={case.rng.randint(400, 499)}, attempt 2)",
    ]


def python(case):
    quote = '"'
    return [
        "def test_lookup():\n",
        f"    {case.key} = {quote}",
        *encode([case.gold()], lambda t: t.replace("\\", "\\\\")),
        f"{quote}\n    assert lookup({case.key}).status == 200\n",
    ]


def javascript(case):
    name = camel(case.key)
    return [
        f"const user = {{ id: {case.rng.randint(1, 999)}, {name}: '",
        case.gold(case.raw().replace("'", "")),
        "', active: true };\nawait save(user);\n",
    ]


def html_table(case):
    return [
        f"<table><tr><th>Order</th><td>{digits(case.rng, 5)}</td></tr><tr><th>{case.label}</th><td>",
        *encode([case.gold()], xml),
        "</td></tr></table>",
    ]


def html_rows(case):
    """The label in the head of the column only."""
    out = [f"<table><thead><tr><th>Order</th><th>{case.label}</th><th>Total</th></tr></thead><tbody>"]
    for _ in range(case.rng.randint(2, 3)):
        out += [
            f"<tr><td>{digits(case.rng, 6)}</td><td>",
            *encode([case.gold()], xml),
            f"</td><td>{case.rng.randint(5, 900)}.50</td></tr>",
        ]
    return [*out, "</tbody></table>"]


def transcript(case):
    """A conversation as it is sent to a provider, the history in JSON."""
    ask = json_string(f"Could you tell me the {case.label}, please?")
    return [
        '{"messages":[{"role":"assistant","content":"' + ask + '"},{"role":"user","content":"',
        *case.rng.choice(
            [
                ["sure, ", *encode([case.gold()], json_string)],
                [*encode([case.gold()], json_string), " is what my papers say"],
            ]
        ),
        '"}],"model":"gpt-4o-mini","max_tokens":1024}',
    ]


def aligned(case):
    """As extracted from a form or printed by a terminal program."""
    return [
        f"Order        : {digits(case.rng, 7)}\n{case.label:<13}: ",
        case.gold(),
        "\nStatus       : open\n",
    ]


def html_form(case):
    return [
        f'<label for="f1">{case.label}</label><input id="f1" name="{case.key}" value="',
        *encode([case.gold()], xml),
        '">',
    ]


def markdown_table(case):
    out = [f"| Order | {case.label} | Status |\n|---|---|---|\n"]
    for _ in range(case.rng.randint(2, 4)):
        out += [f"| {digits(case.rng, 5)} | ", case.gold(), " | open |\n"]
    return out


def markdown_list(case):
    return [f"### Customer\n- Plan: pro\n- **{case.label}**: ", case.gold(), "\n- Since: spring\n"]


def query_string(case):
    value = case.raw()
    return [f"https://app.example.com/search?{case.key}=", *encode([case.gold(value)], url), "&page=2"]


def key_value(case):
    return [f"{case.key}{case.rng.choice(['=', ': ', ' = ', ':', ' => '])}", case.gold()]


def shell(case):
    return [
        "export ",
        f"{case.key.upper()}='",
        case.gold(case.raw().replace("'", "")),
        "'\n./run.sh --verbose\n",
    ]


def diff(case):
    return [
        "--- a/config/settings.py\n+++ b/config/settings.py\n@@ -12,3 +12,3 @@\n DEBUG = False\n",
        f'+{case.key.upper()} = "',
        case.gold(),
        '"\n',
    ]


def header(case):
    name = "-".join(part.capitalize() for part in case.key.split("_"))
    return [
        f"GET /v1/items HTTP/1.1\r\nHost: api.example.com\r\nX-{name}: ",
        case.gold(),
        "\r\nAccept: */*\r\n",
    ]


def compose(case):
    return [
        "services:\n  web:\n    image: app:1.4\n    environment:\n      - ",
        f"{case.key.upper()}=",
        case.gold(),
        "\n      - PORT=80\n",
    ]


def curl(case):
    return [
        "curl -sS https://api.example.com/v1/me -H '",
        f"X-{case.key.replace('_', '-')}: ",
        case.gold(),
        "'",
    ]
