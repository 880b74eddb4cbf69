//! Batches whose money is held until their results are fetched, and the files that batches are made
//! of: what calls look up, loaded from the state at start and changed along with it.
//!
//! A batch's reservation ends once: whoever takes it out of here may settle it, and the statement
//! that settles it moves money only where its row is still there. What is lost with the process
//! is read again from the file: then the batch is open, or its call is on record.
//!
//! Not here: what a request can cost, and what the answers of providers say.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use iron_policy::types::{CallId, Dialect, Name, NanoUsd};
use rusqlite::{Connection, Row};

use super::CallRecord;

/// More files are not remembered: the oldest go first.
pub(super) const MOST_FILES: usize = 10_000;
/// Providers forget uploaded files sooner than this, in milliseconds: 90 days.
pub(super) const FILES_LIVE: i64 = 90 * 24 * 3_600_000;
/// More batches are not open at once.
const MOST_OPEN: usize = 10_000;
/// Ids that providers give are shorter, in bytes.
const LONGEST_ID: usize = 200;

/// An upstream, and an id of its own.
pub type Key = (Name, String);

/// What the requests of one model in a batch can cost.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Share {
    /// The model, as the requests name it.
    pub model: String,
    /// How many requests.
    pub requests: u64,
    /// The most they can cost together.
    pub bound: NanoUsd,
}

/// An uploaded file that a batch can be made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchFile {
    /// The upstream that has it, and its id there.
    pub key: Key,
    /// When it was uploaded, in Unix milliseconds.
    pub at: i64,
    /// The operation that its requests are for: `chat/completions`.
    pub of: String,
    /// By model.
    pub shares: Vec<Share>,
    /// Why there is no bound, where there is none.
    pub why: Option<String>,
}

/// A batch whose results were not fetched yet.
#[derive(Debug, Clone)]
pub struct OpenBatch {
    /// The upstream that works on it, and its id there.
    pub key: Key,
    /// When it was made, in Unix milliseconds.
    pub at: i64,
    /// The operation that its requests are for.
    pub of: String,
    /// What is held, by model: at least one.
    pub holds: Vec<BatchHold>,
    /// The file with its results, once the provider has named it.
    pub output: Option<String>,
    /// How many requests succeeded, once the provider has said so.
    pub completed: Option<u64>,
}

/// What is held for the requests of one model.
#[derive(Debug, Clone)]
pub struct BatchHold {
    /// The reservation.
    pub record: CallRecord,
    /// How many requests.
    pub requests: u64,
}

/// Why a batch cannot be remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {MOST_OPEN} batches are open: fetch the results of earlier ones")]
pub struct TooMany;

/// Files and open batches of one state.
#[derive(Default)]
pub struct Batches(Mutex<Known>);

#[derive(Default)]
struct Known {
    files: HashMap<Key, BatchFile>,
    /// The same by age; the second number tells those of one millisecond apart.
    by_age: BTreeMap<(i64, u64), Key>,
    uploads: u64,
    open: HashMap<Key, OpenBatch>,
    /// Files with results, and whose.
    outputs: HashMap<Key, String>,
}

impl fmt::Debug for Batches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.known();
        f.debug_struct("Batches")
            .field("files", &known.files.len())
            .field("open", &known.open.len())
            .finish()
    }
}

