//! The audit log: who did what, in a chain of HMACs, written in the transaction of the change.
//!
//! Each entry's code is made over its fields and the code of the entry before, with a key that is
//! derived from the master key: who can write the database can neither change nor drop an entry
//! without its being seen. A change whose entry cannot be written does not happen.
//!
//! The last entry is named in the setting `audit_head`, with a code of its own, so that the end cannot
//! be cut off either. What this does not see is a whole database put back to an earlier state: for that,
//! keep the number of the last entry (`iron audit verify` prints it) somewhere else.

mod refusals;
mod verify;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;
use serde_json::Value;
use sqlx::{AnyConnection, Row};

use crate::api::access::Principal;
use crate::events::{self, Audited, Kind};
use crate::keys::hmac;
use crate::panel::Panel;
use crate::store::{StoreError, raise};

pub use refusals::{Refusals, refusal};
pub use verify::{Verdict, verify};

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
    .bind(mac.clone())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO setting (name, value) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(HEAD)
    .bind(head(panel, sequence, &mac))
    .execute(&mut *connection)
    .await?;
    let (actor, target) = (entry.actor.to_owned(), entry.target.to_owned());
    let told = Audited { sequence, actor, action: entry.action.to_owned(), target };
    events::publish(panel, connection, &Kind::Audit(told)).await?;
    Ok(sequence)
}

/// Where the last entry is named.
const HEAD: &str = "audit_head";

/// What names the last entry: its number, and a code that only the panel can make.
fn head(panel: &Panel, sequence: i64, mac: &[u8]) -> String {
    let mut code = hmac(&panel.master.derive("audit head"));
    code.update(&sequence.to_be_bytes());
    code.update(mac);
    format!("{sequence} {}", URL_SAFE_NO_PAD.encode(code.finalize().into_bytes()))
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

#[cfg(test)]
mod tests;
