//! Japanese individual numbers (My Number, マイナンバー).
//!
//! Eleven digits and one that checks them modulo 11
//! (<https://en.wikipedia.org/wiki/Individual_Number>, after an ordinance of 2014). Words must say what it
//! is.

use super::layout;
use crate::redact::detect::checksum::{is_uniform, weighted};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::MyNumber,
    start: Start::Digits { lengths: &[4, 12], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Dash, After::Sign],
    check,
    label: "マイナンバー",
    // python-stdnum's example, and one of many libraries' tests.
    valid: ["6214 9832 0257", "123456789018"],
    // Wrong check digits.
    invalid: ["6214 9832 0258", "123456789012"],
    needs_words: true,
    words: &["my number", "mynumber", "my number card", "マイナンバー", "個人番号", "kojin bango"],
    about: "check digit modulo 11",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let layouts = ["9999 9999 9999", "9999-9999-9999", "999999999999"];
    let laid = layout::read::<12>(site, site.trigger.start, &layouts)?;
    let sum = weighted(&laid.chars, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]);
    let expected = (11 - sum % 11) % 11 % 10;
    if expected != u32::from(laid.chars[11] - b'0') || is_uniform(&laid.chars) {
        return None;
    }
    let hit = site.if_named(laid.range, "jp-my-number", Confidence::Checksum)?;
    // "My number is ..." is said of every number.
    layout::unless_vague(site, hit, &["my number"], &["My Number", "MyNumber", "MY NUMBER"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn words_must_say_what_it_is() {
        assert_eq!(found("123456789018, 1234 5678 9018"), []);
        for value in ["123456789018", "1234 5678 9018", "1234-5678-9018"] {
            assert_eq!(
                found(&format!("私のマイナンバーは{value}です。")),
                [(Kind::MyNumber, value)]
            );
            assert_eq!(found(&format!("Her My Number is {value}.")), [(Kind::MyNumber, value)]);
            assert_eq!(found(&format!("{{\"myNumber\":\"{value}\"}}")), [(Kind::MyNumber, value)]);
        }
        assert_eq!(found("My number is 123456789018, call me"), []);
        assert_eq!(found("個人番号 1123456789018、個人番号 123456789018-1"), []);
    }
}
