//! Which detectors may have a word of theirs in a stretch of text: an answer that is quick and may
//! say yes too often, never no too often.
//!
//! At each beginning of a word its first four letters are looked up; of scripts that part no
//! words, each character.

use super::vocabulary::accented;

/// Buckets of the table; a power of two.
const BUCKETS: usize = 4096;
/// Marks a key of a character, apart from those of four ASCII letters.
const CHARACTER: u32 = 1 << 31;

/// A table from the beginnings of words to the detectors that have them.
pub(super) struct Waker {
    /// One bit a bucket, small enough to stay in the nearest cache: most words are in none.
    filled: [u64; BUCKETS / 64],
    /// By bucket: keys and the detectors that have such words. Grows where many share one.
    keys: Vec<Vec<(u32, u128)>>,
}

impl Waker {
    /// Of words, each with the detectors that it wakes.
    pub(super) fn new(words: impl Iterator<Item = (&'static str, u128)>) -> Self {
        let mut waker = Self { filled: [0; BUCKETS / 64], keys: vec![Vec::new(); BUCKETS] };
        for (word, detectors) in words.filter(|(_, detectors)| *detectors != 0) {
            let Some(key) = key_at(word.as_bytes()) else { continue };
            let bucket = bucket_of(key);
            waker.filled[bucket / 64] |= 1 << (bucket % 64);
            let keys = &mut waker.keys[bucket];
            match keys.iter_mut().find(|(known, _)| *known == key) {
                Some((_, bits)) => *bits |= detectors,
                None => keys.push((key, detectors)),
            }
        }
        waker
    }

    /// Bit d: a word of detector d may stand in the text.
    pub(super) fn awake(&self, text: &[u8]) -> u128 {
        let mut awake = 0;
        let mut before = b' ';
        for (at, &byte) in text.iter().enumerate() {
            let begins = if byte.is_ascii() {
                byte.is_ascii_alphanumeric()
                    && (!before.is_ascii_alphanumeric()
                        || (byte.is_ascii_uppercase() && !before.is_ascii_digit()))
            } else {
                byte >= 0xC0
            };
            before = byte;
            if !begins {
                continue;
            }
            let Some(key) = key_at(&text[at..]) else { continue };
            let bucket = bucket_of(key);
            if self.filled[bucket / 64] >> (bucket % 64) & 1 == 1 {
                let known = self.keys[bucket].iter().find(|(known, _)| *known == key);
                awake |= known.map_or(0, |(_, detectors)| *detectors);
            }
        }
        awake
    }
}

const fn bucket_of(key: u32) -> usize {
    (key.wrapping_mul(0x9E37_79B1) >> 20) as usize & (BUCKETS - 1)
}

/// The first four letters of the word at the start of a text, in lower case, or its first
/// character where that is not ASCII.
fn key_at(text: &[u8]) -> Option<u32> {
    let first = *text.first()?;
    if !first.is_ascii() {
        return Some(CHARACTER | character(text));
    }
    let mut key = 0;
    let mut ended = false;
    let mut before = b' ';
    for place in 0..4 {
        let byte = text.get(place).copied().unwrap_or(b' ');
        // A hump begins the next word; the second letter of `SSN` is none.
        let hump = byte.is_ascii_uppercase() && before.is_ascii_lowercase();
        ended |= !byte.is_ascii_alphanumeric() || hump;
        key = key << 8 | if ended { 0x20 } else { u32::from(byte.to_ascii_lowercase()) };
        before = byte;
    }
    Some(key)
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
            ("classname, 1ssn", 0),
            ("", 0),
        ] {
            assert_eq!(waker.awake(text.as_bytes()), awake, "{text}");
        }
    }
}
