//! Texts of Anthropic's messages.

use iron_policy::json::{JsonError, Reader, Text};

use super::outline::{Channel, Close, Field, Outline, Place, event_type};
use super::whole;
use crate::stream::walk::{count, members, skip, string};

pub(super) fn read(outline: &mut Outline, data: &str) -> Result<(), JsonError> {
    let kind = event_type(data)?;
    match kind.map(|kind| kind.raw()).unwrap_or_default() {
        "content_block_delta" => block(outline, data, "delta"),
        "content_block_start" => block(outline, data, "content_block"),
        "content_block_stop" => {
            let mut index = 0;
            members(&mut Reader::over(data), |key, reader| {
                match key.raw() {
                    "index" => index = count(reader)?.unwrap_or(0),
                    _ => skip(reader)?,
                }
                Ok(())
            })?;
            outline.closes.push(Close::Index(index));
            Ok(())
        }
        kind => {
            if matches!(kind, "message_delta" | "message_stop" | "error") {
                outline.closes.push(Close::All);
            }
            whole::read(&mut Reader::over(data), &mut outline.found)
        }
    }
}

/// Reads an event about one block. A block may start with the first words of its text, so that
/// they are a piece like those that follow. What else it has, like citations, is whole.
fn block(outline: &mut Outline, data: &str, body: &str) -> Result<(), JsonError> {
    let first = outline.found.len();
    let mut index = 0;
    let mut signed = false;
    members(&mut Reader::over(data), |key, reader| {
        match key.raw() {
            "index" => index = count(reader)?.unwrap_or(0),
            name if name == body => {
                members(reader, |key, reader| {
                    signed |= key.is("signature") && body == "delta";
                    member(outline, key, reader)
                })?;
            }
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    for found in &mut outline.found[first..] {
        if let Place::Piece(channel) = &mut found.place {
            channel.index = index;
        }
    }
    if signed {
        // The signature follows the last thought.
        outline.closes.push(Close::Index(index));
    }
    Ok(())
}

fn member<'a>(
    outline: &mut Outline,
    key: Text<'a>,
    reader: &mut Reader<'a>,
) -> Result<(), JsonError> {
    let field = match key.raw() {
        "text" => Field::Text,
        "thinking" => Field::Thinking,
        "partial_json" => Field::PartialJson,
        _ => return whole::read_member(key, reader, &mut outline.found),
    };
    let channel = Channel { index: 0, part: 0, field };
    outline.piece(string(reader)?, channel);
    Ok(())
}
