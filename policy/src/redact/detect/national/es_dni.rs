//! Spanish identity numbers: DNI, and NIE of foreigners.
//!
//! Eight digits, or X, Y or Z and seven, and a check letter modulo 23 (Ministry of the Interior,
//! <https://www.interior.gob.es/opencms/es/servicios-al-ciudadano/tramites-y-gestiones/dni/calculo-del-digito-de-control-del-nif-nie/>).
//! In capitals it is found as it stands, except where the digits could be a date; in small letters,
//! or without a leading zero, only where words say what it is.

use std::ops::Range;

use super::layout::{self, Laid};
use crate::redact::detect::checksum::{is_date, number};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Dni,
    start: Start::Digits {
        lengths: &[1, 2, 7, 8],
        before: &[Before::Clear, Before::Letter, Before::Joint],
    },
    after: &[After::Letter, After::Word, After::Dash, After::Dot],
    check,
    // python-stdnum's example; Presidio's tests.
    valid: ["54362315-K", "Z8078221M"],
    // Wrong check letters, of the same.
    invalid: ["54362315Z", "Y8063915Q"],
    words: &[
        "dni",
        "d n i",
        "dni nie",
        "nif",
        "n i f",
        "n i e",
        "número nie",
        "numero nie",
        "nie number",
        "nie no",
        "documento nacional de identidad",
        "documento de identidad",
        "número de identificación de extranjero",
        "número de identidad de extranjero",
        "numero de identidad de extranjero",
        "tarjeta de residencia",
    ],
    about: "check letter (mod 23)",
    ..BASE
};

const DNI: [&str; 3] = ["99999999L", "99999999-L", "99999999 L"];
const DOTTED_DNI: [&str; 3] = ["99.999.999-L", "99.999.999L", "99.999.999 L"];
const SHORT_DNI: [&str; 2] = ["9999999L", "9999999-L"];
const NIE: [&str; 7] = [
    "L9999999L",
    "L9999999-L",
    "L-9999999-L",
    "L-9999999L",
    "L-9.999.999-L",
    "L9.999.999-L",
    "L.9.999.999-L",
];

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.start;
    match (site.trigger.len(), Before::of(site.before(start))) {
        (8, Before::Clear) => dni(site, layout::read(site, start, &DNI)?),
        (2, Before::Clear) if site.byte(site.trigger.end) == Some(b'.') => {
            dni(site, layout::read(site, start, &DOTTED_DNI)?)
        }
        (7, Before::Clear) => short_dni(site),
        (1 | 7, Before::Letter | Before::Joint) => nie(site),
        _ => None,
    }
}

fn dni(site: &Site<'_>, dni: Laid<9>) -> Option<Hit> {
    let [digits @ .., letter] = dni.chars;
    if !fits(number(&digits), letter) {
        return None;
    }
    // A space parts words as well.
    let is_weak = could_be_date(digits) || letter.is_ascii_lowercase();
    let is_spaced = site.text[dni.range.clone()].contains(&b' ');
    hit(site, dni.range, is_weak || is_spaced)
}

fn short_dni(site: &Site<'_>) -> Option<Hit> {
    let Laid { chars, range, .. }: Laid<8> = layout::read(site, site.trigger.start, &SHORT_DNI)?;
    let [digits @ .., letter] = chars;
    if !fits(number(&digits), letter) {
        return None;
    }
    hit(site, range, true)
}

fn nie(site: &Site<'_>) -> Option<Hit> {
    let is_sign = |byte: u8| matches!(byte, b'X'..=b'Z' | b'x'..=b'z');
    let start = [1, 2].into_iter().find_map(|back| {
        let start = site.trigger.start.checked_sub(back)?;
        (is_sign(site.text[start]) && site.starts(start)).then_some(start)
    })?;
    let Laid { chars, range, .. }: Laid<9> = layout::read(site, start, &NIE)?;
    let [sign, digits @ .., letter] = chars;
    let is_small = sign.is_ascii_lowercase();
    let first = u32::from(sign.to_ascii_uppercase() - b'X');
    let valid = fits(first * 10_000_000 + number(&digits), letter)
        && is_small == letter.is_ascii_lowercase();
    if !valid {
        return None;
    }
    hit(site, range, is_small)
}

fn hit(site: &Site<'_>, range: Range<usize>, needs_words: bool) -> Option<Hit> {
    if needs_words {
        site.if_named(range, "es-dni", Confidence::Checksum)
    } else {
        site.unless_denied(range, "es-dni", Confidence::Checksum)
    }
}

fn fits(number: u32, letter: u8) -> bool {
    let expected = b"TRWAGMYFPDXBNJZSQVHLCKE"[(number % 23) as usize];
    number > 0 && letter.eq_ignore_ascii_case(&expected)
}

/// True where eight digits could be year, month and day.
fn could_be_date(digits: [u8; 8]) -> bool {
    matches!(number(&digits[..2]), 19 | 20) && is_date(number(&digits[4..6]), number(&digits[6..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_is_found_in_the_ways_it_is_written() {
        for text in [
            "12345678Z",
            "12.345.678-Z",
            "55555555-K",
            "X9613851N",
            "Y8063915-Z",
            "X-2482300-W",
            "X-2482300W",
            "X-2.482.300-W",
        ] {
            assert_eq!(found(text), [(Kind::Dni, text)]);
        }
    }

    #[test]
    fn weaker_forms_must_be_named() {
        // The digits of the last but one could be a date.
        for text in ["12345678z", "x9613851n", "1111111G", "1111111-G", "20240520Z", "12345678 Z"] {
            assert_eq!(found(text), [], "{text}");
            let sentence = format!("con DNI {text} y domicilio en");
            assert_eq!(found(&sentence), [(Kind::Dni, text)]);
        }
    }

    #[test]
    fn what_nearly_looks_like_one_is_none() {
        for text in [
            "DNI 12345678A",
            "DNI 012345678Z",
            "DNI 12345678ZA",
            "AX9613851N",
            "X96138510N",
            "X9613851Na",
            "W9613851N",
            "-X9613851N",
            "12345678Z-1",
            "sku 12345678Z",
            "DNI 00000000T",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
