//! Streamed answers, and the forms a stream can take on the wire.

use std::io::Read as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::{
    anthropic, call, chat_body, chat_stream, messages_body, openai, start, stream_as, streamed,
};
use crate::simulator::{Behaviour, Report, Usage};

fn said(events: &[Value]) -> String {
    let deltas = events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str());
    deltas.collect()
}

const SAID: &str = "You said: the 🦀 e-mail is a@b.org";

#[tokio::test]
async fn chat_tells_usage_only_if_asked() {
    let simulator = start();
    let answer = call(&simulator, chat_stream("hi")).await;
    assert_eq!(answer.header("content-type"), "text/event-stream; charset=utf-8");
    assert!(answer.text().ends_with("data: [DONE]\n\n"));
    let events = answer.events();
    // Role, `You `, `said`, `: hi`, finish.
    assert_eq!(events.len(), 5);
    assert_eq!(said(&events), "You said: hi");
    assert_eq!(events[4]["choices"][0]["finish_reason"], "stop");
    assert!(events.iter().all(|event| event.get("usage").is_none()));

    let mut body = streamed(chat_body("hi"));
    body["stream_options"] = json!({ "include_usage": true });
    let events = call(&simulator, openai("/v1/chat/completions", &body)).await.events();
    assert_eq!(events.len(), 6);
    assert!(events[..5].iter().all(|event| event["usage"].is_null()));
    assert_eq!(events[5]["choices"], json!([]));
    assert_eq!(events[5]["usage"]["completion_tokens"], 3);

    simulator.script([
        Behaviour::default().report(Report::Never),
        Behaviour::default().report(Report::Twice),
    ]);
    let told = |events: Vec<Value>| events.iter().filter(|e| e["usage"].is_object()).count();
    let answer = call(&simulator, openai("/v1/chat/completions", &body)).await;
    assert_eq!(told(answer.events()), 0);
    let answer = call(&simulator, openai("/v1/chat/completions", &body)).await;
    assert_eq!(told(answer.events()), 2);
}

#[tokio::test]
async fn anthropic_tells_usage_at_the_start_and_at_the_end() {
    let simulator = start();
    let request = anthropic("/v1/messages", &streamed(messages_body("hi")));
    let answer = call(&simulator, request).await;
    assert!(answer.text().starts_with("event: message_start\ndata: {\"type\":\"message_start\""));
    let events = answer.events();
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(
        kinds,
        [
            "message_start",
            "content_block_start",
            "ping",
            "content_block_delta",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
    );
    assert_eq!(events[0]["message"]["usage"]["input_tokens"], 2);
    assert_eq!(events[7]["usage"]["output_tokens"], 3);
    assert_eq!(events[7]["delta"]["stop_reason"], "end_turn");
}

#[tokio::test]
async fn responses_are_numbered_and_end_with_the_whole() {
    let simulator = start();
    let body = json!({ "model": "gpt-5-mini", "input": "hi", "stream": true });
    let events = call(&simulator, openai("/v1/responses", &body)).await.events();
    for (place, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], place);
    }
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.completed");
    assert_eq!(last["response"]["output"][0]["content"][0]["text"], "You said: hi");
    assert_eq!(last["response"]["usage"]["output_tokens"], 3);
}

#[tokio::test]
async fn tool_arguments_come_in_parts() {
    let simulator = start();
    let mut body = streamed(chat_body("call the tool"));
    body["tools"] = json!([{ "type": "function", "function": { "name": "f" } }]);
    let events = call(&simulator, openai("/v1/chat/completions", &body)).await.events();
    let parts = events.iter().filter_map(|event| {
        event["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str()
    });
    assert_eq!(parts.collect::<String>(), r#"{"text":"call the tool"}"#);
}

#[tokio::test]
async fn bytes_may_come_one_by_one() {
    let whole = stream_as(Behaviour::default()).await;
    assert_eq!(said(&whole.events()), SAID);
    let split = stream_as(Behaviour::default().split(1)).await;
    assert_eq!(said(&split.events()), SAID);
    assert!(split.chunks.iter().all(|chunk| *chunk == 1), "a crab is split in four");
    let split = stream_as(Behaviour::default().split(7)).await;
    assert!(split.chunks.iter().rev().skip(1).all(|chunk| *chunk == 7));
    assert_eq!(said(&split.events()), SAID);
}

#[tokio::test]
async fn lines_may_end_and_streams_may_stop_otherwise() {
    let answer = stream_as(Behaviour::default().crlf().unterminated()).await;
    assert!(answer.text().ends_with("\r\n\r\ndata: [DONE]\r\n"));
    assert_eq!(answer.text().matches('\n').count(), answer.text().matches("\r\n").count());
    assert_eq!(said(&answer.events()), SAID);
}

#[tokio::test]
async fn gzip_is_flushed_with_every_event() {
    let answer = stream_as(Behaviour::default().gzip()).await;
    assert_eq!(answer.header("content-encoding"), "gzip");
    let mut first = String::new();
    let some = &answer.body[..answer.chunks[0] + answer.chunks[1]];
    let cut_off = flate2::read::GzDecoder::new(some).read_to_string(&mut first);
    assert!(cut_off.is_err() && first.ends_with("\n\n"), "two whole events: {first}");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&answer.body[..]).read_to_string(&mut text).unwrap();
    assert!(text.ends_with("[DONE]\n\n"));
}

#[tokio::test]
async fn a_gap_lies_between_writes() {
    let simulator = start();
    simulator.script([Behaviour::default().gap(Duration::from_millis(10))]);
    let before = std::time::Instant::now();
    call(&simulator, chat_stream("hi")).await;
    // Five events and [DONE].
    assert!(before.elapsed() >= Duration::from_millis(5 * 10));
}

#[tokio::test]
async fn given_usage_is_told_in_each_dialects_way() {
    let simulator = start();
    simulator.always(Behaviour::say("ok").usage(Usage {
        input: 100,
        cache_read: 20,
        cache_write: 3,
        cache_write_1h: 4,
        output: 5,
        reasoning: 6,
        ..Usage::default()
    }));
    let usage = call(&simulator, super::chat("x")).await.json()["usage"].clone();
    assert_eq!(usage["prompt_tokens"], 127);
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 20);
    assert_eq!(usage["completion_tokens"], 11);
    assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 6);
    let answer = call(&simulator, anthropic("/v1/messages", &messages_body("x"))).await;
    let usage = answer.json()["usage"].clone();
    assert_eq!(usage["input_tokens"], 100);
    assert_eq!(usage["cache_read_input_tokens"], 20);
    assert_eq!(usage["cache_creation"]["ephemeral_5m_input_tokens"], 3);
    assert_eq!(usage["cache_creation"]["ephemeral_1h_input_tokens"], 4);
    assert_eq!(usage["output_tokens"], 11);
}
