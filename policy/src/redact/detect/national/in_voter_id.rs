//! Numbers of Indian voters' cards (electors' photo identity cards, EPIC).
//!
//! Three letters and seven digits, the last of which is Luhn's on cards of the present numbering
//! (<https://en.wikipedia.org/wiki/Voter_ID_card_(India)>). Older cards keep numbers without it, so
//! words decide.

use super::layout;
use crate::redact::detect::checksum::luhn;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::VoterId,
    start: Start::Digits { lengths: &[7], before: &[Before::Letter] },
    after: &After::BARE,
    check,
    label: "voter id",
    // python-stdnum's example, and Presidio's.
    valid: ["WKH1186253", "KSD1287349"],
    invalid: ["WKH118625", "WK1186253"],
    needs_words: true,
    words: &[
        "voter id",
        "voters id",
        "voter",
        "voter card",
        "voter id card",
        "voter id no",
        "voter identity",
        "voter id number",
        "elector",
        "elector id",
        "electoral photo identity card",
        "electors photo identity card",
        "election card",
        "election id",
        "epic",
        "epic no",
        "epic number",
        "epic card",
        "मतदाता",
    ],
    about: "three letters and seven digits",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.start.checked_sub(3)?;
    let laid = layout::read::<10>(site, start, &["aaa9999999"])?;
    if !site.starts(start) {
        return None;
    }
    let is_checked = luhn(&laid.chars[3..]);
    let confidence = if is_checked { Confidence::Checksum } else { Confidence::Context };
    let hit = site.if_named(laid.range, "in-voter-id", confidence)?;
    // Software is planned in epics, too.
    if is_checked { Some(hit) } else { layout::unless_vague(site, hit, &["epic"], &[]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn words_must_say_what_it_is() {
        assert_eq!(found("WKH1186253 KSD1287349"), []);
        assert_eq!(found("Voter ID: KSD1287349"), [(Kind::VoterId, "KSD1287349")]);
        assert_eq!(found("EPIC WKH1186253"), [(Kind::VoterId, "WKH1186253")]);
        assert_eq!(found("see epic ABC1234567 for more"), []);
        assert_eq!(found("voter AWKH1186253, voter WKH11862531, voter x-WKH1186253"), []);
    }
}
