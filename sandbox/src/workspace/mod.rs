//! Workspaces that are put aside: an agent writes to an overlay or to a copy, its changes are shown, and
//! they land in the real workspace when its owner says so. And what protects single files where there
//! are no mounts ([`guard`]).
//!
//! [`Ephemeral::prepare`] comes before the sandbox is made and yields the [`Layout`] that the launcher
//! carries out; [`Ephemeral::changes`] and [`Ephemeral::apply`] come after its last process ended. No
//! file of an agent is executed or followed on the way.

pub mod apply;
pub mod changes;
pub mod conclude;
mod copy;
pub mod diff;
mod folder;
pub mod guard;
mod manifest;
pub mod overlay;
mod scratch;

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use serde::Serialize;

pub use folder::Kind;

use crate::confinement::Layout;
use crate::layer::Tier;
use copy::Copier;
use folder::Folder;
use manifest::Manifest;
use scratch::Scratch;

/// How a workspace is put aside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// An overlay where one can really be mounted, else a copy.
    #[default]
    Auto,
    /// Changed files alone are copied, when they are changed. Namespace tier alone.
    Overlay,
    /// All is copied before the start; blocks are shared where the file system can.
    Copy,
}

/// How many bytes of a workspace are copied if nobody says otherwise: 4 GiB. Shared blocks do not count.
pub const LIMIT: u64 = 4 << 30;

/// Why a workspace could not be put aside, or not be read again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no folder for it outside the workspace.
    #[error(
        "there is no place for what the agent changes: {0}. Set XDG_STATE_HOME to a folder outside the workspace"
    )]
    NoPlace(String),
    /// An overlay was asked for and cannot be had.
    #[error(
        "an overlay cannot be mounted here: {0}. `--ephemeral=copy` copies the workspace instead"
    )]
    NoOverlay(#[source] io::Error),
    /// An overlay was asked for in the fallback tier.
    #[error("an overlay needs the namespace tier. `--ephemeral=copy` copies the workspace instead")]
    OverlayNeedsNamespaces,
    /// The workspace is larger than may be copied.
    #[error(
        "the workspace has more than {} MiB to copy: raise it with `--ephemeral-limit`, or start in a smaller folder",
        .0 / (1 << 20)
    )]
    TooLarge(u64),
    /// Something failed on the way.
    #[error("cannot {doing} {}: {source}", diff::printable(path.as_os_str()))]
    Io {
        /// In words: `copy`, `read`.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// How.
        #[source]
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }
}

/// Something about a path that its owner should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Relative to the workspace, fit for a terminal.
    pub path: String,
    /// In words.
    pub text: String,
}

impl Note {
    pub(crate) fn new(path: &Path, text: String) -> Self {
        Self { path: diff::printable(path.as_os_str()), text }
    }
}

/// A workspace that is put aside. Its folders are removed when it is dropped, unless they are kept;
/// where the launcher is killed, a later run removes them.
#[derive(Debug)]
pub struct Ephemeral {
    path: PathBuf,
    workspace: Folder,
    scratch: Scratch,
    layout: Layout,
    base: Manifest,
    /// When a copy was complete, by the clock of its file system.
    complete: (i64, u32),
    notes: Vec<Note>,
}

const UPPER: &str = "upper";
const WORK: &str = "work";
const COPY: &str = "copy";

impl Ephemeral {
    /// Puts a workspace aside. `limit` is how many bytes are copied at most ([`LIMIT`]).
    ///
    /// For a program without threads: whether an overlay can be had is tried by a process of its own.
    pub fn prepare(workspace: &Path, mode: Mode, tier: Tier, limit: u64) -> Result<Self, Error> {
        Self::prepare_in(&scratch::places(), workspace, mode, tier, limit)
    }

