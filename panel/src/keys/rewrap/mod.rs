//! The rotation of the master key: every envelope is wrapped anew, one row at a time.
//!
//! ```text
//! 1. panels start with the new key, and the old one besides: both are read, the new one wraps
//! 2. rewrap: each row says by itself which key wraps it; those of the old one are wrapped anew
//! 3. the root comes last: from then on a panel starts without the old key
//! ```
//!
//! A row is changed by one statement, and only if it is still what was read. Whatever ends this ends it
//! between two rows: every row is readable with one of the two keys, and the same again goes on where
//! it ended. What is sealed is not opened, and data keys stay what they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;
use sqlx::{AssertSqlSafe, Row};

use super::unlock::{ENVELOPES, ROOT};
use crate::audit::{self, Entry};
use crate::panel::Panel;
use crate::store::StoreError;

/// Rows that are looked at together.
const BATCH: i64 = 100;

/// What a rotation did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rewrapped {
    /// Rows that were wrapped anew.
    pub rows: u64,
    /// Rows that no key opens, by name. While there are any the root is left as it is, and the old
    /// key is needed.
    pub damaged: Vec<String>,
}

/// Wraps everything with the panel's own master key that is still wrapped with an older one.
/// `step` is called after each row with its name: tests end the process there.
pub async fn rewrap(
    panel: &Panel,
    actor: &str,
    mut step: impl FnMut(&str) + Send,
) -> Result<Rewrapped, StoreError> {
    let mut done = Rewrapped::default();
    for (table, row) in ENVELOPES {
        every(panel, table, row, &mut done, &mut step).await?;
    }
    if done.damaged.is_empty() {
        root(panel, actor, &mut done, &mut step).await?;
    }
    Ok(done)
}

async fn every(
    panel: &Panel,
    table: &'static str,
    row: &'static str,
    done: &mut Rewrapped,
    step: &mut (impl FnMut(&str) + Send),
) -> Result<(), StoreError> {
    let select = format!(
        "SELECT {row}, wrapped FROM {table} WHERE substr(wrapped, 2, 8) <> $1 AND {row} > $2
         ORDER BY {row} LIMIT $3"
    );
    let update = format!("UPDATE {table} SET wrapped = $1 WHERE {row} = $2 AND wrapped = $3");
    let mut after = String::new();
    loop {
        let rows = sqlx::query(AssertSqlSafe(select.clone()))
            .bind(panel.master.id().to_vec())
            .bind(after.clone())
            .bind(BATCH)
            .fetch_all(panel.store.pool())
            .await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.try_get(0)?;
        for row in rows {
            let (id, wrapped): (String, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
            let name = format!("{table} {id}");
            let anew = match panel.master.rewrap(&name, &wrapped) {
                Ok(Some(anew)) => anew,
                Ok(None) => continue,
                Err(StoreError::Damaged(_) | StoreError::WrongMasterKey(_)) => {
                    tracing::error!(row = name, "it cannot be wrapped anew: no key opens it");
                    done.damaged.push(name);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let changed = sqlx::query(AssertSqlSafe(update.clone()))
                .bind(anew)
                .bind(id)
                .bind(wrapped)
                .execute(panel.store.pool())
                .await?;
            done.rows += changed.rows_affected();
            step(&name);
        }
    }
}

async fn root(
    panel: &Panel,
    actor: &str,
    done: &mut Rewrapped,
    step: &mut (impl FnMut(&str) + Send),
) -> Result<(), StoreError> {
    let text: String = sqlx::query("SELECT value FROM setting WHERE name = 'root'")
        .fetch_one(panel.store.pool())
        .await?
        .try_get(0)?;
    let name = ROOT.to_string();
    let damaged = || StoreError::Damaged(name.clone());
    let envelope = BASE64.decode(&text).map_err(|_| damaged())?;
    let Some(anew) = panel.master.rewrap(&name, &envelope)? else { return Ok(()) };
    let mut tx = panel.store.begin().await?;
    sqlx::query("UPDATE setting SET value = $1 WHERE name = 'root' AND value = $2")
        .bind(BASE64.encode(anew))
        .bind(text)
        .execute(&mut *tx)
        .await?;
    let detail = json!({"rows": done.rows + 1});
    let target = panel.master.name();
    let entry = Entry { actor, action: "keys.rewrap", target: &target, detail };
    audit::write(panel, &mut tx, entry).await?;
    tx.commit().await?;
    done.rows += 1;
    step(&name);
    Ok(())
}

#[cfg(test)]
mod tests;
