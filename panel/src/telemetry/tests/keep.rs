//! What is kept, for how long, and where.

use super::*;
use crate::store::Engine;
use crate::telemetry::keep::{keep, partitions};

const DAY_MS: i64 = 86_400_000;

async fn count(store: &Store, sql: &'static str) -> i64 {
    sqlx::query(sql).fetch_one(store.pool()).await.unwrap().try_get(0).unwrap()
}

#[tokio::test]
async fn calls_and_sums_are_forgotten_each_in_its_time() {
    for store in stores().await {
        let panel = panel(&store);
        let now = panel.clock.now_ms();
        let mut old = calls(40, now - 80 * DAY_MS);
        for call in &mut old {
            call.run = Some("old".to_owned());
        }
        take(&panel, "p1", batch(&old)).await.unwrap();
        take(&panel, "p1", batch(&calls(40, now))).await.unwrap();
        keep(&panel).await.unwrap();
        // 80 days: calls are kept for 90, minutes for 7, hours for 70.
        assert_eq!(count(&store, "SELECT COUNT(*) FROM call").await, 80);
        assert_eq!(summed(&store, 60, "all").await[0], 40);
        assert_eq!(summed(&store, 3_600, "agent").await[0], 40);
        assert_eq!(summed(&store, 86_400, "all").await[0], 80);
        panel.clock.turn(11 * DAY_MS);
        keep(&panel).await.unwrap();
        assert_eq!(count(&store, "SELECT COUNT(*) FROM call").await, 40);
        assert_eq!(count(&store, "SELECT COUNT(*) FROM run").await, 0);
        assert_eq!(summed(&store, 60, "all").await[0], 0);
        assert_eq!(summed(&store, 86_400, "all").await[0], 80);
        panel.clock.turn(90 * DAY_MS);
        keep(&panel).await.unwrap();
        assert_eq!(count(&store, "SELECT COUNT(*) FROM call").await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn weeks_are_made_ahead_by_one_of_several_replicas_while_calls_arrive() {
    let store = crate::testing::postgres().await;
    assert_eq!(store.engine(), Engine::Postgres);
    let one = panel(&store);
    let other = panel(&Store::open(store.url()).await.unwrap());
    let now = one.clock.now_ms();
    // What arrived before there was a partition for it is moved there.
    take(&one, "p1", batch(&calls(50, now))).await.unwrap();
    assert_eq!(count(&store, "SELECT COUNT(*) FROM call_rest").await, 50);
    let mut tasks = tokio::task::JoinSet::new();
    for panel in [one.clone(), other.clone()] {
        tasks.spawn(async move { keep(&panel).await.unwrap() });
    }
    for n in 0..4_usize {
        let (panel, more) = (one.clone(), calls(250, now)[50 * (n + 1)..50 * (n + 2)].to_vec());
        tasks.spawn(async move {
            take(&panel, "p1", batch(&more)).await.unwrap();
        });
    }
    tasks.join_all().await;
    // Whichever of the two did it; the other one found the lock taken.
    keep(&one).await.unwrap();
    let mut connection = store.pool().acquire().await.unwrap();
    assert_eq!(partitions(&mut connection).await.unwrap().len(), 5);
    drop(connection);
    assert_eq!(count(&store, "SELECT COUNT(*) FROM call").await, 250);
    assert_eq!(count(&store, "SELECT COUNT(*) FROM call_rest").await, 0);
    assert_eq!(take(&other, "p1", batch(&calls(250, now))).await.unwrap().new, 0);
    // Old weeks go as a whole.
    one.clock.turn(120 * DAY_MS);
    keep(&one).await.unwrap();
    let mut connection = store.pool().acquire().await.unwrap();
    let weeks = partitions(&mut connection).await.unwrap();
    assert_eq!(weeks.len(), 5, "{weeks:?}");
    assert!(weeks.iter().all(|week| *week >= (now + 112 * DAY_MS) / (7 * DAY_MS)));
}
