//! The word that a run of digits stands in: what most identifiers of letters and digits look for
//! first.

use std::ops::Range;

use crate::redact::site::Site;

/// The unbroken run of ASCII letters and digits around the trigger, where the trigger is the first
/// run of digits in it: so a detector that is asked about each run looks at each word once.
///
/// At most `letters` letters before the trigger, and `longest` characters in all. Nothing that it
/// could be a part of may touch it.
pub(super) fn word_around(site: &Site<'_>, letters: usize, longest: usize) -> Option<Range<usize>> {
    let start = start_of_word(site, letters)?;
    let end = site.run(start, longest + 1, |byte| byte.is_ascii_alphanumeric());
    let whole = site.starts(start) && end - start <= longest && site.ends(end);
    whole.then_some(start..end)
}

/// Where the word starts whose first digits are the trigger.
pub(super) fn start_of_word(site: &Site<'_>, letters: usize) -> Option<usize> {
    let trigger = site.trigger.start;
    let floor = trigger.saturating_sub(letters + 1);
    let window = &site.text[floor..trigger];
    let length = window.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
    if length > letters {
        // One too many may be the letter of a `\n` that stands in escaped text.
        let start = trigger - letters;
        return (site.before(start) == Some(b'\n')).then_some(start);
    }
    let start = trigger - length;
    // The letter of a `\n` that stands in escaped text is none of the word's.
    let escaped = length > 0 && site.before(start + 1) == Some(b'\n');
    Some(start + usize::from(escaped))
}

/// True where the digits at `at` go on what other digits before them began.
pub(super) fn continues(site: &Site<'_>, at: usize) -> bool {
    let window = &site.text[at.saturating_sub(4)..at];
    let marks = window.iter().rev().take_while(|byte| b" ()-./\xc2\xa0".contains(byte)).count();
    window.len() > marks && marks < 4 && window[window.len() - 1 - marks].is_ascii_digit()
}

/// What stands between a word's last part and the value that starts at `at`, where that is no more
/// than `farthest` bytes.
///
/// For words too plain to speak over a whole window: `account 12345678` is one, `the account was
/// closed after 12345678` is none.
pub(super) fn gap_after<'a>(
    site: &Site<'a>,
    word: &str,
    at: usize,
    farthest: usize,
) -> Option<&'a [u8]> {
    let last = word.rsplit(' ').next().unwrap_or(word).as_bytes();
    let floor = at.saturating_sub(farthest + last.len());
    let window = &site.text[floor..at];
    let place = window.windows(last.len()).rposition(|part| part.eq_ignore_ascii_case(last))?;
    Some(&window[place + last.len()..])
}

/// True for marks and white space only, as they stand between a name and its value.
pub(super) fn is_bare(gap: &[u8]) -> bool {
    !gap.iter().any(|byte| byte.is_ascii_alphanumeric() || b"+/\n".contains(byte))
}

/// True where a path or base64 goes on before or after: no place for what only words make a value.
pub(super) fn is_in_path(site: &Site<'_>, range: &Range<usize>) -> bool {
    let joins = |byte: Option<u8>| matches!(byte, Some(b'/' | b'+'));
    joins(site.before(range.start)) || joins(site.byte(range.end))
}

/// What parts groups of one number, beside what ASCII has: a space that does not break, the narrow
/// one, and three dashes that typesetting makes of a hyphen.
const TYPESET: [&[u8]; 5] = [
    "\u{a0}".as_bytes(),
    "\u{202f}".as_bytes(),
    "\u{2010}".as_bytes(),
    "\u{2011}".as_bytes(),
    "\u{2013}".as_bytes(),
];

/// The mark that parts two groups at `at`: one of `ascii`, or what typesetting makes of a space or
/// a hyphen.
pub(super) fn mark_at<'a>(site: &Site<'a>, at: usize, ascii: &[u8]) -> Option<&'a [u8]> {
    let rest = site.text.get(at..)?;
    let first = rest.first()?;
    if first.is_ascii() {
        return ascii.contains(first).then(|| &rest[..1]);
    }
    let mark = TYPESET.iter().find(|mark| rest.starts_with(mark))?;
    Some(&rest[..mark.len()])
}

/// The length of what parts two groups at `at`: the mark, or the end of a line, where the value was
/// wrapped.
pub(super) fn gap(site: &Site<'_>, at: usize, mark: &[u8]) -> Option<usize> {
    let rest = site.text.get(at..)?;
    if rest.starts_with(mark) && !matches!(rest.get(mark.len()), Some(b'\n' | b'\r')) {
        return Some(mark.len());
    }
    line_end(rest)
}

/// The length of a line's end and the white space around it, at the start of a text.
pub(super) fn line_end(text: &[u8]) -> Option<usize> {
    let is_space = |byte: &&u8| matches!(**byte, b' ' | b'\t');
    let before = text.iter().take(4).take_while(is_space).count();
    let end = match text.get(before..)? {
        [b'\n', ..] => before + 1,
        [b'\r', b'\n', ..] => before + 2,
        _ => return None,
    };
    Some(end + text[end..].iter().take(8).take_while(is_space).count())
}

/// The mark of ASCII that a mark stands for; a space for none.
pub(super) fn plain(mark: &[u8]) -> u8 {
    match mark {
        [ascii] => *ascii,
        [0xe2, 0x80, 0x90..=0x93] => b'-',
        _ => b' ',
    }
}

/// The letters and digits of a text that may be grouped by single separators, as long as they fit.
///
/// For the few bytes of an identifier: what stands in no group is dropped.
pub(super) struct Plain<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Plain<N> {
    /// Reads a text; `None` where it has more letters and digits than fit.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let mut plain = Self { bytes: [0; N], length: 0 };
        for byte in text.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
            *plain.bytes.get_mut(plain.length)? = *byte;
            plain.length += 1;
        }
        Some(plain)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}
