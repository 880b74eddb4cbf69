//! Czech and Slovak birth numbers (rodné číslo).
//!
//! Year, month and day of birth and four digits, the whole a multiple of 11; a woman's month is 50
//! higher, and 20 higher where the day's numbers ran out. Up to 1985 a remainder of 10 was written
//! as 0; up to 1953 there were three digits and no checksum (Czech act 133/2000, § 13; scheme after
//! <https://cs.wikipedia.org/wiki/Rodn%C3%A9_%C4%8D%C3%ADslo>). With the slash and the checksum it
//! is found as it stands, unless it is a path or its end is the code of a Czech bank; the others
//! only where words say what it is.

use super::layout::{self, Laid};
use crate::redact::detect::checksum::{is_date, number, remainder};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::RodneCislo,
    start: Start::Digits { lengths: &[6, 9, 10], before: &[Before::Clear] },
    after: &After::BARE,
    check,
    // python-stdnum's example; Wikipedia's.
    valid: ["710319/2745", "736028/5163"],
    // No multiple of 11; no such month.
    invalid: ["710319/2746", "711319/2743"],
    words: &[
        "rodné číslo",
        "rodne cislo",
        "rodného čísla",
        "rodného čísla",
        "rodneho cisla",
        "rodným číslem",
        "rodného č",
        "rodné č",
        "rod č",
        "rodnecislo",
        "rč",
        "r č",
        "birth number",
        "czech birth number",
        "personal number",
    ],
    against: &["účet", "účtu", "ucet", "uctu", "číslo účtu", "cislo uctu", "iban", "bank account"],
    about: "date and checksum (mod 11); without slash only where named",
    ..BASE
};

const TEN: [&str; 3] = ["999999/9999", "9999999999", "999999 9999"];
const NINE: [&str; 3] = ["999999/999", "999999999", "999999 999"];

/// Codes of Czech banks (Czech National Bank, list of bank codes) that stand after many account
/// numbers.
const BANKS: [&[u8; 4]; 14] = [
    b"0100", b"0300", b"0600", b"0710", b"0800", b"2010", b"2060", b"2070", b"2250", b"2700",
    b"3030", b"5500", b"5800", b"6210",
];

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.start;
    let Some(Laid { chars, range, layout }) = layout::read::<10>(site, start, &TEN) else {
        return old(site);
    };
    let rest = remainder(&chars, 11);
    let was_ten = chars[9] == b'0' && remainder(&chars[..9], 11) == 10;
    if !is_born(&chars[..6]) || !(rest == 0 || was_ten) {
        return None;
    }
    let is_path = site.before(start) == Some(b'/') || site.byte(range.end) == Some(b'/');
    let is_account = BANKS.iter().any(|code| chars[6..] == **code);
    if layout == 0 && rest == 0 && !is_path && !is_account {
        site.unless_denied(range, "cz-rodne-cislo", Confidence::Checksum)
    } else {
        site.if_named(range, "cz-rodne-cislo", Confidence::Checksum)
    }
}

/// The form without a checksum.
fn old(site: &Site<'_>) -> Option<Hit> {
    let Laid { chars, range, .. }: Laid<9> = layout::read(site, site.trigger.start, &NINE)?;
    if number(&chars[..2]) > 53 || !is_born(&chars[..6]) || chars[6..] == *b"000" {
        return None;
    }
    site.if_named(range, "cz-rodne-cislo", Confidence::Context)
}

fn is_born(digits: &[u8]) -> bool {
    let month = number(&digits[2..4]);
    let month = if month > 50 { month - 50 } else { month };
    // Since 2004.
    let month =
        if month > 20 && (4..54).contains(&number(&digits[..2])) { month - 20 } else { month };
    is_date(month, number(&digits[4..6]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn without_slash_or_checksum_it_must_be_named() {
        for text in ["7103192745", "710319 2745", "530312/123", "530312123"] {
            assert_eq!(found(text), [], "{text}");
            for label in ["rodné číslo", "RČ:", "r.č.", "rodne_cislo="] {
                let sentence = format!("{label} {text}");
                let expected = [(Kind::RodneCislo, text)];
                assert!(label == "RČ:" || found(&sentence) == expected, "{sentence}");
            }
        }
    }

    #[test]
    fn accounts_and_paths_are_none() {
        let account = BANKS
            .iter()
            .flat_map(|bank| (1..=28).map(move |day| (day, std::str::from_utf8(*bank).unwrap())))
            .map(|(day, bank)| format!("7103{day:02}/{bank}"))
            .find(|text| remainder(text.replace('/', "").as_bytes(), 11) == 0)
            .unwrap();
        for text in [
            account.as_str(),
            "/710319/2745",
            "710319/2745/index",
            "číslo účtu 710319/2745",
            "710319/2745-1",
            "710319/27450",
            "1710319/2745",
            "590312/123",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
