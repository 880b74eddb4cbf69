//! Numbers of Australian Medicare cards.
//!
//! Eight digits, the first of which is 2 to 6; one that checks them modulo 10; the issue; and, with or
//! without a stroke, which person on the card
//! (<https://clearwater.com.au/code/medicare>, <https://meteor.aihw.gov.au/content/270101>). Words must say
//! what it is.

use super::layout;
use crate::redact::detect::checksum::weighted;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::MedicareAu,
    start: Start::Digits { lengths: &[4, 10, 11], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Dash, After::Sign],
    check,
    label: "medicare number",
    // Presidio's example, and the test number of Australian health software.
    valid: ["2123 45670 1", "2428778132"],
    // A wrong check digit; a first digit that is not given out.
    invalid: ["2123 25870 1", "9428778132"],
    needs_words: true,
    words: &[
        "medicare",
        "medicare card",
        "medicare number",
        "medicare no",
        "medicare card number",
        "medicare card no",
        "medicare irn",
    ],
    about: "check digit modulo 10",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let with_person = [
        "9999 99999 9/9",
        "9999 99999 9-9",
        "9999 99999 9 9",
        "9999999999/9",
        "9999999999-9",
        "99999999999",
    ];
    let start = site.trigger.start;
    let (range, digits) = if let Some(laid) = layout::read::<11>(site, start, &with_person) {
        (laid.range, *laid.chars.first_chunk::<10>()?)
    } else {
        let layouts = ["9999 99999 9", "9999-99999-9", "9999999999"];
        let laid = layout::read::<10>(site, start, &layouts)?;
        (laid.range, laid.chars)
    };
    let is_checked =
        weighted(&digits, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == u32::from(digits[8] - b'0');
    if !matches!(digits[0], b'2'..=b'6') || !is_checked {
        return None;
    }
    site.if_named(range, "au-medicare", Confidence::Checksum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn words_must_say_what_it_is() {
        assert_eq!(found("2428778132, 2428 77813 2, 2428 77813 2/1"), []);
        for value in ["2428778132", "2428 77813 2", "2428 77813 2/1", "24287781321", "2428778132/1"]
        {
            assert_eq!(found(&format!("Medicare no. {value}")), [(Kind::MedicareAu, value)]);
        }
        assert_eq!(found("Medicare 242877813212, Medicare 12428 77813 2"), []);
    }
}
