//! What travels along with a call and ends it exactly once.
//!
//! A ticket knows what the call is, how long each step took and what is held for it. It is a
//! guard: dropped at any point — the client went away, a task was cancelled — it ends the call
//! in the ledger as what it then is: nothing held, held but not sent (void), or sent with an
//! unknown end (charged whole, marked as estimated).

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, StatusCode};
use iron_policy::config::Policy;
use iron_policy::price::{ModelPrice, ServiceTier};
use iron_policy::redact::{Finding, Kind};
use iron_policy::runaway::{Caught, Runaway};
use iron_policy::types::{CallId, Dialect, Name, NanoUsd, Outcome, Usage};

use super::follow::Follow;
use super::reserve::Touched;
use super::{Halt, Stopped};
use crate::dialect::Operation;
use crate::limits::Slot;
use crate::metrics::Ended;
use crate::observer::{EndedCall, TraceParent};
use crate::pinned::Pinned;
use crate::runaways::Pace;
use crate::shared::Shared;
use crate::state::{BatchHold, CallRecord, End, Hold, Key, OpenBatch, ReserveError, Settlement};
use crate::stops::{AgentStopped, Leave};
use crate::stream::answers::{Findings, count};
use crate::stream::{Cap, Metered};
use crate::upstream::Upstream;

/// The steps of a call, in order, as they are named in its timeline.
pub const STEPS: [&str; 8] =
    ["identify", "admit", "decode", "redact", "reserve", "breaker", "upstream", "relay"];

/// A bill above this is not believed: no call costs a million dollars, and sums must stay sums.
const MOST_PER_CALL: NanoUsd = NanoUsd::usd(1_000_000);

/// How far the money of a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing is held.
    Open,
    /// Held (or being held); nothing was sent.
    Held,
    /// Held, and the provider may have seen the call.
    Sent,
    /// Ended.
    Closed,
}

/// A call on its way.
pub struct Ticket {
    shared: Arc<Shared>,
    record: CallRecord,
    stage: Stage,
    begun: Instant,
    marked: Instant,
    /// The price, and what the call costs of it in percent.
    price: Option<(Arc<ModelPrice>, u64)>,
    /// The tier that the answer's head says the call was served at.
    tier: Option<String>,
    /// Places among parallel calls, freed when the call ends.
    slots: Option<[Slot; 2]>,
    /// What the answer said of its usage, where it is not passed on.
    metered: Option<Metered>,
    /// Until the agent is stopped; none before the agent is known.
    leave: Option<Leave>,
    /// What the call uses, where that is known before its answer.
    pub(super) known: Option<Usage>,
    /// What is to be done with the answer besides.
    pub(super) follow: Follow,
    /// Reservations that share the fate of this one: those of a batch's other models.
    beside: Vec<Self>,
    /// The host, where it is no upstream's.
    other: Option<String>,
    /// What it is known again by, and what that counts for; none where nobody counts.
    mark: Option<(u64, Runaway)>,
    /// What it holds of its agent's minute.
    pace: Option<Pace>,
    /// What a stream of it may cost, and what that is told by.
    cap: Option<Cap>,
    /// The span of the caller's that it belongs to; told to an observer and never kept.
    parent: Option<TraceParent>,
    /// When the first bytes of its stream came, where an observer is to be told.
    first_chunk: Option<Duration>,
}

/// What an attempt that failed leaves to the next one: who calls, for what, and its places.
#[derive(Debug)]
pub(super) struct Heir {
    shared: Arc<Shared>,
    record: CallRecord,
    slots: Option<[Slot; 2]>,
    leave: Option<Leave>,
    mark: Option<(u64, Runaway)>,
    parent: Option<TraceParent>,
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("id", &self.record.id)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

impl Ticket {
    /// Opens a call.
    pub(super) fn open(shared: &Arc<Shared>) -> Self {
        let now = Instant::now();
        Self {
            record: CallRecord::new(shared.next_id()),
            shared: Arc::clone(shared),
            stage: Stage::Open,
            begun: now,
            marked: now,
            price: None,
            tier: None,
            slots: None,
            metered: None,
            leave: None,
            known: None,
            follow: Follow::default(),
            beside: Vec::new(),
            other: None,
            mark: None,
            pace: None,
            cap: None,
            parent: None,
            first_chunk: None,
        }
    }

