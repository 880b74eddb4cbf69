//! What an answer says about itself: what it consumed, who made it, and whether it is whole.
//!
//! Most events of a stream are a few words of text and say nothing of the kind. They are told
//! apart by searching for the few member names that matter ([`find`]); only the others are read
//! as JSON. A text that quotes such a name cannot look like one: its quotes are escaped.
//!
//! Numbers that providers report overlap; here they become the disjoint classes of [`Usage`].

mod anthropic;
mod converse;
mod find;
mod gemini;
mod media;
mod openai;
mod realtime;
mod responses;

use iron_policy::json::{JsonError, Reader, Text};
use iron_policy::types::Usage;

use super::WireKind;

/// What an answer has said so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metered {
    /// The units reported, `None` where none were. An explicit zero is a report.
    pub usage: Option<Usage>,
    /// True once `usage` is the provider's last word. Until then it is a floor of the bill.
    pub usage_is_final: bool,
    /// The model that answered, in the provider's words.
    pub model: Option<String>,
    /// The tier that the provider served; `fast` for Anthropic's fast mode.
    pub service_tier: Option<String>,
    /// The answer reached the end that its dialect marks; `false` for one that broke off.
    pub complete: bool,
    /// The type or code of an error that the answer carries after a good status.
    pub error: Option<String>,
}

impl Metered {
    fn set_model(&mut self, name: Option<Text<'_>>) {
        replace(&mut self.model, name);
    }

    fn set_service_tier(&mut self, name: Option<Text<'_>>) {
        replace(&mut self.service_tier, name);
    }

    fn set_error(&mut self, name: Option<Text<'_>>) {
        match name {
            Some(name) => replace(&mut self.error, Some(name)),
            None => self.error = Some("error".to_owned()),
        }
    }

    fn set_usage(&mut self, usage: Option<Usage>) {
        if usage.is_some() {
            self.usage = usage;
        }
    }
}

/// Keeps the last name given; without a copy where it is the same again.
fn replace(slot: &mut Option<String>, name: Option<Text<'_>>) {
    let Some(name) = name.filter(|name| !name.raw().is_empty()) else {
        return;
    };
    if !slot.as_deref().is_some_and(|known| name.is(known)) {
        *slot = Some(name.decode().into_owned());
    }
}

/// What the relay must know about an event that was metered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// Carries nothing but usage: the event that `stream_options.include_usage` adds.
    UsageOnly,
    /// Anything else.
    Other,
}

/// Meters the events of one stream.
#[derive(Clone, Debug)]
pub struct Meter {
    kind: WireKind,
    metered: Metered,
    progress: Progress,
}

/// How far a stream has come towards its end.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// A reason for stopping was seen.
    stopped: bool,
    /// Cumulative numbers, where each report may leave some of them out.
    reported: Usage,
    /// Searches that the answer is grounded on.
    searches: u64,
    /// Candidates of Gemini that were seen, and those that have finished: one bit each.
    begun: u64,
    finished: u64,
    /// The prompt was refused: there will be no candidates.
    blocked: bool,
}

impl Meter {
    /// Starts before the first event.
    pub fn new(kind: WireKind) -> Self {
        Self { kind, metered: Metered::default(), progress: Progress::default() }
    }

    /// Takes in the data of one event. What is not JSON says nothing.
    pub fn event(&mut self, data: &[u8]) -> Noted {
        let (metered, progress) = (&mut self.metered, &mut self.progress);
        let noted = match self.kind {
            WireKind::Chat | WireKind::Completions | WireKind::Embeddings => {
                openai::event(data, metered, progress)
            }
            WireKind::Responses => responses::event(data, metered),
            WireKind::Realtime => realtime::event(data, metered),
            WireKind::Messages => anthropic::event(data, metered, progress),
            WireKind::Gemini => gemini::event(data, metered, progress),
            WireKind::Media => media::event(data, metered, progress),
            WireKind::Converse => converse::event(data, metered, progress),
            WireKind::Other(_) => Ok(Noted::Other),
        };
        noted.unwrap_or(Noted::Other)
    }

    /// The stream ended by itself. Some vendors mark the end with a reason for stopping alone.
    pub fn end(&mut self) {
        if self.progress.stopped && self.metered.error.is_none() {
            self.metered.complete = true;
            self.metered.usage_is_final = self.metered.usage.is_some();
        }
    }

    /// Whether the stream is about to end by itself.
    pub const fn is_ending(&self) -> bool {
        self.progress.stopped
            || self.metered.complete
            || self.metered.usage_is_final
            || self.metered.error.is_some()
    }

    /// What was seen so far.
    pub const fn metered(&self) -> &Metered {
        &self.metered
    }
}

/// Meters an answer that is one JSON document.
pub(super) fn document(kind: WireKind, body: &[u8]) -> Result<Metered, JsonError> {
    let mut reader = Reader::new(body)?;
    let mut metered = Metered::default();
    match kind {
        WireKind::Chat | WireKind::Completions => {
            openai::document(&mut reader, &mut metered, openai::Bills::Both)?;
        }
        WireKind::Embeddings => {
            openai::document(&mut reader, &mut metered, openai::Bills::Input)?;
        }
        WireKind::Responses => responses::document(&mut reader, &mut metered)?,
        WireKind::Messages => anthropic::document(&mut reader, &mut metered)?,
        WireKind::Gemini => gemini::document(&mut reader, &mut metered)?,
        WireKind::Media => media::document(&mut reader, &mut metered)?,
        WireKind::Converse => converse::document(&mut reader, &mut metered)?,
        WireKind::Realtime | WireKind::Other(_) => {
            reader.skip()?;
        }
    }
    // Bytes after the document would be another answer than the client reads.
    if reader.next()?.is_some() {
        return Err(JsonError::Syntax(reader.position()));
    }
    metered.complete = metered.error.is_none();
    metered.usage_is_final = metered.usage.is_some();
    Ok(metered)
}

#[cfg(test)]
mod gemini_tests;
#[cfg(test)]
mod tests;
