//! Every endpoint that is known, for people: the table in `docs/endpoints.md` is made of it.
//!
//! A row names a method and an example path and says which operation that is; the tests below hold
//! each row against [`operation_at`](super::operation_at), and every [`Endpoint`] against the rows. What
//! an operation means for money and text is said once per endpoint, by matches without a default:
//! a new endpoint does not compile until it is said.
//!
//! To add a row: one line in [`ROWS`] or [`PLATFORM_ROWS`]; for a new endpoint also one arm in each match.

use http::Method;
use iron_policy::outline::Endpoint;
use iron_policy::types::{Dialect, Platform};

use super::{Operation, Socket};

/// One call that is known.
#[derive(Clone, Debug)]
pub struct Row {
    /// Whose API it is, as people say it.
    pub api: &'static str,
    /// The dialect of the upstream.
    pub dialect: Dialect,
    /// The platform that it is, where it is one.
    pub platform: Option<Platform>,
    /// The method.
    pub method: Method,
    /// The path, with its variable parts in capitals: an example that can be called.
    pub path: &'static str,
    /// What it is.
    pub operation: Operation,
}

const OPENAI: &str = "OpenAI";
const ANTHROPIC: &str = "Anthropic";
const GEMINI: &str = "Gemini";

/// The rows, in the order of the table.
pub fn catalogue() -> impl Iterator<Item = Row> {
    let apis = ROWS.iter().map(|(api, dialect, method, path, operation)| Row {
        api,
        dialect: *dialect,
        platform: None,
        method: method.clone(),
        path,
        operation: *operation,
    });
    let platforms = PLATFORM_ROWS.iter().map(|(platform, method, path, operation)| Row {
        api: match platform {
            Platform::Azure => "Azure OpenAI",
            Platform::Bedrock => "Amazon Bedrock",
            Platform::Vertex => "Vertex AI",
        },
        dialect: platform.dialect(),
        platform: Some(*platform),
        method: method.clone(),
        path,
        operation: *operation,
    });
    apis.chain(platforms)
}

