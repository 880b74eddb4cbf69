//! `/api/v1/audit`: who did what.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::Row;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Door, May, Role, door};
use super::extract::{Json, Query};
use super::page::{Page, Paged};
use super::problem::Problem;
use super::wire::Time;
use crate::audit::{self, Verdict};
use crate::panel::Panel;

/// Who may use which route.
pub const DOORS: &[Door] = &[
    door("GET", "/api/v1/audit", May::Person(Role::Admin)),
    door("GET", "/api/v1/audit/verify", May::Person(Role::Admin)),
];

/// The routes.
pub fn routes() -> OpenApiRouter<Panel> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(verify))
}

/// An entry of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub struct Written {
    /// Its number: one more than that of the entry before.
    pub sequence: i64,
    /// When.
    pub at: Time,
    /// Who: `usr_…`, `proxy:NAME`, `agent:NAME`, `bootstrap`, `system` or `anonymous`.
    pub actor: String,
    /// The person's name, where it was one.
    pub actor_name: Option<String>,
    /// What: `budget.update`, `token.issue`, `session.refused`, …
    pub action: String,
    /// To what: an id.
    pub target: String,
    /// How.
    pub detail: Value,
}

/// Which entries a caller wants.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Of this actor.
    pub actor: Option<String>,
    /// Of this action, or of all of a thing: `token.issue`, `token.`.
    pub action: Option<String>,
    /// About this id.
    pub target: Option<String>,
    /// From this time on.
    #[param(value_type = Option<String>, format = DateTime)]
    pub since: Option<Time>,
    /// Before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    pub until: Option<Time>,
}

/// Who did what, the newest first.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "audit", params(Filter, Page),
    responses((status = 200, body = Paged<Written>))
)]
pub async fn list(
    State(panel): State<Panel>,
    Query(filter): Query<Filter>,
    Query(page): Query<Page>,
) -> Result<Json<Paged<Written>>, Problem> {
    let limit = page.limit()?;
    let cursor = page.after()?;
    let before = match cursor.as_str() {
        "" => i64::MAX,
        text => text.parse().map_err(|_| {
            Problem::invalid("cursor is none: send back `next` of the page before, as it was")
        })?,
    };
    let action = filter.action.unwrap_or_default();
    // In no order of characters: each database has its own.
    let is_beginning = action.ends_with('.');
    let rows = sqlx::query(
        "SELECT audit.sequence, audit.at, audit.actor, person.name, audit.action, audit.target,
             audit.detail
         FROM audit LEFT JOIN person ON person.id = audit.actor
         WHERE audit.sequence < $1 AND ($2 = '' OR audit.actor = $2)
           AND ($3 = '' OR audit.target = $3)
           AND ($4 = '' OR audit.action = $4
                OR ($5 = 1 AND SUBSTR(audit.action, 1, LENGTH($4)) = $4))
           AND audit.at >= $6 AND audit.at < $7
         ORDER BY audit.sequence DESC LIMIT $8",
    )
    .bind(before)
    .bind(filter.actor.unwrap_or_default())
    .bind(filter.target.unwrap_or_default())
    .bind(action)
    .bind(i64::from(is_beginning))
    .bind(filter.since.map_or(i64::MIN, |time| time.0))
    .bind(filter.until.map_or(i64::MAX, |time| time.0))
    .bind(limit + 1)
    .fetch_all(panel.store.pool())
    .await?;
    let written = rows.iter().map(|row| {
        let detail: String = row.try_get(6)?;
        Ok(Written {
            sequence: row.try_get(0)?,
            at: Time(row.try_get(1)?),
            actor: row.try_get(2)?,
            actor_name: row.try_get(3)?,
            action: row.try_get(4)?,
            target: row.try_get(5)?,
            detail: serde_json::from_str(&detail).unwrap_or(Value::Null),
        })
    });
    let written = written.collect::<Result<Vec<_>, Problem>>()?;
    Ok(Json(Paged::of(written, limit, |entry| entry.sequence.to_string())))
}

/// Reads the whole audit log, and names the first entry that is not as it was written.
#[utoipa::path(
    get, path = "/api/v1/audit/verify", tag = "audit", responses((status = 200, body = Verdict))
)]
pub async fn verify(State(panel): State<Panel>) -> Result<Json<Verdict>, Problem> {
    Ok(Json(audit::verify(&panel).await?))
}
