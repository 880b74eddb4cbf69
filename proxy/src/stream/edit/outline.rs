//! Where the texts of an event are, and which channels it closes.

use std::borrow::Cow;
use std::ops::Range;

use iron_policy::json::{Event, JsonError, Reader, Text};

use super::gemini::Runs;
use crate::stream::WireKind;
use crate::stream::walk::{members, pass_over, skip, string, take};

/// One text of an answer, across all events that carry pieces of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::stream) struct Channel {
    /// Which choice, output item or block.
    pub(super) index: u64,
    /// Which part of it: a tool call, a content part, a summary. 0 where there is only one.
    pub(super) part: u64,
    /// Which member of it.
    pub(super) field: Field,
}

/// The member that carries a channel's pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::stream) enum Field {
    // Chat: members of `choices[].delta`.
    Content,
    Refusal,
    ReasoningContent,
    Reasoning,
    AudioTranscript,
    FunctionCall,
    ToolCall,
    /// A member that only some vendor has; the channel's `part` tells which, see
    /// [`chat::number`](super::chat::number).
    Other,
    // Completions: `choices[].text`.
    Completion,
    // Responses: a place in the table of delta events.
    Delta(u8),
    // Messages: members of `delta`. Gemini has the first two: what is said, and what is thought.
    Text,
    Thinking,
    PartialJson,
}

impl Field {
    /// True where the channel's text is itself JSON.
    pub(super) fn holds_json(self) -> bool {
        match self {
            Self::FunctionCall | Self::ToolCall | Self::PartialJson => true,
            Self::Delta(place) => super::responses::holds_json(place),
            _ => false,
        }
    }
}

/// What a text in an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::stream) enum Place {
    /// A piece of a channel.
    Piece(Channel),
    /// A whole text.
    Whole,
    /// A whole text that is itself JSON.
    WholeJson,
    /// No text but a value that repeats one, token by token: `logprobs`.
    Tokens,
}

/// A string literal that may hold placeholders, or a value that repeats one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::stream) struct Found {
    /// Where it stands in the event's data, a string's quotes not included.
    pub(in crate::stream) literal: Range<usize>,
    pub(in crate::stream) place: Place,
    /// Where the name of the member that holds it stands, in the caller's own structure.
    pub(in crate::stream) key: Option<Range<usize>>,
}

impl Found {
    /// The value that comes next, where it repeats a text token by token.
    pub(super) fn tokens(reader: &mut Reader<'_>) -> Result<Option<Self>, JsonError> {
        let first = take(reader)?;
        let start = reader.position();
        pass_over(reader, &first)?;
        let some = matches!(first, Event::BeginObject | Event::BeginArray);
        // The container began one byte before the reader stood.
        let literal = start.saturating_sub(1)..reader.position();
        Ok(some.then_some(Self { literal, place: Place::Tokens, key: None }))
    }

    /// What stands for such a value where it is kept back.
    pub(in crate::stream) fn no_tokens(&self, data: &str) -> &'static str {
        if data[self.literal.clone()].starts_with('[') { "[]" } else { "null" }
    }

    /// The text that the literal stands for in this data.
    pub(in crate::stream) fn decode<'a>(&self, data: &'a str) -> Cow<'a, str> {
        // The reader makes texts of quoted literals only, so the quotes are there.
        let quoted = &data[self.literal.start - 1..=self.literal.end];
        match Reader::over(quoted).next() {
            Ok(Some(Event::String(text))) => text.decode(),
            _ => Cow::Borrowed(&data[self.literal.clone()]),
        }
    }
}

/// Which channels get no more pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// All of them.
    All,
    /// All of one choice, output item or block.
    Index(u64),
    /// One.
    Channel(Channel),
}

impl Close {
    pub(super) fn covers(self, channel: &Channel) -> bool {
        match self {
            Self::All => true,
            Self::Index(index) => channel.index == index,
            Self::Channel(closed) => *channel == closed,
        }
    }
}

/// What the editor must know of one event. Kept between events for its memory.
#[derive(Debug, Default)]
pub(in crate::stream) struct Outline {
    /// In the order in which they stand.
    pub(in crate::stream) found: Vec<Found>,
    pub(super) closes: Vec<Close>,
    /// What candidates of Gemini are in the middle of; outlives the event.
    pub(super) runs: Runs,
}

impl Outline {
    /// Reads the data of one event. Data that is not JSON has no texts and closes nothing.
    pub(super) fn read(&mut self, kind: WireKind, data: &str) {
        self.found.clear();
        self.closes.clear();
        if data == "[DONE]" {
            self.closes.push(Close::All);
            return;
        }
        let read = match kind {
            WireKind::Chat | WireKind::Completions => super::chat::read(self, data),
            WireKind::Responses | WireKind::Realtime => super::responses::read(self, data),
            WireKind::Messages => super::anthropic::read(self, data),
            WireKind::Gemini => super::gemini::read(self, data),
            WireKind::Converse => super::converse::read(self, data),
            WireKind::Embeddings | WireKind::Media | WireKind::Other(_) => Ok(()),
        };
        if read.is_err() {
            self.found.clear();
            self.closes.clear();
        }
    }

    /// Notes the value that comes next, which is `logprobs`.
    pub(super) fn tokens(&mut self, reader: &mut Reader<'_>) -> Result<(), JsonError> {
        self.found.extend(Found::tokens(reader)?);
        Ok(())
    }

    pub(super) fn piece(&mut self, text: Option<Text<'_>>, channel: Channel) {
        if let Some(text) = text {
            self.found.push(Found {
                literal: text.range(),
                place: Place::Piece(channel),
                key: None,
            });
        }
    }
}

/// The `type` of an event, from anywhere among its members; it nearly always comes first.
pub(super) fn event_type(data: &str) -> Result<Option<Text<'_>>, JsonError> {
    let mut reader = Reader::over(data);
    if data.starts_with("{\"type\":") {
        reader.next()?;
        reader.next()?;
        return string(&mut reader);
    }
    let mut kind = None;
    members(&mut reader, |key, reader| {
        match key.raw() {
            "type" => kind = string(reader)?,
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    Ok(kind)
}
