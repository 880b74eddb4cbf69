//! Turkish identity numbers (T.C. kimlik numarası).
//!
//! Eleven digits, the first not 0, with two check digits (scheme after
//! <https://en.wikipedia.org/wiki/Turkish_Identification_Number>). Bare digits as they are, words
//! must say what it is.

use super::layout::{self, Laid};
use crate::redact::detect::checksum::weighted;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Tckn,
    start: Start::Digits { lengths: &[11], before: &[Before::Clear] },
    after: &After::BARE,
    check,
    label: "TC kimlik no",
    // python-stdnum's example; Presidio's tests.
    valid: ["17291716060", "10000000146"],
    // A wrong check digit; a 0 at the start.
    invalid: ["17291716050", "07291716092"],
    needs_words: true,
    words: &[
        "tckn",
        "tc",
        "t c",
        "kimlik no",
        "tc kimlik",
        "t c kimlik",
        "tc kimlik no",
        "t c kimlik no",
        "tc kimlik numarası",
        "tc no",
        "t c no",
        "tckimlik",
        "tckimlikno",
        "tcno",
        "kimlik no",
        "kimlik numarası",
        "kimlik numaram",
        "kimlik numarasi",
        "vatandaşlık no",
        "vatandaşlık numarası",
        "turkish id",
        "turkish identification number",
        "turkish national id",
        "national id",
        "national identification number",
    ],
    about: "two check digits",
    ..BASE
};

const LAYOUTS: [&str; 1] = ["99999999999"];
/// Seven times the digits in odd places less those in even places, modulo 10, is the tenth, which
/// is to be taken away as well.
const TENTH: [u32; 10] = [7, 9, 7, 9, 7, 9, 7, 9, 7, 9];

fn check(site: &Site<'_>) -> Option<Hit> {
    let Laid { chars, range, .. }: Laid<11> = layout::read(site, site.trigger.start, &LAYOUTS)?;
    let eleventh = weighted(&chars, &[1; 10]) % 10;
    let valid = chars[0] != b'0'
        && weighted(&chars, &TENTH).is_multiple_of(10)
        && eleventh == u32::from(chars[10] - b'0');
    if !valid {
        return None;
    }
    site.if_named(range, "tr-tckn", Confidence::Checksum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_is_found_where_it_is_named() {
        for label in [
            "T.C. Kimlik No:",
            "tcKimlikNo",
            "TCKN",
            "kimlik numarası",
            "TC No =",
            "T.C. KİMLİK NO:",
        ] {
            let text = format!("{label} 76543210794");
            assert_eq!(found(&text), [(Kind::Tckn, "76543210794")], "{text}");
        }
        assert_eq!(found("76543210794"), []);
    }

    #[test]
    fn what_nearly_looks_like_one_is_none() {
        for text in [
            "TCKN 765432107940",
            "TCKN 76543210780",
            "TCKN 83219500748",
            "TCKN _76543210794",
            "TCKN 76543210794a",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
