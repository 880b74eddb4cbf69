//! What each vendor's answers, as their references show them, come to in disjoint classes.

use iron_policy::types::TokenClass;
use iron_policy::types::TokenClass::{
    AudioInput, AudioOutput, CacheRead, CacheWrite, CacheWrite1h, Input, Output, Reasoning,
    ToolCall,
};

use super::*;

#[expect(clippy::unnecessary_wraps, reason = "compared with what was reported, if anything")]
fn usage<const N: usize>(classes: [(TokenClass, u64); N]) -> Option<Usage> {
    let with = |usage: Usage, (class, units): (TokenClass, u64)| usage.with(class, units);
    Some(classes.into_iter().fold(Usage::default(), with))
}

fn stream(kind: WireKind, events: &[&str]) -> Metered {
    let mut meter = Meter::new(kind);
    for event in events {
        meter.event(event.as_bytes());
    }
    meter.end();
    meter.metered().clone()
}

fn plain(kind: WireKind, body: &str) -> Metered {
    document(kind, body.as_bytes()).unwrap()
}

const DELTA: &str = r#"{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-5.4","service_tier":"default","choices":[{"index":0,"delta":{"content":"say \"usage\":{\"prompt_tokens\":9}"},"finish_reason":null}],"usage":null}"#;
const STOP: &str =
    r#"{"model":"gpt-5.4","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}"#;

#[test]
fn chat_usage_comes_in_a_chunk_of_its_own() {
    let last = r#"{"model":"gpt-5.4","choices":[],"usage":{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"prompt_tokens_details":{"cached_tokens":30,"audio_tokens":20},"completion_tokens_details":{"reasoning_tokens":10,"audio_tokens":5,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}"#;
    let mut meter = Meter::new(WireKind::Chat);
    assert_eq!(meter.event(DELTA.as_bytes()), Noted::Other);
    assert_eq!(meter.metered().usage, None);
    assert_eq!(meter.event(STOP.as_bytes()), Noted::Other);
    assert_eq!(meter.event(last.as_bytes()), Noted::UsageOnly);
    assert!(meter.metered().usage_is_final && !meter.metered().complete);
    meter.event(b"[DONE]");
    assert_eq!(
        *meter.metered(),
        Metered {
            usage: usage([
                (Input, 50),
                (CacheRead, 30),
                (AudioInput, 20),
                (Output, 35),
                (Reasoning, 10),
                (AudioOutput, 5),
            ]),
            usage_is_final: true,
            model: Some("gpt-5.4".to_owned()),
            service_tier: Some("default".to_owned()),
            complete: true,
            error: None,
        }
    );
}

#[test]
fn compatible_vendors_put_usage_where_they_like() {
    let plain_usage = usage([(Input, 7), (Output, 3)]);
    for (vendor, last) in [
        (
            "OpenRouter",
            r#"{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10,"cost":0.1}}"#,
        ),
        (
            "Groq",
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"r","usage":{"queue_time":0.1,"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}}"#,
        ),
        (
            "Moonshot",
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}]}"#,
        ),
        (
            "no completion count",
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"total_tokens":10}}"#,
        ),
    ] {
        let seen = stream(WireKind::Chat, &[DELTA, last, "[DONE]"]);
        assert_eq!(seen.usage, plain_usage, "{vendor}");
        assert!(seen.complete && seen.usage_is_final, "{vendor}");
    }
    let deepseek = r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"prompt_cache_hit_tokens":6,"prompt_cache_miss_tokens":3,"completion_tokens_details":{"reasoning_tokens":1}}}"#;
    assert_eq!(
        stream(WireKind::Chat, &[deepseek]).usage,
        usage([(Input, 3), (CacheRead, 6), (Output, 3), (Reasoning, 1)])
    );
    let xai = r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":113,"completion_tokens_details":{"reasoning_tokens":100}}}"#;
    assert_eq!(
        stream(WireKind::Chat, &[xai]).usage,
        usage([(Input, 9), (Output, 4), (Reasoning, 100)])
    );
}

