//! The launcher: makes the sandbox, answers for it while it runs, and tells of its end.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Arc, OnceLock, mpsc};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, pidfd_send_signal, waitpid};

use super::cgroup::Group;
use super::command::{Setting, code_of};
use super::fallback::{self, Temporary};
use super::namespace::{self, Ids};
use super::output::{Carrying, Pipes};
use super::passing::{self, Passing};
use super::wire::{Message, Wire};
use super::{Error, keeper, memory, standard};
use crate::confinement::Confinement;
use crate::event::{Action, Denial, Event, Remedy};
use crate::gate::{self, Gate};
use crate::layer::{Layer, Tier};
use crate::seccomp::Filter;
use crate::supervise::{Scene, Supervisor};
use crate::sys::process::{Fork, NAMESPACES, exit_now, fork, group as process_group};
use crate::sys::signals;
use crate::units;

/// How long a command has after SIGTERM when its time is over.
const GRACE: Duration = Duration::from_secs(2);

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The tier that it ran in.
    pub tier: Tier,
    /// How.
    pub end: End,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, with a code.
    Exited(u8),
    /// By a signal.
    Killed(i32),
    /// It never began: it cannot be executed, by this error number.
    NotExecuted(i32),
}

impl Ended {
    /// What a shell would say of it.
    pub fn code(&self) -> u8 {
        match self.end {
            End::Exited(code) => code,
            End::Killed(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
            End::NotExecuted(errno) => code_of(errno),
        }
    }
}

/// Who has a sandbox made, and is asked on the way.
pub trait Host {
    /// Remembers what it wants to put back at the end, before the command can change it. No thread may
    /// be started.
    fn remember(&mut self, tier: Tier) -> io::Result<()>;

    /// Says where events go. From here on threads may be started.
    fn listen(&mut self) -> io::Result<mpsc::Sender<Event>>;

    /// Puts back what was remembered, in a process of its own: the launcher was killed. Of the fallback
    /// tier alone; in the other, nobody is left.
    fn put_back_orphaned(&self);
}

/// One that has nothing to put back.
impl<F: FnMut() -> io::Result<mpsc::Sender<Event>>> Host for F {
    fn remember(&mut self, _: Tier) -> io::Result<()> {
        Ok(())
    }

    fn listen(&mut self) -> io::Result<mpsc::Sender<Event>> {
        self()
    }

    fn put_back_orphaned(&self) {}
}

/// Runs a command in a sandbox, from a process that has one thread until the host is to listen.
///
/// Where no tier is asked for, the fallback tier is taken where the namespace tier cannot be set up.
pub fn run(confinement: &Confinement, host: &mut dyn Host) -> Result<Ended, Error> {
    standard::check()?;
    match confinement.tier {
        Some(Tier::Namespace) => in_namespaces(confinement, host),
        Some(Tier::Fallback) => without_namespaces(confinement, host, None),
        None => match in_namespaces(confinement, host) {
            Err(why @ Error::Layer { .. }) if why.is_of_namespaces() => {
                without_namespaces(confinement, host, Some(why.to_string()))
            }
            other => other,
        },
    }
}

impl Error {
    /// Whether another tier, which does without these, may do.
    fn is_of_namespaces(&self) -> bool {
        use Layer::{Ipc, Mount, Network, Process, User};
        matches!(self, Self::Layer { layer: User | Mount | Network | Process | Ipc, .. })
    }
}

fn in_namespaces(confinement: &Confinement, host: &mut dyn Host) -> Result<Ended, Error> {
    let making = Making::begin(confinement, Tier::Namespace)?;
    let ids = Ids::here();
    let child = fork(NAMESPACES).map_err(|why| Error::Layer {
        layer: Layer::User,
        step: "to make the namespaces".to_owned(),
        why,
    })?;
    let Fork::Parent(keeper) = child else {
        making.be_keeper(Tier::Namespace, confinement, host, |wire| {
            namespace::set_up(confinement, ids, wire).map(|made| made.bounded)
        })
    };
    making.launch(Tier::Namespace, keeper, confinement, (host, None), Vec::new())
}

fn without_namespaces(
    confinement: &Confinement,
    host: &mut dyn Host,
    why: Option<String>,
) -> Result<Ended, Error> {
    let temporary = Temporary::make()?;
    let confinement = &fallback::adapt(confinement, temporary.path()).map_err(Error::Tier)?;
    let mut listeners = Vec::new();
    for gate in &confinement.network.gates {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        listeners.push(listener.map_err(|why| Error::Gate(gate.inside, why))?);
    }
    let making = Making::begin(confinement, Tier::Fallback)?;
    // Before the fork: the keeper puts it back where the launcher is killed.
    host.remember(Tier::Fallback)?;
    let Fork::Parent(keeper) = fork(0)? else {
        // Never comes back, so that the folder goes with the launcher's guard alone.
        making.be_keeper(Tier::Fallback, confinement, host, |wire| {
            keeper::begin(Tier::Fallback, wire).map(|()| false)
        })
    };
    making.launch(Tier::Fallback, keeper, confinement, (host, why), listeners)
}

/// What is there before the fork.
struct Making {
    here: Wire,
    there: Wire,
    passing: Passing,
    ignored: Vec<i32>,
    filter_of: fn(Tier, &Confinement) -> Filter,
    group: Option<Group>,
    process_group: Option<Pid>,
    pipes: Option<Pipes>,
}

impl Making {
    fn begin(confinement: &Confinement, tier: Tier) -> Result<Self, Error> {
        let ignored = signals::usual().filter(|signal| signals::is_ignored(*signal));
        // Rust ignores it in every program of its own; it is nobody's wish.
        let ignored = ignored.filter(|signal| *signal != libc::SIGPIPE).collect();
        let (here, there) = Wire::pair()?;
        let limits = &confinement.limits;
        let wanted = limits.memory.is_some() || limits.processes.is_some();
        Ok(Self {
            here,
            there,
            passing: Passing::begin()?,
            ignored,
            filter_of: |tier, confinement| Filter::new(tier, confinement.watch),
            group: if wanted { Group::make(limits).ok() } else { None },
            process_group: process_group(),
            pipes: Pipes::make(limits.output, tier == Tier::Namespace)?,
        })
    }

