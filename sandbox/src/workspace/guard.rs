//! Protected paths in the fallback tier: Landlock cannot carve them out of a folder that is written to,
//! so they are remembered before the run and put back after it.
//!
//! What stands there is put aside first, for its owner to look at. Until the run is over, an agent's
//! version is in place: a program outside the sandbox that uses it meanwhile uses the agent's. Where
//! the launcher is killed, whoever ends the sandbox's processes should call [`Guard::restore`]: it works
//! on any process's copy of the guard, and more than once.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::copy::{self, Copier};
use super::diff::printable;
use super::folder::{Folder, Kind, Stamp};
use super::scratch::{self, Scratch, remove_tree};
use crate::confinement::{Access, Files};

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
    /// Remembers what stands at the protected paths that could be written to. An error where that is
    /// more than fits into memory, or cannot be read.
    pub fn take(files: &Files) -> io::Result<Self> {
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
            let point = remember(root, &path, &mut budget)
                .map_err(|error| about(&path, "cannot remember", &error))?;
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
        let mut restoring = Restoring { guard: self, aside: None, restored: Vec::new() };
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

fn remember(root: &Path, path: &Path, budget: &mut Budget) -> io::Result<Point> {
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
            return Ok(Point { root: root.to_owned(), path: walked, way, was });
        }
    }
    Err(io::Error::from(Errno::INVAL))
}

