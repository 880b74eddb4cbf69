//! Canadian social insurance numbers.
//!
//! Nine digits, the last of which is Luhn's; none starts with 8, and those that start with 0 are in
//! examples only (<https://en.wikipedia.org/wiki/Social_insurance_number>). Written in threes it looks
//! like a phone number, so words must say what it is.

use super::layout;
use crate::redact::detect::checksum::{is_uniform, luhn};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Sin,
    start: Start::Digits { lengths: &[3, 9], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Dash, After::Dot, After::Sign],
    check,
    label: "social insurance number",
    // Wikipedia's example, and Presidio's.
    valid: ["046 454 286", "130-692-544"],
    // A wrong check digit; a first digit that is not given out.
    invalid: ["046 454 287", "823 456 785"],
    needs_words: true,
    words: &[
        "sin",
        "sin number",
        "sin no",
        "social insurance",
        "social insurance number",
        "social insurance no",
        "assurance sociale",
        "d’assurance sociale",
        "numéro d assurance sociale",
        "numero d assurance sociale",
        "numéro assurance sociale",
        "nas",
    ],
    about: "Luhn",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let layouts = ["999 999 999", "999-999-999", "999.999.999", "999999999"];
    let laid = layout::read::<9>(site, site.trigger.start, &layouts)?;
    if laid.chars[0] == b'8' || !luhn(&laid.chars) || is_uniform(&laid.chars) {
        return None;
    }
    let hit = site.if_named(laid.range, "ca-sin", Confidence::Checksum)?;
    // Spanish for "without", a function, a wrong; and storage on a network.
    layout::unless_vague(
        site,
        hit,
        &["sin", "nas"],
        &["SIN", "my sin", "My sin", "mon NAS", "Mon NAS"],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn words_must_say_what_it_is() {
        assert_eq!(found("130692544, 130 692 544, 130-692-544"), []);
        for value in ["130692544", "130 692 544", "130-692-544"] {
            assert_eq!(found(&format!("My SIN is {value}.")), [(Kind::Sin, value)]);
            assert_eq!(found(&format!("{{\"sin\":\"{value}\"}}")), [(Kind::Sin, value)]);
        }
        assert_eq!(found("Numéro d'assurance sociale : 130 692 544"), [(Kind::Sin, "130 692 544")]);
    }

    #[test]
    fn a_common_word_is_no_word_for_it() {
        assert_eq!(found("sin embargo, 130692544 personas"), []);
        assert_eq!(found("the NAS has 130692544 blocks"), []);
        assert_eq!(found("SIN 1-130-692-544, SIN 130-692-5441"), []);
    }
}
