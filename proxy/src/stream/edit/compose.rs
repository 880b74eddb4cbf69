//! Makes an event for text that was held back when its channel closes.

use iron_policy::json::{JsonError, Reader, escape_into};

use super::chat;
use super::outline::{Channel, Field};
use crate::stream::WireKind;
use crate::stream::sse::{self, Data};
use crate::stream::walk::members;

/// A delta event with `text` for the channel, in the shape of `last`, the channel's latest event.
///
/// What identifies the answer is copied from `last`; what was said there once, like the name of
/// a tool or a count of tokens, is not said again. A `sequence_number` is repeated rather than
/// invented, so that the numbers of the upstream's own events stay true.
pub(super) fn delta_event(kind: WireKind, channel: Channel, last: &[u8], text: &str) -> Vec<u8> {
    let mut out = String::with_capacity(text.len() + 256);
    if let Some(name) = sse::name(last).and_then(|name| std::str::from_utf8(name).ok()) {
        // A block that starts with text is an event of another name.
        let name = if kind == WireKind::Messages { "content_block_delta" } else { name };
        out.push_str("event: ");
        out.push_str(name);
        out.push('\n');
    }
    out.push_str("data: ");
    write_data(&mut out, kind, channel, Data::of(last).bytes(), text);
    out.push_str("\n\n");
    out.into_bytes()
}

/// The same as a message of its own, `last` being one as well.
pub(super) fn delta_message(kind: WireKind, channel: Channel, last: &[u8], text: &str) -> Vec<u8> {
    let mut out = String::with_capacity(text.len() + 256);
    write_data(&mut out, kind, channel, last, text);
    out.into_bytes()
}

fn write_data(out: &mut String, kind: WireKind, channel: Channel, last: &[u8], text: &str) {
    out.push('{');
    if kind == WireKind::Messages {
        block_delta(out, channel, text);
    } else if kind == WireKind::Converse {
        converse_delta(out, channel, text);
    } else {
        // `last` was read as JSON before; were it not, the event would have fewer members.
        let _ = copy_scalars(out, last);
        match kind {
            WireKind::Responses | WireKind::Realtime => member(out, "delta", text),
            WireKind::Gemini => candidate(out, channel, text),
            _ => choice(out, channel, std::str::from_utf8(last).unwrap_or_default(), text),
        }
    }
    out.push('}');
}

/// Copies the members that say which answer this is: those that are no containers.
fn copy_scalars(out: &mut String, data: &[u8]) -> Result<(), JsonError> {
    let text = std::str::from_utf8(data).unwrap_or_default();
    members(&mut Reader::over(text), |key, reader| {
        let value = reader.skip()?;
        let value = &text[value];
        let copied = match key.raw() {
            "delta" | "obfuscation" | "error" | "usage" => false,
            "logprobs" if value.starts_with('[') => {
                out.push_str("\"logprobs\":[],");
                false
            }
            _ => !value.starts_with(['{', '[']),
        };
        if copied {
            out.extend(["\"", key.raw(), "\":", value, ","]);
        }
        Ok(())
    })?;
    Ok(())
}

fn choice(out: &mut String, channel: Channel, last: &str, text: &str) {
    out.push_str("\"choices\":[{\"index\":");
    out.push_str(&channel.index.to_string());
    out.push(',');
    let name = match channel.field {
        Field::Completion => {
            member(out, "text", text);
            out.push_str(",\"logprobs\":null,\"finish_reason\":null}]");
            return;
        }
        Field::ToolCall => {
            out.push_str("\"delta\":{\"tool_calls\":[{\"index\":");
            out.push_str(&channel.part.to_string());
            out.push_str(",\"function\":{");
            member(out, "arguments", text);
            out.push_str("}}]},\"finish_reason\":null}]");
            return;
        }
        Field::FunctionCall => {
            out.push_str("\"delta\":{\"function_call\":{");
            member(out, "arguments", text);
            out.push_str("}},\"finish_reason\":null}]");
            return;
        }
        Field::AudioTranscript => {
            out.push_str("\"delta\":{\"audio\":{");
            member(out, "transcript", text);
            out.push_str("}},\"finish_reason\":null}]");
            return;
        }
        Field::Refusal => "refusal",
        Field::ReasoningContent => "reasoning_content",
        Field::Reasoning => "reasoning",
        // The latest event of the channel has the member.
        Field::Other => chat::name_of(last, channel.part).unwrap_or("content"),
        _ => "content",
    };
    // The name is as it was written: escaped already.
    out.push_str("\"delta\":{");
    member(out, name, text);
    out.push_str("},\"finish_reason\":null}]");
}

fn candidate(out: &mut String, channel: Channel, text: &str) {
    out.push_str("\"candidates\":[{\"content\":{\"parts\":[{");
    member(out, "text", text);
    if channel.field == Field::Thinking {
        out.push_str(",\"thought\":true");
    }
    out.push_str("}],\"role\":\"model\"},\"index\":");
    out.push_str(&channel.index.to_string());
    out.push_str("}]");
}

fn block_delta(out: &mut String, channel: Channel, text: &str) {
    let (kind, name) = match channel.field {
        Field::Thinking => ("thinking_delta", "thinking"),
        Field::PartialJson => ("input_json_delta", "partial_json"),
        _ => ("text_delta", "text"),
    };
    out.push_str("\"type\":\"content_block_delta\",\"index\":");
    out.push_str(&channel.index.to_string());
    out.extend([",\"delta\":{\"type\":\"", kind, "\","]);
    member(out, name, text);
    out.push('}');
}

fn converse_delta(out: &mut String, channel: Channel, text: &str) {
    out.push_str("\"contentBlockDelta\":{\"contentBlockIndex\":");
    out.push_str(&channel.index.to_string());
    out.push_str(",\"delta\":{");
    match channel.field {
        Field::PartialJson => {
            out.push_str("\"toolUse\":{");
            member(out, "input", text);
            out.push('}');
        }
        Field::Thinking => {
            out.push_str("\"reasoningContent\":{");
            member(out, "text", text);
            out.push('}');
        }
        _ => member(out, "text", text),
    }
    out.push_str("}}");
}

fn member(out: &mut String, name: &str, text: &str) {
    out.extend(["\"", name, "\":\""]);
    escape_into(out, text);
    out.push('"');
}
