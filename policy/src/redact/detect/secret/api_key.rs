//! Keys of APIs and services, known by the prefix that their issuer gave them for this purpose.
//!
//! A prefix at the start of a word, a body of the family's alphabet and length, and a body that
//! was drawn at random: documentation writes `sk-your-api-key`, `sk-xxxxxxxx` and
//! `sk-abcdefghijklmnop1234567890`. Few families have their mark in the middle. The families are
//! in [`families`](super::families).

use std::ops::Range;
use std::sync::LazyLock;

use super::families::{Alphabet, FAMILIES, Family, Needs, Part, TRIGGERS};
use crate::redact::detect::{BASE, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::ApiKey,
    start: Start::Literals(TRIGGERS),
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
    let at = site.trigger.start;
    let rest = &site.text[at..];
    let first = *rest.first()?;
    by_first(first).iter().filter(|family| rest.starts_with(family.prefix.as_bytes())).find_map(
        |family| {
            let range = whole(site, at, family)?;
            Some(Hit::sure(range, family.rule, Confidence::Prefix))
        },
    )
}

/// The families whose prefix starts with this byte, in their order.
fn by_first(first: u8) -> &'static [&'static Family] {
    static FAMILIES_BY_FIRST: LazyLock<Vec<Vec<&'static Family>>> = LazyLock::new(|| {
        let mut by_first = vec![Vec::new(); 128];
        for family in FAMILIES.into_iter().flatten() {
            let first = family.prefix.as_bytes().first().copied().unwrap_or_default();
            by_first[usize::from(first & 127)].push(family);
        }
        by_first
    });
    &FAMILIES_BY_FIRST[usize::from(first & 127)]
}

