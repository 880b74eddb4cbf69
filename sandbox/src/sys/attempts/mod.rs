//! System calls that an agent would try in order to get out, for the self-test.
//!
//! Each function makes one attempt and says what the kernel answered. None of them changes anything
//! that outlives the calling process, but for what its name says.

#![expect(unsafe_code, reason = "raw system calls, each with its reason")]

pub mod files;
pub mod kernel;
pub mod memory;
pub mod network;
pub mod process;
pub mod ring;
pub mod terminal;

use std::io;

/// The kernel's answer: a number, or the error that the C library left.
fn answer(value: libc::c_long) -> io::Result<i64> {
    if value == -1 { Err(io::Error::last_os_error()) } else { Ok(value) }
}
