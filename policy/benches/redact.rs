//! `cargo bench -p iron_policy`: detection and redaction on one thread, in bytes per second.
//!
//! Beside texts of two sizes there is a conversation of ten turns, as agents send it: each turn the
//! whole history and one message more.

mod texts;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use iron_policy::json::{Event, Reader, Text, escape_into};
use iron_policy::redact::{Aids, Engine, Memory, Mode, Modes, Span, SpanKind, Vault};

fn main() {
    divan::main();
}

/// A text by its name.
fn text(name: &str) -> String {
    let (kind, size) = name.split_once(' ').unwrap_or((name, ""));
    let mut text = if kind == "clean" { texts::clean() } else { texts::mixed() };
    if size == "2KB" {
        text.truncate(texts::SHORT);
    }
    text
}

const TEXTS: [&str; 4] = ["clean 100KB", "clean 2KB", "mixed 100KB", "mixed 2KB"];

#[divan::bench(args = TEXTS)]
fn find(bencher: Bencher<'_, '_>, name: &str) {
    let engine = Engine::new(Modes::all(Mode::Detect));
    let text = text(name);
    bencher.counter(BytesCount::of_str(&text)).bench(|| engine.find(black_box(&text), None).len());
}

/// With decoding the string and making the edits.
#[divan::bench(args = TEXTS)]
fn redact(bencher: Bencher<'_, '_>, name: &str) {
    let engine = Engine::new(Modes::all(Mode::Reversible));
    let vault = Vault::new([0; 32], 10_000);
    let document = quoted(&text(name));
    bencher.counter(BytesCount::of_str(&document)).bench(|| {
        let aids = Aids { vault: &vault, memory: None, recogniser: None };
        engine.redact_with(&[span(black_box(&document))], aids).edits.len()
    });
}

/// Ten turns, each with all messages of the turns before; remembered, and not.
#[divan::bench(args = [true, false])]
fn conversation(bencher: Bencher<'_, '_>, remembered: bool) {
    let engine = Engine::new(Modes::all(Mode::Reversible));
    let mixed = texts::mixed();
    let messages: Vec<String> =
        (0..10).map(|turn| quoted(&mixed[turn * 8_000..(turn + 1) * 8_000])).collect();
    let bytes: usize = (1..=10).map(|turn| messages[..turn].concat().len()).sum();
    bencher.counter(BytesCount::new(bytes)).bench(|| {
        let vault = Vault::new([0; 32], 10_000);
        let memory = Memory::new([0; 32]);
        let aids = Aids { vault: &vault, memory: remembered.then_some(&memory), recogniser: None };
        (1..=10)
            .map(|turn| {
                let spans: Vec<_> = messages[..turn].iter().map(|text| span(text)).collect();
                engine.redact_with(&spans, aids).edits.len()
            })
            .sum::<usize>()
    });
}

fn quoted(text: &str) -> String {
    let mut document = String::from("\"");
    escape_into(&mut document, text);
    document.push('"');
    document
}

/// The one string of a document.
fn span(document: &str) -> Span<'_> {
    let text = match Reader::over(document).next() {
        Ok(Some(Event::String(text))) => text,
        _ => Text::plain("", 0),
    };
    Span { text, key: None, kind: SpanKind::Plain }
}
