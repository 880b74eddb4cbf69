//! The fast sweep that finds candidates.
//!
//! Two passes, both vectorised, both without branches on ordinary prose:
//!
//! - literals (key prefixes, armour) by Teddy, a packed search for up to [`GROUP`] literals at once;
//! - digits and `@` by a test over blocks of 64 bytes that the compiler turns into vector
//!   instructions. A whole run of digits is one candidate, so a detector is asked once per number
//!   and not once per digit.
//!
//! A digit run is offered only to detectors that can start with a run of its length, after the byte
//! before it, before what comes after it: three table look-ups decide.

use std::ops::Range;

use aho_corasick::packed;
use memchr::memmem;

use super::detect::{ANY_WORD, After, Before, DETECTORS, Start};
use super::mask::{BLOCK, mask, with_block};
use super::site::byte_before;

/// Literals per packed searcher: as many as Teddy takes on every processor it supports.
const GROUP: usize = 48;
/// A run of fewer digits is no number by itself.
const SHORTEST: usize = 5;
/// Runs of this many digits and more are treated alike.
const LONGEST: usize = 20;

/// Which detectors to ask about what.
pub(super) struct Prefilter {
    literals: Vec<Group>,
    /// Bit d: detector d starts at an `@`.
    at_signs: u128,
    /// Bit d: detector d can start with a run of this many digits.
    by_length: [u128; LONGEST + 1],
    /// Bit d: detector d can start after this.
    by_before: [u128; 4],
    /// Bit d: detector d can go on with this after its first run.
    by_after: [u128; After::COUNT],
    /// Bits of detectors that look for words of a certain length.
    by_word: Vec<((u8, u8), u128)>,
    /// Bit d: detector d finds nothing without words.
    needs_words: u128,
    /// Detectors that are asked about whole texts.
    by_name: Vec<usize>,
}

/// Literals searched for together.
struct Group {
    search: Search,
    literals: Vec<Literal>,
}

/// A literal that is searched for, and those that start with it: each with its detector.
struct Literal {
    text: String,
    triggers: Vec<(String, usize)>,
}

enum Search {
    Packed(packed::Searcher),
    /// Where the processor has no vector instructions that Teddy knows.
    OneByOne,
}

impl Prefilter {
    /// For the detectors, by their place in [`DETECTORS`], that `wanted` says yes to.
    pub(super) fn new(wanted: impl Fn(usize) -> bool) -> Self {
        let mut filter = Self {
            literals: Vec::new(),
            at_signs: 0,
            by_length: [0; LONGEST + 1],
            by_before: [0; 4],
            by_after: [0; After::COUNT],
            by_word: Vec::new(),
            needs_words: 0,
            by_name: Vec::new(),
        };
        let mut literals = Vec::new();
        for (index, detector) in DETECTORS.iter().enumerate().filter(|(at, _)| wanted(*at)) {
            let bit = 1_u128 << index;
            if detector.word != ANY_WORD {
                match filter.by_word.iter_mut().find(|(word, _)| *word == detector.word) {
                    Some((_, bits)) => *bits |= bit,
                    None => filter.by_word.push((detector.word, bit)),
                }
            }
            if detector.needs_words {
                filter.needs_words |= bit;
            }
            if detector.by_name {
                filter.by_name.push(index);
            }
            match detector.start {
                Start::AtSign => filter.at_signs |= bit,
                Start::Literals(list) => {
                    literals.extend(list.iter().map(|text| ((*text).to_owned(), index)));
                }
                Start::Words(list) => {
                    literals.extend(list.iter().flat_map(|word| cases(word)).map(|w| (w, index)));
                }
                Start::Digits { lengths, before } => {
                    for length in lengths {
                        filter.by_length[usize::from(*length).min(LONGEST)] |= bit;
                    }
                    for after in detector.after {
                        filter.by_after[*after as usize] |= bit;
                    }
                    for before in before {
                        filter.by_before[*before as usize] |= bit;
                    }
                }
            }
        }
        let mut joined = join(literals).into_iter();
        while joined.len() > 0 {
            filter.literals.push(Group::new(joined.by_ref().take(GROUP).collect()));
        }
        filter
    }

    /// The detectors that are asked about whole values, by the name before them.
    pub(super) fn by_name(&self) -> impl Iterator<Item = usize> {
        self.by_name.iter().copied()
    }

