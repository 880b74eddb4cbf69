//! Texts of OpenAI's Responses API, and of its Realtime API, whose events have the same shape.
//!
//! Texts come twice: in pieces, in `.delta` events, and whole, in the `.done` events and in the
//! snapshots of parts, items and the response. Both are restored, and so agree.

use iron_policy::json::{JsonError, Reader};

use super::outline::{Channel, Close, Field, Found, Outline, event_type};
use super::whole;
use crate::stream::walk::{count, members, skip, string};

/// The texts that come in pieces: the event's type without `.delta`, and whether it is JSON.
///
/// Left out are pieces that are no text: audio and images.
const TEXTS: [(&str, bool); 14] = [
    ("response.output_text", false),
    ("response.function_call_arguments", true),
    ("response.reasoning_summary_text", false),
    ("response.reasoning_text", false),
    ("response.refusal", false),
    ("response.custom_tool_call_input", false),
    ("response.mcp_call_arguments", true),
    ("response.code_interpreter_call_code", false),
    ("response.audio.transcript", false),
    ("response.output_audio_transcript", false),
    ("response.mcp_call.arguments", true),
    // The Realtime API's own, with the names of its beta.
    ("response.text", false),
    ("response.audio_transcript", false),
    ("conversation.item.input_audio_transcription", false),
];

pub(super) fn holds_json(place: u8) -> bool {
    TEXTS.get(usize::from(place)).is_some_and(|text| text.1)
}

fn place_of(name: &str) -> Option<u8> {
    let place = TEXTS.iter().position(|text| text.0 == name)?;
    u8::try_from(place).ok()
}

pub(super) fn read(outline: &mut Outline, data: &str) -> Result<(), JsonError> {
    let Some(kind) = event_type(data)? else {
        return Ok(());
    };
    if let Some(name) = kind.raw().strip_suffix(".delta") {
        return match place_of(name) {
            Some(place) => piece(outline, place, data),
            None => Ok(()),
        };
    }
    let close = match kind.raw() {
        "response.completed"
        | "response.incomplete"
        | "response.failed"
        | "response.done"
        | "error" => Some(Close::All),
        "response.output_item.done" => {
            let (index, _) = numbers(data)?;
            Some(Close::Index(index))
        }
        other => match other.strip_suffix(".done").and_then(place_of) {
            Some(place) => {
                let (index, part) = numbers(data)?;
                Some(Close::Channel(Channel { index, part, field: Field::Delta(place) }))
            }
            None => None,
        },
    };
    outline.closes.extend(close);
    whole::read(&mut Reader::over(data), &mut outline.found)
}

fn piece(outline: &mut Outline, place: u8, data: &str) -> Result<(), JsonError> {
    let mut index = 0;
    let mut part = 0;
    let mut text = None;
    let mut tokens = None;
    members(&mut Reader::over(data), |key, reader| {
        match key.raw() {
            "output_index" => index = count(reader)?.unwrap_or(0),
            "content_index" | "summary_index" => part = count(reader)?.unwrap_or(0),
            "delta" => text = string(reader)?,
            "logprobs" => tokens = Found::tokens(reader)?,
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    let channel = Channel { index, part, field: Field::Delta(place) };
    outline.piece(text, channel);
    outline.found.extend(tokens);
    outline.found.sort_unstable_by_key(|found| found.literal.start);
    Ok(())
}

/// Which item and which part of it an event is about.
fn numbers(data: &str) -> Result<(u64, u64), JsonError> {
    let mut numbers = (0, 0);
    members(&mut Reader::over(data), |key, reader| {
        match key.raw() {
            "output_index" => numbers.0 = count(reader)?.unwrap_or(0),
            "content_index" | "summary_index" => numbers.1 = count(reader)?.unwrap_or(0),
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    Ok(numbers)
}
