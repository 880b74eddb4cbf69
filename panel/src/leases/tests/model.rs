//! Proxies as the panel should find them: they spend what they hold, and tell of it late, twice, or
//! out of order.

use std::collections::BTreeMap;

use super::*;

/// A lease at a proxy.
#[derive(Debug, Clone)]
pub(super) struct Own {
    pub(super) id: String,
    epoch: i64,
    amount: i64,
    spent: i64,
    pending: i64,
    overrun: i64,
    returned: i64,
    sequence: i64,
    last: bool,
    /// Whether the proxy may take more from it.
    alive: bool,
}

impl Own {
    fn free(&self) -> i64 {
        self.amount - self.returned - self.spent - self.pending
    }
}

/// A proxy.
#[derive(Debug, Default)]
pub(super) struct Proxy {
    name: String,
    /// All leases that it ever had; those of a budget, oldest first.
    pub(super) leases: Vec<(usize, Own)>,
    /// Calls in flight: what each holds of which lease.
    calls: Vec<Vec<(usize, i64)>>,
    /// What was asked, to be asked again.
    asked: Vec<Asks>,
    /// Reports that are on their way.
    sent: Vec<Report>,
}

impl Proxy {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    fn of(&self, budget: usize) -> Option<usize> {
        let alive = |(of, own): &(usize, Own)| *of == budget && own.alive;
        self.leases.iter().position(alive)
    }

    /// Begins a call that may cost this much of each of these budgets, asking for more where it
    /// must. False where the panel refused.
    pub(super) async fn call(
        &mut self,
        panel: &Panel,
        budgets: &[(String, String)],
        touched: &[usize],
        cost: i64,
    ) -> bool {
        for _ in 0..3 {
            let free = |at: usize| self.of(at).map_or(0, |lease| self.leases[lease].1.free());
            let short: Vec<usize> = touched.iter().copied().filter(|at| free(*at) < cost).collect();
            if short.is_empty() {
                let holds: Vec<_> =
                    touched.iter().map(|at| (self.of(*at).unwrap(), cost)).collect();
                for (lease, cost) in &holds {
                    self.leases[*lease].1.pending += cost;
                }
                self.calls.push(holds);
                return true;
            }
            let request = asks(
                short
                    .iter()
                    .map(|at| {
                        let (budget, account) = &budgets[*at];
                        let lease = self.of(*at).map(|lease| self.leases[lease].1.id.clone());
                        ask(budget, account, lease.as_deref(), cost - free(*at))
                    })
                    .collect(),
            );
            self.asked.push(request.clone());
            if !self.ask(panel, budgets, &request).await {
                return false;
            }
        }
        false
    }

    /// Asks, and takes in the answer. False where it is no for good.
    async fn ask(&mut self, panel: &Panel, budgets: &[(String, String)], request: &Asks) -> bool {
        let mut room = BTreeMap::new();
        for ask in &request.asks {
            room.insert(ask.budget.clone(), left(panel, &ask.budget).await);
        }
        let answer = grant(panel, &self.name, request).await.unwrap();
        for refused in &answer.refused {
            match refused.reason.as_str() {
                "old_epoch" => self.forget(budgets, &refused.budget),
                "exhausted" => {
                    let need = request
                        .asks
                        .iter()
                        .find(|ask| ask.budget == refused.budget)
                        .unwrap()
                        .need
                        .0;
                    // Nothing is refused that would have fitted.
                    let room = room[&refused.budget];
                    assert!(room < need || room == 0, "{need} of {room} was refused");
                    return false;
                }
                other => panic!("refused for {other}"),
            }
        }
        for granted in answer.grants {
            let budget = budgets.iter().position(|(id, _)| *id == granted.budget).unwrap();
            let known = self.leases.iter().position(|(_, own)| own.id == granted.lease);
            if let Some(known) = known {
                let own = &mut self.leases[known].1;
                assert_eq!(own.epoch, granted.epoch);
                own.amount = own.amount.max(granted.amount.0);
            } else {
                self.forget(budgets, &granted.budget);
                let own = Own {
                    id: granted.lease,
                    epoch: granted.epoch,
                    amount: granted.amount.0,
                    spent: 0,
                    pending: 0,
                    overrun: 0,
                    returned: 0,
                    sequence: 0,
                    last: false,
                    alive: true,
                };
                self.leases.push((budget, own));
            }
        }
        true
    }

