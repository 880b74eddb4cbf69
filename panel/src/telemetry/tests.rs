//! Records on both engines: taken once, and added up as they are.

use iron_policy::control::{Batch, CallRecord, ExtraRecord, FindingCount};
use iron_policy::types::CallId;
use sqlx::Row;

mod browse;
mod keep;
mod usage;

use super::ingest::take;
use crate::events;
use crate::keys::Master;
use crate::panel::Panel;
use crate::store::{Store, id};
use crate::testing::{sqlite, stores, worlds};

/// A call of one minute after the other, of a few agents, models and ends.
fn call(n: i64, now: i64) -> CallRecord {
    let refused = n % 5 == 4;
    CallRecord {
        id: CallId::first_at(now - n * 61_000).0 + n,
        agent: Some(format!("agent-{}", n % 3)),
        project: (n % 4 != 0).then(|| format!("project-{}", n % 2)),
        model: format!("model-{}", n % 2),
        upstream: Some("openai".to_owned()),
        endpoint: "chat".to_owned(),
        status: if refused { 402 } else { 200 },
        outcome: if refused { "refused" } else { "ok" }.to_owned(),
        reason: if refused { "budget_exhausted" } else { "" }.to_owned(),
        reserved: 1_000,
        posted: if refused { 0 } else { 100 + n },
        estimated: n % 7 == 0,
        input_tokens: 10,
        output_tokens: 3,
        findings: vec![FindingCount { kind: "email".to_owned(), count: 2 }],
        timeline: vec![("decode".to_owned(), 500), ("upstream".to_owned(), 250_000)],
        ..CallRecord::default()
    }
}

fn calls(count: i64, now: i64) -> Vec<CallRecord> {
    (0..count).map(|n| call(n, now)).collect()
}

fn batch(calls: &[CallRecord]) -> Batch {
    Batch { calls: calls.to_vec(), ..Batch::default() }
}

fn correction(id: &str, call: &CallRecord, posted: i64, at: i64) -> Batch {
    let extra = ExtraRecord {
        id: id.to_owned(),
        kind: "correction".to_owned(),
        at,
        call: Some(call.id),
        posted: Some(posted),
        detail: "the provider's bill".to_owned(),
        ..ExtraRecord::default()
    };
    Batch { extra: vec![extra], ..Batch::default() }
}

/// Calls, refused, posted, estimated, tokens read, findings: as the sums of a grain and a thing say.
async fn summed(store: &Store, grain: i64, dim: &str) -> [i64; 6] {
    let row = sqlx::query(
        "SELECT CAST(SUM(calls) AS BIGINT), CAST(SUM(refused) AS BIGINT),
         CAST(SUM(posted) AS BIGINT), CAST(SUM(estimated) AS BIGINT),
         CAST(SUM(input_tokens) AS BIGINT), CAST(SUM(found) AS BIGINT)
         FROM tally WHERE grain = $1 AND dim = $2",
    )
    .bind(grain)
    .bind(dim.to_owned())
    .fetch_one(store.pool())
    .await
    .unwrap();
    std::array::from_fn(|at| row.try_get::<Option<i64>, _>(at).unwrap().unwrap_or_default())
}

/// The same of the records themselves.
fn truth(calls: &[CallRecord]) -> [i64; 6] {
    calls.iter().fold([0; 6], |sum, call| {
        let estimated = if call.estimated { call.posted } else { 0 };
        [
            sum[0] + 1,
            sum[1] + i64::from(call.outcome == "refused"),
            sum[2] + call.posted,
            sum[3] + estimated,
            sum[4] + call.input_tokens,
            sum[5] + 2,
        ]
    })
}

async fn assert_sums(store: &Store, calls: &[CallRecord]) {
    for grain in [60, 3_600, 86_400] {
        for dim in ["all", "agent", "model", "upstream", "outcome", "reason"] {
            let engine = store.engine();
            assert_eq!(summed(store, grain, dim).await, truth(calls), "{engine:?} {grain} {dim}");
        }
    }
    let row = sqlx::query(
        "SELECT CAST(SUM(calls) AS BIGINT), CAST(SUM(posted) AS BIGINT) FROM rollup WHERE grain = 60",
    );
    let row = row.fetch_one(store.pool()).await.unwrap();
    let own: [i64; 2] = std::array::from_fn(|at| row.try_get(at).unwrap());
    assert_eq!(own, [truth(calls)[0], truth(calls)[2]]);
}

