//! Sandboxed threads and their supervisor, for real: each story is a process of its own, in which the
//! thread that tells it has the filter, and nothing else of a sandbox.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with, socketpair};
use rustix::process::{Pid, Resource, Rlimit};

use super::*;
use crate::seccomp::Filter;
use crate::sys::fds;

/// What a story needs to know.
struct World {
    tier: Tier,
    watch: Watch,
    folder: tempfile::TempDir,
    gate: TcpListener,
    elsewhere: TcpListener,
}

/// The address of the gate inside.
const INSIDE: &str = "127.0.0.1:8787";

impl World {
    fn new(tier: Tier, watch: Watch) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("work")).expect("a workspace");
        fs::create_dir(folder.path().join("outside")).expect("another folder");
        for name in ["work/own", "outside/other"] {
            fs::write(folder.path().join(name), name).expect("a file");
        }
        let listen = || TcpListener::bind("127.0.0.1:0").expect("a port");
        Self { tier, watch, folder, gate: listen(), elsewhere: listen() }
    }

    /// Starts a story, with its supervisor.
    fn start(&self, story: &str) -> (Child, Supervisor, mpsc::Receiver<Event>) {
        let (here, there) = UnixStream::pair().expect("a pair");
        let elsewhere = self.elsewhere.local_addr().expect("an address").to_string();
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "supervise::tests::tell", "--ignored", "--nocapture"])
            .env("STORY", story)
            .env("TIER", self.tier.name())
            .env("WATCH", format!("{:?}", self.watch))
            .env("ELSEWHERE", elsewhere)
            .current_dir(self.folder.path().join("work"))
            .process_group(0)
            .stdin(OwnedFd::from(there))
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let (_, listener) = fds::receive(&here, &mut [0; 8]).expect("a message");
        let (events, told) = mpsc::channel();
        let scene = Scene {
            tier: self.tier,
            watch: self.watch,
            files: Files {
                workspace: self.folder.path().join("work"),
                read: vec!["/usr".into(), "/lib".into(), "/etc".into()],
                ..Files::default()
            },
            gates: vec![(
                INSIDE.parse().expect("an address"),
                self.gate.local_addr().expect("an address"),
            )],
            events,
        };
        let supervisor = match listener {
            Some(listener) => Supervisor::start(listener, scene).expect("a thread"),
            None => panic!("no listener: {}", read(&mut child)),
        };
        (child, supervisor, told)
    }

    /// Tells a story to its end: what it printed, and what was told of it.
    fn tell(&self, story: &str) -> (Vec<String>, Vec<Denial>) {
        let (mut child, supervisor, told) = self.start(story);
        let text = read(&mut child);
        assert!(child.wait().expect("an end").success(), "{text}");
        supervisor.finish(Duration::from_secs(10));
        let lines = text.lines().filter_map(|line| line.strip_prefix("> ")).map(str::to_owned);
        let denials = told.try_iter().filter_map(|event| match event {
            Event::Denial(denial) => Some(denial),
            _ => None,
        });
        (lines.collect(), denials.collect())
    }
}

fn read(child: &mut Child) -> String {
    let mut text = String::new();
    let mut output = child.stdout.take().expect("its output");
    output.read_to_string(&mut text).expect("text");
    text
}

/// The other side of all stories: told in the process that a test starts.
#[test]
#[ignore = "is no test, but what tests run"]
fn tell() {
    let Ok(story) = std::env::var("STORY") else { return };
    let value = |name| std::env::var(name).expect("a value");
    let tier = if value("TIER") == "fallback" { Tier::Fallback } else { Tier::Namespace };
    let watch = match value("WATCH").as_str() {
        "Everything" => Watch::Everything,
        "Network" => Watch::Network,
        _ => Watch::Nothing,
    };
    rustix::thread::set_no_new_privs(true).expect("no new privileges");
    let listener = Filter::new(tier, watch).install().expect("a filter");
    fds::send(io::stdin(), b"listener", listener.as_ref().map(AsFd::as_fd)).expect("a message");
    drop(listener);
    let elsewhere = value("ELSEWHERE").parse().expect("an address");
    match story.as_str() {
        "connections" => connections(elsewhere),
        "metadata" => metadata(),
        "others" => others(),
        "files" => files(),
        "calls" => calls(),
        "waits" => say("waiting", TcpStream::connect(INSIDE)),
        _ => panic!("no such story"),
    }
}

