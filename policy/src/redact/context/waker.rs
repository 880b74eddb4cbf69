//! Which detectors may have a word of theirs in a stretch of text: an answer that is quick and may
//! say yes too often, never no too often.
//!
//! At each beginning of a word its first four letters are looked up; of scripts that part no
//! words, each character.

use super::vocabulary::accented;
use crate::redact::mask::{BLOCK, mask, with_block};

/// Bits of the filter; a power of two.
const FILTER: usize = 32 * 1024;
/// Buckets of the table; a power of two.
const BUCKETS: usize = 4096;
/// Marks a key of a character, apart from those of four ASCII letters.
const CHARACTER: u32 = 1 << 31;

/// A table from the beginnings of words to the detectors that have them.
pub(super) struct Waker {
    /// One bit for several keys, few of which are set: most words are told off here.
    filled: [u64; FILTER / 64],
    /// By bucket: keys and the detectors that have such words. Grows where many share one.
    keys: Vec<Vec<(u32, u128)>>,
}

impl Waker {
    /// Of words, each with the detectors that it wakes.
    pub(super) fn new(words: impl Iterator<Item = (&'static str, u128)>) -> Self {
        let mut waker = Self { filled: [0; FILTER / 64], keys: vec![Vec::new(); BUCKETS] };
        for (word, detectors) in words.filter(|(_, detectors)| *detectors != 0) {
            // Any part of it will do: the longest stands in the fewest texts.
            let parts = word.split(' ').rev();
            let longest = parts.max_by_key(|part| part.len().min(4)).unwrap_or(word);
            waker.add(key_at(longest.as_bytes()), detectors);
            // The plural of a word of three letters has four.
            if longest.len() == 3 {
                waker.add(key_at(format!("{longest}s").as_bytes()), detectors);
            }
        }
        waker
    }

    fn add(&mut self, key: u32, detectors: u128) {
        let hash = hash_of(key);
        self.filled[hash % FILTER / 64] |= 1 << (hash % 64);
        let keys = &mut self.keys[hash % BUCKETS];
        match keys.iter_mut().find(|(known, _)| *known == key) {
            Some((_, bits)) => *bits |= detectors,
            None => keys.push((key, detectors)),
        }
    }

    /// Bit d: a word of detector d may stand in the text.
    pub(super) fn awake(&self, text: &[u8]) -> u128 {
        let mut awake = 0;
        let mut before = Kinds::default();
        let mut at = 0;
        while at < text.len() {
            let kinds = with_block(text, at, Kinds::of);
            let next = text.get(at + BLOCK).is_some_and(u8::is_ascii_lowercase);
            let mut begins = kinds.begins(before, next);
            while begins != 0 {
                let start = at + begins.trailing_zeros() as usize;
                begins &= begins - 1;
                awake |= self.detectors_of(key_at(&text[start..]));
            }
            before = kinds;
            at += BLOCK;
        }
        awake
    }

    /// The detectors that have a word which begins like this.
    fn detectors_of(&self, key: u32) -> u128 {
        let hash = hash_of(key);
        if self.filled[hash % FILTER / 64].wrapping_shr(hash as u32 % 64) & 1 == 0 {
            return 0;
        }
        let known = self.keys[hash % BUCKETS].iter().find(|(known, _)| *known == key);
        known.map_or(0, |(_, detectors)| *detectors)
    }
}

/// Which bytes of a block are what to a word.
#[derive(Clone, Copy, Default)]
struct Kinds {
    lower: u64,
    upper: u64,
    digit: u64,
    /// The first byte of a character that is not ASCII.
    lead: u64,
}

impl Kinds {
    fn of(block: &[u8; BLOCK]) -> Self {
        Self {
            lower: mask(block, |byte| byte.is_ascii_lowercase()),
            upper: mask(block, |byte| byte.is_ascii_uppercase()),
            digit: mask(block, |byte| byte.is_ascii_digit()),
            lead: mask(block, |byte| byte >= 0xC0),
        }
    }

