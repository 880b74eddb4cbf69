//! Where a text may be cut: a function of the text alone.
//!
//! [`next`] says nothing until its answer can no longer change, whatever comes after. That is
//! what makes a stream's result independent of how it arrived.

/// A line longer than this is cut inside, in bytes.
const LINE: usize = 2 * 1024;
/// In a cut line, so much after the cut is searched with it: a value that starts before the cut
/// is then seen whole.
const AHEAD: usize = 256;
/// A line without a border between words is cut here.
const WORD: usize = 16 * 1024;
/// A private key is never longer; nor is any unit much.
const KEY: usize = 64 * 1024;
/// The longest label in a key's armour, dashes included.
const LABEL: usize = 64;
/// SSH2's armour (RFC 4716) has four dashes and a space, the others five.
const ENDS: [&str; 2] = ["-----END ", "---- END "];
const DASHES: &str = "----";

/// The front of a text, to be searched at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// Where it ends.
    pub(super) end: usize,
    /// How far the text is searched for it.
    pub(super) seen: usize,
}

/// The unit at the front of a text that may go on; `None` while its end is not certain.
pub(super) fn next(text: &str) -> Option<Unit> {
    let mut unit = line(text)?;
    let mut from = 0;
    // Each key that begins in the unit pushes its end out to where a line ends after the key.
    while let Some(label) = begin(&text[from..unit.end]) {
        let after = key(text, from + label)?;
        if after >= KEY {
            let end = text.floor_char_boundary(after);
            return Some(Unit { end, seen: end });
        }
        from = after;
        if after > unit.end {
            let rest = line(&text[after..])?;
            unit = Unit { end: after + rest.end, seen: after + rest.seen };
        }
    }
    Some(unit)
}

/// A line, or what is cut off a long one.
fn line(text: &str) -> Option<Unit> {
    let window = &text[..text.floor_char_boundary(LINE)];
    if let Some(at) = memchr::memchr(b'\n', window.as_bytes()) {
        return Some(Unit { end: at + 1, seen: at + 1 });
    }
    if text.len() < LINE {
        return None;
    }
    let last = window.floor_char_boundary(LINE - AHEAD);
    if let Some(end) = calm_border(&window[..last]) {
        return Some(Unit { end, seen: window.len() });
    }
    // One word, such as a token or data: up to its end, if that is near.
    let word = &text[..text.floor_char_boundary(WORD)];
    let border = word[last..].char_indices().find(|(_, c)| is_border(*c));
    match border {
        Some((at, c)) => {
            let end = last + at + c.len_utf8();
            Some(Unit { end, seen: end })
        }
        None if text.len() < WORD => None,
        None => Some(Unit { end: word.len(), seen: word.len() }),
    }
}

/// The place after the last border that is not inside a number, else after the last border. Nothing
/// where the text has none after its first byte.
fn calm_border(text: &str) -> Option<usize> {
    let mut any = None;
    let mut after = None;
    for (at, c) in text.char_indices().rev() {
        if is_border(c) {
            let end = at + c.len_utf8();
            any = any.or(Some(end));
            let before = text[..at].chars().next_back();
            let digit = |side: Option<char>| side.is_some_and(char::is_numeric);
            if !digit(before) || !digit(after) {
                return Some(end);
            }
        }
        after = Some(c);
    }
    any
}

/// Between words: white space, and the stops of scripts that have no spaces.
fn is_border(c: char) -> bool {
    c.is_whitespace() || matches!(c, '。' | '，' | '、' | '；' | '！' | '？')
}

/// Where the label of the first armour begins.
fn begin(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let word = |at: &usize| bytes[..*at].ends_with(b"----") || bytes[..*at].ends_with(b"---- ");
    let mut words = memchr::memmem::find_iter(bytes, b"BEGIN ");
    words.find(word).map(|at| at + "BEGIN ".len())
}

