//! Keys of APIs and services, known by the prefix that their issuer gave them for this purpose.
//!
//! A prefix at the start of a word, a body of the family's alphabet and length, and a body that
//! was drawn at random: documentation writes `sk-your-api-key` and `sk-xxxxxxxx`. The families are
//! in [`api_key_families`](super::api_key_families).

use super::api_key_families::{Alphabet, FAMILIES, Family, TRIGGERS};
use crate::redact::detect::{BASE, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::ApiKey,
    start: Start::Literals(&TRIGGERS),
    check,
    // AWS's documentation; made up after GitHub's announcement of the format.
    valid: [
        concat!("AKIA", "IOSFODNN7EXAMPLE"),
        concat!("ghp_", "16C7e42F292c6912E7710c838347Ae178B4a"),
    ],
    invalid: ["sk-your-api-key-goes-here-please", "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"],
    about: "known prefixes with their alphabets and lengths",
    ..BASE
};

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.start;
    let joined = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if site.before(start).is_some_and(joined) {
        return None;
    }
    let rest = &site.text[start..];
    FAMILIES.iter().filter(|family| rest.starts_with(family.prefix.as_bytes())).find_map(|family| {
        let end = body_end(site, start, family)?;
        Some(Hit::sure(start..end, family.rule, Confidence::Prefix))
    })
}

fn body_end(site: &Site<'_>, start: usize, family: &Family) -> Option<usize> {
    let body = start + family.prefix.len();
    let (least, most) = family.length;
    let is_body = |byte: u8| family.alphabet.holds(byte);
    let mut end = site.run(body, most + 1, is_body);
    // Joints that end a sentence or a quotation are not the key's.
    while end > body && matches!(site.text[end - 1], b'.' | b'-' | b'_') && end - body > least {
        end -= 1;
    }
    let fits = (least..=most).contains(&(end - body));
    let apart = !site.byte(end).is_some_and(|byte| byte.is_ascii_alphanumeric());
    (fits && apart && is_random(&site.text[body..end], family)).then_some(end)
}

/// True for a body that nobody wrote by hand.
fn is_random(body: &[u8], family: &Family) -> bool {
    let mut seen = [false; 128];
    let mut digits = 0;
    let mut stretch = 0;
    let mut longest = 0;
    for byte in body {
        seen[usize::from(byte & 127)] = true;
        digits += usize::from(byte.is_ascii_digit());
        stretch = if byte.is_ascii_alphanumeric() { stretch + 1 } else { 0 };
        longest = longest.max(stretch);
    }
    let distinct = seen.iter().filter(|seen| **seen).count();
    // 16 random characters have 9 or more distinct ones, of hex digits 7 or more, all but surely.
    let enough = if family.alphabet == Alphabet::Hex { 6 } else { 8 };
    distinct >= enough && longest >= 8 && (digits > 0 || !family.digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    /// A body of the family's least length that is random enough and obviously nobody's.
    fn body(family: &Family) -> String {
        let alphabet = match family.alphabet {
            Alphabet::Hex => "0f1e2d3c4b5a6978",
            Alphabet::Upper => "A2B3C4D5E6F7G2H3",
            _ => "FAKE0fake1FaKe2fAkE3notAreal4Key5",
        };
        alphabet.chars().cycle().take(family.length.0).collect()
    }

    #[test]
    fn every_family_is_found_under_its_own_name() {
        for family in &FAMILIES {
            let key = format!("{}{}", family.prefix, body(family));
            for text in [format!("KEY={key}"), format!("\"{key}\""), format!("use {key}.")] {
                let engine = crate::redact::Engine::new(crate::redact::Modes::default());
                let matches = engine.find(&text, None);
                assert_eq!(matches.len(), 1, "{text}");
                assert_eq!(&text[matches[0].range.clone()], key, "{text}");
                assert_eq!(matches[0].rule, family.rule, "{text}");
            }
            // `xoxe.xoxp-...` holds a key of its own after the dot.
            if family.prefix.contains('.') {
                continue;
            }
            for text in [format!("x{key}"), format!("x-{key}"), format!("x_{key}")] {
                assert_eq!(found(&text), [], "{text}");
            }
        }
    }

    #[test]
    fn a_body_must_fit_its_family() {
        for text in [
            concat!("AKIA", "IOSFODNN7EXAMPL"),
            concat!("AKIA", "IOSFODNN7EXAMPLE1"),
            concat!("AKIA", "iosfodnn7example"),
            concat!("hf_", "this_is_no_key_but_a_function_name"),
            concat!("sk-", "fading-circle-of-12-dots-in-css"),
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
