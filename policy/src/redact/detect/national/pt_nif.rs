//! Portuguese tax numbers (número de identificação fiscal, NIF).
//!
//! Nine digits, the first of which tells what the holder is, and a check digit modulo 11 (scheme
//! after <https://pt.wikipedia.org/wiki/N%C3%BAmero_de_identifica%C3%A7%C3%A3o_fiscal>). One number
//! in eleven fits, so words must say what it is.

use super::layout::{self, Laid};
use crate::redact::detect::checksum::{number, weighted};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::NifPt,
    start: Start::Digits { lengths: &[3, 9], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Dot, After::Sign],
    check,
    label: "contribuinte",
    // python-stdnum's example; the sequence that Portuguese test data is full of.
    valid: ["501 964 843", "123456789"],
    // A wrong check digit; a first digit that nobody has.
    invalid: ["501964842", "412345679"],
    needs_words: true,
    words: &[
        "nif",
        "n i f",
        "nif pt",
        "contribuinte",
        "número de contribuinte",
        "numero de contribuinte",
        "identificação fiscal",
        "identificacao fiscal",
        "número fiscal",
        "numero fiscal",
        "nipc",
        "portuguese tax",
        "tax id",
        "tax identification number",
        "tin",
    ],
    about: "first digit and check digit (mod 11)",
    ..BASE
};

const LAYOUTS: [&str; 3] = ["999999999", "999 999 999", "999.999.999"];
const WEIGHTS: [u32; 8] = [9, 8, 7, 6, 5, 4, 3, 2];

fn check(site: &Site<'_>) -> Option<Hit> {
    let Laid { chars, range, .. }: Laid<9> = layout::read(site, site.trigger.start, &LAYOUTS)?;
    let is_given_out = matches!(
        number(&chars[..2]),
        10..=39 | 45 | 50..=69 | 70..=72 | 74 | 75 | 77..=79 | 80..=89 | 90 | 91 | 98 | 99
    );
    let check = (11 - weighted(&chars, &WEIGHTS) % 11) % 11 % 10;
    if !is_given_out || check != u32::from(chars[8] - b'0') {
        return None;
    }
    site.if_named(range, "pt-nif", Confidence::Checksum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_is_found_where_it_is_named() {
        for text in ["501964843", "501.964.843", "299999998"] {
            let sentence = format!("NIF: {text}");
            assert_eq!(found(&sentence), [(Kind::NifPt, text)]);
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn a_remainder_of_ten_is_a_zero() {
        let zero = (10_000_000..10_000_100)
            .map(|body| format!("{body}0"))
            .find(|text| weighted(text.as_bytes(), &WEIGHTS) % 11 == 1)
            .unwrap();
        assert_eq!(found(&format!("NIF {zero}")), [(Kind::NifPt, zero.as_str())]);
    }

    #[test]
    fn what_nearly_looks_like_one_is_none() {
        for text in [
            "NIF 5019648430",
            "NIF 501 964 8430",
            "NIF x501964843",
            "NIF 501964843-1",
            "NIF 501 964.843",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
