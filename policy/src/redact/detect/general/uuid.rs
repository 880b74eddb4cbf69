//! UUIDs, as RFC 9562 writes them. Off by default. Not the nil and the max UUID.

use crate::redact::detect::token::start_of_word;
use crate::redact::detect::{BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Uuid,
    start: Start::Digits {
        lengths: &[1, 2, 3, 4, 5, 6, 7, 8, 12],
        before: &[Before::Clear, Before::Letter, Before::Joint],
    },
    check,
    // RFC 9562, appendices A.3 and A.6.
    valid: ["919108f7-52d1-4320-9bac-f847db4148a8", "017F22E2-79B0-7CC3-98C4-DC0C0C07398F"],
    invalid: ["919108f7-52d1-4320-9bac-f847db4148a", "00000000-0000-0000-0000-000000000000"],
    about: "8-4-4-4-12 hexadecimal digits",
    ..BASE
};

const LENGTH: usize = 36;

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = start(site)?;
    let end = start + LENGTH;
    let text = site.text.get(start..end)?;
    let is_shaped = text.iter().enumerate().all(|(place, byte)| match place {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    let first = text[0];
    let is_one = text.iter().all(|byte| matches!(*byte, b'-') || *byte == first);
    let fits = is_shaped && !is_one && site.starts(start) && site.ends(end);
    fits.then_some(Hit::sure(start..end, "uuid", Confidence::Shape))
}

/// Where it would start if the trigger holds its first digits; most have some in their first group.
fn start(site: &Site<'_>) -> Option<usize> {
    let mut start = start_of_word(site, 12)?;
    while site.before(start) == Some(b'-') {
        let group = &site.text[start.saturating_sub(9)..start - 1];
        let letters = group.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
        if !matches!(letters, 4 | 8)
            || group.len() > letters && group[group.len() - 1 - letters].is_ascii_digit()
        {
            return None;
        }
        start -= 1 + letters;
    }
    Some(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::{found, found_with};

    #[test]
    fn it_is_found_where_it_is_asked_for() {
        for uuid in ["550e8400-e29b-41d4-a716-446655440000", "abcdefab-cdef-4abc-8abc-abcdefabcdef"]
        {
            let text = format!("/items/{uuid}?x=1");
            assert_eq!(found_with(Kind::Uuid, &text), [(Kind::Uuid, uuid)]);
            assert_eq!(found(&text), []);
            assert_eq!(found_with(Kind::Uuid, &format!("a-{uuid}")), []);
            assert_eq!(found_with(Kind::Uuid, &format!("{uuid}-1")), []);
        }
    }
}
