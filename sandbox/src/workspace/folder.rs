//! An open folder, and what is in it: every step down is one name, and no symbolic link is followed.
//!
//! All of [`crate::workspace`] reaches files this way, since an agent may have put a link anywhere. It
//! decides nothing about what is read or written.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, StatxFlags};
use rustix::io::Errno;
use serde::Serialize;

/// How many folders deep a tree is read. Each open level holds a descriptor.
pub(crate) const DEPTH: usize = 256;

/// How many files and folders a tree may have, and with it the memory that reading it takes.
pub(crate) const ENTRIES: usize = 1_000_000;

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A socket, a pipe or a device.
    Other,
}

/// What can be told of a file without reading it. Equal stamps are taken for an unchanged file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) kind: Kind,
    /// Permissions and special bits: 0o7777 at most.
    pub(crate) mode: u32,
    pub(crate) size: u64,
    pub(crate) device: (u32, u32),
    pub(crate) inode: u64,
    pub(crate) links: u32,
    pub(crate) owner: (u32, u32),
    /// Seconds and nanoseconds of the last change of its content.
    pub(crate) modified: (i64, u32),
    /// The same of anything else of it; cannot be set by who owns it.
    pub(crate) changed: (i64, u32),
    /// A character device 0:0, by which an overlay says that a file is removed.
    pub(crate) whiteout: bool,
}

impl Stamp {
    /// Whether this is the same file with the same content, as far as can be told. What only touches
    /// the inode, such as one more hard link, does not count.
    pub(crate) fn same_content(&self, other: &Self) -> bool {
        let key = |stamp: &Self| {
            (stamp.kind, stamp.mode, stamp.size, stamp.device, stamp.inode, stamp.modified)
        };
        key(self) == key(other)
    }
}

/// A folder that is open.
#[derive(Debug)]
pub(crate) struct Folder {
    fd: OwnedFd,
    /// The mode to put back when it is closed: its owner's rights were added to read it.
    restore: Option<u32>,
}

