//! Three proxies do anything in any order, and what must hold of the sums holds after each step.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;

use super::model::Proxy;
use super::*;
use crate::api::access::{Principal, Role};
use crate::testing::{postgres, sqlite};

/// What happens: what, at which proxy, and a number for the rest.
type Step = (u8, usize, usize);

#[test]
fn sums_hold_whatever_happens_on_sqlite() {
    let runtime = Runtime::new().unwrap();
    let store = runtime.block_on(sqlite());
    check(&runtime, store, 48);
}

#[test]
fn sums_hold_whatever_happens_on_postgres() {
    let runtime = Runtime::new().unwrap();
    let store = runtime.block_on(postgres());
    check(&runtime, store, 24);
}

fn check(runtime: &Runtime, store: Store, cases: u32) {
    let panel = over(store);
    let case = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(Config { cases, ..Config::default() });
    let steps = proptest::collection::vec((0_u8..20, 0_usize..3, 0_usize..1_000), 1..60);
    let overruns = any::<bool>();
    let result = runner.run(&(steps, overruns), |(steps, overruns)| {
        case.set(case.get() + 1);
        runtime.block_on(run(&panel, case.get(), &steps, overruns));
        Ok(())
    });
    result.unwrap();
}

async fn run(panel: &Panel, case: u32, steps: &[Step], overruns: bool) {
    let mut budgets = Vec::new();
    for (kind, limit) in [("agent", 40_000_000), ("project", 60_000_000), ("run", 90_000_000)] {
        let account = format!("{kind}:n{case}");
        budgets.push((budget(panel, &account, limit).await, account));
    }
    let mut proxies = ["p", "q", "r"].map(|name| Proxy::new(&format!("{name}{case}")));
    // What of a lease was spent, as was known, when it was reclaimed.
    let mut reclaimed: BTreeMap<String, i64> = BTreeMap::new();
    for (what, proxy, number) in steps {
        let proxy = &mut proxies[*proxy];
        let number = *number;
        match what {
            0..=6 => {
                let touched: Vec<usize> =
                    (0..3).filter(|bit| (number % 7 + 1) >> bit & 1 == 1).collect();
                let cost = (1 + i64::try_from(number).unwrap()) * 20_000;
                proxy.call(panel, &budgets, &touched, cost).await;
            }
            7..=10 => {
                let most = if overruns { 160 } else { 101 };
                proxy.settle(number, i64::try_from(number).unwrap() % most);
            }
            11 | 12 => proxy.say(),
            13..=15 => proxy.hear(panel, number, number % 2 == 0).await,
            16 => proxy.give_back(number, false),
            17 => proxy.give_back(number, true),
            18 => proxy.ask_again(panel, number).await,
            _ => {
                if let Some((_, own)) = proxy.leases.get(number % proxy.leases.len().max(1))
                    && let Ok((_, lease, _)) = reclaim(panel, &own.id, &admin()).await
                {
                    reclaimed.insert(lease.id, lease.spent);
                }
            }
        }
        hold(panel, &budgets, &reclaimed).await;
    }
    for proxy in &mut proxies {
        proxy.reconcile(panel).await;
    }
    hold(panel, &budgets, &reclaimed).await;
    for (at, (budget, _)) in budgets.iter().enumerate() {
        let truth: i64 = proxies.iter().map(|proxy| proxy.spent(at)).sum();
        let Some([limit, posted, _, overrun, reclaimed]) = found(panel, budget).await else {
            assert_eq!(truth, 0);
            continue;
        };
        assert_eq!(posted, truth, "everything that was spent is posted");
        assert!(truth <= limit + overrun + reclaimed, "the published bound");
        if !overruns {
            assert_eq!(overrun, 0);
        }
    }
}

/// `posted + leased <= limit`, but for what was overrun or reclaimed; and the sums are those of the
/// leases.
async fn hold(panel: &Panel, budgets: &[(String, String)], reclaimed: &BTreeMap<String, i64>) {
    for (budget, _) in budgets {
        let Some([limit, posted, leased, overrun, taken]) = found(panel, budget).await else {
            continue;
        };
        let rows = sqlx::query(
            "SELECT lease.id, granted, spent, returned, lease.overrun, state FROM lease
             JOIN account ON account.id = lease.account WHERE account.budget = $1",
        )
        .bind(budget.clone())
        .fetch_all(panel.store.pool())
        .await
        .unwrap();
        let (mut spent_all, mut held, mut over, mut beyond) = (0, 0, 0, 0);
        for row in &rows {
            let id: String = row.try_get(0).unwrap();
            let [granted, spent, returned, overrun]: [i64; 4] =
                [1, 2, 3, 4].map(|at| row.try_get(at).unwrap());
            let state: String = row.try_get(5).unwrap();
            spent_all += spent;
            over += overrun;
            match state.as_str() {
                "open" => {
                    held += (granted - spent - returned).max(0);
                    beyond += (spent + returned - granted).max(0);
                }
                "closed" => beyond += (spent + returned - granted).max(0),
                _ => beyond += (spent - reclaimed[&id]).max(0),
            }
        }
        assert_eq!((posted, leased, overrun), (spent_all, held, over), "sums are the leases' own");
        assert!(
            posted + leased <= limit + beyond,
            "{posted} + {leased} of {limit}, {beyond} beyond"
        );
        assert!(beyond <= overrun + taken, "what is beyond is counted: {beyond}");
        if overrun == 0 && taken == 0 {
            assert!(posted + leased <= limit);
        }
    }
}

async fn found(panel: &Panel, budget: &str) -> Option<[i64; 5]> {
    let there = sqlx::query("SELECT 1 FROM account WHERE budget = $1")
        .bind(budget.to_owned())
        .fetch_optional(panel.store.pool())
        .await
        .unwrap();
    match there {
        Some(_) => Some(sums(panel, budget).await),
        None => None,
    }
}

fn admin() -> Principal {
    Principal::Person {
        id: "usr_admin".to_owned(),
        name: "admin".to_owned(),
        role: Role::Admin,
        session: String::new(),
        projects: Vec::new(),
    }
}