    /// In the forked process: sets up what the tier has, waits for the word, and keeps the command.
    fn be_keeper(
        self,
        tier: Tier,
        confinement: &Confinement,
        host: &dyn Host,
        set_up: impl FnOnce(&Wire) -> Result<bool, super::failure::Failed>,
    ) -> ! {
        // By its other end's closing this process sees that the launcher is gone.
        drop(self.here);
        let wire = &self.there;
        let filter = (self.filter_of)(tier, confinement);
        // Before the mounts: of what is left then, each file is opened anew in the agent's view.
        if self.pipes.as_ref().is_some_and(|pipes| pipes.write_here().is_err()) {
            exit_now(127)
        }
        let bounded = match set_up(wire) {
            Ok(bounded) => bounded,
            Err(failed) => {
                let errno = failed.why.raw_os_error().unwrap_or(libc::EIO);
                let _ = wire.say(&Message::Failed(failed.layer, errno, failed.step));
                exit_now(127)
            }
        };
        if wire.say(&Message::Ready).is_err() {
            exit_now(127)
        }
        let Ok(Some((Message::Go, _))) = wire.hear() else { exit_now(127) };
        let ignored = &self.ignored;
        let filter = &filter;
        let group = self.process_group;
        keeper::keep(&Setting { tier, confinement, filter, bounded, group, ignored, host }, wire)
    }

