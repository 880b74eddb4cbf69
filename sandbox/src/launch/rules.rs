//! Landlock: which files may be opened, and that no connection, signal or abstract socket goes outward.
//!
//! The same rules in both tiers. Built in the process that becomes the command, after its view of the
//! files was made: rules are on what is there, not on names.

use std::io;
use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use rustix::fs::{FileType, Mode, OFlags, fstat, open};

use super::failure::{Failed, Step};
use crate::confinement::{Access, Files};
use crate::layer::{Layer, Tier};

/// What is used where the kernel has it: truncation and devices are held (ABI 5), and so are abstract
/// sockets and signals (ABI 6: Linux 6.12). The fallback tier, which has nothing else for these, needs it.
const ABI_NEEDED: ABI = ABI::V6;

/// What the namespace tier needs: mounts and namespaces hold the rest.
const ABI_AT_LEAST: ABI = ABI::V1;

/// Folders of the launcher's making, in the namespace tier.
const OWN_WRITABLE: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];

/// Devices that programs read and write.
const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// Terminals: they take orders besides.
const TERMINALS: [&str; 3] = ["/dev/tty", "/dev/pts", "/dev/ptmx"];

/// Restricts this process, and all that come of it, for good.
pub(super) fn restrict(tier: Tier, files: &Files) -> Result<(), Failed> {
    let rules = Rules::begin(tier).step(Layer::Landlock, || "the rules".to_owned())?;
    let rules = rules.all(tier, files).step(Layer::Landlock, || "a rule".to_owned())?;
    rules.enforce().step(Layer::Landlock, || "to enforce the rules".to_owned())
}

/// Whether this kernel has what is needed, tried by making a set of rules.
pub(crate) fn is_there(tier: Tier) -> io::Result<()> {
    Rules::begin(tier).map(drop)
}

/// Signals of this process reach itself and what came of it, and nobody else: it was tried.
#[derive(Debug)]
pub(super) struct Scoped(());

/// Sees to it that signals of this process, and of all that come of it, reach nobody outside. None
/// where the kernel has no such thing, or where that cannot be shown.
pub(super) fn scope_signals() -> Option<Scoped> {
    let rules = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    // A layer that says nothing of it forbids to move files between folders: this one allows it.
    let rules = rules.scope(Scope::Signal).and_then(|rules| rules.handle_access(AccessFs::Refer));
    let root = PathBeneath::new(PathFd::new("/").ok()?, AccessFs::Refer);
    let rules = rules.and_then(Ruleset::create).and_then(|rules| rules.add_rule(root)).ok()?;
    rules.restrict_self().ok()?;
    // The launcher is the same user's: without the rules this would be allowed.
    let launcher = rustix::process::getppid()?;
    let outward = rustix::process::test_kill_process(launcher);
    (outward == Err(rustix::io::Errno::PERM)).then_some(Scoped(()))
}

impl Scoped {
    /// Kills everybody who can be reached, which are all that came of this process, all at once.
    #[expect(clippy::unused_self, reason = "it is the proof that nobody else is reached")]
    pub(super) fn kill_all(&self) {
        crate::sys::process::kill_reachable();
    }
}

struct Rules(RulesetCreated, Tier);

