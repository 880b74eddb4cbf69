//! Many calls at once: exactly as many as the money covers, each in all its accounts or in none.

use iron_policy::types::NanoUsd;
use tokio::task::JoinSet;

use super::{End, balance, budget, end, hold, number, open};
use crate::state::ReserveError;

const CALLS: i64 = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_budget_for_so_many_calls_admits_exactly_so_many() {
    const COVERED: i64 = 137;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    let mut calls = JoinSet::new();
    for id in 1..=CALLS {
        let ledger = ledger.clone();
        calls.spawn(async move {
            let asked = hold(id, 10, vec![budget("organisation", COVERED * 10 + 9)]);
            ledger.reserve(asked).await.is_ok()
        });
    }
    let admitted = calls.join_all().await.into_iter().filter(|admitted| *admitted).count();
    assert_eq!(admitted as i64, COVERED);
    assert_eq!(balance(&path, "organisation"), (COVERED * 10, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_end_make_room_and_the_money_never_exceeds_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    let mut calls = JoinSet::new();
    for id in 1..=CALLS {
        let ledger = ledger.clone();
        calls.spawn(async move {
            let accounts = vec![budget("agent:a", 1_000), budget("organisation", 2_000)];
            let admitted = ledger.reserve(hold(id, 30, accounts)).await.is_ok();
            if admitted {
                ledger.settle(end(id, 30, End::Post(NanoUsd(4))));
                // It came twice: the second one is nothing.
                ledger.settle(end(id, 30, End::PostWhole));
            }
            i64::from(admitted)
        });
    }
    let admitted: i64 = calls.join_all().await.into_iter().sum();
    ledger.flush().await;
    assert!(admitted > 0);
    assert_eq!(balance(&path, "agent:a"), (0, admitted * 4));
    assert_eq!(balance(&path, "organisation"), (0, admitted * 4));
    assert_eq!(number(&path, "SELECT COUNT(*) FROM call"), admitted);
}

#[tokio::test]
async fn what_one_account_refuses_no_account_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    let accounts = || vec![budget("agent:a", 1_000), budget("organisation", 99)];
    let refused = ledger.reserve(hold(1, 100, accounts())).await;
    let Err(ReserveError::Exhausted(why)) = refused else { panic!("{refused:?}") };
    assert_eq!((why.scope.as_str(), why.left), ("organisation", NanoUsd(99)));
    assert_eq!(balance(&path, "agent:a"), (0, 0));
    assert_eq!(balance(&path, "organisation"), (0, 0));
    assert!(ledger.reserve(hold(2, 99, accounts())).await.is_ok(), "no false refusal");
}

#[tokio::test]
async fn two_budgets_of_one_account_hold_once_under_both_limits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    // As `agent:*` and `agent:a` do for the agent a.
    let accounts = || vec![budget("agent:a", 150), budget("agent:a", 100)];
    assert!(ledger.reserve(hold(1, 100, accounts())).await.is_ok());
    assert_eq!(balance(&path, "agent:a"), (100, 0));
    let refused = ledger.reserve(hold(2, 1, accounts())).await;
    let Err(ReserveError::Exhausted(why)) = refused else { panic!("{refused:?}") };
    assert_eq!((why.limit, why.left), (NanoUsd(100), NanoUsd(0)));
    ledger.settle(end(1, 100, End::Post(NanoUsd(60))));
    ledger.flush().await;
    assert_eq!(balance(&path, "agent:a"), (0, 60));
}

#[tokio::test]
async fn a_caller_that_leaves_while_it_reserves_undoes_it_by_a_void() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    for id in 1..=50 {
        let reserving = ledger.reserve(hold(id, 10, vec![budget("agent:a", 10_000)]));
        let left = tokio::select! {
            biased;
            _ = reserving => false,
            () = std::future::ready(()) => true,
        };
        assert!(left, "the first poll cannot have the answer");
        ledger.settle(end(id, 10, End::Void));
    }
    ledger.flush().await;
    assert_eq!(balance(&path, "agent:a"), (0, 0));
    assert_eq!(number(&path, "SELECT COUNT(*) FROM reservation"), 0);
    assert_eq!(number(&path, "SELECT COUNT(*) FROM call"), 50);
}