impl Batches {
    /// Reads what the state knows.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut known = Known::default();
        let mut statement = connection
            .prepare("SELECT upstream, file, at, of, shares, why FROM batch_file ORDER BY at")?;
        for file in statement.query_map([], file)? {
            if let Some(file) = file? {
                known.add_file(file);
            }
        }
        let mut statement = connection.prepare(
            "SELECT b.upstream, b.batch, b.at, b.of, b.output, b.completed, b.requests,
               r.id, r.agent, r.project, r.model, r.dialect, r.endpoint, r.amount, r.run, r.depth,
               r.token
             FROM batch b JOIN reservation r ON r.id = b.call WHERE b.ended = 0 ORDER BY b.call",
        )?;
        for part in statement.query_map([], open)? {
            let Some(part) = part? else { continue };
            match known.open.get_mut(&part.key) {
                Some(batch) => batch.holds.extend(part.holds),
                None => known.add_open(part),
            }
        }
        Ok(Self(Mutex::new(known)))
    }

    /// The file of this id.
    pub fn file(&self, key: &Key) -> Option<BatchFile> {
        self.known().files.get(key).cloned()
    }

    /// Whether another batch may be made.
    pub fn has_room(&self) -> Result<(), TooMany> {
        if self.known().open.len() < MOST_OPEN { Ok(()) } else { Err(TooMany) }
    }

    /// Whether a batch is open.
    pub fn is_open(&self, key: &Key) -> bool {
        self.known().open.contains_key(key)
    }

    /// The open batch whose results a file holds.
    pub fn of_output(&self, upstream: &Name, file: &str) -> Option<OpenBatch> {
        let known = self.known();
        let batch = known.outputs.get(&(upstream.clone(), file.to_owned()))?;
        known.open.get(&(upstream.clone(), batch.clone())).cloned()
    }

    /// The open batch of this id.
    pub fn get(&self, key: &Key) -> Option<OpenBatch> {
        self.known().open.get(key).cloned()
    }

    /// The open batches that were made before a time.
    pub fn before(&self, at: i64) -> Vec<Key> {
        let known = self.known();
        known.open.values().filter(|batch| batch.at < at).map(|batch| batch.key.clone()).collect()
    }

    /// Takes an open batch out: whoever gets it settles it.
    pub(super) fn take(&self, key: &Key) -> Option<OpenBatch> {
        let mut known = self.known();
        let batch = known.open.remove(key)?;
        if let Some(output) = &batch.output {
            known.outputs.remove(&(key.0.clone(), output.clone()));
        }
        Some(batch)
    }

    pub(super) fn add_file(&self, file: BatchFile) {
        if file.key.1.len() <= LONGEST_ID {
            self.known().add_file(file);
        }
    }

    pub(super) fn add_open(&self, batch: OpenBatch) {
        self.known().add_open(batch);
    }

    /// Notes what the provider said of an open batch; false where that is nothing new.
    pub(super) fn learn(&self, key: &Key, output: Option<&str>, completed: Option<u64>) -> bool {
        let mut known = self.known();
        let Some(batch) = known.open.get_mut(key) else { return false };
        let output = output.filter(|output| output.len() <= LONGEST_ID);
        let new_output = output.is_some() && batch.output.as_deref() != output;
        let new_count = completed.is_some() && batch.completed != completed;
        if new_count {
            batch.completed = completed;
        }
        if let (true, Some(output)) = (new_output, output) {
            let before = batch.output.replace(output.to_owned());
            if let Some(before) = before {
                known.outputs.remove(&(key.0.clone(), before));
            }
            known.outputs.insert((key.0.clone(), output.to_owned()), key.1.clone());
        }
        new_output || new_count
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn add_file(&mut self, file: BatchFile) {
        self.uploads += 1;
        self.by_age.insert((file.at, self.uploads), file.key.clone());
        self.files.insert(file.key.clone(), file);
        while self.by_age.len() > MOST_FILES {
            let Some((_, oldest)) = self.by_age.pop_first() else { break };
            self.files.remove(&oldest);
        }
    }

    fn add_open(&mut self, batch: OpenBatch) {
        if let Some(output) = &batch.output {
            let output = (batch.key.0.clone(), output.clone());
            self.outputs.insert(output, batch.key.1.clone());
        }
        self.open.insert(batch.key.clone(), batch);
    }
}

/// Whether an id is one that is remembered.
pub fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= LONGEST_ID
}

fn file(row: &Row<'_>) -> rusqlite::Result<Option<BatchFile>> {
    let shares: String = row.get(4)?;
    let (Ok(upstream), Ok(shares)) =
        (row.get::<_, String>(0)?.parse(), serde_json::from_str(&shares))
    else {
        return Ok(None);
    };
    Ok(Some(BatchFile {
        key: (upstream, row.get(1)?),
        at: row.get(2)?,
        of: row.get(3)?,
        shares,
        why: row.get(5)?,
    }))
}

/// One row: a batch with the holds of one of its models.
fn open(row: &Row<'_>) -> rusqlite::Result<Option<OpenBatch>> {
    let Ok(upstream) = row.get::<_, String>(0)?.parse::<Name>() else { return Ok(None) };
    let name = |place| {
        let name: Option<String> = row.get(place)?;
        Ok::<_, rusqlite::Error>(name.and_then(|name| name.parse().ok()))
    };
    let dialect: Option<String> = row.get(11)?;
    let record = CallRecord {
        agent: name(8)?,
        project: name(9)?,
        model: row.get(10)?,
        upstream: Some(upstream.clone()),
        dialect: [Dialect::OpenAi, Dialect::Anthropic]
            .into_iter()
            .find(|known| Some(known.name()) == dialect.as_deref()),
        endpoint: match row.get::<_, String>(12)?.as_str() {
            "messages/batches" => "messages/batches",
            _ => "batches",
        },
        reserved: NanoUsd(row.get(13)?),
        run: name(14)?,
        depth: row.get(15)?,
        token: name(16)?,
        ..CallRecord::new(CallId(row.get(7)?))
    };
    Ok(Some(OpenBatch {
        key: (upstream, row.get(1)?),
        at: row.get(2)?,
        of: row.get(3)?,
        holds: vec![BatchHold { record, requests: row.get::<_, i64>(6)?.unsigned_abs() }],
        output: row.get(4)?,
        completed: row.get::<_, Option<i64>>(5)?.map(i64::unsigned_abs),
    }))
}
