//! Singaporean identity numbers (NRIC of citizens, FIN of foreigners).
//!
//! S, T, F, G or M, seven digits and a letter that checks them
//! (<https://en.wikipedia.org/wiki/National_Registration_Identity_Card>). In capitals it is found as it
//! stands, in small letters only where named.

use super::layout;
use crate::redact::detect::checksum::weighted;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Nric,
    start: Start::Digits { lengths: &[7], before: &[Before::Letter] },
    after: &[After::Letter],
    check,
    // Presidio's examples, of which the second series is the newest.
    valid: ["S2740116C", "M4332674T"],
    // Wrong check letters.
    invalid: ["S2740116D", "T1234567Z"],
    words: &[
        "nric",
        "nric fin",
        "nric number",
        "nric no",
        "nric fin number",
        "fin number",
        "fin no",
        "ic number",
        "national registration identity card",
        "foreign identification number",
        "singpass",
    ],
    about: "check letter; in small letters only where named",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.start.checked_sub(1)?;
    let laid = layout::read::<9>(site, start, &["A9999999A", "a9999999a"])?;
    if !site.starts(start) || !is_checked(&laid.chars) {
        return None;
    }
    if laid.layout == 0 {
        site.unless_denied(laid.range, "sg-nric", Confidence::Checksum)
    } else {
        site.if_named(laid.range, "sg-nric", Confidence::Checksum)
    }
}

fn is_checked(chars: &[u8; 9]) -> bool {
    let (letters, offset) = match chars[0] {
        b'S' => (b"JZIHGFEDCBA", 0),
        b'T' => (b"JZIHGFEDCBA", 4),
        b'F' => (b"XWUTRQPNMLK", 0),
        b'G' => (b"XWUTRQPNMLK", 4),
        b'M' => (b"XWUTRQPNJLK", 3),
        _ => return false,
    };
    let sum = offset + weighted(&chars[1..8], &[2, 7, 6, 5, 4, 3, 2]);
    letters[(sum % 11) as usize] == chars[8]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn each_series_has_its_letters() {
        for value in ["S1234567D", "T1234567J", "F1234567N", "G1234567X", "M1234567K"] {
            assert_eq!(found(value), [(Kind::Nric, value)]);
        }
    }

    #[test]
    fn in_small_letters_words_must_say_what_it_is() {
        assert_eq!(found("s2740116c"), []);
        assert_eq!(found("NRIC: s2740116c"), [(Kind::Nric, "s2740116c")]);
        for text in ["AS2740116C", "S2740116CX", "S2740116C-1", "S_S2740116C", "order S2740116C"] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
