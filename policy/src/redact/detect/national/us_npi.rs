//! United States national provider identifiers, of those who provide health care.
//!
//! Ten digits that start with 1 or 2; the last is Luhn's over the number with 80840 before it
//! (<https://www.cms.gov/Regulations-and-Guidance/Administrative-Simplification/NationalProvIdentStand/Downloads/NPIcheckdigit.pdf>).
//! Many numbers of ten digits would pass, so words must say what it is.

use super::layout;
use crate::redact::detect::checksum::luhn;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Npi,
    start: Start::Digits { lengths: &[10], before: &[Before::Clear] },
    after: &After::BARE,
    check,
    label: "npi",
    // The example of the Centers for Medicare & Medicaid Services, and one of their registry's.
    valid: ["1234567893", "1245319599"],
    // A wrong check digit; a first digit that is not given out.
    invalid: ["1234567890", "3234567891"],
    needs_words: true,
    words: &[
        "npi",
        "npis",
        "npi number",
        "npi no",
        "national provider identifier",
        "national provider id",
        "national provider",
        "provider identifier",
        "nppes",
        "prescriber npi",
        "provider npi",
        "npi id",
    ],
    about: "Luhn with its prefix",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let laid = layout::read::<10>(site, site.trigger.start, &["9999999999"])?;
    let mut digits = *b"808400000000000";
    digits[5..].copy_from_slice(&laid.chars);
    if !matches!(laid.chars[0], b'1' | b'2') || !luhn(&digits) {
        return None;
    }
    site.if_named(laid.range, "us-npi", Confidence::Checksum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn words_must_say_what_it_is() {
        assert_eq!(found("1234567893 call 1234567893"), []);
        assert_eq!(found("Dr. Lee (NPI 1234567893)"), [(Kind::Npi, "1234567893")]);
        assert_eq!(found("{\"providerNpi\":\"1234567893\"}"), [(Kind::Npi, "1234567893")]);
        assert_eq!(found("NPI 12345678931, NPI a1234567893, NPI 1234567893.5"), []);
    }
}
