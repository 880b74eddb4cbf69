//! What a request body asks for, and where its text stands.
//!
//! One pass over the bytes finds the few fields that the proxy acts on (model, stream, limits on
//! output), what decides the price (media, hosted tools, history kept by the provider), and every
//! position of text that redaction has to look at. Nothing is copied: the body stays bytes, and
//! all positions are offsets into them.
//!
//! What parsers disagree about is refused here ([`BadBody`]): a key that two readers would
//! understand differently must not decide about money.

mod batch;
mod converse;
mod endpoint;
mod event;
mod form;
mod gemini;
mod lines;
mod media;
mod multipart;
mod path;
mod positions;
mod walk;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

pub use batch::{BatchOrder, BatchRequest, batch_lines, batch_url, message_requests};
pub use endpoint::Endpoint;
pub use event::{ClientEvent, Envelope, OutputLimit};
pub use form::{BadForm, redact_form};
pub use media::MediaAsk;
pub use multipart::{BadMultipart, Multipart, Opaque};
pub use path::path_at;

use crate::json::{JsonError, escape_into};
use crate::redact::{Edit, Span};
use crate::types::Dialect;

/// What a body asks for. Borrows from the body.
#[expect(clippy::struct_excessive_bools, reason = "each is one independent fact of the body")]
pub struct Outline<'a> {
    /// The model's name as the caller wrote it, in the body or in the path; empty where none need
    /// be named.
    pub model: Cow<'a, str>,
    /// Where the body names it: the inside of each string.
    model_at: Vec<Range<usize>>,
    /// What the body names as well, where the path names the model.
    pub body_model: Option<Cow<'a, str>>,
    /// What the call asks for that has no price known here.
    pub unpriced: Option<&'static str>,
    /// Whether the answer is to be a stream.
    pub stream: bool,
    /// The caller's limit on output tokens, the largest where several are given.
    pub max_output: Option<u64>,
    /// Where the values of those limits stand, to be lowered in place.
    pub max_output_at: Vec<Range<usize>>,
    /// How many answers are asked for (`n`, `best_of`, a list of prompts).
    pub choices: u64,
    /// `service_tier`, where given.
    pub service_tier: Option<&'a str>,
    /// True where `speed` is given, which may choose a dearer tier.
    pub speed: bool,
    /// True where `inference_geo` keeps the call in a region, which costs a tenth more
    /// (Anthropic, "Data residency": 1.1 times all token prices).
    pub regional: bool,
    /// Messages and top-level input items.
    pub messages: u64,
    /// Tools that the caller runs itself.
    pub tools: u64,
    /// Tools that the provider runs, and may bill, on its side.
    pub hosted_tools: u64,
    /// Tools that the provider runs without a price of their own: what they read is input.
    pub unbilled_tools: u64,
    /// The caller's limit on calls of those, where given.
    pub max_tool_calls: Option<u64>,
    /// The `detail` of each image.
    pub images: Vec<Option<&'a str>>,
    /// Bytes of the body that are media data rather than text.
    pub media_bytes: u64,
    /// Bytes of audio data among them, still encoded as base64.
    pub audio_bytes: u64,
    /// True where the provider adds input that the body does not show: files, stored
    /// conversations, prompt templates. Only the model's context window bounds it.
    pub hidden_input: bool,
    /// True where rejected predicted output is billed as output (`prediction`).
    pub predicted: bool,
    /// Every position of text, in order.
    pub spans: Vec<Span<'a>>,
    /// `stream_options`, as far as it concerns usage.
    usage_option: UsageOption,
    /// Where a limit on output goes that the caller did not set.
    limit_place: LimitPlace,
    /// Just inside the top-level object.
    head: usize,
    /// True where that object has no members yet.
    empty: bool,
}

/// Where a limit on output is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
enum LimitPlace {
    /// At the top.
    Top,
    /// In an object of this name at the top that is not there yet.
    NewConfig(&'static str),
    /// In an object that is there: insert here; true where it is empty.
    Config(usize, bool),
    /// In an object in whose place there is null: replace this value.
    NullConfig(Range<usize>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum UsageOption {
    /// No `stream_options`.
    Absent,
    /// `stream_options` without `include_usage`: insert here; true where the object is empty.
    Without(usize, bool),
    /// `include_usage` is something else than true: replace this value.
    Off(Range<usize>),
    /// `stream_options` is null: replace this value.
    Null(Range<usize>),
    /// The caller wants usage.
    On,
}

/// Why a body cannot be understood well enough to guard it. Always a 400 to the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBody {
    /// Not JSON that every reader agrees on.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// JSON, but not an object.
    #[error("the body must be a JSON object")]
    NotAnObject,
    /// A field that decides about money or routing stands there twice.
    #[error("the field `{0}` is given twice")]
    Duplicate(&'static str),
    /// A field that decides about money or routing has a value of the wrong kind.
    #[error("the field `{field}` must be {wanted}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// A body of another vendor's, at a path that takes bodies of several.
    #[error(
        "only bodies of Anthropic's, which have `anthropic_version`, are understood here: call `converse` for other models"
    )]
    OtherVendor,
    /// No model is named.
    #[error("the field `model` is missing")]
    NoModel,
}

/// Shows no text: a body is the caller's.
impl fmt::Debug for Outline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outline")
            .field("stream", &self.stream)
            .field("max_output", &self.max_output)
            .field("messages", &self.messages)
            .field("spans", &self.spans.len())
            .finish_non_exhaustive()
    }
}

