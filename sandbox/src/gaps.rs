//! What a sandbox does not hold, said before somebody finds out.
//!
//! `check` prints them, `selftest` shows that each is real where it can be shown, `docs/sandbox.md`
//! says what to do about them.

use serde::Serialize;

use crate::layer::Tier;

/// Something that is not held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Its name.
    pub name: &'static str,
    /// What an agent can do by it.
    pub what: &'static str,
}

const fn gap(name: &'static str, what: &'static str) -> Gap {
    Gap { name, what }
}

/// In both tiers.
const ALWAYS: [Gap; 8] = [
    gap("terminal", "what it prints reaches your terminal, and it reads what you type there"),
    gap("workspace", "it changes your project; what it writes there may be run by you later"),
    gap(
        "repositories",
        "a repository that it makes within yours has hooks and settings of its own, which your git may run",
    ),
    gap(
        "settings",
        "what you wrote into the settings of the tools of its profile is read, keys included",
    ),
    gap("memory", "it executes programs that it made in memory; they are confined as any other"),
    gap("providers", "what it sends to a provider through the proxy leaves the machine"),
    gap("timing", "it shares processors and caches with everything else on the machine"),
    gap("kernel", "a bug in the kernel's own walls is a way out"),
];

/// In the namespace tier alone.
const NAMESPACE: [Gap; 2] = [
    gap(
        "names",
        "outside of home folders it can see which files there are, how large they are, and when they are changed",
    ),
    gap(
        "absent-files",
        "a protected file that is not there yet can be made while it runs; it is put away at the end",
    ),
];

/// In the fallback tier alone.
const FALLBACK: [Gap; 6] = [
    gap(
        "names",
        "it can see which files there are anywhere, how large they are, and when they are used",
    ),
    gap("processes", "it can see which programs run and with which arguments"),
    gap(
        "protected-paths",
        "protected paths in a workspace that it may write to are changed while it runs; they are put back \
         at the end",
    ),
    gap("hidden-paths", "hidden paths in a folder that it may read can be read"),
    gap(
        "shared-memory",
        "/dev/shm is the machine's: it can read what your other programs keep there",
    ),
    gap(
        "process-count",
        "as root the number of its processes has no limit, unless a control group is there",
    ),
];

/// Those of a tier.
pub fn of(tier: Tier) -> Vec<Gap> {
    let own: &[Gap] = match tier {
        Tier::Namespace => &NAMESPACE,
        Tier::Fallback => &FALLBACK,
    };
    ALWAYS.iter().chain(own).copied().collect()
}
