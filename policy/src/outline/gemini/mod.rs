//! The one pass over a body of Google's Gemini API.
//!
//! The model stands in the path; where a body names one as well, it must be the same. All that
//! decides about money is in `generationConfig` and a few members at the top, each known under
//! both of its names; the second copy of one, under either name, is refused.
//!
//! Source: <https://ai.google.dev/api/generate-content> and `/api/embeddings`, `/api/tokens`.

mod places;

use std::borrow::Cow;
use std::ops::Range;

use places::Place;

use super::walk::{kind_of, natural};
use super::{BadBody, Endpoint, LimitPlace, Outline};
use crate::json::{Event, Reader, Text};
use crate::redact::{Span, SpanKind, is_telling};

/// An open container.
struct Frame<'a> {
    place: Place,
    array: bool,
    /// The key it stands under; the items of a list stand under the list's key.
    key: &'a str,
    /// The key whose value comes next, in an object.
    next: &'a str,
    /// Which decisive members it had, one bit each.
    seen: u8,
    /// The kind of data in it, where it is a blob.
    kind: Option<Kind>,
    /// Bytes of data in it, still encoded as base64.
    data: u64,
}

/// What the data of a part is, as far as its price goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Image,
    Audio,
    /// Films, documents, files elsewhere: only the context window bounds what they come to.
    Other,
}

/// Reads the members of a body that decide about money, and the places of its text.
pub(super) fn walk<'a>(
    body: &'a [u8],
    endpoint: Endpoint,
    model: &str,
) -> Result<Outline<'a>, BadBody> {
    let mut reader = Reader::new(body)?;
    if !matches!(reader.next()?, Some(Event::BeginObject)) {
        return Err(BadBody::NotAnObject);
    }
    let mut out = Outline::empty(reader.position(), LimitPlace::NewConfig("generationConfig"));
    out.model = Cow::Owned(model.to_owned());
    out.stream = endpoint == Endpoint::StreamGenerateContent;
    let mut walk = Walk { out, stack: Vec::with_capacity(16) };
    walk.stack.push(Frame::new(Place::Root, false, ""));
    while let Some(event) = reader.next()? {
        walk.event(&event, &reader)?;
    }
    Ok(walk.out)
}

/// Decisive members by where they stand, both names of each; a field has the bit of its pair.
const AT_TOP: [[&str; 2]; 4] = [
    ["generationConfig", "generation_config"],
    ["serviceTier", "service_tier"],
    ["cachedContent", "cached_content"],
    ["model", "model"],
];
const IN_CONFIG: [[&str; 2]; 2] =
    [["maxOutputTokens", "max_output_tokens"], ["candidateCount", "candidate_count"]];
const IN_BLOB: [[&str; 2]; 1] = [["mimeType", "mime_type"]];

/// Other names that must be known however they are spelled: money depends on them, or all that is
/// below them is text.
const STRUCTURE: [&str; 23] = [
    "contents",
    "content",
    "parts",
    "tools",
    "requests",
    "inlineData",
    "inline_data",
    "fileData",
    "file_data",
    "data",
    "functionCall",
    "function_call",
    "toolCall",
    "tool_call",
    "args",
    "functionResponse",
    "function_response",
    "toolResponse",
    "tool_response",
    "response",
    "partMetadata",
    "part_metadata",
    "labels",
];

/// Tools that cost nothing but the tokens they read
/// (<https://ai.google.dev/gemini-api/docs/pricing>).
const UNBILLED: [&str; 6] =
    ["codeExecution", "code_execution", "urlContext", "url_context", "fileSearch", "file_search"];

struct Walk<'a> {
    out: Outline<'a>,
    stack: Vec<Frame<'a>>,
}

impl<'a> Frame<'a> {
    const fn new(place: Place, array: bool, key: &'a str) -> Self {
        Self { place, array, key, next: "", seen: 0, kind: None, data: 0 }
    }

