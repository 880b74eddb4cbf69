//! The hidden verb `iron-sandbox attempt NAME`: the processes that the self-test starts.
//!
//! Most names are an attempt's: it is made in this very process, and what came of it is printed as
//! JSON. Four are parts of the scenery: `victim`,
//! `launcher`, `terminal` and `user`, which says whom it runs as.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitCode, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::command::args::AttemptArgs;
use crate::selftest::attempt::{Outcome, Refusal};
use crate::selftest::{attempts, stage::Stage, victim};

/// Makes one attempt in this process.
pub fn run(options: &AttemptArgs) -> ExitCode {
    let done = match options.name.as_str() {
        "victim" => victim::wait().map(|()| ExitCode::SUCCESS),
        "launcher" => launch(&options.command, Stdio::inherit()),
        "terminal" => terminal().and_then(|stdin| launch(&options.command, stdin)),
        "user" => writeln!(io::stdout(), "{}", rustix::process::geteuid().as_raw())
            .map(|()| ExitCode::SUCCESS),
        _ => attempt(options).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "iron-sandbox: {}: {error}", options.name);
        ExitCode::FAILURE
    })
}

fn attempt(options: &AttemptArgs) -> io::Result<()> {
    let known = options.stage.as_ref().ok_or_else(|| io::Error::other("--stage is missing"))?;
    let stage: Stage = serde_json::from_slice(&std::fs::read(known)?)?;
    let attempt = attempts::all()
        .find(|attempt| attempt.name == options.name)
        .ok_or_else(|| io::Error::other("there is no such attempt"))?;
    say(&(attempt.run)(&stage))
}

/// Prints what came of an attempt.
pub fn say(result: &Result<String, Refusal>) -> io::Result<()> {
    let mut line = serde_json::to_vec(&Outcome::of(result))?;
    line.push(b'\n');
    let mut out = io::stdout();
    out.write_all(&line)?;
    out.flush()
}

/// A launcher that confines nothing: the parent that an attempt has outside.
fn launch(command: &[OsString], stdin: Stdio) -> io::Result<ExitCode> {
    let [program, arguments @ ..] = command else {
        return Err(io::Error::other("a command is missing"));
    };
    let status = Command::new(program).args(arguments).stdin(stdin).status()?;
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

/// Makes this process the first of a session with a terminal of its own: its other end stays open in
/// this process until it ends.
fn terminal() -> io::Result<Stdio> {
    rustix::process::setsid()?;
    let other = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&other)?;
    unlockpt(&other)?;
    let name = ptsname(&other, Vec::new())?;
    let terminal = std::fs::File::options()
        .read(true)
        .write(true)
        .open(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(name.to_bytes()))?;
    rustix::process::ioctl_tiocsctty(terminal.as_fd())?;
    // Another one, which is nobody's business here.
    let another = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    unlockpt(&another)?;
    std::mem::forget(another);
    // Closing it would hang up the terminal; the kernel does so when this process ends.
    std::mem::forget(other);
    Ok(Stdio::from(terminal))
}