    /// True where a name stands in the text that one of those looks for.
    pub(super) fn holds_name(&self, text: &[u8]) -> bool {
        let mut holds = false;
        for group in &self.literals {
            group.sweep(text, &mut |detector, _| {
                holds |= self.by_name.contains(&detector);
                None
            });
        }
        holds
    }

    /// Calls `candidate` with a detector and its trigger, for each in the text.
    ///
    /// Where it answers with an offset, that detector is not asked about literals before it.
    /// `awake` says which of those that need words are to be asked about a place.
    pub(super) fn sweep(
        &self,
        text: &[u8],
        awake: impl Fn(usize) -> u128,
        mut candidate: impl FnMut(usize, Range<usize>) -> Option<usize>,
    ) {
        for group in &self.literals {
            group.sweep(text, &mut candidate);
        }
        if self.at_signs | self.by_before.iter().fold(0, |all, bits| all | bits) != 0 {
            self.sweep_bytes(text, &awake, &mut candidate);
        }
    }

    fn sweep_bytes(
        &self,
        text: &[u8],
        awake: &impl Fn(usize) -> u128,
        candidate: &mut impl FnMut(usize, Range<usize>) -> Option<usize>,
    ) {
        // Where the latest run ends: its digits are no triggers of their own.
        let mut done = 0;
        let mut block = 0;
        while block < text.len() {
            let mut loud = with_block(text, block, |bytes| mask(bytes, is_loud));
            while loud != 0 {
                let start = block + loud.trailing_zeros() as usize;
                loud &= loud - 1;
                if start < done {
                    continue;
                }
                if text[start] == b'@' {
                    ask(self.at_signs, start..start + 1, candidate);
                    continue;
                }
                let length = text[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                done = start + length;
                let able = self.able(text, start..done, awake);
                ask(able, start..done, candidate);
            }
            block += BLOCK;
        }
    }

    /// The detectors to ask about a run of digits.
    fn able(&self, text: &[u8], run: Range<usize>, awake: &impl Fn(usize) -> u128) -> u128 {
        let before = Before::of(byte_before(text, run.start)) as usize;
        let mut able = self.by_length[run.len().min(LONGEST)] & self.by_before[before];
        if able == 0 {
            return 0;
        }
        let after = After::of(&text[run.end..]);
        able &= self.by_after[after as usize];
        if matches!(after, After::Clear | After::Word) && run.len() < SHORTEST {
            // It begins no number. A detector that takes a colon too reads on by itself.
            able &= self.by_after[After::Colon as usize];
        }
        if self.by_word.iter().any(|(_, bits)| able & bits != 0) {
            let word = word_length(text, run.clone());
            for ((least, most), bits) in &self.by_word {
                if !word.is_some_and(|length| (*least..=*most).contains(&length)) {
                    able &= !bits;
                }
            }
        }
        if able & self.needs_words != 0 {
            able &= !self.needs_words | awake(run.start);
        }
        able
    }
}

/// How long the word of letters and digits is that a run of digits is the first in.
fn word_length(text: &[u8], run: Range<usize>) -> Option<u8> {
    let is_word = |byte: &&u8| byte.is_ascii_alphanumeric();
    let before = text[..run.start].iter().rev().take(64).take_while(is_word);
    let mut letters = 0;
    for byte in before {
        if byte.is_ascii_digit() {
            return None;
        }
        letters += 1;
    }
    // The letter of a `\n` that stands in escaped text is none of the word's.
    let first = run.start - letters;
    let escaped = letters > 0 && first > 0 && text[first - 1] == b'\\';
    let mut length = run.len() + letters - usize::from(escaped && text[first] == b'n');
    length += text[run.end..].iter().take(200).take_while(is_word).count();
    u8::try_from(length).ok()
}

/// A word in lower, upper and title case.
fn cases(word: &str) -> [String; 3] {
    let mut title = word.to_owned();
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    [word.to_owned(), word.to_ascii_uppercase(), title]
}

/// Offers a trigger to each detector whose bit is set.
fn ask(
    mut able: u128,
    trigger: Range<usize>,
    candidate: &mut impl FnMut(usize, Range<usize>) -> Option<usize>,
) {
    while able != 0 {
        candidate(able.trailing_zeros() as usize, trigger.clone());
        able &= able - 1;
    }
}

const fn is_loud(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'@'
}

/// Leaves out literals that start with another one, which finds them too.
fn join(mut literals: Vec<(String, usize)>) -> Vec<Literal> {
    // A literal sorts before those that start with it.
    literals.sort();
    let mut joined: Vec<Literal> = Vec::new();
    for (text, detector) in literals {
        match joined.last_mut() {
            Some(shorter) if text.starts_with(&shorter.text) => {
                shorter.triggers.push((text, detector));
            }
            _ => joined.push(Literal { text: text.clone(), triggers: vec![(text, detector)] }),
        }
    }
    joined
}

impl Group {
    fn new(literals: Vec<Literal>) -> Self {
        let packed = packed::Config::new()
            .match_kind(packed::MatchKind::LeftmostFirst)
            .builder()
            .extend(literals.iter().map(|literal| &literal.text))
            .build();
        Self { search: packed.map_or(Search::OneByOne, Search::Packed), literals }
    }

