//! Mexican population registry codes (clave única de registro de población).
//!
//! Eighteen characters: four letters of the name, the date of birth, the sex, the state, three
//! consonants of the name, one character against duplicates, and a digit that checks them all
//! (<https://www.gob.mx/segob/renapo/acciones-y-programas/clave-unica-de-registro-de-poblacion-curp-142226>,
//! <https://es.wikipedia.org/wiki/Clave_%C3%9Anica_de_Registro_de_Poblaci%C3%B3n>).

use super::layout;
use crate::redact::detect::checksum::{base_36, is_six_digit_date};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Curp,
    start: Start::Digits { lengths: &[6], before: &[Before::Letter] },
    after: &[After::Letter],
    check,
    // python-stdnum's example, and the registry's.
    valid: ["BOXW310820HNERXN09", "HEGG560427MVZRRL04"],
    // A wrong check digit; no such month.
    invalid: ["BOXW310820HNERXN08", "BOXW311320HNERXN09"],
    words: &[
        "curp",
        "clave única de registro de población",
        "clave unica de registro de poblacion",
        "clave única",
        "clave unica",
    ],
    about: "date, sex, state and check digit",
    ..BASE
};

/// The states, and NE for those born abroad.
const STATES: &[u8; 66] = b"ASBCBSCCCLCMCSCHDFDGGTGRHGJCMCMNMSNTNLOCPLQTQRSPSLSRTCTSTLVZYNZSNE";

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.start.checked_sub(4)?;
    let laid = layout::read::<18>(site, start, &["aaaa999999aaaaaax9"])?;
    let chars = &laid.chars;
    let is_shaped = site.starts(start)
        && is_six_digit_date(&chars[4..10])
        && matches!(chars[10], b'H' | b'M' | b'X')
        && STATES.chunks(2).any(|state| *state == chars[11..13])
        && chars[13..16].iter().all(|letter| !b"AEIOU".contains(letter));
    (is_shaped && is_checked(chars)).then_some(Hit::sure(
        laid.range,
        "mx-curp",
        Confidence::Checksum,
    ))
}

fn is_checked(chars: &[u8; 18]) -> bool {
    // In the registry's alphabet, Ñ stands between N and O.
    let value = |byte: u8| base_36(byte) + u32::from(byte > b'N');
    let sum: u32 = chars[..17].iter().zip((2..=18).rev()).map(|(c, w)| value(*c) * w).sum();
    (10 - sum % 10) % 10 == u32::from(chars[17] - b'0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_is_whole_or_none() {
        assert_eq!(found("CURP:BOXW310820HNERXN09."), [(Kind::Curp, "BOXW310820HNERXN09")]);
        assert_eq!(found("curp boxw310820hnerxn09"), [(Kind::Curp, "boxw310820hnerxn09")]);
        for text in [
            "ABOXW310820HNERXN09",
            "BOXW310820HNERXN091",
            "x_BOXW310820HNERXN09",
            "BOXW310820HXXRXN09",
            "BOXW310820ANERXN09",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
