//! Registration numbers of the United States Drug Enforcement Administration.
//!
//! A letter for the kind of registrant, the first letter of the name (or 9), and seven digits, the
//! last of which checks the others: first, third and fifth, plus twice the second, fourth and sixth
//! (<https://en.wikipedia.org/wiki/DEA_number>). Words must say what it is.

use super::layout;
use crate::redact::detect::checksum::weighted;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Dea,
    start: Start::Digits { lengths: &[7, 8], before: &[Before::Letter] },
    after: &After::BARE,
    check,
    label: "dea number",
    // Wikipedia's example, and Presidio's.
    valid: ["F91234563", "BB1388568"],
    // A wrong check digit; no such registrant.
    invalid: ["BB1388567", "IB1388568"],
    needs_words: true,
    words: &[
        "dea",
        "dea number",
        "dea no",
        "dea registration",
        "dea license",
        "dea licence",
        "dea id",
        "drug enforcement administration",
        "prescriber dea",
    ],
    about: "registrant letter and check digit",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = (site.trigger.end).checked_sub(9)?;
    if !site.starts(start) {
        return None;
    }
    let laid = layout::read::<9>(site, start, &["aa9999999", "a99999999"])?;
    let is_registrant = b"ABCDEFGHJKLMPRSTUX".contains(&laid.chars[0]);
    let is_name = laid.layout == 0 || laid.chars[1] == b'9';
    if !is_registrant || !is_name || !is_checked(&laid.chars[2..]) {
        return None;
    }
    site.if_named(laid.range, "us-dea", Confidence::Checksum)
}

fn is_checked(digits: &[u8]) -> bool {
    weighted(digits, &[1, 2, 1, 2, 1, 2]) % 10 == u32::from(digits[6] - b'0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn words_must_say_what_it_is() {
        assert_eq!(found("BB1388568 F91234563"), []);
        assert_eq!(found("DEA# BB1388568"), [(Kind::Dea, "BB1388568")]);
        assert_eq!(found("\"dea_number\": \"bb1388568\""), [(Kind::Dea, "bb1388568")]);
        assert_eq!(found("DEA ABB1388568, DEA BB13885681, DEA F81234563"), []);
    }
}
