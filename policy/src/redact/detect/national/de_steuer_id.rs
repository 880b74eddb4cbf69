//! German tax identification numbers (steuerliche Identifikationsnummer).
//!
//! Eleven digits, the first not 0, the last after ISO/IEC 7064, MOD 11,10; among the first ten
//! exactly one digit occurs twice or three times (Federal Central Tax Office,
//! <https://www.bzst.de/DE/Privatpersonen/SteuerlicheIdentifikationsnummer/steuerlicheidentifikationsnummer_node.html>).
//! Large amounts are grouped alike, so words must say what it is.

use super::layout::{self, Laid};
use crate::redact::detect::checksum::mod_11_10;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::SteuerId,
    start: Start::Digits { lengths: &[2, 11], before: &[Before::Clear] },
    after: &After::BARE,
    check,
    label: "Steuer-ID",
    // python-stdnum's example; one that the tax offices' ELSTER publishes for tests.
    valid: ["36 574 261 809", "86095742719"],
    // A wrong check digit; more digits than one repeated.
    invalid: ["36574261890", "36554266806"],
    needs_words: true,
    words: &[
        "steuer id",
        "steuerid",
        "steuer ids",
        "steuer idnr",
        "steuer identnummer",
        "steuer identifikationsnummer",
        "steueridentifikationsnummer",
        "steuerliche identifikationsnummer",
        "steuerlichen identifikationsnummer",
        "identifikationsnummer",
        "steuernummer",
        "idnr",
        "id nr",
        "tin",
        "tax id",
        "tax identification number",
        "german tax id",
    ],
    about: "repeated digit and check digit (ISO 7064)",
    ..BASE
};

const LAYOUTS: [&str; 2] = ["99999999999", "99 999 999 999"];

fn check(site: &Site<'_>) -> Option<Hit> {
    let number: Laid<11> = layout::read(site, site.trigger.start, &LAYOUTS)?;
    if number.chars[0] == b'0' || !repeats_one(&number.chars[..10]) || !mod_11_10(&number.chars) {
        return None;
    }
    site.if_named(number.range, "de-steuer-id", Confidence::Checksum)
}

/// True where one digit occurs twice or three times and no other more than once.
fn repeats_one(digits: &[u8]) -> bool {
    let mut counts = [0; 10];
    for digit in digits {
        counts[usize::from(digit - b'0')] += 1;
    }
    let mut repeated = counts.iter().filter(|count| **count > 1);
    matches!((repeated.next(), repeated.next()), (Some(2 | 3), None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_is_found_in_the_ways_it_is_called() {
        for label in
            ["IdNr.", "steuerId:", "Steuerliche Identifikationsnummer lautet", "tax_id=", "TIN"]
        {
            let text = format!("{label} 47036892816");
            assert_eq!(found(&text), [(Kind::SteuerId, "47036892816")], "{text}");
        }
        assert_eq!(found("Umsatz: 36 574 261 809"), []);
    }

    #[test]
    fn what_nearly_looks_like_one_is_none() {
        for text in [
            "Steuer-ID 365742618090",
            "Steuer-ID 36 574 261 8090",
            "Steuer-ID 02476291358",
            "Steuer-ID DE36574261809",
            "Steuer-ID 11111111111",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
