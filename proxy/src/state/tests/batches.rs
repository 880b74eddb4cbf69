//! Reservations that wait for a batch's results: over restarts and kills, ended once, charged whole
//! when nobody asks for the results, and still in the balances that a start compares.

use iron_policy::types::{CallId, NanoUsd, Outcome};
use rusqlite::Connection;

use super::{balance, batch, budget, copy_as_killed, end, hold, key, number, open, tamper};
use crate::state::{BatchFile, End, Ledger, Share, Store, schema};

async fn waiting(ledger: &Ledger, id: i64, amount: i64) {
    ledger.reserve(hold(id, amount, vec![budget("agent:a", 10_000)])).await.unwrap();
    ledger.bind(batch(id, amount)).await.unwrap();
}

async fn ended(ledger: &Ledger, id: i64, how: End) {
    ledger.end_batch(&key(id), |record| {
        record.outcome = Outcome::Ok;
        how
    });
    ledger.flush().await;
}

#[tokio::test]
async fn a_batch_stays_held_over_kills_and_is_charged_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    waiting(&ledger, 1, 700).await;
    // A call beside it is charged whole by the kill; the batch is not.
    ledger.reserve(hold(2, 50, vec![budget("agent:a", 10_000)])).await.unwrap();
    let copy = copy_as_killed(&path, folder.path().join("copy.db"));
    let (ledger, recovery) = open(&copy);
    assert_eq!((recovery.recovered, recovery.repaired, recovery.last), (1, 0, CallId(2)));
    assert_eq!(balance(&copy, "agent:a"), (700, 50));
    let rows = Store::open(&copy).unwrap().batches().unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (rows[0].batch.as_str(), rows[0].reserved, rows[0].requests),
        ("batch_1", NanoUsd(700), 2)
    );
    // A start has added up to call 2 meanwhile: the older call must not be forgotten.
    ended(&ledger, 1, End::Post(NanoUsd(120))).await;
    ended(&ledger, 1, End::Post(NanoUsd(600))).await;
    assert_eq!(balance(&copy, "agent:a"), (0, 170));
    ledger.close().await;
    for _ in 0..2 {
        let (ledger, recovery) = open(&copy);
        assert_eq!((recovery.recovered, recovery.repaired), (0, 0));
        assert_eq!(balance(&copy, "agent:a"), (0, 170));
        assert!(Store::open(&copy).unwrap().batches().unwrap().is_empty());
        ended(&ledger, 1, End::Post(NanoUsd(600))).await;
        ledger.close().await;
    }
}

#[tokio::test]
async fn ids_go_on_after_the_newest_batch() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    waiting(&ledger, 9, 700).await;
    ledger.close().await;
    let (ledger, recovery) = open(&path);
    assert_eq!((recovery.recovered, recovery.last), (0, CallId(9)));
    ended(&ledger, 9, End::Void).await;
    assert_eq!(balance(&path, "agent:a"), (0, 0));
}

#[tokio::test]
async fn what_is_learned_of_a_batch_is_known_after_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    waiting(&ledger, 1, 700).await;
    ledger.learn(&key(1), Some("file-out"), Some(2));
    ledger.learn(&key(7), Some("file-x"), Some(2));
    let file = BatchFile {
        key: ("up".parse().unwrap(), "file-in".to_owned()),
        at: 5,
        of: "embeddings".to_owned(),
        shares: vec![Share { model: "m".to_owned(), requests: 3, bound: NanoUsd(77) }],
        why: None,
    };
    ledger.remember(file.clone());
    ledger.flush().await;
    let copy = copy_as_killed(&path, folder.path().join("copy.db"));
    let (ledger, _) = open(&copy);
    let upstream = "up".parse().unwrap();
    let found = ledger.batches().of_output(&upstream, "file-out").unwrap();
    assert_eq!((found.key, found.completed), (key(1), Some(2)));
    assert!(ledger.batches().of_output(&upstream, "file-x").is_none());
    assert_eq!(ledger.batches().file(&file.key), Some(file));
    assert_eq!(ledger.batches().before(2), [key(1)]);
    assert!(ledger.batches().before(1).is_empty());
}

#[tokio::test]
async fn an_unclaimed_batch_can_be_corrected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    waiting(&ledger, 1, 700).await;
    ledger.close().await;
    let (ledger, _) = open(&path);
    ended(&ledger, 1, End::PostWhole).await;
    assert_eq!(balance(&path, "agent:a"), (0, 700));
    Store::correct(&path, CallId(1), NanoUsd(90), "bill", 0).unwrap();
    assert_eq!(balance(&path, "agent:a"), (0, 90));
    ledger.close().await;
    let (_ledger, recovery) = open(&path);
    assert_eq!(recovery.repaired, 0);
    assert_eq!(balance(&path, "agent:a"), (0, 90));
}

#[tokio::test]
async fn a_file_from_before_batches_is_brought_along() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    ledger.reserve(hold(1, 100, vec![budget("agent:a", 10_000)])).await.unwrap();
    ledger.settle(end(1, 100, End::Post(NanoUsd(30))));
    ledger.close().await;
    tamper(
        &path,
        "DROP TRIGGER call_to_panel; DROP TRIGGER correction_to_panel;
         DROP TRIGGER denial_to_panel; DROP TABLE denial;
         DROP TABLE lease; DROP TABLE reporting; DROP TABLE outbox;
         DROP TABLE batch; DROP TABLE batch_file; DROP TABLE stopped;
         ALTER TABLE call DROP COLUMN attempt; ALTER TABLE call DROP COLUMN first_attempt;
         ALTER TABLE reservation DROP COLUMN attempt;
         ALTER TABLE reservation DROP COLUMN first_attempt;
         ALTER TABLE call DROP COLUMN token; ALTER TABLE reservation DROP COLUMN token;
         PRAGMA user_version = 2",
    );
    assert!(Store::open(&path).unwrap().batches().unwrap().is_empty());
    let (ledger, recovery) = open(&path);
    assert_eq!((recovery.recovered, recovery.repaired), (0, 0));
    waiting(&ledger, 2, 700).await;
    assert_eq!(balance(&path, "agent:a"), (700, 30));
    assert_eq!(number(&path, "PRAGMA user_version"), schema::VERSION);
}

#[tokio::test]
async fn a_batch_whose_maker_left_is_charged_like_any_call() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    waiting(&ledger, 1, 700).await;
    ledger.settle(end(1, 700, End::PostWhole));
    ledger.close().await;
    let (_ledger, recovery) = open(&path);
    assert_eq!((recovery.recovered, recovery.repaired), (0, 0));
    assert_eq!(balance(&path, "agent:a"), (0, 700));
    let rows: i64 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT COUNT(*) FROM batch", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 0);
}
