//! The one place with `unsafe` code: what the kernel offers and no crate wraps.
//!
//! Each function is safe to call, does one thing, and says why its `unsafe` block holds.

#![expect(unsafe_code, reason = "system calls that no crate wraps")]

pub mod attempt;
pub mod attempts;
pub mod fds;
pub mod loopback;
pub mod mounts;
pub mod notify;
pub mod process;
pub mod seccomp;
pub mod signals;