#[test]
fn continuous_usage_is_the_last_one_and_final_only_at_the_end() {
    let chunk = |tokens: u64| {
        format!(
            r#"{{"model":"m","choices":[{{"index":0,"delta":{{"content":"x"}},"finish_reason":null}}],"usage":{{"prompt_tokens":5,"completion_tokens":{tokens},"total_tokens":{}}}}}"#,
            5 + tokens
        )
    };
    let mut meter = Meter::new(WireKind::Chat);
    meter.event(chunk(1).as_bytes());
    meter.event(chunk(2).as_bytes());
    assert_eq!(meter.metered().usage, usage([(Input, 5), (Output, 2)]));
    assert!(!meter.metered().usage_is_final);
    meter.event(b"[DONE]");
    assert_eq!(meter.metered().usage, usage([(Input, 5), (Output, 2)]));
    assert!(meter.metered().usage_is_final);
}

#[test]
fn missing_is_none_and_zero_is_zero() {
    let missing = stream(WireKind::Chat, &[DELTA, STOP, "[DONE]"]);
    assert_eq!((missing.usage, missing.complete), (None, true));
    let empty = r#"{"choices":[],"usage":{}}"#;
    assert_eq!(stream(WireKind::Chat, &[DELTA, empty]).usage, None);
    let zero =
        r#"{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}"#;
    assert_eq!(stream(WireKind::Chat, &[DELTA, zero]).usage, usage([]));
    let twice = stream(WireKind::Chat, &[zero, zero, "[DONE]"]);
    assert_eq!(twice.usage, usage([]));
}

#[test]
fn a_stream_that_breaks_off_is_not_complete() {
    assert!(!stream(WireKind::Chat, &[DELTA]).complete);
    assert!(stream(WireKind::Chat, &[DELTA, STOP]).complete);
    let error = r#"{"error":{"message":"secret","type":"server_error","code":null}}"#;
    let seen = stream(WireKind::Chat, &[DELTA, error, "[DONE]"]);
    assert_eq!((seen.complete, seen.error.as_deref()), (false, Some("server_error")));
    let text = stream(WireKind::Chat, &[r#"{"error":"secret words"}"#]);
    assert_eq!(text.error.as_deref(), Some("error"));
}

#[test]
fn whole_openai_answers() {
    let chat = plain(
        WireKind::Chat,
        r#"{"id":"c","object":"chat.completion","model":"gpt-5.4","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10},"service_tier":"flex"}"#,
    );
    assert_eq!(chat.usage, usage([(Input, 8), (Output, 2)]));
    assert_eq!(chat.service_tier.as_deref(), Some("flex"));
    assert!(chat.complete && chat.usage_is_final);
    let embeddings = plain(
        WireKind::Embeddings,
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-2e-3]}],"model":"text-embedding-3-small","usage":{"prompt_tokens":8,"total_tokens":8}}"#,
    );
    assert_eq!(embeddings.usage, usage([(Input, 8)]));
    let body = r#"{"object":"list","data":[],"model":"voyage","usage":{"total_tokens":8}}"#;
    assert_eq!(plain(WireKind::Embeddings, body).usage, usage([(Input, 8)]));
    assert!(document(WireKind::Chat, b"{\"usage\":{}").is_err());
    assert!(document(WireKind::Chat, b"{} {}").is_err());
}

const RESPONSE: &str = r#"{"id":"resp_1","object":"response","status":"completed","error":null,"model":"gpt-5.4-2026-03-05","output":[{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"q"}},{"type":"web_search_call","id":"ws_2","action":{"type":"open_page","url":"u"}},{"type":"file_search_call","id":"fs_1","queries":["a"]},{"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"hi","annotations":[]}]}],"service_tier":"priority","usage":{"input_tokens":75,"input_tokens_details":{"cached_tokens":32},"output_tokens":120,"output_tokens_details":{"reasoning_tokens":64},"total_tokens":195}}"#;

