//! What a detector sees: the text, where its trigger stands in it, and what the text says there.

use std::ops::Range;

use super::context::{Said, Scene};
use super::kind::Confidence;

/// A place in a text where a detector's trigger stands.
pub(super) struct Site<'a> {
    /// The whole text. Detectors look at a bounded part of it, except inside a run that belongs
    /// to their own candidate alone.
    pub(super) text: &'a [u8],
    /// The trigger: an `@`, a run of digits, or a literal.
    pub(super) trigger: Range<usize>,
    /// The context of the whole text.
    pub(super) scene: &'a Scene<'a>,
    /// The asking detector's place among all.
    pub(super) detector: usize,
    /// True where a word for the kind is taken as said: to tell what a word would change.
    pub(super) supposing: bool,
}

/// What a detector makes of a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// Bytes of the text. Both ends are borders of characters.
    pub(super) range: Range<usize>,
    pub(super) rule: &'static str,
    pub(super) confidence: Confidence,
    /// The word that decided, where one did.
    pub(super) word: Option<&'static str>,
}

impl Hit {
    /// A find that needs no word.
    pub(super) const fn sure(
        range: Range<usize>,
        rule: &'static str,
        confidence: Confidence,
    ) -> Self {
        Self { range, rule, confidence, word: None }
    }
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

    /// True where nothing that could be a part of it stands before a number or word that starts
    /// at `at`.
    pub(super) fn starts(&self, at: usize) -> bool {
        !self.before(at).is_some_and(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'+')
        })
    }

    /// Where the bytes from `at` on stop being `wanted`, looking at most `limit` bytes far.
    pub(super) fn run(&self, at: usize, limit: usize, wanted: impl Fn(u8) -> bool) -> usize {
        let window = self.text.get(at..self.text.len().min(at + limit)).unwrap_or_default();
        at + window.iter().position(|byte| !wanted(*byte)).unwrap_or(window.len())
    }

    /// What the label and the words around `range` say of it, for this detector.
    pub(super) fn said(&self, range: &Range<usize>) -> Said {
        if self.supposing {
            return Said::Near("");
        }
        self.scene.said(range, self.detector)
    }

    /// A find that stands by itself: words may break it (`order 536-22-8731`), none are needed.
    pub(super) fn unless_denied(
        &self,
        range: Range<usize>,
        rule: &'static str,
        confidence: Confidence,
    ) -> Option<Hit> {
        let said = self.said(&range);
        (!said.is_against()).then_some(Hit { range, rule, confidence, word: said.word() })
    }

    /// A find that needs words, be it the label or nearby.
    pub(super) fn if_named(
        &self,
        range: Range<usize>,
        rule: &'static str,
        confidence: Confidence,
    ) -> Option<Hit> {
        let word = self.said(&range).word()?;
        Some(Hit { range, rule, confidence, word: Some(word) })
    }

    /// A find that needs a label of its own: its shape is too common for words nearby.
    pub(super) fn if_labelled(
        &self,
        range: Range<usize>,
        rule: &'static str,
        confidence: Confidence,
    ) -> Option<Hit> {
        match self.said(&range) {
            Said::Label(word) => Some(Hit { range, rule, confidence, word: Some(word) }),
            Said::Near(word) if self.supposing => {
                Some(Hit { range, rule, confidence, word: Some(word) })
            }
            _ => None,
        }
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
