//! The paths of platforms: Azure OpenAI, Amazon Bedrock, Vertex AI, and the compatible path of Gemini.
//!
//! A platform serves dialects that are spoken elsewhere too, at paths of its own that name the
//! model. Names in which servers could read something else, like a second escape, are none.

use std::borrow::Cow;

use http::Method;
use iron_policy::config::Upstream;
use iron_policy::outline::Endpoint;
use iron_policy::types::{Dialect, Platform};

use super::{Operation, gemini_call, operation, without_version};

/// What a method on a path of an upstream means.
pub fn operation_at(
    dialect: Dialect,
    platform: Option<Platform>,
    method: &Method,
    path: &str,
) -> Operation {
    let path = without_version(path);
    match platform {
        None => operation(dialect, method, path),
        Some(Platform::Azure) => azure(method, path),
        Some(Platform::Bedrock) => bedrock(method, path),
        Some(Platform::Vertex) => vertex(method, path),
    }
}

/// The platform that a path without an upstream's name must mean.
pub fn platform_of(path: &str) -> Option<Platform> {
    let path = without_version(path);
    let begins = |words: &[&str]| words.iter().any(|word| path.starts_with(word));
    if begins(&["/model/"]) {
        Some(Platform::Bedrock)
    } else if begins(&["/projects/", "/publishers/"]) {
        Some(Platform::Vertex)
    } else if begins(&["/openai/deployments/", "/openai/v1/"]) {
        Some(Platform::Azure)
    } else {
        None
    }
}

/// The dialect that a call and its refusals are in: that of the operation, else of its upstream.
pub fn spoken(upstream: &Upstream, operation: Operation, path: &str) -> Dialect {
    match operation {
        Operation::Known(endpoint) => endpoint.dialect(),
        _ if without_version(path).starts_with("/openai/") => Dialect::OpenAi,
        _ => upstream.dialect,
    }
}

/// The model that a path names, its escapes undone.
pub fn model_in(upstream: &Upstream, path: &str) -> Option<String> {
    let path = without_version(path);
    match upstream.platform {
        None if upstream.dialect != Dialect::Gemini => None,
        None => gemini_call(path).map(|(model, _)| model.to_owned()),
        Some(Platform::Azure) => deployment(path).map(|(name, _)| name.to_owned()),
        Some(Platform::Bedrock) => bedrock_call(path).map(|(model, _)| model.into_owned()),
        Some(Platform::Vertex) => {
            let (publisher, model, method) = vertex_call(path)?;
            // The path of a count names no model; its body does.
            let counts = publisher == "anthropic" && model == COUNT_TOKENS;
            (!counts && !method.is_empty()).then(|| model.to_owned())
        }
    }
}

/// The model that a name in a call means on an upstream.
pub fn model_meant<'a>(upstream: &'a Upstream, spoken: Dialect, name: &'a str) -> &'a str {
    let meant = upstream.model(name);
    // Google's compatible paths write a model's name as that of a resource, or with its publisher.
    let written = match (spoken, upstream.dialect, upstream.platform) {
        (Dialect::OpenAi, Dialect::Gemini, None) => "models/",
        (Dialect::OpenAi, Dialect::Gemini, Some(_)) => "google/",
        _ => return meant,
    };
    meant.strip_prefix(written).unwrap_or(meant)
}

/// Whether a path keeps the call in a region, where that has a price of its own and the model's
/// name does not say so.
///
/// On Vertex AI, Claude 4.5 and later cost a tenth more at regional and multi-region endpoints than
/// at the global one (<https://cloud.google.com/vertex-ai/generative-ai/pricing>).
pub fn costs_more_in_region(upstream: &Upstream, path: &str, model: &str) -> bool {
    const BEFORE: [&str; 4] =
        ["claude-3", "claude-opus-4@", "claude-sonnet-4@", "claude-opus-4-1@"];
    upstream.platform == Some(Platform::Vertex)
        && model.starts_with("claude-")
        && !BEFORE.iter().any(|name| model.starts_with(name))
        && !["claude-opus-4", "claude-sonnet-4", "claude-opus-4-1"].contains(&model)
        && !path.contains("/locations/global/")
}

/// Deployments take the operations of OpenAI's models; the rest stands below `/openai`, newer
/// paths with a version.
fn azure(method: &Method, path: &str) -> Operation {
    if let Some((_, rest)) = deployment(path) {
        return match operation(Dialect::OpenAi, method, rest) {
            Operation::Free | Operation::Upload => Operation::Unpriced,
            Operation::Known(endpoint) if endpoint.is_batch() || endpoint.is_upload() => {
                Operation::Unpriced
            }
            known => known,
        };
    }
    let rest = path.strip_prefix("/openai").filter(|rest| rest.starts_with('/')).unwrap_or(path);
    let rest = without_version(rest);
    match operation(Dialect::OpenAi, method, rest) {
        // What a batch's lines and a form call a model there are names of deployments.
        Operation::Known(endpoint) if endpoint.is_batch() || endpoint.is_upload() => {
            Operation::Unpriced
        }
        _ if rest.starts_with("/deployments/") => Operation::Unpriced,
        known => known,
    }
}

