//! What can be found, for people: the table in the docs and `iron policy kinds` are made of it.

use super::detect::{DETECTORS, Detector};
use super::kind::{KINDS, Kind, Mode};

/// One kind, as it is told to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The kind.
    pub kind: Kind,
    /// How it is validated, a line per way in which it is found.
    pub validated: Vec<&'static str>,
    /// True where it is found only where a label or words name it.
    pub needs_words: bool,
    /// What is done where the policy says nothing.
    pub default: Mode,
}

/// Every built-in kind.
pub fn catalogue() -> Vec<Entry> {
    KINDS.into_iter().map(entry).collect()
}

fn entry(kind: Kind) -> Entry {
    let of_kind = || DETECTORS.iter().filter(|detector| detector.kind == kind);
    let mut validated: Vec<_> = of_kind().map(|detector| detector.about).collect();
    validated.dedup();
    if validated.is_empty() {
        validated.push("found by a recogniser");
    }
    let named = |detector: &&Detector| !detector.label.is_empty();
    Entry {
        kind,
        validated,
        needs_words: of_kind().count() > 0 && of_kind().all(named),
        default: kind.default_mode(),
    }
}

/// How a rule's finds of a kind are validated.
pub fn validated(kind: Kind) -> Vec<&'static str> {
    entry(kind).validated
}
