//! How fast texts are searched: `cargo run --release -p iron_policy --example scan_speed`.
//!
//! Prints megabytes per second on one thread, for clean prose and for the mix that agents send
//! (code, logs, JSON, base64, prose, and values to find), and for texts 50 times shorter, which
//! shows whether the cost is linear; then for whole documents, values replaced. `--json` prints
//! the same as lines of JSON, `--text clean` or `--text mixed` the 100 KB that are searched, so
//! that other detectors can be measured on them (`tests/bench/redact.py`).

#[path = "../benches/texts/mod.rs"]
mod texts;

use std::hint::black_box;
use std::time::{Duration, Instant};

use iron_policy::json::{Event, Reader, escape_into};
use iron_policy::redact::{Engine, Mode, Modes, Span, SpanKind, Vault, splice};

fn main() {
    let (clean, mixed) = (texts::clean(), texts::mixed());
    let texts = [("clean", clean.as_str()), ("mixed", mixed.as_str())];
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let json = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--json"] => true,
        ["--text", "clean"] => return print!("{clean}"),
        ["--text", "mixed"] => return print!("{mixed}"),
        _ => {
            println!("usage: scan_speed [--json | --text clean | --text mixed]");
            std::process::exit(2);
        }
    };
    for (name, text) in texts {
        report(&measure(name, text), json);
    }
}

/// What was measured of one kind of text.
struct Measured {
    name: &'static str,
    /// Megabytes per second, for 100 KB and for 2 KB.
    find: [f64; 2],
    findings: [usize; 2],
    /// Megabytes per second of whole documents of 100 KB.
    redact: f64,
}

fn measure(name: &'static str, text: &str) -> Measured {
    let engine = Engine::new(Modes::all(Mode::Detect));
    let sizes = [text, &text[..texts::SHORT]];
    let find = sizes.map(|text| speed(text.len(), || engine.find(black_box(text), None).len()));
    let findings = sizes.map(|text| engine.find(text, None).len());
    // With reading the document, decoding its string and editing it.
    let engine = Engine::new(Modes::all(Mode::Reversible));
    let vault = Vault::new([0; 32], 10_000);
    let mut document = String::from("\"");
    escape_into(&mut document, text);
    document.push('"');
    let redact = speed(document.len(), || redacted(&engine, &vault, &document).len());
    Measured { name, find, findings, redact }
}

fn report(measured: &Measured, json: bool) {
    let Measured { name, find, findings, redact } = measured;
    // Cost is time per text; per byte, both texts cost the same where the engine is linear.
    let ratio = find[1] / find[0];
    for (size, (rate, findings)) in ["100 KB", "2 KB"].iter().zip(find.iter().zip(findings)) {
        if json {
            println!(
                r#"{{"measure":"find","text":"{name}","size":"{size}","mb_per_s":{rate:.2},"findings":{findings}}}"#
            );
        } else {
            println!("find,   {name}, {size:<6} {rate:>6.0} MB/s  ({findings} findings)");
        }
    }
    if json {
        println!(r#"{{"measure":"linearity","text":"{name}","ratio":{ratio:.4}}}"#);
        println!(
            r#"{{"measure":"redact","text":"{name}","size":"100 KB","mb_per_s":{redact:.2}}}"#
        );
    } else {
        println!("cost of 100 KB / 50 x cost of 2 KB, {name}: {ratio:.2}");
        println!("redact, {name}, 100 KB {redact:>6.0} MB/s");
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
