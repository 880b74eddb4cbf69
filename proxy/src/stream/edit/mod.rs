//! Turns placeholders back into what they stand for, in a stream, as it passes.
//!
//! Each text of an answer (a choice, a block, the arguments of a tool call) is a **channel**: its
//! pieces arrive in events of its own, interleaved with those of other channels. A channel has
//! one [`Restore`], which may hold back the end of a piece until it knows whether a placeholder
//! starts there. What it holds comes out with the channel's next piece, or, where the channel
//! closes, in an event made for it just before the closing one.
//!
//! A [`Restore`] may do more than put values back: what searches answers stands before it, may
//! hold a text for longer, and may forbid to pass an event on.
//!
//! On the way of an event: [`outline`] says where its texts are and which channels it closes,
//! [`editor`] restores them and splices, [`compose`] makes events for what was held back.

mod anthropic;
mod chat;
mod compose;
mod converse;
mod editor;
pub(super) mod gemini;
mod messages;
mod outline;
mod relay;
mod responses;
pub(super) mod whole;

pub use messages::MessageRelay;
pub use relay::StreamRelay;

use super::StreamError;

/// Turns placeholders in one text back, piece by piece.
///
/// All that is put out, joined, must not depend on how the text was cut into pieces.
pub trait Restore {
    /// Takes the next piece of decoded text and appends what can be said of it so far.
    fn push(&mut self, text: &str, out: &mut String);

    /// The text has ended: appends what was held back.
    fn finish(&mut self, out: &mut String);
}

/// Makes a [`Restore`] for each text of an answer.
pub trait Restorers {
    /// What it makes.
    type R: Restore;

    /// For text that is read as it is.
    fn plain(&self) -> Self::R;

    /// For text that is itself JSON, like the arguments of a tool call: what is put in is escaped
    /// one level, as the inside of a string literal.
    fn json(&self) -> Self::R;

    /// For a text that comes in one piece. `key` is the member that holds it, where the caller's
    /// own structure names it.
    fn whole(&self, json: bool, key: Option<&str>) -> Self::R {
        let _ = key;
        if json { self.json() } else { self.plain() }
    }

    /// For a text that repeats what came in pieces, and must become the same.
    fn repeated(&self, json: bool) -> Self::R {
        if json { self.json() } else { self.plain() }
    }

    /// True where texts are only looked at: nothing is changed and nothing held back.
    fn only_looks(&self) -> bool {
        false
    }

    /// True where a text's tokens may not pass beside it, since it may be kept back.
    fn hides_tokens(&self) -> bool {
        false
    }

    /// Asked once all texts of an event, or of a document, were taken: an error where it must not
    /// be passed on.
    fn verdict(&self) -> Result<(), StreamError> {
        Ok(())
    }
}

/// Restores nothing; stands in the type of a relay that has nothing to restore.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unchanged;

impl Restore for Unchanged {
    fn push(&mut self, text: &str, out: &mut String) {
        out.push_str(text);
    }

    fn finish(&mut self, _out: &mut String) {}
}

impl Restorers for Unchanged {
    type R = Self;

    fn plain(&self) -> Self {
        Self
    }

    fn json(&self) -> Self {
        Self
    }
}
