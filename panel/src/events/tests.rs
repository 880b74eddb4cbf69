//! Events on both engines, and from one replica to another.

use std::time::Duration;

use super::*;
use crate::keys::Master;
use crate::panel::Panel;
use crate::store::{Store, raise};
use crate::testing::stores;

fn up(name: &str) -> Kind {
    Kind::ProxyUp(ProxySeen { proxy: name.to_owned(), version: "1".to_owned() })
}

async fn say(panel: &Panel, name: &str) -> i64 {
    let mut tx = panel.store.begin().await.unwrap();
    let sequence = publish(panel, &mut tx, &up(name)).await.unwrap();
    tx.commit().await.unwrap();
    panel.wake.notify(EVENT);
    sequence
}

#[tokio::test]
async fn events_are_numbered_without_a_gap_also_where_a_transaction_ends_in_nothing() {
    for store in stores().await {
        let panel = Panel::new(store, Master::new([1; 32]));
        assert_eq!(say(&panel, "a").await, 1);
        let mut tx = panel.store.begin().await.unwrap();
        publish_all(&panel, &mut tx, &[up("x"), up("y")]).await.unwrap();
        drop(tx);
        assert_eq!(say(&panel, "b").await, 2);
        let mut connection = panel.store.pool().acquire().await.unwrap();
        let all = after(&mut connection, 0, 10).await.unwrap().events;
        assert_eq!(all.iter().map(|event| event.sequence).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(all[1].what, up("b"));
        assert_eq!(after(&mut connection, 2, 10).await.unwrap(), Read::default());
    }
}

#[tokio::test]
async fn a_replica_hears_of_what_another_one_does() {
    for store in stores().await {
        let one = Panel::new(store.clone(), Master::new([1; 32]));
        let other = Panel::new(Store::open(store.url()).await.unwrap(), Master::new([1; 32]));
        let (mut heard, mut parts) = (other.events.subscribe(), other.wake.parts());
        let task = tokio::spawn(run(other.clone()));
        // Before its first look the other one only finds out where the events are.
        tokio::time::timeout(Duration::from_secs(10), async {
            while other.events.last() < 0 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
        let sequence = say(&one, "a").await;
        let event = tokio::time::timeout(Duration::from_secs(10), heard.recv()).await;
        assert_eq!(event.unwrap().unwrap().sequence, sequence);
        parts.mark_unchanged();
        let mut tx = one.store.begin().await.unwrap();
        raise(&mut tx, "keys").await.unwrap();
        tx.commit().await.unwrap();
        tokio::time::timeout(Duration::from_secs(10), parts.changed()).await.unwrap().unwrap();
        task.abort();
    }
}

#[tokio::test]
async fn events_are_forgotten_by_age() {
    for store in stores().await {
        let panel = Panel::new(store, Master::new([1; 32]));
        say(&panel, "old").await;
        panel.clock.turn(3_600_001);
        say(&panel, "new").await;
        assert_eq!(keep(&panel).await.unwrap(), 1);
        let mut connection = panel.store.pool().acquire().await.unwrap();
        let left = after(&mut connection, 0, 10).await.unwrap().events;
        assert_eq!(left.iter().map(|event| event.sequence).collect::<Vec<_>>(), [2]);
    }
}

#[test]
fn who_sees_one_project_sees_what_belongs_to_it() {
    let moved = |project: &str| Moved { project: Some(project.to_owned()), ..Moved::default() };
    let spend = Kind::Spend(Spend { moves: vec![moved("a"), moved("b")] });
    let audit = Kind::Audit(Audited {
        sequence: 1,
        actor: "usr_1".to_owned(),
        action: "login".to_owned(),
        target: String::new(),
    });
    let a = Sight::Projects(["a".to_owned()].into());
    assert_eq!(spend.seen_by(&a), Some(Kind::Spend(Spend { moves: vec![moved("a")] })));
    assert_eq!(spend.seen_by(&Sight::Projects(["c".to_owned()].into())), None);
    assert_eq!((audit.seen_by(&a), up("x").seen_by(&a)), (None, Some(up("x"))));
    assert_eq!(audit.seen_by(&Sight::All), Some(audit));
}
