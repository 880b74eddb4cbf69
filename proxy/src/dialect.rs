//! Which operation of which provider's API a path means.
//!
//! The one place that reads paths: what is authenticated, priced and dispatched is the same
//! [`Address`]. Paths that two readers could take differently are refused.

mod catalogue;
mod platforms;

use http::Method;
use iron_policy::outline::Endpoint;
use iron_policy::types::{Dialect, Name};

pub use catalogue::{Row, catalogue, priced, redacted, streamed};
pub use platforms::{
    costs_more_in_region, model_in, model_meant, operation_at, platform_of, spoken,
};

use crate::upstream::{GOOGLE_KEY, query_has_key};

/// What a path asks for, once its prefixes are taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// An operation with a body that is understood and priced.
    Known(Endpoint),
    /// One that takes a file in a multipart body, and costs nothing.
    Upload,
    /// One that is known to cost nothing and to carry no text.
    Free,
    /// A WebSocket, whose messages are priced one by one.
    Socket(Socket),
    /// Anything else: it may cost money that nobody would count.
    Unpriced,
}

/// A WebSocket endpoint that is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    /// OpenAI `/v1/responses`: each `response.create` is a call.
    Responses,
    /// OpenAI `/v1/realtime`: each response is one, asked for or started by a pause in speech.
    Realtime,
}

impl Socket {
    /// The name in records and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Responses => "responses/websocket",
            Self::Realtime => "realtime",
        }
    }
}

/// A request's path, taken apart: `/agent/NAME/run/ID/depth/N/UPSTREAM/v1/...`, each prefix optional,
/// in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address<'a> {
    /// The agent's name, where the path gives it.
    pub agent: Option<Name>,
    /// The run's id, where the path gives it; the same as the header `x-iron-session`.
    pub run: Option<Name>,
    /// How many agents stand above the caller, where the path says; as the header `x-iron-depth`.
    pub depth: Option<u8>,
    /// The first segment that is neither a prefix nor a version: an upstream's name.
    pub upstream: Option<&'a str>,
    /// What is left, with its leading slash.
    pub path: &'a str,
}

/// A path that is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// Dots, empty segments or escapes that servers resolve differently.
    #[error(
        "the path holds an empty segment, a dot segment or an escape that servers read differently"
    )]
    Ambiguous,
    /// `/agent/` without a proper name.
    #[error("after /agent/ comes the agent's name: 1 to 64 letters, digits, `.`, `_` or `-`")]
    Agent,
    /// `/run/` without a proper id.
    #[error("after /run/ comes the run's id: 1 to 64 letters, digits, `.`, `_` or `-`")]
    Run,
    /// `/depth/` without a number.
    #[error(
        "after /depth/, and in x-iron-depth, comes a number from 0 to 255: how many agents stand above the caller"
    )]
    Depth,
}

impl<'a> Address<'a> {
    /// Takes a path apart. `is_upstream` says which names are upstreams.
    pub fn parse(path: &'a str, is_upstream: impl Fn(&str) -> bool) -> Result<Self, BadPath> {
        if is_ambiguous(path) {
            return Err(BadPath::Ambiguous);
        }
        let mut rest = path;
        let agent = take_prefix(&mut rest, "/agent/", BadPath::Agent)?;
        let run = take_prefix(&mut rest, "/run/", BadPath::Run)?;
        let depth = take_prefix(&mut rest, "/depth/", BadPath::Depth)?;
        let first = rest[1..].split('/').next().unwrap_or_default();
        let upstream = is_upstream(first).then_some(first);
        if let Some(name) = upstream {
            rest = &rest[1 + name.len()..];
        }
        Ok(Self { agent, run, depth, upstream, path: if rest.is_empty() { "/" } else { rest } })
    }

    /// The path without its version: `/chat/completions`.
    pub fn operation_path(&self) -> &'a str {
        without_version(self.path)
    }
}

/// Takes `/WORD/VALUE` off the beginning of a path, where it begins so.
fn take_prefix<T: std::str::FromStr>(
    rest: &mut &str,
    word: &str,
    bad: BadPath,
) -> Result<Option<T>, BadPath> {
    let Some(tail) = rest.strip_prefix(word) else { return Ok(None) };
    let parsed =
        tail.split_once('/').and_then(|(value, _)| Some((value.len(), value.parse().ok()?)));
    let (length, value) = parsed.ok_or(bad)?;
    *rest = &tail[length..];
    Ok(Some(value))
}