/// The deployment that a path of Azure's names, and what is asked of it.
fn deployment(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("/openai/deployments/")?;
    let end = rest.find('/')?;
    let (name, rest) = rest.split_at(end);
    is_plain(name, "._-").then_some((name, rest))
}

const BEDROCK_METHODS: [(&str, Endpoint); 5] = [
    ("converse", Endpoint::Converse),
    ("converse-stream", Endpoint::ConverseStream),
    ("invoke", Endpoint::InvokeModel),
    ("invoke-with-response-stream", Endpoint::InvokeModelStream),
    ("count-tokens", Endpoint::BedrockCountTokens),
];

fn bedrock(method: &Method, path: &str) -> Operation {
    if let Some(rest) = path.strip_prefix("/openai").filter(|rest| rest.starts_with('/')) {
        return match operation(Dialect::OpenAi, method, without_version(rest)) {
            known @ Operation::Known(Endpoint::ChatCompletions) => known,
            Operation::Free if rest == "/v1/models" => Operation::Free,
            _ => Operation::Unpriced,
        };
    }
    match bedrock_call(path) {
        Some((_, endpoint)) if method == Method::POST => Operation::Known(endpoint),
        _ => Operation::Unpriced,
    }
}

/// `/model/ID/METHOD`, the id with its colons and slashes escaped or not.
fn bedrock_call(path: &str) -> Option<(Cow<'_, str>, Endpoint)> {
    let (id, method) = path.strip_prefix("/model/")?.split_once('/')?;
    let (_, endpoint) = BEDROCK_METHODS.iter().find(|(name, _)| *name == method)?;
    let id = unescaped(id)?;
    is_plain(&id, "._-:/").then_some((id, *endpoint))
}

/// Undoes the escapes of a path's segment once.
fn unescaped(segment: &str) -> Option<Cow<'_, str>> {
    if !segment.contains('%') {
        return Some(Cow::Borrowed(segment));
    }
    let mut parts = segment.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..2)?;
        let byte = u8::from_str_radix(code, 16).ok().filter(|_| !code.starts_with('+'))?;
        out.push(char::from(byte));
        out.push_str(&part[2..]);
    }
    Some(Cow::Owned(out))
}

/// What stands in place of a model where Vertex AI counts tokens for Claude.
const COUNT_TOKENS: &str = "count-tokens";

fn vertex(method: &Method, path: &str) -> Operation {
    if let Some(rest) = in_location(path) {
        if rest == "/endpoints/openapi/chat/completions" && method == Method::POST {
            return Operation::Known(Endpoint::ChatCompletions);
        }
        let family = rest[1..].split('/').next().unwrap_or_default();
        let read = method == Method::GET || method == Method::HEAD;
        if family == "cachedContents" && (read || method == Method::DELETE) && is_simple(rest) {
            return Operation::Free;
        }
    }
    if method == Method::GET && path.starts_with("/publishers/") && is_simple(path) {
        return Operation::Free;
    }
    let Some((publisher, model, call)) = vertex_call(path).filter(|_| method == Method::POST)
    else {
        return Operation::Unpriced;
    };
    match (publisher, call) {
        ("anthropic", "rawPredict") if model == COUNT_TOKENS => {
            Operation::Known(Endpoint::CountTokens)
        }
        ("anthropic", "rawPredict") => Operation::Known(Endpoint::RawPredict),
        ("anthropic", "streamRawPredict") => Operation::Known(Endpoint::StreamRawPredict),
        ("google", "batchEmbedContents") => Operation::Unpriced,
        ("google", call) => {
            let known = super::GEMINI_METHODS.iter().find(|(name, _)| *name == call);
            known.map_or(Operation::Unpriced, |(_, endpoint)| Operation::Known(*endpoint))
        }
        _ => Operation::Unpriced,
    }
}

/// Publisher, model and method of a path of Vertex AI's.
fn vertex_call(path: &str) -> Option<(&str, &str, &str)> {
    let rest = in_location(path).unwrap_or(path).strip_prefix("/publishers/")?;
    let (publisher, rest) = rest.split_once("/models/")?;
    let (model, method) = rest.split_once(':')?;
    (is_plain(publisher, "-") && is_plain(model, "._-@")).then_some((publisher, model, method))
}

