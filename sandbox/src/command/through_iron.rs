//! Goes through `iron run` where nobody has announced a run yet: it finds or starts the proxy, announces
//! the run, sets what the client obeys, and prints the receipt. Within that run we are called again.
//!
//! `iron` is looked for where an agent cannot have put one: beside this program, then in PATH, never in
//! the agent's folder.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use super::Failure;
use super::args::{ConfineArgs, RunArgs};

/// Says to ourselves that this is the second call.
const MARK: &str = "IRON_SANDBOX_WITHIN_RUN";

/// Becomes `iron run` with the same words within. Comes back only with the reason why it could not.
pub(super) fn through_iron(confine: &ConfineArgs, run: &RunArgs, command: &[OsString]) -> Failure {
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
    let path = env::var_os("PATH").unwrap_or_default();
    let Some(iron) = beside(&own).or_else(|| in_path(&path, &agents(confine))) else {
        return Failure::Other(
            "`iron`, which finds or starts the proxy, is neither beside iron-sandbox nor in PATH outside \
             of the agent's folder: install it, or give the agent no network with --network none"
                .to_owned(),
        );
    };
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
fn beside(own: &Path) -> Option<PathBuf> {
    let iron = own.canonicalize().ok()?.with_file_name("iron");
    iron.is_file().then_some(iron)
}

/// The first in PATH that stands in none of these folders, and whose file does not either.
fn in_path(path: &OsStr, agents: &[PathBuf]) -> Option<PathBuf> {
    let folders = env::split_paths(path).filter(|folder| folder.is_absolute());
    folders.filter_map(|folder| folder.canonicalize().ok()).find_map(|folder| {
        let iron = folder.join("iron").canonicalize().ok()?;
        let is_agents = |path: &Path| agents.iter().any(|agents| path.starts_with(agents));
        let runs = iron.metadata().is_ok_and(|file| file.is_file() && file.mode() & 0o111 != 0);
        (runs && !is_agents(&folder) && !is_agents(&iron)).then_some(iron)
    })
}

/// The folders that an agent may have written to before: its own, else the current one.
fn agents(confine: &ConfineArgs) -> Vec<PathBuf> {
    let folder = confine.workspace.as_deref().unwrap_or(Path::new("."));
    let written = confine.write.iter().map(PathBuf::as_path);
    written.chain([folder]).filter_map(|folder| folder.canonicalize().ok()).collect()
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
    use std::os::unix::fs::PermissionsExt;

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
    fn iron_is_never_taken_from_the_agents_folder() {
        let program = |path: &Path| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
        };
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let (work, user) = (root.join("work"), root.join("user/bin"));
        program(&work.join("bin/iron"));
        std::fs::create_dir_all(&user).unwrap();
        let path = env::join_paths([work.join("bin"), "bin".into(), user.clone()]).unwrap();
        let agents = [work.clone()];
        assert_eq!(in_path(&path, &agents), None);
        // Nor by a link that leads there.
        std::os::unix::fs::symlink(work.join("bin/iron"), user.join("iron")).unwrap();
        assert_eq!(in_path(&path, &agents), None);
        std::fs::remove_file(user.join("iron")).unwrap();
        program(&user.join("iron"));
        assert_eq!(in_path(&path, &agents), Some(user.join("iron")));
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
