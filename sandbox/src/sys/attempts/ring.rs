//! Attempts by io_uring: calls that no seccomp filter sees.

use std::io;
use std::net::SocketAddrV4;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use super::answer;

/// How many entries the ring has.
const ENTRIES: u32 = 4;

/// Makes an io_uring.
pub fn make() -> io::Result<OwnedFd> {
    let mut parameters = [0u32; 30];
    // SAFETY: `parameters` has an io_uring_params's size (120 bytes) and outlives the call.
    let fd = answer(unsafe {
        libc::syscall(libc::SYS_io_uring_setup, ENTRIES, parameters.as_mut_ptr())
    })?;
    // SAFETY: the kernel has just made it, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Enters an io_uring without anything to do.
pub fn enter(ring: BorrowedFd<'_>) -> io::Result<i64> {
    // SAFETY: with nothing to submit and nothing to wait for, numbers alone.
    answer(unsafe { libc::syscall(libc::SYS_io_uring_enter, ring.as_raw_fd(), 0, 0, 0, 0, 0) })
}

/// Registers nothing with an io_uring: reaches the call.
pub fn register(ring: BorrowedFd<'_>) -> io::Result<i64> {
    // SAFETY: opcode 3 (unregister files) uses no memory.
    let answered =
        answer(unsafe { libc::syscall(libc::SYS_io_uring_register, ring.as_raw_fd(), 3, 0, 0) });
    match answered {
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => Ok(0),
        other => other,
    }
}

/// Makes a socket by io_uring alone and connects it: the connected socket.
pub fn connect(to: SocketAddrV4) -> io::Result<OwnedFd> {
    let ring = Ring::make()?;
    // IORING_OP_SOCKET
    let fd = ring.submit(Entry {
        opcode: 45,
        fd: libc::AF_INET,
        offset: libc::SOCK_STREAM as u64,
        ..Entry::default()
    })?;
    // SAFETY: the kernel has just made it, and nobody else has it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let mut address = [0u8; 16];
    address[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
    address[2..4].copy_from_slice(&to.port().to_be_bytes());
    address[4..8].copy_from_slice(&to.ip().octets());
    // IORING_OP_CONNECT
    ring.submit(Entry {
        opcode: 16,
        fd: fd.as_raw_fd(),
        address: address.as_ptr() as u64,
        offset: 16,
        ..Entry::default()
    })?;
    Ok(fd)
}

/// A submission queue's entry (io_uring_sqe, 64 bytes).
#[derive(Debug, Default, Clone, Copy)]
#[repr(C)]
struct Entry {
    opcode: u8,
    flags: u8,
    priority: u16,
    fd: i32,
    offset: u64,
    address: u64,
    length: u32,
    operation_flags: u32,
    user_data: u64,
    rest: [u64; 3],
}

/// A ring with its memory mapped.
struct Ring {
    fd: OwnedFd,
    queues: Mapped,
    entries: Mapped,
    parameters: [u32; 30],
}

struct Mapped {
    address: *mut libc::c_void,
    length: usize,
}

impl Ring {
    fn make() -> io::Result<Self> {
        let mut parameters = [0u32; 30];
        // SAFETY: `parameters` has an io_uring_params's size (120 bytes) and outlives the call.
        let fd = answer(unsafe {
            libc::syscall(libc::SYS_io_uring_setup, ENTRIES, parameters.as_mut_ptr())
        })?;
        // SAFETY: the kernel has just made it, and nobody else has it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd as i32) };
        // Both queues lie in one mapping (IORING_FEAT_SINGLE_MMAP, since Linux 5.4); a page and a half
        // is more than four entries need, and the kernel maps whole pages.
        let queues = Mapped::map(&fd, 4096, 0)?;
        let entries = Mapped::map(&fd, 4096, 0x1000_0000)?;
        Ok(Self { fd, queues, entries, parameters })
    }

    /// Submits one entry and waits for what comes of it.
    fn submit(&self, entry: Entry) -> io::Result<i32> {
        // io_uring_params: sq_off from word 10 (head, tail, ring_mask, ..., array at 6), cq_off from
        // word 20 (head, tail, ring_mask, ring_entries, overflow, cqes).
        let word = |index: usize| self.parameters[index] as usize;
        let (sq_tail, sq_mask, sq_array) = (word(11), word(12), word(16));
        let (cq_head, cq_tail, cq_mask, cqes) = (word(20), word(21), word(22), word(25));
        // SAFETY: the kernel says where in the mapping each word lies; nobody but this thread writes
        // the submission queue, and the call below orders it before what the kernel does.
        unsafe {
            let tail = self.queues.word(sq_tail).read_volatile();
            let index = tail & self.queues.word(sq_mask).read_volatile();
            self.entries.address.cast::<Entry>().add(index as usize).write_volatile(entry);
            self.queues.word(sq_array).add(index as usize).write_volatile(index);
            std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
            self.queues.word(sq_tail).write_volatile(tail.wrapping_add(1));
        }
        // SAFETY: what the entry points to is this module's and outlives the call; 1 to submit, 1 to
        // wait for, IORING_ENTER_GETEVENTS.
        answer(unsafe {
            libc::syscall(libc::SYS_io_uring_enter, self.fd.as_raw_fd(), 1, 1, 1, 0, 0)
        })?;
        // SAFETY: as for the submission queue; the kernel has written an entry before it returned.
        let result = unsafe {
            let head = self.queues.word(cq_head).read_volatile();
            if head == self.queues.word(cq_tail).read_volatile() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let index = head & self.queues.word(cq_mask).read_volatile();
            // io_uring_cqe: user_data (8 bytes), res (4), flags (4).
            let result = self.queues.word(cqes).add(index as usize * 4 + 2).read_volatile();
            self.queues.word(cq_head).write_volatile(head.wrapping_add(1));
            result.cast_signed()
        };
        if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(result) }
    }
}

impl Mapped {
    fn map(fd: &OwnedFd, length: usize, offset: i64) -> io::Result<Self> {
        // SAFETY: the kernel chooses an address where nothing lies.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_POPULATE,
                fd.as_raw_fd(),
                offset,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { address, length })
    }

    /// A word of the mapping.
    ///
    /// # Safety
    /// `offset` must be one that the kernel told for this mapping.
    unsafe fn word(&self, offset: usize) -> *mut u32 {
        // SAFETY: the caller's.
        unsafe { self.address.byte_add(offset).cast() }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: mapped by `map`, and nothing refers to it any more.
        unsafe { libc::munmap(self.address, self.length) };
    }
}
