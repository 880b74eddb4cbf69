//! Restores the texts of one event and splices them into its bytes.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use iron_policy::json::escape_into;

use super::compose::delta_event;
use super::outline::{Channel, Close, Found, Outline, Place};
use super::{Restore, Restorers};
use crate::stream::sse::Data;
use crate::stream::{StreamError, WireKind};

/// More texts than this are never open side by side: 128 choices with 8 tool calls each.
const MOST_TEXTS: usize = 1024;

/// The open channels of a stream.
pub(super) struct Editor<F: Restorers> {
    kind: WireKind,
    restorers: F,
    open: BTreeMap<Channel, Open<F::R>>,
    outline: Outline,
    edits: Vec<Edit>,
    /// The restored texts of the event at hand, one after the other.
    restored: String,
}

struct Open<R> {
    restore: R,
    /// The latest event with a piece of this channel: the model for one that must be made.
    last: Bytes,
}

/// A literal of the event at hand and what it becomes.
struct Edit {
    literal: Range<usize>,
    restored: Range<usize>,
    changed: bool,
    channel: Option<Channel>,
}

impl<F: Restorers> Editor<F> {
    pub(super) fn new(kind: WireKind, restorers: F) -> Self {
        Self {
            kind,
            restorers,
            open: BTreeMap::new(),
            outline: Outline::default(),
            edits: Vec::new(),
            restored: String::new(),
        }
    }

    /// What goes to the client in place of the event; `None` where it passes as it is.
    pub(super) fn edit(
        &mut self,
        event: &Bytes,
        data: &Data<'_>,
    ) -> Result<Option<Vec<u8>>, StreamError> {
        let Ok(text) = std::str::from_utf8(data.bytes()) else {
            return Ok(None);
        };
        self.outline.read(self.kind, text);
        self.edits.clear();
        self.restored.clear();
        // Taken out for the loop, and put back for its memory.
        let outline = std::mem::take(&mut self.outline);
        for found in &outline.found {
            self.restore(found, text, event)?;
        }
        let mut out = Vec::new();
        for close in &outline.closes {
            self.close(*close, &mut out);
        }
        self.outline = outline;
        self.restorers.verdict()?;
        if out.is_empty() && !self.edits.iter().any(|edit| edit.changed) {
            return Ok(None);
        }
        self.splice(event, data, &mut out);
        Ok(Some(out))
    }

    /// Closes every channel, as at the end of the stream.
    pub(super) fn close_all(&mut self) -> Result<Option<Vec<u8>>, StreamError> {
        self.edits.clear();
        let mut out = Vec::new();
        self.close(Close::All, &mut out);
        self.restorers.verdict()?;
        Ok((!out.is_empty()).then_some(out))
    }

    fn restore(&mut self, found: &Found, text: &str, event: &Bytes) -> Result<(), StreamError> {
        let start = self.restored.len();
        if found.place == Place::Tokens {
            if self.restorers.hides_tokens() {
                self.restored.push_str(found.no_tokens(text));
                self.edits.push(Edit {
                    literal: found.literal.clone(),
                    restored: start..self.restored.len(),
                    changed: self.restored[start..] != text[found.literal.clone()],
                    channel: None,
                });
            }
            return Ok(());
        }
        let piece = found.decode(text);
        let channel = match found.place {
            Place::Piece(channel) => {
                if !self.open.contains_key(&channel) {
                    self.open(channel)?;
                }
                if let Some(open) = self.open.get_mut(&channel) {
                    open.restore.push(&piece, &mut self.restored);
                    open.last = event.clone();
                }
                Some(channel)
            }
            Place::Whole | Place::WholeJson | Place::Tokens => {
                let json = found.place == Place::WholeJson;
                let restore = if self.kind == WireKind::Responses {
                    self.restorers.repeated(json)
                } else {
                    self.restorers.whole(json, found.key.clone().map(|key| &text[key]))
                };
                restore_whole(restore, &piece, &mut self.restored);
                None
            }
        };
        self.edits.push(Edit {
            literal: found.literal.clone(),
            changed: self.restored[start..] != *piece,
            restored: start..self.restored.len(),
            channel,
        });
        Ok(())
    }

    fn open(&mut self, channel: Channel) -> Result<(), StreamError> {
        if self.open.len() == MOST_TEXTS {
            return Err(StreamError::TooManyTexts { limit: MOST_TEXTS });
        }
        let restore =
            if channel.field.holds_json() { self.restorers.json() } else { self.restorers.plain() };
        let last = Bytes::new();
        self.open.insert(channel, Open { restore, last });
        Ok(())
    }

    /// Puts what the closed channels held into their last piece, where the closing event has
    /// one, else into events of their own.
    fn close(&mut self, close: Close, out: &mut Vec<u8>) {
        let closed = self.open.extract_if(.., |channel, _| close.covers(channel));
        for (channel, mut open) in closed {
            let start = self.restored.len();
            open.restore.finish(&mut self.restored);
            if self.restored.len() == start {
                continue;
            }
            let held = start..self.restored.len();
            let mut pieces = self.edits.iter_mut().rev();
            if let Some(edit) = pieces.find(|edit| edit.channel == Some(channel)) {
                let piece = self.restored[edit.restored.clone()].to_owned();
                self.restored.insert_str(start, &piece);
                edit.restored = start..self.restored.len();
                edit.changed = true;
            } else {
                let held = &self.restored[held];
                out.extend(delta_event(self.kind, channel, &open.last, held));
            }
        }
    }

    fn splice(&self, event: &Bytes, data: &Data<'_>, out: &mut Vec<u8>) {
        let edits = self.edits.iter().filter(|edit| edit.changed).map(|edit| {
            let text = &self.restored[edit.restored.clone()];
            // A string stands within one line of data; a container may not.
            let Range { start, end } = edit.literal;
            let last = data.place(&(end.saturating_sub(1).max(start)..end));
            (data.place(&(start..start)).start..last.end, text)
        });
        splice(event, edits, out);
    }
}

/// Restores a text that is there from its start to its end.
pub(in crate::stream) fn restore_whole<R: Restore>(mut restore: R, text: &str, out: &mut String) {
    restore.push(text, out);
    restore.finish(out);
}

/// Copies `bytes`, with each literal (in rising order) replaced by a text.
pub(in crate::stream) fn splice<'a>(
    bytes: &[u8],
    edits: impl Iterator<Item = (Range<usize>, &'a str)>,
    out: &mut Vec<u8>,
) {
    let mut copied = 0;
    let mut escaped = String::new();
    for (literal, text) in edits {
        out.extend_from_slice(&bytes[copied..literal.start]);
        escaped.clear();
        escape_into(&mut escaped, text);
        out.extend_from_slice(escaped.as_bytes());
        copied = literal.end;
    }
    out.extend_from_slice(&bytes[copied..]);
}
