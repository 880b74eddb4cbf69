//! The detectors at work: over one text, and over the spans of a document.

use std::fmt;
use std::ops::Range;

use super::context::Scene;
use super::detect::DETECTORS;
use super::edit::Edit;
use super::kind::{Kind, Mode, Modes};
use super::merge::{Match, merge};
use super::placeholder::{self, Read};
use super::prefilter::Prefilter;
use super::site::Site;
use super::vault::Vault;
use crate::json::{Event, Reader, Text};

/// How many strings of JSON may nest in one another before the innermost is read as plain text.
const MAX_NESTED: u32 = 4;
/// How often what is left of a text is searched again after something was taken out of it.
const MAX_ROUNDS: usize = 8;

/// The detectors of one policy. Immutable, to be shared.
pub struct Engine {
    modes: Modes,
    prefilter: Prefilter,
}

/// A string of a document that may hold something to redact.
#[derive(Clone, Copy)]
pub struct Span<'a> {
    /// Where it is.
    pub text: Text<'a>,
    /// The key or label that stands before it: the strongest context there is.
    pub key: Option<&'a str>,
    /// How to read it.
    pub kind: SpanKind,
}

/// How to read a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// As text.
    Plain,
    /// As a JSON document whose strings are text, such as a tool call's arguments. Read as plain
    /// text where it does not parse.
    Json,
}

/// What is to be changed in a document, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redaction {
    /// Sorted, not overlapping, over the document's bytes.
    pub edits: Vec<Edit>,
    /// In the order of the spans and of the text in them.
    pub findings: Vec<Finding>,
}

/// Something found in a document. Says what and where, never the text itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// The rule that found it.
    pub rule: &'static str,
    /// Bytes of the document, escapes included.
    pub range: Range<usize>,
    /// What is done about it.
    pub action: Mode,
}

