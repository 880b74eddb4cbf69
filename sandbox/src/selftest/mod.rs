//! `iron-sandbox selftest`: tries to get out of a real sandbox in every way there is, and shows for each
//! that the same code does get what it wants outside.
//!
//! `attempts` is the table; `trial` runs one of it, in a sandbox and as its control, in a world that
//! `scene`, `targets` and `victim` set up; `verdict` says what both together mean. Each attempt has a
//! sandbox of its own. What it says itself is believed only where nothing outside can tell.

pub mod attempt;
pub mod attempts;
pub mod confined;
pub mod ending;
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

use crate::command::args::{SelftestArgs, TierArg};
use crate::layer::Tier;
use crate::selftest::attempt::Attempt;
use crate::selftest::report::Report;
use crate::selftest::trial::Ground;
use crate::selftest::verdict::judge;

/// Runs the self-test. It fails when anything is open, or the table is wrong.
pub fn run(options: &SelftestArgs) -> ExitCode {
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

fn test(options: &SelftestArgs) -> io::Result<bool> {
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
        Some(TierArg::Namespace) => vec![Tier::Namespace],
        Some(TierArg::Fallback) => vec![Tier::Fallback],
        None | Some(TierArg::Auto) => vec![Tier::Namespace, Tier::Fallback],
    };
    let ground = Ground::prepare()?;
    let root = rustix::process::geteuid().is_root();
    let mut report = Report::new(options.output);
    let mut controls = Vec::new();
    ground.run_all(&chosen, None, |index, control| {
        if options.controls {
            report.control(chosen[index], &control)?;
        }
        controls.push(control);
        Ok(())
    })?;
    for tier in tiers {
        if let Some(why) = ground.lacks(tier)? {
            report.without(tier, why)?;
            continue;
        }
        report.tier(tier)?;
        ground.run_all(&chosen, Some(tier), |index, confined| {
            let attempt = chosen[index];
            let expected = attempt.expect.of(tier, root);
            report.attempt(attempt, &judge(&confined, &controls[index], expected))
        })?;
    }
    report.finish(options.controls)
}
