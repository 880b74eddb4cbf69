//! The few bytes around a candidate that can speak for it.

use crate::redact::placeholder;

/// How many bytes before and after a candidate are looked at.
const BEFORE: usize = 64;
const AFTER: usize = 40;
/// Nothing that can name a value lies farther before or after it, a column's header aside.
pub(super) const FARTHEST_BEFORE: usize = 640;
pub(super) const FARTHEST_AFTER: usize = 128;
/// Values of a list that are followed back, and the bytes of each.
const MEMBERS: usize = 8;
const MEMBER: usize = 48;
/// Values that follow one another this closely share the words before the first.
const LIST: usize = 6;

/// The bytes shortly before `at`. May start in the middle of a character.
pub(super) fn before(text: &[u8], at: usize) -> &[u8] {
    let window = &text[at.saturating_sub(BEFORE)..at];
    let window = &window[line_start(window)..];
    let window = &window[after_placeholder(window)..];
    &window[after_value(window)..]
}

/// The bytes shortly after `at`, up to where something else begins.
pub(super) fn after(text: &[u8], at: usize) -> &[u8] {
    let window = &text[at..text.len().min(at + AFTER)];
    let ends = |at: &usize| {
        let byte = window[*at];
        let opens = |next: &u8| next.is_ascii_alphabetic() || *next == b'/';
        // `<-` points at the value, `<b` opens a tag or a placeholder.
        let is_tag = byte == b'<' && window.get(at + 1).is_none_or(opens);
        byte.is_ascii_digit() || is_tag || b"\n,;{}|&".contains(&byte)
    };
    let end = (0..window.len()).find(ends).unwrap_or(window.len());
    &window[..end]
}

/// Where the first of the values starts that are listed up to `at`: `a, b and c`.
///
/// What names the first names them all.
pub(super) fn first_of_list(text: &[u8], at: usize) -> usize {
    const JOINERS: [&[u8]; 16] = [
        b", ",
        b",",
        b"; ",
        b" / ",
        b" and ",
        b", and ",
        b" or ",
        b" und ",
        b" oder ",
        b" et ",
        b" y ",
        b" e ",
        b" & ",
        "、".as_bytes(),
        "和".as_bytes(),
        b" og ",
    ];
    let mut first = at;
    for _ in 0..MEMBERS {
        let before = &text[first.saturating_sub(MEMBER)..first];
        let joined = JOINERS
            .iter()
            .filter_map(|joiner| before.strip_suffix(*joiner))
            .min_by_key(|rest| rest.len());
        let Some(before) = joined else { break };
        let is_value = |byte: &&u8| {
            byte.is_ascii_digit() || byte.is_ascii_uppercase() || b" .-/".contains(byte)
        };
        let length = before.iter().rev().take_while(is_value).count();
        // A label in capitals is no part of the value.
        let value = &before[before.len() - length..];
        let words = value.split(|byte| *byte == b' ');
        let label: usize = words
            .take_while(|word| !word.iter().any(u8::is_ascii_digit))
            .map(|word| word.len() + 1)
            .sum();
        let value = value.get(label..).unwrap_or_default();
        if value.iter().filter(|byte| byte.is_ascii_digit()).count() < 4 {
            break;
        }
        first = first
            - (text[..first].len() - (first.saturating_sub(MEMBER) + before.len()))
            - value.len();
    }
    first
}

/// Where the line starts; or the line before it, where the candidate is the first on its own.
fn line_start(window: &[u8]) -> usize {
    let escaped = memchr::memmem::rfind(window, b"\\n").map(|at| at + 1);
    let Some(end) = memchr::memrchr(b'\n', window).max(escaped) else { return 0 };
    let is_blank = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`*>|-(".contains(byte);
    if !window[end + 1..].iter().all(is_blank) {
        return end + 1;
    }
    let start = memchr::memrchr(b'\n', &window[..end]).map_or(0, |start| start + 1);
    // A blank line parts it from all that stands above.
    if window[start..end].iter().all(is_blank) { window.len() } else { start }
}

/// `<SSN_kq7mzvt2ah>` says nothing about the number that follows it.
fn after_placeholder(window: &[u8]) -> usize {
    let Some(end) = memchr::memrchr(b'>', window) else { return 0 };
    let start = memchr::memrchr(b'<', &window[..end]);
    let is_one = start
        .and_then(|start| std::str::from_utf8(&window[start..=end]).ok())
        .is_some_and(placeholder::is_like);
    if is_one { end + 1 } else { 0 }
}

/// The words before another value belong to that one.
fn after_value(window: &[u8]) -> usize {
    let is_digit = |at: usize| window[at].is_ascii_digit();
    let mut end = window.len();
    while end > 0 {
        let Some(last) = window[..end].iter().rposition(u8::is_ascii_digit) else { return 0 };
        let start = (0..last).rev().find(|at| !is_digit(*at)).map_or(0, |at| at + 1);
        if last + 1 - start >= 4 && window.len() - (last + 1) > LIST {
            return last + 1;
        }
        end = start;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_before_ends_at_what_is_another_values() {
        let window =
            |text: &'static str| std::str::from_utf8(before(text.as_bytes(), text.len())).unwrap();
        assert_eq!(window("<SSN_kq7mzvt2ah>, 1 "), ", 1 ");
        assert_eq!(window("<ssn>"), "<ssn>");
        assert_eq!(window("a > b "), "a > b ");
        assert_eq!(window("ssn 536228731 phone "), " phone ");
        assert_eq!(window("ssn 536228731 or "), "ssn 536228731 or ");
        assert_eq!(window("one line\nthe next "), "the next ");
        assert_eq!(window("SSN\n  "), "SSN\n  ");
        assert_eq!(window("SSN\n\n"), "");
        assert_eq!(window("SSN\n\n- "), "");
    }

    #[test]
    fn the_window_after_ends_where_the_next_thing_begins() {
        let window = |text: &'static str| std::str::from_utf8(after(text.as_bytes(), 0)).unwrap();
        assert_eq!(window(" (SSN), born"), " (SSN)");
        assert_eq!(window("\nSSN"), "");
        assert_eq!(window(" is my SSN"), " is my SSN");
    }
}