impl<'a> Outline<'a> {
    /// Reads a body of this endpoint, whose model is named in the body.
    pub fn read(body: &'a [u8], endpoint: Endpoint) -> Result<Self, BadBody> {
        Self::read_for(body, endpoint, None)
    }

    /// Reads a body of this endpoint; `model` is what the path names, where it names one.
    pub fn read_for(
        body: &'a [u8],
        endpoint: Endpoint,
        model: Option<&str>,
    ) -> Result<Self, BadBody> {
        match (endpoint, endpoint.dialect(), model) {
            (_, Dialect::Gemini | Dialect::Bedrock, None) => Err(BadBody::NoModel),
            (_, Dialect::Gemini, Some(model)) => gemini::walk(body, endpoint, model),
            // Anthropic's body, with the model in the path.
            (Endpoint::InvokeModel | Endpoint::InvokeModelStream, ..) => {
                walk::walk(body, endpoint, model)
            }
            (_, Dialect::Bedrock, Some(model)) => converse::walk(body, endpoint, model),
            _ if endpoint.is_batch() => batch::walk(body, endpoint),
            _ => walk::walk(body, endpoint, model),
        }
    }

    /// True where the caller asked for usage in the stream itself.
    pub fn wants_usage(&self) -> bool {
        self.usage_option == UsageOption::On
    }

    /// The edit that makes the provider report usage at the stream's end; none where it will.
    pub fn ask_for_usage(&self) -> Option<Edit> {
        let edit = |range: Range<usize>, with: &str| Some(Edit { range, with: with.to_owned() });
        match &self.usage_option {
            UsageOption::On => None,
            UsageOption::Off(range) => edit(range.clone(), "true"),
            UsageOption::Null(range) => edit(range.clone(), r#"{"include_usage":true}"#),
            UsageOption::Without(at, true) => edit(*at..*at, r#""include_usage":true"#),
            UsageOption::Without(at, false) => edit(*at..*at, r#""include_usage":true,"#),
            UsageOption::Absent => {
                Some(self.insert(r#""stream_options":{"include_usage":true}"#.to_owned()))
            }
        }
    }

    /// The edits that lower (or set) the limit on output tokens.
    pub fn limit_output(&self, endpoint: Endpoint, limit: u64) -> Vec<Edit> {
        if self.max_output_at.is_empty() {
            let write = |field| self.write_limit(format!("\"{field}\":{limit}"));
            return endpoint.output_limit_field().map(write).into_iter().collect();
        }
        let lower = |range: &Range<usize>| Edit { range: range.clone(), with: limit.to_string() };
        self.max_output_at.iter().map(lower).collect()
    }

    /// The edits that ask for another model; none where the path alone names it.
    pub fn name_model(&self, endpoint: Endpoint, model: &str) -> Vec<Edit> {
        let mut with = String::with_capacity(model.len() + 8);
        if endpoint.dialect() == Dialect::Gemini {
            with.push_str("models/");
        }
        escape_into(&mut with, model);
        let named = |range: &Range<usize>| Edit { range: range.clone(), with: with.clone() };
        self.model_at.iter().map(named).collect()
    }

    /// What a body without members asks for; `head` is just inside its object.
    fn empty(head: usize, limit_place: LimitPlace) -> Self {
        Self {
            model: Cow::Borrowed(""),
            model_at: Vec::new(),
            body_model: None,
            unpriced: None,
            stream: false,
            max_output: None,
            max_output_at: Vec::new(),
            choices: 1,
            service_tier: None,
            speed: false,
            regional: false,
            messages: 0,
            tools: 0,
            hosted_tools: 0,
            unbilled_tools: 0,
            max_tool_calls: None,
            images: Vec::new(),
            media_bytes: 0,
            audio_bytes: 0,
            hidden_input: false,
            predicted: false,
            spans: Vec::with_capacity(16),
            usage_option: UsageOption::Absent,
            limit_place,
            head,
            empty: true,
        }
    }

    fn write_limit(&self, mut member: String) -> Edit {
        match &self.limit_place {
            LimitPlace::Top => self.insert(member),
            LimitPlace::NewConfig(name) => self.insert(format!("\"{name}\":{{{member}}}")),
            LimitPlace::Config(at, empty) => {
                if !empty {
                    member.push(',');
                }
                Edit { range: *at..*at, with: member }
            }
            LimitPlace::NullConfig(range) => {
                Edit { range: range.clone(), with: format!("{{{member}}}") }
            }
        }
    }

    fn insert(&self, mut member: String) -> Edit {
        if !self.empty {
            member.push(',');
        }
        Edit { range: self.head..self.head, with: member }
    }
}

#[cfg(test)]
mod tests;
