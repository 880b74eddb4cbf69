//! International bank account numbers.
//!
//! ISO 13616: country, two check digits, and an account of the length that the country has
//! registered; the whole is 1 modulo 97 (ISO/IEC 7064, MOD 97-10). Written in one piece, or in
//! groups of four as on paper, by spaces,
//! dashes or dots. What could as well be hexadecimal, as the 16 digits of a span id
//! that starts with `be`, is none.

use crate::redact::detect::token::{gap, line_end, mark_at};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Iban,
    start: Start::Digits {
        lengths: &[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20],
        before: &[Before::Letter],
    },
    after: &After::ALL,
    check,
    // Examples of the SWIFT IBAN registry.
    valid: ["DE89370400440532013000", "GB29 NWBK 6016 1331 9268 19"],
    // A wrong check digit; a digit short.
    invalid: ["DE88370400440532013000", "GB29 NWBK 6016 1331 9268 1"],
    about: "country's length and checksum (mod 97)",
    ..BASE
};

/// Country and length, from the SWIFT IBAN registry, release 99.
#[rustfmt::skip]
const LENGTHS: [(&[u8; 2], u8); 89] = [
    (b"AD", 24), (b"AE", 23), (b"AL", 28), (b"AT", 20), (b"AZ", 28), (b"BA", 20), (b"BE", 16),
    (b"BG", 22), (b"BH", 22), (b"BI", 27), (b"BR", 29), (b"BY", 28), (b"CH", 21), (b"CR", 22),
    (b"CY", 28), (b"CZ", 24), (b"DE", 22), (b"DJ", 27), (b"DK", 18), (b"DO", 28), (b"EE", 20),
    (b"EG", 29), (b"ES", 24), (b"FI", 18), (b"FK", 18), (b"FO", 18), (b"FR", 27), (b"GB", 22),
    (b"GE", 22), (b"GI", 23), (b"GL", 18), (b"GR", 27), (b"GT", 28), (b"HN", 28), (b"HR", 21),
    (b"HU", 28), (b"IE", 22), (b"IL", 23), (b"IQ", 23), (b"IS", 26), (b"IT", 27), (b"JO", 30),
    (b"KW", 30), (b"KZ", 20), (b"LB", 28), (b"LC", 32), (b"LI", 21), (b"LT", 20), (b"LU", 20),
    (b"LV", 21), (b"LY", 25), (b"MC", 27), (b"MD", 24), (b"ME", 22), (b"MK", 19), (b"MN", 20),
    (b"MR", 27), (b"MT", 31), (b"MU", 30), (b"NI", 28), (b"NL", 18), (b"NO", 15), (b"OM", 23),
    (b"PK", 24), (b"PL", 28), (b"PS", 29), (b"PT", 25), (b"QA", 29), (b"RO", 24), (b"RS", 22),
    (b"RU", 33), (b"SA", 24), (b"SC", 31), (b"SD", 18), (b"SE", 24), (b"SI", 19), (b"SK", 24),
    (b"SM", 27), (b"SO", 23), (b"ST", 25), (b"SV", 28), (b"TL", 23), (b"TN", 24), (b"TR", 26),
    (b"UA", 29), (b"VA", 22), (b"VG", 24), (b"XK", 20), (b"YE", 30),
];

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.start.checked_sub(2)?;
    let country = [site.text[start], site.text[start + 1]];
    let lower = country.iter().all(u8::is_ascii_lowercase);
    let upper = country.iter().all(u8::is_ascii_uppercase);
    let joined = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if !(lower || upper) || site.before(start).is_some_and(joined) {
        return None;
    }
    let length = length_of(country.map(|letter| letter.to_ascii_uppercase()))?;
    let end = account_end(site, start, length, lower)?;
    Some(Hit::sure(start..end, "iban", Confidence::Checksum))
}

fn length_of(country: [u8; 2]) -> Option<u8> {
    let place = LENGTHS.binary_search_by_key(&country, |(known, _)| **known).ok()?;
    Some(LENGTHS[place].1)
}

/// Where an account number of `length` characters that starts at `start` ends, if it is valid.
fn account_end(site: &Site<'_>, start: usize, length: u8, lower: bool) -> Option<usize> {
    let mut remainder = Mod97::default();
    let mut head = [0; 4];
    let wrapped = site.text.get(start + 4..).and_then(line_end).map(|_| &b" "[..]);
    let mark = wrapped.or_else(|| mark_at(site, start + 4, b" -."));
    let mut at = start;
    for place in 0..usize::from(length) {
        if let Some(mark) = mark
            && place > 0
            && place % 4 == 0
        {
            at += gap(site, at, mark)?;
        }
        let byte = site.byte(at)?;
        let fits = if lower { byte.is_ascii_lowercase() } else { byte.is_ascii_uppercase() };
        (fits || byte.is_ascii_digit()).then_some(())?;
        match head.get_mut(place) {
            Some(kept) => *kept = byte,
            None => remainder.push(byte),
        }
        at += 1;
    }
    // The first four characters count as if they stood at the end.
    for byte in head {
        remainder.push(byte);
    }
    let valid = remainder.0 == 1 && site.ends(at) && !is_hex(&site.text[start..at]);
    valid.then_some(at)
}

/// True where letters beyond the country's are hexadecimal digits, and so is all the rest.
fn is_hex(number: &[u8]) -> bool {
    number.iter().all(u8::is_ascii_hexdigit) && number[2..].iter().any(u8::is_ascii_alphabetic)
}

/// The remainder modulo 97 of a number whose digits come one by one; a letter is two digits.
#[derive(Default)]
struct Mod97(u32);

impl Mod97 {
    fn push(&mut self, byte: u8) {
        let value = char::from(byte).to_digit(36).unwrap_or_default();
        let shift = if value > 9 { 100 } else { 10 };
        self.0 = (self.0 * shift + value) % 97;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn countries_are_sorted_so_that_they_can_be_found() {
        assert!(LENGTHS.is_sorted_by(|one, next| one.0 < next.0));
    }

    #[test]
    fn examples_of_the_registry_are_valid() {
        for text in [
            "NO9386011117947",
            "MT84MALT011000012345MTLCAST001S",
            "FR14 2004 1010 0505 0001 3M02 606",
            "BE68539007547034",
            "ch9300762011623852957",
            "LC55HEMM000100010012001200023015",
            "gb29 nwbk 6016 1331 9268 19",
            "GB29-NWBK-6016-1331-9268-19",
            "DE89.3704.0044.0532.0130.00",
            "DE89 3704\n0044 0532 \r\n 0130 00",
            "DE89\u{a0}3704\u{a0}0044\u{a0}0532\u{a0}0130\u{a0}00",
        ] {
            assert_eq!(found(text), [(Kind::Iban, text)]);
        }
    }

    #[test]
    fn a_hexadecimal_id_is_no_account() {
        for check in 10..99 {
            assert_eq!(found(&format!("be{check}a1b2c3d4e5f6")), [], "{check}");
        }
    }

    #[test]
    fn it_stands_alone() {
        for text in [
            "xDE89370400440532013000",
            "DE89370400440532013000a",
            "DE893704004405320130001",
            "De89370400440532013000",
            "DE89 37040044 0532013000",
            "ZZ89370400440532013000",
            "-DE89370400440532013000",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
