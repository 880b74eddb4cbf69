//! Texts that come whole: every string of a document but those that are no text.
//!
//! The rules go by member names, which mean the same in all dialects. They follow what the
//! request side leaves alone, and are generous: restoring a string without placeholders is
//! harmless, while an id or a signature must come back exactly as it was sent.

use iron_policy::json::{Event, JsonError, Reader, Text};

pub(in crate::stream) use super::editor::{restore_whole, splice};
use super::outline::Found;
pub(in crate::stream) use super::outline::Place;
use crate::stream::walk::take;

/// What the member names around a value make of the strings in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Treat {
    /// The dialect's own structure: each member's name decides.
    ByName,
    /// JSON within a string, where it is a string; the caller's own structure otherwise.
    Json,
    /// The caller's own structure, like the input of a tool: all of it is text.
    Text,
    /// Not text.
    Leave,
}

/// Finds the texts of the document, or of the value, that comes next.
pub(in crate::stream) fn read(
    reader: &mut Reader<'_>,
    found: &mut Vec<Found>,
) -> Result<(), JsonError> {
    let first = take(reader)?;
    value(&first, Treat::ByName, None, reader, found)
}

/// Finds the texts of a value of the caller's own structure: every string of it.
pub(super) fn read_text(reader: &mut Reader<'_>, found: &mut Vec<Found>) -> Result<(), JsonError> {
    let first = take(reader)?;
    value(&first, Treat::Text, None, reader, found)
}

/// Finds the texts of a member whose name has been read.
pub(super) fn read_member<'a>(
    key: Text<'a>,
    reader: &mut Reader<'a>,
    found: &mut Vec<Found>,
) -> Result<(), JsonError> {
    let first = take(reader)?;
    value(&first, treat(key, Treat::ByName), Some(key), reader, found)
}

/// True where a member of this name in the dialect's own structure holds no text.
pub(super) fn is_fixed(name: &str) -> bool {
    by_name(name) == Treat::Leave
}

fn treat(key: Text<'_>, around: Treat) -> Treat {
    if around != Treat::ByName {
        return around;
    }
    by_name(key.raw())
}

fn by_name(name: &str) -> Treat {
    match name {
        "id" | "model" | "type" | "role" | "object" | "status" | "signature" | "data"
        | "encrypted_content" | "encrypted_index" | "b64_json" | "partial_image_b64"
        | "embedding" | "obfuscation" | "finish_reason" | "stop_reason" | "service_tier"
        | "system_fingerprint" | "media_type" | "format" | "toolUseId" | "stopReason"
        | "redactedContent" | "bytes" => Treat::Leave,
        name if name.ends_with("_id") || name.ends_with("_ids") => Treat::Leave,
        "arguments" | "partial_json" => Treat::Json,
        "input" | "metadata" => Treat::Text,
        _ => Treat::ByName,
    }
}

fn value<'a>(
    first: &Event<'a>,
    how: Treat,
    key: Option<Text<'a>>,
    reader: &mut Reader<'a>,
    found: &mut Vec<Found>,
) -> Result<(), JsonError> {
    match first {
        Event::String(text) if how != Treat::Leave && !text.raw().is_empty() => {
            found.push(Found {
                literal: text.range(),
                place: if how == Treat::Json && starts_like_json(text.raw()) {
                    Place::WholeJson
                } else {
                    Place::Whole
                },
                key: key.filter(|_| how == Treat::Text).map(|key| key.range()),
            });
        }
        Event::BeginObject => {
            let how = if how == Treat::Json { Treat::Text } else { how };
            while let Event::Key(key) = take(reader)? {
                if how == Treat::ByName && key.is("logprobs") {
                    found.extend(Found::tokens(reader)?);
                    continue;
                }
                let first = take(reader)?;
                // A list of results, unlike the data of a block.
                let results = how == Treat::ByName
                    && key.is("data")
                    && matches!(first, Event::BeginArray | Event::BeginObject);
                let below = if results { Treat::ByName } else { treat(key, how) };
                value(&first, below, Some(key), reader, found)?;
            }
        }
        Event::BeginArray => loop {
            match take(reader)? {
                Event::EndArray => break,
                first => value(&first, how, key, reader, found)?,
            }
        },
        _ => {}
    }
    Ok(())
}

/// True for a raw literal whose text is a JSON object, array or string.
fn starts_like_json(raw: &str) -> bool {
    let mut rest = raw;
    loop {
        rest = rest.trim_start();
        match ["\\n", "\\r", "\\t"].iter().find_map(|space| rest.strip_prefix(space)) {
            Some(after) => rest = after,
            None => return rest.starts_with(['{', '[']) || rest.starts_with("\\\""),
        }
    }
}
