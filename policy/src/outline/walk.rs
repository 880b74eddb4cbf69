//! The one pass over a body.

use std::borrow::Cow;

use super::positions::Region;
use super::{BadBody, Endpoint, LimitPlace, Outline, UsageOption};
use crate::json::{Event, Reader, Text};
use crate::redact::{Span, SpanKind, is_telling};

/// An open container.
struct Frame<'a> {
    region: Region,
    array: bool,
    /// The key it stands under; the items of a list stand under the list's key.
    key: &'a str,
    /// The key whose value comes next, in an object.
    next: &'a str,
    /// The value of its `type` member.
    kind: &'a str,
    /// The value of its `detail` member.
    detail: Option<&'a str>,
    /// A `data` string whose meaning depends on `type`.
    data: Option<Text<'a>>,
    /// Bytes of media data in it and below that no block has claimed yet.
    media: u64,
}

/// Reads the fields of a body that decide about routing and money, and the places of its text.
///
/// `path_model` is the model that the path names, where it names one.
pub(super) fn walk<'a>(
    body: &'a [u8],
    endpoint: Endpoint,
    path_model: Option<&str>,
) -> Result<Outline<'a>, BadBody> {
    let mut reader = Reader::new(body)?;
    if !matches!(reader.next()?, Some(Event::BeginObject)) {
        return Err(BadBody::NotAnObject);
    }
    let mut walk = Walk {
        endpoint,
        model: None,
        anthropic_version: false,
        seen: 0,
        prompts: 0,
        n: 1,
        best_of: 1,
        in_order: true,
        stack: Vec::with_capacity(16),
        out: Outline::empty(reader.position(), LimitPlace::Top),
    };
    walk.stack.push(Frame::new(Region::Api, false, ""));
    while let Some(event) = reader.next()? {
        walk.event(&event, &reader)?;
    }
    walk.end(path_model)
}

/// The top-level fields that may stand only once, and their bits in [`Walk::seen`].
const ONCE: [&str; 11] = [
    "model",
    "stream",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "n",
    "best_of",
    "stream_options",
    "service_tier",
    "max_tool_calls",
    "tools",
];

struct Walk<'a> {
    endpoint: Endpoint,
    model: Option<Text<'a>>,
    /// The body is Anthropic's, as platforms write it.
    anthropic_version: bool,
    seen: u16,
    prompts: u64,
    n: u64,
    best_of: u64,
    /// False once a span was found after a later one.
    in_order: bool,
    stack: Vec<Frame<'a>>,
    out: Outline<'a>,
}

impl<'a> Frame<'a> {
    const fn new(region: Region, array: bool, key: &'a str) -> Self {
        Self { region, array, key, next: "", kind: "", detail: None, data: None, media: 0 }
    }

    /// The key that a value in this container stands under.
    const fn value_key(&self) -> &'a str {
        if self.array { self.key } else { self.next }
    }
}

impl<'a> Walk<'a> {
    fn event(&mut self, event: &Event<'a>, reader: &Reader<'a>) -> Result<(), BadBody> {
        let Some(frame) = self.stack.last_mut() else {
            return Ok(());
        };
        match event {
            Event::Key(name) => {
                // A key that hides behind escapes is compared by what it means, and matches no
                // exception: its string is then text.
                frame.next = if name.is_escaped() { "\\" } else { name.raw() };
                if self.stack.len() == 1 {
                    self.out.empty = false;
                    self.once(name)?;
                }
            }
            Event::BeginObject | Event::BeginArray => {
                self.open(*event == Event::BeginArray, reader)?;
            }
            Event::EndObject | Event::EndArray => self.close(),
            Event::String(text) => self.string(*text)?,
            Event::Number(number) => self.scalar(number, Scalar::Number, reader)?,
            Event::Bool(true) => self.scalar("true", Scalar::True, reader)?,
            Event::Bool(false) => self.scalar("false", Scalar::False, reader)?,
            Event::Null => self.scalar("null", Scalar::Null, reader)?,
        }
        Ok(())
    }

    /// Refuses a second copy of a field that decides something, however it is spelled.
    fn once(&mut self, name: &Text<'a>) -> Result<(), BadBody> {
        let Some(place) = ONCE.iter().position(|field| name.is(field)) else {
            return Ok(());
        };
        if self.seen & (1 << place) != 0 {
            return Err(BadBody::Duplicate(ONCE[place]));
        }
        self.seen |= 1 << place;
        if let (true, Some(frame)) = (name.is_escaped(), self.stack.last_mut()) {
            frame.next = ONCE[place];
        }
        Ok(())
    }

