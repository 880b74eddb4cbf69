//! Provider keys: written, never read back. Each upstream has one, in as many versions as it was
//! rotated.
//!
//! A value stands in an envelope that is bound to its id and version, and leaves it in one way:
//! sealed to a proxy ([`crate::proxies`]). A rotation replaces it in one transaction, and the old
//! value is gone.

use serde::{Deserialize, Deserializer};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use zeroize::Zeroizing;

use crate::keys::Place;
use crate::keys::envelope::WRAPPER;
use crate::panel::Panel;
use crate::store::{StoreError, id, raise};

/// The part of the marks that a change raises.
pub const PART: &str = "secrets";
/// The longest value, in bytes: it has to fit into a header.
const LONGEST: usize = 8192;
/// How many provider keys there may be.
const MOST: i64 = 1000;
/// A value must be so long that its last four characters may be shown.
const SHOWN_FROM: usize = 16;

/// A provider key as it was sent. It is wiped when it is dropped, and shown nowhere.
pub struct Value(Zeroizing<String>);

impl Value {
    /// Whether it can be a key: characters that can stand in a header.
    pub fn is_usable(&self) -> bool {
        (1..=LONGEST).contains(&self.0.len()) && self.0.bytes().all(|b| b.is_ascii_graphic())
    }

    fn last4(&self) -> String {
        let from = self.0.len().saturating_sub(4);
        let last4 = if self.0.len() < SHOWN_FROM { None } else { self.0.get(from..) };
        last4.unwrap_or_default().to_owned()
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

impl PartialSchema for Value {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("The key itself: visible ASCII characters"))
            .min_length(Some(1))
            .max_length(Some(LONGEST))
            .write_only(true)
            .into()
    }
}

impl ToSchema for Value {}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Value(…)")
    }
}

/// A provider key as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// `sec_…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The upstream whose key it is.
    pub upstream: String,
    /// The one address that it may be sent to.
    pub base_url: String,
    /// The last four characters; empty where it is too short for that.
    pub last4: String,
    /// How often it was set.
    pub number: i64,
    /// When it was made, in Unix milliseconds.
    pub created_at: i64,
    /// When it was last set.
    pub rotated_at: i64,
    /// Counts its changes.
    pub version: i64,
}

/// Why a provider key is not taken.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The database, or the master key.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// One of this name, or of this upstream, is there.
    #[error("there is a secret of this name or of this upstream")]
    Taken,
    /// There are too many.
    #[error("there are too many secrets")]
    TooMany,
}

impl From<sqlx::Error> for SecretError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

const SELECT: &str = "SELECT id, name, upstream, last4, number, created_at, rotated_at, version, base_url FROM secret";

fn listed(row: &AnyRow) -> Result<Listed, StoreError> {
    Ok(Listed {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        upstream: row.try_get(2)?,
        last4: row.try_get(3)?,
        number: row.try_get(4)?,
        created_at: row.try_get(5)?,
        rotated_at: row.try_get(6)?,
        version: row.try_get(7)?,
        base_url: row.try_get(8)?,
    })
}

/// The provider keys behind this one, by age.
pub async fn list(
    connection: &mut AnyConnection,
    after: &str,
    limit: i64,
) -> Result<Vec<Listed>, StoreError> {
    let query = format!("{SELECT} WHERE id > $1 ORDER BY id LIMIT $2");
    let rows = sqlx::query(sqlx::AssertSqlSafe(query))
        .bind(after.to_owned())
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(listed).collect()
}

/// The provider key with this id.
pub async fn find(connection: &mut AnyConnection, id: &str) -> Result<Option<Listed>, StoreError> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} WHERE id = $1")))
        .bind(id.to_owned())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(listed).transpose()
}

/// Takes a provider key, within a transaction.
pub async fn add(
    panel: &Panel,
    connection: &mut AnyConnection,
    name: &str,
    upstream: &str,
    base_url: &str,
    value: &Value,
) -> Result<Listed, SecretError> {
    let count = sqlx::query("SELECT COUNT(*) FROM secret").fetch_one(&mut *connection).await?;
    if count.try_get::<i64, _>(0)? >= MOST {
        return Err(SecretError::TooMany);
    }
    let now = panel.clock.now_ms();
    let new = id("sec");
    let made = sqlx::query(
        "INSERT INTO secret (id, name, upstream, last4, number, created_at, rotated_at, base_url)
         VALUES ($1, $2, $3, $4, 1, $5, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(new.clone())
    .bind(name.to_owned())
    .bind(upstream.to_owned())
    .bind(value.last4())
    .bind(now)
    .bind(base_url.to_owned())
    .execute(&mut *connection)
    .await?;
    if made.rows_affected() == 0 {
        return Err(SecretError::Taken);
    }
    keep(panel, connection, &new, 1, value).await?;
    let made = find(connection, &new).await?;
    Ok(made.ok_or_else(|| StoreError::Damaged(format!("secret {new}")))?)
}

/// Replaces a provider key's value, within a transaction, and its address where one is given: a value
/// that is there is never sent elsewhere. None where there is no such key.
pub async fn rotate(
    panel: &Panel,
    connection: &mut AnyConnection,
    id: &str,
    base_url: Option<&str>,
    value: &Value,
) -> Result<Option<Listed>, StoreError> {
    let row = sqlx::query(
        "UPDATE secret SET number = number + 1, version = version + 1, last4 = $1, rotated_at = $2,
                base_url = COALESCE($4, base_url)
         WHERE id = $3 RETURNING number",
    )
    .bind(value.last4())
    .bind(panel.clock.now_ms())
    .bind(id.to_owned())
    .bind(base_url.map(str::to_owned))
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    sqlx::query("DELETE FROM secret_version WHERE secret = $1")
        .bind(id.to_owned())
        .execute(&mut *connection)
        .await?;
    keep(panel, connection, id, row.try_get(0)?, value).await?;
    find(connection, id).await
}

/// Removes a provider key, within a transaction. False where there is none.
pub async fn remove(connection: &mut AnyConnection, id: &str) -> Result<bool, StoreError> {
    sqlx::query("DELETE FROM secret_version WHERE secret = $1")
        .bind(id.to_owned())
        .execute(&mut *connection)
        .await?;
    let removed = sqlx::query("DELETE FROM secret WHERE id = $1")
        .bind(id.to_owned())
        .execute(&mut *connection)
        .await?;
    if removed.rows_affected() > 0 {
        raise(connection, PART).await?;
    }
    Ok(removed.rows_affected() > 0)
}

async fn keep(
    panel: &Panel,
    connection: &mut AnyConnection,
    id: &str,
    number: i64,
    value: &Value,
) -> Result<(), StoreError> {
    let place = Place { kind: "secret", row: id, version: number };
    let mut wrapped = panel.master.seal(place, value.0.as_bytes())?;
    let sealed = wrapped.split_off(WRAPPER);
    sqlx::query(
        "INSERT INTO secret_version (secret, number, wrapped, sealed, created_at)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(id.to_owned())
    .bind(number)
    .bind(wrapped)
    .bind(sealed)
    .bind(panel.clock.now_ms())
    .execute(&mut *connection)
    .await?;
    raise(connection, PART).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
