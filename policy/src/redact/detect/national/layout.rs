//! Reading a number in the ways in which it is written: bare, in groups, with dots or dashes.
//!
//! A layout is a picture of the number. `9` stands for a digit, `A` for an ASCII letter, `X` for
//! either; a space and a hyphen for themselves and for what typesetters put in their place; any
//! other character for itself. Whether the number is one, its detector decides.

use std::ops::Range;

use crate::redact::site::Site;

/// What stood for the digits and letters of a layout, and where.
pub(super) struct Number<const N: usize> {
    pub(super) signs: [u8; N],
    pub(super) range: Range<usize>,
    /// The place of the layout that fitted.
    pub(super) layout: usize,
}

/// The number from `start` on, in the first of the layouts that fits and that nothing continues.
pub(super) fn read<const N: usize>(
    site: &Site<'_>,
    start: usize,
    layouts: &[&str],
) -> Option<Number<N>> {
    layouts.iter().enumerate().find_map(|(layout, picture)| {
        let (signs, end) = read_one(site.text, start, picture)?;
        site.ends(end).then_some(Number { signs, range: start..end, layout })
    })
}

fn read_one<const N: usize>(text: &[u8], start: usize, picture: &str) -> Option<([u8; N], usize)> {
    let mut signs = [0; N];
    let mut count = 0;
    let mut at = start;
    for mark in picture.bytes() {
        let byte = *text.get(at)?;
        let is_sign = match mark {
            b'9' => byte.is_ascii_digit(),
            b'A' => byte.is_ascii_alphabetic(),
            b'X' => byte.is_ascii_alphanumeric(),
            _ => {
                at += separator(&text[at..], mark)?;
                continue;
            }
        };
        is_sign.then_some(())?;
        *signs.get_mut(count)? = byte;
        count += 1;
        at += 1;
    }
    (count == N).then_some((signs, at))
}

/// The length of a separator at the start of a text.
fn separator(text: &[u8], mark: u8) -> Option<usize> {
    let relatives: &[&str] = match mark {
        // No-break space, narrow no-break space.
        b' ' => &["\u{a0}", "\u{202f}"],
        // Hyphen, no-break hyphen, en dash.
        b'-' => &["\u{2010}", "\u{2011}", "\u{2013}"],
        _ => &[],
    };
    if text.first() == Some(&mark) {
        return Some(1);
    }
    relatives.iter().find(|mark| text.starts_with(mark.as_bytes())).map(|mark| mark.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_takes_what_it_pictures() {
        let read = |text: &'static str, picture| {
            read_one::<4>(text.as_bytes(), 1, picture).map(|(signs, end)| (signs, &text[1..end]))
        };
        assert_eq!(read(" 12-3A.", "99-9A"), Some((*b"123A", "12-3A")));
        assert_eq!(read(" 12\u{2013}3A", "99-9X"), Some((*b"123A", "12\u{2013}3A")));
        assert_eq!(read(" 12\u{a0}34", "99 99"), Some((*b"1234", "12\u{a0}34")));
        assert_eq!(read(" 12/34", "99/99"), Some((*b"1234", "12/34")));
        for (text, picture) in
            [(" 12 3", "99 99"), (" 12-34", "99 99"), (" 1A 34", "99 99"), (" 12345", "99999")]
        {
            assert_eq!(read(text, picture), None, "{text}");
        }
    }
}
