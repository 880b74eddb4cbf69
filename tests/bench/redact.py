#!/usr/bin/env python3
"""Measures detection: how much is found, how much is found wrongly, and how fast.

    make bench-redact                       everything, with the table in docs/redaction.md
    redact.py --target target/release --show misses.tsv      what was missed or found wrongly
    redact.py --predictions mine=spans.jsonl                 the spans of any other tool

The texts are tests/redact/*.jsonl; the measures are defined in scoring.py. fastscrub and
presidio-analyzer run on the same texts where they install (rivals.py, in an environment of their
own). Rates are medians of interleaved rounds on one thread. Nothing here asserts: it reports.
"""

import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import venv

import scoring

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RIVALS = {"fastscrub": "fastscrub", "presidio": "presidio-analyzer"}
# Name, key, demand, whether more is better, how it is written.
MEASURES = [
    ("recall", "recall", 0.95, True, "{:.3f}"),
    ("precision", "precision", 0.97, True, "{:.3f}"),
    ("typed F1", "typed_f1", 0.93, True, "{:.3f}"),
    ("exact boundaries among hits", "exact", 0.98, True, "{:.3f}"),
    ("false alarms per 1,000 hard negatives", "false_alarms_per_1000", 10, False, "{:.1f}"),
    (
        "false alarms on ids, blobs, hashes, images, timestamps",
        "false_alarms_where_none_may_be",
        0,
        False,
        "{:.0f}",
    ),
    ("clean text, 100 KB, MB/s", "clean", 300, True, "{:.4g}"),
    ("mixed text, 100 KB, MB/s", "mixed", 100, True, "{:.4g}"),
    ("cost of 100 KB / 50 x cost of 2 KB, clean", "linearity_clean", 1.3, False, "{:.2f}"),
    ("cost of 100 KB / 50 x cost of 2 KB, mixed", "linearity_mixed", 1.3, False, "{:.2f}"),
]


def read(name):
    path = ROOT / "tests" / "redact" / name
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def lines(entries):
    """Given to detectors: the texts alone, without what we know of them."""
    return "".join(json.dumps({"id": e["id"], "text": e["text"]}, ensure_ascii=False) + "\n" for e in entries)


def spans(output):
    return {entry["id"]: entry["spans"] for entry in map(json.loads, filter(None, output.splitlines()))}


