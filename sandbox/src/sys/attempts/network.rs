//! Attempts on the network that rustix has no function for.

use std::io;
use std::mem::size_of;
use std::net::SocketAddrV4;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};

use super::answer;

/// Makes a socket of any family, type and protocol.
pub fn socket(family: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: socket takes numbers alone.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) };
    answer(libc::c_long::from(fd))?;
    // SAFETY: the kernel has just made it, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Makes a pair of connected sockets of any type.
pub fn socket_pair(kind: i32) -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [-1; 2];
    // SAFETY: two numbers are written to `fds`.
    answer(libc::c_long::from(unsafe {
        libc::socketpair(libc::AF_UNIX, kind, 0, fds.as_mut_ptr())
    }))?;
    // SAFETY: the kernel has just made both, and nobody else has them.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

/// Sets an option that is a number.
pub fn set_option(socket: BorrowedFd<'_>, level: i32, option: i32, value: i32) -> io::Result<()> {
    // SAFETY: `value` is read with its own size.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    answer(libc::c_long::from(set)).map(drop)
}

/// Connects to nothing (AF_UNSPEC): a connected socket is then free to connect anew.
pub fn disconnect(socket: BorrowedFd<'_>) -> io::Result<()> {
    let nothing = [0u8; 16];
    // SAFETY: 16 bytes are read, which `nothing` has; the family 0 is AF_UNSPEC.
    let done = unsafe { libc::connect(socket.as_raw_fd(), nothing.as_ptr().cast(), 16) };
    answer(libc::c_long::from(done)).map(drop)
}

/// Sends one datagram, or the first of a connection, with `sendmmsg`.
pub fn send_many(
    socket: BorrowedFd<'_>,
    text: &[u8],
    flags: u32,
    to: SocketAddrV4,
) -> io::Result<()> {
    let mut address = ipv4(to);
    let mut part = libc::iovec { iov_base: text.as_ptr().cast_mut().cast(), iov_len: text.len() };
    // SAFETY: a mmsghdr of zeros is one without name, parts and control data.
    let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
    message.msg_hdr.msg_name = (&raw mut address).cast();
    message.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    message.msg_hdr.msg_iov = &raw mut part;
    message.msg_hdr.msg_iovlen = 1;
    // SAFETY: everything that `message` points to lives past the call.
    let sent = unsafe {
        libc::syscall(libc::SYS_sendmmsg, socket.as_raw_fd(), &raw mut message, 1, flags)
    };
    answer(sent).map(drop)
}

/// Connects and sends by `sendto` with MSG_FASTOPEN, and bits above the 32 that the kernel looks at.
pub fn send_to_with_high_flags(
    socket: BorrowedFd<'_>,
    text: &[u8],
    to: SocketAddrV4,
) -> io::Result<()> {
    let address = ipv4(to);
    let flags = (0xdead_0000u64 << 32) | u64::from(libc::MSG_FASTOPEN.cast_unsigned());
    // SAFETY: `text` and `address` are read with their own sizes and outlive the call.
    answer(unsafe {
        libc::syscall(
            libc::SYS_sendto,
            socket.as_raw_fd(),
            text.as_ptr(),
            text.len(),
            flags,
            &raw const address,
            size_of::<libc::sockaddr_in>(),
        )
    })
    .map(drop)
}

/// An IPv4 address that one thread changes while another connects to it.
#[derive(Debug)]
#[repr(C)]
pub struct Racing {
    family: u16,
    port: AtomicU16,
    address: AtomicU32,
    rest: [u8; 8],
}

impl Racing {
    /// It, at first.
    pub fn new(at: SocketAddrV4) -> Self {
        Self {
            family: libc::AF_INET as u16,
            port: AtomicU16::new(at.port().to_be()),
            address: AtomicU32::new(u32::from(*at.ip()).to_be()),
            rest: [0; 8],
        }
    }

    /// Changes it.
    pub fn set(&self, to: SocketAddrV4) {
        self.port.store(to.port().to_be(), Ordering::Relaxed);
        self.address.store(u32::from(*to.ip()).to_be(), Ordering::Relaxed);
    }

    /// Connects to what it is when the kernel looks.
    pub fn connect(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        // SAFETY: 16 bytes are read, which this struct has in a sockaddr_in's order; what changes
        // them meanwhile does so atomically.
        let done = unsafe {
            libc::connect(
                socket.as_raw_fd(),
                std::ptr::from_ref(self).cast(),
                size_of::<Self>() as libc::socklen_t,
            )
        };
        answer(libc::c_long::from(done)).map(drop)
    }
}

fn ipv4(address: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(*address.ip()).to_be() },
        sin_zero: [0; 8],
    }
}
