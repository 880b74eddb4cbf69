//! Asking the panel for more: one request for all calls that lack the same, one at a time for each
//! account.
//!
//! A flight asks for everything that its calls lack, of all or nothing. Where the panel refuses, it
//! says what is left: calls that this cannot cover are refused, and for those that it can the flight
//! asks again. A call whose account is in somebody else's flight waits until that has landed, and
//! then tries again: the grant is a share of the budget and mostly enough for it as well.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use iron_policy::control::{Ask, Asks, Grant, Grants, Refused};
use iron_policy::types::{Name, NanoUsd};
use tokio::sync::oneshot;

use super::contact::Away;
use super::{Inner, LeaseKey, expires};
use crate::control_plane::ControlError;
use crate::state::{
    Exhausted, Granted, LeaseHold, LeaseState, Low, ReserveError, Room, Short, Source,
};

/// Calls that wait, and accounts that are asked for.
#[derive(Debug, Default)]
pub(super) struct Desk {
    waiting: Vec<Want>,
    busy: HashSet<LeaseKey>,
}

/// A call that waits for money.
#[derive(Debug)]
struct Want {
    short: Vec<Short>,
    keys: Vec<LeaseKey>,
    token: Option<Name>,
    /// It tries again by itself when a flight lands that shares an account with it.
    wakes: bool,
    answer: oneshot::Sender<Verdict>,
}

/// What comes of waiting.
#[derive(Debug)]
pub(super) enum Verdict {
    /// There may be room now.
    Again,
    /// There will be none.
    Refused(ReserveError),
}

/// A request that is under way. Dropped, it lets the next one for its accounts begin.
struct Flight {
    inner: Arc<Inner>,
    keys: Vec<LeaseKey>,
    wants: Vec<Want>,
    /// What is asked for ahead of need, for nobody.
    ahead: Option<Low>,
}

/// How often the panel may contradict itself before a call is refused.
const MOST_TRIES: usize = 4;
/// How long nothing is asked for ahead of need where the last time brought nothing.
const NOTHING_AHEAD: Duration = Duration::from_secs(5);
/// Accounts for which that is remembered.
const MOST_AHEAD: usize = 10_000;

impl Inner {
    /// Waits for more in all accounts that a call lacks it in.
    pub(super) async fn top_up(
        self: &Arc<Self>,
        short: Vec<Short>,
        token: Option<&Name>,
        round: usize,
    ) -> Verdict {
        // Asked for a moment ago: who is told so at once can go elsewhere at once.
        if let Some(away) = self.core.contact.away()
            && away.gave_up.is_some_and(|at| at.elapsed() < self.core.terms.cool_down)
        {
            return Verdict::Refused(without(&short, &away));
        }
        let (answer, verdict) = oneshot::channel();
        let mut keys: Vec<_> = short.iter().map(|short| short.hold.key.clone()).collect();
        keys.sort();
        let token = token.cloned();
        self.desk().waiting.push(Want { short, keys, token, wakes: round == 0, answer });
        self.depart();
        let gone = || ReserveError::Unavailable("the proxy stops".to_owned());
        verdict.await.unwrap_or_else(|_| Verdict::Refused(gone()))
    }

    /// Asks for more of leases that are running low, for nobody in particular.
    pub(super) fn ask_ahead(self: &Arc<Self>, low: Vec<Low>) {
        for low in low {
            if self.core.contact.away().is_some() || !self.may_ask_ahead(&low.hold.key) {
                continue;
            }
            let key = low.hold.key.clone();
            if self.desk().busy.insert(key.clone()) {
                let (keys, ahead) = (vec![key], Some(low));
                let flight = Flight { inner: Arc::clone(self), keys, wants: Vec::new(), ahead };
                tokio::spawn(flight.fly());
            }
        }
    }

    fn may_ask_ahead(&self, key: &LeaseKey) -> bool {
        let not_ahead = self.not_ahead.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        not_ahead.get(key).is_none_or(|until| *until <= Instant::now())
    }

    fn nothing_ahead(&self, key: &LeaseKey) {
        let mut not_ahead =
            self.not_ahead.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if not_ahead.len() >= MOST_AHEAD {
            not_ahead.clear();
        }
        not_ahead.insert(key.clone(), Instant::now() + NOTHING_AHEAD);
    }