    /// What the next attempt at the same call begins with. Findings stay with the first attempt:
    /// they were made once.
    pub(super) fn heir(&mut self) -> Heir {
        let record = &self.record;
        Heir {
            record: CallRecord {
                agent: record.agent.clone(),
                project: record.project.clone(),
                token: record.token.clone(),
                run: record.run.clone(),
                depth: record.depth,
                upstream: record.upstream.clone(),
                dialect: record.dialect,
                endpoint: record.endpoint,
                model: record.model.clone(),
                stream: record.stream,
                attempt: record.attempt.saturating_add(1),
                first_attempt: Some(record.first_attempt.unwrap_or(record.id)),
                ..CallRecord::new(record.id)
            },
            shared: Arc::clone(&self.shared),
            slots: self.slots.take(),
            leave: self.leave.clone(),
            mark: self.mark.take(),
            parent: self.parent,
        }
    }

    /// Which attempt at answering its caller this is, from 1.
    pub(super) const fn attempt(&self) -> u32 {
        self.record.attempt
    }

    /// Opens another call of the same caller to the same upstream.
    pub(super) fn sibling(
        shared: &Arc<Shared>,
        of: &CallRecord,
        parent: Option<TraceParent>,
    ) -> Self {
        let mut ticket = Self::open(shared);
        ticket.parent = parent;
        let id = ticket.record.id;
        ticket.record = CallRecord { id, ..of.clone() };
        ticket
    }

    /// What is known of the call so far, to be the beginning of its siblings.
    pub(super) fn known(&self) -> CallRecord {
        CallRecord { timeline: Vec::new(), ..self.record.clone() }
    }

    /// Notes the span of the caller's that the call belongs to, where somebody is to be told.
    pub(super) fn belongs_to(&mut self, headers: &HeaderMap) {
        if self.shared.observer.get().is_some() {
            self.parent = TraceParent::of(headers);
        }
    }

    /// That span.
    pub(super) const fn parent(&self) -> Option<TraceParent> {
        self.parent
    }

    /// Notes that bytes of a stream came; the first ones count.
    pub(super) fn chunk_came(&mut self) {
        if self.first_chunk.is_none() && self.shared.observer.get().is_some() {
            self.first_chunk = Some(self.begun.elapsed());
        }
    }

    /// The call's id.
    pub const fn id(&self) -> CallId {
        self.record.id
    }

    /// What all calls share.
    pub(super) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Notes how long a step took.
    pub(super) fn mark(&mut self, step: &'static str) {
        let now = Instant::now();
        let micros = now.duration_since(self.marked).as_micros();
        self.record.timeline.push((step, u32::try_from(micros).unwrap_or(u32::MAX)));
        self.marked = now;
    }

    /// Notes who calls; `token` is the id of the token that says so.
    pub(super) fn caller(&mut self, agent: Name, project: Option<Name>, token: Option<Name>) {
        self.record.agent = Some(agent);
        self.record.project = project;
        self.record.token = token;
    }

    /// What is refused from here on is on record as theirs, whatever it claims.
    pub(super) fn pinned(&mut self, pinned: &Pinned) {
        self.caller(pinned.agent.clone(), None, None);
        self.run(Some(pinned.run.clone()), pinned.depth(None));
    }

    /// The id of the token that the call is made with.
    pub(super) fn token(&self) -> Option<&str> {
        self.record.token.as_ref().map(Name::as_str)
    }

    /// Notes the run that the call belongs to, and how many agents stand above its caller.
    pub(super) fn run(&mut self, run: Option<Name>, depth: Option<u8>) {
        self.record.run = run;
        self.record.depth = depth;
    }

    /// Asks whether the agent may call at all. The leave ends when it is stopped.
    pub(super) fn ask_leave(&mut self, agent: &Name) -> Result<Leave, AgentStopped> {
        let leave = self.shared.stops.leave(agent, self.record.token.as_ref())?;
        self.leave = Some(leave.clone());
        Ok(leave)
    }

    /// Notes what the cost of a stream is told by while it goes on.
    pub(super) fn capped(&mut self, cap: Cap) {
        self.cap = Some(cap);
    }

    /// What a stream may cost.
    pub(super) fn cap(&mut self) -> Option<Cap> {
        self.cap.take().map(|cap| Cap { reserved: self.record.reserved, ..cap })
    }

