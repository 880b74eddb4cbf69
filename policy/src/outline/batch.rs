//! Batches: many calls in one body or in one uploaded file, each read as the call that it will be.
//!
//! OpenAI's are files of JSON lines, and a short body that names the file; Anthropic's are one body
//! with a list of requests. What a line or an item asks for is an [`Outline`] like any other, so
//! that its text is redacted and its bound computed by the same rules.
//!
//! Not here: prices, and what came of a batch.

use std::borrow::Cow;
use std::ops::Range;

use super::lines::of_url;
use super::{BadBody, Endpoint, LimitPlace, Outline};
use crate::json::{Event, Reader, Text};
use crate::redact::{Span, SpanKind};

/// One request of a batch.
#[derive(Debug)]
pub struct BatchRequest<'a> {
    /// The call that it will be.
    pub endpoint: Endpoint,
    /// What it asks for.
    pub outline: Outline<'a>,
    /// How long its body is, in bytes.
    pub bytes: usize,
}

/// What a body says that makes a batch of an uploaded file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchOrder<'a> {
    /// The file's id.
    pub input_file: &'a str,
    /// The path that all its requests are for: `/v1/chat/completions`.
    pub url: &'a str,
}

impl<'a> BatchOrder<'a> {
    /// Reads the body of OpenAI's `POST /v1/batches`.
    pub fn read(body: &'a [u8]) -> Result<Self, BadBody> {
        let (mut input_file, mut url) = (None, None);
        members(body, |name, reader| {
            let (slot, field) = if name.is("input_file_id") {
                (&mut input_file, "input_file_id")
            } else if name.is("endpoint") {
                (&mut url, "endpoint")
            } else {
                reader.skip()?;
                return Ok(());
            };
            let Some(Event::String(text)) = reader.next()?.filter(|_| slot.is_none()) else {
                return Err(match slot {
                    Some(_) => BadBody::Duplicate(field),
                    None => BadBody::Field { field, wanted: "a string" },
                });
            };
            if text.is_escaped() {
                return Err(BadBody::Field { field, wanted: "a plain word" });
            }
            *slot = Some(text.raw());
            Ok(())
        })?;
        let missing = |field| BadBody::Field { field, wanted: "given" };
        Ok(Self {
            input_file: input_file.ok_or_else(|| missing("input_file_id"))?,
            url: url.ok_or_else(|| missing("endpoint"))?,
        })
    }
}

/// The path that requests of this endpoint name in a batch.
pub fn batch_url(endpoint: Endpoint) -> String {
    format!("/v1/{}", endpoint.name())
}

/// Reads each line of a file of batch requests; `None` for one that is none whose cost can be
/// known. Empty lines are passed over.
pub fn batch_lines<'a>(
    text: &'a str,
    mut each: impl FnMut(usize, Option<BatchRequest<'a>>) -> bool,
) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (place, line) in text.split('\n').enumerate() {
        if !line.trim_ascii().is_empty() && !each(place + 1, line_request(line).ok()) {
            return;
        }
    }
}

fn line_request(line: &str) -> Result<BatchRequest<'_>, BadBody> {
    let (mut url, mut body) = (None, None);
    members(line.as_bytes(), |name, reader| {
        if name.is("url") {
            let Some(Event::String(text)) = reader.next()?.filter(|_| url.is_none()) else {
                return Err(BadBody::Duplicate("url"));
            };
            url = Some(text.decode());
        } else if name.is("body") {
            let range = reader.skip()?;
            if body.replace(range).is_some() {
                return Err(BadBody::Duplicate("body"));
            }
        } else {
            reader.skip()?;
        }
        Ok(())
    })?;
    let endpoint = url.as_deref().and_then(of_url);
    let endpoint = endpoint.ok_or(BadBody::Field { field: "url", wanted: "a known path" })?;
    let body = body.ok_or(BadBody::Field { field: "body", wanted: "an object" })?;
    let body = &line.as_bytes()[body];
    Ok(BatchRequest { endpoint, outline: Outline::read(body, endpoint)?, bytes: body.len() })
}

