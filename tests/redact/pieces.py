"""Texts with marked values: a text is a list of pieces, each a string or a `Gold`.

Encodings (JSON, XML, URL) are applied piece by piece, so that the marks stay right.
"""

import html
import json
import urllib.parse
from dataclasses import dataclass


@dataclass(frozen=True)
class Gold:
    kind: str
    text: str


def render(pieces):
    """The text and its spans, in characters."""
    text, spans = "", []
    for piece in pieces:
        if isinstance(piece, Gold):
            spans.append({"start": len(text), "end": len(text) + len(piece.text), "type": piece.kind})
            text += piece.text
        else:
            text += piece
    return text, spans


def encode(pieces, function):
    return [
        Gold(piece.kind, function(piece.text)) if isinstance(piece, Gold) else function(piece)
        for piece in pieces
    ]


def json_string(text, ascii_only=False):
    """The inside of a JSON string."""
    return json.dumps(text, ensure_ascii=ascii_only)[1:-1]


def xml(text):
    return html.escape(text, quote=False)


def url(text):
    return urllib.parse.quote(text, safe="")


def fill(template, **values):
    """`template` with `{name}` replaced by a piece, a list of pieces or a string."""
    out, rest = [], template
    while rest:
        start = rest.find("{")
        end = rest.find("}", start)
        name = rest[start + 1 : end] if start >= 0 else None
        if start < 0:
            out.append(rest)
            break
        if name not in values:
            out.append(rest[: start + 1])
            rest = rest[start + 1 :]
            continue
        if start:
            out.append(rest[:start])
        value = values[name]
        out.extend(value if isinstance(value, list) else [value])
        rest = rest[end + 1 :]
    return out
