//! Sets up the namespace tier from within: the keeper's way from a bare copy of the launcher to a
//! sandbox in which the command can be started.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;

use rustix::process::{getegid, geteuid};

use super::failure::{Failed, Step};
use super::keeper;
use super::wire::{Message, Wire};
use super::{mounts, privileges};
use crate::confinement::Confinement;
use crate::layer::{Layer, Tier};
use crate::sys::loopback;

/// Numbers below are given once, to the first processes of a pid namespace, and never again
/// (kernel/pid.c: RESERVED_PIDS).
const RESERVED_PIDS: u64 = 300;

/// What came of it.
pub(super) struct SetUp {
    /// Whether the number of processes is bounded.
    pub(super) bounded: bool,
}

/// Sets up everything but what the command does to itself.
pub(super) fn set_up(confinement: &Confinement, ids: Ids, wire: &Wire) -> Result<SetUp, Failed> {
    ids.map().step(Layer::User, || "to be oneself in it".to_owned())?;
    let mut listeners = Vec::new();
    network(confinement, &mut listeners)?;
    // Settings are of the namespaces that this process is in, whatever /proc they are written by; the
    // one that is mounted below is read-only.
    let bounded = confinement.limits.processes.is_some_and(|most| bound_processes(most).is_ok());
    // No user namespace within this one: a second wall behind seccomp's.
    fs::write("/proc/sys/user/max_user_namespaces", "0")
        .or_else(read_only)
        .step(Layer::User, || "no more of them".to_owned())?;
    for folder in mounts::set_up(&confinement.files)? {
        wire.say(&Message::Made(folder.display().to_string()))
            .step(Layer::Mount, || "to tell of it".to_owned())?;
    }
    privileges::drop_all().step(Layer::Capabilities, || "to drop them".to_owned())?;
    keeper::begin(Tier::Namespace, wire)?;
    for (place, listener) in listeners.iter().enumerate() {
        wire.hand(&Message::Gate(place), Some(listener.as_fd()))
            .step(Layer::Network, || "to hand on a gate".to_owned())?;
    }
    Ok(SetUp { bounded })
}

fn read_only(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::ReadOnlyFilesystem { Ok(()) } else { Err(error) }
}

/// Who the user is, outside and inside.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ids {
    user: u32,
    group: u32,
}

impl Ids {
    /// Of this process, before it is in a namespace of its own.
    pub(super) fn here() -> Self {
        Self { user: geteuid().as_raw(), group: getegid().as_raw() }
    }

    fn map(self) -> io::Result<()> {
        let Self { user, group } = self;
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
        fs::write("/proc/self/uid_map", format!("{user} {user} 1"))
    }
}

fn network(confinement: &Confinement, listeners: &mut Vec<TcpListener>) -> Result<(), Failed> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0");
    let socket = socket.step(Layer::Network, || "a socket".to_owned())?;
    loopback::bring_up(&socket).step(Layer::Network, || "the loopback interface".to_owned())?;
    for gate in &confinement.network.gates {
        let listener = TcpListener::bind(gate.inside);
        listeners.push(listener.step(Layer::Network, || format!("a gate at {}", gate.inside))?);
    }
    Ok(())
}

/// The highest number that a process can have bounds how many there are, also for uid 0, whom
/// RLIMIT_NPROC does not bind. Each pid namespace has its own since Linux 6.14. As the reserved numbers
/// are passed over before the command begins, what is above them is all there is.
fn bound_processes(most: u64) -> io::Result<()> {
    let end = RESERVED_PIDS.saturating_add(most.max(1)).min(u64::from(u16::MAX) * 64);
    fs::write("/proc/sys/kernel/pid_max", end.to_string())?;
    fs::write("/proc/sys/kernel/ns_last_pid", RESERVED_PIDS.to_string())
}
