//! Restores the texts of one event and splices them into its bytes.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use iron_policy::json::escape_into;

use super::compose::{delta_event, delta_message};
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
    /// True for messages that are JSON alone, false for events of a stream.
    bare: bool,
    /// Events made for what was held back, not passed on yet.
    made: Vec<Vec<u8>>,
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
            bare: false,
            made: Vec::new(),
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
        let edited = self.edit_apart(event, data)?;
        if self.made.is_empty() {
            return Ok(edited);
        }
        let mut out: Vec<u8> = self.made.drain(..).flatten().collect();
        match edited {
            Some(edited) => out.extend(edited),
            None => out.extend_from_slice(event),
        }
        Ok(Some(out))
    }

    /// The same, with the events that go before it left in `made`.
    fn edit_apart(
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
        for close in &outline.closes {
            self.close(*close);
        }
        self.outline = outline;
        self.restorers.verdict()?;
        if !self.edits.iter().any(|edit| edit.changed) {
            return Ok(None);
        }
        let mut out = Vec::new();
        self.splice(event, data, &mut out);
        Ok(Some(out))
    }

    /// Appends what goes to the client in place of a message: those made for text that was held
    /// back, then the message itself.
    pub(super) fn message(
        &mut self,
        message: Bytes,
        out: &mut Vec<Bytes>,
    ) -> Result<(), StreamError> {
        self.bare = true;
        let data = Data::Line { value: &message, at: 0 };
        let edited = self.edit_apart(&message, &data)?;
        out.extend(self.made.drain(..).map(Bytes::from));
        out.push(edited.map_or(message, Bytes::from));
        Ok(())
    }

    /// The messages for what the open channels still hold back.
    pub(super) fn close_messages(&mut self, out: &mut Vec<Bytes>) -> Result<(), StreamError> {
        self.edits.clear();
        self.restored.clear();
        self.close(Close::All);
        self.restorers.verdict()?;
        out.extend(self.made.drain(..).map(Bytes::from));
        Ok(())
    }

    /// Closes every channel, as at the end of the stream.
    pub(super) fn close_all(&mut self) -> Result<Option<Vec<u8>>, StreamError> {
        self.edits.clear();
        self.close(Close::All);
        self.restorers.verdict()?;
        let out: Vec<u8> = self.made.drain(..).flatten().collect();
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
                let restore = if matches!(self.kind, WireKind::Responses | WireKind::Realtime) {
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
    fn close(&mut self, close: Close) {
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
                let make = if self.bare { delta_message } else { delta_event };
                self.made.push(make(self.kind, channel, &open.last, held));
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
