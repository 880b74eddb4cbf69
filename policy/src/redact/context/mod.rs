//! Words that make or break a weak shape.
//!
//! A number of nine digits is nothing by itself. What it is, the text around it says, and some
//! places say it louder than others:
//!
//! 1. the **label**: the JSON key, `name=`, `Name:`, XML tag or column header of the value. It
//!    decides alone, for a kind and against all others;
//! 2. the **words near** it: up to 64 bytes before and 40 after, not beyond another value, a
//!    placeholder, or the line.
//!
//! Words that speak for something else (`order`, `timestamp`, `trace id`) break a shape, never a
//! checksum that stands by itself nor a known prefix; the nearest word wins.
//!
//! All words of all detectors are searched for in one Aho-Corasick pass over those few bytes, and
//! only after a shape was found valid, so ordinary text costs nothing.

mod label;
mod table;
mod vocabulary;
mod waker;
mod window;

use std::cell::{Cell, OnceCell, RefCell};
use std::ops::Range;

use table::Tables;
pub(super) use vocabulary::says;
use vocabulary::{Voice, Word, vocabulary};

/// A text's key is the label of a value in it where no more bytes than this stand beside it.
const KEYED: usize = 32;

/// A word speaks against a value only where no more bytes than this lie between: `order no. 123`,
/// not "his order was lost, and his number is 123".
const ADJACENT: usize = 8;

/// In a label of several words, one speaks against a value only where no more bytes than this
/// follow it: an `order number`, but no `reference record`.
const HEAD: usize = 3;

/// Bytes of a stretch.
const STRETCH: usize = 4096;

/// What is known of one text while it is searched: its context, read when first asked for.
pub(super) struct Scene<'a> {
    text: &'a [u8],
    /// The key or label that stands before the whole text.
    key: Option<&'a str>,
    key_words: OnceCell<Vec<Word>>,
    tables: OnceCell<Tables>,
    /// Which detectors have a word of theirs in the latest stretch of the text that was asked about.
    awake: Cell<(Option<usize>, u128)>,
    /// Which have one in the key or in a table's header.
    awake_anywhere: OnceCell<u128>,
    /// The words around the latest candidate: several detectors ask about the same one.
    latest: RefCell<Option<(Range<usize>, Words)>>,
}

/// What the text says around one candidate.
#[derive(Default)]
struct Words {
    /// The label's, whatever they speak for.
    label: Vec<Word>,
    /// True where a label stands there that is no mere `number` or `value`: it decides.
    labelled: bool,
    /// Where the label's last word may start to end: in prose, what is named is named last.
    head: usize,
    near_before: Vec<Word>,
    /// The length of the window that those were read in.
    before: usize,
    near_after: Vec<Word>,
}

