//! British national insurance numbers.
//!
//! Two letters, six digits and a letter from A to D. Which first letters are never given out is
//! told by HM Revenue and Customs
//! (<https://www.gov.uk/hmrc-internal-manuals/national-insurance-manual/nim39110>): D, F, I, Q, U
//! and V in neither place, O not in the second, and seven pairs. There is no check digit. Written
//! in capitals it is found as it stands, in small letters only where words say what it is.

use super::layout::{self, Laid};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Nino,
    start: Start::Digits {
        lengths: &[2, 6],
        before: &[Before::Letter, Before::Clear, Before::Joint],
    },
    after: &[After::Letter, After::Word, After::Space, After::Dash],
    check,
    // Presidio's tests; the sequence that British test data is full of.
    valid: ["AA 12 34 56 B", "AB123456C"],
    // HMRC's own example, which starts with a letter that is not used; a suffix beyond D.
    invalid: ["QQ 12 34 56 C", "AA 12 34 56 H"],
    words: &[
        "nino",
        "ni number",
        "ni no",
        "ni num",
        "ninumber",
        "nat ins",
        "nat ins no",
        "nat ins number",
        "national insurance",
        "national insurance number",
        "national insurance no",
    ],
    about: "prefix and suffix rules; in small letters only where named",
    ..BASE
};

const LAYOUTS: [&str; 8] = [
    "LL999999L",
    "LL 99 99 99 L",
    "LL-99-99-99-L",
    "LL99 99 99L",
    "LL 99 99 99L",
    "LL 999999 L",
    "LL 999999L",
    "LL999999 L",
];

/// How far before the first digit the letters start: with nothing, a space or a hyphen, or a
/// no-break space between.
const BACK: [usize; 3] = [2, 3, 4];

fn check(site: &Site<'_>) -> Option<Hit> {
    let number: Laid<9> = BACK.into_iter().find_map(|back| {
        let start = site.trigger.start.checked_sub(back)?;
        let are_letters = site.text[start..start + 2].iter().all(u8::is_ascii_alphabetic);
        (are_letters && site.starts(start)).then(|| layout::read(site, start, &LAYOUTS)).flatten()
    })?;
    let [first, second, .., suffix] = number.chars;
    let letters = [first, second, suffix];
    let is_small = letters.iter().all(u8::is_ascii_lowercase);
    let capitals =
        if is_small { letters.map(|letter| letter.to_ascii_uppercase()) } else { letters };
    if !is_given_out(capitals) {
        return None;
    }
    if is_small {
        site.if_named(number.range, "uk-nino", Confidence::Context)
    } else {
        site.unless_denied(number.range, "uk-nino", Confidence::Shape)
    }
}

/// True where a number may have these letters, which must be capitals.
fn is_given_out(letters: [u8; 3]) -> bool {
    let [first, second, suffix] = letters;
    let never = |letter: u8| !letter.is_ascii_uppercase() || b"DFIQUV".contains(&letter);
    !never(first)
        && !never(second)
        && second != b'O'
        && (b'A'..=b'D').contains(&suffix)
        && ![b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"].contains(&&[first, second])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_is_found_in_the_ways_it_is_written() {
        for text in [
            "YZ 61 48 68 B",
            "PR 123612C",
            "PR123612 C",
            "PR 123612 C",
            "PR-12-36-12-C",
            "PR12 36 12C",
            "PR\u{a0}12\u{a0}36\u{a0}12\u{a0}C",
        ] {
            let sentence = format!("(NINO {text})");
            assert_eq!(found(&sentence), [(Kind::Nino, text)], "{text}");
        }
        assert_eq!(found("his ni number is tw987654a"), [(Kind::Nino, "tw987654a")]);
        assert_eq!(found("nationalInsuranceNumber: hh 01 02 03 d").len(), 1);
    }

    #[test]
    fn what_nearly_looks_like_one_is_none() {
        for text in [
            "tw987654a",
            "Tw987654A",
            "TW987654E",
            "BG123612A",
            "NT 99 88 77 A",
            "FQ 00 00 00 C",
            "XAB123456C",
            "AB123456CD",
            "AB1234567C",
            "AB 12 34 567 C",
            "AB-123456-C-1",
            "SHA-AB123456C",
            "part no. AB123456C",
            "at 12 34 56 a",
            "<NINO_kq7mzvt2ah>",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
