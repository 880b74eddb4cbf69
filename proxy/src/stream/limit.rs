//! Whether a stream has cost what was reserved for it, and how it is then ended.
//!
//! What a stream has cost is known while it goes on only where the provider says so in it: Gemini in
//! each chunk, some vendors of OpenAI's dialect. Else there is a **floor** of what it made: a token
//! for each event that carries text, but never more than a quarter of the text's bytes (who cuts
//! text finer than tokens is not counted higher for it) and never less than a 128th (no token is
//! longer). Output is taken at its cheapest price that the call leaves open.
//!
//! So a stream that keeps to the limit that was reserved for is never ended here: its floor is
//! below what it costs, and what it costs is below its bound. One that is ended here broke it.
//!
//! The end is one that its dialect knows: the answer was cut at its longest. Texts that are open
//! stay as they are, like at any such end; JSON in them may be half written.

use std::sync::Arc;
use std::sync::LazyLock;

use bytes::Bytes;
use iron_policy::price::{ModelPrice, ServiceTier};
use iron_policy::types::{NanoUsd, TokenClass, Usage};
use memchr::memmem::Finder;
use serde_json::{Value, json};

use super::{Metered, WireKind};

/// What was reserved for a stream, and what its cost is told by.
#[derive(Clone, Debug)]
pub struct Cap {
    /// What it may cost.
    pub reserved: NanoUsd,
    /// The price, and what the call costs of it in percent.
    pub price: Arc<ModelPrice>,
    /// See there.
    pub percent: u64,
    /// The tiers that may serve the call.
    pub tiers: &'static [ServiceTier],
    /// Answers side by side.
    pub choices: u64,
    /// Whether the caller wants usage at the end of OpenAI's older streams.
    pub tells_usage: bool,
    /// Tokens of the request, as estimated: for the usage that a stream without any ends with.
    pub input: u64,
}

/// Watches one stream.
#[derive(Debug)]
pub(super) struct Watch {
    kind: WireKind,
    cap: Cap,
    /// Events that carried text, and its bytes.
    events: u64,
    bytes: u64,
    /// The provider's report from which `most` was made.
    known: Option<Usage>,
    /// From so many tokens of output on, more was spent than is reserved.
    most: u64,
    /// The first event: whose answer it is.
    opening: Option<Bytes>,
    /// The event that broke the bound.
    last: Option<Bytes>,
    /// Anthropic's blocks that are open: one bit each.
    blocks: u64,
    /// Items of a response that are complete, as their events say.
    items: Vec<Bytes>,
}

impl Watch {
    /// Whether streams of this kind have an end that can be written here.
    pub(super) const fn knows(kind: WireKind) -> bool {
        matches!(
            kind,
            WireKind::Chat
                | WireKind::Completions
                | WireKind::Responses
                | WireKind::Messages
                | WireKind::Gemini
        )
    }

    pub(super) fn new(kind: WireKind, cap: Cap) -> Self {
        let mut watch = Self {
            kind,
            cap,
            events: 0,
            bytes: 0,
            known: None,
            most: u64::MAX,
            opening: None,
            last: None,
            blocks: 0,
            items: Vec::new(),
        };
        watch.most = watch.affords(&Metered::default());
        watch
    }

    /// Takes in the data of an event that was metered; true where it broke the bound.
    pub(super) fn event(&mut self, data: &[u8], metered: &Metered, ending: bool) -> bool {
        if data.is_empty() || data == b"[DONE]" {
            return false;
        }
        if self.opening.is_none() {
            self.opening = Some(Bytes::copy_from_slice(data));
        }
        self.note(data);
        let length = text_of(self.kind, data);
        if length > 0 {
            self.events += 1;
            self.bytes += length;
        }
        if self.known != metered.usage {
            self.known = metered.usage;
            self.most = self.affords(metered);
        }
        let over = !ending && self.made() >= self.most;
        if over {
            self.last = Some(Bytes::copy_from_slice(data));
        }
        over
    }

    /// The floor of what was made, in tokens.
    fn made(&self) -> u64 {
        self.events.min(self.bytes / 4).max(self.bytes / 128)
    }

