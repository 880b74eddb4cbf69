//! How fast the first screen answers over many calls, and how many calls a second are taken, on a
//! throw-away PostgreSQL: `make bench-panel`, or `panel_bench CALLS`.
//!
//! The calls are made by PostgreSQL itself, over a year; their sums are those that ingest makes, added
//! up by statements over the same tables. Then the API is asked as a browser asks it, and told as
//! proxies tell it. `FSYNC=on` has PostgreSQL wait for the disk, as one does that is to be kept;
//! `TMPDIR` says where it lies. `BENCH_DATABASE` names a database that stays: it is filled once.

#![expect(clippy::expect_used, clippy::panic, reason = "a measurement ends where this fails")]

use std::io::Write;
use std::time::{Duration, Instant};

use iron_panel::Panel;
use iron_panel::api::access::Role;
use iron_panel::keys::Master;
use iron_panel::store::Store;
use iron_panel::telemetry::grain::Grain;
use iron_panel::telemetry::keep::keep;
use iron_panel::telemetry::sums::{BOUNDS, COLUMNS};
use iron_panel::testing::{World, cluster_in, new_database, postgres_tool};
use iron_policy::control::{Batch, CallRecord, FindingCount};
use iron_policy::types::CallId;
use sqlx::AssertSqlSafe;

const YEAR_MS: i64 = 365 * 86_400_000;
/// Proxies that tell at once.
const PROXIES: usize = 4;
/// Calls in a batch.
const BATCH: i64 = 500;
/// How long they tell.
const TELL: Duration = Duration::from_secs(10);
/// How often each question is asked.
const ASKED: usize = 41;

#[tokio::main]
async fn main() {
    let calls = std::env::args().nth(1).map_or(10_000_000, |text| text.parse().expect("a number"));
    let folder = std::env::temp_dir().join(format!("iron-cage-bench-{}", std::process::id()));
    let kept = std::env::var("BENCH_DATABASE").ok();
    let url = match &kept {
        Some(url) => url.clone(),
        None => new_database(&cluster_in(&folder)).await,
    };
    let store = Store::open(&url).await.expect("a new database");
    let panel = Panel::new(store, Master::new([7; 32]));
    keep(&panel).await.expect("partitions");
    if is_filled(&panel).await {
        say("measuring what is there");
    } else {
        let began = Instant::now();
        fill(&panel, calls, &folder).await;
        let took = began.elapsed().as_secs_f64();
        say(&format!("{calls} calls and their sums loaded in {took:.0} s"));
    }
    let world = World::of(panel.clone());
    let admin = world.signed_in(Role::Admin).await;
    let year = panel.clock.now_ms() - YEAR_MS;
    let year = format!("from={}", iron_panel::api::time::text(year));
    for (name, path) in [
        ("first screen, this day", "/api/v1/usage/overview?period=day".to_owned()),
        ("first screen, this month", "/api/v1/usage/overview?period=month".to_owned()),
        ("first screen, a year", format!("/api/v1/usage/overview?{year}")),
        ("usage, a year by day, by model", format!("/api/v1/usage?{year}&rollup=day&group=model")),
        ("first screen, a year, one agent", format!("/api/v1/usage/overview?{year}&agent=agent-7")),
        ("newest calls", "/api/v1/calls".to_owned()),
    ] {
        let _ = std::fs::write(folder.join("used"), "");
        let mut took = Vec::with_capacity(ASKED);
        for _ in 0..ASKED {
            let began = Instant::now();
            let answer = admin.get(&path).await;
            took.push(began.elapsed());
            assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        }
        took.sort();
        let ms = |at: usize| took[at].as_secs_f64() * 1_000.0;
        say(&format!("{name}: median {:.1} ms, p95 {:.1} ms", ms(ASKED / 2), ms(ASKED * 95 / 100)));
    }
    let _ = std::fs::write(folder.join("used"), "");
    let (taken, seconds) = tell(&world).await;
    say(&format!(
        "ingest: {:.0} calls/s ({taken} in {seconds:.1} s, {PROXIES} proxies)",
        taken as f64 / seconds
    ));
    panel.store.close().await;
    if kept.is_none() {
        postgres_tool("stop", &folder);
        let _ = std::fs::remove_dir_all(&folder);
    }
}

fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Whether somebody filled it before.
async fn is_filled(panel: &Panel) -> bool {
    let found = sqlx::query("SELECT 1 FROM rollup LIMIT 1").fetch_optional(panel.store.pool());
    found.await.expect("an answer").is_some()
}

/// Makes calls over the last year, and their sums.
async fn fill(panel: &Panel, calls: i64, folder: &std::path::Path) {
    let now = panel.clock.now_ms();
    let step = (YEAR_MS / calls).max(1);
    let part = 500_000;
    let one = async |from: i64| {
        let _ = std::fs::write(folder.join("used"), "");
        let to = (from + part).min(calls) - 1;
        if from > to {
            return;
        }
        run(panel, format!(
            "INSERT INTO call (proxy, id, agent, project, token, run, model, upstream, dialect,
             endpoint, stream, status, outcome, reason, reserved, posted, estimated, input_tokens,
             output_tokens, first_byte, findings, detail)
             SELECT 'p' || n % 3, (({now} - n * {step}) << 20) | (n & 1048575),
             'agent-' || n % 50, 'project-' || n % 50 % 10, NULL, NULL, 'model-' || n % 12,
             'upstream-' || n % 12 % 4, 'openai', 'chat', n % 2,
             CASE WHEN n % 20 = 0 THEN 402 ELSE 200 END,
             CASE WHEN n % 20 = 0 THEN 'refused' WHEN n % 33 = 0 THEN 'failed' ELSE 'ok' END,
             CASE WHEN n % 20 = 0 THEN 'budget_exhausted' ELSE '' END,
             5000000, CASE WHEN n % 20 = 0 THEN 0 ELSE 1000000 + n % 999983 END,
             CASE WHEN n % 100 = 7 THEN 1 ELSE 0 END, 500 + n % 4000, n % 900,
             20000 + (n * 7919) % 3000000, CASE WHEN n % 10 = 0 THEN 2 ELSE 0 END,
             '{{\"usage\":{{\"input\":512,\"output\":128}},\"cost\":{{\"input\":640000,\"output\":1280000}},\"findings\":{{}},\"timeline\":[[\"identify\",12],[\"upstream\",812345],[\"relay\",99]],\"attempt\":1,\"first_attempt\":null}}'
             FROM generate_series(CAST({from} AS BIGINT), CAST({to} AS BIGINT)) AS n"
        )).await;
    };
    for from in (0..calls).step_by(1_000_000) {
        tokio::join!(one(from), one(from + part));
    }
    let kept = [now - 7 * 86_400_000, now - 70 * 86_400_000, 0];
    for (grain, since) in Grain::ALL.into_iter().zip(kept) {
        let _ = std::fs::write(folder.join("used"), "");
        add_up(panel, grain, since).await;
    }
    run(panel, "ANALYZE".to_owned()).await;
}

