//! Runs one attempt, in a sandbox or as its control, and sees what came of it outside.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use rustix::event::poll;

use crate::layer::Tier;
use crate::selftest::attempt::{Attempt, Group, Outcome, Shows};
use crate::selftest::confined;
use crate::selftest::ending::finish;
use crate::selftest::scene::{Scene, random};
use crate::selftest::stage::Stage;
use crate::selftest::targets::Targets;
use crate::selftest::verdict::Try;
use crate::selftest::victim::Victim;
use crate::sys::attempts::{memory, ring};

/// What programs that are handed on would let run in the agent's programs: each has a way to load
/// code from a variable. `attempts::inherited` looks for them.
pub const HIJACKING: [(&str, &str); 8] = [
    ("LD_LIBRARY_PATH", "/iron-selftest"),
    ("NODE_OPTIONS", "--no-warnings"),
    ("PYTHONSTARTUP", "/iron-selftest"),
    ("PYTHONPATH", "/iron-selftest"),
    ("BASH_ENV", "/dev/null"),
    ("ENV", "/dev/null"),
    ("PERL5OPT", "-w"),
    ("GIT_SSH_COMMAND", "true"),
];

/// Variables that would hold a key.
pub const SECRETS: [&str; 3] = ["IRON_SELFTEST_CANARY", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY"];

/// What is the same for all tries.
#[derive(Debug)]
pub struct Ground {
    /// A folder that is gone at the end.
    pub root: PathBuf,
    /// What attempts try to reach.
    pub targets: Targets,
    /// This program.
    pub program: PathBuf,
    /// Whether the user wants an end: everything is cleared away first.
    interrupted: Arc<AtomicBool>,
}

impl Ground {
    /// Sets it up.
    pub fn prepare() -> io::Result<Self> {
        let root = base()?.join(format!("iron-selftest-{}", random()?));
        fs::create_dir(&root)?;
        // Others may pass through, so that a program of another user's can be started from here.
        fs::set_permissions(&root, fs::Permissions::from_mode(0o711))?;
        let interrupted = Arc::default();
        let ground = Targets::listen(&root).and_then(|targets| {
            for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
                signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
            }
            Ok(Self { targets, program: std::env::current_exe()?, root: root.clone(), interrupted })
        });
        if ground.is_err() {
            let _ = fs::remove_dir_all(&root);
        }
        ground
    }

    /// Runs attempts in sandboxes of this tier, each in one of its own; without a tier, as controls.
    /// Most of them wait most of the time, so that several run at once; `each` is told in order.
    pub fn run_all(
        &self,
        attempts: &[&Attempt],
        tier: Option<Tier>,
        mut each: impl FnMut(usize, Try) -> io::Result<()>,
    ) -> io::Result<()> {
        const AT_ONCE: usize = 4;
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let (done, tries) = mpsc::channel();
            for _ in 0..AT_ONCE {
                let (done, next) = (done.clone(), &next);
                scope.spawn(move || {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(attempt) = attempts.get(index) else { break };
                        if self.interrupted.load(Ordering::Relaxed) {
                            let _ = done.send((index, Err(io::ErrorKind::Interrupted.into())));
                            break;
                        }
                        if done.send((index, self.run(attempt, tier))).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(done);
            let mut early = BTreeMap::new();
            let mut told = 0;
            for (index, tried) in tries {
                early.insert(index, tried?);
                while let Some(tried) = early.remove(&told) {
                    each(told, tried)?;
                    told += 1;
                }
            }
            Ok(())
        })
    }

    /// Runs an attempt in a sandbox of this tier; without one, as its control.
    pub fn run(&self, attempt: &Attempt, tier: Option<Tier>) -> io::Result<Try> {
        let token = random()?;
        let scene = Scene::make(&self.root, &token)?;
        let victim = match attempt.group {
            Group::Processes | Group::Launcher | Group::Namespaces => {
                Some(Victim::start(&scene.secret)?)
            }
            _ => None,
        };
        let handed = Handed::open(&scene)?;
        let shared = Shared::make(attempt.group, &scene, &token);
        let called = free_address()?;
        let mut stage = self.stage(&scene, &token, called, victim.as_ref(), &handed, &shared);
        if attempt.name == "setuid" {
            stage.setuid = self.setuid(&scene)?;
        }
        let stage_file = scene.workspace.join("stage.json");
        fs::write(&stage_file, serde_json::to_vec(&stage)?)?;
        let sockets = scene.workspace.join("agent.socket");
        fs::hard_link(&self.targets.unix, sockets)?;

        let outside = (scene.outside(), scene.protected());
        let before = victim.as_ref().map(Victim::state);
        let calls = matches!(attempt.group, Group::Network)
            .then(|| self.targets.call(called))
            .transpose()?;

        let mut command = self.command(attempt, tier, &scene, &stage_file);
        // A session of its own, as a terminal needs, cannot be made by the first of a group.
        if attempt.group != Group::Devices {
            command.process_group(victim.as_ref().map_or(0, |victim| victim.known.process));
        }
        let mut outcome = finish(command.spawn()?, attempt.group != Group::Devices)?;
        drop(calls);
        let told = tells(&outcome, &scene.secret);
        if told {
            // What else stands beside it is the user's, and no business of a report's.
            outcome = Outcome::Worked { evidence: "found the secret".to_owned() };
        }

        // Signals and what a daemon does arrive a moment later than the answer; each is waited for
        // only where its attempt is about it.
        let deadline = Instant::now() + SETTLING;
        loop {
            let files = (scene.outside(), scene.protected()) != outside;
            let seen = self.targets.heard(&token)
                || files
                || victim.as_ref().map(Victim::state) != before
                || (attempt.shows == Shows::Objects && memory::take_named(shared.key))
                || told;
            let awaited = matches!(outcome, Outcome::Worked { .. } | Outcome::Killed { .. })
                && matches!(attempt.shows, Shows::Listener | Shows::Files | Shows::Victim);
            if seen || !awaited || Instant::now() > deadline {
                let word_counts = attempt.shows == Shows::Report;
                return Ok(Try { outcome, seen, word_counts });
            }
            pause(Duration::from_millis(10));
        }
    }

    /// Why no sandbox of this tier can be had here; none where it can.
    pub fn lacks(&self, tier: Tier) -> io::Result<Option<String>> {
        let scene = Scene::make(&self.root, &random()?)?;
        let done = Command::new(&self.program)
            .args(confined::arguments(tier, "user", &scene, self))
            .arg(&self.program)
            .args(["attempt", "user"])
            .current_dir(&scene.workspace)
            .env("HOME", &scene.home)
            .env_remove("IRON_RUN_ID")
            .stdin(Stdio::null())
            .output()?;
        if done.status.success() && !done.stdout.is_empty() {
            return Ok(None);
        }
        let told = String::from_utf8_lossy(&done.stderr);
        let told = told.lines().rfind(|line| !line.trim().is_empty());
        Ok(Some(told.unwrap_or("the launcher said nothing").to_owned()))
    }

    fn stage(
        &self,
        scene: &Scene,
        token: &str,
        called: SocketAddr,
        victim: Option<&Victim>,
        handed: &Handed,
        shared: &Shared,
    ) -> Stage {
        Stage {
            token: token.to_owned(),
            workspace: scene.workspace.clone(),
            home: scene.home.clone(),
            temporary: scene.temporary.clone(),
            shared_memory: scene.shared_memory.clone(),
            gate: self.targets.gate,
            other: self.targets.other,
            loopback2: self.targets.loopback2,
            loopback6: self.targets.loopback6,
            lan: self.targets.lan,
            datagram: self.targets.datagram,
            called,
            unix: self.targets.unix.clone(),
            unix_workspace: scene.workspace.join("agent.socket"),
            unix_datagram: self.targets.unix_datagram.clone(),
            unix_abstract: self.targets.unix_abstract.clone(),
            unix_abstract_datagram: self.targets.unix_abstract_datagram.clone(),
            victim: victim.map(|victim| victim.known),
            descriptor_file: handed.file.as_raw_fd(),
            descriptor_folder: handed.folder.as_raw_fd(),
            descriptor_ring: handed.ring.as_ref().map(OwnedFd::as_raw_fd),
            segment: shared.segment,
            key: shared.key,
            queue: shared.queue.clone(),
            setuid: None,
        }
    }

    /// A program in the workspace that runs as nobody, whoever starts it. Root alone can make one.
    fn setuid(&self, scene: &Scene) -> io::Result<Option<PathBuf>> {
        const NOBODY: u32 = 65_534;
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let program = scene.workspace.join("setuid");
        fs::copy(&self.program, &program)?;
        std::os::unix::fs::chown(&program, Some(NOBODY), None)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o4755))?;
        Ok(Some(program))
    }

    /// The launcher: of the sandbox, or one that does nothing.
    fn command(
        &self,
        attempt: &Attempt,
        tier: Option<Tier>,
        scene: &Scene,
        stage: &Path,
    ) -> Command {
        let mut inner: Vec<std::ffi::OsString> = vec!["attempt".into(), attempt.name.into()];
        inner.extend(["--stage".into(), stage.into()]);
        let mut words: Vec<std::ffi::OsString> = Vec::new();
        if attempt.group == Group::Devices {
            words.extend(["attempt".into(), "terminal".into(), "--".into()]);
            words.push(self.program.clone().into());
        }
        match tier {
            Some(tier) => words.extend(confined::arguments(tier, attempt.name, scene, self)),
            None => words.extend(["attempt".into(), "launcher".into(), "--".into()]),
        }
        words.push(self.program.clone().into());
        words.extend(inner);
        let mut command = Command::new(&self.program);
        command
            .args(words)
            .current_dir(&scene.workspace)
            .env("HOME", &scene.home)
            // What is put back is kept there, and is no change of anybody's home.
            .env("XDG_STATE_HOME", self.root.join("state"))
            .env_remove("IRON_RUN_ID")
            .envs(SECRETS.map(|name| (name, &scene.secret)))
            .envs(HIJACKING)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(library) = some_library().filter(|_| attempt.group == Group::Inherited) {
            command.env("LD_PRELOAD", library);
        }
        command
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// How long an effect may take to be seen.
const SETTLING: Duration = Duration::from_millis(1_500);

/// Descriptors that are handed on to the launcher, from 200 on.
struct Handed {
    file: OwnedFd,
    folder: OwnedFd,
    ring: Option<OwnedFd>,
}

impl Handed {
    fn open(scene: &Scene) -> io::Result<Self> {
        // A copy by F_DUPFD is handed on to the programs that are started, unlike the original.
        let copy = |fd: BorrowedFd<'_>| -> io::Result<OwnedFd> {
            let copy = rustix::io::fcntl_dupfd_cloexec(fd, 200)?;
            rustix::io::fcntl_setfd(&copy, rustix::io::FdFlags::empty())?;
            Ok(copy)
        };
        Ok(Self {
            file: copy(File::open(scene.home.join(".ssh/id_ed25519"))?.as_fd())?,
            folder: copy(File::open(&scene.home)?.as_fd())?,
            ring: ring::make().ok().map(|ring| copy(ring.as_fd())).transpose()?,
        })
    }
}

