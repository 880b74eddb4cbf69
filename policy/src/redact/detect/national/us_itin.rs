//! United States individual taxpayer identification numbers.
//!
//! Nine digits that start with 9, the fourth and fifth of which are 50 to 65, 70 to 88, 90 to 92 or
//! 94 to 99 (<https://www.irs.gov/pub/irs-pdf/p1915.pdf>). With dashes it is found as it stands; with
//! spaces or bare only where words say what it is.

use super::layout;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Itin,
    start: Start::Digits { lengths: &[3, 9], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Dash, After::Dot, After::Sign],
    check,
    // python-stdnum's example, and Presidio's.
    valid: ["912-90-3456", "911-70-1234"],
    // Groups that are not given out.
    invalid: ["912-93-4567", "911-89-1234"],
    words: &[
        "itin",
        "itins",
        "individual taxpayer",
        "individual taxpayer identification number",
        "taxpayer identification number",
        "taxpayer id",
        "tax payer id",
        "tax id",
        "tin",
    ],
    about: "starts with 9, group rules; without dashes only where named",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let layouts = ["999-99-9999", "999 99 9999", "999.99.9999", "999-999999", "999999999"];
    let laid = layout::read::<9>(site, site.trigger.start, &layouts)?;
    if !is_given_out(&laid.chars) {
        return None;
    }
    if laid.layout == 0 {
        site.unless_denied(laid.range, "us-itin", Confidence::Shape)
    } else {
        site.if_named(laid.range, "us-itin", Confidence::Context)
    }
}

fn is_given_out(digits: &[u8; 9]) -> bool {
    let group = (digits[3] - b'0') * 10 + (digits[4] - b'0');
    digits[0] == b'9' && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn without_dashes_words_must_say_what_it_is() {
        assert_eq!(found("912903456 and 912 90 3456"), []);
        for value in ["912903456", "912 90 3456", "912.90.3456", "912-903456"] {
            assert_eq!(found(&format!("My ITIN is {value}.")), [(Kind::Itin, value)]);
        }
        assert_eq!(found("{\"itin\": \"912903456\"}"), [(Kind::Itin, "912903456")]);
    }

    #[test]
    fn it_is_no_part_of_a_longer_number() {
        for text in ["1-912-90-3456", "912-90-3456-1", "912-90-34567", "v912-90-3456"] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
