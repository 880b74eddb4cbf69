//! One event that a client sends over a WebSocket of OpenAI's Realtime API: what it asks for that
//! costs money, and where its text stands.
//!
//! Events are small objects of the API's own structure, `{"type": ..., "session": {...}}`. The rule
//! for text is that of request bodies ([`positions`](super::positions)): what is not known to be
//! something else is text, also in an event of a type that is not known. Audio is data.
//!
//! A member that stands twice, or whose name hides behind escapes, is refused wherever it stands in
//! the API's structure: what two readers take differently must not decide about money.

use std::fmt;

use super::BadBody;
use super::positions::Region;
use super::walk::{kind_of, natural};
use crate::json::{Event, Reader, Text};
use crate::redact::{Span, SpanKind, is_telling};

/// What an event says about the longest answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputLimit {
    /// No more than this.
    Tokens(u64),
    /// As long as the model can (`inf`).
    Model,
}

/// An event of a client. Borrows from the message.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent fact of the event")]
pub struct ClientEvent<'a> {
    /// Its type; empty where it has none.
    pub kind: &'a str,
    /// The id that the client gave it, to be named in an error about it.
    pub id: Option<Text<'a>>,
    /// Every position of text, in order.
    pub spans: Vec<Span<'a>>,
    /// Bytes of audio, still encoded as base64.
    pub audio_bytes: u64,
    /// The limit on output, the largest where several are given.
    pub max_output: Option<OutputLimit>,
    /// A model that the event names.
    pub model: Option<Text<'a>>,
    /// True where input is added that the event does not show: prompt templates, images.
    pub hidden_input: bool,
    /// Tools that the provider runs on its side.
    pub hosted_tools: bool,
    /// True where spoken input is to be transcribed as well, which another model does and bills.
    pub transcription: bool,
    /// True where voice detection is set up so that it starts responses.
    pub detection: bool,
    /// True where it starts them after a silence as well, without any audio.
    pub idle: bool,
    /// True where it is told to start none.
    quiet: bool,
    /// The `type` of the session, where one is named.
    pub session: Option<&'a str>,
}

/// Shows no text: an event is the caller's.
impl fmt::Debug for ClientEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientEvent")
            .field("spans", &self.spans.len())
            .field("audio_bytes", &self.audio_bytes)
            .field("max_output", &self.max_output)
            .finish_non_exhaustive()
    }
}

/// What stands at the top of a message to the Responses API, beside the request itself.
#[derive(Debug, Default)]
pub struct Envelope<'a> {
    /// Its type; empty where it has none.
    pub kind: &'a str,
    /// The lane that the response is to be made on (`stream_id`).
    pub lane: Option<Text<'a>>,
    /// False where the request only prepares and makes no output (`generate`).
    pub generates: bool,
}

impl<'a> Envelope<'a> {
    /// Reads a message without looking into the request.
    pub fn read(message: &'a [u8]) -> Result<Self, BadBody> {
        let mut reader = Reader::new(message)?;
        if !matches!(reader.next()?, Some(Event::BeginObject)) {
            return Err(BadBody::NotAnObject);
        }
        let mut envelope = Self { generates: true, ..Self::default() };
        let mut seen = Vec::with_capacity(4);
        while let Some(Event::Key(name)) = reader.next()? {
            let Some(field) = ["type", "stream_id", "generate", "response"]
                .into_iter()
                .find(|field| name.is(field))
            else {
                reader.skip()?;
                continue;
            };
            if seen.contains(&field) {
                return Err(BadBody::Duplicate(field));
            }
            seen.push(field);
            match (field, reader.next()?) {
                ("type", Some(Event::String(text))) if !text.is_escaped() => {
                    envelope.kind = text.raw();
                }
                ("stream_id", Some(Event::String(text))) => envelope.lane = Some(text),
                ("generate", Some(Event::Bool(generates))) => envelope.generates = generates,
                ("stream_id" | "generate", Some(Event::Null)) => {}
                ("type", _) => return Err(BadBody::Field { field, wanted: "a plain word" }),
                ("stream_id", _) => return Err(BadBody::Field { field, wanted: "a string" }),
                ("generate", _) => return Err(BadBody::Field { field, wanted: "true or false" }),
                // A request in a request: a server could take either.
                _ => return Err(BadBody::Field { field, wanted: "left out" }),
            }
        }
        Ok(envelope)
    }
}

