"""The texts that values stand in: prose in many languages, data formats, code, logs, chats.

A carrier takes the random source, the kind and a maker of values, and gives pieces. All that it
says beside the value is free of anything personal or secret.
"""

import phrases
from formats import (
    aligned,
    compose,
    csv,
    curl,
    diff,
    env,
    header,
    html_form,
    html_rows,
    html_table,
    ini,
    javascript,
    json_array,
    json_compact,
    json_nested,
    json_number,
    json_pretty,
    key_value,
    log,
    log_error,
    markdown_list,
    markdown_table,
    python,
    query_string,
    shell,
    sql,
    sql_where,
    toml,
    transcript,
    xml_attribute,
    xml_elements,
    yaml,
)
from pieces import Gold, fill


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


def prose(case):
    label = case.label
    if case.language == "en" and case.rng.random() < 0.3:
        label = label[0].upper() + label[1:]
    return fill(case.rng.choice(phrases.LABELLED[case.language]), l=label, v=case.gold())


def label_after(case):
    template = case.rng.choice(
        ["{v} ({l})", "{v} is the {l} on the form", "{v} - {l}, please confirm", "{v} <- {l}"]
    )
    return fill(template, v=case.gold(), l=case.label)


def chat(case):
    case.language = "en" if "en" in case.kind.labels else case.language
    label = case.rng.choice(case.kind.labels[case.language])
    return fill(
        case.rng.choice(phrases.CHATS), l=label.lower() if case.rng.random() < 0.5 else label, v=case.gold()
    )


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
    opening, closing = case.rng.choice(
        [
            ("(", ")"),
            ('"', '"'),
            ("'", "'"),
            ("[", "]"),
            ("«", "»"),
            ("<", ">"),
            ("`", "`"),
            ("**", "**"),
            ("“", "”"),
            ("|", "|"),
        ]
    )
    return [f"{case.label}: {opening}", case.gold(), f"{closing}, see above"]


def several(case):
    return [f"{case.label}: ", case.gold(), ", ", case.gold(), " and ", case.gold(), " need a second look."]


PERSONAL = [
    prose,
    prose,
    prose,
    json_pretty,
    csv,
    label_after,
    chat,
    cjk,
    json_nested,
    xml_elements,
    log,
    prose,
    alone,
    yaml,
    json_compact,
    sql,
    prose,
    markdown_table,
    python,
    html_table,
    long_text,
    voice,
    query_string,
    punctuation,
    key_value,
    json_array,
    ini,
    javascript,
    env,
    prose,
    log_error,
    toml,
    xml_attribute,
    markdown_list,
    long_text,
    html_form,
    sql_where,
    csv,
    json_pretty,
    prose,
    json_number,
    html_rows,
    several,
    transcript,
    aligned,
    prose,
]


SECRET = [
    env,
    json_pretty,
    yaml,
    python,
    prose,
    shell,
    diff,
    compose,
    log,
    json_nested,
    chat,
    alone,
    cjk,
    ini,
    javascript,
    toml,
    curl,
    header,
    prose,
    csv,
    xml_elements,
    key_value,
    markdown_list,
    sql,
    long_text,
    html_form,
    json_compact,
    query_string,
    env,
    prose,
    xml_attribute,
    label_after,
    transcript,
    aligned,
]


def slug(carrier):
    return carrier.__name__.replace("_", "-")
