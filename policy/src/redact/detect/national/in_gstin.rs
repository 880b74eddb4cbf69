//! Indian goods and services tax identification numbers.
//!
//! Fifteen characters: the state's code, the holder's permanent account number, a count, usually Z,
//! and a check character over the others in base 36 with factors 1 and 2 in turn
//! (<https://en.wikipedia.org/wiki/Goods_and_Services_Tax_(India)>,
//! <https://www.gst.gov.in/help/registration>).

use super::layout;
use crate::redact::detect::checksum::base_36;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Gstin,
    start: Start::Digits { lengths: &[2], before: &[Before::Clear] },
    after: &[After::Letter],
    check,
    // python-stdnum's example, and one of the tax authority's own forms.
    valid: ["27AAPFU0939F1ZV", "29AAGCB7383J1Z4"],
    // A wrong check character; no such state.
    invalid: ["27AAPFU0939F1ZO", "99AAPFU0939F1ZV"],
    words: &[
        "gstin",
        "gst number",
        "gst no",
        "gst",
        "gst in",
        "gst identification number",
        "gst registration",
        "gstin no",
    ],
    about: "state, holder and check character",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let laid =
        layout::read::<15>(site, site.trigger.start, &["99AAAAA9999AXAX", "99aaaaa9999axax"])?;
    let state = (laid.chars[0] - b'0') * 10 + (laid.chars[1] - b'0');
    let is_state = matches!(state, 1..=38 | 96 | 97);
    let is_holder = b"ABCFGHJLPT".contains(&laid.chars[5]) && laid.chars[12] != b'0';
    if !is_state || !is_holder || !is_checked(&laid.chars) {
        return None;
    }
    Some(Hit::sure(laid.range, "in-gstin", Confidence::Checksum))
}

fn is_checked(chars: &[u8; 15]) -> bool {
    let sum: u32 = chars[..14]
        .iter()
        .zip([1, 2].into_iter().cycle())
        .map(|(byte, factor)| base_36(*byte) * factor)
        .map(|product| product / 36 + product % 36)
        .sum();
    (36 - sum % 36) % 36 == base_36(chars[14])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_is_whole_or_none() {
        assert_eq!(found("GSTIN:27AAPFU0939F1ZV."), [(Kind::Gstin, "27AAPFU0939F1ZV")]);
        assert_eq!(found("gstin 27aapfu0939f1zv"), [(Kind::Gstin, "27aapfu0939f1zv")]);
        for text in ["127AAPFU0939F1ZV", "27AAPFU0939F1ZVX", "x-27AAPFU0939F1ZV", "27AAPXU0939F1ZV"]
        {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