    /// Begins every flight whose accounts are free.
    fn depart(self: &Arc<Self>) {
        let mut flights: Vec<(Vec<LeaseKey>, Option<Name>, Vec<Want>)> = Vec::new();
        {
            let mut desk = self.desk();
            for want in std::mem::take(&mut desk.waiting) {
                if want.answer.is_closed() {
                    continue;
                }
                let same = |flight: &&mut (Vec<LeaseKey>, Option<Name>, Vec<Want>)| {
                    flight.0 == want.keys && flight.1 == want.token
                };
                if let Some((_, _, wants)) = flights.iter_mut().find(same) {
                    wants.push(want);
                } else if want.keys.iter().any(|key| desk.busy.contains(key)) {
                    desk.waiting.push(want);
                } else {
                    desk.busy.extend(want.keys.iter().cloned());
                    flights.push((want.keys.clone(), want.token.clone(), vec![want]));
                }
            }
        }
        for (keys, _, wants) in flights {
            let flight = Flight { inner: Arc::clone(self), keys, wants, ahead: None };
            tokio::spawn(flight.fly());
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let woken: Vec<Want> = {
            let mut desk = self.inner.desk();
            for key in &self.keys {
                desk.busy.remove(key);
            }
            let (woken, waiting) =
                std::mem::take(&mut desk.waiting).into_iter().partition(|want| {
                    want.wakes && want.keys.iter().any(|key| self.keys.contains(key))
                });
            desk.waiting = waiting;
            woken
        };
        for want in woken {
            let _ = want.answer.send(Verdict::Again);
        }
        self.inner.depart();
    }
}

impl Flight {
    async fn fly(mut self) {
        if let Err(away) = self.settle_old().await {
            return self.refuse_all(&away);
        }
        for _ in 0..MOST_TRIES {
            self.wants.retain(|want| !want.answer.is_closed());
            if self.wants.is_empty() && self.ahead.is_none() {
                return;
            }
            let asks = self.asks();
            let sent = self.inner.core.clock.now_ms();
            let answer = match self.ask(&asks).await {
                Ok(answer) => answer,
                Err(away) => return self.refuse_all(&away),
            };
            let landed = if answer.refused.is_empty() {
                self.take(&asks, answer.grants, sent).await
            } else {
                self.refused(&answer.refused).await
            };
            match landed {
                Ok(true) => return,
                Ok(false) => {}
                Err(away) => return self.refuse_all(&away),
            }
        }
        // Again from the beginning, each for itself: what they lack is not what it was.
        self.all_again();
    }

    /// Leases that end or have expired are dealt with first: the panel would top up one whose last
    /// report it is still to get, and then take that for the end of all of it.
    async fn settle_old(&mut self) -> Result<(), Away> {
        let old = |short: &Short| matches!(short.state, Room::Ending | Room::Expired);
        if !self.wants.iter().flat_map(|want| &want.short).any(old) {
            return Ok(());
        }
        self.report().await?;
        // What is left of them is another amount now, or none at all.
        self.all_again();
        Ok(())
    }

    async fn report(&self) -> Result<(), Away> {
        let reported = self.inner.report_now(false).await;
        reported.map_err(|why| self.inner.core.contact.gave_up(&why))
    }

