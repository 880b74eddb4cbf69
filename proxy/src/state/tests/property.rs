//! The ledger against a model of it, over random lives of a proxy: calls that begin and end in
//! every way, limits that change, windows that follow each other, restarts and kills.
//!
//! I2, I3, I4, I5 and I10 are checked after every step, in a reader of the test's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use iron_policy::types::{NanoUsd, Outcome};
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{
    Ledger, balances, batch, budget_from, copy_as_killed, end, hold, open, reader, record,
};
use crate::state::{End, ReserveError};

const SCOPES: [&str; 3] = ["agent:a", "organisation", "project:p"];
const STARTS: [i64; 2] = [1_000, 2_000];

#[derive(Debug, Clone)]
enum Step {
    /// Of the accounts whose bits are set, in one of the windows.
    Reserve {
        accounts: u8,
        window: usize,
        amount: i64,
    },
    /// Ends one of the open calls.
    Settle {
        which: prop::sample::Index,
        how: How,
    },
    /// Ends one of the calls that ended before once more.
    Again {
        which: prop::sample::Index,
        how: How,
    },
    /// Lets one of the open calls wait for the results of a batch.
    Bind {
        which: prop::sample::Index,
    },
    /// Ends one of those that wait, and maybe once more.
    EndBatch {
        which: prop::sample::Index,
        how: How,
        twice: bool,
    },
    /// Begins one of the calls that ended before once more.
    Reuse {
        which: prop::sample::Index,
    },
    /// Ends a call that nobody began.
    Unknown {
        how: How,
    },
    /// The record of a call that was refused before money came into it.
    Record,
    Limit {
        scope: usize,
        limit: i64,
    },
    Restart,
    Kill,
}

#[derive(Debug, Clone, Copy)]
enum How {
    /// By so many per cent of what was held.
    Post(i64),
    Void,
    Whole,
}

impl How {
    fn end(self, reserved: i64) -> End {
        match self {
            Self::Post(percent) => End::Post(NanoUsd(reserved * percent / 100)),
            Self::Void => End::Void,
            Self::Whole => End::PostWhole,
        }
    }
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        4 => (0_i64..100).prop_map(How::Post),
        2 => Just(How::Post(100)),
        1 => (101_i64..180).prop_map(How::Post),
        2 => Just(How::Void),
        2 => Just(How::Whole),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let which = any::<prop::sample::Index>;
    prop_oneof![
        16 => (1_u8..8, 0_usize..2, 0_i64..160)
            .prop_map(|(accounts, window, amount)| Step::Reserve { accounts, window, amount }),
        10 => (which(), how()).prop_map(|(which, how)| Step::Settle { which, how }),
        3 => (which(), how()).prop_map(|(which, how)| Step::Again { which, how }),
        4 => which().prop_map(|which| Step::Bind { which }),
        4 => (which(), how(), any::<bool>())
            .prop_map(|(which, how, twice)| Step::EndBatch { which, how, twice }),
        1 => which().prop_map(|which| Step::Reuse { which }),
        1 => how().prop_map(|how| Step::Unknown { how }),
        1 => Just(Step::Record),
        2 => (0_usize..3, 0_i64..600).prop_map(|(scope, limit)| Step::Limit { scope, limit }),
        1 => Just(Step::Restart),
        1 => Just(Step::Kill),
    ]
}

