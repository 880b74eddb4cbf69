//! The pull reader: one event at a time, each with its place in the document.

use std::ops::Range;

use super::text::Text;

/// How deep containers may nest; the same limit as `serde_json`'s.
pub const MAX_DEPTH: u32 = 127;

/// One step through a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// `{`
    BeginObject,
    /// `}`
    EndObject,
    /// `[`
    BeginArray,
    /// `]`
    EndArray,
    /// A member's name; its value comes next.
    Key(Text<'a>),
    /// A string value.
    String(Text<'a>),
    /// A number, as it stands in the document.
    Number(&'a str),
    /// `true` or `false`.
    Bool(bool),
    /// `null`
    Null,
}

/// Why bytes are not JSON that every reader agrees on. Offsets are bytes from the start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not UTF-8 from this offset on.
    #[error("the body is not valid UTF-8 at byte {0}")]
    Utf8(usize),
    /// Something else stands where JSON's grammar wants a value or a mark.
    #[error("the body is not valid JSON at byte {0}")]
    Syntax(usize),
    /// The document ends in the middle.
    #[error("the body's JSON ends early")]
    Early,
    /// A `\u` escape names half of a surrogate pair.
    #[error("the body has a lone surrogate at byte {0}")]
    Surrogate(usize),
    /// A number that no double can hold.
    #[error("the number at byte {0} is out of range")]
    Range(usize),
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("the body's JSON nests deeper than {MAX_DEPTH} levels")]
    Depth,
}

/// Reads one document from bytes. After an error, it stays at the error.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// One bit per open container, the innermost lowest: 1 = object.
    kinds: u128,
    depth: u32,
    expect: Expect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// A value, at the top or after a colon.
    Value,
    /// A value or `]`: just after `[`.
    FirstItem,
    /// A key or `}`: just after `{`.
    FirstKey,
    /// `,` or the container's end.
    Next,
    /// Nothing but white space.
    End,
}

impl<'a> Reader<'a> {
    /// Checks that the bytes are UTF-8 and starts at the first one.
    pub fn new(bytes: &'a [u8]) -> Result<Self, JsonError> {
        let text = simdutf8::compat::from_utf8(bytes)
            .map_err(|error| JsonError::Utf8(error.valid_up_to()))?;
        Ok(Self::over(text))
    }

    /// Starts at the first character of text that is known to be UTF-8.
    pub const fn over(text: &'a str) -> Self {
        Self { text, at: 0, kinds: 0, depth: 0, expect: Expect::Value }
    }

    /// Where the next unread byte is.
    pub const fn position(&self) -> usize {
        self.at
    }

    /// How many containers are open.
    pub const fn depth(&self) -> u32 {
        self.depth
    }

