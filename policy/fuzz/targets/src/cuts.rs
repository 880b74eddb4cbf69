//! Ways to cut an input, the same each time for the same input.

use std::ops::Range;

/// A small generator (Marsaglia's xorshift64, <https://doi.org/10.18637/jss.v008.i14>): a check
/// must not depend on anything but its input.
pub(crate) struct Random(u64);

impl Random {
    /// Starts from the bytes (FNV-1a over them; never zero, which would stay zero).
    pub(crate) fn from(data: &[u8]) -> Self {
        let hash = data.iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
        });
        Self(hash | 1)
    }

    /// A key for a session's vault. Were it the same for every input, a fuzzer would learn to
    /// write the very placeholders that its input gets, which nobody without the key can.
    pub(crate) fn key(&mut self) -> [u8; 32] {
        std::array::from_fn(|_| self.below(256) as u8)
    }

    /// A number below `limit`, which is not zero.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

/// Ways to cut `0..length` into pieces, at places where `may` allows it: into single ones, and
/// into random ones of several sizes.
pub(crate) fn cuts(
    length: usize,
    random: &mut Random,
    may: impl Fn(usize) -> bool,
) -> Vec<Vec<Range<usize>>> {
    let mut ways = vec![pieces(length, &may, || 1)];
    for most in [3, 8, 40] {
        ways.push(pieces(length, &may, || 1 + random.below(most)));
    }
    ways
}

fn pieces(
    length: usize,
    may: &impl Fn(usize) -> bool,
    mut size: impl FnMut() -> usize,
) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    while start < length {
        let mut end = (start + size()).min(length);
        while !may(end) {
            end += 1;
        }
        ranges.push(start..end);
        start = end;
    }
    ranges
}
