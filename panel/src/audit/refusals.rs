//! Refusals in the audit log: so many a minute at most.

use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::{Entry, write};
use crate::panel::Panel;
use crate::store::StoreError;

/// Writes down that somebody was refused. So many a minute at most, so that a flood of refusals does
/// not fill the disk: the next entry says how many were left out. The refusal stands, written down or
/// not.
pub async fn refusal(
    panel: &Panel,
    actor: &str,
    action: &'static str,
    target: &str,
    mut detail: Value,
) {
    let Some(left_out) = panel.refusals.admit(panel.clock.now_ms()) else { return };
    if left_out > 0 {
        detail["left_out_before"] = left_out.into();
    }
    let written = async {
        let mut tx = panel.store.begin().await?;
        write(panel, &mut tx, Entry { actor, action, target, detail }).await?;
        tx.commit().await?;
        Ok::<_, StoreError>(())
    };
    if let Err(error) = written.await {
        tracing::error!(%error, action, target, "a refusal was not written to the audit log");
    }
}

/// Counts refusals that are written down.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<Minute>);

#[derive(Debug, Default)]
struct Minute {
    /// Which one, since 1970.
    number: i64,
    written: u32,
    left_out: u64,
}

impl Refusals {
    /// Entries about refusals in a minute at most, by one panel: 10 MB a day.
    const MOST: u32 = 20;

    /// Whether one more is written down, and how many before it were not.
    fn admit(&self, now_ms: i64) -> Option<u64> {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if minute.number != now_ms / 60_000 {
            minute.number = now_ms / 60_000;
            minute.written = 0;
        }
        if minute.written >= Self::MOST {
            minute.left_out += 1;
            return None;
        }
        minute.written += 1;
        Some(std::mem::take(&mut minute.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_not_written() {
        let refusals = Refusals::default();
        let written = (0..1000).filter(|_| refusals.admit(30_000).is_some()).count();
        assert_eq!(written, 20);
        assert_eq!(refusals.admit(60_000), Some(980));
        assert_eq!(refusals.admit(60_001), Some(0));
    }
}
