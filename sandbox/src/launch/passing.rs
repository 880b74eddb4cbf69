//! Signals and stops on their way between the terminal, the launcher and the command.
//!
//! The command is in our process group, so that what the terminal sends reaches it from the terminal.
//! What somebody sends to us alone is passed on. Where the command stops itself, so do we: the shell
//! then has its terminal back.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, getpid, kill_process, pidfd_send_signal};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::{Cause, Origin};

/// What is passed on.
const SIGNALS: [i32; 8] = [SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH];

/// How long a whole group of processes takes at most to be stopped or woken.
const SETTLE: Duration = Duration::from_millis(20);

/// Signals that came to us, from before the command was there.
pub(super) struct Passing(SignalsInfo<WithOrigin>);

impl Passing {
    /// From here on signals do nothing to us.
    pub(super) fn begin() -> io::Result<Self> {
        SignalsInfo::new(SIGNALS).map(Self)
    }

    /// Passes them on for good.
    pub(super) fn to(mut self, command: Arc<OwnedFd>) -> io::Result<()> {
        let run = move || {
            for origin in &mut self.0 {
                let Some(signal) = Signal::from_named_raw(origin.signal) else { continue };
                if is_ours_alone(&origin) {
                    // It may be gone.
                    let _ = pidfd_send_signal(&command, signal);
                }
            }
        };
        thread::Builder::new().name("iron-signals".to_owned()).spawn(run)?;
        Ok(())
    }
}

/// Whether a signal reached us and not the command: the terminal sends its own to both.
fn is_ours_alone(origin: &Origin) -> bool {
    // A process inside is not let signal us; with no sender that can be named from here, it is the
    // command's own group that was meant, and it had its own.
    match origin.cause {
        Cause::Kernel => false,
        Cause::Sent(_) => true,
        _ => !matches!(origin.signal, SIGINT | SIGQUIT),
    }
}

/// Stops this process where the command is stopped and stays so; without job control that does nothing,
/// which is right.
///
/// The terminal stops and wakes both of us, one after the other: when we are woken first, the command
/// looks stopped for a moment, and nobody else would wake us again.
#[expect(clippy::disallowed_methods, reason = "the thread has nothing else to do")]
pub(super) fn stop(command: Option<BorrowedFd<'_>>) {
    loop {
        let looked = Instant::now();
        if !is_stopped(command) {
            return;
        }
        thread::sleep(SETTLE);
        if looked.elapsed() < SETTLE * 5 {
            break;
        }
        // We were stopped ourselves in between.
    }
    if is_stopped(command) {
        let _ = kill_process(getpid(), Signal::TSTP);
    }
}

fn is_stopped(command: Option<BorrowedFd<'_>>) -> bool {
    let state = || {
        let handle = command?.as_raw_fd();
        let known = fs::read_to_string(format!("/proc/self/fdinfo/{handle}")).ok()?;
        let pid = known.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in brackets may hold anything.
        stat.rsplit_once(')')?.1.trim_start().chars().next()
    };
    state() == Some('T')
}
