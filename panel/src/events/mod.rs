//! What live views are told, in the order in which it was committed.
//!
//! An event is a row, written in the transaction of what it tells of: nothing is told that did not
//! happen, and nothing that happened is left out.

use serde_json::Value;
use sqlx::AnyConnection;

use crate::panel::Panel;
use crate::store::{StoreError, raise};

/// Writes an event behind the last one, within the transaction of what it tells of. Numbers hold
/// their row until that ends: this is best done last.
pub async fn publish(
    panel: &Panel,
    connection: &mut AnyConnection,
    kind: &'static str,
    body: &Value,
) -> Result<i64, StoreError> {
    let sequence = raise(connection, "event").await?;
    sqlx::query("INSERT INTO event (sequence, at, kind, body) VALUES ($1, $2, $3, $4)")
        .bind(sequence)
        .bind(panel.clock.now_ms())
        .bind(kind)
        .bind(body.to_string())
        .execute(connection)
        .await?;
    Ok(sequence)
}
