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
use super::passage::Change;
use super::recognise::Recognise;
use super::vault::Vault;
use crate::json::{Event, Reader, Text, escape_into};

/// How many strings of JSON may nest in one another before the innermost is read as plain text.
const MAX_NESTED: u8 = 4;

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

    /// The texts that [`redact_with`](Self::redact_with) would search: for a recogniser that must
    /// be asked before.
    pub fn texts(&self, spans: &[Span<'_>]) -> Vec<String> {
        let mut texts = Vec::new();
        for span in spans {
            collect(span, 0, &mut texts);
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
        let alike = self.visit(span, 0, aids, changes);
        let start = span.text.start();
        // Whether a look-alike is one depends on the session.
        if !alike {
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

    /// Appends a span's changes, placed in what surrounds the span. True where they depend on the
    /// session.
    fn visit(
        &self,
        span: &Span<'_>,
        nested: u8,
        aids: Aids<'_>,
        changes: &mut Vec<Change>,
    ) -> bool {
        let first = changes.len();
        let mut alike = false;
        if span.kind == SpanKind::Number {
            self.read_number(span, aids.vault, changes);
            return alike;
        }
        let decoded = span.text.decode();
        match json_spans(span.kind, nested, &decoded) {
            Some(inner) => {
                for (key, text, kind) in &inner {
                    let key = key.map(|key| key.decode());
                    let span = Span { text: *text, key: key.as_deref().or(span.key), kind: *kind };
                    alike |= self.visit(&span, nested + 1, aids, changes);
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
            None => alike = self.read_text(&decoded, span.key, aids, changes),
        }
        let changes = &mut changes[first..];
        if changes.is_empty() {
            return alike;
        }
        let ends = changes.iter().flat_map(|change| [change.range.start, change.range.end]);
        let places = span.text.locate(ends);
        for (change, place) in changes.iter_mut().zip(places.chunks_exact(2)) {
            // A placeholder has no character that JSON escapes, so it is the same at any depth.
            change.range = place[0]..place[1];
        }
        alike
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