    /// What all of its calls lack together.
    fn asks(&self) -> Asks {
        let token = self.wants.first().and_then(|want| want.token.as_ref()).map(Name::to_string);
        let ask = |hold: &LeaseHold, lease: Option<String>, need: i64| Ask {
            budget: hold.key.budget.clone(),
            account: hold.key.account.clone(),
            start: hold.key.start,
            lease,
            need: NanoUsd(need.max(0)),
            token: token.clone(),
        };
        let mut asks = Vec::with_capacity(self.keys.len());
        if let Some(low) = &self.ahead {
            asks.push(ask(&low.hold, Some(low.lease.clone()), 0));
        }
        for key in &self.keys {
            let of_key: Vec<&Short> = self.shorts(key).collect();
            let Some(newest) = of_key.last() else { continue };
            let amount =
                of_key.iter().fold(0, |sum: i64, short| sum.saturating_add(short.amount.0));
            let need = amount.saturating_sub(newest.room.0);
            asks.push(ask(&newest.hold, newest.lease.clone(), need));
        }
        let request = format!("req_{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        Asks { request, asks }
    }

    fn shorts<'f>(&'f self, key: &'f LeaseKey) -> impl Iterator<Item = &'f Short> {
        let all = self.wants.iter().flat_map(|want| &want.short);
        all.filter(move |short| short.hold.key == *key)
    }

    /// Asks until there is an answer or patience ends. It is one request, however often it is sent.
    async fn ask(&self, asks: &Asks) -> Result<Grants, Away> {
        let core = &self.inner.core;
        let begun = Instant::now();
        let mut pause = Duration::from_millis(25);
        loop {
            let left = core.terms.patience.saturating_sub(begun.elapsed());
            let limit = core.terms.timeout.min(left);
            let error = match tokio::time::timeout(limit, core.plane.leases(asks)).await {
                Ok(Ok(grants)) => {
                    core.contact.answered();
                    return Ok(grants);
                }
                Ok(Err(error)) => error,
                Err(_) => ControlError::Unreachable("it did not answer in time".to_owned()),
            };
            let wait = match &error {
                ControlError::Refused { .. } => {
                    return Err(core.contact.gave_up(&error.to_string()));
                }
                ControlError::Busy { retry_after } => (*retry_after).max(pause),
                ControlError::Unreachable(_) => pause,
            };
            if self.ahead.is_some() {
                return Err(core.contact.failed(&error.to_string()));
            }
            if begun.elapsed() + wait >= core.terms.patience {
                return Err(core.contact.gave_up(&error.to_string()));
            }
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(Duration::from_millis(400));
        }
    }

    /// Keeps what was granted. True once there is nothing more to do.
    async fn take(&mut self, asks: &Asks, grants: Vec<Grant>, sent: i64) -> Result<bool, Away> {
        let core = Arc::clone(&self.inner.core);
        let mut kept = Vec::with_capacity(asks.asks.len());
        for ask in &asks.asks {
            let found = grants.iter().find(|grant| {
                grant.budget == ask.budget
                    && grant.account == ask.account
                    && grant.start == ask.start
            });
            let Some(grant) = found else {
                return Err(Away::as_good_as("it granted something else than was asked for"));
            };
            let resets_at = self
                .holds()
                .find(|hold| hold.key.budget == ask.budget && hold.key.account == ask.account)
                .and_then(|hold| hold.resets_at);
            kept.push(Granted {
                grant: grant.clone(),
                resets_at,
                expires: expires(sent, grant.expires_in_ms),
                boot: core.clock.boot().to_owned(),
            });
        }
        let taken = match core.ledger.grant(kept).await {
            Ok(taken) => taken,
            Err(error) => {
                for want in self.wants.drain(..) {
                    let error = ReserveError::Unavailable(error.to_string());
                    let _ = want.answer.send(Verdict::Refused(error));
                }
                return Ok(true);
            }
        };
        if taken.iter().all(Option::is_some) {
            let more = taken.iter().flatten().any(|more| *more > NanoUsd::ZERO);
            if self.ahead.is_some() && !more {
                self.keys.iter().for_each(|key| self.inner.nothing_ahead(key));
            }
            self.all_again();
            return Ok(true);
        }
        self.is_not_stranded().await?;
        // The panel still takes an old lease for an open one: it lacks its last report.
        self.report().await?;
        Ok(false)
    }

    fn holds(&self) -> impl Iterator<Item = &LeaseHold> {
        let shorts = self.wants.iter().flat_map(|want| &want.short).map(|short| &short.hold);
        shorts.chain(self.ahead.iter().map(|low| &low.hold))
    }

    /// A lease of which this proxy does not know what is left is not replaced by asking.
    async fn is_not_stranded(&self) -> Result<(), Away> {
        let leases = self.inner.core.ledger.leases().await.unwrap_or_default();
        let stranded = leases
            .iter()
            .find(|row| row.state == LeaseState::Stranded && self.keys.contains(&row.key));
        match stranded {
            None => Ok(()),
            Some(row) => Err(Away::as_good_as(&format!(
                "this proxy's file is older than what the panel knows of lease {}: reclaim that lease \
                 at the panel",
                row.id
            ))),
        }
    }

    /// Refuses those calls that what is left cannot cover. True once there is nothing more to do.
    async fn refused(&mut self, refused: &[Refused]) -> Result<bool, Away> {
        if self.ahead.take().is_some() {
            self.keys.iter().for_each(|key| self.inner.nothing_ahead(key));
        }
        if refused.iter().any(|refused| refused.reason == "token_revoked") {
            for want in self.wants.drain(..) {
                let error = match want.token {
                    Some(token) => ReserveError::Revoked(token),
                    None => ReserveError::Unheard("the panel takes this for revoked".to_owned()),
                };
                let _ = want.answer.send(Verdict::Refused(error));
            }
            return Ok(true);
        }
        if refused.iter().any(|refused| refused.reason == "old_epoch") {
            // Its standing is learned with the report; what lacks it then asks without it.
            self.report().await?;
            self.all_again();
            return Ok(true);
        }
        if let Some(other) = refused.iter().find(|refused| refused.reason != "exhausted") {
            let why = match other.reason.as_str() {
                "window_over" => {
                    "the panel is in another window of this budget than this proxy: compare their \
                     clocks"
                }
                "unknown_budget" => {
                    "the panel does not know this budget any more: try again in a few seconds"
                }
                _ => "the panel grants nothing for it: ask whoever runs the panel",
            };
            for want in self.wants.drain(..) {
                let why = format!("the budget of {} ({}): {why}", other.account, other.reason);
                let _ = want.answer.send(Verdict::Refused(ReserveError::Unheard(why)));
            }
            return Ok(true);
        }
        for want in std::mem::take(&mut self.wants) {
            match refused.iter().find_map(|refused| want.cannot(refused)) {
                Some(exhausted) => {
                    let _ = want.answer.send(Verdict::Refused(ReserveError::Exhausted(exhausted)));
                }
                None => self.wants.push(want),
            }
        }
        // Of those that what is left covers one by one, as many as it covers together; the others
        // come again.
        let mut later = Vec::new();
        let mut sums = vec![0_i64; refused.len()];
        for want in std::mem::take(&mut self.wants) {
            let needs = refused.iter().map(|refused| want.amount(refused));
            let more: Vec<i64> =
                sums.iter().zip(needs).map(|(sum, need)| sum.saturating_add(need)).collect();
            let covered = refused.iter().zip(&more).all(|(refused, sum)| {
                let room = want.room(refused);
                sum.saturating_sub(room) <= refused.left.0
            });
            if covered {
                sums = more;
                self.wants.push(want);
            } else {
                later.push(want);
            }
        }
        if self.wants.is_empty() {
            // Nothing is under way: whoever is left begins the next flight.
            for want in later {
                let _ = want.answer.send(Verdict::Again);
            }
            return Ok(true);
        }
        self.inner.desk().waiting.extend(later);
        Ok(false)
    }

    fn all_again(&mut self) {
        for want in self.wants.drain(..) {
            let _ = want.answer.send(Verdict::Again);
        }
    }

    fn refuse_all(mut self, away: &Away) {
        for want in self.wants.drain(..) {
            let error = without(&want.short, away);
            let _ = want.answer.send(Verdict::Refused(error));
        }
    }
}

impl Want {
    fn of(&self, refused: &Refused) -> Option<&Short> {
        self.short.iter().find(|short| {
            short.hold.key.budget == refused.budget && short.hold.key.account == refused.account
        })
    }

