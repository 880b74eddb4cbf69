//! Files: uploaded in multipart bodies, listed, read back and deleted, in both dialects.
//!
//! Takes a body apart in the plainest way there is, on purpose: what the proxy's strict reader
//! lets through must be well formed enough for a reader that knows little. Keeps the latest files
//! in memory, as the provider would for good.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use hyper::{Method, header};
use serde_json::{Value, json};

use super::bill::Vendor;
use super::endpoint::{self, Numbered, Prepared};
use super::refusal::Refusal;

/// No more than this is kept, in bytes; the oldest files go first.
const KEPT: usize = 64 << 20;

/// What was uploaded.
#[derive(Debug, Default)]
pub(super) struct Files(Mutex<VecDeque<File>>);

#[derive(Debug)]
struct File {
    id: String,
    name: String,
    media_type: String,
    purpose: String,
    created: u64,
    content: Vec<u8>,
}

/// A part of an upload.
pub(super) struct Part<'a> {
    head: &'a str,
    pub(super) content: &'a [u8],
}

impl Files {
    /// The answer to a call about files; none where it is about something else.
    pub(super) fn answer(
        &self,
        call: Numbered<'_>,
        vendor: Vendor,
    ) -> Option<Result<Prepared, Refusal>> {
        // Google's files are uploaded in another way.
        if vendor == Vendor::Gemini {
            return None;
        }
        let rest = endpoint::path(call.call).strip_prefix("/v1/files")?;
        let answer = endpoint::authenticate(&call.call.headers, vendor);
        Some(answer.and_then(|()| match (&call.call.method, rest) {
            (&Method::POST, "") => self.upload(call, vendor),
            (&Method::GET, "") => Ok(self.list(vendor)),
            (method, rest) => self.one(method, rest, vendor),
        }))
    }

    /// Keeps a file of the provider's own making.
    pub(super) fn keep(&self, id: &str, name: &str, created: u64, content: Vec<u8>) {
        let file = File {
            id: id.to_owned(),
            name: name.to_owned(),
            media_type: "application/jsonl".to_owned(),
            purpose: "batch_output".to_owned(),
            created,
            content,
        };
        self.with(|files| files.push_back(file));
    }

    /// What is in a file.
    pub(super) fn content(&self, id: &str) -> Option<Vec<u8>> {
        self.with(|files| Some(files.iter().find(|file| file.id == id)?.content.clone()))
    }

    fn upload(&self, call: Numbered<'_>, vendor: Vendor) -> Result<Prepared, Refusal> {
        let parts =
            parts(call).ok_or_else(|| Refusal::new(400, "the body is no multipart form"))?;
        let named = |name: &str| parts.iter().find(|part| part.says("name") == Some(name));
        let file = named("file").ok_or_else(|| {
            Refusal::new(400, "Missing required parameter: 'file'.").param("file")
        })?;
        let purpose = named("purpose").map(|part| String::from_utf8_lossy(part.content).into());
        if purpose.is_none() && vendor == Vendor::OpenAi {
            return Err(
                Refusal::new(400, "Missing required parameter: 'purpose'.").param("purpose")
            );
        }
        let sign = if vendor == Vendor::OpenAi { '-' } else { '_' };
        let stored = File {
            id: format!("file{sign}simulated{:08}", call.number),
            name: file.says("filename").unwrap_or("upload").to_owned(),
            media_type: file.media_type().to_owned(),
            purpose: purpose.unwrap_or_default(),
            created: call.created,
            content: file.content.to_vec(),
        };
        let shown = stored.object(vendor);
        self.with(|files| {
            files.push_back(stored);
            let mut bytes: usize = files.iter().map(|file| file.content.len()).sum();
            while bytes > KEPT && files.len() > 1 {
                bytes -= files.pop_front().map_or(0, |file| file.content.len());
            }
        });
        Ok(Prepared::json(&shown))
    }

    fn list(&self, vendor: Vendor) -> Prepared {
        let data: Vec<Value> =
            self.with(|files| files.iter().map(|file| file.object(vendor)).collect());
        Prepared::json(&json!({ "object": "list", "data": data, "has_more": false }))
    }

    fn one(&self, method: &Method, rest: &str, vendor: Vendor) -> Result<Prepared, Refusal> {
        let (id, content) = match rest.strip_suffix("/content") {
            Some(id) => (id, true),
            None => (rest, false),
        };
        let id = id.trim_start_matches('/');
        self.with(|files| {
            let place = files.iter().position(|file| file.id == id);
            let place = place.ok_or_else(|| Refusal::new(404, format!("No such File: {id}")))?;
            let file = &files[place];
            match (method, content) {
                (&Method::GET, true) => {
                    Ok(Prepared::free(200, "application/octet-stream", file.content.clone()))
                }
                (&Method::GET, false) => Ok(Prepared::json(&file.object(vendor))),
                (&Method::DELETE, false) => {
                    files.remove(place);
                    Ok(Prepared::json(&match vendor {
                        Vendor::OpenAi => json!({ "id": id, "object": "file", "deleted": true }),
                        Vendor::Anthropic | Vendor::Gemini | Vendor::Bedrock => {
                            json!({ "id": id, "type": "file_deleted" })
                        }
                    }))
                }
                _ => Err(Refusal::new(405, "files are read or deleted")),
            }
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut VecDeque<File>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl File {
    fn object(&self, vendor: Vendor) -> Value {
        match vendor {
            Vendor::OpenAi => json!({
                "id": self.id,
                "object": "file",
                "bytes": self.content.len(),
                "created_at": self.created,
                "filename": self.name,
                "purpose": self.purpose,
                "status": "processed",
            }),
            Vendor::Anthropic | Vendor::Gemini | Vendor::Bedrock => json!({
                "id": self.id,
                "type": "file",
                "filename": self.name,
                "mime_type": self.media_type,
                "size_bytes": self.content.len(),
                "created_at": "2026-11-25T00:00:00Z",
                "downloadable": true,
            }),
        }
    }
}

impl<'a> Part<'a> {
    /// A parameter of the part's disposition.
    pub(super) fn says(&self, name: &str) -> Option<&'a str> {
        let start = self.head.find(&format!(" {name}=\""))? + name.len() + 3;
        self.head[start..].split('"').next()
    }

    fn media_type(&self) -> &'a str {
        let mut lines = self.head.lines();
        let line = lines.find(|line| line.to_ascii_lowercase().starts_with("content-type:"));
        line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
    }
}

/// The parts of a body, taken apart.
pub(super) fn parts(call: Numbered<'_>) -> Option<Vec<Part<'_>>> {
    let kind = call.call.headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let boundary = format!("--{}", kind.split_once("boundary=")?.1.trim_matches('"'));
    let body = &call.call.body[..];
    let mut parts = Vec::new();
    let mut rest = body.get(find(body, boundary.as_bytes())? + boundary.len()..)?;
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let end = find(part, boundary.as_bytes())?;
        let head = find(part, b"\r\n\r\n")?;
        parts.push(Part {
            head: std::str::from_utf8(&part[..head]).ok()?,
            content: part.get(head + 4..end - 2)?,
        });
        rest = &part[end + boundary.len()..];
    }
    rest.starts_with(b"--").then_some(parts)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
