//! Three proxies on one budget, against a panel in memory: random lives of calls, messages that are
//! lost, doubled and late, kills and restarts. I4, I7, I9 and I10 hold and nothing is overspent; the
//! same shown to fail where it is looked first and added after.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use iron_policy::budget::Window;
use iron_policy::control::LeasedBudget;
use iron_policy::types::{CallId, NanoUsd, Outcome};
use iron_proxy::lease::{Leases, SystemClock, Terms};
use iron_proxy::report::{Pace, Records};
use iron_proxy::state::{
    CallRecord, End, Hold, LeaseHold, LeaseKey, LeaseState, Ledger, Options, ReserveError,
    Settlement, Source, Store,
};
use iron_tests::control_plane::{Fault, Panel};
use tempfile::TempDir;

const BUDGET: &str = "bud_1";
const ACCOUNT: &str = "organisation";

const TERMS: Terms = Terms {
    report_every: Duration::from_millis(15),
    heartbeat: Duration::from_mins(1),
    idle: Duration::from_mins(1),
    patience: Duration::from_millis(60),
    timeout: Duration::from_secs(5),
    cool_down: Duration::from_millis(1),
};

const PACE: Pace = Pace {
    every: Duration::from_millis(15),
    timeout: Duration::from_secs(5),
    patience: Duration::from_secs(20),
    longest_pause: Duration::from_millis(50),
};

/// A proxy as far as its money goes.
struct Proxy {
    name: &'static str,
    path: PathBuf,
    ledger: Ledger,
    leases: Arc<Leases>,
    records: Records,
    /// What is held, by call.
    open: BTreeMap<i64, i64>,
    last: i64,
}

impl Proxy {
    async fn start(panel: &Panel, name: &'static str, path: PathBuf) -> Self {
        let (ledger, recovery) = Ledger::open(&path, &Options::default()).unwrap();
        assert_eq!(recovery.repaired, 0);
        let clock = Arc::new(SystemClock::new());
        let leases = Leases::start(ledger.clone(), panel.way(name), clock, TERMS).await.unwrap();
        let records = Records::start(ledger.clone(), panel.way(name), Weak::new(), PACE);
        let records = records.await.unwrap();
        let (leases, open) = (Arc::new(leases), BTreeMap::new());
        Self { name, path, ledger, leases, records, open, last: recovery.last.0 }
    }

    fn next(&mut self) -> i64 {
        self.last += 1;
        self.last
    }

    /// Holds an amount in the organisation's budget.
    fn hold(
        &self,
        id: i64,
        amount: i64,
    ) -> impl Future<Output = Result<(), ReserveError>> + Send + use<> {
        let lease = LeaseHold {
            key: LeaseKey { budget: BUDGET.into(), account: ACCOUNT.into(), start: 0 },
            window: Window::Total,
            resets_at: None,
            limit: NanoUsd(0),
            clamp: false,
        };
        let hold = Hold {
            record: CallRecord { reserved: NanoUsd(amount), ..record(id) },
            accounts: Vec::new(),
            leases: vec![lease],
        };
        let leases = Arc::clone(&self.leases);
        async move { leases.hold(hold).await }
    }

    fn settle(&mut self, id: i64, end: End) -> i64 {
        let reserved = self.open.remove(&id).unwrap();
        let posted = match end {
            End::Post(amount) => amount.0,
            End::Void => 0,
            End::PostWhole => reserved,
        };
        let record = CallRecord {
            reserved: NanoUsd(reserved),
            posted: NanoUsd(posted),
            outcome: Outcome::Ok,
            ..record(id)
        };
        self.ledger.settle(Settlement { end, record });
        posted
    }

    /// Nothing is said or given back any more, and what is open stays so in the file; another process
    /// goes on with that. Returns it, and what its open calls are charged for.
    async fn kill(self, panel: &Panel) -> (Self, i64) {
        let Self { name, path, ledger, leases, records, open, .. } = self;
        drop((leases, records));
        ledger.close().await;
        (Self::start(panel, name, path).await, open.values().sum())
    }

    /// I7 at the proxy: what is spent and held of a lease is no more than what it has of it.
    fn check(&self) {
        for row in Store::open(&self.path).unwrap().leases().unwrap() {
            assert!(row.room() >= NanoUsd::ZERO, "I7: {row:?}");
        }
    }

    fn room(&self) -> i64 {
        let leases = Store::open(&self.path).unwrap().leases().unwrap();
        let open = leases.iter().filter(|row| row.state == LeaseState::Open);
        open.map(|row| row.room().0).sum()
    }
}

