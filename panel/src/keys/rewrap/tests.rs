//! A rotation of the master key that is killed at every step, on both engines.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use serde_json::json;

use super::*;
use crate::api::access::Role;
use crate::keys::{Master, Place, unlock};
use crate::store::Store;
use crate::testing::{World, stores};

const OLD: [u8; 32] = [3; 32];
const NEW: [u8; 32] = [4; 32];
/// What tells the child which database to work on, and where to die.
const DATABASE: &str = "IRON_TEST_REWRAP_DATABASE";
const STEPS: &str = "IRON_TEST_REWRAP_STEPS";

/// A panel with this key, and another one besides.
async fn panel(store: &Store, key: [u8; 32], older: Option<[u8; 32]>) -> Result<Panel, StoreError> {
    let master = unlock(store, Master::new(key).and_older(older)).await?;
    Ok(Panel::new(store.clone(), master))
}

/// Three secrets, two signing keys, one webhook: seven envelopes with the root.
async fn fill(store: &Store) {
    let world = World::of(panel(store, OLD, None).await.unwrap());
    let admin = world.signed_in(Role::Admin).await;
    for name in ["a", "b", "c"] {
        let order = json!({"name": name, "upstream": name, "base_url": "https://a", "value": format!("sk-{name}")});
        assert_eq!(admin.post("/api/v1/secrets", &order).await.status, 201);
    }
    for _ in 0..2 {
        assert_eq!(admin.post("/api/v1/keys/rotate", &json!({})).await.status, 201);
    }
    let place = Place { kind: "webhook", row: "whk_1", version: 0 };
    sqlx::query(
        "INSERT INTO webhook (id, url, events, wrapped, created_at) VALUES ('whk_1', '', '', $1, 0)",
    )
    .bind(world.panel.master.seal(place, b"hook").unwrap())
    .execute(store.pool())
    .await
    .unwrap();
}

const ROWS: u64 = 7;

/// Opens everything that there is with a panel's keys. The number of envelopes.
async fn open_all(panel: &Panel) -> u64 {
    let mut opened = 1;
    let rows = sqlx::query("SELECT secret, number, wrapped, sealed FROM secret_version")
        .fetch_all(panel.store.pool())
        .await
        .unwrap();
    for row in rows {
        let id: String = row.try_get(0).unwrap();
        let place = Place { kind: "secret", row: &id, version: row.try_get(1).unwrap() };
        let envelope =
            [row.try_get::<Vec<u8>, _>(2).unwrap(), row.try_get::<Vec<u8>, _>(3).unwrap()].concat();
        assert!(panel.master.open(place, &envelope).unwrap().starts_with(b"sk-"));
        opened += 1;
    }
    for (table, kind) in [("signing_key", "signing_key"), ("webhook", "webhook")] {
        let rows = sqlx::query(AssertSqlSafe(format!("SELECT id, wrapped FROM {table}")))
            .fetch_all(panel.store.pool())
            .await
            .unwrap();
        for row in rows {
            let id: String = row.try_get(0).unwrap();
            let place = Place { kind, row: &id, version: 0 };
            panel.master.open(place, &row.try_get::<Vec<u8>, _>(1).unwrap()).unwrap();
            opened += 1;
        }
    }
    opened
}

/// What the child does; nothing where nobody started it as one.
#[tokio::test]
async fn the_child_that_is_killed() {
    let (Ok(database), Ok(steps)) = (std::env::var(DATABASE), std::env::var(STEPS)) else { return };
    let mut left: u32 = steps.parse().unwrap();
    let store = Store::open(&database).await.unwrap();
    let panel = panel(&store, NEW, Some(OLD)).await.unwrap();
    rewrap(&panel, "system", |_| {
        left -= 1;
        if left == 0 {
            let me = std::process::id().to_string();
            Command::new("kill").args(["-9", &me]).status().unwrap();
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_rotation_that_is_killed_at_any_step_leaves_every_row_readable_and_goes_on() {
    for store in stores().await {
        fill(&store).await;
        let before = panel(&store, OLD, None).await.unwrap();
        assert_eq!(open_all(&before).await, ROWS);
        // Each child does one more row, and is killed right behind it.
        for step in 1..=ROWS {
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "keys::rewrap::tests::the_child_that_is_killed"])
                .env(DATABASE, store.url())
                .env(STEPS, "1")
                .output()
                .unwrap();
            assert_eq!(child.status.signal(), Some(9), "step {step}: {child:?}");
            let both = panel(&store, NEW, Some(OLD)).await.unwrap();
            assert_eq!(open_all(&both).await, ROWS, "step {step}");
            assert_eq!(both.master.derive("audit"), before.master.derive("audit"));
            // Neither key alone is enough until the end, and then the new one is.
            let alone = panel(&store, NEW, None).await;
            assert_eq!(alone.is_ok(), step == ROWS, "step {step}");
            let refused = panel(&store, OLD, None).await.unwrap_err();
            assert!(matches!(refused, StoreError::WrongMasterKey(_)), "step {step}: {refused}");
        }
        let after = panel(&store, NEW, None).await.unwrap();
        assert_eq!(open_all(&after).await, ROWS);
        let again = rewrap(&after, "system", |_| {}).await.unwrap();
        assert_eq!(again, Rewrapped::default());
    }
}

#[tokio::test]
async fn a_row_that_no_key_opens_is_named_and_the_old_key_stays_needed() {
    for store in stores().await {
        fill(&store).await;
        sqlx::query("UPDATE webhook SET wrapped = $1")
            .bind({
                let place = Place { kind: "webhook", row: "whk_1", version: 0 };
                let mut envelope = Master::new(OLD).seal(place, b"hook").unwrap();
                envelope[40] ^= 1;
                envelope
            })
            .execute(store.pool())
            .await
            .unwrap();
        let both = panel(&store, NEW, Some(OLD)).await.unwrap();
        let done = rewrap(&both, "system", |_| {}).await.unwrap();
        assert_eq!(done.damaged, ["webhook whk_1"]);
        assert_eq!(done.rows, ROWS - 2);
        assert!(panel(&store, NEW, None).await.is_err());
        assert!(panel(&store, NEW, Some(OLD)).await.is_ok());
    }
}
