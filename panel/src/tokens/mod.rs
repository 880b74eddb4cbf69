//! Agents' tokens: issued, listed, revoked, rotated.
//!
//! A token is shown once. The database has its hash, its last four characters and what it allows, and
//! proxies verify it without asking: what is said here later, such as that it is revoked, reaches them
//! by the changes feed.

mod budget;
mod issue;
mod snippets;

use iron_policy::token::{MAX_TOKEN, TokenKeys};
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use utoipa::ToSchema;

pub use issue::{
    Issued, LONGEST_S, Order, Rotation, SHORTEST_S, TokenError, USUAL_S, issue, rotate,
};
pub use snippets::{Snippets, base_url, is_plain};

use crate::api::access::Principal;
use crate::audit::{self, Entry};
use crate::budgets;
use crate::keys::signing;
use crate::panel::Panel;
use crate::store::{StoreError, raise};

/// The part of the marks that a revocation raises.
pub const PART: &str = "revocations";
/// Clocks of proxies may be behind by so much, in milliseconds: for as long an expired token counts.
pub const BEHIND_MS: i64 = 3_600_000;

/// What a token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It may be used.
    Active,
    /// It may be used for a while longer: another one took its place.
    Retiring,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}

impl State {
    /// The name in the API and in queries.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    fn named(name: &str) -> Self {
        let all = [Self::Active, Self::Retiring, Self::Expired];
        all.into_iter().find(|state| state.name() == name).unwrap_or(Self::Revoked)
    }
}

/// A token as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The `jti`.
    pub id: String,
    /// Whose it is.
    pub agent: String,
    /// The agent's project.
    pub project: String,
    /// The project's id.
    pub project_id: String,
    /// The last four characters.
    pub last4: String,
    /// What it is for, in its issuer's words.
    pub label: String,
    /// The models that may be asked for; empty for all.
    pub models: Vec<String>,
    /// The upstreams that may be called; empty for all.
    pub upstreams: Vec<String>,
    /// Who issued it.
    pub issued_by: String,
    /// When, in Unix milliseconds.
    pub issued_at: i64,
    /// Until when it may be used.
    pub expires_at: i64,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
    /// When it is revoked because another one took its place.
    pub retires_at: Option<i64>,
    /// The token that took its place.
    pub rotated_to: Option<String>,
    /// The budget that is its own.
    pub budget: Option<String>,
    /// What it is worth.
    pub state: State,
}

/// Which tokens to list; empty texts mean all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this agent.
    pub agent: String,
    /// Of this project's agents.
    pub project: String,
    /// In this state.
    pub state: Option<State>,
}

/// A token with its agent and project; `$1` is now in Unix milliseconds.
const SELECT: &str = "SELECT * FROM (
    SELECT token.id, agent.name AS agent, project.name AS project, project.id AS project_id,
           token.last4, token.label, token.models, token.upstreams, token.issued_by,
           token.issued_at, token.expires_at, token.revoked_at, token.retires_at,
           token.rotated_to,
           (SELECT MAX(budget.id) FROM budget
             WHERE budget.scope = 'token:' || token.id AND budget.removed_at IS NULL) AS budget,
           CASE WHEN token.revoked_at IS NOT NULL OR COALESCE(token.retires_at, $1 + 1) <= $1
                  THEN 'revoked'
                WHEN token.expires_at <= $1 THEN 'expired'
                WHEN token.retires_at IS NOT NULL THEN 'retiring'
                ELSE 'active' END AS state
      FROM token JOIN agent ON agent.id = token.agent JOIN project ON project.id = agent.project
    ) AS listed";

fn listed(row: &AnyRow) -> Result<Listed, StoreError> {
    let id: String = row.try_get(0)?;
    let names = |text: String| {
        serde_json::from_str(&text).map_err(|_| StoreError::Damaged(format!("token {id}")))
    };
    Ok(Listed {
        agent: row.try_get(1)?,
        project: row.try_get(2)?,
        project_id: row.try_get(3)?,
        last4: row.try_get(4)?,
        label: row.try_get(5)?,
        models: names(row.try_get(6)?)?,
        upstreams: names(row.try_get(7)?)?,
        issued_by: row.try_get(8)?,
        issued_at: row.try_get(9)?,
        expires_at: row.try_get(10)?,
        revoked_at: row.try_get(11)?,
        retires_at: row.try_get(12)?,
        rotated_to: row.try_get(13)?,
        budget: row.try_get(14)?,
        state: State::named(&row.try_get::<String, _>(15)?),
        id,
    })
}

/// The tokens behind this one, newest first, that the principal may see.
pub async fn list(
    panel: &Panel,
    principal: &Principal,
    filter: &Filter,
    before: &str,
    limit: i64,
) -> Result<Vec<Listed>, StoreError> {
    let person = match principal {
        Principal::Person { id, .. } => id.clone(),
        _ => String::new(),
    };
    let query = format!(
        "{SELECT} WHERE ($2 = '' OR id < $2) AND ($3 = '' OR agent = $3) AND ($4 = '' OR project = $4)
           AND ($5 = '' OR state = $5)
           AND ($6 = 1 OR project_id IN (SELECT project FROM member WHERE person = $7))
         ORDER BY id DESC LIMIT $8"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(query))
        .bind(panel.clock.now_ms())
        .bind(before.to_owned())
        .bind(filter.agent.clone())
        .bind(filter.project.clone())
        .bind(filter.state.map_or("", State::name))
        .bind(i64::from(principal.sees_all()))
        .bind(person)
        .bind(limit)
        .fetch_all(panel.store.pool())
        .await?;
    rows.iter().map(listed).collect()
}

/// The token with this id.
pub async fn find(
    panel: &Panel,
    connection: &mut AnyConnection,
    id: &str,
) -> Result<Option<Listed>, StoreError> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} WHERE id = $2")))
        .bind(panel.clock.now_ms())
        .bind(id.to_owned())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(listed).transpose()
}