/// Reads each request of an Anthropic batch; returns the first error.
pub fn message_requests<'a>(
    body: &'a [u8],
    mut each: impl FnMut(BatchRequest<'a>),
) -> Result<(), BadBody> {
    requests(body, &mut |_, params| {
        let outline = Outline::read(params, Endpoint::Messages)?;
        each(BatchRequest { endpoint: Endpoint::Messages, outline, bytes: params.len() });
        Ok(())
    })?;
    Ok(())
}

/// What the body of a new batch asks for as a whole: its texts, and the first request's model.
pub(super) fn walk(body: &[u8], endpoint: Endpoint) -> Result<Outline<'_>, BadBody> {
    let mut out = Outline::empty(0, LimitPlace::Top);
    if endpoint == Endpoint::Batches {
        BatchOrder::read(body)?;
        members(body, |name, reader| {
            let value = reader.skip()?;
            let known = ["input_file_id", "endpoint", "completion_window"];
            if !known.iter().any(|known| name.is(known)) {
                push(body, value, &mut out.spans);
            }
            Ok(())
        })?;
        return Ok(out);
    }
    let mut model = None;
    let mut spans = Vec::new();
    let others = requests(body, &mut |at, params| {
        let outline = Outline::read(params, Endpoint::Messages)?;
        spans.extend(outline.spans.iter().map(|span| Span { text: span.text.moved(at), ..*span }));
        out.messages += 1;
        model.get_or_insert(outline.model);
        Ok(())
    })?;
    for value in others {
        push(body, value, &mut spans);
    }
    spans.sort_by_key(|span| span.text.start());
    out.spans = spans;
    out.model = model.unwrap_or(Cow::Borrowed(""));
    Ok(out)
}

/// A value of unknown meaning: text in each of its strings.
fn push<'a>(body: &'a [u8], value: Range<usize>, spans: &mut Vec<Span<'a>>) {
    if let Ok(text) = std::str::from_utf8(&body[value.clone()]) {
        spans.push(Span { text: Text::plain(text, value.start), key: None, kind: SpanKind::Json });
    }
}

type EachRequest<'e, 'a> = dyn FnMut(usize, &'a [u8]) -> Result<(), BadBody> + 'e;

/// Calls `each` with the parameters of every item of `requests` and where they stand; returns where
/// the values around them stand that are neither those nor ids.
fn requests<'a>(
    body: &'a [u8],
    each: &mut EachRequest<'_, 'a>,
) -> Result<Vec<Range<usize>>, BadBody> {
    let wanted = BadBody::Field { field: "requests", wanted: "a list of objects with `params`" };
    let (mut seen, mut count) = (false, 0_u64);
    let mut others = Vec::new();
    members(body, |name, reader| {
        if !name.is("requests") {
            others.push(reader.skip()?);
            return Ok(());
        }
        if std::mem::replace(&mut seen, true) {
            return Err(BadBody::Duplicate("requests"));
        }
        if reader.next()? != Some(Event::BeginArray) {
            return Err(wanted.clone());
        }
        loop {
            match reader.next()? {
                Some(Event::EndArray) => return Ok(()),
                Some(Event::BeginObject) => {}
                _ => return Err(wanted.clone()),
            }
            let mut params = None;
            while let Some(Event::Key(name)) = reader.next()? {
                let value = reader.skip()?;
                if name.is("params") {
                    if params.replace(value).is_some() {
                        return Err(BadBody::Duplicate("params"));
                    }
                } else if !name.is("custom_id") {
                    others.push(value);
                }
            }
            let params: Range<usize> = params.ok_or_else(|| wanted.clone())?;
            count += 1;
            each(params.start, &body[params.clone()])?;
        }
    })?;
    if count == 0 { Err(wanted) } else { Ok(others) }
}

