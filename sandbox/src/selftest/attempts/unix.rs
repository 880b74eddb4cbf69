//! Attempts by unix sockets: services of this machine that no network rule covers.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{
    SendAncillaryBuffer, SendFlags, SocketAddrUnix, bind, connect, listen, sendmsg_addr, sendto,
};

use crate::selftest::attempt::{At, Attempt, Expect, Group, Refusal, Shows, by};
use crate::selftest::stage::Stage;
use crate::sys::attempts::network as raw;

const NO_SUCH_SOCKET: Expect = Expect::held(&[by::SECCOMP]);
/// A pair is made by programs for themselves; that an end of it reaches others must not be.
const PAIR: Expect =
    Expect::tiers(&[by::SECCOMP, by::NETWORK, by::MOUNT], &[by::SECCOMP, by::NOTIFY, by::LANDLOCK]);

const fn attempt(
    name: &'static str,
    what: &'static str,
    run: fn(&Stage) -> Result<String, Refusal>,
    shows: Shows,
    expect: Expect,
) -> Attempt {
    Attempt { name, group: Group::Unix, what, run, shows, expect }
}

/// The table.
pub const ATTEMPTS: &[Attempt] = &[
    attempt(
        "unix-path",
        "connect to a unix socket outside by its path",
        |stage| stream(stage, &path(&stage.unix)?),
        Shows::Listener,
        NO_SUCH_SOCKET,
    ),
    attempt(
        "unix-path-workspace",
        "connect to a unix socket that lies in the workspace",
        |stage| stream(stage, &path(&stage.unix_workspace)?),
        Shows::Listener,
        NO_SUCH_SOCKET,
    ),
    attempt(
        "unix-abstract",
        "connect to a unix socket by its abstract name",
        |stage| stream(stage, &abstract_name(&stage.unix_abstract)?),
        Shows::Listener,
        NO_SUCH_SOCKET,
    ),
    attempt(
        "unix-seqpacket",
        "make a unix socket of packets",
        |_| {
            raw::socket(libc::AF_UNIX, libc::SOCK_SEQPACKET, 0).at("socket")?;
            Ok("made".to_owned())
        },
        Shows::Report,
        NO_SUCH_SOCKET,
    ),
    attempt(
        "unix-datagram",
        "send a datagram to a unix socket outside by its path",
        |stage| datagram(stage, &path(&stage.unix_datagram)?),
        Shows::Listener,
        NO_SUCH_SOCKET,
    ),
    attempt(
        "unix-datagram-abstract",
        "send a datagram to a unix socket by its abstract name",
        |stage| datagram(stage, &abstract_name(&stage.unix_abstract_datagram)?),
        Shows::Listener,
        NO_SUCH_SOCKET,
    ),
    attempt(
        "unix-listen",
        "listen on a unix socket by an abstract name",
        |stage| {
            let socket = raw::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0).at("socket")?;
            bind(&socket, &abstract_name(&stage.token)?).at("bind")?;
            listen(&socket, 1).at("listen")?;
            Ok("listens".to_owned())
        },
        Shows::Report,
        NO_SUCH_SOCKET,
    ),
    attempt(
        "pair-sendto",
        "send from one of a pair of datagram sockets to a path outside",
        |stage| {
            let (one, _other) = pair(libc::SOCK_DGRAM)?;
            let to = path(&stage.unix_datagram)?;
            sendto(&one, stage.token.as_bytes(), SendFlags::empty(), &to).at("sendto")?;
            Ok("sent".to_owned())
        },
        Shows::Listener,
        PAIR,
    ),
    attempt(
        "pair-sendto-abstract",
        "send from one of a pair of datagram sockets to an abstract name",
        |stage| {
            let (one, _other) = pair(libc::SOCK_DGRAM)?;
            let to = abstract_name(&stage.unix_abstract_datagram)?;
            sendto(&one, stage.token.as_bytes(), SendFlags::empty(), &to).at("sendto")?;
            Ok("sent".to_owned())
        },
        Shows::Listener,
        PAIR,
    ),
    attempt(
        "pair-sendmsg",
        "the same by sendmsg, whose address no filter can look at",
        |stage| {
            let (one, _other) = pair(libc::SOCK_DGRAM)?;
            let text = [std::io::IoSlice::new(stage.token.as_bytes())];
            let mut nothing = SendAncillaryBuffer::default();
            let to = path(&stage.unix_datagram)?;
            sendmsg_addr(&one, &to, &text, &mut nothing, SendFlags::empty()).at("sendmsg")?;
            Ok("sent".to_owned())
        },
        Shows::Listener,
        PAIR,
    ),
    attempt(
        "pair-sendmsg-raw",
        "the same from a pair of raw unix sockets, which are datagram ones",
        |stage| {
            let (one, _other) = pair(libc::SOCK_RAW)?;
            let text = [std::io::IoSlice::new(stage.token.as_bytes())];
            let mut nothing = SendAncillaryBuffer::default();
            let to = path(&stage.unix_datagram)?;
            sendmsg_addr(&one, &to, &text, &mut nothing, SendFlags::empty()).at("sendmsg")?;
            Ok("sent".to_owned())
        },
        Shows::Listener,
        PAIR,
    ),
    attempt(
        "pair-connect",
        "connect one of a pair of datagram sockets to a path outside",
        |stage| {
            let (one, _other) = pair(libc::SOCK_DGRAM)?;
            connect(&one, &path(&stage.unix_datagram)?).at("connect")?;
            rustix::io::write(&one, stage.token.as_bytes()).at("write")?;
            Ok("sent".to_owned())
        },
        Shows::Listener,
        PAIR,
    ),
    attempt(
        "pair-reconnect",
        "disconnect one of a pair and connect it to a path in the workspace",
        |stage| {
            let (one, _other) = pair(libc::SOCK_DGRAM)?;
            raw::disconnect(one.as_fd()).at("connect to nothing")?;
            connect(&one, &path(&stage.unix_datagram)?).at("connect")?;
            rustix::io::write(&one, stage.token.as_bytes()).at("write")?;
            Ok("sent".to_owned())
        },
        Shows::Listener,
        PAIR,
    ),
    attempt(
        "unix-services",
        "connect to a service of this machine: containers, D-Bus, X11, Wayland",
        |_| services(),
        Shows::Report,
        NO_SUCH_SOCKET,
    ),
];

