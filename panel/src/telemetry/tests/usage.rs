//! Questions about sums, as the API answers them.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::Value;

use super::*;
use crate::api::access::Role;
use crate::store::Engine;
use crate::testing::World;

const DAY_MS: i64 = 86_400_000;

async fn set_zone(store: &Store, name: &str) {
    sqlx::query("INSERT INTO setting (name, value) VALUES ('reporting_zone', $1)")
        .bind(name.to_owned())
        .execute(store.pool())
        .await
        .unwrap();
}

fn nano(line: &Value) -> i64 {
    line["total"]["spent"]["nano"].as_i64().unwrap()
}

fn values(line: &Value) -> i64 {
    line["values"].as_array().unwrap().iter().map(|value| value.as_i64().unwrap()).sum()
}

fn at(time: &Value) -> i64 {
    time.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// Calls at these times before now, each with an amount of its own.
fn at_times(now: i64, ago: &[i64]) -> Vec<CallRecord> {
    let one = |(n, ago): (usize, &i64)| {
        let n = i64::try_from(n).unwrap();
        CallRecord { id: CallId::first_at(now - ago).0 + n, posted: 1 + n * n, ..call(n, now) }
    };
    ago.iter().enumerate().map(one).collect()
}

async fn fill(world: &World, calls: &[CallRecord]) {
    for calls in calls.chunks(500) {
        take(&world.panel, "p1", batch(calls)).await.unwrap();
    }
}

/// In each of these zones, on one engine or the other: every range and rollup adds up to the calls
/// that are in it, and to what the days, weeks or months between its ends say.
#[tokio::test]
async fn the_sum_of_days_is_the_sum_of_the_range_in_every_zone() {
    let zones = ["UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Chatham"];
    let mut runner = TestRunner::deterministic();
    for (place, zone) in zones.into_iter().enumerate() {
        let store = if place % 2 == 0 { sqlite().await } else { crate::testing::postgres().await };
        set_zone(&store, zone).await;
        let world = World::over(store).signed_in(Role::Admin).await;
        // Far enough back for a change of the clocks, wherever there is one.
        let ago = prop::collection::vec(0..220 * DAY_MS, 400).new_tree(&mut runner).unwrap();
        let now = world.panel.clock.now_ms();
        let calls = at_times(now, &ago.current());
        fill(&world, &calls).await;
        for round in 0..24_i64 {
            let ends = (1..220 * DAY_MS, 0..220 * DAY_MS).new_tree(&mut runner).unwrap().current();
            let (from, to) = (now - ends.0.max(ends.1) - 1, now - ends.0.min(ends.1));
            let rollup = ["day", "week", "month", "hour"][usize::try_from(round % 4).unwrap()];
            let hourly = if rollup == "hour" { to - 20 * DAY_MS } else { i64::MIN };
            let (from, group) = (from.max(hourly), ["none", "agent", "model"][round as usize % 3]);
            let path = format!(
                "/api/v1/usage?from={}&to={}&rollup={rollup}&group={group}&top=2",
                crate::api::time::text(from),
                crate::api::time::text(to)
            );
            let answer = world.get(&path).await;
            if rollup == "hour" && answer.status == 400 {
                // Older than sums by hour are kept.
                assert!(to - 20 * DAY_MS < now - 69 * DAY_MS, "{path}: {}", answer.text);
                continue;
            }
            assert_eq!(
                (answer.status, &answer.json["zone"]),
                (200, &zone.into()),
                "{}",
                answer.text
            );
            let (widened_from, widened_to) = (at(&answer.json["from"]), at(&answer.json["to"]));
            assert!(widened_from <= from && to <= widened_to, "{path}");
            let within = |call: &&CallRecord| {
                (widened_from..widened_to).contains(&CallId(call.id).unix_ms())
            };
            let truth: i64 = calls.iter().filter(within).map(|call| call.posted).sum();
            assert_eq!(nano(&answer.json["all"]), truth, "{zone} {path}");
            assert_eq!(values(&answer.json["all"]), truth, "{zone} {path}");
            if group != "none" {
                let mut parts: i64 = answer.json["top"].as_array().unwrap().iter().map(nano).sum();
                if answer.json["rest"].is_object() {
                    parts += values(&answer.json["rest"]);
                }
                assert_eq!(parts, truth, "{zone} {path}");
            }
            // And each step says what is in it.
            let starts: Vec<i64> =
                answer.json["steps"].as_array().unwrap().iter().map(at).collect();
            for (n, start) in starts.iter().enumerate() {
                let end = starts.get(n + 1).copied().unwrap_or(widened_to);
                let inside =
                    |call: &&CallRecord| (*start..end).contains(&CallId(call.id).unix_ms());
                let truth: i64 = calls.iter().filter(inside).map(|call| call.posted).sum();
                assert_eq!(answer.json["all"]["values"][n], truth, "{zone} {path} {n}");
            }
        }
    }
}

#[tokio::test]
async fn filters_and_groups_say_the_same_whichever_table_answers() {
    for world in worlds().await {
        let world = world.signed_in(Role::Admin).await;
        let now = world.panel.clock.now_ms();
        let calls = calls(300, now);
        fill(&world, &calls).await;
        let when = format!("from={}", crate::api::time::text(now - 2 * DAY_MS));
        let sum = |of: &dyn Fn(&CallRecord) -> bool| -> i64 {
            calls.iter().filter(|call| of(call)).map(|call| call.posted).sum()
        };
        let agent = |call: &CallRecord| call.agent.as_deref() == Some("agent-1");
        for (query, truth) in [
            ("", sum(&|_| true)),
            ("&agent=agent-1", sum(&agent)),
            ("&agent=agent-1&model=model-1", sum(&|c| agent(c) && c.model == "model-1")),
            ("&project=project-1", sum(&|c| c.project.as_deref() == Some("project-1"))),
            ("&outcome=ok&upstream=openai", sum(&|c| c.outcome == "ok")),
            ("&agent=nobody", 0),
        ] {
            for group in ["none", "agent", "project", "model", "outcome", "reason"] {
                let answer = world.get(&format!("/api/v1/usage?{when}{query}&group={group}")).await;
                assert_eq!(answer.status, 200, "{}", answer.text);
                assert_eq!(nano(&answer.json["all"]), truth, "{query} {group}");
                let mut parts = 0;
                for line in answer.json["top"].as_array().unwrap() {
                    parts += nano(line);
                }
                if group != "none" {
                    assert_eq!(parts, truth, "{query} {group}");
                }
            }
        }
        let found = world.get(&format!("/api/v1/usage?{when}&group=kind&metric=findings")).await;
        assert_eq!(found.json["top"][0]["total"]["findings"], 600);
        let found = format!("/api/v1/usage?{when}&group=kind&metric=findings&agent=agent-1");
        assert_eq!(world.get(&found).await.json["top"][0]["total"]["findings"], 200);
        assert_eq!(world.get(&format!("{found}&model=m")).await.status, 400);
        for wrong in [
            "top=0",
            "top=21",
            "metric=x",
            "from=yesterday",
            "rollup=minute&from=2020-01-01T00:00:00Z",
        ] {
            let answer = world.get(&format!("/api/v1/usage?{wrong}")).await;
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (400, "application/problem+json"),
                "{wrong}"
            );
        }
    }
}

