//! The one thread that writes: takes what waits, commits it together, then answers.

mod batch;
mod lease;
mod sql;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use iron_policy::budget::AccountKey;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::checkpoint::Checkpoints;
use super::leases::{Answer, Order};
use super::open::Opened;
use super::{
    BatchFile, CallRecord, DenialRecord, Held, Hold, OpenBatch, ReserveError, RunRecord,
    Settlement, denials, schema,
};

/// What callers ask for.
#[derive(Debug)]
pub(super) enum Command {
    Reserve {
        hold: Arc<Hold>,
        /// Leases that expire before are not spent: milliseconds of `CLOCK_BOOTTIME`.
        boot_ms: i64,
        answer: oneshot::Sender<Result<Held, ReserveError>>,
    },
    /// Changes leases, or what the panel is still to be told.
    Panel {
        order: Order,
        answer: oneshot::Sender<Result<Answer, ReserveError>>,
    },
    /// Keeps a run that begins.
    Announce {
        run: Box<RunRecord>,
        answer: oneshot::Sender<Result<bool, ReserveError>>,
    },
    /// Keeps what a sandbox refused.
    Deny {
        denials: Vec<DenialRecord>,
        answer: oneshot::Sender<Result<usize, ReserveError>>,
    },
    Settle(Box<Settlement>),
    Record(Box<CallRecord>),
    /// Remembers a file that batches can be made of.
    Remember(Box<BatchFile>),
    /// Lets reservations wait for a batch's results.
    Bind {
        batch: Box<OpenBatch>,
        answer: oneshot::Sender<Result<(), ReserveError>>,
    },
    /// Notes what the provider said of a batch.
    Learn(Box<OpenBatch>),
    /// Ends a reservation that waited for a batch's results.
    EndBatch(Box<Settlement>),
    Flush(oneshot::Sender<()>),
    Close,
}

impl Command {
    /// Whether somebody waits for it.
    const fn is_awaited(&self) -> bool {
        matches!(
            self,
            Self::Reserve { .. }
                | Self::Panel { .. }
                | Self::Bind { .. }
                | Self::Announce { .. }
                | Self::Deny { .. }
                | Self::Flush(_)
                | Self::Close
        )
    }
}

/// Commands in one transaction at most: bounds how long the first one waits for the last.
const MAX_BATCH: usize = 256;
/// How long something that nobody waits for may wait for company. One commit then serves the end
/// of one call and the beginning of the next.
const LINGER: Duration = Duration::from_millis(2);
/// How long to wait before what could not be written is tried again.
const RETRY: [Duration; 3] =
    [Duration::from_millis(20), Duration::from_millis(200), Duration::from_secs(1)];
/// Accounts whose row ids are remembered.
const MAX_ACCOUNTS: usize = 10_000;

/// The writing side of an open file.
pub(super) struct Writer {
    opened: Opened,
    checkpoints: Checkpoints,
    queue: Receiver<Command>,
    available: Arc<AtomicBool>,
    /// What could not be written yet, oldest first.
    kept: VecDeque<Command>,
    failures: usize,
    closing: bool,
    accounts: HashMap<AccountKey, i64>,
}

impl Writer {
    pub(super) fn new(
        opened: Opened,
        checkpoints: Checkpoints,
        queue: Receiver<Command>,
        available: Arc<AtomicBool>,
    ) -> Self {
        Self {
            opened,
            checkpoints,
            queue,
            available,
            kept: VecDeque::new(),
            failures: 0,
            closing: false,
            accounts: HashMap::new(),
        }
    }

