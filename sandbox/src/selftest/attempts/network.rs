//! Attempts on the network: to reach anything but the gate, and to be reached.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, TcpStream, ToSocketAddrs as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{
    SendAncillaryBuffer, SendFlags, accept, bind, connect, listen, sendmsg_addr, sendto,
};

use crate::selftest::attempt::{At, Attempt, Expect, Group, Refusal, Shows, by};
use crate::selftest::stage::Stage;
use crate::selftest::targets::GATE;
use crate::sys::attempts::network as raw;
use crate::sys::attempts::ring;

/// How long an attempt waits for whoever should call or answer.
const PATIENCE: Duration = Duration::from_millis(600);

const CONNECTION: Expect =
    Expect::tiers(&[by::SECCOMP, by::NETWORK], &[by::NOTIFY, by::SECCOMP, by::LANDLOCK]);
const NO_SUCH_SOCKET: Expect = Expect::held(&[by::SECCOMP]);
const NOBODY_CALLS: Expect = Expect::tiers(&[by::NETWORK], &[by::SECCOMP, by::LANDLOCK]);

const fn attempt(
    name: &'static str,
    what: &'static str,
    run: fn(&Stage) -> Result<String, Refusal>,
    shows: Shows,
    expect: Expect,
) -> Attempt {
    Attempt { name, group: Group::Network, what, run, shows, expect }
}

