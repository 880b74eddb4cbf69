//! Attempts on what is handed on: environment, descriptors, the rights of setuid programs.

use std::fs;
use std::os::fd::{AsFd as _, AsRawFd as _};

use rustix::fs::{Mode, OFlags, openat};

use crate::selftest::attempt::{At, Attempt, Expect, Group, Refusal, Shows, by};
use crate::selftest::stage::Stage;
use crate::selftest::trial::{HIJACKING, pause};
use crate::sys::attempts::files::copy_of_descriptor;

const NOT_HANDED_ON: Expect = Expect::held(&[by::ENVIRONMENT]);
const CLOSED: Expect = Expect::held(&[by::DESCRIPTORS]);

const fn attempt(
    name: &'static str,
    what: &'static str,
    run: fn(&Stage) -> Result<String, Refusal>,
    shows: Shows,
    expect: Expect,
) -> Attempt {
    Attempt { name, group: Group::Inherited, what, run, shows, expect }
}

/// The table.
pub const ATTEMPTS: &[Attempt] = &[
    attempt(
        "environment-secret",
        "find a key in the environment",
        |_| {
            let all = std::env::vars_os();
            let text: Vec<String> = all.map(|(_, value)| value.to_string_lossy().into()).collect();
            found(text.into_iter().find(|value| value.starts_with("secret-")))
        },
        Shows::Secret,
        NOT_HANDED_ON,
    ),
    attempt(
        "environment-proc",
        "find a key in /proc/self/environ",
        |_| {
            let text = fs::read("/proc/self/environ").at("open")?;
            let text = String::from_utf8_lossy(&text).into_owned();
            found(text.contains("secret-").then_some(text))
        },
        Shows::Secret,
        NOT_HANDED_ON,
    ),
    attempt(
        "ld-library-path",
        "load other libraries: LD_LIBRARY_PATH",
        |_| set(0),
        Shows::Report,
        NOT_HANDED_ON,
    ),
    attempt(
        "node-options",
        "load code into Node: NODE_OPTIONS",
        |_| set(1),
        Shows::Report,
        NOT_HANDED_ON,
    ),
    attempt(
        "python-startup",
        "load code into Python: PYTHONSTARTUP",
        |_| set(2),
        Shows::Report,
        NOT_HANDED_ON,
    ),
    attempt(
        "python-path",
        "load other modules into Python: PYTHONPATH",
        |_| set(3),
        Shows::Report,
        NOT_HANDED_ON,
    ),
    attempt("bash-env", "load code into bash: BASH_ENV", |_| set(4), Shows::Report, NOT_HANDED_ON),
    attempt("sh-env", "load code into sh: ENV", |_| set(5), Shows::Report, NOT_HANDED_ON),
    attempt(
        "perl-options",
        "load code into Perl: PERL5OPT",
        |_| set(6),
        Shows::Report,
        NOT_HANDED_ON,
    ),
    attempt(
        "git-ssh",
        "let git run a program: GIT_SSH_COMMAND",
        |_| set(7),
        Shows::Report,
        NOT_HANDED_ON,
    ),
    attempt(
        "ld-preload",
        "load a library into every program: LD_PRELOAD",
        |_| found(std::env::var("LD_PRELOAD").ok()),
        Shows::Report,
        NOT_HANDED_ON,
    ),
    attempt(
        "descriptor",
        "read a file outside by a descriptor that was left open",
        |stage| {
            use std::os::unix::fs::FileExt as _;
            let file = copy_of_descriptor(stage.descriptor_file).at("the descriptor")?;
            let mut text = [0; 128];
            let length = fs::File::from(file).read_at(&mut text, 0).at("read")?;
            Ok(String::from_utf8_lossy(&text[..length]).into_owned())
        },
        Shows::Secret,
        CLOSED,
    ),
    attempt(
        "descriptor-200",
        "use any descriptor but the standard three",
        |_| {
            for number in 3..1024 {
                if let Ok(copy) = copy_of_descriptor(number) {
                    let path = fs::read_link(format!("/proc/self/fd/{}", copy.as_raw_fd()));
                    return Ok(
                        path.map_or_else(|_| number.to_string(), |one| one.display().to_string())
                    );
                }
            }
            copy_of_descriptor(200).at("the descriptor").map(|_| "open".to_owned())
        },
        Shows::Report,
        CLOSED,
    ),
    attempt(
        "descriptor-folder",
        "walk from a folder outside by a descriptor that was left open",
        |stage| {
            let folder = copy_of_descriptor(stage.descriptor_folder).at("the descriptor")?;
            let path = ".ssh/id_ed25519";
            let file = openat(folder.as_fd(), path, OFlags::RDONLY, Mode::empty()).at("open")?;
            std::io::read_to_string(fs::File::from(file)).at("read")
        },
        Shows::Secret,
        CLOSED,
    ),
    attempt(
        "setuid",
        "run a setuid program as its owner",
        |stage| {
            let Some(program) = stage.setuid.as_ref() else { return run_as_root() };
            let done = std::process::Command::new(program)
                .args(["attempt", "user"])
                .output()
                .at("execute")?;
            let ran_as = String::from_utf8_lossy(&done.stdout).trim().to_owned();
            let own = rustix::process::geteuid().as_raw().to_string();
            if ran_as.is_empty() || ran_as == own {
                return Err(Refusal::nothing("run as another user"));
            }
            Ok(format!("ran as user {ran_as}"))
        },
        Shows::Report,
        Expect::held(&[by::NO_NEW_PRIVILEGES, by::MOUNT, by::LANDLOCK]),
    ),
    attempt(
        "capabilities",
        "use a capability: become another user",
        |_| {
            let other = rustix::process::Uid::from_raw(65_534);
            rustix::thread::set_thread_res_uid(other, other, other).at("setresuid")?;
            Ok("became another user".to_owned())
        },
        Shows::Report,
        Expect::held(&[by::SECCOMP, by::CAPABILITIES, by::USER]),
    ),
    attempt(
        "privileges",
        "have new privileges by executing a program",
        |_| {
            if rustix::thread::no_new_privs().at("prctl")? {
                return Err(Refusal::nothing("keep them"));
            }
            Ok("could have".to_owned())
        },
        Shows::Report,
        Expect::held(&[by::NO_NEW_PRIVILEGES]),
    ),
];

