//! `POST /v1/completions`, the older endpoint without roles.

use serde_json::{Value, json};

use super::{finish_reason, usage};
use crate::simulator::behaviour::Report;
use crate::simulator::draft::{Choice, Draft, tokens};
use crate::simulator::request::Turn;
use crate::simulator::sse::Event;

/// The prompt as a turn. Of several prompts the last one speaks.
pub(in crate::simulator) fn turn(prompt: &Value) -> Turn {
    let last = prompt.as_array().and_then(|prompts| prompts.last());
    let text = last.unwrap_or(prompt).as_str().unwrap_or_default();
    Turn::Said(text.to_owned())
}

/// The answer in one piece.
pub(in crate::simulator) fn plain(draft: &Draft) -> Value {
    let whole = |(index, choice): (usize, &Choice)| {
        let finish = finish_reason(choice.finish);
        part(index, choice.content.generated(), Some(finish))
    };
    let choices: Vec<Value> = draft.choices.iter().enumerate().map(whole).collect();
    let mut body = envelope(draft, &choices);
    if draft.report != Report::Never {
        body["usage"] = usage(&draft.usage);
    }
    body
}

/// The answer as chunks.
pub(in crate::simulator) fn stream(draft: &Draft, include_usage: bool) -> Vec<Event> {
    let chunk = |choices: &[Value]| {
        let mut chunk = envelope(draft, choices);
        if include_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    };
    let mut events = Vec::new();
    for (index, choice) in draft.choices.iter().enumerate() {
        for token in tokens(choice.content.generated()) {
            events.push(Event::data(&chunk(&[part(index, token, None)])).tokens(1));
        }
        let finish = finish_reason(choice.finish);
        events.push(Event::data(&chunk(&[part(index, "", Some(finish))])));
    }
    if include_usage && draft.report != Report::Never {
        let mut last = chunk(&[]);
        last["usage"] = usage(&draft.usage);
        events.push(Event::data(&last));
        if draft.report == Report::Twice {
            events.push(Event::data(&last));
        }
    }
    events.push(Event::done());
    events
}

fn envelope(draft: &Draft, choices: &[Value]) -> Value {
    json!({
        "id": format!("cmpl-simulated{:08}", draft.number),
        "object": "text_completion",
        "created": draft.created,
        "model": draft.model,
        "choices": choices,
    })
}

fn part(index: usize, text: &str, finish: Option<&str>) -> Value {
    json!({ "text": text, "index": index, "logprobs": null, "finish_reason": finish })
}