impl Rules {
    /// In a network of its own an agent may serve itself: there is nobody else to reach.
    fn begin(tier: Tier) -> io::Result<Self> {
        let mut rules = Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(ABI_AT_LEAST))
            .map_err(other)?;
        if tier == Tier::Namespace {
            rules = rules.set_compatibility(CompatLevel::BestEffort);
        }
        rules = rules
            .handle_access(AccessFs::from_all(ABI_NEEDED))
            .and_then(|rules| rules.scope(Scope::from_all(ABI_NEEDED)))
            .map_err(other)?;
        if tier == Tier::Fallback {
            // No port is allowed: what may be connected to, the launcher connects to.
            rules = rules.handle_access(AccessNet::from_all(ABI_NEEDED)).map_err(other)?;
        }
        rules.create().map(|rules| Self(rules, tier)).map_err(other)
    }

    fn all(self, tier: Tier, files: &Files) -> io::Result<Self> {
        let mut rules = self;
        for path in &files.read {
            rules = rules.allow(path, reading())?;
        }
        let workspace = match files.workspace_access {
            Access::Read => reading(),
            Access::Write => writing(),
        };
        rules = rules.allow(&files.workspace, workspace)?;
        for path in &files.write {
            rules = rules.allow(path, writing())?;
        }
        for path in DEVICES {
            rules = rules.allow(Path::new(path), device())?;
        }
        for path in TERMINALS {
            rules = rules.allow(Path::new(path), device() | AccessFs::IoctlDev)?;
        }
        // Of other processes it shows what everybody may know; Landlock keeps the rest from who is inside.
        rules = rules.allow(Path::new("/proc"), reading())?;
        if tier == Tier::Namespace {
            // Nothing is there but what was put there.
            rules = rules.allow(Path::new("/dev"), reading())?;
        }
        for path in own(tier) {
            rules = rules.allow(Path::new(path), writing())?;
        }
        rules.standard_files()
    }

    /// Allows something on a path, as far as it means something on what stands there. What is not there
    /// needs no rule.
    fn allow(self, path: &Path, access: BitFlags<AccessFs>) -> io::Result<Self> {
        match PathFd::new(path) {
            Ok(file) => self.allow_opened(file, access),
            Err(_) => Ok(self),
        }
    }

    fn allow_opened(
        self,
        file: impl std::os::fd::AsFd,
        access: BitFlags<AccessFs>,
    ) -> io::Result<Self> {
        let folder = FileType::from_raw_mode(fstat(&file)?.st_mode) == FileType::Directory;
        let access = if folder { access } else { access & AccessFs::from_file(ABI_NEEDED) };
        let tier = self.1;
        self.0
            .add_rule(PathBeneath::new(file, access))
            .map(|rules| Self(rules, tier))
            .map_err(other)
    }

    /// A program may open again what it has as its standard input and outputs, as far as they are open.
    fn standard_files(mut self) -> io::Result<Self> {
        for number in 0..3 {
            let path = format!("/proc/self/fd/{number}");
            let Ok(flags) = status_flags(number) else { continue };
            let access = match flags & OFlags::RWMODE {
                OFlags::RDONLY => AccessFs::ReadFile.into(),
                OFlags::WRONLY => AccessFs::WriteFile | AccessFs::Truncate,
                _ => device(),
            };
            let Ok(file) = open(&path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) else {
                continue;
            };
            let access = match FileType::from_raw_mode(fstat(&file)?.st_mode) {
                FileType::CharacterDevice => access | AccessFs::IoctlDev,
                FileType::RegularFile => access,
                // Pipes and sockets have no place among the files, and need no rule.
                _ => continue,
            };
            self = self.allow_opened(file, access)?;
        }
        Ok(self)
    }

    fn enforce(self) -> io::Result<()> {
        let status = self.0.restrict_self().map_err(other)?;
        let enough = match self.1 {
            Tier::Namespace => status.ruleset != RulesetStatus::NotEnforced,
            Tier::Fallback => status.ruleset == RulesetStatus::FullyEnforced,
        };
        if enough && status.no_new_privs {
            return Ok(());
        }
        Err(io::Error::other("the kernel holds a part of the rules alone"))
    }
}

fn status_flags(number: i32) -> io::Result<OFlags> {
    Ok(rustix::fs::fcntl_getfl(match number {
        0 => rustix::stdio::stdin(),
        1 => rustix::stdio::stdout(),
        _ => rustix::stdio::stderr(),
    })?)
}

const fn own(tier: Tier) -> &'static [&'static str] {
    match tier {
        Tier::Namespace => &OWN_WRITABLE,
        // Semaphores and shared memory have no other place to be: a known gap.
        Tier::Fallback => &["/dev/shm"],
    }
}

fn reading() -> BitFlags<AccessFs> {
    AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::Execute
}

fn device() -> BitFlags<AccessFs> {
    AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate
}

/// All but devices: none are made, and none that stand there are given orders.
fn writing() -> BitFlags<AccessFs> {
    AccessFs::from_all(ABI_NEEDED)
        & !(AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev)
}

fn other(error: RulesetError) -> io::Error {
    io::Error::other(error)
}
