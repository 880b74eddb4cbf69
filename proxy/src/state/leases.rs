//! Leases: slices of a panel's budgets, each an account of this ledger.
//!
//! Calls reserve in them by the same statement and in the same transaction as in the budgets of the
//! configuration. What changes them otherwise — grants, reports, what the panel says of a report —
//! goes through the one writer as an [`Order`]. When to ask, what to give back and what to do
//! without the panel is decided in `crate::lease`.

use std::path::Path;

use iron_policy::budget::Window;
use iron_policy::control::{Grant, LeaseId, Report, Standing};
use iron_policy::types::NanoUsd;
use rusqlite::Row;

use super::{Ledger, ReserveError, Store, StoreError};

/// One of the panel's accounts: a budget, whose calls, and which window.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseKey {
    /// The budget's id.
    pub budget: String,
    /// The scope with its real name: `agent:nightly`, also for a budget of `agent:*`.
    pub account: String,
    /// When the window began, in Unix milliseconds; 0 for [`Window::Total`].
    pub start: i64,
}

/// One of the panel's budgets that a call must hold money in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseHold {
    /// The account.
    pub key: LeaseKey,
    /// The kind of window.
    pub window: Window,
    /// When it begins anew, in Unix milliseconds.
    pub resets_at: Option<i64>,
    /// The budget's limit, for all proxies together.
    pub limit: NanoUsd,
    /// Whether calls are shortened rather than refused.
    pub clamp: bool,
}

/// A lease that has no room for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Short {
    /// What the call must hold it in.
    pub hold: LeaseHold,
    /// The lease; none where the proxy holds none there.
    pub lease: Option<LeaseId>,
    /// What the call needs.
    pub amount: NanoUsd,
    /// What is neither spent nor held; negative after an overrun, nothing where it must not be spent.
    pub room: NanoUsd,
    /// Why it has no room.
    pub state: Room,
}

/// How a lease stands to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// There is none that may be spent.
    Absent,
    /// Too little is left of it.
    Little,
    /// It would suffice, and has to be confirmed by the panel first.
    Expired,
    /// The panel does not have the last report of the one before; until then it begins no other.
    Ending,
}

/// What was held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// Leases of which little is left now.
    pub low: Vec<Low>,
}

/// A lease of which little is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Low {
    /// The account.
    pub hold: LeaseHold,
    /// The lease.
    pub lease: LeaseId,
}

/// What a grant is kept with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// What the panel said.
    pub grant: Grant,
    /// When its window ends, in Unix milliseconds.
    pub resets_at: Option<i64>,
    /// Until when it may be spent, in milliseconds of `CLOCK_BOOTTIME`.
    pub expires: i64,
    /// Of which boot.
    pub boot: String,
}

/// A report to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prepare {
    /// Of this lease.
    pub lease: LeaseId,
    /// Up to so much of what is neither spent nor held goes back.
    pub give_back: NanoUsd,
    /// It is the last, and everything that is left goes back, unless calls are open.
    pub last: bool,
}

/// What the panel said of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learned {
    /// Of this lease.
    pub lease: LeaseId,
    /// The newest report that the panel has.
    pub sequence: i64,
    /// What it is there.
    pub standing: Standing,
    /// Until when it may be spent, in milliseconds of `CLOCK_BOOTTIME`; 0 where it may not.
    pub expires: i64,
    /// Of which boot.
    pub boot: String,
}

/// What a lease is at this proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// It may be spent until it expires.
    Open,
    /// It must not be spent any more; it is reported until nothing is open.
    Taken,
    /// The same, after this ledger lost reports that the panel has: what is left is not known.
    Stranded,
    /// Its last report is under way.
    Closing,
    /// The panel has its last report.
    Closed,
}

/// A lease as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRow {
    /// The lease.
    pub id: LeaseId,
    /// The account at the panel.
    pub key: LeaseKey,
    /// When its window ends, in Unix milliseconds.
    pub resets_at: Option<i64>,
    /// Counts the proxy's leases of the account.
    pub epoch: i64,
    /// All that was ever granted.
    pub amount: NanoUsd,
    /// All that was given back.
    pub returned: NanoUsd,
    /// By how much the last grant raised the amount.
    pub chunk: NanoUsd,
    /// What was charged.
    pub posted: NanoUsd,
    /// What is held.
    pub pending: NanoUsd,
    /// By how much calls exceeded their bounds.
    pub overrun: NanoUsd,
    /// The budget's limit, when it was last granted.
    pub limit: NanoUsd,
    /// The last report that was made.
    pub sequence: i64,
    /// The last that the panel said it has.
    pub acknowledged: i64,
    /// Until when it may be spent, in milliseconds of `CLOCK_BOOTTIME`.
    pub expires: i64,
    /// Of which boot.
    pub boot: String,
    /// What it is.
    pub state: LeaseState,
}

