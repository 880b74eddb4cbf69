//! All words of all detectors, in one automaton.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use aho_corasick::automaton::Automaton;
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind};

use super::waker::Waker;
use crate::redact::detect::DETECTORS;

/// Words that say that a number is something of a machine's or of a shop's, whatever its shape.
///
/// Lower case, single spaces. A longer word of a detector's own (`order` here, `money order
/// account` there) is asked first where it is the label.
const OTHERS: &[&str] = &[
    // Trade
    "order",
    "order id",
    "order no",
    "order number",
    "orders",
    "invoice",
    "invoice no",
    "ticket",
    "tracking",
    "sku",
    "isbn",
    "ean",
    "upc",
    "gtin",
    "asin",
    "part number",
    "part no",
    "serial",
    "batch",
    "lot",
    "product",
    "product id",
    "quantity",
    "qty",
    "price",
    "amount",
    "total",
    "sum",
    "transaction",
    "transaction id",
    "txn",
    "reference",
    "ref",
    "case number",
    "bestellnummer",
    "rechnung",
    "auftrag",
    "commande",
    "facture",
    "pedido",
    "factura",
    "ordine",
    "fattura",
    "zamówienie",
    "faktura",
    "订单",
    "订单号",
    "注文",
    "catalog",
    "catalogue",
    "population",
    "reference number",
    "reference no",
    "ref no",
    "ref number",
    "order ref",
    "tracking number",
    "tracking no",
    "ticket number",
    "ticket no",
    "batch number",
    "lot number",
    "serial number",
    "serial no",
    "product number",
    "transaction number",
    "invoice number",
    "item number",
    "customer number",
    "sku number",
    "job number",
    "part nr",
    "artikelnummer",
    "kundennummer",
    // Programs
    "trace",
    "trace id",
    "span id",
    "parent id",
    "request id",
    "req id",
    "timestamp",
    "ts",
    "epoch",
    "unix time",
    "created at",
    "updated at",
    "offset",
    "bytes",
    "size",
    "length",
    "len",
    "count",
    "line number",
    "column",
    "port",
    "pid",
    "tid",
    "thread",
    "version",
    "build",
    "revision",
    "commit",
    "sha",
    "hash",
    "checksum",
    "md5",
    "crc",
    "seed",
    "nonce",
    "index",
    "idx",
    "sequence",
    "seq",
    "message id",
    "msg id",
    "correlation",
    "correlation id",
    "session id",
    "job id",
    "task id",
    "run id",
    "event id",
    "latency",
    "duration",
    "elapsed",
    "ms",
    "uptime",
    "memory",
    "rss",
    "heap",
    "width",
    "height",
    "lat",
    "lon",
    "lng",
    "latitude",
    "longitude",
    "score",
    "votes",
    "views",
    "followers",
    "user id",
    "userid",
    "uid",
    "gid",
    "inode",
    "snowflake",
    "channel id",
    "guild",
    "shard",
    "partition",
    "時間",
    "时间戳",
    "doi",
    "pmid",
    "arxiv",
    "rfc",
    "cve",
    "pull request",
    "issue number",
    "build number",
    "model number",
    "file descriptor",
    "fd",
    "cursor",
    "etag",
];

/// A word that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::redact) struct Word {
    pattern: u32,
    /// Where it starts in the text as it is compared.
    start: usize,
    /// Where the text that it was read in goes on after it, or one byte later.
    pub(in crate::redact) end: usize,
}

/// What a word means to a detector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::redact) enum Voice {
    /// It names the detector's kind.
    For,
    /// It names something that is nothing personal.
    Against,
    /// It names another kind.
    Rival,
    /// Nothing.
    None,
}

/// The words and what they mean.
pub(in crate::redact) struct Vocabulary {
    automaton: NFA,
    words: Vec<Entry>,
    waker: Waker,
}

struct Entry {
    text: &'static str,
    /// Bit d: detector d has it among its words.
    named: u128,
    /// Bit d: detector d has it among those against it.
    against: u128,
    /// It is one of [`OTHERS`].
    other: bool,
    /// Bit d: where it stands, detector d has something to look for.
    wakes: u128,
}

