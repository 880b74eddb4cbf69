//! Bodies in `multipart/form-data`: uploads of files, with fields beside them.
//!
//! Read strictly after RFC 7578 and RFC 2046: whatever two readers could take apart differently
//! is refused, because a part that we do not see is a part that leaves unread. Parts of text are
//! redacted in place; nothing else of the body changes. What cannot be read as text is
//! [opaque](Multipart::opaque): the policy decides about it.

mod head;
mod reading;

use std::fmt;
use std::ops::Range;

pub use reading::Opaque;

use self::head::Head;
use self::reading::Reading;
use super::form::redact_form;
use super::lines;
use crate::json::Text;
use crate::redact::{Edit, Engine, Redaction, Span, SpanKind, Vault};

/// More parts than this no upload has.
const MOST_PARTS: usize = 1_000;
/// The longest boundary that RFC 2046 allows.
const LONGEST_BOUNDARY: usize = 70;

/// An upload, taken apart.
pub struct Multipart<'a> {
    parts: Vec<Part<'a>>,
}

struct Part<'a> {
    head: Head<'a>,
    /// Where the content stands in the body.
    at: usize,
    content: &'a [u8],
    reading: Reading,
}

/// Shows no text: an upload is the caller's.
impl fmt::Debug for Multipart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Multipart").field("parts", &self.parts.len()).finish()
    }
}

/// Why a body is not `multipart/form-data` that every reader takes apart in the same way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMultipart {
    /// The content type names no boundary, or one that is none.
    #[error("the content type names no proper boundary")]
    Boundary,
    /// The body does not begin with the boundary.
    #[error("the multipart body does not begin with its boundary")]
    Start,
    /// A boundary is followed by something else than a line end.
    #[error("the multipart body has something after a boundary at byte {0}")]
    Delimiter(usize),
    /// The closing boundary is missing, or is not the end.
    #[error("the multipart body does not end with its closing boundary")]
    End,
    /// A part's head is malformed, too long, or says something twice.
    #[error("the head of the part at byte {0} is not as RFC 7578 wants it")]
    Head(usize),
    /// A part is wrapped in an encoding that hides its text.
    #[error("the part at byte {0} has a content-transfer-encoding: send its bytes as they are")]
    TransferEncoding(usize),
    /// More parts than anyone sends.
    #[error("the multipart body has more than {MOST_PARTS} parts")]
    TooMany,
}

impl<'a> Multipart<'a> {
    /// Takes a body apart. `content_type` is the value of that header.
    pub fn read(content_type: &str, body: &'a [u8]) -> Result<Self, BadMultipart> {
        let boundary = boundary(content_type).ok_or(BadMultipart::Boundary)?;
        let first = format!("--{boundary}");
        let delimiter = format!("\n--{boundary}");
        if !body.starts_with(first.as_bytes()) {
            return Err(BadMultipart::Start);
        }
        let finder = memchr::memmem::Finder::new(delimiter.as_bytes());
        let mut parts = Vec::new();
        let mut at = first.len();
        loop {
            match &body[at..] {
                [b'-', b'-', rest @ ..] => {
                    let ended = matches!(rest, [] | b"\r\n") && !parts.is_empty();
                    return if ended { Ok(Self { parts }) } else { Err(BadMultipart::End) };
                }
                [b'\r', b'\n', ..] => at += 2,
                _ => return Err(BadMultipart::Delimiter(at)),
            }
            if parts.len() == MOST_PARTS {
                return Err(BadMultipart::TooMany);
            }
            let (head, content) = Head::read(body, at)?;
            // Some readers also end a part at a bare line feed, or in place of its content.
            let found = finder.find(&body[content..]).ok_or(BadMultipart::End)?;
            let line = content + found;
            if body[content..].starts_with(first.as_bytes())
                || found == 0
                || body[line - 1] != b'\r'
            {
                return Err(BadMultipart::Delimiter(content));
            }
            let end = line - 1;
            let bytes = &body[content..end];
            let reading = Reading::of(&head, bytes);
            parts.push(Part { head, at: content, content: bytes, reading });
            at = line + delimiter.len();
        }
    }

