//! A body of any endpoint is read: whatever it is, and where it is understood, every position
//! lies in it.
//!
//! The first byte chooses the endpoint.

use iron_policy::json::Reader;
use iron_policy::outline::{BadBody, Endpoint, Outline, path_at};
use iron_policy::redact::{Edit, SpanKind, splice};
use iron_policy::types::Dialect;
use serde_json::Value;

/// The endpoints with a body of JSON. Seeds choose by a character from `0` on, of which the first
/// is a multiple of their number.
pub const ENDPOINTS: [Endpoint; 12] = [
    Endpoint::ChatCompletions,
    Endpoint::Completions,
    Endpoint::Responses,
    Endpoint::Embeddings,
    Endpoint::Messages,
    Endpoint::CountTokens,
    Endpoint::Moderations,
    Endpoint::GenerateContent,
    Endpoint::StreamGenerateContent,
    Endpoint::GeminiCountTokens,
    Endpoint::EmbedContent,
    Endpoint::BatchEmbedContents,
];

/// The model that a path names, where it names one.
const IN_PATH: &str = "m";

/// Reads a body of this endpoint.
pub(crate) fn read(body: &[u8], endpoint: Endpoint) -> Result<Outline<'_>, BadBody> {
    let model = (endpoint.dialect() == Dialect::Gemini).then_some(IN_PATH);
    Outline::read_for(body, endpoint, model)
}

/// Reads the body and checks every position.
pub fn check(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let endpoint = ENDPOINTS[usize::from(*first) % ENDPOINTS.len()];
    let Ok(outline) = read(body, endpoint) else { return };
    let text = std::str::from_utf8(body).unwrap();

    let mut last = 0;
    for span in &outline.spans {
        let range = span.text.range();
        assert!(last <= range.start, "spans out of order at {range:?}");
        assert_eq!(text.get(range.clone()), Some(span.text.raw()));
        assert!(!path_at(body, range.start).is_empty(), "no path to {range:?}");
        let before = text[..range.start].chars().next_back();
        let quoted = before == Some('"') && text[range.end..].starts_with('"');
        let is_number = || span.text.raw().parse::<f64>().is_ok();
        match span.kind {
            SpanKind::Number => assert!(!quoted && is_number(), "no number at {range:?}"),
            SpanKind::Plain | SpanKind::Json => assert!(quoted, "no string at {range:?}"),
        }
        last = range.end;
    }
    if endpoint.dialect() == Dialect::Gemini {
        assert_eq!(outline.model, IN_PATH);
    } else {
        let whole: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(outline.model, whole["model"].as_str().unwrap_or_default());
    }
    for range in &outline.max_output_at {
        let limit = text.get(range.clone()).unwrap();
        assert!(limit == "null" || limit.parse::<f64>().is_ok(), "a limit of {limit}");
    }
    // What the proxy itself writes leaves a body that says so.
    if endpoint.usage_is_optional() {
        let asked: Vec<Edit> = outline.ask_for_usage().into_iter().collect();
        let asked = spliced(body, &asked);
        assert!(read(&asked, endpoint).unwrap().wants_usage());
    }
    if endpoint.output_limit_field().is_some() {
        let limited = spliced(body, &outline.limit_output(endpoint, 7));
        assert_eq!(read(&limited, endpoint).unwrap().max_output, Some(7));
    }
}

fn spliced(body: &[u8], edits: &[Edit]) -> Vec<u8> {
    let body = splice(body, edits);
    assert!(Reader::new(&body).is_ok_and(|mut reader| reader.skip().is_ok()));
    body
}
