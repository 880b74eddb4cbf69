//! From flags, profiles, the workspace's own file and what is found on this machine: one confinement.
//!
//! Nothing is started here. Whatever cannot be as it was asked for is refused with what to do instead;
//! what a user should know besides is a note.

mod paths;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use paths::Paths;
pub use paths::{List, Origin};

use super::Failure;
use super::args::{ConfineArgs, ExecArgs, NetworkArg};
use super::surroundings::{OfRun, Surroundings};
use crate::confinement::{
    Access, Behind, Confinement, Files, Gate, Introduction, Limits, Network, Watch,
};
use crate::layer::{Layer, Tier};
use crate::profile::detect;
use crate::profile::environment::{self, Choice};
use crate::profile::expand::{self, Expand};
use crate::profile::folder::Guarded;
use crate::profile::library::{self, BASE, Library};
use crate::profile::merge::{self, Merged};
use crate::profile::own::Own;
use crate::profile::trust::{PROJECT_FILE, Standing, Trust};

/// A sandbox, and what the user should know of how it came to be so.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The sandbox.
    pub confinement: Confinement,
    /// What the user should know, a sentence each.
    pub notes: Vec<String>,
    /// The profiles that made it, in the order in which they count.
    pub profiles: Vec<String>,
    /// Who asked for each path.
    pub origins: Vec<Origin>,
    /// Folders of clients' own, to be prepared before the start.
    pub own: Vec<Own>,
}

impl Planned {
    /// Makes what is to be there before the start.
    pub fn prepare(&self) -> Result<(), Failure> {
        for own in &self.own {
            own.prepare().map_err(|error| {
                Failure::Other(format!(
                    "the sandbox's own folder {} cannot be prepared from {}: {error}",
                    own.path.display(),
                    own.from.display()
                ))
            })?;
        }
        Ok(())
    }
}

/// What `iron-sandbox exec` asks for.
pub fn confinement(args: &ExecArgs, here: &Surroundings) -> Result<Planned, Failure> {
    plan(&args.confine, &args.command, args.watch.into(), here)
}

/// Whether this is still to be run through `iron run`, which finds or starts the proxy: the proxy is
/// wanted, and nobody has announced a run.
pub fn wants_run(args: &ConfineArgs, here: &Surroundings) -> bool {
    args.network == NetworkArg::Proxy && here.of_run().is_none()
}

/// What flags ask for, for a command; it may be empty where nothing is to be run.
pub fn plan(
    args: &ConfineArgs,
    command: &[OsString],
    watch: Watch,
    here: &Surroundings,
) -> Result<Planned, Failure> {
    let guarded = guarded(here);
    let workspace = workspace(args, here, &guarded)?;
    let library = Library::of_user(here.configuration().as_deref());
    let mut notes = Vec::new();
    let merged = profiles(args, command, here, &library, &workspace, &mut notes)?;

    let access = args.workspace_access.map(Access::from).or(merged.workspace).unwrap_or_default();
    let variable = |name: &str| here.variable(name).map(OsString::from);
    let expand = Expand { home: here.home.as_deref(), workspace: &workspace, variable: &variable };
    let mut paths = Paths::new(&guarded, &workspace);
    paths.of_profiles(&merged, &expand);
    let own = paths.of_own_folders(&merged, &expand, here);
    paths.of_command(command, here);
    paths.of_git(access, &mut notes);
    paths.of_run(here);
    paths.of_flags(args, here)?;
    paths.of_iron_cage();
    let (files, origins) = paths.finish(access);
    let tier = tier(args, &files)?;

    let network = network(args, here, &merged)?;
    let limits = merge::later(&merged.limits, &Limits::from(&args.limits));
    let current_folder = if here.current_folder.starts_with(&workspace) {
        here.current_folder.clone()
    } else {
        workspace
    };
    let mut environment = environment(args, here, &merged, &own, &mut notes)?;
    for (name, value) in &mut environment {
        if name == "PWD" {
            value.clone_from(&current_folder.clone().into_os_string());
        }
    }
    Ok(Planned {
        confinement: Confinement {
            tier,
            allow_degraded: args.allow_degraded.iter().copied().collect(),
            files,
            network,
            environment,
            limits,
            watch,
            current_folder,
            command: command.to_vec(),
        },
        notes,
        profiles: merged.names,
        origins,
        own: own.into_iter().map(|(_, own)| own).collect(),
    })
}

