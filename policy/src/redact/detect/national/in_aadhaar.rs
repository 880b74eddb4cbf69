//! Indian Aadhaar numbers.
//!
//! Twelve digits, the first of which is 2 to 9, the last Verhoeff's; no palindromes
//! (<https://uidai.gov.in/en/my-aadhaar/about-your-aadhaar.html>,
//! <https://en.wikipedia.org/wiki/Aadhaar>). In fours, with spaces or dashes, it is found as it stands
//! unless more groups follow; bare only where words say what it is.

use super::layout;
use crate::redact::detect::checksum::verhoeff;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Aadhaar,
    start: Start::Digits { lengths: &[4, 12], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Dash, After::Sign],
    check,
    // python-stdnum's example, and Presidio's.
    valid: ["2341 2341 2346", "3123-4567-8909"],
    // A wrong check digit; a first digit that is not given out.
    invalid: ["2341 2341 2347", "1234 1234 1234"],
    words: &[
        "aadhaar",
        "aadhar",
        "adhaar",
        "adhar",
        "aadhaar card",
        "aadhaar number",
        "aadhaar no",
        "aadhar card",
        "aadhar number",
        "aadhar no",
        "uidai",
        "uid no",
        "uid number",
        "uidai number",
        "unique identification number",
        "आधार",
    ],
    about: "Verhoeff; bare only where named",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let layouts = ["9999 9999 9999", "9999-9999-9999", "999999999999"];
    let laid = layout::read::<12>(site, site.trigger.start, &layouts)?;
    if !is_given_out(&laid.chars) {
        return None;
    }
    if laid.layout < 2 && layout::stands_alone(site, &laid.range) && !are_years(&laid.chars) {
        // One in ten passes the check: `order 2341 2341 2346` must be able to say no.
        site.unless_denied(laid.range, "in-aadhaar", Confidence::Checksum)
    } else {
        site.if_named(laid.range, "in-aadhaar", Confidence::Checksum)
    }
}

fn are_years(digits: &[u8; 12]) -> bool {
    digits.chunks(4).all(|group| group.starts_with(b"20"))
}

fn is_given_out(digits: &[u8; 12]) -> bool {
    digits[0] >= b'2' && verhoeff(digits) && !digits.iter().eq(digits.iter().rev())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn bare_words_must_say_what_it_is() {
        assert_eq!(found("234123412346"), []);
        assert_eq!(found("Aadhaar no. 234123412346"), [(Kind::Aadhaar, "234123412346")]);
        assert_eq!(found("{\"aadhaar_uid\":\"234123412346\"}"), [(Kind::Aadhaar, "234123412346")]);
        assert_eq!(found("आधार: 234123412346"), [(Kind::Aadhaar, "234123412346")]);
    }

    #[test]
    fn words_beside_it_are_no_column() {
        assert_eq!(found("call 2341 2341 2346 now"), [(Kind::Aadhaar, "2341 2341 2346")]);
    }

    #[test]
    fn a_column_of_fours_is_none() {
        for text in [
            "1234 2341 2341 2346",
            "2341 2341 2346 1234",
            "2341-2341-2346-1",
            "a3f0 2341 2341 2346",
            "00000010: 2341 2341 2346 0a0b",
            "2341 2341-2346",
            "12341 2341 2346",
            "order 2341 2341 2346",
            "2222 2222 2222",
            // Verhoeff's holds.
            "2023 2024 2025",
            "0.2341 2341 2346",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
