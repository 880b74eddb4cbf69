//! The end of a run whose workspace was put aside: what was changed is told, shown if asked for, and
//! applied, kept or dropped.
//!
//! Nothing is lost unasked: what could not be applied, and what nobody could be asked about, is kept and
//! said where.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::apply::{self, Applied, Rules};
use super::changes::Changes;
use super::diff::{self, printable};
use super::{Ephemeral, Error};

/// How many changes are listed before the rest is only counted.
const LISTED: usize = 50;

/// Whether changes land.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Apply {
    /// On a terminal that is asked; elsewhere they are kept.
    #[default]
    Ask,
    /// At once.
    Always,
    /// Not at all.
    Never,
}

/// What is shown of changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Show {
    /// A line each.
    #[default]
    List,
    /// A unified diff.
    Diff,
    /// One JSON document, and nothing else.
    Json,
}

/// What is done at the end.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    /// Whether changes land.
    pub apply: Apply,
    /// What is shown of them.
    pub show: Show,
    /// What does not land is kept.
    pub keep: bool,
    /// Protected paths.
    pub rules: Rules,
}

/// Who is asked and told.
pub struct Talk<'a> {
    /// Answers come from here; none where nobody can be asked.
    pub answers: Option<&'a mut dyn BufRead>,
    /// Where changes are shown.
    pub shown: &'a mut dyn Write,
    /// Where it is asked and told what became of them.
    pub told: &'a mut dyn Write,
    /// Whether changes are shown in colours.
    pub colour: bool,
}

/// What became of the changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How many there were.
    pub changes: usize,
    /// What landed; none where nothing was applied.
    pub applied: Option<Applied>,
    /// Where they are kept, if they are.
    pub kept: Option<PathBuf>,
    /// Whether something was to land and could not: an exit code of its own.
    pub failed: bool,
}

/// Ends it on this program's standard error. Where that is a terminal, its keyboard is asked: standard
/// input was the agent's.
pub fn conclude_here(ephemeral: Ephemeral, ending: &Ending) -> Result<Outcome, Error> {
    let terminal = io::stderr().is_terminal();
    let keyboard = if terminal { File::open("/dev/tty").ok() } else { None };
    let mut keyboard = keyboard.map(BufReader::new);
    let mut talk = Talk {
        answers: keyboard.as_mut().map(|keyboard| keyboard as &mut dyn BufRead),
        shown: &mut io::stderr(),
        told: &mut io::stderr(),
        colour: terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    };
    conclude(ephemeral, ending, &mut talk)
}

/// Ends it.
pub fn conclude(
    mut ephemeral: Ephemeral,
    ending: &Ending,
    talk: &mut Talk<'_>,
) -> Result<Outcome, Error> {
    let changes = ephemeral.changes()?;
    let path = ephemeral.workspace().to_owned();
    let told = |source| Error::Io { doing: "tell the changes of", path: path.clone(), source };
    show(&ephemeral, &changes, ending.show, talk).map_err(told)?;
    let number = changes.changes.len();
    let mut outcome = Outcome { changes: number, applied: None, kept: None, failed: false };
    if number == 0 {
        return Ok(outcome);
    }
    let told = |source| Error::Io { doing: "tell the changes of", path: path.clone(), source };
    let wish = match ending.apply {
        Apply::Always => Wish::Apply,
        Apply::Never => Wish::Drop,
        Apply::Ask => ask(&ephemeral, &changes, talk).map_err(told)?,
    };
    if wish == Wish::Apply {
        match ephemeral.apply(&changes.changes, &ending.rules, &|_| true) {
            Ok(applied) => {
                let skipped = !applied.skipped.is_empty();
                tell_applied(talk.told, &path, &applied).map_err(told)?;
                outcome.applied = Some(applied);
                if !(skipped && ending.keep) {
                    return Ok(outcome);
                }
            }
            Err(error) => {
                outcome.failed = true;
                tell_failed(talk.told, &error).map_err(told)?;
            }
        }
    }
    if outcome.failed || ending.keep || wish == Wish::Keep {
        let kept = ephemeral.keep()?;
        let path = printable(kept.as_os_str());
        writeln!(talk.told, "The agent's files are kept in {path}; remove them when done.")
            .map_err(told)?;
        outcome.kept = Some(kept);
    }
    Ok(outcome)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Apply,
    Keep,
    Drop,
}

fn show(
    ephemeral: &Ephemeral,
    changes: &Changes,
    show: Show,
    talk: &mut Talk<'_>,
) -> io::Result<()> {
    if show == Show::Json {
        return ephemeral.print_json(changes, talk.shown);
    }
    let path = printable(ephemeral.workspace().as_os_str());
    writeln!(talk.shown, "Changes to {path}: {}", changes.summary())?;
    if show == Show::Diff {
        return ephemeral.print_diff(changes, talk.colour, talk.shown);
    }
    for change in changes.changes.iter().take(LISTED) {
        writeln!(talk.shown, "  {}", change.line())?;
    }
    if let more @ 1.. = changes.changes.len().saturating_sub(LISTED) {
        writeln!(talk.shown, "  and {more} more (`--diff` shows all)")?;
    }
    diff::notes(talk.shown, &changes.notes)
}

/// Asks until there is an answer. Where nobody can be asked, and at the end of input, it is kept.
fn ask(ephemeral: &Ephemeral, changes: &Changes, talk: &mut Talk<'_>) -> io::Result<Wish> {
    let Some(answers) = talk.answers.as_mut() else { return Ok(Wish::Keep) };
    let path = printable(ephemeral.workspace().as_os_str());
    loop {
        write!(
            talk.told,
            "Apply them to {path}? [y]es, [n]o and drop them, [k]eep aside, [d]iff: "
        )?;
        talk.told.flush()?;
        let mut answer = String::new();
        if answers.read_line(&mut answer)? == 0 {
            writeln!(talk.told)?;
            return Ok(Wish::Keep);
        }
        match answer.trim() {
            "y" | "yes" => return Ok(Wish::Apply),
            "n" | "no" => return Ok(Wish::Drop),
            "k" | "keep" => return Ok(Wish::Keep),
            "d" | "diff" => ephemeral.print_diff(changes, talk.colour, talk.shown)?,
            _ => {}
        }
    }
}

fn tell_applied(told: &mut dyn Write, path: &Path, applied: &Applied) -> io::Result<()> {
    let path = printable(path.as_os_str());
    writeln!(told, "Applied {} changes to {path}.", applied.landed)?;
    diff::notes(told, &applied.skipped)
}

fn tell_failed(told: &mut dyn Write, error: &apply::Error) -> io::Result<()> {
    writeln!(told, "{error}")?;
    match error {
        apply::Error::Conflicts(conflicts) => diff::notes(told, conflicts),
        _ => Ok(()),
    }
}