#[test]
fn responses_report_at_the_end() {
    let expected =
        usage([(Input, 43), (CacheRead, 32), (Output, 56), (Reasoning, 64), (ToolCall, 2)]);
    for end in ["completed", "incomplete", "failed"] {
        let mut meter = Meter::new(WireKind::Responses);
        meter.event(br#"{"type":"response.created","response":{"id":"resp_1","model":"gpt-5.4","error":null,"usage":null,"output":[]},"sequence_number":0}"#);
        meter.event(br#"{"type":"response.output_text.delta","item_id":"msg_1","output_index":0,"content_index":0,"delta":"hi","sequence_number":4}"#);
        assert!(!meter.metered().complete && meter.metered().usage.is_none());
        meter.event(
            format!(r#"{{"type":"response.{end}","sequence_number":5,"response":{RESPONSE}}}"#)
                .as_bytes(),
        );
        let seen = meter.metered();
        assert_eq!(seen.usage, expected);
        assert_eq!(seen.model.as_deref(), Some("gpt-5.4-2026-03-05"));
        assert_eq!(seen.service_tier.as_deref(), Some("priority"));
        assert!(seen.complete && seen.usage_is_final, "{end}");
    }
    assert_eq!(plain(WireKind::Responses, RESPONSE).usage, expected);
    let error =
        r#"{"type":"error","code":"server_error","message":"m","param":null,"sequence_number":1}"#;
    let seen = stream(WireKind::Responses, &[error]);
    assert_eq!((seen.complete, seen.error.as_deref()), (false, Some("server_error")));
}

const MESSAGE_START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-4-6","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"cache_creation_input_tokens":300,"cache_read_input_tokens":1000,"cache_creation":{"ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":200},"output_tokens":1,"service_tier":"standard"}}}"#;
const TEXT_DELTA: &str =
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}"#;
const MESSAGE_DELTA: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":25,"cache_creation_input_tokens":300,"cache_read_input_tokens":1000,"output_tokens":42,"server_tool_use":{"web_search_requests":2}}}"#;

#[test]
fn anthropic_reports_cumulatively() {
    let mut meter = Meter::new(WireKind::Messages);
    meter.event(MESSAGE_START.as_bytes());
    meter.event(TEXT_DELTA.as_bytes());
    let so_far =
        [(Input, 25), (CacheRead, 1000), (CacheWrite, 100), (CacheWrite1h, 200), (Output, 1)];
    assert_eq!(meter.metered().usage, usage(so_far));
    assert!(!meter.metered().usage_is_final && !meter.metered().complete);
    meter.event(MESSAGE_DELTA.as_bytes());
    let whole = usage([
        (Input, 25),
        (CacheRead, 1000),
        (CacheWrite, 100),
        (CacheWrite1h, 200),
        (Output, 42),
        (ToolCall, 2),
    ]);
    assert_eq!(meter.metered().usage, whole);
    assert!(meter.metered().usage_is_final && !meter.metered().complete);
    meter.event(br#"{"type":"message_stop"}"#);
    assert!(meter.metered().complete);
    assert_eq!(meter.metered().service_tier.as_deref(), Some("standard"));
    assert_eq!(meter.metered().model.as_deref(), Some("claude-opus-4-6"));
}

#[test]
fn anthropic_details() {
    let late = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}"#;
    let seen = stream(WireKind::Messages, &[MESSAGE_START, late, late]);
    assert_eq!(seen.usage.map(|usage| usage.of(Output)), Some(3));
    assert_eq!(seen.usage.map(|usage| usage.of(CacheWrite1h)), Some(200));
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#;
    let seen = stream(WireKind::Messages, &[MESSAGE_START, error]);
    assert_eq!((seen.complete, seen.error.as_deref()), (false, Some("overloaded_error")));
    let message = plain(
        WireKind::Messages,
        r#"{"type":"message","model":"claude-opus-4-6","content":[],"usage":{"input_tokens":3,"cache_creation_input_tokens":8,"cache_read_input_tokens":null,"output_tokens":4,"speed":"fast","iterations":[{"type":"compaction","input_tokens":100,"output_tokens":10},{"type":"message","input_tokens":3,"output_tokens":4}]}}"#,
    );
    assert_eq!(message.usage, usage([(Input, 103), (CacheWrite, 8), (Output, 14)]));
    assert_eq!(message.service_tier.as_deref(), Some("fast"));
}
