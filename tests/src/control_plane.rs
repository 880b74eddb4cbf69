//! A control plane in memory that keeps the rules of leases, and faults on the way to it: messages
//! that are lost, answered in vain, sent twice or delivered long after.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use iron_policy::control::{
    Acknowledged, Ask, Asks, Batch, Changes, Grant, Grants, Kept, Known, Refused, Report, Reports,
    Standing, Taken, size,
};
use iron_policy::types::NanoUsd;
use iron_proxy::control_plane::{Answer, ControlError, ControlPlane};

/// What happens to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// It does not arrive.
    Away,
    /// It arrives, and its answer does not.
    LostAnswer,
    /// It arrives twice.
    Twice,
    /// It arrives after others that were sent later, and is not answered.
    Late,
    /// It is answered with something that nobody can read, without being read itself.
    Garbage,
}

/// An account at the panel. `posted + leased <= limit`, overruns aside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// What may be spent.
    pub limit: i64,
    /// What was reported as spent.
    pub posted: i64,
    /// What proxies hold.
    pub leased: i64,
    /// What was taken back from proxies that may have spent it.
    pub reclaimed: i64,
}

/// A lease at the panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Of this proxy.
    pub proxy: String,
    /// In this account.
    pub account: Key,
    /// Counts the proxy's leases there.
    pub epoch: i64,
    granted: i64,
    spent: i64,
    returned: i64,
    sequence: i64,
    /// What it is.
    pub standing: Standing,
}

/// Budget, account and start.
pub type Key = (String, String, i64);

/// What the panel knows. It can be copied, and put back in the place of a later one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    limits: BTreeMap<String, i64>,
    /// The accounts.
    pub accounts: BTreeMap<Key, Account>,
    /// The leases, by id.
    pub leases: BTreeMap<String, Lease>,
    answered: BTreeMap<(String, String), Grants>,
    /// Calls on record: proxy, id, amount.
    pub calls: BTreeMap<(String, i64), i64>,
    /// Corrections and the like.
    pub extra: BTreeSet<(String, String)>,
}

#[derive(Debug)]
enum Message {
    Asks(Asks),
    Reports(Reports),
    Batch(Batch),
}

#[derive(Debug, Default)]
struct Inner {
    state: State,
    /// What happens to the next messages; nothing to those after them.
    faults: VecDeque<Fault>,
    down: bool,
    late: Vec<(String, Message)>,
    all: Vec<(String, Reports)>,
    asked: u64,
    /// Leases that ever were: no id comes twice, whatever state it is set back to.
    begun: u64,
    minimum: i64,
    /// A record that is refused whenever it comes.
    poison: Option<i64>,
    expires_in_ms: u64,
}

/// The panel.
#[derive(Debug, Clone, Default)]
pub struct Panel(Arc<Mutex<Inner>>);

/// The way of one proxy to it.
#[derive(Debug, Clone)]
pub struct Way {
    panel: Panel,
    proxy: String,
}

impl Panel {
    /// With these budgets and their limits.
    pub fn with(budgets: &[(&str, i64)]) -> Self {
        let panel = Self::default();
        let mut inner = panel.lock();
        inner.state.limits = budgets.iter().map(|(id, limit)| ((*id).to_owned(), *limit)).collect();
        inner.minimum = 1;
        inner.expires_in_ms = 600_000;
        drop(inner);
        panel
    }

    /// How this proxy reaches it.
    pub fn way(&self, proxy: &str) -> Arc<Way> {
        Arc::new(Way { panel: self.clone(), proxy: proxy.to_owned() })
    }

