//! Bulgarian uniform civil numbers (единен граждански номер, ЕГН).
//!
//! Year, month and day of birth, where the month tells the century, three digits and a check digit
//! modulo 11 (civil registration act; scheme after
//! <https://en.wikipedia.org/wiki/Unique_citizenship_number>). Bare digits as they are, words must
//! say what it is.

use super::layout::{self, Laid};
use crate::redact::detect::checksum::{is_date, number, weighted};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Egn,
    start: Start::Digits { lengths: &[10], before: &[Before::Clear] },
    after: &After::BARE,
    check,
    label: "ЕГН",
    // python-stdnum's example; one of the tests of FormValidation.
    valid: ["8032056031", "7523169263"],
    // A wrong check digit; no such day.
    invalid: ["8032056032", "8019010008"],
    needs_words: true,
    words: &[
        "egn",
        "e g n",
        "егн",
        "единен граждански номер",
        "uniform civil number",
        "unified civil number",
        "unique citizenship number",
        "bulgarian national id",
        "national id",
    ],
    about: "date and check digit (mod 11)",
    ..BASE
};

const LAYOUTS: [&str; 1] = ["9999999999"];
const WEIGHTS: [u32; 9] = [2, 4, 8, 5, 10, 9, 7, 3, 6];

fn check(site: &Site<'_>) -> Option<Hit> {
    let Laid { chars, range, .. }: Laid<10> = layout::read(site, site.trigger.start, &LAYOUTS)?;
    let month = number(&chars[2..4]);
    let valid = month <= 52
        && is_date(month % 20, number(&chars[4..6]))
        && weighted(&chars, &WEIGHTS) % 11 % 10 == u32::from(chars[9] - b'0');
    if !valid {
        return None;
    }
    site.if_named(range, "bg-egn", Confidence::Checksum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_is_found_where_it_is_named() {
        for text in ["с ЕГН 8032056031", "егн:8032056031", "egn=8032056031"] {
            assert_eq!(found(text), [(Kind::Egn, "8032056031")], "{text}");
        }
        assert_eq!(found("8032056031"), []);
    }

    #[test]
    fn what_nearly_looks_like_one_is_none() {
        for text in ["ЕГН 80320560310", "ЕГН 803205603", "ЕГН -8032056031"] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
