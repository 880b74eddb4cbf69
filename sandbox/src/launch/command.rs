//! The process that becomes the agent: it is held step by step, and executes its command as the last.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use rustix::process::{DumpableBehavior, Pid, Signal, set_dumpable_behavior, setpgid};

use super::failure::{Failed, Step};
use super::wire::{Message, Wire};
use super::{limits, privileges, rules};
use crate::confinement::Confinement;
use crate::layer::{Layer, Tier};
use crate::seccomp::Filter;
use crate::sys::{fds, process, signals};

/// What a command needs to know besides its confinement.
pub(super) struct Setting<'a> {
    pub(super) tier: Tier,
    pub(super) confinement: &'a Confinement,
    pub(super) filter: &'a Filter,
    /// Whether the number of processes is bounded already.
    pub(super) bounded: bool,
    /// The launcher's process group.
    pub(super) group: Option<Pid>,
    /// Signals that were ignored when the launcher began.
    pub(super) ignored: &'a [i32],
    /// Puts back what it remembered, where the launcher is killed.
    pub(super) host: &'a dyn super::Host,
}

/// Becomes the command. Comes back never; where it cannot, it says why and ends.
pub(super) fn become_it(setting: &Setting<'_>, wire: &Wire) -> ! {
    let why = match hold(setting, wire) {
        Ok(()) => Message::NotExecuted(execute(setting.confinement)),
        Err(failed) => {
            let errno = failed.why.raw_os_error().unwrap_or(libc::EIO);
            let step = match failed.why.raw_os_error() {
                Some(_) => failed.step,
                None => format!("{}: {}", failed.step, failed.why),
            };
            Message::Failed(failed.layer, errno, step)
        }
    };
    // Where the launcher is gone, so is who would read it.
    let _ = wire.say(&why);
    process::exit_now(127)
}

fn hold(setting: &Setting<'_>, wire: &Wire) -> Result<(), Failed> {
    let confinement = setting.confinement;
    let seccomp = Layer::Seccomp;
    signals::unblock_all().step(seccomp, || "signals".to_owned())?;
    for signal in signals::usual() {
        if setting.ignored.contains(&signal) {
            signals::ignore(signal);
        } else {
            signals::restore(signal);
        }
    }
    if setting.tier == Tier::Fallback {
        // The keeper left it; the terminal's signals are for the launcher's.
        if let Some(group) = setting.group {
            setpgid(None, Some(group))
                .step(Layer::Process, || "the launcher's group".to_owned())?;
        }
        privileges::drop_all().step(Layer::Capabilities, || "to drop them".to_owned())?;
        // Where the keeper is killed, nobody is left who would end this.
        let signal = Some(Signal::KILL);
        rustix::process::set_parent_process_death_signal(signal)
            .step(Layer::Process, || "to end with the keeper".to_owned())?;
    }
    // The supervisor reads what its calls name. Nobody else is inside yet.
    set_dumpable_behavior(DumpableBehavior::Dumpable)
        .step(Layer::Notify, || "to be looked at".to_owned())?;
    std::env::set_current_dir(&confinement.current_folder)
        .step(Layer::Mount, || confinement.current_folder.display().to_string())?;
    limits::set(&confinement.limits, setting.bounded)
        .step(Layer::Rlimits, || "a limit".to_owned())?;
    rustix::thread::set_no_new_privs(true)
        .step(Layer::NoNewPrivileges, || "to set it".to_owned())?;
    fds::close_on_execute().step(seccomp, || "open files".to_owned())?;
    if !confinement.allow_degraded.contains(&Layer::Landlock)
        || rules::is_there(setting.tier).is_ok()
    {
        rules::restrict(setting.tier, &confinement.files)?;
    }
    let listener = setting.filter.install().step(seccomp, || "to install the filter".to_owned())?;
    if let Some(listener) = listener {
        wire.hand(&Message::Listener, Some(listener.as_fd()))
            .step(Layer::Notify, || "to hand on the listener".to_owned())?;
    }
    Ok(())
}

/// Executes the command; gives the error of the best that was tried.
fn execute(confinement: &Confinement) -> i32 {
    let text = |text: &OsStr| CString::new(text.as_bytes());
    let arguments: Result<Vec<_>, _> = confinement.command.iter().map(|word| text(word)).collect();
    let environment: Result<Vec<_>, _> = confinement.environment.iter().map(variable).collect();
    let (Ok(arguments), Ok(environment)) = (arguments, environment) else { return libc::EINVAL };
    let Some(program) = confinement.command.first() else { return libc::ENOENT };
    let path = confinement.environment.iter().find(|(name, _)| name == "PATH");
    let path = path.map_or(OsStr::new("/usr/local/bin:/usr/bin:/bin"), |(_, value)| value);
    let mut best = libc::ENOENT;
    for candidate in candidates(program, path) {
        let Ok(candidate) = text(candidate.as_os_str()) else { continue };
        let error = process::execute(&candidate, &arguments, &environment);
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR) => {}
            // Another one may do.
            Some(libc::EACCES) => best = libc::EACCES,
            error => return error.unwrap_or(libc::EIO),
        }
    }
    best
}

/// The files that a word may mean, as a shell looks for them.
pub fn candidates(program: &OsStr, path: &OsStr) -> Vec<PathBuf> {
    if program.as_bytes().contains(&b'/') {
        return vec![program.into()];
    }
    std::env::split_paths(path).map(|folder| folder.join(program)).collect()
}

fn variable((name, value): &(OsString, OsString)) -> Result<CString, std::ffi::NulError> {
    let mut text = name.clone().into_vec();
    text.push(b'=');
    text.extend(value.as_bytes());
    CString::new(text)
}

/// What a shell would say of a command that cannot be executed.
pub(super) fn code_of(errno: i32) -> u8 {
    if io::Error::from_raw_os_error(errno).kind() == io::ErrorKind::NotFound { 127 } else { 126 }
}
