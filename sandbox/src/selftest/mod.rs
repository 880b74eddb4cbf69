//! `iron-sandbox selftest`: tries to get out of a real sandbox in every way there is, and shows for each
//! that the same code does get what it wants outside.
//!
//! `attempts` is the table; `trial` runs one of it, in a sandbox and as its control, in a world that
//! `scene`, `targets` and `victim` set up; `verdict` says what both together mean. Each attempt has a
//! sandbox of its own. What it says itself is believed only where nothing outside can tell.

pub mod attempt;
pub mod attempts;
pub mod confined;
pub mod errno;
pub mod report;
pub mod scene;
pub mod stage;
pub mod targets;
pub mod trial;
pub mod verb;
pub mod verdict;
pub mod victim;

use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::layer::Tier;
use crate::selftest::attempt::Attempt;
use crate::selftest::report::{Format, Report};
use crate::selftest::trial::Ground;
use crate::selftest::verdict::{Try, judge};

/// What to try, and how to tell of it.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// The way the sandbox is made; each that can be had where none is given.
    #[arg(long, value_enum)]
    tier: Option<TierName>,
    /// An attempt's name or a part of the table; may be given several times.
    #[arg(long, value_name = "NAME|GROUP")]
    only: Vec<String>,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
    /// Run the controls alone: shows what this machine allows outside a sandbox.
    #[arg(long, conflicts_with = "tier")]
    controls: bool,
}

/// A tier, as it is written on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum TierName {
    /// In namespaces of its own.
    Namespace,
    /// Without namespaces.
    Fallback,
}

/// Runs the self-test. It fails when anything is open, or the table is wrong.
pub fn run(options: &Options) -> ExitCode {
    match test(options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ =
                writeln!(io::stderr(), "iron-sandbox: the self-test could not be set up: {error}");
            ExitCode::from(2)
        }
    }
}

fn test(options: &Options) -> io::Result<bool> {
    let chosen: Vec<&'static Attempt> = attempts::all()
        .filter(|attempt| {
            let named = |one: &String| one == attempt.name || one == attempt.group.name();
            options.only.is_empty() || options.only.iter().any(named)
        })
        .collect();
    if chosen.is_empty() {
        return Err(io::Error::other("no attempt and no part of the table has such a name"));
    }
    let tiers = match options.tier {
        _ if options.controls => Vec::new(),
        Some(TierName::Namespace) => vec![Tier::Namespace],
        Some(TierName::Fallback) => vec![Tier::Fallback],
        None => vec![Tier::Namespace, Tier::Fallback],
    };
    let ground = Ground::prepare()?;
    let root = rustix::process::geteuid().is_root();
    let controls: Vec<Try> =
        chosen.iter().map(|attempt| ground.run(attempt, None)).collect::<io::Result<_>>()?;
    let mut report = Report::new(options.output);
    if options.controls {
        for (attempt, control) in chosen.iter().zip(&controls) {
            report.control(attempt, control)?;
        }
    }
    for tier in tiers {
        report.tier(tier)?;
        for (attempt, control) in chosen.iter().zip(&controls) {
            let confined = ground.run(attempt, Some(tier))?;
            let judgement = judge(&confined, control, attempt.expect.of(tier, root));
            report.attempt(attempt, &judgement)?;
        }
    }
    report.finish()
}
