//! The one pass over a body of Amazon Bedrock's `converse`, and of its count of tokens.
//!
//! The model stands in the path. What decides about money is in `inferenceConfig`, `serviceTier`,
//! `performanceConfig` and `guardrailConfig`; the second copy of one is refused, and so is a limit
//! on output that hides among the fields of the model's own.
//!
//! Source: <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>.

use std::borrow::Cow;
use std::ops::Range;

use super::walk::{kind_of, natural};
use super::{BadBody, Endpoint, LimitPlace, Outline};
use crate::json::{Event, Reader, Text};
use crate::redact::{Span, SpanKind, is_telling};

/// What the container that a value stands in is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Around the request whose tokens are counted.
    Count,
    /// The request itself.
    Root,
    /// `inferenceConfig`.
    Inference,
    /// `serviceTier`.
    Tier,
    /// `performanceConfig`.
    Performance,
    /// `additionalModelRequestFields`: text, and members that decide something.
    Fields,
    /// `toolConfig` and its `tools`.
    Tools,
    /// A tool that the caller runs.
    Spec,
    /// `toolUse`.
    Call,
    /// An image, and what is below it.
    Image,
    /// A document, a film, sound.
    Document,
    /// Anything else of the API.
    Api,
    /// Free JSON of the caller's: every string is text.
    Free,
    /// A JSON schema: only its descriptions are text.
    Schema,
    /// Nothing below is text.
    Closed,
}

impl Place {
    fn below(self, key: &str) -> Self {
        match self {
            Self::Count if key == "converse" => Self::Root,
            Self::Count | Self::Free | Self::Schema | Self::Closed => self,
            // Some models have settings of their own one level down.
            Self::Fields if key.eq_ignore_ascii_case("inferenceConfig") => self,
            Self::Fields => Self::Free,
            Self::Root => match key {
                "inferenceConfig" => Self::Inference,
                "serviceTier" => Self::Tier,
                "performanceConfig" => Self::Performance,
                "additionalModelRequestFields" => Self::Fields,
                "toolConfig" => Self::Tools,
                "promptVariables" | "requestMetadata" => Self::Free,
                "guardrailConfig" | "additionalModelResponseFieldPaths" => Self::Closed,
                _ => Self::Api,
            },
            Self::Tools => match key {
                "tools" => Self::Tools,
                "toolSpec" => Self::Spec,
                _ => Self::Closed,
            },
            Self::Spec if key == "inputSchema" => Self::Schema,
            Self::Call if key == "input" => Self::Free,
            Self::Image | Self::Document => match key {
                "citations" => Self::Closed,
                _ => self,
            },
            _ => match key {
                "image" => Self::Image,
                "document" | "video" | "audio" => Self::Document,
                "toolUse" => Self::Call,
                "json" => Self::Free,
                "cachePoint" => Self::Closed,
                _ => Self::Api,
            },
        }
    }

    fn is_text(self, key: &str) -> bool {
        match self {
            Self::Free | Self::Fields => true,
            Self::Closed | Self::Tier | Self::Performance => false,
            Self::Schema => matches!(key, "description" | "title"),
            // The name of a document is the caller's, that of a tool is a name.
            Self::Image | Self::Document => {
                !matches!(key, "bytes" | "format" | "uri" | "bucketOwner" | "type")
            }
            _ => !matches!(
                key,
                "role"
                    | "type"
                    | "name"
                    | "status"
                    | "format"
                    | "toolUseId"
                    | "signature"
                    | "redactedContent"
                    | "qualifiers"
                    | "bytes"
                    | "uri"
                    | "bucketOwner"
            ),
        }
    }

    /// The members that decide something here.
    const fn decisive(self) -> &'static [&'static str] {
        match self {
            Self::Root => &ROOT,
            Self::Inference => &["maxTokens"],
            Self::Tier => &["type"],
            Self::Performance => &["latency"],
            _ => &[],
        }
    }
}

const ROOT: [&str; 7] = [
    "inferenceConfig",
    "serviceTier",
    "performanceConfig",
    "guardrailConfig",
    "additionalModelRequestFields",
    "toolConfig",
    "promptVariables",
];

/// Other names that must be known however they are spelled.
const STRUCTURE: [&str; 14] = [
    "tools",
    "toolSpec",
    "systemTool",
    "toolUse",
    "input",
    "inputSchema",
    "json",
    "image",
    "document",
    "video",
    "audio",
    "bytes",
    "s3Location",
    "source",
];