type PlatformLine = (Platform, Method, &'static str, Operation);

static PLATFORM_ROWS: &[PlatformLine] = {
    use Operation::{Free, Known, Unpriced};
    use Platform::{Azure, Bedrock, Vertex};
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    &[
        (
            Azure,
            POST,
            "/openai/deployments/DEPLOYMENT/chat/completions",
            Known(Endpoint::ChatCompletions),
        ),
        (Azure, POST, "/openai/deployments/DEPLOYMENT/completions", Known(Endpoint::Completions)),
        (Azure, POST, "/openai/deployments/DEPLOYMENT/embeddings", Known(Endpoint::Embeddings)),
        (Azure, POST, "/openai/v1/chat/completions", Known(Endpoint::ChatCompletions)),
        (Azure, POST, "/openai/v1/responses", Known(Endpoint::Responses)),
        (Azure, POST, "/openai/v1/embeddings", Known(Endpoint::Embeddings)),
        (Azure, POST, "/openai/responses", Known(Endpoint::Responses)),
        (Azure, GET, "/openai/v1/models", Free),
        (Azure, POST, "/openai/deployments/DEPLOYMENT/extensions/chat/completions", Unpriced),
        (Bedrock, POST, "/model/MODEL/converse", Known(Endpoint::Converse)),
        (Bedrock, POST, "/model/MODEL/converse-stream", Known(Endpoint::ConverseStream)),
        (Bedrock, POST, "/model/MODEL/invoke", Known(Endpoint::InvokeModel)),
        (
            Bedrock,
            POST,
            "/model/MODEL/invoke-with-response-stream",
            Known(Endpoint::InvokeModelStream),
        ),
        (Bedrock, POST, "/model/MODEL/count-tokens", Known(Endpoint::BedrockCountTokens)),
        (Bedrock, POST, "/openai/v1/chat/completions", Known(Endpoint::ChatCompletions)),
        (Bedrock, GET, "/openai/v1/models", Free),
        (Bedrock, POST, "/async-invoke", Unpriced),
        (Bedrock, POST, "/guardrail/ID/version/1/apply", Unpriced),
        (
            Vertex,
            POST,
            "/v1/projects/PROJECT/locations/LOCATION/publishers/google/models/MODEL:generateContent",
            Known(Endpoint::GenerateContent),
        ),
        (
            Vertex,
            POST,
            "/v1/projects/PROJECT/locations/LOCATION/publishers/google/models/MODEL:streamGenerateContent",
            Known(Endpoint::StreamGenerateContent),
        ),
        (
            Vertex,
            POST,
            "/v1/projects/PROJECT/locations/LOCATION/publishers/google/models/MODEL:countTokens",
            Known(Endpoint::GeminiCountTokens),
        ),
        (
            Vertex,
            POST,
            "/v1/projects/PROJECT/locations/LOCATION/publishers/google/models/MODEL:embedContent",
            Known(Endpoint::EmbedContent),
        ),
        (
            Vertex,
            POST,
            "/v1/projects/PROJECT/locations/LOCATION/publishers/anthropic/models/MODEL:rawPredict",
            Known(Endpoint::RawPredict),
        ),
        (
            Vertex,
            POST,
            "/v1/projects/PROJECT/locations/LOCATION/publishers/anthropic/models/MODEL:streamRawPredict",
            Known(Endpoint::StreamRawPredict),
        ),
        (
            Vertex,
            POST,
            "/v1/projects/PROJECT/locations/LOCATION/publishers/anthropic/models/count-tokens:rawPredict",
            Known(Endpoint::CountTokens),
        ),
        (
            Vertex,
            POST,
            "/v1/projects/PROJECT/locations/LOCATION/endpoints/openapi/chat/completions",
            Known(Endpoint::ChatCompletions),
        ),
        (
            Vertex,
            POST,
            "/v1/projects/PROJECT/locations/LOCATION/publishers/google/models/MODEL:predict",
            Unpriced,
        ),
    ]
};

type Line = (&'static str, Dialect, Method, &'static str, Operation);

static ROWS: &[Line] = {
    use Dialect::{Anthropic, Gemini, OpenAi};
    use Operation::{Free, Known, Unpriced, Upload};
    const RESPONSES: Operation = Operation::Socket(Socket::Responses);
    const REALTIME: Operation = Operation::Socket(Socket::Realtime);
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const DELETE: Method = Method::DELETE;
    &[
        (OPENAI, OpenAi, POST, "/v1/chat/completions", Known(Endpoint::ChatCompletions)),
        (OPENAI, OpenAi, POST, "/v1/completions", Known(Endpoint::Completions)),
        (OPENAI, OpenAi, POST, "/v1/responses", Known(Endpoint::Responses)),
        (OPENAI, OpenAi, POST, "/v1/embeddings", Known(Endpoint::Embeddings)),
        (OPENAI, OpenAi, POST, "/v1/moderations", Known(Endpoint::Moderations)),
        (OPENAI, OpenAi, POST, "/v1/files", Upload),
        (OPENAI, OpenAi, GET, "/v1/models", Free),
        (OPENAI, OpenAi, GET, "/v1/responses/ID", Free),
        (OPENAI, OpenAi, GET, "/v1/files/ID/content", Free),
        (OPENAI, OpenAi, DELETE, "/v1/files/ID", Free),
        (OPENAI, OpenAi, POST, "/v1/images/generations", Known(Endpoint::ImageGenerations)),
        (OPENAI, OpenAi, POST, "/v1/images/edits", Known(Endpoint::ImageEdits)),
        (OPENAI, OpenAi, POST, "/v1/images/variations", Known(Endpoint::ImageVariations)),
        (OPENAI, OpenAi, POST, "/v1/audio/speech", Known(Endpoint::Speech)),
        (OPENAI, OpenAi, POST, "/v1/audio/transcriptions", Known(Endpoint::Transcriptions)),
        (OPENAI, OpenAi, POST, "/v1/audio/translations", Known(Endpoint::Translations)),
        (OPENAI, OpenAi, POST, "/v1/batches", Known(Endpoint::Batches)),
        (OPENAI, OpenAi, GET, "/v1/batches/ID", Free),
        (OPENAI, OpenAi, POST, "/v1/batches/ID/cancel", Free),
        (OPENAI, OpenAi, POST, "/v1/uploads", Unpriced),
        (OPENAI, OpenAi, POST, "/v1/vector_stores", Unpriced),
        (OPENAI, OpenAi, GET, "/v1/responses", RESPONSES),
        (OPENAI, OpenAi, GET, "/v1/realtime", REALTIME),
        (ANTHROPIC, Anthropic, POST, "/v1/messages", Known(Endpoint::Messages)),
        (ANTHROPIC, Anthropic, POST, "/v1/messages/count_tokens", Known(Endpoint::CountTokens)),
        (ANTHROPIC, Anthropic, POST, "/v1/files", Upload),
        (ANTHROPIC, Anthropic, GET, "/v1/models", Free),
        (ANTHROPIC, Anthropic, DELETE, "/v1/files/ID", Free),
        (ANTHROPIC, Anthropic, GET, "/api/claude_code/settings", Free),
        (ANTHROPIC, Anthropic, POST, "/v1/messages/batches", Known(Endpoint::MessageBatches)),
        (ANTHROPIC, Anthropic, GET, "/v1/messages/batches/ID", Free),
        (ANTHROPIC, Anthropic, GET, "/v1/messages/batches/ID/results", Free),
        (ANTHROPIC, Anthropic, POST, "/v1/messages/batches/ID/cancel", Free),
        (
            GEMINI,
            Gemini,
            POST,
            "/v1beta/models/MODEL:generateContent",
            Known(Endpoint::GenerateContent),
        ),
        (
            GEMINI,
            Gemini,
            POST,
            "/v1beta/models/MODEL:streamGenerateContent",
            Known(Endpoint::StreamGenerateContent),
        ),
        (
            GEMINI,
            Gemini,
            POST,
            "/v1beta/models/MODEL:countTokens",
            Known(Endpoint::GeminiCountTokens),
        ),
        (GEMINI, Gemini, POST, "/v1beta/models/MODEL:embedContent", Known(Endpoint::EmbedContent)),
        (
            GEMINI,
            Gemini,
            POST,
            "/v1beta/models/MODEL:batchEmbedContents",
            Known(Endpoint::BatchEmbedContents),
        ),
        (GEMINI, Gemini, POST, "/v1beta/openai/chat/completions", Known(Endpoint::ChatCompletions)),
        (GEMINI, Gemini, POST, "/v1beta/openai/embeddings", Known(Endpoint::Embeddings)),
        (GEMINI, Gemini, GET, "/v1beta/openai/models", Free),
        (GEMINI, Gemini, GET, "/v1beta/models", Free),
        (GEMINI, Gemini, DELETE, "/v1beta/files/ID", Free),
        (GEMINI, Gemini, POST, "/v1beta/models/MODEL:predict", Unpriced),
        (GEMINI, Gemini, POST, "/v1beta/cachedContents", Unpriced),
    ]
};

/// By what an operation is charged.
pub const fn priced(operation: Operation) -> &'static str {
    match operation {
        Operation::Unpriced => "**refused** (`unpriced_endpoint`)",
        Operation::Free | Operation::Upload => "free",
        Operation::Socket(Socket::Responses) => "each response: tokens in and out, billed tools",
        Operation::Socket(Socket::Realtime) => "each response: text, audio and images in and out",
        Operation::Known(endpoint) => match endpoint {
            Endpoint::CountTokens
            | Endpoint::GeminiCountTokens
            | Endpoint::BedrockCountTokens
            | Endpoint::Moderations => "free",
            Endpoint::ImageGenerations | Endpoint::ImageEdits | Endpoint::ImageVariations => {
                "tokens of text and images, or by the image"
            }
            Endpoint::Speech => "characters, or tokens in and out",
            Endpoint::Transcriptions | Endpoint::Translations => {
                "seconds of the recording, or tokens in and out"
            }
            Endpoint::Batches | Endpoint::MessageBatches => {
                "each request as the call that it is, when the results are fetched"
            }
            Endpoint::Embeddings | Endpoint::EmbedContent | Endpoint::BatchEmbedContents => {
                "tokens in"
            }
            Endpoint::ChatCompletions
            | Endpoint::Completions
            | Endpoint::Responses
            | Endpoint::Messages
            | Endpoint::GenerateContent
            | Endpoint::StreamGenerateContent
            | Endpoint::RawPredict
            | Endpoint::StreamRawPredict => "tokens in and out, billed tools",
            Endpoint::Converse
            | Endpoint::ConverseStream
            | Endpoint::InvokeModel
            | Endpoint::InvokeModelStream => "tokens in and out",
        },
    }
}

