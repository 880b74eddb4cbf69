//! Finds out what a machine can give, by making a sandbox in which a program does nothing.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::cgroup::Group;
use super::{Error, run};
use crate::confinement::{Access, Confinement, Files, Limits, Network, Watch};
use crate::layer::{Layer, Tier};

/// The hidden verb of `iron-sandbox` that does nothing.
pub const NOTHING: &str = "nothing";

/// Makes a sandbox of a tier, with every layer that must be there.
pub fn probe(tier: Tier) -> Result<(), Error> {
    let own = std::env::current_exe()?;
    let system = ["/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache"].map(PathBuf::from);
    let read = system.into_iter().filter(|path| path.exists()).chain([own.clone()]).collect();
    // A folder that is nobody's: nothing is written.
    let workspace = PathBuf::from("/usr");
    let files = Files {
        workspace: workspace.clone(),
        workspace_access: Access::Read,
        read,
        ..Files::default()
    };
    let confinement = Confinement {
        tier: Some(tier),
        allow_degraded: BTreeSet::new(),
        files,
        network: Network::default(),
        environment: Vec::new(),
        limits: Limits::default(),
        watch: Watch::Network,
        current_folder: workspace,
        command: vec![own.into(), NOTHING.into()],
    };
    let (events, _told) = std::sync::mpsc::channel();
    let ended = run(&confinement, &mut || Ok(events.clone()))?;
    if ended.code() == 0 {
        return Ok(());
    }
    Err(Error::Tier(format!("a program that does nothing ended with {}", ended.code())))
}

/// Layers that a sandbox has where they can be had, and why not.
pub fn optional(_tier: Tier) -> Vec<(Layer, Option<String>)> {
    let limits = Limits { memory: Some(u64::MAX >> 1), ..Limits::default() };
    let why = Group::make(&limits).err().map(|error| error.to_string());
    vec![(Layer::Cgroup, why)]
}
