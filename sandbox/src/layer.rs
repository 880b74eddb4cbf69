//! What a sandbox is made of, and the two ways to make one.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// Which way a sandbox is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// In namespaces of its own, and with everything that the other has.
    Namespace,
    /// Without namespaces: Landlock, seccomp, and connections made on the agent's behalf.
    Fallback,
}

/// One thing that holds an agent. Each is there, or its absence was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// A user namespace, in which all others are made.
    User,
    /// A view of the files of its own: read-only but for what is written to.
    Mount,
    /// A network with nothing but a loopback interface.
    Network,
    /// No process but its own can be seen.
    Process,
    /// Shared memory and message queues of its own.
    Ipc,
    /// What may be read, written and executed, by path; no signals and abstract sockets outward.
    Landlock,
    /// Which system calls there are.
    Seccomp,
    /// System calls that the launcher answers: connections, and what is told of refusals.
    Notify,
    /// No capabilities, and none to be had.
    Capabilities,
    /// A setuid program gives nothing.
    NoNewPrivileges,
    /// Environment: an allow list.
    Environment,
    /// Protected paths that could be written all the same are put back at the end.
    Guard,
    /// Memory, files, processes and time, a process each.
    Rlimits,
    /// Memory, processes and time of all processes together.
    Cgroup,
}

impl Tier {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Fallback => "fallback",
        }
    }
}

impl Layer {
    /// All of them, the outermost first.
    pub const ALL: [Self; 14] = [
        Self::User,
        Self::Mount,
        Self::Network,
        Self::Process,
        Self::Ipc,
        Self::Landlock,
        Self::Seccomp,
        Self::Notify,
        Self::Capabilities,
        Self::NoNewPrivileges,
        Self::Environment,
        Self::Guard,
        Self::Rlimits,
        Self::Cgroup,
    ];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Mount => "mount",
            Self::Network => "network",
            Self::Process => "process",
            Self::Ipc => "ipc",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
            Self::Notify => "notify",
            Self::Capabilities => "capabilities",
            Self::NoNewPrivileges => "no-new-privileges",
            Self::Environment => "environment",
            Self::Guard => "guard",
            Self::Rlimits => "rlimits",
            Self::Cgroup => "cgroup",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no layer's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no layer: there are user, mount, network, process, ipc, landlock, seccomp, notify, capabilities, no-new-privileges, environment, guard, rlimits, cgroup"
)]
pub struct NoSuchLayer(String);

impl FromStr for Tier {
    type Err = NoSuchTier;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = [Self::Namespace, Self::Fallback].into_iter().find(|tier| tier.name() == text);
        found.ok_or_else(|| NoSuchTier(text.to_owned()))
    }
}

/// A name that is no tier's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no tier: there are namespace and fallback")]
pub struct NoSuchTier(String);

impl FromStr for Layer {
    type Err = NoSuchLayer;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|layer| layer.name() == text);
        found.ok_or_else(|| NoSuchLayer(text.to_owned()))
    }
}