    fn forget(&mut self, budgets: &[(String, String)], budget: &str) {
        let at = budgets.iter().position(|(id, _)| id == budget).unwrap();
        for (of, own) in &mut self.leases {
            if *of == at {
                own.alive = false;
            }
        }
    }

    /// Asks again for what it asked before.
    pub(super) async fn ask_again(&mut self, panel: &Panel, which: usize) {
        if self.asked.is_empty() {
            return;
        }
        let request = self.asked[which % self.asked.len()].clone();
        let answer = grant(panel, &self.name, &request).await.unwrap();
        for granted in answer.grants {
            let known = self.leases.iter_mut().find(|(_, own)| own.id == granted.lease);
            // One that was refused before may be granted now, and the answer be lost.
            if let Some((_, own)) = known {
                own.amount = own.amount.max(granted.amount.0);
            }
        }
    }

    /// Ends a call that cost this many percent of what was held for it.
    pub(super) fn settle(&mut self, which: usize, percent: i64) {
        if self.calls.is_empty() {
            return;
        }
        let call = self.calls.swap_remove(which % self.calls.len());
        for (lease, held) in call {
            let own = &mut self.leases[lease].1;
            let cost = held * percent / 100;
            own.pending -= held;
            own.spent += cost;
            own.overrun += (cost - held).max(0);
        }
    }

    /// Gives back a part of what it does not need; all of it for the last time, where nothing is in
    /// flight.
    pub(super) fn give_back(&mut self, which: usize, last: bool) {
        if self.leases.is_empty() {
            return;
        }
        let at = which % self.leases.len();
        let own = &mut self.leases[at].1;
        if last && own.pending == 0 {
            own.last = true;
            own.alive = false;
        } else {
            own.returned += (own.free() / 3).max(0);
        }
    }

    /// Says how each lease is; nobody has heard it yet.
    pub(super) fn say(&mut self) {
        for (_, own) in &mut self.leases {
            own.sequence += 1;
            self.sent.push(Report {
                lease: own.id.clone(),
                epoch: own.epoch,
                sequence: own.sequence,
                spent: NanoUsd(own.spent),
                pending: NanoUsd(own.pending),
                overrun: NanoUsd(own.overrun),
                returned: NanoUsd(own.returned),
                last: own.last,
            });
        }
    }

    /// Brings some of what was said to the panel, in any order; it may come again.
    pub(super) async fn hear(&mut self, panel: &Panel, which: usize, twice: bool) {
        if self.sent.is_empty() {
            return;
        }
        let at = which % self.sent.len();
        let said = if twice { self.sent[at].clone() } else { self.sent.swap_remove(at) };
        self.bring(panel, vec![said]).await;
    }

    /// Brings the truth of now to the panel, and then all that is still on its way.
    pub(super) async fn reconcile(&mut self, panel: &Panel) {
        let late = std::mem::take(&mut self.sent);
        self.say();
        let sent = std::mem::take(&mut self.sent);
        self.bring(panel, sent).await;
        self.bring(panel, late).await;
    }

    async fn bring(&mut self, panel: &Panel, reports: Vec<Report>) {
        let answer = report(panel, &self.name, &Reports { reports }).await.unwrap();
        for kept in answer.kept {
            let (_, own) = self.leases.iter_mut().find(|(_, own)| own.id == kept.lease).unwrap();
            own.alive &= kept.standing == Standing::Open;
        }
    }

    /// All that it ever spent of a budget.
    pub(super) fn spent(&self, budget: usize) -> i64 {
        self.leases.iter().filter(|(of, _)| *of == budget).map(|(_, own)| own.spent).sum()
    }
}

/// What nobody has spent or holds of a budget's only account.
async fn left(panel: &Panel, budget: &str) -> i64 {
    let row = sqlx::query(
        "SELECT budget.limit_nano - COALESCE(account.posted, 0) - COALESCE(account.leased, 0)
         FROM budget LEFT JOIN account ON account.budget = budget.id WHERE budget.id = $1",
    )
    .bind(budget.to_owned())
    .fetch_one(panel.store.pool())
    .await
    .unwrap();
    row.try_get(0).unwrap()
}