/// What is never granted as a whole.
pub fn guarded(here: &Surroundings) -> Guarded {
    let mut state = Vec::new();
    let mut add = |path: PathBuf| {
        let places = expand::places_to_be(&path);
        state.extend(places.into_iter().filter(|place| place != Path::new("/")));
    };
    if let Some(folder) = here.state() {
        add(folder.join("iron-cage"));
    }
    if let Some(folder) = here.configuration() {
        add(folder.join("iron-cage"));
    }
    if let Some(file) = here.variable("IRON_STATE") {
        let file = here.current_folder.join(file);
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
        if let (Some(folder), Some(name)) = (file.parent(), name) {
            // The database's own files, the control token and the CA's folder stand beside it, and
            // begin with its name or are called so.
            let stem = name.strip_suffix(".db").unwrap_or(&name).to_owned();
            let siblings = std::fs::read_dir(folder).into_iter().flatten().flatten();
            let siblings = siblings.filter(|entry| {
                let own = entry.file_name();
                own.to_string_lossy().starts_with(&stem)
            });
            siblings.for_each(|entry| add(entry.path()));
            for own in
                [name.clone(), format!("{name}-wal"), format!("{name}-shm"), format!("{stem}.ca")]
            {
                add(folder.join(own));
            }
        }
    }
    if let Some(file) = here.variable("IRON_CONFIG") {
        add(here.current_folder.join(file));
    }
    state.sort();
    state.dedup();
    Guarded { home: here.home.clone(), state }
}

fn workspace(
    args: &ConfineArgs,
    here: &Surroundings,
    guarded: &Guarded,
) -> Result<PathBuf, Failure> {
    let given = args.workspace.as_deref().unwrap_or(Path::new("."));
    let path = here.current_folder.join(given);
    let real = path.canonicalize().map_err(|error| {
        Failure::Usage(format!("the workspace {} cannot be used: {error}", path.display()))
    })?;
    if !real.is_dir() {
        return Err(Failure::Usage(format!("the workspace {} is no folder", real.display())));
    }
    guarded.check_workspace(&real).map_err(|why| {
        Failure::Usage(format!(
            "this folder cannot be an agent's workspace: {why}. Go to a project's folder, or name one with \
             --workspace DIR"
        ))
    })?;
    Ok(real)
}

/// The profiles that count: those that flags name, else those that the command wants; and the workspace's
/// own, where it is trusted.
fn profiles(
    args: &ConfineArgs,
    command: &[OsString],
    here: &Surroundings,
    library: &Library,
    workspace: &Path,
    notes: &mut Vec<String>,
) -> Result<Merged, Failure> {
    let wrong = |error: library::Error| Failure::Configuration(error.to_string());
    let mut names = vec![BASE.to_owned()];
    if args.profile.is_empty() {
        let wanted = detect::profiles(library, command).map_err(wrong)?;
        // What nobody knows may call git all the same.
        names.extend(if wanted.is_empty() { vec!["git".to_owned()] } else { wanted });
    } else {
        names.extend(args.profile.iter().cloned());
    }
    let mut merged = Merged::of(library, &names).map_err(wrong)?;
    let file = workspace.join(PROJECT_FILE);
    let unreadable = |error: std::io::Error| {
        Failure::Configuration(format!("{} cannot be read: {error}", file.display()))
    };
    let Some(state) = here.state() else { return Ok(merged) };
    match Trust::of_user(&state).standing(workspace).map_err(unreadable)? {
        Standing::None => {}
        Standing::Trusted => {
            let mut loaded = library::from_file(&file).map_err(wrong)?;
            PROJECT_FILE.clone_into(&mut loaded.name);
            merged.join(library, loaded).map_err(wrong)?;
        }
        Standing::Untrusted => notes.push(format!(
            "{} is not used, because you have not trusted it: read it, then `iron-sandbox trust`",
            file.display()
        )),
        Standing::Changed { gist } => {
            return Err(Failure::Configuration(format!(
                "{} has changed since you trusted it:\n{gist}\nRead it, then `iron-sandbox trust` to honour \
                 it as it is now, or `iron-sandbox trust --revoke` to go on without it",
                file.display()
            )));
        }
    }
    Ok(merged)
}

