//! Israeli identity numbers (teudat zehut, תעודת זהות).
//!
//! Nine digits, the last of which is Luhn's
//! (<https://en.wikipedia.org/wiki/Israeli_identity_card>). Words must say what it is. Shorter ones, whose
//! leading zeros were left out, are not looked for.

use super::layout;
use crate::redact::detect::checksum::{is_uniform, luhn};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::IsraeliId,
    start: Start::Digits { lengths: &[8, 9], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Dash, After::Sign],
    check,
    label: "teudat zehut",
    // python-stdnum's example, and one of many libraries' tests.
    valid: ["039337423", "12345678-2"],
    invalid: ["039337422", "123456789"],
    needs_words: true,
    words: &[
        "teudat zehut",
        "teudat",
        "zehut",
        "mispar zehut",
        "israeli id",
        "israeli id number",
        "israel id",
        "israeli identity",
        "israeli identity number",
        "תעודת זהות",
        "מספר זהות",
        "ת ז",
        "ת״ז",
    ],
    about: "Luhn",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let layouts = ["999999999", "99999999-9"];
    let laid = layout::read::<9>(site, site.trigger.start, &layouts)?;
    if !luhn(&laid.chars) || is_uniform(&laid.chars) {
        return None;
    }
    site.if_named(laid.range, "il-id", Confidence::Checksum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn words_must_say_what_it_is() {
        assert_eq!(found("039337423 03933742-3"), []);
        for text in ["Israeli ID: 039337423", "ת.ז. 039337423", "תעודת זהות: 039337423"]
        {
            assert_eq!(found(text), [(Kind::IsraeliId, "039337423")], "{text}");
        }
        assert_eq!(found("teudat zehut 0393374231, teudat zehut x039337423"), []);
    }
}
