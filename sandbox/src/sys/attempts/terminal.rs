//! Attempts on the terminal.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use super::answer;

/// Puts a character into a terminal's input, as if it had been typed. `high` is set in the upper half
/// of the request, which the kernel does not look at.
pub fn type_character(terminal: BorrowedFd<'_>, character: u8, high: u32) -> io::Result<()> {
    let request = u64::from(high) << 32 | libc::TIOCSTI;
    // SAFETY: TIOCSTI reads one byte, which outlives the call.
    answer(unsafe {
        libc::syscall(libc::SYS_ioctl, terminal.as_raw_fd(), request, &raw const character)
    })
    .map(drop)
}

/// Asks a console for the state of its shift keys (TIOCLINUX 6), the most harmless of what this
/// request does; another of them pastes into the input.
pub fn console(terminal: BorrowedFd<'_>, high: u32) -> io::Result<()> {
    let request = u64::from(high) << 32 | 0x541c;
    let mut what = 6u8;
    // SAFETY: this subcommand reads and writes one byte, which outlives the call.
    answer(unsafe { libc::syscall(libc::SYS_ioctl, terminal.as_raw_fd(), request, &raw mut what) })
        .map(drop)
}

/// Makes an ioctl that takes a number alone, on any file.
pub fn control(file: BorrowedFd<'_>, request: Control) -> io::Result<i64> {
    let (request, argument) = match request {
        Control::KvmVersion => (0xae00u64, 0usize),
        Control::FreeLoop => (0x4c82, 0),
        Control::Line => (0x5423, 0),
        Control::Take => (libc::TIOCSCTTY, 1),
        Control::Leave => (libc::TIOCNOTTY, 0),
    };
    let mut number = 0i32;
    // SAFETY: Line (TIOCSETD) reads one number from an address, which is given one; the others take
    // numbers alone.
    answer(unsafe {
        if request == 0x5423 {
            libc::syscall(libc::SYS_ioctl, file.as_raw_fd(), request, &raw mut number)
        } else {
            libc::syscall(libc::SYS_ioctl, file.as_raw_fd(), request, argument)
        }
    })
}

/// What [`control`] asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// KVM's version.
    KvmVersion,
    /// A free loop device.
    FreeLoop,
    /// Another line discipline for a terminal: the usual one.
    Line,
    /// A terminal that another session has, for this one.
    Take,
    /// To be without a terminal.
    Leave,
}
