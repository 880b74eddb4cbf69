//! Dutch citizen service numbers (burgerservicenummer).
//!
//! Nine digits that, weighted, are a multiple of 11 (elfproef; scheme after
//! <https://nl.wikipedia.org/wiki/Burgerservicenummer>). One number in eleven is, so words must say
//! what it is.

use super::layout::{self, Laid};
use crate::redact::detect::checksum::{is_uniform, weighted};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Bsn,
    start: Start::Digits { lengths: &[3, 4, 9], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Dot, After::Sign],
    check,
    label: "BSN",
    // python-stdnum's example; the sequence that Dutch test data is full of.
    valid: ["1112.22.333", "123456782"],
    // No multiple of 11.
    invalid: ["1112.52.333", "123456789"],
    needs_words: true,
    words: &[
        "bsn",
        "bsnnummer",
        "bsn nummer",
        "burgerservicenummer",
        "burgerservicenummers",
        "burger service nummer",
        "burgerservice nummer",
        "sofinummer",
        "sofi nummer",
        "sofi",
        "citizen service number",
        "dutch social security",
        "persoonsnummer",
    ],
    about: "checksum (mod 11)",
    ..BASE
};

const LAYOUTS: [&str; 4] = ["999999999", "9999.99.999", "999.999.999", "999 999 999"];
/// The last counts -1, which is 10 modulo 11.
const WEIGHTS: [u32; 9] = [9, 8, 7, 6, 5, 4, 3, 2, 10];

fn check(site: &Site<'_>) -> Option<Hit> {
    let number: Laid<9> = layout::read(site, site.trigger.start, &LAYOUTS)?;
    if !weighted(&number.chars, &WEIGHTS).is_multiple_of(11) || is_uniform(&number.chars) {
        return None;
    }
    site.if_named(number.range, "nl-bsn", Confidence::Checksum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_is_found_where_it_is_named() {
        for text in ["111222333", "111 222 333", "111.222.333"] {
            let sentence = format!("burgerservicenummer: {text}, Utrecht");
            assert_eq!(found(&sentence), [(Kind::Bsn, text)]);
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn what_nearly_looks_like_one_is_none() {
        for text in [
            "BSN 1112223334",
            "BSN 111.222.333.4",
            "BSN 111 222 3334",
            "BSN x111222333",
            "BSN 000000000",
            "BSN 111222333-1",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
