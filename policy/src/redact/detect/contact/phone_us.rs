//! Phone numbers of North America as they are written there.
//!
//! Three digits of the area, three of the exchange, four of the line. Area and exchange start with
//! 2 to 9 and do not end in 11, no area's second digit is 9
//! (<https://www.nanpa.com/numbering>). `(415) 555-0123` and `415-555-0123` are found as they
//! stand; with spaces, in one piece, or without the area, words must say what it is.

use super::phone_digits::with_extension;
use super::phone_words::WORDS;
use crate::redact::detect::token::{mark_at, plain};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Phone,
    start: Start::Digits { lengths: &[1, 3, 10, 11], before: &[Before::Clear] },
    check,
    // The plan's numbers for drama, 555-0100 to 555-0199.
    valid: ["(415) 555-0123", "202-555-0143"],
    // An area that starts with 1; an exchange that is a service's.
    invalid: ["115-555-0123", "415-911-0123"],
    words: WORDS,
    against: &["range", "from range", "levels", "level", "sequence", "interval"],
    after: &[After::Clear, After::Space, After::Word, After::Dash, After::Dot, After::Sign],
    about: "area and exchange rules; bare or with spaces only where named",
    ..BASE
};

const RULE: &str = "phone-north-america";

/// How the area is set apart from the rest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `(415) 555-0123`.
    Bracketed,
    /// `415-555-0123`, `415.555.0123`.
    Joined,
    /// `415 555 0123`, `4155550123`.
    Loose,
}

fn check(site: &Site<'_>) -> Option<Hit> {
    let trigger = site.trigger.clone();
    let mut at = trigger.start;
    let mut start = at;
    // The country's code, with what one dials before it or without.
    let code = matches!(&site.text[trigger.clone()], b"1" | b"001");
    if code {
        at = trigger.end;
        at += if site.text[at..].starts_with(b" (") {
            1
        } else {
            mark_at(site, at, b" -.(").filter(|mark| *mark != b"(").map_or(0, <[u8]>::len)
        };
        (at > trigger.end || site.byte(at) == Some(b'(')).then_some(())?;
        if site.byte(at) == Some(b'(') {
            at += 1;
        }
    } else if trigger.len() == 11 {
        (site.text[at] == b'1').then_some(())?;
        at += 1;
    }
    let bracket = at.checked_sub(1).filter(|open| site.text[*open] == b'(');
    let (digits, end, form) = read(site, at, bracket.is_some())?;
    if form == Form::Bracketed && !code {
        start = bracket?;
    }
    if !site.starts(start) || !is_plausible(&digits, form) {
        return None;
    }
    let extended = with_extension(site, end);
    if extended == end && !site.ends(end) || matches!(site.byte(end), Some(b'/' | b'+' | b'=')) {
        return None;
    }
    let range = start..extended;
    match form {
        Form::Loose => site.if_named(range, RULE, Confidence::Context),
        Form::Bracketed | Form::Joined => site.unless_denied(range, RULE, Confidence::Shape),
    }
}

/// Ten digits from `at` on, where they end, and their form.
fn read(site: &Site<'_>, at: usize, bracketed: bool) -> Option<([u8; 10], usize, Form)> {
    let group = |at: usize, length: usize| {
        let digits = site.text.get(at..at + length)?;
        let whole = digits.iter().all(u8::is_ascii_digit);
        (whole && !site.byte(at + length).is_some_and(|byte| byte.is_ascii_digit()))
            .then_some(digits)
    };
    let mut digits = [0; 10];
    if let Some(all) = group(at, 10) {
        digits.copy_from_slice(all);
        return Some((digits, at + 10, Form::Loose));
    }
    digits[..3].copy_from_slice(group(at, 3)?);
    let mut next = at + 3;
    let mark = if bracketed {
        (site.byte(next)? == b')').then_some(())?;
        next += 1;
        mark_at(site, next, b" -.").unwrap_or_default()
    } else {
        mark_at(site, next, b" -.")?
    };
    next += mark.len();
    digits[3..6].copy_from_slice(group(next, 3)?);
    next += 3;
    let second = mark_at(site, next, b" -.")?;
    next += second.len();
    digits[6..].copy_from_slice(group(next, 4)?);
    let form = match (bracketed, plain(mark), plain(second)) {
        (true, ..) => Form::Bracketed,
        (_, b'-' | b' ', b'-') | (_, b'.', b'.') => Form::Joined,
        (_, one, other) if one == other => Form::Loose,
        _ => return None,
    };
    Some((digits, next + 4, form))
}

fn is_plausible(digits: &[u8; 10], form: Form) -> bool {
    let (area, exchange) = (&digits[..3], &digits[3..6]);
    // Made-up numbers are mostly of this area, with any exchange; brackets tell enough.
    if area == b"555" || form == Form::Bracketed {
        return area[0] > b'1' && exchange != b"000";
    }
    let service = |code: &[u8]| code[1..] == *b"11";
    area[0] > b'1'
        && area[1] != b'9'
        && exchange[0] > b'1'
        && !service(area)
        && !service(exchange)
        && digits[3..].iter().any(|digit| *digit != digits[3])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_is_found_as_it_is_written() {
        for (text, value) in [
            ("call (415)555-0123 now", "(415)555-0123"),
            ("415.555.0123", "415.555.0123"),
            ("415 555-0123", "415 555-0123"),
            ("1-800-555-0199", "1-800-555-0199"),
            ("1 (415) 555-0123", "1 (415) 555-0123"),
            ("001-415-555-0123x890", "001-415-555-0123x890"),
            ("(555) 123-4567 ext. 89, please", "(555) 123-4567 ext. 89"),
            ("phone 415 555 0123", "415 555 0123"),
            ("Phone: 4155550123", "4155550123"),
            ("my phone number is 14155550123", "14155550123"),
            ("415–555–0123", "415–555–0123"),
        ] {
            assert_eq!(found(text), [(Kind::Phone, value)], "{text}");
        }
    }

    #[test]
    fn other_numbers_are_none() {
        for text in [
            "4155550123",
            "415 555 0123",
            "14155550123",
            "order no. 415-555-0123",
            "415-555-01234",
            "2-415-555-0123-1",
            "415-555-0123/4",
            "415-555.0123",
            "192-168-0001",
            "(1) 555-0123",
            "x415-555-0123",
            "phone: 1234567890123456",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
