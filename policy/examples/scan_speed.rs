//! How fast texts are searched: `cargo run --release -p iron_policy --example scan_speed`.
//!
//! Prints megabytes per second on one thread, for clean prose, for the mix that agents send
//! (code, logs, JSON, base64, prose, and values to find), and for a text 50 times shorter, which
//! shows whether the cost is linear; then for whole documents, values replaced.

use std::hint::black_box;
use std::time::{Duration, Instant};

use iron_policy::json::{Event, Reader, escape_into};
use iron_policy::redact::{Engine, Mode, Modes, Span, SpanKind, Vault, splice};

const PROSE: &str = "It was the best of times, it was the worst of times, it was the age of \
    wisdom, it was the age of foolishness, it was the epoch of belief, it was the epoch of \
    incredulity, it was the season of Light, it was the season of Darkness. There were a king with \
    a large jaw and a queen with a plain face, on the throne of England; there were a king with a \
    large jaw and a queen with a fair face, on the throne of France. In both countries it was \
    clearer than crystal to the lords of the State preserves of loaves and fishes, that things in \
    general were settled for ever.\n\n";

const MIXED: &[&str] = &[
    "fn main() {\n    let limit: u64 = 1_000 * 60;\n    for i in 0..limit { println!(\"{i:>8}\"); }\n}\n",
    "2026-05-20T21:03:42.123Z INFO request id=req_011CSHoEeqs5C35K2UUqR7Fy status=200 took=37ms bytes=48213\n",
    "{\"id\":\"toolu_01A09q90qw90lq917835lq9\",\"type\":\"tool_use\",\"input\":{\"line\":42,\"path\":\"src/lib.rs\"}}\n",
    "commit 83a6f36bb3457dfdc4e4bb3aa1c7e4eb6e6a2f5d 550e8400-e29b-41d4-a716-446655440000\n",
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==\n",
    "Please write to ann.lee@example.com or call +1 202-555-0143 about card 4242 4242 4242 4242.\n",
    "<div class=\"row-12\"><a href=\"https://example.com/a?page=3\">Version 1.2.3 of task-runner</a></div>\n",
    PROSE,
];

fn main() {
    let engine = Engine::new(Modes::all(Mode::Detect));
    let clean = PROSE.repeat(100_000 / PROSE.len() + 1);
    let unit = MIXED.concat();
    let mixed = unit.repeat(100_000 / unit.len() + 1);
    for (name, text) in [
        ("clean, 100 KB", clean.as_str()),
        ("clean, 2 KB", &clean[..2_000]),
        ("mixed, 100 KB", mixed.as_str()),
        ("mixed, 2 KB", &mixed[..2_000]),
    ] {
        let found = engine.find(text, None).len();
        let rate = speed(text.len(), || engine.find(black_box(text), None).len());
        println!("find,   {name:<14} {rate:>6.0} MB/s  ({found} findings)");
    }
    // With reading the document, decoding its string and editing it.
    let engine = Engine::new(Modes::all(Mode::Reversible));
    for (name, text) in [("clean, 100 KB", &clean), ("mixed, 100 KB", &mixed)] {
        let vault = Vault::new([0; 32], 10_000);
        let mut document = String::from("\"");
        escape_into(&mut document, text);
        document.push('"');
        let rate = speed(document.len(), || redacted(&engine, &vault, &document).len());
        println!("redact, {name:<14} {rate:>6.0} MB/s");
    }
}

/// A document that is one string, redacted.
fn redacted(engine: &Engine, vault: &Vault, document: &str) -> Vec<u8> {
    let Ok(Some(Event::String(text))) = Reader::over(black_box(document)).next() else {
        return Vec::new();
    };
    let span = Span { text, key: None, kind: SpanKind::Plain };
    splice(document.as_bytes(), &engine.redact(&[span], vault).edits)
}

/// Megabytes per second: the best of several rounds, since everything else on the machine only
/// makes it slower.
fn speed(bytes: usize, work: impl Fn() -> usize) -> f64 {
    let passes = (4_000_000 / bytes).max(1);
    let round = || {
        let start = Instant::now();
        for _ in 0..passes {
            black_box(work());
        }
        start.elapsed()
    };
    let best = (0..20).map(|_| round()).min().unwrap_or(Duration::MAX);
    (passes * bytes) as f64 / best.as_secs_f64() / 1e6
}
