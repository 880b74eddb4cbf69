//! OpenAI's answers.

pub(super) mod chat;
pub(super) mod completions;
pub(super) mod embeddings;
pub(super) mod models;
pub(super) mod responses;

use serde_json::{Value, json};

use super::bill::Usage;
use super::draft::Finish;

/// `usage` as the chat completions and completions endpoints write it.
fn usage(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.all_input(),
        "completion_tokens": usage.all_output(),
        "total_tokens": usage.all_input() + usage.all_output(),
        "prompt_tokens_details": { "cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write, "audio_tokens": 0 },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}

fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::ToolCall => "tool_calls",
        Finish::Length => "length",
    }
}
