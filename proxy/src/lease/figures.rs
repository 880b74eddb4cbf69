//! Figures of leases for Prometheus: what this proxy has of each of the panel's budgets now.
//!
//! They are made of the state whenever somebody asks, so that none outlives its lease. Accounts are
//! added up by budget, because callers name agents, and the panel alone names budgets.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::state::{LeaseRow, LeaseState};

/// Budgets that have figures of their own; the others are added up as one.
const MOST_BUDGETS: usize = 100;
/// The name of the others.
const OTHERS: &str = "others";

#[derive(Default)]
struct Sums {
    leases: i64,
    granted: i64,
    spent: i64,
    held: i64,
    left: i64,
}

type Figure = (&'static str, &'static str, fn(&Sums) -> i64);

const FIGURES: [Figure; 5] = [
    ("iron_leases", "leases whose last report the panel does not have", |sums| sums.leases),
    ("iron_lease_granted_nano_usd", "granted to them, less what went back", |sums| sums.granted),
    ("iron_lease_spent_nano_usd", "charged to them", |sums| sums.spent),
    ("iron_lease_held_nano_usd", "held in them for open calls", |sums| sums.held),
    ("iron_lease_left_nano_usd", "neither spent nor held, and not ended", |sums| sums.left),
];

/// The text that Prometheus reads; empty where there is no lease.
pub(crate) fn figures(leases: &[LeaseRow]) -> String {
    let mut budgets = BTreeMap::<&str, Sums>::new();
    for row in leases {
        let budget = row.key.budget.as_str();
        let is_known = budgets.contains_key(budget) || budgets.len() < MOST_BUDGETS;
        let sums = budgets.entry(if is_known { budget } else { OTHERS }).or_default();
        let left = match row.state {
            LeaseState::Open => row.room().0.max(0),
            _ => 0,
        };
        let add = |sum: &mut i64, amount: i64| *sum = sum.saturating_add(amount);
        add(&mut sums.leases, 1);
        add(&mut sums.granted, row.amount.0.saturating_sub(row.returned.0));
        add(&mut sums.spent, row.posted.0);
        add(&mut sums.held, row.pending.0);
        add(&mut sums.left, left);
    }
    let mut text = String::new();
    for (name, help, figure) in FIGURES.iter().filter(|_| !budgets.is_empty()) {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (budget, sums) in &budgets {
            let budget: String = budget.chars().filter(|c| !"\\\"\n".contains(*c)).collect();
            let _ = writeln!(text, "{name}{{budget=\"{budget}\"}} {}", figure(sums));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use iron_policy::types::NanoUsd;

    use super::*;
    use crate::state::LeaseKey;

    fn row(budget: usize, state: LeaseState) -> LeaseRow {
        LeaseRow {
            id: "lse_1".to_owned(),
            key: LeaseKey { budget: format!("bud_{budget}"), account: "agent:a".into(), start: 0 },
            resets_at: None,
            epoch: 1,
            amount: NanoUsd(1_000),
            returned: NanoUsd(100),
            chunk: NanoUsd(1_000),
            posted: NanoUsd(30),
            pending: NanoUsd(20),
            overrun: NanoUsd::ZERO,
            limit: NanoUsd(10_000),
            sequence: 1,
            acknowledged: 1,
            expires: 0,
            boot: String::new(),
            state,
        }
    }

    #[test]
    fn accounts_are_added_up_by_budget() {
        let text = figures(&[row(1, LeaseState::Open), row(1, LeaseState::Taken)]);
        for line in [
            "iron_leases{budget=\"bud_1\"} 2",
            "iron_lease_granted_nano_usd{budget=\"bud_1\"} 1800",
            "iron_lease_spent_nano_usd{budget=\"bud_1\"} 60",
            "iron_lease_held_nano_usd{budget=\"bud_1\"} 40",
            "iron_lease_left_nano_usd{budget=\"bud_1\"} 850",
        ] {
            assert!(text.lines().any(|is| is == line), "{line}: {text}");
        }
        assert_eq!(figures(&[]), "");
    }

    #[test]
    fn series_are_bounded() {
        let rows: Vec<_> = (0..1_000).map(|budget| row(budget, LeaseState::Open)).collect();
        let text = figures(&rows);
        let leases = text.lines().filter(|line| line.starts_with("iron_leases{"));
        assert_eq!(leases.count(), MOST_BUDGETS + 1);
        assert!(text.contains("iron_leases{budget=\"others\"} 900"), "{text}");
    }
}
