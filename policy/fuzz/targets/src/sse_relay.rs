//! A stream of events is relayed: metered, restored, its usage event hidden, and it does not
//! matter how its bytes are cut, nor how the model cut its text into events.
//!
//! The first byte chooses the dialect, the second what is done: bit 0 restores, bit 1 hides. With
//! bit 2 the rest is no stream but a text, which is sent as one.

use std::sync::Arc;

use bytes::Bytes;
use iron_policy::redact::{Restorer, Vault};
use iron_proxy::stream::{Metered, Restorers, StreamRelay, WireKind};
use serde_json::{Value, json};

use crate::cuts::{Random, cuts};
use crate::issued::{planted, session};

const KINDS: [WireKind; 4] =
    [WireKind::Chat, WireKind::Completions, WireKind::Responses, WireKind::Messages];

/// Streams up to this length, in bytes, are cut in two at every place.
const EVERY_CUT: usize = 120;

/// Relays the stream in one piece and in many.
pub fn check(data: &[u8]) {
    let [kind, what, rest @ ..] = data else { return };
    let kind = KINDS[usize::from(*kind) % KINDS.len()];
    let (restores, hides) = (what & 1 == 1, what & 2 == 2);
    let (vault, placeholders) = session();
    let stream = planted(rest, &placeholders);
    if what & 4 == 4 {
        let shape = &SHAPES[usize::from(data[0]) % SHAPES.len()];
        check_text(shape, &String::from_utf8_lossy(&stream), &vault);
        return;
    }
    let relay = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let restorers = restores.then(|| Issued(Arc::clone(&vault)));
        run(StreamRelay::new(kind, hides, restorers), pieces)
    };

    let whole = relay(&mut std::iter::once(&stream[..]));
    if !restores && !hides {
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

const SHAPES: [Shape; 4] = [
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
];

/// Sends a text in events, cut in several ways: the agent gets it restored each time.
fn check_text(shape: &Shape, text: &str, vault: &Arc<Vault>) {
    let mut restored = String::new();
    let mut restorer = Restorer::in_json(Arc::clone(vault), u8::from(shape.is_json));
    restorer.push(text, &mut restored);
    restorer.finish(&mut restored);

    let mut random = Random::from(text.as_bytes());
    for way in cuts(text.len(), &mut random, |at| text.is_char_boundary(at)) {
        let mut stream = String::new();
        for range in &way {
            stream.extend(["data: ", &(shape.event)(&text[range.clone()]).to_string(), "\n\n"]);
        }
        stream.extend(["data: ", &(shape.close)().to_string(), "\n\n"]);
        let relay = StreamRelay::new(shape.kind, false, Some(Issued(Arc::clone(vault))));
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

fn run(mut relay: StreamRelay<Issued>, pieces: &mut dyn Iterator<Item = &[u8]>) -> Relayed {
    let mut out = Vec::new();
    for piece in pieces {
        if let Err(error) = relay.push(Bytes::copy_from_slice(piece), &mut out) {
            let failed = Some(error.to_string());
            return Relayed { out: out.concat(), metered: relay.metered().clone(), failed };
        }
    }
    let metered = relay.finish(&mut out);
    Relayed { out: out.concat(), metered, failed: None }
}

fn same(cut: &Relayed, whole: &Relayed, way: &dyn std::fmt::Debug) {
    assert_eq!(cut.failed, whole.failed, "{way:?}");
    assert_eq!(cut.metered, whole.metered, "{way:?}");
    let text = String::from_utf8_lossy;
    assert_eq!(text(&cut.out), text(&whole.out), "{way:?}");
    assert_eq!(cut.out, whole.out, "{way:?}");
}

/// Restores what the session issued, as the proxy does.
struct Issued(Arc<Vault>);

impl Restorers for Issued {
    type R = Restorer;

    fn plain(&self) -> Restorer {
        Restorer::new(Arc::clone(&self.0))
    }

    fn json(&self) -> Restorer {
        Restorer::in_json(Arc::clone(&self.0), 1)
    }
}
