//! The runs that were announced: what each may spend, and with which it shares its calls.
//!
//! `iron run` announces a run before its program starts. Its budget is an account in the ledger like
//! those of `iron.toml`; a run within a run is held to the budgets of both. Kept in the state file,
//! so that a proxy that starts again holds open runs to their budgets as before.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use iron_policy::budget::{self, AccountKey, Window};
use iron_policy::types::Name;

use crate::state::{RunRecord, Store, StoreError};

/// Runs that are remembered. Beyond it the oldest are forgotten, and with them their budgets.
const MOST: usize = 10_000;
/// Runs within runs that are followed upwards.
const DEEPEST: usize = 32;
/// Hosts that are counted of a run.
const MOST_HOSTS: usize = 100;

/// All runs of one state file that are remembered.
#[derive(Debug, Default)]
pub struct Runs(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    runs: HashMap<Name, Arc<Run>>,
    order: VecDeque<Name>,
}

/// A run, and what is counted of it in memory alone.
#[derive(Debug)]
pub struct Run {
    /// What was announced.
    pub record: RunRecord,
    /// Connections through the proxy to other hosts, by host.
    tunnels: Mutex<BTreeMap<String, u64>>,
}

impl Runs {
    /// The runs of a state file.
    pub fn of(state: &Path) -> Result<Self, StoreError> {
        let runs = Self::default();
        for record in Store::open(state)?.runs(MOST)? {
            runs.add(record);
        }
        Ok(runs)
    }

    /// Remembers a run.
    pub fn add(&self, record: RunRecord) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = record.id.clone();
        let run = Arc::new(Run { record, tunnels: Mutex::default() });
        if known.runs.insert(id.clone(), run).is_none() {
            known.order.push_back(id);
        }
        if known.order.len() > MOST
            && let Some(oldest) = known.order.pop_front()
        {
            known.runs.remove(&oldest);
        }
    }

    /// The run of this id, if it was announced.
    pub fn get(&self, id: &Name) -> Option<Arc<Run>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).runs.get(id).cloned()
    }

    /// The run of this id and those that it stands in, the innermost first.
    pub fn upwards(&self, id: &Name) -> Vec<Arc<Run>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut above = Vec::new();
        let mut next = known.runs.get(id);
        while let (Some(run), true) = (next, above.len() < DEEPEST) {
            above.push(Arc::clone(run));
            next = run.record.parent.as_ref().and_then(|parent| known.runs.get(parent));
        }
        above
    }

    /// What a call of this run must hold, in each run with a budget that it belongs to.
    pub fn holds(&self, id: &Name) -> Vec<budget::Hold> {
        let runs = self.upwards(id).into_iter();
        runs.filter_map(|run| {
            Some(budget::Hold {
                account: account(&run.record.id),
                limit: run.record.limit?,
                resets_at: None,
                clamp: false,
            })
        })
        .collect()
    }

    /// Counts a connection of a run to a host that is no provider.
    pub fn tunnelled(&self, id: &Name, host: &str) {
        for run in self.upwards(id) {
            let mut tunnels = run.tunnels.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = tunnels.get_mut(host) {
                *count += 1;
            } else if tunnels.len() < MOST_HOSTS {
                tunnels.insert(host.to_owned(), 1);
            }
        }
    }
}

impl Run {
    /// Connections through the proxy to other hosts, by host.
    pub fn tunnels(&self) -> BTreeMap<String, u64> {
        self.tunnels.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The account of a run's own budget.
pub fn account(run: &Name) -> AccountKey {
    AccountKey { scope: format!("run:{run}"), window: Window::Total, start: 0 }
}

#[cfg(test)]
mod tests {
    use iron_policy::types::NanoUsd;

    use super::*;

    fn run(id: &str, parent: Option<&str>, limit: Option<i64>) -> RunRecord {
        RunRecord {
            id: id.parse().unwrap(),
            parent: parent.map(|parent| parent.parse().unwrap()),
            agent: "a".parse().unwrap(),
            limit: limit.map(NanoUsd),
            strict: false,
            begun_ms: 0,
        }
    }

    #[test]
    fn a_run_within_runs_is_held_to_the_budget_of_each() {
        let runs = Runs::default();
        runs.add(run("outer", None, Some(9)));
        runs.add(run("middle", Some("outer"), None));
        runs.add(run("inner", Some("middle"), Some(5)));
        let holds = runs.holds(&"inner".parse().unwrap());
        let told: Vec<_> =
            holds.iter().map(|hold| (hold.account.scope.as_str(), hold.limit.0)).collect();
        assert_eq!(told, [("run:inner", 5), ("run:outer", 9)]);
        assert!(runs.holds(&"unknown".parse().unwrap()).is_empty());
    }

    #[test]
    fn runs_that_name_each_other_end() {
        let runs = Runs::default();
        runs.add(run("a", Some("b"), Some(1)));
        runs.add(run("b", Some("a"), Some(1)));
        assert_eq!(runs.upwards(&"a".parse().unwrap()).len(), DEEPEST);
    }

    #[test]
    fn the_oldest_run_is_forgotten_first() {
        let runs = Runs::default();
        for n in 0..=MOST {
            runs.add(run(&format!("r{n}"), None, None));
        }
        assert!(runs.get(&"r0".parse().unwrap()).is_none());
        assert!(runs.get(&"r1".parse().unwrap()).is_some());
    }
}
