//! What a start finds and sets right: calls that were open, balances that are not what the journal
//! adds up to, corrections before and after it.

use iron_policy::types::{CallId, NanoUsd, TokenClass, Usage};
use rusqlite::Connection;

use super::{
    CallRecord, End, balance, budget, copy_as_killed, end, hold, number, open, record, tamper,
};
use crate::state::{Ledger, Store, StoreError};

/// A call that was charged whole, as an estimate.
async fn estimated(ledger: &Ledger, id: i64, amount: i64) {
    ledger.reserve(hold(id, amount, vec![budget("agent:a", 10_000)])).await.unwrap();
    ledger.settle(end(id, amount, End::PostWhole));
    ledger.flush().await;
}

#[tokio::test]
async fn open_calls_are_charged_whole_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    for id in [7, 8, 9] {
        ledger.reserve(hold(id, 100 * id, vec![budget("agent:a", 10_000)])).await.unwrap();
    }
    ledger.settle(end(8, 800, End::Post(NanoUsd(3))));
    ledger.flush().await;
    let copy = copy_as_killed(&path, folder.path().join("copy.db"));
    let (_ledger, recovery) = open(&copy);
    assert_eq!((recovery.recovered, recovery.repaired, recovery.last), (2, 0, CallId(9)));
    assert_eq!(balance(&copy, "agent:a"), (0, 700 + 3 + 900));
    let told = number(
        &copy,
        "SELECT COUNT(*) FROM call WHERE outcome = 'recovered' AND estimated AND posted = reserved",
    );
    assert_eq!(told, 2);
}

#[tokio::test]
async fn a_balance_that_was_tampered_with_is_set_right() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    for (round, sql) in [
        "UPDATE account SET posted = posted + 5",
        "UPDATE account SET posted = 0",
        "UPDATE account SET pending = 17",
    ]
    .into_iter()
    .enumerate()
    {
        let (ledger, recovery) = open(&path);
        assert_eq!(recovery.repaired, u64::from(round > 0));
        estimated(&ledger, round as i64 + 1, 100).await;
        ledger.close().await;
        tamper(&path, sql);
    }
    let (_ledger, recovery) = open(&path);
    assert_eq!(recovery.repaired, 1);
    assert_eq!(balance(&path, "agent:a"), (0, 300));
}

#[tokio::test]
async fn less_held_than_calls_are_open_for_does_not_keep_the_file_shut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    ledger.reserve(hold(1, 100, vec![budget("agent:a", 10_000)])).await.unwrap();
    let copy = copy_as_killed(&path, folder.path().join("copy.db"));
    tamper(&copy, "UPDATE account SET pending = 1");
    let (_ledger, recovery) = open(&copy);
    assert_eq!(recovery.recovered, 1);
    assert_eq!(balance(&copy, "agent:a"), (0, 100));
}

#[tokio::test]
async fn a_first_start_that_was_killed_does_not_make_the_file_foreign() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    Connection::open(&path).unwrap().execute_batch("PRAGMA journal_mode = WAL; VACUUM").unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() > 0);
    let (ledger, recovery) = open(&path);
    assert_eq!(recovery.last, CallId(0));
    estimated(&ledger, 1, 5).await;
    assert_eq!(balance(&path, "agent:a"), (0, 5));
}

