//! United States employer identification numbers.
//!
//! Two digits, a dash, seven digits. The first two name the office that gave it out; those that none
//! uses are listed by the Internal Revenue Service
//! (<https://www.irs.gov/businesses/small-businesses-self-employed/how-eins-are-assigned-and-valid-ein-prefixes>).
//! There is no check digit, so words must say what it is.

use super::layout;
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Ein,
    start: Start::Digits { lengths: &[2, 9], before: &[Before::Clear] },
    after: &[After::Clear, After::Space, After::Word, After::Dash, After::Sign],
    check,
    label: "employer identification number",
    // python-stdnum's example, and that of the Massachusetts Institute of Technology.
    valid: ["91-1144442", "04-2103594"],
    // Prefixes that no office uses.
    invalid: ["07-1144442", "89-2103594"],
    needs_words: true,
    words: &[
        "ein",
        "fein",
        "ein number",
        "ein no",
        "federal ein",
        "employer identification",
        "employer identification number",
        "employer id",
        "employer id number",
        "federal tax id",
        "federal tax number",
        "federal tax identification number",
        "federal id number",
        "irs number",
        "business tax id",
        "company tax id",
        "tax id",
        "tin",
    ],
    about: "prefix rule",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let laid = layout::read::<9>(site, site.trigger.start, &["99-9999999", "999999999"])?;
    if !is_given_out(&laid.chars) {
        return None;
    }
    let hit = site.if_named(laid.range, "us-ein", Confidence::Context)?;
    if laid.layout == 1 && matches!(hit.word, Some("tax id" | "tin")) {
        // Bare, these are more often a person's.
        return None;
    }
    // German has it as an article.
    layout::unless_vague(site, hit, &["ein"], &["EIN", "my ein", "My ein"])
}

fn is_given_out(digits: &[u8; 9]) -> bool {
    let prefix = (digits[0] - b'0') * 10 + (digits[1] - b'0');
    !matches!(prefix, 0 | 7..=9 | 17..=19 | 28 | 29 | 49 | 69 | 70 | 78 | 79 | 89 | 96 | 97)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn words_must_say_what_it_is() {
        assert_eq!(found("911144442 and 91-1144442"), []);
        for value in ["91-1144442", "911144442"] {
            assert_eq!(found(&format!("The company's EIN is {value}.")), [(Kind::Ein, value)]);
            assert_eq!(found(&format!("{{\"ein\":\"{value}\"}}")), [(Kind::Ein, value)]);
            assert_eq!(found(&format!("FEIN: {value}")), [(Kind::Ein, value)]);
        }
        assert_eq!(found("Tax ID 91-1144442"), [(Kind::Ein, "91-1144442")]);
    }

    #[test]
    fn a_german_article_is_no_word_for_it() {
        assert_eq!(found("Das ist ein Teil mit 91-1144442 darauf, ein 911144442."), []);
        assert_eq!(found("EIN 91-1144442-1, EIN 191-1144442, EIN 911144442a"), []);
    }
}