struct Frame<'a> {
    place: Place,
    array: bool,
    key: &'a str,
    next: &'a str,
    seen: u8,
}

impl<'a> Frame<'a> {
    const fn new(place: Place, array: bool, key: &'a str) -> Self {
        Self { place, array, key, next: "", seen: 0 }
    }

    const fn value_key(&self) -> &'a str {
        if self.array { self.key } else { self.next }
    }
}

struct Walk<'a> {
    out: Outline<'a>,
    stack: Vec<Frame<'a>>,
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
    let mut out = Outline::empty(reader.position(), LimitPlace::NewConfig("inferenceConfig"));
    out.model = Cow::Owned(model.to_owned());
    out.stream = endpoint == Endpoint::ConverseStream;
    let counts = endpoint == Endpoint::BedrockCountTokens;
    let root = if counts { Place::Count } else { Place::Root };
    let mut walk = Walk { out, stack: vec![Frame::new(root, false, "")] };
    while let Some(event) = reader.next()? {
        walk.event(&event, &reader)?;
    }
    Ok(walk.out)
}

impl<'a> Walk<'a> {
    fn event(&mut self, event: &Event<'a>, reader: &Reader<'a>) -> Result<(), BadBody> {
        match event {
            Event::Key(name) => self.key(*name)?,
            Event::BeginObject => self.open(false, reader)?,
            Event::BeginArray => self.open(true, reader)?,
            Event::EndObject | Event::EndArray => self.close(),
            Event::String(text) => self.string(*text)?,
            Event::Number(number) => self.scalar(number, reader)?,
            Event::Bool(true) => self.scalar("true", reader)?,
            Event::Bool(false) => self.scalar("false", reader)?,
            Event::Null => self.scalar("null", reader)?,
        }
        Ok(())
    }

    fn key(&mut self, name: Text<'a>) -> Result<(), BadBody> {
        let root = self.stack.len() == 1;
        let Some(frame) = self.stack.last_mut() else { return Ok(()) };
        if root {
            self.out.empty = false;
        }
        let decisive = frame.place.decisive();
        // A name behind escapes is what it means where money depends on it, else no exception.
        let known = || decisive.iter().chain(&STRUCTURE).copied().find(|known| name.is(known));
        let key = if name.is_escaped() { known().unwrap_or("\\") } else { name.raw() };
        if let Some(place) = decisive.iter().position(|member| *member == key) {
            if frame.seen & (1 << place) != 0 {
                return Err(BadBody::Duplicate(decisive[place]));
            }
            frame.seen |= 1 << place;
        }
        frame.next = key;
        match frame.place {
            Place::Count if key == "invokeModel" => {
                return Err(BadBody::Field {
                    field: "input",
                    wanted: "`converse`: a body within the body is not read",
                });
            }
            Place::Fields => self.field(&name.decode())?,
            _ => {}
        }
        Ok(())
    }

