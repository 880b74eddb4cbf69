//! Files of JSON lines: one document a line, such as the requests of a batch.
//!
//! A line that is a batch request (`custom_id`, `method`, `url`, `body`) is read as the call that
//! it will be: ids, model names and data stay. Any other line is text in each of its strings, and
//! one that is no JSON is text.

use super::{Endpoint, Outline};
use crate::json::Text;
use crate::json::{Event, Reader};
use crate::redact::{Span, SpanKind};

/// Appends the text of each line of `text`, which stands at byte `at` of the whole.
pub(super) fn spans<'a>(text: &'a str, at: usize, out: &mut Vec<Span<'a>>) {
    let mut start = 0;
    for line in text.split('\n') {
        let first = out.len();
        if request(line, at + start, out).is_none() {
            out.truncate(first);
            if !line.trim_ascii().is_empty() {
                let text = Text::plain(line, at + start);
                out.push(Span { text, key: None, kind: SpanKind::Json });
            }
        }
        out[first..].sort_by_key(|span| span.text.start());
        start += line.len() + 1;
    }
}

/// Appends the text of a batch request; `None`, and maybe some of it, where the line is none.
fn request<'a>(line: &'a str, at: usize, out: &mut Vec<Span<'a>>) -> Option<()> {
    let mut reader = Reader::over(line);
    if reader.next().ok()? != Some(Event::BeginObject) {
        return None;
    }
    let (mut named, mut endpoint, mut body) = (false, None, None);
    while let Event::Key(key) = reader.next().ok()?? {
        let value = reader.skip().ok()?;
        let text = &line[value.clone()];
        match key.raw() {
            "custom_id" if text.starts_with('"') => named = true,
            "method" if text == "\"POST\"" => {}
            "url" => endpoint = of_url(text.trim_matches('"')),
            // A second body would be another reader's first.
            "body" if body.is_none() => body = Some(value),
            "body" => return None,
            _ => {
                let text = Text::plain(text, at + value.start);
                out.push(Span { text, key: None, kind: SpanKind::Json });
            }
        }
    }
    reader.next().ok()?.is_none().then_some(())?;
    let body = body.filter(|_| named)?;
    let outline = Outline::read(line[body.clone()].as_bytes(), endpoint?).ok()?;
    out.extend(
        outline.spans.iter().map(|span| Span { text: span.text.moved(at + body.start), ..*span }),
    );
    Some(())
}

pub(super) fn of_url(url: &str) -> Option<Endpoint> {
    Some(match url {
        "/v1/chat/completions" => Endpoint::ChatCompletions,
        "/v1/completions" => Endpoint::Completions,
        "/v1/responses" => Endpoint::Responses,
        "/v1/embeddings" => Endpoint::Embeddings,
        "/v1/moderations" => Endpoint::Moderations,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::redact::{Engine, Mode, Modes, Vault, splice};

    fn masked(text: &str) -> String {
        let mut spans = Vec::new();
        super::spans(text, 0, &mut spans);
        let engine = Engine::new(Modes::all(Mode::Mask));
        let redaction = engine.redact(&spans, &Vault::new([1; 32], 10));
        String::from_utf8(splice(text.as_bytes(), &redaction.edits)).unwrap()
    }

    #[test]
    fn a_batch_request_keeps_its_ids_and_loses_its_values() {
        let line = r#"{"custom_id":"a@b.com","method":"POST","url":"/v1/chat/completions","note":["n@b.com"],"body":{"model":"m@b.com","messages":[{"role":"user","content":"to \u0061nn@example.com"}]}}"#;
        let expected = line
            .replace(r"\u0061nn@example.com", "<EMAIL>")
            .replace("[\"n@b.com\"]", "[\"<EMAIL>\"]");
        assert_eq!(masked(line), expected);
        let two = format!("{line}\r\n{line}\n");
        assert_eq!(masked(&two), format!("{expected}\r\n{expected}\n"));
    }

    #[test]
    fn any_other_line_is_text_in_all_its_strings() {
        for (line, expected) in [
            (r#"{"id":"a@b.com","ssn":"536228731"}"#, r#"{"id":"<EMAIL>","ssn":"<SSN>"}"#),
            (
                r#"{"custom_id":"a@b.com","url":"/x","body":{}}"#,
                r#"{"custom_id":"<EMAIL>","url":"/x","body":{}}"#,
            ),
            (
                r#"{"custom_id":"1","url":"/v1/embeddings","body":{"model":"m"},"body":"a@b.com"}"#,
                r#"{"custom_id":"1","url":"/v1/embeddings","body":{"model":"m"},"body":"<EMAIL>"}"#,
            ),
            ("{\"cut\": \"a@b.com", "{\"cut\": \"<EMAIL>"),
            ("not json a@b.com", "not json <EMAIL>"),
            ("", ""),
        ] {
            assert_eq!(masked(line), expected);
            assert_eq!(masked(expected), expected);
        }
    }
}