/// What the context says of a candidate, for one detector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The label names the kind.
    Label(&'static str),
    /// A word nearby names it.
    Near(&'static str),
    /// Something else is named.
    Against(&'static str),
    /// Nothing.
    Nothing,
}

impl Said {
    /// The word that names the kind.
    pub(super) const fn word(self) -> Option<&'static str> {
        match self {
            Self::Label(word) | Self::Near(word) => Some(word),
            Self::Against(_) | Self::Nothing => None,
        }
    }

    /// True where something else is named.
    pub(super) const fn is_against(self) -> bool {
        matches!(self, Self::Against(_))
    }
}

/// True where a key holds a word that names a kind.
pub(super) fn names_a_kind(key: &str) -> bool {
    let mut words = Vec::new();
    vocabulary().read(key.as_bytes(), &mut words);
    words.iter().any(|word| vocabulary().names(*word))
}

impl<'a> Scene<'a> {
    pub(super) const fn new(text: &'a [u8], key: Option<&'a str>) -> Self {
        Self {
            text,
            key,
            key_words: OnceCell::new(),
            tables: OnceCell::new(),
            awake: Cell::new((None, 0)),
            awake_anywhere: OnceCell::new(),
            latest: RefCell::new(None),
        }
    }

    /// The key or label that stands before the whole text.
    pub(super) const fn key(&self) -> Option<&'a str> {
        self.key
    }

    pub(super) const fn text(&self) -> &'a [u8] {
        self.text
    }

    /// What is said of the candidate that takes up `range`, for the detector at this place.
    pub(super) fn said(&self, range: &Range<usize>, detector: usize) -> Said {
        let mut latest = self.latest.borrow_mut();
        let known = latest.as_ref().is_some_and(|(known, _)| known == range);
        if !known {
            *latest = Some((range.clone(), self.words(range)));
        }
        latest.as_ref().map_or(Said::Nothing, |(_, words)| words.said(detector))
    }

    /// Calls `cell` with the header and the range of each cell of the columns whose header `wanted`
    /// says yes to.
    pub(super) fn cells(
        &self,
        wanted: impl Fn(&[u8]) -> bool,
        cell: &mut impl FnMut(&str, Range<usize>),
    ) {
        self.tables().cells(self.text, wanted, &mut |header, range| {
            if let Ok(header) = std::str::from_utf8(&self.text[header.clone()]) {
                let is_edge = |c: char| c.is_whitespace() || "\"'`*".contains(c);
                cell(header.trim_matches(is_edge), range);
            }
        });
    }

    /// Bit d: a word of detector d stands where it could name a candidate at `at`.
    ///
    /// Read once for a stretch of the text, so that a detector that needs words is asked about
    /// nothing where there are none.
    pub(super) fn awake(&self, at: usize) -> u128 {
        let stretch = at / STRETCH;
        let (known, awake) = self.awake.get();
        if known == Some(stretch) {
            return awake;
        }
        let anywhere = *self.awake_anywhere.get_or_init(|| {
            let headers = self.tables().headers().map(|range| &self.text[range]);
            let key = self.key.map(str::as_bytes);
            headers.chain(key).fold(0, |awake, text| awake | vocabulary().awake(text))
        });
        let start = (stretch * STRETCH).saturating_sub(window::FARTHEST_BEFORE);
        let end = ((stretch + 1) * STRETCH + window::FARTHEST_AFTER).min(self.text.len());
        let awake = anywhere | vocabulary().awake(&self.text[start..end]);
        self.awake.set((Some(stretch), awake));
        awake
    }

    fn words(&self, range: &Range<usize>) -> Words {
        let mut words = Words::default();
        let first = window::first_of_list(self.text, range.start);
        if let Some(label) = label::before(self.text, first) {
            let label_text = &self.text[label.range.clone()];
            vocabulary().read(label_text, &mut words.label);
            // `ssns` and `tax_ids` name what they hold many of.
            if words.label.is_empty()
                && let Some(one) = label_text.strip_suffix(b"s")
            {
                vocabulary().read(one, &mut words.label);
            }
            words.labelled = !label.is_generic && (label.is_structured || !words.label.is_empty());
            if words.labelled && !label.is_structured {
                words.head = label_text.len().saturating_sub(HEAD);
            }
        }
        if !words.labelled
            && let Some(header) = self.tables().header(self.text, range.start)
        {
            vocabulary().read(&self.text[header], &mut words.label);
            words.labelled = !words.label.is_empty();
        }
        // The key of a long text names the text, not each value in it.
        if !words.labelled
            && self.text.len() <= range.len() + KEYED
            && let Some(key) = self.key
        {
            let read = || {
                let mut words = Vec::new();
                vocabulary().read(key.as_bytes(), &mut words);
                words
            };
            let key = self.key_words.get_or_init(read);
            words.label.extend_from_slice(key);
            words.labelled = !key.is_empty();
        }
        if !words.labelled {
            let before = window::before(self.text, first);
            words.before = before.len();
            vocabulary().read(before, &mut words.near_before);
            let after = window::after(self.text, range.end);
            vocabulary().read(after, &mut words.near_after);
        }
        words
    }

    fn tables(&self) -> &Tables {
        self.tables.get_or_init(|| Tables::read(self.text))
    }
}

impl Words {
    fn said(&self, detector: usize) -> Said {
        let voice = |word: &Word| vocabulary().voice(*word, detector);
        if let Some(word) = self.label.iter().find(|word| voice(word) == Voice::For) {
            return Said::Label(vocabulary().text(*word));
        }
        if self.labelled {
            let is_against = |word: &&Word| word.end >= self.head && voice(word) == Voice::Against;
            let against = self.label.iter().find(is_against);
            return against.map_or(Said::Nothing, |word| Said::Against(vocabulary().text(*word)));
        }
        // Before a value, the last word is the nearest; after it, the first.
        for word in self.near_before.iter().rev() {
            match voice(word) {
                Voice::For => return Said::Near(vocabulary().text(*word)),
                Voice::Against if self.before - word.end <= ADJACENT => {
                    return Said::Against(vocabulary().text(*word));
                }
                // Another kind's word speaks for another value, not against this one.
                Voice::Rival => return Said::Nothing,
                Voice::Against | Voice::None => {}
            }
        }
        let mut after = self.near_after.iter().map(|word| (*word, voice(word)));
        match after.find(|(_, v)| *v != Voice::None) {
            Some((word, Voice::For)) => Said::Near(vocabulary().text(word)),
            _ => Said::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::redact::Kind;
    use crate::redact::detect::tests::found;

    #[test]
    fn in_a_label_of_prose_the_last_word_names() {
        for text in ["Reference record: 914-27-6083", "the order that he lost: 536-22-8731"] {
            assert_eq!(found(text).len(), 1, "{text}");
            assert_eq!(found(text)[0].0, Kind::Ssn, "{text}");
        }
        for text in ["Reference number: 914-27-6083", "order: 536-22-8731", "order_ref=536-22-8731"]
        {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn what_names_the_first_of_a_list_names_all() {
        for text in [
            "SSN: 536228731, 536228732 and 536228733",
            "{\"ssns\":[\"536228731\", \"536228732\", 536228733]}",
        ] {
            assert_eq!(found(text).len(), 3, "{text}");
        }
    }
}
