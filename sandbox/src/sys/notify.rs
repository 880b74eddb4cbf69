//! Takes and answers seccomp user notifications, and reads the memory of who waits for the answer.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// A call that waits for an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Notification {
    /// Names this call to the kernel.
    pub(crate) id: u64,
    /// The thread that called, as seen here.
    pub(crate) thread: i32,
    /// The call's number.
    pub(crate) number: u32,
    /// Its arguments as they were when it was made; registers, hence nobody can change them.
    pub(crate) arguments: [u64; 6],
}

/// What a call returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Success: zero.
    Done,
    /// This error.
    Errno(i32),
    /// The kernel carries the call out. Never an answer that grants anything: whatever an argument
    /// points to can be changed before the kernel reads it.
    Continue,
}

/// The kernel may know a longer structure than we do, and writes all of it.
#[repr(C)]
struct Room<T> {
    known: T,
    rest: [u64; 32],
}

/// Waits for the next call.
///
/// Fails with `ENOENT` if the caller went away meanwhile, with `EINTR` on a signal.
pub(crate) fn receive(listener: BorrowedFd<'_>) -> io::Result<Notification> {
    // SAFETY: the structure consists of integers, for which all zeros are valid.
    let mut room: Room<libc::seccomp_notif> = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes a `seccomp_notif`, for which there is room and more.
    check(unsafe {
        libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut room)
    })?;
    let known = &room.known;
    Ok(Notification {
        id: known.id,
        thread: known.pid.cast_signed(),
        number: known.data.nr.cast_unsigned(),
        arguments: known.data.args,
    })
}

/// Answers a call. Fails with `ENOENT` if the caller went away meanwhile.
pub(crate) fn answer(listener: BorrowedFd<'_>, id: u64, reply: Reply) -> io::Result<()> {
    // SAFETY: the structure consists of integers, for which all zeros are valid.
    let mut room: Room<libc::seccomp_notif_resp> = unsafe { std::mem::zeroed() };
    room.known.id = id;
    match reply {
        Reply::Done => {}
        Reply::Errno(errno) => room.known.error = -errno,
        Reply::Continue => room.known.flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
    }
    // SAFETY: the kernel reads a `seccomp_notif_resp`, which stands there.
    check(unsafe {
        libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut room)
    })
}

/// Whether a call still waits: what was read of its thread until now was really its own.
pub(crate) fn is_waiting(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: the kernel reads eight bytes, which stand there.
    check(unsafe {
        libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const id)
    })
    .is_ok()
}

/// Asks that caller and supervisor wake each other on one processor (Linux 6.6): far quicker.
pub(crate) fn wake_up_synchronously(listener: BorrowedFd<'_>) -> io::Result<()> {
    const SYNC_WAKE_UP: libc::c_ulong = 1;
    // SAFETY: this request takes its argument as a number.
    check(unsafe {
        libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP)
    })
}

/// Reads memory of another process into `buffer`; returns how much could be read.
pub(crate) fn read_memory(thread: i32, address: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: buffer.len() };
    // SAFETY: the kernel writes at most `buffer.len()` bytes to `buffer`; the other address is not
    // one of ours, and the kernel checks it.
    let read =
        unsafe { libc::process_vm_readv(thread, &raw const local, 1, &raw const remote, 1, 0) };
    if read < 0 { Err(io::Error::last_os_error()) } else { Ok(read.cast_unsigned()) }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
