//! A gate: takes the sandbox's connections and carries each to what stands behind.
//!
//! Its listener is the sandbox's alone, so that who connects to it is known by that and by nothing
//! that is said. A connection to the proxy is introduced first ([`crate::proxy::attach`]) and then the
//! agent's, byte by byte. Where there is no way on, the agent is told so by an answer in HTTP; it
//! never comes to the proxy as somebody who was not introduced.
//!
//! Two threads carry a connection, one each way, with a buffer each: what the one side does not take
//! is not read from the other. Who comes when all places are taken waits to be accepted.

mod apology;
mod peer;

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rustix::net::{Shutdown as How, shutdown};
use rustix::process::{Resource, getrlimit};

use peer::Peers;

use crate::confinement::Behind;
use crate::proxy::{self, ProxyError};

/// Connections at once, where file descriptors allow it.
const MOST: usize = 512;
/// Descriptors that are no connections of a gate: the launcher's own.
const OWN: u64 = 64;
/// Descriptors of a connection.
const EACH: u64 = 2;
/// Bytes on their way in one direction.
const BUFFER: usize = 128 * 1024;
/// What a thread here needs besides its buffer, in bytes.
const STACK: usize = 128 * 1024;
/// How long a service may take to accept.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pause after a connection that could not be accepted.
const PAUSE: Duration = Duration::from_millis(20);

/// A gate that is open until this is dropped, and with it all that passes.
#[derive(Debug)]
pub struct Gate {
    hall: Arc<Hall>,
    doorman: Option<JoinHandle<()>>,
}

/// What all connections of a gate share.
#[derive(Debug)]
struct Hall {
    listener: TcpListener,
    behind: Behind,
    most: usize,
    state: Mutex<State>,
    /// Told when a place comes free, and when the gate closes.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    /// Connections by their number, taken ones that are not carried yet included.
    open: HashMap<u64, Option<Arc<Pair>>>,
    next: u64,
    /// What the user was told last of why there is no way on.
    told: Option<&'static str>,
}

/// A place among the connections, free again when dropped.
#[derive(Debug)]
struct Place {
    hall: Arc<Hall>,
    number: u64,
}

/// Both ends of a connection.
#[derive(Debug)]
struct Pair {
    agent: TcpStream,
    behind: TcpStream,
}

/// Opens a gate.
pub fn serve(listener: TcpListener, behind: Behind) -> io::Result<Gate> {
    let most = places(getrlimit(Resource::Nofile).current);
    let state = Mutex::default();
    let hall = Arc::new(Hall { listener, behind, most, state, changed: Condvar::new() });
    hall.listener.set_nonblocking(false)?;
    let inner = Arc::clone(&hall);
    let doorman = thread("iron-gate").spawn(move || accept(&inner))?;
    Ok(Gate { hall, doorman: Some(doorman) })
}

impl Drop for Gate {
    fn drop(&mut self) {
        let mut state = self.hall.state();
        state.closed = true;
        for pair in state.open.values().flatten() {
            pair.close();
        }
        drop(state);
        self.hall.changed.notify_all();
        // Wakes who waits to accept.
        let _ = shutdown(&self.hall.listener, How::Both);
        if let Some(doorman) = self.doorman.take() {
            let _ = doorman.join();
        }
    }
}

impl Hall {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place; none once the gate is closed.
    fn place(self: &Arc<Self>) -> Option<Place> {
        let state = self.state();
        let full = |state: &mut State| !state.closed && state.open.len() >= self.most;
        let waited = self.changed.wait_while(state, full);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return None;
        }
        let number = state.next;
        state.next += 1;
        state.open.insert(number, None);
        Some(Place { hall: Arc::clone(self), number })
    }

    /// Waits a moment, or until the gate is closed.
    fn pause(&self) {
        let waited = self.changed.wait_timeout_while(self.state(), PAUSE, |state| !state.closed);
        drop(waited);
    }

    /// Tells the user once of each reason in a row.
    fn tell(&self, error: &ProxyError) {
        let reason = error.for_agent();
        if self.state().told.replace(reason) != Some(reason) {
            // Standard error may be closed.
            let _ = writeln!(io::stderr().lock(), "iron-sandbox: {error}");
        }
    }
}

