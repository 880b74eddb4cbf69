"""What redact.py computes from labelled texts and predicted spans: pure functions, no files.

A prediction hits a labelled span where their intersection is at least half of each; one hits one.
A hit is typed where the types agree, exact where both boundaries do.
"""

from collections import Counter, defaultdict

# Groups in which the demand is no false alarm at all.
ZERO = (
    "tool-calls",
    "llm-ids",
    "provider-blobs",
    "uuids",
    "snowflakes-ulids",
    "git",
    "package-lock",
    "cargo-lock",
    "poetry-lock",
    "uv-lock",
    "go-sum",
    "yarn-lock",
    "requirements",
    "checksums",
    "base64-image",
    "data-uri",
    "timestamps",
)


def pair(gold, found):
    """(gold, prediction) pairs, the largest intersections first."""
    candidates = []
    for g, label in enumerate(gold):
        for p, span in enumerate(found):
            shared = min(label["end"], span["end"]) - max(label["start"], span["start"])
            if (
                shared > 0
                and 2 * shared >= label["end"] - label["start"]
                and 2 * shared >= span["end"] - span["start"]
            ):
                candidates.append((shared, label["type"] == span["type"], -g, -p))
    used_gold, used_found, pairs = set(), set(), []
    for _, _, g, p in sorted(candidates, reverse=True):
        if -g not in used_gold and -p not in used_found:
            used_gold.add(-g)
            used_found.add(-p)
            pairs.append((-g, -p))
    return pairs


def score(positives, negatives, found):
    """All measures. `found` maps an id to its predicted spans; an id that it lacks has none."""
    total = Counter()
    kinds, groups = defaultdict(Counter), defaultdict(Counter)
    remarks = []
    for entry in positives:
        gold, spans = entry["spans"], found.get(entry["id"], [])
        pairs = pair(gold, spans)
        hit_gold, hit_found = {g for g, _ in pairs}, {p for _, p in pairs}
        total["gold"] += len(gold)
        total["found"] += len(spans)
        total["hits"] += len(pairs)
        for g, label in enumerate(gold):
            kinds[label["type"]]["gold"] += 1
            groups[entry["group"]]["gold"] += 1
            if g in hit_gold:
                kinds[label["type"]]["hits"] += 1
                groups[entry["group"]]["hits"] += 1
            else:
                remarks.append(("missed", entry, label))
        for g, p in pairs:
            label, span = gold[g], spans[p]
            if label["type"] == span["type"]:
                total["typed"] += 1
                kinds[label["type"]]["typed"] += 1
            else:
                remarks.append((f"typed {label['type']} as", entry, span))
            if (label["start"], label["end"]) == (span["start"], span["end"]):
                total["exact"] += 1
            else:
                remarks.append(("inexact", entry, span))
        for p, span in enumerate(spans):
            if p not in hit_found:
                kinds[span["type"]]["false"] += 1
                remarks.append(("wrong", entry, span))
    alarms, alarmed_spans = Counter(), 0
    sizes = Counter(entry["group"] for entry in negatives)
    for entry in negatives:
        spans = found.get(entry["id"], [])
        alarmed_spans += len(spans)
        if spans:
            alarms[entry["group"]] += 1
            remarks += [("false alarm", entry, span) for span in spans]
    share = lambda part, whole: part / whole if whole else 0.0
    precision, recall = share(total["typed"], total["found"]), share(total["typed"], total["gold"])
    by_kind = {
        kind: share(count["hits"], count["gold"]) for kind, count in sorted(kinds.items()) if count["gold"]
    }
    return {
        "recall_mean_of_kinds": share(sum(by_kind.values()), len(by_kind)),
        "recall": share(total["hits"], total["gold"]),
        "precision": share(total["hits"], total["found"]),
        "typed_f1": share(2 * precision * recall, precision + recall),
        "exact": share(total["exact"], total["hits"]),
        "false_alarms_per_1000": share(1000 * sum(alarms.values()), len(negatives)),
        "false_alarms_where_none_may_be": sum(alarms[group] for group in ZERO),
        "precision_with_negatives": share(total["hits"], total["found"] + alarmed_spans),
        "recall_by_kind": by_kind,
        "typed_by_kind": {
            kind: share(count["typed"], count["gold"])
            for kind, count in sorted(kinds.items())
            if count["gold"]
        },
        "wrong_by_kind": {kind: count["false"] for kind, count in sorted(kinds.items()) if count["false"]},
        "recall_by_group": {
            group: share(count["hits"], count["gold"]) for group, count in sorted(groups.items())
        },
        "false_alarms_by_group": {group: [alarms[group], sizes[group]] for group in sorted(sizes)},
    }, remarks


def told(remark):
    """A miss or a false alarm on one line, with the value marked."""
    what, entry, span = remark
    text, start, end = entry["text"], span["start"], span["end"]
    shown = f"{text[max(0, start - 50) : start]}⟦{text[start:end][:90]}⟧{text[end : end + 30]}"
    return f"{what}\t{span['type']}\t{span.get('rule', '')}\t{entry['id']}\t{entry['group']}\t{shown!r}"
