//! Values put back into what came from the provider: in whole texts, and in streams.
//!
//! Sees text after the events and strings that carry it were decoded, one restorer per choice,
//! content block or tool call. Only placeholders that the session issued are restored.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::placeholder::{Read, read, unit};
use super::vault::Vault;
use crate::json::escape_into;

/// The most layers of JSON that a restorer looks through.
const MAX_DEPTH: u8 = 4;

/// Restores one stream of text.
///
/// Holds back only what may still become an issued placeholder, so at most one placeholder's
/// length, and nothing at all while the session has issued none.
pub struct Restorer {
    vault: Arc<Vault>,
    depth: u8,
    held: String,
}

impl Restorer {
    /// For plain text.
    pub fn new(vault: Arc<Vault>) -> Self {
        Self::in_json(vault, 0)
    }

    /// For text that is itself the source of a JSON document, `depth` layers deep (at most 4): 1
    /// for the deltas of a tool call's arguments. Restored values are escaped that many times.
    pub fn in_json(vault: Arc<Vault>, depth: u8) -> Self {
        Self { vault, depth: depth.min(MAX_DEPTH), held: String::new() }
    }

    /// Takes the next piece and appends to `out` what can be released by now.
    pub fn push(&mut self, text: &str, out: &mut String) {
        if self.held.is_empty() {
            let end = release(&self.vault, self.depth, text, false, out);
            self.held.push_str(&text[end..]);
        } else {
            let mut joined = std::mem::take(&mut self.held);
            joined.push_str(text);
            let end = release(&self.vault, self.depth, &joined, false, out);
            joined.drain(..end);
            self.held = joined;
        }
    }

    /// Appends what is still held: the stream, or this block of it, is over.
    pub fn finish(&mut self, out: &mut String) {
        let held = std::mem::take(&mut self.held);
        release(&self.vault, self.depth, &held, true, out);
    }
}

impl fmt::Debug for Restorer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Restorer")
            .field("depth", &self.depth)
            .field("held", &self.held.len())
            .finish_non_exhaustive()
    }
}

/// Restores a whole text. Borrows where nothing changes.
pub fn restore<'t>(vault: &Vault, text: &'t str) -> Cow<'t, str> {
    if vault.is_empty() || memchr::memchr2(b'<', b'&', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    release(vault, 0, text, true, &mut out);
    if out == text { Cow::Borrowed(text) } else { Cow::Owned(out) }
}

/// Appends the text, restored, up to the offset that is returned. The rest may yet become a
/// placeholder; there is none when this is the `last` piece.
fn release(vault: &Vault, depth: u8, text: &str, last: bool, out: &mut String) -> usize {
    let bytes = text.as_bytes();
    let mut copied = 0;
    let mut at = 0;
    if vault.is_empty() {
        at = bytes.len();
    }
    // Every form of a placeholder, and every escape, starts with one of these.
    while let Some(ahead) = memchr::memchr3(b'<', b'\\', b'&', &bytes[at..]) {
        at += ahead;
        match read(&bytes[at..], depth) {
            Read::Whole(name, length) => {
                let before = &text[copied..at];
                let restored = vault.reveal(&name, |value| {
                    out.push_str(before);
                    push_escaped(out, value, depth);
                });
                if restored.is_some() {
                    at += length;
                    copied = at;
                    continue;
                }
            }
            Read::Start(name) if !last && vault.may_become(&name) => {
                out.push_str(&text[copied..at]);
                return at;
            }
            Read::Start(_) | Read::Not => {}
        }
        at += unit(&bytes[at..], depth).map_or(bytes.len() - at, |(_, length)| length);
    }
    out.push_str(&text[copied..]);
    text.len()
}

