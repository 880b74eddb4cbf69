//! Files of older versions: they open, keep what is in them, and are then like new ones.

use std::path::Path;

use iron_policy::types::CallId;
use rusqlite::Connection;

use super::{open, reader, record};
use crate::state::{CallRecord, Filter, Store, schema};
use crate::stops::Whom;

/// The tables of version 1, as it made them.
const VERSION_1: &str = "
CREATE TABLE account (
    id        INTEGER PRIMARY KEY,
    scope     TEXT NOT NULL,
    window    TEXT NOT NULL,
    start     INTEGER NOT NULL,
    resets_at INTEGER,
    limit_nano INTEGER NOT NULL,
    pending   INTEGER NOT NULL DEFAULT 0 CHECK (pending >= 0),
    posted    INTEGER NOT NULL DEFAULT 0 CHECK (posted >= 0),
    overrun   INTEGER NOT NULL DEFAULT 0,
    UNIQUE (scope, window, start)
) STRICT;
CREATE TABLE reservation (
    id       INTEGER PRIMARY KEY,
    amount   INTEGER NOT NULL,
    accounts TEXT NOT NULL,
    agent    TEXT,
    project  TEXT,
    model    TEXT NOT NULL,
    upstream TEXT,
    dialect  TEXT,
    endpoint TEXT NOT NULL,
    stream   INTEGER NOT NULL
) STRICT;
CREATE TABLE call (
    id            INTEGER PRIMARY KEY,
    agent         TEXT,
    project       TEXT,
    model         TEXT NOT NULL,
    upstream      TEXT,
    dialect       TEXT,
    endpoint      TEXT NOT NULL,
    stream        INTEGER NOT NULL,
    status        INTEGER NOT NULL,
    outcome       TEXT NOT NULL,
    reason        TEXT NOT NULL,
    reserved      INTEGER NOT NULL,
    posted        INTEGER NOT NULL,
    estimated     INTEGER NOT NULL,
    accounts      TEXT NOT NULL,
    input_tokens  INTEGER,
    output_tokens INTEGER,
    usage         TEXT,
    cost          TEXT,
    findings      TEXT,
    timeline      TEXT
) STRICT;
CREATE TABLE correction (
    call   INTEGER PRIMARY KEY REFERENCES call (id),
    posted INTEGER NOT NULL,
    reason TEXT NOT NULL,
    at     INTEGER NOT NULL,
    folded INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE checkpoint (
    account INTEGER PRIMARY KEY,
    call    INTEGER NOT NULL,
    posted  INTEGER NOT NULL
) STRICT;
";

/// A file of version 1 with a call that ended and one that was open when it was killed.
fn version_1(path: &Path) {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(VERSION_1).unwrap();
    connection
        .execute_batch(
            "INSERT INTO account (id, scope, window, start, limit_nano, pending, posted)
               VALUES (1, 'organisation', 'total', 0, 1000, 20, 7);
             INSERT INTO call (id, agent, model, endpoint, stream, status, outcome, reason,
                 reserved, posted, estimated, accounts)
               VALUES (1, 'a', 'm', 'chat', 0, 200, 'ok', '', 9, 7, 0, '[1]');
             INSERT INTO reservation (id, amount, accounts, agent, model, endpoint, stream)
               VALUES (2, 20, '[1]', 'a', 'm', 'chat', 0);",
        )
        .unwrap();
    connection.pragma_update(None, "application_id", schema::APPLICATION_ID).unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
}

/// Every column and index of a file, in its order.
fn shape(path: &Path) -> Vec<String> {
    let connection = reader(path);
    let mut statement = connection
        .prepare(
            "SELECT m.type || ' ' || m.name || ' ' || COALESCE(c.cid || ' ' || c.name || ' ' || c.type, '')
             FROM sqlite_schema m LEFT JOIN pragma_table_info(m.name) c
             ORDER BY m.name, c.cid",
        )
        .unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn a_file_of_version_1_opens_and_is_then_like_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old.db"), folder.path().join("new.db"));
    version_1(&old);
    let (ledger, recovery) = open(&old);
    assert_eq!((recovery.recovered, recovery.repaired), (1, 0));
    assert_eq!(recovery.last, CallId(2));
    ledger.close().await;
    open(&new).0.close().await;
    assert_eq!(shape(&old), shape(&new));
    let calls = Store::open(&old).unwrap().latest(10, &Filter::default()).unwrap();
    let posted: Vec<_> = calls.iter().map(|call| (call.posted.0, call.run.clone())).collect();
    assert_eq!(posted, [(7, None), (20, None)]);
}

#[tokio::test]
async fn who_reads_a_file_of_version_1_brings_it_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    version_1(&path);
    let store = Store::open(&path).unwrap();
    assert_eq!(store.totals().unwrap().posted.0, 7);
    assert_eq!(store.accounts().unwrap()[0].pending.0, 20, "only a proxy ends what is open");
    // Never under a proxy that runs: it would be an older one, which knows nothing of the columns.
    let other = folder.path().join("held.db");
    version_1(&other);
    let lock = std::fs::File::create(folder.path().join("held.db.lock")).unwrap();
    lock.lock().unwrap();
    assert!(Store::open(&other).is_err());
}

#[tokio::test]
async fn a_file_of_version_1_takes_a_stop_and_a_later_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    version_1(&path);
    let whom = Whom::Agent("a".parse().unwrap());
    assert!(Store::stop(&path, &whom, 5).unwrap());
    assert!(!Store::stop(&path, &whom, 6).unwrap(), "it was stopped before");
    assert!(Store::stop(&path, &Whom::All, 7).unwrap());
    let (ledger, _) = open(&path);
    let retried = CallRecord {
        attempt: 2,
        first_attempt: Some(CallId(2)),
        token: Some("tok_1".parse().unwrap()),
        ..record(3)
    };
    ledger.record(retried);
    ledger.close().await;
    let store = Store::open(&path).unwrap();
    assert_eq!(store.stopped().unwrap(), [(Whom::All, 7), (whom.clone(), 5)]);
    let calls = store.calls(None, 10).unwrap();
    let attempts: Vec<_> = calls.iter().map(|call| (call.attempt, call.first_attempt)).collect();
    assert_eq!(attempts, [(1, None), (1, None), (2, Some(CallId(2)))]);
    let tokens: Vec<_> = calls.iter().map(|call| call.token.as_deref()).collect();
    assert_eq!(tokens, [None, None, Some("tok_1")]);
    assert!(Store::lift(&path, &whom).unwrap() && !Store::lift(&path, &whom).unwrap());
}
