//! Tries something in a process of its own, in namespaces of its own.

#![expect(unsafe_code, reason = "fork and unshare")]

use std::io;

use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions};
use rustix::thread::UnshareFlags;

/// Whether `work` succeeds in a user and a mount namespace of its own, in which `user` and `group`
/// are themselves. The process ends with it.
///
/// In a program with threads, `work` must not need what another of them holds.
pub fn in_namespaces(
    user: u32,
    group: u32,
    work: impl FnOnce() -> Result<(), Errno>,
) -> io::Result<()> {
    // SAFETY: the child runs `work` on a copy of this memory and ends by `_exit`: it neither returns
    // nor runs destructors or handlers of this process.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let failure = enter(user, group).and_then(|()| work()).err();
            let code = failure.map_or(0, |error| error.raw_os_error().clamp(1, 255));
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(code) }
        }
        child => {
            let child = Pid::from_raw(child);
            let status = loop {
                match rustix::process::waitpid(child, WaitOptions::empty()) {
                    Ok(Some((_, status))) => break status,
                    Ok(None) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            };
            match status.exit_status() {
                Some(0) => Ok(()),
                Some(code) => Err(io::Error::from_raw_os_error(code)),
                None => Err(io::Error::other("the attempt was ended by a signal")),
            }
        }
    }
}

fn enter(user: u32, group: u32) -> Result<(), Errno> {
    let kinds = UnshareFlags::NEWUSER | UnshareFlags::NEWNS;
    // SAFETY: unsharing files is what could surprise other threads; this process has none and shares none.
    unsafe { rustix::thread::unshare_unsafe(kinds) }?;
    let write = |path: &str, text: String| {
        std::fs::write(path, text)
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
    };
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    write("/proc/self/gid_map", format!("{group} {group} 1"))
}
