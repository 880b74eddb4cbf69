//! A file that cannot be written for a while, or at all: nothing is reserved, nothing is lost.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;
use iron_policy::types::NanoUsd;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{End, Ledger, Options, balance, budget, end, hold, number, open, record};
use crate::state::ReserveError;
use crate::state::checkpoint::Checkpoints;
use crate::state::open::open as open_file;
use crate::state::writer::{Command, Writer};

/// Keeps every other writer out until it is told not to.
fn lock(path: &Path) -> Connection {
    let other = Connection::open(path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    other
}

/// Waits for the ledger to notice by itself.
async fn until_available(ledger: &Ledger) {
    let noticed = async {
        while !ledger.is_available() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), noticed).await.unwrap();
}

#[tokio::test]
async fn a_locked_file_reserves_nothing_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    let asked = |id| hold(id, 10, vec![budget("agent:a", 1_000), budget("agent:new", 1_000)]);
    for id in 1..=5 {
        ledger.reserve(asked(id)).await.unwrap();
    }
    assert!(ledger.is_available());

    let other = lock(&path);
    let began = Instant::now();
    assert!(matches!(ledger.reserve(asked(6)).await, Err(ReserveError::Unavailable(_))));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(!ledger.is_available());
    for id in 1..=4 {
        ledger.settle(end(id, 10, End::Post(NanoUsd(id))));
    }
    ledger.settle(end(6, 10, End::Void));
    ledger.record(record(7));
    // A new account in the same transaction as what is kept: its row id dies with it.
    let unknown = hold(8, 10, vec![budget("agent:b", 1_000)]);
    assert!(matches!(ledger.reserve(unknown).await, Err(ReserveError::Unavailable(_))));
    assert_eq!(balance(&path, "agent:a"), (50, 0));

    other.execute_batch("COMMIT").unwrap();
    ledger.flush().await;
    assert!(ledger.is_available());
    assert_eq!(balance(&path, "agent:a"), (10, 10));
    assert_eq!(number(&path, "SELECT COUNT(*) FROM call"), 6);
    assert_eq!(number(&path, "SELECT SUM(id) FROM reservation"), 5);
    ledger.reserve(hold(9, 10, vec![budget("agent:b", 10)])).await.unwrap();
    assert_eq!(balance(&path, "agent:b"), (10, 0));
}

#[tokio::test]
async fn the_end_of_an_outage_is_noticed_although_nobody_calls() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    let other = lock(&path);
    let asked = hold(1, 10, vec![budget("agent:a", 1_000)]);
    assert!(matches!(ledger.reserve(asked).await, Err(ReserveError::Unavailable(_))));
    assert!(!ledger.is_available());
    other.execute_batch("COMMIT").unwrap();
    until_available(&ledger).await;
    ledger.close().await;
    assert!(!ledger.is_available());
}

#[tokio::test]
async fn a_flush_during_an_outage_does_not_end_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    let other = lock(&path);
    let asked = hold(1, 10, vec![budget("agent:a", 1_000)]);
    assert!(ledger.reserve(asked).await.is_err());
    let waited = tokio::time::timeout(Duration::from_millis(600), ledger.flush()).await;
    assert!(waited.is_err() && !ledger.is_available());
    drop(other);
    ledger.flush().await;
    assert!(ledger.is_available());
}

#[tokio::test]
async fn what_cannot_be_written_before_the_end_is_charged_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    ledger.reserve(hold(1, 10, vec![budget("agent:a", 1_000)])).await.unwrap();
    let other = lock(&path);
    ledger.settle(end(1, 10, End::Post(NanoUsd(1))));
    tokio::time::timeout(Duration::from_secs(20), ledger.close()).await.unwrap();
    let late = ledger.reserve(hold(2, 10, vec![budget("agent:a", 1_000)])).await;
    assert!(matches!(late, Err(ReserveError::Unavailable(_))));
    drop(other);
    let (_ledger, recovery) = open(&path);
    assert_eq!(recovery.recovered, 1);
    assert_eq!(balance(&path, "agent:a"), (0, 10));
}

#[tokio::test]
async fn a_full_disk_admits_nothing_that_is_not_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (opened, _) = open_file(&path, Options::default()).unwrap();
    let pages: i64 =
        opened.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let set = |_: &rusqlite::Row<'_>| Ok(());
    opened.connection.pragma_update_and_check(None, "max_page_count", pages + 2, set).unwrap();
    let (commands, queue) = unbounded();
    let writer = Writer::new(opened, Checkpoints::start(&path).unwrap(), queue, Arc::default());
    let thread = std::thread::spawn(move || writer.run());

    let mut admitted = 0;
    let refused = loop {
        let (answer, committed) = oneshot::channel();
        let hold = Arc::new(hold(admitted + 1, 10, vec![budget("agent:a", i64::MAX)]));
        commands.send(Command::Reserve { hold, boot_ms: 0, answer }).unwrap();
        match committed.await.unwrap() {
            Ok(_) => admitted += 1,
            Err(error) => break error,
        }
        assert!(admitted < 100_000);
    };
    assert!(matches!(&refused, ReserveError::Unavailable(why) if why.contains("full")));
    assert_eq!(balance(&path, "agent:a"), (admitted * 10, 0));
    commands.send(Command::Close).unwrap();
    thread.join().unwrap();
    let (_ledger, recovery) = open(&path);
    assert_eq!((recovery.recovered as i64, recovery.repaired), (admitted, 0));
}
