//! Limits of one process, which its children begin with.

use std::io;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::confinement::Limits;

/// How long after SIGXCPU a process is killed.
const AFTER_CPU_TIME: u64 = 2;

/// Sets the limits of this process. `bounded` says that processes are counted by other means already.
pub(super) fn set(limits: &Limits, bounded: bool) -> io::Result<()> {
    // Room for names and threads of a core dump is none of an agent's: 1 rather than 0, which for a
    // core pattern that is a program would mean all of it (core(5)).
    at_most(Resource::Core, Some(1), 0)?;
    // Programs reserve address space that they never touch; data is what they can write to (setrlimit(2)).
    at_most(Resource::Data, limits.memory, 0)?;
    at_most(Resource::Fsize, limits.file_size, 0)?;
    at_most(Resource::Nofile, limits.open_files, 0)?;
    at_most(Resource::Cpu, limits.cpu_time.map(whole_seconds), AFTER_CPU_TIME)?;
    if !bounded {
        at_most(Resource::Nproc, limits.processes, 0)?;
    }
    Ok(())
}

/// CPU time is counted in whole seconds.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

fn at_most(resource: Resource, limit: Option<u64>, after: u64) -> io::Result<()> {
    let Some(limit) = limit else { return Ok(()) };
    let now = getrlimit(resource);
    let lower = |limit: u64, now: Option<u64>| Some(now.map_or(limit, |now| now.min(limit)));
    let maximum = lower(limit.saturating_add(after), now.maximum);
    let current =
        lower(limit, now.current).map(|current| maximum.map_or(current, |most| current.min(most)));
    Ok(setrlimit(resource, Rlimit { current, maximum })?)
}
