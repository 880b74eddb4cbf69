//! What an attempt knows of the world around it: the same inside as outside, handed over as JSON.
//!
//! No secret is in it: those are what attempts must find.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What an attempt knows of the world around it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stage {
    /// Tells this try from all others to whoever hears of it.
    pub token: String,
    /// The agent's folder.
    pub workspace: PathBuf,
    /// A home folder that is not the agent's.
    pub home: PathBuf,
    /// A file of somebody else's in the temporary folder.
    pub temporary: PathBuf,
    /// A file of somebody else's in shared memory; none where that cannot be made.
    pub shared_memory: Option<PathBuf>,
    /// The one address that an agent can connect to.
    pub gate: SocketAddr,
    /// Another TCP port on loopback.
    pub other: SocketAddr,
    /// The gate's port on 127.0.0.2.
    pub loopback2: SocketAddr,
    /// The gate's port on `::1`; none where there is no IPv6.
    pub loopback6: Option<SocketAddr>,
    /// The gate's port on this machine's own address in its network; none where it has none.
    pub lan: Option<SocketAddr>,
    /// Takes datagrams, on loopback.
    pub datagram: SocketAddr,
    /// Somebody outside connects here for as long as the attempt runs.
    pub called: SocketAddr,
    /// A unix socket outside, by path.
    pub unix: PathBuf,
    /// A unix socket within the workspace that somebody outside listens on.
    pub unix_workspace: PathBuf,
    /// A unix datagram socket outside, by path.
    pub unix_datagram: PathBuf,
    /// A unix socket by abstract name.
    pub unix_abstract: String,
    /// A unix datagram socket by abstract name.
    pub unix_abstract_datagram: String,
    /// A process of the same user outside.
    pub victim: Option<Victim>,
    /// A descriptor that the launcher has open: a file outside.
    pub descriptor_file: i32,
    /// A descriptor that the launcher has open: the home folder.
    pub descriptor_folder: i32,
    /// A descriptor that the launcher has open: an io_uring of its own; none where it has none.
    pub descriptor_ring: Option<i32>,
    /// A System V shared memory segment with the secret in it.
    pub segment: Option<i32>,
    /// A key for System V objects that nobody has.
    pub key: i32,
    /// A POSIX message queue's name.
    pub queue: Option<String>,
    /// A program that is setuid to somebody else, and reports whom it runs as.
    pub setuid: Option<PathBuf>,
}

/// A process of the same user outside.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Victim {
    /// Its number outside.
    pub process: i32,
    /// Where the secret lies in its memory.
    pub address: u64,
    /// How long the secret is, in bytes.
    pub length: usize,
}
