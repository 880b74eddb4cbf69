//! By how much the sums move: added up in memory first, so that many calls are few rows.
//!
//! The rows come in the order of their keys, for every batch alike: two replicas that move the same
//! rows wait for each other, and never both at once.

use std::collections::BTreeMap;

use super::grain::{Grain, MINUTE_MS, Zone};
use super::sums::Sums;

/// What a row of `rollup` is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// Who called; empty where it has no name.
    pub agent: String,
    /// For which project.
    pub project: String,
    /// The model.
    pub model: String,
    /// Where it went.
    pub upstream: String,
    /// How it ended.
    pub outcome: String,
    /// Why.
    pub reason: String,
}

/// What a row of `finding` is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// In whose calls.
    pub agent: String,
    /// In which project.
    pub project: String,
    /// On the way to where.
    pub upstream: String,
    /// What.
    pub kind: String,
}

/// What a row of `tally` is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// Which thing: `all`, `agent`, …
    pub dim: &'static str,
    /// The project.
    pub project: String,
    /// Which one of it.
    pub name: String,
}

/// By how much a run moves.
#[derive(Debug, Default)]
pub struct Run {
    /// Whose it is.
    pub agent: String,
    /// Its first call's time, in Unix milliseconds.
    pub first: i64,
    /// Its last call's.
    pub last: i64,
    /// Its sums.
    pub sums: Sums,
}

/// A grain, and when its span began.
pub type Span = (i64, i64);

/// By how much the sums move.
#[derive(Debug, Default)]
pub struct Deltas {
    /// By minute: hours and days are made of it.
    cells: BTreeMap<(i64, Cell), Sums>,
    /// By run and project: whose it is, its first and last call, its sums.
    runs: BTreeMap<(String, String), Run>,
    /// How often, in how many calls.
    spots: BTreeMap<(i64, Spot), (i64, i64)>,
}

impl Deltas {
    /// Adds to what a call is about.
    pub fn add(&mut self, unix_ms: i64, cell: Cell, sums: &Sums) {
        self.cells.entry((unix_ms.div_euclid(MINUTE_MS), cell)).or_default().add(sums);
    }

    /// Adds to the run that a call belongs to.
    pub fn run(&mut self, unix_ms: i64, run: &str, cell: &Cell, sums: &Sums) {
        let key = (run.to_owned(), cell.project.clone());
        let run = self.runs.entry(key).or_insert_with(|| Run {
            agent: cell.agent.clone(),
            first: unix_ms,
            last: unix_ms,
            sums: Sums::default(),
        });
        (run.first, run.last) = (run.first.min(unix_ms), run.last.max(unix_ms));
        run.sums.add(sums);
    }

    /// The runs that move.
    pub const fn runs(&self) -> &BTreeMap<(String, String), Run> {
        &self.runs
    }

    /// Adds what was found in one call.
    pub fn found(&mut self, unix_ms: i64, spot: Spot, times: i64) {
        let entry = self.spots.entry((unix_ms.div_euclid(MINUTE_MS), spot)).or_default();
        *entry = (entry.0 + times, entry.1 + 1);
    }

    /// Adds something that was found elsewhere than in a call.
    pub fn found_in_no_call(&mut self, unix_ms: i64, spot: Spot) {
        self.spots.entry((unix_ms.div_euclid(MINUTE_MS), spot)).or_default().0 += 1;
    }

    /// Whether nothing moves.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty() && self.spots.is_empty()
    }

    /// The rows of `rollup`, `finding` and `tally`.
    pub fn rows(&self, zone: &Zone) -> Rows {
        let mut rows = Rows::default();
        let mut spans: BTreeMap<i64, [Span; 3]> = BTreeMap::new();
        let mut spans_of = |minute: i64| {
            *spans.entry(minute).or_insert_with(|| {
                Grain::ALL.map(|grain| (grain.seconds(), zone.start(grain, minute * MINUTE_MS)))
            })
        };
        for ((minute, cell), sums) in &self.cells {
            for span in spans_of(*minute) {
                rows.rollup.entry((span, cell.clone())).or_default().add(sums);
                for (dim, name) in [
                    ("all", ""),
                    ("agent", &*cell.agent),
                    ("model", &cell.model),
                    ("upstream", &cell.upstream),
                    ("outcome", &cell.outcome),
                    ("reason", &cell.reason),
                ] {
                    let line = Line { dim, project: cell.project.clone(), name: name.to_owned() };
                    rows.tally.entry((span, line)).or_default().add(sums);
                }
            }
        }
        for ((minute, spot), (times, calls)) in &self.spots {
            for span in spans_of(*minute) {
                let entry = rows.finding.entry((span, spot.clone())).or_default();
                *entry = (entry.0 + times, entry.1 + calls);
                let (project, name) = (spot.project.clone(), spot.kind.clone());
                let entry = rows.tally.entry((span, Line { dim: "kind", project, name }));
                let sums = entry.or_default();
                *sums.found_mut() += times;
                *sums.calls_mut() += calls;
            }
        }
        rows
    }
}

/// Rows to be added to those that are there.
#[derive(Debug, Default)]
pub struct Rows {
    /// Of `rollup`.
    pub rollup: BTreeMap<(Span, Cell), Sums>,
    /// Of `finding`: how often, in how many calls.
    pub finding: BTreeMap<(Span, Spot), (i64, i64)>,
    /// Of `tally`.
    pub tally: BTreeMap<(Span, Line), Sums>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_grain_and_each_thing_adds_up_to_all_calls() {
        let mut deltas = Deltas::default();
        let mut one = Sums::default();
        *one.calls_mut() = 1;
        *one.posted_mut() = 5;
        for call in 0..100_i64 {
            let cell = Cell {
                agent: format!("a{}", call % 7),
                project: format!("p{}", call % 2),
                model: format!("m{}", call % 3),
                ..Cell::default()
            };
            deltas.add(1_795_000_000_000 + call * 977_000, cell, &one);
        }
        let rows = deltas.rows(&Zone::named("Europe/Berlin").unwrap());
        for grain in Grain::ALL {
            let of = |span: &Span| span.0 == grain.seconds();
            let cells = rows.rollup.iter().filter(|((span, _), _)| of(span));
            assert_eq!(cells.map(|(_, sums)| sums.posted()).sum::<i64>(), 500);
            for dim in ["all", "agent", "model", "upstream", "outcome", "reason"] {
                let lines =
                    rows.tally.iter().filter(|((span, line), _)| of(span) && line.dim == dim);
                assert_eq!(lines.map(|(_, sums)| sums.calls()).sum::<i64>(), 100, "{dim}");
            }
        }
    }
}