/// Where the private key ends whose label may be at `label`; a place inside where there is none.
/// `None` while that is not certain.
fn key(text: &str, label: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let Some(dashes) = label_end(&bytes[label..])? else { return Some(label) };
    if memchr::memmem::find(&bytes[label..label + dashes], b"PRIVATE").is_none() {
        return Some(label + dashes);
    }
    let limit = label + KEY;
    let mut at = label + dashes;
    loop {
        if at >= limit {
            return Some(at);
        }
        match bytes.get(at..)? {
            [] | [b'-'] => return None,
            [b'-', b'-', ..] => break,
            [byte, ..] if is_body(*byte) => at += 1,
            // The detector reads no further either; the line goes on.
            _ => return Some(at),
        }
    }
    let rest = &bytes[at..];
    if ENDS.iter().any(|end| rest.len() < end.len() && end.as_bytes().starts_with(rest)) {
        return None;
    }
    let Some(end) = ENDS.iter().find(|end| rest.starts_with(end.as_bytes())) else {
        return Some(at);
    };
    let label = label_end(&rest[end.len()..])?;
    Some(at + end.len() + label.unwrap_or(0))
}

/// How long a label with its dashes is; `Some(None)` where there is none.
#[expect(clippy::option_option, reason = "not certain yet, and certainly none, are two answers")]
fn label_end(bytes: &[u8]) -> Option<Option<usize>> {
    let is_label = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b' ';
    let end = bytes.iter().take(LABEL).take_while(|byte| is_label(byte)).count();
    let rest = &bytes[end..];
    if rest.starts_with(DASHES.as_bytes()) {
        return Some(Some(end + DASHES.len()));
    }
    if end < LABEL && DASHES.as_bytes().starts_with(rest) { None } else { Some(None) }
}

/// What may stand in a key's body: base64, white space, headers, marks of strings in source code,
/// of quoted mail and of HTML's line breaks.
fn is_body(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || byte.is_ascii_whitespace()
        || b"+/=\\\"',:.-()<>".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(text: &str) -> Vec<&str> {
        let mut rest = text;
        let mut units = Vec::new();
        while let Some(unit) = next(rest) {
            let (front, after) = rest.split_at(unit.end);
            units.push(front);
            rest = after;
        }
        units.push(rest);
        units
    }

    #[test]
    fn a_text_is_cut_at_the_ends_of_lines() {
        assert_eq!(units("a\nb c\n\nd"), ["a\n", "b c\n", "\n", "d"]);
        assert_eq!(units(""), [""]);
    }

    #[test]
    fn a_long_line_is_cut_between_words_and_not_inside_a_number() {
        let words = "4242 4242 word ".repeat(400);
        for unit in &units(&words)[..2] {
            assert!(unit.len() > LINE - AHEAD - 15 && unit.len() <= LINE - AHEAD);
            assert!(words.starts_with(unit) || words[10..].starts_with(unit), "{unit:?}");
        }
        let one = format!("{} end of it", "x".repeat(5_000));
        assert_eq!(units(&one)[0].len(), 5_001);
        let endless = "é".repeat(WORD);
        assert_eq!(units(&endless)[0].len(), WORD);
        assert_eq!(units(&"字，".repeat(1_000))[0].chars().next_back(), Some('，'));
    }

    #[test]
    fn a_private_key_is_one_unit_with_the_rest_of_its_line() {
        let key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAw\nBQYDK2Vw\n-----END PRIVATE KEY-----";
        let text = format!("the key {key} is mine\nno more\n");
        assert_eq!(units(&text), [&format!("the key {key} is mine\n"), "no more\n", ""]);
        let ssh = "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nP2/56wAA\n> AgEA\n---- END SSH2 ENCRYPTED PRIVATE KEY ----\n";
        assert_eq!(units(&format!("{ssh}after\n")), [ssh, "after\n", ""]);
        let public = "-----BEGIN PUBLIC KEY-----\nMC4C\n-----END PUBLIC KEY-----\n";
        assert_eq!(units(public).len(), 4);
        let prose = "-----BEGIN PRIVATE KEY-----` starts one\nand more\n";
        assert_eq!(units(prose)[0], "-----BEGIN PRIVATE KEY-----` starts one\n");
        assert_eq!(next("-----BEGIN PRIVATE KEY-----\nMC4C\n-----EN"), None);
        let endless = format!("-----BEGIN PRIVATE KEY-----{}", "\nMC4C".repeat(40_000));
        assert!(units(&endless)[0].len() >= KEY && units(&endless)[0].len() < KEY + 100);
        let many = "-----BEGIN PRIVATE KEY-----\n".repeat(5_000);
        assert_eq!(units(&many).concat(), many);
    }
}