fn say<T>(what: &str, result: Result<T, impl Into<io::Error>>) {
    let outcome = match result.map_err(|error| error.into().raw_os_error()) {
        Ok(_) => "done",
        Err(Some(libc::EPERM)) => "PERM",
        Err(Some(libc::ENOENT)) => "NOENT",
        Err(Some(libc::ENOTSOCK)) => "NOTSOCK",
        Err(Some(libc::ECONNREFUSED)) => "CONNREFUSED",
        Err(Some(libc::ENAMETOOLONG)) => "NAMETOOLONG",
        Err(errno) => panic!("{what}: {errno:?}"),
    };
    println!("\n> {what}: {outcome}");
}

fn connections(elsewhere: SocketAddr) {
    let mut stream = TcpStream::connect(INSIDE).expect("the gate");
    let mut greeting = [0; 5];
    stream.read_exact(&mut greeting).expect("a greeting");
    println!("\n> the gate says {}", String::from_utf8_lossy(&greeting));
    say("elsewhere", TcpStream::connect(elsewhere));
    say("host", TcpStream::connect("203.0.113.5:443"));
    say("host on the gate's port", TcpStream::connect("203.0.113.5:8787"));
    say("::1", TcpStream::connect("[::1]:8787"));
    say("mapped", TcpStream::connect("[::ffff:127.0.0.1]:8787"));
    say("bind", TcpListener::bind("127.0.0.1:0"));
    say("datagram", UdpSocket::bind("127.0.0.1:0"));
    say("unix", UnixStream::connect("/run/docker.sock"));
    let inside: SocketAddr = INSIDE.parse().expect("an address");
    let kind = SocketType::STREAM;
    let waits_not = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket =
        socket_with(AddressFamily::INET, kind, waits_not, Some(ipproto::TCP)).expect("TCP");
    let connected = rustix::net::connect(&socket, &inside);
    assert!(matches!(connected, Ok(()) | Err(Errno::INPROGRESS)), "{connected:?}");
    say("six to four", {
        let six = socket_with(AddressFamily::INET6, kind, waits_not, None).expect("TCP");
        rustix::net::connect(&six, &inside)
    });
    let (one, _other) =
        socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).expect("a pair");
    say("pair", rustix::net::connect(&one, &inside));
    say("file", rustix::net::connect(File::open("own").expect("a file"), &inside));
    say("listen", rustix::net::listen(&socket, 1));
}

