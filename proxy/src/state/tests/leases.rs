//! Leases in the ledger: what is held in them, what of them goes back, which messages change nothing,
//! and what a kill leaves. And the outbox, which misses no way into the journal.

use std::path::Path;
use std::sync::Arc;

use iron_policy::budget::Window;
use iron_policy::control::{Grant, Standing};
use iron_policy::types::{CallId, NanoUsd};

use super::{balances, budget, copy_as_killed, end, hold, open, record};
use crate::state::{
    End, Granted, Held, Hold, Learned, LeaseHold, LeaseKey, LeaseRow, LeaseState, Ledger, Prepare,
    ReserveError, Room, Short, Store, Told,
};

const NOW: i64 = 1_000;

fn key() -> LeaseKey {
    LeaseKey { budget: "bud_1".to_owned(), account: "agent:a".to_owned(), start: 0 }
}

fn leased(id: i64, amount: i64) -> Hold {
    let lease = LeaseHold {
        key: key(),
        window: Window::Total,
        resets_at: None,
        limit: NanoUsd(1_000),
        clamp: false,
    };
    Hold { leases: vec![lease], ..hold(id, amount, Vec::new()) }
}

fn granted(lease: &str, epoch: i64, amount: i64, expires: i64) -> Granted {
    let LeaseKey { budget, account, start } = key();
    let (amount, limit) = (NanoUsd(amount), NanoUsd(1_000));
    let grant = Grant {
        lease: lease.to_owned(),
        budget,
        account,
        start,
        epoch,
        amount,
        limit,
        expires_in_ms: 0,
    };
    Granted { grant, resets_at: None, expires, boot: "b".to_owned() }
}

async fn reserve(ledger: &Ledger, hold: Hold) -> Result<Held, ReserveError> {
    ledger.reserve_at(Arc::new(hold), NOW).await
}

async fn short(ledger: &Ledger, id: i64, amount: i64) -> Short {
    match reserve(ledger, leased(id, amount)).await {
        Err(ReserveError::Short(mut short)) => short.remove(0),
        other => panic!("{other:?}"),
    }
}

async fn grant(ledger: &Ledger, granted: Granted) -> Option<i64> {
    ledger.grant(vec![granted]).await.unwrap()[0].map(|more| more.0)
}

fn row(path: &Path) -> LeaseRow {
    let mut rows = Store::open(path).unwrap().leases().unwrap();
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0)
}

fn prepare(give_back: i64, last: bool) -> Vec<Prepare> {
    vec![Prepare { lease: "lse_1".to_owned(), give_back: NanoUsd(give_back), last }]
}

fn learned(sequence: i64, standing: Standing) -> Vec<Learned> {
    let (lease, boot) = ("lse_1".to_owned(), "b".to_owned());
    vec![Learned { lease, sequence, standing, expires: NOW + 500, boot }]
}

#[tokio::test]
async fn a_lease_is_spent_like_a_budget_and_never_beyond_what_was_granted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    assert_eq!(short(&ledger, 1, 10).await.state, Room::Absent);
    assert_eq!(grant(&ledger, granted("lse_1", 1, 100, NOW + 1)).await, Some(100));
    assert_eq!(reserve(&ledger, leased(2, 60)).await.unwrap(), Held::default());
    let little = short(&ledger, 3, 50).await;
    assert_eq!(
        (little.state, little.room, little.amount),
        (Room::Little, NanoUsd(40), NanoUsd(50))
    );
    assert_eq!(little.lease.as_deref(), Some("lse_1"));
    // Less than a quarter of what was granted is left: more is asked for ahead of need.
    let held = reserve(&ledger, leased(4, 20)).await.unwrap();
    assert_eq!(held.low.len(), 1);
    // A second budget that refuses leaves nothing held in the first.
    let both = Hold { accounts: vec![budget("agent:a", 5)], ..leased(5, 10) };
    assert!(matches!(reserve(&ledger, both).await, Err(ReserveError::Exhausted(_))));
    let both = Hold { accounts: vec![budget("agent:a", 500)], ..leased(6, 30) };
    assert!(matches!(reserve(&ledger, both).await, Err(ReserveError::Short(_))));
    ledger.settle(end(2, 60, End::Post(NanoUsd(61))));
    ledger.flush().await;
    let row = row(&path);
    assert_eq!((row.posted.0, row.pending.0, row.overrun.0, row.room().0), (61, 20, 1, 19));
    assert!(
        Store::open(&path).unwrap().accounts().unwrap().iter().all(|row| row.scope == "agent:a")
    );
    for balance in balances(&path) {
        assert_eq!((balance.pending, balance.posted), (balance.pending_fold, balance.posted_fold));
    }
}