    /// From how many tokens of output on the reservation is spent; zero where it is already.
    fn affords(&self, metered: &Metered) -> u64 {
        let usage = metered.usage.unwrap_or_default();
        let tier = metered.service_tier.as_deref().map_or_else(
            || {
                let all = self.cap.tiers.iter().copied();
                all.min_by_key(|tier| self.output(&usage, *tier)).unwrap_or(ServiceTier::Standard)
            },
            |tier| ServiceTier::served(Some(tier)),
        );
        let pico = |usage: &Usage| {
            let cost = self.cap.price.cost(usage, tier).percent(self.cap.percent);
            cost.by_class().map(|(_, pico)| pico.0).sum::<i128>()
        };
        let reserved = i128::from(self.cap.reserved.0) * 1000;
        if pico(&usage) > reserved {
            return 0;
        }
        let each = self.output(&usage, tier);
        if each <= 0 {
            return u64::MAX;
        }
        let rest = reserved - pico(&usage.with(TokenClass::Output, 0));
        u64::try_from(rest / each).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// What one token of output costs beside this usage, in pico-USD.
    fn output(&self, usage: &Usage, tier: ServiceTier) -> i128 {
        let one = usage.with(TokenClass::Output, 1);
        let cost = self.cap.price.cost(&one, tier).percent(self.cap.percent);
        let of_output = |(class, _): &(TokenClass, _)| *class == TokenClass::Output;
        cost.by_class().find(of_output).map_or(0, |(_, pico)| pico.0)
    }

    /// Notes what has to be ended.
    fn note(&mut self, data: &[u8]) {
        match self.kind {
            WireKind::Messages => {
                let begins = BLOCK_START.find(data).is_some();
                if (begins || BLOCK_STOP.find(data).is_some())
                    && let Ok(event) = serde_json::from_slice::<Value>(data)
                {
                    let bit = 1_u64 << event["index"].as_u64().unwrap_or_default().min(63);
                    match event["type"].as_str() {
                        Some("content_block_start") => self.blocks |= bit,
                        Some("content_block_stop") => self.blocks &= !bit,
                        _ => {}
                    }
                }
            }
            WireKind::Responses if ITEM_DONE.find(data).is_some() => {
                self.items.push(Bytes::copy_from_slice(data));
            }
            _ => {}
        }
    }

    /// The message that ends a response on a WebSocket likewise, on its lane.
    pub(super) fn end_message_of_response(&self, metered: &Metered) -> Bytes {
        let (opening, last, input, output) = self.known_at_end(metered);
        let mut event = self.incomplete(&opening, &last, input, output);
        if let Some(lane) = opening.get("stream_id") {
            event["stream_id"] = lane.clone();
        }
        event.to_string().into()
    }

    /// The events that end the stream as one that was cut at its longest.
    pub(super) fn end(&self, metered: &Metered) -> Vec<Bytes> {
        let (opening, last, input, output) = self.known_at_end(metered);
        match self.kind {
            WireKind::Chat | WireKind::Completions => self.end_chat(&opening, input, output),
            WireKind::Responses => vec![typed(&self.incomplete(&opening, &last, input, output))],
            WireKind::Messages => {
                self.end_message(&metered.usage.unwrap_or_default(), input, output)
            }
            WireKind::Gemini => vec![data(&self.cut_chunk(&last))],
            _ => Vec::new(),
        }
    }

    /// The first event, the last one, and the tokens of both directions that were told or made.
    fn known_at_end(&self, metered: &Metered) -> (Value, Value, u64, u64) {
        let read = |data: &Option<Bytes>| {
            let data = data.as_deref().unwrap_or_default();
            serde_json::from_slice::<Value>(data).unwrap_or_default()
        };
        let usage = metered.usage.unwrap_or_default();
        let input = match usage.input_tokens() {
            0 => self.cap.input,
            told => told,
        };
        (read(&self.opening), read(&self.last), input, usage.output_tokens().max(self.made()))
    }

    fn end_chat(&self, opening: &Value, input: u64, output: u64) -> Vec<Bytes> {
        let with = |choices: Value| {
            let mut chunk = json!({});
            for name in ["id", "object", "created", "model", "system_fingerprint"] {
                if let Some(value) = opening.get(name) {
                    chunk[name] = value.clone();
                }
            }
            chunk["choices"] = choices;
            chunk
        };
        let ended = |index: u64| {
            if self.kind == WireKind::Chat {
                json!({"index": index, "delta": {}, "logprobs": null, "finish_reason": "length"})
            } else {
                json!({"index": index, "text": "", "logprobs": null, "finish_reason": "length"})
            }
        };
        let mut events: Vec<_> =
            (0..self.cap.choices.clamp(1, 128)).map(|n| data(&with(json!([ended(n)])))).collect();
        if self.cap.tells_usage {
            let mut chunk = with(json!([]));
            chunk["usage"] = json!({
                "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
            });
            events.push(data(&chunk));
        }
        events.push(Bytes::from_static(b"data: [DONE]\n\n"));
        events
    }

    fn incomplete(&self, opening: &Value, last: &Value, input: u64, output: u64) -> Value {
        let mut response = opening.get("response").cloned().unwrap_or_else(|| json!({}));
        response["status"] = json!("incomplete");
        response["incomplete_details"] = json!({"reason": "max_output_tokens"});
        let items = self.items.iter().filter_map(|data| serde_json::from_slice::<Value>(data).ok());
        response["output"] = items.map(|event| event["item"].clone()).collect();
        response["usage"] = json!({
            "input_tokens": input,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": input + output,
        });
        let mut event = json!({"type": "response.incomplete", "response": response});
        if let Some(number) = last["sequence_number"].as_u64() {
            event["sequence_number"] = json!(number + 1);
        }
        event
    }

    fn end_message(&self, usage: &Usage, input: u64, output: u64) -> Vec<Bytes> {
        let open = (0..64).filter(|block| self.blocks & (1 << block) != 0);
        let mut events: Vec<_> = open
            .map(|index: u64| typed(&json!({"type": "content_block_stop", "index": index})))
            .collect();
        let cached = usage.of(TokenClass::CacheRead);
        let written = usage.of(TokenClass::CacheWrite) + usage.of(TokenClass::CacheWrite1h);
        events.push(typed(&json!({
            "type": "message_delta",
            "delta": {"stop_reason": "max_tokens", "stop_sequence": null},
            "usage": {
                "input_tokens": input.saturating_sub(cached + written),
                "cache_read_input_tokens": cached,
                "cache_creation_input_tokens": written,
                "output_tokens": output,
            },
        })));
        events.push(typed(&json!({"type": "message_stop"})));
        events
    }

    fn cut_chunk(&self, last: &Value) -> Value {
        let ended = |index: u64| {
            json!({
                "content": {"parts": [{"text": ""}], "role": "model"},
                "finishReason": "MAX_TOKENS", "index": index,
            })
        };
        let mut chunk = json!({
            "candidates": (0..self.cap.choices.clamp(1, 64)).map(ended).collect::<Vec<_>>(),
        });
        for name in ["usageMetadata", "modelVersion", "responseId"] {
            if let Some(value) = last.get(name) {
                chunk[name] = value.clone();
            }
        }
        chunk
    }
}

fn data(value: &Value) -> Bytes {
    format!("data: {value}\n\n").into()
}

fn typed(value: &Value) -> Bytes {
    let name = value["type"].as_str().unwrap_or_default();
    format!("event: {name}\ndata: {value}\n\n").into()
}

type Needle = LazyLock<Finder<'static>>;

static BLOCK_START: Needle = LazyLock::new(|| Finder::new("\"content_block_start\""));
static BLOCK_STOP: Needle = LazyLock::new(|| Finder::new("\"content_block_stop\""));
static ITEM_DONE: Needle = LazyLock::new(|| Finder::new("\"response.output_item.done\""));
/// Events of a response that carry text which was made for it, and no repetition of it.
static DELTA_EVENT: Needle = LazyLock::new(|| Finder::new(".delta\""));

static CHAT: LazyLock<[Finder<'static>; 5]> = LazyLock::new(|| {
    ["\"content\"", "\"arguments\"", "\"reasoning_content\"", "\"reasoning\"", "\"refusal\""]
        .map(Finder::new)
});
static TEXT: LazyLock<[Finder<'static>; 1]> = LazyLock::new(|| ["\"text\""].map(Finder::new));
static DELTA: LazyLock<[Finder<'static>; 1]> = LazyLock::new(|| ["\"delta\""].map(Finder::new));
static BLOCK: LazyLock<[Finder<'static>; 3]> =
    LazyLock::new(|| ["\"text\"", "\"thinking\"", "\"partial_json\""].map(Finder::new));

/// Bytes of text that an event carries, as they stand there without what escapes them: never more
/// than the text has. Nothing is read as JSON; a text that quotes these names has them escaped.
fn text_of(kind: WireKind, data: &[u8]) -> u64 {
    let names: &[Finder<'static>] = match kind {
        WireKind::Chat => &*CHAT,
        WireKind::Completions | WireKind::Gemini => &*TEXT,
        // Summaries of what was thought are written by another model.
        WireKind::Responses if DELTA_EVENT.find(data).is_some() && SUMMARY.find(data).is_none() => {
            &*DELTA
        }
        WireKind::Messages => &*BLOCK,
        _ => return 0,
    };
    let mut bytes = 0;
    for name in names {
        for at in name.find_iter(data) {
            bytes += string_after(&data[at + name.needle().len()..]);
        }
    }
    bytes
}

static SUMMARY: Needle = LazyLock::new(|| Finder::new("summary"));

/// The length of the string that a member's name is followed by; zero where it is none.
fn string_after(rest: &[u8]) -> u64 {
    let mut bytes = rest.iter().filter(|byte| !byte.is_ascii_whitespace());
    if bytes.next() != Some(&b':') || bytes.next() != Some(&b'"') {
        return 0;
    }
    let begin = rest.iter().position(|byte| *byte == b'"').map_or(rest.len(), |quote| quote + 1);
    let (mut length, mut at) = (0, begin);
    while let Some(byte) = rest.get(at) {
        match byte {
            b'"' => break,
            // An escape stands for one byte at least.
            b'\\' => at += if rest.get(at + 1) == Some(&b'u') { 6 } else { 2 },
            _ => at += 1,
        }
        length += 1;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_that_was_made_is_counted() {
        for (kind, data, bytes) in [
            (WireKind::Chat, r#"{"choices":[{"delta":{"content":"four"}}]}"#, 4),
            (WireKind::Chat, r#"{"choices": [{"delta": {"content" : "a\n\u00e9\"b"}}]}"#, 5),
            (WireKind::Chat, r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#, 0),
            (
                WireKind::Chat,
                r#"{"choices":[{"delta":{"content":null},"logprobs":{"content":[]}}]}"#,
                0,
            ),
            (WireKind::Chat, r#"{"choices":[{"delta":{"content":"\"content\":\"x\""}}]}"#, 13),
            (
                WireKind::Chat,
                r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a"}}]}}]}"#,
                3,
            ),
            (WireKind::Completions, r#"{"choices":[{"text":"abc"}]}"#, 3),
            (WireKind::Responses, r#"{"type":"response.output_text.delta","delta":"abc"}"#, 3),
            (WireKind::Responses, r#"{"type":"response.output_text.done","text":"abc"}"#, 0),
            (
                WireKind::Responses,
                r#"{"type":"response.reasoning_summary_text.delta","delta":"abc"}"#,
                0,
            ),
            (
                WireKind::Messages,
                r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"ab"}}"#,
                2,
            ),
            (
                WireKind::Messages,
                r#"{"type":"content_block_delta","delta":{"type":"signature_delta","signature":"ab"}}"#,
                0,
            ),
        ] {
            assert_eq!(text_of(kind, data.as_bytes()), bytes, "{data}");
        }
    }
}
