//! Whose the other end of a connection is, where others than the sandbox could connect to its gate.
//!
//! In the fallback tier a gate listens in the machine's own network, where any user's program finds
//! it and would be taken for the sandbox. So the kernel is asked for the other end's user
//! (`sock_diag(7)`): whoever is not this user is turned away. This user's programs are not, since they
//! could read the control token as well. In a network of its own a gate has nobody else to fear.
//!
//! The messages are read and written by hand: two small ones, of a fixed form (`linux/inet_diag.h`).

use std::io;
use std::net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use rustix::fs::fstat;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};
use rustix::net::{recv, send, socket_with};
use rustix::process::geteuid;

/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;
/// `AF_INET` and `IPPROTO_TCP`.
const TCP: [u8; 2] = [2, 6];
/// Bytes of a request: a header, and `struct inet_diag_req_v2`.
const LENGTH: usize = 16 + 56;
/// Where an answer says a socket's user and inode: behind the header, four bytes, the socket's id of
/// 48, and three numbers.
const USER: usize = 16 + 4 + 48 + 12;
const INODE: usize = USER + 4;

/// Asks for the other ends of the connections of one listener.
#[derive(Debug)]
pub(super) struct Peers {
    kernel: OwnedFd,
}

/// What the kernel knows of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    user: u32,
    inode: u32,
}

impl Peers {
    /// For a listener in this process's own network; none for one in another, and where the kernel
    /// cannot be asked: then nobody is turned away.
    pub(super) fn of(listener: &TcpListener) -> Option<Self> {
        let SocketAddr::V4(address) = listener.local_addr().ok()? else { return None };
        let kind = (AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC);
        let kernel = socket_with(kind.0, kind.1, kind.2, Some(netlink::SOCK_DIAG)).ok()?;
        let peers = Self { kernel };
        let nobody = SocketAddrV4::new([0, 0, 0, 0].into(), 0);
        let found = peers.look_up(address, nobody).ok()??;
        // A listener at the same address of another network would be another socket.
        let same = fstat(listener).is_ok_and(|own| own.st_ino == u64::from(found.inode));
        same.then_some(peers)
    }

    /// Whether the other end of a connection is this user's.
    pub(super) fn is_own(&self, connection: &TcpStream) -> bool {
        let ends = (connection.peer_addr(), connection.local_addr());
        let (Ok(SocketAddr::V4(there)), Ok(SocketAddr::V4(here))) = ends else { return false };
        let known = self.look_up(there, here).ok().flatten();
        // One that was closed on its side is nobody's any more, and told to be of user 0.
        known.is_some_and(|known| known.inode != 0 && known.user == geteuid().as_raw())
    }

    /// The socket with this address of its own and this one at the other end.
    fn look_up(&self, own: SocketAddrV4, other: SocketAddrV4) -> io::Result<Option<Known>> {
        send(&self.kernel, &request(own, other), SendFlags::empty())?;
        let mut answer = [0; 1024];
        let (length, _) = recv(&self.kernel, &mut answer, RecvFlags::empty())?;
        Ok(read(&answer[..length]))
    }
}

fn request(own: SocketAddrV4, other: SocketAddrV4) -> [u8; LENGTH] {
    let mut request = [0; LENGTH];
    let mut put = |at: usize, bytes: &[u8]| request[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &(LENGTH as u32).to_ne_bytes());
    put(4, &BY_FAMILY.to_ne_bytes());
    put(6, &REQUEST.to_ne_bytes());
    put(16, &TCP);
    // In any state.
    put(20, &u32::MAX.to_ne_bytes());
    put(24, &own.port().to_be_bytes());
    put(26, &other.port().to_be_bytes());
    put(28, &own.ip().octets());
    put(44, &other.ip().octets());
    // No cookie is known.
    put(64, &[0xff; 8]);
    request
}

/// What an answer says; none where there is no such socket.
fn read(answer: &[u8]) -> Option<Known> {
    let number = |at: usize| {
        let bytes = answer.get(at..at + 4)?;
        Some(u32::from_ne_bytes(bytes.try_into().ok()?))
    };
    let kind = answer.get(4..6)?;
    if kind != BY_FAMILY.to_ne_bytes() {
        return None;
    }
    Some(Known { user: number(USER)?, inode: number(INODE)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_ends_user_is_known() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peers = Peers::of(&listener).expect("the kernel can be asked");
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (connection, _) = listener.accept().unwrap();
        assert!(peers.is_own(&connection));
        let (SocketAddr::V4(there), SocketAddr::V4(here)) =
            (client.local_addr().unwrap(), client.peer_addr().unwrap())
        else {
            panic!("the connection is over IPv4");
        };
        let known = peers.look_up(there, here).unwrap().unwrap();
        assert_eq!(u64::from(known.inode), fstat(&client).unwrap().st_ino);
        drop((client, connection, listener));
        assert_eq!(peers.look_up(there, SocketAddrV4::new(*here.ip(), 1)).unwrap(), None);
    }
}