/// Where services that give more than a file listen, on most systems.
const SERVICES: [&str; 8] = [
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/podman/podman.sock",
    "/run/containerd/containerd.sock",
    "/run/dbus/system_bus_socket",
    "/run/systemd/private",
    "/tmp/.X11-unix/X0",
    "/run/systemd/journal/stdout",
];

fn services() -> Result<String, Refusal> {
    let socket = raw::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0).at("socket")?;
    let user = rustix::process::getuid().as_raw();
    let own = ["bus", "wayland-0", "systemd/private", "gnupg/S.gpg-agent"];
    let own = own.iter().map(|name| PathBuf::from(format!("/run/user/{user}/{name}")));
    for service in SERVICES.iter().map(PathBuf::from).chain(own) {
        if connect(&socket, &path(&service)?).is_ok() {
            return Ok(format!("connected to {}", service.display()));
        }
    }
    Err(Refusal::absent("none of them runs on this machine"))
}

fn pair(kind: i32) -> Result<(OwnedFd, OwnedFd), Refusal> {
    raw::socket_pair(kind).at("socketpair")
}

fn path(path: &Path) -> Result<SocketAddrUnix, Refusal> {
    SocketAddrUnix::new(path).at("address")
}

fn abstract_name(name: &str) -> Result<SocketAddrUnix, Refusal> {
    SocketAddrUnix::new_abstract_name(name.as_bytes()).at("address")
}

fn stream(stage: &Stage, to: &SocketAddrUnix) -> Result<String, Refusal> {
    let socket = raw::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0).at("socket")?;
    connect(&socket, to).at("connect")?;
    rustix::io::write(&socket, stage.token.as_bytes()).at("write")?;
    let patience = rustix::time::Timespec { tv_sec: 0, tv_nsec: 400_000_000 };
    poll(&mut [PollFd::new(&socket, PollFlags::IN)], Some(&patience)).at("wait for an answer")?;
    Ok("connected".to_owned())
}

fn datagram(stage: &Stage, to: &SocketAddrUnix) -> Result<String, Refusal> {
    let socket = raw::socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0).at("socket")?;
    sendto(&socket, stage.token.as_bytes(), SendFlags::empty(), to).at("sendto")?;
    Ok("sent".to_owned())
}
