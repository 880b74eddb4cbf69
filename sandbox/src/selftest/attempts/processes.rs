//! Attempts on other processes of the same user.

use std::fs;
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, Resource, Rlimit, Signal};

use crate::selftest::attempt::{At, Attempt, Expect, Group, Refusal, Shows, by};
use crate::selftest::stage::{Stage, Victim};
use crate::selftest::trial::pause;
use crate::sys::attempts::process::{self as raw, Signalling};

const NO_SUCH_CALL: Expect = Expect::held(&[by::SECCOMP]);
/// Inside, the victim's number is nobody's; outside, the kernel looks at it.
const NOBODY: Expect = Expect::tiers(&[by::SECCOMP, by::PROCESS], &[by::SECCOMP, by::LANDLOCK]);

const fn attempt(
    name: &'static str,
    what: &'static str,
    run: fn(&Stage) -> Result<String, Refusal>,
    shows: Shows,
    expect: Expect,
) -> Attempt {
    Attempt { name, group: Group::Processes, what, run, shows, expect }
}

/// The table.
pub const ATTEMPTS: &[Attempt] = &[
    attempt(
        "ptrace",
        "trace another process",
        |stage| raw::trace(victim(stage)?.process).at("ptrace").map(|()| "attached".to_owned()),
        Shows::Report,
        NO_SUCH_CALL,
    ),
    attempt(
        "process-vm-readv",
        "read another process's memory",
        |stage| {
            let victim = victim(stage)?;
            let read = raw::read_memory(victim.process, victim.address, victim.length);
            read.at("process_vm_readv").map(|text| String::from_utf8_lossy(&text).into_owned())
        },
        Shows::Secret,
        NO_SUCH_CALL,
    ),
    attempt(
        "process-vm-writev",
        "write another process's memory",
        |stage| {
            let victim = victim(stage)?;
            raw::write_memory(victim.process, victim.address, b"x").at("process_vm_writev")?;
            Ok("written".to_owned())
        },
        Shows::Report,
        NO_SUCH_CALL,
    ),
    attempt(
        "proc-mem",
        "read another process's /proc/PID/mem",
        |stage| read_proc_memory(victim(stage)?),
        Shows::Secret,
        FILES_OF_PROCESS,
    ),
    attempt(
        "proc-environ",
        "read another process's environment",
        |stage| read_proc(victim(stage)?.process, "environ"),
        Shows::Secret,
        FILES_OF_PROCESS,
    ),
    attempt(
        "proc-root",
        "reach files by another process's /proc/PID/root",
        |stage| {
            let process = victim(stage)?.process;
            let inner = stage.home.strip_prefix("/").unwrap_or(&stage.home);
            let path = PathBuf::from(format!("/proc/{process}/root")).join(inner);
            fs::read_to_string(path.join(".ssh/id_ed25519")).at("open")
        },
        Shows::Secret,
        FILES_OF_PROCESS,
    ),
    attempt(
        "proc-fd",
        "open what another process has open",
        |stage| {
            let process = victim(stage)?.process;
            fs::File::options().write(true).open(format!("/proc/{process}/fd/0")).at("open")?;
            Ok("opened".to_owned())
        },
        Shows::Report,
        FILES_OF_PROCESS,
    ),
    attempt(
        "proc-oom",
        "make another process the first to be killed for memory",
        |stage| {
            let process = victim(stage)?.process;
            fs::write(format!("/proc/{process}/oom_score_adj"), "700").at("open")?;
            Ok("written".to_owned())
        },
        Shows::Victim,
        FILES_OF_PROCESS,
    ),
    attempt(
        "pidfd-getfd",
        "copy a descriptor of another process",
        |stage| {
            let pidfd = pidfd(victim(stage)?)?;
            rustix::process::pidfd_getfd(&pidfd, 0, PidfdGetfdFlags::empty()).at("pidfd_getfd")?;
            Ok("copied".to_owned())
        },
        Shows::Report,
        NOBODY,
    ),
    attempt(
        "pidfd-send-signal",
        "signal another process by its pidfd",
        |stage| {
            let pidfd = pidfd(victim(stage)?)?;
            rustix::process::pidfd_send_signal(&pidfd, Signal::USR1).at("pidfd_send_signal")?;
            Ok("signalled".to_owned())
        },
        Shows::Victim,
        NOBODY,
    ),
    attempt(
        "kill",
        "signal another process",
        |stage| signal(stage, Signalling::Kill),
        Shows::Victim,
        NOBODY,
    ),
    attempt(
        "tkill",
        "signal another process's thread (tkill)",
        |stage| signal(stage, Signalling::Thread),
        Shows::Victim,
        NOBODY,
    ),
    attempt(
        "tgkill",
        "signal another process's thread (tgkill)",
        |stage| signal(stage, Signalling::ThreadOfGroup),
        Shows::Victim,
        NOBODY,
    ),
    attempt(
        "sigqueue",
        "signal another process with data (rt_sigqueueinfo)",
        |stage| signal(stage, Signalling::Queue),
        Shows::Victim,
        NOBODY,
    ),
    attempt(
        "tgsigqueue",
        "signal another process's thread with data",
        |stage| signal(stage, Signalling::QueueToThread),
        Shows::Victim,
        NOBODY,
    ),
    attempt(
        "kill-own-group",
        "signal the own process group, which others share",
        |_| {
            raw::ignore(libc::SIGUSR1).at("signal")?;
            raw::signal(Signalling::Kill, 0, libc::SIGUSR1).at("kill")?;
            Ok("signalled".to_owned())
        },
        Shows::Victim,
        // Processes of the sandbox are in the group too, and are reached.
        Expect::tiers(&[by::PROCESS, by::LANDLOCK], &[by::LANDLOCK, by::PROCESS]),
    ),
    attempt(
        "kill-group",
        "signal another process group",
        |stage| {
            let group = -victim(stage)?.process;
            raw::ignore(libc::SIGUSR1).at("signal")?;
            raw::signal(Signalling::Kill, group, libc::SIGUSR1).at("kill")?;
            Ok("signalled".to_owned())
        },
        Shows::Victim,
        NOBODY,
    ),
    attempt(
        "signal-on-input",
        "have the kernel signal another process when input comes",
        |stage| {
            let (read, write) = raw_pair()?;
            raw::set_owner(read.as_fd(), victim(stage)?.process, libc::SIGUSR1).at("fcntl")?;
            rustix::io::write(&write, b"x").at("write")?;
            Ok("signalled".to_owned())
        },
        Shows::Victim,
        Expect::tiers(&[by::SECCOMP, by::PROCESS], &[by::SECCOMP, by::LANDLOCK, by::PROCESS]),
    ),
    attempt(
        "signal-on-input-ioctl",
        "the same by ioctl (FIOSETOWN)",
        |stage| {
            let (read, write) = raw_pair()?;
            let process = victim(stage)?.process;
            raw::set_owner_by_ioctl(read.as_fd(), process, libc::SIGUSR1).at("ioctl")?;
            rustix::io::write(&write, b"x").at("write")?;
            Ok("signalled".to_owned())
        },
        Shows::Victim,
        Expect::tiers(&[by::SECCOMP, by::PROCESS], &[by::SECCOMP, by::LANDLOCK, by::PROCESS]),
    ),
    attempt(
        "pidfd-signal-group",
        "signal another process group by a pidfd",
        |stage| {
            raw::ignore(libc::SIGUSR1).at("signal")?;
            let pidfd = pidfd(victim(stage)?)?;
            raw::signal_group(pidfd.as_fd(), libc::SIGUSR1).at("pidfd_send_signal")?;
            Ok("signalled".to_owned())
        },
        Shows::Victim,
        NOBODY,
    ),
    attempt(
        "prlimit",
        "change another process's limits",
        |stage| {
            let none = Rlimit { current: Some(0), maximum: Some(0) };
            rustix::process::prlimit(Some(pid(victim(stage)?)?), Resource::Core, none)
                .at("prlimit")?;
            Ok("changed".to_owned())
        },
        Shows::Victim,
        NOBODY,
    ),
    attempt(
        "setpriority",
        "change another process's priority",
        |stage| {
            rustix::process::setpriority_process(Some(pid(victim(stage)?)?), 5)
                .at("setpriority")?;
            Ok("changed".to_owned())
        },
        Shows::Victim,
        NOBODY,
    ),
    attempt(
        "ioprio-set",
        "change another process's I/O priority",
        |stage| {
            raw::set_io_priority(victim(stage)?.process).at("ioprio_set")?;
            Ok("changed".to_owned())
        },
        Shows::Victim,
        NOBODY,
    ),
    attempt(
        "sched-setaffinity",
        "change the CPUs that another process runs on",
        |stage| {
            let mut first = rustix::thread::CpuSet::new();
            first.set(0);
            let process = Some(pid(victim(stage)?)?);
            rustix::thread::sched_setaffinity(process, &first).at("sched_setaffinity")?;
            Ok("changed".to_owned())
        },
        Shows::Report,
        NOBODY,
    ),
    attempt(
        "sched-setscheduler",
        "change another process's scheduling",
        |stage| {
            raw::set_scheduler(victim(stage)?.process).at("sched_setscheduler")?;
            Ok("changed".to_owned())
        },
        Shows::Victim,
        NOBODY,
    ),
    attempt(
        "move-pages",
        "ask where another process's pages lie",
        |stage| {
            raw::pages_of(victim(stage)?.process).at("move_pages")?;
            Ok("told".to_owned())
        },
        Shows::Report,
        NOBODY,
    ),
    attempt(
        "process-madvise",
        "advise the kernel about another process's memory",
        |stage| {
            let victim = victim(stage)?;
            raw::advise(pidfd(victim)?.as_fd(), victim.address).at("process_madvise")?;
            Ok("advised".to_owned())
        },
        Shows::Report,
        NOBODY,
    ),
    attempt(
        "kcmp",
        "compare what two processes share",
        |stage| {
            let own = rustix::process::getpid().as_raw_nonzero().get();
            raw::compare(own, victim(stage)?.process).at("kcmp")?;
            Ok("compared".to_owned())
        },
        Shows::Report,
        NOBODY,
    ),
    attempt(
        "robust-list",
        "ask for another process's futexes",
        |stage| {
            raw::robust_list(victim(stage)?.process).at("get_robust_list")?;
            Ok("told".to_owned())
        },
        Shows::Report,
        NOBODY,
    ),
    attempt(
        "proc-status",
        "see what other processes there are",
        |stage| read_proc(victim(stage)?.process, "status").map(|_| "seen".to_owned()),
        Shows::Report,
        Expect::gap_in_fallback(
            &[by::PROCESS],
            "there is one /proc, and /proc/self is needed: names and numbers of processes are seen",
        ),
    ),
];

