//! Phone numbers in international form: `+` (or `00`, where named), country code, subscriber.
//!
//! ITU-T E.164: at most 15 digits; E.123: how they are written. How long a country's numbers are
//! follows its plan as summed up in <https://en.wikipedia.org/wiki/List_of_telephone_country_codes>
//! and the ITU's national numbering plans; that is what decides where a number ends when another
//! one follows. National forms are other detectors'.

use super::phone_digits::{Number, separator, with_extension};
use super::phone_words::WORDS;
use crate::redact::detect::token::continues;
use crate::redact::detect::{BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Phone,
    start: Start::Digits {
        lengths: &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18],
        before: &[Before::Plus, Before::Clear],
    },
    check,
    // Ofcom's and the North American plan's numbers for drama.
    valid: ["+44 20 7946 0958", "+1 202-555-0143"],
    invalid: ["+1 055 555 0100", "+12345"],
    words: WORDS,
    about: "international form, country code and length",
    ..BASE
};

const RULE: &str = "phone-international";

fn check(site: &Site<'_>) -> Option<Hit> {
    let first = site.trigger.start;
    if site.before(first) == Some(b'+') {
        let plus = first - 1;
        let joined = |byte: u8| byte.is_ascii_alphanumeric() || b"+/_.-)".contains(&byte);
        if site.before(plus).is_some_and(joined) {
            return None;
        }
        let end = read(site, first)?;
        return Some(Hit::sure(plus..end, RULE, Confidence::Shape));
    }
    // Dialled from abroad. Dumps and columns of numbers start with zeros too.
    let prefix = [b"011" as &[u8], b"00"]
        .into_iter()
        .find(|zeros| site.text[first..].starts_with(zeros) && site.trigger.len() >= zeros.len())?;
    if continues(site, first) {
        return None;
    }
    let mut at = first + prefix.len();
    if at == site.trigger.end {
        at += separator(site, at)?;
    }
    let end = read(site, at)?;
    site.if_named(first..end, RULE, Confidence::Context)
}

/// Where a number ends that starts with its country's code at `at`.
fn read(site: &Site<'_>, at: usize) -> Option<usize> {
    let number = Number::read(site, at);
    let (code, lengths) = plan(number.digits())?;
    let fits = |(count, end): &&(usize, usize)| {
        count.checked_sub(code).is_some_and(|length| lengths.contains(&length))
            && (site.ends(*end) || with_extension(site, *end) > *end)
            && !matches!(site.byte(*end), Some(b'+' | b'=' | b'/'))
    };
    let (count, end) = *number.ends().iter().rev().find(fits)?;
    let plausible = is_plausible(code, &number.digits()[..count]);
    plausible.then(|| with_extension(site, end))
}

/// A country code's length, and how many digits may follow it.
fn plan(digits: &[u8]) -> Option<(usize, std::ops::RangeInclusive<usize>)> {
    let value = |count: usize| {
        let digits = digits.get(..count)?;
        Some(digits.iter().fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0')))
    };
    if matches!(value(1)?, 1 | 7) {
        return Some((1, 10..=10));
    }
    let lengths = match value(2)? {
        27 | 31 | 33 | 34 | 41 | 48 | 56 | 61 | 93 | 94 => Some(9..=9),
        30 | 52 | 57 | 58 | 91 | 98 | 90 => Some(10..=10),
        45 | 47 | 53 | 65 => Some(8..=8),
        32 | 36 | 51 | 66 => Some(8..=9),
        20 | 40 | 44 | 63 | 81 | 84 | 92 => Some(9..=10),
        54 | 55 | 86 => Some(10..=11),
        60 | 64 | 82 | 95 => Some(8..=10),
        39 => Some(8..=11),
        43 => Some(8..=13),
        46 => Some(7..=10),
        49 => Some(7..=12),
        62 => Some(8..=12),
        _ => None,
    };
    if let Some(lengths) = lengths {
        return Some((2, lengths));
    }
    let lengths = match value(3)? {
        351 | 375 | 380 | 420 | 421 | 966 | 967 | 251 | 254 | 255 | 256 | 212 | 233 | 992 => 9..=9,
        370 | 371 | 374 | 389 | 852 | 853 | 965 | 968 | 973 | 974 | 976 | 216 | 356 | 357 => 8..=8,
        354 | 960 => 7..=7,
        352 | 358 => 6..=11,
        353 | 355 | 359 | 372 | 377 | 381..=383 | 385..=387 | 855 | 961 | 962 | 971 | 972 => 7..=9,
        886 => 8..=9,
        880 | 234 | 964 | 977 | 998 => 8..=10,
        // Codes that are assigned, with plans that differ by no more than this.
        211..=213
        | 218
        | 220..=258
        | 260..=269
        | 290
        | 291
        | 297..=299
        | 350..=359
        | 370..=383
        | 423
        | 500..=509
        | 590..=599
        | 670
        | 672..=683
        | 685..=692
        | 800
        | 808
        | 850
        | 856
        | 870
        | 878
        | 880..=883
        | 888
        | 960..=968
        | 970..=977
        | 979
        | 992..=996 => 7..=10,
        _ => return None,
    };
    Some((3, lengths))
}

fn is_plausible(code: usize, digits: &[u8]) -> bool {
    let (country, subscriber) = digits.split_at(code);
    // North America: area and exchange start with 2 to 9.
    let fits = country != b"1" || (subscriber[0] > b'1' && subscriber[3] > b'1');
    fits && subscriber.iter().any(|digit| *digit != subscriber[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn it_ends_where_the_countrys_plan_says() {
        for (text, value) in [
            ("+14155550123", "+14155550123"),
            ("+1 (415) 555-0123 2024", "+1 (415) 555-0123"),
            ("tel:+1-415-555-0123;ext=5", "+1-415-555-0123"),
            ("+44 (0)20 7946 0958 12 people", "+44 (0)20 7946 0958"),
            ("+49 30 901820.", "+49 30 901820"),
            ("+33 1 23 45 67 89 10 11", "+33 1 23 45 67 89"),
            ("+86 138 0013 8000，谢谢", "+86 138 0013 8000"),
            ("phone=+353.1.8721234", "+353.1.8721234"),
            ("+1-415-555-0123x42", "+1-415-555-0123x42"),
            ("+49\u{a0}30\u{a0}901820", "+49\u{a0}30\u{a0}901820"),
            ("call me: 0049 30 901820", "0049 30 901820"),
            ("Tel 00 44 20 7946 0958", "00 44 20 7946 0958"),
            ("phone 00442079460958.", "00442079460958"),
            ("fax 011 44 20 7946 0958", "011 44 20 7946 0958"),
        ] {
            assert_eq!(found(text), [(Kind::Phone, value)], "{text}");
        }
    }

    #[test]
    fn sums_and_offsets_are_no_numbers() {
        for text in [
            "+1000000000000000000",
            "+11111111111",
            "x+14155550123",
            "12+14155550123",
            "+1415555012",
            "+141555501234",
            "+14155550123abc",
            "+0049309018",
            "UTC+02:00",
            "+2147483647 +4294967296",
            "0044 20 7946 0958",
            "00 44 20 79 46 09 58 00",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
