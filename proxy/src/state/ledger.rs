//! The handle through which calls hold and settle money.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, unbounded};
use iron_policy::config::{Durability, Policy};
use iron_policy::types::CallId;
use std::sync::Mutex;
use tokio::sync::oneshot;

use super::checkpoint::Checkpoints;
use super::leases::{Answer, Order};
use super::writer::{Command, Writer};
use super::{
    BatchFile, Batches, CallRecord, DenialRecord, End, Held, Hold, Key, OpenBatch, OpenError,
    ReserveError, RunRecord, Settlement, open,
};

/// How the file is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// What a commit survives.
    pub durability: Durability,
}

impl From<&Policy> for Options {
    fn from(policy: &Policy) -> Self {
        Self { durability: policy.proxy.durability }
    }
}

/// What was found when the file was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// Calls that were open: charged whole, marked as estimated.
    pub recovered: u64,
    /// Balances that were not what the journal adds up to, and were set right.
    pub repaired: u64,
    /// The newest call in the file.
    pub last: CallId,
}

/// The ledger of one proxy. Clones are handles to the same one.
#[derive(Clone)]
pub struct Ledger(Arc<Inner>);

struct Inner {
    path: PathBuf,
    commands: Sender<Command>,
    available: Arc<AtomicBool>,
    batches: Batches,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("available", &self.is_available()).finish_non_exhaustive()
    }
}

impl Ledger {
    /// Opens the file, or makes it. Every call that was open is charged whole, and every balance
    /// is compared with the journal, before this returns.
    pub fn open(path: &Path, options: &Options) -> Result<(Self, Recovery), OpenError> {
        let (opened, recovery) = open::open(path, *options)?;
        let (commands, queue) = unbounded();
        let available = Arc::new(AtomicBool::new(true));
        let batches = Batches::load(&opened.connection)
            .map_err(|source| OpenError::Sql { path: path.to_owned(), source })?;
        let io = |source| OpenError::Io { path: path.to_owned(), source };
        let checkpoints = Checkpoints::start(path).map_err(io)?;
        let writer = Writer::new(opened, checkpoints, queue, Arc::clone(&available));
        let thread = std::thread::Builder::new()
            .name("iron-ledger".to_owned())
            .spawn(move || writer.run())
            .map_err(io)?;
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let inner = Inner { path, commands, available, batches, writer: Mutex::new(Some(thread)) };
        Ok((Self(Arc::new(inner)), recovery))
    }

    /// Holds an amount in every account it names, or in none. Returns after the commit.
    ///
    /// A caller that stops waiting must settle with [`End::Void`](super::End::Void): commands are
    /// carried out in their order, so that undoes what may get committed. Whoever has no clock
    /// spends no lease.
    pub async fn reserve(&self, hold: Hold) -> Result<Held, ReserveError> {
        self.reserve_at(Arc::new(hold), i64::MAX).await
    }

