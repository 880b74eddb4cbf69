//! Policies: every version that was accepted, and which one is in force.
//!
//! A version is checked before it is accepted and never changes afterwards. To roll back is to put an
//! older one in force. Proxies lay it over their own files and keep what they have where it does not
//! fit to them.

mod replay;

pub use replay::{ReplayError, replay};

use iron_policy::config::{ConfigError, Policy};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use crate::panel::Panel;
use crate::store::{StoreError, raise};

/// The part of the marks that a change raises.
pub const PART: &str = "policy";
/// The longest policy, in bytes.
pub const LONGEST: usize = 256 << 10;
/// The longest note, in bytes.
pub const LONGEST_NOTE: usize = 500;

/// A version as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its number, from 1.
    pub number: i64,
    /// Why it was made.
    pub note: String,
    /// Who made it.
    pub author: String,
    /// When, in Unix milliseconds.
    pub created_at: i64,
    /// Whether it is in force.
    pub active: bool,
}

/// Whether a text is a policy that many proxies can be given.
pub fn check(text: &str) -> Result<Policy, ConfigError> {
    if text.len() > LONGEST {
        let message = format!("a policy has {LONGEST} bytes at most: leave out what is not needed");
        return Err(ConfigError { line: None, message });
    }
    Policy::parse_distributed(text)
}

const SELECT: &str = "SELECT policy.number, policy.note, policy.author, policy.created_at,
    CAST(CASE WHEN setting.name IS NULL THEN 0 ELSE 1 END AS BIGINT) FROM policy LEFT JOIN setting
    ON setting.name = 'policy' AND setting.value = CAST(policy.number AS TEXT)";

fn listed(row: &AnyRow) -> Result<Listed, StoreError> {
    Ok(Listed {
        number: row.try_get(0)?,
        note: row.try_get(1)?,
        author: row.try_get(2)?,
        created_at: row.try_get(3)?,
        active: row.try_get::<i64, _>(4)? != 0,
    })
}

/// The versions before this one, newest first.
pub async fn list(
    connection: &mut AnyConnection,
    before: i64,
    limit: i64,
) -> Result<Vec<Listed>, StoreError> {
    let query = format!("{SELECT} WHERE policy.number < $1 ORDER BY policy.number DESC LIMIT $2");
    let rows = sqlx::query(sqlx::AssertSqlSafe(query))
        .bind(before)
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(listed).collect()
}

/// A version with its text.
pub async fn find(
    connection: &mut AnyConnection,
    number: i64,
) -> Result<Option<(Listed, String)>, StoreError> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} WHERE policy.number = $1")))
        .bind(number)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let toml = sqlx::query("SELECT toml FROM policy WHERE number = $1")
        .bind(number)
        .fetch_one(connection)
        .await?
        .try_get(0)?;
    Ok(Some((listed(&row)?, toml)))
}

/// The text of the version in force.
pub async fn active(connection: &mut AnyConnection) -> Result<Option<String>, StoreError> {
    let row = sqlx::query(
        "SELECT policy.toml FROM policy
         JOIN setting ON setting.name = 'policy' AND setting.value = CAST(policy.number AS TEXT)",
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Keeps a version that was checked, within a transaction. Returns its number.
pub async fn add(
    panel: &Panel,
    connection: &mut AnyConnection,
    toml: &str,
    note: &str,
    author: &str,
) -> Result<i64, StoreError> {
    // The row of the mark is held until the transaction ends: numbers are given in turn.
    sqlx::query("UPDATE mark SET number = number WHERE part = 'policy'")
        .execute(&mut *connection)
        .await?;
    let row = sqlx::query(
        "INSERT INTO policy (number, toml, note, author, created_at)
         SELECT COALESCE(MAX(number), 0) + 1, $1, $2, $3, $4 FROM policy RETURNING number",
    )
    .bind(toml.to_owned())
    .bind(note.to_owned())
    .bind(author.to_owned())
    .bind(panel.clock.now_ms())
    .fetch_one(connection)
    .await?;
    Ok(row.try_get(0)?)
}

/// Puts a version in force, within a transaction. The number of the one before, where that is
/// another one; none where nothing changed.
pub async fn activate(
    connection: &mut AnyConnection,
    number: i64,
) -> Result<Option<i64>, StoreError> {
    sqlx::query("UPDATE mark SET number = number WHERE part = 'policy'")
        .execute(&mut *connection)
        .await?;
    let before = sqlx::query("SELECT value FROM setting WHERE name = 'policy'")
        .fetch_optional(&mut *connection)
        .await?;
    let before: Option<String> = before.map(|row| row.try_get(0)).transpose()?;
    let before = before.and_then(|text| text.parse().ok()).unwrap_or(0);
    if before == number {
        return Ok(None);
    }
    sqlx::query(
        "INSERT INTO setting (name, value) VALUES ('policy', $1)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(number.to_string())
    .execute(&mut *connection)
    .await?;
    raise(connection, PART).await?;
    Ok(Some(before))
}

#[cfg(test)]
mod tests;
