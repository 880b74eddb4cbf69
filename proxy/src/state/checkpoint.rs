//! Folds SQLite's log into the file, beside the writer rather than in its way.
//!
//! A checkpoint waits for the disk. On the writer's own connection it would hold up the calls
//! that wait for their reservation; on this thread's it holds up nobody.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use rusqlite::Connection;

/// Commits between two checkpoints: with a few pages a commit, some megabytes of log.
const COMMITS: u32 = 2_000;

/// Pages of log, 128 MiB, above which the writer is held up so that it can begin anew.
const LONG_LOG: i64 = 32_768;

/// Asks for checkpoints. Dropped, it waits for the thread to end, which closes its connection: the
/// last one to close folds in what is left and removes the log.
pub(super) struct Checkpoints {
    /// None once the thread is to end.
    ask: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    commits: u32,
}

impl Checkpoints {
    /// Starts the thread.
    pub(super) fn start(path: &Path) -> std::io::Result<Self> {
        let (ask, asked) = bounded(1);
        let path = path.to_owned();
        let thread = std::thread::Builder::new()
            .name("iron-checkpoint".to_owned())
            .spawn(move || work(&path, &asked))?;
        Ok(Self { ask: Some(ask), thread: Some(thread), commits: 0 })
    }

    /// Counts a commit of the writer.
    pub(super) fn committed(&mut self) {
        self.commits += 1;
        if self.commits >= COMMITS {
            // One that is asked for and not yet begun serves this one too.
            let asked = self.ask.as_ref().map(|ask| ask.try_send(()));
            if let Some(Ok(()) | Err(TrySendError::Full(()))) = asked {
                self.commits = 0;
            }
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.ask = None;
        if let Some(thread) = self.thread.take() {
            // It has nothing to say that was not logged.
            let _ = thread.join();
        }
    }
}

fn work(path: &PathBuf, asked: &Receiver<()>) {
    let connection = match Connection::open(path) {
        Ok(connection) => connection,
        // The writer's own limit on its log then does the work.
        Err(error) => return tracing::warn!(%error, "checkpoints are left to the writer"),
    };
    let _ = connection.busy_timeout(Duration::from_secs(1));
    while asked.recv().is_ok() {
        // PASSIVE does the work without holding up the writer. Where it catches up with the writer,
        // the log begins anew by itself; where calls come too thick for that, RESTART holds the
        // writer up for a moment, rarely.
        let checkpoint = |mode: &str| {
            let pragma = format!("PRAGMA wal_checkpoint({mode})");
            connection.query_row(&pragma, [], |row| row.get::<_, i64>(1))
        };
        let folded = checkpoint("PASSIVE")
            .and_then(|pages| if pages > LONG_LOG { checkpoint("RESTART") } else { Ok(pages) });
        if let Err(error) = folded {
            tracing::warn!(%error, "the log of the state file was not folded in");
        }
    }
}
