//! Payment card numbers.
//!
//! Luhn's check digit (ISO/IEC 7812-1, annex B) **and** an issuer range **and** a length of that
//! network. A number without separators is common, so it must stand alone; and where its length
//! is one that snowflakes, barcodes and timestamps have too, words must say that it is a card.

use std::ops::RangeInclusive;

use crate::redact::detect::checksum::luhn;
use crate::redact::detect::token::{gap, line_end, mark_at};
use crate::redact::detect::{After, BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::CreditCard,
    start: Start::Digits {
        lengths: &[4, 6, 12, 13, 14, 15, 16, 17, 18, 19],
        before: &[Before::Clear],
    },
    after: &[After::Clear, After::Space, After::Word, After::Dash, After::Dot, After::Sign],
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
        "carte bleue",
        "carte de crédit",
        "carte de credit",
        "carta di credito",
        "cartão",
        "creditcard",
        "cardnumber",
        "card number",
        "cc number",
        "ccnum",
        "cartão de crédito",
        "carta di debito",
        "cc num",
        "cc no",
        "kredi kartı",
        "creditcardnummer",
        "numer karty",
        "номер карты",
        "银行卡号",
        "卡号",
        "信用卡",
        "カード番号",
    ],
    about: "Luhn, issuer range and that network's length",
    ..BASE
};

/// The ways in which numbers are printed on cards, or typed in.
const GROUPINGS: [&[usize]; 8] = [
    &[4, 4, 4, 4, 3],
    &[4, 4, 4, 4],
    &[4, 6, 5],
    &[4, 6, 4],
    &[4, 4, 4, 3],
    &[4, 4, 4, 2],
    &[4, 5, 6],
    &[6, 13],
];

fn check(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.start;
    if matches!(site.trigger.len(), 4 | 6) {
        let (end, dotted) = grouped(site)?;
        let range = start..end;
        if dotted {
            return site.if_named(range, "credit-card", Confidence::Checksum);
        }
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

/// Where the groups end, and whether dots part them.
fn grouped(site: &Site<'_>) -> Option<(usize, bool)> {
    let wrapped = site.text.get(site.trigger.end..).and_then(line_end).map(|_| &b" "[..]);
    let mark = wrapped.or_else(|| mark_at(site, site.trigger.end, b" -."))?;
    let end = GROUPINGS
        .iter()
        .filter(|grouping| grouping[0] == site.trigger.len())
        .find_map(|grouping| grouped_as(site, mark, grouping))?;
    Some((end, mark == b"."))
}

fn grouped_as(site: &Site<'_>, mark: &[u8], grouping: &[usize]) -> Option<usize> {
    let mut digits = [0; 19];
    let mut length = 0;
    let mut at = site.trigger.start;
    for (place, size) in grouping.iter().enumerate() {
        if place > 0 {
            at += gap(site, at, mark)?;
        }
        let group = digit_group(site, at)?;
        (group.len() == *size).then_some(())?;
        digits[length..length + size].copy_from_slice(group);
        length += size;
        at += size;
    }
    let digits = &digits[..length];
    let valid = site.ends(at) && !in_column(site, mark, at) && is_issued(digits);
    (valid && luhn(digits)).then_some(at)
}

/// True where another group of four stands before or after: a column of numbers, not a card.
fn in_column(site: &Site<'_>, mark: &[u8], end: usize) -> bool {
    let is_digit = |at: usize| site.text[at].is_ascii_digit();
    let start = site.trigger.start;
    let last = site.text[..start].strip_suffix(mark).map_or(0, <[u8]>::len);
    let four_before =
        last >= 4 && (last - 4..last).all(is_digit) && !last.checked_sub(5).is_some_and(is_digit);
    let four_after = site.text[end..].starts_with(mark)
        && digit_group(site, end + mark.len()).is_some_and(|group| group.len() == 4);
    four_before || four_after
}

/// The digits from `at` on, at most 14 of them.
fn digit_group<'a>(site: &Site<'a>, at: usize) -> Option<&'a [u8]> {
    if at >= site.text.len() {
        return None;
    }
    let end = site.run(at, 14, |byte| byte.is_ascii_digit());
    Some(&site.text[at..end])
}

/// Ranges of the first six digits, and the lengths that the network's numbers have there.
///
/// After <https://en.wikipedia.org/wiki/Payment_card_number>, with the ranges that Elo and Hipercard
/// publish for acquirers. Numbers are issued from some ranges that are no longer given out.
#[rustfmt::skip]
const ISSUED: [(RangeInclusive<u32>, &[usize]); 45] = [
    // American Express
    (340_000..=349_999, &[15]),
    (370_000..=379_999, &[15]),
    // Diners Club
    (300_000..=305_999, &DINERS),
    (309_500..=309_599, &DINERS),
    (360_000..=369_999, &DINERS),
    (380_000..=399_999, &DINERS),
    // Visa
    (400_000..=499_999, &[13, 16, 19]),
    // Mastercard
    (222_100..=272_099, &[16]),
    (510_000..=559_999, &[16]),
    // JCB
    (352_800..=358_999, &[16, 17, 18, 19]),
    (180_000..=180_099, &[15]),
    (213_100..=213_199, &[15]),
    // Discover
    (601_100..=601_199, &[16, 17, 18, 19]),
    (644_000..=659_999, &[16, 17, 18, 19]),
    // UnionPay
    (620_000..=629_999, &[16, 17, 18, 19]),
    (810_000..=817_199, &[16, 17, 18, 19]),
    // Mir
    (220_000..=220_499, &[16, 17, 18, 19]),
    // Elo
    (504_175..=504_175, &[16]),
    (506_699..=506_778, &[16]),
    (509_000..=509_999, &[16]),
    (636_297..=636_297, &[16]),
    (636_368..=636_368, &[16]),
    // Hipercard
    (606_282..=606_282, &[13, 16, 19]),
    // Dankort, Borica, LankaPay, UzCard, Humo, Napas, InstaPayment
    (501_900..=501_999, &[16]),
    (220_500..=220_599, &[16]),
    (357_111..=357_111, &[16]),
    (860_000..=860_099, &[16]),
    (986_000..=986_099, &[16]),
    (970_400..=970_499, &[16, 19]),
    (637_000..=639_999, &[16]),
    // RuPay; its 65 and 353, 356 are Discover's and JCB's above
    (508_500..=508_999, &[16]),
    (606_985..=608_500, &[16]),
    // Troy
    (979_200..=979_299, &[16]),
    // Verve
    (506_099..=506_198, &[16]),
    // Maestro
    (560_000..=589_299, &[12, 13, 19]),
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
const DINERS: [usize; 6] = [14, 15, 16, 17, 18, 19];
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
            "4111\u{a0}1111\u{a0}1111\u{a0}1111",
            "4111–1111–1111–1111",
            "card 4111.1111.1111.1111",
            "3714 4963 5398 431",
            "6362 9700 0045 7013",
            "6062 8288 8866 6688",
            "180012345678905",
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
            "4111.1111.1111.1111",
            "411111 1111111111",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
        assert_eq!(found("4111 1111 1111 1111 123"), [(Kind::CreditCard, "4111 1111 1111 1111")]);
    }
}