    /// A member of the model's own fields, which would be laid over what stands elsewhere.
    fn field(&mut self, name: &str) -> Result<(), BadBody> {
        let name = name.to_ascii_lowercase();
        if name.contains("max") && name.contains("token") {
            return Err(BadBody::Field {
                field: "additionalModelRequestFields",
                wanted: "without a limit on output, which belongs into inferenceConfig.maxTokens",
            });
        }
        match name.as_str() {
            "tools" => self.out.unbilled_tools += 1,
            "speed" => self.out.unpriced = Some("the price of its `speed` is not known"),
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, array: bool, reader: &Reader<'a>) -> Result<(), BadBody> {
        let Some(parent) = self.stack.last() else { return Ok(()) };
        let key = parent.value_key();
        let place = if parent.array { parent.place } else { parent.place.below(key) };
        if !parent.array {
            match (parent.place, key) {
                (Place::Root, key) if array && ROOT.contains(&key) => return Err(wrong(key)),
                (Place::Root, "inferenceConfig") => {
                    self.out.limit_place = LimitPlace::Config(reader.position(), true);
                }
                (Place::Root, "guardrailConfig") => {
                    self.out.unpriced = Some("guardrails are charged beside the model");
                }
                (Place::Root, "promptVariables") => self.out.hidden_input = true,
                (Place::Inference | Place::Tier | Place::Performance, key)
                    if parent.place.decisive().contains(&key) =>
                {
                    return Err(wrong(key));
                }
                (Place::Tools, "toolSpec") => self.out.tools += 1,
                (Place::Tools, "systemTool") => self.out.hosted_tools += 1,
                (Place::Image | Place::Document, "s3Location") => {
                    self.out.hidden_input |= place == Place::Document;
                }
                // A document may be text; a film and sound never are.
                (_, "video" | "audio") if place == Place::Document => {
                    self.out.hidden_input = true;
                }
                _ => {}
            }
            if place == Place::Image && parent.place != Place::Image {
                self.out.images.push(None);
            }
        } else if key == "messages" && !array {
            self.out.messages += 1;
        }
        self.stack.push(Frame::new(place, array, key));
        Ok(())
    }

    fn close(&mut self) {
        let Some(frame) = self.stack.pop() else { return };
        if frame.place == Place::Inference
            && self.stack.last().is_some_and(|parent| parent.place == Place::Root)
            && let LimitPlace::Config(_, empty) = &mut self.out.limit_place
        {
            // White space is no member.
            *empty = frame.next.is_empty();
        }
    }

    fn string(&mut self, text: Text<'a>) -> Result<(), BadBody> {
        let Some(frame) = self.stack.last() else { return Ok(()) };
        let key = frame.value_key();
        let place = frame.place;
        match (place, key) {
            (Place::Tier, "type") => self.out.service_tier = Some(plain("serviceTier", text)?),
            (Place::Performance, "latency") if plain("performanceConfig", text)? != "standard" => {
                self.out.unpriced = Some("the price of its optimised latency is not known");
            }
            (Place::Image | Place::Document, "bytes") => {
                self.out.media_bytes += text.raw().len() as u64;
                self.out.hidden_input |= place == Place::Document;
            }
            (Place::Root | Place::Inference, key) if place.decisive().contains(&key) => {
                return Err(wrong(key));
            }
            _ => {}
        }
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
            (Place::Root, "inferenceConfig") if null => {
                self.out.limit_place = LimitPlace::NullConfig(range);
            }
            (Place::Inference, "maxTokens") => {
                self.out.max_output_at.push(range);
                if !null {
                    self.out.max_output = Some(natural("maxTokens", value)?);
                }
            }
            _ if null => {}
            (Place::Free | Place::Fields, key)
                if value.starts_with(|first: char| first.is_ascii_digit()) && is_telling(key) =>
            {
                let text = Text::plain(value, range.start);
                self.out.spans.push(Span { text, key: Some(key), kind: SpanKind::Number });
            }
            (place, key) if place.decisive().contains(&key) => return Err(wrong(key)),
            _ => {}
        }
        Ok(())
    }
}

/// A setting that decides about the price must be what it looks like.
fn plain<'a>(field: &'static str, text: Text<'a>) -> Result<&'a str, BadBody> {
    if text.is_escaped() {
        return Err(BadBody::Field { field, wanted: "a plain word" });
    }
    Ok(text.raw())
}

