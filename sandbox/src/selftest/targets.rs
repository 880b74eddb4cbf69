//! What attempts try to reach: listeners of every kind, which note the token of whoever came.
//!
//! One thread serves them all until the guard is dropped.

use std::collections::HashSet;
use std::io::{self, PipeWriter};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{self as unix, UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

/// What the gate's listener answers.
pub const GATE: &[u8] = b"gate\n";

/// What all others answer: who reads it got out.
const OUTSIDE: &[u8] = b"outside\n";

/// How long somebody who connected may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(2);

/// Listeners of every kind.
#[derive(Debug)]
pub struct Targets {
    /// The gate's: 127.0.0.1 and a port.
    pub gate: SocketAddr,
    /// Another port.
    pub other: SocketAddr,
    /// The gate's port on 127.0.0.2.
    pub loopback2: SocketAddr,
    /// The gate's port on `::1`.
    pub loopback6: Option<SocketAddr>,
    /// The gate's port on this machine's own address.
    pub lan: Option<SocketAddr>,
    /// Datagrams.
    pub datagram: SocketAddr,
    /// By path.
    pub unix: PathBuf,
    /// By path, datagrams.
    pub unix_datagram: PathBuf,
    /// By abstract name.
    pub unix_abstract: String,
    /// By abstract name, datagrams.
    pub unix_abstract_datagram: String,
    heard: Arc<Mutex<HashSet<String>>>,
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

enum Listener {
    Tcp(TcpListener),
    Datagrams(UdpSocket),
    Unix(UnixListener),
    UnixDatagrams(UnixDatagram),
}

impl Targets {
    /// Sets them up, with their paths in `root`.
    pub fn listen(root: &Path) -> io::Result<Self> {
        let (gate, same_port) = gate_and_same_port()?;
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let datagram = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let name = crate::selftest::scene::random()?;
        let unix_path = root.join("stream.socket");
        let unix_datagram_path = root.join("datagram.socket");
        let unix_abstract = format!("iron-selftest-{name}");
        let unix_abstract_datagram = format!("iron-selftest-datagram-{name}");
        let address = unix::SocketAddr::from_abstract_name(&unix_abstract)?;
        let address_datagram = unix::SocketAddr::from_abstract_name(&unix_abstract_datagram)?;
        let heard = Arc::default();
        let mut targets = Self {
            gate: gate.local_addr()?,
            other: other.local_addr()?,
            loopback2: same_port.loopback2.local_addr()?,
            loopback6: same_port.loopback6.as_ref().and_then(|one| one.local_addr().ok()),
            lan: same_port.lan.as_ref().and_then(|one| one.local_addr().ok()),
            datagram: datagram.local_addr()?,
            unix: unix_path.clone(),
            unix_datagram: unix_datagram_path.clone(),
            unix_abstract,
            unix_abstract_datagram,
            heard: Arc::clone(&heard),
            stop: None,
            thread: None,
        };
        // A connection to the gate is nobody's way out: the gate's own listener notes no token.
        let mut listeners = vec![
            (Listener::Tcp(gate), false),
            (Listener::Tcp(other), true),
            (Listener::Tcp(same_port.loopback2), true),
            (Listener::Datagrams(datagram), true),
            (Listener::Unix(UnixListener::bind(unix_path)?), true),
            (Listener::UnixDatagrams(UnixDatagram::bind(unix_datagram_path)?), true),
            (Listener::Unix(UnixListener::bind_addr(&address)?), true),
            (Listener::UnixDatagrams(UnixDatagram::bind_addr(&address_datagram)?), true),
        ];
        let further = same_port.loopback6.into_iter().chain(same_port.lan);
        listeners.extend(further.map(|listener| (Listener::Tcp(listener), true)));
        let (stopped, stop) = io::pipe()?;
        targets.stop = Some(stop);
        targets.thread = Some(std::thread::Builder::new().spawn(move || {
            serve(&listeners, &OwnedFd::from(stopped), &heard);
        })?);
        Ok(targets)
    }

    /// Whether anybody came with this token.
    pub fn heard(&self, token: &str) -> bool {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).contains(token)
    }

    /// Connects to `address` again and again until the guard is dropped: whoever listens there is
    /// heard of.
    pub fn call(&self, address: SocketAddr) -> io::Result<Calls> {
        let (stopped, stop) = io::pipe()?;
        let heard = Arc::clone(&self.heard);
        let thread = std::thread::Builder::new().spawn(move || {
            let stopped = OwnedFd::from(stopped);
            while !readable(&stopped, Duration::from_millis(10)) {
                // A process of this machine that connects to its own port from that very port
                // would meet itself; the address is free, so that is all that could answer here.
                let Ok(stream) = TcpStream::connect_timeout(&address, PATIENCE) else { continue };
                if stream.local_addr().is_ok_and(|local| local != address) {
                    hear(&stream, Some(&heard));
                }
            }
        })?;
        Ok(Calls { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Targets {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Calls to an address, until dropped.
#[derive(Debug)]
pub struct Calls {
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Calls {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct SamePort {
    loopback2: TcpListener,
    loopback6: Option<TcpListener>,
    lan: Option<TcpListener>,
}

/// The gate's listener, and others with its port on other addresses. A port that is taken on one of
/// them is given up for another.
fn gate_and_same_port() -> io::Result<(TcpListener, SamePort)> {
    let lan = lan_address();
    let has_ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..20 {
        let gate = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = gate.local_addr()?.port();
        let bind = || -> io::Result<SamePort> {
            Ok(SamePort {
                loopback2: TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), port))?,
                loopback6: has_ipv6
                    .then(|| TcpListener::bind((Ipv6Addr::LOCALHOST, port)))
                    .transpose()?,
                lan: lan.map(|address| TcpListener::bind((address, port))).transpose()?,
            })
        };
        match bind() {
            Ok(same_port) => return Ok((gate, same_port)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// This machine's own address in its network. Nothing is sent: connecting a datagram socket only asks
/// the routing table which address would be used. 192.0.2.1 is for documentation (RFC 5737).
fn lan_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

fn serve(listeners: &[(Listener, bool)], stopped: &OwnedFd, heard: &Mutex<HashSet<String>>) {
    loop {
        let mut waiting = vec![PollFd::new(stopped, PollFlags::IN)];
        for (listener, _) in listeners {
            waiting.push(PollFd::from_borrowed_fd(
                match listener {
                    Listener::Tcp(one) => one.as_fd(),
                    Listener::Datagrams(one) => one.as_fd(),
                    Listener::Unix(one) => one.as_fd(),
                    Listener::UnixDatagrams(one) => one.as_fd(),
                },
                PollFlags::IN,
            ));
        }
        if poll(&mut waiting, None).is_err() {
            continue;
        }
        let ready: Vec<bool> = waiting.iter().map(|one| !one.revents().is_empty()).collect();
        if ready[0] {
            return;
        }
        for ((listener, notes), _) in
            listeners.iter().zip(&ready[1..]).filter(|(_, is_ready)| **is_ready)
        {
            let heard = notes.then_some(heard);
            let mut text = [0; 256];
            match listener {
                Listener::Tcp(one) => {
                    if let Ok((stream, _)) = one.accept() {
                        hear(&stream, heard);
                    }
                }
                Listener::Unix(one) => {
                    if let Ok((stream, _)) = one.accept() {
                        let _ = stream.set_read_timeout(Some(PATIENCE));
                        note(&stream, &stream, heard);
                    }
                }
                Listener::Datagrams(one) => {
                    if let Ok((length, from)) = one.recv_from(&mut text) {
                        keep(&text[..length], heard);
                        let _ = one.send_to(OUTSIDE, from);
                    }
                }
                Listener::UnixDatagrams(one) => {
                    if let Ok(length) = one.recv(&mut text) {
                        keep(&text[..length], heard);
                    }
                }
            }
        }
    }
}

fn hear(stream: &TcpStream, heard: Option<&Mutex<HashSet<String>>>) {
    let _ = stream.set_read_timeout(Some(PATIENCE));
    note(stream, stream, heard);
}

fn note(
    mut read: impl io::Read,
    mut write: impl io::Write,
    heard: Option<&Mutex<HashSet<String>>>,
) {
    let mut text = [0; 256];
    let length = read.read(&mut text).unwrap_or(0);
    keep(&text[..length], heard);
    let _ = write.write_all(if heard.is_some() { OUTSIDE } else { GATE });
}

fn keep(text: &[u8], heard: Option<&Mutex<HashSet<String>>>) {
    let token = String::from_utf8_lossy(text).trim_end().to_owned();
    if let Some(heard) = heard.filter(|_| !token.is_empty()) {
        heard.lock().unwrap_or_else(PoisonError::into_inner).insert(token);
    }
}

fn readable(fd: &OwnedFd, within: Duration) -> bool {
    let Ok(timeout) = rustix::time::Timespec::try_from(within) else { return true };
    let mut waiting = [PollFd::new(fd, PollFlags::IN)];
    poll(&mut waiting, Some(&timeout)).is_ok_and(|ready| ready > 0)
}