    /// In the launcher: goes along with the keeper until the end.
    fn launch(
        self,
        tier: Tier,
        keeper: Pid,
        confinement: &Confinement,
        (host, why): (&mut dyn Host, Option<String>),
        mut listeners: Vec<TcpListener>,
    ) -> Result<Ended, Error> {
        drop(self.there);
        let keeper = Keeper { handle: Handle { pid: keeper, tier }, made: Vec::new() };
        let mut launched = Launched {
            wire: self.here,
            keeper,
            tier,
            confinement,
            events: None,
            group: self.group,
            command: None,
            gates: Vec::new(),
            addresses: Vec::new(),
            supervisor: None,
            carrying: None,
            ends_by: None,
            limit: None,
        };
        if tier == Tier::Namespace {
            // While the keeper makes the mounts, there is time.
            host.remember(tier)?;
        }
        launched.wait_until_ready(&mut listeners)?;
        if let Some(group) = &launched.group {
            group.add(launched.keeper.handle.pid)?;
        }
        launched.events = Some(host.listen()?);
        launched.open_gates(listeners)?;
        launched.tell(Event::Started { tier, why });
        launched.go(self.passing, self.pipes)
    }
}

/// The keeper's process, which does not outlive this.
struct Keeper {
    handle: Handle,
    /// Folders that were made to be protected.
    made: Vec<PathBuf>,
}

/// By which the keeper is told to end. Its number is its own as long as nobody has waited for it.
#[derive(Debug, Clone, Copy)]
struct Handle {
    pid: Pid,
    tier: Tier,
}

impl Handle {
    /// Ends everything in the sandbox.
    fn end(self) {
        let signal = match self.tier {
            Tier::Namespace => Signal::KILL,
            Tier::Fallback => keeper::END,
        };
        let _ = kill_process(self.pid, signal);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.handle.end();
        let _ = rustix::io::retry_on_intr(|| waitpid(Some(self.handle.pid), WaitOptions::empty()));
        for folder in self.made.iter().rev() {
            // Where something is in it after all, it stays, to be looked at.
            let _ = std::fs::remove_dir(folder);
        }
    }
}

/// A sandbox from the launcher's side.
struct Launched<'a> {
    wire: Wire,
    keeper: Keeper,
    tier: Tier,
    confinement: &'a Confinement,
    /// None until threads may be started.
    events: Option<mpsc::Sender<Event>>,
    group: Option<Group>,
    command: Option<Arc<OwnedFd>>,
    /// Only held: they close with this.
    gates: Vec<Gate>,
    /// What the agent connects to, and where its gate is.
    addresses: Vec<(SocketAddr, SocketAddr)>,
    /// Only held.
    supervisor: Option<Supervisor>,
    carrying: Option<Carrying>,
    ends_by: Option<Instant>,
    /// The limit that ended the command, once one did.
    limit: Option<&'static str>,
}

