//! Standard input, output and error are handed on as they are: here is looked whether one is a way out.
//!
//! A socket of the machine's network stays in that network, and can be disconnected and connected to
//! somewhere else; a datagram socket sends to whomever it names. A pair of UNIX streams, as many programs
//! make for their children, can do neither.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{FileType, fstat};
use rustix::net::{AddressFamily, SocketType, sockopt};
use rustix::stdio::{stderr, stdin, stdout};

use super::Error;

/// Refuses what is a way out.
pub(super) fn check() -> Result<(), Error> {
    for (name, file) in [("input", stdin()), ("output", stdout()), ("error", stderr())] {
        if is_way_out(file) {
            return Err(Error::Standard(name));
        }
    }
    Ok(())
}

fn is_way_out(file: BorrowedFd<'_>) -> bool {
    // One that is closed is nothing.
    let Ok(found) = fstat(file.as_fd()) else { return false };
    if FileType::from_raw_mode(found.st_mode) != FileType::Socket {
        return false;
    }
    let stays = [SocketType::STREAM, SocketType::SEQPACKET];
    sockopt::socket_domain(file) != Ok(AddressFamily::UNIX)
        || !sockopt::socket_type(file).is_ok_and(|kind| stays.contains(&kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_of_a_network_is_a_way_out_and_a_pair_of_streams_is_none() {
        let (stream, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let (datagram, _another) = std::os::unix::net::UnixDatagram::pair().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let connected = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(!is_way_out(stream.as_fd()) && !is_way_out(file.as_fd()));
        assert!(is_way_out(datagram.as_fd()) && is_way_out(connected.as_fd()));
    }
}
