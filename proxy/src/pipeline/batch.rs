//! Batches: held for when they are made, charged when their results are fetched.
//!
//! What an uploaded file's requests can cost is computed when it is uploaded, what a body's
//! requests can cost when it is sent. Each model has a reservation of its own, so that budgets and
//! records by model are right. The reservations outlive the call (see [`crate::state::Batches`]):
//! they wait for the results, for word that nothing succeeded, or for the time after which nobody
//! is expected to ask.
//!
//! Not here: which answers say such things (`follow.rs`), and how results pass (`passing.rs`).

use std::sync::Arc;

use bytes::Bytes;
use iron_policy::outline::{
    BatchOrder, BatchRequest, Endpoint, Multipart, batch_lines, batch_url, message_requests,
};
use iron_policy::price::Cost;
use iron_policy::redact::{Edit, splice};
use iron_policy::types::{Dialect, Name, NanoUsd, Outcome, Usage};

use super::decode::Content;
use super::follow::{self, Follow, Requests, Told};
use super::identify::Identified;
use super::relay::wire_kind;
use super::reserve::{ask, refused, tier_is_priced, touched};
use super::{Stopped, Ticket};
use crate::live::Live;
use crate::shared::{Shared, unix_ms};
use crate::state::{BatchFile, End, Key, OpenBatch, Share};
use crate::stream::WireKind;
use crate::stream::results::Used;
use crate::upstream::Upstream;

/// Requests of more models than this no batch holds.
const MOST_MODELS: usize = 32;
/// Models have shorter names, in bytes.
const LONGEST_MODEL: usize = 120;

/// Adds up what the requests of a batch can cost.
struct Tally<'l> {
    live: &'l Live,
    upstream: Arc<Upstream>,
    requests: Requests,
}

impl<'l> Tally<'l> {
    fn new(live: &'l Live, upstream: &Arc<Upstream>) -> Self {
        Self { live, upstream: Arc::clone(upstream), requests: Requests::default() }
    }

    /// Takes in one request, or says why it has no bound.
    fn add(&mut self, request: &BatchRequest<'_>) -> Result<(), String> {
        let of = batch_url(request.endpoint);
        if self.requests.of.is_empty() {
            self.requests.of = of;
        } else if self.requests.of != of {
            return Err("its requests are for several paths".to_owned());
        }
        let model: String = request.outline.model.chars().take(LONGEST_MODEL).collect();
        let bound = if request.endpoint.is_free() {
            NanoUsd::ZERO
        } else {
            self.bound(request, &model).map_err(|why| {
                format!(
                    "no price is known for the model `{model}` on upstream `{}` ({why}): add a \
                     [[price]] for it to iron.toml",
                    self.upstream.name()
                )
            })?
        };
        let shares = &mut self.requests.shares;
        match shares.iter().position(|share| share.model == model) {
            Some(place) => {
                shares[place].requests += 1;
                shares[place].bound = shares[place].bound + bound;
            }
            None if shares.len() == MOST_MODELS => {
                return Err(format!("its requests name more than {MOST_MODELS} models"));
            }
            None => shares.push(Share { model, requests: 1, bound }),
        }
        Ok(())
    }

    fn bound(&self, request: &BatchRequest<'_>, model: &str) -> Result<NanoUsd, String> {
        let price = self.live.price(&self.upstream, model);
        let price = price.ok_or_else(|| "it is not in the price list".to_owned())?;
        let outline = &request.outline;
        tier_is_priced(request.endpoint, outline, &price, false)?;
        let bytes = request.bytes as u64;
        let (mut ask, _) =
            ask(self.live, request.endpoint, outline, bytes, &price, model, outline.max_output);
        // A body may name a dearer tier; batches that name none are served at their own.
        if !outline.speed && !matches!(outline.service_tier, Some("priority" | "fast")) {
            ask.tiers = price.batch_tiers();
        }
        price.bound(&ask).map_err(|error| error.to_string())
    }
}

