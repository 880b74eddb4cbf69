//! Attempts on the processes that made the sandbox: the launcher, and the keeper within or beside it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::selftest::attempt::{At, Attempt, Expect, Expectation, Group, Refusal, Shows, by};
use crate::selftest::attempts::processes::read_proc;
use crate::selftest::stage::Stage;
use crate::selftest::trial::pause;
use crate::sys::attempts::process::{self as raw, Signalling};

/// Inside there is but the keeper, which nobody may look into; outside, Landlock stands before all.
const HELD: Expect = Expect::tiers(
    &[by::PROCESS, by::SECCOMP, by::LANDLOCK, by::MOUNT],
    &[by::SECCOMP, by::LANDLOCK],
);

const fn attempt(
    name: &'static str,
    what: &'static str,
    run: fn(&Stage) -> Result<String, Refusal>,
    shows: Shows,
    expect: Expect,
) -> Attempt {
    Attempt { name, group: Group::Launcher, what, run, shows, expect }
}

/// The table.
pub const ATTEMPTS: &[Attempt] = &[
    attempt(
        "parent-environ",
        "read the environment of a process above: /proc/PPID/environ",
        |_| above(|process| read_proc(process, "environ")),
        Shows::Secret,
        HELD,
    ),
    attempt(
        "parent-cmdline",
        "read the command line of a process above",
        |_| {
            above(|process| {
                let line = read_proc(process, "cmdline")?;
                // The keeper's own words are the launcher's, and say nothing; a launcher's do.
                if line.contains("iron-sandbox") { Ok(line) } else { Err(Refusal::nothing("read")) }
            })
        },
        Shows::Report,
        Expect {
            namespace: Expectation::Gap(
                "the keeper is a copy of the launcher and shows its command line, which anybody sees outside too",
            ),
            fallback: Expectation::Gap(
                "there is one /proc, and /proc/self is needed: command lines are seen",
            ),
            fallback_root: None,
        },
    ),
    attempt(
        "parent-mem",
        "read the memory of a process above: /proc/PPID/mem",
        |_| {
            above(|process| {
                fs::File::open(format!("/proc/{process}/mem")).at("open")?;
                Ok("opened".to_owned())
            })
        },
        Shows::Report,
        HELD,
    ),
    attempt(
        "parent-mem-write",
        "write the memory of a process above",
        |_| {
            above(|process| {
                let path = format!("/proc/{process}/mem");
                fs::File::options().write(true).open(path).at("open")?;
                Ok("opened".to_owned())
            })
        },
        Shows::Report,
        HELD,
    ),
    attempt(
        "parent-maps",
        "see where a process above has its memory",
        |_| {
            above(|process| {
                let maps = read_proc(process, "maps")?;
                if maps.is_empty() { Err(Refusal::nothing("read")) } else { Ok("seen".to_owned()) }
            })
        },
        Shows::Report,
        HELD,
    ),
    attempt(
        "parent-root",
        "reach a file outside by /proc/PPID/root",
        |stage| {
            let inner = stage.home.strip_prefix("/").unwrap_or(&stage.home).to_owned();
            above(|process| {
                let path = PathBuf::from(format!("/proc/{process}/root")).join(&inner);
                fs::read_to_string(path.join(".ssh/id_ed25519")).at("open")
            })
        },
        Shows::Secret,
        HELD,
    ),
    attempt(
        "parent-cwd",
        "reach a file outside by /proc/PPID/cwd",
        |_| {
            above(|process| {
                let path = format!("/proc/{process}/cwd/../home/.ssh/id_ed25519");
                fs::read_to_string(path).at("open")
            })
        },
        Shows::Secret,
        HELD,
    ),
    attempt(
        "parent-fd",
        "open what a process above has open",
        |stage| {
            above(|process| {
                let path = format!("/proc/{process}/fd/{}", stage.descriptor_file);
                fs::read_to_string(path).at("open")
            })
        },
        Shows::Secret,
        HELD,
    ),
    attempt(
        "parent-trace",
        "trace a process above",
        |_| above(|process| raw::trace(process).at("ptrace").map(|()| "attached".to_owned())),
        Shows::Report,
        HELD,
    ),
    attempt(
        "parent-limits",
        "change the limits of a process above",
        |_| {
            above(|process| {
                let none = rustix::process::Rlimit { current: Some(0), maximum: Some(1) };
                let process = rustix::process::Pid::from_raw(process);
                let core = rustix::process::Resource::Core;
                rustix::process::prlimit(process, core, none).at("prlimit")?;
                Ok("changed".to_owned())
            })
        },
        Shows::Report,
        Expect {
            namespace: Expectation::Gap(
                "the keeper lives in the sandbox and ends with it: its limits are no one else's",
            ),
            fallback: Expectation::Held(&[by::SECCOMP, by::NOTIFY, by::LANDLOCK]),
            fallback_root: None,
        },
    ),
    attempt(
        "parent-signal",
        "signal a process above (with signal 0, which only asks)",
        |_| {
            above(|process| {
                raw::signal(Signalling::Kill, process, 0).at("kill")?;
                Ok("could be".to_owned())
            })
        },
        Shows::Report,
        Expect {
            namespace: Expectation::Held(&[by::SECCOMP, by::LANDLOCK]),
            fallback: Expectation::Held(&[by::SECCOMP, by::LANDLOCK]),
            fallback_root: None,
        },
    ),
    attempt(
        "outlive",
        "leave a process behind that acts when the sandbox has ended",
        |_| {
            raw::daemon(leave_behind).at("fork")?;
            Ok("left behind".to_owned())
        },
        Shows::Files,
        Expect::tiers(&[by::PROCESS], &[by::PROCESS]),
    ),
    attempt(
        "outlive-hopping",
        "leave a process behind that always is another when it is looked for",
        |_| {
            raw::hopping_daemon(WAIT, change_hook).at("fork")?;
            Ok("left behind".to_owned())
        },
        Shows::Files,
        Expect::tiers(&[by::PROCESS], &[by::PROCESS]),
    ),
];

/// Tries it on the processes above, the nearest first: the keeper, the launcher, what started it. The
/// first refusal is told where none works, as it is the nearest one's.
fn above(attempt: impl Fn(i32) -> Result<String, Refusal>) -> Result<String, Refusal> {
    let mut process = rustix::process::getppid().map_or(0, |parent| parent.as_raw_nonzero().get());
    let mut first = None;
    for _ in 0..3 {
        if process <= 0 {
            break;
        }
        match attempt(process) {
            Ok(found) => return Ok(found),
            Err(refusal) => first = first.or(Some(refusal)),
        }
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        process = rest.split_whitespace().nth(1).and_then(|one| one.parse().ok()).unwrap_or(0);
    }
    Err(first.unwrap_or_else(|| Refusal::absent("there is no process above")))
}

/// Waits until the launcher has ended, then changes a protected file of the workspace.
fn leave_behind() {
    pause(WAIT);
    change_hook();
}

fn change_hook() {
    let _ = fs::write(".git/hooks/pre-commit", "left behind");
}

/// By then the launcher has ended.
const WAIT: Duration = Duration::from_millis(800);
