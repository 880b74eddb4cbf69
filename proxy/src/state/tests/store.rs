//! Reading for people: sums by day where clocks change, filters, order, groups.

use iron_policy::types::{CallId, Name, NanoUsd, TokenClass, Usage};
use jiff::civil::date;
use jiff::tz::TimeZone;

use super::{CallRecord, End, Ledger, budget, end, hold, open};
use crate::state::{Filter, GroupBy, Store, Totals};

const HOUR_MS: i64 = 3_600_000;

/// A call that is charged, and its tokens.
async fn charged(ledger: &Ledger, at_ms: i64, agent: &str, model: &str, amount: i64) {
    let id = CallId::first_at(at_ms).0;
    ledger.reserve(hold(id, amount, vec![budget("organisation", i64::MAX)])).await.unwrap();
    let mut call = end(id, amount, End::Post(NanoUsd(amount)));
    call.record = CallRecord {
        agent: Some(agent.parse::<Name>().unwrap()),
        model: model.to_owned(),
        usage: Some(Usage::default().with(TokenClass::CacheRead, 2).with(TokenClass::Reasoning, 3)),
        ..call.record
    };
    ledger.settle(call);
}

#[tokio::test]
async fn days_have_as_many_hours_as_the_clocks_say_and_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let midnight = |day: jiff::civil::Date| {
        day.at(0, 0, 0, 0).to_zoned_datetime(berlin.clone()).unwrap().timestamp().as_millisecond()
    };
    let mut spent = 0;
    for (from, to) in
        [(date(2026, 3, 28), date(2026, 3, 31)), (date(2026, 10, 24), date(2026, 10, 27))]
    {
        let hours = (midnight(from)..midnight(to)).step_by(HOUR_MS as usize);
        for at in hours {
            spent += at / HOUR_MS % 7;
            charged(&ledger, at, "a", "m", at / HOUR_MS % 7).await;
        }
    }
    ledger.flush().await;

    let store = Store::open(&path).unwrap();
    let days = store.by_day(&berlin, &Filter::default()).unwrap();
    let seen: Vec<_> = days.iter().map(|day| (day.key.as_str(), day.totals.calls)).collect();
    assert_eq!(
        seen,
        [
            ("2026-03-28", 24),
            ("2026-03-29", 23),
            ("2026-03-30", 24),
            ("2026-10-24", 24),
            ("2026-10-25", 25),
            ("2026-10-26", 24),
        ]
    );
    let total = store.totals().unwrap();
    assert_eq!((total.calls, total.posted), (144, NanoUsd(spent)));
    for zone in ["UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns"] {
        let days = store.by_day(&TimeZone::get(zone).unwrap(), &Filter::default()).unwrap();
        let mut sum = Totals::default();
        for day in &days {
            sum.add(&day.totals);
        }
        assert_eq!(sum, total, "{zone}");
        assert!(days.is_sorted_by(|a, b| a.key < b.key), "{zone}");
    }
}

#[tokio::test]
async fn filters_bound_sums_groups_and_lists_alike() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    for at in 1..=10 {
        let (agent, model) = if at % 2 == 0 { ("even", "small") } else { ("odd", "large") };
        charged(&ledger, at * 1_000, agent, model, at).await;
    }
    let mut waiting = hold(CallId::first_at(20_000).0, 77, vec![budget("organisation", i64::MAX)]);
    waiting.record.agent = Some("odd".parse().unwrap());
    ledger.reserve(waiting).await.unwrap();
    ledger.flush().await;

    let store = Store::open(&path).unwrap();
    let ids = |calls: Vec<crate::state::CallRow>| -> Vec<i64> {
        calls.iter().map(|call| call.id.unix_ms() / 1_000).collect()
    };
    let odd = Filter { agent: Some("odd".to_owned()), ..Filter::default() };
    let some = Filter { since_ms: Some(3_000), until_ms: Some(8_000), ..Filter::default() };
    let both = Filter { agent: Some("odd".to_owned()), ..some.clone() };
    for (filter, expected, pending) in [
        (Filter::default(), vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 77),
        (odd, vec![1, 3, 5, 7, 9], 77),
        (some, vec![3, 4, 5, 6, 7], 77),
        (both, vec![3, 5, 7], 77),
        (Filter { agent: Some("none".to_owned()), ..Filter::default() }, vec![], 0),
    ] {
        let totals = store.totals_of(&filter).unwrap();
        let (calls, posted) = (expected.len() as u64, expected.iter().sum());
        assert_eq!((totals.calls, totals.posted.0), (calls, posted));
        assert_eq!((totals.input_tokens, totals.output_tokens), (2 * calls, 3 * calls));
        assert_eq!(totals.pending, NanoUsd(pending));
        for by in [GroupBy::Agent, GroupBy::Model, GroupBy::Upstream] {
            let groups = store.grouped(by, &filter).unwrap();
            assert_eq!(groups.iter().map(|group| group.totals.posted.0).sum::<i64>(), posted);
            assert!(groups.is_sorted_by(|a, b| a.totals.posted >= b.totals.posted));
        }
        let days = store.by_day(&TimeZone::UTC, &filter).unwrap();
        assert_eq!(days.iter().map(|day| day.totals.posted.0).sum::<i64>(), posted);
        let last: Vec<_> =
            expected.iter().copied().skip(expected.len().saturating_sub(2)).collect();
        assert_eq!(ids(store.latest(2, &filter).unwrap()), last, "the oldest first");
        assert_eq!(ids(store.latest(100, &filter).unwrap()), expected);
    }
    let groups = store.grouped(GroupBy::Model, &Filter::default()).unwrap();
    let seen: Vec<_> = groups.iter().map(|g| (g.key.as_str(), g.totals.posted.0)).collect();
    assert_eq!(seen, [("small", 30), ("large", 25)]);
}

#[tokio::test]
async fn calls_are_read_on_from_where_the_last_reading_ended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ledger, _) = open(&path);
    for at in 1..=7 {
        charged(&ledger, at, "a", "m", at).await;
    }
    ledger.flush().await;
    let store = Store::open(&path).unwrap();
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let calls = store.calls(after, 3).unwrap();
        let Some(last) = calls.last() else { break };
        after = Some(last.id);
        seen.extend(calls.iter().map(|call| call.posted.0));
    }
    assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7]);
    let accounts = store.accounts().unwrap();
    let [account] = accounts.as_slice() else { panic!("{accounts:?}") };
    assert_eq!((account.pending, account.posted), (NanoUsd::ZERO, NanoUsd(28)));
}
