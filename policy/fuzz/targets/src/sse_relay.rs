//! A stream of events is relayed: metered, searched, restored, its usage event hidden, and it does
//! not matter how its bytes are cut, nor how the model cut its text into events.
//!
//! The first byte chooses the dialect, the second what is done: bit 0 restores, bit 1 hides, bit 3
//! masks what is found. With bit 2 the rest is no stream but a text, which is sent as one.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use iron_policy::redact::{Engine, KINDS, Mode, Modes, Vault};
use iron_proxy::stream::answers::{AnswerRestorers, Answers};
use iron_proxy::stream::{Metered, Restore, Restorers, StreamRelay, WireKind};
use serde_json::{Value, json};

use crate::cuts::{Random, cuts};
use crate::issued::{planted, session};

const WIRES: [WireKind; 5] = [
    WireKind::Chat,
    WireKind::Completions,
    WireKind::Responses,
    WireKind::Messages,
    WireKind::Gemini,
];

/// Masks whatever is found.
static MASK: LazyLock<Option<Answers>> =
    LazyLock::new(|| Answers::of(Engine::new(Modes::all(Mode::Mask)), &KINDS));

/// Streams up to this length, in bytes, are cut in two at every place.
const EVERY_CUT: usize = 120;

/// Relays the stream in one piece and in many.
pub fn check(data: &[u8]) {
    let [kind, what, rest @ ..] = data else { return };
    let chosen = usize::from(kind.wrapping_sub(b'0'));
    let kind = WIRES[chosen % WIRES.len()];
    let (restores, hides, masks) = (what & 1 == 1, what & 2 == 2, what & 8 == 8);
    let (vault, placeholders) = session();
    let stream = planted(rest, &placeholders);
    let policy = MASK.as_ref().filter(|_| masks);
    if what & 4 == 4 {
        let shape = &SHAPES[chosen % SHAPES.len()];
        let restorers = || AnswerRestorers::new(policy, Arc::clone(&vault));
        check_text(shape, &String::from_utf8_lossy(&stream), restorers);
        return;
    }
    let relay = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let vault = if restores { Arc::clone(&vault) } else { Arc::new(Vault::new([7; 32], 1)) };
        let restorers = AnswerRestorers::new(policy, vault);
        run(StreamRelay::new(kind, hides, Some(restorers).filter(|r| !r.is_idle())), pieces)
    };

    let whole = relay(&mut std::iter::once(&stream[..]));
    if !restores && !hides && !masks {
        assert_eq!(whole.out, stream);
    }
    let mut random = Random::from(data);
    for way in cuts(stream.len(), &mut random, |_| true) {
        let cut = relay(&mut way.iter().map(|range| &stream[range.clone()]));
        same(&cut, &whole, &way);
    }
    if stream.len() <= EVERY_CUT {
        for at in 0..=stream.len() {
            let (left, right) = stream.split_at(at);
            same(&relay(&mut [left, right].into_iter()), &whole, &at);
        }
    }
}

/// A text of an answer: its dialect, the events that carry a piece of it and those that close
/// it, and where the piece is.
struct Shape {
    kind: WireKind,
    is_json: bool,
    event: fn(&str) -> Value,
    close: fn() -> Value,
    piece: &'static str,
}

const SHAPES: [Shape; 5] = [
    Shape {
        kind: WireKind::Chat,
        is_json: false,
        event: |text| json!({"choices": [{"index": 0, "delta": {"content": text}}]}),
        close: || json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
        piece: "/choices/0/delta/content",
    },
    Shape {
        kind: WireKind::Chat,
        is_json: true,
        event: |text| {
            json!({"choices": [{"index": 0, "delta": {"tool_calls": [
                {"index": 0, "function": {"arguments": text}}]}}]})
        },
        close: || json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}),
        piece: "/choices/0/delta/tool_calls/0/function/arguments",
    },
    Shape {
        kind: WireKind::Messages,
        is_json: false,
        event: |text| {
            json!({"type": "content_block_delta", "index": 0,
                "delta": {"type": "text_delta", "text": text}})
        },
        close: || json!({"type": "content_block_stop", "index": 0}),
        piece: "/delta/text",
    },
    Shape {
        kind: WireKind::Messages,
        is_json: true,
        event: |text| {
            json!({"type": "content_block_delta", "index": 0,
                "delta": {"type": "input_json_delta", "partial_json": text}})
        },
        close: || json!({"type": "content_block_stop", "index": 0}),
        piece: "/delta/partial_json",
    },
    Shape {
        kind: WireKind::Gemini,
        is_json: false,
        event: |text| json!({"candidates": [{"content": {"parts": [{"text": text}]}}]}),
        close: || json!({"candidates": [{"finishReason": "STOP"}]}),
        piece: "/candidates/0/content/parts/0/text",
    },
];

/// Sends a text in events, cut in several ways: the agent gets the same each time, masked and
/// restored.
fn check_text(shape: &Shape, text: &str, restorers: impl Fn() -> AnswerRestorers) {
    let mut restored = String::new();
    let mut restore = if shape.is_json { restorers().json() } else { restorers().plain() };
    restore.push(text, &mut restored);
    restore.finish(&mut restored);

    let mut random = Random::from(text.as_bytes());
    for way in cuts(text.len(), &mut random, |at| text.is_char_boundary(at)) {
        let mut stream = String::new();
        for range in &way {
            stream.extend(["data: ", &(shape.event)(&text[range.clone()]).to_string(), "\n\n"]);
        }
        stream.extend(["data: ", &(shape.close)().to_string(), "\n\n"]);
        let relay = StreamRelay::new(shape.kind, false, Some(restorers()));
        let out = run(relay, &mut std::iter::once(stream.as_bytes())).out;
        let out = String::from_utf8(out).unwrap();
        let mut said = String::new();
        for data in out.lines().filter_map(|line| line.strip_prefix("data: ")) {
            let event: Value = serde_json::from_str(data).unwrap();
            said.extend(event.pointer(shape.piece).and_then(Value::as_str));
        }
        assert_eq!(said, restored, "{text:?} in {way:?}");
    }
}

/// What a client got, and what the meter says.
#[derive(PartialEq)]
struct Relayed {
    out: Vec<u8>,
    metered: Metered,
    failed: Option<String>,
}

fn run(
    mut relay: StreamRelay<AnswerRestorers>,
    pieces: &mut dyn Iterator<Item = &[u8]>,
) -> Relayed {
    let mut out = Vec::new();
    for piece in pieces {
        if let Err(error) = relay.push(Bytes::copy_from_slice(piece), &mut out) {
            let failed = Some(error.to_string());
            return Relayed { out: out.concat(), metered: relay.metered().clone(), failed };
        }
    }
    let failed = relay.finish(&mut out).err().map(|error| error.to_string());
    Relayed { out: out.concat(), metered: relay.metered().clone(), failed }
}

fn same(cut: &Relayed, whole: &Relayed, way: &dyn std::fmt::Debug) {
    assert_eq!(cut.failed, whole.failed, "{way:?}");
    assert_eq!(cut.metered, whole.metered, "{way:?}");
    let text = String::from_utf8_lossy;
    assert_eq!(text(&cut.out), text(&whole.out), "{way:?}");
    assert_eq!(cut.out, whole.out, "{way:?}");
}