/// The table.
pub const ATTEMPTS: &[Attempt] = &[
    attempt(
        "tcp-other-port",
        "connect to another TCP port",
        |stage| reach(libc::IPPROTO_TCP, stage.other, &stage.token),
        Shows::Listener,
        CONNECTION,
    ),
    attempt(
        "tcp-lan",
        "connect to the machine's own address, the gate's port",
        |stage| reach(libc::IPPROTO_TCP, lan(stage)?, &stage.token),
        Shows::Listener,
        CONNECTION,
    ),
    attempt(
        "tcp-loopback2",
        "connect to 127.0.0.2, the gate's port",
        |stage| reach(libc::IPPROTO_TCP, stage.loopback2, &stage.token),
        Shows::Listener,
        CONNECTION,
    ),
    attempt(
        "tcp-any-address",
        "connect to 0.0.0.0, another port",
        |stage| {
            let to = SocketAddr::from((Ipv4Addr::UNSPECIFIED, stage.other.port()));
            reach(libc::IPPROTO_TCP, to, &stage.token)
        },
        Shows::Listener,
        CONNECTION,
    ),
    attempt(
        "tcp-loopback6",
        "connect to ::1, the gate's port",
        |stage| reach(libc::IPPROTO_TCP, loopback6(stage)?, &stage.token),
        Shows::Listener,
        CONNECTION,
    ),
    attempt(
        "tcp-mapped-other",
        "connect to ::ffff:127.0.0.1, another port",
        |stage| reach(libc::IPPROTO_TCP, mapped(stage.other)?, &stage.token),
        Shows::Listener,
        CONNECTION,
    ),
    attempt(
        "tcp-mapped-lan",
        "connect to the mapped form of the machine's own address",
        |stage| reach(libc::IPPROTO_TCP, mapped(lan(stage)?)?, &stage.token),
        Shows::Listener,
        CONNECTION,
    ),
    attempt(
        "tcp-reconnect",
        "connect to the gate, disconnect, connect elsewhere",
        reconnect,
        Shows::Listener,
        CONNECTION,
    ),
    attempt(
        "tcp-nonblocking",
        "connect to another port without waiting for it",
        |stage| {
            let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK;
            let socket = raw::socket(libc::AF_INET, kind, 0).at("socket")?;
            match connect(&socket, &stage.other) {
                Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
                Err(error) => return Err(error).at("connect"),
            }
            wait_for(&socket, PollFlags::OUT).at("wait for the connection")?;
            rustix::net::sockopt::socket_error(&socket).at("connect")?.at("connect")?;
            talk(socket, &stage.token)
        },
        Shows::Listener,
        CONNECTION,
    ),
    attempt(
        "race-address",
        "change the address while connect looks at it",
        race,
        Shows::Listener,
        CONNECTION,
    ),
    attempt(
        "mptcp",
        "connect by MPTCP",
        |stage| reach(libc::IPPROTO_MPTCP, stage.other, &stage.token),
        Shows::Listener,
        NO_SUCH_SOCKET,
    ),
    attempt(
        "fastopen-sendto",
        "connect by sendto with MSG_FASTOPEN",
        |stage| {
            let socket = raw::socket(libc::AF_INET, libc::SOCK_STREAM, 0).at("socket")?;
            sendto(&socket, stage.token.as_bytes(), FAST_OPEN, &stage.other).at("sendto")?;
            welcomed(socket)
        },
        Shows::Listener,
        CONNECTION,
    ),
    attempt(
        "fastopen-sendto-high",
        "the same with bits set that the kernel drops",
        |stage| {
            let socket = raw::socket(libc::AF_INET, libc::SOCK_STREAM, 0).at("socket")?;
            raw::send_to_with_high_flags(socket.as_fd(), stage.token.as_bytes(), v4(stage.other)?)
                .at("sendto")?;
            welcomed(socket)
        },
        Shows::Listener,
        CONNECTION,
    ),
    attempt(
        "fastopen-sendmsg",
        "connect by sendmsg with MSG_FASTOPEN",
        |stage| {
            let socket = raw::socket(libc::AF_INET, libc::SOCK_STREAM, 0).at("socket")?;
            let text = [io::IoSlice::new(stage.token.as_bytes())];
            let mut nothing = SendAncillaryBuffer::default();
            sendmsg_addr(&socket, &stage.other, &text, &mut nothing, FAST_OPEN).at("sendmsg")?;
            welcomed(socket)
        },
        Shows::Listener,
        CONNECTION,
    ),
    attempt(
        "fastopen-sendmmsg",
        "connect by sendmmsg with MSG_FASTOPEN",
        |stage| {
            let socket = raw::socket(libc::AF_INET, libc::SOCK_STREAM, 0).at("socket")?;
            let text = stage.token.as_bytes();
            raw::send_many(socket.as_fd(), text, FAST_OPEN.bits(), v4(stage.other)?)
                .at("sendmmsg")?;
            welcomed(socket)
        },
        Shows::Listener,
        CONNECTION,
    ),
    attempt(
        "fastopen-connect",
        "connect with TCP_FASTOPEN_CONNECT: only the first write sends",
        |stage| {
            let socket = raw::socket(libc::AF_INET, libc::SOCK_STREAM, 0).at("socket")?;
            // TCP_FASTOPEN_CONNECT is 30.
            raw::set_option(socket.as_fd(), libc::IPPROTO_TCP, 30, 1).at("setsockopt")?;
            connect(&socket, &stage.other).at("connect")?;
            talk(socket, &stage.token)
        },
        Shows::Listener,
        CONNECTION,
    ),
    attempt(
        "udp",
        "send a datagram to a name server (sendto)",
        |stage| datagram(stage, false),
        Shows::Listener,
        NO_SUCH_SOCKET,
    ),
    attempt(
        "udp-connected",
        "send a datagram to a name server (connect, write)",
        |stage| datagram(stage, true),
        Shows::Listener,
        NO_SUCH_SOCKET,
    ),
    attempt(
        "name-lookup",
        "look up a public name (getaddrinfo)",
        |_| {
            let found = ("example.com", 443).to_socket_addrs().at("getaddrinfo")?.next();
            found.map(|one| one.ip().to_string()).ok_or_else(|| Refusal::nothing("getaddrinfo"))
        },
        Shows::Report,
        NO_SUCH_SOCKET,
    ),
    attempt(
        "io-uring-connect",
        "make a socket and connect it by io_uring",
        |stage| {
            let socket = ring::connect(v4(stage.other)?).at("io_uring")?;
            talk(socket, &stage.token)
        },
        Shows::Listener,
        Expect::held(&[by::SECCOMP]),
    ),
    attempt(
        "bind",
        "listen on a port of loopback, and be called from outside",
        |stage| be_called(stage, stage.called, true),
        Shows::Listener,
        NOBODY_CALLS,
    ),
    attempt(
        "bind-any",
        "listen on a port of every address, and be called from outside",
        |stage| {
            let at = SocketAddr::from((Ipv4Addr::UNSPECIFIED, stage.called.port()));
            be_called(stage, at, true)
        },
        Shows::Listener,
        NOBODY_CALLS,
    ),
    attempt(
        "bind6",
        "the same by IPv6, which takes IPv4 too",
        |stage| {
            let at = SocketAddr::from((Ipv6Addr::UNSPECIFIED, stage.called.port()));
            be_called(stage, at, true)
        },
        Shows::Listener,
        NOBODY_CALLS,
    ),
    attempt(
        "listen-unbound",
        "listen without bind: on any port",
        listen_unbound,
        Shows::Report,
        Expect::tiers(&[by::NETWORK], &[by::SECCOMP, by::LANDLOCK]),
    ),
];

const FAST_OPEN: SendFlags = SendFlags::from_bits_retain(libc::MSG_FASTOPEN as u32);

/// Connects, says who it is, and hears whether it was let in.
fn reach(protocol: i32, to: SocketAddr, token: &str) -> Result<String, Refusal> {
    let family = if to.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let socket = raw::socket(family, libc::SOCK_STREAM, protocol).at("socket")?;
    connect(&socket, &to).at("connect")?;
    talk(socket, token)
}

/// Says who it is on a connected socket, and hears whether it was let in.
fn talk(socket: OwnedFd, token: &str) -> Result<String, Refusal> {
    let mut stream = TcpStream::from(socket);
    stream.write_all(token.as_bytes()).at("write")?;
    welcomed(stream.into())
}

fn welcomed(socket: OwnedFd) -> Result<String, Refusal> {
    wait_for(&socket, PollFlags::IN).at("wait for an answer")?;
    let mut text = [0; 64];
    let length = TcpStream::from(socket).read(&mut text).at("read")?;
    if length == 0 || &text[..length] == GATE {
        return Err(Refusal::nothing("reach another than the gate"));
    }
    Ok("connected".to_owned())
}

