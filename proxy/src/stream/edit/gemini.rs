//! Texts of Google's Gemini API.
//!
//! A candidate's parts carry no number over chunks: clients join the texts of one **run**, parts
//! of the same kind (spoken or thought) with nothing else between them. So a run is a channel;
//! it closes where a part of another kind comes, and where the candidate has finished. Arguments
//! of a function come whole, as JSON.
//!
//! An answer in one piece is read the same way, and so is a stream without server-sent events,
//! which is a list of chunks in one document.

use std::collections::BTreeMap;
use std::ops::Range;

use iron_policy::json::{Event, JsonError, Reader};

use super::outline::{Channel, Close, Field, Found, Outline, Place};
use super::whole;
use super::{Restore, Restorers};
use crate::stream::walk::{count, items, members, skip, string, take};

/// The runs that candidates are in, from one chunk to the next.
#[derive(Debug, Default)]
pub(super) struct Runs(BTreeMap<u64, Run>);

#[derive(Debug, Default)]
struct Run {
    number: u64,
    thought: bool,
    open: bool,
}

impl Run {
    const fn channel(&self, index: u64) -> Channel {
        let field = if self.thought { Field::Thinking } else { Field::Text };
        Channel { index, part: self.number, field }
    }
}

/// A part of a candidate.
enum Part {
    /// Where its text is among those found, and whether it was thought.
    Text(usize, bool),
    /// A part without text, or whose texts come whole.
    Other,
}

pub(super) fn read(outline: &mut Outline, data: &str) -> Result<(), JsonError> {
    chunk(outline, &mut Reader::over(data))
}

/// Restores a document: an answer, or a list of the chunks of one. Each literal that changes, and
/// what it becomes.
pub(in crate::stream) fn restore_document<F: Restorers>(
    text: &str,
    restorers: &F,
) -> Result<Vec<(Range<usize>, String)>, JsonError> {
    let mut outline = Outline::default();
    let mut reader = Reader::over(text);
    if reader.clone().next()? == Some(Event::BeginArray) {
        items(&mut reader, |_, reader| chunk(&mut outline, reader))?;
    } else {
        chunk(&mut outline, &mut reader)?;
    }
    if reader.next()?.is_some() {
        return Err(JsonError::Syntax(reader.position()));
    }
    let mut edits: Vec<(Range<usize>, String)> = Vec::with_capacity(outline.found.len());
    // Each run's restorer, and the edit of its latest piece.
    let mut runs: BTreeMap<Channel, (F::R, usize)> = BTreeMap::new();
    for found in &outline.found {
        let mut restored = String::new();
        match found.place {
            Place::Tokens if restorers.hides_tokens() => restored.push_str(found.no_tokens(text)),
            Place::Tokens => restored.push_str(&text[found.literal.clone()]),
            Place::Piece(channel) => {
                let run = runs.entry(channel).or_insert_with(|| (restorers.plain(), 0));
                run.0.push(&found.decode(text), &mut restored);
                run.1 = edits.len();
            }
            Place::Whole | Place::WholeJson => {
                let key = found.key.clone().map(|key| &text[key]);
                let restore = restorers.whole(found.place == Place::WholeJson, key);
                whole::restore_whole(restore, &found.decode(text), &mut restored);
            }
        }
        edits.push((found.literal.clone(), restored));
    }
    for (mut restore, last) in runs.into_values() {
        restore.finish(&mut edits[last].1);
    }
    let changed = |(edit, found): &(_, &Found)| {
        let (literal, restored): &(Range<usize>, String) = edit;
        match found.place {
            Place::Tokens => text[literal.clone()] != *restored,
            _ => found.decode(text) != *restored,
        }
    };
    Ok(edits.into_iter().zip(&outline.found).filter(changed).map(|(edit, _)| edit).collect())
}

fn chunk(outline: &mut Outline, reader: &mut Reader<'_>) -> Result<(), JsonError> {
    members(reader, |key, reader| {
        match key.raw() {
            "candidates" => {
                items(reader, |place, reader| candidate(outline, place, reader))?;
            }
            "error" if reader.skip()?.len() > "null".len() => outline.closes.push(Close::All),
            "error" => {}
            "usageMetadata" | "modelVersion" | "responseId" | "createTime" => skip(reader)?,
            _ => whole::read_member(key, reader, &mut outline.found)?,
        }
        Ok(())
    })?;
    Ok(())
}

fn candidate(outline: &mut Outline, place: u64, reader: &mut Reader<'_>) -> Result<(), JsonError> {
    let mut index = None;
    let mut finished = false;
    let mut parts = Vec::new();
    members(reader, |key, reader| {
        match key.raw() {
            "index" => index = count(reader)?,
            "finishReason" => finished = string(reader)?.is_some(),
            "content" => {
                members(reader, |key, reader| {
                    match key.raw() {
                        "parts" => {
                            items(reader, |_, reader| {
                                parts.push(part(outline, reader)?);
                                Ok(())
                            })?;
                        }
                        _ => skip(reader)?,
                    }
                    Ok(())
                })?;
            }
            "safetyRatings" => skip(reader)?,
            "logprobsResult" => outline.tokens(reader)?,
            _ => whole::read_member(key, reader, &mut outline.found)?,
        }
        Ok(())
    })?;
    let index = index.unwrap_or(place);
    join(outline, index, &parts);
    if finished {
        outline.closes.push(Close::Index(index));
        outline.runs.0.remove(&index);
    }
    Ok(())
}

/// Says which runs the texts of a candidate belong to, and which runs end.
fn join(outline: &mut Outline, index: u64, parts: &[Part]) {
    for part in parts {
        let run = outline.runs.0.entry(index).or_default();
        let ends = match part {
            Part::Text(_, thought) => run.open && run.thought != *thought,
            Part::Other => run.open,
        };
        if ends {
            outline.closes.push(Close::Channel(run.channel(index)));
            run.number += 1;
            run.open = false;
        }
        if let Part::Text(found, thought) = part {
            run.thought = *thought;
            run.open = true;
            outline.found[*found].place = Place::Piece(run.channel(index));
        }
    }
}

fn part(outline: &mut Outline, reader: &mut Reader<'_>) -> Result<Part, JsonError> {
    let mut text = None;
    let mut thought = false;
    members(reader, |key, reader| {
        match key.raw() {
            "text" => {
                if let Some(literal) = string(reader)? {
                    text = Some(outline.found.len());
                    outline.found.push(Found {
                        literal: literal.range(),
                        place: Place::Whole,
                        key: None,
                    });
                }
            }
            "thought" => thought = take(reader)? == Event::Bool(true),
            "thoughtSignature" | "inlineData" | "fileData" | "videoMetadata" => skip(reader)?,
            "functionCall" | "toolCall" => only(outline, reader, "args")?,
            "functionResponse" | "toolResponse" => only(outline, reader, "response")?,
            "executableCode" => only(outline, reader, "code")?,
            "codeExecutionResult" => only(outline, reader, "output")?,
            _ => whole::read_member(key, reader, &mut outline.found)?,
        }
        Ok(())
    })?;
    Ok(text.map_or(Part::Other, |found| Part::Text(found, thought)))
}

/// Takes every string of one member as text; names, ids and the like beside it are left.
fn only(outline: &mut Outline, reader: &mut Reader<'_>, name: &str) -> Result<(), JsonError> {
    members(reader, |key, reader| {
        if key.is(name) { whole::read_text(reader, &mut outline.found) } else { skip(reader) }
    })?;
    Ok(())
}
