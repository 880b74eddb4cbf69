//! Attempts on shared memory and queues, which have names of their own beside those of files.

use crate::selftest::attempt::{At, Attempt, Expect, Group, Refusal, Shows, by};
use crate::selftest::stage::Stage;
use crate::sys::attempts::memory as raw;

/// In a namespace of its own, what is made is gone with it.
const LEFT_BEHIND: Expect = Expect::tiers(&[by::SECCOMP, by::IPC], &[by::SECCOMP]);
const SHARED: Expect = Expect::tiers(&[by::SECCOMP, by::IPC], &[by::SECCOMP]);

const fn attempt(
    name: &'static str,
    what: &'static str,
    run: fn(&Stage) -> Result<String, Refusal>,
    shows: Shows,
    expect: Expect,
) -> Attempt {
    Attempt { name, group: Group::Ipc, what, run, shows, expect }
}

/// The table.
pub const ATTEMPTS: &[Attempt] = &[
    attempt(
        "segment-read",
        "read a shared memory segment of somebody else's (shmat)",
        |stage| {
            let segment =
                stage.segment.ok_or_else(|| Refusal::absent("the kernel has no segments"))?;
            let text = raw::read_segment(segment).at("shmat")?;
            Ok(String::from_utf8_lossy(&text).into_owned())
        },
        Shows::Secret,
        SHARED,
    ),
    attempt(
        "queue-read",
        "take a message from a queue of somebody else's (mq_open)",
        |stage| {
            let queue =
                stage.queue.as_ref().ok_or_else(|| Refusal::absent("the kernel has no queues"))?;
            let text = raw::read_queue(queue).at("mq_open")?;
            Ok(String::from_utf8_lossy(&text).into_owned())
        },
        Shows::Secret,
        SHARED,
    ),
    attempt(
        "segment",
        "make a shared memory segment (shmget), which outlives its maker",
        |stage| made(raw::named_segment(stage.key).at("shmget")),
        Shows::Objects,
        LEFT_BEHIND,
    ),
    attempt(
        "semaphores",
        "make semaphores (semget), which outlive their maker",
        |stage| made(raw::named_semaphores(stage.key).at("semget")),
        Shows::Objects,
        LEFT_BEHIND,
    ),
    attempt(
        "messages",
        "make a message queue (msgget), which outlives its maker",
        |stage| made(raw::named_messages(stage.key).at("msgget")),
        Shows::Objects,
        LEFT_BEHIND,
    ),
];

fn made(result: Result<(), Refusal>) -> Result<String, Refusal> {
    result.map(|()| "made".to_owned())
}