/// The one vocabulary, built when first asked for.
pub(in crate::redact) fn vocabulary() -> &'static Vocabulary {
    static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(Vocabulary::build);
    &VOCABULARY
}

impl Vocabulary {
    fn build() -> Self {
        let mut entries: BTreeMap<&'static str, (u128, u128, bool, u128)> = BTreeMap::new();
        for (place, detector) in DETECTORS.iter().enumerate() {
            for word in detector.words {
                entries.entry(word).or_default().0 |= 1 << place;
            }
            for word in detector.wakes {
                entries.entry(word).or_default().3 |= 1 << place;
            }
            for word in detector.against {
                entries.entry(word).or_default().1 |= 1 << place;
            }
        }
        for word in OTHERS {
            entries.entry(word).or_default().2 = true;
        }
        let words: Vec<_> = entries
            .into_iter()
            .map(|(text, (named, against, other, wakes))| {
                let wakes = wakes | named;
                Entry { text, named, against, other, wakes }
            })
            .collect();
        let patterns = words.iter().map(|entry| padded(entry.text));
        // Only a pattern set of gigabytes could fail.
        let automaton = NFA::builder()
            .match_kind(MatchKind::Standard)
            .build(patterns)
            .unwrap_or_else(|_| unreachable_automaton());
        let waker = Waker::new(words.iter().map(|entry| (entry.text, entry.wakes)));
        Self { automaton, words, waker }
    }

    /// Appends the words that a text holds, in the order of their ends.
    pub(in crate::redact) fn read(&self, text: &[u8], found: &mut Vec<Word>) {
        let Ok(mut state) = self.automaton.start_state(Anchored::No) else { return };
        let mut seen = 0_usize;
        normalize(text, &mut |byte, end| {
            seen += 1;
            state = self.automaton.next_state(Anchored::No, state, byte);
            if self.automaton.is_match(state) {
                // Of the words that end here the longest is read: `medicare card`, not `card`.
                let longest = (0..self.automaton.match_len(state))
                    .map(|place| self.automaton.match_pattern(state, place))
                    .max_by_key(|pattern| self.automaton.pattern_len(*pattern));
                if let Some(pattern) = longest {
                    let length = self.automaton.pattern_len(pattern);
                    // And of those that it goes on from, none: `medicare card number`.
                    let start = seen.saturating_sub(length);
                    while found.last().is_some_and(|last| last.start >= start) {
                        found.pop();
                    }
                    found.push(Word { pattern: pattern.as_u32(), start, end });
                }
            }
        });
    }

    /// Bit d: a word of detector d may stand in the text.
    pub(in crate::redact) fn awake(&self, text: &[u8]) -> u128 {
        self.waker.awake(text)
    }

    /// What a word means to the detector at this place.
    pub(in crate::redact) fn voice(&self, word: Word, detector: usize) -> Voice {
        let Some(entry) = self.words.get(word.pattern as usize) else { return Voice::None };
        if entry.named >> detector & 1 == 1 {
            Voice::For
        } else if entry.other || entry.against >> detector & 1 == 1 {
            Voice::Against
        } else if entry.named != 0 {
            Voice::Rival
        } else {
            Voice::None
        }
    }

    /// True where the word names some kind.
    pub(in crate::redact) fn names(&self, word: Word) -> bool {
        self.words.get(word.pattern as usize).is_some_and(|entry| entry.named != 0)
    }

    /// The word as it is listed.
    pub(in crate::redact) fn text(&self, word: Word) -> &'static str {
        self.words.get(word.pattern as usize).map_or("", |entry| entry.text)
    }
}

fn unreachable_automaton() -> NFA {
    #[expect(clippy::expect_used, reason = "an automaton of no patterns can always be built")]
    NFA::new([""; 0]).expect("no patterns")
}

