//! A launcher that was started, as Python sees it.
//!
//! One thread may serve its pipes while others signal it or ask whether it has ended: nothing here
//! holds the interpreter while it waits, and no lock that is held while waiting is needed to end it.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, IntoRawFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rustix::io::Errno;
use rustix::process::Signal;

use crate::pipes::{self, Pipes, Served};
use crate::spawn::{Start, Stream};

/// The most that is read of a report, in bytes: what an agent can make longer has an end.
const MOST_REPORT: usize = 16 * 1024 * 1024;

/// A launcher that was started.
#[pyclass(frozen, module = "iron_cage_sandbox._launch")]
pub(crate) struct Launched {
    pid: u32,
    pidfd: OwnedFd,
    child: Mutex<(Child, Option<ExitStatus>)>,
    pipes: Mutex<Pipes>,
    report: Option<File>,
}

#[pymethods]
impl Launched {
    /// Starts it. `streams` are "pipe", "null" or "inherit", for input, output and error.
    #[new]
    #[pyo3(signature = (program, arguments, environment, *, folder=None, streams, report_option=None))]
    fn new(
        py: Python<'_>,
        program: PathBuf,
        arguments: Vec<OsString>,
        environment: Vec<(OsString, OsString)>,
        folder: Option<PathBuf>,
        streams: [String; 3],
        report_option: Option<String>,
    ) -> PyResult<Self> {
        let [input, output, error] = streams.map(|text| text.parse::<Stream>());
        let refused = PyValueError::new_err::<String>;
        let streams = [input.map_err(refused)?, output.map_err(refused)?, error.map_err(refused)?];
        let start = Start { program, arguments, environment, folder, streams, report_option };
        let mut started = py.detach(|| start.spawn())?;
        let child = &mut started.child;
        let pipes = Pipes::new(
            child.stdin.take().map(OwnedFd::from),
            child.stdout.take().map(OwnedFd::from),
            child.stderr.take().map(OwnedFd::from),
        );
        Ok(Self {
            pid: child.id(),
            pidfd: started.pidfd,
            child: Mutex::new((started.child, None)),
            pipes: Mutex::new(pipes),
            report: started.report,
        })
    }

    /// Its process number.
    #[getter]
    fn pid(&self) -> u32 {
        self.pid
    }

    /// Gives a pipe away as a descriptor that the caller closes: 0 is input, 1 output, 2 error.
    fn take_pipe(&self, stream: usize) -> Option<i32> {
        lock(&self.pipes).give(stream).map(OwnedFd::into_raw_fd)
    }

    /// Writes the input and reads the output until it has ended: False if `timeout` seconds were
    /// over before. May be called again, with the same input, and goes on where it was.
    #[pyo3(signature = (input, timeout=None))]
    fn serve(&self, py: Python<'_>, input: &[u8], timeout: Option<f64>) -> PyResult<bool> {
        let deadline = deadline(timeout)?;
        py.detach(|| {
            let mut pipes = lock(&self.pipes);
            let served = pipes.serve(self.pidfd.as_fd(), input, deadline, look_in)?;
            Ok(served == Served::Ended)
        })
    }

    /// What was read of its output and error, each given once.
    fn take_read<'py>(&self, py: Python<'py>) -> (Bound<'py, PyBytes>, Bound<'py, PyBytes>) {
        let [output, error] = py.detach(|| lock(&self.pipes).take_read());
        (PyBytes::new(py, &output), PyBytes::new(py, &error))
    }

    /// Waits until it has ended: False if `timeout` seconds were over before. Serves no pipe.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let deadline = deadline(timeout)?;
        py.detach(|| pipes::await_end(self.pidfd.as_fd(), deadline, look_in))
    }

    /// Its exit code, or the negative number of the signal that ended it; None while it runs.
    fn poll(&self) -> PyResult<Option<i32>> {
        let mut held = lock(&self.child);
        let (child, status) = &mut *held;
        if status.is_none() {
            *status = child.try_wait()?;
        }
        Ok(status.and_then(|status| status.code().or_else(|| status.signal().map(|it| -it))))
    }

    /// Sends it a signal. One that has ended is left alone.
    fn signal(&self, number: i32) -> PyResult<()> {
        let Some(signal) = Signal::from_named_raw(number) else {
            return Err(PyValueError::new_err(format!("{number} is no signal that can be sent")));
        };
        match rustix::process::pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(io::Error::from(error).into()),
        }
    }

    /// What it has reported so far: lines of JSON, the first 16 MiB of them.
    fn report<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let Some(file) = &self.report else { return Ok(PyBytes::new(py, &[])) };
        let length =
            usize::try_from(file.metadata()?.len()).unwrap_or(MOST_REPORT).min(MOST_REPORT);
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(PyBytes::new(py, &bytes))
    }
}

impl Drop for Launched {
    /// Forgotten is ended: a sandbox that nobody can stop any more must not go on.
    fn drop(&mut self) {
        let (child, status) = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        if status.is_none() && child.kill().is_ok() {
            // Killed is soon ended; an error means that it was reaped by somebody else.
            let _ = child.wait();
        }
    }
}

/// Runs the interpreter's signal handlers, if this is its main thread; what they raise ends waiting.
/// An interpreter that is being torn down runs none any more.
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the method alone is not general enough over the interpreter's lifetime"
)]
fn look_in() -> PyResult<()> {
    Python::try_attach(|py| py.check_signals()).unwrap_or(Ok(()))
}

fn deadline(timeout: Option<f64>) -> PyResult<Option<Instant>> {
    let Some(seconds) = timeout else { return Ok(None) };
    let time = Duration::try_from_secs_f64(seconds.max(0.0))
        .map_err(|_| PyValueError::new_err(format!("{seconds} s is no time to wait for")))?;
    // A time beyond the clock's own end is no limit.
    Ok(Instant::now().checked_add(time))
}

/// What a thread left that panicked is as good as any: no invariant spans two fields.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
