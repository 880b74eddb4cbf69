//! Swedish personal and coordination numbers (personnummer, samordningsnummer).
//!
//! Date of birth, three digits and Luhn's check digit over the ten; in a coordination number the
//! day is 60 higher; a `+` tells that somebody is over a hundred (Swedish Tax Agency,
//! <https://www.skatteverket.se/privat/folkbokforing/personnummer>). Organisations' numbers have a
//! month of 20 and more, so they are none. Bare numbers, and those that start with what could be a
//! recent date, are found only where words say what they are.

use super::layout::{self, Laid};
use crate::redact::detect::checksum::{is_date, is_recent_date, luhn, number};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Personnummer,
    start: Start::Digits { lengths: &[6, 8, 10, 12], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Dash, After::Sign],
    check,
    // python-stdnum's example; Wikipedia's.
    valid: ["880320-0016", "811228-9874"],
    // A wrong check digit; an organisation's number.
    invalid: ["880320-0018", "556036-0793"],
    words: &[
        "personnummer",
        "personnumret",
        "personnr",
        "person nr",
        "pers nr",
        "persnr",
        "pnr",
        "samordningsnummer",
        "samordningsnr",
        "swedish personal number",
        "personal identity number",
        "personal number",
    ],
    about: "date and Luhn; bare only where named",
    ..BASE
};

const TEN: [&str; 4] = ["999999-9999", "999999+9999", "9999999999", "999999 9999"];
const TWELVE: [&str; 4] = ["99999999-9999", "99999999+9999", "999999999999", "99999999 9999"];

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.start;
    let (digits, range, layout, is_recent) = if matches!(site.trigger.len(), 6 | 10) {
        let Laid { chars, range, layout } = layout::read::<10>(site, start, &TEN)?;
        (chars, range, layout, is_recent_date(&chars[..6]))
    } else {
        let Laid { chars, range, layout } = layout::read::<12>(site, start, &TWELVE)?;
        if !matches!(&chars[..2], b"18" | b"19" | b"20") {
            return None;
        }
        let mut digits = [0; 10];
        digits.copy_from_slice(&chars[2..]);
        (digits, range, layout, matches!(number(&chars[..4]), 2015..=2039))
    };
    if !is_valid(&digits) {
        return None;
    }
    if layout >= 2 || is_recent {
        return site.if_named(range, "se-personnummer", Confidence::Checksum);
    }
    let mut hit = site.unless_denied(range, "se-personnummer", Confidence::Checksum)?;
    // Of every ten Danish numbers one looks like it, and those are far more common.
    if hit.word.is_none() && is_coordination(&digits) {
        hit.confidence = Confidence::Shape;
    }
    Some(hit)
}

/// True where the ten digits are a date, or a coordination number's, and their check digit fits.
pub(super) fn is_valid(digits: &[u8; 10]) -> bool {
    let day = number(&digits[4..6]);
    let day = if day > 60 { day - 60 } else { day };
    is_date(number(&digits[2..4]), day) && digits[6..9] != *b"000" && luhn(digits)
}

/// True where the day is a coordination number's.
pub(super) fn is_coordination(digits: &[u8; 10]) -> bool {
    number(&digits[4..6]) > 60
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_is_found_in_the_ways_it_is_written() {
        // A coordination number: 811228 and its digits with the day 88.
        for text in
            ["19811228-9874", "18811228+9874", "811228+9874", "811288-9871", "811228\u{2013}9874"]
        {
            assert_eq!(found(text), [(Kind::Personnummer, text)]);
        }
        for text in ["8112289874", "198112289874", "811228 9874", "19811228 9874"] {
            assert_eq!(found(text), [], "{text}");
            let sentence = format!("Mitt personnummer är {text}.");
            assert_eq!(found(&sentence), [(Kind::Personnummer, text)]);
        }
    }

    #[test]
    fn a_recent_date_must_be_named() {
        // Luhn's digit fits all three.
        assert!(luhn(b"2401151432") && luhn(b"2401159872") && luhn(b"1501249872"));
        assert_eq!(found("20240115-1432, 240115-9872, 150124-9872"), []);
        assert_eq!(found("personnr: 20240115-1432").len(), 1);
    }

    #[test]
    fn what_nearly_looks_like_one_is_none() {
        for text in [
            "1-811228-9874",
            "811228-98745",
            "811228-9874-1",
            "811328-9874",
            "17811228-9874",
            "order 811228-9874",
            "811228-0005",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
