//! United States Medicare beneficiary identifiers.
//!
//! Eleven characters, each of a class of its own by position: a digit from 1, a letter, a letter or
//! digit, a digit, and so on; never S, L, O, I, B or Z
//! (<https://www.cms.gov/medicare/new-medicare-card/understanding-the-mbi-with-format.pdf>). Printed
//! with dashes after the fourth and the seventh it is found as it stands, else only where named.

use super::layout;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Mbi,
    start: Start::Digits { lengths: &[1], before: &[Before::Clear] },
    after: &[After::Letter],
    check,
    // The number on the sample card, and Presidio's example.
    valid: ["1EG4-TE5-MK73", "3CD5-FG7-HJ89"],
    // Letters that are not used; a letter where a digit must be.
    invalid: ["1SG4-TE5-MK73", "1EGA-TE5-MK73"],
    words: &[
        "mbi",
        "mbi number",
        "medicare",
        "medicare number",
        "medicare no",
        "medicare id",
        "medicare beneficiary identifier",
        "medicare beneficiary",
        "beneficiary identifier",
        "beneficiary id",
        "hicn",
    ],
    about: "class of each position; without dashes only where named",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let layouts = ["9AX9-AX9-AA99", "9AX9AX9AA99", "9ax9-ax9-aa99", "9ax9ax9aa99"];
    let laid = layout::read::<11>(site, site.trigger.start, &layouts)?;
    if laid.chars[0] == b'0' || laid.chars.iter().any(|byte| b"SLOIBZ".contains(byte)) {
        return None;
    }
    if laid.layout == 0 {
        site.unless_denied(laid.range, "us-mbi", Confidence::Shape)
    } else {
        site.if_named(laid.range, "us-mbi", Confidence::Context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn without_dashes_words_must_say_what_it_is() {
        assert_eq!(found("1EG4TE5MK73 and 1eg4-te5-mk73"), []);
        for value in ["1EG4TE5MK73", "1eg4-te5-mk73", "1eg4te5mk73"] {
            assert_eq!(found(&format!("Her Medicare number is {value}.")), [(Kind::Mbi, value)]);
        }
    }

    #[test]
    fn it_is_no_part_of_something_longer() {
        for text in ["1EG4-TE5-MK73-1", "x1EG4-TE5-MK73", "1EG4-TE5-MK731", "0EG4-TE5-MK73"] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
