//! Waits for the end of what an attempt runs in, and makes out what came of it: from what the attempt
//! says itself, or from how it ended.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal};

use crate::selftest::attempt::Outcome;

/// No attempt takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Reads what the attempt says and waits for the launcher's end; ends it when it takes too long.
pub fn finish(mut child: Child, group: bool) -> io::Result<Outcome> {
    let process = Pid::from_child(&child);
    let ended = rustix::process::pidfd_open(process, PidfdFlags::empty())?;
    let deadline = Instant::now() + PATIENCE;
    let mut out = child.stdout.take();
    let mut error = child.stderr.take();
    let (mut said, mut complained) = (Vec::new(), Vec::new());
    loop {
        let Some(left) = deadline.checked_duration_since(Instant::now()) else {
            // With its group, which is its own or a victim's; a terminal's session is hung up.
            let _ = rustix::process::kill_process(process, Signal::KILL);
            if group {
                let _ = rustix::process::kill_process_group(process, Signal::KILL);
            }
            child.wait()?;
            return Ok(failure("the launcher", "it did not end in time"));
        };
        let mut waiting = vec![PollFd::new(&ended, PollFlags::IN)];
        let out_at = out.as_ref().map(|one| waiting.push(PollFd::new(one, PollFlags::IN)));
        if let Some(one) = &error {
            waiting.push(PollFd::new(one, PollFlags::IN));
        }
        let timeout = rustix::time::Timespec::try_from(left).map_err(io::Error::other)?;
        if poll(&mut waiting, Some(&timeout)).is_err() {
            continue;
        }
        let ready: Vec<bool> = waiting.iter().map(|one| !one.revents().is_empty()).collect();
        let mut next = 1;
        if out_at.is_some() {
            if ready[next] && !take(out.as_mut(), &mut said)? {
                out = None;
            }
            next += 1;
        }
        if error.is_some() && ready[next] && !take(error.as_mut(), &mut complained)? {
            error = None;
        }
        // What was said before the end is in the pipes by now; a daemon may hold them open for good.
        if ready[0] && !ready[1..].contains(&true) {
            let status = child.wait()?;
            return Ok(understand(&said, &complained, status));
        }
    }
}

fn take(from: Option<&mut impl io::Read>, into: &mut Vec<u8>) -> io::Result<bool> {
    let mut text = [0; 4096];
    let length = from.map_or(Ok(0), |from| from.read(&mut text))?;
    // What an attempt has to say is at the end, and is short.
    if into.len() > 1 << 16 {
        into.drain(..1 << 15);
    }
    into.extend_from_slice(&text[..length]);
    Ok(length > 0)
}

fn understand(said: &[u8], complained: &[u8], status: ExitStatus) -> Outcome {
    let said = String::from_utf8_lossy(said);
    let outcome = said.lines().rev().find_map(|line| serde_json::from_str(line.trim_end()).ok());
    if let Some(outcome) = outcome {
        return outcome;
    }
    let signal =
        status.signal().or_else(|| status.code().filter(|code| *code > 128).map(|c| c - 128));
    if let Some(signal) = signal {
        return Outcome::Killed { signal };
    }
    let complained = String::from_utf8_lossy(complained);
    let told = complained.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("nothing said");
    failure("the launcher", told)
}

/// What is no refusal of a layer's, but a fault.
fn failure(step: &str, detail: &str) -> Outcome {
    Outcome::Refused { step: step.to_owned(), errno: -1, detail: detail.to_owned() }
}