/// Adds calls since this time up to the sums of this grain, in UTC.
async fn add_up(panel: &Panel, grain: Grain, since: i64) {
    let (seconds, span) = (grain.seconds(), grain.seconds() * 1_000);
    let buckets: Vec<String> = (0..=BOUNDS.len())
        .map(|place| {
            let from = if place == 0 { 0 } else { BOUNDS[place - 1] * 1_000 };
            let to = BOUNDS.get(place).map_or(i64::MAX, |bound| bound * 1_000);
            format!("COUNT(*) FILTER (WHERE first_byte > {from} AND first_byte <= {to})")
        })
        .collect();
    let columns = COLUMNS.join(", ");
    run(panel, format!(
        "INSERT INTO rollup (grain, start, agent, project, model, upstream, outcome, reason, {columns})
         SELECT {seconds}, (id >> 20) / {span} * {span} AS start, agent, project, model, upstream, outcome,
         reason, COUNT(*), COUNT(*) FILTER (WHERE outcome = 'refused'),
         COUNT(*) FILTER (WHERE outcome IN ('failed', 'upstream_error')), SUM(posted),
         COALESCE(SUM(posted) FILTER (WHERE estimated = 1), 0), 0, SUM(input_tokens),
         SUM(output_tokens), SUM(findings), {} FROM call WHERE id >= CAST({since} AS BIGINT) << 20
         GROUP BY 2, 3, 4, 5, 6, 7, 8", buckets.join(", ")
    )).await;
    let sums = COLUMNS.map(|column| format!("SUM({column})")).join(", ");
    for (dim, name) in [
        ("all", "''"),
        ("agent", "agent"),
        ("model", "model"),
        ("upstream", "upstream"),
        ("outcome", "outcome"),
        ("reason", "reason"),
    ] {
        run(panel, format!(
            "INSERT INTO tally (grain, dim, start, project, name, {columns})
             SELECT {seconds}, '{dim}', start, project, {name} AS named, {sums} FROM rollup WHERE grain = {seconds}
             GROUP BY start, project, named"
        )).await;
    }
    run(
        panel,
        format!(
        "INSERT INTO finding (grain, start, agent, project, upstream, kind, found, calls)
         SELECT {seconds}, start, agent, project, upstream, 'email', SUM(found), SUM(calls)
         FROM rollup WHERE grain = {seconds} AND found > 0 GROUP BY start, agent, project, upstream"
    ),
    )
    .await;
    run(panel, format!(
        "INSERT INTO tally (grain, dim, start, project, name, {columns})
         SELECT {seconds}, 'kind', start, project, kind, SUM(calls), 0, 0, 0, 0, 0, 0, 0, SUM(found){}
         FROM finding WHERE grain = {seconds} GROUP BY start, project, kind",
        ", 0".repeat(BOUNDS.len() + 1)
    )).await;
}

async fn run(panel: &Panel, sql: String) {
    if let Err(error) = sqlx::query(AssertSqlSafe(sql)).execute(panel.store.pool()).await {
        panic!("{error}");
    }
}

/// Several proxies tell of calls, a batch after the other; returns how many, in how many seconds.
async fn tell(world: &World) -> (i64, f64) {
    let mut proxies = tokio::task::JoinSet::new();
    let began = Instant::now();
    for _ in 0..PROXIES {
        let proxy = world.as_proxy(&iron_panel::store::id("bench")).await;
        let clock = world.panel.clock.clone();
        proxies.spawn(async move {
            let mut taken = 0;
            while began.elapsed() < TELL {
                let now = clock.now_ms();
                let calls = (0..BATCH).map(|n| call(now, taken + n)).collect();
                let batch = Batch { calls, ..Batch::default() };
                let body = serde_json::to_value(&batch).expect("a batch");
                let answer = proxy.post("/api/v1/ingest", &body).await;
                assert_eq!(
                    (answer.status, &answer.json["new"]),
                    (200, &BATCH.into()),
                    "{}",
                    answer.text
                );
                taken += BATCH;
            }
            taken
        });
    }
    let taken = proxies.join_all().await.into_iter().sum();
    (taken, began.elapsed().as_secs_f64())
}

fn call(now: i64, n: i64) -> CallRecord {
    CallRecord {
        id: CallId::first_at(now).0 | (n & 0xf_ffff),
        agent: Some(format!("agent-{}", n % 50)),
        project: Some(format!("project-{}", n % 50 % 10)),
        model: format!("model-{}", n % 12),
        upstream: Some(format!("upstream-{}", n % 12 % 4)),
        dialect: Some("openai".to_owned()),
        endpoint: "chat".to_owned(),
        stream: true,
        status: 200,
        outcome: "ok".to_owned(),
        reserved: 5_000_000,
        posted: 1_000_000 + n % 1_000,
        input_tokens: 512,
        output_tokens: 128,
        usage: [("input".to_owned(), 512), ("output".to_owned(), 128)].into(),
        cost: [("input".to_owned(), 640_000), ("output".to_owned(), 1_280_000)].into(),
        findings: if n % 10 == 0 {
            vec![FindingCount { kind: "email".to_owned(), count: 2 }]
        } else {
            Vec::new()
        },
        timeline: vec![("identify".to_owned(), 12), ("upstream".to_owned(), 812_345)],
        attempt: 1,
        ..CallRecord::default()
    }
}
