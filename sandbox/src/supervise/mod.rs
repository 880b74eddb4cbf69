//! Answers the system calls that a sandbox's filter asks about.
//!
//! A thread of the launcher takes each notification, carries out on the agent's behalf what may be
//! (`connect`, `metadata`), refuses what may not (`refusal`, `foreign`), and tells of refusals.
//! Openings of files are always let through to the kernel, where Landlock and mounts decide; `files`
//! only tells what they will refuse. [`verdict`] is the rules as a pure function.
//!
//! Where the thread ends for whatever reason, the kernel answers `ENOSYS` to all that it would have
//! answered: nothing is let through by its absence.

mod caller;
mod connect;
mod files;
mod foreign;
mod metadata;
mod refusal;
#[cfg(test)]
mod tests;
pub mod verdict;

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use crate::confinement::{Files, Watch};
use crate::event::{Action, Denial, Event, Remedy};
use crate::layer::{Layer, Tier};
use crate::seccomp::Machine;
use crate::seccomp::rules::{self, Duty};
use crate::sys::notify::{self, Notification, Reply};

use caller::Caller;

/// What a supervisor has to know.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Which way the sandbox is made.
    pub tier: Tier,
    /// What is told; the same as the filter was made with.
    pub watch: Watch,
    /// Which files there are, as they really are: a folder for temporary files among `write`, a copied
    /// workspace by the path that it has inside.
    pub files: Files,
    /// Where can be connected to: the address inside, and where that really is.
    pub gates: Vec<(SocketAddr, SocketAddr)>,
    /// Takes what is told.
    pub events: mpsc::Sender<Event>,
}

/// A supervisor at work, until the last process of its sandbox is gone.
#[derive(Debug)]
pub struct Supervisor {
    ended: mpsc::Receiver<()>,
}

impl Supervisor {
    /// Starts one in a thread of its own. To be done as soon as the listener is there: the command's
    /// own `execve` may be waiting for it already.
    pub fn start(listener: OwnedFd, scene: Scene) -> io::Result<Self> {
        // Not there before Linux 6.6: it is slower then.
        let _ = notify::wake_up_synchronously(listener.as_fd());
        let (end, ended) = mpsc::channel();
        let answering = Answering::new(listener, scene);
        thread::Builder::new().name("supervisor".to_owned()).spawn(move || {
            answering.answer_all();
            drop(end);
        })?;
        Ok(Self { ended })
    }

    /// Waits until the last process of the sandbox is gone and everything is told; at most so long.
    pub fn finish(self, patience: Duration) {
        // Nothing is ever sent: the channel closes when the thread ends.
        let _ = self.ended.recv_timeout(patience);
    }
}

impl Drop for Supervisor {
    /// Gives the thread a moment for what is left to tell. It ends by itself with the sandbox.
    fn drop(&mut self) {
        let _ = self.ended.recv_timeout(Duration::from_millis(200));
    }
}

/// How many different refusals of a kind are told of: whoever floods us has no more than these, and
/// hides no other kind by it.
const MOST_TOLD: usize = 1024;

/// What the thread has, and those that it starts for connections that take their time.
struct Answering {
    listener: OwnedFd,
    scene: Scene,
    /// By number.
    duties: Vec<Option<(&'static str, Duty)>>,
    inside: Vec<SocketAddr>,
    quick: files::Quick,
    /// What the command has as its standard input and outputs may be opened again.
    standard: Vec<PathBuf>,
    told: Mutex<HashMap<Action, HashSet<Denial>>>,
    connecting: connect::Places,
}

impl Answering {
    fn new(listener: OwnedFd, scene: Scene) -> Arc<Self> {
        let mut duties = Vec::new();
        for (number, name, duty) in rules::duties(Machine::HERE, scene.tier, scene.watch) {
            let number = number as usize;
            if duties.len() <= number {
                duties.resize(number + 1, None);
            }
            if let Some(place) = duties.get_mut(number) {
                *place = Some((name, duty));
            }
        }
        Arc::new(Self {
            listener,
            duties,
            inside: scene.gates.iter().map(|gate| gate.0).collect(),
            quick: files::Quick::new(&scene.files, scene.tier),
            standard: (0..3)
                .filter_map(|number| std::fs::read_link(format!("/proc/self/fd/{number}")).ok())
                .filter(|path| path.is_absolute())
                .collect(),
            told: Mutex::default(),
            connecting: connect::Places::default(),
            scene,
        })
    }

    fn answer_all(self: Arc<Self>) {
        while let Some(call) = self.next() {
            self.consider(&call);
        }
    }

    /// The next call; none when nobody is left who could call.
    fn next(&self) -> Option<Notification> {
        loop {
            let mut files = [PollFd::new(&self.listener, PollFlags::IN)];
            match poll(&mut files, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return None,
            }
            let [file] = files;
            if file.revents().contains(PollFlags::IN) {
                match notify::receive(self.listener.as_fd()) {
                    Ok(call) => return Some(call),
                    // The caller is gone, or a signal came.
                    Err(error) if is_passing(&error) => {}
                    Err(_) => return None,
                }
            } else if file.revents().intersects(PollFlags::HUP | PollFlags::ERR) {
                return None;
            }
        }
    }

    fn consider(self: &Arc<Self>, call: &Notification) {
        let caller = Caller { listener: self.listener.as_fd(), call };
        let known = self.duties.get(call.number as usize).copied().flatten();
        let reply = match known {
            Some((name, Duty::Files)) => return self.watch(caller, name),
            Some((_, Duty::Connect)) => match self.connect(caller) {
                Some(reply) => reply,
                None => return,
            },
            Some((name, Duty::Metadata)) => self.change_metadata(caller, name),
            Some((name, Duty::Foreign)) => self.concern(caller, name),
            Some((name, duty)) => self.refuse(caller, name, duty),
            // The filter asks about nothing else.
            None => Reply::Errno(libc::ENOSYS),
        };
        self.answer(call, reply);
    }

    fn answer(&self, call: &Notification, reply: Reply) {
        // It fails if the caller is gone, and then nobody waits for it.
        let _ = notify::answer(self.listener.as_fd(), call.id, reply);
    }

    /// Tells of a refusal, once.
    fn tell(
        &self,
        caller: Caller<'_>,
        action: Action,
        target: String,
        layer: Layer,
        remedy: Remedy,
    ) {
        self.tell_of(caller.program(), action, target, layer, remedy);
    }

    fn tell_of(
        &self,
        program: Option<String>,
        action: Action,
        target: String,
        layer: Layer,
        remedy: Remedy,
    ) {
        if self.scene.watch == Watch::Nothing {
            return;
        }
        let denial = Denial { action, target, layer, program, remedy };
        let Ok(mut told) = self.told.lock() else { return };
        let told = told.entry(action).or_default();
        if told.len() < MOST_TOLD && told.insert(denial.clone()) {
            // Where nobody listens, nobody misses it.
            let _ = self.scene.events.send(Event::Denial(denial));
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINTR))
}

/// An error as the caller gets it.
fn errno(error: &io::Error) -> Reply {
    Reply::Errno(error.raw_os_error().unwrap_or(libc::EPERM))
}
