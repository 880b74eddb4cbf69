//! Identification numbers of vehicles.
//!
//! Seventeen capitals and digits without I, O and Q (ISO 3779). In North America the ninth is a
//! check digit and the last four are digits (49 CFR 565.15,
//! <https://www.ecfr.gov/current/title-49/section-565.15>); where both hold it is found as it
//! stands. Elsewhere there is none, so words must name it.

use crate::redact::detect::token::{is_in_path, word_around};
use crate::redact::detect::{BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Vin,
    start: Start::Digits {
        lengths: &[1, 2, 3, 4, 5, 6, 7, 8],
        before: &[Before::Clear, Before::Letter],
    },
    word: (17, 17),
    check,
    // The example of Wikipedia's article, and one that many decoders show.
    valid: ["1M8GDM9AXKP042788", "1HGCM82633A004352"],
    // A wrong check digit; a letter that none has.
    invalid: ["1M8GDM9A0KP042788", "1M8GDM9AXKO042788"],
    words: &[
        "vin",
        "vin number",
        "vin no",
        "vin code",
        "vehicle identification",
        "vehicle identification number",
        "vehicle id number",
        "chassis",
        "chassis number",
        "chassis no",
        "frame number",
        "fahrgestellnummer",
        "fahrzeugidentifikationsnummer",
        "fahrzeug identifizierungsnummer",
        "fin nummer",
        "numéro de châssis",
        "numero de chassis",
        "numéro de série du véhicule",
        "número de bastidor",
        "bastidor",
        "numero di telaio",
        "telaio",
        "chassisnummer",
        "número do chassi",
        "chassi",
        "numer vin",
        "车架号",
        "车辆识别",
        "車台番号",
        "vin номер",
        "вин",
    ],
    about: "check digit, or named",
    ..BASE
};

/// 49 CFR 565.15, tables III and IV.
const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];

fn check(site: &Site<'_>) -> Option<Hit> {
    let word = word_around(site, 13, 17)?;
    let text: &[u8; 17] = site.text[word.clone()].try_into().ok()?;
    let upper = text.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let lower = text.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let upper_case = text.map(|byte| byte.to_ascii_uppercase());
    let letters = upper_case.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    if !(upper || lower)
        || !(2..=13).contains(&letters)
        || upper_case.iter().any(|byte| matches!(byte, b'I' | b'O' | b'Q'))
    {
        return None;
    }
    let serial = text[13..].iter().all(u8::is_ascii_digit);
    if upper && serial && has_check_digit(&upper_case) && is_year(text[9]) {
        return site.unless_denied(word, "vin", Confidence::Checksum);
    }
    if is_in_path(site, &word) {
        return None;
    }
    site.if_named(word, "vin", Confidence::Context)
}

/// The tenth stands for the year of the model: no U, Z or 0.
const fn is_year(byte: u8) -> bool {
    !matches!(byte, b'U' | b'Z' | b'0')
}

fn has_check_digit(text: &[u8; 17]) -> bool {
    let sum: u32 = text.iter().zip(WEIGHTS).map(|(byte, weight)| value(*byte) * weight).sum();
    text[8] == b"0123456789X"[(sum % 11) as usize]
}

/// Letters count through the alphabet in rows of nine, the last of which starts with S at 2.
const fn value(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => (byte - b'0') as u32,
        b'A'..=b'H' => (byte - b'A') as u32 + 1,
        b'J'..=b'R' => (byte - b'J') as u32 + 1,
        _ => (byte - b'S') as u32 + 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn without_a_check_digit_it_must_be_named() {
        // Porsche's, as made in Germany.
        assert_eq!(found("WP0ZZZ99ZTS392124"), []);
        let named = "Fahrgestellnummer: WP0ZZZ99ZTS392124.";
        assert_eq!(found(named), [(Kind::Vin, "WP0ZZZ99ZTS392124")]);
        assert_eq!(found("vin=1hgcm82633a004352"), [(Kind::Vin, "1hgcm82633a004352")]);
        assert_eq!(found("1HGCM82633A004352"), [(Kind::Vin, "1HGCM82633A004352")]);
    }

    #[test]
    fn other_words_of_seventeen_are_none() {
        for text in [
            "11111111111111111",
            "X1M8GDM9AXKP042788",
            "1M8GDM9AXKP0427881",
            "1M8GDM9AXKP042788-1",
            "1m8GDM9AXKP042788",
            "serial 1M8GDM9AXKP042788",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