/// What stands behind `/projects/PROJECT/locations/LOCATION`.
fn in_location(path: &str) -> Option<&str> {
    let (project, rest) = path.strip_prefix("/projects/")?.split_once("/locations/")?;
    let end = rest.find('/')?;
    let (location, rest) = rest.split_at(end);
    // The projects of an organisation are written `example.com:project`.
    (is_plain(project, "._-:") && is_plain(location, "-")).then_some(rest)
}

fn is_plain(name: &str, also: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
}

/// Neither a method behind a colon nor an escape.
fn is_simple(path: &str) -> bool {
    !path.contains([':', '%'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(platform: Platform, path: &str) -> (Operation, Option<String>) {
        let text = format!(
            "[[upstream]]\nname = \"a\"\nbase_url = \"https://x\"\nplatform = \"{}\"\n",
            platform.name()
        );
        let policy = iron_policy::config::Policy::parse(&text).unwrap();
        let upstream = &policy.upstreams[0];
        let operation = operation_at(upstream.dialect, Some(platform), &Method::POST, path);
        (operation, model_in(upstream, path))
    }

    #[test]
    fn a_platforms_paths_name_operation_and_model() {
        use Platform::{Azure, Bedrock, Vertex};
        let vertex = "/v1/projects/p-1/locations/us-east5/publishers";
        let arn = "arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Famazon.nova-pro-v1%3A0";
        for (platform, path, endpoint, model) in [
            (
                Azure,
                "/openai/deployments/my-gpt/chat/completions",
                Endpoint::ChatCompletions,
                Some("my-gpt"),
            ),
            (Azure, "/openai/deployments/e/embeddings", Endpoint::Embeddings, Some("e")),
            (Azure, "/openai/v1/responses", Endpoint::Responses, None),
            (Azure, "/openai/responses", Endpoint::Responses, None),
            (Azure, "/v1/chat/completions", Endpoint::ChatCompletions, None),
            (
                Bedrock,
                "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse",
                Endpoint::Converse,
                Some("us.anthropic.claude-haiku-4-5-20251001-v1:0"),
            ),
            (
                Bedrock,
                "/model/amazon.nova-pro-v1:0/converse-stream",
                Endpoint::ConverseStream,
                Some("amazon.nova-pro-v1:0"),
            ),
            (
                Bedrock,
                &format!("/model/{arn}/invoke"),
                Endpoint::InvokeModel,
                Some("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0"),
            ),
            (Bedrock, "/openai/v1/chat/completions", Endpoint::ChatCompletions, None),
            (
                Vertex,
                &format!("{vertex}/google/models/gemini-2.5-pro:streamGenerateContent"),
                Endpoint::StreamGenerateContent,
                Some("gemini-2.5-pro"),
            ),
            (
                Vertex,
                &format!("{vertex}/anthropic/models/claude-haiku-4-5@20251001:rawPredict"),
                Endpoint::RawPredict,
                Some("claude-haiku-4-5@20251001"),
            ),
            (
                Vertex,
                &format!("{vertex}/anthropic/models/count-tokens:rawPredict"),
                Endpoint::CountTokens,
                None,
            ),
            (
                Vertex,
                "/v1beta1/publishers/google/models/gemini-2.5-pro:generateContent",
                Endpoint::GenerateContent,
                Some("gemini-2.5-pro"),
            ),
            (
                Vertex,
                "/v1/projects/p/locations/global/endpoints/openapi/chat/completions",
                Endpoint::ChatCompletions,
                None,
            ),
        ] {
            let found = at(platform, path);
            assert_eq!(found, (Operation::Known(endpoint), model.map(str::to_owned)), "{path}");
        }
    }

    #[test]
    fn what_servers_could_read_differently_is_no_call() {
        use Platform::{Azure, Bedrock, Vertex};
        for (platform, path) in [
            (Azure, "/openai/deployments/a%2Fb/chat/completions"),
            (Azure, "/openai/deployments/a/models"),
            (Azure, "/openai/deployments/a/extensions/chat/completions"),
            (Bedrock, "/model/a%253A0/converse"),
            (Bedrock, "/model/a%20b/converse"),
            (Bedrock, "/model/a%/converse"),
            (Bedrock, "/model/a/b/converse"),
            (Bedrock, "/model/a/async-invoke"),
            (Bedrock, "/model//converse"),
            (Bedrock, "/openai/v1/responses"),
            (Bedrock, "/guardrail/x/version/1/apply"),
            (Vertex, "/v1/projects/p/locations/l/publishers/google/models/g%3Agenerate"),
            (Vertex, "/v1/projects/p/locations/l/publishers/mistralai/models/m:rawPredict"),
            (Vertex, "/v1/projects/p/locations/l/publishers/google/models/imagen:predict"),
            (Vertex, "/v1/projects/p/locations/l/endpoints/123:generateContent"),
        ] {
            assert_eq!(at(platform, path).0, Operation::Unpriced, "{path}");
        }
    }
}
