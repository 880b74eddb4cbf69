//! Anthropic's answers: `POST /v1/messages`, `/v1/messages/count_tokens`, `GET /v1/models`.

use serde_json::{Value, json};

use super::behaviour::Report;
use super::bill::{MODELS, Usage, Vendor};
use super::draft::{Content, Draft, Finish, tokens};
use super::sse::Event;

/// The answer in one piece.
pub(super) fn plain(draft: &Draft) -> Value {
    let mut body = message(draft);
    if let Some(choice) = draft.choices.first() {
        body["content"] = json!([match &choice.content {
            Content::Text(text) => json!({ "type": "text", "text": text }),
            Content::ToolCall { name, arguments, .. } => {
                // Arguments that the limit has cut are no JSON; the provider then leaves them out.
                let input: Value = serde_json::from_str(arguments).unwrap_or_else(|_| json!({}));
                tool_use(draft, name, &input)
            }
        }]);
        body["stop_reason"] = json!(stop_reason(choice.finish));
    }
    if draft.report != Report::Never {
        body["usage"] = usage(&draft.usage, draft.usage.all_output());
    }
    body
}

/// The answer as events: usage at the start, and cumulative at the end.
pub(super) fn stream(draft: &Draft) -> Vec<Event> {
    let mut start = message(draft);
    if draft.report != Report::Never {
        start["usage"] = usage(&draft.usage, draft.usage.all_output().min(1));
    }
    let mut events = vec![Event::typed(&json!({ "type": "message_start", "message": start }))];
    let mut stopped = "end_turn";
    if let Some(choice) = draft.choices.first() {
        stopped = stop_reason(choice.finish);
        let block = match &choice.content {
            Content::Text(_) => json!({ "type": "text", "text": "" }),
            Content::ToolCall { name, .. } => tool_use(draft, name, &json!({})),
        };
        events.push(Event::typed(&json!({
            "type": "content_block_start", "index": 0, "content_block": block,
        })));
        events.push(Event::typed(&json!({ "type": "ping" })));
        for token in tokens(choice.content.generated()) {
            let delta = match &choice.content {
                Content::Text(_) => json!({ "type": "text_delta", "text": token }),
                Content::ToolCall { .. } => {
                    json!({ "type": "input_json_delta", "partial_json": token })
                }
            };
            let event = json!({ "type": "content_block_delta", "index": 0, "delta": delta });
            events.push(Event::typed(&event).tokens(1));
        }
        events.push(Event::typed(&json!({ "type": "content_block_stop", "index": 0 })));
    }
    let mut end = json!({
        "type": "message_delta",
        "delta": { "stop_reason": stopped, "stop_sequence": null },
    });
    if draft.report != Report::Never {
        end["usage"] = usage(&draft.usage, draft.usage.all_output());
    }
    if draft.report == Report::Twice {
        events.push(Event::typed(&end));
    }
    events.push(Event::typed(&end));
    events.push(Event::typed(&json!({ "type": "message_stop" })));
    events
}

/// The answer of `count_tokens`.
pub(super) fn count_tokens(input_tokens: u64) -> Value {
    json!({ "input_tokens": input_tokens })
}

/// One model.
pub(super) fn model(name: &str) -> Value {
    json!({
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": "2025-10-01T00:00:00Z",
    })
}

/// All models.
pub(super) fn models() -> Value {
    let ours = MODELS.iter().filter(|m| m.vendor == Vendor::Anthropic);
    let data: Vec<Value> = ours.map(|m| model(m.name)).collect();
    json!({
        "first_id": data.first().map(|m| &m["id"]),
        "last_id": data.last().map(|m| &m["id"]),
        "has_more": false,
        "data": data,
    })
}

fn message(draft: &Draft) -> Value {
    json!({
        "id": format!("msg_simulated{:08}", draft.number),
        "type": "message",
        "role": "assistant",
        "model": draft.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
    })
}

fn tool_use(draft: &Draft, name: &str, input: &Value) -> Value {
    json!({
        "type": "tool_use",
        "id": format!("toolu_simulated{:08}", draft.number),
        "name": name,
        "input": input,
    })
}

fn stop_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::ToolCall => "tool_use",
        Finish::Length => "max_tokens",
    }
}

fn usage(usage: &Usage, output_tokens: u64) -> Value {
    json!({
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
        "output_tokens": output_tokens,
        "service_tier": "standard",
    })
}
