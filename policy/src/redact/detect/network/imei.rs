//! Numbers of mobile devices (IMEI).
//!
//! Type allocation code of eight digits, serial number of six, Luhn's digit (3GPP TS 23.003,
//! section 6.2.1; GSMA TS.06). Written `AA-BBBBBB-CCCCCC-D` it is found as it stands; bare, words
//! must name it. The form with a software version (IMEISV) has 16 digits and no check digit.

use crate::redact::detect::checksum::{is_uniform, luhn};
use crate::redact::detect::token::{Plain, mark_at};
use crate::redact::detect::{BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Imei,
    start: Start::Digits { lengths: &[2, 6, 8, 15, 16], before: &[Before::Clear] },
    check,
    // Wikipedia's examples of the check digit and of the structure.
    valid: ["490154203237518", "352099001761481"],
    invalid: ["490154203237517", "000000000000000"],
    label: "imei",
    words: &[
        "imei",
        "imei number",
        "imei no",
        "imei1",
        "imei2",
        "imeisv",
        "imei 1",
        "imei 2",
        "device imei",
        "numéro imei",
        "número imei",
        "gerätenummer",
        "手机串号",
        "串号",
        "端末識別番号",
    ],
    about: "Luhn, only where named or in its printed form",
    ..BASE
};

/// The ways in which it is printed.
const GROUPINGS: [&[usize]; 3] = [&[2, 6, 6, 1], &[6, 2, 6, 1], &[8, 6, 1]];

fn check(site: &Site<'_>) -> Option<Hit> {
    let range = site.trigger.clone();
    let digits = &site.text[range.clone()];
    if digits.len() == 15 {
        let valid = site.ends(range.end) && luhn(digits) && !is_uniform(digits);
        return valid.then(|| site.if_named(range, "imei", Confidence::Checksum)).flatten();
    }
    if digits.len() == 16 {
        let valid = site.ends(range.end) && !is_uniform(digits);
        return valid.then(|| site.if_labelled(range, "imei-sv", Confidence::Context)).flatten();
    }
    let mark = mark_at(site, range.end, b" -/")?;
    let end = GROUPINGS.iter().find_map(|grouping| grouped(site, mark, grouping))?;
    let number = Plain::<15>::read(&site.text[range.start..end])?;
    if !site.ends(end) || !luhn(number.bytes()) || is_uniform(number.bytes()) {
        return None;
    }
    let range = range.start..end;
    if mark == b"-" {
        site.unless_denied(range, "imei", Confidence::Checksum)
    } else {
        site.if_named(range, "imei", Confidence::Checksum)
    }
}

fn grouped(site: &Site<'_>, mark: &[u8], grouping: &[usize]) -> Option<usize> {
    let mut at = site.trigger.start;
    for (place, size) in grouping.iter().enumerate() {
        if place > 0 {
            site.text[at..].starts_with(mark).then_some(())?;
            at += mark.len();
        }
        let end = site.run(at, 16, |byte| byte.is_ascii_digit());
        (end - at == *size).then_some(())?;
        at = end;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn the_printed_form_stands_by_itself() {
        assert_eq!(found("49-015420-323751-8"), [(Kind::Imei, "49-015420-323751-8")]);
        assert_eq!(found("IMEI 35 209900 176148 1"), [(Kind::Imei, "35 209900 176148 1")]);
        assert_eq!(found("imeisv: 3520990017614823"), [(Kind::Imei, "3520990017614823")]);
        for text in ["35 209900 176148 1", "49-015420-323751-7", "490154203237518"] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
