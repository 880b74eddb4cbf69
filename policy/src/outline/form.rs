//! Bodies and parts in `application/x-www-form-urlencoded`: `name=value&name=value`.
//!
//! Every value is text, and its name says what it is. What is found is replaced in the encoded
//! bytes, so that the rest stays as it came. The format is that of the URL standard
//! (<https://url.spec.whatwg.org/#application/x-www-form-urlencoded>), read strictly: a broken
//! escape, which some readers drop and others keep, is refused.

use std::fmt::Write as _;

use crate::json::Text;
use crate::redact::{Edit, Engine, Redaction, Span, SpanKind, Vault};

/// Why a form cannot be read as every reader would.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadForm {
    /// A `%` without two hexadecimal digits after it.
    #[error("the form has a broken `%` escape at byte {0}")]
    Escape(usize),
    /// A name or value that is not UTF-8 once it is decoded.
    #[error("the form's text at byte {0} is not UTF-8")]
    Utf8(usize),
}

/// What to change in a form so that nothing found leaves. Offsets are into `form`.
pub fn redact_form(form: &[u8], engine: &Engine, vault: &Vault) -> Result<Redaction, BadForm> {
    let mut all = Redaction::default();
    let mut start = 0;
    for pair in form.split(|byte| *byte == b'&') {
        let (key, value) = match memchr::memchr(b'=', pair) {
            Some(equals) => (Some(decode(&pair[..equals], start)?), equals + 1),
            // A name alone has nothing that it names: it is the text.
            None => (None, 0),
        };
        let (at, raw) = (start + value, &pair[value..]);
        let text = decode(raw, at)?;
        let json = text.trim_ascii_start().starts_with(['{', '[']);
        let span = Span {
            text: Text::plain(&text, 0),
            key: key.as_deref(),
            kind: if json { SpanKind::Json } else { SpanKind::Plain },
        };
        let found = engine.redact(&[span], vault);
        all.edits.extend(found.edits.into_iter().map(|edit| Edit {
            range: at + locate(raw, edit.range.start)..at + locate(raw, edit.range.end),
            with: encode(&edit.with),
        }));
        all.findings.extend(found.findings.into_iter().map(|mut finding| {
            let range = &finding.range;
            finding.range = at + locate(raw, range.start)..at + locate(raw, range.end);
            finding
        }));
        start += pair.len() + 1;
    }
    Ok(all)
}

/// Whether a form can be read.
pub(super) fn check_form(form: &[u8]) -> Result<(), BadForm> {
    form.split(|byte| matches!(byte, b'&' | b'=')).try_for_each(|part| decode(part, 0).map(|_| ()))
}

fn decode(raw: &[u8], at: usize) -> Result<String, BadForm> {
    let mut out = Vec::with_capacity(raw.len());
    let mut place = 0;
    while let Some(byte) = raw.get(place) {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let escape = raw.get(place + 1..place + 3).and_then(hex);
                place += 2;
                escape.ok_or(BadForm::Escape(at + place - 2))?
            }
            other => *other,
        });
        place += 1;
    }
    String::from_utf8(out).map_err(|_| BadForm::Utf8(at))
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let [high, low] = digits else { return None };
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

/// Where the decoded byte at `wanted` stands in the encoded text, whose escapes are whole.
fn locate(raw: &[u8], wanted: usize) -> usize {
    let mut place = 0;
    for _ in 0..wanted {
        place += if raw.get(place) == Some(&b'%') { 3 } else { 1 };
    }
    place.min(raw.len())
}

fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::redact::{Mode, Modes, splice};

    fn masked(form: &str) -> Result<String, BadForm> {
        let engine = Engine::new(Modes::all(Mode::Mask));
        let redaction = redact_form(form.as_bytes(), &engine, &Vault::new([1; 32], 10))?;
        assert_eq!(redaction.edits.len(), redaction.findings.len());
        Ok(String::from_utf8(splice(form.as_bytes(), &redaction.edits)).unwrap())
    }

    #[test]
    fn values_are_found_behind_their_escapes_and_by_their_names() {
        for (form, expected) in [
            ("mail=ann%40example.com&x=1", "mail=%3CEMAIL%3E&x=1"),
            ("a=%C3%A9+ann%40example.com+%2B&b", "a=%C3%A9+%3CEMAIL%3E+%2B&b"),
            ("user%5Fssn=536228731&id=536228731", "user%5Fssn=%3CSSN%3E&id=536228731"),
            ("q=%7B%22to%22%3A%22a%40b.com%22%7D", "q=%7B%22to%22%3A%22%3CEMAIL%3E%22%7D"),
            ("ann@example.com", "%3CEMAIL%3E"),
            ("a=&&=b&c==d", "a=&&=b&c==d"),
            ("", ""),
        ] {
            assert_eq!(masked(form).unwrap(), expected, "{form}");
        }
    }

    #[test]
    fn what_readers_disagree_about_is_refused() {
        assert_eq!(masked("a=1&b=%4"), Err(BadForm::Escape(6)));
        assert_eq!(masked("a=%zz"), Err(BadForm::Escape(2)));
        assert_eq!(masked("a=b&%ff=1"), Err(BadForm::Utf8(4)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_borne_and_twice_is_once(
            form in "[a-c=&+%@.]{0,12}(ann%40example.com|536-22-8731|%2B14155550123)?[a-c=&+%0-9]{0,8}",
        ) {
            if let Ok(once) = masked(&form) {
                prop_assert_eq!(masked(&once).unwrap(), once);
            }
        }

        #[test]
        fn never_a_panic(form in prop::collection::vec(any::<u8>(), 0..64)) {
            let engine = Engine::new(Modes::all(Mode::Mask));
            let _ = redact_form(&form, &engine, &Vault::new([1; 32], 10));
        }
    }
}
