//! Italian codici fiscali of persons.
//!
//! Three letters of the surname, three of the name, year, month letter and day of birth, the
//! place's code, and a check letter over all (decree of 23 December 1976; the tables as in
//! <https://it.wikipedia.org/wiki/Codice_fiscale>). Where two people would have the same, digits
//! are replaced by letters, from the last on (omocodia). The search starts from the first digit
//! that is left, so a code with all seven replaced is not found.

use super::layout::{self, Laid};
use crate::redact::detect::checksum::number;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::CodiceFiscale,
    start: Start::Digits { lengths: &[1, 2, 3], before: &[Before::Letter, Before::Clear] },
    after: &[After::Letter],
    check,
    // Wikipedia's example; python-stdnum's.
    valid: ["MRTMTT25D09F205Z", "RCCMNL83S18D969H"],
    // A wrong check letter; no such month letter.
    invalid: ["RCCMNL83S18D969I", "RCCMNL83F18D969H"],
    words: &[
        "codice fiscale",
        "cod fiscale",
        "cod fisc",
        "codicefiscale",
        "codfisc",
        "c f",
        "tessera sanitaria",
        "fiscal code",
        "italian tax code",
    ],
    about: "date of birth, omocodia and check letter",
    ..BASE
};

/// What stands before the first digit, by how many letters were put in the place of digits.
const LETTERS_BEFORE: [usize; 7] = [6, 7, 9, 10, 12, 13, 14];
const BARE: [&str; 1] = ["NNNNNNNNNNNNNNNN"];
const GROUPED: [&str; 4] =
    ["LLL LLL NNLNN LNNNL", "LLL LLL NNLNN LNNN L", "LLLLLL NNLNN LNNNL", "LLLLLL NNLNN LNNN L"];

fn check(site: &Site<'_>) -> Option<Hit> {
    let at = site.trigger.start;
    let number: Laid<16> = if site.before(at) == Some(b' ') {
        [8, 7].into_iter().find_map(|back| {
            let start = at.checked_sub(back)?;
            site.text[start].is_ascii_alphabetic().then_some(())?;
            site.starts(start).then(|| layout::read(site, start, &GROUPED)).flatten()
        })?
    } else {
        let six = at.checked_sub(6)?;
        site.text[six..at].iter().all(u8::is_ascii_alphabetic).then_some(())?;
        LETTERS_BEFORE.into_iter().find_map(|back| {
            let start = at.checked_sub(back)?;
            site.starts(start).then(|| layout::read(site, start, &BARE)).flatten()
        })?
    };
    let is_small = number.chars.iter().all(|sign| !sign.is_ascii_uppercase());
    let chars =
        if is_small { number.chars.map(|sign| sign.to_ascii_uppercase()) } else { number.chars };
    is_valid(&chars).then(|| Hit::sure(number.range, "it-codice-fiscale", Confidence::Checksum))
}

fn is_valid(chars: &[u8; 16]) -> bool {
    let letters = [0, 1, 2, 3, 4, 5, 8, 11, 15];
    if !letters.iter().all(|place| chars[*place].is_ascii_uppercase()) {
        return false;
    }
    let digits = [6, 7, 9, 10, 12, 13, 14].map(|place: usize| digit(chars[place]));
    if digits.contains(&None) {
        return false;
    }
    let digits = digits.map(|digit| digit.unwrap_or_default() + b'0');
    let day = number(&digits[2..4]);
    let is_day = matches!(day, 1..=31 | 41..=71);
    is_day && b"ABCDEHLMPRST".contains(&chars[8]) && check_letter(&chars[..15]) == chars[15]
}

/// The digit that a sign stands for: itself, or the letter that replaces it.
fn digit(sign: u8) -> Option<u8> {
    if sign.is_ascii_digit() {
        return Some(sign - b'0');
    }
    b"LMNPQRSTUV".iter().position(|letter| *letter == sign).map(|digit| digit as u8)
}

/// Signs in even places count as they are numbered, those in odd places after a table; digits as
/// the letters from A to J.
fn check_letter(chars: &[u8]) -> u8 {
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let sum: u32 = chars
        .iter()
        .enumerate()
        .map(|(place, sign)| {
            let value = if sign.is_ascii_digit() { sign - b'0' } else { sign - b'A' };
            if place % 2 == 0 { ODD[usize::from(value)] } else { u32::from(value) }
        })
        .sum();
    b'A' + (sum % 26) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    /// The same person's number with the last digits replaced, and the check letter that follows.
    fn with_replaced(number: &str, count: usize) -> String {
        let mut signs = number.as_bytes().to_vec();
        for place in [14, 13, 12, 10, 9, 7, 6].into_iter().take(count) {
            signs[place] = b"LMNPQRSTUV"[usize::from(signs[place] - b'0')];
        }
        signs[15] = check_letter(&signs[..15]);
        String::from_utf8(signs).unwrap()
    }

    #[test]
    fn it_is_found_in_the_ways_it_is_written() {
        for text in [
            "RSSMRA85T10A562S",
            "rccmnl83s18d969h",
            "RSS MRA 85T10 A562S",
            "RSSMRA 85T10 A562 S",
            "RSS MRA 85T10 A562 S",
        ] {
            assert_eq!(found(text), [(Kind::CodiceFiscale, text)]);
        }
    }

    #[test]
    fn letters_may_stand_for_digits() {
        // Wikipedia's example of omocodia.
        assert_eq!(with_replaced("MRTMTT25D09F205Z", 1), "MRTMTT25D09F20RU");
        for count in 0..7 {
            let text = with_replaced("RCCMNL83S18D969H", count);
            assert_eq!(found(&text), [(Kind::CodiceFiscale, text.as_str())]);
        }
    }

    #[test]
    fn what_nearly_looks_like_one_is_none() {
        for text in [
            "XRSSMRA85T10A562S",
            "RSSMRA85T10A562SX",
            "RSSMRA85T10A562S-1",
            "-RSSMRA85T10A562S",
            "RSSMRA85T32A562S",
            "RssMRA85T10A562S",
            "RSSMRA85T10A562",
            "RSS MRA 85T10A562S",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
