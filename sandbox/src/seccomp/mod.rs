//! Which system calls there are in a sandbox: the filter that stands in front of the kernel.
//!
//! [`Filter`] is made before the fork and installed last in the process that becomes the command,
//! after Landlock. It allows, refuses, kills, or asks the supervisor (`supervise`) by user
//! notification. `rules` says what becomes of each call, `bpf` makes the kernel's program of it,
//! `calls` has names and numbers. A filter cannot follow a pointer: paths and addresses are the
//! supervisor's, Landlock's and the namespaces'.

pub(crate) mod bpf;
pub(crate) mod calls;
mod explain;
pub(crate) mod rules;
#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::OwnedFd;

use crate::confinement::Watch;
use crate::layer::Tier;
use crate::sys;

pub use explain::{Explained, Fate, explain};

/// A filter for one sandbox.
#[derive(Debug, Clone)]
pub struct Filter {
    program: Vec<bpf::Instruction>,
    notifies: bool,
}

/// A machine that we have tables for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Machine {
    /// Intel's and AMD's.
    X86_64,
    /// Arm's.
    Aarch64,
}

impl Machine {
    /// The one that this runs on.
    pub(crate) const HERE: Self =
        if cfg!(target_arch = "x86_64") { Self::X86_64 } else { Self::Aarch64 };

    /// As the kernel tells a filter, from <linux/audit.h>.
    const fn audit_arch(self) -> u32 {
        match self {
            Self::X86_64 => 0xc000_003e,
            Self::Aarch64 => 0xc000_00b7,
        }
    }
}

impl Filter {
    /// The filter of a tier. Allocates: make it before the fork.
    pub fn new(tier: Tier, watch: Watch) -> Self {
        let program = rules::program(Machine::HERE, tier, watch);
        let notifies = rules::entries(tier, watch).iter().any(|entry| entry.rule.notifies());
        Self { program, notifies }
    }

    /// Confines the calling thread and everything it will start, for good; the last step before exec.
    ///
    /// Needs `no_new_privs`. Returns the listener where calls are notified: from here on such calls
    /// wait for a supervisor, `execve` among them when files are watched. Hand it to one at once, and
    /// close every other copy: calls fail with `ENOSYS` when the last copy is gone.
    pub fn install(&self) -> io::Result<Option<OwnedFd>> {
        if self.notifies {
            sys::seccomp::install_with_listener(&self.program).map(Some)
        } else {
            sys::seccomp::install(&self.program).map(|()| None)
        }
    }

    /// Whether a supervisor is needed.
    pub const fn notifies(&self) -> bool {
        self.notifies
    }
}
