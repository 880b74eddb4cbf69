//! `POST /v1/responses`: one output item, plain or as typed events.

use serde_json::{Value, json};

use crate::simulator::behaviour::Report;
use crate::simulator::draft::{Choice, Content, Draft, Finish, tokens};
use crate::simulator::sse::Event;

/// The answer in one piece.
pub(in crate::simulator) fn plain(draft: &Draft) -> Value {
    let output: Vec<Value> =
        draft.choices.first().map(|choice| item(draft, choice)).into_iter().collect();
    let cut = draft.choices.iter().any(|c| c.finish == Finish::Length);
    let mut body = response(draft, if cut { "incomplete" } else { "completed" });
    body["output"] = json!(output);
    if cut {
        body["incomplete_details"] = json!({ "reason": "max_output_tokens" });
    }
    if draft.report != Report::Never {
        body["usage"] = usage(draft);
    }
    body
}

/// The answer as events, numbered from 0.
pub(in crate::simulator) fn stream(draft: &Draft) -> Vec<Event> {
    let mut events = Numbered::default();
    let running = response(draft, "in_progress");
    events.push(json!({ "type": "response.created", "response": running }));
    events.push(json!({ "type": "response.in_progress", "response": running }));
    if let Some(choice) = draft.choices.first() {
        stream_item(draft, choice, &mut events);
    }
    let whole = plain(draft);
    let name = format!("response.{}", whole["status"].as_str().unwrap_or_default());
    let last = json!({ "type": name, "response": whole });
    if draft.report == Report::Twice {
        events.push(last.clone());
    }
    events.push(last);
    events.0
}

fn stream_item(draft: &Draft, choice: &Choice, events: &mut Numbered) {
    let whole = item(draft, choice);
    let item_id = whole["id"].clone();
    let mut started = whole.clone();
    started["status"] = json!("in_progress");
    match &choice.content {
        Content::Text(text) => {
            started["content"] = json!([]);
            let at = |mut event: Value| {
                event["item_id"] = item_id.clone();
                event["output_index"] = json!(0);
                event["content_index"] = json!(0);
                event
            };
            events.push(json!({
                "type": "response.output_item.added", "output_index": 0, "item": started,
            }));
            events.push(at(json!({
                "type": "response.content_part.added", "part": text_part(""),
            })));
            for token in tokens(text) {
                events.push_token(at(json!({
                    "type": "response.output_text.delta", "delta": token, "logprobs": [],
                })));
            }
            events.push(at(json!({
                "type": "response.output_text.done", "text": text, "logprobs": [],
            })));
            events.push(at(json!({
                "type": "response.content_part.done", "part": text_part(text),
            })));
        }
        Content::ToolCall { name, arguments, custom } => {
            let member = if *custom { "input" } else { "arguments" };
            let event = if *custom { "custom_tool_call_input" } else { "function_call_arguments" };
            started[member] = json!("");
            let at = |mut event: Value| {
                event["item_id"] = item_id.clone();
                event["output_index"] = json!(0);
                event
            };
            events.push(json!({
                "type": "response.output_item.added", "output_index": 0, "item": started,
            }));
            for token in tokens(arguments) {
                events.push_token(at(json!({
                    "type": format!("response.{event}.delta"), "delta": token,
                })));
            }
            events.push(at(json!({
                "type": format!("response.{event}.done"), "name": name, member: arguments,
            })));
        }
    }
    events.push(json!({
        "type": "response.output_item.done", "output_index": 0, "item": whole,
    }));
}

/// Events with their `sequence_number`.
#[derive(Default)]
struct Numbered(Vec<Event>);

impl Numbered {
    fn push(&mut self, event: Value) {
        self.push_with(event, 0);
    }

    fn push_token(&mut self, event: Value) {
        self.push_with(event, 1);
    }

    fn push_with(&mut self, mut event: Value, tokens: u64) {
        event["sequence_number"] = json!(self.0.len());
        self.0.push(Event::typed(&event).tokens(tokens));
    }
}

fn item(draft: &Draft, choice: &Choice) -> Value {
    let status = match choice.finish {
        Finish::Length => "incomplete",
        Finish::Stop | Finish::ToolCall => "completed",
    };
    match &choice.content {
        Content::Text(text) => json!({
            "id": format!("msg_simulated{:08}", draft.number),
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": [text_part(text)],
        }),
        Content::ToolCall { name, arguments, custom: true } => json!({
            "id": format!("ctc_simulated{:08}", draft.number),
            "type": "custom_tool_call",
            "status": status,
            "call_id": format!("call_simulated{:08}", draft.number),
            "name": name,
            "input": arguments,
        }),
        Content::ToolCall { name, arguments, custom: false } => json!({
            "id": format!("fc_simulated{:08}", draft.number),
            "type": "function_call",
            "status": status,
            "call_id": format!("call_simulated{:08}", draft.number),
            "name": name,
            "arguments": arguments,
        }),
    }
}

fn text_part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

fn response(draft: &Draft, status: &str) -> Value {
    json!({
        "id": format!("resp_simulated{:08}", draft.number),
        "object": "response",
        "created_at": draft.created,
        "status": status,
        "background": false,
        "error": null,
        "incomplete_details": null,
        "instructions": null,
        "max_output_tokens": null,
        "model": draft.model,
        "output": [],
        "parallel_tool_calls": true,
        "previous_response_id": null,
        "reasoning": { "effort": null, "summary": null },
        "service_tier": "default",
        "store": false,
        "temperature": 1.0,
        "text": { "format": { "type": "text" } },
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": null,
        "user": null,
        "metadata": {},
    })
}

fn usage(draft: &Draft) -> Value {
    let usage = &draft.usage;
    json!({
        "input_tokens": usage.all_input(),
        "input_tokens_details": { "cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write },
        "output_tokens": usage.all_output(),
        "output_tokens_details": { "reasoning_tokens": usage.reasoning },
        "total_tokens": usage.all_input() + usage.all_output(),
    })
}