impl Launched<'_> {
    fn wait_until_ready(&mut self, listeners: &mut Vec<TcpListener>) -> Result<(), Error> {
        loop {
            match self.wire.hear()? {
                Some((Message::Gate(_), Some(listener))) => listeners.push(listener.into()),
                Some((Message::Made(folder), _)) => self.keeper.made.push(folder.into()),
                Some((Message::Ready, _)) => return Ok(()),
                Some((Message::Failed(layer, errno, step), _)) => {
                    return Err(layer_error(layer, errno, step));
                }
                Some(_) => {}
                None => return Err(Error::Gone),
            }
        }
    }

    fn open_gates(&mut self, listeners: Vec<TcpListener>) -> Result<(), Error> {
        for (gate, listener) in self.confinement.network.gates.iter().zip(listeners) {
            let failed = |why| Error::Gate(gate.inside, why);
            self.addresses.push((gate.inside, listener.local_addr().map_err(failed)?));
            self.gates.push(gate::serve(listener, gate.behind.clone()).map_err(failed)?);
        }
        Ok(())
    }

    /// Gives the word, and goes along until the end.
    fn go(mut self, passing: Passing, pipes: Option<Pipes>) -> Result<Ended, Error> {
        let mut passing = Some(passing);
        // Which limit ended everything.
        let over = Arc::new(OnceLock::new());
        let ends_all = |limit: &'static str| {
            let (keeper, over) = (self.keeper.handle, Arc::clone(&over));
            move || {
                let _ = over.set(limit);
                keeper.end();
            }
        };
        if let Some(pipes) = pipes {
            self.carrying = Some(pipes.carry(ends_all("output"))?);
        }
        let memory = self.confinement.limits.memory.filter(|_| self.group.is_none());
        let watching = memory
            .map(|limit| memory::watch(self.keeper.handle.pid, limit, ends_all("memory")))
            .transpose()?;
        self.wire.say(&Message::Go)?;
        self.ends_by = self.confinement.limits.wall_time.map(|time| Instant::now() + time);
        let end = loop {
            if !self.is_told_in_time()? {
                self.out_of_time();
                continue;
            }
            match self.wire.hear()? {
                Some((Message::Running, Some(command))) => {
                    let command = Arc::new(command);
                    if let Some(passing) = passing.take() {
                        passing.to(Arc::clone(&command))?;
                    }
                    self.command = Some(command);
                }
                Some((Message::Listener, Some(listener))) => self.supervise(listener)?,
                Some((Message::Failed(layer, errno, step), _)) => {
                    return Err(layer_error(layer, errno, step));
                }
                Some((Message::NotExecuted(errno), _)) => break End::NotExecuted(errno),
                Some((Message::Stopped(signal), _)) => self.stopped(signal),
                Some((Message::Ended(status), _)) => break end_of(status),
                Some(_) => {}
                None if self.limit.is_some() || over.get().is_some() => {
                    break End::Killed(libc::SIGKILL);
                }
                None => return Err(Error::Gone),
            }
        };
        drop(watching);
        self.limit = self.limit.or(over.get().copied());
        let tier = self.tier;
        self.tell_limit(end);
        let Self { keeper, carrying, supervisor, gates, .. } = self;
        drop(keeper);
        if let Some(carrying) = carrying {
            carrying.finish();
        }
        drop((supervisor, gates));
        Ok(Ended { tier, end })
    }

    fn supervise(&mut self, listener: OwnedFd) -> Result<(), Error> {
        let Some(events) = self.events.clone() else { return Err(Error::Gone) };
        let mut files = self.confinement.files.clone();
        if self.tier == Tier::Namespace {
            // No mount is on what is not there: it can be made, and is put away at the end.
            files.protect.retain(|path| std::fs::symlink_metadata(path).is_ok());
        }
        let scene = Scene {
            tier: self.tier,
            watch: self.confinement.watch,
            files,
            gates: self.addresses.clone(),
            events,
        };
        self.supervisor = Some(Supervisor::start(listener, scene)?);
        Ok(())
    }

    /// Waits until something is told, or the time is over.
    fn is_told_in_time(&self) -> Result<bool, Error> {
        let left = self.ends_by.map(|by| by.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        let mut files = [PollFd::new(&self.wire, PollFlags::IN)];
        let told = rustix::io::retry_on_intr(|| poll(&mut files, left.as_ref()))
            .map_err(io::Error::from)?;
        Ok(told > 0)
    }

    fn out_of_time(&mut self) {
        if self.limit.replace("wall_time").is_some() {
            self.ends_by = None;
            self.keeper.handle.end();
            return;
        }
        self.ends_by = Some(Instant::now() + GRACE);
        if let Some(command) = &self.command {
            let _ = pidfd_send_signal(command, Signal::TERM);
        }
    }

    fn stopped(&self, signal: i32) {
        // Who debugs a program stops it for other reasons.
        if [libc::SIGTSTP, libc::SIGSTOP, libc::SIGTTIN, libc::SIGTTOU].contains(&signal) {
            passing::stop(self.command.as_ref().map(|command| command.as_fd()));
        }
    }

    /// Tells of a limit that was reached, as far as the end shows it.
    fn tell_limit(&self, end: End) {
        let limits = &self.confinement.limits;
        let seconds = |time: Option<Duration>| units::duration(time.unwrap_or_default());
        let bytes = |bytes: Option<u64>| units::size(bytes.unwrap_or_default());
        let (out_of_memory, too_many) = self.group.as_ref().map_or((0, 0), Group::reached);
        let mut reached = Vec::new();
        match self.limit {
            Some("wall_time") => reached.push(("wall_time", seconds(limits.wall_time))),
            Some("output") => reached.push(("output", bytes(limits.output))),
            Some("memory") => reached.push(("memory", bytes(limits.memory))),
            _ => {}
        }
        match end {
            End::Killed(libc::SIGXCPU) if limits.cpu_time.is_some() => {
                reached.push(("cpu_time", seconds(limits.cpu_time)));
            }
            End::Killed(libc::SIGXFSZ) if limits.file_size.is_some() => {
                reached.push(("file_size", bytes(limits.file_size)));
            }
            End::Killed(libc::SIGSYS) => self.tell(Event::Denial(Denial {
                action: Action::Call,
                target: "a system call of another architecture".to_owned(),
                layer: Layer::Seccomp,
                program: None,
                remedy: Remedy::Never(
                    "only this machine's own system calls are known to the filter: run a program built \
                     for it"
                        .to_owned(),
                ),
            })),
            _ => {}
        }
        if out_of_memory > 0 {
            reached.push(("memory", bytes(limits.memory)));
        }
        for (limit, value) in reached {
            self.tell(Event::Limit { limit, value, effect: "the program was ended" });
        }
        if too_many > 0 {
            let value = limits.processes.unwrap_or_default().to_string();
            let effect = "no further process was made";
            self.tell(Event::Limit { limit: "processes", value, effect });
        }
    }

    fn tell(&self, event: Event) {
        // Where nobody listens, nobody misses it.
        let _ = self.events.as_ref().map(|events| events.send(event));
    }
}

fn layer_error(layer: Layer, errno: i32, step: String) -> Error {
    Error::Layer { layer, step, why: io::Error::from_raw_os_error(errno) }
}

fn end_of(status: i32) -> End {
    let status = ExitStatus::from_raw(status);
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exited(u8::try_from(code).unwrap_or(u8::MAX)),
        (None, Some(signal)) => End::Killed(signal),
        (None, None) => End::Exited(u8::MAX),
    }
}
