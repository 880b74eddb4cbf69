//! What is added up over calls, and the columns that it stands in.

/// The upper bounds of the buckets of the time to the first byte, in milliseconds; the last bucket
/// has none. Each is about 1.5 times the one before, from what a cache answers to what hangs.
pub const BOUNDS: [i64; FIRST_BYTE - 1] = [
    10, 15, 22, 33, 50, 75, 110, 160, 240, 350, 500, 750, 1_100, 1_600, 2_400, 3_500, 5_000, 7_500,
    11_000, 16_000, 24_000, 50_000, 120_000,
];
/// How many buckets there are.
pub const FIRST_BYTE: usize = 24;
/// How many sums there are before them.
pub const NAMED: usize = 9;
/// How many columns there are.
pub const WIDTH: usize = NAMED + FIRST_BYTE;

/// The columns of `rollup` and `tally`, in the order of [`Sums`].
pub const COLUMNS: [&str; WIDTH] = [
    "calls",
    "refused",
    "errors",
    "posted",
    "estimated",
    "unpriced",
    "input_tokens",
    "output_tokens",
    "found",
    "fb00",
    "fb01",
    "fb02",
    "fb03",
    "fb04",
    "fb05",
    "fb06",
    "fb07",
    "fb08",
    "fb09",
    "fb10",
    "fb11",
    "fb12",
    "fb13",
    "fb14",
    "fb15",
    "fb16",
    "fb17",
    "fb18",
    "fb19",
    "fb20",
    "fb21",
    "fb22",
    "fb23",
];

/// Sums over calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sums(pub [i64; WIDTH]);

impl Default for Sums {
    fn default() -> Self {
        Self([0; WIDTH])
    }
}

macro_rules! named {
    ($($(#[$about:meta])* $name:ident, $set:ident = $at:literal;)*) => {
        impl Sums {
            $(
                $(#[$about])*
                pub const fn $name(&self) -> i64 {
                    self.0[$at]
                }
                /// The same, to be changed.
                pub const fn $set(&mut self) -> &mut i64 {
                    &mut self.0[$at]
                }
            )*
        }
    };
}

named! {
    /// Calls that ended.
    calls, calls_mut = 0;
    /// Of them, those that a proxy refused.
    refused, refused_mut = 1;
    /// Of them, those that an upstream answered with an error, or that failed on the way.
    errors, errors_mut = 2;
    /// What was charged, estimates included, in nano-USD.
    posted, posted_mut = 3;
    /// What of it is an estimate.
    estimated, estimated_mut = 4;
    /// Calls that used something whose price nobody knows.
    unpriced, unpriced_mut = 5;
    /// Tokens read.
    input_tokens, input_tokens_mut = 6;
    /// Tokens written.
    output_tokens, output_tokens_mut = 7;
    /// Findings.
    found, found_mut = 8;
}

impl Sums {
    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        for (own, more) in self.0.iter_mut().zip(other.0) {
            *own = own.saturating_add(more);
        }
    }

    /// Counts a call that took so many microseconds to its first byte; 0 is none.
    pub fn first_byte(&mut self, micros: i64) {
        if micros > 0 {
            let bucket = BOUNDS.partition_point(|bound| bound.saturating_mul(1_000) < micros);
            self.0[NAMED + bucket] += 1;
        }
    }

    /// The time to the first byte that 95 of 100 calls stayed within, in microseconds: read off the
    /// buckets, evenly within one. None where no call had a first byte.
    pub fn p95_micros(&self) -> Option<i64> {
        let buckets = &self.0[NAMED..];
        let all: i64 = buckets.iter().sum();
        if all <= 0 {
            return None;
        }
        let rank = (all * 95 + 99) / 100;
        let mut below = 0;
        for (place, count) in buckets.iter().enumerate() {
            if below + count >= rank {
                let from = if place == 0 { 0 } else { BOUNDS[place - 1] };
                // Of what is beyond the last bound nothing is known but that.
                let to = BOUNDS.get(place).copied().unwrap_or(from);
                let part = (rank - below).saturating_mul(to - from).saturating_mul(1_000);
                return Some(from * 1_000 + part / (*count).max(1));
            }
            below += count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_within_its_bucket() {
        let mut sums = Sums::default();
        assert_eq!(sums.p95_micros(), None);
        for ms in 1..=100 {
            sums.first_byte(ms * 10_000);
        }
        // 950 ms, in the bucket from 750 to 1,100.
        let p95 = sums.p95_micros().unwrap();
        assert!((750_000..=1_100_000).contains(&p95), "{p95}");
        sums.first_byte(0);
        assert_eq!(sums.p95_micros(), Some(p95));
        let mut slow = Sums::default();
        slow.first_byte(i64::MAX);
        assert_eq!(slow.p95_micros(), Some(120_000_000));
    }

    #[test]
    fn what_is_on_a_bound_is_in_the_bucket_below_it() {
        let mut sums = Sums::default();
        sums.first_byte(10_000);
        sums.first_byte(10_001);
        assert_eq!((sums.0[NAMED], sums.0[NAMED + 1]), (1, 1));
    }
}
