//! The results of a batch as they pass: JSON lines, each with the answer to one request.
//!
//! Each line is metered, searched and restored like an answer that is one document. Whether a file
//! holds results is told by its first line; any other passes byte for byte as it comes.
//!
//! Not here: whose money it is, and what a usage costs.

use bytes::{Bytes, BytesMut};
use iron_policy::json::{Event, JsonError, Reader};
use iron_policy::types::Usage;

use super::plain::{self, RestoreError};
use super::{Restorers, StreamError, WireKind};

/// The longest line that is read, in bytes; more of it passes unread.
const LONGEST_LINE: usize = 32 << 20;

/// Whose results they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `{"custom_id", "response": {"status_code", "body"}, "error"}` in a file.
    OpenAi,
    /// `{"custom_id", "result": {"type", "message"}}`.
    Anthropic,
    /// No results at all.
    Other,
}

/// What one request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// The model that answered, in the provider's words.
    pub model: String,
    /// What it used; none where the answer does not say.
    pub usage: Option<Usage>,
}

/// Lines on their way to the client.
pub struct LineRelay<F> {
    source: Source,
    /// What the requests were, where it is known whose results they are.
    kind: WireKind,
    restorers: F,
    state: State,
    partial: BytesMut,
    used: Vec<Used>,
    /// A line was not understood: what was used is not all.
    lost: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was read yet.
    Start,
    /// Results.
    Lines,
    /// Anything else, or results that cannot be read any more.
    Pass,
}

impl<F: Restorers> LineRelay<F> {
    /// Starts before the first byte. `readable` is false for what is compressed.
    pub fn new(source: Source, kind: WireKind, restorers: F, readable: bool) -> Self {
        let state = if readable && source != Source::Other { State::Start } else { State::Pass };
        Self {
            source,
            kind,
            restorers,
            state,
            partial: BytesMut::new(),
            used: Vec::new(),
            lost: !readable,
        }
    }

    /// Takes the next bytes and appends what can go on.
    pub fn push(&mut self, mut chunk: Bytes, out: &mut Vec<Bytes>) -> Result<(), StreamError> {
        while !chunk.is_empty() {
            if self.state == State::Pass {
                out.push(chunk);
                return Ok(());
            }
            let end = memchr::memchr(b'\n', &chunk);
            let part = chunk.split_to(end.map_or(chunk.len(), |end| end + 1));
            let starts = self.partial.is_empty() && self.state == State::Start;
            if starts && !part.trim_ascii_start().starts_with(b"{") {
                self.state = State::Pass;
                out.push(part);
                continue;
            }
            if end.is_some() && self.partial.is_empty() {
                self.line(part, out)?;
                continue;
            }
            self.partial.extend_from_slice(&part);
            if end.is_some() {
                let line = std::mem::take(&mut self.partial).freeze();
                self.line(line, out)?;
            } else if self.partial.len() > LONGEST_LINE {
                if self.state == State::Lines {
                    // What it holds is not known, so it may not pass.
                    return Err(StreamError::TooLong { limit: LONGEST_LINE });
                }
                self.state = State::Pass;
                self.lost = true;
                out.push(std::mem::take(&mut self.partial).freeze());
            }
        }
        Ok(())
    }

    /// The file ended by itself: appends what was held back.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<(), StreamError> {
        let line = std::mem::take(&mut self.partial).freeze();
        if line.is_empty() { Ok(()) } else { self.line(line, out) }
    }

    /// What every request used that was answered well; none where that is not known.
    pub fn used(&self) -> Option<&[Used]> {
        (self.state != State::Pass && !self.lost).then_some(&self.used)
    }

    fn line(&mut self, line: Bytes, out: &mut Vec<Bytes>) -> Result<(), StreamError> {
        let text = line.trim_ascii();
        if text.is_empty() {
            out.push(line);
            return Ok(());
        }
        match read(self.source, self.kind, text) {
            Ok(Line::Well(used)) => {
                self.state = State::Lines;
                self.used.push(used);
            }
            Ok(Line::Failed) => self.state = State::Lines,
            Ok(Line::Other) | Err(_) if self.state == State::Start => {
                self.state = State::Pass;
                out.push(line);
                return Ok(());
            }
            Ok(Line::Other) | Err(_) => self.lost = true,
        }
        let at = text.as_ptr() as usize - line.as_ptr() as usize;
        let (document, ending) = (line.slice(at..at + text.len()), line.slice(at + text.len()..));
        let restored = match plain::restore(&document, &self.restorers) {
            Ok(restored) => restored,
            Err(RestoreError::Forbidden(error)) => return Err(error),
            // Not JSON: it passes as it is, like any text that is not understood.
            Err(RestoreError::Json(_)) => document,
        };
        out.push(restored);
        if !ending.is_empty() {
            out.push(ending);
        }
        Ok(())
    }
}

/// What a line says.
enum Line {
    /// It is no result.
    Other,
    /// Of a request that failed: it cost nothing.
    Failed,
    /// Of a request that was answered.
    Well(Used),
}