/// True for a `HEAD` on a base URL, with nothing of an API behind it.
///
/// Clients open their connections with one before they have anything to ask, and look at the answer
/// no further: it is for nobody but who listens here.
pub fn is_greeting(method: &Method, path: &str) -> bool {
    let beginning = path.strip_suffix('/').unwrap_or(path);
    // One more segment, so that a value at the end is one.
    let whole = format!("{beginning}/");
    *method == Method::HEAD
        && Address::parse(&whole, |_| false).is_ok_and(|address| address.path == "/")
}

/// A path without the version that it begins with.
pub fn without_version(path: &str) -> &str {
    let rest = ["/v1", "/v1beta", "/v1alpha", "/v1beta1"]
        .iter()
        .find_map(|version| path.strip_prefix(version).filter(|rest| rest.starts_with('/')));
    rest.unwrap_or(path)
}

/// The methods of Google's models that are understood.
const GEMINI_METHODS: [(&str, Endpoint); 5] = [
    ("generateContent", Endpoint::GenerateContent),
    ("streamGenerateContent", Endpoint::StreamGenerateContent),
    ("countTokens", Endpoint::GeminiCountTokens),
    ("embedContent", Endpoint::EmbedContent),
    ("batchEmbedContents", Endpoint::BatchEmbedContents),
];

/// The model that a path of Google's names, `/models/MODEL:METHOD`, and the operation on it.
///
/// A name in which servers could read something else, like an escape, is none.
pub fn gemini_call(path: &str) -> Option<(&str, Endpoint)> {
    let (model, method) = without_version(path).strip_prefix("/models/")?.split_once(':')?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let (_, endpoint) = GEMINI_METHODS.iter().find(|(name, _)| *name == method)?;
    (!model.is_empty() && model.bytes().all(plain)).then_some((model, *endpoint))
}

/// One slash between segments, no dot segments, no escaped dots, slashes back or NUL.
pub(crate) fn is_ambiguous(path: &str) -> bool {
    let escaped = |code: &str| {
        path.as_bytes().windows(3).any(|window| window.eq_ignore_ascii_case(code.as_bytes()))
    };
    !path.starts_with('/')
        || path.contains("//")
        || path.contains('\\')
        || segments(path).any(|segment| matches!(segment, "." | ".."))
        || (path.contains('%') && (escaped("%2e") || escaped("%00") || escaped("%5c")))
}

/// The segments of a path, also for a server that takes an escaped slash for one.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').flat_map(|part| part.split("%2f")).flat_map(|part| part.split("%2F"))
}

/// The dialect of a path without an upstream's name: told by the path, else by the credentials.
pub fn dialect_of(path: &str, query: Option<&str>, headers: &http::HeaderMap) -> Dialect {
    let path = without_version(path);
    if let Some(platform) = platform_of(path) {
        return platform.dialect();
    }
    let method = path.rsplit_once(':').map(|(_, method)| method);
    if GEMINI_METHODS.iter().any(|(name, _)| method == Some(*name)) {
        return Dialect::Gemini;
    }
    if path.starts_with("/openai/") {
        return Dialect::Gemini;
    }
    let others = path.starts_with("/messages")
        || matches!(operation(Dialect::OpenAi, &Method::POST, path), Operation::Known(_));
    let gemini = headers.contains_key(GOOGLE_KEY)
        || headers.contains_key("x-goog-api-client")
        || (query_has_key(query) && !headers.contains_key("authorization"));
    if gemini && !others {
        return Dialect::Gemini;
    }
    let anthropic = path.starts_with("/messages")
        || headers.contains_key("anthropic-version")
        || (headers.contains_key("x-api-key") && !headers.contains_key("authorization"));
    if anthropic { Dialect::Anthropic } else { Dialect::OpenAi }
}

/// The WebSocket endpoint that a path (without its version) of a dialect means.
pub fn socket(dialect: Dialect, method: &Method, path: &str) -> Option<Socket> {
    match (dialect, path) {
        (Dialect::OpenAi, "/responses") if method == Method::GET => Some(Socket::Responses),
        (Dialect::OpenAi, "/realtime") if method == Method::GET => Some(Socket::Realtime),
        _ => None,
    }
}