#[tokio::test]
async fn who_sees_one_project_is_told_of_nothing_else() {
    for world in worlds().await {
        let now = world.panel.clock.now_ms();
        fill(&world, &calls(60, now)).await;
        let viewer = world.signed_in(Role::Viewer).await;
        let empty = viewer.get("/api/v1/usage?group=agent").await;
        assert_eq!((empty.status, nano(&empty.json["all"])), (200, 0), "{}", empty.text);
        sqlx::query("INSERT INTO project (id, name, created_at) VALUES ('prj_1', 'project-1', 0)")
            .execute(world.panel.store.pool())
            .await
            .unwrap();
        sqlx::query("INSERT INTO member (project, person) SELECT 'prj_1', id FROM person")
            .execute(world.panel.store.pool())
            .await
            .unwrap();
        let own: i64 = calls(60, now)
            .iter()
            .filter(|call| call.project.as_deref() == Some("project-1"))
            .map(|call| call.posted)
            .sum();
        for query in ["", "?group=agent", "?outcome=ok&reason=", "?group=project"] {
            let answer = viewer.get(&format!("/api/v1/usage{query}")).await;
            assert_eq!(nano(&answer.json["all"]), own, "{query}");
        }
        let other = viewer.get("/api/v1/usage?project=project-0").await;
        assert_eq!(nano(&other.json["all"]), 0);
        let overview = viewer.get("/api/v1/usage/overview?from=2026-01-01T00:00:00Z").await;
        assert_eq!(overview.json["total"]["spent"]["nano"], own, "{}", overview.text);
        assert_eq!(overview.json["reserved"], Value::Null);
        assert_eq!(world.get("/api/v1/usage").await.status, 401);
    }
}