/// What is hidden in a folder that is written to, mounts alone can hide: the strongest tier is then the
/// only one.
fn tier(args: &ConfineArgs, files: &Files) -> Result<Option<Tier>, Failure> {
    let written = |path: &PathBuf| {
        path.starts_with(&files.workspace)
            || files.write.iter().any(|folder| path.starts_with(folder))
    };
    let hidden = files.hide.iter().find(|path| written(path) && path.symlink_metadata().is_ok());
    let wanted = args.tier.tier();
    let steering = files.protect.iter().find(|path| {
        let changed = files.workspace_access == Access::Write && path.starts_with(&files.workspace);
        let changed = changed || files.write.iter().any(|folder| path.starts_with(folder));
        path.ends_with("iron.toml") && changed && path.symlink_metadata().is_ok()
    });
    if let Some(path) = steering.filter(|_| !args.allow_degraded.contains(&Layer::Mount)) {
        return match wanted {
            Some(Tier::Fallback) => Err(Failure::Usage(format!(
                "{} may steer the proxy, which reads it again while it runs, and the fallback tier keeps it from \
                 being changed at the end alone: move it out of the workspace, or take that with \
                 --allow-degraded=mount",
                path.display()
            ))),
            _ => Ok(Some(Tier::Namespace)),
        };
    }
    match hidden {
        Some(path) if !args.allow_degraded.contains(&Layer::Mount) => match wanted {
            Some(Tier::Fallback) => Err(Failure::Usage(format!(
                "{} is hidden, which the fallback tier cannot do within a folder that the agent is given: move \
                 it elsewhere, or let the agent have it with --allow-degraded=mount",
                path.display()
            ))),
            _ => Ok(Some(Tier::Namespace)),
        },
        _ => Ok(wanted),
    }
}

fn environment(
    args: &ConfineArgs,
    here: &Surroundings,
    merged: &Merged,
    own: &[(String, Own)],
    notes: &mut Vec<String>,
) -> Result<Vec<(OsString, OsString)>, Failure> {
    for (name, entry) in &merged.set {
        if environment::loads(name) || environment::is_key(name) {
            return Err(Failure::Configuration(format!(
                "the profile {} sets {name}, which a profile cannot: use --env {name}={}",
                entry.from, entry.text
            )));
        }
    }
    if let Some((name, _)) =
        own.iter().find(|(name, _)| environment::loads(name) || environment::is_key(name))
    {
        return Err(Failure::Configuration(format!(
            "own_folder: {name} is no variable for a folder"
        )));
    }
    let allowed: Vec<String> = merged.allow.iter().map(|entry| entry.text.clone()).collect();
    for entry in &merged.allow {
        if environment::loads(&entry.text) || environment::is_key(&entry.text) {
            return Err(Failure::Configuration(format!(
                "the profile {} hands on {}, which a profile cannot: use --env {}",
                entry.from, entry.text, entry.text
            )));
        }
    }
    let mut set: Vec<_> = merged
        .set
        .iter()
        .map(|(name, entry)| (name.clone(), OsString::from(&entry.text)))
        .collect();
    set.extend(own.iter().map(|(variable, own)| (variable.clone(), own.path.clone().into())));
    let flags: Vec<_> =
        args.env.iter().map(|flag| (flag.name.clone(), flag.value.clone())).collect();
    let of_run = here.run_variables();
    let chosen = environment::choose(&Choice {
        own: &here.variables,
        allowed: &allowed,
        set: &set,
        of_run: &of_run,
        proxied: args.network == NetworkArg::Proxy,
        flags: &flags,
    });
    notes.extend(chosen.notes);
    Ok(chosen.variables)
}

fn network(args: &ConfineArgs, here: &Surroundings, merged: &Merged) -> Result<Network, Failure> {
    let mut gates: Vec<Gate> = Vec::new();
    if let (NetworkArg::Proxy, Some(run)) = (args.network, here.of_run()) {
        gates.push(to_proxy(run)?);
    }
    let of_profiles = merged.connect.iter().map(|(service, _)| service);
    for service in of_profiles.chain(&args.connect) {
        // A profile cannot have the proxy's own place.
        if !gates.iter().any(|gate| gate.inside == *service) {
            gates.push(Gate { inside: *service, behind: Behind::Service(*service) });
        }
    }
    Ok(Network { gates })
}

fn to_proxy(run: OfRun) -> Result<Gate, Failure> {
    let address: Option<SocketAddr> = run.proxy.parse().ok();
    let Some(address) = address.filter(|address| address.is_ipv4() && address.ip().is_loopback())
    else {
        return Err(Failure::Configuration(format!(
            "the proxy is at {}, and a sandbox reaches it only on 127.0.0.1: set `listen = \
             \"127.0.0.1:4141\"` in [proxy] of iron.toml",
            run.proxy.escape_debug()
        )));
    };
    let introduction = Introduction { address, state: run.state, run: run.id };
    Ok(Gate { inside: address, behind: Behind::Proxy(introduction) })
}

#[cfg(test)]
mod tests;
