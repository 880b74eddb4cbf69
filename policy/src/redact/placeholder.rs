//! How a placeholder is written, and how it is recognised in what a model wrote.
//!
//! Written `<EMAIL_kq7mzvt2ah>`: the kind, and [`TAG`] characters of a base 32 without
//! look-alikes (`l`, `o`, `0`, `1`). A tag starts with a letter and never has three
//! digits in a row, so that no detector sees a number in it.
//!
//! Recognised in any case, with Markdown's backslashes (`\<EMAIL\_kq7mzvt2ah\>`), HTML's `&lt;`
//! and `&gt;`, and JSON's escapes where the text is itself JSON source. A backslash before `<`
//! is taken as Markdown's only if another one follows inside: otherwise it is the user's own.

use super::kind::{KINDS, Kind, Label};

/// Characters in a tag: 50 bits, so that a session of 10⁵ values meets a collision with a
/// probability below 10⁻⁵.
const TAG: usize = 10;
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// The longest placeholder, in characters.
const LONGEST: usize = "<_>".len() + Label::LONGEST + TAG;

/// The tag that these bytes make, or `None` where it would not be well formed.
pub(super) fn tag(digest: &[u8]) -> Option<String> {
    let (bits, _) = digest.split_first_chunk::<8>()?;
    let bits = u64::from_be_bytes(*bits);
    let tag: String =
        (0..TAG).map(|place| char::from(ALPHABET[(bits >> (5 * place)) as usize & 31])).collect();
    is_tag(&tag).then_some(tag)
}

fn is_tag(tag: &str) -> bool {
    let bytes = tag.as_bytes();
    bytes.len() == TAG
        && bytes.iter().all(|byte| ALPHABET.contains(byte))
        && bytes[0].is_ascii_lowercase()
        && !bytes.windows(3).any(|three| three.iter().all(u8::is_ascii_digit))
}

/// The placeholder of a value that is to be put back.
pub(super) fn reversible(kind: Kind, tag: &str) -> String {
    format!("<{kind}_{tag}>")
}

/// What stands in for a value that is gone for good.
pub(super) fn masked(kind: Kind) -> String {
    format!("<{kind}>")
}

/// The kind that a [`name`](Read::Whole) claims, where it is shaped like a placeholder.
pub(super) fn claims(name: &str) -> Option<Kind> {
    let inside = name.strip_prefix('<')?.strip_suffix('>')?;
    let (kind, tag) = inside.rsplit_once('_')?;
    KINDS.into_iter().find(|known| known.name().eq_ignore_ascii_case(kind) && is_tag(tag))
}

/// True for what is shaped like a placeholder of any kind, an operator's own too.
pub(super) fn is_like(text: &str) -> bool {
    let inside = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    let parts = inside.and_then(|inside| inside.rsplit_once('_'));
    parts.is_some_and(|(kind, tag)| {
        kind.parse::<Kind>().is_ok() && is_tag(&tag.to_ascii_lowercase())
    })
}

/// What stands at the start of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// Something written like a placeholder: its plain lower-case form, and its length in bytes.
    Whole(String, usize),
    /// What may become one, were the text to go on: the plain lower-case form so far.
    Start(String),
    /// Something else.
    Not,
}

/// Reads a placeholder, in any of its forms, at the start of text that is JSON `depth` times over.
pub(super) fn read(text: &[u8], depth: u8) -> Read {
    let mut scan = Scan { text, depth, at: 0 };
    let mut name = String::with_capacity(LONGEST);
    let Some(lead) = scan.skip(b'\\') else {
        return Read::Start(name);
    };
    match scan.mark(b'<', b"lt;") {
        None => return Read::Start(name),
        Some(false) => return Read::Not,
        Some(true) => name.push('<'),
    }
    let mut escaped = false;
    while name.len() < LONGEST {
        let Some(slash) = scan.skip(b'\\') else {
            return Read::Start(name);
        };
        escaped |= slash;
        match scan.mark(b'>', b"gt;") {
            None => return Read::Start(name),
            Some(true) => {
                name.push('>');
                return if lead && !escaped { Read::Not } else { Read::Whole(name, scan.at) };
            }
            Some(false) => {}
        }
        match scan.next() {
            Some(b'_') => name.push('_'),
            Some(byte) if byte.is_ascii_alphanumeric() && !slash => {
                name.push(char::from(byte.to_ascii_lowercase()));
            }
            Some(_) => return Read::Not,
            None => return Read::Start(name),
        }
    }
    Read::Not
}

/// A walk over characters, seen through `depth` layers of JSON escapes.
struct Scan<'a> {
    text: &'a [u8],
    depth: u8,
    at: usize,
}