    fn prepare_in(
        places: &[PathBuf],
        workspace: &Path,
        mode: Mode,
        tier: Tier,
        limit: u64,
    ) -> Result<Self, Error> {
        let path = workspace.canonicalize().map_err(Error::io("open", workspace))?;
        let workspace = Folder::open(&path).map_err(Error::io("open", &path))?;
        let mut refusals = Vec::new();
        let mut scratches = Vec::new();
        for place in places {
            match Scratch::create(place, &path) {
                Ok(scratch) => scratches.push(scratch),
                Err(error) => refusals.push(error.to_string()),
            }
        }
        if scratches.is_empty() {
            return Err(Error::NoPlace(refusals.join("; ")));
        }
        if mode == Mode::Overlay && tier == Tier::Fallback {
            return Err(Error::OverlayNeedsNamespaces);
        }
        if mode != Mode::Copy && tier == Tier::Namespace {
            let mut failure = None;
            for at in 0..scratches.len() {
                match lay_over(&path, &scratches[at]) {
                    Ok(layout) => {
                        let scratch = scratches.swap_remove(at);
                        drop(scratches);
                        return Self::overlaid(path, workspace, scratch, layout);
                    }
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
            if let (Mode::Overlay, Some(error)) = (mode, failure) {
                return Err(Error::NoOverlay(error));
            }
        }
        // Blocks are shared within a file system alone.
        let device = workspace.itself().map_err(Error::io("read", &path))?.device;
        let same =
            |scratch: &Scratch| scratch.folder().itself().is_ok_and(|it| it.device == device);
        let at = scratches.iter().position(same).unwrap_or(0);
        let scratch = scratches.swap_remove(at);
        drop(scratches);
        Self::copied(path, workspace, scratch, limit)
    }

    fn overlaid(
        path: PathBuf,
        workspace: Folder,
        scratch: Scratch,
        layout: Layout,
    ) -> Result<Self, Error> {
        let (base, notes) = Manifest::read(&workspace).map_err(Error::io("read", &path))?;
        Ok(Self { path, workspace, scratch, layout, base, complete: (0, 0), notes })
    }

    fn copied(
        path: PathBuf,
        workspace: Folder,
        scratch: Scratch,
        limit: u64,
    ) -> Result<Self, Error> {
        let mut copier = Copier::new(limit);
        let copy = scratch.folder().create_folder(OsStr::new(COPY));
        let mut copy = copy.map_err(Error::io("make a copy in", &scratch.path()))?;
        let (base, notes) = copy::tree(&workspace, &copy, &mut copier).map_err(|error| {
            if copier.is_over() { Error::TooLarge(limit) } else { Error::io("copy", &path)(error) }
        })?;
        let complete = (|| {
            copy.set_mode(workspace.itself()?.mode & 0o777)?;
            let marker = OsStr::new("complete");
            drop(scratch.folder().create(marker)?);
            scratch.folder().look(marker)?.ok_or_else(|| io::Error::from(Errno::NOENT))
        })();
        let complete = complete.map_err(Error::io("write to", &scratch.path()))?.changed;
        let layout = Layout::Copy { copy: scratch.path().join(COPY) };
        Ok(Self { path, workspace, scratch, layout, base, complete, notes })
    }

    /// What the launcher makes of it.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The real workspace.
    pub fn workspace(&self) -> &Path {
        &self.path
    }

    /// What could not be put aside, and so is not there for the agent.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Keeps what the agent wrote, and says where: an overlay's changed files, or the whole copy.
    pub fn keep(&mut self) -> Result<PathBuf, Error> {
        let path = self.scratch.path();
        let kept = self.scratch.keep().map_err(Error::io("keep", &path))?;
        Ok(kept.join(self.part()))
    }

    /// The folder in which the agent's files are.
    fn result(&self) -> io::Result<Folder> {
        self.scratch.folder().child_of_ours(OsStr::new(self.part()))
    }

    fn part(&self) -> &'static str {
        if matches!(self.layout, Layout::Overlay { .. }) { UPPER } else { COPY }
    }
}

/// Removes a folder of ours and all in it, as far as that can be done.
pub(crate) fn remove(path: &Path) {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
    let _ = Folder::open(parent).and_then(|place| scratch::remove_tree(&place, name));
}

/// Makes the folders of an overlay and tries whether it can be mounted.
fn lay_over(workspace: &Path, scratch: &Scratch) -> io::Result<Layout> {
    // The workspace's own permissions are the upper folder's.
    let mode = Folder::open(workspace)?.itself()?.mode & 0o777;
    scratch.folder().create_folder(OsStr::new(UPPER))?.set_mode(mode)?;
    scratch.folder().create_folder(OsStr::new(WORK))?;
    let (upper, work) = (scratch.path().join(UPPER), scratch.path().join(WORK));
    overlay::attempt(workspace, &upper, &work)?;
    Ok(Layout::Overlay { upper, work })
}

#[cfg(test)]
mod tests;
