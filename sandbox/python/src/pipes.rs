//! The launcher's pipes: all served at once, so that no full pipe ever waits for another.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::OFlags;

/// How often a thread that waits looks whether a signal came for the interpreter. A signal that the
/// kernel gives to the waiting thread itself is seen at once.
const LOOK_IN: Duration = Duration::from_millis(50);
/// How long output is awaited when the launcher is gone: all who could write are being killed.
const AFTERMATH: Duration = Duration::from_secs(1);
/// How much is read or written at a time.
const CHUNK: usize = 64 * 1024;

/// The pipes of one launcher, and what was read from them.
#[derive(Default)]
pub(crate) struct Pipes {
    input: Option<File>,
    output: [Option<File>; 2],
    written: usize,
    read: [Vec<u8>; 2],
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Served {
    /// The launcher has ended, and all output is there.
    Ended,
    /// The time is over. What was read so far is kept, and serving can go on.
    TimeOver,
}

impl Pipes {
    /// Takes the pipes of a launcher. Those that it has none of are none.
    pub(crate) fn new(
        input: Option<OwnedFd>,
        output: Option<OwnedFd>,
        error: Option<OwnedFd>,
    ) -> Self {
        let file = |fd: Option<OwnedFd>| fd.map(File::from);
        Self { input: file(input), output: [file(output), file(error)], ..Self::default() }
    }

    /// Gives a pipe away, to be served by whoever takes it: 0 is input, 1 output, 2 error.
    pub(crate) fn give(&mut self, stream: usize) -> Option<OwnedFd> {
        let pipe = match stream {
            0 => self.input.take(),
            1 | 2 => self.output.get_mut(stream - 1).and_then(Option::take),
            _ => None,
        };
        pipe.map(OwnedFd::from)
    }

    /// What was read of output and error, which are empty then.
    pub(crate) fn take_read(&mut self) -> [Vec<u8>; 2] {
        std::mem::take(&mut self.read)
    }

    /// Writes the input, reads the output, until the process has ended and all output was read.
    ///
    /// `look_in` is called every [`LOOK_IN`] and whenever a signal came; its error ends the serving.
    pub(crate) fn serve<E: From<io::Error>>(
        &mut self,
        process: BorrowedFd<'_>,
        input: &[u8],
        deadline: Option<Instant>,
        mut look_in: impl FnMut() -> Result<(), E>,
    ) -> Result<Served, E> {
        for pipe in self.input.iter().chain(self.output.iter().flatten()) {
            let flags = rustix::fs::fcntl_getfl(pipe).map_err(io::Error::from)?;
            rustix::fs::fcntl_setfl(pipe, flags | OFlags::NONBLOCK).map_err(io::Error::from)?;
        }
        let mut ended = None;
        let mut looked = Instant::now();
        loop {
            if self.written >= input.len() {
                self.input = None;
            }
            if ended.is_some() && self.output.iter().all(Option::is_none) {
                return Ok(Served::Ended);
            }
            let now = Instant::now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                return Ok(Served::TimeOver);
            }
            if ended.is_some_and(|ended| now >= ended + AFTERMATH) {
                self.output = [None, None];
                continue;
            }
            let left = deadline.map_or(LOOK_IN, |deadline| LOOK_IN.min(deadline - now));
            let (mut ready, interrupted) = self.wait(process, ended.is_none(), left)?;
            if interrupted || looked.elapsed() >= LOOK_IN {
                look_in()?;
                looked = Instant::now();
            }
            if std::mem::take(&mut ready.process) {
                ended = Some(Instant::now());
            }
            if ready.input {
                self.write(input)?;
            }
            for stream in 0..2 {
                if ready.output[stream] {
                    self.read(stream)?;
                }
            }
        }
    }

    /// Waits until a pipe or the process is ready, a signal comes or the time is over.
    fn wait(
        &self,
        process: BorrowedFd<'_>,
        running: bool,
        time: Duration,
    ) -> io::Result<(Ready, bool)> {
        let mut waited = Vec::with_capacity(4);
        if let Some(input) = &self.input {
            waited.push((0, PollFd::from_borrowed_fd(input.as_fd(), PollFlags::OUT)));
        }
        for (stream, output) in self.output.iter().enumerate() {
            if let Some(output) = output {
                waited.push((stream + 1, PollFd::from_borrowed_fd(output.as_fd(), PollFlags::IN)));
            }
        }
        if running {
            waited.push((3, PollFd::from_borrowed_fd(process, PollFlags::IN)));
        }
        let mut polled: Vec<PollFd<'_>> = waited.iter().map(|(_, poll)| poll.clone()).collect();
        let interrupted = poll(&mut polled, time)?;
        let mut ready = Ready::default();
        for ((which, _), poll) in waited.iter().zip(&polled) {
            if !interrupted && !poll.revents().is_empty() {
                match which {
                    0 => ready.input = true,
                    3 => ready.process = true,
                    stream => ready.output[stream - 1] = true,
                }
            }
        }
        Ok((ready, interrupted))
    }

    /// Writes what goes into the pipe. A reader that closed it wants no more: that is no error.
    fn write(&mut self, input: &[u8]) -> io::Result<()> {
        let Some(pipe) = &mut self.input else { return Ok(()) };
        let rest = input.get(self.written..).unwrap_or_default();
        match pipe.write(&rest[..rest.len().min(CHUNK)]) {
            Ok(count) => self.written += count,
            Err(error) if later(&error) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.input = None,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Reads what there is, and forgets the pipe at its end.
    fn read(&mut self, stream: usize) -> io::Result<()> {
        let Some(pipe) = &mut self.output[stream] else { return Ok(()) };
        let read = &mut self.read[stream];
        let before = read.len();
        read.resize(before + CHUNK, 0);
        let count = pipe.read(&mut read[before..]);
        read.truncate(before + count.as_ref().copied().unwrap_or(0));
        match count {
            Ok(0) => self.output[stream] = None,
            Ok(_) => {}
            Err(error) if later(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Waits until a process has ended: whether it did before the deadline.
pub(crate) fn await_end<E: From<io::Error>>(
    process: BorrowedFd<'_>,
    deadline: Option<Instant>,
    look_in: impl FnMut() -> Result<(), E>,
) -> Result<bool, E> {
    let served = Pipes::default().serve(process, &[], deadline, look_in)?;
    Ok(served == Served::Ended)
}

#[derive(Default)]
struct Ready {
    input: bool,
    output: [bool; 2],
    process: bool,
}

/// Whether a signal ended the waiting.
fn poll(waited: &mut [PollFd<'_>], time: Duration) -> io::Result<bool> {
    let time = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: i64::from(time.subsec_nanos()) };
    match rustix::event::poll(waited, Some(&time)) {
        Ok(_) => Ok(false),
        Err(rustix::io::Errno::INTR) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

fn later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
