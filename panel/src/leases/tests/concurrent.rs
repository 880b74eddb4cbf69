//! Many at once on PostgreSQL, and the same with a grant that looks first and adds then.

use std::sync::Arc;

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::*;
use crate::testing::postgres;

const TASKS: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_proxies_at_once_never_hold_more_than_the_limit_and_leave_nothing_they_could_have()
{
    let panel = over(postgres().await);
    let limit = 1_000_000_000;
    let wide = budget(&panel, "organisation", limit).await;
    let narrow = budget(&panel, "agent:a", limit / 2).await;
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (panel, wide, narrow) = (panel.clone(), wide.clone(), narrow.clone());
        tasks.spawn(async move {
            let (proxy, mut held, mut refused) = (format!("p{task}"), 0, 0);
            let mut leases: [Option<String>; 2] = [None, None];
            for step in 0..12 {
                let [first, second] = &leases;
                let mut both = vec![
                    ask(&wide, "organisation", first.as_deref(), 5_000_000),
                    ask(&narrow, "agent:a", second.as_deref(), 5_000_000),
                ];
                // Asked in either order: nobody waits for somebody who waits for them.
                if (task + step) % 2 == 0 {
                    both.reverse();
                }
                let answer = grant(&panel, &proxy, &asks(both)).await.unwrap();
                if answer.grants.is_empty() {
                    assert!(answer.refused.iter().all(|refused| refused.reason == "exhausted"));
                    refused += 1;
                }
                for granted in answer.grants {
                    let at = usize::from(granted.budget != wide);
                    if at == 1 {
                        held = granted.amount.0;
                    }
                    leases[at] = Some(granted.lease);
                }
            }
            (held, refused)
        });
    }
    let done = tasks.join_all().await;
    let held: i64 = done.iter().map(|(held, _)| held).sum();
    let [limit, posted, leased, ..] = sums(&panel, &narrow).await;
    assert_eq!((posted, leased), (0, held));
    assert!(leased <= limit);
    assert!(limit - leased < 5_000_000, "{} was left, and refused", limit - leased);
    assert!(done.iter().any(|(_, refused)| *refused > 0));
    let [limit, _, leased, ..] = sums(&panel, &wide).await;
    assert!(leased <= limit);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_request_sixteen_times_at_once_is_granted_once() {
    let panel = over(postgres().await);
    let budget = budget(&panel, "agent:a", 1_000_000_000).await;
    let request = asks(vec![ask(&budget, "agent:a", None, 5_000_000)]);
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (panel, request) = (panel.clone(), request.clone());
        tasks.spawn(async move { grant(&panel, "p", &request).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    let first = &answers[0].grants[0];
    for answer in &answers {
        assert_eq!(
            (&answer.grants[0].lease, answer.grants[0].amount),
            (&first.lease, first.amount)
        );
    }
    assert_eq!(sums(&panel, &budget).await, [1_000_000_000, 0, first.amount.0, 0, 0]);
}

/// The control: what the tests above would find of a panel that looks first and adds then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_first_and_adding_then_overspends() {
    let panel = over(postgres().await);
    let budget = budget(&panel, "agent:a", 1_000_000_000).await;
    grant(&panel, "first", &asks(vec![ask(&budget, "agent:a", None, 1)])).await.unwrap();
    let looked = Arc::new(Barrier::new(TASKS));
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (panel, budget, looked) = (panel.clone(), budget.clone(), Arc::clone(&looked));
        tasks.spawn(async move {
            let [limit, posted, leased, ..] = sums(&panel, &budget).await;
            let amount = (limit - posted - leased) / 2;
            looked.wait().await;
            sqlx::query("UPDATE account SET leased = leased + $1 WHERE budget = $2")
                .bind(amount)
                .bind(budget)
                .execute(panel.store.pool())
                .await
                .unwrap();
        });
    }
    tasks.join_all().await;
    let [limit, posted, leased, ..] = sums(&panel, &budget).await;
    assert!(posted + leased > limit, "the tests would not see an overspend");
}
