"""The texts that values stand in: prose in many languages, data formats, code, logs, chats.

A carrier takes the random source, the kind and a maker of values, and gives pieces. All that it
says beside the value is free of anything personal or secret.
"""

import re

import phrases
from digits import digits
from pieces import Gold, encode, fill, json_string, url, xml

COLUMNS = ["order_id", "city", "amount", "status", "created_at", "quantity", "sku", "plan"]


def column(rng, name):
    return {"order_id": digits(rng, 6, "123456789"), "city": rng.choice(["Lyon", "Leeds", "Osaka", "Graz", "Recife"]),
            "amount": f"{rng.randint(5, 900)}.{rng.randint(0, 99):02}", "status": rng.choice(["open", "paid", "new"]),
            "created_at": f"2026-0{rng.randint(1, 9)}-{rng.randint(10, 28)}T0{rng.randint(0, 9)}:{rng.randint(10, 59)}:00Z",
            "quantity": str(rng.randint(1, 40)), "sku": f"SKU-{digits(rng, 5)}",
            "plan": rng.choice(["basic", "pro", "team"])}[name]


def camel(name):
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


class Case:
    """One kind in one text: its values, one label, one key."""

    def __init__(self, rng, kind, make=None):
        self.rng, self.kind, self._make = rng, kind, make or kind.value
        self.language = rng.choice(list(kind.labels)) if kind.labels else "en"
        if "en" in kind.labels and rng.random() < 0.25:
            self.language = "en"
        self.label = rng.choice(kind.labels[self.language]) if kind.labels else ""
        self.key = rng.choice(kind.keys) if kind.keys else "value"

    def raw(self):
        return self._make(self.rng)

    def gold(self, value=None):
        return Gold(self.kind.name, value or self.raw())


# --- prose -------------------------------------------------------------------------------------

def prose(case):
    label = case.label
    if case.language == "en" and case.rng.random() < 0.3:
        label = label[0].upper() + label[1:]
    return fill(case.rng.choice(phrases.LABELLED[case.language]), l=label, v=case.gold())


def label_after(case):
    template = case.rng.choice(["{v} ({l})", "{v} is the {l} on the form", "{v} - {l}, please confirm", "{v} <- {l}"])
    return fill(template, v=case.gold(), l=case.label)


def chat(case):
    case.language = "en" if "en" in case.kind.labels else case.language
    label = case.rng.choice(case.kind.labels[case.language])
    return fill(case.rng.choice(phrases.CHATS), l=label.lower() if case.rng.random() < 0.5 else label, v=case.gold())


def voice(case):
    label = case.rng.choice(case.kind.labels.get("en", [case.label])).lower()
    return fill(case.rng.choice(phrases.VOICE), l=label, v=case.gold())


def alone(case):
    for _ in range(50):
        value = case.raw()
        if case.kind.stands_alone(value):
            return fill(case.rng.choice(phrases.ALONE), v=case.gold(value))
    return None


def cjk(case):
    """Directly against CJK text: no ASCII boundary beside the value but the script's change."""
    for _ in range(50):
        value = case.raw()
        if case.kind.stands_alone(value):
            return fill(case.rng.choice(phrases.CJK_ALONE), v=case.gold(value))
    label = case.rng.choice(case.kind.labels.get("zh") or case.kind.labels.get("ja") or [case.label])
    return fill(case.rng.choice(phrases.CJK_LABELLED), l=label, v=case.gold())


def long_text(case):
    """Among other sentences, as in a letter or a ticket."""
    before, after = case.rng.choice(phrases.FILLER), case.rng.choice(phrases.FILLER)
    return [before, " ", *prose(case), " " if case.language not in ("zh", "ja") else "", after]


def punctuation(case):
    opening, closing = case.rng.choice([("(", ")"), ('"', '"'), ("'", "'"), ("[", "]"), ("«", "»"), ("<", ">"), ("`", "`"), ("**", "**"), ("“", "”"), ("|", "|")])
    return [f"{case.label}: {opening}", case.gold(), f"{closing}, see above"]


# --- data --------------------------------------------------------------------------------------

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
        out += [(comma if place else "") + lead + f'"{name}"{colon}"',
                *encode(value, lambda text: json_string(text, ascii_only)), '"']
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
    return ['{"id":"call_', digits(case.rng, 9), '","type":"function","function":{"name":"update_record","arguments":"',
            *inner, '"}}']


def json_array(case):
    return [f'{{"{case.key}s": ["', case.gold(), '", "', case.gold(), '"], "total": 2}']


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
    return ["customer:\n  id: 10", digits(case.rng, 3), f"\n  {case.key}: {quote}", case.gold(), f"{quote}\n  plan: pro\n"]