    /// Refuses what was answered too often; notes what the call is known again by.
    pub(super) fn repeats(
        &mut self,
        policy: &Policy,
        asked: (&str, &str, &[u8]),
    ) -> Result<(), Caught> {
        let Some(agent) = &self.record.agent else { return Ok(()) };
        let of = policy.runaway_of(agent);
        let mark = self.shared.runaways.check_repeat(of, agent, asked)?;
        self.mark = mark.map(|mark| (mark, *of));
        Ok(())
    }

    /// Holds what the call may cost in its agent's minute, in place of what it held there before.
    pub(super) fn keep_pace(&mut self, policy: &Policy, amount: NanoUsd) -> Result<(), Caught> {
        self.pace = None;
        if let Some(agent) = &self.record.agent {
            self.pace = Pace::hold(&self.shared, policy, agent, amount)?;
        }
        Ok(())
    }

    pub(super) fn project(&self) -> Option<&str> {
        self.record.project.as_ref().map(Name::as_str)
    }

    pub(super) fn upstream(&mut self, upstream: &Upstream) {
        self.record.upstream = Some(upstream.config.name.clone());
        self.record.dialect = Some(upstream.config.dialect);
    }

    /// Notes a host that is no upstream's; its name may be anything that a caller wrote.
    pub(super) fn other_host(&mut self, host: &str) {
        self.other = Some(host.to_owned());
        self.record.upstream = host.parse().ok();
        self.record.endpoint = "other";
    }

    /// That host.
    pub(super) fn host(&self) -> &str {
        self.other.as_deref().unwrap_or_default()
    }

    pub(super) fn operation(&mut self, operation: Operation) {
        self.record.endpoint = match operation {
            Operation::Known(endpoint) => endpoint.name(),
            Operation::Upload => "files",
            Operation::Free => "free",
            Operation::Socket(socket) => socket.name(),
            Operation::Unpriced => "unpriced",
        };
    }

    pub(super) fn request(&mut self, model: &str, stream: bool) {
        self.record.model = model.chars().take(120).collect();
        self.record.stream = stream;
    }

    /// The model asked for; empty where the operation has none.
    pub(super) fn model(&self) -> &str {
        &self.record.model
    }

    pub(super) fn findings(&mut self, findings: &[Finding]) {
        for finding in findings {
            count(&mut self.record.findings, finding.kind, 1);
        }
    }

    /// Notes what was found in messages that belong to the call.
    pub(super) fn found(&mut self, counts: &[(Kind, u32)]) {
        for (kind, more) in counts {
            count(&mut self.record.findings, *kind, *more);
        }
    }

    /// Notes what was found in the answer.
    pub(super) fn answer_findings(&mut self, findings: &Findings) {
        self.record.answer_findings = findings.counts();
    }

    /// Notes what an answer cost that will not be passed on.
    pub(super) fn metered(&mut self, metered: Metered) {
        self.metered = Some(metered);
    }

    pub(super) fn price(&mut self, price: Arc<ModelPrice>, percent: u64) {
        self.price = Some((price, percent));
    }

    /// Notes what the head of the answer says about the price. Google's says at which tier it
    /// served the call, which may be another than was asked for
    /// (<https://ai.google.dev/gemini-api/docs/priority-inference>).
    pub(super) fn answered(&mut self, headers: &HeaderMap) {
        if self.record.dialect == Some(Dialect::Gemini) {
            let tier = headers.get("x-gemini-service-tier").and_then(|tier| tier.to_str().ok());
            self.tier = tier.map(str::to_ascii_lowercase);
        }
    }

    pub(super) fn hold_slots(&mut self, slots: [Slot; 2]) {
        self.slots = Some(slots);
    }

    /// Holds an amount in what the call touches; returns once that is committed.
    pub(super) async fn reserve(
        &mut self,
        amount: NanoUsd,
        touched: Touched,
    ) -> Result<(), ReserveError> {
        // Set before waiting: a call that is dropped meanwhile voids what may get committed.
        self.stage = Stage::Held;
        self.record.reserved = amount;
        let Touched { accounts, leases } = touched;
        let hold = Hold { record: self.record.clone(), accounts, leases };
        let held = match self.shared.leases.get() {
            Some(leases) => leases.hold(hold).await,
            None => self.shared.ledger.reserve(hold).await.map(drop),
        };
        if held.is_err() {
            self.stage = Stage::Open;
            self.record.reserved = NanoUsd::ZERO;
        }
        held
    }

