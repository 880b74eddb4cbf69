//! A control group of the sandbox's own, where one may be made: what all its processes use together.
//!
//! Version 2 alone, and only where the group that the launcher is in was delegated to its user, as
//! `systemd-run --user --scope -p Delegate=yes` does.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::Pid;

use crate::confinement::Limits;

/// What is held by a group.
const CONTROLLERS: &str = "+memory +pids";

/// A group, which goes with this.
#[derive(Debug)]
pub(super) struct Group {
    path: PathBuf,
    /// Where the launcher was.
    parent: PathBuf,
    /// Where it is meanwhile.
    aside: PathBuf,
}

impl Group {
    /// Makes one with the limits that it can hold. The error says why there is none.
    pub(super) fn make(limits: &Limits) -> io::Result<Self> {
        let parent = own()?;
        let controllers = fs::read_to_string(parent.join("cgroup.controllers"))?;
        let has = |name: &str| controllers.split_ascii_whitespace().any(|one| one == name);
        if !has("memory") || !has("pids") {
            return Err(io::Error::other("its controllers `memory` and `pids` are not delegated"));
        }
        // A group that has processes of its own gives no controllers to those below it.
        let process = std::process::id();
        let aside = parent.join(format!("iron-launcher-{process}"));
        fs::create_dir(&aside)?;
        let path = parent.join(format!("iron-sandbox-{process}"));
        // From here on it is put back as it was, also where the rest fails.
        let group = Self { path, parent, aside };
        fs::write(group.aside.join("cgroup.procs"), process.to_string())?;
        fs::write(group.parent.join("cgroup.subtree_control"), CONTROLLERS)?;
        fs::create_dir(&group.path)?;
        if let Some(memory) = limits.memory {
            group.set("memory.max", memory)?;
            // Memory that is swapped out is used all the same.
            let _ = group.set("memory.swap.max", 0);
            let _ = group.set("memory.oom.group", 1);
        }
        if let Some(processes) = limits.processes {
            group.set("pids.max", processes)?;
        }
        Ok(group)
    }

    fn set(&self, name: &str, value: u64) -> io::Result<()> {
        fs::write(self.path.join(name), value.to_string())
    }

    /// Puts a process and all that will come of it into the group.
    pub(super) fn add(&self, process: Pid) -> io::Result<()> {
        fs::write(self.path.join("cgroup.procs"), process.as_raw_nonzero().to_string())
    }

    /// How often something was ended for want of memory, and how often a process was not made.
    pub(super) fn reached(&self) -> (u64, u64) {
        let count = |file: &str, name: &str| {
            let text = fs::read_to_string(self.path.join(file)).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
        };
        (count("memory.events", "oom_kill"), count("pids.events", "max"))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::write(self.path.join("cgroup.kill"), "1");
        let _ = fs::remove_dir(&self.path);
        // Where another launcher has a group here, the rest is its.
        let without = CONTROLLERS.replace('+', "-");
        let _ = fs::write(self.parent.join("cgroup.subtree_control"), without);
        let _ = fs::write(self.parent.join("cgroup.procs"), std::process::id().to_string());
        let _ = fs::remove_dir(&self.aside);
    }
}

/// The group that this process is in.
fn own() -> io::Result<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup")?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"));
    let path = path.ok_or_else(|| io::Error::other("there is no cgroup of version 2"))?;
    let root = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .map(Path::new)
        .into_iter()
        .find(|root| root.join("cgroup.controllers").exists())
        .ok_or_else(|| io::Error::other("no cgroup of version 2 is mounted"))?;
    Ok(root.join(path))
}