    /// The next event, or `None` once the document has ended well.
    #[expect(clippy::should_implement_trait, reason = "an iterator could not end in an error")]
    pub fn next(&mut self) -> Result<Option<Event<'a>>, JsonError> {
        self.white();
        match self.expect {
            Expect::Value => self.value().map(Some),
            Expect::FirstItem => match self.peek()? {
                b']' => Ok(Some(self.close())),
                _ => self.value().map(Some),
            },
            Expect::FirstKey => match self.peek()? {
                b'}' => Ok(Some(self.close())),
                _ => self.key().map(Some),
            },
            Expect::Next => match (self.peek()?, self.kinds & 1 == 1) {
                (b',', object) => {
                    self.at += 1;
                    self.white();
                    if object { self.key().map(Some) } else { self.value().map(Some) }
                }
                (b'}', true) | (b']', false) => Ok(Some(self.close())),
                _ => Err(JsonError::Syntax(self.at)),
            },
            Expect::End if self.at == self.text.len() => Ok(None),
            Expect::End => Err(JsonError::Syntax(self.at)),
        }
    }

    /// Reads past the value that comes next, whatever it is, and says where it stands.
    pub fn skip(&mut self) -> Result<Range<usize>, JsonError> {
        self.white();
        let start = self.at;
        let depth = self.depth;
        loop {
            self.next()?.ok_or(JsonError::Early)?;
            if self.depth == depth && !matches!(self.expect, Expect::Value) {
                return Ok(start..self.at);
            }
        }
    }

    fn white(&mut self) {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Result<u8, JsonError> {
        self.text.as_bytes().get(self.at).copied().ok_or(JsonError::Early)
    }

    fn after_value(&mut self) {
        self.expect = if self.depth == 0 { Expect::End } else { Expect::Next };
    }

    fn open(&mut self, object: bool) -> Result<(), JsonError> {
        if self.depth == MAX_DEPTH {
            return Err(JsonError::Depth);
        }
        self.at += 1;
        self.depth += 1;
        self.kinds = (self.kinds << 1) | u128::from(object);
        self.expect = if object { Expect::FirstKey } else { Expect::FirstItem };
        Ok(())
    }

    fn close(&mut self) -> Event<'a> {
        let object = self.kinds & 1 == 1;
        self.at += 1;
        self.depth -= 1;
        self.kinds >>= 1;
        self.after_value();
        if object { Event::EndObject } else { Event::EndArray }
    }

    fn key(&mut self) -> Result<Event<'a>, JsonError> {
        if self.peek()? != b'"' {
            return Err(JsonError::Syntax(self.at));
        }
        let name = self.string()?;
        self.white();
        if self.peek()? != b':' {
            return Err(JsonError::Syntax(self.at));
        }
        self.at += 1;
        self.expect = Expect::Value;
        Ok(Event::Key(name))
    }

    fn value(&mut self) -> Result<Event<'a>, JsonError> {
        let event = match self.peek()? {
            b'{' => {
                self.open(true)?;
                return Ok(Event::BeginObject);
            }
            b'[' => {
                self.open(false)?;
                return Ok(Event::BeginArray);
            }
            b'"' => Event::String(self.string()?),
            b't' => self.word("true", Event::Bool(true))?,
            b'f' => self.word("false", Event::Bool(false))?,
            b'n' => self.word("null", Event::Null)?,
            b'-' | b'0'..=b'9' => Event::Number(self.number()?),
            _ => return Err(JsonError::Syntax(self.at)),
        };
        self.after_value();
        Ok(event)
    }

    fn word(&mut self, word: &str, event: Event<'a>) -> Result<Event<'a>, JsonError> {
        let rest = &self.text.as_bytes()[self.at..];
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(event)
        } else if word.as_bytes().starts_with(rest) {
            Err(JsonError::Early)
        } else {
            Err(JsonError::Syntax(self.at))
        }
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { self.peek().and(Err(JsonError::Syntax(self.at))) }
    }

    fn number(&mut self) -> Result<&'a str, JsonError> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        if bytes[self.at] == b'-' {
            self.at += 1;
        }
        if bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        let exponent = matches!(bytes.get(self.at), Some(b'e' | b'E'));
        if exponent {
            self.at += 1;
            if matches!(bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let number = &self.text[start..self.at];
        // Only an exponent or 309 digits and more can leave a double's range.
        let wide = exponent || number.len() > 300;
        if wide && number.parse::<f64>().is_ok_and(f64::is_infinite) {
            return Err(JsonError::Range(start));
        }
        Ok(number)
    }

    /// Reads a string from its opening quote past its closing one.
    fn string(&mut self) -> Result<Text<'a>, JsonError> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let mut end = start;
        let mut escaped = false;
        loop {
            match memchr::memchr2(b'"', b'\\', &bytes[end..]) {
                None => return Err(JsonError::Early),
                Some(ahead) if bytes[end + ahead] == b'"' => {
                    end += ahead;
                    break;
                }
                Some(ahead) => {
                    escaped = true;
                    end = check_escape(bytes, end + ahead)?;
                }
            }
        }
        let raw = &self.text[start..end];
        // A minimum rather than `any`: without an early exit it compiles to vector instructions.
        if raw.bytes().fold(u8::MAX, u8::min) < 0x20 {
            let control = raw.bytes().position(|byte| byte < 0x20).unwrap_or_default();
            return Err(JsonError::Syntax(start + control));
        }
        self.at = end + 1;
        Ok(Text::new(raw, start, escaped))
    }
}

/// Checks the escape whose backslash is at `slash`; returns where it ends.
fn check_escape(bytes: &[u8], slash: usize) -> Result<usize, JsonError> {
    match bytes.get(slash + 1) {
        None => Err(JsonError::Early),
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(slash + 2),
        Some(b'u') => match hex4(bytes, slash + 2)? {
            0xDC00..=0xDFFF => Err(JsonError::Surrogate(slash)),
            0xD800..=0xDBFF => {
                let low = bytes.get(slash + 6..slash + 8) == Some(b"\\u")
                    && matches!(hex4(bytes, slash + 8)?, 0xDC00..=0xDFFF);
                if low { Ok(slash + 12) } else { Err(JsonError::Surrogate(slash)) }
            }
            _ => Ok(slash + 6),
        },
        Some(_) => Err(JsonError::Syntax(slash)),
    }
}

