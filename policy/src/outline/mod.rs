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
pub use event::{ClientEvent, Envelope, OutputLimit};
pub use form::{BadForm, redact_form};
pub use media::MediaAsk;
pub use multipart::{BadMultipart, Multipart, Opaque};
pub use path::path_at;

use crate::json::{JsonError, escape_into};
use crate::redact::{Edit, Span};
use crate::types::Dialect;

/// An operation of a provider's API that carries a body and has a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// OpenAI `POST /v1/chat/completions`.
    ChatCompletions,
    /// OpenAI `POST /v1/completions`.
    Completions,
    /// OpenAI `POST /v1/responses`.
    Responses,
    /// OpenAI `POST /v1/embeddings`.
    Embeddings,
    /// Anthropic `POST /v1/messages`.
    Messages,
    /// Anthropic `POST /v1/messages/count_tokens`: free, but its text is redacted all the same.
    CountTokens,
    /// OpenAI `POST /v1/moderations`: free as well, and may name no model.
    Moderations,
    /// OpenAI `POST /v1/batches`: calls out of an uploaded file, within a day.
    Batches,
    /// Anthropic `POST /v1/messages/batches`: the same of the body's own requests.
    MessageBatches,
    /// OpenAI `POST /v1/images/generations`.
    ImageGenerations,
    /// OpenAI `POST /v1/images/edits`, in parts.
    ImageEdits,
    /// OpenAI `POST /v1/images/variations`, in parts.
    ImageVariations,
    /// OpenAI `POST /v1/audio/speech`.
    Speech,
    /// OpenAI `POST /v1/audio/transcriptions`, in parts.
    Transcriptions,
    /// OpenAI `POST /v1/audio/translations`, in parts.
    Translations,
    /// Gemini `POST /v1beta/models/MODEL:generateContent`.
    GenerateContent,
    /// Gemini `POST /v1beta/models/MODEL:streamGenerateContent`.
    StreamGenerateContent,
    /// Gemini `POST /v1beta/models/MODEL:countTokens`: free, as Anthropic's.
    GeminiCountTokens,
    /// Gemini `POST /v1beta/models/MODEL:embedContent`.
    EmbedContent,
    /// Gemini `POST /v1beta/models/MODEL:batchEmbedContents`.
    BatchEmbedContents,
    /// Bedrock `POST /model/MODEL/converse`.
    Converse,
    /// Bedrock `POST /model/MODEL/converse-stream`.
    ConverseStream,
    /// Bedrock `POST /model/MODEL/invoke` with a body of Anthropic's.
    InvokeModel,
    /// Bedrock `POST /model/MODEL/invoke-with-response-stream` with a body of Anthropic's.
    InvokeModelStream,
    /// Bedrock `POST /model/MODEL/count-tokens`: free.
    BedrockCountTokens,
    /// Vertex AI `POST .../publishers/anthropic/models/MODEL:rawPredict`.
    RawPredict,
    /// Vertex AI `POST .../publishers/anthropic/models/MODEL:streamRawPredict`.
    StreamRawPredict,
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: [Self; 27] = [
        Self::ChatCompletions,
        Self::Completions,
        Self::Responses,
        Self::Embeddings,
        Self::Messages,
        Self::CountTokens,
        Self::Moderations,
        Self::Batches,
        Self::MessageBatches,
        Self::ImageGenerations,
        Self::ImageEdits,
        Self::ImageVariations,
        Self::Speech,
        Self::Transcriptions,
        Self::Translations,
        Self::GenerateContent,
        Self::StreamGenerateContent,
        Self::GeminiCountTokens,
        Self::EmbedContent,
        Self::BatchEmbedContents,
        Self::Converse,
        Self::ConverseStream,
        Self::InvokeModel,
        Self::InvokeModelStream,
        Self::BedrockCountTokens,
        Self::RawPredict,
        Self::StreamRawPredict,
    ];

    /// The name in records and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat/completions",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Embeddings => "embeddings",
            Self::Messages => "messages",
            Self::CountTokens => "messages/count_tokens",
            Self::Moderations => "moderations",
            Self::Batches => "batches",
            Self::MessageBatches => "messages/batches",
            Self::ImageGenerations => "images/generations",
            Self::ImageEdits => "images/edits",
            Self::ImageVariations => "images/variations",
            Self::Speech => "audio/speech",
            Self::Transcriptions => "audio/transcriptions",
            Self::Translations => "audio/translations",
            Self::GenerateContent => "generateContent",
            Self::StreamGenerateContent => "streamGenerateContent",
            Self::GeminiCountTokens => "countTokens",
            Self::EmbedContent => "embedContent",
            Self::BatchEmbedContents => "batchEmbedContents",
            Self::Converse => "converse",
            Self::ConverseStream => "converse-stream",
            Self::InvokeModel => "invoke",
            Self::InvokeModelStream => "invoke-with-response-stream",
            Self::BedrockCountTokens => "count-tokens",
            Self::RawPredict => "rawPredict",
            Self::StreamRawPredict => "streamRawPredict",
        }
    }

    /// Whose API the operation belongs to.
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::ChatCompletions
            | Self::Completions
            | Self::Responses
            | Self::Embeddings
            | Self::Moderations
            | Self::Batches
            | Self::ImageGenerations
            | Self::ImageEdits
            | Self::ImageVariations
            | Self::Speech
            | Self::Transcriptions
            | Self::Translations => Dialect::OpenAi,
            Self::Messages
            | Self::CountTokens
            | Self::MessageBatches
            | Self::RawPredict
            | Self::StreamRawPredict => Dialect::Anthropic,
            Self::Converse
            | Self::ConverseStream
            | Self::InvokeModel
            | Self::InvokeModelStream
            | Self::BedrockCountTokens => Dialect::Bedrock,
            Self::GenerateContent
            | Self::StreamGenerateContent
            | Self::GeminiCountTokens
            | Self::EmbedContent
            | Self::BatchEmbedContents => Dialect::Gemini,
        }
    }

    /// True where a call costs nothing whatever it says.
    pub const fn is_free(self) -> bool {
        matches!(
            self,
            Self::CountTokens
                | Self::GeminiCountTokens
                | Self::BedrockCountTokens
                | Self::Moderations
        )
    }

    /// True where a call produces output tokens.
    pub const fn has_output(self) -> bool {
        !matches!(
            self,
            Self::Embeddings
                | Self::CountTokens
                | Self::Moderations
                | Self::Batches
                | Self::MessageBatches
                | Self::ImageGenerations
                | Self::ImageEdits
                | Self::ImageVariations
                | Self::Speech
                | Self::Transcriptions
                | Self::Translations
                | Self::GeminiCountTokens
                | Self::BedrockCountTokens
                | Self::EmbedContent
                | Self::BatchEmbedContents
        )
    }

    /// True where a call makes many others, whose answers come later.
    pub const fn is_batch(self) -> bool {
        matches!(self, Self::Batches | Self::MessageBatches)
    }

    /// True where images, speech or recordings are what is paid for.
    pub const fn is_media(self) -> bool {
        matches!(
            self,
            Self::ImageGenerations
                | Self::ImageEdits
                | Self::ImageVariations
                | Self::Speech
                | Self::Transcriptions
                | Self::Translations
        )
    }

    /// True where the body comes in parts (`multipart/form-data`).
    pub const fn is_upload(self) -> bool {
        matches!(
            self,
            Self::ImageEdits | Self::ImageVariations | Self::Transcriptions | Self::Translations
        )
    }

    /// True where usage in a stream must be asked for with `stream_options.include_usage`.
    pub const fn usage_is_optional(self) -> bool {
        matches!(self, Self::ChatCompletions | Self::Completions)
    }

    /// The field that limits output, to write where the caller wrote none.
    pub const fn output_limit_field(self) -> Option<&'static str> {
        match self {
            Self::ChatCompletions => Some("max_completion_tokens"),
            Self::Completions
            | Self::Messages
            | Self::InvokeModel
            | Self::InvokeModelStream
            | Self::RawPredict
            | Self::StreamRawPredict => Some("max_tokens"),
            Self::Converse | Self::ConverseStream => Some("maxTokens"),
            Self::Responses => Some("max_output_tokens"),
            Self::GenerateContent | Self::StreamGenerateContent => Some("maxOutputTokens"),
            Self::Embeddings
            | Self::CountTokens
            | Self::Moderations
            | Self::Batches
            | Self::MessageBatches
            | Self::ImageGenerations
            | Self::ImageEdits
            | Self::ImageVariations
            | Self::Speech
            | Self::Transcriptions
            | Self::Translations
            | Self::GeminiCountTokens
            | Self::BedrockCountTokens
            | Self::EmbedContent
            | Self::BatchEmbedContents => None,
        }
    }
}

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
mod tests {
    use super::*;
    use crate::redact::{SpanKind, splice};

