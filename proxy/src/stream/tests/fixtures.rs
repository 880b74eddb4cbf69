//! Streams as the providers' references show them, with a text cut into given pieces.

use serde_json::{Value, json};

use super::double::PLACEHOLDER;
use crate::stream::sse::{self, Data, Framer};
use crate::stream::{Metered, Restorers, StreamRelay, WireKind};
use bytes::Bytes;

/// One kind of text in one dialect.
pub(super) struct Shape {
    pub(super) name: &'static str,
    pub(super) kind: WireKind,
    /// The text is itself JSON.
    pub(super) json: bool,
    /// The whole stream.
    pub(super) stream: fn(&[&str]) -> String,
    /// The piece of the text in one event's data.
    pub(super) piece: fn(&Value) -> Option<&str>,
}

pub(super) const SHAPES: [Shape; 10] = [
    Shape {
        name: "chat text",
        kind: WireKind::Chat,
        json: false,
        stream: chat,
        piece: |event| event["choices"][0]["delta"]["content"].as_str(),
    },
    Shape {
        name: "chat tool arguments",
        kind: WireKind::Chat,
        json: true,
        stream: chat_tool,
        piece: |event| {
            event["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str()
        },
    },
    Shape {
        name: "chat text of some vendor",
        kind: WireKind::Chat,
        json: false,
        stream: chat_vendor,
        piece: |event| event["choices"][0]["delta"]["a \"note\""].as_str(),
    },
    Shape {
        name: "completion",
        kind: WireKind::Completions,
        json: false,
        stream: completion,
        piece: |event| event["choices"][0]["text"].as_str(),
    },
    Shape {
        name: "responses text",
        kind: WireKind::Responses,
        json: false,
        stream: responses_text,
        piece: |event| event["delta"].as_str(),
    },
    Shape {
        name: "responses arguments",
        kind: WireKind::Responses,
        json: true,
        stream: responses_arguments,
        piece: |event| event["delta"].as_str(),
    },
    Shape {
        name: "messages text",
        kind: WireKind::Messages,
        json: false,
        stream: messages_text,
        piece: |event| event["delta"]["text"].as_str(),
    },
    Shape {
        name: "messages tool input",
        kind: WireKind::Messages,
        json: true,
        stream: messages_input,
        piece: |event| event["delta"]["partial_json"].as_str(),
    },
    Shape {
        name: "gemini text",
        kind: WireKind::Gemini,
        json: false,
        stream: gemini_text,
        piece: |event| event["candidates"][0]["content"]["parts"][0]["text"].as_str(),
    },
    Shape {
        name: "gemini thought before a function call",
        kind: WireKind::Gemini,
        json: false,
        stream: gemini_thought,
        piece: |event| event["candidates"][0]["content"]["parts"][0]["text"].as_str(),
    },
];

fn data(value: &Value) -> String {
    format!("data: {value}\n\n")
}

fn named(value: &Value) -> String {
    format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap())
}

fn chunk(choice: &Value) -> String {
    data(&json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_790_000_000,
        "model": "gpt-5.4", "service_tier": "default", "system_fingerprint": null,
        "choices": [choice], "usage": null, "obfuscation": "x8"}))
}

pub(super) const USAGE_CHUNK: &str = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"gpt-5.4\",\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":7,\"total_tokens\":18}}\n\n";

pub(super) fn chat(pieces: &[&str]) -> String {
    let choice = |delta: Value, finish: Value| {
        chunk(&json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}))
    };
    let mut out = choice(json!({"role": "assistant", "content": "", "refusal": null}), Value::Null);
    for piece in pieces {
        out += &choice(json!({ "content": piece }), Value::Null);
    }
    out + &choice(json!({}), json!("stop")) + USAGE_CHUNK + "data: [DONE]\n\n"
}

fn chat_vendor(pieces: &[&str]) -> String {
    let choice = |delta: Value| chunk(&json!({"index": 0, "delta": delta, "finish_reason": null}));
    let pieces = pieces.iter().map(|piece| choice(json!({"content": "", "a \"note\"": piece})));
    pieces.collect::<String>() + "data: [DONE]\n\n"
}

