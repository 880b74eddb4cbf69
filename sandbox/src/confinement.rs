//! What one sandbox is: everything is decided here before a process is made.
//!
//! Profiles, flags and detection make it (`profile`, `command`); `launch` carries it out and decides
//! nothing. All paths are absolute and resolved.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::layer::{Layer, Tier};

/// A sandbox and what runs in it.
#[derive(Debug, Clone)]
pub struct Confinement {
    /// Which way it is made; none is the strongest that can really be set up.
    pub tier: Option<Tier>,
    /// Layers that may be missing. Any other that cannot be had is an error.
    pub allow_degraded: BTreeSet<Layer>,
    /// Which files there are.
    pub files: Files,
    /// What can be connected to.
    pub network: Network,
    /// The whole environment: nothing else is handed on.
    pub environment: Vec<(OsString, OsString)>,
    /// How much.
    pub limits: Limits,
    /// What is told of refusals.
    pub watch: Watch,
    /// Where the command starts: the workspace or a folder in it.
    pub current_folder: PathBuf,
    /// The command and its arguments; never empty.
    pub command: Vec<OsString>,
}

/// Which files there are. What stands in no list is not there, or cannot be opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// The agent's folder.
    pub workspace: PathBuf,
    /// Whether it may write there.
    pub workspace_access: Access,
    /// Where its writes go.
    pub layout: Layout,
    /// Files and folders that are read, and whose programs are executed.
    pub read: Vec<PathBuf>,
    /// Files and folders that are written to besides.
    pub write: Vec<PathBuf>,
    /// Within the workspace or another folder: read, never changed, also where it does not exist yet.
    pub protect: Vec<PathBuf>,
    /// Within the workspace or another folder: neither read nor changed.
    pub hide: Vec<PathBuf>,
}

/// What may be done with a folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Access {
    /// Read alone.
    Read,
    /// Read and changed.
    #[default]
    Write,
}

/// Where what is written to the workspace goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Layout {
    /// To the workspace.
    #[default]
    InPlace,
    /// To a folder above it, by an overlay: the workspace stays as it is. Namespace tier alone.
    Overlay {
        /// Takes the changes.
        upper: PathBuf,
        /// The overlay's own, on the same file system as `upper`.
        work: PathBuf,
    },
    /// To a copy of it, which stands at another path. `current_folder` and the workspace are then
    /// the copy's in the fallback tier; in the namespace tier the copy is mounted in its place.
    Copy {
        /// The copy.
        copy: PathBuf,
    },
}

/// What can be connected to.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// The gates, each an address inside and what stands behind it.
    pub gates: Vec<Gate>,
}

/// An address on loopback that the agent can connect to.
#[derive(Debug, Clone)]
pub struct Gate {
    /// What the agent connects to: 127.0.0.1 and a port.
    pub inside: SocketAddr,
    /// What its connections are handed to.
    pub behind: Behind,
}

/// What stands behind a gate.
#[derive(Debug, Clone)]
pub enum Behind {
    /// The proxy: every connection is introduced to it as this run's, whatever its calls say.
    Proxy(Introduction),
    /// A service of this machine, as it is.
    Service(SocketAddr),
}

/// How a connection is introduced to the proxy.
#[derive(Debug, Clone)]
pub struct Introduction {
    /// The proxy.
    pub address: SocketAddr,
    /// Its state file; the control token's file stands beside it.
    pub state: PathBuf,
    /// The run that was announced.
    pub run: String,
}

/// How much an agent may use. None is no limit of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Memory in bytes: of each process, and of all together where that can be had.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
    /// The largest file, in bytes.
    pub file_size: Option<u64>,
    /// Files that one process has open.
    pub open_files: Option<u64>,
    /// CPU time of one process.
    pub cpu_time: Option<Duration>,
    /// Time from start to end.
    pub wall_time: Option<Duration>,
    /// What is written to standard output and error together, in bytes, where they are no terminal.
    pub output: Option<u64>,
}

/// What is told of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// Refused connections and system calls, and refused files: each opening of a file is looked at.
    Everything,
    /// Refused connections and system calls alone: nothing is added to opening a file.
    Network,
    /// Nothing: what is refused is refused in silence.
    Nothing,
}
