"""Hard negatives: texts that look like much and hold nothing to redact, by group."""

import random

import hard_code
import hard_config
import hard_context
import hard_files
import hard_ids
import hard_logs
import hard_numbers

GROUPS = {
    **hard_ids.GROUPS,
    **hard_files.GROUPS,
    **hard_code.GROUPS,
    **hard_config.GROUPS,
    **hard_logs.GROUPS,
    **hard_numbers.GROUPS,
    **hard_context.GROUPS,
}


def negatives(seed):
    """(id, group, source, text) of every text; each differs from all others of its group."""
    for group, (make, count) in GROUPS.items():
        rng, seen = random.Random(f"{seed} {group}"), set()
        for _ in range(count * 20):
            text = make(rng)
            if text not in seen:
                seen.add(text)
                yield f"{group}-{len(seen)}", group, "generated in the format's look", text
            if len(seen) == count:
                break