fn chat_tool(pieces: &[&str]) -> String {
    let choice = |delta: Value| chunk(&json!({"delta": delta, "finish_reason": null, "index": 0}));
    let mut out = choice(json!({"role": "assistant", "content": null, "tool_calls": [
        {"index": 0, "id": "call_1", "type": "function",
         "function": {"name": "send", "arguments": ""}}]}));
    for piece in pieces {
        out += &choice(json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}));
    }
    out + &chunk(&json!({"index": 0, "delta": {}, "finish_reason": "tool_calls"}))
        + "data: [DONE]\n\n"
}

fn completion(pieces: &[&str]) -> String {
    let chunk = |text: &str, finish: Value| {
        data(&json!({"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m",
            "choices": [{"text": text, "index": 0, "logprobs": null, "finish_reason": finish}]}))
    };
    let mut out = String::new();
    for piece in pieces {
        out += &chunk(piece, Value::Null);
    }
    out + &chunk("", json!("stop")) + "data: [DONE]\n\n"
}

fn responses(item: impl Fn(&str) -> Value, middle: Vec<Value>, whole: &str) -> String {
    let response = |status: &str, output: Value, usage: Value| {
        json!({"id": "resp_1", "object": "response", "status": status, "model": "gpt-5.4",
            "error": null, "output": output, "service_tier": "default", "usage": usage})
    };
    let mut events = vec![
        json!({"type": "response.created",
            "response": response("in_progress", json!([]), Value::Null)}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": item("")}),
    ];
    events.extend(middle);
    events
        .push(json!({"type": "response.output_item.done", "output_index": 0, "item": item(whole)}));
    let usage = json!({"input_tokens": 11, "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 18});
    events.push(json!({"type": "response.completed",
        "response": response("completed", json!([item(whole)]), usage)}));
    let mut out = String::new();
    for (number, mut event) in events.into_iter().enumerate() {
        event["sequence_number"] = json!(number);
        out += &named(&event);
    }
    out
}

fn responses_text(pieces: &[&str]) -> String {
    let whole = pieces.concat();
    let item = |text: &str| {
        json!({"id": "msg_1", "type": "message", "role": "assistant", "content": [
            {"type": "output_text", "annotations": [], "text": text}]})
    };
    let place = json!({"item_id": "msg_1", "output_index": 0, "content_index": 0});
    let event = |kind: &str, name: &str, value: Value| {
        let mut event = place.clone();
        event["type"] = json!(kind);
        event[name] = value;
        event
    };
    let part = |text: &str| json!({"type": "output_text", "annotations": [], "text": text});
    let mut middle = vec![event("response.content_part.added", "part", part(""))];
    for piece in pieces {
        let mut delta = event("response.output_text.delta", "delta", json!(piece));
        delta["logprobs"] = json!([]);
        delta["obfuscation"] = json!("pad");
        middle.push(delta);
    }
    middle.push(event("response.output_text.done", "text", json!(whole)));
    middle.push(event("response.content_part.done", "part", part(&whole)));
    responses(item, middle, &whole)
}

fn responses_arguments(pieces: &[&str]) -> String {
    let whole = pieces.concat();
    let item = |arguments: &str| {
        json!({"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "send",
            "arguments": arguments})
    };
    let mut middle: Vec<_> = pieces
        .iter()
        .map(|piece| {
            json!({"type": "response.function_call_arguments.delta", "item_id": "fc_1",
                "output_index": 0, "delta": piece})
        })
        .collect();
    middle.push(json!({"type": "response.function_call_arguments.done", "item_id": "fc_1",
        "output_index": 0, "arguments": whole}));
    responses(item, middle, &whole)
}

fn messages(block: &Value, deltas: Vec<Value>) -> String {
    let mut out = named(&json!({"type": "message_start", "message": {"id": "msg_1",
        "type": "message", "role": "assistant", "model": "claude-opus-4-6", "content": [],
        "stop_reason": null, "usage": {"input_tokens": 11, "output_tokens": 1}}}));
    out += &named(&json!({"type": "content_block_start", "index": 0, "content_block": block}));
    out += "event: ping\ndata: {\"type\": \"ping\"}\n\n";
    for delta in deltas {
        out += &named(&json!({"type": "content_block_delta", "index": 0, "delta": delta}));
    }
    out += &named(&json!({"type": "content_block_stop", "index": 0}));
    out += &named(&json!({"type": "message_delta", "delta": {"stop_reason": "end_turn",
        "stop_sequence": null}, "usage": {"output_tokens": 7}}));
    out + &named(&json!({"type": "message_stop"}))
}

fn messages_text(pieces: &[&str]) -> String {
    let deltas = pieces.iter().map(|piece| json!({"type": "text_delta", "text": piece}));
    messages(&json!({"type": "text", "text": ""}), deltas.collect())
}

fn messages_input(pieces: &[&str]) -> String {
    let deltas =
        pieces.iter().map(|piece| json!({"type": "input_json_delta", "partial_json": piece}));
    messages(
        &json!({"type": "tool_use", "id": "toolu_1", "name": "send", "input": {}}),
        deltas.collect(),
    )
}

pub(super) fn gemini_chunk(candidate: &Value, output: u64) -> String {
    data(&json!({"candidates": [candidate], "modelVersion": "gemini-3.8-flash",
        "responseId": "r1", "usageMetadata": {"promptTokenCount": 11,
            "candidatesTokenCount": output, "totalTokenCount": 11 + output}}))
}

/// The index comes last, as the API writes it; the first candidate may have none.
fn gemini_text(pieces: &[&str]) -> String {
    let mut out = String::new();
    for piece in pieces {
        out += &gemini_chunk(
            &json!({"content": {"parts": [{"text": piece}], "role": "model"}, "index": 0}),
            1,
        );
    }
    out + &gemini_chunk(&json!({"finishReason": "STOP", "index": 0}), 7)
}

fn gemini_thought(pieces: &[&str]) -> String {
    let content = |part: Value| json!({"content": {"parts": [part], "role": "model"}});
    let mut out = String::new();
    for piece in pieces {
        let part = json!({"thought": true, "text": piece, "thoughtSignature": PLACEHOLDER});
        out += &gemini_chunk(&content(part), 1);
    }
    let call =
        json!({"functionCall": {"name": "send", "args": {"to": 1}}, "thoughtSignature": "s"});
    out += &gemini_chunk(&content(call), 5);
    out + &gemini_chunk(&json!({"content": {"role": "model"}, "finishReason": "STOP"}), 7)
}

/// Runs a stream that arrives in these chunks through a relay.
pub(super) fn run<'a, F: Restorers>(
    mut relay: StreamRelay<F>,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (String, Metered) {
    let mut out = Vec::new();
    for chunk in chunks {
        relay.push(Bytes::copy_from_slice(chunk), &mut out).unwrap();
    }
    let metered = relay.finish(&mut out).unwrap();
    (String::from_utf8(out.concat()).unwrap(), metered)
}

/// The data of every event, `[DONE]` as a string.
pub(super) fn events(stream: &str) -> Vec<Value> {
    let mut framer = Framer::default();
    let mut chunk = Bytes::copy_from_slice(stream.as_bytes());
    let mut raw = Vec::new();
    while let Some(event) = framer.next(&mut chunk).unwrap() {
        raw.push(event);
    }
    raw.extend(framer.rest());
    let value = |event: &Bytes| match Data::of(event).bytes() {
        [] => None,
        b"[DONE]" => Some(json!("[DONE]")),
        data => {
            let value: Value = serde_json::from_slice(data).unwrap();
            if let Some(name) = sse::name(event) {
                assert_eq!(value["type"].as_str().unwrap().as_bytes(), name);
            }
            Some(value)
        }
    };
    raw.iter().filter_map(value).collect()
}

/// The channel's text, as a client joins it.
pub(super) fn text(shape: &Shape, stream: &str) -> String {
    let events = events(stream);
    events.iter().filter_map(shape.piece).collect()
}