#[tokio::test]
async fn the_first_screen_is_one_answer() {
    for world in worlds().await {
        let world = world.signed_in(Role::Admin).await;
        let now = world.panel.clock.now_ms();
        let calls = calls(50, now);
        fill(&world, &calls).await;
        let breaker = serde_json::json!(
            {"breakers": [{"upstream": "openai", "lane": "", "state": "open", "at": now}]}
        );
        take(&world.panel, "p1", serde_json::from_value(breaker).unwrap()).await.unwrap();
        for period in ["day", "week", "month"] {
            let answer = world.get(&format!("/api/v1/usage/overview?period={period}")).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let json = &answer.json;
            let (from, to) = (at(&json["from"]), at(&json["to"]));
            assert!(from <= now && now < to);
            let inside: Vec<_> =
                calls.iter().filter(|call| CallId(call.id).unix_ms() >= from).collect();
            let spent: i64 = inside.iter().map(|call| call.posted).sum();
            assert_eq!(json["total"]["spent"]["nano"], spent);
            assert_eq!(json["total"]["calls"], inside.len());
            let points = json["graph"].as_array().unwrap();
            assert_eq!(
                points.iter().map(|p| p["spent_nano"].as_i64().unwrap()).sum::<i64>(),
                spent
            );
            let cards = json["agents"].as_array().unwrap();
            assert_eq!(cards.iter().map(nano).sum::<i64>(), spent);
            let estimated = &json["total"]["estimated"]["nano"];
            let measured = &json["total"]["measured"]["nano"];
            assert_eq!(estimated.as_i64().unwrap() + measured.as_i64().unwrap(), spent);
            assert_eq!(json["findings"][0]["found"], 2 * inside.len());
            assert_eq!(json["breakers"][0]["state"], "open");
            assert_eq!(json["reserved"]["nano"], 0);
            if let Some(projected) = json["projected"]["nano"].as_i64() {
                assert!(projected >= spent);
            }
        }
        let filtered = world.get("/api/v1/usage/overview?agent=agent-1&model=model-0").await;
        assert_eq!(filtered.status, 200, "{}", filtered.text);
        assert_eq!(
            filtered.json["agents"].as_array().unwrap().len().min(1),
            usize::from(filtered.json["total"]["calls"] != 0)
        );
    }
}

#[tokio::test]
async fn a_table_for_spreadsheets_holds_no_formula() {
    for world in worlds().await {
        let world = world.signed_in(Role::Admin).await;
        let mut wild = call(0, world.panel.clock.now_ms());
        "=HYPERLINK(\"http://x\")".clone_into(&mut wild.model);
        take(&world.panel, "p1", batch(&[wild])).await.unwrap();
        let answer = world.get("/api/v1/usage?group=model&format=csv&rollup=day").await;
        assert!(answer.header("content-type").starts_with("text/csv"));
        assert!(answer.header("content-disposition").contains("usage.csv"));
        assert!(answer.text.contains("\"'=HYPERLINK(\"\"http://x\"\")\""), "{}", answer.text);
        assert!(answer.text.starts_with("\"start\",\"zone\",\"model\""));
    }
}

#[tokio::test]
async fn the_period_before_is_as_far_as_this_one_has_come() {
    for store in stores().await {
        if store.engine() == Engine::Sqlite {
            set_zone(&store, "America/New_York").await;
        }
        let world = World::over(store).signed_in(Role::Admin).await;
        let now = world.panel.clock.now_ms();
        let calls = at_times(now, &(0..200).map(|n| n * 1_800_000).collect::<Vec<_>>());
        fill(&world, &calls).await;
        let path = format!(
            "/api/v1/usage?compare=true&group=agent&from={}&to={}",
            crate::api::time::text(now - DAY_MS),
            crate::api::time::text(now)
        );
        let answer = world.get(&path).await;
        let period = &answer.json["before"];
        let (from, to) = (at(&period["from"]), at(&period["to"]));
        assert!((to - from - DAY_MS).abs() <= 120_000, "{}", to - from);
        let truth: i64 = calls
            .iter()
            .filter(|call| (from..to).contains(&CallId(call.id).unix_ms()))
            .map(|call| call.posted)
            .sum();
        assert!(truth > 0);
        assert_eq!(answer.json["all"]["before"]["spent"]["nano"], truth);
        let parts = answer.json["top"].as_array().unwrap().iter();
        let parts = parts.map(|line| line["before"]["spent"]["nano"].as_i64().unwrap());
        assert_eq!(parts.sum::<i64>(), truth);
    }
}
