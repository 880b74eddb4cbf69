//! Attempts to use more than was given: processes, memory, files, time, output.

use std::fs::File;
use std::io::{self, Write as _};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::selftest::attempt::{At, Attempt, Expect, Group, Refusal, Shows, by};
use crate::selftest::stage::Stage;
use crate::selftest::trial::pause;
use crate::sys::attempts::{memory, process};

const PRECEDENCE: Expect = Expect::held(&[by::CAPABILITIES, by::SECCOMP, by::NOTIFY]);
const LIMITED: Expect = Expect::held(&[by::RLIMITS, by::CGROUP]);

const fn attempt(
    name: &'static str,
    what: &'static str,
    run: fn(&Stage) -> Result<String, Refusal>,
    expect: Expect,
) -> Attempt {
    Attempt { name, group: Group::Resources, what, run, shows: Shows::Report, expect }
}

/// The table. `confined` sets the limits that these exceed.
pub const ATTEMPTS: &[Attempt] = &[
    attempt(
        "fork-bomb",
        "make 800 processes where 400 are allowed",
        |_| {
            let (made, refused) = process::fork_until_refused(800);
            refused.map_or_else(|| Ok(format!("{made} made")), Err).at("fork")
        },
        Expect::gap_for_root(
            &[by::RLIMITS, by::CGROUP, by::PROCESS],
            &[by::RLIMITS, by::CGROUP],
            "the kernel does not count root's processes, and no control group could be had",
        ),
    ),
    attempt(
        "raise-limit",
        "raise a limit of one's own",
        |_| {
            let more = Rlimit { current: Some(200), maximum: Some(1_000_000) };
            setrlimit(Resource::Nofile, more).at("setrlimit")?;
            Ok("raised".to_owned())
        },
        Expect::held(&[by::CAPABILITIES, by::RLIMITS]),
    ),
    attempt(
        "nice",
        "take precedence over others",
        |_| {
            rustix::process::setpriority_process(None, -5).at("setpriority")?;
            Ok("taken".to_owned())
        },
        PRECEDENCE,
    ),
    attempt(
        "real-time",
        "take precedence over all others (real-time)",
        |_| process::real_time().at("sched_setscheduler").map(|()| "taken".to_owned()),
        PRECEDENCE,
    ),
    attempt(
        "memory-bomb",
        "take 512 MiB of memory where 256 MiB are allowed",
        |_| {
            // A quarter of it is taken at a time, as programs do.
            for _ in 0..4 {
                memory::reserve(128 << 20).at("mmap")?;
            }
            Ok("taken".to_owned())
        },
        LIMITED,
    ),
    attempt(
        "file-size-bomb",
        "write a file of 4 MiB where 1 MiB is allowed",
        |stage| {
            process::ignore(libc::SIGXFSZ).at("signal")?;
            let mut file = File::create(stage.workspace.join("large")).at("create")?;
            for _ in 0..64 {
                file.write_all(&[0; 1 << 16]).at("write")?;
            }
            Ok("written".to_owned())
        },
        LIMITED,
    ),
    attempt(
        "open-files-bomb",
        "open 200 files where 64 are allowed",
        |_| {
            let files: Result<Vec<File>, io::Error> =
                (0..200).map(|_| File::open("/dev/null")).collect();
            Ok(format!("{} open", files.at("open")?.len()))
        },
        LIMITED,
    ),
    attempt(
        "cpu-bomb",
        "compute for 1.5 s where 1 s is allowed",
        |_| {
            let mut number = 0u64;
            let used = || clock_gettime(ClockId::ProcessCPUTime);
            while used().tv_sec < 1 || used().tv_nsec < 500_000_000 {
                for _ in 0..1_000_000 {
                    number = std::hint::black_box(number.wrapping_mul(31).wrapping_add(1));
                }
            }
            Ok("computed".to_owned())
        },
        LIMITED,
    ),
    attempt(
        "wall-time-bomb",
        "stay for 2 s where 1 s is allowed",
        |_| {
            pause(Duration::from_secs(2));
            Ok("stayed".to_owned())
        },
        LIMITED,
    ),
    attempt(
        "output-bomb",
        "print 1 MiB where 64 KiB are allowed",
        |_| {
            let mut out = io::stdout();
            for _ in 0..1024 {
                out.write_all(&[b' '; 1023]).at("write")?;
                out.write_all(b"\n").at("write")?;
            }
            out.flush().at("write")?;
            Ok("printed".to_owned())
        },
        LIMITED,
    ),
];