type Key = (&'static str, i64);
/// Posted, outcome, estimated.
type Ended = (i64, &'static str, bool);

/// What the ledger should be.
#[derive(Debug, Default)]
struct Model {
    limits: [i64; 3],
    /// Pending and posted.
    accounts: BTreeMap<Key, (i64, i64)>,
    open: BTreeMap<i64, (i64, Vec<Key>)>,
    /// Those that wait for a batch.
    waiting: BTreeMap<i64, (i64, Vec<Key>)>,
    ended: BTreeMap<i64, Ended>,
    last: i64,
}

impl Model {
    fn next(&mut self) -> i64 {
        self.last += 1;
        self.last
    }

    fn reserve(&mut self, id: i64, amount: i64, keys: &[(Key, i64)]) -> bool {
        // Accounts come into being when they are asked for, in order, up to the one that refuses.
        for (key, limit) in keys {
            let (pending, posted) = *self.accounts.entry(*key).or_default();
            if pending + posted + amount > *limit {
                return false;
            }
        }
        for (key, _) in keys {
            self.accounts.entry(*key).or_default().0 += amount;
        }
        self.open.insert(id, (amount, keys.iter().map(|(key, _)| *key).collect()));
        true
    }

    fn settle(&mut self, id: i64, end: End) {
        let found = self.open.remove(&id).or_else(|| self.waiting.remove(&id));
        let Some((amount, keys)) = found else {
            self.ended.entry(id).or_insert((0, "ok", false));
            return;
        };
        let posted = match end {
            End::Post(actual) => actual.0,
            End::Void => 0,
            End::PostWhole => amount,
        };
        self.charge(&keys, amount, posted);
        self.ended.insert(id, (posted, "ok", end == End::PostWhole));
    }

    fn charge(&mut self, keys: &[Key], held: i64, posted: i64) {
        for key in keys {
            let balance = self.accounts.entry(*key).or_default();
            balance.0 -= held;
            balance.1 += posted;
        }
    }

    /// What a start makes of what the last run left open.
    fn recover(&mut self) -> u64 {
        let open = std::mem::take(&mut self.open);
        let count = open.len() as u64;
        for (id, (amount, keys)) in open {
            self.charge(&keys, amount, amount);
            self.ended.insert(id, (amount, "recovered", true));
        }
        count
    }

    fn pick<V>(of: &BTreeMap<i64, V>, which: prop::sample::Index) -> Option<i64> {
        if of.is_empty() { None } else { of.keys().nth(which.index(of.len())).copied() }
    }
}

struct World {
    runtime: Runtime,
    folder: TempDir,
    path: PathBuf,
    ledger: Ledger,
    model: Model,
    kills: usize,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.db");
        let (ledger, _) = open(&path);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let model = Model { limits: [300, 500, 400], ..Model::default() };
        Self { runtime, folder, path, ledger, model, kills: 0 }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Reserve { accounts, window, amount } => {
                self.reserve(*accounts, STARTS[*window], *amount);
            }
            Step::Settle { which, how } => {
                if let Some(id) = Model::pick(&self.model.open, *which) {
                    self.settle(id, self.model.open[&id].0, *how);
                }
            }
            Step::Again { which, how } => {
                if let Some(id) = Model::pick(&self.model.ended, *which) {
                    self.settle(id, 100, *how);
                }
            }
            Step::Bind { which } => {
                if let Some(id) = Model::pick(&self.model.open, *which) {
                    let held = self.model.open.remove(&id).unwrap();
                    self.runtime.block_on(self.ledger.bind(batch(id, held.0))).unwrap();
                    self.model.waiting.insert(id, held);
                }
            }
            Step::EndBatch { which, how, twice } => {
                if let Some(id) = Model::pick(&self.model.waiting, *which) {
                    let end = how.end(self.model.waiting[&id].0);
                    for _ in 0..=u8::from(*twice) {
                        self.ledger.end_batch(&super::key(id), |record| {
                            record.outcome = Outcome::Ok;
                            end
                        });
                    }
                    self.model.settle(id, end);
                }
            }
            Step::Reuse { which } => {
                if let Some(id) = Model::pick(&self.model.ended, *which) {
                    let limit = i64::MAX;
                    let again = hold(id, 1, vec![budget_from(SCOPES[0], STARTS[0], limit)]);
                    let refused = self.runtime.block_on(self.ledger.reserve(again));
                    assert!(matches!(refused, Err(ReserveError::Unavailable(_))));
                    self.model.accounts.entry((SCOPES[0], STARTS[0])).or_default();
                }
            }
            Step::Unknown { how } => {
                let id = self.model.next();
                self.settle(id, 100, *how);
            }
            Step::Record => {
                let id = self.model.next();
                self.ledger.record(record(id));
                self.model.ended.insert(id, (0, "refused", false));
            }
            Step::Limit { scope, limit } => self.model.limits[*scope] = *limit,
            Step::Restart => self.restart(),
            Step::Kill => self.kill(),
        }
        self.runtime.block_on(self.ledger.flush());
    }

    fn reserve(&mut self, accounts: u8, start: i64, amount: i64) {
        let named = SCOPES.iter().zip(self.model.limits).enumerate();
        let keys: Vec<(Key, i64)> = named
            .filter(|(place, _)| accounts & (1 << place) != 0)
            .map(|(_, (scope, limit))| ((*scope, start), limit))
            .collect();
        let holds = keys.iter().map(|((scope, start), limit)| budget_from(scope, *start, *limit));
        let id = self.model.next();
        let asked = hold(id, amount, holds.collect());
        let admitted = match self.runtime.block_on(self.ledger.reserve(asked)) {
            Ok(_) => true,
            Err(ReserveError::Exhausted(why)) => {
                // Where a limit was lowered below what is held, even nothing is too much.
                let covers = why.left.0 >= amount && amount > 0;
                assert!(!covers, "refused although {why:?} covers {amount}");
                false
            }
            Err(other) => panic!("{other}"),
        };
        assert_eq!(admitted, self.model.reserve(id, amount, &keys), "I10: {amount} of {keys:?}");
        if admitted {
            for (key, limit) in keys {
                let (pending, posted) = self.model.accounts[&key];
                assert!(pending + posted <= limit, "I2: {key:?}");
            }
        }
    }

    fn settle(&mut self, id: i64, reserved: i64, how: How) {
        self.ledger.settle(end(id, reserved, how.end(reserved)));
        self.model.settle(id, how.end(reserved));
    }

    fn restart(&mut self) {
        self.runtime.block_on(self.ledger.close());
        self.reopen();
    }

    fn kill(&mut self) {
        self.kills += 1;
        let copy = self.folder.path().join(format!("{}.db", self.kills));
        self.path = copy_as_killed(&self.path, copy);
        self.reopen();
    }

    fn reopen(&mut self) {
        let (ledger, recovery) = open(&self.path);
        self.ledger = ledger;
        assert_eq!((recovery.recovered, recovery.repaired), (self.model.recover(), 0));
    }

    fn check(&self) {
        let mut seen = BTreeMap::new();
        for balance in balances(&self.path) {
            assert!(balance.pending >= 0 && balance.posted >= 0, "I2: {balance:?}");
            assert_eq!(
                (balance.pending, balance.posted),
                (balance.pending_fold, balance.posted_fold),
                "I5: {balance:?}"
            );
            seen.insert((balance.scope, balance.start), (balance.pending, balance.posted));
        }
        let named = |((scope, start), balance): (&Key, &(i64, i64))| {
            ((String::from(*scope), *start), *balance)
        };
        assert_eq!(seen, self.model.accounts.iter().map(named).collect());
        assert_eq!(
            calls(&self.path),
            self.model.ended.iter().map(owned).collect::<Vec<_>>(),
            "I3, I4"
        );
    }
}

fn owned((id, (posted, outcome, estimated)): (&i64, &Ended)) -> (i64, i64, String, bool) {
    (*id, *posted, String::from(*outcome), *estimated)
}

/// Every row of the journal in the order of ids.
fn calls(path: &Path) -> Vec<(i64, i64, String, bool)> {
    let connection = reader(path);
    let mut statement =
        connection.prepare("SELECT id, posted, outcome, estimated FROM call ORDER BY id").unwrap();
    let rows =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)));
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        max_shrink_iters: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_ledger_is_what_the_model_says(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
            world.check();
        }
        world.kill();
        world.check();
    }
}