/// Calls `each` with every member of the object that `body` must be; it must take the value.
fn members<'a>(
    body: &'a [u8],
    mut each: impl FnMut(Text<'a>, &mut Reader<'a>) -> Result<(), BadBody>,
) -> Result<(), BadBody> {
    let mut reader = Reader::new(body)?;
    if reader.next()? != Some(Event::BeginObject) {
        return Err(BadBody::NotAnObject);
    }
    while let Some(Event::Key(name)) = reader.next()? {
        each(name, &mut reader)?;
    }
    match reader.next()? {
        None => Ok(()),
        Some(_) => Err(BadBody::NotAnObject),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(body: &str, endpoint: Endpoint) -> Vec<&str> {
        let outline = walk(body.as_bytes(), endpoint).unwrap();
        outline
            .spans
            .iter()
            .map(|span| {
                assert_eq!(&body[span.text.range()], span.text.raw());
                span.text.raw()
            })
            .collect()
    }

    #[test]
    fn a_batch_of_messages_is_read_request_by_request() {
        let body = r#"{"note":"n","requests":[
            {"custom_id":"a@b.co","params":{"model":"m1","max_tokens":5,"messages":[{"role":"user","content":"one"}]}},
            {"params":{"max_tokens":7,"model":"m2","messages":[{"role":"user","content":"two"}]},"custom_id":"2","more":"x"}],"tail":["t"]}"#;
        assert_eq!(
            texts(body, Endpoint::MessageBatches),
            ["\"n\"", "one", "two", "\"x\"", "[\"t\"]"]
        );
        let mut seen = Vec::new();
        message_requests(body.as_bytes(), |request| {
            seen.push((request.outline.model.into_owned(), request.outline.max_output));
        })
        .unwrap();
        assert_eq!(seen, [("m1".to_owned(), Some(5)), ("m2".to_owned(), Some(7))]);
    }

    #[test]
    fn what_two_readers_would_price_differently_is_refused() {
        for body in [
            r#"{"requests":[]}"#,
            r#"{"requests":{}}"#,
            r#"{"requests":[{"custom_id":"1"}]}"#,
            r#"{"requests":[{"params":{"model":"m"},"p\u0061rams":{"model":"n"}}]}"#,
            r#"{"requests":[{"params":{"model":"m"}}],"requests":[{"params":{"model":"m"}}]}"#,
            r#"{"requests":[{"params":{"model":"m","model":"n"}}]}"#,
            r#"{"requests":[{"params":{"messages":[]}}]}"#,
            "[]",
            "{}",
        ] {
            assert!(walk(body.as_bytes(), Endpoint::MessageBatches).is_err(), "{body}");
        }
        for body in [
            r#"{"input_file_id":"a","input_file_id":"b","endpoint":"/v1/embeddings"}"#,
            r#"{"input_file_id":"a","input\u005ffile_id":"b","endpoint":"/v1/embeddings"}"#,
            r#"{"input_file_id":7,"endpoint":"/v1/embeddings"}"#,
            r#"{"input_file_id":"\u0061","endpoint":"/v1/embeddings"}"#,
            r#"{"endpoint":"/v1/embeddings"}"#,
        ] {
            assert!(BatchOrder::read(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_files_lines_are_the_calls_that_they_will_be() {
        let line = r#"{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"model":"m","max_tokens":3}}"#;
        let hidden =
            r#"{"url":"/v1/chat/completions","body":{"model":"m"},"b\u006fdy":{"model":"n"}}"#;
        let text = format!("\u{feff}{line}\r\n\n{hidden}\n{{}}\nno\n{line}");
        let mut seen = Vec::new();
        batch_lines(&text, |place, request| {
            let known = request.map(|request| (request.endpoint, request.outline.max_output));
            seen.push((place, known));
            place < 5
        });
        let chat = Some((Endpoint::ChatCompletions, Some(3)));
        assert_eq!(seen, [(1, chat), (3, None), (4, None), (5, None)]);
    }

    #[test]
    fn an_order_names_a_file_and_its_metadata_is_text() {
        let body = r#"{"input_file_id":"file-1","endpoint":"/v1/responses","completion_window":"24h","metadata":{"a":"b"}}"#;
        let order = BatchOrder::read(body.as_bytes()).unwrap();
        assert_eq!((order.input_file, order.url), ("file-1", "/v1/responses"));
        assert_eq!(order.url, batch_url(Endpoint::Responses));
        assert_eq!(texts(body, Endpoint::Batches), [r#"{"a":"b"}"#]);
    }
}
