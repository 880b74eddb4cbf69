#!/usr/bin/env python3
"""Writes the labelled texts that detection is measured on: positives.jsonl and negatives.jsonl.

    python3 tests/redact/make.py           writes both files beside this one
    python3 tests/redact/make.py --check   says whether the files are what this program writes

The values come from public specifications, by check digits of our own that share nothing with the
program under test; every entry names its source. One seed, no clock: the same files every time.
None of the numbers or keys belongs to anyone but by chance.
"""

import argparse
import json
import pathlib
import random
import sys

import carriers
import evasions
import hard
import keys
import places
import special
from kinds import KINDS
from pieces import render

HERE = pathlib.Path(__file__).parent
SEED = 20_260_501
PER_KIND = 46


def positives():
    """(id, group, source, pieces) of every text."""
    for number, kind in enumerate(KINDS):
        rng = random.Random(f"{SEED} {number} {kind.name}")
        stem = kind.stem.lower().replace("_local", "-local")
        if kind.name in ("CREDENTIALS", "AUTH_HEADER", "PRIVATE_KEY"):
            make = getattr(special, kind.name.lower())
            for place in range(PER_KIND):
                yield f"{stem}-{place}", "bound", kind.source, make(rng, place)
            continue
        deck = carriers.SECRET if kind.secret else carriers.PERSONAL
        if kind.name == "SECRET":
            deck = [
                carrier
                for carrier in deck
                if carrier not in (carriers.alone, carriers.cjk, carriers.chat, carriers.transcript)
            ]
        count = {"API_KEY": 2 * len(keys.FAMILIES), "SECRET": 2 * len(keys.SECRETS)}.get(kind.name, PER_KIND)
        start = rng.randrange(len(deck))
        for place in range(count):
            if kind.name == "SECRET":
                case = special.secret_case(rng, place)
            elif kind.name == "API_KEY":
                case = carriers.Case(rng, kind, lambda r, at=place: keys.api_key(r, at)[1])
            else:
                case = carriers.Case(rng, kind)
            carrier = deck[(start + place) % len(deck)]
            if kind.name == "PASSWORD" and carrier is carriers.transcript:
                # Nothing tells a password from a word where its name is in another message.
                carrier = carriers.key_value
            pieces = carrier(case)
            if pieces is None:
                carrier = carriers.key_value
                pieces = carrier(case)
            yield f"{stem}-{place}", carriers.slug(carrier), kind.source, pieces
        # What needs no word beside it is tried without one more often.
        for place in range(9 if kind.alone and kind.sample else 0):
            carrier = carriers.cjk if place % 3 == 2 else carriers.alone
            pieces = carrier(carriers.Case(rng, kind))
            yield f"{stem}-alone-{place}", carriers.slug(carrier), kind.source, pieces
    rng = random.Random(f"{SEED} evasion")
    for place in range(140):
        name, pieces = evasions.evasion(rng, place)
        yield f"evasion-{place}", f"evasion/{name}", "Unicode, HTML, RFC 3986, RFC 8259", pieces
    for place in range(32):
        yield f"base64-{place}", "evasion/base64", "RFC 4648", evasions.base64_secret(rng, place)
    for place in range(24):
        yield f"pem-{place}", "evasion/pem", "RFC 7468", evasions.pem_forms(rng, place)
    rng = random.Random(f"{SEED} places")
    for place in range(3 * len(places.PLACES)):
        yield f"place-{place}", "place", "the formats' and the kinds' sources", places.placed(rng, place)
    rng = random.Random(f"{SEED} mixed")
    for place in range(117):
        make = special.MIXED[place % len(special.MIXED)]
        yield f"mixed-{place}", f"mixed/{make.__name__.replace('_', '-')}", "the kinds' sources", make(rng)


def quiet(line, spans, text):
    """The JSON line with each secret's second character escaped: the same text to every reader of
    JSON, and nothing that a scanner for leaked keys would take for one."""
    secrets = {
        "API_KEY",
        "JWT",
        "PRIVATE_KEY",
        "SECRET",
        "CREDENTIALS",
        "AUTH_HEADER",
        "WEBHOOK_URL",
        "PASSWORD",
    }
    marks = sorted(
        {
            place
            for span in spans
            if span["type"] in secrets
            for place in range(span["start"] + 1, span["end"], 12)
        }
    )
    out, at = "", 0
    for place in marks:
        if text[place].isascii() and text[place] not in '"\\\n\r\t':
            out += json.dumps(text[at:place], ensure_ascii=False)[1:-1] + f"\\u{ord(text[place]):04x}"
            at = place + 1
    out += json.dumps(text[at:], ensure_ascii=False)[1:-1]
    return line.replace('"\0"', f'"{out}"', 1).replace('"\\u0000"', f'"{out}"', 1)


def lines():
    """The two files' contents."""
    found, seen = [], set()
    for name, group, source, pieces in positives():
        text, spans = render(pieces)
        if text in seen or not spans:
            continue
        seen.add(text)
        entry = {"id": name, "text": "\0", "spans": spans, "source": source, "group": group}
        line = json.dumps(entry, ensure_ascii=False, separators=(",", ":"))
        found.append(quiet(line, spans, text))
        assert json.loads(found[-1])["text"] == text, name
    clean, seen = [], set()
    for name, group, source, text in hard.negatives(SEED):
        if text not in seen:
            seen.add(text)
            line = json.dumps(
                {"id": name, "text": text, "spans": [], "source": source, "group": group},
                ensure_ascii=False,
                separators=(",", ":"),
            )
            # Placeholders that scanners for leaked keys know by their prefix.
            clean.append(line.replace("ghp_x", "ghp_\\u0078").replace("AKIAX", "AKIA\\u0058"))
            assert json.loads(clean[-1])["text"] == text, name
    return {"positives.jsonl": found, "negatives.jsonl": clean}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    check = parser.parse_args().check
    for name, content in lines().items():
        data = "".join(line + "\n" for line in content)
        if check and (HERE / name).read_text(encoding="utf-8") != data:
            sys.exit(f"{name} is not what make.py writes; run it without --check")
        if not check:
            (HERE / name).write_text(data, encoding="utf-8")
        print(f"{name}: {len(content)} texts, {len(data.encode()) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