    fn open(&mut self, array: bool, reader: &Reader<'a>) -> Result<(), BadBody> {
        let depth = self.stack.len();
        let Some(parent) = self.stack.last() else {
            return Ok(());
        };
        let key = parent.value_key();
        // A list's items are what the list is; only a member's key opens another region.
        let region =
            if parent.array { parent.region } else { parent.region.below(key, depth == 1) };
        if depth == 1 {
            wrong_container(key, array)?;
            match key {
                "stream_options" => {
                    self.out.usage_option = UsageOption::Without(reader.position(), true);
                }
                "conversation" => self.out.hidden_input = true,
                "prompt" if !array => self.out.hidden_input = true,
                "prediction" => self.out.predicted = true,
                // Tools by another name: searches of OpenAI's chat models, Anthropic's MCP
                // connector, OpenRouter's plugins.
                "web_search_options" | "mcp_servers" | "plugins" => self.out.hosted_tools += 1,
                _ => {}
            }
        } else if depth == 2 && parent.array {
            match key {
                "messages" | "input" => self.out.messages += 1,
                "tools" => self.out.tools += 1,
                "prompt" if array => self.prompts += 1,
                _ => {}
            }
        }
        self.stack.push(Frame::new(region, array, key));
        Ok(())
    }

    fn close(&mut self) {
        let Some(mut frame) = self.stack.pop() else {
            return;
        };
        let depth = self.stack.len();
        if frame.region == Region::Api && !frame.array {
            self.block(&mut frame, depth);
        }
        let in_tools =
            self.stack.last().is_some_and(|parent| parent.array && parent.key == "tools");
        if depth == 2 && in_tools && !matches!(frame.kind, "" | "function" | "custom") {
            self.out.hosted_tools += 1;
            self.out.tools -= 1;
        }
        if depth == 1
            && frame.key == "stream_options"
            && let UsageOption::Without(at, _) = self.out.usage_option
        {
            // White space is no member.
            self.out.usage_option = UsageOption::Without(at, frame.next.is_empty());
        }
        if let Some(parent) = self.stack.last_mut() {
            parent.media += frame.media;
            if frame.detail.is_some() && parent.detail.is_none() {
                parent.detail = frame.detail;
            }
        }
    }

    /// What an object of the API turned out to be, now that all its members are known.
    fn block(&mut self, frame: &mut Frame<'a>, depth: usize) {
        match frame.kind {
            "image" | "image_url" | "input_image" | "computer_screenshot" => {
                self.out.images.push(frame.detail);
                self.out.media_bytes += std::mem::take(&mut frame.media);
            }
            "input_audio" | "audio" => {
                self.out.audio_bytes += frame.media;
                self.out.media_bytes += std::mem::take(&mut frame.media);
            }
            "document" | "file" | "input_file" if depth > 1 => {
                self.out.hidden_input |= frame.media > 0;
                self.out.media_bytes += std::mem::take(&mut frame.media);
            }
            // The source of a plain text document: its data is text after all.
            "text" => {
                if let Some(text) = frame.data.take() {
                    frame.media = frame.media.saturating_sub(text.raw().len() as u64);
                    self.in_order = false;
                    self.out.spans.push(Span { text, key: Some("data"), kind: kind_of(&text) });
                }
            }
            _ => {}
        }
    }

    fn string(&mut self, text: Text<'a>) -> Result<(), BadBody> {
        let depth = self.stack.len();
        let Some(frame) = self.stack.last_mut() else {
            return Ok(());
        };
        let key = frame.value_key();
        if depth == 1 {
            match key {
                "model" => {
                    self.out.model_at.push(text.range());
                    self.model = Some(text);
                }
                "anthropic_version" => self.anthropic_version = true,
                "service_tier" if text.is_escaped() => {
                    return Err(BadBody::Field { field: "service_tier", wanted: "a plain word" });
                }
                "service_tier" => self.out.service_tier = Some(text.raw()),
                "previous_response_id" | "conversation" => self.out.hidden_input = true,
                "input" => self.out.messages += 1,
                "speed" => self.out.speed = true,
                "inference_geo" => self.out.regional = text.raw() != "global",
                _ => wrong_string(key)?,
            }
        } else if depth == 2 && frame.array && key == "prompt" {
            self.prompts += 1;
        }
        if frame.region == Region::Api && !frame.array {
            match key {
                "type" => frame.kind = text.raw(),
                "detail" => frame.detail = Some(text.raw()),
                "data" | "file_data" => {
                    frame.media += text.raw().len() as u64;
                    frame.data = Some(text);
                }
                "url" | "image_url" if text.raw().starts_with("data:") => {
                    frame.media += text.raw().len() as u64;
                }
                // An image elsewhere is bounded by the images' rule, a file is not.
                "url" if frame.key == "source" => frame.media += 1,
                "file_id" | "file_url" => self.out.hidden_input = true,
                _ => {}
            }
        }
        if frame.region.is_text(key) {
            self.out.spans.push(Span { text, key: Some(key), kind: kind_of(&text) });
        }
        Ok(())
    }

