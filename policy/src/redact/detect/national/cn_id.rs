//! Chinese resident identity numbers.
//!
//! Six digits for the place, the date of birth, three more and a digit or X that checks them, ISO 7064
//! MOD 11-2 (GB 11643-1999; <https://en.wikipedia.org/wiki/Resident_Identity_Card>).

use super::layout;
use crate::redact::detect::checksum::{is_six_digit_date, number};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::ChinaId,
    start: Start::Digits { lengths: &[17, 18], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Sign, After::Letter],
    check,
    // The standard's own example, and python-stdnum's.
    valid: ["11010519491231002X", "360426199101010071"],
    // Wrong check digits.
    invalid: ["110105194912310021", "360426199101010072"],
    words: &[
        "身份证",
        "身份证号",
        "身份证号码",
        "居民身份证",
        "resident identity",
        "resident identity card",
        "chinese id",
        "sfz",
    ],
    about: "place, date and check digit (ISO 7064)",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let laid = layout::read::<18>(site, site.trigger.start, &["99999999999999999x"])?;
    let chars = &laid.chars;
    let is_shaped = is_province(number(&chars[..2]))
        && matches!(number(&chars[6..10]), 1890..=2039)
        && is_six_digit_date(&chars[8..14]);
    (is_shaped && is_checked(chars)).then_some(Hit::sure(laid.range, "cn-id", Confidence::Checksum))
}

/// Codes of provinces after GB/T 2260; 81 to 83 are of residents from Hong Kong, Macao and Taiwan.
const fn is_province(code: u32) -> bool {
    matches!(
        code,
        11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83
    )
}

fn is_checked(chars: &[u8; 18]) -> bool {
    let rest = chars[..17].iter().fold(0, |sum, digit| (sum + u32::from(digit - b'0')) * 2 % 11);
    let expected = match (12 - rest) % 11 {
        10 => b'X',
        digit => b'0' + digit as u8,
    };
    expected == chars[17]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_is_whole_or_none() {
        assert_eq!(
            found("身份证号：11010519491231002x。"),
            [(Kind::ChinaId, "11010519491231002x")]
        );
        for text in [
            "1110105194912310021",
            "11010519491231002X1",
            "11010519491231002Xa",
            "0.360426199101010071",
            "id-360426199101010071",
            "360426199113010071",
            "990426199101010071",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn almost_no_snowflake_passes() {
        // One in a thousand million: numbers as messaging services give them out, at even steps.
        let numbers = (0..2000_u64).map(|n| 312_345_678_901_234_567 + n * 173_205_080_756_887);
        assert!(numbers.filter(|n| !found(&n.to_string()).is_empty()).count() <= 1);
    }
}