/// Shared memory and a queue with the secret in them.
struct Shared {
    key: i32,
    segment: Option<i32>,
    queue: Option<String>,
}

impl Shared {
    fn make(group: Group, scene: &Scene, token: &str) -> Self {
        // Positive, as 0 is a key of its own kind.
        let key = i32::from_str_radix(&token[..7], 16).unwrap_or(1).max(1);
        if group != Group::Ipc {
            return Self { key, segment: None, queue: None };
        }
        let queue = format!("/iron-selftest-{token}");
        Self {
            key,
            segment: memory::make_segment(scene.secret.as_bytes()).ok(),
            queue: memory::make_queue(&queue, scene.secret.as_bytes()).ok().map(|()| queue),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(segment) = self.segment {
            let _ = memory::remove_segment(segment);
        }
        if let Some(queue) = &self.queue {
            let _ = memory::remove_queue(queue);
        }
    }
}

/// A library that this program has loaded anyway: to load it first changes nothing.
fn some_library() -> Option<String> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let path = maps
        .lines()
        .find_map(|line| line.split_whitespace().nth(5).filter(|path| path.contains("/libc.")));
    path.map(str::to_owned)
}

/// A folder that is neither the agent's nor everybody's: `/var/tmp`, or the user's own.
fn base() -> io::Result<PathBuf> {
    let candidates = [Some(PathBuf::from("/var/tmp")), std::env::home_dir()];
    for folder in candidates.into_iter().flatten() {
        if rustix::fs::access(&folder, rustix::fs::Access::WRITE_OK).is_ok() {
            return Ok(folder);
        }
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        "neither /var/tmp nor the home folder can be written to",
    ))
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn tells(outcome: &Outcome, secret: &str) -> bool {
    matches!(outcome, Outcome::Worked { evidence } if evidence.contains(secret))
}

/// Waits. The standard library's own way is kept for nobody, as it blocks workers elsewhere.
pub fn pause(time: Duration) {
    if let Ok(timeout) = rustix::time::Timespec::try_from(time) {
        let _ = poll(&mut [], Some(&timeout));
    }
}
