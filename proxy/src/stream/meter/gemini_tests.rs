//! What Gemini's answers, as its reference shows them, come to in disjoint classes.

use iron_policy::types::TokenClass::{
    self, AudioCacheRead, AudioInput, AudioOutput, CacheRead, ImageOutput, Input, Output,
    Reasoning, ToolCall,
};

use super::*;

#[expect(clippy::unnecessary_wraps, reason = "compared with what was reported, if anything")]
fn usage<const N: usize>(classes: [(TokenClass, u64); N]) -> Option<Usage> {
    let with = |usage: Usage, (class, units): (TokenClass, u64)| usage.with(class, units);
    Some(classes.into_iter().fold(Usage::default(), with))
}

fn plain(body: &str) -> Metered {
    document(WireKind::Gemini, body.as_bytes()).unwrap()
}

const FIRST: &str = r#"{"candidates":[{"content":{"parts":[{"text":"say \"usageMetadata\":{}"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":100,"candidatesTokenCount":3,"totalTokenCount":103},"modelVersion":"gemini-2.5-flash","responseId":"r"}"#;
const LAST: &str = r#"{"candidates":[{"content":{"parts":[{"text":"."}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":100,"cachedContentTokenCount":60,"candidatesTokenCount":20,"thoughtsTokenCount":30,"toolUsePromptTokenCount":5,"totalTokenCount":155,"serviceTier":"STANDARD","promptTokensDetails":[{"modality":"TEXT","tokenCount":100}]},"modelVersion":"gemini-2.5-flash"}"#;

#[test]
fn the_last_report_of_a_stream_counts() {
    let mut meter = Meter::new(WireKind::Gemini);
    meter.event(FIRST.as_bytes());
    assert_eq!(meter.metered().usage, usage([(Input, 100), (Output, 3)]));
    assert!(!meter.metered().usage_is_final);
    meter.event(LAST.as_bytes());
    assert!(meter.metered().usage_is_final && !meter.metered().complete);
    meter.end();
    let metered = Metered {
        usage: usage([(Input, 45), (CacheRead, 60), (Output, 20), (Reasoning, 30)]),
        usage_is_final: true,
        model: Some("gemini-2.5-flash".to_owned()),
        service_tier: Some("standard".to_owned()),
        complete: true,
        error: None,
    };
    assert_eq!(*meter.metered(), metered);
    assert_eq!(plain(LAST), metered);
    // The same stream without server-sent events.
    assert_eq!(plain(&format!("[{FIRST},\r\n{LAST}]")), metered);
}

#[test]
fn a_stream_that_breaks_off_has_no_last_word() {
    let mut meter = Meter::new(WireKind::Gemini);
    meter.event(FIRST.as_bytes());
    meter.end();
    assert!(!meter.metered().usage_is_final && !meter.metered().complete);
    // Of two candidates one has finished.
    let mut meter = Meter::new(WireKind::Gemini);
    meter.event(br#"{"candidates":[{"index":0},{"index":1}]}"#);
    meter.event(br#"{"candidates":[{"index":1,"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1}}"#);
    assert!(!meter.metered().usage_is_final);
    meter.event(br#"{"candidates":[{"index":0,"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":4}}"#);
    assert!(meter.metered().usage_is_final);
    assert_eq!(meter.metered().usage, usage([(Input, 1), (Output, 4)]));
}

#[test]
fn an_error_in_a_stream_is_its_end() {
    let mut meter = Meter::new(WireKind::Gemini);
    meter.event(FIRST.as_bytes());
    meter.event(
        br#"{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#,
    );
    meter.end();
    assert_eq!(meter.metered().error.as_deref(), Some("UNAVAILABLE"));
    assert!(!meter.metered().complete && !meter.metered().usage_is_final);
}

#[test]
fn a_refused_prompt_is_read_and_billed() {
    let metered = plain(
        r#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9}}"#,
    );
    assert_eq!((metered.usage, metered.usage_is_final), (usage([(Input, 9)]), true));
    let mut meter = Meter::new(WireKind::Gemini);
    meter.event(
        br#"{"promptFeedback":{"blockReason":"OTHER"},"usageMetadata":{"promptTokenCount":9}}"#,
    );
    assert!(meter.metered().usage_is_final);
}

#[test]
fn modalities_with_prices_of_their_own_are_apart() {
    let metered = plain(
        r#"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1000,"cachedContentTokenCount":400,"candidatesTokenCount":1300,"totalTokenCount":2300,
            "promptTokensDetails":[{"modality":"TEXT","tokenCount":300},{"modality":"AUDIO","tokenCount":600},{"modality":"IMAGE","tokenCount":100}],
            "cacheTokensDetails":[{"modality":"AUDIO","tokenCount":250},{"modality":"TEXT","tokenCount":150}],
            "candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":1290},{"modality":"AUDIO","tokenCount":4}]}}"#,
    );
    let classes = [
        (Input, 250),
        (CacheRead, 150),
        (AudioInput, 350),
        (AudioCacheRead, 250),
        (Output, 6),
        (AudioOutput, 4),
        (ImageOutput, 1290),
    ];
    assert_eq!(metered.usage, usage(classes));
    assert_eq!(metered.usage.map(|usage| usage.input_tokens()), Some(1000));
}

#[test]
fn what_only_the_total_has_is_not_free() {
    let metered = plain(
        r#"{"candidates":[{"finishReason":"MAX_TOKENS"}],"usageMetadata":{"promptTokenCount":10,"totalTokenCount":74}}"#,
    );
    assert_eq!(metered.usage, usage([(Input, 10), (Reasoning, 64)]));
    assert_eq!(plain(r#"{"candidates":[],"usageMetadata":{}}"#).usage, None);
    assert_eq!(plain(r#"{"embedding":{"values":[0.1]}}"#).usage, None);
    let embedded = r#"{"embeddings":[],"usageMetadata":{"promptTokenCount":4}}"#;
    assert_eq!(plain(embedded).usage, usage([(Input, 4)]));
}

#[test]
fn searches_are_billed_by_the_query_since_the_third_generation() {
    let answer = |model: &str, grounding: &str| {
        format!(
            r#"{{"candidates":[{{"finishReason":"STOP","groundingMetadata":{grounding}}}],"usageMetadata":{{"promptTokenCount":1}},"modelVersion":"{model}"}}"#
        )
    };
    let queries = r#"{"webSearchQueries":["a","b","c"]}"#;
    for (model, grounding, billed) in [
        ("gemini-3.8-flash", queries, 3),
        ("gemini-2.5-flash", queries, 1),
        ("", queries, 3),
        ("gemini-2.5-flash", "{}", 0),
        ("gemini-3.8-flash", r#"{"groundingChunks":[{"maps":{"uri":"x"}}]}"#, 1),
    ] {
        let metered = plain(&answer(model, grounding));
        assert_eq!(metered.usage, usage([(Input, 1), (ToolCall, billed)]), "{model} {grounding}");
    }
    // Where the queries come after the usage, they count all the same.
    let mut meter = Meter::new(WireKind::Gemini);
    meter.event(answer("gemini-3.8-flash", "{}").as_bytes());
    meter.event(br#"{"candidates":[{"groundingMetadata":{"webSearchQueries":["a","b"]}}]}"#);
    assert_eq!(meter.metered().usage, usage([(Input, 1), (ToolCall, 2)]));
}
