//! Connections: made on the agent's behalf in the fallback tier, watched in the other.
//!
//! In the fallback tier the address is copied once, compared with the gates, and our copy is what is
//! connected to, on the agent's own socket. Whatever the agent does to its memory or its descriptors
//! meanwhile, no other address than a gate's is ever connected to. In namespaces the network decides.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::Errno;
use rustix::net::sockopt;
use rustix::net::{AddressFamily, SocketType, ipproto};

use super::verdict::{self, Answer};
use super::{Answering, Caller, errno};
use crate::event::{Action, Remedy};
use crate::layer::{Layer, Tier};
use crate::sys::notify::Reply;

/// How many connections of blocking sockets are waited for at a time. They are to the launcher's own
/// gates, which accept at once: this many only ever wait where an agent floods them.
const MOST_WAITING: usize = 64;

/// Connections that are waited for.
#[derive(Debug, Default)]
pub(super) struct Places(AtomicUsize);

/// An address as an agent gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Address {
    Internet(SocketAddr),
    /// Of this family, which is no internet's.
    Other(u16),
}

impl Answering {
    /// What becomes of a `connect`; none if it is answered later.
    pub(super) fn connect(self: &Arc<Self>, caller: Caller<'_>) -> Option<Reply> {
        let address = match read_address(caller) {
            Ok(address) => address,
            Err(error) if self.scene.tier == Tier::Fallback => return Some(errno(&error)),
            // The kernel will say so itself.
            Err(_) => return Some(Reply::Continue),
        };
        match self.scene.tier {
            Tier::Namespace => {
                if let Address::Internet(address) = address {
                    self.watch_connection(caller, address);
                }
                Some(Reply::Continue)
            }
            Tier::Fallback => match address {
                Address::Internet(address) => self.connect_for(caller, address),
                Address::Other(family) => {
                    // Nothing disconnects to connect elsewhere; that much is not worth a word.
                    if i32::from(family) != libc::AF_UNSPEC {
                        let why = "there are connections by TCP alone".to_owned();
                        let target = format!("a socket of family {family}");
                        self.tell(
                            caller,
                            Action::Connect,
                            target,
                            Layer::Notify,
                            Remedy::Never(why),
                        );
                    }
                    Some(Reply::Errno(libc::EPERM))
                }
            },
        }
    }

    fn watch_connection(&self, caller: Caller<'_>, address: SocketAddr) {
        let Answer::Refused { layer, remedy } =
            verdict::address(&self.inside, self.scene.tier, address)
        else {
            return;
        };
        let own = address.ip().to_canonical();
        if (own.is_loopback() || own.is_unspecified())
            && (self.is_tried_first(address) || is_served(caller.call.thread, address.port()))
        {
            return;
        }
        if caller.waits() {
            let remedy = self.as_it_is(address, remedy);
            self.tell(caller, Action::Connect, address.to_string(), layer, remedy);
        }
    }

    fn connect_for(self: &Arc<Self>, caller: Caller<'_>, address: SocketAddr) -> Option<Reply> {
        let gate = self.scene.gates.iter().find(|gate| gate.0 == address);
        let Some((_, real)) = gate.copied() else {
            if self.is_tried_first(address) {
                return Some(Reply::Errno(libc::ECONNREFUSED));
            }
            if caller.waits()
                && let Answer::Refused { layer, remedy } =
                    verdict::address(&self.inside, self.scene.tier, address)
            {
                let remedy = self.as_it_is(address, remedy);
                self.tell(caller, Action::Connect, address.to_string(), layer, remedy);
            }
            return Some(Reply::Errno(libc::EPERM));
        };
        let socket = match caller.descriptor(caller.number(0)) {
            Ok(socket) => socket,
            Err(error) => return Some(errno(&error)),
        };
        match is_tcp(&socket) {
            Ok(true) => {}
            Ok(false) => return Some(Reply::Errno(libc::EPERM)),
            Err(error) => return Some(Reply::Errno(error.raw_os_error())),
        }
        if fcntl_getfl(&socket).is_ok_and(|flags| flags.contains(OFlags::NONBLOCK)) {
            return Some(connect_to(&socket, real));
        }
        self.connect_meanwhile(caller, socket, real)
    }

    /// A socket that blocks may block us: that is for a thread of its own.
    fn connect_meanwhile(
        self: &Arc<Self>,
        caller: Caller<'_>,
        socket: OwnedFd,
        real: SocketAddr,
    ) -> Option<Reply> {
        if self.connecting.0.fetch_add(1, Ordering::Relaxed) >= MOST_WAITING {
            self.connecting.0.fetch_sub(1, Ordering::Relaxed);
            return Some(Reply::Errno(libc::EAGAIN));
        }
        let call = *caller.call;
        let answering = Arc::clone(self);
        let started = thread::Builder::new().name("connection".to_owned()).spawn(move || {
            let reply = connect_to(&socket, real);
            // Before the answer: who gets it may count its descriptors.
            drop(socket);
            answering.answer(&call, reply);
            answering.connecting.0.fetch_sub(1, Ordering::Relaxed);
        });
        if started.is_err() {
            self.connecting.0.fetch_sub(1, Ordering::Relaxed);
            return Some(Reply::Errno(libc::EAGAIN));
        }
        None
    }

