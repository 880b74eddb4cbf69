//! South African identity numbers.
//!
//! The date of birth, four digits for the sex, one for citizenship, one that is 8 or 9, and Luhn's
//! (<https://en.wikipedia.org/wiki/South_African_identity_card>). Timestamps in milliseconds look like it,
//! and a few pass all checks, so bare it must be named; in its groups it is found as it stands.

use super::layout;
use crate::redact::context::Said;
use crate::redact::detect::checksum::{is_six_digit_date, luhn};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::SaId,
    start: Start::Digits { lengths: &[6, 13], before: &[Before::Clear] },
    after: &After::BARE,
    check,
    label: "sa id",
    // python-stdnum's example, and one of many libraries' tests.
    valid: ["7503305044089", "8001015009087"],
    // A wrong check digit; no such month.
    invalid: ["8503305044089", "8013015009087"],
    words: &[
        "sa id",
        "sa id number",
        "sa id no",
        "rsa id",
        "rsa id number",
        "south african id",
        "south african id number",
        "south african identity",
        "south african identity number",
        "south africa id",
        "identiteitsnommer",
        "id nommer",
        "said number",
        "za id",
    ],
    about: "date, citizenship and Luhn; bare only where named",
    ..BASE
};

/// What such a number is mostly called in its country. Too general for a word of the kind, which
/// would speak against all others.
const CALLED: [&str; 14] = [
    "ID:",
    "national_id",
    "nationalId",
    "National ID",
    "national ID",
    "ID number",
    "ID Number",
    "id number",
    "id_number",
    "idNumber",
    "ID no",
    "ID No",
    "identity number",
    "Identity number",
];

fn check(site: &Site<'_>) -> Option<Hit> {
    let layouts = ["999999 9999 999", "999999 9999 99 9", "999999 9999 9 99", "9999999999999"];
    let laid = layout::read::<13>(site, site.trigger.start, &layouts)?;
    let digits = &laid.chars;
    let is_shaped = is_six_digit_date(digits)
        && matches!(digits[10], b'0'..=b'2')
        && matches!(digits[11], b'8' | b'9');
    if !is_shaped || !luhn(digits) {
        return None;
    }
    if laid.layout < 3 && layout::stands_alone(site, &laid.range) {
        return site.unless_denied(laid.range, "za-id", Confidence::Checksum);
    }
    let named = site.if_named(laid.range.clone(), "za-id", Confidence::Checksum);
    named.or_else(|| {
        let is_called =
            site.said(&laid.range) == Said::Nothing && layout::spells(site, &laid.range, &CALLED);
        is_called.then_some(Hit::sure(laid.range, "za-id", Confidence::Checksum))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn bare_words_must_say_what_it_is() {
        assert_eq!(found("7503305044089"), []);
        for text in [
            "SA ID 7503305044089",
            "{\"sa_id_number\":\"7503305044089\"}",
            "{\"id_number\":\"7503305044089\"}",
            "My ID number is 7503305044089.",
            "Name: Thabo, ID: 7503305044089",
        ] {
            assert_eq!(found(text), [(Kind::SaId, "7503305044089")], "{text}");
        }
        assert_eq!(found("750330 5044 089"), [(Kind::SaId, "750330 5044 089")]);
        assert_eq!(found("750330 5044 08 9"), [(Kind::SaId, "750330 5044 08 9")]);
    }

    #[test]
    fn it_is_no_timestamp_and_no_part_of_something() {
        for text in [
            "ID number 17503305044089",
            "ID number a7503305044089",
            "ID number 7503305044089-1",
            "trace id: 7503305044089",
            "ts=7503305044089",
            "1 750330 5044 089",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
