//! The audit log: who did what, in a chain of HMACs, written in the transaction of the change.
//!
//! Each entry's code is made over its fields and the code of the entry before, with a key that is
//! derived from the master key: who can write the database can neither change nor drop an entry
//! without its being seen. A change whose entry cannot be written does not happen.

use std::sync::{Mutex, PoisonError};

use hmac::Mac;
use serde_json::Value;
use sqlx::{AnyConnection, Row};

use crate::api::access::Principal;
use crate::keys::hmac;
use crate::panel::Panel;
use crate::store::{StoreError, raise};

/// What is written down.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// Who: `usr_…`, `proxy:NAME`, `bootstrap`, `system`, or `anonymous`.
    pub actor: &'a str,
    /// What: `budget.update`, `token.issue`, `login.refused`, …
    pub action: &'static str,
    /// To what: an id.
    pub target: &'a str,
    /// How: names and numbers, never a secret.
    pub detail: Value,
}

/// Writes down what this principal did, within the transaction of what it tells of. A change whose
/// entry cannot be written does not happen: let `?` end the transaction.
pub async fn record(
    panel: &Panel,
    connection: &mut AnyConnection,
    principal: &Principal,
    action: &'static str,
    target: &str,
    detail: Value,
) -> Result<(), StoreError> {
    let actor = principal.actor();
    write(panel, connection, Entry { actor: &actor, action, target, detail }).await?;
    Ok(())
}

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

/// Writes an entry behind the last one, within the transaction of what it tells of.
pub async fn write(
    panel: &Panel,
    connection: &mut AnyConnection,
    entry: Entry<'_>,
) -> Result<i64, StoreError> {
    // Raising the number holds its row until the transaction ends: entries are written in turn.
    let sequence = raise(connection, "audit").await?;
    let before: Option<Vec<u8>> = sqlx::query("SELECT mac FROM audit WHERE sequence = $1")
        .bind(sequence - 1)
        .fetch_optional(&mut *connection)
        .await?
        .map(|row| row.try_get(0))
        .transpose()?;
    let at = panel.clock.now_ms();
    let detail = entry.detail.to_string();
    let row = Fields {
        sequence,
        at,
        actor: entry.actor,
        action: entry.action,
        target: entry.target,
        detail: &detail,
    };
    let mac = row.mac(&panel.master.derive("audit"), before.as_deref().unwrap_or_default());
    sqlx::query(
        "INSERT INTO audit (sequence, at, actor, action, target, detail, mac)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(sequence)
    .bind(at)
    .bind(entry.actor.to_owned())
    .bind(entry.action)
    .bind(entry.target.to_owned())
    .bind(detail)
    .bind(mac)
    .execute(connection)
    .await?;
    Ok(sequence)
}

/// What the code of an entry is made over.
struct Fields<'a> {
    sequence: i64,
    at: i64,
    actor: &'a str,
    action: &'a str,
    target: &'a str,
    detail: &'a str,
}

impl Fields<'_> {
    fn mac(&self, key: &[u8; 32], before: &[u8]) -> Vec<u8> {
        let mut mac = hmac(key);
        mac.update(before);
        mac.update(&self.sequence.to_be_bytes());
        mac.update(&self.at.to_be_bytes());
        for field in [self.actor, self.action, self.target, self.detail] {
            // With its length, so that no two entries look alike.
            mac.update(&(field.len() as u64).to_be_bytes());
            mac.update(field.as_bytes());
        }
        mac.finalize().into_bytes().to_vec()
    }
}
