//! Each part of what proxies hold a copy of, read whole.
//!
//! A part is small by its nature, and a proxy that has all of it needs no history: it may come back
//! after a day and take what is true now.

use iron_policy::control::{LeasedBudget, Marks, PolicyText, Revocation, SealedSecret};
use iron_policy::types::NanoUsd;
use sqlx::{AnyConnection, Row};

use super::sealed::SealTo;
use crate::keys::Place;
use crate::panel::Panel;
use crate::store::StoreError;
use crate::tokens::BEHIND_MS;

/// How many rows of a part are handed out: more means that something is wrong, and is logged.
const MOST: i64 = 100_000;

/// How far the panel is in each part.
pub(super) async fn marks(connection: &mut AnyConnection) -> Result<Marks, StoreError> {
    let rows = sqlx::query("SELECT part, number FROM mark").fetch_all(connection).await?;
    let mut marks = Marks::default();
    for row in rows {
        let (part, number): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
        match part.as_str() {
            "policy" => marks.policy = number,
            "budgets" => marks.budgets = number,
            "keys" => marks.keys = number,
            "secrets" => marks.secrets = number,
            "revocations" => marks.revocations = number,
            "stops" => marks.stops = number,
            _ => {}
        }
    }
    Ok(marks)
}

/// The policy in force; none where none was ever made.
pub(super) async fn policy(
    connection: &mut AnyConnection,
) -> Result<Option<PolicyText>, StoreError> {
    let row = sqlx::query(
        "SELECT policy.number, policy.toml FROM policy
         JOIN setting ON setting.name = 'policy' AND setting.value = CAST(policy.number AS TEXT)",
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| Ok(PolicyText { version: row.try_get(0)?, toml: row.try_get(1)? })).transpose()
}

/// All budgets.
pub(super) async fn budgets(
    connection: &mut AnyConnection,
) -> Result<Vec<LeasedBudget>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, scope, span, zone, limit_nano, clamp FROM budget WHERE removed_at IS NULL
         ORDER BY id LIMIT $1",
    )
    .bind(MOST)
    .fetch_all(connection)
    .await?;
    whole("budgets", rows.len());
    let budget = |row: &sqlx::any::AnyRow| {
        Ok(LeasedBudget {
            id: row.try_get(0)?,
            scope: row.try_get(1)?,
            window: row.try_get(2)?,
            zone: row.try_get(3)?,
            limit: NanoUsd(row.try_get(4)?),
            clamp: row.try_get::<i64, _>(5)? != 0,
        })
    };
    rows.iter().map(budget).collect()
}

/// All tokens that are revoked and would be accepted otherwise.
pub(super) async fn revocations(
    panel: &Panel,
    connection: &mut AnyConnection,
) -> Result<Vec<Revocation>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, cut_streams FROM token WHERE revoked_at IS NOT NULL AND expires_at > $1
         ORDER BY revoked_at DESC LIMIT $2",
    )
    // Clocks of proxies may be behind.
    .bind(panel.clock.now_ms() - BEHIND_MS)
    .bind(MOST)
    .fetch_all(connection)
    .await?;
    whole("revocations", rows.len());
    let revocation = |row: &sqlx::any::AnyRow| {
        Ok(Revocation { token: row.try_get(0)?, cut_streams: row.try_get::<i64, _>(1)? != 0 })
    };
    rows.iter().map(revocation).collect()
}

/// The names of all agents that are stopped; `*` where everybody is.
pub(super) async fn stops(connection: &mut AnyConnection) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query(
        "SELECT name FROM agent WHERE stopped_at IS NOT NULL
         UNION SELECT '*' FROM setting WHERE name = 'stop_all' LIMIT $1",
    )
    .bind(MOST)
    .fetch_all(connection)
    .await?;
    whole("stops", rows.len());
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// The provider keys that a proxy needs, sealed to it. One that was damaged is left out and named in
/// the log: the others are worth something without it.
pub(super) async fn secrets(
    panel: &Panel,
    connection: &mut AnyConnection,
    upstreams: &[String],
    seal_to: &SealTo,
) -> Result<Vec<SealedSecret>, StoreError> {
    let rows = sqlx::query(
        "SELECT secret.id, secret.number, secret.upstream, secret_version.wrapped,
                secret_version.sealed, secret.base_url
         FROM secret JOIN secret_version
           ON secret_version.secret = secret.id AND secret_version.number = secret.number
         ORDER BY secret.id LIMIT $1",
    )
    .bind(MOST)
    .fetch_all(connection)
    .await?;
    let mut sealed = Vec::new();
    for row in rows {
        let (id, version, upstream): (String, i64, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if !upstreams.is_empty() && !upstreams.contains(&upstream) {
            continue;
        }
        let (mut envelope, rest): (Vec<u8>, Vec<u8>) = (row.try_get(3)?, row.try_get(4)?);
        envelope.extend(rest);
        let base_url: String = row.try_get(5)?;
        match panel.master.open(Place { kind: "secret", row: &id, version }, &envelope) {
            Ok(value) => sealed.extend(seal_to.seal(&id, version, &upstream, &base_url, &value)),
            Err(error @ StoreError::Damaged(_)) => {
                tracing::error!(%error, upstream, "a provider key is kept from proxies");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(sealed)
}

fn whole(part: &str, rows: usize) {
    if i64::try_from(rows).is_ok_and(|rows| rows >= MOST) {
        tracing::error!(
            part,
            rows,
            "there is more than proxies are told of: remove what is not used"
        );
    }
}
