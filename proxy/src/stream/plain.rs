//! Answers that are one JSON document.

use std::ops::Range;

use bytes::Bytes;
use iron_policy::json::{JsonError, Reader};

use super::edit::gemini;
use super::edit::whole::{self, Place, restore_whole, splice};
use super::{Metered, Restorers, StreamError, WireKind};

/// Why an answer does not become what the client gets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// It is not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// It must not be passed on.
    #[error(transparent)]
    Forbidden(#[from] StreamError),
}

/// Reads what the answer says about itself. An error where the body is not JSON.
pub fn meter(kind: WireKind, body: &[u8]) -> Result<Metered, JsonError> {
    super::meter::document(kind, body)
}

/// Turns the placeholders in every text of the answer back; ids, signatures, encrypted and binary
/// content stay. The very same bytes where nothing changes.
pub fn restore<F: Restorers>(body: &Bytes, restorers: &F) -> Result<Bytes, RestoreError> {
    let text = std::str::from_utf8(body).map_err(|error| JsonError::Utf8(error.valid_up_to()))?;
    let mut found = Vec::new();
    let mut reader = Reader::over(text);
    whole::read(&mut reader, &mut found)?;
    if reader.next()?.is_some() {
        return Err(JsonError::Syntax(reader.position()).into());
    }
    let mut edits = Vec::new();
    let mut restored = String::new();
    for found in &found {
        restored.clear();
        if found.place == Place::Tokens {
            if restorers.hides_tokens() {
                edits.push((found.literal.clone(), found.no_tokens(text).to_owned()));
            }
            continue;
        }
        let literal = found.decode(text);
        let key = found.key.clone().map(|key| &text[key]);
        let restore = restorers.whole(found.place == Place::WholeJson, key);
        restore_whole(restore, &literal, &mut restored);
        if restored != *literal {
            edits.push((found.literal.clone(), restored.clone()));
        }
    }
    restorers.verdict()?;
    Ok(spliced(body, &edits))
}

/// The same for an answer of the Gemini API, whose text may be cut into parts, and a stream of
/// which may come as a list of chunks.
pub fn restore_gemini<F: Restorers>(body: &Bytes, restorers: &F) -> Result<Bytes, RestoreError> {
    let text = std::str::from_utf8(body).map_err(|error| JsonError::Utf8(error.valid_up_to()))?;
    let edits = gemini::restore_document(text, restorers)?;
    restorers.verdict()?;
    Ok(spliced(body, &edits))
}

fn spliced(body: &Bytes, edits: &[(Range<usize>, String)]) -> Bytes {
    if edits.is_empty() {
        return body.clone();
    }
    let mut out = Vec::with_capacity(body.len() + 256);
    let edits = edits.iter().map(|(literal, text)| (literal.clone(), text.as_str()));
    splice(body, edits, &mut out);
    out.into()
}
