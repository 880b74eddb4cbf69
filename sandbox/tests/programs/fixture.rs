//! Runs a program in each way there is, with a workspace of its own.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use iron_sandbox::layer::Tier;
use tempfile::TempDir;

/// How long anything may take that must happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes a module of tests of a function: it is called for each way and each user.
macro_rules! everywhere {
    ($($program:ident),+ $(,)?) => {$(
        mod $program {
            use crate::fixture::{Case, User};
            use iron_sandbox::layer::Tier;

            #[test]
            fn unconfined() {
                super::$program(&Case::new(None, User::Plain));
            }
            #[test]
            fn namespace_plain() {
                super::$program(&Case::new(Some(Tier::Namespace), User::Plain));
            }
            #[test]
            fn namespace_root() {
                super::$program(&Case::new(Some(Tier::Namespace), User::Root));
            }
            #[test]
            fn fallback_plain() {
                super::$program(&Case::new(Some(Tier::Fallback), User::Plain));
            }
            #[test]
            fn fallback_root() {
                super::$program(&Case::new(Some(Tier::Fallback), User::Root));
            }
        }
    )+};
}
pub(crate) use everywhere;

/// As whom a program runs. Tests that are not root's own have one user alone: themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    /// Root.
    Root,
    /// A user with no name and no rights.
    Plain,
}

/// One way to run programs, in one workspace.
pub(crate) struct Case {
    /// The tier; none is unconfined.
    pub(crate) tier: Option<Tier>,
    /// The workspace.
    pub(crate) workspace: PathBuf,
    /// A home folder beside it.
    pub(crate) home: PathBuf,
    /// The number that programs run as, where it is not ours.
    uid: Option<u32>,
    launcher: PathBuf,
    _folder: TempDir,
}

impl Case {
    /// A workspace for a user, and a launcher that this user can execute.
    pub(crate) fn new(tier: Option<Tier>, user: User) -> Self {
        // One number for each test process: the kernel counts a user's processes over all of them.
        let plain = 61_000 + std::process::id() % 4_000;
        let uid = (user == User::Plain && rustix::process::getuid().is_root()).then_some(plain);
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let launcher = folder.path().join("iron-sandbox");
        std::fs::copy(env!("CARGO_BIN_EXE_iron-sandbox"), &launcher).unwrap();
        let [workspace, home] = ["work", "home"].map(|name| {
            let path = folder.path().join(name);
            std::fs::create_dir(&path).unwrap();
            chown(&path, uid, uid).unwrap();
            path
        });
        Self { tier, workspace, home, uid, launcher, _folder: folder }
    }

    /// Whether programs run in a sandbox.
    pub(crate) fn confined(&self) -> bool {
        self.tier.is_some()
    }

    /// The same as a word, for programs.
    pub(crate) fn word(&self) -> &'static str {
        if self.confined() { "confined" } else { "unconfined" }
    }

    /// Whether they run as root.
    pub(crate) fn is_root(&self) -> bool {
        self.uid.is_none() && rustix::process::getuid().is_root()
    }

    /// Whether programs can listen: without a network of their own they cannot.
    pub(crate) fn can_listen(&self) -> bool {
        self.tier != Some(Tier::Fallback)
    }

    /// Puts a file into the workspace, as the user's own.
    pub(crate) fn put(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.workspace.join(name);
        for folder in path.parent().unwrap().ancestors().take_while(|it| *it != self.workspace) {
            std::fs::create_dir_all(folder).unwrap();
            chown(folder, self.uid, self.uid).unwrap();
        }
        std::fs::write(&path, text).unwrap();
        chown(&path, self.uid, self.uid).unwrap();
        path
    }

    /// A command with a clean environment; `flags` are the launcher's, where there is one.
    pub(crate) fn command(&self, flags: &[&str], words: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(&words[0]);
        if let Some(tier) = self.tier {
            command = Command::new(&self.launcher);
            command.args(["exec", "--network=none", "--tier", tier.name()]).args(flags);
            command.arg("--").arg(&words[0]);
        }
        command.args(&words[1..]);
        self.as_user(&mut command);
        command
    }

    /// Makes a command run as the user, outside any sandbox.
    pub(crate) fn as_user<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let path = std::env::var_os("PATH").unwrap();
        command.env_clear().env("PATH", path).env("HOME", &self.home).env("LANG", "C.UTF-8");
        command.current_dir(&self.workspace).stdin(Stdio::null());
        if let Some(uid) = self.uid {
            command.uid(uid).gid(uid);
        }
        command
    }

    /// Runs it, and wants an exit code of 0.
    #[track_caller]
    pub(crate) fn succeeds(&self, flags: &[&str], words: &[impl AsRef<OsStr>]) -> String {
        let output = self.command(flags, words).output().unwrap();
        told(&output);
        assert!(output.status.success(), "{}: see its output above", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs one of the programs beside this file with an interpreter.
    #[track_caller]
    pub(crate) fn runs(&self, interpreter: &str, program: &str, arguments: &[&str]) {
        self.runs_with(&[], interpreter, program, arguments);
    }

    /// As [`Case::runs`], with flags.
    #[track_caller]
    pub(crate) fn runs_with(
        &self,
        flags: &[&str],
        interpreter: &str,
        program: &str,
        arguments: &[&str],
    ) {
        self.put(program, std::fs::read(file(program)).unwrap());
        let words = [&[interpreter, program], arguments].concat();
        let written = self.succeeds(flags, &words);
        assert!(written.ends_with("all passed\n"), "the program ended early: {written}");
    }
}

/// A file beside the tests.
pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/files").join(name)
}

/// A Python that every user can execute.
pub(crate) fn python() -> &'static str {
    let system = "/usr/bin/python3";
    if Path::new(system).exists() { system } else { "python3" }
}

/// Shows what was written, for a test that fails.
pub(crate) fn told(output: &Output) {
    print!("{}", String::from_utf8_lossy(&output.stdout));
    eprint_text(&String::from_utf8_lossy(&output.stderr));
}

fn eprint_text(text: &str) {
    // To standard output as well: test runners keep the two apart, and order helps.
    println!("--- standard error:\n{text}---");
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < end, "never came: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// The processes whose command line holds a marker.
pub(crate) fn marked(marker: &str) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        memory_holds(&line, marker.as_bytes()).then_some(pid)
    });
    processes.collect()
}

/// A server on loopback that answers every request with `hello` and the path, until the test ends.
pub(crate) fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n > 0) {
                    head.push(byte[0]);
                }
                let line = String::from_utf8_lossy(&head);
                let body = format!("hello {}", line.split(' ').nth(1).unwrap_or_default());
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close";
                // A client that is gone already wants no answer.
                let _ = write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            });
        }
    });
    address
}

fn memory_holds(memory: &[u8], wanted: &[u8]) -> bool {
    memory.windows(wanted.len()).any(|window| window == wanted)
}
