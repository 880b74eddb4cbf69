//! Protected paths in the fallback tier: Landlock cannot carve them out of a folder that is written to,
//! so they are remembered before the run and put back after it.
//!
//! What stands there is put aside first, for its owner to look at. Until the run is over, an agent's
//! version is in place: a program outside the sandbox that uses it meanwhile uses the agent's. Where
//! the launcher is killed, whoever ends the sandbox's processes should call [`Guard::restore`]: it works
//! on any process's copy of the guard, and more than once.

mod restoring;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use self::restoring::Restoring;
use super::changes::fill;
use super::diff::printable;
use super::folder::{Folder, Kind, Stamp};
use super::scratch;
use crate::confinement::{Access, Files};
use crate::layer::Tier;

/// How much protected paths may hold together, in bytes: it is kept in memory.
const BYTES: u64 = 64 << 20;

/// How many files and folders they may have.
const FILES: usize = 20_000;

/// What protected paths were.
#[derive(Debug)]
pub struct Guard {
    points: Vec<Point>,
    workspace: PathBuf,
    places: Vec<PathBuf>,
}

/// One protected path.
#[derive(Debug)]
struct Point {
    /// The folder that is written to; it stands itself.
    root: PathBuf,
    path: PathBuf,
    /// The permissions of each folder on the way; none where it was absent.
    way: Vec<Option<u32>>,
    was: Node,
}

/// What stood at a path.
#[derive(Debug)]
enum Node {
    Absent,
    File(Stamp, Vec<u8>),
    Link(OsString),
    Folder(Stamp, BTreeMap<OsString, Node>),
    /// A socket or the like: nothing of it can be put back.
    Other,
}

/// A protected path that was put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Which.
    pub path: PathBuf,
    /// What the agent had done to it.
    pub what: Tampering,
    /// Where the agent's version is, if it made one.
    pub aside: Option<PathBuf>,
    /// Why it could not be put back.
    pub failure: Option<String>,
}

/// What an agent did to a protected path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tampering {
    /// It made it.
    Added,
    /// It changed it.
    Changed,
    /// It took it away.
    Removed,
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = printable(self.path.as_os_str());
        let what = match self.what {
            Tampering::Added => "was added",
            Tampering::Changed => "was changed",
            Tampering::Removed => "was removed",
        };
        if let Some(failure) = &self.failure {
            return write!(f, "{path} is protected, {what} and could not be put back: {failure}");
        }
        write!(f, "{path} is protected, {what} and is as it was again")?;
        if let Some(aside) = &self.aside {
            write!(f, "; the agent's version is in {}", printable(aside.as_os_str()))?;
        }
        Ok(())
    }
}

impl Guard {
    /// Remembers what stands at the protected paths that could be written to: in the namespace tier what
    /// no mount protects, since it is not there or is a link. An error where that is more than fits into
    /// memory, or cannot be read.
    pub fn take(files: &Files, tier: Tier) -> io::Result<Self> {
        let mut roots: Vec<&Path> = files.write.iter().map(PathBuf::as_path).collect();
        if files.workspace_access == Access::Write {
            roots.push(&files.workspace);
        }
        let mut guard = Self {
            points: Vec::new(),
            workspace: files.workspace.clone(),
            places: scratch::places(),
        };
        let mut budget = Budget { bytes: BYTES, files: FILES };
        let mut rest = files.protect.clone();
        while let Some(path) = rest.pop() {
            let root = roots.iter().filter(|root| path.starts_with(root) && path != **root);
            // The outermost: an agent cannot have put something else in its place.
            let Some(root) = root.min_by_key(|root| root.as_os_str().len()) else { continue };
            let mounted = tier == Tier::Namespace;
            let point = remember(root, &path, mounted, &mut budget)
                .map_err(|error| about(&path, "cannot remember", &error))?;
            let Some(point) = point else { continue };
            // What a link leads to is reached by it.
            if let Node::Link(target) = &point.was
                && let Ok(resolved) =
                    point.path().parent().unwrap_or(root).join(target).canonicalize()
            {
                let beyond = path.strip_prefix(point.path()).unwrap_or(Path::new(""));
                let beyond = if beyond == Path::new("") { resolved } else { resolved.join(beyond) };
                if guard.points.len() + rest.len() < FILES && !rest.contains(&beyond) {
                    rest.push(beyond);
                }
            }
            guard.points.push(point);
        }
        Ok(guard)
    }