/// Whose token this is: verified as proxies do it, and looked up besides. None where it is nobody's
/// (any more).
pub async fn holder(panel: &Panel, token: &str) -> Result<Option<Principal>, StoreError> {
    if token.len() > MAX_TOKEN {
        return Ok(None);
    }
    let mut connection = panel.store.pool().acquire().await?;
    let set = signing::jwks(&signing::published(panel, &mut connection).await?);
    let issuer = signing::issuer(&mut connection).await?;
    let claims = TokenKeys::parse(&set)
        .ok()
        .and_then(|keys| keys.verify(token, &issuer, panel.clock.now_ms() / 1000).ok());
    let Some(claims) = claims else { return Ok(None) };
    let found = find(panel, &mut connection, claims.jti.as_str()).await?;
    let usable = |found: &Listed| matches!(found.state, State::Active | State::Retiring);
    Ok(found.filter(usable).map(|found| Principal::Agent {
        agent: found.agent,
        project: found.project,
        token: found.id,
    }))
}

/// Revokes a token, within a transaction: proxies refuse it as soon as they hear of it. Returns
/// whether it was valid until now.
pub async fn revoke(
    panel: &Panel,
    connection: &mut AnyConnection,
    id: &str,
    cut_streams: bool,
) -> Result<bool, StoreError> {
    // One that is revoked already may still have its streams cut.
    let revoked = sqlx::query(
        "UPDATE token SET revoked_at = COALESCE(revoked_at, $1), cut_streams = $2
         WHERE id = $3 AND (revoked_at IS NULL OR cut_streams < $2)",
    )
    .bind(panel.clock.now_ms())
    .bind(i64::from(cut_streams))
    .bind(id.to_owned())
    .execute(&mut *connection)
    .await?;
    if revoked.rows_affected() == 0 {
        return Ok(false);
    }
    let ended = end_budgets(panel, connection, id).await?;
    raise(connection, PART).await?;
    tell_ended(panel, connection, &ended).await?;
    Ok(true)
}

/// Revokes what was rotated and whose overlap is over. Whoever waits for revocations asks first; one
/// look at an index where there is nothing to do.
pub async fn retire_due(panel: &Panel) -> Result<(), StoreError> {
    let now = panel.clock.now_ms();
    let due = sqlx::query(
        "SELECT 1 FROM token WHERE retires_at IS NOT NULL AND revoked_at IS NULL
           AND retires_at <= $1 LIMIT 1",
    )
    .bind(now)
    .fetch_optional(panel.store.pool())
    .await?;
    if due.is_none() {
        return Ok(());
    }
    let mut tx = panel.store.begin().await?;
    let retired = sqlx::query(
        "UPDATE token SET revoked_at = retires_at
         WHERE retires_at IS NOT NULL AND revoked_at IS NULL AND retires_at <= $1",
    )
    .bind(now)
    .execute(&mut *tx)
    .await?;
    if retired.rows_affected() > 0 {
        let ended = end_budgets(panel, &mut tx, "").await?;
        raise(&mut tx, PART).await?;
        tell_ended(panel, &mut tx, &ended).await?;
    }
    tx.commit().await?;
    panel.wake.notify(PART);
    Ok(())
}

/// Removes the budgets of tokens that nobody may use any more: of this one, or of all where it is
/// empty. Returns their ids, for [`tell_ended`].
async fn end_budgets(
    panel: &Panel,
    connection: &mut AnyConnection,
    token: &str,
) -> Result<Vec<String>, StoreError> {
    let now = panel.clock.now_ms();
    let rows = sqlx::query(
        "UPDATE budget SET removed_at = $1, version = version + 1
         WHERE removed_at IS NULL AND scope LIKE 'token:%' AND ($3 = '' OR scope = 'token:' || $3)
           AND EXISTS (SELECT 1 FROM token WHERE token.id = substr(budget.scope, 7)
                       AND (token.revoked_at IS NOT NULL OR token.expires_at < $2))
         RETURNING id",
    )
    .bind(now)
    .bind(now - BEHIND_MS)
    .bind(token.to_owned())
    .fetch_all(&mut *connection)
    .await?;
    let ended: Vec<String> =
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, sqlx::Error>>()?;
    for budget in &ended {
        sqlx::query(
            "UPDATE budget_request SET state = 'denied', decided_by = 'system', decided_at = $2,
               version = version + 1
             WHERE budget = $1 AND state = 'open'",
        )
        .bind(budget.clone())
        .bind(now)
        .execute(&mut *connection)
        .await?;
    }
    if !ended.is_empty() {
        raise(connection, budgets::MARK).await?;
    }
    Ok(ended)
}

/// Writes down that budgets ended with their tokens: after everything else, as all do.
async fn tell_ended(
    panel: &Panel,
    connection: &mut AnyConnection,
    ended: &[String],
) -> Result<(), StoreError> {
    for budget in ended {
        let detail = serde_json::json!({"because": "its token ended"});
        let entry = Entry { actor: "system", action: "budget.remove", target: budget, detail };
        audit::write(panel, connection, entry).await?;
    }
    Ok(())
}

/// Removes the budgets of tokens that have expired.
pub async fn prune(panel: &Panel) -> Result<(), StoreError> {
    let mut tx = panel.store.begin().await?;
    let ended = end_budgets(panel, &mut tx, "").await?;
    tell_ended(panel, &mut tx, &ended).await?;
    tx.commit().await?;
    if !ended.is_empty() {
        panel.wake.notify(budgets::MARK);
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
