//! Puts protected paths back: what stands there goes aside, what stood there comes back.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::super::LIMIT;
use super::super::copy::{self, Copier};
use super::super::folder::{Folder, Kind, Stamp};
use super::super::scratch::{Scratch, remove_tree};
use super::{Guard, Node, Point, Restored, Tampering};

/// One putting back.
pub(super) struct Restoring<'a> {
    guard: &'a Guard,
    aside: Option<Scratch>,
    pub(super) restored: Vec<Restored>,
}

impl<'a> Restoring<'a> {
    pub(super) fn new(guard: &'a Guard) -> Self {
        Self { guard, aside: None, restored: Vec::new() }
    }

    pub(super) fn point(&mut self, point: &Point) -> io::Result<()> {
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

    pub(super) fn failed(&mut self, path: &Path, error: &io::Error) {
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
    let mut copier = Copier::new(LIMIT);
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
