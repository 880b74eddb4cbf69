//! Texts of OpenAI's chat completions and completions, and of compatible vendors.
//!
//! A choice's `index` may come after its texts, so that a choice's texts are numbered once the
//! whole choice is read.

use iron_policy::json::{JsonError, Reader, Text};

use super::outline::{Channel, Close, Field, Outline, Place};
use super::whole;
use crate::stream::walk::{count, items, members, skip, string};

pub(super) fn read(outline: &mut Outline, data: &str) -> Result<(), JsonError> {
    members(&mut Reader::over(data), |key, reader| {
        match key.raw() {
            "choices" => {
                items(reader, |place, reader| choice(outline, place, reader))?;
            }
            // An error ends the stream, however the vendor words it.
            "error" if reader.skip()?.len() > "null".len() => outline.closes.push(Close::All),
            "error" => {}
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    Ok(())
}

fn choice(outline: &mut Outline, place: u64, reader: &mut Reader<'_>) -> Result<(), JsonError> {
    let first = outline.found.len();
    let mut index = None;
    let mut finished = false;
    members(reader, |key, reader| {
        match key.raw() {
            "index" => index = count(reader)?,
            "finish_reason" => finished = string(reader)?.is_some(),
            "text" => outline.piece(string(reader)?, unnumbered(Field::Completion)),
            "delta" => delta(outline, reader)?,
            "logprobs" => outline.tokens(reader)?,
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    let index = index.unwrap_or(place);
    for found in &mut outline.found[first..] {
        if let Place::Piece(channel) = &mut found.place {
            channel.index = index;
        }
    }
    if finished {
        outline.closes.push(Close::Index(index));
    }
    Ok(())
}

const fn unnumbered(field: Field) -> Channel {
    Channel { index: 0, part: 0, field }
}

fn delta(outline: &mut Outline, reader: &mut Reader<'_>) -> Result<(), JsonError> {
    members(reader, |key, reader| {
        let field = match key.raw() {
            "content" => Field::Content,
            "refusal" => Field::Refusal,
            "reasoning_content" => Field::ReasoningContent,
            "reasoning" => Field::Reasoning,
            "audio" => {
                let text = member(reader, "transcript")?;
                outline.piece(text, unnumbered(Field::AudioTranscript));
                return Ok(());
            }
            "function_call" => {
                let text = member(reader, "arguments")?;
                outline.piece(text, unnumbered(Field::FunctionCall));
                return Ok(());
            }
            "tool_calls" => {
                items(reader, |place, reader| tool_call(outline, place, reader))?;
                return Ok(());
            }
            // A member of some vendor's own: text like any other, where it is a string.
            name if !whole::is_fixed(name) => {
                let channel = Channel { part: number(name), ..unnumbered(Field::Other) };
                outline.piece(string(reader)?, channel);
                return Ok(());
            }
            _ => return skip(reader),
        };
        outline.piece(string(reader)?, unnumbered(field));
        Ok(())
    })?;
    Ok(())
}

/// A number for the name of a member, the same in each event: FNV-1a,
/// <https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>.
fn number(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// The name of the member of `choices[].delta` that has this number, as it is written.
pub(super) fn name_of(data: &str, wanted: u64) -> Option<&str> {
    let mut found = None;
    // What was read before reads again.
    let _ = members(&mut Reader::over(data), |key, reader| {
        if key.raw() != "choices" {
            return skip(reader);
        }
        items(reader, |_, reader| {
            members(reader, |key, reader| {
                if key.raw() != "delta" {
                    return skip(reader);
                }
                members(reader, |key, reader| {
                    if number(key.raw()) == wanted {
                        found = Some(key.raw());
                    }
                    skip(reader)
                })?;
                Ok(())
            })?;
            Ok(())
        })?;
        Ok(())
    });
    found
}

fn tool_call(outline: &mut Outline, place: u64, reader: &mut Reader<'_>) -> Result<(), JsonError> {
    let mut index = None;
    let mut arguments = None;
    members(reader, |key, reader| {
        match key.raw() {
            "index" => index = count(reader)?,
            "function" => arguments = member(reader, "arguments")?,
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    let channel = Channel { part: index.unwrap_or(place), ..unnumbered(Field::ToolCall) };
    outline.piece(arguments, channel);
    Ok(())
}

/// The text of one member of an object.
fn member<'a>(reader: &mut Reader<'a>, name: &str) -> Result<Option<Text<'a>>, JsonError> {
    let mut text = None;
    members(reader, |key, reader| {
        if key.is(name) {
            text = string(reader)?;
        } else {
            reader.skip()?;
        }
        Ok(())
    })?;
    Ok(text)
}
