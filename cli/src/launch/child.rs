//! Runs a program as the shell would: with the terminal, its signals, and its end as ours.
//!
//! The child stays in our process group, so the terminal's signals (Ctrl-C, Ctrl-\, Ctrl-Z, a changed
//! window) reach it from the terminal itself, also where we stand in a pipe. What another process
//! sends to us alone is passed on. Where the child stops itself, so do we: the shell then has the
//! terminal back.
//!
//! Not covered: a SIGKILL to us, which nobody can pass on; the child then runs on.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::{Cause, Origin};
use tokio::sync::oneshot;

/// A program that was started.
#[derive(Debug)]
pub struct Running(oneshot::Receiver<io::Result<ExitStatus>>);

/// What may be passed on.
const SIGNALS: [i32; 6] = [SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2];

/// How long a whole group of processes takes at most to be stopped or woken.
const SETTLE: Duration = Duration::from_millis(20);

/// The exit codes of a shell where a command cannot be started.
pub const NOT_FOUND: u8 = 127;
/// The same for a file that is none to execute.
pub const NOT_EXECUTABLE: u8 = 126;

/// Starts a program. From here on signals are its own.
pub fn start(command: &mut Command) -> io::Result<Running> {
    let signals = SignalsInfo::<WithOrigin>::new(SIGNALS)?;
    let child = command.spawn()?;
    let pid = pid(&child)?;
    thread::Builder::new().name("iron-signals".to_owned()).spawn(move || pass_on(signals, pid))?;
    let (ended, end) = oneshot::channel();
    thread::Builder::new().name("iron-child".to_owned()).spawn(move || {
        // Whoever waits may be gone.
        let _ = ended.send(wait(pid));
        drop(child);
    })?;
    Ok(Running(end))
}

impl Running {
    /// Waits for the end.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        (&mut self.0).await.unwrap_or_else(|_| Err(io::Error::other("nobody waited for it")))
    }
}

/// What a shell would say of a program that ended so.
pub fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// What a shell would say of a program that could not be started.
pub fn start_code(error: &io::Error) -> u8 {
    if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE }
}

fn pid(child: &Child) -> io::Result<Pid> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::Error::other("it has no process id"))
}

fn pass_on(mut signals: SignalsInfo<WithOrigin>, child: Pid) {
    for origin in &mut signals {
        let Some(signal) = Signal::from_named_raw(origin.signal) else { continue };
        if is_ours_alone(&origin, child) {
            // It may be gone.
            let _ = kill_process(child, signal);
        }
    }
}

/// Whether a signal reached us and not the child: the terminal sends its own to both.
fn is_ours_alone(origin: &Origin, child: Pid) -> bool {
    let sender = origin.process.map(|process| process.pid);
    if sender == Some(child.as_raw_nonzero().get()) {
        // The child signals its group, and had its own.
        return false;
    }
    match origin.cause {
        Cause::Kernel => false,
        Cause::Sent(_) => true,
        _ => !matches!(origin.signal, SIGINT | SIGQUIT),
    }
}

fn wait(child: Pid) -> io::Result<ExitStatus> {
    loop {
        match waitpid(Some(child), WaitOptions::UNTRACED) {
            Ok(Some((_, status))) if status.stopped() => {
                if stays_stopped(child) {
                    // Without job control this does nothing, which is right.
                    let _ = kill_process(getpid(), Signal::TSTP);
                }
            }
            Ok(Some((_, status))) => return Ok(ExitStatus::from_raw(status.as_raw())),
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether it is stopped and stays so. The terminal stops and wakes both of us, one after the other:
/// when we are woken first, the child looks stopped for a moment, and nobody else would wake us again.
#[expect(clippy::disallowed_methods, reason = "on a thread of its own that has nothing else to do")]
fn stays_stopped(child: Pid) -> bool {
    loop {
        let looked = Instant::now();
        if !is_stopped(child) {
            return false;
        }
        thread::sleep(SETTLE);
        if looked.elapsed() < SETTLE * 5 {
            return is_stopped(child);
        }
        // We were stopped ourselves in between.
    }
}

fn is_stopped(child: Pid) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{}/stat", child.as_raw_nonzero())) else {
        return true;
    };
    // The name in brackets may hold anything.
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
}
