//! Making processes and becoming another program.

use std::ffi::CString;
use std::io;
use std::ptr;

use rustix::process::Pid;

/// Which of the two processes after a fork this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fork {
    /// The one that was there, and the new one's id.
    Parent(Pid),
    /// The new one.
    Child,
}

/// Namespaces that a process is made in.
pub const NAMESPACES: i32 = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS;

/// Forks into new namespaces; `flags` are of `CLONE_NEW*`, none of them for a plain fork.
///
/// The caller has one thread, else this is refused: a lock that another thread holds would be held in
/// the child for good.
pub fn fork(flags: i32) -> io::Result<Fork> {
    if threads()? != 1 {
        return Err(io::Error::other("a process with several threads cannot be forked"));
    }
    // SAFETY: without a stack and with no flag that shares memory, `clone` is `fork`: the child has a
    // copy of everything. There is no other thread, so that no lock is left held in it.
    let child = unsafe {
        libc::syscall(libc::SYS_clone, i64::from(flags | libc::SIGCHLD), 0_i64, 0_i64, 0_i64, 0_i64)
    };
    match i32::try_from(child) {
        Ok(-1) | Err(_) => Err(io::Error::last_os_error()),
        Ok(child) => Ok(Pid::from_raw(child).map_or(Fork::Child, Fork::Parent)),
    }
}

/// The group of this process; none where it is of an outer pid namespace.
pub fn group() -> Option<Pid> {
    // SAFETY: it takes nothing and cannot fail.
    Pid::from_raw(unsafe { libc::getpgrp() })
}

/// How many threads this process has.
fn threads() -> io::Result<usize> {
    // The third link beside `.` and `..`: a count, not a listing.
    let links = rustix::fs::stat("/proc/self/task").map(|stat| stat.st_nlink)?;
    usize::try_from(links).map(|links| links.saturating_sub(2)).map_err(io::Error::other)
}

/// Becomes another program. Comes back only where that failed.
pub fn execute(program: &CString, arguments: &[CString], environment: &[CString]) -> io::Error {
    let list = |all: &[CString]| -> Vec<*const libc::c_char> {
        all.iter().map(|one| one.as_ptr()).chain([ptr::null()]).collect()
    };
    let (arguments, environment) = (list(arguments), list(environment));
    // SAFETY: the three are valid until the call returns, and both lists end with null.
    unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

/// Kills every process that this one may send signals to, itself excepted. Only for who has shown that
/// these are its own: for anybody else they are all of the user's.
pub(crate) fn kill_reachable() {
    // SAFETY: it takes numbers and touches no memory. An error says that there was nobody.
    unsafe { libc::kill(-1, libc::SIGKILL) };
}

/// Ends this process at once: nothing that the process it was forked from has buffered is written, and
/// none of its guards is dropped.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: it takes a number and does not return.
    unsafe { libc::_exit(code) }
}
