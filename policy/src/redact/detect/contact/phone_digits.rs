//! Groups of digits as phone numbers are written, and their extensions.

use crate::redact::detect::token::mark_at;
use crate::redact::site::Site;

/// Digits in an E.164 number.
pub(super) const LONGEST: usize = 15;

/// The digits of a number, and where their groups end.
pub(super) struct Number {
    digits: [u8; LONGEST],
    length: usize,
    /// Per group: how many digits up to its end, and where in the text that is.
    ends: [(usize, usize); LONGEST],
    groups: usize,
}

impl Number {
    /// Reads groups from `at` on, as long as they fit. White space of lines parts numbers.
    pub(super) fn read(site: &Site<'_>, mut at: usize) -> Self {
        let mut number =
            Self { digits: [0; LONGEST], length: 0, ends: [(0, 0); LONGEST], groups: 0 };
        while at < site.text.len() {
            let end = site.run(at, LONGEST + 1, |byte| byte.is_ascii_digit());
            let group = &site.text[at..end];
            if group.is_empty() || number.length + group.len() > LONGEST {
                break;
            }
            // `+44 (0)20 ...`: the zero is dialled only from within the country.
            let trunk =
                group == b"0" && site.before(at) == Some(b'(') && site.byte(end) == Some(b')');
            if !trunk {
                number.digits[number.length..number.length + group.len()].copy_from_slice(group);
                number.length += group.len();
                number.ends[number.groups] = (number.length, end);
                number.groups += 1;
            }
            match separator(site, end) {
                Some(length) => at = end + length,
                None => break,
            }
        }
        number
    }

    pub(super) fn digits(&self) -> &[u8] {
        &self.digits[..self.length]
    }

    /// Per group: how many digits up to its end, and where in the text that is.
    pub(super) fn ends(&self) -> &[(usize, usize)] {
        &self.ends[..self.groups]
    }
}

/// The length of what stands between two groups of digits at `at`.
pub(super) fn separator(site: &Site<'_>, at: usize) -> Option<usize> {
    const SEPARATORS: [&[u8]; 6] = [b" (", b"(", b") ", b")-", b")", b" - "];
    let rest = site.text.get(at..)?;
    let followed = |length: &usize| rest.get(*length).is_some_and(u8::is_ascii_digit);
    let one = mark_at(site, at, b" -./").map(<[u8]>::len);
    let more = SEPARATORS
        .into_iter()
        .filter(|mark| rest.starts_with(mark))
        .map(<[u8]>::len)
        .find(followed);
    one.filter(followed).or(more)
}

/// Where a number that ends at `at` ends with its extension: `x123`, ` ext. 123`.
pub(super) fn with_extension(site: &Site<'_>, at: usize) -> usize {
    const MARKS: [&[u8]; 9] = [
        b"x",
        b" x",
        b" ext. ",
        b" ext ",
        b" ext.",
        b" extension ",
        b", ext. ",
        b" Ext. ",
        b" Ext ",
    ];
    let rest = site.text.get(at..).unwrap_or_default();
    let mark = MARKS.iter().find(|mark| {
        rest.starts_with(mark) && rest.get(mark.len()).is_some_and(u8::is_ascii_digit)
    });
    let Some(mark) = mark else { return at };
    let end = site.run(at + mark.len(), 7, |byte| byte.is_ascii_digit());
    if end - at - mark.len() <= 6 && site.ends(end) { end } else { at }
}