    /// The same, with leases that do not expire before this: in milliseconds of `CLOCK_BOOTTIME`.
    pub async fn reserve_at(&self, hold: Arc<Hold>, boot_ms: i64) -> Result<Held, ReserveError> {
        let (answer, committed) = oneshot::channel();
        let gone = || ReserveError::Unavailable("the ledger is closed".to_owned());
        self.0.commands.send(Command::Reserve { hold, boot_ms, answer }).map_err(|_| gone())?;
        committed.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Keeps a run that begins; false where its id was used before. Returns after the commit.
    pub async fn announce(&self, run: RunRecord) -> Result<bool, ReserveError> {
        let (answer, committed) = oneshot::channel();
        let gone = || ReserveError::Unavailable("the ledger is closed".to_owned());
        self.0
            .commands
            .send(Command::Announce { run: Box::new(run), answer })
            .map_err(|_| gone())?;
        committed.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Keeps what a run's sandbox refused; says how many of them were kept. Returns after the commit.
    pub async fn keep_denials(&self, denials: Vec<DenialRecord>) -> Result<usize, ReserveError> {
        let (answer, committed) = oneshot::channel();
        let gone = || ReserveError::Unavailable("the ledger is closed".to_owned());
        self.0.commands.send(Command::Deny { denials, answer }).map_err(|_| gone())?;
        committed.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Ends a reservation. Never waits and never fails: what cannot be written now is kept and
    /// written later.
    pub fn settle(&self, settlement: Settlement) {
        self.send(Command::Settle(Box::new(settlement)));
    }

    /// Keeps the record of a call for which nothing was held.
    pub fn record(&self, record: CallRecord) {
        self.send(Command::Record(Box::new(record)));
    }

    /// Files and open batches, to look up.
    pub fn batches(&self) -> &Batches {
        &self.0.batches
    }

    /// Remembers an uploaded file that batches can be made of.
    pub fn remember(&self, file: BatchFile) {
        self.0.batches.add_file(file.clone());
        self.send(Command::Remember(Box::new(file)));
    }

    /// Lets reservations wait for a batch's results, also over restarts. Returns after the commit.
    pub async fn bind(&self, batch: OpenBatch) -> Result<(), ReserveError> {
        let (answer, committed) = oneshot::channel();
        let gone = || ReserveError::Unavailable("the ledger is closed".to_owned());
        self.0
            .commands
            .send(Command::Bind { batch: Box::new(batch.clone()), answer })
            .map_err(|_| gone())?;
        committed.await.unwrap_or_else(|_| Err(gone()))?;
        self.0.batches.add_open(batch);
        Ok(())
    }

    /// Notes the file with a batch's results, and how many of its requests succeeded.
    pub fn learn(&self, key: &Key, output: Option<&str>, completed: Option<u64>) {
        if self.0.batches.learn(key, output, completed)
            && let Some(batch) = self.0.batches.get(key)
        {
            self.send(Command::Learn(Box::new(batch)));
        }
    }

    /// Ends what is held for an open batch, once: `end` says how, for each of its holds, and
    /// fills in the record. Nothing happens where the batch is not open (any more).
    pub fn end_batch(&self, key: &Key, mut end: impl FnMut(&mut CallRecord) -> End) {
        let Some(batch) = self.0.batches.take(key) else { return };
        for hold in batch.holds {
            let mut record = hold.record;
            let end = end(&mut record);
            self.send(Command::EndBatch(Box::new(Settlement { end, record })));
        }
    }

    /// Changes leases, or what the panel is still to be told. Returns after the commit.
    pub(super) async fn order(&self, order: Order) -> Result<Answer, ReserveError> {
        let (answer, committed) = oneshot::channel();
        let gone = || ReserveError::Unavailable("the ledger is closed".to_owned());
        self.0.commands.send(Command::Panel { order, answer }).map_err(|_| gone())?;
        committed.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Returns once everything that was queued before is committed.
    pub async fn flush(&self) {
        let (answer, done) = oneshot::channel();
        self.send(Command::Flush(answer));
        // An error means that the writer ended, which it does only after writing everything.
        let _ = done.await;
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Whether the last attempt to write worked; false after [`Ledger::close`].
    pub fn is_available(&self) -> bool {
        let writes = |writer: &Option<JoinHandle<()>>| {
            writer.as_ref().is_some_and(|thread| !thread.is_finished())
        };
        self.0.available.load(Ordering::Relaxed)
            && self.0.writer.lock().is_ok_and(|writer| writes(&writer))
    }

    /// Writes what is queued and closes the file.
    pub async fn close(&self) {
        self.send(Command::Close);
        let writer = self.0.writer.lock().ok().and_then(|mut writer| writer.take());
        if let Some(writer) = writer {
            let joined = tokio::task::spawn_blocking(move || writer.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the ledger's writer did not end well");
            }
        }
    }

    fn send(&self, command: Command) {
        if self.0.commands.send(command).is_err() {
            tracing::error!("a call ended after the ledger was closed; the next start charges it");
        }
    }
}