#[tokio::test]
async fn corrections_before_and_after_a_start_are_folded_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let correct = |id, actual| Store::correct(&path, CallId(id), NanoUsd(actual), "bill", 0);
    let (ledger, _) = open(&path);
    estimated(&ledger, 1, 100).await;
    estimated(&ledger, 2, 200).await;
    // Beside the running ledger.
    assert_eq!(correct(1, 30).unwrap(), NanoUsd(100));
    assert_eq!(balance(&path, "agent:a"), (0, 230));
    ledger.close().await;

    for _ in 0..2 {
        let (ledger, recovery) = open(&path);
        assert_eq!(recovery.repaired, 0);
        assert_eq!(balance(&path, "agent:a"), (0, 230));
        ledger.close().await;
    }
    // Of a call that a start has already compared; upwards; without a ledger.
    correct(2, 260).unwrap();
    let (ledger, recovery) = open(&path);
    assert_eq!(recovery.repaired, 0);
    assert_eq!(balance(&path, "agent:a"), (0, 290));
    estimated(&ledger, 3, 10).await;
    ledger.close().await;
    tamper(&path, "UPDATE account SET posted = 1");
    let (_ledger, recovery) = open(&path);
    assert_eq!(recovery.repaired, 1);
    assert_eq!(balance(&path, "agent:a"), (0, 300));
    let calls = Store::open(&path).unwrap().calls(None, 10).unwrap();
    let seen: Vec<_> = calls.iter().map(|call| (call.posted.0, call.estimated)).collect();
    assert_eq!(seen, [(30, false), (260, false), (10, true)]);
}

#[tokio::test]
async fn a_correction_is_once_and_of_estimates_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    estimated(&ledger, 1, 100).await;
    ledger.reserve(hold(2, 50, vec![budget("agent:a", 10_000)])).await.unwrap();
    ledger.settle(end(2, 50, End::Post(NanoUsd(50))));
    ledger.flush().await;
    let correct = |id, actual| Store::correct(&path, CallId(id), NanoUsd(actual), "bill", 0);
    correct(1, 90).unwrap();
    for (id, actual, why) in [
        (1, 80, "final"),
        (2, 80, "metered"),
        (3, 80, "no such call"),
        (1, -1, "less than nothing"),
    ] {
        match correct(id, actual) {
            Err(StoreError::Correction(said)) => assert!(said.contains(why), "{said}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(balance(&path, "agent:a"), (0, 140));
}

#[tokio::test]
async fn an_absurd_bill_is_booked_as_far_as_sums_go_and_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    let usage = Usage::default()
        .with(TokenClass::Input, u64::MAX)
        .with(TokenClass::CacheRead, u64::MAX)
        .with(TokenClass::Output, u64::MAX)
        .with(TokenClass::Reasoning, u64::MAX);
    for id in 1..=3 {
        let accounts = vec![budget("agent:a", i64::MAX), budget("organisation", i64::MAX)];
        ledger.reserve(hold(id, 1_000, accounts)).await.unwrap();
        let mut absurd = end(id, 1_000, End::Post(NanoUsd::MAX));
        absurd.record.usage = Some(usage);
        ledger.settle(absurd);
        ledger.flush().await;
        assert!(ledger.is_available());
    }
    // Half of all that can be written is held; then more than the rest is billed.
    for (id, amount) in [(4, i64::MAX / 2), (5, i64::MAX / 2 - 3_000_000_000_000_000)] {
        ledger.reserve(hold(id, amount, vec![budget("agent:a", i64::MAX)])).await.unwrap();
    }
    for id in [4, 5] {
        ledger.settle(end(id, i64::MAX / 2, End::Post(NanoUsd::MAX)));
    }
    ledger.flush().await;
    assert!(ledger.is_available());
    let refused = ledger.reserve(hold(6, i64::MAX, vec![budget("agent:a", i64::MAX)])).await;
    assert!(refused.is_err());
    balance(&path, "agent:a");
    ledger.close().await;
    let (_ledger, recovery) = open(&path);
    assert_eq!(recovery.repaired, 0);
    assert_eq!(Store::open(&path).unwrap().totals().unwrap().calls, 5);
}

#[tokio::test]
async fn what_a_record_says_of_money_is_not_what_is_booked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    ledger.reserve(hold(1, 100, vec![budget("agent:a", 1_000)])).await.unwrap();
    let mut wrong = end(1, 100, End::Void);
    wrong.record = CallRecord { posted: NanoUsd(55), estimated: true, ..wrong.record };
    ledger.settle(wrong);
    ledger.record(CallRecord { posted: NanoUsd(66), ..record(2) });
    ledger.flush().await;
    assert_eq!(balance(&path, "agent:a"), (0, 0));
    assert_eq!(number(&path, "SELECT SUM(posted + estimated) FROM call"), 0);
}