    /// Whether there is nothing to put back.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Puts back what an agent changed, and says what. For after its last process ended.
    pub fn restore(&self) -> io::Result<Vec<Restored>> {
        let mut restoring = Restoring::new(self);
        for point in &self.points {
            if let Err(error) = restoring.point(point) {
                restoring.failed(&point.path(), &error);
            }
        }
        Ok(restoring.restored)
    }
}

impl Point {
    fn path(&self) -> PathBuf {
        self.root.join(&self.path)
    }
}

/// How much may still be remembered.
struct Budget {
    bytes: u64,
    files: usize,
}

/// What stands at a path or in its way. None where a mount protects it.
fn remember(
    root: &Path,
    path: &Path,
    mounted: bool,
    budget: &mut Budget,
) -> io::Result<Option<Point>> {
    let path = path.strip_prefix(root).map_err(io::Error::other)?;
    let mut here = Some(Folder::open(root)?);
    let mut way = Vec::new();
    let mut walked = PathBuf::new();
    let parts: Vec<&OsStr> = path.iter().collect();
    for (at, part) in parts.iter().enumerate() {
        walked.push(part);
        let stamp = here.as_ref().map(|folder| folder.look(part)).transpose()?.flatten();
        let last = at + 1 == parts.len();
        let was = match (&here, stamp) {
            (_, Some(stamp))
                if last && mounted && matches!(stamp.kind, Kind::File | Kind::Folder) =>
            {
                return Ok(None);
            }
            (Some(folder), Some(stamp)) if last || stamp.kind != Kind::Folder => {
                // What is no folder stands in the way of the rest, and is protected in its place.
                Some(node(folder, part, &stamp, budget)?)
            }
            (Some(folder), Some(stamp)) => {
                way.push(Some(stamp.mode));
                here = Some(folder.child(part)?);
                None
            }
            _ if last => Some(Node::Absent),
            _ => {
                way.push(None);
                here = None;
                None
            }
        };
        if let Some(was) = was {
            return Ok(Some(Point { root: root.to_owned(), path: walked, way, was }));
        }
    }
    Err(io::Error::from(Errno::INVAL))
}

fn node(parent: &Folder, name: &OsStr, stamp: &Stamp, budget: &mut Budget) -> io::Result<Node> {
    let full = || io::Error::other("it is more than 64 MiB or 20000 files together: protect less");
    budget.files = budget.files.checked_sub(1).ok_or_else(full)?;
    Ok(match stamp.kind {
        Kind::File => {
            // Read at once: on the way to a start every call counts.
            let size = stamp.size.min(budget.bytes + 1);
            let mut bytes = vec![0; usize::try_from(size).map_err(io::Error::other)? + 1];
            let length = fill(&mut parent.file(name)?, &mut bytes)?;
            bytes.truncate(length);
            budget.bytes = budget.bytes.checked_sub(bytes.len() as u64).ok_or_else(full)?;
            Node::File(*stamp, bytes)
        }
        Kind::Link => Node::Link(parent.target(name)?),
        Kind::Folder => {
            let folder = parent.child(name)?;
            let mut nodes = BTreeMap::new();
            for name in folder.names()? {
                let Some(stamp) = folder.look(&name)? else { continue };
                nodes.insert(name.clone(), node(&folder, &name, &stamp, budget)?);
            }
            Node::Folder(*stamp, nodes)
        }
        Kind::Other => Node::Other,
    })
}

fn about(path: &Path, doing: &str, error: &io::Error) -> io::Error {
    let path = printable(path.as_os_str());
    io::Error::new(error.kind(), format!("{doing} the protected path {path}: {error}"))
}

#[cfg(test)]
mod tests;
