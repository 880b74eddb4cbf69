//! Irish personal public service numbers.
//!
//! Seven digits, a check letter modulo 23 and, since 2013, a second letter that counts nine times.
//! Before, it could be W, T or X, and did not count. After the Department of Social Protection's
//! rules as told in <https://en.wikipedia.org/wiki/Personal_Public_Service_Number>. Products are
//! numbered like that too, so words must say what it is.

use super::layout::{self, Laid};
use crate::redact::detect::checksum::weighted;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Ppsn,
    start: Start::Digits { lengths: &[7], before: &[Before::Clear] },
    after: &[After::Word, After::Letter],
    check,
    label: "pps number",
    // The sequence that validators are tested with; python-stdnum's example.
    valid: ["1234567FA", "6433435F"],
    // Wrong check letters: python-stdnum's.
    invalid: ["6433435E", "6433435VH"],
    needs_words: true,
    words: &[
        "pps",
        "ppsn",
        "ppsns",
        "pps number",
        "pps no",
        "personal public service",
        "personal public service number",
        "uimhir phearsanta",
        "uimhir psp",
        "rsi number",
        "rsi no",
    ],
    about: "check letter (mod 23)",
    ..BASE
};

const WITH_ONE: [&str; 2] = ["9999999L", "9999999 L"];
const WITH_TWO: [&str; 2] = ["9999999LL", "9999999 LL"];

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.start;
    let (digits, letter, second, range) =
        if let Some(Laid { chars, range, .. }) = layout::read::<9>(site, start, &WITH_TWO) {
            let [digits @ .., letter, second] = chars;
            (digits, letter, second.to_ascii_uppercase(), range)
        } else {
            let Laid { chars, range, .. } = layout::read::<8>(site, start, &WITH_ONE)?;
            let [digits @ .., letter] = chars;
            (digits, letter, b'W', range)
        };
    let second = match second {
        b'A'..=b'I' => u32::from(second - b'A') + 1,
        b'W' | b'T' | b'X' => 0,
        _ => return None,
    };
    let sum = weighted(&digits, &[8, 7, 6, 5, 4, 3, 2]) + second * 9;
    let expected = b"WABCDEFGHIJKLMNOPQRSTUV"[(sum % 23) as usize];
    let valid = letter.eq_ignore_ascii_case(&expected) && digits != *b"0000000";
    if !valid {
        return None;
    }
    site.if_named(range, "ie-ppsn", Confidence::Checksum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn both_kinds_of_second_letters_are_known() {
        for text in ["6433435OA", "6433435IH", "6433435FT", "6433435FW", "1234567T", "1234567 FA"] {
            let sentence = format!("PPSN: {text}.");
            assert_eq!(found(&sentence), [(Kind::Ppsn, text)], "{text}");
            assert_eq!(found(text), [], "{text}");
        }
        assert_eq!(found("my ppsn is 6433435oa").len(), 1);
    }

    #[test]
    fn what_nearly_looks_like_one_is_none() {
        for text in [
            "PPSN 6433435FTA",
            "PPSN 16433435F",
            "PPSN 6433435FZ",
            "PPSN x6433435F",
            "PPSN 6433435F-2",
            "PPSN 0000000W",
            "PPSN 6433435 for",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
