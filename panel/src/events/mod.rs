//! Events: what live views are told while it happens.
//!
//! An event is a row, written in the transaction of what it tells of, with a number that rises by one
//! from commit to commit: [`publish`]. After the commit, `panel.wake.notify("event")` wakes this
//! process; PostgreSQL wakes the other replicas by itself. [`hub`] reads what is new once for all
//! live views of a process. `/ws` in [`crate::api`] hands it out.

mod hub;
mod keep;
mod kind;
mod sight;
mod wake;

use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use utoipa::ToSchema;

pub use hub::{Hub, run};
pub use keep::keep;
pub use kind::{
    Audited, BreakerChanged, BudgetAlert, BudgetOverrun, BudgetRequested, CallEnded, Found, Kind,
    LeaseChanged, Moved, ProxySeen, Spend,
};
pub use sight::Sight;
pub use wake::{EVENT, Wake};

use crate::api::time;
use crate::panel::Panel;
use crate::store::{StoreError, places, portions, tell};

/// An event with its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Event {
    /// Rises by one from event to event.
    pub sequence: i64,
    /// When, RFC 3339.
    pub at: String,
    /// What.
    #[serde(flatten)]
    pub what: Kind,
}

/// Writes an event, in the transaction of what it tells of; returns its number.
///
/// The number's row is held until the transaction ends, so that events are seen in the order of their
/// numbers: publish last, after the audit entry. Then commit, then `panel.wake.notify(events::EVENT)`.
pub async fn publish(
    panel: &Panel,
    connection: &mut AnyConnection,
    what: &Kind,
) -> Result<i64, StoreError> {
    publish_all(panel, connection, std::slice::from_ref(what)).await
}

/// Writes several events; returns the number of the last one, or of the last that was there before.
pub async fn publish_all(
    panel: &Panel,
    connection: &mut AnyConnection,
    events: &[Kind],
) -> Result<i64, StoreError> {
    let now_ms = panel.clock.now_ms();
    let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
    let last: i64 =
        sqlx::query("UPDATE mark SET number = number + $1 WHERE part = 'event' RETURNING number")
            .bind(count)
            .fetch_one(&mut *connection)
            .await?
            .try_get(0)?;
    let mut sequence = last - count;
    for events in portions(events, 64) {
        let sql = format!(
            "INSERT INTO event (sequence, at, kind, body) VALUES {}",
            places(events.len(), 4)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for event in events {
            sequence += 1;
            let written = serde_json::to_value(event).unwrap_or_default();
            let body = written.get("body").map(ToString::to_string).unwrap_or_default();
            query = query.bind(sequence).bind(now_ms).bind(event.name()).bind(body);
        }
        query.execute(&mut *connection).await?;
    }
    if count > 0 {
        tell(connection, EVENT).await?;
    }
    Ok(last)
}

/// Some events in order, and how far they go.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// The events; those that only a newer version knows are left out.
    pub events: Vec<Event>,
    /// The number of the last one that was read; none where there is none.
    pub last: Option<i64>,
    /// When that one happened, in Unix milliseconds.
    pub at: i64,
}

/// Reads events after this one, so many at most.
pub async fn after(
    connection: &mut AnyConnection,
    sequence: i64,
    limit: i64,
) -> Result<Read, StoreError> {
    let rows = sqlx::query(
        "SELECT sequence, at, kind, body FROM event WHERE sequence > $1 ORDER BY sequence LIMIT $2",
    )
    .bind(sequence)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let mut read = Read::default();
    for row in &rows {
        let sequence = row.try_get(0)?;
        (read.last, read.at) = (Some(sequence), row.try_get(1)?);
        if let Some(what) = what(row)? {
            read.events.push(Event { sequence, at: time::text(read.at), what });
        }
    }
    Ok(read)
}

fn what(row: &AnyRow) -> Result<Option<Kind>, StoreError> {
    let (kind, body): (String, String) = (row.try_get(2)?, row.try_get(3)?);
    let Ok(body) = serde_json::from_str::<serde_json::Value>(&body) else { return Ok(None) };
    Ok(serde_json::from_value(serde_json::json!({ "kind": kind, "body": body })).ok())
}

#[cfg(test)]
mod tests;
