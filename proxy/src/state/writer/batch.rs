//! The statements for batches. All run inside the writer's transaction.

use rusqlite::{Connection, params};

use super::sql;
use crate::state::batches::{FILES_LIVE, MOST_FILES};
use crate::state::{BatchFile, OpenBatch, Settlement};

/// Remembers an uploaded file, and forgets those that are too old or too many.
pub(super) fn remember(connection: &Connection, file: &BatchFile) -> rusqlite::Result<()> {
    let shares = serde_json::to_string(&file.shares).unwrap_or_default();
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO batch_file (upstream, file, at, of, shares, why)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![file.key.0.as_str(), file.key.1, file.at, file.of, shares, file.why])?;
    connection
        .prepare_cached("DELETE FROM batch_file WHERE at < ?1")?
        .execute([file.at - FILES_LIVE])?;
    connection
        .prepare_cached(
            "DELETE FROM batch_file WHERE (upstream, file) IN (
               SELECT upstream, file FROM batch_file ORDER BY at DESC LIMIT -1 OFFSET ?1)",
        )?
        .execute([MOST_FILES as i64])?;
    Ok(())
}

/// Lets reservations wait for a batch's results. One that has ended waits for nothing.
pub(super) fn bind(connection: &Connection, batch: &OpenBatch) -> rusqlite::Result<()> {
    for hold in &batch.holds {
        connection
            .prepare_cached(
                "INSERT OR IGNORE INTO batch
                 (call, upstream, batch, requests, of, at, findings, output, completed)
                 SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
                 WHERE EXISTS (SELECT 1 FROM reservation WHERE id = ?1)",
            )?
            .execute(params![
                hold.record.id.0,
                batch.key.0.as_str(),
                batch.key.1,
                hold.requests as i64,
                batch.of,
                batch.at,
                sql::findings(&hold.record),
                batch.output,
                batch.completed.map(|count| count as i64),
            ])?;
    }
    Ok(())
}

/// Notes what the provider said of a batch.
pub(super) fn learn(connection: &Connection, batch: &OpenBatch) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE batch SET output = ?3, completed = ?4
             WHERE upstream = ?1 AND batch = ?2 AND ended = 0",
        )?
        .execute(params![
            batch.key.0.as_str(),
            batch.key.1,
            batch.output,
            batch.completed.map(|count| count as i64),
        ])?;
    Ok(())
}

/// Ends the reservation of a batch's model, exactly once like any other. The row stays, so that the
/// next comparison adds up a call whose id is older than the one before.
pub(super) fn end(connection: &Connection, settlement: &Settlement) -> rusqlite::Result<()> {
    let id = settlement.record.id.0;
    sql::settle(connection, settlement)?;
    connection
        .prepare_cached(
            "UPDATE call SET findings = (SELECT findings FROM batch WHERE call = ?1)
             WHERE id = ?1 AND EXISTS (SELECT 1 FROM batch WHERE call = ?1 AND ended = 0)",
        )?
        .execute([id])?;
    connection.prepare_cached("UPDATE batch SET ended = 1 WHERE call = ?1")?.execute([id])?;
    Ok(())
}
