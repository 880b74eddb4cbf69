//! Between steps 6 and 9: whether a call that failed is tried again, and where.
//!
//! Each attempt is a call of its own to the ledger and the records: with its own id, its own
//! reservation, its own end. What an attempt may have cost although nothing came of it stays
//! charged beside what the next one costs. The body is searched and redacted once; between attempts
//! the model's name, the key and the limits that money needs may change, nothing else.
//!
//! What is decided is in [`iron_policy::retry`]; here is what it takes. Nothing is kept for a call
//! whose policy leads to no second attempt.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use iron_policy::outline::Endpoint;
use iron_policy::redact::{Edit, Vault};
use iron_policy::retry::{
    Cause, Done, Failure, Next, Plan, Target as Place, Unanswered, retry_after,
};
use iron_policy::types::Dialect;
use tokio::time::Instant;

use super::decode::Payload;
use super::follow::Follow;
use super::forward::Answered;
use super::identify::{Identified, Renamed, Target};
use super::redact::Redacted;
use super::relay::health;
use super::reserve::{has_own_tiers, tier_is_priced};
use super::ticket::Heir;
use super::{Halt, Stopped};
use crate::dialect::{self, Operation};
use crate::limits::Slot;
use crate::live::Live;
use crate::shared::unix_ms;
use crate::stops::Leave;
use crate::upstream::{CallError, Upstream, strip_caller};

/// What is left to try for one call; nothing where its policy knows one attempt only.
#[derive(Debug)]
pub(super) struct Attempts(Option<Box<Kept>>);

/// What every attempt begins with.
#[derive(Debug)]
struct Kept {
    leave: Leave,
    /// As the first attempt has it.
    target: Target,
    payload: Arc<Payload>,
    edits: Vec<Edit>,
    vault: Arc<Vault>,
    done: Done,
    begun: Instant,
}

/// What becomes of a call after an attempt.
#[derive(Debug)]
pub(super) enum Turn {
    /// This is what the caller gets.
    Over(Result<Answered, Box<Halt>>),
    /// The next attempt.
    Again(Redacted),
}

impl Attempts {
    /// Keeps what a second attempt would need, where there can be one.
    pub(super) fn of(live: &Live, first: &Redacted) -> Self {
        let Payload::Document(content) = &*first.payload else { return Self(None) };
        if !matches!(first.call.ticket.follow, Follow::Nothing) {
            // What it makes, like a batch, would be made twice.
            return Self(None);
        }
        let model = &content.parsed.borrow_dependent().model;
        let plan = Plan::new(&live.policy.retry, live.policy.fallback(model), Done::default());
        Self((!plan.is_empty()).then(|| {
            Box::new(Kept {
                leave: first.call.leave.clone(),
                target: first.call.target.clone(),
                payload: Arc::clone(&first.payload),
                edits: first.edits.clone(),
                vault: Arc::clone(&first.vault),
                done: Done::default(),
                begun: Instant::now(),
            })
        }))
    }

    /// Ends an attempt that failed and prepares the next one, or says that this was the last.
    pub(super) async fn after(&mut self, live: &Live, tried: Result<Answered, Box<Halt>>) -> Turn {
        let Some(kept) = &mut self.0 else { return Turn::Over(tried) };
        let Some(failure) = failure_of(&tried) else { return Turn::Over(tried) };
        let Payload::Document(content) = &*kept.payload else { return Turn::Over(tried) };
        let fallback = live.policy.fallback(&content.parsed.borrow_dependent().model);
        loop {
            let plan = Plan::new(&live.policy.retry, fallback, kept.done);
            let (next, done) = plan.after(&failure, kept.begun.elapsed(), fastrand::u64(..));
            kept.done = done;
            match next {
                Next::Stop => return Turn::Over(tried),
                Next::Again(wait) => {
                    let heir = match end(live, tried) {
                        Ok(heir) => heir,
                        Err(halt) => return Turn::Over(Err(halt)),
                    };
                    tokio::time::sleep(wait).await;
                    return Turn::Again(kept.attempt(heir, kept.target.clone()));
                }
                Next::Elsewhere(place) => {
                    let place = fallback.and_then(|fallback| fallback.to.get(place));
                    let Some((target, slot)) = place.and_then(|place| kept.elsewhere(live, place))
                    else {
                        continue;
                    };
                    let mut heir = match end(live, tried) {
                        Ok(heir) => heir,
                        Err(halt) => return Turn::Over(Err(halt)),
                    };
                    let model = target.model.as_ref().map(|model| model.meant.as_str());
                    heir.goes_to(&target.upstream, model);
                    if let Some(slot) = slot {
                        heir.takes_place(slot);
                    }
                    return Turn::Again(kept.attempt(heir, target));
                }
            }
        }
    }
}

impl Kept {
    fn attempt(&self, heir: Heir, target: Target) -> Redacted {
        Redacted {
            call: Identified { ticket: heir.open(), leave: self.leave.clone(), target },
            payload: Arc::clone(&self.payload),
            edits: self.edits.clone(),
            vault: Arc::clone(&self.vault),
        }
    }

