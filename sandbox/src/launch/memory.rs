//! Bounds the memory of all processes together where no control group does: it is added up from time to
//! time, and everything is ended when it is too much.
//!
//! What is used for less than a [`PAUSE`] is not seen; the limit of one process ([`super::limits`])
//! holds at any time.

use std::fs;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::param::page_size;
use rustix::process::Pid;

/// From one look to the next.
const PAUSE: Duration = Duration::from_millis(100);

/// Looks on until this is dropped.
pub(super) struct Watching {
    /// Only held: the thread ends when it is dropped.
    _until: mpsc::Sender<()>,
}

/// Watches all processes that come of one; `over` is called once when they use more than `limit` bytes.
pub(super) fn watch(
    root: Pid,
    limit: u64,
    over: impl FnOnce() + Send + 'static,
) -> io::Result<Watching> {
    let (until, ended) = mpsc::channel::<()>();
    thread::Builder::new().name("iron-memory".to_owned()).spawn(move || {
        while ended.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
            if used_below(root) > limit {
                over();
                return;
            }
        }
    })?;
    Ok(Watching { _until: until })
}

/// Bytes that processes use alone, without what they share with files.
fn used_below(root: Pid) -> u64 {
    let mut all = children(root.as_raw_nonzero().get());
    let mut at = 0;
    let mut sum = 0;
    while let Some(pid) = all.get(at).copied() {
        at += 1;
        sum += used(pid);
        all.extend(children(pid));
    }
    sum
}

fn used(pid: i32) -> u64 {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    let mut pages = statm.split_ascii_whitespace().skip(1).map(|pages| pages.parse().unwrap_or(0));
    let (resident, shared): (u64, u64) = (pages.next().unwrap_or(0), pages.next().unwrap_or(0));
    resident.saturating_sub(shared) * page_size() as u64
}

fn children(pid: i32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
    let lists =
        tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()
        })
        .collect()
}