#[tokio::test]
async fn what_has_expired_is_spent_again_only_after_the_panel_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    grant(&ledger, granted("lse_1", 1, 100, NOW)).await;
    assert_eq!(short(&ledger, 1, 10).await.state, Room::Expired);
    let reports = ledger.prepare(prepare(0, false)).await.unwrap();
    assert_eq!(reports[0].sequence, 1);
    ledger.learn_of_leases(learned(1, Standing::Open)).await.unwrap();
    reserve(&ledger, leased(2, 10)).await.unwrap();
    // The same boot goes on spending it; to another one it has expired.
    ledger.booted("b").await.unwrap();
    reserve(&ledger, leased(3, 10)).await.unwrap();
    ledger.booted("another").await.unwrap();
    assert_eq!(short(&ledger, 4, 10).await.state, Room::Expired);
    // Who has no clock spends no lease.
    assert!(ledger.reserve(leased(5, 10)).await.is_err());
}

#[tokio::test]
async fn what_goes_back_is_gone_and_the_last_report_ends_a_lease() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    grant(&ledger, granted("lse_1", 1, 100, NOW + 1)).await;
    reserve(&ledger, leased(1, 30)).await.unwrap();
    let report = &ledger.prepare(prepare(1_000, true)).await.unwrap()[0];
    assert!(!report.last, "a call is open");
    assert_eq!((report.pending.0, report.returned.0), (30, 70));
    assert_eq!(short(&ledger, 2, 1).await.room, NanoUsd::ZERO);
    ledger.settle(end(1, 30, End::Post(NanoUsd(12))));
    let report = &ledger.prepare(prepare(0, true)).await.unwrap()[0];
    assert!(report.last);
    assert_eq!((report.sequence, report.spent.0, report.returned.0), (2, 12, 88));
    // Until the panel has it nothing is granted on it: that would be taken for returned as well.
    assert_eq!(short(&ledger, 3, 1).await.state, Room::Ending);
    assert_eq!(grant(&ledger, granted("lse_1", 1, 150, NOW + 1)).await, None);
    ledger.learn_of_leases(learned(1, Standing::Closed)).await.unwrap();
    assert_eq!(row(&path).state, LeaseState::Closing, "an older report was answered");
    ledger.learn_of_leases(learned(2, Standing::Closed)).await.unwrap();
    assert!(Store::open(&path).unwrap().leases().unwrap().is_empty());
    assert_eq!(short(&ledger, 4, 1).await.state, Room::Absent);
    // I9: nothing of an epoch that was.
    assert_eq!(grant(&ledger, granted("lse_1", 1, 100, NOW + 1)).await, None);
    assert_eq!(grant(&ledger, granted("lse_1", 2, 100, NOW + 1)).await, None);
    assert_eq!(grant(&ledger, granted("lse_2", 2, 10, NOW + 1)).await, Some(10));
    reserve(&ledger, leased(5, 10)).await.unwrap();
}

