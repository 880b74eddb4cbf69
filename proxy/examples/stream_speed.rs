//! How long one event of a stream takes on its way through the relay.
//!
//! `cargo run --release -p iron_proxy --example stream_speed`
//!
//! Each event comes in a chunk of its own, as from a provider that flushes each token. The
//! restorer is a stand-in that does what any must: look for the start of a placeholder. The search is
//! the real one, over lines of twenty tokens.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use iron_policy::redact::{Engine, KINDS, Mode, Modes, Vault};
use iron_proxy::stream::answers::{AnswerRestorers, Answers};
use iron_proxy::stream::{Restore, Restorers, StreamRelay, WireKind};

const EVENTS: usize = 200;
const ROUNDS: usize = 2_000;
const PLACEHOLDER: &str = "<EMAIL_7f3k2>";

fn main() {
    println!("{:<12} {:<34} {:>9}", "stream", "way", "us/event");
    for (name, kind, stream) in [
        ("chat", WireKind::Chat, stream(chat)),
        ("responses", WireKind::Responses, stream(responses)),
        ("messages", WireKind::Messages, stream(messages)),
    ] {
        let show = |way: &str, micros: f64| println!("{name:<12} {way:<34} {micros:>9.3}");
        show("untouched", time(&stream, || relay(kind, false, None)));
        show("usage hidden", time(&stream, || relay(kind, true, None)));
        show(
            "restored, 1 in 10 has a placeholder",
            time(&stream, || relay(kind, false, Some(Swap))),
        );
        for (way, mode) in [("findings detected", Mode::Detect), ("findings masked", Mode::Mask)] {
            let policy = Answers::of(Engine::new(Modes::all(mode)), &KINDS);
            let searched = || {
                let vault = Arc::new(Vault::new([0; 32], 1));
                let restorers = AnswerRestorers::new(policy.as_ref(), vault);
                StreamRelay::new(kind, false, Some(restorers))
            };
            show(way, time(&stream, searched));
        }
    }
}

fn relay(kind: WireKind, hide: bool, restorers: Option<Swap>) -> StreamRelay<Swap> {
    StreamRelay::new(kind, hide, restorers)
}

/// The best of several rounds, in microseconds per event.
fn time<F: Restorers>(stream: &[Bytes], relay: impl Fn() -> StreamRelay<F>) -> f64 {
    let mut out = Vec::new();
    let round = |_| {
        let mut relay = relay();
        // Each chunk is a buffer of its own, as from a socket; making them is not measured.
        let chunks: Vec<_> = stream.iter().map(|chunk| Bytes::from(chunk.to_vec())).collect();
        let start = Instant::now();
        for chunk in chunks {
            relay.push(chunk, &mut out).unwrap_or_default();
            out.clear();
        }
        let metered = relay.finish(&mut out).unwrap_or_default();
        let took = start.elapsed();
        out.clear();
        std::hint::black_box(metered);
        took
    };
    let best = (0..ROUNDS).map(round).min().unwrap_or_default();
    best.as_secs_f64() * 1e6 / stream.len() as f64
}

fn stream(event: fn(&str) -> String) -> Vec<Bytes> {
    (0..EVENTS)
        .map(|number| {
            let text = match number % 20 {
                0 | 10 => PLACEHOLDER,
                19 => " token\\n",
                _ => " token",
            };
            event(text).into()
        })
        .collect()
}

fn chat(text: &str) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-BxYz0123456789\",\"object\":\"chat.completion.chunk\",\
         \"created\":1790000000,\"model\":\"gpt-5.4-2026-03-05\",\"service_tier\":\"default\",\
         \"system_fingerprint\":\"fp_0123456789\",\"choices\":[{{\"index\":0,\"delta\":\
         {{\"content\":\"{text}\"}},\"logprobs\":null,\"finish_reason\":null}}],\"usage\":null,\
         \"obfuscation\":\"aB3dE5\"}}\n\n"
    )
}

fn responses(text: &str) -> String {
    format!(
        "event: response.output_text.delta\ndata: {{\"type\":\"response.output_text.delta\",\
         \"sequence_number\":17,\"item_id\":\"msg_0123456789abcdef0123456789\",\
         \"output_index\":0,\"content_index\":0,\"delta\":\"{text}\",\"logprobs\":[],\
         \"obfuscation\":\"aB3dE5\"}}\n\n"
    )
}

fn messages(text: &str) -> String {
    format!(
        "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\
         \"delta\":{{\"type\":\"text_delta\",\"text\":\"{text}\"}}}}\n\n"
    )
}

/// Replaces one placeholder.
struct Swap;

struct SwapOne {
    held: String,
}

impl Restorers for Swap {
    type R = SwapOne;

    fn plain(&self) -> SwapOne {
        SwapOne { held: String::new() }
    }

    fn json(&self) -> SwapOne {
        self.plain()
    }
}

impl Restore for SwapOne {
    fn push(&mut self, text: &str, out: &mut String) {
        if self.held.is_empty() && !text.contains('<') {
            out.push_str(text);
            return;
        }
        self.held.push_str(text);
        let text = self.held.replace(PLACEHOLDER, "zoe@example.org");
        let kept = (1..PLACEHOLDER.len())
            .rev()
            .find(|length| text.ends_with(&PLACEHOLDER[..*length]))
            .unwrap_or(0);
        let (done, kept) = text.split_at(text.len() - kept);
        out.push_str(done);
        self.held = String::from(kept);
    }

    fn finish(&mut self, out: &mut String) {
        out.push_str(&std::mem::take(&mut self.held));
    }
}
