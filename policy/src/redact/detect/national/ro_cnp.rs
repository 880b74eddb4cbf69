//! Romanian personal numeric codes (cod numeric personal, CNP).
//!
//! Sex and century, date of birth, county, serial, and a check digit modulo 11 (scheme after
//! <https://github.com/vimishor/cnp-spec/blob/master/spec.md>). Timestamps in milliseconds and
//! barcodes have as many digits, so words must say what it is.

use super::layout::{self, Laid};
use crate::redact::detect::checksum::{is_date, number, weighted};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Cnp,
    start: Start::Digits { lengths: &[13], before: &[Before::Clear] },
    after: &After::BARE,
    check,
    label: "CNP",
    // python-stdnum's example; one that Romanian programs are tested with.
    valid: ["1630615123457", "1800101221144"],
    // A wrong check digit; no such month.
    invalid: ["1630615123458", "1632215123457"],
    needs_words: true,
    words: &[
        "cnp",
        "c n p",
        "cnp ul",
        "cod numeric personal",
        "codul numeric personal",
        "cod numeric",
        "personal numeric code",
        "romanian national id",
        "national id",
        "national identification number",
    ],
    about: "date and check digit (mod 11)",
    ..BASE
};

const LAYOUTS: [&str; 1] = ["9999999999999"];
const WEIGHTS: [u32; 12] = [2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9];

fn check(site: &Site<'_>) -> Option<Hit> {
    let Laid { chars, range, .. }: Laid<13> = layout::read(site, site.trigger.start, &LAYOUTS)?;
    let check = match weighted(&chars, &WEIGHTS) % 11 {
        10 => 1,
        rest => rest,
    };
    let valid = chars[0] != b'0'
        && is_date(number(&chars[3..5]), number(&chars[5..7]))
        && chars[7..9] != *b"00"
        && chars[9..12] != *b"000"
        && check == u32::from(chars[12] - b'0');
    if !valid {
        return None;
    }
    site.if_named(range, "ro-cnp", Confidence::Checksum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_is_found_where_it_is_named() {
        for text in ["având CNP 1630615123457", "codNumericPersonal=1630615123457"] {
            assert_eq!(found(text), [(Kind::Cnp, "1630615123457")], "{text}");
        }
        assert_eq!(found("1630615123457"), []);
    }

    #[test]
    fn what_nearly_looks_like_one_is_none() {
        for text in [
            "CNP 16306151234570",
            "CNP 0800101221142",
            "CNP v1630615123457",
            "CNP 1630615123457-0",
            "timestamp 1710101123457",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
