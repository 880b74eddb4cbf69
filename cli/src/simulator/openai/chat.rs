//! `POST /v1/chat/completions`.

use serde_json::{Value, json};

use super::{finish_reason, usage};
use crate::simulator::behaviour::Report;
use crate::simulator::draft::{Choice, Content, Draft, tokens};
use crate::simulator::sse::Event;

const FINGERPRINT: &str = "fp_simulated";

/// The answer in one piece.
pub(in crate::simulator) fn plain(draft: &Draft) -> Value {
    let choices: Vec<Value> = draft.choices.iter().enumerate().map(choice).collect();
    let mut body = json!({
        "id": id(draft),
        "object": "chat.completion",
        "created": draft.created,
        "model": draft.model,
        "choices": choices,
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    });
    if draft.report != Report::Never {
        body["usage"] = usage(&draft.usage);
    }
    body
}

fn choice((index, choice): (usize, &Choice)) -> Value {
    let mut message = json!({
        "role": "assistant", "content": null, "refusal": null, "annotations": [],
    });
    match &choice.content {
        Content::Text(text) => message["content"] = json!(text),
        Content::ToolCall { name, arguments, .. } => {
            message["tool_calls"] = json!([{
                "id": format!("call_simulated_{index}"),
                "type": "function",
                "function": { "name": name, "arguments": arguments },
            }]);
        }
    }
    json!({
        "index": index,
        "message": message,
        "logprobs": null,
        "finish_reason": finish_reason(choice.finish),
    })
}

/// The answer as chunks. With `include_usage` every chunk has a `usage` field, null but for a last
/// chunk without choices.
pub(in crate::simulator) fn stream(draft: &Draft, include_usage: bool) -> Vec<Event> {
    let chunk = |choices: Value| {
        let mut chunk = json!({
            "id": id(draft),
            "object": "chat.completion.chunk",
            "created": draft.created,
            "model": draft.model,
            "service_tier": "default",
            "system_fingerprint": FINGERPRINT,
            "choices": choices,
        });
        if include_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    };
    let delta = |index: usize, delta: Value, finish: Option<&str>| {
        Event::data(&chunk(json!([
            { "index": index, "delta": delta, "logprobs": null, "finish_reason": finish }
        ])))
    };
    let mut events = Vec::new();
    for (index, choice) in draft.choices.iter().enumerate() {
        match &choice.content {
            Content::Text(text) => {
                let start = json!({ "role": "assistant", "content": "", "refusal": null });
                events.push(delta(index, start, None));
                for token in tokens(text) {
                    events.push(delta(index, json!({ "content": token }), None).tokens(1));
                }
            }
            Content::ToolCall { name, arguments, .. } => {
                let start = json!({ "role": "assistant", "content": null, "tool_calls": [{
                    "index": 0,
                    "id": format!("call_simulated_{index}"),
                    "type": "function",
                    "function": { "name": name, "arguments": "" },
                }]});
                events.push(delta(index, start, None));
                for token in tokens(arguments) {
                    let part = json!({ "tool_calls": [
                        { "index": 0, "function": { "arguments": token } }
                    ]});
                    events.push(delta(index, part, None).tokens(1));
                }
            }
        }
        let finish = finish_reason(choice.finish);
        events.push(delta(index, json!({}), Some(finish)));
    }
    if include_usage && draft.report != Report::Never {
        let mut last = chunk(json!([]));
        last["usage"] = usage(&draft.usage);
        events.push(Event::data(&last));
        if draft.report == Report::Twice {
            events.push(Event::data(&last));
        }
    }
    events.push(Event::done());
    events
}

fn id(draft: &Draft) -> String {
    format!("chatcmpl-simulated{:08}", draft.number)
}