/// A word as it is compared: with a space at each end where an ASCII letter or digit could go on.
/// Scripts without spaces between words have no such end.
fn padded(word: &str) -> Vec<u8> {
    let mut plain = Vec::with_capacity(word.len() + 4);
    normalize(word.as_bytes(), &mut |byte, _| plain.push(byte));
    let joins = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    if !joins(plain.get(1)) {
        plain.remove(0);
    }
    if !joins(plain.iter().rev().nth(1)) {
        plain.pop();
    }
    plain
}

/// Lower case, one space between words and at both ends, `camelCase` taken apart. Each byte comes
/// with the offset after it.
fn normalize(text: &[u8], step: &mut impl FnMut(u8, usize)) {
    step(b' ', 0);
    let mut before = b' ';
    let mut spaced = true;
    // Whether the latest letter is of a script that parts no words.
    let mut unparted = false;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        // Scripts that part no words part those of others.
        let parts =
            |one: u8, other: u8| one.is_ascii_alphanumeric() && matches!(other, 0xE3..=0xED | 0xEF);
        let is_border = !spaced
            && (parts(before, byte)
                || (before >= 0x80 && byte.is_ascii_alphanumeric() && unparted));
        if is_border {
            step(b' ', at);
            spaced = true;
        }
        if byte >= 0xC0 || byte.is_ascii() {
            unparted = matches!(byte, 0xE3..=0xED | 0xEF);
        }
        if let Some(letter) = accented(&text[at..]) {
            let mut bytes = [0; 4];
            for byte in letter.encode_utf8(&mut bytes).bytes() {
                step(byte, at + 2);
            }
            spaced = false;
            at += 1;
        } else if byte.is_ascii_alphanumeric() || !byte.is_ascii() {
            let next_lower = text.get(at + 1).is_some_and(u8::is_ascii_lowercase);
            let hump = byte.is_ascii_uppercase()
                && (before.is_ascii_lowercase() || (before.is_ascii_uppercase() && next_lower));
            if hump && !spaced {
                step(b' ', at);
            }
            step(byte.to_ascii_lowercase(), at + 1);
            spaced = false;
        } else if !spaced {
            step(b' ', at);
            spaced = true;
        }
        before = byte;
        at += 1;
    }
    if !spaced {
        step(b' ', text.len());
    }
}

/// The lower case of a letter of two bytes: Latin with accents, Greek, Cyrillic.
pub(super) fn accented(text: &[u8]) -> Option<char> {
    let (0xC3..=0xD4, Some(second @ 0x80..=0xBF)) = (*text.first()?, text.get(1)) else {
        return None;
    };
    let code = u32::from(text[0] & 0x1F) << 6 | u32::from(second & 0x3F);
    char::from_u32(code)?.to_lowercase().next()
}

/// True where `text` holds one of `words`, which are lower case with single spaces.
pub(in crate::redact) fn says(text: &[u8], words: &[impl AsRef<str>]) -> bool {
    let mut plain = Vec::with_capacity(text.len() + 8);
    normalize(text, &mut |byte, _| plain.push(byte));
    words.iter().any(|word| memchr::memmem::find(&plain, &padded(word.as_ref())).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_in_the_ways_they_are_written() {
        let words = ["ssn", "social security"];
        for text in [
            "SSN:",
            "customerSSN",
            "SSNNumber",
            "user_ssn",
            "socialSecurityNumber",
            "SOCIAL-SECURITY",
            "his social  security number is ",
        ] {
            assert!(says(text.as_bytes(), &words), "{text}");
        }
        for text in ["classname", "passnet", "ssns", "social insecurity", ""] {
            assert!(!says(text.as_bytes(), &words), "{text}");
        }
        assert!(says("他的护照号码".as_bytes(), &["护照"]));
    }

    #[test]
    fn every_word_is_written_as_it_is_compared() {
        for entry in &vocabulary().words {
            let plain = String::from_utf8(padded(entry.text)).unwrap();
            assert_eq!(plain.replace(' ', ""), entry.text.replace(' ', ""));
            let mut found = Vec::new();
            vocabulary().read(entry.text.as_bytes(), &mut found);
            assert!(
                found.iter().any(|word| vocabulary().text(*word) == entry.text),
                "{}",
                entry.text
            );
        }
    }
}
