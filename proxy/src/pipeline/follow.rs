//! What an answer is looked at for besides its usage: the id of an uploaded file, the id of a batch
//! that was made, what became of a batch, the address of its results.
//!
//! Decided when the call is identified or reserved, done when its answer is passed on.

use http::request::Parts;
use http::{Method, header};
use iron_policy::json::{Event, Reader};
use iron_policy::types::{Dialect, Name};

use crate::server::Via;
use crate::state::Share;
use crate::stream::results::Source;

/// What to do with the answer.
#[derive(Debug, Default)]
pub(super) enum Follow {
    /// Nothing more.
    #[default]
    Nothing,
    /// Remember the file that it names, for a batch can be made of it.
    File(Requests),
    /// Let what is held wait for the results of the batch that it names.
    Made {
        /// The operation that the requests are for.
        of: String,
        /// How many requests each hold is for, in the order of the holds.
        requests: Vec<u64>,
        /// Where the caller reaches the proxy.
        base: String,
    },
    /// See what became of the batches that it names.
    Batches {
        /// Where the caller reaches the proxy.
        base: String,
    },
    /// A file of any size, which may be the results of a batch.
    Content {
        /// The file's id, or the batch's where the results have an address of their own.
        id: String,
        /// How results are written.
        source: Source,
    },
}

/// What the requests of an uploaded file can cost.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// The operation that they are for.
    pub(super) of: String,
    /// By model.
    pub(super) shares: Vec<Share>,
    /// Why that is not known, where it is not.
    pub(super) why: Option<String>,
}

impl Follow {
    /// What to do with the answer to a call of this path (without its version).
    pub(super) fn of(dialect: Dialect, head: &Parts, address_path: &str, path: &str) -> Self {
        let read = head.method == Method::GET;
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        match (dialect, segments.as_slice()) {
            (Dialect::OpenAi, ["files", id, "content"]) if read => {
                Self::Content { id: (*id).to_owned(), source: Source::OpenAi }
            }
            (Dialect::Anthropic, ["files", id, "content"]) if read => {
                Self::Content { id: (*id).to_owned(), source: Source::Other }
            }
            (Dialect::Anthropic, ["messages", "batches", id, "results"]) if read => {
                Self::Content { id: (*id).to_owned(), source: Source::Anthropic }
            }
            // Also what makes one: the rest is filled in when it is reserved for.
            (Dialect::OpenAi, ["batches"] | ["batches", _] | ["batches", _, "cancel"])
            | (
                Dialect::Anthropic,
                ["messages", "batches"]
                | ["messages", "batches", _]
                | ["messages", "batches", _, "cancel"],
            ) => Self::Batches { base: base(head, address_path) },
            _ => Self::Nothing,
        }
    }
}

/// Where the caller reaches the proxy: scheme, host and the prefixes of its path.
fn base(head: &Parts, address_path: &str) -> String {
    let scheme = match head.extensions.get::<Via>() {
        None | Some(Via::Plain | Via::Pinned(_)) => "http",
        Some(_) => "https",
    };
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or(head.uri.authority().map(http::uri::Authority::as_str)).unwrap_or_default();
    let prefix = head.uri.path().strip_suffix(address_path).unwrap_or_default();
    format!("{scheme}://{host}{prefix}")
}

/// What an answer says of one batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told<'a> {
    pub(super) id: &'a str,
    /// The file with its results.
    pub(super) output: Option<&'a str>,
    /// How many requests succeeded.
    pub(super) completed: Option<u64>,
    /// Nothing of it runs any more.
    pub(super) over: bool,
    /// Where the address of its results stands, and what it is.
    pub(super) results_url: Option<(std::ops::Range<usize>, &'a str)>,
}

impl Told<'_> {
    /// Nothing succeeded and nothing will: it cost nothing.
    pub(super) fn is_free(&self, dialect: Dialect) -> bool {
        self.over
            && match dialect {
                Dialect::Anthropic => self.completed == Some(0),
                _ => self.output.is_none(),
            }
    }
}

/// What an answer says of the batches that it names: one, or a list in `data`.
pub(super) fn told(body: &[u8]) -> Vec<Told<'_>> {
    let mut found = Vec::new();
    if let Ok(mut reader) = Reader::new(body) {
        // What is not understood says nothing.
        let _ = object(&mut reader, &mut found);
    }
    found
}

type Read<T> = Result<T, iron_policy::json::JsonError>;

