//! Croatian personal identification numbers (osobni identifikacijski broj, OIB).
//!
//! Eleven digits without a meaning, the last after ISO/IEC 7064, MOD 11,10 (Tax Administration;
//! scheme after <https://en.wikipedia.org/wiki/Personal_identification_number_(Croatia)>). One
//! number in ten fits, so words must say what it is.

use super::layout::{self, Laid};
use crate::redact::detect::checksum::{is_uniform, mod_11_10};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Oib,
    start: Start::Digits { lengths: &[11], before: &[Before::Clear] },
    after: &After::BARE,
    check,
    label: "OIB",
    // python-stdnum's example; the one in the Tax Administration's documentation.
    valid: ["33392005961", "69435151530"],
    // Wrong check digits.
    invalid: ["33392005962", "69435151531"],
    needs_words: true,
    words: &[
        "oib",
        "o i b",
        "oib broj",
        "osobni identifikacijski broj",
        "osobnim identifikacijskim brojem",
        "identifikacijski broj",
        "croatian personal identification number",
        "croatian national id",
    ],
    about: "check digit (ISO 7064)",
    ..BASE
};

const LAYOUTS: [&str; 1] = ["99999999999"];

fn check(site: &Site<'_>) -> Option<Hit> {
    let number: Laid<11> = layout::read(site, site.trigger.start, &LAYOUTS)?;
    if !mod_11_10(&number.chars) || is_uniform(&number.chars) {
        return None;
    }
    site.if_named(number.range, "hr-oib", Confidence::Checksum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_is_found_where_it_is_named() {
        for text in ["Ana Horvat, OIB: 33392005961", "osobni identifikacijski broj 33392005961"] {
            assert_eq!(found(text), [(Kind::Oib, "33392005961")], "{text}");
        }
        assert_eq!(found("33392005961"), []);
    }

    #[test]
    fn what_nearly_looks_like_one_is_none() {
        for text in ["OIB 333920059610", "OIB x33392005961", "OIB 33392005961_2", "OIB 3339200596"]
        {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
