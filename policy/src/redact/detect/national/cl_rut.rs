//! Chilean numbers of persons and companies (rol único tributario, RUT).
//!
//! Seven or eight digits and a digit or K that checks them modulo 11
//! (<https://es.wikipedia.org/wiki/Rol_%C3%9Anico_Tributario>). Written `12.345.678-5` it is found as it
//! stands; without the dots it could be much else, and must be named.

use super::layout;
use crate::redact::detect::checksum::is_uniform;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Rut,
    start: Start::Digits { lengths: &[1, 2, 7, 8, 9], before: &[Before::Clear] },
    after: &[
        After::Clear,
        After::Space,
        After::Word,
        After::Dash,
        After::Dot,
        After::Sign,
        After::Letter,
    ],
    check,
    // Wikipedia's example, and python-stdnum's.
    valid: ["12.345.678-5", "12.531.909-2"],
    invalid: ["12.345.678-6", "12.531.909-3"],
    words: &[
        "rut",
        "r u t",
        "rut no",
        "rut empresa",
        "rol único tributario",
        "rol unico tributario",
        "rol único nacional",
        "rol unico nacional",
        "rol único",
        "rol unico",
        "rut run",
    ],
    about: "check digit modulo 11; without its dots only where named",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.start;
    let long = ["99.999.999-x", "99999999-x", "99999999x"];
    let short = ["9.999.999-x", "9999999-x", "9999999x"];
    let (range, layout, valid) = if let Some(laid) = layout::read::<9>(site, start, &long) {
        (laid.range, laid.layout, is_checked(&laid.chars))
    } else {
        let laid = layout::read::<8>(site, start, &short)?;
        (laid.range, laid.layout, is_checked(&laid.chars))
    };
    if !valid {
        return None;
    }
    if layout == 0 {
        return Some(Hit::sure(range, "cl-rut", Confidence::Checksum));
    }
    site.if_named(range, "cl-rut", Confidence::Checksum)
}

fn is_checked(chars: &[u8]) -> bool {
    let Some((check, digits)) = chars.split_last() else { return false };
    let weights = (2..=7).cycle();
    let sum: u32 = digits.iter().rev().zip(weights).map(|(d, w)| u32::from(d - b'0') * w).sum();
    let expected = match 11 - sum % 11 {
        11 => b'0',
        10 => b'K',
        digit => b'0' + digit as u8,
    };
    expected == *check && !is_uniform(digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn without_its_dots_words_must_say_what_it_is() {
        assert_eq!(found("12345678-5 and 123456785"), []);
        for value in ["12345678-5", "123456785", "6265837-1"] {
            assert_eq!(found(&format!("RUT: {value}")), [(Kind::Rut, value)]);
        }
    }

    #[test]
    fn the_check_digit_may_be_a_k() {
        // By hand: 3·2 + 1·3 + 1·3 = 12, which is 1 modulo 11, so 10 is missing.
        for value in ["10.000.013-K", "10.000.013-k"] {
            assert_eq!(found(value), [(Kind::Rut, value)]);
        }
    }

    #[test]
    fn it_is_no_part_of_a_longer_number() {
        for text in
            ["112.345.678-5", "12.345.678-55", "12.345.678-5-1", "1.12.345.678-5", "11.111.111-1"]
        {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