def run(command, given="", seconds=1800):
    """What a command prints, or `None` after saying why it failed."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            input=given,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"{command[0]}: {error}", file=sys.stderr)
        return None
    if done.returncode:
        print(
            f"{command[0]} {command[1:3]} ended with {done.returncode}: {done.stderr.strip()[-300:]}",
            file=sys.stderr,
        )
        return None
    return done.stdout


class Iron:
    """The program under test."""

    def __init__(self, target):
        self.binary, self.speed_binary = target / "iron", target / "examples" / "scan_speed"

    def find(self, given):
        return run([self.binary, "scan", "--jsonl", "-"], given)

    def text(self, name):
        return run([self.speed_binary, "--text", name])

    def rates(self):
        """One round: rates and ratios by name."""
        found = {}
        for line in (run([self.speed_binary, "--json"]) or "").splitlines():
            entry = json.loads(line)
            if entry["measure"] == "find" and entry["size"] == "100 KB":
                found[entry["text"]] = entry["mb_per_s"]
            if entry["measure"] == "linearity":
                found["linearity_" + entry["text"]] = entry["ratio"]
        return found


class Rival:
    """Another detector, in an environment beside the build."""

    def __init__(self, name, python):
        self.name, self.command = name, [python, HERE / "rivals.py"]

    def find(self, given):
        return run([*self.command, "scan", self.name], given)

    def rates(self, texts):
        output = run([*self.command, "speed", self.name, 1], json.dumps(texts))
        return {key: rates[0] for key, rates in json.loads(output).items()} if output else {}


def rivals(place):
    """Those that install."""
    python = place / "bin" / "python"
    if not python.exists():
        try:
            venv.create(place, with_pip=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"no environment for other detectors: {error}", file=sys.stderr)
            return []
    ready = []
    for name, package in RIVALS.items():
        module = package.replace("-", "_")
        present = (
            subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False).returncode
            == 0
        )
        if present or run([python, "-m", "pip", "install", "-q", package], seconds=900) is not None:
            ready.append(Rival(name, python))
        else:
            print(f"{package} does not install here and is left out", file=sys.stderr)
    return ready


def speeds(iron, others, rounds):
    """Medians of interleaved rounds, by detector."""
    texts = {name: iron.text(name) for name in ("clean", "mixed")}
    if None in texts.values():
        return {}
    seen = {}
    for turn in range(rounds):
        print(f"speed: round {turn + 1} of {rounds}", file=sys.stderr)
        # Presidio takes a minute for one text: half of the rounds are enough for it.
        turns = [("iron", iron.rates)] + [
            (o.name, lambda o=o: o.rates(texts)) for o in others if o.name != "presidio" or turn % 2 == 0
        ]
        for name, rates in turns:
            for key, value in rates().items():
                seen.setdefault(name, {}).setdefault(key, []).append(value)
    return {
        name: {key: statistics.median(values) for key, values in rates.items()}
        for name, rates in seen.items()
    }


def figure(result, key, form):
    return form.format(result[key]) if key in result else "–"


def table(results):
    names = list(results)
    rows = [["measure", "demand", *names], ["---"] * (2 + len(names))]
    for name, key, demand, more, form in MEASURES:
        rows.append(
            [
                name,
                ("≥ " if more else "≤ " if demand else "") + str(demand),
                *(figure(results[n], key, form) for n in names),
            ]
        )
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def details(result):
    """Where the first detector is weakest."""
    out = [
        f"Recall, mean over kinds: {result['recall_mean_of_kinds']:.3f}; "
        f"precision with the hard negatives' findings counted: {result['precision_with_negatives']:.3f}"
    ]
    weak = sorted(result["recall_by_kind"].items(), key=lambda item: item[1])[:15]
    out.append("Lowest recall by kind: " + ", ".join(f"{kind} {value:.2f}" for kind, value in weak))
    weak = sorted(result["recall_by_group"].items(), key=lambda item: item[1])[:12]
    out.append("Lowest recall by carrier: " + ", ".join(f"{group} {value:.2f}" for group, value in weak))
    wrong = sorted(result["wrong_by_kind"].items(), key=lambda item: -item[1])[:12]
    out.append(
        "Wrong spans in positive texts: " + (", ".join(f"{kind} {count}" for kind, count in wrong) or "none")
    )
    loud = sorted(
        (g for g in result["false_alarms_by_group"].items() if g[1][0]), key=lambda item: -item[1][0]
    )
    out.append(
        "False alarms by group: "
        + (", ".join(f"{group} {count} of {size}" for group, (count, size) in loud) or "none")
    )
    return out


def document(path, body):
    """Replaces what is between the two marks."""
    begin, end = "<!-- figures: begin -->", "<!-- figures: end -->"
    text = (
        path.read_text(encoding="utf-8")
        if path.exists()
        else f"# What is found, and how well\n\n{begin}\n{end}\n"
    )
    if begin not in text or end not in text:
        sys.exit(f"{path} has no marks {begin} and {end}")
    path.write_text(
        re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n{body}\n{end}", text, flags=re.DOTALL),
        encoding="utf-8",
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument(
        "--target",
        type=pathlib.Path,
        default=ROOT / "target" / "release",
        help="where iron and examples/scan_speed are",
    )
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="iron, fastscrub, presidio; may be repeated"
    )
    parser.add_argument(
        "--predictions",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="score lines of {id, spans} as well",
    )
    parser.add_argument("--rounds", type=int, default=5, help="of the speed measurement; 0 leaves it out")
    parser.add_argument("--output", choices=["text", "json"], default="text")
    parser.add_argument(
        "--show",
        type=pathlib.Path,
        metavar="FILE",
        help="write misses and false alarms of the first detector",
    )
    parser.add_argument(
        "--write", type=pathlib.Path, metavar="FILE", help="put the table between the marks of a document"
    )
    options = parser.parse_args()

    positives, negatives = read("positives.jsonl"), read("negatives.jsonl")
    wanted = options.only or ["iron", *RIVALS]
    iron = Iron(options.target.resolve())
    others = (
        [
            rival
            for rival in rivals(options.target.resolve().parent / "redact" / "venv")
            if rival.name in wanted
        ]
        if set(wanted) & set(RIVALS)
        else []
    )
    found = {"iron": iron.find(lines(positives + negatives))} if "iron" in wanted else {}
    found |= {other.name: other.find(lines(positives + negatives)) for other in others}
    for given in options.predictions:
        name, _, path = given.partition("=")
        found[name] = pathlib.Path(path).read_text(encoding="utf-8")
    results, remarks = {name: {} for name in found}, {}
    for name, output in found.items():
        if output is not None:
            results[name], remarks[name] = scoring.score(positives, negatives, spans(output))
    if options.rounds:
        for name, rates in speeds(iron, others, options.rounds).items():
            results.setdefault(name, {}).update(rates)
    results = {name: result for name, result in results.items() if result}
    if not results:
        sys.exit("nothing was measured")

    if options.output == "json":
        print(json.dumps(results, indent=2))
    else:
        labelled = sum(len(entry["spans"]) for entry in positives)
        print(
            f"{len(positives)} texts with {labelled} labelled values of {len({s['type'] for e in positives for s in e['spans']})} kinds, {len(negatives)} hard negatives\n"
        )
        print(table(results))
        for name in remarks:
            print(f"\n{name}\n" + "\n".join("  " + line for line in details(results[name])))
    first = next(iter(remarks), None)
    if options.show and first:
        options.show.parent.mkdir(parents=True, exist_ok=True)
        options.show.write_text(
            "".join(scoring.told(remark) + "\n" for remark in remarks[first]), encoding="utf-8"
        )
    if options.write:
        document(options.write, table(results))


if __name__ == "__main__":
    main()