/// An open container.
struct Frame<'a> {
    region: Region,
    array: bool,
    /// The key it stands under; the items of a list stand under the list's key.
    key: &'a str,
    /// The key whose value comes next, in an object.
    next: &'a str,
    /// The names of an object of the API so far.
    names: Vec<&'a str>,
    /// The value of its `type` member.
    kind: &'a str,
}

impl<'a> Frame<'a> {
    const fn value_key(&self) -> &'a str {
        if self.array { self.key } else { self.next }
    }
}

/// Members of one object of the API; none has nearly as many.
const MOST_MEMBERS: usize = 256;

impl<'a> ClientEvent<'a> {
    /// Reads an event.
    pub fn read(message: &'a [u8]) -> Result<Self, BadBody> {
        let mut reader = Reader::new(message)?;
        if !matches!(reader.next()?, Some(Event::BeginObject)) {
            return Err(BadBody::NotAnObject);
        }
        let mut event = Self::default();
        let mut stack = vec![open(Region::Api, false, "")];
        while let Some(next) = reader.next()? {
            event.take(&next, &reader, &mut stack)?;
        }
        event.detection &= !event.quiet || event.idle;
        Ok(event)
    }

    fn take(
        &mut self,
        next: &Event<'a>,
        reader: &Reader<'a>,
        stack: &mut Vec<Frame<'a>>,
    ) -> Result<(), BadBody> {
        let depth = stack.len();
        let Some(frame) = stack.last_mut() else { return Ok(()) };
        match next {
            Event::Key(name) => {
                if frame.region == Region::Api {
                    if name.is_escaped() {
                        return Err(BadBody::Field { field: "type", wanted: "under a plain name" });
                    }
                    if frame.names.contains(&name.raw()) || frame.names.len() == MOST_MEMBERS {
                        return Err(BadBody::Duplicate(known(name.raw())));
                    }
                    frame.names.push(name.raw());
                }
                frame.next = if name.is_escaped() { "\\" } else { name.raw() };
            }
            Event::BeginObject | Event::BeginArray => {
                let array = *next == Event::BeginArray;
                let key = frame.value_key();
                if frame.region == Region::Api {
                    self.container(key, frame.array);
                }
                let region =
                    if frame.array { frame.region } else { below(frame.region, key, depth) };
                stack.push(open(region, array, key));
            }
            Event::EndObject | Event::EndArray => {
                let Some(ended) = stack.pop() else { return Ok(()) };
                let of_list = stack.last().is_some_and(|parent| parent.array);
                if ended.region == Region::Api && !ended.array {
                    self.hosted_tools |=
                        of_list && ended.key == "tools" && !matches!(ended.kind, "" | "function");
                }
            }
            Event::String(text) => self.string(*text, depth, frame)?,
            Event::Number(number) => {
                let key = frame.value_key();
                self.idle |= frame.region == Region::Api && key == "idle_timeout_ms";
                if is_limit(frame.region, key) {
                    let tokens = natural("max_output_tokens", number)?;
                    self.limit(OutputLimit::Tokens(tokens));
                } else if frame.region == Region::Free && is_telling(key) {
                    let text = Text::plain(number, reader.position() - number.len());
                    self.spans.push(Span { text, key: Some(key), kind: SpanKind::Number });
                }
            }
            Event::Null if is_limit(frame.region, frame.value_key()) => {
                self.limit(OutputLimit::Model);
            }
            Event::Bool(_) if is_limit(frame.region, frame.value_key()) => {
                return Err(bad_limit());
            }
            Event::Bool(false) => self.quiet |= frame.value_key() == "create_response",
            Event::Null | Event::Bool(true) => {}
        }
        Ok(())
    }

