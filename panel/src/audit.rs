//! The audit log: who did what, in a chain of HMACs, written in the transaction of the change.
//!
//! Each entry's code is made over its fields and the code of the entry before, with a key that is
//! derived from the master key: who can write the database can neither change nor drop an entry
//! without its being seen. A change whose entry cannot be written does not happen.

use hmac::Mac;
use serde_json::Value;
use sqlx::{AnyConnection, Row};

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
