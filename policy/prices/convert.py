"""Converts public price lists into `prices.json`, and compares them.

Source: the PyPI package `genai-prices` (MIT). Cross-check, and the source of output limits: the
price list inside the wheel of the PyPI package `litellm` (MIT; its `enterprise` folder is not
used). Run `update.sh`, which makes an environment for both.

Prices become integer pico-USD per token ($1 per million tokens is 1,000,000), rounded up. Of
prices that change with time the one in force on the list's date is taken; prices that change with
the hour are taken at their dearest. Recordings are priced by the second and speech by the character. Models that
are billed by something else, or by several of these, are left out: no price is better than a wrong one.
"""

import datetime
import json
import math
import pathlib
import sys
from decimal import Decimal

from genai_prices import data, types

HERE = pathlib.Path(__file__).parent
VENDORS = {
    "openai": "", "anthropic": "", "google": "gemini/", "aws": "", "azure": "azure/",
    "cerebras": "cerebras/",
    "cohere": "", "deepseek": "deepseek/", "fireworks": "fireworks_ai/", "groq": "groq/",
    "mistral": "mistral/", "moonshotai": "moonshot/", "openrouter": "openrouter/",
    "together": "together_ai/", "x-ai": "xai/",
}
CLASSES = {
    "input_mtok": "input", "cache_read_mtok": "cache_read", "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h", "output_mtok": "output",
    "output_reasoning_mtok": "reasoning", "input_audio_mtok": "audio_input",
    "cache_audio_read_mtok": "audio_cache_read", "output_audio_mtok": "audio_output",
    "input_image_mtok": "image_input", "output_image_mtok": "image_output",
}
# Counted by something else than tokens: the class, and how many of its units a price is for.
COUNTED = {"input_mchars": ("character", 1_000_000), "audio_hours": ("audio_second", 3_600)}
# Known and harmless to leave out: covered by a class above, or only ever cheaper than one.
COVERED = {"cache_image_read_mtok", "storage_searches_kcount", "input_audio_hours"}
TIERS = [
    ("batch", {"processing": "batch"}), ("flex", {"service_tier": "flex"}),
    ("priority", {"service_tier": "priority"}), ("fast", {"service_tier": "fast"}),
    ("fast", {"speed": "fast"}),
]
COMPARED = [("input", "input_cost_per_token"), ("output", "output_cost_per_token"),
            ("cache_read", "cache_read_input_token_cost")]


def pico(per_million: Decimal) -> int:
    return math.ceil(per_million * 1_000_000)


def in_force(prices, today: datetime.date):
    """The price on a day; of those by the hour, the dearest of each unit."""
    if not isinstance(prices, list):
        return prices
    chosen, by_hour = None, []
    for conditional in prices:
        constraint = conditional.constraint
        if constraint is None:
            chosen = chosen or conditional.prices
        elif isinstance(constraint, types.StartDateConstraint):
            if constraint.start_date <= today:
                chosen = conditional.prices
        else:
            by_hour.append(conditional.prices)
    for other in by_hour:
        merged = dict(vars(chosen or other))
        for unit, price in vars(other).items():
            if price is not None and (merged.get(unit) is None or base(price) > base(merged[unit])):
                merged[unit] = price
        chosen = types.ModelPrice(**merged)
    return chosen


def base(price) -> Decimal:
    return price.base if isinstance(price, types.TieredPrices) else price


def steps(price) -> list[int]:
    """`[price]`, or `[price, more input than, price, ...]` for long contexts."""
    if not isinstance(price, types.TieredPrices):
        return [pico(price)]
    return [pico(price.base)] + [n for tier in price.tiers for n in (tier.start, pico(tier.price))]


def rates(price) -> dict | None:
    """The rates by class; none where something is billed that we cannot count."""
    found = {}
    for unit, value in vars(price).items():
        if value is None or unit in COVERED:
            continue
        if unit in COUNTED:
            name, units = COUNTED[unit]
            found[name] = [math.ceil(base(value) * 1_000_000_000_000 / units)]
        elif unit in CLASSES:
            found[CLASSES[unit]] = steps(value)
        elif unit == "web_searches_kcount":
            found["tool_call"] = [math.ceil(base(value) * 1_000_000_000)]
        else:
            return None
    # Who counts tokens and something else bills more than a call's bound knows of.
    counted = {name for name, _ in COUNTED.values()} & found.keys()
    return None if counted and len(found) > 1 else found


