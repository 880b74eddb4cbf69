//! The process between launcher and command: it waits for the command, and sees to it that nothing
//! is left when that or the launcher ends.
//!
//! In the namespace tier it is the first process of the sandbox: when it ends, the kernel ends all
//! others. In the fallback tier it is the parent of all that lose theirs, and ends them one by one.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    DumpableBehavior, Pid, PidfdFlags, Signal, WaitOptions, getpid, kill_process, pidfd_open,
    set_child_subreaper, set_dumpable_behavior, set_parent_process_death_signal, setpgid, wait,
    waitpid,
};

use super::command::{self, Setting};
use super::failure::{Failed, Step};
use super::rules::{self, Scoped};
use super::wire::{Message, Wire};
use crate::layer::{Layer, Tier};
use crate::sys::process::{Fork, fork};
use crate::sys::signals;

/// Asks the keeper of the fallback tier to end everything.
pub(super) const END: Signal = Signal::TERM;

/// What it waits for in the fallback tier.
const AWAITED: [Signal; 2] = [Signal::CHILD, END];

/// From here on this process ends with the launcher, cannot be looked into, and is not stopped or ended
/// by what the terminal sends to all of us.
pub(super) fn begin(tier: Tier, wire: &Wire) -> Result<(), Failed> {
    for signal in signals::usual() {
        if signal != libc::SIGCHLD {
            signals::ignore(signal);
        }
    }
    let with_launcher = match tier {
        Tier::Namespace => Signal::KILL,
        Tier::Fallback => {
            signals::restore(END.as_raw());
            signals::block(&AWAITED).step(Layer::Process, || "signals".to_owned())?;
            // Who ends the launcher's group does not end this: it has the rest to end then.
            setpgid(None, None).step(Layer::Process, || "a group of its own".to_owned())?;
            set_child_subreaper(Some(getpid()))
                .step(Layer::Process, || "to adopt processes".to_owned())?;
            END
        }
    };
    // What the launcher was given is in this process too.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .step(Layer::Process, || "not to be looked into".to_owned())?;
    set_parent_process_death_signal(Some(with_launcher))
        .step(Layer::Process, || "to end with the launcher".to_owned())?;
    // It may have ended before.
    if is_gone(wire) {
        crate::sys::process::exit_now(127);
    }
    Ok(())
}

fn is_gone(wire: &Wire) -> bool {
    let mut files = [PollFd::new(wire, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let _ = poll(&mut files, Some(&at_once));
    files[0].revents().contains(PollFlags::HUP)
}

/// Starts the command, and waits for its end. Comes back never.
pub(super) fn keep(setting: &Setting<'_>, wire: &Wire) -> ! {
    let scoped = match setting.tier {
        Tier::Namespace => None,
        Tier::Fallback => rules::scope_signals(),
    };
    let kept = start(setting, wire).and_then(|command| match setting.tier {
        Tier::Namespace => wait_for(command, wire),
        Tier::Fallback => wait_or_end(command, wire, scoped.as_ref()),
    });
    if let Err(why) = kept {
        let errno = why.raw_os_error().unwrap_or(libc::EIO);
        let _ =
            wire.say(&Message::Failed(Layer::Process, errno, "to start the command".to_owned()));
    }
    if setting.tier == Tier::Fallback {
        end_all(scoped.as_ref());
        if is_gone(wire) {
            setting.host.put_back_orphaned();
        }
    }
    crate::sys::process::exit_now(0)
}

fn start(setting: &Setting<'_>, wire: &Wire) -> io::Result<Pid> {
    match fork(0)? {
        Fork::Child => command::become_it(setting, wire),
        Fork::Parent(command) => {
            let handle = pidfd_open(command, PidfdFlags::empty())?;
            wire.hand(&Message::Running, Some(handle.as_fd()))?;
            Ok(command)
        }
    }
}

/// Waits for the command, and for whoever lost its parent.
fn wait_for(command: Pid, wire: &Wire) -> io::Result<()> {
    loop {
        match wait(WaitOptions::UNTRACED) {
            Ok(Some((pid, status))) if pid == command => {
                if let Some(signal) = status.stopping_signal() {
                    wire.say(&Message::Stopped(signal))?;
                } else {
                    return wire.say(&Message::Ended(status.as_raw()));
                }
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The same, where the launcher's end is a signal.
fn wait_or_end(command: Pid, wire: &Wire, scoped: Option<&Scoped>) -> io::Result<()> {
    let at_once = Some(Duration::ZERO);
    let mut patience = None;
    loop {
        if signals::next(&AWAITED, patience)? == Some(END.as_raw()) {
            // Its end is told, where there is still somebody to tell.
            let _ = kill_process(command, Signal::KILL);
            let ended = waitpid(Some(command), WaitOptions::empty())?;
            end_all(scoped);
            let status = ended.map_or(libc::SIGKILL, |(_, status)| status.as_raw());
            return wire.say(&Message::Ended(status));
        }
        // One at a time: where there is always another, the launcher's end must be seen all the same.
        let found = wait(WaitOptions::UNTRACED | WaitOptions::NOHANG).unwrap_or_default();
        patience = found.and(at_once);
        let Some((_, status)) = found.filter(|(pid, _)| *pid == command) else { continue };
        if let Some(signal) = status.stopping_signal() {
            wire.say(&Message::Stopped(signal))?;
        } else {
            end_all(scoped);
            return wire.say(&Message::Ended(status.as_raw()));
        }
    }
}

/// Ends every process that came of this one. Where signals reach no others, one does it, however fast new
/// ones are made: the kernel lets nobody fork to whom it has given one that kills. Elsewhere it goes
/// after each, until there is none.
fn end_all(scoped: Option<&Scoped>) {
    loop {
        if let Some(scoped) = scoped {
            scoped.kill_all();
        } else {
            for pid in below(getpid()) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        loop {
            match wait(WaitOptions::NOHANG) {
                Err(rustix::io::Errno::CHILD) => return,
                Ok(Some(_)) if scoped.is_some() => {}
                _ => break,
            }
        }
        // Those that were killed end soon; each says so.
        let _ = signals::next(&[Signal::CHILD], Some(Duration::from_millis(2)));
    }
}

/// All processes that came of one.
fn below(root: Pid) -> Vec<Pid> {
    let all: Vec<(i32, i32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid: i32| Some((pid, parent(pid)?)))
        .collect();
    let mut found = vec![root.as_raw_nonzero().get()];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        at += 1;
        let children = all.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid);
        found.extend(children);
    }
    found.into_iter().skip(1).filter_map(Pid::from_raw).collect()
}

/// The parent of a process that has not ended yet.
fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything.
    let mut rest = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = rest.next()?;
    if state == "Z" { None } else { rest.next()?.parse().ok() }
}
