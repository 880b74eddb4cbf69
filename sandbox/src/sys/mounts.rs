//! `mount_setattr`, which changes a whole tree of mounts at once.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// What a mount becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Read-only, and without effect of setuid bits.
    ReadOnly,
    /// Written to again, still without effect of setuid bits and devices.
    Writable,
    /// The same, without what is mounted below.
    WritableAlone,
}

/// Changes a mount and all below it. `path` is taken from `folder`; an empty one is `folder` itself.
pub fn change(folder: impl AsFd, path: &CStr, to: Change) -> io::Result<()> {
    let (set, clear) = match to {
        Change::ReadOnly => (libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID, 0),
        Change::Writable | Change::WritableAlone => {
            (libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV, libc::MOUNT_ATTR_RDONLY)
        }
    };
    let attributes =
        libc::mount_attr { attr_set: set, attr_clr: clear, propagation: 0, userns_fd: 0 };
    let below = if to == Change::WritableAlone { 0 } else { libc::AT_RECURSIVE };
    let flags = libc::AT_EMPTY_PATH | below;
    // SAFETY: the path ends with null, and the attributes are of the size that is told; both are only read.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            folder.as_fd().as_raw_fd(),
            path.as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