    /// A ticket for another reservation of the same call, which ends as this one does.
    pub(super) fn beside(&mut self) -> &mut Self {
        let mut other = Self::open(&self.shared);
        other.record = CallRecord { id: other.record.id, ..self.record.clone() };
        // Nothing is held for it yet, and what was found is counted once.
        other.record.reserved = NanoUsd::ZERO;
        other.record.findings.clear();
        other.record.timeline.clear();
        self.beside.push(other);
        let last = self.beside.len() - 1;
        &mut self.beside[last]
    }

    /// Lets what is held wait for the results of a batch; `requests` says how many each
    /// reservation is for. Where that cannot be written, the call ends as one whose cost is not
    /// known.
    pub(super) async fn wait_for_batch(&mut self, key: Key, of: String, requests: &[u64]) {
        let records = std::iter::once(&self.record).chain(self.beside.iter().map(|b| &b.record));
        let holds = records
            .zip(requests)
            .map(|(record, requests)| BatchHold { record: record.clone(), requests: *requests })
            .collect();
        let at = crate::shared::unix_ms();
        let batch = OpenBatch { key, at, of, holds, output: None, completed: None };
        if let Err(error) = self.shared.ledger.bind(batch).await {
            tracing::error!(call = %self.record.id, %error, "a batch is charged whole");
            return;
        }
        self.slots = None;
        self.stage = Stage::Closed;
        for other in &mut self.beside {
            other.stage = Stage::Closed;
        }
    }

    /// The name of the upstream.
    pub(super) const fn upstream_name(&self) -> Option<&Name> {
        self.record.upstream.as_ref()
    }

    /// The upstream's dialect.
    pub(super) const fn dialect(&self) -> Option<Dialect> {
        self.record.dialect
    }

    /// From now on the provider may have seen the call.
    pub(super) fn sent(&mut self) {
        self.beside.iter_mut().for_each(Self::sent);
        if self.stage == Stage::Held {
            self.stage = Stage::Sent;
        }
    }

    /// It is known after all that no byte left.
    pub(super) fn not_sent(&mut self) {
        self.beside.iter_mut().for_each(Self::not_sent);
        if self.stage == Stage::Sent {
            self.stage = Stage::Held;
        }
    }

    /// The call goes no further.
    pub(super) fn halt(self, why: Stopped) -> Box<Halt> {
        Box::new(Halt { ticket: Some(self), why })
    }

    /// Ends a call that stopped on the way.
    pub(super) fn stop(mut self, why: &Stopped, status: StatusCode) {
        self.record.status = status.as_u16();
        let metered = self.metered.take();
        self.close(why.outcome(), why.reason(), metered.as_ref());
    }

    /// Ends a call that the upstream refused: providers do not bill answers with an error status.
    pub(super) fn refused_upstream(mut self, status: StatusCode) {
        self.record.status = status.as_u16();
        // Behind a gateway's time-out the provider may have worked to the end.
        let unknown = matches!(status.as_u16(), 408 | 504 | 524);
        if !unknown {
            self.not_sent();
        }
        self.close(Outcome::UpstreamError, "upstream_status", None);
    }

    /// Ends a call whose answer was passed on, as far as it came.
    pub(super) fn finish(
        mut self,
        status: StatusCode,
        outcome: Outcome,
        reason: &'static str,
        metered: &Metered,
    ) {
        self.record.status = status.as_u16();
        self.close(outcome, reason, Some(metered));
    }

    /// Charged whole. What the provider reported last is no final word but a floor of its bill:
    /// where that is above what was reserved, it is charged instead.
    fn unknown_end(&self, metered: Option<&Metered>) -> End {
        let usage = metered.and_then(|metered| metered.usage);
        let (Some(usage), Some((price, percent))) = (usage, &self.price) else {
            return End::PostWhole;
        };
        let tier = metered.and_then(|metered| metered.service_tier.as_deref());
        let tier = ServiceTier::served(tier.or(self.tier.as_deref()));
        let floor = price.cost(&usage, tier).percent(*percent).total().min(MOST_PER_CALL);
        if floor > self.record.reserved { End::Post(floor) } else { End::PostWhole }
    }

