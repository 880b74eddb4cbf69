//! Answers that are one document.

use bytes::Bytes;
use serde_json::{Value, json};

use super::double::{Double, PLACEHOLDER, VALUE, restored};
use crate::stream::plain;

fn restore(body: &Value) -> Value {
    let body = Bytes::from(serde_json::to_string_pretty(body).unwrap());
    serde_json::from_slice(&plain::restore(&body, &Double).unwrap()).unwrap()
}

#[test]
fn texts_are_restored_and_the_rest_is_left() {
    let arguments = format!("{{\"to\":\"{PLACEHOLDER}\"}}");
    let chat = restore(&json!({"id": PLACEHOLDER, "model": PLACEHOLDER, "choices": [{"index": 0,
        "message": {"role": "assistant", "content": format!("to {PLACEHOLDER}"),
            "tool_calls": [{"id": PLACEHOLDER, "type": "function",
                "function": {"name": "send", "arguments": arguments}}]},
        "logprobs": {"content": [{"token": PLACEHOLDER}]}, "finish_reason": "stop"}]}));
    let message = &chat["choices"][0]["message"];
    assert_eq!(message["content"], format!("to {VALUE}"));
    assert_eq!(message["tool_calls"][0]["function"]["arguments"], restored(&arguments, true));
    for left in [
        "/id",
        "/model",
        "/choices/0/message/tool_calls/0/id",
        "/choices/0/logprobs/content/0/token",
    ] {
        assert_eq!(chat.pointer(left).unwrap(), PLACEHOLDER, "{left}");
    }

    let message = restore(&json!({"type": "message", "content": [
        {"type": "thinking", "thinking": PLACEHOLDER, "signature": PLACEHOLDER},
        {"type": "redacted_thinking", "data": PLACEHOLDER},
        {"type": "tool_use", "id": "toolu_1", "name": "send",
            "input": {"id": PLACEHOLDER, "data": [{"type": PLACEHOLDER}]}}]}));
    assert_eq!(
        message["content"][0],
        json!({"type": "thinking", "thinking": VALUE, "signature": PLACEHOLDER})
    );
    assert_eq!(message["content"][1]["data"], PLACEHOLDER);
    assert_eq!(message["content"][2]["input"], json!({"id": VALUE, "data": [{"type": VALUE}]}));

    let response = restore(&json!({"output": [
        {"type": "reasoning", "encrypted_content": PLACEHOLDER, "summary": [{"type": "summary_text", "text": PLACEHOLDER}]},
        {"type": "function_call", "call_id": PLACEHOLDER, "arguments": arguments},
        {"type": "custom_tool_call", "input": PLACEHOLDER}]}));
    assert_eq!(response["output"][0]["encrypted_content"], PLACEHOLDER);
    assert_eq!(response["output"][0]["summary"][0]["text"], VALUE);
    assert_eq!(response["output"][1]["call_id"], PLACEHOLDER);
    assert_eq!(response["output"][1]["arguments"], restored(&arguments, true));
    assert_eq!(response["output"][2]["input"], VALUE);
}

#[test]
fn nothing_to_restore_is_the_very_same_bytes() {
    let body = Bytes::from_static(b" {\"content\" : [\"caf\\u00e9 <EMAIL\", 1.0e2]}\n");
    let out = plain::restore(&body, &Double).unwrap();
    assert_eq!((out.as_ptr(), out.len()), (body.as_ptr(), body.len()));
    assert!(plain::restore(&Bytes::from_static(b"{\"a\":"), &Double).is_err());
    assert!(plain::restore(&Bytes::from_static(b"{} {}"), &Double).is_err());
}

#[test]
fn only_the_literals_that_change_are_rewritten() {
    let body =
        Bytes::from(format!("{{\"a\" :\"\\u00e9\",\n\"text\": \"{PLACEHOLDER}\" , \"n\":1e0}}"));
    let escaped = serde_json::to_string(VALUE).unwrap();
    let expected = String::from_utf8(body.to_vec())
        .unwrap()
        .replace(PLACEHOLDER, &escaped[1..escaped.len() - 1]);
    assert_eq!(plain::restore(&body, &Double).unwrap(), expected);
}