fn read(source: Source, kind: WireKind, line: &[u8]) -> Result<Line, JsonError> {
    let mut reader = Reader::new(line)?;
    if reader.next()? != Some(Event::BeginObject) {
        return Ok(Line::Other);
    }
    let (mut named, mut answer) = (false, None);
    let wanted = if source == Source::OpenAi { "response" } else { "result" };
    while let Some(Event::Key(name)) = reader.next()? {
        let value = reader.skip()?;
        named |= name.is("custom_id");
        if name.is(wanted) {
            answer = Some(value);
        }
    }
    if reader.next()?.is_some() {
        return Err(JsonError::Syntax(reader.position()));
    }
    let Some(answer) = answer.filter(|_| named) else { return Ok(Line::Other) };
    let answer = &line[answer];
    if source == Source::OpenAi { response(kind, answer) } else { result(answer) }
}

fn response(kind: WireKind, answer: &[u8]) -> Result<Line, JsonError> {
    let mut reader = Reader::new(answer)?;
    if reader.next()? != Some(Event::BeginObject) {
        // `null` beside an error.
        return Ok(Line::Failed);
    }
    let (mut well, mut body) = (false, None);
    while let Some(Event::Key(name)) = reader.next()? {
        let value = reader.skip()?;
        if name.is("status_code") {
            well = answer[value].starts_with(b"2");
        } else if name.is("body") {
            body = Some(value);
        }
    }
    if !well {
        return Ok(Line::Failed);
    }
    used(kind, body.map_or(&[][..], |body| &answer[body])).map(Line::Well)
}

fn result(answer: &[u8]) -> Result<Line, JsonError> {
    let mut reader = Reader::new(answer)?;
    if reader.next()? != Some(Event::BeginObject) {
        return Ok(Line::Other);
    }
    let (mut failed, mut message) = (false, None);
    while let Some(Event::Key(name)) = reader.next()? {
        let value = reader.skip()?;
        if name.is("type") {
            let kinds = [&b"\"errored\""[..], b"\"canceled\"", b"\"expired\""];
            failed = kinds.contains(&&answer[value]);
        } else if name.is("message") {
            message = Some(value);
        }
    }
    if failed {
        return Ok(Line::Failed);
    }
    used(WireKind::Messages, message.map_or(&[][..], |message| &answer[message])).map(Line::Well)
}

fn used(kind: WireKind, body: &[u8]) -> Result<Used, JsonError> {
    if body.is_empty() {
        return Ok(Used { model: String::new(), usage: None });
    }
    let metered = plain::meter(kind, body)?;
    Ok(Used { model: metered.model.unwrap_or_default(), usage: metered.usage })
}

#[cfg(test)]
mod tests {
    use iron_policy::types::TokenClass;

    use super::*;
    use crate::stream::Unchanged;

    const WELL: &str = r#"{"id":"r1","custom_id":"1","response":{"status_code":200,"body":{"model":"m","usage":{"prompt_tokens":7,"completion_tokens":2}}},"error":null}"#;
    const BAD: &str = r#"{"custom_id":"2","response":{"status_code":400,"body":{"error":{}}}}"#;
    const NONE: &str = r#"{"custom_id":"3","response":null,"error":{"code":"batch_expired"}}"#;

    fn relay(source: Source, text: &str, cut: usize) -> (Option<Vec<Used>>, String) {
        let mut relay = LineRelay::new(source, WireKind::Chat, Unchanged, true);
        let mut out = Vec::new();
        for chunk in text.as_bytes().chunks(cut) {
            relay.push(Bytes::copy_from_slice(chunk), &mut out).unwrap();
        }
        relay.finish(&mut out).unwrap();
        (relay.used().map(<[Used]>::to_vec), String::from_utf8(out.concat()).unwrap())
    }

    #[test]
    fn each_line_is_metered_however_it_is_cut() {
        let text = format!("{WELL}\r\n{BAD}\n\n{NONE}\n{WELL}");
        let usage = Usage::default().with(TokenClass::Input, 7).with(TokenClass::Output, 2);
        let one = Used { model: "m".to_owned(), usage: Some(usage) };
        for cut in [1, 7, 64, 10_000] {
            let (used, passed) = relay(Source::OpenAi, &text, cut);
            assert_eq!(used, Some(vec![one.clone(), one.clone()]));
            assert_eq!(passed, text);
        }
    }

    #[test]
    fn anthropics_results_cost_where_they_succeeded() {
        let well = r#"{"custom_id":"1","result":{"type":"succeeded","message":{"model":"c","usage":{"input_tokens":3,"output_tokens":4}}}}"#;
        let text = format!("{well}\n{{\"custom_id\":\"2\",\"result\":{{\"type\":\"errored\"}}}}\n");
        let (used, passed) = relay(Source::Anthropic, &text, 50);
        let used = used.unwrap();
        assert_eq!((used.len(), used[0].model.as_str()), (1, "c"));
        assert_eq!(used[0].usage.unwrap().output_tokens(), 4);
        assert_eq!(passed, text);
        let (used, _) = relay(Source::Anthropic, r#"{"custom_id":"2","result":{"type":"new"}}"#, 9);
        assert_eq!(used.unwrap()[0].usage, None, "what is not known is not free");
    }

    #[test]
    fn any_other_file_passes_and_settles_nothing() {
        for text in
            ["", "plain\ntext", "{\"a\":1}\n{}", "{\"custom_id\":\"1\",\"body\":{}}\n", "{\n"]
        {
            let (used, passed) = relay(Source::OpenAi, text, 3);
            assert_eq!(passed, text);
            assert!(used.is_none_or(|used| used.is_empty()), "{text}");
        }
        let (used, _) = relay(Source::OpenAi, &format!("{WELL}\nbroken"), 30);
        assert_eq!(used, None, "a line that is not understood may have cost something");
    }
}