    fn close(&mut self, outcome: Outcome, reason: &'static str, metered: Option<&Metered>) {
        if self.stage == Stage::Closed {
            return;
        }
        self.mark("relay");
        self.slots = None;
        for mut other in std::mem::take(&mut self.beside) {
            other.record.status = self.record.status;
            other.close(outcome, reason, None);
        }
        self.record.outcome = outcome;
        self.record.reason = reason;
        let stage = std::mem::replace(&mut self.stage, Stage::Closed);
        let usage =
            metered.filter(|metered| metered.usage_is_final).and_then(|metered| metered.usage);
        // Units that have no price are no word about the cost.
        let usage =
            usage.filter(|usage| self.price.as_ref().is_none_or(|(price, _)| price.covers(usage)));
        let end = match (stage, usage, &self.price) {
            (Stage::Open | Stage::Closed, ..) => None,
            (Stage::Held, ..) => Some(End::Void),
            (Stage::Sent, Some(usage), Some((price, percent))) => {
                let tier = metered.and_then(|metered| metered.service_tier.as_deref());
                let tier = tier.or(self.tier.as_deref());
                let cost = price.cost(&usage, ServiceTier::served(tier)).percent(*percent);
                let total = cost.total().min(MOST_PER_CALL);
                self.record.cost = Some(cost);
                Some(End::Post(total))
            }
            (Stage::Sent, ..) => Some(self.unknown_end(metered)),
        };
        self.record.usage = usage;
        self.record.posted = match end {
            Some(End::Post(amount)) => amount,
            Some(End::PostWhole) => self.record.reserved,
            Some(End::Void) | None => NanoUsd::ZERO,
        };
        self.record.estimated = stage == Stage::Sent && self.record.cost.is_none();
        if let Some(pace) = self.pace.take() {
            pace.settle(self.record.posted);
        }
        // What failed is rightly sent again: only answers count.
        if let (Outcome::Ok, Some((mark, of)), Some(agent)) =
            (outcome, self.mark.take(), &self.record.agent)
        {
            self.shared.runaways.answered(&of, agent, mark);
        }
        self.shared.metrics.ended(&Ended {
            // Names of hosts come from callers: metrics have no series for each.
            upstream: match (&self.other, &self.record.upstream) {
                (Some(_), _) => "other",
                (None, upstream) => upstream.as_ref().map_or("", Name::as_str),
            },
            outcome,
            reason,
            seconds: self.begun.elapsed().as_secs_f64(),
            spent: self.record.posted,
            usage: self.record.usage.as_ref(),
            findings: &self.record.findings,
            answer_findings: &self.record.answer_findings,
        });
        let record = std::mem::replace(&mut self.record, CallRecord::new(CallId(0)));
        if let Some(observer) = self.shared.observer.get() {
            observer.ended(EndedCall {
                record: record.clone(),
                took: self.begun.elapsed(),
                at: SystemTime::now(),
                first_chunk: self.first_chunk,
                parent: self.parent,
                other_host: self.other.is_some(),
            });
        }
        match end {
            Some(end) => self.shared.ledger.settle(Settlement { end, record }),
            None => self.shared.ledger.record(record),
        }
    }
}

impl Heir {
    /// The next attempt goes to this upstream, and asks for this model where it is another one.
    pub(super) fn goes_to(&mut self, upstream: &Upstream, model: Option<&str>) {
        self.record.upstream = Some(upstream.config.name.clone());
        self.record.dialect = Some(upstream.config.dialect);
        if let Some(model) = model {
            self.record.model = model.chars().take(120).collect();
        }
    }

    /// Gives the place at the upstream before back for one at the next.
    pub(super) fn takes_place(&mut self, slot: Slot) {
        if let Some([_, at_upstream]) = &mut self.slots {
            *at_upstream = slot;
        }
    }

    /// Begins the attempt.
    pub(super) fn open(self) -> Ticket {
        let mut ticket = Ticket::open(&self.shared);
        ticket.record = CallRecord { id: ticket.record.id, ..self.record };
        ticket.slots = self.slots;
        ticket.leave = self.leave;
        ticket.mark = self.mark;
        ticket.parent = self.parent;
        ticket
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(leave) = self.leave.as_ref().filter(|leave| leave.is_cancelled()) {
            let why = leave.why();
            self.record.status = why.status();
            return self.close(Outcome::Refused, why.reason(), None);
        }
        self.close(Outcome::Aborted, "client_gone", None);
    }
}
