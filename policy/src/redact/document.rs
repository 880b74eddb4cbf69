//! What to change in a document so that nothing found leaves.
//!
//! A document comes as its [`Span`]s. Each is decoded, read (as JSON where it holds JSON, to any
//! of its strings and telling numbers), searched, and what is found becomes an [`Edit`] of the
//! document's own bytes.

use std::ops::Range;

use super::context::names_a_kind;
use super::edit::Edit;
use super::engine::Engine;
use super::kind::{Kind, Mode};
use super::memory::{Memory, Remembered};
use super::merge::Match;
use super::placeholder::{self, Read};
use super::recognise::Recognise;
use super::vault::Vault;
use crate::json::{Event, Reader, Text, escape_into};

/// How many strings of JSON may nest in one another before the innermost is read as plain text.
const MAX_NESTED: u8 = 4;
/// How often what is left of a text is searched again after something was taken out of it. A row of
/// values each of which hides the next takes a round a value.
const MAX_ROUNDS: usize = 32;
/// Bytes on both sides of a change that are searched again. No value that is not found by a long
/// armour of its own reaches further, context included.
const SEAM: usize = 512;

/// A string or number of a document that may hold something to redact.
#[derive(Clone, Copy)]
pub struct Span<'a> {
    /// Where it is.
    pub text: Text<'a>,
    /// The key or label that stands before it: the strongest context there is.
    pub key: Option<&'a str>,
    /// How to read it.
    pub kind: SpanKind,
}

/// How to read a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// As text.
    Plain,
    /// As a JSON document whose strings are text, such as a tool call's arguments. Read as plain
    /// text where it does not parse.
    Json,
    /// As a number that its key says is personal (see [`is_telling`]). What takes its place is a
    /// string, quotes and all.
    Number,
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

/// What helps to redact a document, besides the engine.
#[derive(Clone, Copy)]
pub struct Aids<'a> {
    /// Where values are kept to be put back.
    pub vault: &'a Vault,
    /// What was found in texts that came before.
    pub memory: Option<&'a Memory>,
    /// Finds what has no form: names, places.
    pub recogniser: Option<&'a dyn Recognise>,
}

/// What happens to a stretch of text.
struct Change {
    /// First in the text that it was found in, then in ever more outer ones, at last in the
    /// document.
    range: Range<usize>,
    kind: Kind,
    /// `None` for a look-alike of a placeholder, which is no finding.
    rule: Option<&'static str>,
    with: Option<String>,
    /// How many strings of JSON it lies in below the document's own.
    layers: u8,
    number: bool,
}

/// True where a number under this key is to be looked at: the key names a kind of finding.
pub fn is_telling(key: &str) -> bool {
    names_a_kind(key)
}

