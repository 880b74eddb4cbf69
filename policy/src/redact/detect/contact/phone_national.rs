//! Phone numbers in the national forms of other countries, where words say what they are.
//!
//! Mostly a trunk prefix of 0, area and subscriber, in groups that differ from one country to the
//! next (<https://en.wikipedia.org/wiki/National_conventions_for_writing_telephone_numbers>).
//! Under a label any seven to thirteen digits are one; elsewhere only what starts as such numbers
//! do, or stands right after the word.

use super::phone_digits::{Number, with_extension};
use super::phone_words::WORDS;
use crate::redact::detect::token::{continues, gap_after, is_bare};
use crate::redact::detect::{BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Phone,
    start: Start::Digits {
        lengths: &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
        before: &[Before::Clear],
    },
    check,
    // Ofcom's and the Bundesnetzagentur's numbers for drama.
    valid: ["020 7946 0958", "030 23125 001"],
    invalid: ["020 794", "2024-05-20"],
    label: "telephone",
    needs_words: true,
    words: WORDS,
    about: "length and prefix",
    ..BASE
};

/// Digits in the shortest and the longest, and how many no group is added to.
const SHORTEST: usize = 7;
const MOST: usize = 13;
const FULL: usize = 10;

fn check(site: &Site<'_>) -> Option<Hit> {
    let first = site.trigger.start;
    if !site.starts(first) || continues(site, first) {
        return None;
    }
    let number = Number::read(site, first);
    let (count, end) = last_group(&number)?;
    let digits = &number.digits()[..count];
    let extended = with_extension(site, end);
    if !(SHORTEST..=MOST).contains(&count)
        || digits.iter().all(|digit| *digit == digits[0])
        || (extended == end && !site.ends(end))
        || matches!(site.byte(end), Some(b'/' | b'+' | b'=' | b':'))
        || is_date(&number)
        || site.text[end..].starts_with(b"\\d")
    {
        return None;
    }
    // `(0171) 1234567` starts with its bracket.
    let close = number.ends()[0].1;
    let bracketed = site.before(first) == Some(b'(') && site.byte(close) == Some(b')');
    let start = first - usize::from(bracketed && site.starts(first - 1));
    let range = start..extended;
    let hit = site.if_named(range.clone(), "phone-national", Confidence::Context)?;
    let labelled = site.if_labelled(range, "phone-national", Confidence::Context).is_some();
    let beside = || gap_after(site, hit.word.unwrap_or_default(), start, 6).is_some_and(is_bare);
    (labelled || is_typical(digits, bracketed) || beside()).then_some(hit)
}

/// The group that the number ends with: none is added to a number that is full, and a following
/// one that does not fit is another number's.
fn last_group(number: &Number) -> Option<(usize, usize)> {
    let full = number.ends().iter().find(|(count, _)| *count >= FULL);
    full.or(number.ends().last()).copied()
}

/// True for what starts like the numbers of some country, and is as long.
fn is_typical(digits: &[u8], bracketed: bool) -> bool {
    match (digits, digits.len()) {
        // With the trunk prefix, as one that starts with two zeros is dialled abroad; Italy's
        // mobiles.
        ([b'0', b'1'..=b'9', ..], 9..=12) | ([b'3', b'1'..=b'9', ..], 10) => true,
        // India; China; Spain, Portugal and Poland; Russia.
        ([b'6'..=b'9', ..], 9 | 10)
        | ([b'1', b'3'..=b'9', ..] | [b'8', b'3' | b'4' | b'8' | b'9', ..], 11) => {
            !is_epoch(digits)
        }
        // Brazil.
        (_, 10 | 11) => bracketed,
        _ => false,
    }
}

/// Seconds since 1970, for some decades around now.
const fn is_epoch(digits: &[u8]) -> bool {
    matches!(digits, [b'1', b'5'..=b'9', ..]) && digits.len() == 10
}

/// `2024-05-20`, `20.05.2024`, `20240520`.
fn is_date(number: &Number) -> bool {
    let ends = number.ends();
    let counts = [0, 1, 2].map(|group| ends.get(group).map_or(0, |(count, _)| *count));
    let year = |from: usize| {
        number.digits().get(from..from + 2).is_some_and(|year| matches!(year, b"19" | b"20"))
    };
    match counts {
        [4, 6, 8] | [8, ..] => year(0),
        [2, 4, 8] => year(4),
        [1, 3, 7] => year(3),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn countries_write_them_in_their_ways() {
        for (text, value) in [
            ("Mobile: 07700 900123.", "07700 900123"),
            ("Tel. 0171-3920091", "0171-3920091"),
            ("Telefon (030) 23125 001", "(030) 23125 001"),
            ("mon téléphone: 01 99 00 12 34 et", "01 99 00 12 34"),
            ("tél. 01.99.00.12.34", "01.99.00.12.34"),
            ("móvil 612 345 678", "612 345 678"),
            ("cellulare 347 123 4567", "347 123 4567"),
            ("my mobile is 98765 43210", "98765 43210"),
            ("手机号13800138000。", "13800138000"),
            ("电话：138 0013 8000", "138 0013 8000"),
            ("携帯 090-1234-5678", "090-1234-5678"),
            ("celular (11) 91234-5678", "(11) 91234-5678"),
            ("тел. 8 (495) 123-45-67", "8 (495) 123-45-67"),
            ("ring me on 0412 345 678 20 minutes later", "0412 345 678"),
            ("{\"phone\":\"5550123\"}", "5550123"),
            ("fax: 555-0123", "555-0123"),
        ] {
            assert_eq!(found(text), [(Kind::Phone, value)], "{text}");
        }
    }

    #[test]
    fn without_words_and_with_other_numbers_there_is_none() {
        for text in [
            "020 7946 0958",
            "07700 900123",
            "98765 43210",
            "the phone was bought on 2024-05-20 in Rome",
            "phone call at 20.05.2024",
            "the mobile app took 12345678 ms",
            "the phone was made in 1716239022",
            "phone: 000-0000",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
