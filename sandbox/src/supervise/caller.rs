//! A thread of the sandbox that waits for an answer: what it said, and what it has.
//!
//! All of it is the agent's: lengths are bounded, and what is read may change right after. What is
//! decided is decided on a copy, and carried out on that copy.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::sys::notify::{self, Notification};

/// What a path may be long, with its end: `PATH_MAX`.
const PATH_LIMIT: usize = 4096;
const PAGE: u64 = 4096;

/// `PIDFD_THREAD`, which is `O_EXCL`.
const PIDFD_THREAD: u32 = 0o200;

/// A thread that waits.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) listener: BorrowedFd<'a>,
    pub(super) call: &'a Notification,
}

impl Caller<'_> {
    /// An argument as it is.
    pub(super) fn argument(&self, index: usize) -> u64 {
        self.call.arguments.get(index).copied().unwrap_or_default()
    }

    /// An argument that the kernel takes as an `int`.
    pub(super) fn number(&self, index: usize) -> i32 {
        self.argument(index) as i32
    }

    /// Whether it still waits: only then was all that was read until now its own.
    pub(super) fn waits(&self) -> bool {
        notify::is_waiting(self.listener, self.call.id)
    }

    /// Exactly as many bytes of its memory.
    pub(super) fn bytes(&self, address: u64, buffer: &mut [u8]) -> io::Result<()> {
        match notify::read_memory(self.call.thread, address, buffer)? {
            read if read == buffer.len() => Ok(()),
            _ => Err(io::Error::from_raw_os_error(libc::EFAULT)),
        }
    }

    /// A path in its memory, read page by page: the next page may not be there.
    pub(super) fn path(&self, address: u64) -> io::Result<PathBuf> {
        let mut path = Vec::new();
        let mut buffer = [0; PAGE as usize];
        while path.len() < PATH_LIMIT {
            let at = address.wrapping_add(path.len() as u64);
            let left = (PATH_LIMIT - path.len()).min((PAGE - at % PAGE) as usize);
            // Most paths are short, and copying less is quicker.
            let wanted = if path.is_empty() { left.min(256) } else { left };
            let Some(part) = buffer.get_mut(..wanted) else { break };
            let read = notify::read_memory(self.call.thread, at, part)?;
            let part = part.get(..read).unwrap_or_default();
            if read == 0 {
                return Err(io::Error::from_raw_os_error(libc::EFAULT));
            }
            if let Some(end) = part.iter().position(|byte| *byte == 0) {
                path.extend_from_slice(part.get(..end).unwrap_or_default());
                return Ok(OsString::from_vec(path).into());
            }
            path.extend_from_slice(part);
        }
        Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG))
    }

    /// A descriptor of its own, shared with it.
    pub(super) fn descriptor(&self, number: i32) -> io::Result<OwnedFd> {
        let thread = self.thread()?;
        if !self.waits() {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        Ok(pidfd_getfd(thread.as_fd(), number, PidfdGetfdFlags::empty())?)
    }

    fn thread(&self) -> io::Result<OwnedFd> {
        let invalid = || io::Error::from_raw_os_error(libc::ESRCH);
        let pid = Pid::from_raw(self.call.thread).ok_or_else(invalid)?;
        // Linux 6.9: the thread itself, which may have other descriptors than its process has.
        let thread = PidfdFlags::from_bits_retain(PIDFD_THREAD);
        match pidfd_open(pid, thread) {
            Err(rustix::io::Errno::INVAL) => {
                let process = self.process().and_then(Pid::from_raw).ok_or_else(invalid)?;
                Ok(pidfd_open(process, PidfdFlags::empty())?)
            }
            other => Ok(other?),
        }
    }

    /// The process that the thread is of.
    pub(super) fn process(&self) -> Option<i32> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.call.thread)).ok()?;
        status.lines().find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok())
    }

    /// Its short name.
    pub(super) fn program(&self) -> Option<String> {
        let name = std::fs::read(format!("/proc/{}/comm", self.call.thread)).ok()?;
        let name = String::from_utf8_lossy(&name).trim_end_matches('\n').to_owned();
        (!name.is_empty()).then_some(name)
    }
}
