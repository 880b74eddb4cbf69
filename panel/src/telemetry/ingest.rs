//! Taking what proxies tell of their calls.
//!
//! One transaction a batch: records that were not there, the sums they move, and the events that
//! tell of it. A batch that comes twice, or in two halves, changes nothing the second time.

use std::collections::BTreeMap;

use iron_policy::control::{Batch, BreakerRecord, CallRecord, ExtraRecord, Taken};
use iron_policy::types::CallId;
use sqlx::{AnyConnection, Row};

use super::check::{Unfit, check};
use super::deltas::Deltas;
use super::names::Names;
use super::{calls, corrections, setting, write};
use crate::events::{self, BreakerChanged, CallEnded, EVENT, Found, Kind, Moved, Spend};
use crate::panel::Panel;
use crate::store::StoreError;

/// Calls that are told of one by one, of each batch: the newest.
const TOLD: usize = 20;
/// Agents whose sums are told of one by one.
const MOVES: usize = 100;

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// Something in it cannot be true.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The database did not take it: the same again may work.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes a batch of this proxy's.
pub async fn take(panel: &Panel, proxy: &str, mut batch: Batch) -> Result<Taken, NotTaken> {
    let counters = &panel.telemetry.counters;
    if let Err(unfit) = check(&mut batch, panel.clock.now_ms()) {
        counters.refused();
        return Err(unfit.into());
    }
    // In one order for everybody: who waits for another replica's rows holds none that it waits for.
    batch.calls.sort_by_key(|call| call.id);
    batch.extra.sort_by(|a, b| a.id.cmp(&b.id));
    batch.breakers.sort_by(|a, b| (&a.upstream, &a.lane, a.at).cmp(&(&b.upstream, &b.lane, b.at)));
    Names::learn(panel).await?;
    let taken = panel.store.retry(|| once(panel, proxy, &batch)).await?;
    if taken.new > 0 {
        panel.wake.notify(EVENT);
    }
    counters.taken(&taken);
    Ok(taken)
}

async fn once(panel: &Panel, proxy: &str, batch: &Batch) -> Result<Taken, StoreError> {
    let mut tx = panel.store.begin().await?;
    let zone = setting::zone(&mut tx).await?;
    let name = |model: &str| panel.telemetry.names.of(model);
    let mut new = if panel.store.is_beside() {
        calls::note(&mut tx, proxy, &batch.calls).await?
    } else {
        calls::insert(&mut tx, proxy, &batch.calls).await?
    };
    let amounts = corrections::waiting(&mut tx, proxy, &new).await?;
    let mut fresh = Vec::with_capacity(new.len());
    // One that stands twice in a batch is counted once.
    for call in batch.calls.iter().filter(|call| new.remove(&call.id)) {
        let mut call = call.clone();
        if let Some(posted) = amounts.get(&call.id) {
            (call.posted, call.estimated) = (*posted, false);
            amend(panel, &mut tx, proxy, &call).await?;
        }
        fresh.push(call);
    }
    let mut deltas = Deltas::default();
    for call in &fresh {
        calls::count(&mut deltas, call, name);
    }
    let extra = corrections::insert(&mut tx, proxy, &batch.extra).await?;
    corrections::apply(&panel.store, &mut tx, proxy, &extra, &mut deltas, name).await?;
    corrections::count(&mut deltas, &extra);
    let breakers = breakers(&mut tx, proxy, &batch.breakers).await?;
    if !deltas.is_empty() {
        write::add_runs(&mut tx, deltas.runs()).await?;
        write::add(&mut tx, &deltas.rows(&zone)).await?;
    }
    let told = told(proxy, &fresh, &breakers, &extra);
    if !told.is_empty() {
        events::publish_all(panel, &mut tx, &told).await?;
    }
    setting::is_still(&mut tx, &zone).await?;
    tx.commit().await?;
    let all = (batch.calls.len() + batch.breakers.len() + batch.extra.len()) as u64;
    let new = (fresh.len() + breakers.len() + extra.len()) as u64;
    Ok(Taken { new, known: all - new })
}

