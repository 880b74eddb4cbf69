//! Check digits, each as its standard describes it. All take ASCII digits.

/// Luhn's (ISO/IEC 7812-1, annex B) over all digits, the check digit last.
pub(in crate::redact) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(digit - b'0') << (place & 1);
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The sum of the digits, each times its weight. Stops at the shorter of the two.
pub(super) fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum()
}

/// Verhoeff's (J. Verhoeff, "Error detecting decimal codes", 1969), the check digit last.
pub(in crate::redact) fn verhoeff(digits: &[u8]) -> bool {
    /// One step of the permutation; the others are its powers.
    const STEP: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let permuted =
        |digit: u8, times: usize| (0..times % 8).fold(digit, |d, _| STEP[usize::from(d)]);
    let sum = digits
        .iter()
        .rev()
        .enumerate()
        .fold(0, |sum, (place, digit)| dihedral(sum, permuted(digit - b'0', place)));
    sum == 0
}

/// The product of two elements of the dihedral group of order ten.
const fn dihedral(a: u8, b: u8) -> u8 {
    match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b) % 5,
        (false, true) => 5 + (a + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    }
}

/// The remainder of a decimal number.
pub(in crate::redact) fn remainder(digits: &[u8], modulus: u64) -> u64 {
    digits.iter().fold(0, |rest, digit| (rest * 10 + u64::from(digit - b'0')) % modulus)
}

/// True where a number is one digit over and over, which nobody is given.
pub(super) fn is_uniform(digits: &[u8]) -> bool {
    digits.windows(2).all(|two| two[0] == two[1])
}

/// True where year (last two digits or four), month and day could be a date. Days by the longest
/// month; leap years are not looked at.
pub(super) const fn is_date(month: u32, day: u32) -> bool {
    let longest = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    day >= 1 && day <= longest
}

/// The number that these ASCII digits write; at most nine of them.
pub(super) fn number(digits: &[u8]) -> u32 {
    digits.iter().take(9).fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
}

/// ISO/IEC 7064, MOD 11,10, the check digit last.
pub(super) fn mod_11_10(digits: &[u8]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let product = body.iter().fold(10, |product, digit| {
        let sum = (product + u32::from(digit - b'0')) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (product + u32::from(check - b'0')) % 10 == 1
}

/// True where six digits could be a date of the years from 2015 to 2039, the year first or last:
/// in logs, file names and the numbers of orders that is what they are.
pub(super) fn is_recent_date(digits: &[u8]) -> bool {
    let [first, month, last] = [0, 2, 4].map(|at| number(&digits[at..at + 2]));
    let is_recent = |year, day| matches!(year, 15..=39) && is_date(month, day);
    is_recent(first, last) || is_recent(last, first)
}

/// What a letter or a digit counts in base 36: `0` to `9`, then `A` (10) to `Z` (35).
pub(super) fn base_36(byte: u8) -> u32 {
    char::from(byte).to_digit(36).unwrap_or(0)
}

/// Whether year (any), month and day, two digits each, could be a date: `YYMMDD`.
pub(super) fn is_six_digit_date(digits: &[u8]) -> bool {
    digits.len() >= 6 && is_date(number(&digits[2..4]), number(&digits[4..6]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luhns_digit_is_checked() {
        // ISO/IEC 7812-1's own example, and Wikipedia's.
        assert!(luhn(b"49927398716") && luhn(b"17893729974"));
        assert!(!luhn(b"49927398717") && !luhn(b"17893729975"));
    }

    #[test]
    fn verhoeffs_digit_is_checked() {
        // Wikipedia's examples: 2363, 123451, 1428570.
        assert!(verhoeff(b"2363") && verhoeff(b"123451") && verhoeff(b"1428570"));
        assert!(!verhoeff(b"2364") && !verhoeff(b"123541"));
    }

    #[test]
    fn sums_and_remainders() {
        assert_eq!(weighted(b"123", &[3, 2, 1]), 10);
        assert_eq!(remainder(b"1000", 97), 30);
        assert!(is_uniform(b"7777") && !is_uniform(b"7778"));
        assert!(is_date(2, 29) && !is_date(2, 30) && !is_date(13, 1) && !is_date(1, 0));
        assert_eq!(number(b"00420"), 420);
    }

    #[test]
    fn the_hybrid_systems_digit_is_checked() {
        // The standard's own example, and a German tax number that python-stdnum tests with.
        assert!(mod_11_10(b"07945") && mod_11_10(b"36574261809"));
        assert!(!mod_11_10(b"07946") && !mod_11_10(b"36574261890") && !mod_11_10(b""));
    }

    #[test]
    fn a_recent_date_has_its_year_first_or_last() {
        assert!(is_recent_date(b"240131") && is_recent_date(b"310124"));
        assert!(!is_recent_date(b"640131") && !is_recent_date(b"410124"));
    }

    #[test]
    fn letters_and_dates() {
        assert_eq!((base_36(b'7'), base_36(b'A'), base_36(b'z')), (7, 10, 35));
        assert!(is_six_digit_date(b"991231") && is_six_digit_date(b"0002299"));
        assert!(!is_six_digit_date(b"991301") && !is_six_digit_date(b"99123"));
    }
}