    fn sweep(&self, text: &[u8], candidate: &mut impl FnMut(usize, Range<usize>) -> Option<usize>) {
        match &self.search {
            Search::Packed(searcher) => {
                let mut done = Done::default();
                let mut at = 0;
                while let Some(found) = searcher.find_in(text, (at..text.len()).into()) {
                    self.literals[found.pattern().as_usize()].ask(
                        text,
                        found.start(),
                        &mut done,
                        candidate,
                    );
                    // Another literal may begin within this one.
                    at = found.start() + 1;
                }
            }
            Search::OneByOne => {
                for literal in &self.literals {
                    let mut done = Done::default();
                    let finder = memmem::Finder::new(&literal.text);
                    let mut at = 0;
                    while let Some(ahead) = finder.find(&text[at..]) {
                        literal.ask(text, at + ahead, &mut done, candidate);
                        at += ahead + 1;
                    }
                }
            }
        }
    }
}

/// Up to where each detector has found something: few find anything in a text.
#[derive(Default)]
struct Done(Vec<(usize, usize)>);

impl Done {
    fn of(&self, detector: usize) -> usize {
        self.0.iter().find(|(known, _)| *known == detector).map_or(0, |(_, end)| *end)
    }

    fn set(&mut self, detector: usize, end: usize) {
        match self.0.iter_mut().find(|(known, _)| *known == detector) {
            Some((_, known)) => *known = end,
            None => self.0.push((detector, end)),
        }
    }
}

impl Literal {
    /// Asks the detectors whose literal stands at `at`.
    fn ask(
        &self,
        text: &[u8],
        at: usize,
        done: &mut Done,
        candidate: &mut impl FnMut(usize, Range<usize>) -> Option<usize>,
    ) {
        for (literal, detector) in &self.triggers {
            if done.of(*detector) <= at
                && text[at..].starts_with(literal.as_bytes())
                && let Some(end) = candidate(*detector, at..at + literal.len())
            {
                done.set(*detector, end);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn triggers(filter: &Prefilter, text: &str) -> Vec<(usize, Range<usize>)> {
        let mut found = Vec::new();
        filter.sweep(
            text.as_bytes(),
            |_| u128::MAX,
            |detector, trigger| {
                found.push((detector, trigger));
                None
            },
        );
        found.sort_by_key(|(detector, trigger)| (trigger.start, *detector));
        found
    }

    #[test]
    fn a_trigger_is_found_wherever_it_stands_in_a_block() {
        let filter = Prefilter::new(|_| true);
        for pad in 0..200 {
            for trigger in ["a@b", " 4111 ", " eyJh", " ghp_x"] {
                let text = format!("{}{trigger}{}", "x ".repeat(pad), " y".repeat(70));
                assert!(!triggers(&filter, &text).is_empty(), "{pad} {trigger}");
            }
        }
        assert_eq!(triggers(&filter, &"plain words, no more. ".repeat(50)), []);
    }

    #[test]
    fn without_vector_instructions_the_same_is_found() {
        let fast = Prefilter::new(|_| true);
        let mut slow = Prefilter::new(|_| true);
        for group in &mut slow.literals {
            group.search = Search::OneByOne;
        }
        let text = "eyJh sk-proj-x AKIA0 -----BEGIN hf_a ghp_b glpat-c npm_d xoxb-e".repeat(20);
        assert_eq!(triggers(&fast, &text), triggers(&slow, &text));
    }
}
