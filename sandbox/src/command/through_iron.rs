//! Goes through `iron run` where nobody has announced a run yet: it finds or starts the proxy, announces
//! the run, sets what the client obeys, and prints the receipt. Within that run we are called again.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use super::Failure;
use super::args::RunArgs;

/// Says to ourselves that this is the second call.
const MARK: &str = "IRON_SANDBOX_WITHIN_RUN";

/// Becomes `iron run` with the same words within. Comes back only with the reason why it could not.
pub(super) fn through_iron(run: &RunArgs, command: &[OsString]) -> Failure {
    if env::var_os(MARK).is_some() {
        return Failure::Other(
            "`iron run` announced no run, so there is no proxy to reach: are `iron` and `iron-sandbox` of \
             one version?"
                .to_owned(),
        );
    }
    let own = match env::current_exe() {
        Ok(own) => own,
        Err(error) => return Failure::Other(format!("our own file cannot be found: {error}")),
    };
    let iron = beside(&own).unwrap_or_else(|| PathBuf::from("iron"));
    let words: Vec<OsString> = env::args_os().skip(1).collect();
    let error = Command::new(&iron)
        .args(options(run))
        .arg("--")
        .arg(&own)
        .args(within(words, command))
        .env(MARK, "1")
        .exec();
    Failure::Other(format!(
        "`iron`, which finds or starts the proxy, cannot be started ({error}): put it beside iron-sandbox or \
         into PATH, or give the agent no network with --network none"
    ))
}

/// Within a run that we went through: this process ends with `iron run`, also where that is killed.
pub(super) fn end_with_the_run() -> Result<(), Failure> {
    if env::var_os(MARK).is_none() {
        return Ok(());
    }
    let parent = getppid();
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| {
        Failure::Other(format!("the sandbox would not end with `iron run`: {error}"))
    })?;
    // It may have ended meanwhile.
    if getppid() != parent {
        return Err(Failure::Other("`iron run` has ended".to_owned()));
    }
    Ok(())
}

/// That of the same build.
fn beside(own: &std::path::Path) -> Option<PathBuf> {
    let iron = own.canonicalize().ok()?.with_file_name("iron");
    iron.is_file().then_some(iron)
}

fn options(run: &RunArgs) -> Vec<OsString> {
    let mut words = vec![OsString::from("run")];
    for (flag, value) in
        [("--agent", &run.agent), ("--budget", &run.budget), ("--receipt", &run.receipt)]
    {
        if let Some(value) = value {
            words.push(format!("{flag}={value}").into());
        }
    }
    if run.simulate {
        words.push("--simulate".into());
    }
    words
}

/// Our own words, with `--` before the command: so that whoever reads them knows where it begins.
fn within(words: Vec<OsString>, command: &[OsString]) -> Vec<OsString> {
    let begin = words.len().saturating_sub(command.len());
    let mut within = words;
    if begin == 0 || within[begin - 1] != "--" {
        within.insert(begin, "--".into());
    }
    within
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn the_command_begins_after_two_dashes() {
        let command = words("python agent.py -v");
        for line in ["exec --read /a python agent.py -v", "exec --read /a -- python agent.py -v"] {
            assert_eq!(
                within(words(line), &command),
                words("exec --read /a -- python agent.py -v"),
                "{line}"
            );
        }
        // The command's own dashes are its own.
        assert_eq!(within(words("exec sh -- x"), &words("sh -- x")), words("exec -- sh -- x"));
    }

    #[test]
    fn what_is_the_runs_is_handed_to_iron() {
        let run = RunArgs {
            agent: Some("ada".to_owned()),
            budget: Some("2usd".to_owned()),
            simulate: true,
            receipt: None,
        };
        assert_eq!(options(&run), words("run --agent=ada --budget=2usd --simulate"));
    }
}