def clause(match) -> dict:
    """A matching rule in JSON."""
    if isinstance(match, types.ClauseOr):
        return {"or": [clause(part) for part in match.or_]}
    if isinstance(match, types.ClauseAnd):
        return {"and": [clause(part) for part in match.and_]}
    for kind, name, field in [
        (types.ClauseEquals, "is", "equals"), (types.ClauseStartsWith, "starts", "starts_with"),
        (types.ClauseEndsWith, "ends", "ends_with"), (types.ClauseContains, "has", "contains"),
    ]:
        if isinstance(match, kind):
            return {name: getattr(match, field)}
    if "(?!" in match.regex:
        # The one rule with a look-ahead leaves speech models out.
        assert match.regex == "^(?!.*-[tT][tT][sS](?:$|-))", match.regex
        return {"not": {"has": "-tts"}}
    return {"re": match.regex}


def converted(vendor: str, model, cross: dict, today: datetime.date) -> dict | None:
    price = in_force(model.prices, today)
    standard = rates(price) if price else None
    if not standard or not standard.keys() & {"input", "character", "audio_second"}:
        return None
    known = cross.get(VENDORS[vendor] + model.id) or cross.get(model.id) or {}
    if "cache_write" in standard and "cache_write_1h" not in standard:
        # Whoever bills longer-lived entries takes twice the input price for them.
        standard["cache_write_1h"] = [
            value if place % 2 else 2 * value for place, value in enumerate(standard["input"])
        ]
    entry = {"model": model.id, "match": clause(model.match), "rates": {"standard": standard}}
    window = model.context_window or known.get("max_input_tokens")
    if window:
        entry["context_window"] = window
    if isinstance(known.get("max_output_tokens"), int):
        entry["max_output"] = known["max_output_tokens"]
    for tier, when in TIERS:
        for variant in model.price_variants or []:
            if variant.when != when:
                continue
            if isinstance(variant.constraint, types.StartDateConstraint):
                if variant.constraint.start_date > today:
                    continue
            tiered = rates(variant.prices)
            if tiered:
                entry["rates"][tier] = tiered
    return entry


def main() -> None:
    cross = json.loads(pathlib.Path(sys.argv[1]).read_text())
    today = datetime.date.fromisoformat(sys.argv[2])
    versions = {name: sys.argv[3 + i] for i, name in enumerate(["genai-prices", "litellm"])}
    vendors, rows, compared, alike = {}, [], 0, 0
    for provider in data.providers:
        if provider.id not in VENDORS:
            continue
        models = []
        for model in provider.models:
            entry = converted(provider.id, model, cross, today)
            if entry is None:
                continue
            models.append(entry)
            known = cross.get(VENDORS[provider.id] + model.id)
            if not known:
                continue
            for ours, theirs in COMPARED:
                if ours not in entry["rates"]["standard"] or known.get(theirs) is None:
                    continue
                compared += 1
                mine = entry["rates"]["standard"][ours][0]
                other = round(known[theirs] * 1e12)
                if mine == other:
                    alike += 1
                else:
                    rows.append((provider.id, model.id, ours, mine, other))
        vendors[provider.id] = models
    document = {"date": today.isoformat(), "sources": versions, "vendors": vendors}
    (HERE / "prices.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")
    lines = [
        "# The price list against its cross-check", "",
        f"genai-prices {versions['genai-prices']} against litellm {versions['litellm']}, "
        f"{today.isoformat()}: {compared} prices compared, {alike} alike, {len(rows)} different.",
        "The list uses the first. US dollars per million tokens:", "",
        "| vendor | model | class | list | cross-check |", "|---|---|---|---|---|",
    ]
    lines += [f"| {v} | {m} | {c} | {a / 1e6:g} | {b / 1e6:g} |" for v, m, c, a, b in sorted(rows)]
    (HERE / "CROSSCHECK.md").write_text("\n".join(lines) + "\n")
    total = sum(len(models) for models in vendors.values())
    print(f"{total} models of {len(vendors)} vendors; {len(rows)} of {compared} prices differ")


if __name__ == "__main__":
    main()
