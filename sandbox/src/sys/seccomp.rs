//! Installs a seccomp filter on the calling thread.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use crate::seccomp::bpf::Instruction;

// The kernel reads instructions as `sock_filter`.
const _: () = assert!(
    size_of::<Instruction>() == size_of::<libc::sock_filter>()
        && align_of::<Instruction>() >= align_of::<libc::sock_filter>()
);

/// Installs a filter that notifies nobody. Needs `no_new_privs`.
pub(crate) fn install(program: &[Instruction]) -> io::Result<()> {
    set_filter(program, 0).map(|_| ())
}

/// Installs a filter and returns its listener, which is closed on exec.
///
/// Once a notification was taken, only a signal that kills interrupts the caller (Linux 5.19): what
/// is done on its behalf is then never done twice.
pub(crate) fn install_with_listener(program: &[Instruction]) -> io::Result<OwnedFd> {
    let listener = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    let raw = match set_filter(program, listener | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => set_filter(program, listener)?,
        other => other?,
    };
    let raw = i32::try_from(raw).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor for us; nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

fn set_filter(program: &[Instruction], flags: libc::c_ulong) -> io::Result<i64> {
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    let filter = libc::sock_fprog {
        len: length,
        filter: program.as_ptr().cast::<libc::sock_filter>().cast_mut(),
    };
    // SAFETY: `filter` points to `length` instructions of the kernel's layout (asserted above), which
    // outlive the call; the kernel copies them and does not write to them.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::c_ulong::from(libc::SECCOMP_SET_MODE_FILTER),
            flags,
            &raw const filter,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