/// Where text is replaced on its way out, and put back on its way in.
pub const fn redacted(operation: Operation) -> &'static str {
    match operation {
        Operation::Unpriced => "",
        Operation::Free => "no body is sent; JSON answers are restored",
        Operation::Socket(_) => "each message; put back in the answers",
        Operation::Upload => "the file's text; not put back",
        Operation::Known(endpoint) => match endpoint {
            Endpoint::ImageGenerations
            | Endpoint::ImageEdits
            | Endpoint::ImageVariations
            | Endpoint::Transcriptions
            | Endpoint::Translations => "request; put back in JSON answers, not in streams",
            Endpoint::Batches | Endpoint::MessageBatches => {
                "request; put back in the results as they are fetched"
            }
            Endpoint::ChatCompletions
            | Endpoint::Completions
            | Endpoint::Responses
            | Endpoint::Messages
            | Endpoint::GenerateContent
            | Endpoint::StreamGenerateContent
            | Endpoint::Converse
            | Endpoint::ConverseStream
            | Endpoint::InvokeModel
            | Endpoint::InvokeModelStream
            | Endpoint::RawPredict
            | Endpoint::StreamRawPredict => "request; put back in the answer",
            Endpoint::Speech
            | Endpoint::Embeddings
            | Endpoint::EmbedContent
            | Endpoint::BatchEmbedContents
            | Endpoint::CountTokens
            | Endpoint::GeminiCountTokens
            | Endpoint::BedrockCountTokens
            | Endpoint::Moderations => "request",
        },
    }
}