    fn chat(body: &str) -> Result<Outline<'_>, BadBody> {
        Outline::read(body.as_bytes(), Endpoint::ChatCompletions)
    }

    fn texts<'a>(outline: &Outline<'a>) -> Vec<&'a str> {
        outline.spans.iter().map(|span| span.text.raw()).collect()
    }

    #[test]
    fn a_chat_call_is_understood_whatever_the_order_of_its_keys() {
        let outline = chat(
            r#"{"messages":[
                {"role":"system","content":"be brief"},
                {"role":"user","content":[{"text":"look","type":"text"},
                    {"image_url":{"url":"data:image/png;base64,AAAA","detail":"low"},"type":"image_url"}]},
                {"role":"assistant","tool_calls":[{"id":"call_1","type":"function",
                    "function":{"name":"f","arguments":"{\"to\":\"a@b.co\"}"}}]},
                {"role":"tool","tool_call_id":"call_1","content":"done"}],
               "max_tokens":10,"max_completion_tokens":20,"n":3,"stream":true,"model":"gpt-4o"}"#,
        )
        .unwrap();
        assert_eq!(outline.model, "gpt-4o");
        assert!(outline.stream);
        assert_eq!((outline.max_output, outline.choices, outline.messages), (Some(20), 3, 4));
        assert_eq!(outline.images, [Some("low")]);
        assert_eq!(outline.media_bytes, 26);
        assert_eq!(texts(&outline), ["be brief", "look", r#"{\"to\":\"a@b.co\"}"#, "done"]);
        assert_eq!(outline.spans[2].kind, SpanKind::Json);
    }

    #[test]
    fn an_anthropic_call_is_understood() {
        let body = br#"{"model":"claude","max_tokens":5,"system":[{"type":"text","text":"sys","cache_control":{"type":"ephemeral"}}],
            "tools":[{"name":"t","description":"what it does","input_schema":{"type":"object","properties":{"x":{"type":"string","description":"the x","enum":["a@b.co"],"pattern":"p"}}}},
                     {"type":"web_search_20250305","name":"web_search","max_uses":3}],
            "messages":[{"role":"assistant","content":[
                {"type":"thinking","thinking":"hm","signature":"sig"},
                {"type":"redacted_thinking","data":"opaque"},
                {"type":"tool_use","id":"toolu_1","name":"t","input":{"id":"kept as text","n":1}}]},
              {"role":"user","content":[
                {"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"result"}]},
                {"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},
                {"type":"document","source":{"data":"plain words","type":"text","media_type":"text/plain"},"title":"a title"}]}]}"#;
        let outline = Outline::read(body, Endpoint::Messages).unwrap();
        assert_eq!(
            texts(&outline),
            [
                "sys",
                "what it does",
                "the x",
                "hm",
                "kept as text",
                "result",
                "plain words",
                "a title"
            ]
        );
        assert_eq!((outline.tools, outline.hosted_tools, outline.max_tool_calls), (1, 1, Some(3)));
        assert_eq!(
            (outline.images.len(), outline.media_bytes, outline.hidden_input),
            (1, 4, false)
        );
    }

    #[test]
    fn input_that_the_body_does_not_show_is_noticed() {
        for body in [
            r#"{"model":"m","input":"hi","previous_response_id":"resp_1"}"#,
            r#"{"model":"m","input":"hi","conversation":{"id":"conv_1"}}"#,
            r#"{"model":"m","prompt":{"id":"pmpt_1"}}"#,
            r#"{"model":"m","input":[{"type":"message","content":[{"type":"input_file","file_id":"file-1"}]}]}"#,
            r#"{"model":"m","input":[{"type":"message","content":[{"type":"input_file","file_data":"AAAA"}]}]}"#,
            r#"{"model":"m","messages":[{"content":[{"type":"document","source":{"type":"url","url":"https://x"}}]}]}"#,
        ] {
            let outline = Outline::read(body.as_bytes(), Endpoint::Responses).unwrap();
            assert!(outline.hidden_input, "{body}");
        }
        let plain = r#"{"model":"m","input":"hi","previous_response_id":null}"#;
        assert!(!Outline::read(plain.as_bytes(), Endpoint::Responses).unwrap().hidden_input);
    }

    #[test]
    fn tools_that_the_provider_runs_are_noticed_by_every_name() {
        for (more, hosted) in [
            (r#""tools":[{"type":"web_search"}]"#, 1),
            (r#""tools":[{"type":"function","function":{"name":"f"}},{"type":"mcp"}]"#, 1),
            (r#""web_search_options":{}"#, 1),
            (r#""mcp_servers":[{"url":"https://x"}]"#, 1),
            (r#""plugins":[{"id":"web"}]"#, 1),
            (r#""tools":[{"type":"function","function":{"name":"f"}}]"#, 0),
        ] {
            let body = format!(r#"{{"model":"m",{more}}}"#);
            assert_eq!(chat(&body).unwrap().hosted_tools, hosted, "{body}");
        }
    }

    #[test]
    fn every_prompt_of_a_list_is_answered() {
        let choices =
            |body: &str| Outline::read(body.as_bytes(), Endpoint::Completions).unwrap().choices;
        assert_eq!(choices(r#"{"model":"m","prompt":["a","b"],"n":2}"#), 4);
        assert_eq!(choices(r#"{"model":"m","prompt":[1,2,3]}"#), 1);
        assert_eq!(choices(r#"{"model":"m","prompt":[[1,2],[3]],"best_of":5}"#), 10);
        assert_eq!(choices(r#"{"model":"m","prompt":"a"}"#), 1);
    }

    #[test]
    fn what_decides_about_money_must_be_plain() {
        use BadBody::{Duplicate, NoModel, NotAnObject};
        for (body, error) in [
            (r#"{"model":"a","model":"b"}"#, Duplicate("model")),
            (r#"{"model":"a","max_tokens":1,"max_tokens":2}"#, Duplicate("max_tokens")),
            (r#"{"model":"a","stream":true,"str\u0065am":false}"#, Duplicate("stream")),
            (r#"{"messages":[]}"#, NoModel),
            ("[]", NotAnObject),
            (r#""text""#, NotAnObject),
        ] {
            assert_eq!(chat(body).unwrap_err(), error, "{body}");
        }
        for body in [
            r#"{"model":"a","max_tokens":-1}"#,
            r#"{"model":"a","max_tokens":"10"}"#,
            r#"{"model":"a","max_tokens":1.5}"#,
            r#"{"model":"a","max_tokens":1e3}"#,
            r#"{"model":"a","n":true}"#,
            r#"{"model":"a","stream":"true"}"#,
            r#"{"model":"a","stream":1}"#,
            r#"{"model":7}"#,
            r#"{"model":["a"]}"#,
            r#"{"model":"a","stream_options":[]}"#,
            r#"{"model":"a","tools":{}}"#,
        ] {
            assert!(matches!(chat(body), Err(BadBody::Field { .. })), "{body}");
        }
    }

    #[test]
    fn usage_is_asked_for_wherever_the_option_stands() {
        for (body, asked) in [
            (r#"{"model":"m"}"#, r#"{"stream_options":{"include_usage":true},"model":"m"}"#),
            (
                r#"{"model":"m","stream_options":{}}"#,
                r#"{"model":"m","stream_options":{"include_usage":true}}"#,
            ),
            (
                r#"{"model":"m","stream_options":{"x":1}}"#,
                r#"{"model":"m","stream_options":{"include_usage":true,"x":1}}"#,
            ),
            (
                r#"{"model":"m","stream_options":{"include_usage":false}}"#,
                r#"{"model":"m","stream_options":{"include_usage":true}}"#,
            ),
            (
                r#"{"model":"m","stream_options":null}"#,
                r#"{"model":"m","stream_options":{"include_usage":true}}"#,
            ),
        ] {
            let outline = chat(body).unwrap();
            assert!(!outline.wants_usage());
            let edit = outline.ask_for_usage().unwrap();
            assert_eq!(splice(body.as_bytes(), &[edit]), asked.as_bytes());
        }
        let body = r#"{"model":"m","stream_options":{"include_usage":true}}"#;
        assert!(chat(body).unwrap().ask_for_usage().is_none());
    }

    #[test]
    fn another_model_is_named_wherever_the_body_names_one() {
        let renamed = |body: &str, endpoint, named| {
            let outline = Outline::read_for(body.as_bytes(), endpoint, named).unwrap();
            let edits = outline.name_model(endpoint, "a\"b");
            String::from_utf8(splice(body.as_bytes(), &edits)).unwrap()
        };
        assert_eq!(
            renamed(
                r#"{"messages":[{"content":"model"}], "model" : "gpt\u002d5" }"#,
                Endpoint::ChatCompletions,
                None
            ),
            r#"{"messages":[{"content":"model"}], "model" : "a\"b" }"#
        );
        assert_eq!(
            renamed(
                r#"{"requests":[{"model":"models/g","content":{}},{"model":"g","content":{}}]}"#,
                Endpoint::BatchEmbedContents,
                Some("g")
            ),
            r#"{"requests":[{"model":"models/a\"b","content":{}},{"model":"models/a\"b","content":{}}]}"#
        );
        let plain = r#"{"contents":[]}"#;
        assert_eq!(renamed(plain, Endpoint::GenerateContent, Some("g")), plain);
    }

    #[test]
    fn the_output_limit_is_lowered_in_place_or_written() {
        let limited = |body: &str, endpoint| {
            let outline = Outline::read(body.as_bytes(), endpoint).unwrap();
            let edits = outline.limit_output(endpoint, 7);
            String::from_utf8(splice(body.as_bytes(), &edits)).unwrap()
        };
        assert_eq!(
            limited(r#"{"max_tokens": 100 ,"model":"m"}"#, Endpoint::Messages),
            r#"{"max_tokens": 7 ,"model":"m"}"#
        );
        assert_eq!(
            limited(r#"{"model":"m"}"#, Endpoint::Responses),
            r#"{"max_output_tokens":7,"model":"m"}"#
        );
        assert_eq!(
            limited(r#"{"model":"m","max_tokens":null}"#, Endpoint::ChatCompletions),
            r#"{"model":"m","max_tokens":7}"#
        );
    }
}
