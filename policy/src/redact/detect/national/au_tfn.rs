//! Australian tax file numbers.
//!
//! Nine digits whose weighted sum is a multiple of 11
//! (<https://en.wikipedia.org/wiki/Tax_file_number>). One number in eleven passes, so words must say what
//! it is. The old ones of eight digits are not looked for.

use super::layout;
use crate::redact::detect::checksum::{is_uniform, weighted};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Tfn,
    start: Start::Digits { lengths: &[3, 9], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Dash, After::Dot, After::Sign],
    check,
    label: "tax file number",
    // python-stdnum's example, and Presidio's.
    valid: ["123 456 782", "876543210"],
    invalid: ["123 456 783", "999 999 999"],
    needs_words: true,
    words: &["tfn", "tfns", "tax file number", "tax file no", "tax file", "tfn number"],
    about: "weighted sum modulo 11",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let layouts = ["999 999 999", "999-999-999", "999.999.999", "999999999"];
    let laid = layout::read::<9>(site, site.trigger.start, &layouts)?;
    let sum = weighted(&laid.chars, &[1, 4, 3, 7, 5, 8, 6, 9, 10]);
    if !sum.is_multiple_of(11) || is_uniform(&laid.chars) {
        return None;
    }
    site.if_named(laid.range, "au-tfn", Confidence::Checksum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn words_must_say_what_it_is() {
        assert_eq!(found("123456782, 123 456 782, 123-456-782"), []);
        for value in ["123456782", "123 456 782", "123-456-782"] {
            assert_eq!(found(&format!("My TFN is {value}.")), [(Kind::Tfn, value)]);
        }
        assert_eq!(found("TFN 1123 456 782, TFN 123 456 7821, TFN 123 456-782"), []);
    }
}
