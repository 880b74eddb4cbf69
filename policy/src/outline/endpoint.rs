//! The operations whose bodies are understood: what each is called, whose it is, what it may produce.
//!
//! What a body of one asks for is read beside this file; which path means which operation is not
//! decided in this crate.

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