    /// The parts whose text cannot be read.
    pub fn opaque(&self) -> impl Iterator<Item = (&Opaque, String)> {
        self.parts.iter().filter_map(|part| match &part.reading {
            Reading::Opaque(opaque) => Some((opaque, part.shown())),
            _ => None,
        })
    }

    /// Each part: its name, whether it is a file, and its content.
    pub fn each(&self) -> impl Iterator<Item = (&'a str, bool, &'a [u8])> {
        self.parts.iter().map(|part| {
            // What is called a file is one, whatever it says of itself.
            let name = part.head.name;
            let named = matches!(name, "file" | "mask") || name.starts_with("image");
            (name, named || part.head.filename.is_some(), part.content)
        })
    }

    /// The content of the part of this name; none where there is no such part, or several.
    pub fn only(&self, name: &str) -> Option<&'a [u8]> {
        let mut named = self.parts.iter().filter(|part| part.head.name == name);
        let first = named.next()?;
        named.next().is_none().then_some(first.content)
    }

    /// What to change in the body so that nothing found leaves.
    pub fn redact(&self, engine: &Engine, vault: &Vault) -> Redaction {
        let mut all = Redaction::default();
        for part in &self.parts {
            let mut found = part.redact(engine, vault);
            if let (false, Some(length)) = (found.edits.is_empty(), &part.head.length) {
                // The content's length may be another now, and nobody needs it said.
                found.edits.push(Edit { range: length.clone(), with: String::new() });
                found.edits.sort_by_key(|edit| edit.range.start);
            }
            all.edits.append(&mut found.edits);
            all.findings.append(&mut found.findings);
        }
        all
    }

    /// Names the part that holds the byte at `offset`, for messages.
    pub fn place(&self, offset: usize) -> String {
        let after = self.parts.partition_point(|part| part.head.at <= offset);
        let part = after.checked_sub(1).and_then(|last| self.parts.get(last));
        part.map(Part::shown).unwrap_or_default()
    }
}

impl Part<'_> {
    fn redact(&self, engine: &Engine, vault: &Vault) -> Redaction {
        let mut spans = Vec::new();
        if let Some((name, at)) = self.head.stem() {
            spans.push(Span {
                text: Text::plain(name, at),
                key: Some("filename"),
                kind: SpanKind::Plain,
            });
        }
        let text = std::str::from_utf8(self.content).unwrap_or_default();
        let key = Some(self.head.name).filter(|_| self.head.filename.is_none());
        // Readers take a mark of byte order off; it is no text.
        let mark = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let span = |kind| Span { text: Text::plain(&text[mark..], self.at + mark), key, kind };
        match self.reading {
            Reading::Text => spans.push(span(SpanKind::Plain)),
            Reading::Json => spans.push(span(SpanKind::Json)),
            Reading::Lines => lines::spans(&text[mark..], self.at + mark, &mut spans),
            Reading::Form | Reading::Opaque(_) => {}
        }
        let mut found = engine.redact(&spans, vault);
        // What cannot be read as a form is opaque, so that an error never gets here.
        if let (Reading::Form, Ok(form)) = (&self.reading, redact_form(self.content, engine, vault))
        {
            let moved = |range: Range<usize>| self.at + range.start..self.at + range.end;
            found.edits.extend(
                form.edits.into_iter().map(|edit| Edit { range: moved(edit.range), ..edit }),
            );
            found.findings.extend(form.findings.into_iter().map(|mut finding| {
                finding.range = moved(finding.range);
                finding
            }));
        }
        found
    }

    /// The part's name, short and on one line.
    fn shown(&self) -> String {
        let name = self.head.name.chars().take(40);
        let name: String = name.map(|c| if c.is_control() { '?' } else { c }).collect();
        format!("part `{name}`")
    }
}

/// The boundary that a content type names.
fn boundary(content_type: &str) -> Option<String> {
    let (kind, rest) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let mut found = None;
    for (name, value) in head::parameters(rest)? {
        if name.eq_ignore_ascii_case("boundary") && found.replace(value).is_some() {
            return None;
        }
    }
    let boundary = found?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    let well = (1..=LONGEST_BOUNDARY).contains(&boundary.len())
        && boundary.bytes().all(allowed)
        && !boundary.ends_with(' ');
    well.then(|| boundary.to_owned())
}

#[cfg(test)]
mod tests;
