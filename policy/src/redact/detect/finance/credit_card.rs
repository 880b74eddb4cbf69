//! Payment card numbers.
//!
//! Luhn's check digit (ISO/IEC 7812-1, annex B) **and** an issuer range **and** a length of that
//! network. A number without separators is common, so it must stand alone; and where its length
//! is one that snowflakes, barcodes and timestamps have too, words must say that it is a card.

use std::ops::RangeInclusive;

use crate::redact::detect::checksum::luhn;
use crate::redact::detect::{BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::CreditCard,
    start: Start::Digits {
        lengths: &[4, 12, 13, 14, 15, 16, 17, 18, 19],
        before: &[Before::Clear],
    },
    check,
    // Test numbers that Stripe and PayPal publish.
    valid: ["4242 4242 4242 4242", "378282246310005"],
    // A wrong check digit; a right one, but nobody issues such numbers.
    invalid: ["4242 4242 4242 4241", "1234567812345670"],
    words: &[
        "card",
        "cards",
        "credit card",
        "debit",
        "visa",
        "mastercard",
        "maestro",
        "amex",
        "discover",
        "unionpay",
        "american express",
        "diners",
        "jcb",
        "kreditkarte",
        "kartennummer",
        "tarjeta",
        "carte bancaire",
        "carte",
        "carta di credito",
        "cartão",
        "creditcard",
        "cardnumber",
        "card number",
        "cc number",
        "ccnum",
        "pan",
        "卡号",
        "信用卡",
        "カード番号",
    ],
    about: "Luhn, issuer range and that network's length",
    ..BASE
};

/// The ways in which numbers are printed on cards.
const GROUPINGS: [&[usize]; 4] = [&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4]];

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.start;
    if site.trigger.len() == 4 {
        let range = start..grouped(site)?;
        return Some(Hit::sure(range, "credit-card", Confidence::Checksum));
    }
    let range = site.trigger.clone();
    let digits = &site.text[range.clone()];
    if !site.ends(range.end) || !is_issued(digits) || !luhn(digits) {
        return None;
    }
    if (14..=16).contains(&digits.len()) {
        return Some(Hit::sure(range, "credit-card", Confidence::Checksum));
    }
    // Lengths that barcodes, snowflakes and timestamps have too, one in ten of them valid.
    site.if_named(range, "credit-card", Confidence::Checksum)
}

fn grouped(site: &Site<'_>) -> Option<usize> {
    let separator = site.byte(site.trigger.end).filter(|byte| matches!(byte, b' ' | b'-'))?;
    GROUPINGS.iter().find_map(|grouping| grouped_as(site, separator, grouping))
}

fn grouped_as(site: &Site<'_>, separator: u8, grouping: &[usize]) -> Option<usize> {
    let mut digits = [0; 19];
    let mut length = 0;
    let mut at = site.trigger.start;
    for (place, size) in grouping.iter().enumerate() {
        if place > 0 {
            (site.byte(at)? == separator).then_some(())?;
            at += 1;
        }
        let group = digit_group(site, at)?;
        (group.len() == *size).then_some(())?;
        digits[length..length + size].copy_from_slice(group);
        length += size;
        at += size;
    }
    let digits = &digits[..length];
    let valid = site.ends(at) && !in_column(site, separator, at) && is_issued(digits);
    (valid && luhn(digits)).then_some(at)
}

/// True where another group of four stands before or after: a column of numbers, not a card.
fn in_column(site: &Site<'_>, separator: u8, end: usize) -> bool {
    let start = site.trigger.start;
    let four_before = start >= 5
        && site.text[start - 1] == separator
        && site.text[start - 5..start - 1].iter().all(u8::is_ascii_digit)
        && !start.checked_sub(6).is_some_and(|at| site.text[at].is_ascii_digit());
    let four_after = site.byte(end) == Some(separator)
        && digit_group(site, end + 1).is_some_and(|group| group.len() == 4);
    four_before || four_after
}

/// The digits from `at` on, at most eight of them.
fn digit_group<'a>(site: &Site<'a>, at: usize) -> Option<&'a [u8]> {
    if at >= site.text.len() {
        return None;
    }
    let end = site.run(at, 8, |byte| byte.is_ascii_digit());
    Some(&site.text[at..end])
}

/// Ranges of the first six digits, and the lengths that the network's numbers have there.
///
/// After <https://en.wikipedia.org/wiki/Payment_card_number>, active networks only.
#[rustfmt::skip]
const ISSUED: [(RangeInclusive<u32>, &[usize]); 29] = [
    // American Express
    (340_000..=349_999, &[15]),
    (370_000..=379_999, &[15]),
    // Diners Club
    (300_000..=305_999, &[14]),
    (309_500..=309_599, &[14]),
    (360_000..=369_999, &[14]),
    (380_000..=399_999, &[14]),
    // Visa
    (400_000..=499_999, &[13, 16, 19]),
    // Mastercard
    (222_100..=272_099, &[16]),
    (510_000..=559_999, &[16]),
    // JCB
    (352_800..=358_999, &[16, 17, 18, 19]),
    // Discover
    (601_100..=601_199, &[16, 17, 18, 19]),
    (644_000..=659_999, &[16, 17, 18, 19]),
    // UnionPay
    (620_000..=629_999, &[16, 17, 18, 19]),
    (810_000..=817_199, &[16, 17, 18, 19]),
    // Mir
    (220_000..=220_499, &[16, 17, 18, 19]),
    // RuPay
    (508_500..=508_999, &[16]),
    (606_985..=608_500, &[16]),
    // Troy
    (979_200..=979_299, &[16]),
    // Verve
    (506_099..=506_198, &[16]),
    // Maestro
    (501_800..=501_899, &MAESTRO),
    (502_000..=502_099, &MAESTRO),
    (503_800..=503_899, &MAESTRO),
    (589_300..=589_399, &MAESTRO),
    (630_400..=630_499, &MAESTRO),
    (675_900..=675_999, &MAESTRO),
    (676_100..=676_199, &MAESTRO),
    (676_200..=676_299, &MAESTRO),
    (676_300..=676_399, &MAESTRO),
    (676_770..=676_774, &MAESTRO),
];
const MAESTRO: [usize; 8] = [12, 13, 14, 15, 16, 17, 18, 19];

/// True where an issuer's range starts like this and its network has numbers of this length.
fn is_issued(digits: &[u8]) -> bool {
    let first_six =
        digits.iter().take(6).fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
    ISSUED
        .iter()
        .any(|(range, lengths)| range.contains(&first_six) && lengths.contains(&digits.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn networks_that_publish_test_numbers_are_known() {
        for text in [
            "5555555555554444",
            "2223003122003222",
            "6011111111111117",
            "30569309025904",
            "3530111333300000",
            "6200000000000005",
            "4111-1111-1111-1111",
            "3782 822463 10005",
            "card 4222222222222",
            "card: 6759649826438453",
        ] {
            assert_eq!(found(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn a_number_that_is_part_of_something_is_no_card() {
        for text in [
            "4222222222222",
            "a4111111111111111",
            "4111111111111111f",
            "4111111111111111-1",
            "id-4111111111111111",
            "x_4111111111111111",
            "0.4111111111111111",
            "4111111111111111.5",
            "41111111111111111",
            "1234 4111 1111 1111 1111",
            "4111 1111 1111 1111 1234",
            "4111 1111-1111 1111",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
        assert_eq!(found("4111 1111 1111 1111 123"), [(Kind::CreditCard, "4111 1111 1111 1111")]);
    }
}