    /// What happens to the next messages.
    pub fn faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.lock().faults = faults.into_iter().collect();
    }

    /// Whether nobody reaches it.
    pub fn down(&self, down: bool) {
        self.lock().down = down;
    }

    /// Whether that is so.
    pub fn is_down(&self) -> bool {
        self.lock().down
    }

    /// For how long leases may be spent.
    pub fn expires_in(&self, time: Duration) {
        self.lock().expires_in_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    }

    /// Refuses this record, and every batch that it is in.
    pub fn poison(&self, call: i64) {
        self.lock().poison = Some(call);
    }

    /// How many requests for money came.
    pub fn asked(&self) -> u64 {
        self.lock().asked
    }

    /// What it knows now.
    pub fn state(&self) -> State {
        self.lock().state.clone()
    }

    /// Sets it back to what it knew.
    pub fn restore(&self, state: State) {
        self.lock().state = state;
    }

    /// Delivers what is late.
    pub fn deliver_late(&self) {
        let mut inner = self.lock();
        for (proxy, message) in std::mem::take(&mut inner.late) {
            match message {
                Message::Asks(asks) => drop(inner.grant(&proxy, &asks)),
                Message::Reports(reports) => drop(inner.report(&proxy, &reports)),
                Message::Batch(batch) => drop(inner.ingest(&proxy, &batch)),
            }
        }
    }

    /// Delivers every report that ever came once more, the newest first.
    pub fn replay(&self) {
        let mut inner = self.lock();
        for (proxy, reports) in inner.all.clone().iter().rev() {
            drop(inner.report(proxy, reports));
        }
    }

    /// Takes back what a lease still has. Returns that.
    pub fn reclaim(&self, lease: &str) -> i64 {
        let mut inner = self.lock();
        let state = &mut inner.state;
        let lease = state.leases.get_mut(lease).unwrap();
        let taken = lease.outstanding();
        lease.standing = Standing::Reclaimed;
        let account = state.accounts.get_mut(&lease.account).unwrap();
        account.leased -= taken;
        account.reclaimed += taken;
        taken
    }

    /// What is neither spent nor held of a budget's account.
    pub fn left(&self, budget: &str, account: &str) -> i64 {
        let inner = self.lock();
        let key = (budget.to_owned(), account.to_owned(), 0);
        inner.state.accounts.get(&key).map_or(inner.state.limits[budget], Account::left)
    }

    /// Adds to what was spent, whatever is left: for those who looked before.
    pub fn add_unchecked(&self, budget: &str, account: &str, amount: i64) {
        let mut inner = self.lock();
        let limit = inner.state.limits[budget];
        let key = (budget.to_owned(), account.to_owned(), 0);
        let fresh = Account { limit, ..Account::default() };
        inner.state.accounts.entry(key).or_insert(fresh).posted += amount;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }
}

impl Account {
    fn left(&self) -> i64 {
        (self.limit - self.posted - self.leased).max(0)
    }

    /// By how much more was spent or is held than the limit.
    pub fn over(&self) -> i64 {
        (self.posted + self.leased - self.limit).max(0)
    }
}

impl Lease {
    fn outstanding(&self) -> i64 {
        if self.standing == Standing::Open {
            (self.granted - self.spent - self.returned).max(0)
        } else {
            0
        }
    }
}

impl Inner {
    fn grant(&mut self, proxy: &str, asks: &Asks) -> Grants {
        self.asked += 1;
        let request = (proxy.to_owned(), asks.request.clone());
        if let Some(answer) = self.state.answered.get(&request) {
            return answer.clone();
        }
        let before = self.state.clone();
        let mut answer = Grants::default();
        for ask in &asks.asks {
            match self.one(proxy, ask) {
                Ok(grant) => answer.grants.push(grant),
                Err(refused) => answer.refused.push(refused),
            }
        }
        if !answer.refused.is_empty() {
            self.state = before;
            answer.grants.clear();
            return answer;
        }
        self.state.answered.insert(request, answer.clone());
        answer
    }

    fn one(&mut self, proxy: &str, ask: &Ask) -> Result<Grant, Refused> {
        let (minimum, expires_in_ms) = (self.minimum, self.expires_in_ms);
        self.begun += 1;
        let fresh_id = format!("lse_{}", self.begun);
        let state = &mut self.state;
        let key: Key = (ask.budget.clone(), ask.account.clone(), ask.start);
        let limit = state.limits.get(&ask.budget).copied().unwrap_or_default();
        let of_proxy = |lease: &&Lease| lease.account == key && lease.proxy == proxy;
        let epoch = state.leases.values().filter(of_proxy).map(|lease| lease.epoch).max();
        let others =
            state.leases.values().filter(|lease| lease.account == key && lease.proxy != proxy);
        let held: i64 = others.map(Lease::outstanding).sum();
        let fresh = Account { limit, ..Account::default() };
        let account = state.accounts.entry(key.clone()).or_insert(fresh);
        let refused = |reason: &str, left: i64| Refused {
            budget: ask.budget.clone(),
            account: ask.account.clone(),
            reason: reason.to_owned(),
            limit: NanoUsd(limit),
            left: NanoUsd(left),
            held: NanoUsd(held),
        };
        let left = account.left();
        let amount =
            size(NanoUsd(left), ask.need, NanoUsd(minimum), 3).filter(|amount| amount.0 > 0);
        let newest = state.leases.iter().find(|(_, lease)| {
            lease.account == key && lease.proxy == proxy && Some(lease.epoch) == epoch
        });
        let id = match (&ask.lease, newest) {
            (Some(named), Some((id, lease))) if named == id && lease.standing == Standing::Open => {
                Some(id.clone())
            }
            (Some(_), _) => return Err(refused("old_epoch", left)),
            (None, Some((id, lease)))
                if lease.standing == Standing::Open && lease.sequence == 0 =>
            {
                Some(id.clone())
            }
            (None, _) => None,
        };
        let amount = amount.ok_or_else(|| refused("exhausted", left))?;
        let id = id.unwrap_or(fresh_id);
        let lease = state.leases.entry(id.clone()).or_insert_with(|| Lease {
            proxy: proxy.to_owned(),
            account: key,
            epoch: epoch.unwrap_or_default() + 1,
            granted: 0,
            spent: 0,
            returned: 0,
            sequence: 0,
            standing: Standing::Open,
        });
        let before = lease.outstanding();
        lease.granted += amount.0;
        account.leased += lease.outstanding() - before;
        Ok(Grant {
            lease: id,
            budget: ask.budget.clone(),
            account: ask.account.clone(),
            start: ask.start,
            epoch: lease.epoch,
            amount: NanoUsd(lease.granted),
            limit: NanoUsd(limit),
            expires_in_ms,
        })
    }