fn hex4(bytes: &[u8], at: usize) -> Result<u32, JsonError> {
    let digits = bytes.get(at..at + 4).ok_or(JsonError::Early)?;
    digits.iter().try_fold(0, |unit, byte| {
        let digit = char::from(*byte).to_digit(16).ok_or(JsonError::Syntax(at))?;
        Ok(unit * 16 + digit)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::escape_into;

    fn read(text: &str) -> Result<Vec<Event<'_>>, JsonError> {
        let mut reader = Reader::new(text.as_bytes())?;
        let mut events = Vec::new();
        while let Some(event) = reader.next()? {
            events.push(event);
        }
        Ok(events)
    }

    #[test]
    fn values_come_with_their_place() {
        let text = r#" {"a" : ["x\n", -1.5e3, true, null, {}, []]} "#;
        let events = read(text).unwrap();
        assert_eq!(events.len(), 13);
        let Event::String(value) = events[3] else { panic!("{events:?}") };
        assert_eq!(&text[value.range()], "x\\n");
        assert_eq!(value.decode(), "x\n");
        assert_eq!(events[4], Event::Number("-1.5e3"));
    }

    #[test]
    fn skipping_says_what_was_passed() {
        let text = r#"{"a":[1,{"b":2}],"c":3}"#;
        let mut reader = Reader::over(text);
        reader.next().unwrap();
        reader.next().unwrap();
        let range = reader.skip().unwrap();
        assert_eq!(&text[range], r#"[1,{"b":2}]"#);
        assert!(matches!(reader.next(), Ok(Some(Event::Key(key))) if key.is("c")));
        let range = reader.skip().unwrap();
        assert_eq!(&text[range], "3");
    }

    #[test]
    fn what_parsers_disagree_about_is_refused() {
        use JsonError::{Depth, Early, Range, Surrogate, Syntax};
        for (text, error) in [
            ("", Early),
            ("{", Early),
            ("[1", Early),
            ("\"a", Early),
            ("tru", Early),
            ("{'a':1}", Syntax(1)),
            ("[1,]", Syntax(3)),
            ("{\"a\":1,}", Syntax(7)),
            ("{\"a\" 1}", Syntax(5)),
            ("01", Syntax(1)),
            ("1.", Early),
            ("+1", Syntax(0)),
            ("[1]x", Syntax(3)),
            ("1 2", Syntax(2)),
            ("[}", Syntax(1)),
            ("nulL", Syntax(0)),
            ("\"\u{1}\"", Syntax(1)),
            (r#""\x""#, Syntax(1)),
            (r#""\ud800""#, Surrogate(1)),
            (r#""\udc00""#, Surrogate(1)),
            (r#""\ud800\u0041""#, Surrogate(1)),
            ("1e400", Range(0)),
            ("-1e999", Range(0)),
            ("\u{feff}{}", Syntax(0)),
        ] {
            assert_eq!(read(text), Err(error), "{text:?}");
        }
        assert_eq!(read(&"[".repeat(10_000)), Err(Depth));
        assert_eq!(Reader::new(b"\"\xff\"").map(|_| ()), Err(JsonError::Utf8(1)));
        assert_eq!(read(&format!("1{}", "0".repeat(400))), Err(Range(0)));
    }

    #[test]
    fn offsets_into_the_decoded_text_map_to_the_document() {
        let text = r#""a\u00e9\ud83d\ude00b\n""#;
        let mut reader = Reader::over(text);
        let Ok(Some(Event::String(value))) = reader.next() else { panic!() };
        assert_eq!(value.decode(), "aé😀b\n");
        assert_eq!(value.locate([0, 1, 3, 7, 8, 9]), [1, 2, 8, 20, 21, 23]);
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json(text in r#"[\[\]{}",:a0\-1.e\\un ]{0,24}"#) {
            let ours = read(&text).is_ok();
            let theirs = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            prop_assert_eq!(ours, theirs, "{}", text);
        }

        #[test]
        fn escaping_then_reading_is_identity(text in any::<String>()) {
            let mut quoted = String::from("\"");
            escape_into(&mut quoted, &text);
            quoted.push('"');
            let mut reader = Reader::over(&quoted);
            let Ok(Some(Event::String(value))) = reader.next() else { panic!() };
            prop_assert_eq!(value.decode(), text.as_str());
        }
    }
}
