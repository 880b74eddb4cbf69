//! Numbers of Hong Kong identity cards.
//!
//! One or two letters, six digits and, in brackets, a digit or A that checks them modulo 11
//! (<https://en.wikipedia.org/wiki/Hong_Kong_identity_card>). With the brackets it is found as it stands,
//! without them only where named.

use super::layout;
use crate::redact::detect::checksum::base_36;
use crate::redact::detect::{BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Hkid,
    start: Start::Digits { lengths: &[6, 7], before: &[Before::Letter] },
    check,
    // Of the tests of several independent validators (hkid-utils, Hutool).
    valid: ["G123456(A)", "AB987654(3)"],
    // Wrong check digits.
    invalid: ["G123456(1)", "AB987654(4)"],
    words: &[
        "hkid",
        "hkid no",
        "hkid number",
        "hkid card",
        "hong kong id",
        "hong kong id card",
        "hong kong identity card",
        "hong kong identity",
        "身份證",
        "身份證號碼",
        "香港身份證",
        "香港身份证",
    ],
    about: "check digit modulo 11; without brackets only where named",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let last = site.trigger.start.checked_sub(1)?;
    let has_two = last > 0 && site.text[last - 1].is_ascii_alphabetic() && !site.starts(last);
    let start = if has_two { last - 1 } else { last };
    if !site.starts(start) {
        return None;
    }
    let (range, layout, valid) = if has_two {
        let layouts = ["AA999999(X)", "AA999999 (X)", "aa999999(x)", "aa999999x"];
        let laid = layout::read::<9>(site, start, &layouts)?;
        (laid.range, laid.layout, is_checked(&laid.chars))
    } else {
        let layouts = ["A999999(X)", "A999999 (X)", "a999999(x)", "a999999x"];
        let laid = layout::read::<8>(site, start, &layouts)?;
        (laid.range, laid.layout, is_checked(&laid.chars))
    };
    if !valid {
        return None;
    }
    if layout == 0 {
        site.unless_denied(range, "hk-hkid", Confidence::Checksum)
    } else {
        site.if_named(range, "hk-hkid", Confidence::Checksum)
    }
}

fn is_checked(chars: &[u8]) -> bool {
    let Some((check, rest)) = chars.split_last() else { return false };
    // A single letter has a blank before it, which counts 36.
    let blank = if rest.len() == 7 { 36 * 9 } else { 0 };
    let sum: u32 = rest.iter().rev().zip(2..).map(|(c, w)| base_36(*c) * w).sum();
    let expected = (11 - (blank + sum) % 11) % 11;
    (check.is_ascii_digit() || *check == b'A') && base_36(*check) == expected
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn without_brackets_words_must_say_what_it_is() {
        assert_eq!(found("G123456A A1234563 AB9876543 g123456(a)"), []);
        for value in ["G123456A", "A1234563", "AB9876543", "A123456 (3)", "a123456(3)"] {
            assert_eq!(found(&format!("HKID: {value}")), [(Kind::Hkid, value)]);
        }
        assert_eq!(found("身份證號碼A1234563。"), [(Kind::Hkid, "A1234563")]);
    }

    #[test]
    fn it_is_whole_or_none() {
        for text in ["ABC123456(3)", "xA123456(3)", "A123456(3)4", "A1234567(3)", "_A123456(3)"] {
            assert_eq!(found(text), [], "{text}");
        }
        assert_eq!(found("line\\nA123456(3)\\nline"), [(Kind::Hkid, "A123456(3)")]);
    }
}
