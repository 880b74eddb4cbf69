//! Swiss social insurance numbers (AHV number, numéro AVS).
//!
//! 756 for Switzerland, nine digits without a meaning, and an EAN-13 check digit (Central
//! Compensation Office, <https://www.zas.admin.ch/en/the-ahv-number>; scheme after
//! <https://de.wikipedia.org/wiki/AHV-Nummer>). In groups it is found as it stands, bare only where
//! words say what it is.

use super::layout::{self, Laid};
use crate::redact::detect::checksum::weighted;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Ahv,
    start: Start::Digits { lengths: &[3, 13], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Dash, After::Dot, After::Sign],
    check,
    // python-stdnum's example; the sequence that Swiss test data is full of.
    valid: ["756.9217.0769.85", "756.1234.5678.97"],
    // A wrong check digit; another country's prefix.
    invalid: ["756.9217.0769.84", "123.4567.8910.19"],
    words: &[
        "ahv",
        "ahv nummer",
        "ahv nr",
        "ahvnr",
        "ahvnummer",
        "ahvn13",
        "avs",
        "numéro avs",
        "numero avs",
        "navs",
        "navs13",
        "sozialversicherungsnummer",
        "versichertennummer",
        "svnr",
        "oasi",
        "oasi number",
        "swiss social security",
        "social security number",
    ],
    about: "prefix 756 and EAN-13 check digit; bare only where named",
    ..BASE
};

const LAYOUTS: [&str; 4] =
    ["999.9999.9999.99", "999 9999 9999 99", "999-9999-9999-99", "9999999999999"];
const BARE: usize = 3;
const WEIGHTS: [u32; 13] = [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1];

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.start;
    site.text[start..].starts_with(b"756").then_some(())?;
    let number: Laid<13> = layout::read(site, start, &LAYOUTS)?;
    if !weighted(&number.chars, &WEIGHTS).is_multiple_of(10) {
        return None;
    }
    if number.layout < BARE {
        site.unless_denied(number.range, "ch-ahv", Confidence::Checksum)
    } else {
        site.if_named(number.range, "ch-ahv", Confidence::Checksum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn in_groups_it_needs_no_words() {
        assert_eq!(found("756 9217 0769 85"), [(Kind::Ahv, "756 9217 0769 85")]);
        assert_eq!(found("7569217076985"), []);
        assert_eq!(found("AHV-Nr.: 7569217076985"), [(Kind::Ahv, "7569217076985")]);
        assert_eq!(found("numéro AVS 7569217076985"), [(Kind::Ahv, "7569217076985")]);
    }

    #[test]
    fn what_nearly_looks_like_one_is_none() {
        for text in [
            "1.756.9217.0769.85",
            "756.9217.0769.851",
            "756.9217.0769.85.1",
            "756.9217 0769.85",
            "AHV 75692170769850",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
