//! Copies files and folders: blocks are shared where the file system can, and holes stay holes.
//!
//! Symbolic links stay what they are, hard links among the copied files too; modes, times and `user.*`
//! attributes are kept. Sockets, pipes and devices are not copied, nor is what cannot be read: each is
//! told.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom as Position, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, SeekFrom, Timespec, Timestamps, XattrFlags};
use rustix::io::Errno;

use super::Note;
use super::folder::{Folder, Kind, Stamp, is_absent, walk};
use super::manifest::Manifest;

/// The most that an attribute's value or a list of names may have, by Linux.
const ATTRIBUTE: usize = 65_536;

/// Special bits, which are never copied.
const SPECIAL: u32 = 0o7000;

/// What is copied in one call.
const CHUNK: usize = 1 << 30;

/// Copies content, and says whether the file system lets files share it.
#[derive(Debug)]
pub(crate) struct Copier {
    share: bool,
    /// Bytes that took space of their own.
    copied: u64,
    limit: u64,
}

impl Copier {
    /// Copies up to `limit` bytes that are not shared.
    pub(crate) fn new(limit: u64) -> Self {
        Self { share: true, copied: 0, limit }
    }

    /// Whether more would have been copied than may be.
    pub(crate) fn is_over(&self) -> bool {
        self.copied > self.limit
    }

    /// Copies content to an empty file.
    pub(crate) fn content(&mut self, from: &File, to: &File) -> io::Result<()> {
        if self.share {
            match rustix::fs::ioctl_ficlone(to, from) {
                Ok(()) => return Ok(()),
                Err(Errno::OPNOTSUPP | Errno::NOTTY | Errno::XDEV | Errno::NOSYS) => {
                    self.share = false;
                }
                // Others concern this file alone.
                Err(_) => {}
            }
        }
        let size = from.metadata()?.len();
        let mut at = 0;
        while at < size {
            let start = match rustix::fs::seek(from, SeekFrom::Data(at)) {
                Ok(start) => start,
                // A hole up to the end.
                Err(Errno::NXIO) => break,
                Err(error) => return Err(error.into()),
            };
            let end = rustix::fs::seek(from, SeekFrom::Hole(start))?;
            self.copied = self.copied.saturating_add(end.saturating_sub(start));
            if self.copied > self.limit {
                return Err(io::Error::from(Errno::FBIG));
            }
            range(from, to, start, end)?;
            at = end;
        }
        to.set_len(size)
    }
}