    fn report(&mut self, proxy: &str, reports: &Reports) -> Acknowledged {
        let expires_in_ms = self.expires_in_ms;
        let kept = reports.reports.iter().map(|report| {
            let Some(lease) = self.state.leases.get_mut(&report.lease) else {
                return unknown(report);
            };
            if lease.proxy != proxy || lease.epoch != report.epoch {
                return unknown(report);
            }
            if report.sequence > lease.sequence {
                let account = self.state.accounts.get_mut(&lease.account).unwrap();
                let (spent, held) = (lease.spent, lease.outstanding());
                lease.sequence = report.sequence;
                lease.spent = report.spent.0;
                if lease.standing == Standing::Open {
                    lease.returned = lease.returned.max(report.returned.0);
                    if report.last {
                        lease.standing = Standing::Closed;
                    }
                }
                account.posted += lease.spent - spent;
                account.leased += lease.outstanding() - held;
            }
            let open = lease.standing == Standing::Open;
            Kept {
                lease: report.lease.clone(),
                sequence: lease.sequence,
                standing: lease.standing,
                expires_in_ms: if open { expires_in_ms } else { 0 },
            }
        });
        Acknowledged { kept: kept.collect() }
    }

    fn ingest(&mut self, proxy: &str, batch: &Batch) -> Result<Taken, ControlError> {
        if batch.calls.iter().any(|call| Some(call.id) == self.poison) {
            let (code, detail) = ("record_refused".to_owned(), "it cannot be true".to_owned());
            return Err(ControlError::Refused { code, detail });
        }
        let mut taken = Taken::default();
        for call in &batch.calls {
            let key = (proxy.to_owned(), call.id);
            match self.state.calls.insert(key, call.posted) {
                Some(_) => taken.known += 1,
                None => taken.new += 1,
            }
        }
        for extra in &batch.extra {
            if self.state.extra.insert((proxy.to_owned(), extra.id.clone())) {
                taken.new += 1;
            } else {
                taken.known += 1;
            }
        }
        taken.new += batch.breakers.len() as u64;
        Ok(taken)
    }
}

fn unknown(report: &Report) -> Kept {
    Kept { lease: report.lease.clone(), sequence: 0, standing: Standing::Unknown, expires_in_ms: 0 }
}

impl Way {
    /// What one message comes to, with what happens to it on its way.
    fn carry<T>(
        &self,
        message: impl FnOnce() -> Message,
        arrives: impl Fn(&mut Inner, &str) -> Result<T, ControlError>,
    ) -> Result<T, ControlError> {
        let lost = |why: &str| Err(ControlError::Unreachable(why.to_owned()));
        let mut inner = self.panel.lock();
        let fault = inner.faults.pop_front().unwrap_or_default();
        if inner.down {
            return lost("it is down");
        }
        match fault {
            Fault::None => arrives(&mut inner, &self.proxy),
            Fault::Away => lost("connection refused"),
            Fault::Garbage => lost("its answer makes no sense"),
            Fault::LostAnswer => {
                let _ = arrives(&mut inner, &self.proxy);
                lost("connection reset")
            }
            Fault::Twice => {
                let _ = arrives(&mut inner, &self.proxy);
                arrives(&mut inner, &self.proxy)
            }
            Fault::Late => {
                inner.late.push((self.proxy.clone(), message()));
                lost("no answer in time")
            }
        }
    }
}

impl ControlPlane for Way {
    fn changes<'a>(&'a self, _: &'a Known) -> Answer<'a, Changes> {
        Box::pin(async { Ok(Changes::default()) })
    }

    fn leases<'a>(&'a self, asks: &'a Asks) -> Answer<'a, Grants> {
        Box::pin(async move {
            // As a network would: other tasks go on meanwhile.
            tokio::task::yield_now().await;
            self.carry(|| Message::Asks(asks.clone()), |inner, proxy| Ok(inner.grant(proxy, asks)))
        })
    }

    fn report<'a>(&'a self, reports: &'a Reports) -> Answer<'a, Acknowledged> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.carry(
                || Message::Reports(reports.clone()),
                |inner, proxy| {
                    inner.all.push((proxy.to_owned(), reports.clone()));
                    Ok(inner.report(proxy, reports))
                },
            )
        })
    }

    fn ingest<'a>(&'a self, batch: &'a Batch) -> Answer<'a, Taken> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.carry(|| Message::Batch(batch.clone()), |inner, proxy| inner.ingest(proxy, batch))
        })
    }
}
