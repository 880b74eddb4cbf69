//! One text of a document: what is found in it, and what takes its place.
//!
//! What is found is taken out, and what stands beside it is searched again, until nothing new is
//! found. Where the text stands in its document is [`document`](super::document)'s.

use std::ops::Range;

use super::document::Aids;
use super::engine::Engine;
use super::kind::{Kind, Mode};
use super::merge::Match;
use super::placeholder::{self, Read};
use super::vault::Vault;

/// How often what is left of a text is searched again after something was taken out of it. A row of
/// values each of which hides the next takes a round a value.
const MAX_ROUNDS: usize = 32;
/// Bytes on both sides of a change that are searched again. No value that is not found by a long
/// armour of its own reaches further, context included.
const SEAM: usize = 512;

/// What happens to a stretch of text.
pub(super) struct Change {
    /// First in the text that it was found in, then in ever more outer ones, at last in the
    /// document.
    pub(super) range: Range<usize>,
    pub(super) kind: Kind,
    /// `None` for a look-alike of a placeholder, which is no finding.
    pub(super) rule: Option<&'static str>,
    pub(super) with: Option<String>,
    /// How many strings of JSON it lies in below the document's own.
    pub(super) layers: u8,
    pub(super) number: bool,
}

impl Engine {
    /// Appends a text's changes, in the text's order. True where they depend on the session: where
    /// something is shaped like a placeholder.
    ///
    /// What is found is taken out, and the rest is searched again: a value's neighbour may have
    /// been hidden by having no border between them. That is also what makes redacting twice the
    /// same as redacting once.
    pub(super) fn read_text(
        &self,
        text: &str,
        key: Option<&str>,
        aids: Aids<'_>,
        changes: &mut Vec<Change>,
    ) -> bool {
        let first = changes.len();
        for found in self.find_with(text, key, aids.recogniser) {
            let change = self.change(text, found.range.clone(), &found, aids.vault);
            changes.push(change);
        }
        let alike =
            self.modes().any_reversible() && escape_look_alikes(text, aids.vault, changes, first);
        for _ in 0..MAX_ROUNDS {
            let fresh = self.read_seams(text, key, aids.vault, &changes[first..]);
            if fresh.is_empty() {
                break;
            }
            // What was only reported gives way to what must not leave.
            let mut known = changes.split_off(first);
            known.retain(|change| change.with.is_some() || !overlaps(&fresh, &change.range));
            changes.extend(known);
            changes.extend(fresh);
            changes[first..].sort_by_key(|change| change.range.start);
        }
        alike
    }

    /// What is found beside what was replaced, now that it is. Only what stands near a change can
    /// have become visible by it.
    fn read_seams(
        &self,
        text: &str,
        key: Option<&str>,
        vault: &Vault,
        changes: &[Change],
    ) -> Vec<Change> {
        let mut fresh = Vec::new();
        let mut rest = changes;
        while let Some(first) = rest.iter().position(|change| change.with.is_some()) {
            rest = &rest[first..];
            let start = border_before(text, rest[0].range.start.saturating_sub(SEAM));
            let mut end = 0;
            let mut count = 0;
            for change in rest {
                if count > 0 && change.range.start > end {
                    break;
                }
                count += 1;
                if change.with.is_some() {
                    end = border_before(text, (change.range.end + SEAM).min(text.len()));
                }
            }
            let (seam, after) = rest.split_at(count);
            rest = after;
            // A change that the end lies in was only reported, and stays outside.
            let Some((redacted, offsets)) = apply(text, start..end, seam) else { continue };
            // What begins or ends where the stretch was cut is a part of something.
            let is_whole = |found: &Match| {
                (found.range.start > 0 || start == 0)
                    && (found.range.end < redacted.len() || end == text.len())
            };
            let found = self.find(&redacted, key);
            fresh.extend(
                found
                    .into_iter()
                    .filter(|found| self.modes().of(found.kind).protects() && is_whole(found))
                    .filter_map(|found| Some((offsets.original(&found.range)?, found)))
                    .map(|(range, found)| self.change(text, range, &found, vault)),
            );
        }
        fresh
    }

    /// What is done about something found that takes up `range` of `text`.
    fn change(&self, text: &str, range: Range<usize>, found: &Match, vault: &Vault) -> Change {
        let with = self.replacement(found.kind, &text[range.clone()], vault);
        Change { range, kind: found.kind, rule: Some(found.rule), with, layers: 0, number: false }
    }

    /// What stands in a value's place.
    pub(super) fn replacement(&self, kind: Kind, value: &str, vault: &Vault) -> Option<String> {
        match self.modes().of(kind) {
            Mode::Off | Mode::Detect => None,
            Mode::Mask | Mode::Block => Some(placeholder::masked(kind)),
            Mode::Reversible => Some(vault.placeholder(kind, value)),
        }
    }
}

/// The border of characters at `at` or before it.
fn border_before(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

/// A stretch of a text after its changes, and where its bytes were before; `None` where nothing is
/// replaced.
fn apply(text: &str, stretch: Range<usize>, changes: &[Change]) -> Option<(String, Offsets)> {
    let mut out = String::with_capacity(stretch.len());
    let mut kept = Vec::new();
    let mut copied = stretch.start;
    for change in changes {
        if let Some(with) = &change.with {
            kept.push((out.len(), copied..change.range.start));
            out.push_str(&text[copied..change.range.start]);
            out.push_str(with);
            copied = change.range.end;
        }
    }
    if kept.is_empty() {
        return None;
    }
    kept.push((out.len(), copied..stretch.end));
    out.push_str(&text[copied..stretch.end]);
    Some((out, Offsets(kept)))
}

/// The stretches of a text that were kept: where each stands now, and where it stood.
struct Offsets(Vec<(usize, Range<usize>)>);

impl Offsets {
    /// Where something stood that lies within one kept stretch.
    fn original(&self, range: &Range<usize>) -> Option<Range<usize>> {
        let after = self.0.partition_point(|(now, _)| *now <= range.start);
        let (now, before) = self.0.get(after.checked_sub(1)?)?;
        let start = before.start + (range.start - now);
        let end = start + range.len();
        (end <= before.end).then_some(start..end)
    }
}

/// Gives what merely looks like a placeholder one of its own, so that it comes back as the user
/// wrote it whatever is issued later. True where anything looks like one, issued or not.
fn escape_look_alikes(text: &str, vault: &Vault, changes: &mut Vec<Change>, first: usize) -> bool {
    let bytes = text.as_bytes();
    let found = changes.len();
    let mut alike = false;
    let mut at = 0;
    while let Some(ahead) = memchr::memchr3(b'<', b'\\', b'&', &bytes[at..]) {
        at += ahead;
        if let Read::Whole(name, length) = placeholder::read(&bytes[at..], 0)
            && let Some(kind) = placeholder::claims(&name)
        {
            alike = true;
            let range = at..at + length;
            at = range.end;
            if !vault.knows(&name) && !overlaps(&changes[first..found], &range) {
                changes.push(Change {
                    with: Some(vault.placeholder(kind, &text[range.clone()])),
                    range,
                    kind,
                    rule: None,
                    layers: 0,
                    number: false,
                });
            }
        } else {
            at += 1;
        }
    }
    if changes.len() > found {
        changes[first..].sort_by_key(|change| change.range.start);
    }
    alike
}

/// True where one of the sorted changes touches the range.
fn overlaps(changes: &[Change], range: &Range<usize>) -> bool {
    let after = changes.partition_point(|change| change.range.end <= range.start);
    changes.get(after).is_some_and(|change| change.range.start < range.end)
}
