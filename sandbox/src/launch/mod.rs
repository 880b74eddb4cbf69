//! Makes a sandbox and runs a command in it.
//!
//! ```text
//! launcher ── fork, with namespaces or without ──▶ keeper ── fork ──▶ command
//!    │  ◀── gates' listeners ── (mounts, network)     │                  │ limits, Landlock, seccomp
//!    │  ── go ──▶                                     │                  │
//!    │  ◀── seccomp listener ──────────────────────── │ ──────────────── │ execve
//!    │  supervisor, gates, signals: threads           │ waits            ▼
//!    ▼  ◀── stopped, ended ────────────────────────── ┘
//! ```
//!
//! The launcher has one thread until it has forked. `mounts`, `namespace` and `keeper` run in the
//! keeper, `command`, `rules`, `limits` in what becomes the command; the rest is the launcher's.

mod cgroup;
mod command;
mod failure;
mod fallback;
mod keeper;
mod limits;
mod memory;
mod mounts;
mod namespace;
mod output;
mod passing;
mod privileges;
mod probe;
pub(crate) mod rules;
mod run;
mod standard;
mod wire;

pub use command::candidates;
pub use failure::Error;
pub use probe::{NOTHING, optional, probe};
pub use run::{End, Ended, Host, run};
