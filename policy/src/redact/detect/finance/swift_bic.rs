//! Banks' identifier codes (BIC), as SWIFT's network uses them.
//!
//! ISO 9362 (<https://www.iso9362.org>): four letters of the party, two of its country (ISO
//! 3166-1), two characters of the place, and three of a branch or none. Without digits it is a
//! word in capitals, so it is looked for only beside words that name it, and it must stand close.

use std::ops::Range;

use crate::redact::detect::token::gap_after;
use crate::redact::detect::{BASE, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::SwiftBic,
    // `XXX` is the branch of a head office, which most codes of eleven end with.
    start: Start::Literals(&[
        "swift",
        "Swift",
        "SWIFT",
        "bic",
        "Bic",
        "BIC",
        "XXX",
        "银行代码",
        "银行国际代码",
    ]),
    check,
    by_name: true,
    // Deutsche Bank in Frankfurt, and one with a branch: examples of Wikipedia's article.
    valid: ["DEUTDEFF", "DSBACNBXSHA"],
    // No country; a character short.
    invalid: ["DEUTQQFF", "DEUTDEF"],
    label: "swift code",
    words: &[
        "swift",
        "swift code",
        "swift bic",
        "swiftcode",
        "bic",
        "bic code",
        "bic swift",
        "biccode",
        "código swift",
        "codigo swift",
        "code swift",
        "codice swift",
        "银行国际代码",
    ],
    about: "country's code",
    ..BASE
};

/// Bytes after the word, and before it, in which the code may start.
const AFTER: usize = 48;
const BEFORE: usize = 24;

/// ISO 3166-1 alpha-2, and Kosovo's.
const COUNTRIES: &[u8] = b"ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBV\
    BWBYBZCACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGH\
    GIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLI\
    LKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPH\
    PKPLPMPNPRPSPTPWPYQAREROWSRSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTO\
    TRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFYEYTZAZMZWXK";

fn check(site: &Site<'_>) -> Option<Hit> {
    let trigger = site.trigger.clone();
    // Asked about a whole value, by the name before it.
    if trigger == (0..site.text.len()) {
        let range = code_at(site, 0).filter(|range| *range == trigger)?;
        return site.if_labelled(range, "swift-bic", Confidence::Context);
    }
    if site.text[trigger.clone()] == *b"XXX" {
        let start = trigger.start.checked_sub(8)?;
        let hit = named(site, code_at(site, start)?)?;
        return Some(hit);
    }
    let end = site.text.len().min(trigger.end + AFTER);
    let mut starts = starts(site, trigger.end..end);
    let after = starts.find_map(|start| named(site, code_at(site, start)?));
    let begin = trigger.start.saturating_sub(BEFORE);
    after.or_else(|| {
        let mut starts = self::starts(site, begin..trigger.start);
        starts.find_map(|start| named(site, code_at(site, start)?))
    })
}

/// Where a word in capitals starts.
fn starts<'a>(site: &'a Site<'_>, places: Range<usize>) -> impl Iterator<Item = usize> + 'a {
    places.filter(|at| site.text[*at].is_ascii_uppercase() && site.starts(*at))
}

/// The code that starts at `start`.
fn code_at(site: &Site<'_>, start: usize) -> Option<Range<usize>> {
    let end = site.run(start, 12, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let code = &site.text[start..end];
    if !matches!(code.len(), 8 | 11) || !code[..6].iter().all(u8::is_ascii_uppercase) {
        return None;
    }
    let known = COUNTRIES.as_chunks::<2>().0.iter().any(|country| code[4..6] == *country);
    (known && site.starts(start) && site.ends(end)).then_some(start..end)
}

/// It must be the label that names it, or a word with little between.
fn named(site: &Site<'_>, range: Range<usize>) -> Option<Hit> {
    let labelled = site.if_labelled(range.clone(), "swift-bic", Confidence::Context);
    if labelled.is_some() {
        return labelled;
    }
    let hit = site.if_named(range.clone(), "swift-bic", Confidence::Context)?;
    let code = &site.text[range.clone()];
    let head_office = code.ends_with(b"XXX") || code.iter().any(u8::is_ascii_digit);
    let before = gap_after(site, hit.word.unwrap_or_default(), range.start, 20);
    let close = match before {
        // `SWIFT CUSTOMER` are two words in capitals; `SWIFT: ...` and `BIC is ...` name a code.
        Some(gap) => gap.iter().any(|byte| b":#(/=is".contains(byte)) || gap.ends_with(b"code "),
        // In brackets after the code.
        None => site.byte(range.end + 1) == Some(b'('),
    };
    (head_office || close || site.supposing).then_some(hit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn countries_are_all_there() {
        let countries = COUNTRIES.as_chunks::<2>().0;
        assert_eq!((countries.len(), COUNTRIES.len() % 2), (250, 0));
        let mut sorted = countries.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), 250);
    }

    #[test]
    fn it_is_found_beside_its_name() {
        for (text, value) in [
            ("SWIFT/BIC: COBADEFFXXX", "COBADEFFXXX"),
            ("BIC is NWBKGB2L", "NWBKGB2L"),
            ("BNPAFRPPXXX (BIC)", "BNPAFRPPXXX"),
            ("\"swiftCode\":\"CHASUS33\"", "CHASUS33"),
        ] {
            assert_eq!(found(text), [(Kind::SwiftBic, value)], "{text}");
        }
    }

    #[test]
    fn words_in_capitals_are_none() {
        for text in [
            "DEUTDEFF",
            "A Swift DATABASE and a DOCUMENT",
            "SWIFT CUSTOMER SECURITY",
            "swift build RELEASES",
            "BIC: x-DEUTDEFF",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
