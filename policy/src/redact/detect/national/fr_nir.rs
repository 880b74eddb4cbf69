//! French social security numbers (numéro de sécurité sociale, NIR).
//!
//! Sex, year and month of birth, department, commune, serial number, and a key of two digits that
//! completes the rest to a multiple of 97; Corsica's departments 2A and 2B count as 19 and 18
//! (<https://www.insee.fr/fr/metadonnees/definition/c1409>;
//! <https://fr.wikipedia.org/wiki/Num%C3%A9ro_de_s%C3%A9curit%C3%A9_sociale_en_France>). So much of
//! it is bound that it is found as it stands, with separators or bare; codes that are given
//! provisionally or where the month is not known only where words say what it is.

use super::layout::{self, Laid};
use crate::redact::detect::checksum::{number, remainder};
use crate::redact::detect::{BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Nir,
    start: Start::Digits { lengths: &[1, 6, 13, 15], before: &[Before::Clear] },
    check,
    // python-stdnum's example; the one in the readme of nir_validate on npm.
    valid: ["2 95 10 99 126 111 93", "255081416802538"],
    // A wrong key; no such department.
    invalid: ["295109912611199", "253072C07300443"],
    words: &[
        "nir",
        "nss",
        "insee",
        "numéro insee",
        "numero insee",
        "sécurité sociale",
        "securite sociale",
        "sécu",
        "numéro de sécurité sociale",
        "numero de securite sociale",
        "num secu",
        "numéro de sécu",
        "numero de secu",
        "carte vitale",
        "french social security",
    ],
    about: "date, department and key (mod 97)",
    ..BASE
};

const SPACED: [&str; 4] = [
    "9 99 99 9N 999 999 99",
    "9.99.99.9N.999.999.99",
    "9-99-99-9N-999-999-99",
    "9 99 99 9N 999 999-99",
];
const BARE: [&str; 4] =
    ["999999N99999999", "999999N999999 99", "999999N999999-99", "999999N999999/99"];

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.start;
    matches!(site.text[start], b'1'..=b'4' | b'7' | b'8').then_some(())?;
    let layouts = if site.trigger.len() == 1 { &SPACED } else { &BARE };
    let Laid { chars, range, .. }: Laid<15> = layout::read(site, start, layouts)?;
    let body = body(&chars)?;
    let key = u64::from(number(&chars[13..]));
    let valid = matches!(key, 1..=97) && (remainder(&body, 97) + key).is_multiple_of(97);
    let [commune, serial] = [&chars[7..10], &chars[10..13]];
    if !valid || commune == b"000" || serial == b"000" {
        return None;
    }
    let is_provisional = !matches!(chars[0], b'1' | b'2');
    match number(&chars[3..5]) {
        1..=12 if !is_provisional => site.unless_denied(range, "fr-nir", Confidence::Checksum),
        1..=12 | 20..=42 | 50..=99 => site.if_named(range, "fr-nir", Confidence::Checksum),
        _ => None,
    }
}

/// All but the key, in digits.
fn body(chars: &[u8; 15]) -> Option<[u8; 13]> {
    let mut body = [0; 13];
    body.copy_from_slice(&chars[..13]);
    match [chars[5], chars[6]] {
        [b'2', b'A' | b'a'] => [body[5], body[6]] = *b"19",
        [b'2', b'B' | b'b'] => [body[5], body[6]] = *b"18",
        [_, last] if !last.is_ascii_digit() => return None,
        [b'0', b'0'] => return None,
        _ => {}
    }
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_is_found_in_the_ways_it_is_written() {
        for text in [
            "2 53 07 2B 073 004 70",
            "253072A07300443",
            "2550814168025 38",
            "2.55.08.14.168.025.38",
            "2\u{a0}55\u{a0}08\u{a0}14\u{a0}168\u{a0}025\u{a0}38",
        ] {
            assert_eq!(found(text), [(Kind::Nir, text)]);
        }
    }

    #[test]
    fn provisional_ones_must_be_named() {
        // 85 in place of a month that is not known; 7 for a man without a final number.
        let key = |body: &str| format!("{body}{:02}", 97 - remainder(body.as_bytes(), 97));
        for body in ["1848575123456", "7840675123456"] {
            let text = key(body);
            assert_eq!(found(&text), []);
            let sentence = format!("numéro de sécurité sociale : {text}");
            assert_eq!(found(&sentence), [(Kind::Nir, text.as_str())]);
        }
    }

    #[test]
    fn what_nearly_looks_like_one_is_none() {
        for text in [
            "2550814168025380",
            "x255081416802538",
            "255081416802538-1",
            "2 55 08 14 168 025 380",
            "2 55 08-14 168 025 38",
            "255001416802538",
            "order 255081416802538",
            "253072A0730044",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
