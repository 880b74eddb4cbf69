//! Reads a value that is written after a layout, for the detectors of this folder.
//!
//! A layout is a picture of the value in which `9` stands for a digit, `A` for a capital letter, `a`
//! for a letter of either case that is taken as a capital, `L` for one that is taken as it is
//! written; `X`, `x` and `N` for these or a digit; a space and a hyphen for themselves and for what
//! typesetters put in their place; all else for itself.

use std::ops::Range;

use crate::redact::context::Said;
use crate::redact::site::{Hit, Site};

/// How far around a value [`spells`] looks.
const NEAR: usize = 48;

/// A value that was read.
pub(super) struct Laid<const N: usize> {
    /// Its digits and its letters, these as capitals, without what stands between.
    pub(super) chars: [u8; N],
    pub(super) range: Range<usize>,
    /// Which of the layouts it is written after.
    pub(super) layout: usize,
}

/// What stands at `start` in one of the layouts and ends there.
///
/// Each layout must hold `N` digits and letters. Whether something stands before is not looked at:
/// a run of digits that the prefilter offered is known to start there.
pub(super) fn read<const N: usize>(
    site: &Site<'_>,
    start: usize,
    layouts: &[&str],
) -> Option<Laid<N>> {
    // Most runs of digits are none of a detector's: what follows the run tells at once.
    let place = site.trigger.end.checked_sub(start)?;
    let next = site.byte(site.trigger.end);
    let may_be = |pattern: &[u8]| match (pattern.get(place), next) {
        (Some(wanted @ (b' ' | b'-')), Some(byte)) => *wanted == byte || !byte.is_ascii(),
        (Some(wanted), Some(byte)) => fits(*wanted, byte),
        (Some(_), None) => false,
        (None, _) => place == pattern.len(),
    };
    layouts.iter().enumerate().find_map(|(layout, pattern)| {
        let pattern = pattern.as_bytes();
        if !may_be(pattern) {
            return None;
        }
        let (chars, end) = read_one(site.text, start, pattern)?;
        site.ends(end).then_some(Laid { chars, range: start..end, layout })
    })
}

fn read_one<const N: usize>(text: &[u8], start: usize, layout: &[u8]) -> Option<([u8; N], usize)> {
    let mut chars = [0; N];
    let mut count = 0;
    let mut at = start;
    for wanted in layout {
        let byte = *text.get(at)?;
        if let b' ' | b'-' = wanted {
            at += separator(&text[at..], *wanted)?;
            continue;
        }
        if !fits(*wanted, byte) {
            return None;
        }
        if wanted.is_ascii_alphanumeric() {
            let as_written = matches!(wanted, b'L' | b'N');
            *chars.get_mut(count)? = if as_written { byte } else { byte.to_ascii_uppercase() };
            count += 1;
        }
        at += 1;
    }
    (count == N).then_some((chars, at))
}

const fn fits(wanted: u8, byte: u8) -> bool {
    match wanted {
        b'9' => byte.is_ascii_digit(),
        b'A' => byte.is_ascii_uppercase(),
        b'a' | b'L' => byte.is_ascii_alphabetic(),
        b'X' => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
        b'x' | b'N' => byte.is_ascii_alphanumeric(),
        mark => byte == mark,
    }
}

/// The length of a separator at the start of a text.
fn separator(text: &[u8], wanted: u8) -> Option<usize> {
    let relatives: &[&str] = match wanted {
        // No-break space, narrow no-break space.
        b' ' => &["\u{a0}", "\u{202f}"],
        // Hyphen, no-break hyphen, en dash.
        _ => &["\u{2010}", "\u{2011}", "\u{2013}"],
    };
    if text.first() == Some(&wanted) {
        return Some(1);
    }
    relatives.iter().find(|mark| text.starts_with(mark.as_bytes())).map(|mark| mark.len())
}

/// True where no group of digits stands beside the range, one space away, nor one of four
/// hexadecimal digits: a column of numbers, or a dump.
pub(super) fn stands_alone(site: &Site<'_>, range: &Range<usize>) -> bool {
    let is_group = |group: &[u8]| group.len() == 4 && group.iter().all(u8::is_ascii_hexdigit);
    let before = site.text[range.start.saturating_sub(6)..range.start].strip_suffix(b" ");
    let after = site.text[range.end..site.text.len().min(range.end + 6)].strip_prefix(b" ");
    let before = before.unwrap_or_default();
    let after = after.unwrap_or_default();
    let last = before.rsplit(|byte| !byte.is_ascii_alphanumeric()).next().unwrap_or_default();
    let first = after.split(|byte| !byte.is_ascii_alphanumeric()).next().unwrap_or_default();
    let digits = before.last().is_some_and(u8::is_ascii_digit)
        || after.first().is_some_and(u8::is_ascii_digit);
    !digits && !is_group(last) && !is_group(first)
}

/// True where one of `words` stands near the range in just this spelling, and as a whole word.
///
/// For words that mean something else in lower case, or in another language.
pub(super) fn spells(site: &Site<'_>, range: &Range<usize>, words: &[&str]) -> bool {
    let window = |range: Range<usize>| {
        let part = &site.text[range];
        words.iter().any(|word| {
            memchr::memmem::find_iter(part, word).any(|at| {
                let letter = |at: Option<usize>| {
                    at.and_then(|at| part.get(at)).is_some_and(u8::is_ascii_alphabetic)
                };
                !letter(at.checked_sub(1)) && !letter(Some(at + word.len()))
            })
        })
    };
    let (start, end) = (range.start, range.end);
    window(start.saturating_sub(NEAR)..start) || window(end..site.text.len().min(end + NEAR))
}

/// The hit, unless the word that named it is one of `vague`, which mean something else too: such a
/// word counts as the label, or where it stands in one of `spellings`.
pub(super) fn unless_vague(
    site: &Site<'_>,
    hit: Hit,
    vague: &[&str],
    spellings: &[&str],
) -> Option<Hit> {
    let is_clear = !hit.word.is_some_and(|word| vague.contains(&word))
        || matches!(site.said(&hit.range), Said::Label(_))
        || spells(site, &hit.range, spellings);
    is_clear.then_some(hit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_takes_what_it_says_and_no_more() {
        let read = |text: &str, layout: &str| {
            read_one::<4>(text.as_bytes(), 0, layout.as_bytes())
                .map(|(chars, end)| (String::from_utf8(chars.to_vec()).unwrap(), end))
        };
        assert_eq!(read("A1-b2", "A9-x9"), Some(("A1B2".into(), 5)));
        assert_eq!(read("12\u{a0}34", "99 99"), Some(("1234".into(), 6)));
        assert_eq!(read("12 345", "99 99"), Some(("1234".into(), 5)));
        assert_eq!(read("1b\u{2013}3d", "9L-9N"), Some(("1b3d".into(), 7)));
        for (text, layout) in [
            ("a123", "A999"),
            ("A12", "A999"),
            ("12-34", "99 99"),
            ("12345", "99999"),
            ("123", "999"),
        ] {
            assert_eq!(read(text, layout), None, "{text}");
        }
    }
}
