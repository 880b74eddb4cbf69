//! Finnish personal identity codes (henkilötunnus).
//!
//! Day, month and year of birth, a sign for the century, three digits and a check sign modulo 31
//! (Digital and Population Data Services Agency, <https://dvv.fi/en/personal-identity-code>). Since
//! 2023 a century has several signs: `+` the 1800s; `-` and U to Y the 1900s; A to F the 2000s.
//! Serials from 900 on are given out for tests and provisionally. In small letters, or where it
//! could be a recent date and a number, it is found only where words say what it is.

use crate::redact::detect::checksum::{is_date, is_recent_date, number};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Hetu,
    start: Start::Digits { lengths: &[6], before: &[Before::Clear] },
    after: &[After::Dash, After::Sign, After::Letter],
    check,
    // python-stdnum's example; one of the codes that the agency made for testing the new signs.
    valid: ["131052-308T", "020594X903P"],
    // A wrong check sign; no such day.
    invalid: ["131052-308U", "310252-308Y"],
    words: &[
        "hetu",
        "henkilötunnus",
        "henkilotunnus",
        "henkilötunnuksen",
        "henkilötunnukseni",
        "henkilötunnuksensa",
        "personbeteckning",
        "finnish personal identity code",
        "personal identity code",
    ],
    about: "date and check sign (mod 31)",
    ..BASE
};

const CENTURIES: &[u8] = b"+-YXWVUABCDEF";
const CHECK_SIGNS: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.start;
    let range = start..start + 11;
    let text: &[u8; 11] = site.text.get(range.clone())?.try_into().ok()?;
    let [century, check] = [text[6], text[10]].map(|sign| sign.to_ascii_uppercase());
    if !CENTURIES.contains(&century) || !text[7..10].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut digits = [0; 9];
    digits[..6].copy_from_slice(&text[..6]);
    digits[6..].copy_from_slice(&text[7..10]);
    let valid = is_date(number(&digits[2..4]), number(&digits[..2]))
        && number(&digits[6..]) >= 2
        && CHECK_SIGNS[(number(&digits) % 31) as usize] == check
        && site.ends(range.end);
    if !valid {
        return None;
    }
    // A recent date and the number of an order, or hexadecimal, fit once in thirty times.
    let is_order = century == b'-' && check.is_ascii_digit() && is_recent_date(&text[..6]);
    if is_order || text.iter().any(u8::is_ascii_lowercase) {
        site.if_named(range, "fi-hetu", Confidence::Checksum)
    } else {
        site.unless_denied(range, "fi-hetu", Confidence::Checksum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn all_signs_of_a_century_are_known() {
        for sign in "+-YXWVUABCDEF".chars() {
            let text = format!("131052{sign}308T");
            assert_eq!(found(&text), [(Kind::Hetu, text.as_str())]);
        }
        for sign in "GZ:./ ".chars() {
            let text = format!("131052{sign}308T");
            assert_eq!(found(&text), [], "{text}");
        }
    }

    #[test]
    fn a_recent_date_and_a_number_must_be_named() {
        let orders = (2..900).filter(|serial| (240_115_000 + serial) % 31 < 10);
        for text in orders.map(|s| format!("240115-{s:03}{}", (240_115_000 + s) % 31)) {
            assert_eq!(found(&text), [], "{text}");
            assert_eq!(found(&format!("hetu {text}")), [(Kind::Hetu, text.as_str())]);
        }
    }

    #[test]
    fn small_letters_must_be_named() {
        assert_eq!(found("131052a308t"), []);
        assert_eq!(found("henkilötunnus: 131052a308t"), [(Kind::Hetu, "131052a308t")]);
    }

    #[test]
    fn what_nearly_looks_like_one_is_none() {
        for text in [
            "131052-308T5",
            "131052-308T-1",
            "0131052-308T",
            "x131052-308T",
            "131052-001X",
            "131352-308T",
            "311190-1111",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