fn wait_for(socket: &OwnedFd, flags: PollFlags) -> io::Result<()> {
    let timeout = rustix::time::Timespec::try_from(PATIENCE).map_err(io::Error::other)?;
    match poll(&mut [PollFd::new(socket, flags)], Some(&timeout))? {
        0 => Err(io::Error::from_raw_os_error(libc::ETIMEDOUT)),
        _ => Ok(()),
    }
}

fn datagram(stage: &Stage, connected: bool) -> Result<String, Refusal> {
    let socket = raw::socket(libc::AF_INET, libc::SOCK_DGRAM, 0).at("socket")?;
    let text = stage.token.as_bytes();
    if connected {
        connect(&socket, &stage.datagram).at("connect")?;
        rustix::io::write(&socket, text).at("write")?;
    } else {
        sendto(&socket, text, SendFlags::empty(), &stage.datagram).at("sendto")?;
    }
    wait_for(&socket, PollFlags::IN).at("wait for an answer")?;
    Ok("answered".to_owned())
}

fn reconnect(stage: &Stage) -> Result<String, Refusal> {
    let socket = raw::socket(libc::AF_INET, libc::SOCK_STREAM, 0).at("socket")?;
    // Nobody need listen behind the gate: what counts is the second connection.
    let _ = connect(&socket, &stage.gate);
    raw::disconnect(socket.as_fd()).at("connect to nothing")?;
    connect(&socket, &stage.other).at("connect")?;
    talk(socket, &stage.token)
}

/// For a second, one thread changes the address that another connects to.
fn race(stage: &Stage) -> Result<String, Refusal> {
    let (gate, other) = (v4(stage.gate)?, v4(stage.other)?);
    let racing = raw::Racing::new(gate);
    let ended = AtomicBool::new(false);
    let deadline = Instant::now() + Duration::from_secs(1);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                racing.set(other);
                racing.set(gate);
            }
        });
        let mut last = None;
        while Instant::now() < deadline {
            let tried =
                raw::socket(libc::AF_INET, libc::SOCK_STREAM, 0).at("socket").and_then(|socket| {
                    racing.connect(socket.as_fd()).at("connect")?;
                    talk(socket, &stage.token)
                });
            match tried {
                Ok(_) => {
                    ended.store(true, Ordering::Relaxed);
                    return Ok("connected elsewhere".to_owned());
                }
                // The gate let it in: that is no refusal, and what follows may be one.
                Err(Refusal::Failed { error, .. }) if error.raw_os_error().is_none() => {}
                Err(refusal) => last = Some(refusal),
            }
        }
        ended.store(true, Ordering::Relaxed);
        Err(last.unwrap_or_else(|| Refusal::nothing("connect")))
    })
}

/// Listens, and waits for somebody outside to call.
fn be_called(stage: &Stage, at: SocketAddr, bound: bool) -> Result<String, Refusal> {
    let family = if at.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let socket = raw::socket(family, libc::SOCK_STREAM, 0).at("socket")?;
    if bound {
        rustix::net::sockopt::set_socket_reuseaddr(&socket, true).at("setsockopt")?;
        bind(&socket, &at).at("bind")?;
    }
    listen(&socket, 8).at("listen")?;
    wait_for(&socket, PollFlags::IN).at("wait for a call")?;
    let caller = accept(&socket).at("accept")?;
    TcpStream::from(caller).write_all(stage.token.as_bytes()).at("write")?;
    Ok("called from outside".to_owned())
}

/// Listens on a port that the kernel chooses. In a network of its own nobody outside can call, which
/// a call to the machine's own address from here shows: it has none.
fn listen_unbound(stage: &Stage) -> Result<String, Refusal> {
    let socket = raw::socket(libc::AF_INET, libc::SOCK_STREAM, 0).at("socket")?;
    listen(&socket, 8).at("listen")?;
    let at = rustix::net::getsockname(&socket).at("getsockname")?;
    let at = SocketAddr::try_from(at).at("getsockname")?;
    let to = SocketAddr::from((lan(stage)?.ip(), at.port()));
    let caller = raw::socket(libc::AF_INET, libc::SOCK_STREAM, 0).at("socket")?;
    connect(&caller, &to).at("connect to it by the machine's own address")?;
    Ok("listens on the machine's own address".to_owned())
}

fn lan(stage: &Stage) -> Result<SocketAddr, Refusal> {
    stage.lan.ok_or_else(|| Refusal::absent("the machine has no address but loopback's"))
}

fn loopback6(stage: &Stage) -> Result<SocketAddr, Refusal> {
    stage.loopback6.ok_or_else(|| Refusal::absent("the machine has no IPv6"))
}

fn v4(address: SocketAddr) -> Result<SocketAddrV4, Refusal> {
    match address {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(_) => Err(Refusal::absent("not an IPv4 address")),
    }
}

fn mapped(address: SocketAddr) -> Result<SocketAddr, Refusal> {
    let address = v4(address)?;
    Ok(SocketAddr::from((address.ip().to_ipv6_mapped(), address.port())))
}
