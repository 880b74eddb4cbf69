//! Proxies: who they are, what they hold, and what they are told.
//!
//! | module   | holds                                                                     |
//! |----------|---------------------------------------------------------------------------|
//! | `feed`   | what changed since a proxy last asked, with a long poll                   |
//! | `parts`  | each part of that, read whole                                             |
//! | `sealed` | provider keys, sealed so that one proxy alone can read them               |
//!
//! A proxy is known by a credential of which the database has the hash. The pilot's own proxy has
//! none: it is asked in process, by the name [`LOCAL`].

mod feed;
mod parts;
mod sealed;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use zeroize::Zeroizing;

pub use feed::{FeedError, LONGEST_WAIT, changes};
pub use sealed::SealTo;

use crate::api::authenticate::{PROXY, hash};
use crate::panel::Panel;
use crate::store::{StoreError, raise};

/// The name of the proxy in the panel's own process.
pub const LOCAL: &str = "local";
/// A proxy that was not heard of for so long is down: it asks at least every 25 seconds.
pub const SILENT_MS: i64 = 60_000;
/// How many proxies there may be.
pub const MOST: i64 = 1000;

/// A proxy as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// The last four characters of its credential.
    pub last4: String,
    /// Its version; empty before it first asked.
    pub version: String,
    /// Where agents reach it.
    pub listens: Option<String>,
    /// The upstreams whose keys it gets; empty for all.
    pub upstreams: Vec<String>,
    /// How far it is in each part, as it last said: JSON.
    pub marks: String,
    /// When it last asked, in Unix milliseconds.
    pub seen_at: Option<i64>,
    /// When it was made.
    pub created_at: i64,
}

/// A new credential. Shown once: the database has its hash alone.
pub fn credential() -> Result<Zeroizing<String>, StoreError> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes)?;
    Ok(Zeroizing::new(format!("{PROXY}{}", BASE64URL.encode(bytes.as_slice()))))
}

/// Makes a proxy, or makes one of this name that was removed anew. False where there is one.
pub async fn add(
    panel: &Panel,
    connection: &mut AnyConnection,
    name: &str,
    credential: &str,
    upstreams: &[String],
) -> Result<bool, StoreError> {
    let last4 = credential.get(credential.len().saturating_sub(4)..).unwrap_or_default();
    let made = sqlx::query(
        "INSERT INTO proxy (name, hash, last4, upstreams, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (name) DO UPDATE SET
           hash = excluded.hash, last4 = excluded.last4, upstreams = excluded.upstreams,
           created_at = excluded.created_at, removed_at = NULL, seen_at = NULL, version = '',
           listens = NULL, marks = '{}'
         WHERE proxy.removed_at IS NOT NULL",
    )
    .bind(name.to_owned())
    .bind(hash(credential))
    .bind(last4.to_owned())
    .bind(serde_json::to_string(upstreams).unwrap_or_default())
    .bind(panel.clock.now_ms())
    .execute(connection)
    .await?;
    Ok(made.rows_affected() > 0)
}

/// Sees to it that the proxy of the panel's own process is listed. Nobody has its credential.
pub async fn add_local(panel: &Panel) -> Result<(), StoreError> {
    let mut tx = panel.store.begin().await?;
    let unknown = credential()?;
    add(panel, &mut tx, LOCAL, &format!("{}    ", *unknown), &[]).await?;
    tx.commit().await?;
    Ok(())
}

/// Removes a proxy: its credential is worth nothing from now on. False where there is none.
pub async fn remove(
    panel: &Panel,
    connection: &mut AnyConnection,
    name: &str,
) -> Result<bool, StoreError> {
    let removed =
        sqlx::query("UPDATE proxy SET removed_at = $1 WHERE name = $2 AND removed_at IS NULL")
            .bind(panel.clock.now_ms())
            .bind(name.to_owned())
            .execute(&mut *connection)
            .await?;
    if removed.rows_affected() == 0 {
        return Ok(false);
    }
    // Its long poll looks up, and finds that it is not asked for any more.
    raise(connection, "secrets").await?;
    Ok(true)
}

const COLUMNS: &str = "name, last4, version, listens, upstreams, marks, seen_at, created_at";

fn listed(row: &AnyRow) -> Result<Listed, StoreError> {
    let upstreams: String = row.try_get(4)?;
    Ok(Listed {
        name: row.try_get(0)?,
        last4: row.try_get(1)?,
        version: row.try_get(2)?,
        listens: row.try_get(3)?,
        upstreams: serde_json::from_str(&upstreams)
            .map_err(|_| StoreError::Damaged("a proxy's upstreams".to_owned()))?,
        marks: row.try_get(5)?,
        seen_at: row.try_get(6)?,
        created_at: row.try_get(7)?,
    })
}

/// The proxies behind this name, by name.
pub async fn list(
    connection: &mut AnyConnection,
    after: &str,
    limit: i64,
) -> Result<Vec<Listed>, StoreError> {
    let query = format!(
        "SELECT {COLUMNS} FROM proxy WHERE removed_at IS NULL AND name > $1 ORDER BY name LIMIT $2"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(query))
        .bind(after.to_owned())
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(listed).collect()
}

/// The proxy of this name.
pub async fn find(
    connection: &mut AnyConnection,
    name: &str,
) -> Result<Option<Listed>, StoreError> {
    let query = format!("SELECT {COLUMNS} FROM proxy WHERE removed_at IS NULL AND name = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(query))
        .bind(name.to_owned())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(listed).transpose()
}

#[cfg(test)]
mod tests;
