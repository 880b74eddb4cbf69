//! A JSON string in place: its raw bytes, where they are, and what they decode to.

use std::borrow::Cow;

/// A string literal of a document, without its quotes. Its escapes are known to be valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    raw: &'a str,
    at: usize,
    escaped: bool,
}

impl<'a> Text<'a> {
    /// `raw` stands at byte `at` of the document; its escapes must have been checked.
    pub(super) const fn new(raw: &'a str, at: usize, escaped: bool) -> Self {
        Self { raw, at, escaped }
    }

    /// A string without escapes that stands at byte `at`.
    pub const fn plain(raw: &'a str, at: usize) -> Self {
        Self::new(raw, at, false)
    }

    /// The same string in a document that has `by` more bytes before it.
    #[must_use]
    pub const fn moved(mut self, by: usize) -> Self {
        self.at += by;
        self
    }

    /// The inside of a string literal that is no part of a document; its escapes must be valid.
    pub(crate) const fn literal(raw: &'a str) -> Self {
        Self::literal_at(raw, 0)
    }

    /// The same where it stands at byte `at` of a document.
    pub(crate) const fn literal_at(raw: &'a str, at: usize) -> Self {
        Self::new(raw, at, true)
    }

    /// The characters as they stand in the document, escapes and all.
    pub const fn raw(&self) -> &'a str {
        self.raw
    }

    /// Where the raw characters start in the document: one past the opening quote.
    pub const fn start(&self) -> usize {
        self.at
    }

    /// Where the raw characters stand in the document, quotes not included.
    pub const fn range(&self) -> std::ops::Range<usize> {
        self.at..self.at + self.raw.len()
    }

    /// True where [`raw`](Self::raw) holds a backslash escape.
    pub const fn is_escaped(&self) -> bool {
        self.escaped
    }

    /// What the literal means. Borrows where there is nothing to decode.
    pub fn decode(&self) -> Cow<'a, str> {
        if !self.escaped {
            return Cow::Borrowed(self.raw);
        }
        let mut out = String::with_capacity(self.raw.len());
        let mut rest = self.raw;
        while let Some(slash) = memchr::memchr(b'\\', rest.as_bytes()) {
            out.push_str(&rest[..slash]);
            let (decoded, length) = decode_escape(&rest[slash..]);
            out.push(decoded);
            rest = &rest[slash + length..];
        }
        out.push_str(rest);
        Cow::Owned(out)
    }

    /// Turns rising byte offsets into the decoded text into offsets into the document.
    ///
    /// An offset on a character's border maps to where that character's raw form starts. One
    /// pass for all offsets together.
    pub fn locate(&self, decoded: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let mut raw = 0;
        let mut seen = 0;
        decoded
            .into_iter()
            .map(|wanted| {
                while seen < wanted && raw < self.raw.len() {
                    let rest = &self.raw[raw..];
                    let plain = if self.escaped {
                        memchr::memchr(b'\\', rest.as_bytes()).unwrap_or(rest.len())
                    } else {
                        rest.len()
                    };
                    if plain > 0 {
                        let step = plain.min(wanted - seen);
                        raw += step;
                        seen += step;
                    } else {
                        let (character, length) = decode_escape(rest);
                        raw += length;
                        seen += character.len_utf8();
                    }
                }
                self.at + raw
            })
            .collect()
    }

    /// True where the literal decodes to exactly `name`.
    pub fn is(&self, name: &str) -> bool {
        if self.escaped { self.decode() == name } else { self.raw == name }
    }
}

/// The character that the escape at the start of `text` stands for, and the escape's length.
fn decode_escape(text: &str) -> (char, usize) {
    let bytes = text.as_bytes();
    let unit = |at: usize| {
        text.get(at..at + 4).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0)
    };
    match bytes.get(1) {
        Some(b'u') => {
            let first = unit(2);
            if (0xD800..0xDC00).contains(&first) {
                let joined =
                    0x10000 + ((first - 0xD800) << 10) + (unit(8).wrapping_sub(0xDC00) & 0x3FF);
                (char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
            } else {
                (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6)
            }
        }
        Some(b'n') => ('\n', 2),
        Some(b't') => ('\t', 2),
        Some(b'r') => ('\r', 2),
        Some(b'b') => ('\u{8}', 2),
        Some(b'f') => ('\u{c}', 2),
        Some(other) => (char::from(*other), 2),
        None => ('\\', 1),
    }
}

/// Appends `text` as the inside of a JSON string literal.
pub fn escape_into(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\')
    {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            other => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.push_str("\\u00");
                out.push(char::from(HEX[usize::from(other >> 4)]));
                out.push(char::from(HEX[usize::from(other & 15)]));
            }
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}
