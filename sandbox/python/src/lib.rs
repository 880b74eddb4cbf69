//! The binding's native part: starts the launcher, serves its pipes, waits for it, ends it.
//!
//! It knows nothing of sandboxes: the Python beside it makes the arguments and reads the report. It
//! is here because a threaded interpreter must not be forked and an interpreter that waits must not
//! hold its lock: the launcher is spawned by the standard library (`posix_spawn`), and everything
//! that waits does so detached from the interpreter, looking in for signals.

#[cfg(not(target_os = "linux"))]
compile_error!("iron_cage_sandbox is for Linux: the sandbox is made of Linux's own layers");

mod launched;
mod pipes;
mod spawn;

/// The native part of `iron_cage_sandbox`; not for use from outside it.
#[pyo3::pymodule]
mod _launch {
    #[pymodule_export]
    use crate::launched::Launched;
}
