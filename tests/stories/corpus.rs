//! Detection over the labelled texts of `tests/redact`: the floors that no change may go below.
//!
//! The same measures as `make bench-redact`, computed a second time and without Python; what they
//! mean is said in `tests/bench/scoring.py`.

use std::fs;
use std::ops::Range;
use std::path::Path;

use iron_policy::redact::{Engine, Mode, Modes};
use serde_json::Value;

/// One text of a file, with its labelled values in bytes.
struct Entry {
    id: String,
    group: String,
    text: String,
    gold: Vec<Range<usize>>,
}

/// Sums over a file.
#[derive(Default)]
struct Counts {
    gold: usize,
    found: usize,
    hits: usize,
    exact: usize,
    /// The first misses and false alarms, told when a floor is broken.
    remarks: Vec<String>,
}

#[test]
fn labelled_values_are_found_and_little_else() {
    let engine = Engine::new(Modes::all(Mode::Detect));
    let mut counts = Counts::default();
    for entry in read("positives.jsonl") {
        let found: Vec<_> =
            engine.find(&entry.text, None).into_iter().map(|found| found.range).collect();
        counts.add(&entry, &found);
    }
    let recall = share(counts.hits, counts.gold);
    let precision = share(counts.hits, counts.found);
    let exact = share(counts.exact, counts.hits);
    let told = counts.remarks.join("\n");
    assert!(
        recall >= 0.95 && precision >= 0.97 && exact >= 0.98,
        "recall {recall:.3}, precision {precision:.3}, exact {exact:.3}\n{told}",
    );
}

#[test]
fn hard_negatives_raise_few_alarms() {
    let engine = Engine::new(Modes::all(Mode::Detect));
    let entries = read("negatives.jsonl");
    let alarms: Vec<_> = entries
        .iter()
        .filter_map(|entry| {
            let found = engine.find(&entry.text, None);
            let first = found.first()?;
            let shown = entry.text.get(first.range.clone()).unwrap_or_default();
            Some(format!("{} {} {} {shown}", entry.id, first.kind, first.rule))
        })
        .collect();
    let rate = 1_000.0 * share(alarms.len(), entries.len());
    let told = alarms.into_iter().take(40).collect::<Vec<_>>().join("\n");
    assert!(rate <= 10.0, "{rate:.1} false alarms per 1,000 texts\n{told}");
}

impl Counts {
    /// Pairs what was found with what is labelled, the largest intersections first: a hit shares
    /// at least half of both, and one hits one.
    fn add(&mut self, entry: &Entry, found: &[Range<usize>]) {
        let mut pairs = Vec::new();
        for (label, gold) in entry.gold.iter().enumerate() {
            for (place, span) in found.iter().enumerate() {
                let shared = gold.end.min(span.end).saturating_sub(gold.start.max(span.start));
                if shared > 0 && 2 * shared >= gold.len() && 2 * shared >= span.len() {
                    pairs.push((shared, label, place));
                }
            }
        }
        pairs.sort_by_key(|&(shared, label, place)| (usize::MAX - shared, label, place));
        let mut labels = vec![false; entry.gold.len()];
        let mut places = vec![false; found.len()];
        for (_, label, place) in pairs {
            if !labels[label] && !places[place] {
                (labels[label], places[place]) = (true, true);
                self.hits += 1;
                self.exact += usize::from(entry.gold[label] == found[place]);
            }
        }
        self.gold += labels.len();
        self.found += places.len();
        let missed =
            entry.gold.iter().zip(&labels).filter(|(_, hit)| !**hit).map(|at| ("missed", at.0));
        let wrong = found.iter().zip(&places).filter(|(_, hit)| !**hit).map(|at| ("wrong", at.0));
        for (what, range) in missed.chain(wrong) {
            if self.remarks.len() < 40 {
                let shown = entry.text.get(range.clone()).unwrap_or_default();
                self.remarks.push(format!("{what} {} ({}) {shown}", entry.id, entry.group));
            }
        }
    }
}

/// The entries of a file beside the generator.
fn read(name: &str) -> Vec<Entry> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("redact").join(name);
    fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(|line| parsed(&serde_json::from_str(line).unwrap()))
        .collect()
}

/// The files count in characters, the engine in bytes.
fn parsed(value: &Value) -> Entry {
    let text = value["text"].as_str().unwrap().to_owned();
    let bytes: Vec<usize> = text.char_indices().map(|at| at.0).chain([text.len()]).collect();
    let at = |span: &Value, end: &str| bytes[span[end].as_u64().unwrap() as usize];
    let gold = value["spans"].as_array().unwrap();
    Entry {
        id: value["id"].as_str().unwrap().to_owned(),
        group: value["group"].as_str().unwrap().to_owned(),
        gold: gold.iter().map(|span| at(span, "start")..at(span, "end")).collect(),
        text,
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
