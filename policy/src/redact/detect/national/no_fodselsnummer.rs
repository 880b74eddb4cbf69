//! Norwegian birth and D numbers (fødselsnummer, D-nummer).
//!
//! Date of birth, three digits, and two check digits modulo 11; in a D number the day is 40 higher
//! (Norwegian Tax Administration,
//! <https://www.skatteetaten.no/en/person/foreign/norwegian-identification-number/>; scheme after
//! <https://no.wikipedia.org/wiki/F%C3%B8dselsnummer>). Numbers made for tests have a month that is
//! 40 or 80 higher. In two groups it is found as it stands, bare only where words say what it is.

use super::layout::{self, Laid};
use crate::redact::detect::checksum::{is_date, number, weighted};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Fodselsnummer,
    start: Start::Digits { lengths: &[6, 11], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Dash, After::Sign],
    check,
    label: "fødselsnummer",
    // python-stdnum's example; a D number that Norway's labour administration tests with
    // (https://github.com/navikt/fnrvalidator).
    valid: ["15108695088", "53097248016"],
    // A wrong check digit; no such day.
    invalid: ["15108695077", "32108695088"],
    words: &[
        "fødselsnummer",
        "fødselsnummeret",
        "fodselsnummer",
        "foedselsnummer",
        "fødselsnr",
        "fodselsnr",
        "fødsels og personnummer",
        "fnr",
        "personnummer",
        "personnr",
        "d nummer",
        "dnummer",
        "norwegian national identity number",
        "norwegian birth number",
        "national identity number",
        "national id",
    ],
    about: "date and two check digits (mod 11); bare only where named",
    ..BASE
};

const LAYOUTS: [&str; 3] = ["999999 99999", "999999-99999", "99999999999"];
/// The check digits count once.
const FIRST: [u32; 10] = [3, 7, 6, 1, 8, 9, 4, 5, 2, 1];
const SECOND: [u32; 11] = [5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1];

fn check(site: &Site<'_>) -> Option<Hit> {
    let Laid { chars, range, layout }: Laid<11> = layout::read(site, site.trigger.start, &LAYOUTS)?;
    let checks =
        weighted(&chars, &FIRST).is_multiple_of(11) && weighted(&chars, &SECOND).is_multiple_of(11);
    let day = number(&chars[..2]);
    let day = if day > 40 { day - 40 } else { day };
    let month = number(&chars[2..4]);
    if !checks || !is_date(month % 40, day) || month > 92 {
        return None;
    }
    if layout < 2 && month <= 12 {
        site.unless_denied(range, "no-fodselsnummer", Confidence::Checksum)
    } else {
        site.if_named(range, "no-fodselsnummer", Confidence::Checksum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn in_two_groups_it_needs_no_words() {
        for text in ["151086 95088", "151086-95088", "530972 48016"] {
            assert_eq!(found(text), [(Kind::Fodselsnummer, text)]);
        }
        assert_eq!(found("fnr=13097248022"), [(Kind::Fodselsnummer, "13097248022")]);
    }

    #[test]
    fn what_nearly_looks_like_one_is_none() {
        for text in [
            "151086 950880",
            "1 151086-95088-1",
            "15108695088",
            "fnr 115108695088",
            "151086 95089",
            "fnr 15508695088",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
