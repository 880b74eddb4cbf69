//! Polish PESEL numbers.
//!
//! Year, month and day of birth, where the month tells the century, four digits and a check digit
//! (act on the population register; scheme after <https://en.wikipedia.org/wiki/PESEL>). Bare
//! digits as they are, words must say what it is.

use super::layout::{self, Laid};
use crate::redact::detect::checksum::{is_date, number, weighted};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Pesel,
    start: Start::Digits { lengths: &[6, 11], before: &[Before::Clear] },
    after: &After::BARE,
    check,
    label: "PESEL",
    // python-stdnum's example; gov.pl's.
    valid: ["44051401359", "02070803628"],
    // A wrong check digit; no such day.
    invalid: ["44051401358", "02381307589"],
    needs_words: true,
    words: &[
        "pesel",
        "nr pesel",
        "numer pesel",
        "numeru pesel",
        "pesel number",
        "polish national id",
        "national id",
        "national identification number",
    ],
    about: "date and check digit",
    ..BASE
};

const LAYOUTS: [&str; 2] = ["99999999999", "999999 99999"];
/// The check digit counts once.
const WEIGHTS: [u32; 11] = [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1];

fn check(site: &Site<'_>) -> Option<Hit> {
    let Laid { chars, range, .. }: Laid<11> = layout::read(site, site.trigger.start, &LAYOUTS)?;
    let (month, day) = (number(&chars[2..4]), number(&chars[4..6]));
    if !is_date(month % 20, day) || !weighted(&chars, &WEIGHTS).is_multiple_of(10) {
        return None;
    }
    site.if_named(range, "pl-pesel", Confidence::Checksum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_is_found_where_it_is_named() {
        assert_eq!(found("legitymujący się nr PESEL 44051401458"), [(Kind::Pesel, "44051401458")]);
        assert_eq!(found("{\"peselNumber\":\"44051401458\"}"), [(Kind::Pesel, "44051401458")]);
        assert_eq!(found("44051401458"), []);
    }

    #[test]
    fn the_month_tells_the_century() {
        for month in ["05", "25", "45", "65", "85"] {
            let body = format!("44{month}140135");
            let check = (10 - weighted(body.as_bytes(), &WEIGHTS[..10]) % 10) % 10;
            let text = format!("{body}{check}");
            assert_eq!(found(&format!("pesel={text}")), [(Kind::Pesel, text.as_str())]);
        }
    }

    #[test]
    fn what_nearly_looks_like_one_is_none() {
        for text in [
            "PESEL 440514014580",
            "PESEL 11110021111",
            "PESEL 1111321111",
            "PESEL a44051401458",
            "PESEL 44051401458.5",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