    /// The key that a value in this container stands under.
    const fn value_key(&self) -> &'a str {
        if self.array { self.key } else { self.next }
    }

    /// The members that decide something in this object.
    const fn decisive(&self) -> &'static [[&'static str; 2]] {
        match self.place {
            _ if self.array => &[],
            Place::Root | Place::Request => &AT_TOP,
            Place::Config => &IN_CONFIG,
            Place::Blob => &IN_BLOB,
            _ => &[],
        }
    }

    /// What the member of this name decides, by its first name.
    fn decides(&self, key: &str) -> Option<&'static str> {
        self.decisive().iter().find(|names| names.contains(&key)).map(|names| names[0])
    }
}

impl<'a> Walk<'a> {
    fn event(&mut self, event: &Event<'a>, reader: &Reader<'a>) -> Result<(), BadBody> {
        match event {
            Event::Key(name) => self.key(*name)?,
            Event::BeginObject | Event::BeginArray => {
                self.open(*event == Event::BeginArray, reader)?;
            }
            Event::EndObject | Event::EndArray => self.close(),
            Event::String(text) => self.string(*text)?,
            Event::Number(number) => self.scalar(number, reader)?,
            Event::Bool(true) => self.scalar("true", reader)?,
            Event::Bool(false) => self.scalar("false", reader)?,
            Event::Null => self.scalar("null", reader)?,
        }
        Ok(())
    }

    /// Takes a member's name; refuses a second copy of one that decides something.
    fn key(&mut self, name: Text<'a>) -> Result<(), BadBody> {
        let root = self.stack.len() == 1;
        let Some(frame) = self.stack.last_mut() else { return Ok(()) };
        if root {
            self.out.empty = false;
        }
        // A name behind escapes is what it means where money depends on it, else no exception.
        let spelled = || {
            let known = frame.decisive().iter().flatten().chain(&STRUCTURE);
            known.copied().find(|known| name.is(known)).unwrap_or("\\")
        };
        let key = if name.is_escaped() { spelled() } else { name.raw() };
        let place = frame.decisive().iter().position(|names| names.contains(&key));
        if let Some(place) = place {
            if frame.seen & (1 << place) != 0 {
                return Err(BadBody::Duplicate(frame.decisive()[place][0]));
            }
            frame.seen |= 1 << place;
        }
        frame.next = key;
        Ok(())
    }

    fn open(&mut self, array: bool, reader: &Reader<'a>) -> Result<(), BadBody> {
        let Some(parent) = self.stack.last() else { return Ok(()) };
        let key = parent.value_key();
        // A list's items are what the list is.
        let place = if parent.array { parent.place } else { parent.place.below(key) };
        let config = place == Place::Config && !array;
        if config && self.stack.len() == 1 {
            self.out.limit_place = LimitPlace::Config(reader.position(), true);
        }
        if let Some(field) = parent.decides(key).filter(|_| !config) {
            return Err(wrong(field));
        }
        match place {
            Place::Contents if !array => self.out.messages += 1,
            Place::Declaration if !array => self.out.tools += 1,
            Place::Blob if !array && matches!(key, "fileData" | "file_data") => {
                self.out.hidden_input = true;
            }
            _ => {}
        }
        if parent.place == Place::Tools && !parent.array {
            self.tool(key);
        }
        self.stack.push(Frame::new(place, array, key));
        Ok(())
    }

    /// A member of a tool says what tool it is.
    fn tool(&mut self, key: &str) {
        match key {
            "functionDeclarations" | "function_declarations" => {}
            // The caller's program moves the mouse.
            "computerUse" | "computer_use" => self.out.tools += 1,
            key if UNBILLED.contains(&key) => self.out.unbilled_tools += 1,
            _ => self.out.hosted_tools += 1,
        }
    }

    fn close(&mut self) {
        let Some(frame) = self.stack.pop() else { return };
        if frame.place == Place::Config
            && self.stack.len() == 1
            && let LimitPlace::Config(_, empty) = &mut self.out.limit_place
        {
            // White space is no member.
            *empty = frame.next.is_empty();
        } else if frame.place == Place::Blob && !frame.array {
            self.out.media_bytes += frame.data;
            match frame.kind {
                Some(Kind::Image) => self.out.images.push(None),
                Some(Kind::Audio) => self.out.audio_bytes += frame.data,
                Some(Kind::Other) | None => self.out.hidden_input = true,
            }
        }
    }

