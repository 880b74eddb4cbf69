//! Belgian national register and BIS numbers (rijksregisternummer, numéro de registre national).
//!
//! Date of birth, a serial number, and two digits that complete the rest to a multiple of 97; who
//! was born since 2000 has a 2 before it for that. In a BIS number the month is 20 or 40 higher;
//! month and day are 0 where they are not known
//! (<https://nl.wikipedia.org/wiki/Rijksregisternummer>, after the royal decrees of 3 April 1984
//! and 25 November 1997). In groups it is found as it stands, bare only where words say what it is.

use super::layout::{self, Laid};
use crate::redact::detect::checksum::{is_date, number, remainder};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::BelgianNn,
    start: Start::Digits { lengths: &[2, 6, 11], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Dash, After::Dot, After::Sign],
    check,
    // python-stdnum's examples, the second of somebody born in 2017.
    valid: ["85.07.30-033.28", "17.07.30-033.84"],
    // Wrong check digits; no such month.
    invalid: ["85.07.30-033.29", "85.13.30-033.28"],
    words: &[
        "rijksregisternummer",
        "rijksregisternr",
        "rijksregister",
        "rrnr",
        "nationaal nummer",
        "insz",
        "insz nummer",
        "niss",
        "numéro niss",
        "registre national",
        "numéro de registre national",
        "numéro national",
        "numero national",
        "nationalregisternummer",
        "national register number",
        "national registry number",
        "national number",
        "bis nummer",
        "numéro bis",
        "belgian national number",
        "belgian nn",
        "national id",
    ],
    about: "date and check digits (mod 97); bare only where named",
    ..BASE
};

/// Those before [`WEAK`] are distinct.
const LAYOUTS: [&str; 11] = [
    "99.99.99-999.99",
    "99.99.99-999-99",
    "99.99.99 999 99",
    "99.99.99-99999",
    "99-99-99-999-99",
    "999999-999.99",
    "999999-999-99",
    "99 99 99 999 99",
    "999999 999 99",
    "999999-99999",
    "99999999999",
];
const WEAK: usize = 9;

fn check(site: &Site<'_>) -> Option<Hit> {
    // Two digits stand in most lines of most texts.
    let after = site.byte(site.trigger.end + 1);
    if site.trigger.len() == 2
        && !after.is_some_and(|byte| byte.is_ascii_digit() || !byte.is_ascii())
    {
        return None;
    }
    let Laid { chars, range, layout }: Laid<11> = layout::read(site, site.trigger.start, &LAYOUTS)?;
    if !is_born(number(&chars[2..4]), number(&chars[4..6])) || !checks(&chars) {
        return None;
    }
    if layout < WEAK {
        site.unless_denied(range, "be-national-number", Confidence::Checksum)
    } else {
        site.if_named(range, "be-national-number", Confidence::Checksum)
    }
}

fn is_born(month: u32, day: u32) -> bool {
    match month {
        0 | 20 | 40 => day <= 31,
        1..=12 | 21..=32 | 41..=52 => day == 0 || is_date(month % 20, day),
        _ => false,
    }
}

fn checks(chars: &[u8; 11]) -> bool {
    let key = u64::from(number(&chars[9..]));
    let rest = remainder(&chars[..9], 97);
    // A 2 before nine digits.
    let rest_since_2000 = (2_000_000_000 + rest) % 97;
    let serial = number(&chars[6..9]);
    let fits = |rest: u64| 97 - rest == key;
    matches!(serial, 1..=998) && (fits(rest) || fits(rest_since_2000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_is_found_in_the_ways_it_is_written() {
        // The last two are BIS numbers of python-stdnum's.
        for text in [
            "93.05.18-223.61",
            "850730-033-28",
            "85 07 30 033 28",
            "850730-033.28",
            "85-07-30-033-28",
            "98.47.28-997.65",
            "01.49.07-001.85",
        ] {
            assert_eq!(found(text), [(Kind::BelgianNn, text)]);
        }
        for text in ["85073003328", "850730-03328"] {
            assert_eq!(found(text), [], "{text}");
            let sentence = format!("Rijksregisternummer: {text}");
            assert_eq!(found(&sentence), [(Kind::BelgianNn, text)]);
        }
    }

    #[test]
    fn what_nearly_looks_like_one_is_none() {
        for text in [
            "1.85.07.30-033.28",
            "85.07.30-033.28.1",
            "85.07.30-033.281",
            "order 85.07.30-033.28",
            "85.07.32-033.28",
            "x85.07.30-033.28",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
