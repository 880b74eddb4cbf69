//! What a detector sees: the text, where its trigger stands in it, and the label before it.

use std::ops::Range;

use super::context;
use super::kind::Confidence;

/// A place in a text where a detector's trigger stands.
pub(super) struct Site<'a> {
    /// The whole text. Detectors look at a bounded part of it, except inside a run that belongs
    /// to their own candidate alone.
    pub(super) text: &'a [u8],
    /// The trigger: an `@`, a run of digits, or a literal.
    pub(super) trigger: Range<usize>,
    /// The JSON key or other label that stands before the whole text.
    pub(super) label: Option<&'a str>,
}

/// What a detector makes of a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// Bytes of the text. Both ends are ASCII, so they are borders of characters.
    pub(super) range: Range<usize>,
    pub(super) rule: &'static str,
    pub(super) confidence: Confidence,
}

impl Site<'_> {
    /// The byte that stands before `at`; see [`byte_before`].
    pub(super) fn before(&self, at: usize) -> Option<u8> {
        byte_before(self.text, at)
    }

    /// The byte at `at`.
    pub(super) fn byte(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    /// True where a number or word that ends before `at` is not continued there.
    ///
    /// A full stop continues it only where more of the same follows: `1.5` is one number, `1.`
    /// ends a sentence.
    pub(super) fn ends(&self, at: usize) -> bool {
        match self.byte(at) {
            Some(b'.') => !self.byte(at + 1).is_some_and(|next| next.is_ascii_alphanumeric()),
            Some(b'_' | b'-') => false,
            Some(byte) => !byte.is_ascii_alphanumeric(),
            None => true,
        }
    }

    /// Where the bytes from `at` on stop being `wanted`, looking at most `limit` bytes far.
    pub(super) fn run(&self, at: usize, limit: usize, wanted: impl Fn(u8) -> bool) -> usize {
        let window = &self.text[at..self.text.len().min(at + limit)];
        at + window.iter().position(|byte| !wanted(*byte)).unwrap_or(window.len())
    }

    /// True where the label, or the text shortly before `at`, says one of `words`.
    pub(super) fn says(&self, at: usize, words: &[&str]) -> bool {
        self.label.is_some_and(|label| context::says(label.as_bytes(), words))
            || context::says(context::window_before(self.text, at), words)
    }
}

/// The byte before `at`, or `None` at the start.
///
/// Text often carries source code or logs in which a line break is still written `\n`. Its last
/// letter is no letter of the word that follows, so a line feed is returned for it.
pub(super) fn byte_before(text: &[u8], at: usize) -> Option<u8> {
    match text[..at] {
        [.., b'\\', b'n' | b'r' | b't'] => Some(b'\n'),
        [.., byte] => Some(byte),
        [] => None,
    }
}
