//! Words that make or break a weak shape.
//!
//! A label such as `customerSSN`, `social_security-number` or `"Social Security"` is brought to
//! one form (lower case, words apart) before it is compared. Looks only at bounded windows, and
//! only after a shape has been found valid, so it costs nothing on ordinary text.

use super::placeholder;

/// How many bytes before a candidate are looked at.
const WINDOW: usize = 48;

/// The bytes shortly before `at`. May start in the middle of a character.
///
/// Starts after a placeholder, if there is one: `<SSN_kq7mzvt2ah>` says nothing about the number
/// that follows it.
pub(super) fn window_before(text: &[u8], at: usize) -> &[u8] {
    let window = &text[at.saturating_sub(WINDOW)..at];
    let after = memchr::memrchr(b'>', window).map_or(0, |end| end + 1);
    let is_placeholder = memchr::memrchr(b'<', &window[..after])
        .and_then(|start| std::str::from_utf8(&window[start..after]).ok())
        .and_then(|name| placeholder::claims(&name.to_ascii_lowercase()))
        .is_some();
    if is_placeholder { &window[after..] } else { window }
}

/// True where `text` holds one of `words`, which are lower case with single spaces.
pub(super) fn says(text: &[u8], words: &[&str]) -> bool {
    let plain = normalize(text);
    words.iter().any(|word| {
        memchr::memmem::find_iter(&plain, word).any(|at| is_apart(&plain, at, at + word.len()))
    })
}

/// True unless an ASCII letter or digit continues the word. Scripts without spaces have no such.
fn is_apart(plain: &[u8], start: usize, end: usize) -> bool {
    let joins = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    !joins(start.checked_sub(1).and_then(|at| plain.get(at))) && !joins(plain.get(end))
}

/// Lower case, one space between words, `camelCase` taken apart. Non-ASCII stays.
fn normalize(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len() + 8);
    let mut before = b' ';
    for &byte in text {
        if byte.is_ascii_alphanumeric() || !byte.is_ascii() {
            if before.is_ascii_lowercase() && byte.is_ascii_uppercase() {
                plain.push(b' ');
            }
            plain.push(byte.to_ascii_lowercase());
        } else if plain.last() != Some(&b' ') {
            plain.push(b' ');
        }
        before = byte;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_no_context_and_a_tag_is() {
        let window = |text: &'static str| window_before(text.as_bytes(), text.len());
        assert_eq!(window("<SSN_kq7mzvt2ah>, 1 "), b", 1 ");
        assert_eq!(window("<ssn>"), b"<ssn>");
        assert_eq!(window("a > b "), b"a > b ");
    }

    #[test]
    fn labels_are_read_in_the_ways_they_are_written() {
        let words = ["ssn", "social security"];
        for text in [
            "SSN:",
            "customerSSN",
            "user_ssn",
            "socialSecurityNumber",
            "SOCIAL-SECURITY",
            "his social  security number is ",
        ] {
            assert!(says(text.as_bytes(), &words), "{text}");
        }
        for text in ["classname", "passnet", "ssns", "social insecurity", ""] {
            assert!(!says(text.as_bytes(), &words), "{text}");
        }
        assert!(says("他的护照号码".as_bytes(), &["护照"]));
    }
}
