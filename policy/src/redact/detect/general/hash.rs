//! Digests in hexadecimal: MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512. Off by default.
//!
//! Known by their length alone (RFC 1321, FIPS 180-4), in one case, with letters and digits mixed.

use crate::redact::detect::token::word_around;
use crate::redact::detect::{BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Hash,
    start: Start::Digits {
        lengths: &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20],
        before: &[Before::Clear, Before::Letter],
    },
    check,
    // RFC 1321, appendix A.5 ("abc"); FIPS 180-1, appendix A ("abc").
    valid: ["900150983cd24fb0d6963f7d28e17f72", "a9993e364706816aba3e25717850c26c9cd0d89d"],
    invalid: ["900150983cd24fb0d6963f7d28e17f7", "A9993e364706816aba3e25717850c26c9cd0d89d"],
    about: "length of a known digest",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let word = word_around(site, 24, 128)?;
    let text = &site.text[word.clone()];
    let rule = match text.len() {
        32 => "hash-md5",
        40 => "hash-sha1",
        56 => "hash-sha224",
        64 => "hash-sha256",
        96 => "hash-sha384",
        128 => "hash-sha512",
        _ => return None,
    };
    let lower = text.iter().any(u8::is_ascii_lowercase);
    let upper = text.iter().any(u8::is_ascii_uppercase);
    let fits = text.iter().all(u8::is_ascii_hexdigit) && lower != upper;
    fits.then_some(Hit::sure(word, rule, Confidence::Shape))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::{found, found_with};

    #[test]
    fn it_is_found_where_it_is_asked_for() {
        // FIPS 180-2, appendix B.1.
        let sha = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let text = format!("sha256:{sha}");
        assert_eq!(found_with(Kind::Hash, &text), [(Kind::Hash, sha)]);
        assert_eq!(found(&text), []);
        assert_eq!(found_with(Kind::Hash, &"1".repeat(40)), []);
        assert_eq!(found_with(Kind::Hash, &format!("0x{sha}")), []);
    }
}
