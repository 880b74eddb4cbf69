//! The text as a decoder would see it.
//!
//! A value hides from a plain search where it is written with escapes (`\u0040`, `%40`, `&#64;`),
//! split by characters of no width, or in full-width letters; and a typographic dash or space is
//! no `-` and no ` `. Around each such mark a stretch of the text is decoded and searched as well,
//! and what is found is placed back onto the bytes it came from.
//!
//! One level is decoded, and only stretches that hold a mark: text without marks costs a look at
//! a few bytes. Not covered: two such codings over one another, look-alike letters of other
//! scripts, words spelled out (`at`, `dot`), text that is reversed or enciphered.

use std::ops::Range;

/// Bytes around a mark that are decoded with it.
const AROUND: usize = 96;
/// Bytes that a stretch may grow by, to begin and end at white space.
const GROWTH: usize = 256;

/// A decoded stretch.
pub(super) struct View {
    text: String,
    /// Each run of the text: where it starts here, and what it was there.
    runs: Vec<Run>,
    /// Whether more text stands before and after the stretch.
    cut: (bool, bool),
}

/// Text that was copied, or one character that was decoded.
struct Run {
    start: usize,
    original: Range<usize>,
    copied: bool,
}

/// A mark: how many bytes it takes up, and the character that it stands for, if any.
struct Mark {
    length: usize,
    character: Option<char>,
}

/// Calls `found` with each decoded stretch of a text.
pub(super) fn each(text: &str, found: &mut impl FnMut(&View)) {
    let mut stretch: Option<Range<usize>> = None;
    let mut at = 0;
    while let Some((place, mark)) = next_mark(text, at) {
        at = place + mark.length;
        let around = place.saturating_sub(AROUND)..(at + AROUND).min(text.len());
        match &mut stretch {
            Some(open) if around.start <= open.end => open.end = around.end,
            _ => {
                if let Some(done) = stretch.replace(around) {
                    found(&View::decode(text, &done));
                }
            }
        }
    }
    if let Some(done) = stretch {
        found(&View::decode(text, &done));
    }
}

impl View {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Where a part of the view stands in the text; `None` for one that may be cut short.
    pub(super) fn original(&self, range: &Range<usize>) -> Option<Range<usize>> {
        let cut_before = range.start == 0 && self.cut.0;
        let cut_after = range.end == self.text.len() && self.cut.1;
        if cut_before || cut_after {
            return None;
        }
        let run_at = |at: usize| {
            let after = self.runs.partition_point(|run| run.start <= at);
            self.runs.get(after.checked_sub(1)?)
        };
        let first = run_at(range.start)?;
        let last = run_at(range.end.checked_sub(1)?)?;
        let start = if first.copied {
            first.original.start + (range.start - first.start)
        } else {
            first.original.start
        };
        let end = if last.copied {
            last.original.start + (range.end - last.start)
        } else {
            last.original.end
        };
        Some(start..end)
    }

    fn decode(text: &str, around: &Range<usize>) -> Self {
        let stretch = grow(text, around);
        let is_word = |at: Option<usize>| {
            at.and_then(|at| text.as_bytes().get(at)).is_some_and(|b| !b.is_ascii_whitespace())
        };
        let cut = (is_word(stretch.start.checked_sub(1)), is_word(Some(stretch.end)));
        let text_here = String::with_capacity(stretch.len());
        let mut view = Self { text: text_here, runs: Vec::new(), cut };
        let mut at = stretch.start;
        while at < stretch.end {
            let (place, mark) = match next_mark(text, at) {
                Some((place, mark)) if place < stretch.end => (place, Some(mark)),
                _ => (stretch.end, None),
            };
            if place > at {
                view.push(at..place, &text[at..place], true);
            }
            at = place;
            if let Some(mark) = mark {
                let mut bytes = [0; 4];
                let decoded = mark.character.map_or("", |c| c.encode_utf8(&mut bytes));
                view.push(at..at + mark.length, decoded, false);
                at += mark.length;
            }
        }
        view
    }