    fn amount(&self, refused: &Refused) -> i64 {
        self.of(refused).map_or(0, |short| short.amount.0)
    }

    fn room(&self, refused: &Refused) -> i64 {
        self.of(refused).map_or(0, |short| short.room.0)
    }

    /// Why it gets nothing, where what is left does not cover it.
    fn cannot(&self, refused: &Refused) -> Option<Exhausted> {
        let short = self.of(refused)?;
        let need = short.amount.0.saturating_sub(short.room.0);
        (need > refused.left.0).then(|| Exhausted {
            source: Source::Panel { budget: refused.budget.clone(), held: refused.held },
            limit: refused.limit,
            left: NanoUsd(refused.left.0.max(0).saturating_add(short.room.0).max(0)),
            ..exhausted(short)
        })
    }
}

fn exhausted(short: &Short) -> Exhausted {
    Exhausted {
        source: Source::Local,
        scope: short.hold.key.account.clone(),
        window: short.hold.window,
        limit: short.hold.limit,
        left: NanoUsd(short.room.0.max(0)),
        resets_at: short.hold.resets_at,
        clamp: short.hold.clamp,
    }
}

/// The refusal where the panel cannot be asked.
fn without(short: &[Short], away: &Away) -> ReserveError {
    let Some(first) = short.first() else {
        return ReserveError::Unheard(away.why.clone());
    };
    let mut exhausted = exhausted(first);
    if first.state != Room::Little {
        exhausted.left = NanoUsd::ZERO;
    }
    exhausted.source = Source::Away {
        budget: first.hold.key.budget.clone(),
        since_ms: away.since_ms,
        why: away.why.clone(),
    };
    ReserveError::Exhausted(exhausted)
}
