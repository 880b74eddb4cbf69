//! The label of a value: `"ssn": `, `ssn=`, `SSN: `, `<ssn>`.

use std::ops::Range;

use crate::redact::placeholder;

/// The longest label, and the most that may stand between it and its value.
const LONGEST: usize = 48;
const GAP: usize = 16;
/// How far back the start of a list is looked for.
const LIST: usize = 512;

/// What stands before a value and names it.
pub(super) struct Label {
    /// Where it is in the text.
    pub(super) range: Range<usize>,
    /// True for a key of a program's: in quotes, or one word right before its sign.
    pub(super) is_structured: bool,
    /// True where it says no more than that a value comes: `number`, `id`, `value`.
    pub(super) is_generic: bool,
}

/// Words that name nothing.
const GENERIC: [&[u8]; 24] = [
    b"number", b"no", b"nr", b"num", b"nbr", b"value", b"val", b"id", b"text", b"content", b"data",
    b"is", b"input", b"key", b"field", b"code", b"the", b"it", b"string", b"message", b"note",
    b"n", b"s", b"arg",
];

/// The label before the value that starts at `at`.
pub(super) fn before(text: &[u8], at: usize) -> Option<Label> {
    let floor = at.saturating_sub(GAP);
    let is_gap = |byte: u8| b" \t\"'`\\([*".contains(&byte);
    let back = |mut end: usize, floor: usize, wanted: &dyn Fn(u8) -> bool| {
        while end > floor && wanted(text[end - 1]) {
            end -= 1;
        }
        end
    };
    let value = back(at, floor, &is_gap);
    if value > 0
        && text[value - 1] == b','
        && let Some(open) = list_start(text, value - 1)
    {
        return before(text, open);
    }
    if value > floor
        && text[value - 1] == b'>'
        && value.checked_sub(2).is_none_or(|at| text[at] != b'=')
    {
        return tag(text, value - 1);
    }
    let sign = back(value, floor, &|byte| b":=>".contains(&byte));
    if sign == value {
        return None;
    }
    let end = back(sign, floor, &|byte| b" \t\"'`\\])*?!".contains(&byte));
    let quoted = text[end..sign].iter().any(|byte| b"\"'`".contains(byte));
    let floor = end.saturating_sub(LONGEST);
    let is_label =
        |byte: u8| byte.is_ascii_alphanumeric() || !byte.is_ascii() || b" _-./'()#".contains(&byte);
    let start = back(end, floor, &is_label);
    // A quotation mark opens the label; an apostrophe within one is its own.
    let start = start + text[start..end].iter().take_while(|byte| b"' ".contains(byte)).count();
    let label = &text[start..end];
    if label.iter().all(|byte| !byte.is_ascii_alphanumeric() && byte.is_ascii()) {
        return None;
    }
    let one_word = !label.contains(&b' ');
    Some(Label {
        is_structured: quoted || (one_word && end == sign),
        is_generic: is_generic(label),
        range: start..end,
    })
}

/// The bracket of the list of plain values that goes on at `at`: its label is theirs.
fn list_start(text: &[u8], at: usize) -> Option<usize> {
    let window = &text[at.saturating_sub(LIST)..at];
    let mark = window.iter().rposition(|byte| b"[]{}()\n:=".contains(byte))?;
    (window[mark] == b'[').then_some(at - window.len() + mark)
}

/// The opening tag that ends with the `>` at `end`.
fn tag(text: &[u8], end: usize) -> Option<Label> {
    let floor = end.saturating_sub(LONGEST);
    let start = floor + memchr::memrchr(b'<', &text[floor..end])? + 1;
    let name = &text[start..end];
    let whole = std::str::from_utf8(&text[start - 1..=end]).ok()?;
    let is_tag = name.first().is_some_and(u8::is_ascii_alphabetic);
    let is_markup = [
        b"td" as &[u8],
        b"th",
        b"b",
        b"i",
        b"p",
        b"li",
        b"span",
        b"strong",
        b"code",
        b"div",
        b"em",
    ];
    if !is_tag || placeholder::is_like(whole) || is_markup.contains(&name) {
        return None;
    }
    Some(Label { range: start..end, is_structured: true, is_generic: is_generic(name) })
}

fn is_generic(label: &[u8]) -> bool {
    let words = label.split(|byte| !byte.is_ascii_alphanumeric() && byte.is_ascii());
    words
        .filter(|word| !word.is_empty())
        .all(|word| GENERIC.contains(&word.to_ascii_lowercase().as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(text: &str) -> Option<(&str, bool, bool)> {
        let label = before(text.as_bytes(), text.len())?;
        Some((&text[label.range], label.is_structured, label.is_generic))
    }

    #[test]
    fn a_label_is_read_in_the_ways_it_is_written() {
        assert_eq!(label("{\"a\":1,\"ssn\": \""), Some(("ssn", true, false)));
        assert_eq!(label(r#"{\"ssn\":\""#), Some(("ssn", true, false)));
        assert_eq!(label("?x=1&ssn="), Some(("ssn", true, false)));
        assert_eq!(
            label("export SSN='"),
            Some(("export SSN", true, false)).filter(|_| false).or(Some((
                "export SSN",
                false,
                false
            )))
        );
        assert_eq!(label("His passport number: "), Some(("His passport number", false, false)));
        assert_eq!(label("**SSN:** "), Some(("SSN", true, false)));
        assert_eq!(label("<ssn>"), Some(("ssn", true, false)));
        assert_eq!(label("number: "), Some(("number", true, true)));
        assert_eq!(label("'ssn' => '"), Some(("ssn", true, false)));
        assert_eq!(label("<td>"), None);
        assert_eq!(label("<SSN_kq7mzvt2ah>"), None);
        assert_eq!(label("ssn "), None);
        assert_eq!(label(": "), None);
    }
}