impl Engine {
    /// What to change in a document so that nothing found leaves. The spans must be in the
    /// order of the document.
    pub fn redact(&self, spans: &[Span<'_>], vault: &Vault) -> Redaction {
        self.redact_with(spans, Aids { vault, memory: None, recogniser: None })
    }

    /// The same, with aids.
    pub fn redact_with(&self, spans: &[Span<'_>], aids: Aids<'_>) -> Redaction {
        let mut redaction = Redaction::default();
        let mut changes = Vec::new();
        for span in spans {
            self.visit_top(span, aids, &mut changes);
        }
        for change in changes {
            if let Some(rule) = change.rule {
                redaction.findings.push(Finding {
                    kind: change.kind,
                    rule,
                    range: change.range.clone(),
                    action: self.modes().of(change.kind),
                });
            }
            if let Some(with) = change.with {
                redaction.edits.push(Edit { range: change.range, with });
            }
        }
        redaction
    }

    /// The texts that [`redact_with`](Self::redact_with) would search, but for those that are
    /// remembered: for a recogniser that must be asked before.
    pub fn texts(&self, spans: &[Span<'_>], memory: Option<&Memory>) -> Vec<String> {
        let mut texts = Vec::new();
        for span in spans {
            let known = memory.and_then(|memory| memory.recall(&memory.mark(span)?)).is_some();
            if !known {
                collect(span, 0, &mut texts);
            }
        }
        texts
    }

    /// A span of the document itself: remembered where it was seen before.
    fn visit_top(&self, span: &Span<'_>, aids: Aids<'_>, changes: &mut Vec<Change>) {
        let Some((memory, mark)) =
            aids.memory.and_then(|memory| Some((memory, memory.mark(span)?)))
        else {
            self.visit(span, 0, aids, changes);
            return;
        };
        if let Some(remembered) = memory.recall(&mark) {
            changes.extend(remembered.iter().map(|known| self.again(span, known, aids.vault)));
            return;
        }
        let first = changes.len();
        self.visit(span, 0, aids, changes);
        let start = span.text.start();
        let is_finding = |change: &Change| change.rule.is_some();
        // Whether a look-alike is one depends on the session.
        if changes[first..].iter().all(is_finding) && !holds_look_alike(span) {
            let remembered = changes[first..].iter().filter_map(|change| {
                Some(Remembered {
                    range: change.range.start - start..change.range.end - start,
                    kind: change.kind,
                    rule: change.rule?,
                    layers: change.layers,
                    number: change.number,
                })
            });
            memory.remember(mark, remembered.collect());
        }
    }

    /// The change that was made of the same bytes before.
    fn again(&self, span: &Span<'_>, known: &Remembered, vault: &Vault) -> Change {
        let raw = &span.text.raw()[known.range.clone()];
        let mut value = zeroize::Zeroizing::new(raw.to_owned());
        if !known.number {
            for _ in 0..=known.layers {
                *value = Text::literal(&value).decode().into_owned();
            }
        }
        let mut with = self.replacement(known.kind, &value, vault);
        if known.number {
            with = with.map(|with| quoted(&with, known.layers));
        }
        let start = span.text.start();
        Change {
            range: start + known.range.start..start + known.range.end,
            kind: known.kind,
            rule: Some(known.rule),
            with,
            layers: known.layers,
            number: known.number,
        }
    }

    /// Appends a span's changes, placed in what surrounds the span.
    fn visit(&self, span: &Span<'_>, nested: u8, aids: Aids<'_>, changes: &mut Vec<Change>) {
        let first = changes.len();
        if span.kind == SpanKind::Number {
            self.read_number(span, aids.vault, changes);
            return;
        }
        let decoded = span.text.decode();
        match json_spans(span.kind, nested, &decoded) {
            Some(inner) => {
                for (key, text, kind) in &inner {
                    let key = key.map(|key| key.decode());
                    let span = Span { text: *text, key: key.as_deref().or(span.key), kind: *kind };
                    self.visit(&span, nested + 1, aids, changes);
                }
                // JSON that has keys and no escapes stands by itself, in no string: a file, say.
                let in_string = span.text.is_escaped();
                for change in &mut changes[first..] {
                    change.layers += 1;
                    if change.number && in_string {
                        change.with = change.with.take().map(|with| escaped(&with));
                    }
                }
            }
            None => self.read_text(&decoded, span.key, aids, changes),
        }
        let changes = &mut changes[first..];
        if changes.is_empty() {
            return;
        }
        let ends = changes.iter().flat_map(|change| [change.range.start, change.range.end]);
        let places = span.text.locate(ends);
        for (change, place) in changes.iter_mut().zip(places.chunks_exact(2)) {
            // A placeholder has no character that JSON escapes, so it is the same at any depth.
            change.range = place[0]..place[1];
        }
    }

    /// Appends the change of a number that is personal as a whole.
    fn read_number(&self, span: &Span<'_>, vault: &Vault, changes: &mut Vec<Change>) {
        let number = span.text.raw();
        let whole = |found: &Match| found.range == (0..number.len());
        if let Some(found) = self.find(number, span.key).into_iter().find(whole) {
            let with = self.replacement(found.kind, number, vault);
            changes.push(Change {
                range: span.text.range(),
                kind: found.kind,
                rule: Some(found.rule),
                with: with.map(|with| quoted(&with, 0)),
                layers: 0,
                number: true,
            });
        }
    }

    /// Appends a text's changes, in the text's order.
    ///
    /// What is found is taken out, and the rest is searched again: a value's neighbour may have
    /// been hidden by having no border between them. That is also what makes redacting twice the
    /// same as redacting once.
    fn read_text(&self, text: &str, key: Option<&str>, aids: Aids<'_>, changes: &mut Vec<Change>) {
        let first = changes.len();
        for found in self.find_with(text, key, aids.recogniser) {
            let change = self.change(text, found.range.clone(), &found, aids.vault);
            changes.push(change);
        }
        if self.modes().any_reversible() {
            escape_look_alikes(text, aids.vault, changes, first);
        }
        for _ in 0..MAX_ROUNDS {
            let fresh = self.read_seams(text, key, aids.vault, &changes[first..]);
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
    fn replacement(&self, kind: Kind, value: &str, vault: &Vault) -> Option<String> {
        match self.modes().of(kind) {
            Mode::Off | Mode::Detect => None,
            Mode::Mask | Mode::Block => Some(placeholder::masked(kind)),
            Mode::Reversible => Some(vault.placeholder(kind, value)),
        }
    }
}

/// The texts of a span, as they would be searched.
fn collect(span: &Span<'_>, nested: u8, texts: &mut Vec<String>) {
    let decoded = span.text.decode();
    match json_spans(span.kind, nested, &decoded) {
        Some(inner) => {
            for (_, text, kind) in inner {
                collect(&Span { text, key: None, kind }, nested + 1, texts);
            }
        }
        None if span.kind == SpanKind::Number => {}
        None => texts.push(decoded.into_owned()),
    }
}

/// A JSON string in text that is JSON `layers` times over.
fn quoted(text: &str, layers: u8) -> String {
    (0..layers).fold(format!("\"{text}\""), |quoted, _| escaped(&quoted))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    escape_into(&mut out, text);
    out
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

/// The strings and telling numbers of a JSON document, each with the key of its innermost member;
/// `None` where the text is to be read as it is.
fn json_spans(kind: SpanKind, nested: u8, text: &str) -> Option<Vec<Inner<'_>>> {
    let is_json = kind == SpanKind::Json && nested < MAX_NESTED;
    if !is_json || !text.trim_ascii_start().starts_with(['{', '[']) {
        return None;
    }
    let mut reader = Reader::over(text);
    let mut spans = Vec::new();
    let mut key = None;
    while let Some(event) = reader.next().ok()? {
        match event {
            Event::Key(name) => key = Some(name),
            Event::String(text) => spans.push((key, text, SpanKind::Json)),
            Event::Number(number) if key.is_some_and(|key| is_telling(&key.decode())) => {
                let text = Text::plain(number, reader.position() - number.len());
                spans.push((key, text, SpanKind::Number));
            }
            Event::EndObject => key = None,
            _ => {}
        }
    }
    Some(spans)
}

/// A value of a document in a string: its key, itself, how to read it.
type Inner<'a> = (Option<Text<'a>>, Text<'a>, SpanKind);

/// True where something in the span is shaped like a placeholder.
fn holds_look_alike(span: &Span<'_>) -> bool {
    let decoded = span.text.decode();
    let bytes = decoded.as_bytes();
    let mut marks = memchr::memchr3_iter(b'<', b'\\', b'&', bytes);
    marks.any(|at| {
        (0..=MAX_NESTED).any(|depth| {
            matches!(placeholder::read(&bytes[at..], depth), Read::Whole(name, _)
                if placeholder::is_like(&name))
        })
    })
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
}

/// True where one of the sorted changes touches the range.
fn overlaps(changes: &[Change], range: &Range<usize>) -> bool {
    let after = changes.partition_point(|change| change.range.end <= range.start);
    changes.get(after).is_some_and(|change| change.range.start < range.end)
}