fn range(mut from: &File, mut to: &File, start: u64, end: u64) -> io::Result<()> {
    let (mut read, mut written) = (start, start);
    while read < end {
        let left = usize::try_from(end - read).unwrap_or(CHUNK).min(CHUNK);
        match rustix::fs::copy_file_range(from, Some(&mut read), to, Some(&mut written), left) {
            // It became shorter.
            Ok(0) => return Ok(()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::NOSYS | Errno::INVAL | Errno::OPNOTSUPP | Errno::PERM) => {
                from.seek(Position::Start(read))?;
                to.seek(Position::Start(read))?;
                io::copy(&mut from.take(end - read), &mut to)?;
                return to.flush();
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Sets on a copy what the original has besides its content. Attributes come first: they cannot be set
/// on what cannot be written to.
pub(crate) fn finish_file(from: &File, to: &File, stamp: &Stamp) -> io::Result<()> {
    attributes(from, to)?;
    let mode = rustix::fs::Mode::from_raw_mode(stamp.mode & !SPECIAL);
    rustix::fs::fchmod(to, mode)?;
    Ok(rustix::fs::futimens(to, &times(stamp))?)
}

/// The times to set on a copy.
pub(crate) fn times(stamp: &Stamp) -> Timestamps {
    let time = Timespec { tv_sec: stamp.modified.0, tv_nsec: stamp.modified.1.into() };
    Timestamps { last_access: time, last_modification: time }
}

/// Copies `user.*` attributes, but for those by which overlays remember things.
pub(crate) fn attributes(from: impl AsFd, to: impl AsFd) -> io::Result<()> {
    let mut list = vec![0; ATTRIBUTE];
    let length = match rustix::fs::flistxattr(&from, list.as_mut_slice()) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP | Errno::PERM) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for name in list[..length].split(|byte| *byte == 0) {
        if !name.starts_with(b"user.") || name.starts_with(b"user.overlay.") {
            continue;
        }
        let mut value = vec![0; ATTRIBUTE];
        match rustix::fs::fgetxattr(&from, name, value.as_mut_slice()) {
            Ok(length) => {
                match rustix::fs::fsetxattr(&to, name, &value[..length], XattrFlags::empty()) {
                    // A file system without room for them loses them, as `cp` does.
                    Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSPC) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Err(Errno::NODATA) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Copies what is in a folder to an empty one. Answers what was there, and what was left out.
pub(crate) fn tree(
    from: &Folder,
    to: &Folder,
    copier: &mut Copier,
) -> io::Result<(Manifest, Vec<Note>)> {
    let mut manifest = Manifest::default();
    let mut notes = Vec::new();
    let mut linked: BTreeMap<(u64, (u32, u32)), PathBuf> = BTreeMap::new();
    let mut folders = Vec::new();
    walk(from, false, &mut |parent, name, path, stamp| {
        let copied = match stamp.kind {
            Kind::Folder => match parent.child(name) {
                Ok(_) => {
                    let (target, name) = to.parent(path)?;
                    target.create_folder(name)?;
                    folders.push((path.to_owned(), *stamp));
                    Ok(())
                }
                Err(error) => Err(error),
            },
            Kind::Link => link(parent, name, to, path, stamp),
            Kind::Other => Err(io::Error::other("sockets, pipes and devices are not copied")),
            Kind::File if stamp.links > 1 => {
                let key = (stamp.inode, stamp.device);
                let (target, to_name) = to.parent(path)?;
                if let Some(first) = linked.get(&key) {
                    let flags = AtFlags::empty();
                    rustix::fs::linkat(to, first, &target, to_name, flags).map_err(Into::into)
                } else {
                    let made = file(parent, name, &target, to_name, stamp, copier);
                    linked.extend(made.is_ok().then(|| (key, path.to_owned())));
                    made
                }
            }
            Kind::File => {
                let (target, to_name) = to.parent(path)?;
                file(parent, name, &target, to_name, stamp, copier)
            }
        };
        match copied {
            Ok(()) => {
                manifest.insert(path, *stamp)?;
                Ok(true)
            }
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) if stamp.kind == Kind::Other || is_unreadable(&error) => {
                manifest.leave_out(path);
                notes.push(Note::new(path, format!("not in the copy: {error}")));
                Ok(false)
            }
            Err(error) => Err(naming(path, &error)),
        }
    })?;
    // The deepest first: a folder that cannot be written to is filled by then.
    for (path, stamp) in folders.iter().rev() {
        let source = from.descend(path)?;
        let mut target = to.descend(path)?;
        attributes(&source, &target)?;
        target.set_mode(stamp.mode & !SPECIAL)?;
        rustix::fs::futimens(&target, &times(stamp))?;
    }
    Ok((manifest, notes))
}

fn file(
    parent: &Folder,
    name: &OsStr,
    target: &Folder,
    to_name: &OsStr,
    stamp: &Stamp,
    copier: &mut Copier,
) -> io::Result<()> {
    let source = parent.file(name)?;
    let copy = target.create(to_name)?;
    copier.content(&source, &copy)?;
    finish_file(&source, &copy, stamp)
}

fn link(parent: &Folder, name: &OsStr, to: &Folder, path: &Path, stamp: &Stamp) -> io::Result<()> {
    let points: OsString = parent.target(name)?;
    let (target, to_name) = to.parent(path)?;
    rustix::fs::symlinkat(points, &target, to_name)?;
    rustix::fs::utimensat(&target, to_name, &times(stamp), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}

fn is_unreadable(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::ACCESS | Errno::PERM))
}

/// The same error with the path in its words, its number kept apart from it.
fn naming(path: &Path, error: &io::Error) -> io::Error {
    let path = crate::workspace::diff::printable(path.as_os_str());
    io::Error::new(error.kind(), format!("{path}: {error}"))
}
