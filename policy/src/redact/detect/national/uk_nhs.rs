//! British NHS numbers.
//!
//! Ten digits, the last of them modulo 11, as the NHS Data Dictionary has it
//! (<https://www.datadictionary.nhs.uk/attributes/nhs_number.html>). Scotland's CHI numbers and
//! Northern Ireland's health and care numbers follow the same rule. One number in eleven fits, and
//! telephone numbers are grouped alike, so words must say what it is.

use super::layout::{self, Laid};
use crate::redact::detect::checksum::{is_uniform, weighted};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::NhsNumber,
    start: Start::Digits { lengths: &[3, 10], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Dash, After::Sign],
    check,
    label: "nhs number",
    // The one that the NHS prints as a sample; a patient of the test environment of the NHS's own programming
    // interface (https://digital.nhs.uk/developer/api-catalogue/personal-demographics-service-fhir).
    valid: ["943 476 5919", "9000000009"],
    // Presidio's tests; one digit over and over.
    invalid: ["401-023-2138", "7777777777"],
    needs_words: true,
    words: &[
        "nhs",
        "nhs number",
        "nhs no",
        "nhs num",
        "nhs id",
        "nhsnumber",
        "nhsno",
        "national health service",
        "national health service number",
        "chi number",
        "chi no",
        "health and care number",
        "h c number",
    ],
    about: "check digit (mod 11)",
    ..BASE
};

const LAYOUTS: [&str; 3] = ["9999999999", "999 999 9999", "999-999-9999"];
/// The check digit counts once.
const WEIGHTS: [u32; 10] = [10, 9, 8, 7, 6, 5, 4, 3, 2, 1];

fn check(site: &Site<'_>) -> Option<Hit> {
    let number: Laid<10> = layout::read(site, site.trigger.start, &LAYOUTS)?;
    let valid = weighted(&number.chars, &WEIGHTS).is_multiple_of(11) && !is_uniform(&number.chars);
    if !valid {
        return None;
    }
    site.if_named(number.range, "uk-nhs", Confidence::Checksum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_is_found_where_it_is_named() {
        for text in ["401-023-2137", "221 395 1837", "0032698674"] {
            let sentence = format!("The patient's NHS no. is {text}.");
            assert_eq!(found(&sentence), [(Kind::NhsNumber, text)], "{text}");
            assert_eq!(found(text), [], "{text}");
        }
        assert_eq!(found("nhsNumber=9434765919&x=1"), [(Kind::NhsNumber, "9434765919")]);
    }

    #[test]
    fn a_longer_number_is_none() {
        for text in [
            "NHS 94347659190",
            "NHS 943 476 59190",
            "NHS 943-476 5919",
            "NHS 943 476 5919-1",
            "NHS +9434765919",
            "NHS 0.9434765919",
            "NHS order no 9434765919",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
