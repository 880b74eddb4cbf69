//! Argentinian tax numbers (CUIT, and CUIL of employees).
//!
//! Two digits for the kind of holder, eight digits and one that checks them modulo 11
//! (<https://es.wikipedia.org/wiki/Clave_%C3%9Anica_de_Identificaci%C3%B3n_Tributaria>). With dashes it is
//! found as it stands, bare only where named.

use super::layout;
use crate::redact::detect::checksum::weighted;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Cuit,
    start: Start::Digits { lengths: &[2, 11], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Dash, After::Dot, After::Sign],
    check,
    // python-stdnum's example, and that of the tax authority itself.
    valid: ["20-05536168-2", "33-69345023-9"],
    // A wrong check digit; no such kind of holder.
    invalid: ["20-05536168-3", "21-69345023-9"],
    words: &[
        "cuit",
        "cuil",
        "cuit no",
        "cuit cuil",
        "clave única de identificación tributaria",
        "clave unica de identificacion tributaria",
        "identificación tributaria",
        "código único de identificación laboral",
        "codigo unico de identificacion laboral",
    ],
    about: "kind of holder and check digit; bare only where named",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let layouts = ["99-99999999-9", "99 99999999 9", "99.99999999.9", "99999999999"];
    let laid = layout::read::<11>(site, site.trigger.start, &layouts)?;
    if !is_kind(laid.chars[0], laid.chars[1]) || !is_checked(&laid.chars) {
        return None;
    }
    if laid.layout == 0 {
        return Some(Hit::sure(laid.range, "ar-cuit", Confidence::Checksum));
    }
    site.if_named(laid.range, "ar-cuit", Confidence::Checksum)
}

const fn is_kind(tens: u8, ones: u8) -> bool {
    matches!(
        (tens, ones),
        (b'2', b'0' | b'3'..=b'7') | (b'3', b'0' | b'3' | b'4') | (b'5', b'0' | b'1' | b'5')
    )
}

fn is_checked(digits: &[u8; 11]) -> bool {
    let expected = match 11 - weighted(digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11 {
        11 => 0,
        10 => 9,
        digit => digit,
    };
    expected == u32::from(digits[10] - b'0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn bare_words_must_say_what_it_is() {
        assert_eq!(found("20055361682"), []);
        for value in ["20055361682", "20 05536168 2"] {
            assert_eq!(found(&format!("CUIT: {value}")), [(Kind::Cuit, value)]);
            assert_eq!(found(&format!("mi cuil es {value}.")), [(Kind::Cuit, value)]);
        }
    }

    #[test]
    fn it_is_no_part_of_a_longer_number() {
        for text in ["120-05536168-2", "20-05536168-21", "20-05536168-2-1", "7-20-05536168-2"] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
