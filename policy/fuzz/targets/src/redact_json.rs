//! A body is redacted: it stays the document it was, in the same order and with the same keys;
//! only strings changed, and numbers whose key says that they are somebody's number.
//!
//! The first byte chooses the endpoint. What does not start like an object is text, and is put
//! into a chat call: as a message, as a tool's arguments, and as JSON in these.

use std::sync::LazyLock;

use iron_policy::json::{Event, Reader};
use iron_policy::outline::Endpoint;
use iron_policy::redact::{Engine, Mode, Modes, SpanKind, Vault, restore, splice};

use serde_json::json;

use crate::cuts::Random;
use crate::outline::{self, ENDPOINTS};
use crate::redact_text::well_placed;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(Modes::all(Mode::Reversible)));

/// Numbers under such keys are settings: never anybody's.
const SETTINGS: [&str; 13] = [
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "n",
    "seed",
    "temperature",
    "top_p",
    "best_of",
    "maxOutputTokens",
    "candidateCount",
    "candidate_count",
    "topP",
    "topK",
];

/// Redacts the body, compares the documents, and redacts again.
pub fn check(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    if rest.starts_with(b"{") {
        check_body(rest, ENDPOINTS[usize::from(*first) % ENDPOINTS.len()]);
    } else {
        let body = call(&String::from_utf8_lossy(rest));
        check_body(body.as_bytes(), Endpoint::ChatCompletions);
    }
}

/// A chat call that holds the text in every way.
fn call(text: &str) -> String {
    let inner = json!({"ssn": text, "n": [1, {"to": text}]});
    let arguments = json!({"text": text, "payload": inner.to_string()}).to_string();
    json!({"model": "m", "messages": [
        {"role": "user", "content": [{"type": "text", "text": text}]},
        {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function",
            "function": {"name": "f", "arguments": arguments}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": text},
    ]})
    .to_string()
}

fn check_body(body: &[u8], endpoint: Endpoint) {
    let Ok(outline) = outline::read(body, endpoint) else { return };
    let vault = Vault::new(Random::from(body).key(), 10_000);
    let redaction = ENGINE.redact(&outline.spans, &vault);
    let before = std::str::from_utf8(body).unwrap();
    well_placed(before, &redaction);

    let out = splice(body, &redaction.edits);
    let after = std::str::from_utf8(&out).unwrap();
    let again = outline::read(&out, endpoint);
    let again = again.unwrap_or_else(|error| panic!("{error}: {before}\nbecame {after}"));
    same_document(before, after);

    for (old, new) in outline.spans.iter().zip(&again.spans) {
        let (old, new) = (old.text.decode(), new.text.decode());
        if is_json(&old) {
            assert!(is_json(&new), "{old}\nbecame {new}");
        }
    }
    let plain = outline
        .spans
        .iter()
        .zip(&again.spans)
        .filter(|(old, new)| old.kind == SpanKind::Plain && new.kind == SpanKind::Plain);
    for (old, new) in plain {
        assert_eq!(restore(&vault, &new.text.decode()), old.text.decode());
    }

    let twice = ENGINE.redact(&again.spans, &vault);
    let twice = splice(&out, &twice.edits);
    assert_eq!(std::str::from_utf8(&twice), Ok(after), "{before}\nredacted twice");
}

fn is_json(text: &str) -> bool {
    let mut reader = Reader::over(text);
    text.trim_start().starts_with(['{', '[']) && reader.skip().is_ok() && reader.next() == Ok(None)
}

/// Walks through both at once. Between values, the bytes are the same too.
fn same_document(before: &str, after: &str) {
    let (mut old, mut new) = (Reader::over(before), Reader::over(after));
    let mut last_key = String::new();
    let (mut old_end, mut new_end) = (0, 0);
    loop {
        let (old_event, new_event) = (old.next().unwrap(), new.next().unwrap());
        let (old_at, new_at) = (old.position(), new.position());
        let same = match (&old_event, &new_event) {
            (None, None) => return,
            (Some(Event::Key(key)), Some(Event::Key(other))) => {
                last_key = key.decode().into_owned();
                key.raw() == other.raw()
            }
            (Some(Event::String(text)), Some(Event::String(other))) => {
                before[old_end..text.start()] == after[new_end..other.start()]
            }
            (Some(Event::Number(_)), Some(Event::String(text))) => {
                let name = text.raw();
                name.starts_with('<') && name.ends_with('>') && !SETTINGS.contains(&&*last_key)
            }
            // White space before it included.
            (one, other) => one == other && before[old_end..old_at] == after[new_end..new_at],
        };
        assert!(same, "{old_event:?} became {new_event:?}:\n{before}\n{after}");
        (old_end, new_end) = (old_at, new_at);
    }
}