fn wrong(key: &str) -> BadBody {
    let decisive = ROOT.iter().chain(&["maxTokens", "type", "latency"]);
    let field = decisive.copied().find(|known| *known == key).unwrap_or("inferenceConfig");
    let wanted = match field {
        "maxTokens" => "a whole number that is not negative",
        "type" | "latency" => "a text",
        _ => "an object",
    };
    BadBody::Field { field, wanted }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::splice;

    const MODEL: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";

    fn read(body: &str) -> Result<Outline<'_>, BadBody> {
        Outline::read_for(body.as_bytes(), Endpoint::Converse, Some(MODEL))
    }

    #[test]
    fn every_text_is_found_and_nothing_else() {
        let body = r#"{"system":[{"text":"t1"},{"cachePoint":{"type":"k"}}],
            "messages":[{"role":"user","content":[{"text":"t2"},
                {"image":{"format":"png","source":{"bytes":"AAAA"}}},
                {"document":{"format":"txt","name":"t3","source":{"text":"t4"}}},
                {"guardContent":{"text":{"text":"t5","qualifiers":["k"]}}}]},
              {"role":"assistant","content":[
                {"reasoningContent":{"reasoningText":{"text":"t6","signature":"k"}}},
                {"toolUse":{"toolUseId":"k","name":"k","input":{"id":"t7"}}}]},
              {"role":"user","content":[{"toolResult":{"toolUseId":"k","status":"k",
                "content":[{"json":{"name":"t8"}},{"text":"t9"}]}}]}],
            "toolConfig":{"tools":[{"toolSpec":{"name":"k","description":"t10","inputSchema":
                {"json":{"type":"object","properties":{"a":{"type":"string","description":"t11",
                "enum":["k"]}}}}}}],"toolChoice":{"tool":{"name":"k"}}},
            "additionalModelRequestFields":{"user":"t12"},"requestMetadata":{"a":"t13"},
            "inferenceConfig":{"maxTokens":9,"stopSequences":["t14"]},"serviceTier":{"type":"default"}}"#;
        let outline = read(body).unwrap();
        let texts: Vec<_> = outline.spans.iter().map(|span| span.text.raw()).collect();
        let wanted: Vec<_> = (1..=14).map(|number| format!("t{number}")).collect();
        assert_eq!(texts, wanted);
        assert_eq!((outline.max_output, outline.service_tier), (Some(9), Some("default")));
        assert_eq!((outline.images.len(), outline.media_bytes, outline.messages), (1, 4, 3));
        assert_eq!((outline.tools, outline.hosted_tools, outline.hidden_input), (1, 0, false));
        assert_eq!(outline.model, MODEL);
    }

    #[test]
    fn a_limit_is_written_where_it_belongs() {
        for (body, limited) in [
            (r#"{"messages":[]}"#, r#"{"inferenceConfig":{"maxTokens":5},"messages":[]}"#),
            (
                r#"{"inferenceConfig":{"topP":1}}"#,
                r#"{"inferenceConfig":{"maxTokens":5,"topP":1}}"#,
            ),
            (r#"{"inferenceConfig":{}}"#, r#"{"inferenceConfig":{"maxTokens":5}}"#),
            (r#"{"inferenceConfig":null}"#, r#"{"inferenceConfig":{"maxTokens":5}}"#),
            (r#"{"inferenceConfig":{"maxTokens":900}}"#, r#"{"inferenceConfig":{"maxTokens":5}}"#),
        ] {
            let outline = read(body).unwrap();
            let edits = outline.limit_output(Endpoint::Converse, 5);
            assert_eq!(splice(body.as_bytes(), &edits), limited.as_bytes());
            assert_eq!(read(limited).unwrap().max_output, Some(5));
        }
    }

    #[test]
    fn what_would_be_charged_otherwise_is_refused_or_told() {
        for body in [
            r#"{"inferenceConfig":{"maxTokens":1},"inferenceConfig":{"maxTokens":9}}"#,
            r#"{"inferenceConfig":{"maxTokens":1,"max\u0054okens":9}}"#,
            r#"{"inferenceConfig":{"maxTokens":"9"}}"#,
            r#"{"inferenceConfig":[{"maxTokens":9}]}"#,
            r#"{"additionalModelRequestFields":{"max_tokens":9}}"#,
            r#"{"additionalModelRequestFields":{"inferenceConfig":{"maxTokens":9}}}"#,
            r#"{"additionalModelRequestFields":{"\u006dax_tokens":9}}"#,
            r#"{"serviceTier":{"type":["priority"]}}"#,
            r#"{"serviceTier":{"type":"priorit\u0079"}}"#,
            "[]",
        ] {
            assert!(read(body).is_err(), "{body}");
        }
        for body in [
            r#"{"guardrailConfig":{"guardrailIdentifier":"x"}}"#,
            r#"{"performanceConfig":{"latency":"optimized"}}"#,
            r#"{"additionalModelRequestFields":{"speed":"fast"}}"#,
        ] {
            assert!(read(body).unwrap().unpriced.is_some(), "{body}");
        }
        let hidden =
            r#"{"messages":[{"content":[{"video":{"source":{"s3Location":{"uri":"s"}}}}]}]}"#;
        assert!(read(hidden).unwrap().hidden_input);
    }

    #[test]
    fn the_request_whose_tokens_are_counted_is_read_like_the_call() {
        let count = |body: &'static str| {
            Outline::read_for(body.as_bytes(), Endpoint::BedrockCountTokens, Some(MODEL))
        };
        let outline = count(r#"{"input":{"converse":{"messages":[{"content":[{"text":"t"}]}]}}}"#);
        assert_eq!(outline.unwrap().spans.len(), 1);
        assert!(count(r#"{"input":{"invokeModel":{"body":"e30="}}}"#).is_err());
    }
}
