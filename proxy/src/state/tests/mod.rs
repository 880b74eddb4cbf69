//! Tests of the ledger through what callers have, and of what is in the file through SQL of their
//! own: a small world of holds and files that the stories below share.

mod batches;
mod concurrency;
mod faults;
mod leases;
mod older;
mod property;
mod recovery;
mod refused;
mod store;

use std::path::{Path, PathBuf};

use iron_policy::budget::{self, AccountKey, Window};
use iron_policy::types::{CallId, NanoUsd, Outcome};
use rusqlite::{Connection, OpenFlags};

use super::{
    BatchHold, CallRecord, End, Hold, Key, Ledger, OpenBatch, Options, Recovery, Settlement,
};

/// A ledger over a file that must be fine.
fn open(path: &Path) -> (Ledger, Recovery) {
    Ledger::open(path, &Options::default()).unwrap()
}

fn record(id: i64) -> CallRecord {
    CallRecord { model: "m".to_owned(), endpoint: "chat", ..CallRecord::new(CallId(id)) }
}

/// A budget of a scope, without an end.
fn budget(scope: &str, limit: i64) -> budget::Hold {
    budget_from(scope, 0, limit)
}

fn budget_from(scope: &str, start: i64, limit: i64) -> budget::Hold {
    let window = if start == 0 { Window::Total } else { Window::Day };
    let account = AccountKey { scope: scope.to_owned(), window, start };
    budget::Hold { account, limit: NanoUsd(limit), resets_at: None, clamp: false }
}

fn hold(id: i64, amount: i64, accounts: Vec<budget::Hold>) -> Hold {
    Hold {
        record: CallRecord { reserved: NanoUsd(amount), ..record(id) },
        accounts,
        leases: Vec::new(),
    }
}

/// The end of a call; what the record says of money is what a caller would say.
fn end(id: i64, reserved: i64, end: End) -> Settlement {
    let posted = match end {
        End::Post(actual) => actual,
        End::PostWhole => NanoUsd(reserved),
        End::Void => NanoUsd::ZERO,
    };
    let record = CallRecord {
        reserved: NanoUsd(reserved),
        posted,
        outcome: Outcome::Ok,
        estimated: end == End::PostWhole,
        ..record(id)
    };
    Settlement { end, record }
}

/// The batch whose one hold is this call, at upstream `up`.
fn batch(id: i64, reserved: i64) -> OpenBatch {
    let upstream = Some("up".parse().unwrap());
    let record = CallRecord { reserved: NanoUsd(reserved), upstream, ..record(id) };
    OpenBatch {
        key: key(id),
        at: id,
        of: "chat/completions".to_owned(),
        holds: vec![BatchHold { record, requests: 2 }],
        output: None,
        completed: None,
    }
}

fn key(id: i64) -> Key {
    ("up".parse().unwrap(), format!("batch_{id}"))
}

/// A connection beside the ledger's own that only reads.
fn reader(path: &Path) -> Connection {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

fn number(path: &Path, sql: &str) -> i64 {
    reader(path).query_row(sql, [], |row| row.get(0)).unwrap()
}

/// What the cache of a balance says, and what the journal adds up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Balance {
    scope: String,
    start: i64,
    pending: i64,
    posted: i64,
    pending_fold: i64,
    posted_fold: i64,
}

fn balances(path: &Path) -> Vec<Balance> {
    let connection = reader(path);
    let mut statement = connection
        .prepare(
            "SELECT a.scope, a.start, a.pending, a.posted,
               COALESCE((SELECT SUM(r.amount) FROM reservation r, json_each(r.accounts) j
                 WHERE j.value = a.id), 0),
               COALESCE((SELECT SUM(COALESCE(x.posted, c.posted))
                 FROM call c LEFT JOIN correction x ON x.call = c.id, json_each(c.accounts) j
                 WHERE j.value = a.id), 0)
             FROM account a ORDER BY a.scope, a.start",
        )
        .unwrap();
    let rows = statement.query_map([], |row| {
        Ok(Balance {
            scope: row.get(0)?,
            start: row.get(1)?,
            pending: row.get(2)?,
            posted: row.get(3)?,
            pending_fold: row.get(4)?,
            posted_fold: row.get(5)?,
        })
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

/// (pending, posted) of one account, which the journal must agree with.
fn balance(path: &Path, scope: &str) -> (i64, i64) {
    let found = balances(path).into_iter().find(|balance| balance.scope == scope);
    let found = found.unwrap_or_default();
    assert_eq!((found.pending, found.posted), (found.pending_fold, found.posted_fold), "{scope}");
    (found.pending, found.posted)
}

/// What a kill leaves: the file and its log, as they are at this moment.
fn copy_as_killed(from: &Path, to: PathBuf) -> PathBuf {
    std::fs::copy(from, &to).unwrap();
    if log(from).exists() {
        std::fs::copy(log(from), log(&to)).unwrap();
    }
    to
}

fn log(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// Changes a file in ways that the ledger never would.
fn tamper(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}
