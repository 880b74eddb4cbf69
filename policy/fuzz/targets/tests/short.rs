//! A short run of every target over its seeds and over mutations of them, the same each time.
//!
//! Finds what a change breaks at once; what lies deeper is for `make fuzz`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails, and says where")]

use std::path::Path;

use iron_fuzz_targets::TARGETS;

/// Mutated inputs for each target.
const INPUTS: usize = 2_000;

/// Inputs are kept to this many bytes: the time of a debug build goes into their number.
const LONGEST: usize = 600;

/// What mutations put in: JSON's and SSE's marks, and the beginnings of what is found.
const WORDS: [&str; 40] = [
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\\u003c",
    "\\u00e9",
    "\\ud83d\\ude00",
    "\\ud83d",
    "\\n",
    "é",
    "😀",
    "\u{200b}",
    "\n\n",
    "\r\n",
    "\ndata: ",
    "data: [DONE]",
    "\"content\":",
    "\"usage\":",
    "null",
    "1e308",
    "-0.5",
    "@",
    "ann@example.com",
    "4242 4242 4242 4242",
    "536-22-8731",
    "+1 202-555-0143",
    "<EMAIL_",
    "<EMAIL_kq7mzvt2ah>",
    "&lt;SSN\\_",
    "\\<",
    ">",
    "{1}",
    "{2}",
    "{6}",
    "{3}",
    "\"index\":1,",
];

/// Marsaglia's xorshift64, so that every run sees the same inputs.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../seeds").join(name);
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn mutated(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut data = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(4) {
        let at = random.below(data.len() + 1);
        let end = at + random.below(data.len() - at + 1).min(16);
        match random.below(6) {
            0 if at < data.len() => data[at] = random.below(256) as u8,
            1 => drop(data.splice(at..at, WORDS[random.below(WORDS.len())].bytes())),
            2 => drop(data.splice(at..end, WORDS[random.below(WORDS.len())].bytes())),
            3 => drop(data.drain(at..end)),
            4 => {
                let again = data[at..end].to_vec();
                data.splice(at..at, again);
            }
            _ => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len() + 1);
                data.truncate(at);
                data.extend_from_slice(&other[from..]);
            }
        }
    }
    data.truncate(LONGEST);
    data
}

fn run(name: &str) {
    let (_, check) = TARGETS.into_iter().find(|(target, _)| *target == name).unwrap();
    let seeds = seeds(name);
    assert!(seeds.len() >= 3, "{name} has {} seeds", seeds.len());
    for seed in &seeds {
        check(seed);
    }
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for _ in 0..INPUTS {
        let data = mutated(&seeds, &mut random);
        let shown = InPanic(&data);
        check(shown.0);
    }
}

/// Shows the input of a check that panics.
struct InPanic<'d>(&'d [u8]);

impl Drop for InPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("the input was b\"{}\"", self.0.escape_ascii());
        }
    }
}

#[test]
fn redact_text() {
    run("redact_text");
}

#[test]
fn redact_json() {
    run("redact_json");
}

#[test]
fn restore_stream() {
    run("restore_stream");
}

#[test]
fn outline() {
    run("outline");
}

#[test]
fn json_reader() {
    run("json_reader");
}

#[test]
fn sse_relay() {
    run("sse_relay");
}