/// Starts a program that is setuid to root and waits for a password, and sees whom it runs as.
fn run_as_root() -> Result<String, Refusal> {
    use std::os::unix::fs::MetadataExt as _;
    let programs = ["/usr/bin/su", "/bin/su", "/usr/bin/passwd"].map(std::path::Path::new);
    let is_setuid = |path: &&std::path::Path| {
        path.metadata().is_ok_and(|found| found.uid() == 0 && found.mode() & 0o4000 != 0)
    };
    let program = programs
        .iter()
        .find(|path| is_setuid(path))
        .ok_or_else(|| Refusal::absent("there is no setuid program that is known"))?;
    let mut child = std::process::Command::new(program)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .at("execute")?;
    let status = format!("/proc/{}/status", child.id());
    let mut became = false;
    for _ in 0..50 {
        pause(std::time::Duration::from_millis(10));
        let status = fs::read_to_string(&status).unwrap_or_default();
        let user = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        let effective = user.and_then(|user| user.split_whitespace().nth(1));
        if effective == Some("0") {
            became = true;
            break;
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    if became { Ok("ran as root".to_owned()) } else { Err(Refusal::nothing("run as root")) }
}

/// Whether one of the variables that load code was handed on.
fn set(which: usize) -> Result<String, Refusal> {
    let (name, value) = HIJACKING[which];
    let set = std::env::var(name).ok().filter(|found| found == value);
    found(set.map(|_| "handed on".to_owned()))
}

fn found(text: Option<String>) -> Result<String, Refusal> {
    text.ok_or_else(|| Refusal::nothing("not handed on"))
}
