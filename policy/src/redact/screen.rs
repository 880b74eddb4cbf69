//! Findings in the text of an answer, while it streams past.
//!
//! A stream is not searched as it happens to be cut but in **units**, which depend on the text
//! alone: lines, and in a long line what goes up to a border between words. Each unit is searched
//! with what stands before it, so the result is the same however the text arrived. What is found
//! is masked or merely reported, as the engine's modes say; nothing is ever put back.
//!
//! Sits before the [`Restorer`](super::Restorer) on an answer's way: it sees what the provider
//! wrote, in which a value of the user's own is still a placeholder. Knows no events and no
//! channels. A value that is written across a line break is found only inside private keys.

mod units;

use std::fmt;
use std::sync::Arc;

use super::document::{Span, SpanKind};
use super::engine::Engine;
use super::kind::{Kind, Mode, Modes};
use super::vault::Vault;
use crate::json::Text;

/// How many bytes before a unit are searched again with it, for the words that explain a number.
const CONTEXT: usize = 256;

/// Searches one text of an answer. Shows nothing of it.
pub struct Screen {
    engine: Arc<Engine>,
    /// Never asked for anything: no mode of an answer is reversible.
    vault: Vault,
    cut: Cut,
    key: Option<String>,
    /// What has arrived and was not put out yet, after the context.
    text: String,
    /// Where in `text` the context ends.
    begun: usize,
}

/// When a text is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Unit by unit.
    Units,
    /// Once it is all there.
    Whole,
    /// Once it is all there, as JSON whose strings are text, so that it stays JSON.
    Json,
}

/// Whether any of these kinds is looked for.
pub fn looks(modes: &Modes, kinds: &[Kind]) -> bool {
    kinds.iter().any(|kind| modes.of(*kind) != Mode::Off)
}

/// Whether any of these kinds is kept back, so that text must wait until it is searched.
pub fn guards(modes: &Modes, kinds: &[Kind]) -> bool {
    kinds.iter().any(|kind| modes.of(*kind).protects())
}

impl Screen {
    /// For one text. `key` is the name that it stands under, where that means something.
    pub fn new(engine: Arc<Engine>, cut: Cut, key: Option<&str>) -> Self {
        Self {
            engine,
            vault: Vault::new([0; 32], 1),
            cut,
            key: key.map(str::to_owned),
            text: String::new(),
            begun: 0,
        }
    }

    /// How many bytes wait to be searched.
    pub fn held(&self) -> usize {
        self.text.len() - self.begun
    }

    /// Takes the next piece and appends to `out` what could be searched by now. `found` is told
    /// the kind of each finding and what its mode is.
    pub fn push(&mut self, piece: &str, out: &mut String, found: &mut impl FnMut(Kind, Mode)) {
        self.text.push_str(piece);
        if self.cut != Cut::Units {
            return;
        }
        while let Some(unit) = units::next(&self.text[self.begun..]) {
            self.search(&unit, out, found);
        }
        self.forget();
    }

    /// The text has ended: appends the rest.
    pub fn finish(&mut self, out: &mut String, found: &mut impl FnMut(Kind, Mode)) {
        let all = self.held();
        if all > 0 {
            let rest = units::Unit { end: all, seen: all };
            self.search(&rest, out, found);
        }
        self.text.clear();
        self.begun = 0;
    }

    /// Searches a unit in its context and puts it out.
    fn search(&mut self, unit: &units::Unit, out: &mut String, found: &mut impl FnMut(Kind, Mode)) {
        let (start, end) = (self.begun, self.begun + unit.end);
        if self.text[start..end].trim_ascii().is_empty() {
            out.push_str(&self.text[start..end]);
            self.begun = end;
            return;
        }
        let first = context(&self.text[..start]);
        let view = &self.text[first..start + unit.seen];
        let kind = if self.cut == Cut::Json { SpanKind::Json } else { SpanKind::Plain };
        let span = Span { text: Text::plain(view, first), key: self.key.as_deref(), kind };
        let redaction = self.engine.redact(&[span], &self.vault);
        // A value that goes on beyond the unit belongs to the next one, or the unit grows by it.
        let mut end = end;
        for finding in &redaction.findings {
            if finding.range.start < end && end < finding.range.end {
                end = if finding.range.start > start {
                    finding.range.start
                } else {
                    finding.range.end
                };
            }
        }
        for finding in &redaction.findings {
            if finding.range.end > start && finding.range.start < end {
                found(finding.kind, finding.action);
            }
        }
        let mut copied = start;
        for edit in redaction.edits {
            if edit.range.end > start && edit.range.start < end {
                out.push_str(self.text.get(copied..edit.range.start).unwrap_or_default());
                out.push_str(&edit.with);
                copied = edit.range.end;
            }
        }
        out.push_str(self.text.get(copied..end).unwrap_or_default());
        self.begun = end;
    }

    /// Drops what is no context any more.
    fn forget(&mut self) {
        let first = context(&self.text[..self.begun]);
        self.text.drain(..first);
        self.begun -= first;
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen")
            .field("cut", &self.cut)
            .field("held", &self.held())
            .finish_non_exhaustive()
    }
}

/// Where the context at the end of a text starts: between words, if there are any.
fn context(before: &str) -> usize {
    let first = before.ceil_char_boundary(before.len().saturating_sub(CONTEXT));
    if first == 0 {
        return 0;
    }
    let space = before[first..].find(char::is_whitespace);
    first + space.unwrap_or(0)
}

#[cfg(test)]
mod tests;