    /// Without any gate there is not even a proxy to send people to.
    fn as_it_is(&self, address: SocketAddr, remedy: Remedy) -> Remedy {
        if self.inside.is_empty() && !address.ip().to_canonical().is_loopback() {
            return without_network();
        }
        remedy
    }

    /// `localhost` is `::1` before it is 127.0.0.1, and programs try both.
    fn is_tried_first(&self, address: SocketAddr) -> bool {
        let gate = SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
        address.ip() == IpAddr::V6(Ipv6Addr::LOCALHOST) && self.inside.contains(&gate)
    }
}

/// What there is to say where no gate is.
pub(super) fn without_network() -> Remedy {
    Remedy::Never(
        "this sandbox was asked to have no network: leave out `--network none`".to_owned(),
    )
}

fn connect_to(socket: &OwnedFd, real: SocketAddr) -> Reply {
    match rustix::net::connect(socket, &real) {
        Ok(()) => Reply::Done,
        // A signal of the launcher's own came; the connection is being made all the same.
        Err(Errno::INTR) => {
            let mut files = [PollFd::new(socket, PollFlags::OUT)];
            while poll(&mut files, None) == Err(Errno::INTR) {}
            match sockopt::socket_error(socket) {
                Ok(Ok(())) => Reply::Done,
                Ok(Err(error)) | Err(error) => Reply::Errno(error.raw_os_error()),
            }
        }
        Err(error) => Reply::Errno(error.raw_os_error()),
    }
}

fn is_tcp(socket: &OwnedFd) -> rustix::io::Result<bool> {
    Ok(sockopt::socket_domain(socket)? == AddressFamily::INET
        && sockopt::socket_type(socket)? == SocketType::STREAM
        && sockopt::socket_protocol(socket)? == Some(ipproto::TCP))
}

fn read_address(caller: Caller<'_>) -> io::Result<Address> {
    let invalid = || io::Error::from_raw_os_error(libc::EINVAL);
    // As the kernel: at most a `sockaddr_storage`.
    let length = usize::try_from(caller.number(2)).map_err(|_| invalid())?;
    let mut buffer = [0; 128];
    let bytes = buffer.get_mut(..length).ok_or_else(invalid)?;
    caller.bytes(caller.argument(1), bytes)?;
    parse(bytes).ok_or_else(invalid)
}

/// Reads a `sockaddr`.
fn parse(bytes: &[u8]) -> Option<Address> {
    let family = u16::from_ne_bytes(*bytes.first_chunk()?);
    let port = || Some(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?));
    match i32::from(family) {
        libc::AF_INET if bytes.len() >= 16 => {
            let ip: [u8; 4] = *bytes.get(4..)?.first_chunk()?;
            Some(Address::Internet(SocketAddr::from((ip, port()?))))
        }
        libc::AF_INET6 if bytes.len() >= 24 => {
            let ip: [u8; 16] = *bytes.get(8..)?.first_chunk()?;
            Some(Address::Internet(SocketAddr::from((ip, port()?))))
        }
        libc::AF_INET | libc::AF_INET6 => None,
        _ => Some(Address::Other(family)),
    }
}

/// Whether somebody listens on a port in the caller's own network.
fn is_served(thread: i32, port: u16) -> bool {
    const LISTENING: &str = "0A";
    let port = format!(":{port:04X}");
    ["tcp", "tcp6"].iter().any(|table| {
        let sockets = fs::read_to_string(format!("/proc/{thread}/net/{table}")).unwrap_or_default();
        sockets.lines().skip(1).any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let local = fields.next().is_some_and(|local| local.ends_with(&port));
            local && fields.nth(1) == Some(LISTENING)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_the_kernel_reads_them() {
        let mut four = vec![2, 0, 0x1f, 0x90, 127, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9];
        let address = Address::Internet("127.0.0.1:8080".parse().expect("an address"));
        assert_eq!(parse(&four), Some(address));
        four.pop();
        assert_eq!(parse(&four), None, "too short");
        let mut six = vec![10, 0, 0x1f, 0x90, 0, 0, 0, 0];
        six.extend(Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets());
        let address = Address::Internet("[::ffff:127.0.0.1]:8080".parse().expect("an address"));
        assert_eq!(parse(&six), Some(address));
        assert_eq!(parse(&[1, 0, b'/']), Some(Address::Other(1)));
        assert_eq!(parse(&[0, 0]), Some(Address::Other(0)));
        assert_eq!(parse(&[2]), None);
    }
}
