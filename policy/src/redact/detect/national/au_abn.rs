//! Australian business numbers.
//!
//! Eleven digits; with the first less one, their weighted sum is a multiple of 89
//! (<https://abr.business.gov.au/Help/AbnFormat>). Words must say what it is.

use super::layout;
use crate::redact::detect::checksum::weighted;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Abn,
    start: Start::Digits { lengths: &[2, 11], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Dash, After::Sign],
    check,
    label: "abn",
    // The register's own example, and python-stdnum's.
    valid: ["51 824 753 556", "83914571673"],
    invalid: ["51 824 753 557", "99 999 999 999"],
    needs_words: true,
    words: &[
        "abn",
        "abns",
        "abn number",
        "abn no",
        "australian business number",
        "australian business no",
    ],
    about: "weighted sum modulo 89",
    ..BASE
};

const WEIGHTS: [u32; 11] = [10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19];

fn check(site: &Site<'_>) -> Option<Hit> {
    let layouts = ["99 999 999 999", "99-999-999-999", "99999999999"];
    let laid = layout::read::<11>(site, site.trigger.start, &layouts)?;
    // The first digit counts one less, so its weight must be made up for.
    let is_checked = weighted(&laid.chars, &WEIGHTS) % 89 == WEIGHTS[0];
    if laid.chars[0] == b'0' || !is_checked {
        return None;
    }
    site.if_named(laid.range, "au-abn", Confidence::Checksum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn words_must_say_what_it_is() {
        assert_eq!(found("51824753556, 51 824 753 556"), []);
        for value in ["51824753556", "51 824 753 556", "51-824-753-556"] {
            assert_eq!(found(&format!("Acme Pty Ltd, ABN {value}")), [(Kind::Abn, value)]);
        }
        assert_eq!(found("ABN 151 824 753 556, ABN 51 824 753 5561, ABN 518247535567"), []);
    }
}
