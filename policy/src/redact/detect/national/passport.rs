//! Passport numbers.
//!
//! At most nine letters and digits, as the machine-readable zone has place for (ICAO Doc 9303,
//! part 4, section 4.2.2); which, each country decides: nine digits in the United States and the
//! United Kingdom, two letters and seven digits in Italy, Japan and Poland, a letter and seven or
//! eight digits in India, China and Australia, two digits, two letters and five digits in France,
//! letters without vowels anywhere in Germany. No check digit is part of it, so only words make it
//! one.

use std::ops::Range;

use crate::redact::detect::token::{is_in_path, word_around};
use crate::redact::detect::{BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Passport,
    start: Start::Digits {
        lengths: &[1, 2, 3, 4, 5, 6, 7, 8, 9],
        before: &[Before::Clear, Before::Letter],
    },
    check,
    // The specimens of ICAO Doc 9303 and of Germany's passport.
    valid: ["L898902C3", "C01X00T47"],
    invalid: ["L8989", "ABCDEFGH1"],
    label: "passport number",
    needs_words: true,
    words: WORDS,
    about: "shape",
    ..BASE
};

#[rustfmt::skip]
const WORDS: &[&str] = &[
    "passport", "passports", "passport number", "passport no", "passport num", "passportnumber",
    "passportno", "passport id", "travel document", "travel document number",
    "reisepass", "reisepassnummer", "passnummer", "reisepass nr", "pass nr", "passeport",
    "numéro de passeport", "pasaporte", "número de pasaporte", "numero de pasaporte", "passaporto",
    "numero di passaporto", "numero passaporto", "passaporte", "número do passaporte", "paspoort",
    "paspoortnummer", "passnummer", "passinumero", "passin numero", "paszport", "paszportu",
    "numer paszportu", "cestovní pas", "číslo pasu", "útlevél", "útlevélszám", "pașaport",
    "pasaport", "pasaport no", "pasaport numarası", "putovnica", "διαβατήριο",
    "паспорт", "паспорта", "загранпаспорт", "护照", "护照号", "护照号码", "護照", "護照號碼",
    "パスポート", "パスポート番号", "旅券", "旅券番号", "여권", "여권번호", "पासपोर्ट",
    "جواز السفر", "דרכון",
];

fn check(site: &Site<'_>) -> Option<Hit> {
    let range = spaced(site).or_else(|| word_around(site, 8, 10))?;
    let text = &site.text[range.clone()];
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let length = text.iter().filter(|byte| **byte != b' ').count();
    let letters = length - digits;
    let lower = text.iter().any(u8::is_ascii_lowercase);
    // Germany's, France's and the Netherlands' mix both freely, in capitals.
    let mixed = matches!(length, 9 | 10) && digits >= 2 && !lower && length == text.len();
    if !(7..=10).contains(&length)
        || ((digits < 4 || letters > 4) && !mixed)
        || is_in_path(site, &range)
    {
        return None;
    }
    let usual = match letters {
        1..=3 => (7..=9).contains(&length) && digits >= 5,
        _ => length == 9 && letters <= 4,
    };
    if usual && !lower {
        return site.if_named(range, "passport", Confidence::Context);
    }
    site.if_labelled(range, "passport", Confidence::Context)
}

/// `AB 1234567`, `45 12 345678`: letters or a series, and the number after a space.
fn spaced(site: &Site<'_>) -> Option<Range<usize>> {
    let number = site.trigger.clone();
    let space = number.start.checked_sub(1).filter(|at| site.text[*at] == b' ')?;
    let window = &site.text[space.saturating_sub(3)..space];
    let letters = window.iter().rev().take_while(|byte| byte.is_ascii_uppercase()).count();
    let start = space - letters;
    let fits = matches!((letters, number.len()), (1, 7 | 8) | (2, 6 | 7));
    (fits && site.starts(start) && site.ends(number.end)).then_some(start..number.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn countries_have_their_shapes() {
        for (text, value) in [
            ("passport 533401372", "533401372"),
            ("Reisepass: C01X00T47.", "C01X00T47"),
            ("passeport n° 12AB34567", "12AB34567"),
            ("パスポート番号はTK1234567です", "TK1234567"),
            ("my Indian passport is J8369854, issued", "J8369854"),
            ("护照号码：E12345678", "E12345678"),
            ("Passaporto YA 1234567", "YA 1234567"),
            ("pasaporte: xdb123456", "xdb123456"),
        ] {
            assert_eq!(found(text), [(Kind::Passport, value)], "{text}");
        }
    }

    #[test]
    fn other_words_are_none() {
        for text in [
            "C01X00T47",
            "passport-jwt 4.0.1 and passport-local 1.0.0",
            "the passport expires 20300520",
            "passport photo 35mm x 45mm",
            "passport_v2beta1 abc123456",
            "order 533401372 for a passport",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