/// All of a key whose prefix stands at `at`.
fn whole(site: &Site<'_>, at: usize, family: &Family) -> Option<Range<usize>> {
    let start = family.lead.iter().rev().try_fold(at, |end, part| before(site, end, *part))?;
    if is_joined(site, start, family) {
        return None;
    }
    let body = at + family.prefix.len();
    let last = family.tail.last().unwrap_or(&family.body);
    let mut end = after(site, body, family.body)?;
    for part in family.tail {
        end = after(site, end, *part)?;
    }
    if let Part::Run(alphabet, least, _) = *last {
        end = match alphabet {
            Alphabet::Base64 => site.run(end, 2, |byte| byte == b'='),
            // Joints that end a sentence or a quotation are not the key's.
            Alphabet::Dotted | Alphabet::Open | Alphabet::Word => {
                let key = &site.text[body..end];
                let whole = key.iter().rposition(u8::is_ascii_alphanumeric)? + 1;
                let spare = if family.tail.is_empty() { least } else { whole };
                body + whole.max(spare).min(key.len())
            }
            _ => end,
        };
    }
    if site.byte(end).is_some_and(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let secret = if family.lead.is_empty() { body } else { start };
    is_random(&site.text[secret..end], family).then_some(start..end)
}

/// True where a key that starts at `start` would be a part of something longer.
fn is_joined(site: &Site<'_>, start: usize, family: &Family) -> bool {
    let is_part = match site.before(start) {
        Some(b'_' | b'-') => true,
        Some(b'+' | b'/') => {
            // Base64 holds both; a path holds keys only where their prefix has a mark.
            let prefix = family.prefix.bytes().all(|byte| byte.is_ascii_alphanumeric());
            prefix || matches!(family.lead.first(), Some(Part::Run(Alphabet::Base64, ..)))
        }
        byte => byte.is_some_and(|byte| byte.is_ascii_alphanumeric()),
    };
    // `/bot123456:...` in a URL of Telegram's, `%3Dsk-...` in any other.
    let before = &site.text[..start];
    let escaped = matches!(before, [.., b'%', first, second]
        if first.is_ascii_hexdigit() && second.is_ascii_hexdigit());
    is_part && !escaped && !(before.ends_with(b"/bot") && family.prefix == ":AA")
}

/// Where a part that starts at `at` ends.
fn after(site: &Site<'_>, at: usize, part: Part) -> Option<usize> {
    match part {
        Part::Text(text) => site.text[at..].starts_with(text.as_bytes()).then_some(at + text.len()),
        Part::Run(alphabet, least, most) => {
            let end = site.run(at, most + 1, |byte| alphabet.holds(byte));
            let length = end - at;
            // One too many of these may be what ends a sentence.
            let spare =
                length == most + 1 && matches!(site.text[end - 1], b'.' | b'-' | b'_' | b'/');
            let end = if spare { end - 1 } else { end };
            (least..=most).contains(&(end - at)).then_some(end)
        }
    }
}

/// Where a part that ends before `end` starts.
fn before(site: &Site<'_>, end: usize, part: Part) -> Option<usize> {
    match part {
        Part::Text(text) => site.text[..end].ends_with(text.as_bytes()).then(|| end - text.len()),
        Part::Run(alphabet, least, most) => {
            let window = &site.text[end.saturating_sub(most + 1)..end];
            let length = window.iter().rev().take_while(|byte| alphabet.holds(**byte)).count();
            // The last letter of `\n` in escaped text is none of the key's.
            let escape =
                usize::from(length > least && site.before(end - length + 1) == Some(b'\n'));
            let length = length - escape;
            (least..=most).contains(&length).then(|| end - length)
        }
    }
}

/// True for a body that nobody wrote by hand.
fn is_random(body: &[u8], family: &Family) -> bool {
    let mut seen = [false; 128];
    let (mut digits, mut lower, mut upper) = (0, 0, 0);
    let (mut stretch, mut longest) = (0, 0);
    for byte in body {
        seen[usize::from(byte & 127)] = true;
        digits += usize::from(byte.is_ascii_digit());
        lower += usize::from(byte.is_ascii_lowercase());
        upper += usize::from(byte.is_ascii_uppercase());
        stretch = if byte.is_ascii_alphanumeric() { stretch + 1 } else { 0 };
        longest = longest.max(stretch);
    }
    let distinct = seen.iter().filter(|seen| **seen).count();
    // 16 random characters have 9 or more distinct ones, of hex digits 7 or more, all but surely.
    let is_hex = matches!(family.body, Part::Run(Alphabet::Hex, ..));
    let holds = match family.needs {
        Needs::Nothing => true,
        Needs::Digit => digits > 0,
        Needs::Mixed => digits > 1 && lower > 1 && upper > 1,
    };
    holds && distinct >= if is_hex { 6 } else { 8 } && longest >= 5 && !is_made_up(body)
}

/// True for what documentation writes in a key's place: the alphabet, or words.
fn is_made_up(body: &[u8]) -> bool {
    let steps = body.windows(2).filter(|two| two[1] == two[0].wrapping_add(1)).count();
    let says = |word: &[u8]| body.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    steps * 2 > body.len() || says(b"xxxx") || says(b"your-") || says(b"your_") || says(b"....")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;
    use crate::redact::{Engine, Modes};

    /// Appends characters of an alphabet that are random enough and obviously nobody's.
    fn write(key: &mut String, part: &Part) {
        let (alphabet, length) = match part {
            Part::Text(text) => return key.push_str(text),
            Part::Run(alphabet, least, _) => (alphabet, *least),
        };
        let alphabet = match alphabet {
            Alphabet::Digit => "7203948516",
            Alphabet::Hex => "0f1e2d3c4b5a6978",
            Alphabet::Lower => "7n0t4r3alk9ey2",
            Alphabet::Upper => "A2B3C4D5E6F7G2H3",
            _ => "FAKE0fake1FaKe2fAkE3notAreal4Key5",
        };
        key.extend(alphabet.chars().cycle().skip(key.len()).take(length));
    }

    fn key(family: &Family) -> String {
        let mut key = String::new();
        family.lead.iter().for_each(|part| write(&mut key, part));
        key.push_str(family.prefix);
        write(&mut key, &family.body);
        family.tail.iter().for_each(|part| write(&mut key, part));
        key
    }

    #[test]
    fn every_family_is_found_under_its_own_name() {
        let engine = Engine::new(Modes::default());
        for family in FAMILIES.into_iter().flatten() {
            let key = key(family);
            for text in [format!("KEY={key}"), format!("\"{key}\""), format!("use {key}.")] {
                let matches = engine.find(&text, None);
                assert_eq!(matches.len(), 1, "{text}");
                assert_eq!(&text[matches[0].range.clone()], key, "{text}");
                // Where one form of a family is another's start.
                let rules = FAMILIES
                    .into_iter()
                    .flatten()
                    .filter(|other| key.starts_with(other.prefix) || other.prefix == family.prefix);
                let rules: Vec<_> = rules.map(|other| other.rule).collect();
                assert!(rules.contains(&matches[0].rule) || !family.lead.is_empty(), "{text}");
            }
            // `xoxe.xoxp-...` holds a key of its own after the dot.
            if family.prefix.starts_with("xoxe.") || !family.lead.is_empty() {
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
            concat!("/AKIA", "IOSFODNN7EXAMPLE"),
            concat!("hf_", "this_is_no_key_but_a_function_name"),
            concat!("sk-", "fading-circle-of-12-dots-in-css"),
            concat!("sk-", "abcdefghijklmnopqrstuvwxyz1234567890"),
            concat!("sk-", "proj-xxxxxxxxxxxxxxxxxxxxxxxx12ab"),
            concat!("sk-", "EXAMPLEEXAMPLEEXAMPLE"),
            concat!("glpat-", "your-access-token-42"),
            concat!("re_", "compile_pattern_of_20_letters"),
            "token-usage pa-per-2024-report-of-the-year-and-something-more-x",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "MTAwMDAwMDAwMA== MTExMTExMTExMQ.MTEx.MTEx",
            "12:AA:BB:CC:DD en-us sl.load pat.match(x) and he sat. dp.get(x) API-first v1.0-beta",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn keys_are_found_where_they_stand_in_urls_and_source() {
        let telegram = concat!("110201543", ":AA", "HdqTcvCH1vGWJxfSeofSAs0K5PALDsaw");
        let google = concat!("AIza", "SyFAKE0fake1FaKe2fAkE3notAreal4Key5");
        for (text, key) in [
            // Telegram's documentation.
            (format!("https://api.telegram.org/bot{telegram}x/getMe"), format!("{telegram}x")),
            (format!("https://maps.example.com/js?key={google}&v=3"), google.to_owned()),
            (format!("url=https%3A%2F%2Fexample.com%3Fkey%3D{google}%26v"), google.to_owned()),
            (format!("A=1\\n{google}\\nB=2"), google.to_owned()),
        ] {
            assert_eq!(found(&text), [(Kind::ApiKey, key.as_str())], "{text}");
        }
    }
}
