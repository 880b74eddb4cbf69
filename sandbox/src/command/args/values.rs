//! Words that flags take.

use clap::ValueEnum;

use crate::confinement::{Access, Watch};
use crate::layer::Tier;

/// Which way a sandbox is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum TierArg {
    /// The strongest that can really be set up; never none.
    #[default]
    Auto,
    /// In namespaces of its own.
    Namespace,
    /// Without namespaces.
    Fallback,
}

impl TierArg {
    /// The tier; none where the strongest is wanted.
    pub const fn tier(self) -> Option<Tier> {
        match self {
            Self::Auto => None,
            Self::Namespace => Some(Tier::Namespace),
            Self::Fallback => Some(Tier::Fallback),
        }
    }
}

/// What may be done in the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AccessArg {
    /// Read and write.
    Write,
    /// Read alone.
    Read,
}

impl From<AccessArg> for Access {
    fn from(given: AccessArg) -> Self {
        match given {
            AccessArg::Write => Self::Write,
            AccessArg::Read => Self::Read,
        }
    }
}

/// What can be connected to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum NetworkArg {
    /// The proxy, and what --connect names.
    #[default]
    Proxy,
    /// Nothing but what --connect names.
    None,
}

/// Where writes to an ephemeral workspace go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EphemeralArg {
    /// An overlay where one can be had, else a copy.
    Auto,
    /// A folder above the workspace. Namespace tier alone.
    Overlay,
    /// A copy of the workspace.
    Copy,
}

/// Whether an ephemeral workspace's changes land.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ApplyArg {
    /// Ask on the terminal.
    Ask,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum WatchArg {
    /// Connections, system calls and files.
    #[default]
    Everything,
    /// Connections and system calls: nothing is added to opening a file.
    Network,
    /// Nothing.
    Nothing,
}

impl From<WatchArg> for Watch {
    fn from(given: WatchArg) -> Self {
        match given {
            WatchArg::Everything => Self::Everything,
            WatchArg::Network => Self::Network,
            WatchArg::Nothing => Self::Nothing,
        }
    }
}

/// How refusals are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportArg {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
    /// Not at all.
    Off,
}

/// How results are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

#[cfg(target_os = "linux")]
impl From<EphemeralArg> for crate::workspace::Mode {
    fn from(given: EphemeralArg) -> Self {
        match given {
            EphemeralArg::Auto => Self::Auto,
            EphemeralArg::Overlay => Self::Overlay,
            EphemeralArg::Copy => Self::Copy,
        }
    }
}
