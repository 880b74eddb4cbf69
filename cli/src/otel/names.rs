//! What calls are called by the conventions for generative AI, and how many names there may be.
//! <https://github.com/open-telemetry/semantic-conventions-genai>, as of November 2026.

use std::collections::HashSet;

use iron_policy::config::Upstream;
use iron_policy::types::{Dialect, Outcome, Platform};
use iron_proxy::state::CallRecord;

/// The name of what has none that may be said.
pub(super) const OTHER: &str = "other";

/// `gen_ai.operation.name`: one of the convention's where one fits, else a word of ours.
pub(super) fn operation(endpoint: &str) -> &'static str {
    match endpoint {
        "chat/completions"
        | "responses"
        | "responses/websocket"
        | "realtime"
        | "messages"
        | "converse"
        | "converse-stream"
        | "invoke"
        | "invoke-with-response-stream"
        | "rawPredict"
        | "streamRawPredict" => "chat",
        "completions" => "text_completion",
        "generateContent" | "streamGenerateContent" => "generate_content",
        "embeddings" | "embedContent" | "batchEmbedContents" => "embeddings",
        "images/generations" | "images/edits" | "images/variations" => "image",
        "audio/speech" => "speech",
        "audio/transcriptions" | "audio/translations" => "transcription",
        "moderations" => "moderation",
        "batches" | "messages/batches" => "batch",
        "messages/count_tokens" | "countTokens" | "count-tokens" => "count_tokens",
        _ => OTHER,
    }
}

/// `gen_ai.provider.name`: by the cloud, by the name that the operator gave the upstream or its
/// prices, else by the dialect. None where a call was refused before it had an upstream.
pub(super) fn provider(record: &CallRecord, upstream: Option<&Upstream>) -> Option<&'static str> {
    match upstream.and_then(|upstream| upstream.platform) {
        Some(Platform::Azure) => return Some("azure.ai.openai"),
        Some(Platform::Bedrock) => return Some("aws.bedrock"),
        Some(Platform::Vertex) => return Some("gcp.vertex_ai"),
        None => {}
    }
    let vendor = upstream.and_then(|upstream| upstream.vendor.as_deref());
    let name = record.upstream.as_ref().map(iron_policy::types::Name::as_str);
    let known = [vendor, name].into_iter().flatten().find_map(|name| {
        Some(match name {
            "openai" => "openai",
            "anthropic" => "anthropic",
            "cohere" => "cohere",
            "deepseek" => "deepseek",
            "groq" => "groq",
            "mistral" | "mistralai" => "mistral_ai",
            "moonshot" | "moonshotai" => "moonshot_ai",
            "perplexity" => "perplexity",
            "xai" | "x-ai" => "x_ai",
            "watsonx" => "ibm.watsonx.ai",
            _ => return None,
        })
    });
    known.or_else(|| {
        Some(match record.dialect? {
            Dialect::OpenAi => "openai",
            Dialect::Anthropic => "anthropic",
            Dialect::Gemini => "gcp.gemini",
            Dialect::Bedrock => "aws.bedrock",
        })
    })
}

/// `server.address` and `server.port`: where the upstream is, as the operator configured it.
pub(super) fn server(upstream: &Upstream) -> Option<(String, i64)> {
    let address: hyper::Uri = upstream.base_url.parse().ok()?;
    let usual = if address.scheme_str() == Some("http") { 80 } else { 443 };
    Some((address.host()?.to_owned(), i64::from(address.port_u16().unwrap_or(usual))))
}

/// `error.type`: the status that the provider answered, else the reason in a word of a closed set;
/// none where the call went well.
pub(super) fn error(record: &CallRecord) -> Option<String> {
    match record.outcome {
        Outcome::Ok => None,
        Outcome::UpstreamError if record.status != 0 => Some(record.status.to_string()),
        _ if record.reason.is_empty() => Some("_OTHER".to_owned()),
        _ => Some(record.reason.to_owned()),
    }
}

/// The model asked for, where what the caller wrote looks like the name of one: anything can be
/// written there. Empty where none was.
pub(super) fn model(record: &CallRecord) -> &str {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:/@".contains(&byte);
    // Names of models are words and numbers; a long run of both is rather a key.
    let parts = || record.model.split(|c: char| !c.is_ascii_alphanumeric());
    let plain = record.model.bytes().all(usual) && parts().all(|part| part.len() <= 24);
    if plain { &record.model } else { OTHER }
}

/// Names of one kind that have a series of their own. Callers choose them: there may be so many, and
/// a new one counts once a call with it was held or answered.
#[derive(Debug)]
pub(super) struct Known {
    names: HashSet<String>,
    most: usize,
}

impl Known {
    pub(super) fn up_to(most: usize) -> Self {
        Self { names: HashSet::new(), most }
    }

    /// The name, or [`OTHER`].
    pub(super) fn of(&mut self, name: &str, record: &CallRecord) -> String {
        if !self.names.contains(name) {
            let vouched = record.outcome == Outcome::Ok || record.reserved.0 > 0;
            if !vouched || self.names.len() >= self.most {
                return OTHER.to_owned();
            }
            self.names.insert(name.to_owned());
        }
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use iron_policy::outline::Endpoint;
    use iron_policy::types::{CallId, NanoUsd};

    use super::*;

    fn record() -> CallRecord {
        CallRecord::new(CallId(1))
    }

    #[test]
    fn every_operation_that_is_priced_has_a_name() {
        for endpoint in Endpoint::ALL {
            assert_ne!(operation(endpoint.name()), OTHER, "{}", endpoint.name());
        }
        assert_eq!(operation("free"), OTHER);
    }

    #[test]
    fn what_is_no_models_name_is_not_said() {
        let said =
            |text: &str| model(&CallRecord { model: text.to_owned(), ..record() }).to_owned();
        for name in [
            "",
            "gpt-4o-mini-2024-07-18",
            "claude-haiku-4-5",
            "us.anthropic.claude-sonnet-4-20250514-v1:0",
            "meta-llama/Llama-3.3-70B-Instruct",
            "publishers/anthropic/models/claude-sonnet-4@20250514",
        ] {
            assert_eq!(said(name), name);
        }
        for text in [
            "write to ada@example.org please",
            "sk-proj-CANARYa8Xk2Qv7Lm4Zr9Tb3Yw6Nc1Pd5",
            "{\"model\"",
            "modèle",
        ] {
            assert_eq!(said(text), OTHER);
        }
    }

    #[test]
    fn names_are_bounded_and_must_have_been_held_or_answered() {
        let mut known = Known::up_to(2);
        let refused = record();
        let held = CallRecord { reserved: NanoUsd(1), ..record() };
        let answered = CallRecord { outcome: Outcome::Ok, ..record() };
        assert_eq!(known.of("a", &refused), OTHER);
        assert_eq!(known.of("a", &held), "a");
        assert_eq!(known.of("a", &refused), "a");
        assert_eq!(known.of("b", &answered), "b");
        assert_eq!(known.of("c", &answered), OTHER);
    }

    #[test]
    fn an_error_is_the_providers_status_or_a_reason() {
        assert_eq!(error(&CallRecord { outcome: Outcome::Ok, reason: "ok", ..record() }), None);
        let upstream = CallRecord { outcome: Outcome::UpstreamError, status: 529, ..record() };
        assert_eq!(error(&upstream).as_deref(), Some("529"));
        let refused = CallRecord { reason: "budget", status: 402, ..record() };
        assert_eq!(error(&refused).as_deref(), Some("budget"));
    }
}
