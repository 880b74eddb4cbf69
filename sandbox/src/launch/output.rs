//! Carries what a command writes to its standard output and error, where that is bounded or goes to a
//! file.
//!
//! The launcher carries both by pipes then, and counts. What is over the limit is not written.

use std::io::{self, Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use rustix::fs::{FileType, fstat};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::termios::isatty;

/// The pipes, before there is somebody to write to them.
pub(super) struct Pipes {
    limit: u64,
    /// Whether standard error goes where standard output goes.
    shared: bool,
    out: Option<(OwnedFd, OwnedFd)>,
    err: Option<(OwnedFd, OwnedFd)>,
}

impl Pipes {
    /// Makes them where there is a limit; and, where `files` is true, for outputs that are files: who has
    /// such a file open could change its mode, owner and times, wherever it is.
    pub(super) fn make(limit: Option<u64>, files: bool) -> io::Result<Option<Self>> {
        let pipe = |output: BorrowedFd<'_>| -> io::Result<Option<(OwnedFd, OwnedFd)>> {
            let limited = limit.is_some() && !isatty(output);
            let wanted = limited || (files && is_file(output));
            Ok(if wanted { Some(pipe_with(PipeFlags::CLOEXEC)?) } else { None })
        };
        let (stdout, stderr) = (rustix::stdio::stdout(), rustix::stdio::stderr());
        let out = pipe(stdout)?;
        // One file has one order.
        let err = if out.is_some() && is_same(stdout, stderr) { None } else { pipe(stderr)? };
        let shared = out.is_some() && err.is_none() && is_same(stdout, stderr);
        let limit = limit.unwrap_or(u64::MAX);
        let made = out.is_some() || err.is_some();
        Ok(made.then_some(Self { limit, shared, out, err }))
    }

    /// In a process that was forked: what it and its children write goes into the pipes.
    pub(super) fn write_here(&self) -> io::Result<()> {
        if let Some((_, out)) = &self.out {
            rustix::stdio::dup2_stdout(out)?;
            if self.shared {
                rustix::stdio::dup2_stderr(out)?;
            }
        }
        if let Some((_, err)) = &self.err {
            rustix::stdio::dup2_stderr(err)?;
        }
        Ok(())
    }

    /// In the launcher: carries what is written; `over` is called once when it was too much.
    pub(super) fn carry(self, over: impl Fn() + Send + Sync + 'static) -> io::Result<Carrying> {
        let left = Arc::new(AtomicU64::new(self.limit));
        let over = Arc::new(over);
        let mut threads = Vec::new();
        if let Some((from, _)) = self.out {
            let (left, over) = (Arc::clone(&left), Arc::clone(&over));
            threads.push(spawn(from, io::stdout(), left, over)?);
        }
        if let Some((from, _)) = self.err {
            threads.push(spawn(from, io::stderr(), left, over)?);
        }
        Ok(Carrying(threads))
    }
}

/// What is carried.
pub(super) struct Carrying(Vec<JoinHandle<()>>);

impl Carrying {
    /// Waits until all that was written has been carried.
    pub(super) fn finish(self) {
        for thread in self.0 {
            let _ = thread.join();
        }
    }
}

fn is_file(file: BorrowedFd<'_>) -> bool {
    let found = fstat(file);
    found.is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::RegularFile)
}

/// Whether both are one file; two of the same name that were opened one after the other count as well.
fn is_same(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    let (Ok(one), Ok(other)) = (fstat(one), fstat(other)) else { return false };
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

fn spawn(
    from: OwnedFd,
    mut to: impl Write + Send + 'static,
    left: Arc<AtomicU64>,
    over: Arc<impl Fn() + Send + Sync + 'static>,
) -> io::Result<JoinHandle<()>> {
    let mut from = std::fs::File::from(from);
    thread::Builder::new().name("iron-output".to_owned()).spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let wanted = length as u64;
            let mut allowed = 0;
            let _ = left.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                allowed = left.min(wanted);
                Some(left - allowed)
            });
            if to.write_all(&buffer[..allowed as usize]).and_then(|()| to.flush()).is_err() {
                // Whoever read it is gone: the command is to find that out.
                return;
            }
            if allowed < wanted {
                over();
                return;
            }
        }
    })
}
