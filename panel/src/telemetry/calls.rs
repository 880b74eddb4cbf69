//! A call as the panel keeps it: what a record comes to, and writing it.

use std::collections::BTreeSet;

use iron_policy::control::CallRecord;
use iron_policy::types::CallId;
use serde_json::json;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::deltas::{Cell, Deltas, Spot};
use super::sums::Sums;
use crate::store::{StoreError, places, portions};

/// Rows a statement.
const CHUNK: usize = 128;
/// The step of a call that ends with the first byte of the answer.
const FIRST_BYTE: &str = "upstream";

/// Microseconds to the first byte of the answer; 0 where there was none.
pub fn first_byte(call: &CallRecord) -> i64 {
    let end = call.timeline.iter().position(|(step, _)| step == FIRST_BYTE);
    end.map_or(0, |end| call.timeline[..=end].iter().map(|(_, micros)| i64::from(*micros)).sum())
}

/// How many findings there were, in the request and in the answer.
pub fn findings(call: &CallRecord) -> i64 {
    call.findings.iter().map(|finding| i64::from(finding.count)).sum()
}

/// Whether it used something whose price nobody knew.
pub fn is_unpriced(call: &CallRecord) -> bool {
    call.posted == 0 && call.cost.is_empty() && call.usage.values().any(|units| *units > 0)
}

/// What a call adds to the sums.
pub fn sums(call: &CallRecord) -> Sums {
    let mut sums = Sums::default();
    *sums.calls_mut() = 1;
    *sums.refused_mut() = i64::from(call.outcome == "refused");
    *sums.errors_mut() = i64::from(matches!(&*call.outcome, "upstream_error" | "failed"));
    *sums.posted_mut() = call.posted;
    *sums.estimated_mut() = if call.estimated { call.posted } else { 0 };
    *sums.unpriced_mut() = i64::from(is_unpriced(call));
    *sums.input_tokens_mut() = call.input_tokens;
    *sums.output_tokens_mut() = call.output_tokens;
    *sums.found_mut() = findings(call);
    sums.first_byte(first_byte(call));
    sums
}

/// Adds a new call to the sums. `name` shortens what callers can name without end.
pub fn count(deltas: &mut Deltas, call: &CallRecord, name: impl Fn(&str) -> String) {
    let at = CallId(call.id).unix_ms();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let cell = Cell {
        agent: text(&call.agent),
        project: text(&call.project),
        model: name(&call.model),
        upstream: text(&call.upstream),
        outcome: call.outcome.clone(),
        reason: call.reason.clone(),
    };
    for finding in call.findings.iter().filter(|finding| finding.count > 0) {
        let spot = Spot {
            agent: cell.agent.clone(),
            project: cell.project.clone(),
            upstream: cell.upstream.clone(),
            kind: finding.kind.clone(),
        };
        deltas.found(at, spot, i64::from(finding.count));
    }
    let sums = sums(call);
    if let Some(run) = &call.run {
        deltas.run(at, run, &cell, &sums);
    }
    deltas.add(at, cell, &sums);
}

/// Writes calls; returns the ids of those that were not there.
pub async fn insert(
    connection: &mut AnyConnection,
    proxy: &str,
    calls: &[CallRecord],
) -> Result<BTreeSet<i64>, StoreError> {
    let mut new = BTreeSet::new();
    for calls in portions(calls, CHUNK) {
        let sql = format!(
            "INSERT INTO call (proxy, id, agent, project, token, run, model, upstream, dialect,
             endpoint, stream, status, outcome, reason, reserved, posted, estimated, input_tokens,
             output_tokens, first_byte, findings, detail) VALUES {}
             ON CONFLICT (id, proxy) DO NOTHING RETURNING id",
            places(calls.len(), 22)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for call in calls {
            query = query
                .bind(proxy.to_owned())
                .bind(call.id)
                .bind(call.agent.clone())
                .bind(call.project.clone())
                .bind(call.token.clone())
                .bind(call.run.clone())
                .bind(call.model.clone())
                .bind(call.upstream.clone())
                .bind(call.dialect.clone())
                .bind(call.endpoint.clone())
                .bind(i64::from(call.stream))
                .bind(i64::from(call.status))
                .bind(call.outcome.clone())
                .bind(call.reason.clone())
                .bind(call.reserved)
                .bind(call.posted)
                .bind(i64::from(call.estimated))
                .bind(call.input_tokens)
                .bind(call.output_tokens)
                .bind(first_byte(call))
                .bind(findings(call))
                .bind(detail(call));
        }
        for row in query.fetch_all(&mut *connection).await? {
            new.insert(row.try_get(0)?);
        }
    }
    Ok(new)
}

/// Notes that calls are counted which are kept elsewhere; returns the ids of those that were not.
pub async fn note(
    connection: &mut AnyConnection,
    proxy: &str,
    calls: &[CallRecord],
) -> Result<BTreeSet<i64>, StoreError> {
    let mut new = BTreeSet::new();
    for calls in portions(calls, CHUNK) {
        let sql = format!(
            "INSERT INTO counted (id, proxy) VALUES {} ON CONFLICT (id, proxy) DO NOTHING RETURNING id",
            places(calls.len(), 2)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for call in calls {
            query = query.bind(call.id).bind(proxy.to_owned());
        }
        for row in query.fetch_all(&mut *connection).await? {
            new.insert(row.try_get(0)?);
        }
    }
    Ok(new)
}

/// What only the view of one call needs.
fn detail(call: &CallRecord) -> String {
    let findings: serde_json::Map<String, serde_json::Value> =
        call.findings.iter().map(|finding| (finding.kind.clone(), finding.count.into())).collect();
    json!({
        "usage": call.usage,
        "cost": call.cost,
        "findings": findings,
        "timeline": call.timeline,
        "attempt": call.attempt.max(1),
        "first_attempt": call.first_attempt,
    })
    .to_string()
}
