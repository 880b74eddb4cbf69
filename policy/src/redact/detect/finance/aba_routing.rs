//! Routing numbers of banks in the United States.
//!
//! Nine digits; the first two name a Federal Reserve district, a thrift, an electronic
//! transaction's or a government's; the sum weighted 3, 7, 1 is a multiple of ten. After the
//! American Bankers Association's policy as summed up in
//! <https://en.wikipedia.org/wiki/ABA_routing_transit_number>. One number in thirty passes by
//! chance, so words must name it.

use crate::redact::detect::checksum::{is_uniform, number, weighted};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::AbaRouting,
    start: Start::Digits { lengths: &[4, 9], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Dash, After::Sign],
    check,
    // JPMorgan Chase in New York, and the Federal Reserve Bank of Boston.
    valid: ["021000021", "011000015"],
    // A wrong check digit; a prefix that nobody has.
    invalid: ["021000022", "451000021"],
    label: "routing number",
    needs_words: true,
    words: &[
        "routing",
        "routing number",
        "routing no",
        "routing code",
        "aba",
        "aba number",
        "aba routing",
        "rtn",
        "transit number",
        "routing transit",
        "bank routing",
        "routingnumber",
        "número de ruta",
        "numero de ruta",
    ],
    about: "prefix and weighted checksum",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.start;
    let mut digits = [0; 9];
    let end = if site.trigger.len() == 9 {
        digits.copy_from_slice(&site.text[site.trigger.clone()]);
        site.trigger.end
    } else {
        // As printed on cheques: 0210-0002-1.
        let text: &[u8; 11] = site.text.get(start..start + 11)?.as_array()?;
        (matches!(text[4], b'-' | b' ') && text[4] == text[9]).then_some(())?;
        digits[..4].copy_from_slice(&text[..4]);
        digits[4..8].copy_from_slice(&text[5..9]);
        digits[8] = text[10];
        start + 11
    };
    if !digits.iter().all(u8::is_ascii_digit) || !is_assigned(&digits) || !site.ends(end) {
        return None;
    }
    site.if_named(start..end, "aba-routing", Confidence::Checksum)
}

fn is_assigned(digits: &[u8; 9]) -> bool {
    matches!(number(&digits[..2]), 0..=12 | 21..=32 | 61..=72 | 80)
        && weighted(digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
        && !is_uniform(digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn words_must_name_it() {
        assert_eq!(found("021000021"), []);
        assert_eq!(found("order 021000021"), []);
        assert_eq!(found("ABA: 021000021, acct"), [(Kind::AbaRouting, "021000021")]);
        assert_eq!(found("routing no. 0210-0002-1"), [(Kind::AbaRouting, "0210-0002-1")]);
        assert_eq!(found("routing number 000000000"), []);
        assert_eq!(found("routing number 0210000210"), []);
    }
}
