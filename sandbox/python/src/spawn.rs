//! Starts the launcher: its arguments, its environment, its streams, and a file for its report.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::fs::MemfdFlags;
use rustix::process::{Pid, PidfdFlags};

/// Held while the report's file can be inherited, so that no launcher inherits another's.
static SPAWNING: Mutex<()> = Mutex::new(());

/// What is started, and how.
pub(crate) struct Start {
    /// The launcher.
    pub(crate) program: PathBuf,
    /// Its arguments, after its own name.
    pub(crate) arguments: Vec<OsString>,
    /// Its whole environment.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// Where it starts, if not here.
    pub(crate) folder: Option<PathBuf>,
    /// Its standard input, output and error.
    pub(crate) streams: [Stream; 3],
    /// The option that takes the report's file, put after the first argument.
    pub(crate) report_option: Option<String>,
}

/// What a standard stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// A pipe to us.
    Pipe,
    /// Nothing: empty when read, gone when written to.
    Null,
    /// Ours.
    Inherit,
}

/// A launcher that was started.
pub(crate) struct Started {
    /// To reap it.
    pub(crate) child: Child,
    /// To wait for it and to signal it: means this process, also after its number went to another.
    pub(crate) pidfd: OwnedFd,
    /// What it reports, if it was asked to. In memory: no writer ever waits for a reader.
    pub(crate) report: Option<File>,
}

impl Start {
    /// Starts it.
    pub(crate) fn spawn(self) -> io::Result<Started> {
        let mut command = Command::new(&self.program);
        let [input, output, error] = self.streams.map(Stream::stdio);
        command.env_clear().envs(self.environment).stdin(input).stdout(output).stderr(error);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let Some(option) = self.report_option else {
            command.args(self.arguments);
            return Started::new(command.spawn()?, None);
        };
        let report = File::from(rustix::fs::memfd_create("report", MemfdFlags::CLOEXEC)?);
        let lock = SPAWNING.lock().unwrap_or_else(PoisonError::into_inner);
        // A duplicate without close-on-exec, for as long as the spawn lasts. A program that another
        // part of this process starts meanwhile, and without closing what it inherits, gets it too:
        // all it could do is write to this report.
        let inherited = rustix::io::dup(&report)?;
        let mut arguments = self.arguments.into_iter();
        command.args(arguments.next());
        command.arg(format!("{option}=fd:{}", inherited.as_raw_fd()));
        command.args(arguments);
        let child = command.spawn();
        drop(inherited);
        drop(lock);
        Started::new(child?, Some(report))
    }
}

impl Started {
    fn new(child: Child, report: Option<File>) -> io::Result<Self> {
        let pid = Pid::from_child(&child);
        match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => Ok(Self { child, pidfd, report }),
            Err(error) => {
                // Nobody could ever end it: better that it is not.
                let mut child = child;
                child.kill()?;
                child.wait()?;
                Err(error.into())
            }
        }
    }
}

impl Stream {
    fn stdio(self) -> Stdio {
        match self {
            Self::Pipe => Stdio::piped(),
            Self::Null => Stdio::null(),
            Self::Inherit => Stdio::inherit(),
        }
    }
}

impl std::str::FromStr for Stream {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "pipe" => Ok(Self::Pipe),
            "null" => Ok(Self::Null),
            "inherit" => Ok(Self::Inherit),
            other => Err(format!("`{other}` is no stream: there are pipe, null and inherit")),
        }
    }
}
