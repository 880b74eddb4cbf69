//! Attempts on files that rustix has no function for, or that must go to the kernel as they are.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::answer;

/// The descriptor that a number stands for, if it stands for one: copied, so that it is ours.
pub fn copy_of_descriptor(number: i32) -> io::Result<OwnedFd> {
    // SAFETY: fcntl takes numbers alone.
    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    answer(libc::c_long::from(copy))?;
    // SAFETY: the kernel has just made it, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Opens with `openat2` and its way of resolving paths.
pub fn open2(folder: BorrowedFd<'_>, path: &Path, flags: i32, resolve: u64) -> io::Result<OwnedFd> {
    let path = c_string(path)?;
    let how = [flags as u64, 0u64, resolve];
    // SAFETY: `path` ends with a zero; `how` is an open_how, whose size is told; both outlive the call.
    let fd = answer(unsafe {
        libc::syscall(libc::SYS_openat2, folder.as_raw_fd(), path.as_ptr(), how.as_ptr(), 24usize)
    })?;
    // SAFETY: the kernel has just made it, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Changes a file's mode with `fchmodat2` (Linux 6.6).
pub fn change_mode2(path: &Path, mode: u32) -> io::Result<()> {
    const FCHMODAT2: libc::c_long = 452;
    let path = c_string(path)?;
    // SAFETY: `path` ends with a zero and outlives the call.
    answer(unsafe { libc::syscall(FCHMODAT2, libc::AT_FDCWD, path.as_ptr(), mode, 0) }).map(drop)
}

/// Sets an extended attribute with `setxattrat` (Linux 6.13).
pub fn set_attribute_at(path: &Path, value: &[u8]) -> io::Result<()> {
    const SETXATTRAT: libc::c_long = 463;
    let path = c_string(path)?;
    let arguments = [value.as_ptr() as u64, value.len() as u64];
    // SAFETY: both strings end with a zero; `arguments` is a xattr_args, whose size is told.
    answer(unsafe {
        libc::syscall(
            SETXATTRAT,
            libc::AT_FDCWD,
            path.as_ptr(),
            0,
            c"user.selftest".as_ptr(),
            arguments.as_ptr(),
            16usize,
        )
    })
    .map(drop)
}

/// Sets a file's flags with `file_setattr` (Linux 6.17): no dump.
pub fn set_flags_at(path: &Path) -> io::Result<()> {
    const FILE_SETATTR: libc::c_long = 469;
    const NO_DUMP: u64 = 0x80;
    let path = c_string(path)?;
    let attributes = [NO_DUMP, 0, 0];
    // SAFETY: `path` ends with a zero; `attributes` is a file_attr, whose size is told.
    answer(unsafe {
        libc::syscall(FILE_SETATTR, libc::AT_FDCWD, path.as_ptr(), attributes.as_ptr(), 24usize, 0)
    })
    .map(drop)
}

/// Sets the flags of an open file by ioctl: no dump.
pub fn set_flags(file: BorrowedFd<'_>) -> io::Result<()> {
    let flags: libc::c_long = 0x40;
    // SAFETY: FS_IOC_SETFLAGS reads one number, which has the size that the command tells.
    answer(libc::c_long::from(unsafe {
        libc::ioctl(file.as_raw_fd(), libc::FS_IOC_SETFLAGS as _, &raw const flags)
    }))
    .map(drop)
}

/// A file's handle, by which it could be opened without its path.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Handle {
    bytes: u32,
    kind: i32,
    value: [u8; 128],
}

/// A file's handle.
pub fn handle_of(path: &Path) -> io::Result<Handle> {
    let path = c_string(path)?;
    let mut handle = Handle { bytes: 128, kind: 0, value: [0; 128] };
    let mut mount = 0i32;
    // SAFETY: `path` ends with a zero; `handle` says how much may be written to it; all outlive the
    // call.
    answer(unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            libc::AT_FDCWD,
            path.as_ptr(),
            &raw mut handle,
            &raw mut mount,
            0,
        )
    })?;
    Ok(handle)
}

/// Opens a file by its handle, on the file system of `mount`.
pub fn open_handle(mount: BorrowedFd<'_>, mut handle: Handle) -> io::Result<OwnedFd> {
    // SAFETY: `handle` has the size that it says and outlives the call.
    let fd = answer(unsafe {
        libc::syscall(
            libc::SYS_open_by_handle_at,
            mount.as_raw_fd(),
            &raw mut handle,
            libc::O_RDONLY | libc::O_CLOEXEC,
        )
    })?;
    // SAFETY: the kernel has just made it, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Watches a file with inotify: what happens to it is told.
pub fn watch(path: &Path) -> io::Result<OwnedFd> {
    let path = c_string(path)?;
    // SAFETY: takes a number alone.
    let fd = unsafe { libc::inotify_init1(libc::IN_CLOEXEC) };
    answer(libc::c_long::from(fd))?;
    // SAFETY: the kernel has just made it, and nobody else has it.
    let watch = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: `path` ends with a zero and outlives the call.
    answer(libc::c_long::from(unsafe {
        libc::inotify_add_watch(fd, path.as_ptr(), libc::IN_ALL_EVENTS)
    }))?;
    Ok(watch)
}

/// Watches a file with fanotify.
pub fn watch_all(path: &Path) -> io::Result<()> {
    let path = c_string(path)?;
    // SAFETY: takes numbers alone. FAN_CLASS_NOTIF | FAN_REPORT_FID, which a plain user may have.
    let fd = answer(unsafe { libc::syscall(libc::SYS_fanotify_init, 0x200, libc::O_RDONLY) })?;
    // SAFETY: the kernel has just made it, and nobody else has it.
    let watch = unsafe { OwnedFd::from_raw_fd(fd as i32) };
    // SAFETY: `path` ends with a zero. FAN_MARK_ADD, FAN_OPEN.
    answer(unsafe {
        libc::syscall(
            libc::SYS_fanotify_mark,
            watch.as_raw_fd(),
            1,
            0x20u64,
            libc::AT_FDCWD,
            path.as_ptr(),
        )
    })
    .map(drop)
}

/// Cuts a file off at its start, by its path alone.
pub fn truncate(path: &Path) -> io::Result<()> {
    let path = c_string(path)?;
    // SAFETY: `path` ends with a zero and outlives the call.
    answer(libc::c_long::from(unsafe { libc::truncate(path.as_ptr(), 0) })).map(drop)
}

/// Makes another folder this process's root.
pub fn change_root(path: &Path) -> io::Result<()> {
    let path = c_string(path)?;
    // SAFETY: `path` ends with a zero and outlives the call.
    answer(libc::c_long::from(unsafe { libc::chroot(path.as_ptr()) })).map(drop)
}

fn c_string(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)
}