/// How a stream of it comes.
pub const fn streamed(operation: Operation) -> &'static str {
    match operation {
        Operation::Unpriced | Operation::Free | Operation::Upload => "",
        Operation::Socket(_) => "WebSocket",
        Operation::Known(endpoint) => match endpoint {
            Endpoint::ChatCompletions
            | Endpoint::Completions
            | Endpoint::Responses
            | Endpoint::ImageGenerations
            | Endpoint::ImageEdits
            | Endpoint::Transcriptions
            | Endpoint::Messages => "server-sent events, with `stream`",
            Endpoint::StreamRawPredict => "server-sent events",
            Endpoint::ConverseStream | Endpoint::InvokeModelStream => "AWS event stream frames",
            Endpoint::StreamGenerateContent => "server-sent events (`alt=sse`), or one list",
            Endpoint::Speech => "as it is made; server-sent events, with `stream_format`",
            Endpoint::ImageVariations
            | Endpoint::Translations
            | Endpoint::GenerateContent
            | Endpoint::Embeddings
            | Endpoint::EmbedContent
            | Endpoint::BatchEmbedContents
            | Endpoint::CountTokens
            | Endpoint::GeminiCountTokens
            | Endpoint::BedrockCountTokens
            | Endpoint::Converse
            | Endpoint::InvokeModel
            | Endpoint::RawPredict
            | Endpoint::Moderations
            | Endpoint::Batches
            | Endpoint::MessageBatches => "",
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{Address, operation_at, socket};
    use super::*;

    #[test]
    fn each_row_is_what_its_path_means() {
        for row in catalogue() {
            let address = Address::parse(row.path, |_| false).unwrap();
            let found = match row.operation {
                Operation::Socket(_) => socket(row.dialect, &row.method, address.operation_path())
                    .map_or(Operation::Unpriced, Operation::Socket),
                _ => operation_at(row.dialect, row.platform, &row.method, address.path),
            };
            assert_eq!(found, row.operation, "{} {} {}", row.api, row.method, row.path);
        }
    }

    #[test]
    fn no_row_stands_twice() {
        let rows: Vec<_> =
            catalogue().map(|row| (row.api, row.method.to_string(), row.path)).collect();
        assert_eq!(rows.iter().collect::<BTreeSet<_>>().len(), rows.len());
    }

    #[test]
    fn each_endpoint_has_a_row_and_is_free_where_it_says_so() {
        for endpoint in Endpoint::ALL {
            let operation = Operation::Known(endpoint);
            assert!(catalogue().any(|row| row.operation == operation), "{endpoint:?} has no row");
            assert_eq!(endpoint.is_free(), priced(operation) == "free", "{endpoint:?}");
        }
    }
}
