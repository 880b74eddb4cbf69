//! A body of any endpoint is read: whatever it is, and where it is understood, every position
//! lies in it.
//!
//! The first byte chooses the endpoint.

use iron_policy::json::Reader;
use iron_policy::outline::{Endpoint, Outline, path_at};
use iron_policy::redact::{Edit, splice};

/// The endpoints with a body.
pub const ENDPOINTS: [Endpoint; 6] = [
    Endpoint::ChatCompletions,
    Endpoint::Completions,
    Endpoint::Responses,
    Endpoint::Embeddings,
    Endpoint::Messages,
    Endpoint::CountTokens,
];

/// Reads the body and checks every position.
pub fn check(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let endpoint = ENDPOINTS[usize::from(*first) % ENDPOINTS.len()];
    let Ok(outline) = Outline::read(body, endpoint) else { return };
    let text = std::str::from_utf8(body).unwrap();

    let mut last = 0;
    for span in &outline.spans {
        let range = span.text.range();
        assert!(last <= range.start, "spans out of order at {range:?}");
        assert_eq!(text.get(range.clone()), Some(span.text.raw()));
        assert!(!path_at(body, range.start).is_empty(), "no path to {range:?}");
        last = range.end;
    }
    assert_eq!(text.get(outline.model.range()), Some(outline.model.raw()));
    for range in &outline.max_output_at {
        assert!(text.get(range.clone()).is_some_and(|number| number.parse::<f64>().is_ok()));
    }
    // What the proxy itself writes leaves a body that says so.
    if endpoint.usage_is_optional() {
        let asked: Vec<Edit> = outline.ask_for_usage().into_iter().collect();
        let asked = spliced(body, &asked);
        assert!(Outline::read(&asked, endpoint).unwrap().wants_usage());
    }
    if endpoint.output_limit_field().is_some() {
        let limited = spliced(body, &outline.limit_output(endpoint, 7));
        assert_eq!(Outline::read(&limited, endpoint).unwrap().max_output, Some(7));
    }
}

fn spliced(body: &[u8], edits: &[Edit]) -> Vec<u8> {
    let body = splice(body, edits);
    assert!(Reader::new(&body).is_ok_and(|mut reader| reader.skip().is_ok()));
    body
}
