//! What holds on both engines.

use serde_json::json;

use super::*;
use crate::api::access::Role;
use crate::testing::{World, postgres, stores};

#[tokio::test]
async fn a_part_that_changes_is_counted_on_both_engines() {
    for store in stores().await {
        let mut tx = store.begin().await.unwrap();
        let before = raise(&mut tx, "budgets").await.unwrap();
        let after = raise(&mut tx, "budgets").await.unwrap();
        assert_eq!(after, before + 1, "{:?}", store.engine());
        drop(tx);
        // It was not committed.
        let mut tx = store.begin().await.unwrap();
        assert_eq!(raise(&mut tx, "budgets").await.unwrap(), before);
    }
}

#[tokio::test]
async fn a_store_can_be_opened_again_and_by_two_at_once() {
    for store in stores().await {
        let (one, other) = tokio::join!(Store::open(store.url()), Store::open(store.url()));
        one.unwrap().ping().await.unwrap();
        other.unwrap().ping().await.unwrap();
    }
}

#[tokio::test]
async fn a_change_that_loses_against_another_is_tried_again_or_says_when_to() {
    let world = World::over(postgres().await);
    let admin = world.signed_in(Role::Admin).await;
    let made = admin.post("/api/v1/agents", &json!({"name": "coder", "project": "shop"})).await;
    assert_eq!(made.status, 404, "no such project yet");
    assert_eq!(admin.post("/api/v1/projects", &json!({"name": "shop"})).await.status, 201);
    let order = json!({"agent": "coder", "project": "shop", "budget": "5 USD/day"});
    assert_eq!(admin.post("/api/v1/tokens", &order).await.status, 201);
    // One is done again by the panel; of the other whoever asks hears that it may be tried again.
    for (path, body, held, status) in [
        ("/api/v1/tokens", order, "budgets", 201),
        ("/api/v1/agents/coder/stop", json!({}), "stops", 503),
    ] {
        let answer = loop {
            let mut other = world.panel.store.begin().await.unwrap();
            // PostgreSQL ends whoever looks first: not this one.
            sqlx::query("SET LOCAL deadlock_timeout = '5s'").execute(&mut *other).await.unwrap();
            raise(&mut other, "audit").await.unwrap();
            let (asking, body) = (admin.clone(), body.clone());
            let asked = tokio::spawn(async move { asking.post(path, &body).await });
            until_somebody_waits(&world.panel.store).await;
            let raised = raise(&mut other, held).await;
            drop(other);
            let answer = asked.await.unwrap();
            if raised.is_ok() {
                break answer;
            }
            // On a slow machine the other one looked before this one waited: from the beginning.
            assert_eq!(admin.post("/api/v1/agents/coder/start", &json!({})).await.status, 200);
        };
        assert_eq!(answer.status, status, "{}", answer.text);
        if status == 503 {
            assert_eq!(answer.json["code"], "overtaken");
            assert_eq!(answer.header("retry-after"), "1");
            assert_eq!(admin.post(path, &json!({})).await.status, 200);
        }
    }
}

/// Until a transaction waits for another one's row.
async fn until_somebody_waits(store: &Store) {
    let query = "SELECT 1 FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while sqlx::query(query).fetch_optional(store.pool()).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
}

#[test]
fn rows_are_cut_into_few_sizes_and_none_is_left_out() {
    for count in [0, 1, 7, 63, 64, 65, 500] {
        let rows: Vec<_> = (0..count).collect();
        let cut: Vec<_> = portions(&rows, 64).collect();
        assert!(cut.iter().all(|part| part.len().is_power_of_two() && part.len() <= 64));
        assert!(cut.len() <= count / 64 + 6, "{count}: {}", cut.len());
        assert_eq!(cut.concat(), rows);
    }
}

#[test]
fn places_are_numbered_through() {
    assert_eq!(places(2, 3), "($1,$2,$3),($4,$5,$6)");
}
