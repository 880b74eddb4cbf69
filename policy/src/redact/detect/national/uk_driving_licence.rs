//! British driving licences.
//!
//! The number says who it belongs to: five characters of the surname, the digits of the date of
//! birth around those of the month (plus 50 for women), initials, and check characters
//! (<https://en.wikipedia.org/wiki/Driving_licence_in_the_United_Kingdom>).

use std::ops::Range;

use crate::redact::detect::checksum::{is_date, number};
use crate::redact::detect::token::start_of_word;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::DrivingLicence,
    start: Start::Digits { lengths: &[6, 7, 8, 9, 10], before: &[Before::Letter] },
    after: &[After::Letter],
    check,
    // The DVLA's specimen, and one after its rules.
    valid: ["MORGA657054SM9IJ", "JONES711215A99AB"],
    // No such month; no such day.
    invalid: ["MORGA699054SM9IJ", "MORGA657954SM9IJ"],
    words: super::driving_licence::WORDS,
    about: "Britain's structure, with the date of birth",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let range = british(site)?;
    site.unless_denied(range, "driving-licence-uk", Confidence::Shape)
}

/// `MORGA657054SM9IJ`, with or without a space before the two digits.
fn british(site: &Site<'_>) -> Option<Range<usize>> {
    let start = start_of_word(site, 5)?;
    let text: &[u8; 16] = site.text.get(start..start + 16)?.as_array()?;
    let (surname, rest) = text.split_first_chunk::<5>()?;
    let padded = surname.iter().position(|byte| *byte == b'9').unwrap_or(surname.len());
    let named = padded >= 1
        && surname[..padded].iter().all(u8::is_ascii_uppercase)
        && surname[padded..].iter().all(|byte| *byte == b'9');
    let born = &rest[..6];
    let initials = rest[6..8].iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'9');
    let checks = rest[8].is_ascii_digit() && rest[9..].iter().all(u8::is_ascii_uppercase);
    if !named || !born.iter().all(u8::is_ascii_digit) || !initials || !checks {
        return None;
    }
    let month = number(&born[1..3]);
    let month = if month > 50 { month - 50 } else { month };
    let end = start + 16;
    let whole = is_date(month, number(&born[3..5])) && site.starts(start) && site.ends(end);
    whole.then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_is_found_as_it_stands() {
        for text in ["MORGA657054SM9IJ", "JONES711215A99AB", "FO999601019A99AB"] {
            assert_eq!(found(text), [(Kind::DrivingLicence, text)]);
        }
        for text in
            ["MORGA699054SM9IJ", "MORGA657954SM9IJ", "MORGA657054SM9I1", "XMORGA657054SM9IJ"]
        {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