/// What happens to a stretch of text.
struct Change {
    /// First in the text that it was found in, then in ever more outer ones, at last in the
    /// document.
    range: Range<usize>,
    /// `None` for a look-alike of a placeholder, which is no finding.
    found: Option<(Kind, &'static str)>,
    with: Option<String>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("modes", &self.modes).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine that looks for every kind whose mode is not [`Mode::Off`].
    pub fn new(modes: Modes) -> Self {
        let prefilter = Prefilter::new(|place| modes.of(DETECTORS[place].kind) != Mode::Off);
        Self { modes, prefilter }
    }

    /// The modes it was made with.
    pub const fn modes(&self) -> &Modes {
        &self.modes
    }

    /// What is in a text: sorted, not overlapping. `key` is what stands before the whole text.
    pub fn find(&self, text: &str, key: Option<&str>) -> Vec<Match> {
        let mut matches = Vec::new();
        let scene = Scene::new(text.as_bytes(), key);
        let mut site = Site {
            text: scene.text(),
            trigger: 0..0,
            scene: &scene,
            detector: 0,
            supposing: false,
        };
        self.prefilter.sweep(scene.text(), |place, trigger| {
            let detector = DETECTORS[place];
            (site.trigger, site.detector) = (trigger, place);
            let hit = (detector.check)(&site)?;
            let end = hit.range.end;
            matches.push(Match {
                kind: detector.kind,
                range: hit.range,
                rule: hit.rule,
                confidence: hit.confidence,
                word: hit.word,
            });
            Some(end)
        });
        merge(&mut matches, |kind| self.modes.of(kind).protects());
        matches
    }

    /// What to change in a document so that nothing found leaves. The spans must be in the
    /// order of the document.
    pub fn redact(&self, spans: &[Span<'_>], vault: &Vault) -> Redaction {
        let mut changes = Vec::new();
        for span in spans {
            self.visit(span, 0, vault, &mut changes);
        }
        let mut redaction = Redaction::default();
        for change in changes {
            if let Some((kind, rule)) = change.found {
                redaction.findings.push(Finding {
                    kind,
                    rule,
                    range: change.range.clone(),
                    action: self.modes.of(kind),
                });
            }
            if let Some(with) = change.with {
                redaction.edits.push(Edit { range: change.range, with });
            }
        }
        redaction
    }

    /// Appends a string's changes, placed in what surrounds the string.
    fn visit(&self, span: &Span<'_>, nested: u32, vault: &Vault, changes: &mut Vec<Change>) {
        let first = changes.len();
        let decoded = span.text.decode();
        match json_spans(span.kind, nested, &decoded) {
            Some(inner) => {
                for (key, text) in &inner {
                    let key = key.map(|key| key.decode());
                    let span = Span {
                        text: *text,
                        key: key.as_deref().or(span.key),
                        kind: SpanKind::Json,
                    };
                    self.visit(&span, nested + 1, vault, changes);
                }
            }
            None => self.read_text(&decoded, span.key, vault, changes),
        }
        let changes = &mut changes[first..];
        if changes.is_empty() {
            return;
        }
        let ends = changes.iter().flat_map(|change| [change.range.start, change.range.end]);
        let places = span.text.locate(ends);
        for (change, place) in changes.iter_mut().zip(places.chunks_exact(2)) {
            // A replacement has no character that JSON escapes, so it is the same at any depth.
            change.range = place[0]..place[1];
        }
    }

    /// Appends a text's changes, in the text's order.
    ///
    /// What is found is taken out, and the rest is searched again: a value's neighbour may have
    /// been hidden by having no border between them. That is also what makes redacting twice the
    /// same as redacting once.
    fn read_text(&self, text: &str, key: Option<&str>, vault: &Vault, changes: &mut Vec<Change>) {
        let first = changes.len();
        for found in self.find(text, key) {
            let change = self.change(text, found.range.clone(), &found, vault);
            changes.push(change);
        }
        if self.modes.any_reversible() {
            escape_look_alikes(text, vault, changes, first);
        }
        for _ in 0..MAX_ROUNDS {
            let Some((redacted, offsets)) = apply(text, &changes[first..]) else {
                return;
            };
            let fresh: Vec<_> = self
                .find(&redacted, key)
                .into_iter()
                .filter(|found| self.modes.of(found.kind).protects())
                .filter_map(|found| Some((offsets.original(&found.range)?, found)))
                .map(|(range, found)| self.change(text, range, &found, vault))
                .collect();
            if fresh.is_empty() {
                return;
            }
            // What was only reported gives way to what must not leave.
            let mut known = changes.split_off(first);
            known.retain(|change| change.with.is_some() || !overlaps(&fresh, &change.range));
            changes.extend(known);
            changes.extend(fresh);
            changes[first..].sort_by_key(|change| change.range.start);
        }
    }

    /// What is done about something found that takes up `range` of `text`.
    fn change(&self, text: &str, range: Range<usize>, found: &Match, vault: &Vault) -> Change {
        let with = match self.modes.of(found.kind) {
            Mode::Off | Mode::Detect => None,
            Mode::Mask | Mode::Block => Some(placeholder::masked(found.kind)),
            Mode::Reversible => Some(vault.placeholder(found.kind, &text[range.clone()])),
        };
        Change { range, found: Some((found.kind, found.rule)), with }
    }
}

/// A text after its changes, and where its bytes were before; `None` where nothing is replaced.
fn apply(text: &str, changes: &[Change]) -> Option<(String, Offsets)> {
    let mut out = String::new();
    let mut kept = Vec::new();
    let mut copied = 0;
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
    kept.push((out.len(), copied..text.len()));
    out.push_str(&text[copied..]);
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

/// The strings of a JSON document, each with the key of its innermost member; `None` where the
/// text is to be read as it is.
fn json_spans(
    kind: SpanKind,
    nested: u32,
    text: &str,
) -> Option<Vec<(Option<Text<'_>>, Text<'_>)>> {
    let is_json = kind == SpanKind::Json && nested < MAX_NESTED;
    if !is_json || !text.trim_ascii_start().starts_with(['{', '[']) {
        return None;
    }
    let mut reader = Reader::over(text);
    let mut strings = Vec::new();
    let mut key = None;
    while let Some(event) = reader.next().ok()? {
        match event {
            Event::Key(name) => key = Some(name),
            Event::String(text) => strings.push((key, text)),
            Event::EndObject => key = None,
            _ => {}
        }
    }
    Some(strings)
}

/// Gives what merely looks like a placeholder one of its own, so that it comes back as the user
/// wrote it whatever is issued later.
fn escape_look_alikes(text: &str, vault: &Vault, changes: &mut Vec<Change>, first: usize) {
    let bytes = text.as_bytes();
    let found = changes.len();
    let mut at = 0;
    while let Some(ahead) = memchr::memchr3(b'<', b'\\', b'&', &bytes[at..]) {
        at += ahead;
        if let Read::Whole(name, length) = placeholder::read(&bytes[at..], 0)
            && let Some(kind) = placeholder::claims(&name)
        {
            let range = at..at + length;
            at = range.end;
            if !vault.knows(&name) && !overlaps(&changes[first..found], &range) {
                changes.push(Change {
                    with: Some(vault.placeholder(kind, &text[range.clone()])),
                    range,
                    found: None,
                });
            }
        } else {
            at += 1;
        }
    }
    if changes.len() > found {
        changes[first..].sort_by_key(|change| change.range.start);
    }
}

/// True where one of the sorted changes touches the range.
fn overlaps(changes: &[Change], range: &Range<usize>) -> bool {
    let after = changes.partition_point(|change| change.range.end <= range.start);
    changes.get(after).is_some_and(|change| change.range.start < range.end)
}
