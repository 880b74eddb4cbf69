//! Server-sent events: an answer in pieces, and how pieces become bytes.

use std::fmt::Write as _;

use serde_json::Value;

use super::behaviour::Form;

/// One event of a stream, or the whole of a plain body.
#[derive(Debug)]
pub(super) struct Piece {
    /// The bytes as they go out.
    pub(super) bytes: Vec<u8>,
    /// The output tokens that had to be generated for it.
    pub(super) tokens: u64,
}

/// An event before it is written down.
#[derive(Debug)]
pub(super) struct Event {
    name: Option<String>,
    data: String,
    tokens: u64,
}

impl Event {
    /// An event with data alone, as OpenAI's older endpoints have it.
    pub(super) fn data(value: &Value) -> Self {
        Self { name: None, data: value.to_string(), tokens: 0 }
    }

    /// An event that is named after its `type`.
    pub(super) fn typed(value: &Value) -> Self {
        Self { name: value["type"].as_str().map(str::to_owned), ..Self::data(value) }
    }

    /// The end of OpenAI's older streams.
    pub(super) fn done() -> Self {
        Self { name: None, data: "[DONE]".to_owned(), tokens: 0 }
    }

    /// Its data.
    pub(super) fn text(&self) -> &str {
        &self.data
    }

    /// The tokens that were generated for it.
    pub(super) const fn cost(&self) -> u64 {
        self.tokens
    }

    /// With the tokens that were generated for it.
    pub(super) fn tokens(mut self, tokens: u64) -> Self {
        self.tokens = tokens;
        self
    }
}

/// Writes events down.
pub(super) fn pieces(events: &[Event], form: Form) -> Vec<Piece> {
    let line_end = if form.crlf { "\r\n" } else { "\n" };
    let write = |(place, event): (usize, &Event)| {
        let mut text = String::with_capacity(event.data.len() + 48);
        if let Some(name) = &event.name {
            let _ = write!(text, "event: {name}{line_end}");
        }
        let _ = write!(text, "data: {}{line_end}", event.data);
        if !(form.unterminated && place + 1 == events.len()) {
            text.push_str(line_end);
        }
        Piece { bytes: text.into_bytes(), tokens: event.tokens }
    };
    events.iter().enumerate().map(write).collect()
}