    fn push(&mut self, original: Range<usize>, text: &str, copied: bool) {
        if !text.is_empty() {
            self.runs.push(Run { start: self.text.len(), original, copied });
            self.text.push_str(text);
        }
    }
}

/// Begins and ends the stretch at white space, if there is some near, and between characters.
fn grow(text: &str, around: &Range<usize>) -> Range<usize> {
    let bytes = text.as_bytes();
    let floor = around.start.saturating_sub(GROWTH);
    let before = &bytes[floor..around.start];
    let mut start =
        before.iter().rposition(u8::is_ascii_whitespace).map_or(floor, |at| floor + at + 1);
    let after = &bytes[around.end..bytes.len().min(around.end + GROWTH)];
    let mut end =
        around.end + after.iter().position(u8::is_ascii_whitespace).unwrap_or(after.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

/// The next mark from `at` on, and where it is.
fn next_mark(text: &str, at: usize) -> Option<(usize, Mark)> {
    let bytes = text.as_bytes();
    let mut at = at;
    loop {
        while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk::<64>)
            && is_quiet(block)
        {
            at += block.len();
        }
        let end = bytes.len().min(at + 64);
        let ahead = bytes.get(at..end)?.iter().position(|byte| is_loud(*byte));
        match ahead {
            Some(ahead) => {
                at += ahead;
                if let Some(mark) = mark(text, at) {
                    return Some((at, mark));
                }
                at += 1;
            }
            None if end == bytes.len() => return None,
            None => at = end,
        }
    }
}

/// True for a byte that a mark may start with.
#[expect(
    clippy::needless_bitwise_bool,
    reason = "without branches it compiles to vector instructions"
)]
const fn is_loud(byte: u8) -> bool {
    (byte == b'%') | (byte == b'\\') | (byte == b'&') | (byte >= 0xC2)
}

/// A fold rather than `any`: without the early exit it compiles to vector instructions.
fn is_quiet(block: &[u8; 64]) -> bool {
    !block.iter().fold(false, |loud, byte| loud | is_loud(*byte))
}

fn mark(text: &str, at: usize) -> Option<Mark> {
    let rest = &text.as_bytes()[at..];
    // Most letters of other scripts are no marks.
    if rest[0] >= 0xC2 && !matches!(rest[0], 0xC2 | 0xD9 | 0xDB | 0xE2 | 0xE3 | 0xEF) {
        return None;
    }
    let ascii = |length: usize, code: u32| {
        // Control characters but for line ends and tabs are no part of a value.
        let character =
            char::from_u32(code).filter(|c| !c.is_control() || "\n\r\t".contains(*c))?;
        Some(Mark { length, character: Some(character).and_then(seen) })
    };
    match rest {
        [b'%', high, low, ..] => {
            let code = hex(*high)? << 4 | hex(*low)?;
            (code < 0x80).then_some(())?;
            ascii(3, code)
        }
        [b'\\', b'u', digits @ ..] if digits.len() >= 4 => {
            let code = number(&digits[..4])?;
            (!(0xD800..0xE000).contains(&code)).then_some(())?;
            ascii(6, code)
        }
        [b'\\', b'x', high, low, ..] => {
            let code = hex(*high)? << 4 | hex(*low)?;
            (code < 0x80).then_some(())?;
            ascii(4, code)
        }
        [b'\\', b'/', ..] => Some(Mark { length: 2, character: Some('/') }),
        [b'&', ..] => entity(rest),
        [0xC2..=0xFF, ..] => {
            let character = text[at..].chars().next()?;
            let between = |near: Option<&u8>| near.is_some_and(u8::is_ascii_alphanumeric);
            let after = rest.get(character.len_utf8());
            let before = at.checked_sub(1).and_then(|at| text.as_bytes().get(at));
            let length = character.len_utf8();
            match seen(character) {
                None => Some(Mark { length, character: None }),
                // Typography between words is no disguise.
                Some(plain @ (' ' | '-')) if plain != character => (between(before)
                    && after.is_some_and(|byte| byte.is_ascii_digit() || *byte == b'('))
                .then_some(Mark { length, character: Some(plain) }),
                Some(plain) if plain != character => Some(Mark { length, character: Some(plain) }),
                Some(_) => None,
            }
        }
        _ => None,
    }
}

