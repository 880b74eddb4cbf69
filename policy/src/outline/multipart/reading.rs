//! How a part is to be read, told by its type, its file's name and its bytes.
//!
//! Labels are often wrong or missing (`application/octet-stream` for everything), so that the
//! bytes decide first: what is UTF-8 without NUL is text, whatever it is called.

use super::head::Head;
use crate::json::Reader;
use crate::outline::form::check_form;

/// How a part is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Text,
    Json,
    /// JSON lines.
    Lines,
    Form,
    Opaque(Opaque),
}

/// A part whose text, if it has any, cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opaque {
    /// An image, a recording or a film.
    Media,
    /// Anything else: a document, an archive, text that is not UTF-8.
    Other,
}

impl Reading {
    pub(super) fn of(head: &Head<'_>, content: &[u8]) -> Self {
        let media_type = head.media_type.to_ascii_lowercase();
        let extension = head.extension().unwrap_or_default();
        let utf8 = head.charset.is_none_or(|charset| {
            ["utf-8", "utf8", "us-ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known))
        });
        let text =
            simdutf8::basic::from_utf8(content).is_ok() && memchr::memchr(0, content).is_none();
        if !text || !utf8 {
            let media =
                ["image/", "audio/", "video/"].iter().any(|kind| media_type.starts_with(kind))
                    || (is_vague(&media_type) && MEDIA.contains(&extension.as_str()));
            return Self::Opaque(if media { Opaque::Media } else { Opaque::Other });
        }
        match media_type.as_str() {
            "application/x-www-form-urlencoded" if check_form(content).is_ok() => Self::Form,
            "application/x-www-form-urlencoded" => Self::Opaque(Opaque::Other),
            "application/jsonl" | "application/x-ndjson" | "application/x-jsonlines" => Self::Lines,
            _ if matches!(extension.as_str(), "jsonl" | "ndjson") => Self::Lines,
            _ => {
                let first = content.strip_prefix("\u{feff}".as_bytes()).unwrap_or(content);
                match first.split(|byte| *byte == b'\n').next() {
                    _ if is_json(first) => Self::Json,
                    Some(line) if is_json(line) => Self::Lines,
                    _ => Self::Text,
                }
            }
        }
    }
}

/// Whether this is a JSON object or array and nothing else.
fn is_json(text: &[u8]) -> bool {
    if !text.trim_ascii_start().starts_with(b"{") && !text.trim_ascii_start().starts_with(b"[") {
        return false;
    }
    let Ok(mut reader) = Reader::new(text) else { return false };
    loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

/// Types that say nothing.
fn is_vague(media_type: &str) -> bool {
    matches!(media_type, "" | "application/octet-stream" | "binary/octet-stream")
}

/// Endings of images, recordings and films.
const MEDIA: [&str; 18] = [
    "png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff", "heic", "mp3", "mp4", "mpeg",
    "mpga", "m4a", "wav", "webm", "ogg", "flac",
];

/// Endings of text and of documents.
const OTHERS: [&str; 16] = [
    "txt", "text", "json", "jsonl", "ndjson", "csv", "tsv", "md", "markdown", "xml", "yaml", "yml",
    "html", "htm", "log", "pdf",
];

/// Whether a file's name may end so.
pub(super) fn is_known(extension: &str) -> bool {
    MEDIA.contains(&extension) || OTHERS.contains(&extension)
}
