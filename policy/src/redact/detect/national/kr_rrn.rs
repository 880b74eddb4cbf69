//! South Korean resident registration numbers, and those of foreigners.
//!
//! The date of birth, a dash, a digit for century and sex, and six more
//! (<https://en.wikipedia.org/wiki/Resident_registration_number>). Since October 2020 the last digits are
//! random, so the check digit of older ones is no condition where words say what it is. With the dash
//! it is found as it stands where the check digit holds, or where there is Korean text around it:
//! numbers of orders and jobs that start with a date look the same.

use std::ops::Range;

use super::layout;
use crate::redact::detect::checksum::{is_six_digit_date, weighted};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Rrn,
    start: Start::Digits { lengths: &[6, 13], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Dash, After::Sign],
    check,
    // Presidio's examples.
    valid: ["960121-1021413", "050912-2000019"],
    // No such day; no such month.
    invalid: ["960230-1021413", "001332-1234567"],
    words: &[
        "rrn",
        "resident registration number",
        "resident registration",
        "resident registration no",
        "주민등록번호",
        "주민번호",
        "외국인등록번호",
        "alien registration number",
        "jumin",
    ],
    against: &["주문번호", "주문", "접수번호", "receipt", "log", "job", "rev", "run", "file"],
    about: "date, century and sex; check digit, Korean text or words",
    ..BASE
};

/// How far around a number Korean text is looked for, in bytes.
const NEAR: usize = 48;

fn check(site: &Site<'_>) -> Option<Hit> {
    let layouts = ["999999-9999999", "999999 9999999", "9999999999999"];
    let laid = layout::read::<13>(site, site.trigger.start, &layouts)?;
    let digits = &laid.chars;
    // 9 and 0 are for those born before 1900.
    if !is_six_digit_date(digits) || !matches!(digits[6], b'1'..=b'8') {
        return None;
    }
    let is_checked = is_checked(digits);
    if laid.layout == 0 && (is_checked || is_among_korean(site, &laid.range)) {
        let sure = if is_checked { Confidence::Checksum } else { Confidence::Shape };
        site.unless_denied(laid.range, "kr-rrn", sure)
    } else {
        let sure = if is_checked { Confidence::Checksum } else { Confidence::Context };
        site.if_named(laid.range, "kr-rrn", sure)
    }
}

/// True where a syllable of Hangul stands near.
fn is_among_korean(site: &Site<'_>, range: &Range<usize>) -> bool {
    let window = range.start.saturating_sub(NEAR)..site.text.len().min(range.end + NEAR);
    // U+AC00 to U+D7A3 start with these bytes in UTF-8.
    site.text[window].iter().any(|byte| matches!(byte, 0xea..=0xed))
}

fn is_checked(digits: &[u8; 13]) -> bool {
    let sum = weighted(digits, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]);
    // Of foreigners, two is added.
    let base = if digits[6] < b'5' { 11 } else { 13 };
    (base - sum % 11) % 10 == u32::from(digits[12] - b'0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn bare_words_must_say_what_it_is() {
        assert_eq!(found("9601211021413"), []);
        assert_eq!(found("주민등록번호는 9601211021413입니다"), [(Kind::Rrn, "9601211021413")]);
        assert_eq!(found("RRN 960121-1234567"), [(Kind::Rrn, "960121-1234567")]);
        assert_eq!(found("RRN 960121 1021413"), [(Kind::Rrn, "960121 1021413")]);
        assert_eq!(found("제 번호 960121-1234567입니다"), [(Kind::Rrn, "960121-1234567")]);
    }

    #[test]
    fn it_is_no_part_of_a_longer_number() {
        for text in [
            "20240520-1021413",
            "960121-10214131",
            "960121-1021413-1",
            "1-960121-1021413",
            "960121-9021413",
            "job 960121-1234567 done",
            "order 960121-1021413",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
