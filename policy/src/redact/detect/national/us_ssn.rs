//! United States social security numbers.
//!
//! Area, group and serial after the Social Security Administration's rules
//! (<https://www.ssa.gov/employer/randomization.html>): no area 000, 666 or 900 to 999, no group
//! 00, no serial 0000; and not the two numbers that were printed in advertisements. Written with
//! dashes it is found as it stands; with spaces, dots or bare only where words say what it is.

use super::layout;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Ssn,
    start: Start::Digits { lengths: &[3, 9], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Dash, After::Dot, After::Sign],
    check,
    valid: ["123-45-6789", "536-22-8731"],
    // The one in Woolworth's wallets; an area that is not given out.
    invalid: ["078-05-1120", "666-12-3456"],
    words: &[
        "ssn",
        "ssns",
        "ss number",
        "social security",
        "social security number",
        "social sec",
        "soc sec",
        "social no",
        "my social",
        "his social",
        "her social",
        "social is",
        "tax payer id",
        "taxpayer id",
        "seguro social",
        "tin",
        "tax id",
    ],
    about: "area, group and serial rules; without dashes only where named",
    ..BASE
};

/// Printed in advertisements: see <https://www.ssa.gov/history/ssn/misused.html>.
const PRINTED: [&[u8; 9]; 2] = [b"078051120", b"219099999"];

fn check(site: &Site<'_>) -> Option<Hit> {
    let layouts = ["999-99-9999", "999 99 9999", "999.99.9999", "999999999"];
    let laid = layout::read::<9>(site, site.trigger.start, &layouts)?;
    // With dashes, also what starts with 9: nobody has it, but people make such numbers up.
    let has_shape = laid.layout == 0 && laid.chars[0] == b'9';
    if !is_given_out(&laid.chars, has_shape) {
        return None;
    }
    if laid.layout == 0 {
        site.unless_denied(laid.range, "us-ssn", Confidence::Shape)
    } else {
        site.if_named(laid.range, "us-ssn", Confidence::Context)
    }
}

fn is_given_out(digits: &[u8; 9], made_up: bool) -> bool {
    let (area, group, serial) = (&digits[..3], &digits[3..5], &digits[5..]);
    area != b"000"
        && area != b"666"
        && (area[0] != b'9' || made_up)
        && group != b"00"
        && serial != b"0000"
        && !PRINTED.contains(&digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;
    use crate::redact::{Engine, Modes};

    #[test]
    fn without_dashes_words_must_say_what_it_is() {
        assert_eq!(found("536228731 and 536 22 8731 and 536.22.8731"), []);
        assert_eq!(found("SSN 536.22.8731."), [(Kind::Ssn, "536.22.8731")]);
        assert_eq!(
            found("my social is 536\u{a0}22\u{a0}8731"),
            [(Kind::Ssn, "536\u{a0}22\u{a0}8731")]
        );
        assert_eq!(found("on social media, 536228731 views"), []);
        assert_eq!(found("my SSN is 536228731"), [(Kind::Ssn, "536228731")]);
        assert_eq!(found("social security: 536 22 8731"), [(Kind::Ssn, "536 22 8731")]);
        let engine = Engine::new(Modes::default());
        assert_eq!(engine.find("536228731", Some("customerSsn")).len(), 1);
        assert_eq!(engine.find("536228731", Some("orderId")), []);
    }

    #[test]
    fn it_is_no_part_of_a_longer_number() {
        for text in [
            "1-536-22-8731",
            "536-22-8731-1",
            "536-22-87310",
            "5536-22-8731",
            "536-22-8731.5",
            "536-22 8731",
            "000-22-8731",
            "536-00-8731",
            "536-22-0000",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