impl Place {
    /// Notes both ends, so that they are closed with the gate; none where it is closed already.
    fn carries(&self, agent: TcpStream, behind: TcpStream) -> Option<Arc<Pair>> {
        let pair = Arc::new(Pair { agent, behind });
        let mut state = self.hall.state();
        if state.closed {
            return None;
        }
        state.told = None;
        state.open.insert(self.number, Some(Arc::clone(&pair)));
        Some(pair)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.hall.state().open.remove(&self.number);
        self.hall.changed.notify_one();
    }
}

impl Pair {
    /// Ends both ways; whoever reads or writes there returns.
    fn close(&self) {
        let _ = self.agent.shutdown(Shutdown::Both);
        let _ = self.behind.shutdown(Shutdown::Both);
    }
}

fn thread(name: &str) -> Builder {
    Builder::new().name(name.to_owned()).stack_size(STACK)
}

/// Accepts until the gate is closed.
fn accept(hall: &Arc<Hall>) {
    let peers = Peers::of(&hall.listener);
    while let Some(place) = hall.place() {
        let agent = match hall.listener.accept() {
            Ok((agent, _)) => agent,
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
            Err(_) if hall.state().closed => return,
            Err(error) if error.raw_os_error() == Some(INVALID) => return,
            // Out of file descriptors, most likely: those in use will come free.
            Err(_) => {
                hall.pause();
                continue;
            }
        };
        if peers.as_ref().is_some_and(|peers| !peers.is_own(&agent)) {
            // Somebody else's program, which is no sandbox's.
            continue;
        }
        let hall = Arc::clone(hall);
        let begun = thread("iron-gate-conn").spawn(move || pass(&hall, place, agent));
        if let Err(error) = begun {
            // The connection was closed with what should have carried it.
            let _ =
                writeln!(io::stderr().lock(), "iron-sandbox: no thread for a connection: {error}");
        }
    }
}

/// `EINVAL`: what a listener that was shut down says.
const INVALID: i32 = libc::EINVAL;

/// Carries one connection to its end.
fn pass(hall: &Arc<Hall>, place: Place, agent: TcpStream) {
    // Else an answer's last small part waits for the peer's delayed acknowledgement.
    let _ = agent.set_nodelay(true);
    let (behind, early) = match reach(&hall.behind) {
        Ok(reached) => reached,
        Err(error) => {
            if let Reason::Proxy(error) = &error {
                hall.tell(error);
            }
            return apology::make(agent, &error);
        }
    };
    let Some(pair) = place.carries(agent, behind) else { return };
    if !early.is_empty() && (&pair.agent).write_all(&early).is_err() {
        return pair.close();
    }
    let outward = Arc::clone(&pair);
    let carrying = thread("iron-gate-out").spawn(move || {
        carry(&outward.agent, &outward.behind).unwrap_or_else(|_| outward.close());
    });
    match carrying {
        Ok(carrying) => {
            carry(&pair.behind, &pair.agent).unwrap_or_else(|_| pair.close());
            let _ = carrying.join();
        }
        Err(_) => pair.close(),
    }
    drop(place);
}

/// Why there is no way on.
enum Reason {
    Proxy(ProxyError),
    Service(SocketAddr, io::Error),
}

/// Connects to what stands behind; with what that said first.
fn reach(behind: &Behind) -> Result<(TcpStream, Vec<u8>), Reason> {
    match behind {
        Behind::Proxy(introduction) => {
            let attached = proxy::attach(introduction).map_err(Reason::Proxy)?;
            let stream = attached.stream;
            let reset = stream.set_read_timeout(None).and_then(|()| stream.set_write_timeout(None));
            let address = introduction.address;
            reset.map_err(|source| Reason::Proxy(ProxyError::Absent { address, source }))?;
            Ok((stream, attached.early))
        }
        Behind::Service(address) => {
            let failed = |error| Reason::Service(*address, error);
            let stream = TcpStream::connect_timeout(address, PATIENCE).map_err(failed)?;
            let _ = stream.set_nodelay(true);
            Ok((stream, Vec::new()))
        }
    }
}

/// Carries one way to its end, and says that it was the end.
fn carry(mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return to.shutdown(Shutdown::Write),
            Ok(count) => to.write_all(&buffer[..count])?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// As many connections as descriptors allow.
fn places(descriptors: Option<u64>) -> usize {
    let Some(descriptors) = descriptors else { return MOST };
    let fit = (descriptors.saturating_sub(OWN) / EACH).max(1);
    usize::try_from(fit).unwrap_or(MOST).min(MOST)
}

#[cfg(test)]
mod tests;
