//! The head of a part: its name, its file's name, its type.

use std::ops::Range;

use super::BadMultipart;

/// The longest head, in bytes, and its most lines.
const LONGEST: usize = 8 * 1024;
const MOST_LINES: usize = 16;

/// What a part says of itself.
#[derive(Debug)]
pub(super) struct Head<'a> {
    /// Where it starts in the body.
    pub(super) at: usize,
    /// The field's name, as it is written.
    pub(super) name: &'a str,
    /// The file's name as it is written, and where; none where the part is a field.
    pub(super) filename: Option<(&'a str, usize)>,
    /// The content type without its parameters; empty where there is none.
    pub(super) media_type: &'a str,
    /// The charset that the content type names.
    pub(super) charset: Option<&'a str>,
    /// The line that says how long the content is, line end included.
    pub(super) length: Option<Range<usize>>,
}

impl<'a> Head<'a> {
    /// Reads the head at `at`; returns it and where the content starts.
    pub(super) fn read(body: &'a [u8], at: usize) -> Result<(Self, usize), BadMultipart> {
        let bad = || BadMultipart::Head(at);
        let window = &body[at..body.len().min(at + LONGEST)];
        let end = memchr::memmem::find(window, b"\r\n\r\n").ok_or_else(bad)?;
        let text = std::str::from_utf8(&window[..end]).map_err(|_| bad())?;
        let mut head =
            Self { at, name: "", filename: None, media_type: "", charset: None, length: None };
        let mut seen = [false; 4];
        let mut once = |place: usize| !std::mem::replace(&mut seen[place], true);
        let mut start = at;
        for (number, line) in text.split("\r\n").enumerate() {
            // No line goes on in the next one, and none hides another.
            let plain = !line.starts_with([' ', '\t'])
                && !line.contains(|c: char| c.is_control() && c != '\t');
            let (name, value) = line.split_once(':').filter(|_| plain).ok_or_else(bad)?;
            let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            if number == MOST_LINES || name.is_empty() || !name.bytes().all(token) {
                return Err(bad());
            }
            let first = match name.to_ascii_lowercase().as_str() {
                "content-disposition" => {
                    head.disposition(value, start + name.len() + 1).ok_or_else(bad)?;
                    once(0)
                }
                "content-type" => {
                    head.content_type(value).ok_or_else(bad)?;
                    once(1)
                }
                "content-transfer-encoding" => {
                    let plain = ["binary", "8bit", "7bit"];
                    if !plain.iter().any(|known| value.trim().eq_ignore_ascii_case(known)) {
                        return Err(BadMultipart::TransferEncoding(at));
                    }
                    once(2)
                }
                "content-length" => {
                    head.length = Some(start..start + line.len() + 2);
                    once(3)
                }
                _ => true,
            };
            if !first {
                return Err(bad());
            }
            start += line.len() + 2;
        }
        if !seen[0] {
            return Err(bad());
        }
        Ok((head, at + end + 4))
    }

    /// The file's name without an ending that is one of a file, and where it stands.
    pub(super) fn stem(&self) -> Option<(&'a str, usize)> {
        let (name, at) = self.filename?;
        let stem = match (name.rsplit_once('.'), self.extension()) {
            (Some((stem, _)), Some(extension)) if super::reading::is_known(&extension) => stem,
            _ => name,
        };
        Some((stem, at))
    }

    /// What the file's name ends in, in lower case.
    pub(super) fn extension(&self) -> Option<String> {
        let (_, extension) = self.filename?.0.rsplit_once('.')?;
        Some(extension.to_ascii_lowercase())
    }

    fn disposition(&mut self, value: &'a str, at: usize) -> Option<()> {
        let (kind, rest) = value.split_once(';')?;
        if !kind.trim().eq_ignore_ascii_case("form-data") {
            return None;
        }
        let mut named = false;
        for (name, value_of) in parameters(rest)? {
            // The parameter is a slice of `value`, so this is where it stands.
            let place = at + (value_of.as_ptr() as usize - value.as_ptr() as usize);
            match name.to_ascii_lowercase().as_str() {
                "name" if !named => {
                    self.name = value_of;
                    named = true;
                }
                "filename" | "filename*" if self.filename.is_none() => {
                    self.filename = Some((value_of, place));
                }
                _ => return None,
            }
        }
        named.then_some(())
    }

    fn content_type(&mut self, value: &'a str) -> Option<()> {
        let (kind, rest) = value.split_once(';').unwrap_or((value, ""));
        self.media_type = kind.trim();
        for (name, value) in parameters(rest)? {
            if name.eq_ignore_ascii_case("charset") && self.charset.replace(value).is_some() {
                return None;
            }
        }
        Some(())
    }
}

/// The parameters after the first `;` of a header's value, quotes taken off.
pub(super) fn parameters(text: &str) -> Option<Vec<(&str, &str)>> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_*".contains(&byte);
        let name = name.trim();
        if name.is_empty() || !name.bytes().all(token) {
            return None;
        }
        let (value, after) = if let Some(quoted) = after.strip_prefix('"') {
            let end = closing_quote(quoted)?;
            (&quoted[..end], &quoted[end + 1..])
        } else {
            let (value, after) = after.split_at(after.find(';').unwrap_or(after.len()));
            (value.trim(), after)
        };
        found.push((name, value));
        rest = match after.trim_start() {
            "" => "",
            more => more.strip_prefix(';')?.trim_start(),
        };
    }
    Some(found)
}

/// Where a quoted string ends; a backslash takes the next character with it.
fn closing_quote(quoted: &str) -> Option<usize> {
    let mut escaped = false;
    quoted.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}
