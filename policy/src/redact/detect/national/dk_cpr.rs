//! Danish CPR numbers.
//!
//! Date of birth and four digits. They are a multiple of 11 when weighted, but numbers given out
//! since 2007 need not be (CPR Office,
//! <https://cpr.dk/cpr-systemet/personnumre-uden-kontrolciffer-modulus-11-kontrol>). With a dash
//! and that checksum it is found as it stands, unless it starts with what could be a recent date,
//! the year first or last; all others only where words say what they are.

use super::layout::{self, Laid};
use super::se_personnummer;
use crate::redact::detect::checksum::{is_date, is_recent_date, number, weighted};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Cpr,
    start: Start::Digits { lengths: &[6, 10], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Dash, After::Sign],
    check,
    // python-stdnum's example; the CPR Office's
    // (https://cpr.dk/media/17534/personnummeret-i-cpr.pdf, page 10).
    valid: ["211062-5629", "070761-4285"],
    // No such day; no checksum, and nothing that says what it is.
    invalid: ["511062-5629", "070761-4286"],
    words: &[
        "cpr",
        "cprnr",
        "cpr nr",
        "cprnummer",
        "cpr nummer",
        "cpr number",
        "det centrale personregister",
        "danish personal identification number",
        SHARED,
    ],
    about: "date and checksum (mod 11); without it only where named",
    ..BASE
};

/// The word that the Swedish have for theirs too.
const SHARED: &str = "personnummer";
const LAYOUTS: [&str; 3] = ["999999-9999", "9999999999", "999999 9999"];
const WEIGHTS: [u32; 10] = [4, 3, 2, 7, 6, 5, 4, 3, 2, 1];

fn check(site: &Site<'_>) -> Option<Hit> {
    let Laid { chars, range, layout }: Laid<10> = layout::read(site, site.trigger.start, &LAYOUTS)?;
    let day = number(&chars[..2]);
    let is_replacement = day > 60;
    let day = if is_replacement { day - 60 } else { day };
    if !is_date(number(&chars[2..4]), day) {
        return None;
    }
    let checks = weighted(&chars, &WEIGHTS).is_multiple_of(11);
    let is_distinct = layout == 0 && checks && !is_replacement && !is_recent_date(&chars[..6]);
    let mut hit = if is_distinct {
        site.unless_denied(range, "dk-cpr", Confidence::Checksum)?
    } else {
        site.if_named(range, "dk-cpr", Confidence::Context)?
    };
    let is_ours = hit.word.is_some_and(|word| word != SHARED);
    let is_swedish = se_personnummer::is_valid(&chars) && !se_personnummer::is_coordination(&chars);
    if !is_ours && is_swedish {
        hit.confidence = Confidence::Shape;
    }
    Some(hit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn without_dash_or_checksum_it_must_be_named() {
        for text in ["0707614285", "070761 4285", "070761-4286", "0107094321", "240703-4018"] {
            assert_eq!(found(text), [], "{text}");
            let sentence = format!("CPR-nr. {text}");
            assert_eq!(found(&sentence), [(Kind::Cpr, text)]);
        }
        assert_eq!(found("\"cprNummer\": \"0707614286\""), [(Kind::Cpr, "0707614286")]);
    }

    #[test]
    fn what_could_be_swedish_is_what_it_is_called() {
        // A date both ways, Luhn's digit and the Danish checksum.
        let both = (0..10_000)
            .map(|serial| format!("010203{serial:04}"))
            .find(|text| {
                se_personnummer::is_valid(text.as_bytes().try_into().unwrap())
                    && weighted(text.as_bytes(), &WEIGHTS).is_multiple_of(11)
            })
            .unwrap();
        let both = format!("{}-{}", &both[..6], &both[6..]);
        assert_eq!(found(&both), [(Kind::Personnummer, both.as_str())]);
        let sentence = format!("personnummer {both}");
        assert_eq!(found(&sentence), [(Kind::Personnummer, both.as_str())]);
        let sentence = format!("CPR {both}");
        assert_eq!(found(&sentence), [(Kind::Cpr, both.as_str())]);
    }

    #[test]
    fn what_nearly_looks_like_one_is_none() {
        for text in [
            "CPR 311361-4285",
            "CPR 070761-42855",
            "CPR 1-070761-4285",
            "x070761-4285",
            "order 070761-4285",
            "070761-4285-1",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
