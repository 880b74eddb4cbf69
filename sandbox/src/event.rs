//! What is told of a sandbox: what was refused and by what, and what ended it.
//!
//! An event goes to the launcher's standard error and to the proxy's records. It names paths,
//! addresses and programs, never what is in them.

use serde::Serialize;

use crate::layer::{Layer, Tier};

/// Something that happened to a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A sandbox was made, and the command begins.
    Started {
        /// In which tier.
        tier: Tier,
        /// Why it is not the stronger one, where that was tried.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// Something was refused.
    Denial(Denial),
    /// A limit was reached.
    Limit {
        /// Which: `memory`, `processes`, `file_size`, `open_files`, `cpu_time`, `wall_time`, `output`.
        limit: &'static str,
        /// The limit in words: `512 MiB`, `10 s`.
        value: String,
        /// What came of it, in words: `the program was ended`.
        effect: &'static str,
    },
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Denial {
    /// What was tried.
    pub action: Action,
    /// On what: a path, an address, a system call.
    pub target: String,
    /// What refused it.
    pub layer: Layer,
    /// The program that tried, by its short name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// What would allow it.
    pub remedy: Remedy,
}

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// To connect.
    Connect,
    /// To look up a name, or to send a datagram.
    Datagram,
    /// To listen, or to take an address for it.
    Listen,
    /// To make a socket of a kind that there is none of.
    Socket,
    /// To read a file or a folder.
    Read,
    /// To write, make, remove or rename a file.
    Write,
    /// To execute a program.
    Execute,
    /// To make a system call that there is none of.
    Call,
}

/// What would allow something that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// A flag of `iron-sandbox exec`, and the same as lines of a profile.
    Allow {
        /// `--read /opt/models`
        flag: String,
        /// `[files] read = ["/opt/models"]`
        profile: String,
    },
    /// Nothing; in words: why, and what to do instead.
    Never(String),
}
