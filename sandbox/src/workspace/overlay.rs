//! Overlays: the workspace below, what is written above. This mounts one, says whether it can be
//! mounted, and reads what was written.
//!
//! Mounted in a user namespace, an overlay remembers in `user.overlay.*` attributes what it needs, and
//! says that a file is removed by a character device 0:0 in its place.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

use super::Note;
use super::folder::{Folder, Kind, Stamp, walk};
use super::manifest::{Changed, Manifest};

/// Mounts an overlay that is nowhere yet; `move_mount` puts it in its place. In the user namespace of
/// the caller, which needs to own its mounts.
///
/// The folders are named by descriptors: a path of more than 255 bytes, or with `:` or `,` in it,
/// cannot be said otherwise.
pub fn mount(lower: &Path, upper: &Path, work: &Path) -> io::Result<OwnedFd> {
    let filesystem = rustix::mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    // They stay open until the mount is made: that is when their names are looked up.
    let mut held = Vec::new();
    for (key, path) in [("lowerdir", lower), ("upperdir", upper), ("workdir", work)] {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path, flags, Mode::empty())?;
        let name = format!("/proc/self/fd/{}", folder.as_raw_fd());
        rustix::mount::fsconfig_set_string(filesystem.as_fd(), key, name)?;
        held.push(folder);
    }
    rustix::mount::fsconfig_set_flag(filesystem.as_fd(), "userxattr")?;
    rustix::mount::fsconfig_create(filesystem.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    Ok(rustix::mount::fsmount(filesystem.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

/// Whether an overlay can be mounted there: a process of its own tries it in namespaces of its own.
/// For a program without threads.
pub(crate) fn attempt(lower: &Path, upper: &Path, work: &Path) -> io::Result<()> {
    let user = rustix::process::geteuid().as_raw();
    let group = rustix::process::getegid().as_raw();
    crate::sys::attempt::in_namespaces(user, group, || {
        mount(lower, upper, work)
            .map(drop)
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
    })
}

/// What was written: for each path whether it is gone or what it is now.
pub(crate) fn read(upper: &Folder, base: &Manifest) -> io::Result<(Changed, Vec<Note>)> {
    let mut changed = Changed::default();
    let mut notes = Vec::new();
    walk(upper, true, &mut |parent, name, path, stamp| {
        if is_whiteout(parent, name, stamp) {
            changed.gone(path, base)?;
            return Ok(false);
        }
        if stamp.kind == Kind::Folder {
            let folder = parent.child_of_ours(name)?;
            if attribute(&folder, "redirect").is_some() {
                notes.push(Note::new(path, "was renamed in a way that is not understood".into()));
                return Ok(false);
            }
            if attribute(&folder, "opaque").as_deref() == Some(b"y".as_slice()) {
                changed.gone_below(path, base)?;
            }
        } else {
            changed.gone_below(path, base)?;
        }
        if stamp.kind == Kind::File
            && let Ok(file) = parent.file_of_ours(name)
            && attribute(&file, "metacopy").is_some()
        {
            notes
                .push(Note::new(path, "has its content elsewhere, which is not understood".into()));
            return Ok(false);
        }
        changed.present(path, *stamp)?;
        Ok(true)
    })?;
    Ok((changed, notes))
}

/// Whether this stands for a file that was removed. The attribute is another way of saying so, which
/// overlays over overlays read.
fn is_whiteout(parent: &Folder, name: &OsStr, stamp: &Stamp) -> bool {
    stamp.whiteout
        || (stamp.kind == Kind::File
            && stamp.size == 0
            && parent.file_of_ours(name).is_ok_and(|file| attribute(&file, "whiteout").is_some()))
}

/// What an overlay remembers of a file, under the name that it has in a user namespace or outside.
fn attribute(of: impl AsFd, name: &str) -> Option<Vec<u8>> {
    ["user.overlay.", "trusted.overlay."].into_iter().find_map(|prefix| {
        let mut value = vec![0; 256];
        let length =
            match rustix::fs::fgetxattr(&of, format!("{prefix}{name}"), value.as_mut_slice()) {
                Ok(length) => length,
                // Longer than any that we know: it is there.
                Err(Errno::RANGE) => 0,
                Err(_) => return None,
            };
        value.truncate(length);
        Some(value)
    })
}
