//! British sort codes: six digits that name a bank and its branch.
//!
//! After <https://en.wikipedia.org/wiki/Sort_code>. Two digits and two and two look like a date or
//! a time, so words must name it, and a label where the digits stand bare.

use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::SortCode,
    start: Start::Digits { lengths: &[2, 6], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Dash, After::Sign],
    check,
    // Stripe's for tests of Bacs; the IBAN registry's example of the United Kingdom.
    valid: ["10-88-00", "60-16-13"],
    invalid: ["20-00-0", "20-00-00-1"],
    label: "sort code",
    needs_words: true,
    words: &[
        "sort code",
        "sortcode",
        "sort codes",
        "bank sort code",
        "branch sort code",
        "nsc",
        "s c",
        "cód sort",
    ],
    about: "six digits in pairs",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.start;
    if site.trigger.len() == 6 {
        let range = site.trigger.clone();
        let fits = site.ends(range.end);
        return fits
            .then(|| site.if_labelled(range.clone(), "sort-code", Confidence::Context))
            .flatten();
    }
    let end = start + 8;
    let text: &[u8; 8] = site.text.get(start..end)?.as_array()?;
    let paired = text.iter().enumerate().all(|(place, byte)| match place {
        2 | 5 => matches!(byte, b'-' | b' ') && *byte == text[2],
        _ => byte.is_ascii_digit(),
    });
    if !paired || !site.ends(end) {
        return None;
    }
    site.if_named(start..end, "sort-code", Confidence::Context)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn dates_and_times_are_none() {
        assert_eq!(found("20-00-00 or 12 34 56 or 200000"), []);
        assert_eq!(found("sort code: 200000"), [(Kind::SortCode, "200000")]);
        assert_eq!(found("the sort code was changed 200000 times"), []);
        assert_eq!(found("Sort Code 20 00 00"), [(Kind::SortCode, "20 00 00")]);
    }
}