#[tokio::test]
async fn what_was_reclaimed_or_is_not_known_to_be_left_is_not_spent() {
    for (said, sequence, state) in [
        (Standing::Reclaimed, 1, LeaseState::Taken),
        (Standing::Unknown, 0, LeaseState::Taken),
        (Standing::Closed, 1, LeaseState::Taken),
        // The panel has a report that this file knows nothing of.
        (Standing::Open, 7, LeaseState::Stranded),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let (ledger, _) = open(&path);
        grant(&ledger, granted("lse_1", 1, 100, NOW + 1)).await;
        reserve(&ledger, leased(1, 10)).await.unwrap();
        ledger.prepare(prepare(0, false)).await.unwrap();
        ledger.learn_of_leases(learned(sequence, said)).await.unwrap();
        assert_eq!(row(&path).state, state, "{said:?}");
        assert_eq!(short(&ledger, 2, 1).await.state, Room::Absent, "{said:?}");
        assert_eq!(grant(&ledger, granted("lse_1", 1, 200, NOW + 1)).await, None, "{said:?}");
        // What was open is still settled, and reported with a number that the panel takes.
        ledger.settle(end(1, 10, End::PostWhole));
        let report = &ledger.prepare(prepare(0, false)).await.unwrap()[0];
        assert_eq!((report.spent.0, report.sequence), (10, sequence.max(1) + 1), "{said:?}");
    }
}

#[tokio::test]
async fn a_kill_loses_nothing_of_a_lease() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    ledger.tell_panel(true).await.unwrap();
    grant(&ledger, granted("lse_1", 1, 100, NOW + 1)).await;
    reserve(&ledger, leased(1, 30)).await.unwrap();
    reserve(&ledger, leased(2, 20)).await.unwrap();
    ledger.settle(end(2, 20, End::Post(NanoUsd(5))));
    ledger.prepare(prepare(10, false)).await.unwrap();
    let killed = copy_as_killed(&path, folder.path().join("killed.db"));
    let (ledger, recovery) = open(&killed);
    assert_eq!((recovery.recovered, recovery.repaired), (1, 0));
    let row = row(&killed);
    assert_eq!((row.posted.0, row.pending.0, row.returned.0, row.sequence), (35, 0, 10, 1));
    reserve(&ledger, leased(3, 55)).await.unwrap();
    assert_eq!(short(&ledger, 4, 1).await.room, NanoUsd::ZERO);
    // The call that the start charged is told to the panel like any other.
    let told = ids(&Store::open(&killed).unwrap());
    assert_eq!(told, [2, 1]);
}

fn ids(store: &Store) -> Vec<i64> {
    let records = store.outbox(100).unwrap().records;
    records
        .iter()
        .map(|(_, told)| match told {
            Told::Call(call) => call.id,
            Told::Extra(extra) => -extra.call.unwrap(),
            Told::Nothing => 0,
        })
        .collect()
}

#[tokio::test]
async fn the_outbox_has_calls_in_the_order_of_their_ends_and_corrections() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    ledger.record(record(1));
    ledger.tell_panel(true).await.unwrap();
    ledger.reserve(hold(2, 10, vec![budget("organisation", 100)])).await.unwrap();
    ledger.reserve(hold(3, 10, vec![budget("organisation", 100)])).await.unwrap();
    ledger.record(record(4));
    ledger.settle(end(3, 10, End::Post(NanoUsd(3))));
    ledger.settle(end(2, 10, End::PostWhole));
    ledger.settle(end(2, 10, End::PostWhole));
    ledger.flush().await;
    Store::correct(&path, CallId(2), NanoUsd(4), "the bill", 5).unwrap();
    let store = Store::open(&path).unwrap();
    assert_eq!(ids(&store), [4, 3, 2, -2]);
    let records = store.outbox(2).unwrap().records;
    assert_eq!(records.len(), 2);
    // What is appended while a batch is on its way is not in what was told.
    ledger.record(record(5));
    ledger.told(records[1].0, Vec::new()).await.unwrap();
    assert_eq!(ids(&store), [2, -2, 5]);
    let refused = store.outbox(1).unwrap().records[0].0;
    ledger.told(refused, vec![refused]).await.unwrap();
    assert_eq!(ids(&store), [-2, 5]);
    assert_eq!(store.untold().unwrap(), (3, 1));
    ledger.tell_panel(false).await.unwrap();
    ledger.record(record(6));
    ledger.flush().await;
    assert_eq!(ids(&store), [-2, 5]);
}