    /// A container of the API's structure under this key.
    fn container(&mut self, key: &str, of_list: bool) {
        match key {
            "transcription" | "input_audio_transcription" => self.transcription = true,
            "turn_detection" => self.detection = true,
            "prompt" if !of_list => self.hidden_input = true,
            _ => {}
        }
    }

    fn string(
        &mut self,
        text: Text<'a>,
        depth: usize,
        frame: &mut Frame<'a>,
    ) -> Result<(), BadBody> {
        let key = frame.value_key();
        if frame.region == Region::Api {
            match key {
                "type" => {
                    if text.is_escaped() {
                        return Err(BadBody::Field { field: "type", wanted: "a plain word" });
                    }
                    frame.kind = text.raw();
                    self.hidden_input |= matches!(text.raw(), "input_image" | "input_file");
                    match (depth, frame.key) {
                        (1, _) => self.kind = text.raw(),
                        (2, "session") => self.session = Some(text.raw()),
                        _ => {}
                    }
                }
                "event_id" if depth == 1 => self.id = Some(text),
                "model" if depth == 2 => self.model = Some(text),
                "audio" => self.audio_bytes += text.raw().len() as u64,
                key if is_limit(frame.region, key) => {
                    if !text.is("inf") {
                        return Err(bad_limit());
                    }
                    self.limit(OutputLimit::Model);
                }
                _ => {}
            }
        }
        let data = frame.region == Region::Api && is_setting(key);
        if !data && frame.region.is_text(key) {
            self.spans.push(Span { text, key: Some(key), kind: kind_of(&text) });
        }
        Ok(())
    }

    fn limit(&mut self, limit: OutputLimit) {
        self.max_output = Some(match (self.max_output, limit) {
            (Some(OutputLimit::Tokens(one)), OutputLimit::Tokens(other)) => {
                OutputLimit::Tokens(one.max(other))
            }
            (None, limit) => limit,
            _ => OutputLimit::Model,
        });
    }
}

const fn open(region: Region, array: bool, key: &str) -> Frame<'_> {
    Frame { region, array, key, next: "", names: Vec::new(), kind: "" }
}

/// As in request bodies, but that `input` of a response is a list of items of the API.
fn below(region: Region, key: &str, depth: usize) -> Region {
    if region == Region::Api && key == "input" {
        Region::Api
    } else {
        region.below(key, depth == 1)
    }
}

fn is_limit(region: Region, key: &str) -> bool {
    region == Region::Api && matches!(key, "max_output_tokens" | "max_response_output_tokens")
}

const fn bad_limit() -> BadBody {
    BadBody::Field { field: "max_output_tokens", wanted: "a whole number or \"inf\"" }
}

/// Audio, and settings that are names: what is not in the list of request bodies.
fn is_setting(key: &str) -> bool {
    matches!(key, "audio" | "voice" | "eagerness" | "output_modalities" | "input_audio_format")
        || matches!(key, "output_audio_format" | "max_output_tokens" | "tool_choice")
}