fn push_escaped(out: &mut String, value: &str, depth: u8) {
    match depth {
        0 => out.push_str(value),
        1 => escape_into(out, value),
        _ => {
            let mut inner = zeroize::Zeroizing::new(String::new());
            push_escaped(&mut inner, value, depth - 1);
            escape_into(out, &inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Kind;

    fn streamed(vault: &Arc<Vault>, depth: u8, pieces: &[&str]) -> String {
        let mut restorer = Restorer::in_json(Arc::clone(vault), depth);
        let mut out = String::new();
        for piece in pieces {
            restorer.push(piece, &mut out);
        }
        restorer.finish(&mut out);
        out
    }

    /// Every way to cut the text in three.
    fn under_every_split(vault: &Arc<Vault>, depth: u8, text: &str) -> String {
        let whole = streamed(vault, depth, &[text]);
        let cuts: Vec<_> = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
        for (place, first) in cuts.iter().enumerate() {
            for second in &cuts[place..] {
                let pieces = [&text[..*first], &text[*first..*second], &text[*second..]];
                assert_eq!(streamed(vault, depth, &pieces), whole, "{pieces:?}");
            }
        }
        let single: Vec<_> = text.split("").collect();
        assert_eq!(streamed(vault, depth, &single), whole);
        whole
    }

    #[test]
    fn any_split_of_a_stream_restores_the_same() {
        let vault = Arc::new(Vault::new([7; 32], 10));
        let ann = vault.placeholder(Kind::Email, "ann@example.com");
        let key = vault.placeholder(Kind::PrivateKey, "a\"\\\nb");
        let shouted = ann.to_uppercase();
        let markdown = ann.replace('_', r"\_");
        let text = format!("é **{ann}**, `{shouted}`{markdown} <b> {key}<{ann}< &amp; <EMA");
        let restored = under_every_split(&vault, 0, &text);
        let a = "ann@example.com";
        assert_eq!(restored, format!("é **{a}**, `{a}`{a} <b> a\"\\\nb<{a}< &amp; <EMA"));
    }

    #[test]
    fn in_json_source_a_value_is_escaped_for_its_depth() {
        let vault = Arc::new(Vault::new([7; 32], 10));
        let key = vault.placeholder(Kind::PrivateKey, "a\"\nb");
        let coded = key.replace('<', r"\u003c").replace('>', r"\u003e");
        let text = format!(r#"{{"k":"\\{key}\n","c":"{coded}\\"}}"#);
        assert_eq!(under_every_split(&vault, 1, &text), r#"{"k":"\\a\"\nb\n","c":"a\"\nb\\"}"#);
        assert_eq!(streamed(&vault, 2, &[&key]), r#"a\\\"\\nb"#);
    }

    #[test]
    fn nothing_is_held_back_without_need() {
        let vault = Arc::new(Vault::new([7; 32], 10));
        let mut out = String::new();
        let mut restorer = Restorer::new(Arc::clone(&vault));
        restorer.push("a <", &mut out);
        assert_eq!(out, "a <");
        vault.placeholder(Kind::Email, "ann@example.com");
        restorer.push(" b <E", &mut out);
        assert_eq!(out, "a < b ");
        restorer.push("M>", &mut out);
        assert_eq!(out, "a < b <EM>");
        restorer.push("<div", &mut out);
        assert_eq!(out, "a < b <EM><div");
    }

    #[test]
    fn what_the_session_did_not_issue_stays() {
        let vault = Vault::new([7; 32], 10);
        let foreign = Vault::new([8; 32], 10).placeholder(Kind::Email, "ann@example.com");
        let own = vault.placeholder(Kind::Email, "ann@example.com");
        assert!(matches!(restore(&vault, &foreign), Cow::Borrowed(_)));
        assert_eq!(restore(&vault, &own), "ann@example.com");
        assert_eq!(restore(&vault, &format!("\\{own}")), "\\ann@example.com");
    }

    #[test]
    fn hostile_text_costs_no_more_than_its_length() {
        let vault = Arc::new(Vault::new([7; 32], 10));
        let ann = vault.placeholder(Kind::Email, "ann@example.com");
        let almost = &ann[..ann.len() - 1];
        for text in ["<", "\\", "&lt;", almost, "\\<"] {
            let text = text.repeat(20_000);
            let mut restorer = Restorer::in_json(Arc::clone(&vault), 1);
            let mut out = String::new();
            restorer.push(&text, &mut out);
            assert!(restorer.held.len() < 200);
            restorer.finish(&mut out);
            assert_eq!(out, text);
        }
    }
}