    /// The call as it goes to a fallback, with its place among the parallel calls there where that
    /// is another upstream; none where it cannot go there.
    fn elsewhere(&self, live: &Live, place: &Place) -> Option<(Target, Option<Slot>)> {
        let Payload::Document(content) = &*self.payload else { return None };
        let outline = content.parsed.borrow_dependent();
        let (mut target, mut slot) = (self.target.clone(), None);
        let first = Arc::clone(&target.upstream);
        if let Some(name) = &place.upstream {
            target.upstream = live.upstream(name.as_str())?;
        }
        let upstream = Arc::clone(&target.upstream);
        if !first.config.falls_back_to(&upstream.config) {
            return None;
        }
        let model = renamed(place, &upstream, &outline.model)?;
        target.may_call(&upstream).and_then(|()| target.may_ask_for(&model.meant)).ok()?;
        target.path = with_model(&target.path, content.endpoint, &model.called)?;
        if !is_same_there(&target, content.endpoint) {
            return None;
        }
        // A call without a bound is never made, so it is no help.
        if !content.endpoint.is_free() {
            let price = live.price(&upstream, &model.meant)?;
            let own_tiers = has_own_tiers(&upstream);
            tier_is_priced(content.endpoint, outline, &price, own_tiers).ok()?;
        }
        if !Arc::ptr_eq(&first, &upstream) {
            // What one provider keeps, another does not have.
            if outline.hidden_input || !own_key(&upstream, &mut target.headers, target.dialect) {
                return None;
            }
            // Within its rates, like any call that goes there.
            let tokens = content.parsed.borrow_owner().len() as u64 / 4;
            let tokens = tokens + outline.max_output.unwrap_or_default();
            slot = Some(upstream.gate.enter().ok()?);
            upstream.gate.take_tokens(tokens).ok()?;
        }
        // What the body calls the model at the first upstream may be a name of its own.
        let is_named = model.called == *outline.model && first.config.models.is_empty();
        target.model = (!is_named).then_some(model);
        Some((target, slot))
    }
}

/// The model of a fallback: the one it names, else the one that was asked for, by what it is called
/// there. None where nothing there is known to be it.
fn renamed(place: &Place, upstream: &Upstream, asked: &str) -> Option<Renamed> {
    let config = &upstream.config;
    let called = match &place.model {
        // A name of the upstream's own, such as a deployment, before the model that one stands for.
        Some(model) if config.models.contains_key(model) => model,
        Some(model) => config.called(model)?,
        None => config.called(asked)?,
    };
    let meant = config.model(called);
    Some(Renamed { called: called.to_owned(), meant: meant.to_owned(), is_other: meant != asked })
}

/// Whether the call's path means the same at its upstream as where it was first sent.
fn is_same_there(target: &Target, endpoint: Endpoint) -> bool {
    let config = &target.upstream.config;
    let there =
        dialect::operation_at(config.dialect, config.platform, &target.method, &target.path);
    there == Operation::Known(endpoint)
}

/// Takes the caller's credentials off and puts the operator's key in; false where there is none
/// and the upstream needs one.
fn own_key(upstream: &Upstream, headers: &mut HeaderMap, spoken: Dialect) -> bool {
    strip_caller(headers);
    match upstream.key() {
        Some(key) => {
            key.replace(headers, spoken);
            true
        }
        None => upstream.config.api_key_env.is_none(),
    }
}

/// The path with another model, where the path names it. None for a name that no path can carry.
fn with_model(path: &str, endpoint: Endpoint, model: &str) -> Option<String> {
    let Some((named, _)) = dialect::gemini_call(path) else {
        let in_body = endpoint.dialect() != Dialect::Gemini;
        return in_body.then(|| path.to_owned());
    };
    let renamed = path.replacen(&format!("/models/{named}:"), &format!("/models/{model}:"), 1);
    dialect::gemini_call(&renamed).is_some_and(|(read, _)| read == model).then_some(renamed)
}

/// How an attempt failed; none where it did not, or where another would fail alike.
fn failure_of(tried: &Result<Answered, Box<Halt>>) -> Option<Failure> {
    let of = |cause| Failure { cause, retry_after: None, pointless: false };
    match tried {
        Ok(answered) => {
            let (status, headers) = (answered.answer.status(), answered.answer.headers());
            if status.is_client_error() || status.is_server_error() {
                Some(answer(status, headers))
            } else {
                None
            }
        }
        Err(halt) => match halt.why() {
            Stopped::CircuitOpen { .. } => Some(of(Cause::CircuitOpen)),
            Stopped::Exhausted(_) | Stopped::LeaseExhausted(_) => Some(of(Cause::Budget)),
            Stopped::Upstream { error, .. } => match error {
                CallError::Connect(_) | CallError::Tls(_) => {
                    Some(of(Cause::Unanswered(Unanswered::Connect)))
                }
                CallError::ConnectTimeout(_) | CallError::AnswerTimeout(_) => {
                    Some(of(Cause::Unanswered(Unanswered::Timeout)))
                }
                CallError::Broken(_) => Some(of(Cause::Unanswered(Unanswered::Reset))),
                CallError::Address(_) | CallError::Own => None,
            },
            _ => None,
        },
    }
}

/// What an upstream's refusal says about another attempt.
fn answer(status: StatusCode, headers: &HeaderMap) -> Failure {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    Failure {
        cause: Cause::Status(status.as_u16()),
        retry_after: retry_after(text("retry-after-ms"), text("retry-after"), unix_ms()),
        pointless: text("x-should-retry") == Some("false"),
    }
}

/// Ends an attempt in the ledger and the records; what the next one inherits. Back comes what has
/// no ticket, and so ended before.
fn end(live: &Live, tried: Result<Answered, Box<Halt>>) -> Result<Heir, Box<Halt>> {
    match tried {
        Ok(Answered { mut ticket, permit, answer, upstream, .. }) => {
            let status = answer.status();
            if let Some(permit) = permit {
                permit.report(health(status, upstream.config.breaker.count_429));
            }
            tracing::info!(call = %ticket.id(), %status, "the upstream refused; it is tried again");
            let heir = ticket.heir();
            ticket.refused_upstream(status);
            Ok(heir)
        }
        Err(halt) => halt.bequeath(live),
    }
}