impl Scan<'_> {
    /// The next character; `None` where the text ends before or inside it.
    fn next(&mut self) -> Option<u8> {
        let (byte, length) = unit(&self.text[self.at..], self.depth)?;
        self.at += length;
        Some(byte)
    }

    /// Passes over `wanted`, if it comes next.
    fn skip(&mut self, wanted: u8) -> Option<bool> {
        let (byte, length) = unit(&self.text[self.at..], self.depth)?;
        if byte == wanted {
            self.at += length;
        }
        Some(byte == wanted)
    }

    /// Passes over `plain`, or over `&` and the rest of its HTML entity.
    fn mark(&mut self, plain: u8, entity: &[u8]) -> Option<bool> {
        let start = self.at;
        if self.skip(plain)? {
            return Some(true);
        }
        if self.skip(b'&')? {
            for wanted in entity {
                if !self.next()?.eq_ignore_ascii_case(wanted) {
                    self.at = start;
                    return Some(false);
                }
            }
            return Some(true);
        }
        Some(false)
    }
}

/// Stands for every character that no placeholder holds.
const OTHER: u8 = 0xFF;

/// The character at the start of text that is JSON `depth` times over, and how many bytes it
/// takes; `None` where the text ends inside it. Bytes that are no valid escape stand for
/// themselves.
pub(super) fn unit(text: &[u8], depth: u8) -> Option<(u8, usize)> {
    if depth == 0 {
        return text.first().map(|byte| (*byte, 1));
    }
    let (first, slash) = unit(text, depth - 1)?;
    if first != b'\\' {
        return Some((first, slash));
    }
    let (escape, length) = unit(&text[slash..], depth - 1)?;
    let mut end = slash + length;
    match escape {
        b'"' | b'\\' | b'/' => Some((escape, end)),
        b'b' | b'f' | b'n' | b'r' | b't' => Some((OTHER, end)),
        b'u' => {
            let mut code = 0;
            for _ in 0..4 {
                let (digit, length) = unit(&text[end..], depth - 1)?;
                let Some(value) = char::from(digit).to_digit(16) else {
                    return Some((OTHER, slash));
                };
                code = code * 16 + value;
                end += length;
            }
            let ascii = u8::try_from(code).ok().filter(u8::is_ascii);
            Some((ascii.unwrap_or(OTHER), end))
        }
        _ => Some((OTHER, slash)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_never_looks_like_a_number() {
        let mut made = 0;
        for seed in 0..20_000_u64 {
            let digest = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
            if let Some(tag) = tag(&digest) {
                made += 1;
                let name = reversible(Kind::PrivateKey, &tag);
                assert!(name.len() <= LONGEST);
                assert_eq!(claims(&name.to_lowercase()), Some(Kind::PrivateKey));
            }
        }
        assert!(made > 10_000, "{made}");
        assert_eq!(tag(&[0xFF; 8]), None);
        assert_eq!(tag(&[0; 7]), None);
    }

    #[test]
    fn what_a_model_makes_of_a_placeholder_is_recognised() {
        let name = "<api_key_kq7mzvt2ah>";
        for (depth, text) in [
            (0, "<API_KEY_kq7mzvt2ah>"),
            (0, "<api_key_KQ7MZVT2AH>"),
            (0, r"\<API\_KEY\_kq7mzvt2ah\>"),
            (0, r"<API\_KEY\_kq7mzvt2ah>"),
            (0, "&lt;API_KEY_kq7mzvt2ah&gt;"),
            (1, r"\u003cAPI_KEY_kq7mzvt2ah\u003E"),
            (1, r"\\<API\\_KEY\\_kq7mzvt2ah\\>"),
            (1, r"\u0026lt;API_KEY_kq7mzvt2ah\u0026gt;"),
            (2, r"\\u003cAPI_KEY_kq7mzvt2ah\\u003e"),
        ] {
            let whole = Read::Whole(name.to_owned(), text.len());
            assert_eq!(read(text.as_bytes(), depth), whole, "{text}");
            for end in 0..text.len() {
                let start = read(&text.as_bytes()[..end], depth);
                assert!(matches!(start, Read::Start(_)), "{} {start:?}", &text[..end]);
            }
        }
        assert_eq!(claims(name), Some(Kind::ApiKey));
    }

    #[test]
    fn other_text_is_left_alone() {
        for (depth, text) in [
            (0, "<div class>"),
            (0, "<EMAIL kq7mzvt2ah>"),
            (0, r"\<EMAIL_kq7mzvt2ah>"),
            (0, r"<EM\AIL_kq7mzvt2ah>"),
            (0, r"\u003cEMAIL_kq7mzvt2ah\u003e"),
            (1, r"\n<EMAIL_kq7mzvt2ah>"),
            (1, r"\\u003cEMAIL_kq7mzvt2ah\\u003e"),
            (1, r"\<EMAIL_kq7mzvt2ah>"),
            (0, "<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ] {
            assert_eq!(read(text.as_bytes(), depth), Read::Not, "{text}");
        }
        for name in ["<email>", "<name_kq7mzvt2ah>", "<email_1234567890>", "<email_kq7mzvt2a>"] {
            assert_eq!(claims(name), None, "{name}");
        }
    }
}
