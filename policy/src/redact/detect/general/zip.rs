//! Postal codes of the United States (ZIP and ZIP+4). Off by default.
//!
//! Five digits, or nine with a dash (<https://pe.usps.com/text/pub28/28c2_007.htm>), of which only
//! words, or the state's two letters right before, make one.

use crate::redact::detect::{BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Zip,
    start: Start::Digits { lengths: &[5], before: &[Before::Clear] },
    check,
    // The White House's, and one of the Postal Service's headquarters.
    valid: ["20500", "20260-0004"],
    invalid: ["00000", "20260-004"],
    label: "zip code",
    words: &[
        "zip",
        "zips",
        "zip code",
        "zip codes",
        "zipcode",
        "zip4",
        "postal code",
        "postcode",
        "postalcode",
        "código postal",
        "codigo postal",
    ],
    about: "five or nine digits, only where named or after a state",
    ..BASE
};

/// States, the capital's district, territories and the forces' post.
const STATES: &[u8] = b"ALAKAZARCACOCTDEFLGAHIIDILINIAKSKYLAMEMDMAMIMNMSMOMTNENVNHNJNMNYNCNDOHOKOR\
    PARISCSDTNTXUTVTVAWAWVWIWYDCPRVIGUASMPAAAEAP";

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.start;
    let mut end = site.trigger.end;
    if site.byte(end) == Some(b'-') {
        end = site.run(end + 1, 5, |byte| byte.is_ascii_digit());
        (end == site.trigger.end + 5).then_some(())?;
    }
    if site.text[start..start + 5] == *b"00000" || !site.ends(end) {
        return None;
    }
    if after_state(site, start) {
        return site.unless_denied(start..end, "zip-after-state", Confidence::Shape);
    }
    site.if_named(start..end, "zip", Confidence::Context)
}

fn after_state(site: &Site<'_>, start: usize) -> bool {
    let [.., mark, a, b, b' '] = site.text[..start] else { return false };
    let known = STATES.as_chunks::<2>().0.contains(&[a, b]);
    known && (mark == b' ' || mark == b',')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::{found, found_with};

    #[test]
    fn it_is_found_where_it_is_asked_for() {
        for (text, value) in [
            ("1600 Pennsylvania Ave NW, Washington, DC 20500", "20500"),
            ("zip: 94105-1234", "94105-1234"),
        ] {
            assert_eq!(found_with(Kind::Zip, text), [(Kind::Zip, value)], "{text}");
            assert_eq!(found(text), [], "{text}");
        }
        assert_eq!(found_with(Kind::Zip, "94105 or XX 94105 or port 20500"), []);
    }
}
