//! `iron-sandbox learn`: runs a program confined, and proposes a profile from what it was refused.
//!
//! The sandbox is the same as for `exec`: nothing is let through to find out what would come next. A
//! program that ends at its first refusal may need several rounds.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use super::args::{ExecArgs, LearnArgs, ReportArg, WatchArg};
use super::exec::{check_before_run, check_words};
use super::surroundings::Surroundings;
use super::through_iron::{end_with_the_run, through_iron};
use super::{Failure, exec, plan, say};
use crate::profile::detect;
use crate::profile::library::Library;
use crate::profile::propose::{Asked, Proposal, propose};

/// Runs the program, and proposes. The exit code is the program's own.
pub(super) fn learn(args: &LearnArgs, here: &Surroundings) -> Result<ExitCode, Failure> {
    if let Some(file) = &args.write_to
        && file.symlink_metadata().is_ok()
    {
        return Err(Failure::Usage(format!(
            "--write-to {}: it is there already: name a new file, or take this one away",
            file.display()
        )));
    }
    let run = ExecArgs {
        confine: args.confine.clone(),
        run: args.run.clone(),
        watch: WatchArg::Everything,
        report: ReportArg::Text,
        command: args.command.clone(),
        ..ExecArgs::default()
    };
    check_words(&args.command)?;
    if plan::wants_run(&args.confine, here) {
        check_before_run(&run, here)?;
        return Err(through_iron(&run.confine, &run.run, &run.command));
    }
    end_with_the_run()?;
    let planned = plan::confinement(&run, here)?;
    for note in &planned.notes {
        tell(&format!("note: {note}"));
    }
    let library = Library::of_user(here.configuration().as_deref());
    let extends = if args.confine.profile.is_empty() {
        detect::profiles(&library, &args.command)
            .map_err(|error| Failure::Configuration(error.to_string()))?
    } else {
        args.confine.profile.clone()
    };
    let (ended, events) = exec::run(planned, &run, true)?;
    let words: Vec<_> = args.command.iter().map(|word| word.to_string_lossy()).collect();
    let proposal = propose(&Asked {
        command: &words.join(" "),
        extends: &extends,
        home: here.home.as_deref(),
        guarded: &plan::guarded(here),
        events: &events,
    });
    hand_over(&proposal, args.write_to.as_deref())?;
    Ok(ExitCode::from(ended.code()))
}

fn hand_over(proposal: &Proposal, file: Option<&Path>) -> Result<(), Failure> {
    for line in &proposal.left_out {
        tell(&format!("left out: {line}"));
    }
    if proposal.lines == 0 {
        tell("nothing was refused that a profile could allow, so there is none to propose");
        return Ok(());
    }
    let Some(path) = file else {
        say(proposal.text.trim_end());
        tell("that is the profile: read it, and keep it in a file for --profile FILE");
        return Ok(());
    };
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(proposal.text.as_bytes()));
    written.map_err(|error| {
        Failure::Other(format!("the profile {} cannot be written: {error}", path.display()))
    })?;
    let name = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
    tell(&format!(
        "the profile is in {}: read it, then use it with --profile {} (or, from your folder of profiles, \
         --profile {name})",
        path.display(),
        path.display()
    ));
    Ok(())
}

/// A line for the user, beside what the program writes.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "iron-sandbox: {}", super::harmless(text));
}