/// What the requests of an upload can cost; none where no batch can be made of it.
pub(super) fn of_upload(live: &Live, call: &Identified, body: &[u8]) -> Option<Requests> {
    let kind = call.target.headers.get(http::header::CONTENT_TYPE)?.to_str().ok()?;
    let parts = Multipart::read(kind, body).ok()?;
    let batch = parts.only("purpose").is_none_or(|purpose| purpose == b"batch");
    if call.target.dialect != Dialect::OpenAi || !batch {
        return None;
    }
    let mut tally = Tally::new(live, &call.target.upstream);
    let text = parts.only("file").and_then(|file| std::str::from_utf8(file).ok());
    let Some(text) = text else {
        tally.requests.why = Some("it is not one file of text".to_owned());
        return Some(tally.requests);
    };
    let mut why = None;
    batch_lines(text, |line, request| {
        let added = match &request {
            Some(request) => tally.add(request),
            None => Err("it is no request whose cost can be known".to_owned()),
        };
        why = added.err().map(|why| format!("line {line}: {why}"));
        why.is_none()
    });
    if why.is_none() && tally.requests.shares.is_empty() {
        why = Some("it holds no requests".to_owned());
    }
    tally.requests.why = why;
    Some(tally.requests)
}

/// Holds what a batch can cost, by model, in every budget: all of it or nothing.
pub(super) async fn hold(
    live: &Live,
    call: &mut Identified,
    content: &Content,
    edits: &[Edit],
) -> Result<(), Stopped> {
    let shared = Arc::clone(call.ticket.shared());
    let no = |why: String| Stopped::Batch { why };
    shared.ledger.batches().has_room().map_err(|error| no(error.to_string()))?;
    let body = splice(content.parsed.borrow_owner(), edits);
    let requests = if content.endpoint == Endpoint::Batches {
        of_order(&shared, call, &body)?
    } else {
        let mut tally = Tally::new(live, &call.target.upstream);
        let mut why = None;
        message_requests(&body, |request| {
            if why.is_none() {
                why = tally.add(&request).err();
            }
        })?;
        match why {
            Some(why) => return Err(no(why)),
            None => tally.requests,
        }
    };
    for share in &requests.shares {
        call.target.may_ask_for(&share.model)?;
    }
    for (place, share) in requests.shares.iter().enumerate() {
        let touched =
            touched(live, call, &share.model).map_err(|error| refused(error, share.bound))?;
        let ticket = if place == 0 { &mut call.ticket } else { call.ticket.beside() };
        ticket.request(&share.model, false);
        let held = ticket.reserve(share.bound, touched).await;
        held.map_err(|error| refused(error, share.bound))?;
    }
    let Follow::Batches { base } = std::mem::take(&mut call.ticket.follow) else { return Ok(()) };
    call.ticket.follow = Follow::Made {
        of: requests.of,
        requests: requests.shares.iter().map(|share| share.requests).collect(),
        base,
    };
    Ok(())
}

/// What the requests of the file can cost that a body names.
fn of_order(shared: &Shared, call: &Identified, body: &[u8]) -> Result<Requests, Stopped> {
    let order = BatchOrder::read(body)?;
    let shown: String = order.input_file.chars().take(80).collect();
    let key = follow::key(&call.target.upstream.config.name, order.input_file);
    let Some(file) = shared.ledger.batches().file(&key) else {
        let why = format!(
            "the file `{shown}` was not uploaded through this proxy, so what its requests can cost \
             is not known: upload it here with purpose=batch and name the new id"
        );
        return Err(Stopped::Batch { why });
    };
    if let Some(why) = file.why {
        let why = format!("no batch can be made of the file `{shown}`: {why}");
        return Err(Stopped::Batch { why });
    }
    if file.of != order.url {
        let why = format!(
            "the requests of the file `{shown}` are for {}: name that as `endpoint`",
            file.of
        );
        return Err(Stopped::Batch { why });
    }
    Ok(Requests { of: file.of, shares: file.shares, why: None })
}

/// Does what the answer is to be followed by; returns it changed where it has to be.
pub(super) async fn follow(ticket: &mut Ticket, body: &Bytes) -> Option<Bytes> {
    let upstream = ticket.upstream_name()?.clone();
    let shared = Arc::clone(ticket.shared());
    match std::mem::take(&mut ticket.follow) {
        Follow::File(requests) => {
            let id = follow::made_id(body)?;
            let Requests { of, shares, why } = requests;
            let key = follow::key(&upstream, &id);
            shared.ledger.remember(BatchFile { key, at: unix_ms(), of, shares, why });
            None
        }
        Follow::Made { of, requests, base } => {
            // Without an id nobody could ask for the results: it is charged whole.
            let id = follow::made_id(body)?;
            ticket.wait_for_batch(follow::key(&upstream, &id), of, &requests).await;
            follow::moved_results(body, &base).map(Bytes::from)
        }
        Follow::Batches { base } => {
            for told in follow::told(body) {
                learn(&shared, &upstream, ticket.dialect(), &told);
            }
            follow::moved_results(body, &base).map(Bytes::from)
        }
        Follow::Nothing | Follow::Content { .. } => None,
    }
}