/// The names that decide about money, for a message about them; others are one of many.
fn known(name: &str) -> &'static str {
    const NAMES: [&str; 10] = [
        "type",
        "session",
        "response",
        "item",
        "audio",
        "model",
        "tools",
        "max_output_tokens",
        "turn_detection",
        "transcription",
    ];
    NAMES.iter().find(|known| **known == name).copied().unwrap_or("(a member)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(event: &str) -> ClientEvent<'_> {
        ClientEvent::read(event.as_bytes()).unwrap()
    }

    #[test]
    fn a_session_is_understood_in_both_shapes() {
        let event = read(
            r#"{"type":"session.update","event_id":"e1","session":{"type":"realtime",
                "instructions":"be kind to ada@example.org","max_output_tokens":200,
                "model":"gpt-realtime","output_modalities":["text"],
                "audio":{"input":{"turn_detection":{"type":"server_vad"},"transcription":null},
                    "output":{"voice":"marin"}},
                "tools":[{"type":"function","name":"f","description":"what it does",
                    "parameters":{"type":"object","properties":{"x":{"type":"string","description":"x"}}}}]}}"#,
        );
        assert_eq!((event.kind, event.session), ("session.update", Some("realtime")));
        assert!(event.detection && !event.transcription && !event.hosted_tools);
        assert_eq!(event.max_output, Some(OutputLimit::Tokens(200)));
        assert!(event.model.unwrap().is("gpt-realtime"));
        let texts: Vec<_> = event.spans.iter().map(|span| span.text.raw()).collect();
        assert_eq!(texts, ["be kind to ada@example.org", "what it does", "x"]);

        let event = read(
            r#"{"type":"session.update","session":{"modalities":["text"],"turn_detection":null,
                "input_audio_transcription":{"model":"whisper-1"},
                "max_response_output_tokens":"inf","tools":[{"type":"mcp","server_label":"s"}]}}"#,
        );
        assert!(event.transcription && event.hosted_tools && !event.detection);
        let quiet =
            r#"{"session":{"turn_detection":{"type":"server_vad","create_response":false}}}"#;
        assert!(!read(quiet).detection);
        assert!(read(&quiet.replace("}}}", ",\"idle_timeout_ms\":6000}}}")).detection);
        assert_eq!(event.max_output, Some(OutputLimit::Model));
    }

    #[test]
    fn an_envelope_says_what_the_message_is() {
        let read = |message: &'static str| Envelope::read(message.as_bytes());
        let plain =
            read(r#"{"model":"m","input":[{"type":"x"}],"type":"response.create"}"#).unwrap();
        assert_eq!(
            (plain.kind, plain.generates, plain.lane.is_none()),
            ("response.create", true, true)
        );
        let other = read(r#"{"type":"response.create","stream_id":"a","generate":false}"#).unwrap();
        assert!(!other.generates && other.lane.unwrap().is("a"));
        for bad in [
            r#"{"type":"response.create","type":"x"}"#,
            r#"{"type":"response.create","response":{"model":"m"}}"#,
            r#"{"type":"x","generate":"false"}"#,
            r#"{"type":"x","stream_id":1}"#,
            r#"{"type":1}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn text_is_everything_but_names_and_audio() {
        let event = read(
            r#"{"type":"conversation.item.create","item":{"type":"message","role":"user","id":"i",
                "content":[{"type":"input_text","text":"hello"},{"type":"input_audio","audio":"AAAA"}]}}"#,
        );
        assert_eq!(event.audio_bytes, 4);
        assert_eq!(event.spans.len(), 1);
        let event = read(r#"{"type":"of.tomorrow","what":{"ever":"some text"},"item_id":"x"}"#);
        assert_eq!(event.spans.len(), 1);
        let event = read(
            r#"{"type":"response.create","response":{"input":[{"type":"message",
            "content":[{"type":"input_text","text":"a"}]}],"metadata":{"id":"b"}}}"#,
        );
        assert_eq!(event.spans.len(), 2);
    }

    #[test]
    fn what_readers_take_differently_is_refused() {
        for bad in [
            r#"{"type":"a","type":"b"}"#,
            r#"{"t\u0079pe":"a"}"#,
            r#"{"type":"session.update","session":{"model":"a","model":"b"}}"#,
            r#"{"type":"x","session":{"max_output_tokens":"many"}}"#,
            r#"{"type":"x","session":{"max_output_tokens":1.5}}"#,
            r#"{"type":"x","session":{"max_output_tokens":true}}"#,
            "[]",
            "{",
        ] {
            assert!(ClientEvent::read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
