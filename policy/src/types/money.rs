//! Money: integer nano-USD for what is held, settled and stored; integer pico-USD for prices.
//!
//! A price of $0.15 per million tokens is 0.15 micro-USD per token, so micro-USD is too coarse
//! for a price and floats are not exact. Sums of price times units are made in pico-USD (`i128`)
//! and rounded **up** once, when they become an amount.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An amount in nano-USD (10⁻⁹ USD). Range ±9.2 billion USD.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct NanoUsd(pub i64);

/// A price or an exact sum in pico-USD (10⁻¹² USD).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct PicoUsd(pub i128);

/// Why a text is not an amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not of the form `5 USD`, `$0.50`, `50 cents`.
    #[error("`{0}` is not an amount: write `5 USD`, `$0.50` or `50 cents`")]
    Shape(String),
    /// More than nine decimals, or beyond the range of 64 bits of nano-USD.
    #[error("`{0}` does not fit: at most nine decimals and nine billion USD")]
    Range(String),
}

impl NanoUsd {
    /// No money.
    pub const ZERO: Self = Self(0);
    /// The largest amount that can be written.
    pub const MAX: Self = Self(i64::MAX);
    const PER_USD: i64 = 1_000_000_000;

    /// A whole number of US dollars.
    pub const fn usd(dollars: i64) -> Self {
        Self(dollars * Self::PER_USD)
    }

    /// `self - other`, but never below zero.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).max(0))
    }
}

impl PicoUsd {
    /// This price times a number of units.
    #[must_use]
    pub fn times(self, units: u64) -> Self {
        Self(self.0 * i128::from(units))
    }

    /// The amount in nano-USD, rounded up, capped at [`NanoUsd::MAX`].
    pub fn ceil(self) -> NanoUsd {
        let nano = self.0.div_euclid(1000) + i128::from(self.0.rem_euclid(1000) != 0);
        NanoUsd(i64::try_from(nano).unwrap_or(i64::MAX))
    }
}

impl Add for NanoUsd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for NanoUsd {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for NanoUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl Add for PicoUsd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sum for PicoUsd {
    fn sum<I: Iterator<Item = Self>>(prices: I) -> Self {
        prices.fold(Self(0), Add::add)
    }
}

impl From<NanoUsd> for PicoUsd {
    fn from(amount: NanoUsd) -> Self {
        Self(i128::from(amount.0) * 1000)
    }
}

/// Shown as dollars with at least two decimals and no trailing zeros beyond them: `$0.000152`.
impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let size = self.0.unsigned_abs();
        let (whole, part) = (size / 1_000_000_000, size % 1_000_000_000);
        let digits = format!("{part:09}");
        let kept = digits.trim_end_matches('0').len().max(2);
        f.pad(&format!("{sign}${whole}.{}", &digits[..kept]))
    }
}

/// Reads `5 USD`, `5usd`, `$5`, `0.25 USD`, `50 cents`, `5`. A bare number is dollars.
impl FromStr for NanoUsd {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let shape = || MoneyError::Shape(text.to_owned());
        let range = || MoneyError::Range(text.to_owned());
        let lower = text.trim().to_ascii_lowercase();
        let (number, scale) = if let Some(rest) = lower.strip_prefix('$') {
            (rest, 9)
        } else if let Some(rest) = lower.strip_suffix("usd") {
            (rest, 9)
        } else if let Some(rest) =
            lower.strip_suffix("cents").or_else(|| lower.strip_suffix("cent"))
        {
            (rest, 7)
        } else {
            (lower.as_str(), 9)
        };
        let number = number.trim().replace('_', "");
        let (whole, part) = number.split_once('.').unwrap_or((&number, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && part.is_empty()) || !digits(whole) || !digits(part) {
            return Err(shape());
        }
        if part.len() > scale {
            return Err(range());
        }
        let joined = format!("{whole}{part:0<scale$}");
        joined.parse().map(Self).map_err(|_| range())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_in_the_ways_people_write_them() {
        for (text, nano) in [
            ("5 USD", 5_000_000_000),
            ("5usd", 5_000_000_000),
            ("$0.50", 500_000_000),
            ("50 cents", 500_000_000),
            ("1 cent", 10_000_000),
            ("0.000000001 USD", 1),
            (".5", 500_000_000),
            ("1_000", 1_000_000_000_000),
        ] {
            assert_eq!(text.parse(), Ok(NanoUsd(nano)), "{text}");
        }
        for text in ["", "USD", "-1 USD", "5 EUR", "1e3", "1.2.3", "five"] {
            assert!(matches!(text.parse::<NanoUsd>(), Err(MoneyError::Shape(_))), "{text}");
        }
        assert!(matches!("0.0000000001".parse::<NanoUsd>(), Err(MoneyError::Range(_))));
        assert!(matches!("99999999999".parse::<NanoUsd>(), Err(MoneyError::Range(_))));
    }

    #[test]
    fn amounts_are_shown_with_every_digit_that_counts() {
        assert_eq!(NanoUsd::usd(5).to_string(), "$5.00");
        assert_eq!(NanoUsd(152_000).to_string(), "$0.000152");
        assert_eq!(NanoUsd(-1).to_string(), "-$0.000000001");
    }

    #[test]
    fn a_fraction_of_a_nano_is_rounded_up() {
        assert_eq!(PicoUsd(1).ceil(), NanoUsd(1));
        assert_eq!(PicoUsd(1000).ceil(), NanoUsd(1));
        assert_eq!(PicoUsd(1001).ceil(), NanoUsd(2));
        assert_eq!(PicoUsd(0).ceil(), NanoUsd(0));
        assert_eq!(PicoUsd(i128::MAX).ceil(), NanoUsd::MAX);
    }
}