fn panel(store: &Store) -> Panel {
    Panel::new(store.clone(), Master::new([3; 32]))
}

#[tokio::test]
async fn a_batch_that_comes_twice_or_in_halves_is_counted_once() {
    for store in stores().await {
        let panel = panel(&store);
        let calls = calls(120, panel.clock.now_ms());
        let first = take(&panel, "p1", batch(&calls[..70])).await.unwrap();
        assert_eq!((first.new, first.known), (70, 0));
        let again = take(&panel, "p1", batch(&calls[..70])).await.unwrap();
        assert_eq!((again.new, again.known), (0, 70));
        let rest = take(&panel, "p1", batch(&calls[50..])).await.unwrap();
        assert_eq!((rest.new, rest.known), (50, 20));
        let twice: Vec<_> = calls[..1].iter().chain(&calls[..1]).cloned().collect();
        assert_eq!(take(&panel, "p1", batch(&twice)).await.unwrap().new, 0);
        assert_sums(&store, &calls).await;
        // Ids are a proxy's own.
        assert_eq!(take(&panel, "p2", batch(&calls[..5])).await.unwrap().new, 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_take_the_same_at_once_count_it_once() {
    for store in stores().await {
        let one = panel(&store);
        let other = panel(&Store::open(store.url()).await.unwrap());
        let calls = calls(200, one.clock.now_ms());
        let mut tasks = tokio::task::JoinSet::new();
        for round in 0..8_usize {
            let panel = if round % 2 == 0 { one.clone() } else { other.clone() };
            let from = round / 4 * 100;
            let mut part = calls[from..from + 100].to_vec();
            if round % 3 == 0 {
                part.reverse();
            }
            tasks.spawn(async move { take(&panel, "p1", batch(&part)).await.unwrap().new });
        }
        let new: u64 = tasks.join_all().await.into_iter().sum();
        assert_eq!(new, 200, "{:?}", store.engine());
        assert_sums(&store, &calls).await;
    }
}

#[tokio::test]
async fn a_correction_moves_the_call_and_the_sums_once_whenever_it_comes() {
    for store in stores().await {
        let panel = panel(&store);
        let now = panel.clock.now_ms();
        let mut calls = calls(30, now);
        // One before its call, one after, and both again.
        take(&panel, "p1", correction("c7", &calls[7], 11, now)).await.unwrap();
        take(&panel, "p1", batch(&calls)).await.unwrap();
        for _ in 0..2 {
            take(&panel, "p1", correction("c0", &calls[0], 22, now)).await.unwrap();
            take(&panel, "p1", correction("c7", &calls[7], 11, now)).await.unwrap();
        }
        for (place, posted) in [(7, 11), (0, 22)] {
            assert!(calls[place].estimated);
            (calls[place].posted, calls[place].estimated) = (posted, false);
            let row = sqlx::query("SELECT posted, estimated FROM call WHERE id = $1")
                .bind(calls[place].id)
                .fetch_one(store.pool())
                .await
                .unwrap();
            assert_eq!(row.try_get::<i64, _>(0).unwrap(), posted);
            assert_eq!(row.try_get::<i64, _>(1).unwrap(), 0);
        }
        assert_sums(&store, &calls).await;
        // A second one, of another kind, is on record and moves nothing.
        let mut denial = correction("d1", &calls[0], 99, now);
        "denial".clone_into(&mut denial.extra[0].kind);
        assert_eq!(take(&panel, "p1", denial).await.unwrap().new, 1);
        assert_sums(&store, &calls).await;
    }
}

#[tokio::test]
async fn what_comes_a_day_late_stands_in_its_own_minutes() {
    for store in stores().await {
        let panel = panel(&store);
        let then = panel.clock.now_ms() - 86_400_000;
        let late = call(0, then);
        take(&panel, "p1", batch(&[late])).await.unwrap();
        let row = sqlx::query("SELECT start FROM tally WHERE grain = 60 AND dim = 'all'")
            .fetch_one(store.pool())
            .await
            .unwrap();
        assert_eq!(row.try_get::<i64, _>(0).unwrap(), then - then % 60_000);
    }
}

#[tokio::test]
async fn what_cannot_be_true_is_refused_and_nothing_of_its_batch_is_taken() {
    for world in worlds().await {
        let proxy = world.as_proxy("p1").await;
        let now = world.panel.clock.now_ms();
        let mut calls = calls(3, now);
        calls[1].posted = -5;
        let body = serde_json::to_value(batch(&calls)).unwrap();
        let answer = proxy.post("/api/v1/ingest", &body).await;
        assert_eq!((answer.status, &answer.json["code"]), (422, &"record_refused".into()));
        assert!(answer.json["detail"].as_str().unwrap().contains("calls[1]"), "{}", answer.text);
        assert_eq!(summed(&world.panel.store, 60, "all").await, [0; 6]);
        calls[1].posted = 5;
        // What a caller wrote does not keep the others' records from being taken.
        "wild\0".clone_into(&mut calls[1].model);
        let body = serde_json::to_value(batch(&calls)).unwrap();
        let answer = proxy.post("/api/v1/ingest", &body).await;
        assert_eq!((answer.status, &answer.json["new"]), (200, &3.into()), "{}", answer.text);
        assert_eq!(proxy.post("/api/v1/ingest", &"x".into()).await.status, 400);
        assert_eq!(world.post("/api/v1/ingest", &body).await.status, 401);
    }
}

#[tokio::test]
async fn live_views_are_told_of_sums_and_of_the_newest_calls() {
    for store in stores().await {
        let panel = panel(&store);
        take(&panel, "p1", batch(&calls(100, panel.clock.now_ms()))).await.unwrap();
        let mut connection = store.pool().acquire().await.unwrap();
        let told = events::after(&mut connection, 0, 1_000).await.unwrap().events;
        let count = |name: &str| told.iter().filter(|event| event.what.name() == name).count();
        assert_eq!((count("spend"), count("call")), (1, 20));
        assert!(count("finding") > 0);
        let Some(events::Kind::Spend(spend)) = told.last().map(|event| &event.what) else {
            panic!("the last one tells of the sums");
        };
        assert_eq!(spend.moves.iter().map(|moved| moved.calls).sum::<i64>(), 100);
    }
}

#[tokio::test]
async fn a_breaker_is_what_was_said_of_it_last() {
    for store in stores().await {
        let panel = panel(&store);
        let now = panel.clock.now_ms();
        for (state, at, new) in [("open", now, 1), ("closed", now - 5, 0), ("open", now, 0)] {
            let breaker = serde_json::json!(
                {"breakers": [{"upstream": "openai", "lane": "", "state": state, "at": at}]}
            );
            let batch = serde_json::from_value(breaker).unwrap();
            assert_eq!(take(&panel, "p1", batch).await.unwrap().new, new, "{state}");
        }
    }
}

/// A proxy's file with this schema; calls are written as a proxy does.
async fn state_file(sql: &'static str) -> (Store, std::path::PathBuf) {
    let path = std::env::temp_dir().join(format!("{}.db", id("state")));
    let store = Store::raw(&path).await.unwrap();
    sqlx::raw_sql(sql).execute(store.pool()).await.unwrap();
    (store, path)
}

/// The tables of a proxy's file of the first version, and of one of today, as far as they matter.
const FIRST: &str = "CREATE TABLE call (id INTEGER PRIMARY KEY, agent TEXT, project TEXT,
    model TEXT NOT NULL, upstream TEXT, dialect TEXT, endpoint TEXT NOT NULL,
    stream INTEGER NOT NULL, status INTEGER NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL,
    reserved INTEGER NOT NULL, posted INTEGER NOT NULL, estimated INTEGER NOT NULL,
    accounts TEXT NOT NULL, input_tokens INTEGER, output_tokens INTEGER, usage TEXT, cost TEXT,
    findings TEXT, timeline TEXT) STRICT;
    INSERT INTO call VALUES (8388608, 'a', NULL, 'm', 'openai', 'openai', 'chat', 1, 200, 'ok', '',
    50, 40, 1, '[]', 7, NULL, '{\"input\":7}', NULL, '{\"email\":2,\"answer/phone\":1}',
    '{\"identify\":10,\"upstream\":500,\"relay\":9000}')";
const TODAY: &str = "ALTER TABLE call ADD COLUMN run TEXT;
    ALTER TABLE call ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE call ADD COLUMN first_attempt INTEGER;
    CREATE TABLE correction (call INTEGER PRIMARY KEY, posted INTEGER NOT NULL,
    reason TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
    INSERT INTO correction VALUES (8388608, 33, 'bill', 1);
    UPDATE call SET run = 'r1'";

async fn seen(store: &Store) -> Option<(String, i64, i64, i64, i64, i64, Option<String>, String)> {
    let row = sqlx::query(
        "SELECT proxy, posted, estimated, first_byte, findings, output_tokens, run, detail FROM call",
    )
    .fetch_optional(store.pool())
    .await
    .unwrap()?;
    let int = |at: usize| row.try_get(at).unwrap();
    let (proxy, run, detail) =
        (row.try_get(0).unwrap(), row.try_get(6).unwrap(), row.try_get(7).unwrap());
    Some((proxy, int(1), int(2), int(3), int(4), int(5), run, detail))
}

#[tokio::test]
async fn calls_are_read_from_the_proxys_own_file_whatever_its_version() {
    let own = sqlite().await;
    let path = std::env::temp_dir().join(format!("{}.db", id("state")));
    let early = Store::open_beside(own.url(), &path).await.unwrap();
    assert!(early.is_beside());
    assert_eq!(seen(&early).await, None);
    let (proxy, made) = state_file(FIRST).await;
    let store = Store::open_beside(own.url(), &made).await.unwrap();
    let call = seen(&store).await.unwrap();
    assert_eq!((&*call.0, call.1, call.2, call.3, call.4, call.5), ("local", 40, 1, 510, 3, 0));
    let detail: serde_json::Value = serde_json::from_str(&call.7).unwrap();
    assert_eq!(detail["usage"]["input"], 7);
    assert_eq!(detail["attempt"], 1);
    sqlx::raw_sql(TODAY).execute(proxy.pool()).await.unwrap();
    let store = Store::open_beside(own.url(), &made).await.unwrap();
    let call = seen(&store).await.unwrap();
    assert_eq!((call.1, call.2, call.6.as_deref()), (33, 0, Some("r1")));
    // The file that was not there when it was opened is found once it is.
    sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(proxy.pool()).await.unwrap();
    std::fs::copy(&made, &path).unwrap();
    assert_eq!(seen(&early).await.unwrap().1, 33);
}

#[tokio::test]
async fn beside_a_proxy_calls_are_counted_once_and_not_kept_again() {
    let (proxy, path) = state_file(FIRST).await;
    sqlx::raw_sql(TODAY).execute(proxy.pool()).await.unwrap();
    let own = sqlite().await;
    let store = Store::open_beside(own.url(), &path).await.unwrap();
    let panel = panel(&store);
    let record = CallRecord {
        id: 8_388_608,
        agent: Some("a".to_owned()),
        model: "m".to_owned(),
        upstream: Some("openai".to_owned()),
        outcome: "ok".to_owned(),
        posted: 40,
        estimated: true,
        ..CallRecord::default()
    };
    for _ in 0..2 {
        take(&panel, "local", batch(std::slice::from_ref(&record))).await.unwrap();
        take(&panel, "local", correction("c1", &record, 33, 1)).await.unwrap();
    }
    let sums = summed(&store, 86_400, "agent").await;
    assert_eq!((sums[0], sums[2], sums[3]), (1, 33, 0));
    let kept = sqlx::query("SELECT COUNT(*) FROM main.call").fetch_one(store.pool()).await.unwrap();
    assert_eq!(kept.try_get::<i64, _>(0).unwrap(), 0);
}
