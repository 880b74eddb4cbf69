//! Standard input, output and error are handed on as they are: here is looked whether one is a way out.
//!
//! A socket of the machine's network stays in that network, and can be disconnected and connected to
//! somewhere else; a datagram socket sends to whomever it names. A pair of UNIX streams, as many programs
//! make for their children, can do neither.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{FileType, Mode, OFlags, SeekFrom, fcntl_getfl, fstat, open, seek, tell};
use rustix::net::{AddressFamily, SocketType, sockopt};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout, stderr, stdin, stdout};

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
    match FileType::from_raw_mode(found.st_mode) {
        FileType::Socket => {}
        // All that lies below it, and above, could be named from there.
        FileType::Directory | FileType::BlockDevice => return true,
        _ => return false,
    }
    let stays = [SocketType::STREAM, SocketType::SEQPACKET];
    sockopt::socket_domain(file) != Ok(AddressFamily::UNIX)
        || !sockopt::socket_type(file).is_ok_and(|kind| stays.contains(&kind))
}

/// Opens standard files anew in this process's own view of the files, which is read-only: by the one that
/// it was started with, a terminal's or a file's mode, owner and times could be changed outside.
///
/// Outputs that are files are pipes by then ([`super::output`]). What has no name needs nothing.
pub(super) fn reopen() -> io::Result<()> {
    for (number, file) in [(0, stdin()), (1, stdout()), (2, stderr())] {
        let Ok(found) = fstat(file) else { continue };
        let kind = FileType::from_raw_mode(found.st_mode);
        let named = matches!(kind, FileType::CharacterDevice | FileType::RegularFile);
        if !named || found.st_nlink == 0 {
            continue;
        }
        let path = std::fs::read_link(format!("/proc/self/fd/{number}"))?;
        let flags = fcntl_getfl(file)? & (OFlags::RWMODE | OFlags::APPEND | OFlags::NONBLOCK);
        let anew = open(&path, flags | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
        let again = fstat(&anew)?;
        if (again.st_dev, again.st_ino) != (found.st_dev, found.st_ino) {
            return Err(io::Error::other(format!("{} is another file by now", path.display())));
        }
        if kind == FileType::RegularFile {
            seek(&anew, SeekFrom::Start(tell(file)?))?;
        }
        match number {
            0 => dup2_stdin(&anew)?,
            1 => dup2_stdout(&anew)?,
            _ => dup2_stderr(&anew)?,
        }
    }
    Ok(())
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
        let folder = std::fs::File::open("/").unwrap();
        assert!(is_way_out(folder.as_fd()));
        assert!(!is_way_out(stream.as_fd()) && !is_way_out(file.as_fd()));
        assert!(is_way_out(datagram.as_fd()) && is_way_out(connected.as_fd()));
    }
}