/// `&#64;`, `&#x40;` and the names that stand in values.
fn entity(rest: &[u8]) -> Option<Mark> {
    const NAMES: [(&[u8], char); 14] = [
        (b"amp", '&'),
        (b"lt", '<'),
        (b"gt", '>'),
        (b"quot", '"'),
        (b"apos", '\''),
        (b"nbsp", ' '),
        (b"commat", '@'),
        (b"period", '.'),
        (b"plus", '+'),
        (b"hyphen", '-'),
        (b"dash", '-'),
        (b"colon", ':'),
        (b"sol", '/'),
        (b"lowbar", '_'),
    ];
    let end = rest.iter().take(10).position(|byte| *byte == b';')?;
    let name = &rest[1..end];
    let character = match name {
        [b'#', b'x' | b'X', digits @ ..] if !digits.is_empty() => char::from_u32(number(digits)?)?,
        [b'#', digits @ ..] if !digits.is_empty() => {
            let digits = std::str::from_utf8(digits).ok()?;
            char::from_u32(digits.parse().ok()?)?
        }
        _ => NAMES.iter().find(|(known, _)| *known == name)?.1,
    };
    Some(Mark { length: end + 1, character: seen(character) })
}

/// What a character is read as; `None` for one that has no width.
fn seen(character: char) -> Option<char> {
    match character {
        '\u{AD}'
        | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{2064}'
        | '\u{2066}'..='\u{2069}'
        | '\u{FEFF}' => None,
        // Full-width forms stand in the order of ASCII.
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(character as u32 - 0xFEE0)
            .filter(|plain| plain.is_ascii_alphanumeric() || "@.-+_:/=".contains(*plain))
            .or(Some(character)),
        '\u{660}'..='\u{669}' => char::from_digit(character as u32 - 0x660, 10),
        '\u{6F0}'..='\u{6F9}' => char::from_digit(character as u32 - 0x6F0, 10),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Some('-'),
        '\u{A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => Some(' '),
        other => Some(other),
    }
}

fn hex(digit: u8) -> Option<u32> {
    char::from(digit).to_digit(16)
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |sum, digit| Some(sum.checked_mul(16)? + hex(*digit)?))
}

#[cfg(test)]
mod tests {
    use crate::redact::Kind;
    use crate::redact::detect::tests::found;

    #[test]
    fn a_disguised_value_is_found_with_its_disguise() {
        for value in [
            "ann%40example.com",
            "ann&#64;example.com",
            "ann&#x40;example&period;com",
            "ann\\u0040example.com",
            "ann\\x40example.com",
            "ann\u{200B}@exam\u{AD}ple.com",
            "ａｎｎ＠ｅｘａｍｐｌｅ．ｃｏｍ",
            "ann@example\u{2060}.com",
        ] {
            for text in [value.to_owned(), format!("to {value}, 是 {value}\n")] {
                let found = found(&text);
                assert!(!found.is_empty(), "{text}");
                assert!(found.iter().all(|one| *one == (Kind::Email, value)), "{found:?}");
            }
        }
        for (text, kind) in [
            ("４２４２ ４２４２ ４２４２ ４２４２", Kind::CreditCard),
            ("4242\u{A0}4242\u{A0}4242\u{A0}4242", Kind::CreditCard),
            ("42424242\u{200B}42424242", Kind::CreditCard),
            ("536\u{2011}22\u{2011}8731", Kind::Ssn),
            ("536%2D22%2D8731", Kind::Ssn),
            ("٥٣٦-٢٢-٨٧٣١", Kind::Ssn),
        ] {
            assert_eq!(found(text), [(kind, text)]);
        }
    }

    #[test]
    fn escapes_of_ordinary_text_are_no_values() {
        for text in [
            "100%25 of 50%20%2F x\\u00e9\\u200b &amp;&lt;b&gt; \u{2014} \u{A0}—\u{A0}",
            "C:\\users\\u1234\\x12",
            "“Quoted” – with 5 – 6 dashes, 10\u{A0}000\u{A0}€",
            "価格：１２３４円、第５回",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
