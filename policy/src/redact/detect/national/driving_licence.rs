//! Numbers of driving licences, but for Britain's, which has a form of its own
//! ([`uk_driving_licence`](super::uk_driving_licence)).
//!
//! Letters and digits, seven to seventeen, in groups or not
//! (<https://ntsi.com/drivers-license-format/> for the states of the United States), and only words
//! make them one.

use std::ops::Range;

use crate::redact::detect::token::{gap_after, is_bare, is_in_path, start_of_word};
use crate::redact::detect::{BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::DrivingLicence,
    start: Start::Digits {
        lengths: &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
        before: &[Before::Clear, Before::Letter, Before::Joint],
    },
    check,
    // The specimens of California's and of Germany's licence.
    valid: ["I1234562", "B072RRE2I55"],
    invalid: ["I1234", "2030-05-20"],
    label: "driver's license",
    words: WORDS,
    needs_words: true,
    about: "shape",
    ..BASE
};

#[rustfmt::skip]
pub(super) const WORDS: &[&str] = &[
    "driver s license", "driver s licence", "drivers license", "drivers licence", "driver license",
    "driver licence", "driver s license number", "driver license number", "driving license",
    "driving licence", "driving licence number", "driving license number", "driverslicense",
    "driverlicense", "drivinglicence", "drivinglicense", "dl number", "dl no", "dl num", "dl", "license number", "licence number", "license no", "licence no",
    "driving permit", "driver s permit", "licence to drive", "dvla",
    "führerschein", "führerscheinnummer", "fuehrerschein", "fuehrerscheinnummer", "fahrerlaubnis",
    "permis de conduire", "numéro de permis", "carnet de conducir", "permiso de conducir",
    "licencia de conducir", "licencia de manejo", "patente di guida", "numero patente",
    "carta de condução", "carteira de motorista", "cnh", "rijbewijs", "rijbewijsnummer", "körkort",
    "körkortsnummer", "kørekort", "førerkort", "ajokortti", "prawo jazdy", "prawa jazdy",
    "řidičský průkaz", "vodičský preukaz", "jogosítvány", "permis de conducere", "ehliyet",
    "sürücü belgesi", "vozačka dozvola", "водительское удостоверение",
    "водительского удостоверения", "驾驶证", "驾驶证号", "驾照", "駕照", "駕駛執照", "運転免許",
    "運転免許証", "免許証番号", "운전면허", "운전면허번호", "ड्राइविंग लाइसेंस", "رخصة القيادة",
    "רישיון נהיגה",
];

const RULE: &str = "driving-licence";

fn check(site: &Site<'_>) -> Option<Hit> {
    let range = grouped(site)?;
    let text = &site.text[range.clone()];
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let length = text.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
    let lower = text.iter().any(u8::is_ascii_lowercase);
    if !(6..=18).contains(&length) || digits < 4 || is_moment(text) || is_in_path(site, &range) {
        return None;
    }
    let hit = site.if_named(range.clone(), RULE, Confidence::Context)?;
    let start = range.start;
    if site.if_labelled(range, RULE, Confidence::Context).is_some() {
        return Some(hit);
    }
    // Two letters say it only right before.
    let short = hit.word == Some("dl") && !gap_after(site, "dl", start, 4).is_some_and(is_bare);
    let usual = !lower && length >= 7 && (digits < length || length <= 12);
    (usual && !short).then_some(hit)
}

/// Groups of capitals and digits, the first digits of which are the trigger.
fn grouped(site: &Site<'_>) -> Option<Range<usize>> {
    let mut start = start_of_word(site, 6)?;
    // `MH-14 2011...`: the state's letters stand apart.
    if start == site.trigger.start
        && let [.., a, b, b'-' | b' '] = site.text[..start]
        && a.is_ascii_uppercase()
        && b.is_ascii_uppercase()
    {
        start -= 3;
    }
    let is_part = |byte: u8| byte.is_ascii_alphanumeric();
    let mut end = site.run(site.trigger.start, 20, is_part);
    while matches!(site.byte(end), Some(b'-' | b' ')) && end < start + 20 {
        let next = site.run(end + 1, 20, |byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
        let group = &site.text[end + 1..next];
        let spaced = site.text[end] == b' ';
        let fits = !group.is_empty()
            && !site.byte(next).is_some_and(is_part)
            && (!spaced || (group.len() > 1 && group.iter().all(u8::is_ascii_digit)));
        if !fits {
            break;
        }
        end = next;
    }
    (site.starts(start) && site.ends(end)).then_some(start..end)
}

/// A date, or seconds since 1970.
fn is_moment(text: &[u8]) -> bool {
    let digits = |range: Range<usize>| {
        text.get(range).is_some_and(|part| part.iter().all(u8::is_ascii_digit))
    };
    match text.len() {
        8 => digits(0..8) && matches!(text, [b'1', b'9', ..] | [b'2', b'0', ..]),
        10 => {
            (digits(0..10) && matches!(text, [b'1', b'6' | b'7', ..]))
                || (digits(0..4) && text[4] == b'-' && text[7] == b'-')
                || (digits(6..10) && text[2] == b'-' && text[5] == b'-')
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn others_must_be_named() {
        for (text, value) in [
            ("Driver's License: D1234567", "D1234567"),
            ("driver license S123-4567-8901", "S123-4567-8901"),
            ("driving licence MH-14 20110062821", "MH-14 20110062821"),
            ("Führerschein B072RRE2I55", "B072RRE2I55"),
            ("DL# D1234567", "D1234567"),
            ("licence to drive A1234-56789-01234", "A1234-56789-01234"),
            ("permis de conduire: 123456789012", "123456789012"),
            ("운전면허번호 11-12-345678-90", "11-12-345678-90"),
            ("\"driversLicense\": \"12345678\"", "12345678"),
        ] {
            assert_eq!(found(text), [(Kind::DrivingLicence, value)], "{text}");
        }
        for text in [
            "D1234567",
            "the driver license expires on 2030-05-20",
            "software license D1234567",
            "aaAA0aa+dl+AAA+A00A00A/0a",
            "dl and then D1234567",
            "driver's license 1234",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
