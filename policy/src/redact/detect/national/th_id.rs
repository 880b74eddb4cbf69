//! Thai identity numbers.
//!
//! Twelve digits, the first of which is 1 to 8, and one that checks them modulo 11
//! (<https://en.wikipedia.org/wiki/Thai_identity_card>). With its four dashes it is found as it stands,
//! bare only where named.

use super::layout;
use crate::redact::detect::checksum::weighted;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::ThaiId,
    start: Start::Digits { lengths: &[1, 13], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Dash, After::Sign],
    check,
    // python-stdnum's examples.
    valid: ["1-2345-45678-78-1", "3-1006-00445-63-5"],
    // A wrong check digit; a first digit that is not given out.
    invalid: ["1-2345-45678-78-9", "9-1006-00445-63-4"],
    words: &[
        "thai id",
        "thai id card",
        "thai national id",
        "thai citizen id",
        "thai identity card",
        "thailand id",
        "เลขประจำตัวประชาชน",
        "บัตรประชาชน",
        "เลขบัตรประชาชน",
        "เลขประจำตัวผู้เสียภาษี",
    ],
    about: "check digit modulo 11; without dashes only where named",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let layouts = ["9-9999-99999-99-9", "9 9999 99999 99 9", "9999999999999"];
    let laid = layout::read::<13>(site, site.trigger.start, &layouts)?;
    let digits = &laid.chars;
    let sum = weighted(digits, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    let is_checked = (11 - sum % 11) % 10 == u32::from(digits[12] - b'0');
    if !matches!(digits[0], b'1'..=b'8') || !is_checked {
        return None;
    }
    if laid.layout == 2 {
        return site.if_named(laid.range, "th-id", Confidence::Checksum);
    }
    layout::stands_alone(site, &laid.range).then_some(Hit::sure(
        laid.range,
        "th-id",
        Confidence::Checksum,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn bare_words_must_say_what_it_is() {
        assert_eq!(found("1234545678781"), []);
        assert_eq!(found("Thai ID: 1234545678781"), [(Kind::ThaiId, "1234545678781")]);
        assert_eq!(found("เลขประจำตัวประชาชน 1234545678781"), [(Kind::ThaiId, "1234545678781")]);
        assert_eq!(found("1 2345 45678 78 1"), [(Kind::ThaiId, "1 2345 45678 78 1")]);
    }

    #[test]
    fn it_is_no_part_of_a_longer_number() {
        for text in [
            "11-2345-45678-78-1",
            "1-2345-45678-78-1-1",
            "1-2345-45678-78-11",
            "7 1 2345 45678 78 1",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
