//! What Google's answers look like.

use serde_json::{Value, json};

use crate::simulator::behaviour::Report;
use crate::simulator::bill::{MODELS, Usage, Vendor};
use crate::simulator::draft::{Choice, Content, Draft, Finish, tokens};
use crate::simulator::openai::embeddings;
use crate::simulator::sse::Event;

/// The answer in one piece.
pub(super) fn plain(draft: &Draft) -> Value {
    let candidate = |(index, choice): (usize, &Choice)| {
        let parts = match &choice.content {
            Content::Text(text) => json!([{ "text": text }]),
            Content::ToolCall { name, arguments, .. } => call(name, arguments),
        };
        finished(index, &parts, choice.finish)
    };
    let candidates: Vec<Value> = draft.choices.iter().enumerate().map(candidate).collect();
    chunk(draft, &json!(candidates), draft.usage)
}

/// The answer as chunks: a token each, a function's call in one.
pub(super) fn stream(draft: &Draft) -> Vec<Event> {
    let mut events = Vec::new();
    let mut said = Usage { output: 0, reasoning: 0, ..draft.usage };
    for (index, choice) in draft.choices.iter().enumerate() {
        let mut push = |parts: &Value, count: u64| {
            said.output = (said.output + count).min(draft.usage.output);
            let candidate =
                json!([{ "content": { "parts": parts, "role": "model" }, "index": index }]);
            events.push(Event::data(&chunk(draft, &candidate, said)).tokens(count));
        };
        match &choice.content {
            Content::Text(text) => {
                for token in tokens(text) {
                    push(&json!([{ "text": token }]), 1);
                }
            }
            Content::ToolCall { name, arguments, .. } => {
                push(&call(name, arguments), tokens(arguments).count() as u64);
            }
        }
    }
    let ends = draft.choices.iter().enumerate();
    let ends: Vec<Value> = ends
        .map(|(index, choice)| finished(index, &json!([{ "text": "" }]), choice.finish))
        .collect();
    let last = chunk(draft, &json!(ends), draft.usage);
    if draft.report == Report::Twice {
        events.push(Event::data(&last));
    }
    events.push(Event::data(&last));
    events
}

/// The answer of `countTokens`.
pub(super) fn count_tokens(tokens: u64) -> Value {
    json!({
        "totalTokens": tokens,
        "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": tokens }],
    })
}

/// One vector for the content, or one for each request.
pub(super) fn embeddings(body: &Value, usage: &Usage, report: Report) -> Value {
    let vector = |content: &Value| json!({ "values": embeddings::vector_of(content, 768) });
    let mut answer = match body["requests"].as_array() {
        Some(requests) => {
            let all: Vec<Value> = requests.iter().map(|one| vector(&one["content"])).collect();
            json!({ "embeddings": all })
        }
        None => json!({ "embedding": vector(&body["content"]) }),
    };
    if report != Report::Never {
        answer["usageMetadata"] = json!({ "promptTokenCount": usage.all_input() });
    }
    answer
}

/// One model.
pub(super) fn model(name: &str) -> Value {
    json!({
        "name": format!("models/{name}"),
        "version": "001",
        "displayName": name,
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    })
}

/// All models.
pub(super) fn models() -> Value {
    let ours = MODELS.iter().filter(|m| m.vendor == Vendor::Gemini);
    json!({ "models": ours.map(|m| model(m.name)).collect::<Vec<_>>() })
}

fn chunk(draft: &Draft, candidates: &Value, said: Usage) -> Value {
    let mut chunk = json!({
        "candidates": candidates,
        "modelVersion": draft.model,
        "responseId": format!("simulated{:08}", draft.number),
    });
    if draft.report != Report::Never {
        chunk["usageMetadata"] = usage(&said);
    }
    chunk
}

/// Arguments that the limit has cut are no JSON; there is then no call.
fn call(name: &str, arguments: &str) -> Value {
    serde_json::from_str::<Value>(arguments).map_or_else(
        |_| json!([]),
        |args| {
            json!([{
                "functionCall": { "name": name, "args": args },
                "thoughtSignature": "c2lnbmF0dXJlIG9mIHRoZSBzaW11bGF0b3I=",
            }])
        },
    )
}

fn finished(index: usize, parts: &Value, finish: Finish) -> Value {
    let reason = match finish {
        Finish::Stop | Finish::ToolCall => "STOP",
        Finish::Length => "MAX_TOKENS",
    };
    json!({
        "content": { "parts": parts, "role": "model" },
        "finishReason": reason,
        "index": index,
    })
}

/// As Google reports it: the cached part within the prompt, thoughts beside the candidates, and
/// no member for what is zero.
fn usage(usage: &Usage) -> Value {
    let prompt = usage.all_input();
    let mut report = json!({
        "promptTokenCount": prompt,
        "totalTokenCount": prompt + usage.all_output(),
        "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": prompt }],
        "serviceTier": "standard",
    });
    for (name, count) in [
        ("candidatesTokenCount", usage.output),
        ("thoughtsTokenCount", usage.reasoning),
        ("cachedContentTokenCount", usage.cache_read),
    ] {
        if count > 0 {
            report[name] = json!(count);
        }
    }
    report
}