/// Puts into a call's row what it cost in the end.
async fn amend(
    panel: &Panel,
    connection: &mut AnyConnection,
    proxy: &str,
    call: &CallRecord,
) -> Result<(), StoreError> {
    if !panel.store.is_beside() {
        sqlx::query("UPDATE call SET posted = $1, estimated = 0 WHERE id = $2 AND proxy = $3")
            .bind(call.posted)
            .bind(call.id)
            .bind(proxy.to_owned())
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Writes breakers; returns those that changed since what is known of them.
async fn breakers<'a>(
    connection: &mut AnyConnection,
    proxy: &str,
    breakers: &'a [BreakerRecord],
) -> Result<Vec<&'a BreakerRecord>, StoreError> {
    let mut changed = Vec::new();
    for breaker in breakers {
        let row = sqlx::query(
            "INSERT INTO breaker (proxy, upstream, lane, state, at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (proxy, upstream, lane) DO UPDATE SET state = excluded.state,
             at = excluded.at WHERE excluded.at > breaker.at RETURNING at",
        )
        .bind(proxy.to_owned())
        .bind(breaker.upstream.clone())
        .bind(breaker.lane.clone())
        .bind(breaker.state.clone())
        .bind(breaker.at)
        .fetch_optional(&mut *connection)
        .await?;
        if row.map(|row| row.try_get::<i64, _>(0)).transpose()?.is_some() {
            changed.push(breaker);
        }
    }
    Ok(changed)
}

/// What live views are told of a batch.
fn told(
    proxy: &str,
    fresh: &[CallRecord],
    breakers: &[&BreakerRecord],
    extra: &[&ExtraRecord],
) -> Vec<Kind> {
    let mut told: Vec<Kind> = breakers
        .iter()
        .map(|breaker| {
            Kind::Breaker(BreakerChanged {
                proxy: proxy.to_owned(),
                upstream: breaker.upstream.clone(),
                lane: breaker.lane.clone(),
                state: breaker.state.clone(),
            })
        })
        .collect();
    told.extend(found(fresh, extra).into_iter().map(Kind::Finding));
    let newest = fresh.len().saturating_sub(TOLD);
    told.extend(fresh[newest..].iter().map(|call| Kind::Call(ended(proxy, call))));
    if !fresh.is_empty() {
        told.push(Kind::Spend(Spend { moves: moves(fresh) }));
    }
    told
}

/// The findings of these calls, and of sandboxes, by who, where and what: the most frequent.
fn found(fresh: &[CallRecord], extra: &[&ExtraRecord]) -> Vec<Found> {
    let mut all: BTreeMap<_, (i64, i64)> = BTreeMap::new();
    for call in fresh {
        for finding in &call.findings {
            let entry = all.entry((&call.agent, &call.project, &finding.kind)).or_default();
            *entry = (entry.0 + i64::from(finding.count), entry.1 + 1);
        }
    }
    for extra in extra {
        if let Some(kind) = &extra.finding {
            all.entry((&extra.agent, &extra.project, kind)).or_default().0 += 1;
        }
    }
    let mut all: Vec<Found> = all
        .into_iter()
        .map(|((agent, project, kind), (count, calls))| Found {
            agent: agent.clone(),
            project: project.clone(),
            found: kind.clone(),
            count,
            calls,
        })
        .collect();
    all.sort_by_key(|found| std::cmp::Reverse(found.count));
    all.truncate(TOLD);
    all
}

/// By how much the sums of each agent moved.
fn moves(fresh: &[CallRecord]) -> Vec<Moved> {
    let mut all: BTreeMap<_, (i64, i64, i64)> = BTreeMap::new();
    for call in fresh {
        let sums = all.entry((call.agent.clone(), call.project.clone())).or_default();
        let refused = i64::from(call.outcome == "refused");
        *sums = (sums.0 + 1, sums.1 + refused, sums.2 + call.posted);
    }
    let mut moves: Vec<Moved> = all
        .into_iter()
        .map(|((agent, project), (calls, refused, posted))| Moved {
            agent,
            project,
            calls,
            refused,
            posted: posted.into(),
        })
        .collect();
    moves.sort_by_key(|moved| std::cmp::Reverse(moved.posted.nano));
    if moves.len() > MOVES {
        let rest = moves.split_off(MOVES - 1);
        let mut sum = Moved::default();
        for moved in rest {
            sum.calls += moved.calls;
            sum.refused += moved.refused;
            sum.posted = (sum.posted.nano + moved.posted.nano).into();
        }
        moves.push(sum);
    }
    moves
}

fn ended(proxy: &str, call: &CallRecord) -> CallEnded {
    CallEnded {
        id: CallId(call.id).to_string(),
        proxy: proxy.to_owned(),
        agent: call.agent.clone(),
        project: call.project.clone(),
        run: call.run.clone(),
        model: call.model.clone(),
        upstream: call.upstream.clone(),
        status: call.status,
        outcome: call.outcome.clone(),
        reason: call.reason.clone(),
        posted: call.posted.into(),
        estimated: call.estimated,
        input_tokens: call.input_tokens,
        output_tokens: call.output_tokens,
        first_byte_us: calls::first_byte(call),
        findings: calls::findings(call),
    }
}
