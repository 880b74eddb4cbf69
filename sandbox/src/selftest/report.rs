//! Prints what the self-test found: a line for each attempt, or all of it as JSON.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::command::args::Output;
use crate::layer::Tier;
use crate::selftest::attempt::Attempt;
use crate::selftest::verdict::{Judgement, Try, Verdict};

/// What was found so far.
#[derive(Debug)]
pub struct Report {
    format: Output,
    tier: Option<Tier>,
    found: Vec<Found>,
    without: Vec<Without>,
}

#[derive(Debug, Serialize)]
struct Found {
    tier: Option<Tier>,
    name: &'static str,
    group: &'static str,
    what: &'static str,
    #[serde(flatten)]
    judgement: Judgement,
}

#[derive(Debug, Serialize)]
struct Without {
    tier: Tier,
    why: String,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    attempts: &'a [Found],
    not_available: &'a [Without],
    passed: bool,
}

impl Report {
    /// Nothing found yet.
    pub fn new(format: Output) -> Self {
        Self { format, tier: None, found: Vec::new(), without: Vec::new() }
    }

    /// What follows was found in this tier.
    pub fn tier(&mut self, tier: Tier) -> io::Result<()> {
        self.tier = Some(tier);
        if self.format == Output::Json {
            return Ok(());
        }
        writeln!(io::stdout(), "{tier} tier")
    }

    /// This tier cannot be had here.
    pub fn without(&mut self, tier: Tier, why: String) -> io::Result<()> {
        if self.format == Output::Text {
            writeln!(io::stdout(), "{tier} tier: cannot be had here: {why}")?;
        }
        self.without.push(Without { tier, why });
        Ok(())
    }

    /// One attempt and what came of it.
    pub fn attempt(&mut self, attempt: &Attempt, judgement: &Judgement) -> io::Result<()> {
        if self.format == Output::Text {
            let layer = judgement.layer.map(|layer| format!("{layer}: ")).unwrap_or_default();
            writeln!(
                io::stdout(),
                "  {:<6} {:<58} {layer}{} ({})",
                judgement.verdict.mark(),
                attempt.what,
                plain(&judgement.told),
                plain(&judgement.control),
            )?;
        }
        self.found.push(Found {
            tier: self.tier,
            name: attempt.name,
            group: attempt.group.name(),
            what: attempt.what,
            judgement: judgement.clone(),
        });
        Ok(())
    }

    /// A control alone.
    pub fn control(&self, attempt: &Attempt, control: &Try) -> io::Result<()> {
        let mark = if control.worked() { "works" } else { "fails" };
        let outcome = control.outcome.to_string();
        writeln!(
            io::stdout(),
            "  {mark:<6} {:<26} {:<58} {}",
            attempt.name,
            attempt.what,
            plain(&outcome)
        )
    }

    /// Sums up. Whether nothing is open and the table is right.
    ///
    /// Where nothing was tried in any sandbox, nothing is shown: that is a failure too, unless only
    /// controls were asked for.
    pub fn finish(self, controls: bool) -> io::Result<bool> {
        let count =
            |verdict| self.found.iter().filter(|one| one.judgement.verdict == verdict).count();
        let (open, wrong) = (count(Verdict::Open), count(Verdict::Wrong));
        let passed = open == 0 && wrong == 0 && (controls || !self.found.is_empty());
        let mut out = io::stdout();
        if self.format == Output::Json {
            let document = Document { attempts: &self.found, not_available: &self.without, passed };
            serde_json::to_writer_pretty(&mut out, &document)?;
            writeln!(out)?;
        } else if !self.found.is_empty() {
            writeln!(
                out,
                "{} held, {} known gaps, {} not tested, {open} open{}",
                count(Verdict::Held),
                count(Verdict::Gap),
                count(Verdict::NotTested),
                if wrong > 0 { format!(", {wrong} not as the table says") } else { String::new() },
            )?;
        }
        Ok(passed)
    }
}

impl Verdict {
    const fn mark(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Gap => "GAP",
            Self::Open => "OPEN",
            Self::NotTested => "n/a",
            Self::Wrong => "WRONG",
        }
    }
}

/// What an attempt says may hold anything: on a line of ours it is short and without control
/// characters.
fn plain(text: &str) -> String {
    text.chars().take(120).map(|one| if one.is_control() { ' ' } else { one }).collect()
}
