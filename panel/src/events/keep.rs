//! How long events are kept: for live views that come back, not for the record.

use super::StoreError;
use crate::panel::Panel;

/// How long, in milliseconds: an hour.
const LONGEST: i64 = 3_600_000;
/// How many.
const MOST: i64 = 100_000;
/// How many are removed at once, so that nobody waits long for the lock.
const STEP: i64 = 2_000;

/// Removes events that are too old or too many; returns how many.
pub async fn keep(panel: &Panel) -> Result<u64, StoreError> {
    let before = panel.clock.now_ms() - LONGEST;
    let mut removed = 0;
    loop {
        let step = sqlx::query(
            "DELETE FROM event WHERE sequence IN (SELECT sequence FROM event
             WHERE at < $1 OR sequence <= (SELECT number FROM mark WHERE part = 'event') - $2
             ORDER BY sequence LIMIT $3)",
        )
        .bind(before)
        .bind(MOST)
        .bind(STEP)
        .execute(panel.store.pool())
        .await?
        .rows_affected();
        removed += step;
        if step == 0 {
            return Ok(removed);
        }
    }
}