fn record(id: i64) -> CallRecord {
    CallRecord { model: "m".to_owned(), endpoint: "chat", ..CallRecord::new(CallId(id)) }
}

/// Three proxies, a budget, and what was really spent of it.
struct World {
    folder: TempDir,
    panel: Panel,
    proxies: Vec<Proxy>,
    limit: i64,
    spent: i64,
    refused: [usize; 2],
    random: fastrand::Rng,
}

impl World {
    async fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let folder = tempfile::tempdir().unwrap();
        let limit = random.i64(500..3_000);
        let panel = Panel::with(&[(BUDGET, limit)]);
        let mut proxies = Vec::new();
        for name in ["one", "two", "three"] {
            let path = folder.path().join(format!("{name}.db"));
            proxies.push(Proxy::start(&panel, name, path).await);
        }
        Self { folder, panel, proxies, limit, spent: 0, refused: [0; 2], random }
    }

    async fn step(&mut self) {
        match self.random.u32(0..100) {
            0..40 => self.calls().await,
            40..70 => self.settle(),
            70..80 => {
                let faults = [
                    Fault::None,
                    Fault::Away,
                    Fault::LostAnswer,
                    Fault::Twice,
                    Fault::Late,
                    Fault::Garbage,
                ];
                let count = self.random.usize(1..6);
                let random = &mut self.random;
                let faults: Vec<Fault> =
                    (0..count).map(|_| *random.choice(&faults).unwrap()).collect();
                self.panel.faults(faults);
            }
            80..84 => self.panel.deliver_late(),
            84..88 => self.panel.down(true),
            88..92 => {
                let which = self.random.usize(0..3);
                // The panel may not hear it: that is what is tried.
                let _ = self.proxies[which].leases.report_now().await;
            }
            92..96 => {
                let which = self.random.usize(0..3);
                let proxy = self.proxies.remove(which);
                let (proxy, charged) = proxy.kill(&self.panel).await;
                self.spent += charged;
                self.proxies.insert(which, proxy);
            }
            _ => self.one_alone().await,
        }
        self.check();
    }

    /// Some calls at once, at any of the proxies.
    async fn calls(&mut self) {
        let is_down = self.panel.is_down();
        let mut under_way = Vec::new();
        for _ in 0..self.random.usize(1..8) {
            let (which, amount) = (self.random.usize(0..3), self.random.i64(0..120));
            let id = self.proxies[which].next();
            let held = self.proxies[which].hold(id, amount);
            under_way.push((which, id, amount, tokio::spawn(held)));
        }
        for (which, id, amount, held) in under_way {
            match held.await.unwrap() {
                Ok(()) => drop(self.proxies[which].open.insert(id, amount)),
                Err(ReserveError::Exhausted(why)) => match why.source {
                    Source::Panel { .. } => self.refused[0] += 1,
                    Source::Away { .. } => self.refused[1] += 1,
                    Source::Local => panic!("{why:?}"),
                },
                Err(other) => panic!("{other}"),
            }
        }
        if is_down && self.random.bool() {
            self.panel.down(false);
        }
    }

    /// I10: alone, and with the panel there, a call is refused only where it does not fit.
    async fn one_alone(&mut self) {
        self.panel.faults([]);
        self.panel.down(false);
        let (which, amount) = (self.random.usize(0..3), self.random.i64(1..400));
        let proxy = &mut self.proxies[which];
        // What the panel has of it is brought up to date first.
        proxy.leases.report_now().await.unwrap();
        let id = proxy.next();
        match proxy.hold(id, amount).await {
            Ok(()) => drop(proxy.open.insert(id, amount)),
            Err(error) => {
                let fits = self.panel.left(BUDGET, ACCOUNT) + proxy.room();
                assert!(amount > fits, "I10: {amount} refused where {fits} is left: {error:?}");
            }
        }
    }

    fn settle(&mut self) {
        let which = self.random.usize(0..3);
        let proxy = &mut self.proxies[which];
        let ids: Vec<i64> = proxy.open.keys().copied().collect();
        let Some(id) = self.random.choice(&ids) else { return };
        let reserved = proxy.open[id];
        let end = match self.random.u32(0..6) {
            0 => End::Void,
            1 => End::PostWhole,
            _ => End::Post(NanoUsd(self.random.i64(0..=reserved))),
        };
        self.spent += proxy.settle(*id, end);
    }

    fn check(&self) {
        self.proxies.iter().for_each(Proxy::check);
        let held: i64 = self.proxies.iter().flat_map(|proxy| proxy.open.values()).sum();
        let total = self.spent + held;
        assert!(total <= self.limit, "overspent by {}", total - self.limit);
        for account in self.panel.state().accounts.values() {
            assert_eq!(account.over(), 0, "I7 at the panel: {account:?}");
        }
    }

    /// All is well again, every call ends, and everybody stops.
    async fn end(mut self) {
        self.panel.faults([]);
        self.panel.down(false);
        for which in 0..3 {
            for id in self.proxies[which].open.keys().copied().collect::<Vec<_>>() {
                self.spent += self.proxies[which].settle(id, End::PostWhole);
            }
        }
        self.panel.deliver_late();
        for proxy in &self.proxies {
            proxy.ledger.flush().await;
            // A first round may find a lease that ends, and a second that it has ended.
            proxy.leases.close().await;
            proxy.leases.close().await;
            assert!(proxy.records.flush().await);
        }
        let state = self.panel.state();
        let posted: i64 = state.accounts.values().map(|account| account.posted).sum();
        assert_eq!(posted, self.spent, "what was spent is what the panel has on record");
        let calls: i64 = state.calls.values().sum();
        assert_eq!(calls, self.spent, "and so do the calls that it was told of");
        // Whatever comes again, and in whichever order, changes nothing.
        self.panel.replay();
        assert_eq!(self.panel.state(), state, "I4");
        for proxy in &self.proxies {
            assert_eq!(Store::open(&proxy.path).unwrap().untold().unwrap(), (0, 0));
            proxy.ledger.close().await;
        }
        drop(self.folder);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_becomes_of_messages_and_proxies_nothing_is_overspent_or_lost() {
    let (mut refused, mut spent) = ([0; 2], 0);
    for seed in 0..10 {
        println!("seed {seed}");
        let mut world = World::new(seed).await;
        for _ in 0..50 {
            world.step().await;
        }
        refused = [refused[0] + world.refused[0], refused[1] + world.refused[1]];
        spent += world.spent;
        world.end().await;
    }
    // The lives were such that something could go wrong in them.
    assert!(refused.iter().all(|count| *count > 0) && spent > 0, "{refused:?} {spent}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_first_and_adding_after_overspends() {
    let panel = Panel::with(&[(BUDGET, 100)]);
    let calls = (0..30).map(|_| {
        let panel = panel.clone();
        tokio::spawn(async move {
            if panel.left(BUDGET, ACCOUNT) >= 10 {
                tokio::task::yield_now().await;
                panel.add_unchecked(BUDGET, ACCOUNT, 10);
            }
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    let over: i64 =
        panel.state().accounts.values().map(iron_tests::control_plane::Account::over).sum();
    assert!(over > 0, "the check of the other test would not have seen it");
}

async fn alone(panel: &Panel) -> (TempDir, Proxy) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.db");
    let proxy = Proxy::start(panel, "one", path).await;
    (folder, proxy)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_with_room_ask_nobody_and_those_that_lack_it_ask_together() {
    let panel = Panel::with(&[(BUDGET, 60_000)]);
    let (_folder, mut proxy) = alone(&panel).await;
    let ids: Vec<i64> = (0..100).map(|_| proxy.next()).collect();
    let calls: Vec<_> = ids.iter().map(|id| tokio::spawn(proxy.hold(*id, 50))).collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    // 10,000 were granted at first: a sixth of 60,000. Nobody needed more.
    let asked = panel.asked();
    assert!(asked <= 3, "{asked} requests for 100 calls");
    // And with the panel gone they go on, down to the last of it.
    panel.down(true);
    let mut held = 0;
    let refused = loop {
        let id = proxy.next();
        match proxy.hold(id, 500).await {
            Ok(()) => held += 1,
            Err(error) => break error,
        }
    };
    assert!(held >= 10, "{held}");
    assert!(proxy.room() < 500);
    let ReserveError::Exhausted(why) = refused else { panic!("{refused:?}") };
    assert!(matches!(why.source, Source::Away { .. }), "{why:?}");
    assert!(proxy.leases.away_since().is_some());
    panel.down(false);
    let id = proxy.next();
    // Refusals at once last for a moment only.
    tokio::time::timeout(Duration::from_secs(10), async {
        while proxy.hold(id, 500).await.is_err() {}
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_reclaimed_is_not_spent_and_what_was_spent_of_it_is_told() {
    let panel = Panel::with(&[(BUDGET, 600)]);
    let (_folder, mut proxy) = alone(&panel).await;
    let id = proxy.next();
    proxy.hold(id, 40).await.unwrap();
    proxy.open.insert(id, 40);
    let lease = panel.state().leases.keys().next().unwrap().clone();
    let taken = panel.reclaim(&lease);
    assert!(taken >= 40);
    proxy.leases.report_now().await.unwrap();
    let id = proxy.next();
    proxy.hold(id, 10).await.unwrap();
    proxy.open.insert(id, 10);
    assert_eq!(panel.state().leases.len(), 2, "another lease, of the next epoch");
    for id in [1, 2] {
        proxy.settle(id, End::PostWhole);
    }
    proxy.ledger.flush().await;
    proxy.leases.close().await;
    let state = panel.state();
    let account = state.accounts.values().next().unwrap();
    assert_eq!((account.posted, account.leased, account.reclaimed), (50, 0, taken));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panel_set_back_to_an_older_state_does_not_make_a_proxy_spend_more() {
    let panel = Panel::with(&[(BUDGET, 600)]);
    let (_folder, mut proxy) = alone(&panel).await;
    let before = panel.state();
    let id = proxy.next();
    proxy.hold(id, 40).await.unwrap();
    panel.restore(before);
    // The panel knows nothing of the lease any more: nothing more is spent of it.
    proxy.leases.report_now().await.unwrap();
    let id = proxy.next();
    proxy.hold(id, 10).await.unwrap();
    let state = panel.state();
    assert_eq!(state.leases.len(), 1);
    let account = state.accounts.values().next().unwrap();
    assert!(account.leased >= 10 && account.over() == 0, "{account:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_call_holds_of_a_budget_goes_back_when_its_limit_is_lowered() {
    let panel = Panel::with(&[(BUDGET, 600)]);
    let (_folder, mut proxy) = alone(&panel).await;
    let limit = |nano| LeasedBudget {
        id: BUDGET.to_owned(),
        scope: ACCOUNT.to_owned(),
        window: "total".to_owned(),
        zone: "UTC".to_owned(),
        limit: NanoUsd(nano),
        clamp: false,
    };
    proxy.leases.set_budgets(&[limit(600)]);
    let id = proxy.next();
    proxy.hold(id, 40).await.unwrap();
    let leased = || panel.state().accounts.values().next().unwrap().leased;
    assert!(leased() > 40);
    // The same again, or more, gives nothing back.
    proxy.leases.set_budgets(&[limit(700)]);
    proxy.leases.report_now().await.unwrap();
    assert!(leased() > 40);
    proxy.leases.set_budgets(&[limit(50)]);
    proxy.leases.report_now().await.unwrap();
    assert_eq!(leased(), 40, "what the open call holds is all that stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_lease_waits_for_the_panels_word() {
    let panel = Panel::with(&[(BUDGET, 600)]);
    panel.expires_in(Duration::from_millis(1));
    let (_folder, mut proxy) = alone(&panel).await;
    panel.expires_in(Duration::from_mins(10));
    let id = proxy.next();
    proxy.hold(id, 10).await.unwrap();
    // To another boot of the machine every lease has expired. Nobody renews it meanwhile.
    panel.down(true);
    proxy.ledger.booted("another").await.unwrap();
    let id = proxy.next();
    let refused = proxy.hold(id, 1).await.unwrap_err();
    assert!(matches!(refused, ReserveError::Exhausted(why) if why.left == NanoUsd::ZERO));
    panel.down(false);
    let id = proxy.next();
    tokio::time::timeout(Duration::from_secs(10), async {
        while proxy.hold(id, 1).await.is_err() {}
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_reach_the_panel_once_whatever_happens_to_them() {
    let panel = Panel::with(&[(BUDGET, 1)]);
    let (_folder, proxy) = alone(&panel).await;
    panel.down(true);
    for id in 1..=1_700 {
        proxy.ledger.record(record(id));
    }
    proxy.ledger.flush().await;
    panel.poison(1_234);
    panel.faults([
        Fault::Away,
        Fault::Garbage,
        Fault::LostAnswer,
        Fault::Twice,
        Fault::Late,
        Fault::LostAnswer,
    ]);
    let (proxy, _) = proxy.kill(&panel).await;
    panel.down(false);
    let told = async { while !proxy.records.flush().await {} };
    tokio::time::timeout(Duration::from_secs(20), told).await.unwrap();
    panel.deliver_late();
    let calls = panel.state().calls;
    assert_eq!(calls.len(), 1_699);
    // The one that no panel takes is kept, and held nobody else up.
    assert_eq!(Store::open(&proxy.path).unwrap().untold().unwrap(), (1, 1));
}
