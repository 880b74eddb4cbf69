//! One module a command, and what they share.
//!
//! [`args`] is the command line as it is read, [`plan`] makes a sandbox of it.

pub mod args;
#[cfg(target_os = "linux")]
mod check;
#[cfg(target_os = "linux")]
mod exec;
#[cfg(target_os = "linux")]
mod explain;
#[cfg(target_os = "linux")]
mod learn;
pub mod plan;
pub mod profiles;
#[cfg(target_os = "linux")]
mod records;
#[cfg(target_os = "linux")]
mod report_file;
pub mod surroundings;
#[cfg(target_os = "linux")]
mod through_iron;
pub mod trust;

use std::fmt;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use args::{Command, IronSandbox};
use surroundings::Surroundings;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub enum Failure {
    /// The words of the command make no sense.
    Usage(String),
    /// A profile is wrong; nothing was started.
    Configuration(String),
    /// This machine cannot do it.
    Unsupported(String),
    /// Anything else.
    Other(String),
}

impl Failure {
    /// The exit code, as sysexits has it where it has one.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Configuration(_) => 64,
            Self::Unsupported(_) => 69,
            Self::Other(_) => 1,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(text)
        | Self::Configuration(text)
        | Self::Unsupported(text)
        | Self::Other(text)) = self;
        f.write_str(text)
    }
}

/// Runs one command to its end, and says with which code to exit.
pub fn run(sandbox: IronSandbox) -> Result<ExitCode, Failure> {
    let here = Surroundings::here()
        .map_err(|error| Failure::Other(format!("the current folder is gone: {error}")))?;
    if let Command::Profiles(args) = &sandbox.command {
        return profiles::profiles(args, &here).map(|()| ExitCode::SUCCESS);
    }
    supported()?;
    match sandbox.command {
        Command::Trust(args) => trust::trust(&args, &here).map(|()| ExitCode::SUCCESS),
        other => on_linux(other, &here),
    }
}

/// The commands that make sandboxes.
#[cfg(target_os = "linux")]
fn on_linux(command: Command, here: &Surroundings) -> Result<ExitCode, Failure> {
    match command {
        Command::Exec(args) => exec::exec(&args, here),
        Command::Explain(args) => explain::explain(&args, here).map(|()| ExitCode::SUCCESS),
        Command::Check(args) => check::check(&args),
        Command::Selftest(args) => Ok(crate::selftest::run(&args)),
        Command::Attempt(args) => Ok(crate::selftest::verb::run(&args)),
        Command::Probe { tier } => Ok(check::probe(tier)),
        Command::Nothing => Ok(ExitCode::SUCCESS),
        Command::Learn(args) => learn::learn(&args, here),
        // They need no sandbox, and were carried out before.
        Command::Profiles(args) => profiles::profiles(&args, here).map(|()| ExitCode::SUCCESS),
        Command::Trust(args) => trust::trust(&args, here).map(|()| ExitCode::SUCCESS),
    }
}

/// They were refused before.
#[cfg(not(target_os = "linux"))]
fn on_linux(_: Command, _: &Surroundings) -> Result<ExitCode, Failure> {
    supported().map(|()| ExitCode::FAILURE)
}

/// Whether there are sandboxes on this system at all; whether this kernel can do it, `check` says.
fn supported() -> Result<(), Failure> {
    let (system, processor) = (std::env::consts::OS, std::env::consts::ARCH);
    if !cfg!(target_os = "linux") {
        return Err(Failure::Unsupported(format!(
            "there is no sandbox on {system}: it is made of Linux's Landlock, seccomp and namespaces. Run \
             it in a Linux machine or container, or use `iron run` without one"
        )));
    }
    if !cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        return Err(Failure::Unsupported(format!(
            "there is no filter of system calls for {processor}, only for x86_64 and aarch64, so an agent \
             cannot be confined here"
        )));
    }
    Ok(())
}

/// Writes a line of the result. A reader that has gone away, as `head` does, is no error.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{}", harmless(line));
}

/// Prints a failure.
pub fn tell(failure: &Failure) {
    let mut err = std::io::stderr().lock();
    let label = if err.is_terminal() { "\x1b[31merror:\x1b[0m" } else { "error:" };
    let failure = failure.to_string();
    let _ = writeln!(err, "{label} {}", harmless(&failure));
}

/// A text without what a terminal obeys: control characters but the end of a line, and those that turn
/// the direction of writing.
pub fn harmless(text: &str) -> String {
    let obeyed = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    text.replace(obeyed, "\u{FFFD}")
}

#[cfg(all(test, target_os = "linux"))]
mod help_tests;