def env(case):
    quote = case.rng.choice(["", '"'])
    return ["APP_ENV=production\nLOG_LEVEL=info\n", f"{case.key.upper()}={quote}", case.gold(), f"{quote}\nPORT=8080\n"]


def ini(case):
    return ["[profile]\nname = default\n", f"{case.key} = ", case.gold(), "\nretries = 3\n"]


def toml(case):
    return ['[customer]\nactive = true\n', f'{case.key} = "', case.gold(), '"\nlimit = 250\n']


def xml_elements(case):
    name = case.rng.choice([case.key, camel(case.key), camel(case.key)[0].upper() + camel(case.key)[1:]])
    return ['<?xml version="1.0"?>\n<customer><id>', digits(case.rng, 5), f"</id><{name}>",
            *encode([case.gold()], xml), f"</{name}></customer>"]


def xml_attribute(case):
    return [f'<person id="{digits(case.rng, 4)}" {case.key}="', *encode([case.gold()], xml), '" active="true"/>']


def sql(case):
    out = [f"INSERT INTO customers (id, {case.key}, created_at) VALUES\n"]
    for row in range(case.rng.choice([1, 2, 3])):
        value = case.raw().replace("'", "")
        out += [",\n" if row else "", f"  ({case.rng.randint(1, 9999)}, '", case.gold(value), "', '2026-03-0" + str(row + 1) + "')"]
    return [*out, ";"]


def sql_where(case):
    return [f"SELECT id, status FROM accounts WHERE {case.key} = '", case.gold(case.raw().replace("'", "")), "' LIMIT 10;"]


def log(case):
    stamp = f"2026-0{case.rng.randint(1, 9)}-1{case.rng.randint(0, 9)}T1{case.rng.randint(0, 9)}:42:07.{digits(case.rng, 3)}Z"
    return [f"{stamp} INFO [worker-{case.rng.randint(1, 9)}] request={digits(case.rng, 7)} {case.key}=", case.gold(), " status=200 took=37ms"]


def log_error(case):
    return [f"[1{case.rng.randint(0, 9)}/Mar/2026:10:12:44 +0000] ERROR validation failed for {case.label} '", case.gold(), f"' (code={case.rng.randint(400, 499)}, attempt 2)"]


def python(case):
    quote = '"'
    return ["def test_lookup():\n", f"    {case.key} = {quote}", *encode([case.gold()], lambda t: t.replace("\\", "\\\\")), f"{quote}\n    assert lookup({case.key}).status == 200\n"]


def javascript(case):
    name = camel(case.key)
    return [f"const user = {{ id: {case.rng.randint(1, 999)}, {name}: '", case.gold(case.raw().replace("'", "")), "', active: true };\nawait save(user);\n"]


def html_table(case):
    return [f"<table><tr><th>Order</th><td>{digits(case.rng, 5)}</td></tr><tr><th>{case.label}</th><td>",
            *encode([case.gold()], xml), "</td></tr></table>"]


def html_form(case):
    return [f'<label for="f1">{case.label}</label><input id="f1" name="{case.key}" value="', *encode([case.gold()], xml), '">']


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
    return ["export ", f"{case.key.upper()}='", case.gold(case.raw().replace("'", "")), "'\n./run.sh --verbose\n"]


def diff(case):
    return ["--- a/config/settings.py\n+++ b/config/settings.py\n@@ -12,3 +12,3 @@\n DEBUG = False\n", f'+{case.key.upper()} = "', case.gold(), '"\n']


def header(case):
    name = "-".join(part.capitalize() for part in case.key.split("_"))
    return [f"GET /v1/items HTTP/1.1\r\nHost: api.example.com\r\nX-{name}: ", case.gold(), "\r\nAccept: */*\r\n"]


def compose(case):
    return ["services:\n  web:\n    image: app:1.4\n    environment:\n      - ", f"{case.key.upper()}=", case.gold(), "\n      - PORT=80\n"]


def curl(case):
    return ["curl -sS https://api.example.com/v1/me -H '", f"X-{case.key.replace('_', '-')}: ", case.gold(), "'"]


PERSONAL = [prose, prose, prose, json_pretty, csv, label_after, chat, cjk, json_nested, xml_elements, log, prose, alone,
            yaml, json_compact, sql, prose, markdown_table, python, html_table, long_text, voice, query_string, punctuation,
            key_value, json_array, ini, javascript, env, prose, log_error, toml, xml_attribute, markdown_list, long_text,
            html_form, sql_where, csv, json_pretty, prose]
SECRET = [env, json_pretty, yaml, python, prose, shell, diff, compose, log, json_nested, chat, alone, cjk, ini, javascript,
          toml, curl, header, prose, csv, xml_elements, key_value, markdown_list, sql, long_text, html_form, json_compact,
          query_string, env, prose, xml_attribute, label_after]


def slug(carrier):
    return re.sub(r"_", "-", carrier.__name__)