/// What the writer is told to do.
#[derive(Debug)]
pub(super) enum Order {
    /// The machine runs since this boot: what expires by another's clock has expired.
    Booted(String),
    Grant(Vec<Granted>),
    Prepare(Vec<Prepare>),
    Learn(Vec<Learned>),
    /// Whether calls are told to a panel from now on.
    Tell(bool),
    /// The panel has everything up to this, but for those that it refused.
    Told {
        up_to: i64,
        refused: Vec<i64>,
    },
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Answer {
    Done,
    /// For each grant by how much it raised the lease; none where it was not taken.
    Granted(Vec<Option<NanoUsd>>),
    Reports(Vec<Report>),
}

impl LeaseState {
    /// The name in the state.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Taken => "taken",
            Self::Stranded => "stranded",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }

    /// The state of this name; one that nobody knows must not be spent.
    pub fn named(name: &str) -> Self {
        [Self::Open, Self::Stranded, Self::Closing, Self::Closed]
            .into_iter()
            .find(|state| state.name() == name)
            .unwrap_or(Self::Taken)
    }
}

impl LeaseRow {
    /// What is neither spent, held nor given back; negative after an overrun.
    pub fn room(&self) -> NanoUsd {
        let taken = self.returned.0.saturating_add(self.posted.0).saturating_add(self.pending.0);
        NanoUsd(self.amount.0.saturating_sub(taken))
    }
}

impl Ledger {
    /// Says which boot of the machine this is: leases of another one have expired.
    pub async fn booted(&self, boot: &str) -> Result<(), ReserveError> {
        self.order(Order::Booted(boot.to_owned())).await.map(drop)
    }

    /// Keeps what the panel granted; for each grant, by how much it raised the lease. One of an old
    /// epoch, or of a lease that ends, is not taken.
    pub async fn grant(&self, grants: Vec<Granted>) -> Result<Vec<Option<NanoUsd>>, ReserveError> {
        match self.order(Order::Grant(grants)).await? {
            Answer::Granted(taken) => Ok(taken),
            _ => Ok(Vec::new()),
        }
    }

    /// Numbers reports, and gives back what goes back with them. What they say is committed.
    pub async fn prepare(&self, prepare: Vec<Prepare>) -> Result<Vec<Report>, ReserveError> {
        match self.order(Order::Prepare(prepare)).await? {
            Answer::Reports(reports) => Ok(reports),
            _ => Ok(Vec::new()),
        }
    }

    /// Keeps what the panel said of reports.
    pub async fn learn_of_leases(&self, learned: Vec<Learned>) -> Result<(), ReserveError> {
        self.order(Order::Learn(learned)).await.map(drop)
    }

    /// Leases whose last report the panel does not have yet.
    pub async fn leases(&self) -> Result<Vec<LeaseRow>, StoreError> {
        let path = self.path().to_owned();
        read(move || Store::open(&path)?.leases()).await
    }
}

/// Reads the file where that holds nobody up.
pub(super) async fn read<T: Send + 'static>(
    what: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    // A task that was cancelled has read nothing: the runtime ends.
    let cancelled = |_| StoreError::Sql(rusqlite::Error::InvalidQuery);
    tokio::task::spawn_blocking(what).await.map_err(cancelled)?
}

/// What a lease's row is read from.
pub(super) const COLUMNS: &str = "l.id, l.budget, l.name, l.start, l.resets_at, l.epoch, l.amount,
    l.returned, a.posted, a.pending, a.overrun, l.limit_nano, l.sequence, l.acknowledged, l.expires,
    l.state, l.chunk, l.boot";

/// Reads [`COLUMNS`].
pub(super) fn row(row: &Row<'_>) -> rusqlite::Result<LeaseRow> {
    Ok(LeaseRow {
        id: row.get(0)?,
        key: LeaseKey { budget: row.get(1)?, account: row.get(2)?, start: row.get(3)? },
        resets_at: row.get(4)?,
        epoch: row.get(5)?,
        amount: NanoUsd(row.get(6)?),
        returned: NanoUsd(row.get(7)?),
        posted: NanoUsd(row.get(8)?),
        pending: NanoUsd(row.get(9)?),
        overrun: NanoUsd(row.get(10)?),
        limit: NanoUsd(row.get(11)?),
        sequence: row.get(12)?,
        acknowledged: row.get(13)?,
        expires: row.get(14)?,
        state: LeaseState::named(&row.get::<_, String>(15)?),
        chunk: NanoUsd(row.get(16)?),
        boot: row.get(17)?,
    })
}

impl Store {
    /// Leases whose last report the panel does not have yet.
    pub fn leases(&self) -> Result<Vec<LeaseRow>, StoreError> {
        let mut statement = self.connection().prepare(&format!(
            "SELECT {COLUMNS} FROM lease l JOIN account a ON a.id = l.account
             WHERE l.state <> 'closed' ORDER BY l.budget, l.name, l.start, l.epoch LIMIT 100000"
        ))?;
        let rows = statement.query_map([], row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The same of a file, for who has no store open.
    pub fn leases_of(path: &Path) -> Result<Vec<LeaseRow>, StoreError> {
        Self::open(path)?.leases()
    }
}