    fn string(&mut self, text: Text<'a>) -> Result<(), BadBody> {
        let Some(frame) = self.stack.last_mut() else { return Ok(()) };
        let key = frame.value_key();
        match (frame.place, key) {
            (Place::Root | Place::Request, "model") if !frame.array => {
                let named = text.decode();
                // Vertex AI's names are those of resources: `publishers/google/models/MODEL`.
                let name = named.rsplit_once("models/").map_or(&*named, |(_, name)| name);
                if name != self.out.model {
                    return Err(BadBody::Field { field: "model", wanted: "the model of the path" });
                }
                self.out.model_at.push(text.range());
            }
            (Place::Root | Place::Request, "serviceTier" | "service_tier") => {
                self.out.service_tier = Some(tier(text)?);
            }
            (Place::Root | Place::Request, "cachedContent" | "cached_content") => {
                self.out.hidden_input |= !text.raw().is_empty();
            }
            (Place::Blob, "data") => frame.data += text.raw().len() as u64,
            (Place::Blob, "mimeType" | "mime_type") => {
                frame.kind = Some(Kind::of(&text.decode().to_ascii_lowercase()));
            }
            _ => {
                if let Some(field) = frame.decides(key) {
                    return Err(wrong(field));
                }
            }
        }
        let place = frame.place;
        if place.is_text(key) {
            self.out.spans.push(Span { text, key: Some(key), kind: kind_of(&text) });
        }
        Ok(())
    }

    fn scalar(&mut self, value: &'a str, reader: &Reader<'a>) -> Result<(), BadBody> {
        let Some(frame) = self.stack.last() else { return Ok(()) };
        let key = frame.value_key();
        let range: Range<usize> = reader.position() - value.len()..reader.position();
        let null = value == "null";
        match (frame.place, key) {
            (Place::Root, "generationConfig" | "generation_config") if null => {
                self.out.limit_place = LimitPlace::NullConfig(range);
            }
            (Place::Config, "maxOutputTokens" | "max_output_tokens") => {
                self.out.max_output_at.push(range);
                if !null {
                    self.out.max_output = Some(natural("maxOutputTokens", value)?);
                }
            }
            (Place::Config, "candidateCount" | "candidate_count") if !null => {
                self.out.choices = natural("candidateCount", value)?.max(1);
            }
            _ if null => {}
            // In the caller's own structures a number may be personal: its key says so.
            (Place::Free, key) => {
                if value.starts_with(|first: char| first.is_ascii_digit()) && is_telling(key) {
                    let text = Text::plain(value, range.start);
                    self.out.spans.push(Span { text, key: Some(key), kind: SpanKind::Number });
                }
            }
            _ => {
                if let Some(field) = frame.decides(key) {
                    return Err(wrong(field));
                }
            }
        }
        Ok(())
    }
}

impl Kind {
    fn of(mime_type: &str) -> Self {
        match mime_type.split_once('/') {
            Some(("image", _)) => Self::Image,
            // Codings that take at least a byte for each of the 32 tokens of a second. Those that
            // write silence as next to nothing are bounded by the window.
            Some(("audio", "wav" | "x-wav" | "mp3" | "mpeg" | "aiff")) => Self::Audio,
            _ => Self::Other,
        }
    }
}

/// A tier under any of its spellings, numbers excepted.
fn tier(text: Text<'_>) -> Result<&'static str, BadBody> {
    let name = text.decode().to_ascii_lowercase();
    match name.strip_prefix("service_tier_").unwrap_or(&name) {
        "" | "unspecified" | "standard" => Ok("standard"),
        "flex" => Ok("flex"),
        "priority" => Ok("priority"),
        _ => Err(wrong("serviceTier")),
    }
}

/// Google's readers take a number as a text and more; what only some take decides nothing here.
fn wrong(field: &'static str) -> BadBody {
    let wanted = match field {
        "generationConfig" => "an object",
        "serviceTier" => "`standard`, `flex` or `priority`",
        "maxOutputTokens" | "candidateCount" => "a whole number that is not negative",
        _ => "a text",
    };
    BadBody::Field { field, wanted }
}

#[cfg(test)]
mod tests;