    /// Works until it is told to close and everything is written.
    pub(super) fn run(mut self) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        loop {
            self.gather(&mut batch);
            if batch.is_empty() && self.closing {
                break;
            }
            self.commit(&mut batch);
        }
        // First the other connection, so that closing this one folds the log in.
        drop(self.checkpoints);
        if let Err(error) = self.opened.close() {
            tracing::warn!(%error, "the state file was not closed cleanly; the next start repairs it");
        }
    }

    /// Waits for something to do and takes all that is there.
    fn gather(&mut self, batch: &mut Vec<Command>) {
        if self.failures == 0 || (self.closing && self.kept.is_empty()) {
            if self.closing {
                batch.extend(self.queue.try_iter().take(MAX_BATCH));
                return;
            }
            match self.queue.recv() {
                Ok(command) => batch.push(command),
                Err(_) => self.closing = true,
            }
        } else {
            // Also when nothing is kept: who is told not to send calls would never send the one
            // that shows that the file can be written again.
            let wait = RETRY[self.failures.min(RETRY.len()) - 1];
            batch.extend(self.kept.drain(..));
            match self.queue.recv_timeout(wait) {
                Ok(command) => batch.push(command),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => {
                    self.closing = true;
                    return;
                }
            }
        }
        loop {
            let room = MAX_BATCH.saturating_sub(batch.len());
            batch.extend(self.queue.try_iter().take(room));
            if batch.len() >= MAX_BATCH || batch.iter().any(Command::is_awaited) {
                break;
            }
            match self.queue.recv_timeout(LINGER) {
                Ok(command) => batch.push(command),
                Err(_) => break,
            }
        }
    }

    /// Carries out a batch in one transaction, then answers. If that fails nothing of it has
    /// happened: reservations are refused, everything else is kept.
    fn commit(&mut self, batch: &mut Vec<Command>) {
        let mut answers = Vec::with_capacity(batch.len());
        let mut announced = Vec::new();
        let mut leases = Vec::new();
        let mut denied = Vec::new();
        match self.transact(batch, &mut answers, &mut announced, &mut leases, &mut denied) {
            Ok(()) => {
                if self.failures > 0 {
                    tracing::warn!("the state file can be written again");
                }
                self.failures = 0;
                self.checkpoints.committed();
                self.available.store(true, Ordering::Relaxed);
                let mut answers = answers.into_iter();
                let mut announced = announced.into_iter();
                let mut leases = leases.into_iter();
                let mut denied = denied.into_iter();
                for command in batch.drain(..) {
                    match command {
                        Command::Reserve { answer, .. } => {
                            // The caller may be gone; its guard then voids the reservation.
                            let _ = answer.send(answers.next().unwrap_or(Ok(Held::default())));
                        }
                        Command::Panel { answer, .. } => {
                            let _ = answer.send(Ok(leases.next().unwrap_or(Answer::Done)));
                        }
                        Command::Bind { answer, .. } => {
                            let _ = answer.send(Ok(()));
                        }
                        Command::Announce { answer, .. } => {
                            let _ = answer.send(Ok(announced.next().unwrap_or(false)));
                        }
                        Command::Deny { answer, .. } => {
                            let _ = answer.send(Ok(denied.next().unwrap_or(0)));
                        }
                        Command::Flush(answer) => {
                            let _ = answer.send(());
                        }
                        Command::Close => self.closing = true,
                        _ => {}
                    }
                }
            }
            Err(error) => self.keep(batch, &error),
        }
    }

    fn keep(&mut self, batch: &mut Vec<Command>, error: &rusqlite::Error) {
        if self.failures == 0 {
            tracing::error!(%error, "the state file cannot be written; ends of calls are kept");
        }
        self.failures += 1;
        self.available.store(false, Ordering::Relaxed);
        // Row ids of accounts that were made in this transaction are gone with it.
        self.accounts.clear();
        for command in batch.drain(..) {
            match command {
                Command::Bind { answer, .. } => {
                    let _ = answer.send(Err(ReserveError::Unavailable(error.to_string())));
                }
                Command::Reserve { answer, .. } => {
                    let _ = answer.send(Err(ReserveError::Unavailable(error.to_string())));
                }
                Command::Panel { answer, .. } => {
                    let _ = answer.send(Err(ReserveError::Unavailable(error.to_string())));
                }
                Command::Announce { answer, .. } => {
                    let _ = answer.send(Err(ReserveError::Unavailable(error.to_string())));
                }
                Command::Deny { answer, .. } => {
                    let _ = answer.send(Err(ReserveError::Unavailable(error.to_string())));
                }
                Command::Close => self.closing = true,
                other => self.kept.push_back(other),
            }
        }
        if self.closing && self.failures > RETRY.len() {
            tracing::error!(
                calls = self.kept.len(),
                "giving up on writing the ends of calls; the next start charges them whole"
            );
            self.kept.clear();
        }
    }

    fn transact(
        &mut self,
        batch: &[Command],
        answers: &mut Vec<Result<Held, ReserveError>>,
        announced: &mut Vec<bool>,
        leases: &mut Vec<Answer>,
        denied: &mut Vec<usize>,
    ) -> rusqlite::Result<()> {
        let connection: &Connection = &self.opened.connection;
        let writes =
            batch.iter().any(|command| !matches!(command, Command::Flush(_) | Command::Close));
        if !writes && self.failures == 0 {
            return Ok(());
        }
        if !connection.is_autocommit() {
            connection.execute_batch("ROLLBACK")?;
        }
        if self.accounts.len() > MAX_ACCOUNTS {
            self.accounts.clear();
        }
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        // A transaction that changes nothing says nothing about the disk: this one writes a page.
        let probe = match self.failures {
            0 => Ok(()),
            _ => connection.pragma_update(None, "user_version", schema::VERSION),
        };
        let mut commands = batch.iter();
        let result = probe.and_then(|()| {
            commands.try_for_each(|command| {
                match command {
                    Command::Reserve { hold, boot_ms, .. } => {
                        answers.push(sql::reserve(connection, &mut self.accounts, hold, *boot_ms)?);
                    }
                    Command::Panel { order, .. } => {
                        leases.push(lease::carry_out(connection, order)?);
                    }
                    Command::Announce { run, .. } => {
                        announced.push(sql::announce(connection, run)?);
                    }
                    Command::Deny { denials, .. } => {
                        denied.push(denials::keep(connection, denials)?);
                    }
                    Command::Settle(settlement) => sql::settle(connection, settlement)?,
                    Command::Record(record) => sql::record(connection, record)?,
                    Command::Remember(file) => batch::remember(connection, file)?,
                    Command::Bind { batch, .. } => batch::bind(connection, batch)?,
                    Command::Learn(batch) => batch::learn(connection, batch)?,
                    Command::EndBatch(settlement) => batch::end(connection, settlement)?,
                    Command::Flush(_) | Command::Close => {}
                }
                Ok(())
            })
        });
        let result =
            result.and_then(|()| connection.prepare_cached("COMMIT")?.execute([]).map(drop));
        if result.is_err() && !connection.is_autocommit() {
            connection.execute_batch("ROLLBACK")?;
        }
        result
    }
}
