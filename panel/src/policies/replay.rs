//! What a policy would have done with the calls that the panel has: [`iron_policy::replay`] over its
//! records.

use std::collections::BTreeMap;

use iron_policy::config::Policy;
use iron_policy::control::{CallRecord, FindingCount};
use iron_policy::price::PriceError;
use iron_policy::replay::{Replay, Report};
use iron_policy::types::CallId;
use serde::Deserialize;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::panel::Panel;
use crate::store::StoreError;

/// Calls that are read together.
const BATCH: i64 = 1000;
/// Calls that are replayed at most.
const MOST: u64 = 500_000;

/// Why nothing is replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The policy's prices.
    #[error(transparent)]
    Price(#[from] PriceError),
}

impl From<sqlx::Error> for ReplayError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Replays the calls since then. `before` is the policy that was in force, where there was one.
pub async fn replay(
    panel: &Panel,
    policy: &Policy,
    before: Option<&Policy>,
    since_ms: i64,
) -> Result<Report, ReplayError> {
    let mut replay = Replay::new(policy, before, since_ms)?;
    let mut after = CallId::first_at(replay.begin_ms().max(0)).0 - 1;
    let (mut taken, mut of) = (0, String::new());
    loop {
        let rows = sqlx::query(
            "SELECT id, proxy, agent, project, token, run, model, upstream, outcome, reason, reserved,
                    posted, estimated, detail
             FROM call WHERE id > $1 OR (id = $1 AND proxy > $3) ORDER BY id, proxy LIMIT $2",
        )
        .bind(after)
        .bind(BATCH)
        .bind(of.clone())
        .fetch_all(panel.store.pool())
        .await?;
        for row in &rows {
            replay.take(&record(row)?);
        }
        taken += rows.len() as u64;
        match rows.last() {
            // Two proxies may have calls of one id.
            Some(last) if taken < MOST => (after, of) = (last.try_get(0)?, last.try_get(1)?),
            _ => break,
        }
    }
    let mut report = replay.report();
    if taken >= MOST {
        report
            .unknown
            .push(format!("only the oldest {MOST} calls were looked at: choose a shorter time"));
    }
    Ok(report)
}

/// What is needed of a call's detail.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Detail {
    usage: BTreeMap<String, u64>,
    /// By kind.
    findings: BTreeMap<String, u32>,
}

fn record(row: &AnyRow) -> Result<CallRecord, StoreError> {
    let id: i64 = row.try_get(0)?;
    let detail: Detail = serde_json::from_str(&row.try_get::<String, _>(13)?)
        .map_err(|_| StoreError::Damaged(CallId(id).to_string()))?;
    let findings = detail.findings.into_iter().map(|(kind, count)| FindingCount { kind, count });
    Ok(CallRecord {
        id,
        agent: row.try_get(2)?,
        project: row.try_get(3)?,
        token: row.try_get(4)?,
        run: row.try_get(5)?,
        model: row.try_get(6)?,
        upstream: row.try_get(7)?,
        outcome: row.try_get(8)?,
        reason: row.try_get(9)?,
        reserved: row.try_get(10)?,
        posted: row.try_get(11)?,
        estimated: row.try_get::<i64, _>(12)? != 0,
        usage: detail.usage,
        findings: findings.collect(),
        ..CallRecord::default()
    })
}