#[test]
fn connections_are_made_to_gates_and_nowhere_else() {
    let world = World::new(Tier::Fallback, Watch::Network);
    let gate = world.gate.try_clone().expect("a listener");
    let greeter = thread::spawn(move || {
        let (mut stream, _) = gate.accept().expect("a connection");
        stream.write_all(b"hello").expect("a greeting");
    });
    world.elsewhere.set_nonblocking(true).expect("no wait");
    let (said, told) = world.tell("connections");
    greeter.join().expect("a greeting");
    insta::assert_snapshot!(said.join("\n"), @"
    the gate says hello
    elsewhere: PERM
    host: PERM
    host on the gate's port: PERM
    ::1: CONNREFUSED
    mapped: PERM
    bind: PERM
    datagram: PERM
    unix: PERM
    six to four: PERM
    pair: PERM
    file: NOTSOCK
    listen: PERM
    ");
    let nobody = world.elsewhere.accept().expect_err("nobody came");
    assert_eq!(nobody.kind(), io::ErrorKind::WouldBlock);
    let elsewhere = world.elsewhere.local_addr().expect("an address").to_string();
    let targets: Vec<&str> = told.iter().map(|denial| denial.target.as_str()).collect();
    let host = "203.0.113.5:443";
    let expected = [
        elsewhere.as_str(),
        host,
        "203.0.113.5:8787",
        "[::ffff:127.0.0.1]:8787",
        "bind",
        "a UNIX socket",
        "listen",
    ];
    assert_eq!(targets.iter().filter(|target| **target != "UDP").count(), expected.len());
    for target in expected {
        assert!(targets.contains(&target), "{target} in {targets:?}");
    }
}

fn metadata() {
    let mode = Permissions::from_mode;
    say("own", fs::set_permissions("own", mode(0o700)));
    say("own by its whole name", {
        let name = std::env::current_dir().expect("a folder").join("own");
        fs::set_permissions(name, mode(0o600))
    });
    say("other", fs::set_permissions("../outside/other", mode(0o777)));
    symlink("../outside/other", "link").expect("a link");
    say("other by a link", fs::set_permissions("link", mode(0o777)));
    say("folder outside", fs::set_permissions("..", mode(0o777)));
    let file = File::open("../outside/other").expect("a file");
    say("other by a descriptor", file.set_permissions(mode(0o777)));
    let number = std::os::fd::AsRawFd::as_raw_fd(&file);
    say("other by /proc", fs::set_permissions(format!("/proc/self/fd/{number}"), mode(0o777)));
    let own = File::open("own").expect("a file");
    say("own by a descriptor", own.set_permissions(mode(0o640)));
    let number = std::os::fd::AsRawFd::as_raw_fd(&own);
    say("own by /proc", fs::set_permissions(format!("/proc/self/fd/{number}"), mode(0o644)));
    say("device", fs::set_permissions("/dev/null", mode(0o600)));
    say("set-user-ID", fs::set_permissions("own", mode(0o4755)));
    say("set-group-ID", fs::set_permissions("own", mode(0o2755)));
    fs::create_dir("folder").expect("a folder");
    say("set-group-ID of a folder", fs::set_permissions("folder", mode(0o2755)));
    let at = Timespec { tv_sec: 1000, tv_nsec: 5 };
    let times = Timestamps { last_access: at, last_modification: at };
    say("times", utimensat(CWD, "own", &times, AtFlags::empty()));
    say("times of a link", utimensat(CWD, "link", &times, AtFlags::SYMLINK_NOFOLLOW));
    say("times of other", utimensat(CWD, "../outside/other", &times, AtFlags::empty()));
    say("times of other by a link", utimensat(CWD, "link", &times, AtFlags::empty()));
    say("times by a descriptor", own.set_modified(std::time::SystemTime::UNIX_EPOCH));
    say("times of other by a descriptor", file.set_modified(std::time::SystemTime::UNIX_EPOCH));
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let chown = std::os::unix::fs::chown::<&str>;
    say("owner as it is", chown("own", Some(uid.as_raw()), Some(gid.as_raw())));
    say("another owner", chown("own", Some(uid.as_raw() + 1), None));
    say("owner of other", chown("../outside/other", Some(uid.as_raw()), None));
    say("what is not there", fs::set_permissions("absent", mode(0o700)));
    say("a name too long", fs::set_permissions("x/".repeat(3000), mode(0o700)));
}

#[test]
fn modes_owners_and_times_are_changed_where_files_may_be_written() {
    let world = World::new(Tier::Fallback, Watch::Nothing);
    let other = world.folder.path().join("outside/other");
    let before = fs::metadata(&other).expect("a file");
    let null = fs::metadata("/dev/null").expect("a device").mode();
    let (said, told) = world.tell("metadata");
    insta::assert_snapshot!(said.join("\n"), @"
    own: done
    own by its whole name: done
    other: PERM
    other by a link: PERM
    folder outside: PERM
    other by a descriptor: PERM
    other by /proc: PERM
    own by a descriptor: done
    own by /proc: done
    device: PERM
    set-user-ID: PERM
    set-group-ID: PERM
    set-group-ID of a folder: done
    times: done
    times of a link: done
    times of other: PERM
    times of other by a link: PERM
    times by a descriptor: done
    times of other by a descriptor: PERM
    owner as it is: done
    another owner: PERM
    owner of other: PERM
    what is not there: NOENT
    a name too long: NAMETOOLONG
    ");
    assert_eq!(told, [], "nothing is told where nothing is watched");
    let after = fs::metadata(&other).expect("a file");
    assert_eq!((before.mode(), before.ctime_nsec()), (after.mode(), after.ctime_nsec()));
    assert_eq!(null, fs::metadata("/dev/null").expect("a device").mode());
    let own = fs::metadata(world.folder.path().join("work/own")).expect("a file");
    assert_eq!((own.mode() & 0o7777, own.atime(), own.mtime()), (0o644, 1000, 0));
}

fn others() {
    let parent = rustix::process::getppid();
    let own = rustix::thread::gettid();
    let limit = || Rlimit { current: Some(64), maximum: Some(64) };
    say("priority of the parent", rustix::process::setpriority_process(parent, 5));
    say("own priority", rustix::process::setpriority_process(Some(own), 1));
    say("priority of all", rustix::process::setpriority_pgrp(None, 5));
    say("limit of the parent", rustix::process::prlimit(parent, Resource::Nofile, limit()));
    let process = Pid::from_raw(std::process::id() as i32);
    say("own limit", rustix::process::prlimit(process, Resource::Core, limit()));
    let all = rustix::thread::sched_getaffinity(None).expect("processors");
    say("processors of the parent", rustix::thread::sched_setaffinity(parent, &all));
    say("own processors", rustix::thread::sched_setaffinity(Some(own), &all));
}

#[test]
fn a_process_steers_itself_alone() {
    let world = World::new(Tier::Fallback, Watch::Network);
    let (said, told) = world.tell("others");
    insta::assert_snapshot!(said.join("\n"), @"
    priority of the parent: PERM
    own priority: done
    priority of all: PERM
    limit of the parent: PERM
    own limit: done
    processors of the parent: PERM
    own processors: done
    ");
    assert_eq!(told.len(), 4, "{told:?}");
}

fn files() {
    say("own", fs::read("own"));
    say("absent", fs::read("absent"));
    say("other", fs::read("../outside/other"));
    say("other's folder", fs::read_dir("../outside"));
    say("absent outside", fs::read("../outside/absent"));
    say("new outside", fs::write("../outside/new", ""));
    say("moved", fs::rename("own", "../outside/moved"));
    say("removed", fs::remove_file("../outside/moved"));
    say("system", fs::read("/etc/passwd"));
    say("program", Command::new("/usr/bin/true").status());
}

#[test]
fn what_will_be_refused_is_told_and_left_to_the_kernel() {
    let world = World::new(Tier::Fallback, Watch::Everything);
    let (said, told) = world.tell("files");
    // There is no Landlock here: all is carried out.
    let refused = said.iter().filter(|line| !line.ends_with(": done"));
    assert_eq!(refused.collect::<Vec<_>>(), ["absent: NOENT", "absent outside: NOENT"]);
    let outside = fs::canonicalize(world.folder.path().join("outside")).expect("a folder");
    let expected = [
        (Action::Read, "other"),
        (Action::Read, ""),
        (Action::Write, "new"),
        (Action::Write, "moved"),
    ];
    let found: Vec<_> =
        told.iter().map(|denial| (denial.action, Path::new(&denial.target).to_owned())).collect();
    for (action, name) in expected {
        let path = if name.is_empty() { outside.clone() } else { outside.join(name) };
        assert!(found.contains(&(action, path)), "{name} in {found:?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:?}");
    let flag = format!("--read {}", outside.join("other").display());
    let flags = told.iter().filter(|denial| match &denial.remedy {
        Remedy::Allow { flag: found, .. } => *found == flag,
        Remedy::Never(_) => false,
    });
    assert_eq!(flags.count(), 1);
}

fn calls() {
    let mount = rustix::mount::mount_change("/", rustix::mount::MountPropagationFlags::PRIVATE);
    say("mount", mount);
    say("root", rustix::process::chroot("/"));
}

#[test]
fn refused_calls_are_told_with_why() {
    let world = World::new(Tier::Namespace, Watch::Network);
    let (said, told) = world.tell("calls");
    assert_eq!(said, ["mount: PERM", "root: PERM"]);
    let targets: Vec<&str> = told.iter().map(|denial| denial.target.as_str()).collect();
    assert_eq!(targets, ["mount", "chroot"]);
    assert!(matches!(&told[0].remedy, Remedy::Never(why) if !why.is_empty()));
}

#[test]
fn who_is_killed_while_it_waits_leaves_the_supervisor_at_work() {
    let world = World::new(Tier::Fallback, Watch::Nothing);
    // A listener whose queue is full lets a connection wait.
    let full = socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        Some(ipproto::TCP),
    )
    .expect("TCP");
    rustix::net::bind(&full, &SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    rustix::net::listen(&full, 0).expect("a listener");
    let listener = TcpListener::from(full);
    let address = listener.local_addr().expect("an address");
    let _first = TcpStream::connect(address).expect("the one place");
    let world = World { gate: listener, ..world };
    let (mut child, supervisor, _told) = world.start("waits");
    // It waits in `connect` when the kernel says so.
    let waits = |child: &Child| {
        let folder = format!("/proc/{}/task", child.id());
        fs::read_dir(folder).is_ok_and(|mut threads| {
            threads.any(|thread| {
                let call = thread.map(|thread| thread.path().join("syscall"));
                call.and_then(fs::read_to_string)
                    .is_ok_and(|call| call.starts_with(&format!("{} ", libc::SYS_connect)))
            })
        })
    };
    while !waits(&child) {
        thread::yield_now();
    }
    child.kill().expect("a signal");
    child.wait().expect("an end");
    let ended = supervisor.ended.recv_timeout(Duration::from_secs(20));
    assert_eq!(ended, Err(mpsc::RecvTimeoutError::Disconnected), "the thread has ended");
}
