//! Texts of Amazon Bedrock's `converse`, each event under its name.

use iron_policy::json::{JsonError, Reader};

use super::outline::{Channel, Close, Field, Outline, Place};
use super::whole;
use crate::stream::walk::{count, members, skip, string};

pub(super) fn read(outline: &mut Outline, data: &str) -> Result<(), JsonError> {
    members(&mut Reader::over(data), |key, reader| {
        match key.raw() {
            "contentBlockDelta" => block(outline, reader)?,
            "contentBlockStop" => {
                let index = index(reader)?;
                outline.closes.push(Close::Index(index));
            }
            "messageStop" | "metadata" | "error" => {
                outline.closes.push(Close::All);
                whole::read_member(key, reader, &mut outline.found)?;
            }
            _ => whole::read_member(key, reader, &mut outline.found)?,
        }
        Ok(())
    })?;
    Ok(())
}

fn index(reader: &mut Reader<'_>) -> Result<u64, JsonError> {
    let mut index = 0;
    members(reader, |key, reader| {
        match key.raw() {
            "contentBlockIndex" => index = count(reader)?.unwrap_or(0),
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    Ok(index)
}

fn block(outline: &mut Outline, reader: &mut Reader<'_>) -> Result<(), JsonError> {
    let first = outline.found.len();
    let mut index = 0;
    let mut signed = false;
    members(reader, |key, reader| {
        match key.raw() {
            "contentBlockIndex" => index = count(reader)?.unwrap_or(0),
            "delta" => delta(outline, reader, &mut signed)?,
            // Letters that hide how long the event is.
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

fn delta(
    outline: &mut Outline,
    reader: &mut Reader<'_>,
    signed: &mut bool,
) -> Result<(), JsonError> {
    let channel = |field| Channel { index: 0, part: 0, field };
    members(reader, |key, reader| {
        match key.raw() {
            "text" => outline.piece(string(reader)?, channel(Field::Text)),
            "toolUse" => {
                members(reader, |key, reader| {
                    match key.raw() {
                        "input" => outline.piece(string(reader)?, channel(Field::PartialJson)),
                        _ => skip(reader)?,
                    }
                    Ok(())
                })?;
            }
            "reasoningContent" => {
                members(reader, |key, reader| {
                    match key.raw() {
                        "text" => outline.piece(string(reader)?, channel(Field::Thinking)),
                        name => {
                            *signed |= name == "signature";
                            skip(reader)?;
                        }
                    }
                    Ok(())
                })?;
            }
            _ => whole::read_member(key, reader, &mut outline.found)?,
        }
        Ok(())
    })?;
    Ok(())
}