    /// Which bytes begin a word, after the block before and before a byte that is a small letter or
    /// not.
    fn begins(self, before: Self, next_is_lower: bool) -> u64 {
        let shifted = |here: u64, before: u64| here << 1 | before >> (BLOCK - 1);
        let lower_before = shifted(self.lower, before.lower);
        let upper_before = shifted(self.upper, before.upper);
        let digit_before = shifted(self.digit, before.digit);
        let word = self.lower | self.upper | self.digit;
        // No word begins with a digit.
        let fresh = word & !self.digit & !(lower_before | upper_before | digit_before);
        // In a word of capitals only the last before a small letter begins another.
        let lower_after = self.lower >> 1 | u64::from(next_is_lower) << (BLOCK - 1);
        let hump = self.upper & (lower_before | (upper_before & lower_after));
        self.lead | fresh | hump
    }
}

// What a byte is to a word: none of it, a lower or upper letter, a digit, the first byte of a
// character that is not ASCII, or a later one.
const OTHER: u8 = 0;
const LOWER: u8 = 1;
const UPPER: u8 = 2;
const DIGIT: u8 = 3;
const LEAD: u8 = 4;
const REST: u8 = 5;

const CLASSES: [u8; 256] = {
    let mut classes = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' => LOWER,
            b'A'..=b'Z' => UPPER,
            b'0'..=b'9' => DIGIT,
            0xC0..=0xFF => LEAD,
            0x80..=0xBF => REST,
            _ => OTHER,
        };
        byte += 1;
    }
    classes
};

/// A letter or digit in lower case; a space for anything else.
const PLAIN: [u8; 256] = {
    let mut plain = [b' '; 256];
    let mut byte = 0;
    while byte < 128 {
        if (byte as u8).is_ascii_alphanumeric() {
            plain[byte] = (byte as u8).to_ascii_lowercase();
        }
        byte += 1;
    }
    plain
};

const fn hash_of(key: u32) -> usize {
    (key.wrapping_mul(0x9E37_79B1) >> 12) as usize
}

/// The first four letters of the word at the start of a text, in lower case, or its first
/// character where that is not ASCII.
#[expect(clippy::needless_bitwise_bool, reason = "half of the words would be guessed wrong")]
fn key_at(text: &[u8]) -> u32 {
    let mut four = [b' '; 4];
    match text.first_chunk::<4>() {
        Some(whole) => four = *whole,
        None => four[..text.len()].copy_from_slice(text),
    }
    let class = four.map(|byte| CLASSES[usize::from(byte)]);
    if (class[1] == LOWER) & (class[2] == LOWER) & (class[3] == LOWER) & (class[0] <= UPPER) {
        return u32::from_be_bytes(four) | 0x2000_0000;
    }
    if class[0] >= LEAD {
        return CHARACTER | character(text);
    }
    // A hump begins the next word; the second letter of `SSN` is none.
    let hump = |at: usize| four[at].is_ascii_uppercase() & four[at - 1].is_ascii_lowercase();
    let plain = four.map(|byte| PLAIN[usize::from(byte)]);
    let first = (plain[1] == b' ') | hump(1);
    let second = first | (plain[2] == b' ') | hump(2);
    let third = second | (plain[3] == b' ') | hump(3);
    u32::from_be_bytes([
        plain[0],
        if first { b' ' } else { plain[1] },
        if second { b' ' } else { plain[2] },
        if third { b' ' } else { plain[3] },
    ])
}

fn character(text: &[u8]) -> u32 {
    if let Some(letter) = accented(text) {
        return letter as u32;
    }
    let length = if text[0] < 0xE0 { 2 } else { 3 };
    text.iter().take(length).fold(0, |key, byte| key << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_words_beginning_wakes_its_detector() {
        let words = [
            ("ssn", 1),
            ("social security", 2),
            ("身份证", 4),
            ("číslo", 8),
            ("dl", 16),
            ("ת ז", 32),
            ("a c number", 64),
        ];
        let waker = Waker::new(words.into_iter());
        for (text, awake) in [
            ("his SSN is", 1),
            ("customerSSN=1", 1),
            ("user_ssn", 1),
            ("Social-Security", 2),
            ("socialism", 2),
            ("我的身份证号", 4),
            ("ČÍSLO 5", 8),
            ("DL# 5 dlx", 16),
            ("ת.ז. 0", 32),
            ("a letter", 0),
            ("a/c number", 64),
            ("classname, 1ssn", 0),
            ("", 0),
        ] {
            assert_eq!(waker.awake(text.as_bytes()), awake, "{text}");
        }
    }
}
