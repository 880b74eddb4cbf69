//! What the chain sees.

use serde_json::json;
use sqlx::Row;

use super::*;
use crate::api::access::Role;
use crate::testing::{World, worlds};

async fn entries(panel: &Panel, count: i64) {
    for number in 0..count {
        let mut tx = panel.store.begin().await.unwrap();
        let (actor, target) = ("usr_a", "prj_a");
        let entry = Entry { actor, action: "project.update", target, detail: json!({"n": number}) };
        write(panel, &mut tx, entry).await.unwrap();
        tx.commit().await.unwrap();
    }
}

async fn run(world: &World, sql: &'static str) {
    sqlx::raw_sql(sql).execute(world.panel.store.pool()).await.unwrap();
}

#[tokio::test]
async fn the_verifier_names_the_row() {
    let done: [(&[&str], Option<i64>); 8] = [
        (&[], None),
        (&["UPDATE audit SET detail = '{\"n\":9}' WHERE sequence = 3"], Some(3)),
        (&["UPDATE audit SET at = at + 1 WHERE sequence = 1"], Some(1)),
        (&["DELETE FROM audit WHERE sequence = 4"], Some(4)),
        // Two entries in each other's place.
        (
            &[
                "UPDATE audit SET sequence = 100 WHERE sequence = 2",
                "UPDATE audit SET sequence = 2 WHERE sequence = 3",
                "UPDATE audit SET sequence = 3 WHERE sequence = 100",
            ],
            Some(2),
        ),
        (&["DELETE FROM audit WHERE sequence > 5"], Some(6)),
        // Also where the count of entries is put right.
        (
            &[
                "DELETE FROM audit WHERE sequence > 5",
                "UPDATE mark SET number = 5 WHERE part = 'audit'",
                "UPDATE setting SET value = '5 AAAA' WHERE name = 'audit_head'",
            ],
            Some(6),
        ),
        (&["DELETE FROM audit WHERE sequence <= 2"], Some(1)),
    ];
    for (steps, first_bad) in done {
        for world in worlds().await {
            entries(&world.panel, 6).await;
            for step in steps {
                run(&world, step).await;
            }
            let verdict = verify(&world.panel).await.unwrap();
            assert_eq!(verdict.first_bad, first_bad, "{steps:?} {verdict:?}");
            assert_eq!(verdict.intact, first_bad.is_none());
            assert_eq!(verdict.entries, first_bad.map_or(6, |bad| bad - 1));
        }
    }
}

#[tokio::test]
async fn another_master_key_does_not_fit() {
    let store = crate::testing::sqlite().await;
    let panel = Panel::new(store.clone(), crate::keys::Master::new([7; 32]));
    entries(&panel, 2).await;
    let other = Panel::new(store, crate::keys::Master::new([8; 32]));
    assert_eq!(verify(&other).await.unwrap().first_bad, Some(1));
}

#[tokio::test]
async fn entries_written_at_once_are_one_chain() {
    for world in worlds().await {
        let writing = (0..8).map(|_| {
            let panel = world.panel.clone();
            tokio::spawn(async move { entries(&panel, 5).await })
        });
        for written in futures_util::future::join_all(writing).await {
            written.unwrap();
        }
        let verdict = verify(&world.panel).await.unwrap();
        assert_eq!((verdict.intact, verdict.entries, verdict.last), (true, 40, 40));
    }
}

#[tokio::test]
async fn nothing_changes_whose_entry_cannot_be_written() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        run(&world, "ALTER TABLE audit RENAME TO away").await;
        let answer = admin.post("/api/v1/projects", &json!({"name": "apollo"})).await;
        assert_eq!((answer.status, answer.json["code"].as_str()), (503, Some("store_unavailable")));
        // A refusal stands all the same.
        let viewer = world.signed_in(Role::Viewer).await;
        assert_eq!(viewer.get("/api/v1/audit").await.status, 403);
        run(&world, "ALTER TABLE away RENAME TO audit").await;
        let row = sqlx::query("SELECT COUNT(*) FROM project")
            .fetch_one(world.panel.store.pool())
            .await
            .unwrap();
        assert_eq!(row.try_get::<i64, _>(0).unwrap(), 0);
    }
}

#[tokio::test]
async fn the_log_is_read_by_page_and_filter() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        for name in ["a", "b", "c"] {
            let made = admin.post("/api/v1/projects", &json!({"name": name})).await;
            assert_eq!(made.status, 201, "{}", made.text);
        }
        let viewer = world.signed_in(Role::Viewer).await;
        assert_eq!(viewer.post("/api/v1/projects", &json!({"name": "d"})).await.status, 403);
        let page = admin.get("/api/v1/audit?limit=2").await;
        let actions: Vec<_> =
            page.json["items"].as_array().unwrap().iter().map(|item| &item["action"]).collect();
        assert_eq!(actions, ["access.refused", "project.create"]);
        assert_eq!(page.json["items"][0]["target"], "POST /api/v1/projects");
        let next = page.json["next"].as_str().unwrap();
        let page = admin.get(&format!("/api/v1/audit?limit=2&cursor={next}")).await;
        assert_eq!(page.json["items"].as_array().unwrap().len(), 2);
        assert!(page.json["next"].is_null());
        for (query, count) in [
            ("action=project.create", 3),
            ("action=project.", 3),
            ("action=project", 0),
            ("action=access.", 1),
            ("target=none", 0),
            ("since=2100-01-01T00:00:00Z", 0),
            ("until=2100-01-01T00:00:00Z&action=project.", 3),
        ] {
            let page = admin.get(&format!("/api/v1/audit?{query}")).await;
            assert_eq!(page.json["items"].as_array().map(Vec::len), Some(count), "{query}");
        }
        assert_eq!(admin.get("/api/v1/audit?since=yesterday").await.status, 400);
        let verdict = admin.get("/api/v1/audit/verify").await;
        assert_eq!((&verdict.json["intact"], &verdict.json["entries"]), (&json!(true), &json!(4)));
    }
}