    fn scalar(&mut self, value: &'a str, kind: Scalar, reader: &Reader<'a>) -> Result<(), BadBody> {
        let depth = self.stack.len();
        let Some(frame) = self.stack.last() else {
            return Ok(());
        };
        let key = frame.value_key();
        let range = reader.position() - value.len()..reader.position();
        if depth == 2 && frame.key == "stream_options" && key == "include_usage" {
            self.out.usage_option = match kind {
                Scalar::True => UsageOption::On,
                _ => UsageOption::Off(range),
            };
            return Ok(());
        }
        if depth == 3 && key == "max_uses" && kind == Scalar::Number {
            let uses = natural("max_uses", value)?;
            self.out.max_tool_calls = Some(self.out.max_tool_calls.unwrap_or(0).max(uses));
            return Ok(());
        }
        if depth != 1 {
            // In the caller's own structures a number may be personal: its key says so.
            if frame.region == Region::Free && kind == Scalar::Number && is_telling(key) {
                let text = Text::plain(value, range.start);
                self.out.spans.push(Span { text, key: Some(key), kind: SpanKind::Number });
            }
            return Ok(());
        }
        match (key, kind) {
            ("stream", Scalar::True) => self.out.stream = true,
            ("stream_options", Scalar::Null) => self.out.usage_option = UsageOption::Null(range),
            ("max_tokens" | "max_completion_tokens" | "max_output_tokens", _) => {
                self.out.max_output_at.push(range);
                if kind != Scalar::Null {
                    let limit = natural(known(key), value)?;
                    self.out.max_output = Some(self.out.max_output.unwrap_or(0).max(limit));
                }
            }
            ("stream", Scalar::False) | (_, Scalar::Null) => {}
            ("model" | "service_tier", _) => {
                return Err(BadBody::Field { field: known(key), wanted: "a string" });
            }
            ("n", _) => self.n = natural("n", value)?,
            ("best_of", _) => self.best_of = natural("best_of", value)?,
            ("max_tool_calls", _) => {
                self.out.max_tool_calls = Some(natural("max_tool_calls", value)?);
            }
            _ => wrong_string(key)?,
        }
        Ok(())
    }

    fn end(mut self, path_model: Option<&str>) -> Result<Outline<'a>, BadBody> {
        let invoked = matches!(self.endpoint, Endpoint::InvokeModel | Endpoint::InvokeModelStream);
        if invoked && !self.anthropic_version {
            return Err(BadBody::OtherVendor);
        }
        if invoked {
            // The path says it; a member of the body would not be believed.
            self.out.stream = self.endpoint == Endpoint::InvokeModelStream;
        } else if self.endpoint == Endpoint::StreamRawPredict {
            self.out.stream = true;
        }
        let named = self.model.map(|model| model.decode());
        if path_model.is_some() {
            self.out.body_model.clone_from(&named);
        }
        self.out.model = match (path_model, named) {
            (Some(model), _) => Cow::Owned(model.to_owned()),
            (None, Some(model)) => model,
            // A moderation has a default model.
            (None, None) if self.endpoint == Endpoint::Moderations => Cow::Borrowed(""),
            (None, None) => return Err(BadBody::NoModel),
        };
        let prompts = if self.endpoint == Endpoint::Completions { self.prompts.max(1) } else { 1 };
        self.out.choices = self.n.max(self.best_of).max(1).saturating_mul(prompts);
        if !self.in_order {
            self.out.spans.sort_by_key(|span| span.text.start());
        }
        Ok(self.out)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scalar {
    Number,
    True,
    False,
    Null,
}

/// A string that looks like a JSON container is one, as in a tool call's arguments.
pub(super) fn kind_of(text: &Text<'_>) -> SpanKind {
    let json = text.raw().trim_start().starts_with(['{', '[']);
    if json { SpanKind::Json } else { SpanKind::Plain }
}

fn known(key: &str) -> &'static str {
    ONCE.iter().find(|field| **field == key).copied().unwrap_or("model")
}

/// No provider takes a larger count; sums of such counts fit everywhere.
const MOST: u64 = 1_000_000_000;

/// A count as JSON writes it: providers refuse signs, fractions and exponents here, so we do.
pub(super) fn natural(field: &'static str, number: &str) -> Result<u64, BadBody> {
    let digits = number.bytes().all(|b| b.is_ascii_digit());
    number
        .parse()
        .ok()
        .filter(|count| digits && *count <= MOST)
        .ok_or(BadBody::Field { field, wanted: "a whole number up to a billion" })
}

fn wrong_container(key: &str, array: bool) -> Result<(), BadBody> {
    match key {
        "stream_options" if !array => Ok(()),
        "tools" if array => Ok(()),
        "stream_options" => Err(BadBody::Field { field: "stream_options", wanted: "an object" }),
        "tools" => Err(BadBody::Field { field: "tools", wanted: "a list" }),
        _ if ONCE.contains(&key) => {
            Err(BadBody::Field { field: known(key), wanted: "a single value" })
        }
        _ => Ok(()),
    }
}

/// Refuses a string, or another single value, where a field wants something else.
fn wrong_string(key: &str) -> Result<(), BadBody> {
    let wanted = match key {
        "stream" => "true or false",
        "stream_options" => "an object",
        "tools" => "a list",
        "max_tokens"
        | "max_completion_tokens"
        | "max_output_tokens"
        | "n"
        | "best_of"
        | "max_tool_calls" => "a whole number that is not negative",
        _ => return Ok(()),
    };
    Err(BadBody::Field { field: known(key), wanted })
}