/// What a method on a path (without its version) of a dialect means.
pub fn operation(dialect: Dialect, method: &Method, path: &str) -> Operation {
    if dialect == Dialect::Gemini {
        return gemini_operation(method, path);
    }
    if method == Method::POST {
        return match (dialect, path) {
            (Dialect::OpenAi, "/chat/completions") => Operation::Known(Endpoint::ChatCompletions),
            (Dialect::OpenAi, "/completions") => Operation::Known(Endpoint::Completions),
            (Dialect::OpenAi, "/responses") => Operation::Known(Endpoint::Responses),
            (Dialect::OpenAi, "/embeddings") => Operation::Known(Endpoint::Embeddings),
            (Dialect::OpenAi, "/moderations") => Operation::Known(Endpoint::Moderations),
            (Dialect::OpenAi, "/batches") => Operation::Known(Endpoint::Batches),
            (Dialect::OpenAi, "/images/generations") => {
                Operation::Known(Endpoint::ImageGenerations)
            }
            (Dialect::OpenAi, "/images/edits") => Operation::Known(Endpoint::ImageEdits),
            (Dialect::OpenAi, "/images/variations") => Operation::Known(Endpoint::ImageVariations),
            (Dialect::OpenAi, "/audio/speech") => Operation::Known(Endpoint::Speech),
            (Dialect::OpenAi, "/audio/transcriptions") => {
                Operation::Known(Endpoint::Transcriptions)
            }
            (Dialect::OpenAi, "/audio/translations") => Operation::Known(Endpoint::Translations),
            (Dialect::Anthropic, "/messages/batches") => Operation::Known(Endpoint::MessageBatches),
            (_, "/files") => Operation::Upload,
            (Dialect::Anthropic, "/messages") => Operation::Known(Endpoint::Messages),
            (Dialect::Anthropic, "/messages/count_tokens") => {
                Operation::Known(Endpoint::CountTokens)
            }
            _ if is_cancel(dialect, path) => Operation::Free,
            _ => Operation::Unpriced,
        };
    }
    let family = path[1..].split('/').next().unwrap_or_default();
    let read = method == Method::GET || method == Method::HEAD;
    let free = match family {
        "models" | "chat" | "responses" | "conversations" | "messages" | "files" | "batches" => {
            read || method == Method::DELETE
        }
        // What an organisation lets its users do: Claude Code asks at its start.
        "api" => read && dialect == Dialect::Anthropic && path.starts_with("/api/claude_code/"),
        _ => false,
    };
    if free { Operation::Free } else { Operation::Unpriced }
}

/// Whether a path stops a batch: `/batches/ID/cancel`.
fn is_cancel(dialect: Dialect, path: &str) -> bool {
    let batches = match dialect {
        Dialect::OpenAi => "/batches/",
        Dialect::Anthropic => "/messages/batches/",
        Dialect::Gemini | Dialect::Bedrock => return false,
    };
    let id = path.strip_prefix(batches).and_then(|rest| rest.strip_suffix("/cancel"));
    id.is_some_and(|id| !id.is_empty() && !id.contains('/'))
}

/// What a path costs that nobody here counts, and what would do instead; empty where nothing is to
/// be said. `path` may begin with a version.
pub fn instead(path: &str) -> &'static str {
    match without_version(path).split('/').nth(1).unwrap_or_default() {
        "uploads" => {
            ". A file in parts cannot be read as a whole: send it in one with POST /v1/files, after \
             raising proxy.max_body_mib where it is large"
        }
        "vector_stores" => {
            ". What is stored costs by the day, and searches cost by the call, long after this one"
        }
        "assistants" | "threads" => {
            ". A run's turns are the provider's and their cost comes later: use /v1/responses"
        }
        "fine_tuning" => {
            ". Training is billed by the hour or by passes over files, after this call"
        }
        "videos" => ". Films are billed by the second of what is made, after this call",
        _ => "",
    }
}