fn object<'a>(reader: &mut Reader<'a>, found: &mut Vec<Told<'a>>) -> Read<()> {
    if reader.next()? != Some(Event::BeginObject) {
        return Ok(());
    }
    let mut told = Told::default();
    let (mut is_batch, mut succeeded, mut completed) = (false, None, None);
    while let Some(Event::Key(name)) = reader.next()? {
        let mut ahead = reader.clone();
        let value = ahead.next()?;
        match (name.raw(), value) {
            ("data", Some(Event::BeginArray)) => loop {
                let mut ahead_of_item = ahead.clone();
                match ahead_of_item.next()? {
                    Some(Event::BeginObject) => object(&mut ahead, found)?,
                    Some(Event::EndArray) | None => break,
                    Some(_) => {
                        ahead.skip()?;
                    }
                }
            },
            ("id", Some(Event::String(text))) if !text.is_escaped() => told.id = text.raw(),
            ("object" | "type", Some(Event::String(text))) => {
                is_batch |= text.is("batch") || text.is("message_batch");
            }
            ("status", Some(Event::String(text))) => {
                told.over |= ["failed", "completed", "expired", "cancelled"]
                    .iter()
                    .any(|over| text.is(over));
            }
            ("processing_status", Some(Event::String(text))) => told.over |= text.is("ended"),
            ("output_file_id", Some(Event::String(text))) if !text.is_escaped() => {
                told.output = Some(text.raw()).filter(|text| !text.is_empty());
            }
            ("results_url", Some(Event::String(text))) if !text.is_escaped() => {
                told.results_url = Some((text.range(), text.raw()));
            }
            ("request_counts", Some(Event::BeginObject)) => {
                while let Some(Event::Key(name)) = ahead.next()? {
                    let mut value = ahead.clone();
                    let count = match value.next()? {
                        Some(Event::Number(number)) => number.parse().ok(),
                        _ => None,
                    };
                    ahead.skip()?;
                    match name.raw() {
                        "succeeded" => succeeded = count,
                        "completed" => completed = count,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        reader.skip()?;
    }
    if is_batch && !told.id.is_empty() {
        told.completed = succeeded.or(completed);
        found.push(told);
    }
    Ok(())
}

/// The same answer with the addresses of results at the place where the caller reached us: SDKs
/// fetch them from there. None where there are none, or where they are right as they are.
pub(super) fn moved_results(body: &[u8], base: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut from = 0;
    for told in told(body) {
        let Some((range, url)) = told.results_url else { continue };
        let Some(at) = url.find("/v1/messages/batches/") else { continue };
        out.extend_from_slice(&body[from..range.start]);
        out.extend_from_slice(base.as_bytes());
        out.extend_from_slice(&url.as_bytes()[at..]);
        from = range.end;
    }
    if from == 0 {
        return None;
    }
    out.extend_from_slice(&body[from..]);
    (out != body).then_some(out)
}

/// The id that an answer gives to what was made.
pub(super) fn made_id(body: &[u8]) -> Option<String> {
    let mut reader = Reader::new(body).ok()?;
    if reader.next().ok()? != Some(Event::BeginObject) {
        return None;
    }
    let mut id = None;
    while let Some(Event::Key(name)) = reader.next().ok()? {
        let mut ahead = reader.clone();
        if let (true, Some(Event::String(text))) = (name.is("id"), ahead.next().ok()?) {
            id = Some(text.decode().into_owned());
        }
        reader.skip().ok()?;
    }
    id.filter(|id| crate::state::is_id(id))
}

/// The key of something that an upstream has.
pub(super) fn key(upstream: &Name, id: &str) -> crate::state::Key {
    (upstream.clone(), id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_about_batches_are_understood_alone_and_in_lists() {
        let batch = r#"{"id":"b1","object":"batch","status":"completed","output_file_id":"f1","error_file_id":null,"request_counts":{"total":3,"completed":2,"failed":1}}"#;
        let expected = Told {
            id: "b1",
            output: Some("f1"),
            completed: Some(2),
            over: true,
            results_url: None,
        };
        assert_eq!(told(batch.as_bytes()), [expected]);
        let failed = r#"{"id":"b2","object":"batch","status":"failed","output_file_id":null}"#;
        let list = format!(r#"{{"object":"list","data":[{batch},{failed},7]}}"#);
        let found = told(list.as_bytes());
        assert_eq!(found.iter().map(|told| told.id).collect::<Vec<_>>(), ["b1", "b2"]);
        assert!(found[1].is_free(Dialect::OpenAi) && !found[0].is_free(Dialect::OpenAi));
        assert!(told(br#"{"id":"x","object":"file"}"#).is_empty());
        assert!(told(b"[]").is_empty() && told(b"{").is_empty());
    }

    #[test]
    fn results_are_fetched_where_the_batch_was_asked_for() {
        let body = r#"{"id":"b","type":"message_batch","processing_status":"ended","request_counts":{"processing":0,"succeeded":0},"results_url":"https://api.anthropic.com/v1/messages/batches/b/results"}"#;
        let found = told(body.as_bytes());
        assert!(found[0].is_free(Dialect::Anthropic), "{found:?}");
        let moved = moved_results(body.as_bytes(), "http://127.0.0.1:4141/agent/a").unwrap();
        let moved = String::from_utf8(moved).unwrap();
        let wanted = "\"http://127.0.0.1:4141/agent/a/v1/messages/batches/b/results\"";
        assert!(moved.contains(wanted), "{moved}");
        assert_eq!(moved_results(body.as_bytes(), "https://api.anthropic.com"), None);
        assert_eq!(moved_results(b"{}", "http://x"), None);
    }

    #[test]
    fn what_was_made_has_an_id() {
        assert_eq!(made_id(br#"{"a":{"id":"no"},"id":"yes"}"#).as_deref(), Some("yes"));
        assert_eq!(made_id(br#"{"id":""}"#), None);
        assert_eq!(made_id(br#"{"id":7}"#), None);
    }
}
