//! What an agent changed, path by path: its files against those that the run began with.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::folder::{Folder, Kind, Stamp, is_absent, walk};
use super::manifest::Changed;
use super::{Ephemeral, Error, Note, overlay};
use crate::confinement::Layout;

/// Read at once where contents are compared.
const BLOCK: usize = 64 * 1024;

/// All that an agent changed, sorted by path.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// A folder comes before what is in it.
    pub changes: Vec<Change>,
    /// What is not among them, and why.
    pub notes: Vec<Note>,
}

/// One path that an agent changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Relative to the workspace; made of plain names alone.
    pub path: PathBuf,
    /// How it changed.
    pub what: What,
    /// What it was; none where there was nothing.
    pub before: Option<State>,
    /// What it is now; none where there is nothing.
    pub after: Option<State>,
}

/// How a path changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It is new.
    Added,
    /// It has other content, and perhaps other permissions.
    Modified,
    /// It is gone.
    Removed,
    /// It has other permissions.
    Mode,
    /// It was a file and is a folder, for example.
    Kind,
    /// It is a symbolic link that points elsewhere.
    Target,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// What it is.
    pub kind: Kind,
    /// Permissions and special bits: 0o7777 at most.
    pub mode: u32,
    /// In bytes; of a folder, nothing that means much.
    pub size: u64,
    /// Where it points, if it is a symbolic link.
    pub target: Option<OsString>,
}

impl Ephemeral {
    /// What the agent changed. For after its last process ended.
    pub fn changes(&self) -> Result<Changes, Error> {
        self.compare().map_err(Error::io("compare", &self.path))
    }

    fn compare(&self) -> io::Result<Changes> {
        let result = self.result()?;
        let (changed, mut notes) = match self.layout {
            Layout::Overlay { .. } => overlay::read(&result, &self.base)?,
            _ => (self.touched(&result)?, Vec::new()),
        };
        let mut changes = Vec::new();
        for (path, after) in changed.0 {
            if self.base.is_left_out(&path) {
                let text = "was written to where nothing was put aside: left alone".to_owned();
                notes.push(Note::new(&path, text));
                continue;
            }
            let before = self.base.get(&path).copied();
            let Some(what) = self.judge(&result, &path, before, after)? else { continue };
            let before = before.map(|stamp| state(&self.workspace, &path, &stamp));
            let after = after.map(|stamp| state(&result, &path, &stamp));
            changes.push(Change { path, what, before, after });
        }
        Ok(Changes { changes, notes })
    }

    /// What a copy has that its origin had not, or had otherwise, and what it has no more.
    fn touched(&self, copy: &Folder) -> io::Result<Changed> {
        let mut changed = Changed::default();
        let mut seen = 0_usize;
        walk(copy, true, &mut |_, _, path, stamp| {
            match self.base.get(path) {
                Some(base) if base.kind == stamp.kind => {
                    seen += 1;
                    // Its times can be set, but not the one at which they were set.
                    let touched = stamp.changed >= self.complete || stamp.size != base.size;
                    if touched || stamp.kind == Kind::Folder {
                        changed.present(path, *stamp)?;
                    }
                }
                Some(_) => {
                    seen += 1;
                    changed.gone_below(path, &self.base)?;
                    changed.present(path, *stamp)?;
                }
                None => changed.present(path, *stamp)?,
            }
            Ok(true)
        })?;
        if seen < self.base.paths().count() {
            for path in self.base.paths() {
                if is_gone(copy, path)? {
                    changed.gone(path, &self.base)?;
                }
            }
        }
        Ok(changed)
    }

    /// How a path changed, if it did.
    fn judge(
        &self,
        result: &Folder,
        path: &Path,
        before: Option<Stamp>,
        after: Option<Stamp>,
    ) -> io::Result<Option<What>> {
        let (before, after) = match (before, after) {
            (None, None) => return Ok(None),
            (None, Some(_)) => return Ok(Some(What::Added)),
            (Some(_), None) => return Ok(Some(What::Removed)),
            (Some(before), Some(after)) => (before, after),
        };
        if before.kind != after.kind {
            return Ok(Some(What::Kind));
        }
        let mode = other_mode(before.mode, after.mode).then_some(What::Mode);
        Ok(match before.kind {
            Kind::Link => {
                let now = target(result, path)?;
                let then = target(&self.workspace, path).ok();
                (Some(now) != then).then_some(What::Target)
            }
            Kind::File => {
                let same = before.size == after.size && self.same_content(result, path)?;
                if same { mode } else { Some(What::Modified) }
            }
            Kind::Folder => mode,
            Kind::Other => None,
        })
    }

    fn same_content(&self, result: &Folder, path: &Path) -> io::Result<bool> {
        match file(&self.workspace, path) {
            Ok(before) => same_bytes(before, file_of_ours(result, path)?),
            // Whoever took it away is told when the change is to land.
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Opens a changed file as it was, or rather as it stands in the workspace.
    pub(crate) fn file_before(&self, path: &Path) -> io::Result<File> {
        file(&self.workspace, path)
    }

    /// Opens a changed file as the agent left it.
    pub(crate) fn file_after(&self, path: &Path) -> io::Result<File> {
        file_of_ours(&self.result()?, path)
    }
}

/// Whether permissions differ, or special bits were added. Copies have none to begin with.
pub(crate) fn other_mode(before: u32, after: u32) -> bool {
    before & 0o777 != after & 0o777 || after & !before & 0o7000 != 0
}

fn state(root: &Folder, path: &Path, stamp: &Stamp) -> State {
    // A link in the workspace may be gone by now.
    let target = match stamp.kind {
        Kind::Link => target(root, path).ok(),
        _ => None,
    };
    State { kind: stamp.kind, mode: stamp.mode, size: stamp.size, target }
}

pub(crate) fn target(root: &Folder, path: &Path) -> io::Result<OsString> {
    let (parent, name) = parent_of_ours(root, path)?;
    parent.target(name)
}

fn file(root: &Folder, path: &Path) -> io::Result<File> {
    let (parent, name) = root.parent(path)?;
    parent.file(name)
}

pub(crate) fn file_of_ours(root: &Folder, path: &Path) -> io::Result<File> {
    let (parent, name) = parent_of_ours(root, path)?;
    parent.file_of_ours(name)
}

/// The folder in which an agent's file stands, also where its permissions keep even its owner out.
pub(crate) fn parent_of_ours<'a>(root: &Folder, path: &'a Path) -> io::Result<(Folder, &'a OsStr)> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    let mut here = root.descend(Path::new(""))?;
    for part in parent {
        here = here.child_of_ours(part)?;
    }
    Ok((here, name))
}

/// Whether nothing stands at a path of an agent's, nor a folder on the way to it.
fn is_gone(root: &Folder, path: &Path) -> io::Result<bool> {
    match parent_of_ours(root, path) {
        Ok((parent, name)) => Ok(parent.look(name)?.is_none()),
        Err(error) if is_absent(&error) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Whether two files have the same bytes.
pub(crate) fn same_bytes(mut one: File, mut other: File) -> io::Result<bool> {
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut left, mut right) = (vec![0; BLOCK], vec![0; BLOCK]);
    loop {
        let length = fill(&mut one, &mut left)?;
        if length != fill(&mut other, &mut right)? || left[..length] != right[..length] {
            return Ok(false);
        }
        if length < BLOCK {
            return Ok(true);
        }
    }
}

/// Reads until a block is full or the file ends.
pub(crate) fn fill(file: &mut File, block: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < block.len() {
        match file.read(&mut block[filled..]) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