impl Folder {
    /// Opens a folder whose path is trusted.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        Ok(Self { fd: rustix::fs::open(path, flags, Mode::empty())?, restore: None })
    }

    /// Opens a folder in this one.
    pub(crate) fn child(&self, name: &OsStr) -> io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        Ok(Self { fd: rustix::fs::openat(&self.fd, name, flags, Mode::empty())?, restore: None })
    }

    /// Opens a folder in this one that is ours and that an agent may have made unreadable: the mode is
    /// put back when it is closed.
    pub(crate) fn child_of_ours(&self, name: &OsStr) -> io::Result<Self> {
        // Superusers without the capability have no rights either: the mode alone does not tell.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let found = self.look(name)?;
        if let Some(stamp) = found
            && stamp.kind == Kind::Folder
            && stamp.mode & 0o700 != 0o700
        {
            let handle = rustix::fs::openat(&self.fd, name, flags, Mode::empty())?;
            set_mode_by_handle(&handle, stamp.mode | 0o700)?;
            let mut child = self.child(name)?;
            child.restore = Some(stamp.mode);
            return Ok(child);
        }
        self.child(name)
    }

    /// Opens the folder at a path below this one; an empty path is this one again.
    pub(crate) fn descend(&self, path: &Path) -> io::Result<Self> {
        let mut here = Self { fd: self.fd.try_clone()?, restore: None };
        for part in path.components() {
            let Component::Normal(name) = part else { return Err(io::Error::from(Errno::INVAL)) };
            here = here.child(name)?;
        }
        Ok(here)
    }

    /// Opens the folder in which a path below this one stands, and its name there.
    pub(crate) fn parent<'a>(&self, path: &'a Path) -> io::Result<(Self, &'a OsStr)> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::Error::from(Errno::INVAL));
        };
        Ok((self.descend(parent)?, name))
    }

    /// The names in it, in no order.
    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
            if names.len() > ENTRIES {
                return Err(io::Error::other(format!("more than {ENTRIES} files in one folder")));
            }
        }
        Ok(names)
    }

    /// What stands at a name, if anything.
    pub(crate) fn look(&self, name: &OsStr) -> io::Result<Option<Stamp>> {
        match self.stamp(name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stamp) => Ok(Some(stamp)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What stands at a path below this one. None where it or a folder on the way is absent, or where
    /// something else stands in a folder's place.
    pub(crate) fn look_below(&self, path: &Path) -> io::Result<Option<Stamp>> {
        match self.parent(path) {
            Ok((parent, name)) => parent.look(name),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What this folder is itself.
    pub(crate) fn itself(&self) -> io::Result<Stamp> {
        Ok(self.stamp(OsStr::new(""), AtFlags::EMPTY_PATH)?)
    }

    fn stamp(&self, name: &OsStr, flags: AtFlags) -> Result<Stamp, Errno> {
        let found = rustix::fs::statx(&self.fd, name, flags, StatxFlags::BASIC_STATS)?;
        let kind = FileType::from_raw_mode(u32::from(found.stx_mode));
        Ok(Stamp {
            kind: match kind {
                FileType::RegularFile => Kind::File,
                FileType::Directory => Kind::Folder,
                FileType::Symlink => Kind::Link,
                _ => Kind::Other,
            },
            mode: u32::from(found.stx_mode) & 0o7777,
            size: found.stx_size,
            device: (found.stx_dev_major, found.stx_dev_minor),
            inode: found.stx_ino,
            links: found.stx_nlink,
            owner: (found.stx_uid, found.stx_gid),
            modified: (found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec),
            changed: (found.stx_ctime.tv_sec, found.stx_ctime.tv_nsec),
            whiteout: kind == FileType::CharacterDevice
                && (found.stx_rdev_major, found.stx_rdev_minor) == (0, 0),
        })
    }

    /// Opens a regular file for reading. Anything else is an error, and a pipe is not waited for.
    pub(crate) fn file(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file =
            File::from(rustix::fs::openat(&self.fd, name, flags | OFlags::NOCTTY, Mode::empty())?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::from(Errno::INVAL)) }
    }

    /// The same of a file that is ours and that an agent may have made unreadable.
    pub(crate) fn file_of_ours(&self, name: &OsStr) -> io::Result<File> {
        let Some(stamp) = self.look(name)? else { return Err(io::Error::from(Errno::NOENT)) };
        if stamp.kind != Kind::File || stamp.mode & 0o400 != 0 {
            return self.file(name);
        }
        let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let handle = rustix::fs::openat(&self.fd, name, flags, Mode::empty())?;
        set_mode_by_handle(&handle, stamp.mode | 0o400)?;
        let file = self.file(name);
        set_mode_by_handle(&handle, stamp.mode)?;
        file
    }

    /// Makes a file that is not there yet, for its owner alone.
    pub(crate) fn create(&self, name: &OsStr) -> io::Result<File> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR)?))
    }

    /// Makes a folder that is not there yet, for its owner alone, and opens it.
    pub(crate) fn create_folder(&self, name: &OsStr) -> io::Result<Self> {
        rustix::fs::mkdirat(&self.fd, name, Mode::RWXU)?;
        self.child(name)
    }

    /// Where a symbolic link points.
    pub(crate) fn target(&self, name: &OsStr) -> io::Result<OsString> {
        let target = rustix::fs::readlinkat(&self.fd, name, Vec::new())?;
        Ok(OsString::from_vec(target.into_bytes()))
    }

    /// Removes what is no folder.
    pub(crate) fn unlink(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::empty())?)
    }

    /// Removes an empty folder.
    pub(crate) fn unlink_folder(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR)?)
    }

    /// Sets this folder's permissions.
    pub(crate) fn set_mode(&mut self, mode: u32) -> io::Result<()> {
        self.restore = None;
        Ok(rustix::fs::fchmod(&self.fd, Mode::from_raw_mode(mode))?)
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(mode) = self.restore {
            // A mode that stays wider lets nobody in: the folders above are their owner's alone.
            let _ = rustix::fs::fchmod(&self.fd, Mode::from_raw_mode(mode));
        }
    }
}

/// Sets the permissions of what a handle without rights (`O_PATH`) stands for, which is no link.
pub(crate) fn set_mode_by_handle(handle: &OwnedFd, mode: u32) -> io::Result<()> {
    let path = PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd()));
    Ok(rustix::fs::chmod(path, Mode::from_raw_mode(mode))?)
}

/// Whether an error says that there is nothing at a path, or no folder on the way to it.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP))
}

/// Calls `visit` with everything below a folder, a folder before what is in it. Where it answers
/// false, a folder is not entered. `ours` opens folders that an agent made unreadable.
pub(crate) fn walk(
    folder: &Folder,
    ours: bool,
    visit: &mut dyn FnMut(&Folder, &OsStr, &Path, &Stamp) -> io::Result<bool>,
) -> io::Result<()> {
    descend_into(folder, ours, &mut PathBuf::new(), 0, visit)
}

fn descend_into(
    folder: &Folder,
    ours: bool,
    path: &mut PathBuf,
    depth: usize,
    visit: &mut dyn FnMut(&Folder, &OsStr, &Path, &Stamp) -> io::Result<bool>,
) -> io::Result<()> {
    if depth > DEPTH {
        return Err(io::Error::other(format!("folders are nested more than {DEPTH} deep")));
    }
    for name in folder.names()? {
        let Some(stamp) = folder.look(&name)? else { continue };
        path.push(&name);
        if visit(folder, &name, path, &stamp)? && stamp.kind == Kind::Folder {
            let child = if ours { folder.child_of_ours(&name) } else { folder.child(&name) };
            match child {
                Ok(child) => descend_into(&child, ours, path, depth + 1, visit)?,
                // Gone since it was seen.
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(error),
            }
        }
        path.pop();
    }
    Ok(())
}