fn learn(shared: &Shared, upstream: &Name, dialect: Option<Dialect>, told: &Told<'_>) {
    let key = follow::key(upstream, told.id);
    if !shared.ledger.batches().is_open(&key) {
        return;
    }
    if dialect.is_some_and(|dialect| told.is_free(dialect)) {
        shared.ledger.end_batch(&key, |record| {
            record.status = 200;
            record.outcome = Outcome::Ok;
            record.reason = "batch_without_results";
            End::Void
        });
    } else {
        shared.ledger.learn(&key, told.output, told.completed.filter(|_| told.over));
    }
}

/// How the results of requests for a path are metered.
pub(super) fn kind_of(of: &str, dialect: Dialect) -> WireKind {
    let endpoint = Endpoint::ALL.into_iter().find(|endpoint| batch_url(*endpoint) == of);
    wire_kind(endpoint, dialect)
}

/// Charges a batch for its results, once: nothing happens where it was charged before, or where
/// fewer results came than the provider said there are.
pub(super) fn settle(live: &Live, shared: &Shared, batch: &OpenBatch, used: &[Used]) {
    if batch.completed.is_some_and(|completed| (used.len() as u64) < completed) {
        tracing::warn!(
            upstream = %batch.key.0,
            "the results of a batch are not all that the provider counted: they settle nothing"
        );
        return;
    }
    let prices: Vec<_> = batch
        .holds
        .iter()
        .map(|hold| live.price(&*live.upstream(batch.key.0.as_str())?, &hold.record.model))
        .collect();
    let mut sums = vec![(Usage::default(), Cost::default(), true); batch.holds.len()];
    for used in used {
        let place = place(batch, &used.model);
        let (Some(usage), Some(price)) = (&used.usage, &prices[place]) else {
            sums[place].2 = false;
            continue;
        };
        let (sum, cost, _) = &mut sums[place];
        *sum = sum.plus(usage);
        *cost = std::mem::take(cost).plus(&price.batch_cost(usage));
    }
    let mut sums = sums.into_iter();
    let mut spent = Vec::new();
    shared.ledger.end_batch(&batch.key, |record| {
        record.status = 200;
        record.outcome = Outcome::Ok;
        record.reason = "ok";
        let end = match sums.next() {
            Some((usage, cost, true)) => {
                let end = End::Post(cost.total());
                record.usage = Some(usage);
                record.cost = Some(cost);
                end
            }
            _ => End::PostWhole,
        };
        spent.push((end, record.usage));
        end
    });
    for (end, usage) in spent {
        if let End::Post(amount) = end {
            shared.metrics.settled_later(batch.key.0.as_str(), amount, usage.as_ref());
        }
    }
}

/// The hold that an answer of a model belongs to: by its name, by the name that it begins with
/// (`gpt-4o-mini` answers as `gpt-4o-mini-2024-07-18`), else the first.
fn place(batch: &OpenBatch, model: &str) -> usize {
    let holds = batch.holds.iter().enumerate();
    let fitting = holds.filter(|(_, hold)| model.starts_with(&hold.record.model));
    fitting.max_by_key(|(_, hold)| hold.record.model.len()).map_or(0, |(place, _)| place)
}

/// Charges batches whole whose results nobody fetched within the policy's time.
pub(crate) fn settle_unclaimed(shared: &Shared) {
    let live = shared.live();
    let wait = i64::try_from(live.policy.batches.settle_after.as_millis()).unwrap_or(i64::MAX);
    let keys: Vec<Key> = shared.ledger.batches().before(unix_ms().saturating_sub(wait));
    for key in keys {
        tracing::warn!(upstream = %key.0, "the results of a batch were not fetched: charged whole");
        shared.ledger.end_batch(&key, |record| {
            record.outcome = Outcome::Ok;
            record.reason = "batch_unclaimed";
            End::PostWhole
        });
    }
}