/// The same for Google's. Reading and deleting is free; a read with a method, like
/// `GET models/MODEL:generateContent`, is none.
fn gemini_operation(method: &Method, path: &str) -> Operation {
    if let Some(compatible) = path.strip_prefix("/openai").filter(|rest| rest.starts_with('/')) {
        return match operation(Dialect::OpenAi, method, compatible) {
            known @ Operation::Known(Endpoint::ChatCompletions | Endpoint::Embeddings) => known,
            Operation::Free if compatible.starts_with("/models") => Operation::Free,
            _ => Operation::Unpriced,
        };
    }
    if method == Method::POST {
        let known = gemini_call(path).map(|(_, endpoint)| Operation::Known(endpoint));
        return known.unwrap_or(Operation::Unpriced);
    }
    let read = method == Method::GET || method == Method::HEAD;
    let family = path[1..].split('/').next().unwrap_or_default();
    let free = match family {
        "models" => read,
        "files" | "cachedContents" | "batches" => read || method == Method::DELETE,
        _ => false,
    };
    if free && !path.contains([':', '%']) { Operation::Free } else { Operation::Unpriced }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &str) -> Result<Address<'_>, BadPath> {
        Address::parse(path, |name| matches!(name, "openai" | "groq"))
    }

    #[test]
    fn prefixes_come_off_in_their_order() {
        for (path, agent, upstream, rest) in [
            ("/v1/models", None, None, "/v1/models"),
            ("/openai/v1/models", None, Some("openai"), "/v1/models"),
            ("/agent/nightly/v1/messages", Some("nightly"), None, "/v1/messages"),
            ("/agent/n/groq/chat/completions", Some("n"), Some("groq"), "/chat/completions"),
            ("/openai", None, Some("openai"), "/"),
            ("/run/r1/depth/2/groq/v1/models", None, Some("groq"), "/v1/models"),
        ] {
            let address = parse(path).unwrap();
            let name = address.agent.as_ref().map(Name::as_str);
            assert_eq!((name, address.upstream, address.path), (agent, upstream, rest), "{path}");
        }
    }

    #[test]
    fn a_path_may_say_the_run_and_the_depth() {
        let address = parse("/agent/a/run/run-1/depth/3/v1/messages").unwrap();
        assert_eq!(address.agent.as_ref().map(Name::as_str), Some("a"));
        assert_eq!(address.run.as_ref().map(Name::as_str), Some("run-1"));
        assert_eq!((address.depth, address.path), (Some(3), "/v1/messages"));
        // In another order the second is no prefix but a path, which nothing is known of.
        assert_eq!(parse("/run/r/agent/a/v1/messages").unwrap().path, "/agent/a/v1/messages");
    }

    #[test]
    fn a_head_on_a_base_url_is_a_greeting() {
        for path in ["/", "/agent/nightly", "/agent/nightly/", "/agent/n/run/r1/depth/2"] {
            assert!(is_greeting(&Method::HEAD, path), "{path}");
            assert!(!is_greeting(&Method::GET, path), "{path}");
        }
        for path in ["/v1", "/v1/models", "/agent", "/agent/n/v1/messages", "//", "/agent/a b"] {
            assert!(!is_greeting(&Method::HEAD, path), "{path}");
        }
    }

    #[test]
    fn a_path_that_servers_read_differently_is_refused() {
        for path in [
            "//v1/models",
            "/v1//models",
            "/v1/../admin",
            "/v1/./models",
            "/v1/%2e%2e/admin",
            "/v1/%2E./x",
            "/v1/files/..%2Fmodels",
            "/v1/files/a%2f..%2F..%2fb",
            "/v1/a%00b",
            "/v1\\models",
            "*",
        ] {
            assert_eq!(parse(path), Err(BadPath::Ambiguous), "{path}");
        }
        assert_eq!(parse("/run/r"), Err(BadPath::Run));
        for path in ["/depth/1", "/depth/256/v1/models", "/depth/-1/v1", "/depth/one/v1"] {
            assert_eq!(parse(path), Err(BadPath::Depth), "{path}");
        }
        assert_eq!(parse("/agent/x"), Err(BadPath::Agent));
        assert_eq!(parse("/agent/a b/v1"), Err(BadPath::Agent));
        assert!(parse("/v1/models/meta%2Fllama").is_ok());
    }

    #[test]
    fn only_what_is_known_to_be_free_is_free() {
        let openai = |method, path| operation(Dialect::OpenAi, &method, path);
        assert_eq!(
            openai(Method::POST, "/chat/completions"),
            Operation::Known(Endpoint::ChatCompletions)
        );
        assert_eq!(openai(Method::POST, "/moderations"), Operation::Known(Endpoint::Moderations));
        assert_eq!(openai(Method::POST, "/files"), Operation::Upload);
        assert_eq!(operation(Dialect::Anthropic, &Method::POST, "/files"), Operation::Upload);
        assert_eq!(openai(Method::POST, "/files/file-1"), Operation::Unpriced);
        assert_eq!(openai(Method::GET, "/files/file-1/content"), Operation::Free);
        assert_eq!(openai(Method::GET, "/models"), Operation::Free);
        let claude = |method| operation(Dialect::Anthropic, &method, "/api/claude_code/settings");
        assert_eq!(
            (claude(Method::GET), claude(Method::POST)),
            (Operation::Free, Operation::Unpriced)
        );
        assert_eq!(openai(Method::GET, "/api/claude_code/settings"), Operation::Unpriced);
        assert_eq!(openai(Method::DELETE, "/responses/resp_1"), Operation::Free);
        assert_eq!(openai(Method::POST, "/vector_stores"), Operation::Unpriced);
        assert_eq!(openai(Method::GET, "/images/generations"), Operation::Unpriced);
        assert_eq!(openai(Method::POST, "/messages"), Operation::Unpriced);
        assert_eq!(openai(Method::POST, "/batches/b/cancel"), Operation::Free);
        assert_eq!(openai(Method::POST, "/batches/b/c/cancel"), Operation::Unpriced);
        assert_eq!(openai(Method::POST, "/batches//cancel"), Operation::Unpriced);
        assert_eq!(openai(Method::GET, "/realtime"), Operation::Unpriced);
        assert_eq!(openai(Method::GET, "/"), Operation::Unpriced);
    }

    #[test]
    fn the_dialect_is_told_by_path_then_by_headers() {
        let mut headers = http::HeaderMap::new();
        assert_eq!(dialect_of("/models", None, &headers), Dialect::OpenAi);
        assert_eq!(dialect_of("/models", Some("key=k"), &headers), Dialect::Gemini);
        assert_eq!(dialect_of("/models/ft:gpt-4o:x", Some("limit=2"), &headers), Dialect::OpenAi);
        assert_eq!(dialect_of("/models/g:generateContent", None, &headers), Dialect::Gemini);
        assert_eq!(dialect_of("/messages", None, &headers), Dialect::Anthropic);
        assert_eq!(dialect_of("/v1/responses", Some("key=k"), &headers), Dialect::OpenAi);
        headers.insert("x-api-key", http::HeaderValue::from_static("k"));
        assert_eq!(dialect_of("/models", None, &headers), Dialect::Anthropic);
        headers.insert("authorization", http::HeaderValue::from_static("Bearer k"));
        assert_eq!(dialect_of("/models", None, &headers), Dialect::OpenAi);
        headers.insert(GOOGLE_KEY, http::HeaderValue::from_static("k"));
        assert_eq!(dialect_of("/models", None, &headers), Dialect::Gemini);
        assert_eq!(dialect_of("/v1beta/files", None, &headers), Dialect::Gemini);
        assert_eq!(dialect_of("/messages", None, &headers), Dialect::Anthropic);
        assert_eq!(dialect_of("/v1/chat/completions", None, &headers), Dialect::OpenAi);
    }

    #[test]
    fn googles_paths_name_a_model_and_a_method() {
        let gemini = |method, path| operation(Dialect::Gemini, &method, without_version(path));
        for (path, endpoint) in [
            ("/v1beta/models/gemini-2.5-flash:generateContent", Endpoint::GenerateContent),
            ("/v1/models/gemini-2.5-flash:generateContent", Endpoint::GenerateContent),
            ("/v1beta/models/g:streamGenerateContent", Endpoint::StreamGenerateContent),
            ("/v1beta/models/g:countTokens", Endpoint::GeminiCountTokens),
            ("/v1beta/models/g:embedContent", Endpoint::EmbedContent),
            ("/v1beta/models/g:batchEmbedContents", Endpoint::BatchEmbedContents),
        ] {
            assert_eq!(gemini(Method::POST, path), Operation::Known(endpoint), "{path}");
            assert_eq!(gemini(Method::GET, path), Operation::Unpriced, "{path}");
        }
        let call = gemini_call("/v1beta/models/gemini-2.5-flash:generateContent");
        assert_eq!(call.map(|(model, _)| model), Some("gemini-2.5-flash"));
        for path in [
            "/v1beta/models/g%3AgenerateContent",
            "/v1beta/models/a:b:generateContent",
            "/v1beta/models/a/b:generateContent",
            "/v1beta/models/:generateContent",
            "/v1beta/models/g:batchGenerateContent",
            "/v1beta/models/g:predict",
            "/v1beta/tunedModels/g:generateContent",
            "/v1beta/cachedContents",
            "/upload/v1beta/files",
        ] {
            assert_eq!(gemini(Method::POST, path), Operation::Unpriced, "{path}");
        }
        for path in ["/v1beta/models", "/v1/models/gemini-2.5-flash", "/v1beta/files/x"] {
            assert_eq!(gemini(Method::GET, path), Operation::Free, "{path}");
        }
        assert_eq!(gemini(Method::GET, "/v1beta/models/g%3Ax"), Operation::Unpriced);
        assert_eq!(gemini(Method::DELETE, "/v1beta/cachedContents/x"), Operation::Free);
    }
}