const FILES_OF_PROCESS: Expect = Expect::tiers(&[by::PROCESS], &[by::LANDLOCK]);

/// The process that attempts are made on.
pub fn victim(stage: &Stage) -> Result<Victim, Refusal> {
    stage.victim.ok_or_else(|| Refusal::absent("there is no process to try it on"))
}

/// What stands in a process's memory, by the file that shows it.
fn read_proc_memory(victim: Victim) -> Result<String, Refusal> {
    use std::os::unix::fs::FileExt as _;
    let memory = fs::File::open(format!("/proc/{}/mem", victim.process)).at("open")?;
    let mut text = vec![0; victim.length];
    memory.read_exact_at(&mut text, victim.address).at("read")?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// A file of a process in /proc.
pub fn read_proc(process: i32, name: &str) -> Result<String, Refusal> {
    let text = fs::read(format!("/proc/{process}/{name}")).at("open")?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn pid(victim: Victim) -> Result<Pid, Refusal> {
    Pid::from_raw(victim.process).ok_or_else(|| Refusal::absent("no number of a process"))
}

fn pidfd(victim: Victim) -> Result<std::os::fd::OwnedFd, Refusal> {
    rustix::process::pidfd_open(pid(victim)?, PidfdFlags::empty()).at("pidfd_open")
}

fn signal(stage: &Stage, how: Signalling) -> Result<String, Refusal> {
    raw::signal(how, victim(stage)?.process, libc::SIGUSR1).at("send")?;
    // Gives the other one the time to be seen dying before the launcher's end is.
    pause(std::time::Duration::from_millis(1));
    Ok("signalled".to_owned())
}

fn raw_pair() -> Result<(std::os::fd::OwnedFd, std::os::fd::OwnedFd), Refusal> {
    crate::sys::attempts::network::socket_pair(libc::SOCK_STREAM).at("socketpair")
}