fn node(parent: &Folder, name: &OsStr, stamp: &Stamp, budget: &mut Budget) -> io::Result<Node> {
    let full = || io::Error::other("it is more than 64 MiB or 20000 files together: protect less");
    budget.files = budget.files.checked_sub(1).ok_or_else(full)?;
    Ok(match stamp.kind {
        Kind::File => {
            let mut bytes = Vec::new();
            parent.file(name)?.take(budget.bytes + 1).read_to_end(&mut bytes)?;
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

struct Restoring<'a> {
    guard: &'a Guard,
    aside: Option<Scratch>,
    restored: Vec<Restored>,
}

impl Restoring<'_> {
    fn point(&mut self, point: &Point) -> io::Result<()> {
        let mut here = Folder::open(&point.root)?;
        let mut walked = point.root.clone();
        let mut parts = point.path.iter();
        for was in &point.way {
            let Some(part) = parts.next() else { break };
            walked.push(part);
            let now = here.look(part)?;
            let is_folder = now.is_some_and(|now| now.kind == Kind::Folder);
            match (was, now) {
                _ if is_folder => {}
                (None, Some(now)) if now.kind == Kind::Link => {
                    self.take_away(&here, part, &walked, Tampering::Added)?;
                    return Ok(());
                }
                // Nothing stands there, and nothing stood there.
                (None, _) => return Ok(()),
                (Some(_), None) if matches!(point.was, Node::Absent) => return Ok(()),
                (Some(mode), now) => {
                    let what = now.map_or(Tampering::Removed, |_| Tampering::Changed);
                    self.take_away(&here, part, &walked, what)?;
                    here.create_folder(part)?.set_mode(mode & 0o777)?;
                }
            }
            here = here.child_of_ours(part)?;
        }
        let Some(name) = parts.next() else { return Ok(()) };
        walked.push(name);
        self.mend(&here, name, &point.was, &walked)
    }

    /// Makes a path what it was.
    fn mend(&mut self, parent: &Folder, name: &OsStr, was: &Node, path: &Path) -> io::Result<()> {
        let now = parent.look(name)?;
        let what = now.map_or(Tampering::Removed, |_| Tampering::Changed);
        match (was, now) {
            (Node::Absent, None) | (Node::Other, _) => Ok(()),
            (Node::Absent, Some(_)) => self.take_away(parent, name, path, Tampering::Added),
            (Node::File(stamp, bytes), now) => {
                if now.is_some_and(|now| now == *stamp) || same_file(parent, name, stamp, bytes)? {
                    return Ok(());
                }
                self.take_away(parent, name, path, what)?;
                write_file(parent, name, stamp, bytes)
            }
            (Node::Link(target), now) => {
                let is_link = now.is_some_and(|now| now.kind == Kind::Link);
                if is_link && parent.target(name)? == *target {
                    return Ok(());
                }
                self.take_away(parent, name, path, what)?;
                Ok(rustix::fs::symlinkat(target, parent, name)?)
            }
            (Node::Folder(stamp, nodes), Some(now)) if now.kind == Kind::Folder => {
                let mut folder = parent.child_of_ours(name)?;
                for name in folder.names()? {
                    if !nodes.contains_key(&name) {
                        self.one(&folder, &name, &Node::Absent, &path.join(&name));
                    }
                }
                for (name, node) in nodes {
                    self.one(&folder, name, node, &path.join(name));
                }
                if now.mode != stamp.mode {
                    folder.set_mode(stamp.mode & 0o777)?;
                    self.tell(path, Tampering::Changed, None);
                }
                Ok(())
            }
            (Node::Folder(stamp, nodes), _) => {
                self.take_away(parent, name, path, what)?;
                fill(parent, name, stamp, nodes)
            }
        }
    }

    /// One of several: its failure does not keep the others.
    fn one(&mut self, parent: &Folder, name: &OsStr, was: &Node, path: &Path) {
        if let Err(error) = self.mend(parent, name, was, path) {
            self.failed(path, &error);
        }
    }

    /// Puts aside what stands at a path, and tells of it.
    fn take_away(
        &mut self,
        parent: &Folder,
        name: &OsStr,
        path: &Path,
        what: Tampering,
    ) -> io::Result<()> {
        let aside = match parent.look(name)? {
            None => None,
            Some(stamp) => self.put_aside(parent, name, &stamp)?,
        };
        self.tell(path, what, aside);
        Ok(())
    }

    fn put_aside(
        &mut self,
        parent: &Folder,
        name: &OsStr,
        stamp: &Stamp,
    ) -> io::Result<Option<PathBuf>> {
        if stamp.kind == Kind::Folder {
            // Moving a folder changes its `..`, for which it has to be writable.
            parent.child_of_ours(name)?.set_mode(stamp.mode | 0o700)?;
        }
        let number = self.restored.len();
        let Some(aside) = self.aside() else { return remove(parent, name, stamp).map(|()| None) };
        let mut to = OsString::from(format!("{number}-"));
        to.push(name);
        let kept = aside.path().join(&to);
        match rustix::fs::renameat(parent, name, aside.folder(), &to) {
            Ok(()) => Ok(Some(kept)),
            Err(Errno::XDEV) => {
                let copied = copy_aside(parent, name, aside.folder(), &to, stamp);
                remove(parent, name, stamp)?;
                Ok(copied.is_ok().then_some(kept))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The folder for an agent's versions, made when it is first needed. None where there is no place.
    fn aside(&mut self) -> Option<&Scratch> {
        if self.aside.is_none() {
            let places = self.guard.places.iter();
            let mut made =
                places.filter_map(|place| Scratch::create(place, &self.guard.workspace).ok());
            let mut scratch = made.next()?;
            scratch.keep().ok()?;
            self.aside = Some(scratch);
        }
        self.aside.as_ref()
    }

    fn tell(&mut self, path: &Path, what: Tampering, aside: Option<PathBuf>) {
        self.restored.push(Restored { path: path.to_owned(), what, aside, failure: None });
    }

    fn failed(&mut self, path: &Path, error: &io::Error) {
        let failure = Some(error.to_string());
        // What was told of it already did not come to its end.
        if let Some(told) = self.restored.last_mut().filter(|told| told.path == path) {
            told.failure = failure;
            return;
        }
        let what = Tampering::Changed;
        self.restored.push(Restored { path: path.to_owned(), what, aside: None, failure });
    }
}

/// Whether a file has these permissions and this content.
fn same_file(parent: &Folder, name: &OsStr, stamp: &Stamp, bytes: &[u8]) -> io::Result<bool> {
    let Some(now) = parent.look(name)? else { return Ok(false) };
    if now.kind != Kind::File || now.mode != stamp.mode || now.size != bytes.len() as u64 {
        return Ok(false);
    }
    let mut read = Vec::with_capacity(bytes.len());
    parent.file_of_ours(name)?.take(bytes.len() as u64 + 1).read_to_end(&mut read)?;
    Ok(read == bytes)
}

fn write_file(parent: &Folder, name: &OsStr, stamp: &Stamp, bytes: &[u8]) -> io::Result<()> {
    let mut file = parent.create(name)?;
    file.write_all(bytes)?;
    let (user, group) = (
        rustix::process::Uid::from_raw(stamp.owner.0),
        rustix::process::Gid::from_raw(stamp.owner.1),
    );
    // Only a superuser can; everybody else's are their own.
    let _ = rustix::fs::fchown(&file, Some(user), Some(group));
    rustix::fs::fchmod(&file, rustix::fs::Mode::from_raw_mode(stamp.mode & 0o777))?;
    Ok(rustix::fs::futimens(&file, &copy::times(stamp))?)
}

/// Makes a folder and what was in it.
fn fill(
    parent: &Folder,
    name: &OsStr,
    stamp: &Stamp,
    nodes: &BTreeMap<OsString, Node>,
) -> io::Result<()> {
    let mut folder = parent.create_folder(name)?;
    for (name, node) in nodes {
        match node {
            Node::File(stamp, bytes) => write_file(&folder, name, stamp, bytes)?,
            Node::Link(target) => rustix::fs::symlinkat(target, &folder, name)?,
            Node::Folder(stamp, nodes) => fill(&folder, name, stamp, nodes)?,
            Node::Absent | Node::Other => {}
        }
    }
    folder.set_mode(stamp.mode & 0o777)
}

fn copy_aside(
    parent: &Folder,
    name: &OsStr,
    to: &Folder,
    to_name: &OsStr,
    stamp: &Stamp,
) -> io::Result<()> {
    let mut copier = Copier::new(super::LIMIT);
    match stamp.kind {
        Kind::File => copier.content(&parent.file_of_ours(name)?, &to.create(to_name)?),
        Kind::Link => Ok(rustix::fs::symlinkat(parent.target(name)?, to, to_name)?),
        Kind::Folder => {
            let (from, to) = (parent.child_of_ours(name)?, to.create_folder(to_name)?);
            copy::tree(&from, &to, &mut copier).map(drop)
        }
        Kind::Other => Err(io::Error::from(Errno::INVAL)),
    }
}

fn remove(parent: &Folder, name: &OsStr, stamp: &Stamp) -> io::Result<()> {
    match stamp.kind {
        Kind::Folder => remove_tree(parent, name),
        _ => Ok(rustix::fs::unlinkat(parent, name, AtFlags::empty())?),
    }
}

fn about(path: &Path, doing: &str, error: &io::Error) -> io::Error {
    let path = printable(path.as_os_str());
    io::Error::new(error.kind(), format!("{doing} the protected path {path}: {error}"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;
    use crate::confinement::Layout;

    /// A repository, and the paths in it that are protected.
    struct World {
        folder: tempfile::TempDir,
        protect: Vec<&'static str>,
    }

    impl World {
        fn new(protect: &[&'static str]) -> Self {
            let world = Self { folder: tempfile::tempdir().unwrap(), protect: protect.to_vec() };
            fs::create_dir_all(world.at(".git/hooks")).unwrap();
            fs::write(world.at(".git/config"), "[core]\n").unwrap();
            fs::write(world.at(".git/hooks/pre-push"), "#!/bin/sh\n").unwrap();
            fs::set_permissions(world.at(".git/hooks/pre-push"), fs::Permissions::from_mode(0o755))
                .unwrap();
            world
        }

        fn at(&self, path: &str) -> PathBuf {
            self.folder.path().join("workspace").join(path)
        }

        fn guard(&self) -> Guard {
            let files = Files {
                workspace: self.folder.path().join("workspace"),
                workspace_access: Access::Write,
                layout: Layout::InPlace,
                protect: self.protect.iter().map(|path| self.at(path)).collect(),
                ..Files::default()
            };
            let mut guard = Guard::take(&files).unwrap();
            guard.places = vec![self.folder.path().join("place")];
            guard
        }

        /// What was put back: what was done, and the path.
        fn told(&self, restored: &[Restored]) -> Vec<String> {
            let mut told: Vec<_> = restored
                .iter()
                .map(|one| {
                    assert_eq!(one.failure, None, "{one}");
                    let path = one.path.strip_prefix(self.at("")).unwrap();
                    format!("{:?} {}", one.what, path.display())
                })
                .collect();
            told.sort();
            told
        }
    }

    const USUAL: [&str; 4] = [".git/hooks", ".git/config", ".vscode/settings.json", ".mcp.json"];

    #[test]
    fn what_is_untouched_is_left_alone() {
        let world = World::new(&USUAL);
        let guard = world.guard();
        let inode = fs::metadata(world.at(".git/config")).unwrap().ino();
        fs::write(world.at("other"), "fine").unwrap();
        fs::create_dir(world.at(".vscode")).unwrap();
        fs::write(world.at(".vscode/other"), "fine").unwrap();
        assert_eq!(world.told(&guard.restore().unwrap()), Vec::<String>::new());
        assert_eq!(fs::metadata(world.at(".git/config")).unwrap().ino(), inode);
        assert!(world.at(".vscode/other").exists());
    }

    #[test]
    fn what_was_changed_added_or_removed_is_as_it_was() {
        let world = World::new(&USUAL);
        let guard = world.guard();
        let modified = fs::metadata(world.at(".git/config")).unwrap().modified().unwrap();
        // The same length, and the time put back: the content tells.
        fs::write(world.at(".git/config"), "[evil]\n").unwrap();
        let config = fs::File::options().write(true).open(world.at(".git/config")).unwrap();
        config.set_modified(modified).unwrap();
        fs::remove_file(world.at(".git/hooks/pre-push")).unwrap();
        fs::write(world.at(".git/hooks/pre-commit"), "evil").unwrap();
        fs::create_dir_all(world.at(".vscode/settings.json/deep")).unwrap();
        symlink("/etc/passwd", world.at(".mcp.json")).unwrap();
        let restored = guard.restore().unwrap();
        assert_eq!(
            world.told(&restored),
            [
                "Added .git/hooks/pre-commit",
                "Added .mcp.json",
                "Added .vscode/settings.json",
                "Changed .git/config",
                "Removed .git/hooks/pre-push",
            ]
        );
        assert_eq!(fs::read_to_string(world.at(".git/config")).unwrap(), "[core]\n");
        assert_eq!(fs::metadata(world.at(".git/config")).unwrap().modified().unwrap(), modified);
        let hook = fs::metadata(world.at(".git/hooks/pre-push")).unwrap();
        assert_eq!(hook.mode() & 0o7777, 0o755);
        assert!(!world.at(".git/hooks/pre-commit").exists());
        assert!(!world.at(".mcp.json").is_symlink() && !world.at(".vscode/settings.json").exists());
        let evil = restored.iter().find(|one| one.path.ends_with("pre-commit")).unwrap();
        assert_eq!(fs::read_to_string(evil.aside.as_ref().unwrap()).unwrap(), "evil");
        assert!(fs::metadata("/etc/passwd").is_ok());
        assert_eq!(world.told(&guard.restore().unwrap()), Vec::<String>::new(), "twice is once");
    }

    #[test]
    fn a_folder_that_was_replaced_by_a_link_is_a_folder_again() {
        let world = World::new(&USUAL);
        let guard = world.guard();
        let elsewhere = world.folder.path().join("elsewhere");
        fs::create_dir_all(elsewhere.join("hooks")).unwrap();
        fs::write(elsewhere.join("hooks/pre-push"), "theirs").unwrap();
        fs::rename(world.at(".git"), world.at("moved")).unwrap();
        symlink(&elsewhere, world.at(".git")).unwrap();
        symlink(&elsewhere, world.at(".vscode")).unwrap();
        let restored = guard.restore().unwrap();
        assert_eq!(
            world.told(&restored),
            ["Added .vscode", "Changed .git", "Removed .git/config", "Removed .git/hooks"]
        );
        assert_eq!(fs::read_to_string(world.at(".git/config")).unwrap(), "[core]\n");
        assert!(!world.at(".git").is_symlink() && world.at(".git/hooks/pre-push").exists());
        assert_eq!(fs::read_to_string(elsewhere.join("hooks/pre-push")).unwrap(), "theirs");
    }

    #[test]
    fn a_file_on_the_way_is_protected_in_its_place() {
        let world = World::new(&["tree/.git/hooks", "linked/settings.json"]);
        fs::create_dir(world.at("tree")).unwrap();
        fs::write(world.at("tree/.git"), "gitdir: ../.git\n").unwrap();
        fs::create_dir(world.at("real")).unwrap();
        fs::write(world.at("real/settings.json"), "{}").unwrap();
        symlink("real", world.at("linked")).unwrap();
        let guard = world.guard();
        fs::write(world.at("tree/.git"), "gitdir: /evil\n").unwrap();
        fs::write(world.at("real/settings.json"), "evil").unwrap();
        assert_eq!(
            world.told(&guard.restore().unwrap()),
            ["Changed real/settings.json", "Changed tree/.git"]
        );
        fs::remove_file(world.at("linked")).unwrap();
        fs::create_dir(world.at("linked")).unwrap();
        assert_eq!(world.told(&guard.restore().unwrap()), ["Changed linked"]);
        assert_eq!(fs::read_link(world.at("linked")).unwrap(), Path::new("real"));
    }

    #[test]
    fn unreadable_leftovers_are_put_aside_all_the_same() {
        let world = World::new(&USUAL);
        let guard = world.guard();
        fs::create_dir(world.at(".git/hooks/shut")).unwrap();
        for path in [".git/hooks/shut", ".git/hooks", ".git"] {
            fs::set_permissions(world.at(path), fs::Permissions::from_mode(0)).unwrap();
        }
        let restored = guard.restore().unwrap();
        let git = fs::metadata(world.at(".git")).unwrap();
        fs::set_permissions(world.at(".git"), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(world.told(&restored), ["Added .git/hooks/shut", "Changed .git/hooks"]);
        assert_eq!(git.mode() & 0o777, 0, "the agent's own, since it is not protected");
        assert_eq!(fs::metadata(world.at(".git/hooks")).unwrap().mode() & 0o777, 0o755);
    }

    #[test]
    fn what_is_only_read_needs_no_guard_and_too_much_is_refused() {
        let world = World::new(&USUAL);
        let files = Files {
            workspace: world.at(""),
            workspace_access: Access::Read,
            protect: vec![world.at(".git/hooks")],
            ..Files::default()
        };
        assert!(Guard::take(&files).unwrap().is_empty());
        let large = fs::File::create(world.at(".git/hooks/large")).unwrap();
        large.set_len(BYTES + 1).unwrap();
        let files = Files { workspace_access: Access::Write, ..files };
        let error = Guard::take(&files).unwrap_err().to_string();
        assert!(error.contains("protect less"), "{error}");
    }
}
