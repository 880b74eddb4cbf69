//! `/api/v1/policies`: what proxies lay over their own files.

use axum::extract::State;
use http::StatusCode;
use iron_policy::config::ConfigError;
use iron_policy::replay::Report;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Door, May, Principal, Role, door};
use super::extract::{Json, Path, Query};
use super::page::{Page, Paged};
use super::problem::Problem;
use super::wire::Time;
use crate::audit;
use crate::panel::Panel;
use crate::policies::{self, LONGEST_NOTE, Listed, ReplayError};

/// Who may ask.
pub const DOORS: &[Door] = &[
    door("GET", "/api/v1/policies", May::Person(Role::Viewer)),
    door("POST", "/api/v1/policies", May::Person(Role::Admin)),
    door("POST", "/api/v1/policies/check", May::Person(Role::Viewer)),
    door("POST", "/api/v1/policies/replay", May::Person(Role::Admin)),
    door("GET", "/api/v1/policies/{number}", May::Person(Role::Viewer)),
    door("POST", "/api/v1/policies/{number}/activate", May::Person(Role::Admin)),
];

/// The routes.
pub fn routes() -> OpenApiRouter<Panel> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(check))
        .routes(routes!(replay))
        .routes(routes!(show))
        .routes(routes!(activate))
}

/// A version of the policy.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyVersion {
    /// Its number, from 1.
    pub number: i64,
    /// Why it was made.
    pub note: String,
    /// Who made it.
    pub author: String,
    /// When.
    pub created_at: Time,
    /// Whether it is in force.
    pub active: bool,
}

impl From<Listed> for PolicyVersion {
    fn from(listed: Listed) -> Self {
        Self {
            number: listed.number,
            note: listed.note,
            author: listed.author,
            created_at: Time(listed.created_at),
            active: listed.active,
        }
    }
}

/// A version of the policy with its text.
#[derive(Debug, Serialize, ToSchema)]
pub struct WholePolicy {
    /// What it is.
    #[serde(flatten)]
    pub version: PolicyVersion,
    /// The text: lines of `iron.toml`.
    pub toml: String,
}

/// A policy to be kept.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPolicy {
    /// The text: lines of `iron.toml`, all but `[proxy]`, `[panel]`, `[[secret]]` and where keys are kept.
    pub toml: String,
    /// Why.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub note: String,
    /// Whether to put it in force at once.
    #[serde(default)]
    pub activate: bool,
}

/// A policy to be checked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyToCheck {
    /// The text.
    pub toml: String,
}

/// A policy to be tried on recorded calls.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyToReplay {
    /// The text.
    pub toml: String,
    /// Calls of so many seconds until now: 366 days at most.
    #[schema(minimum = 1, maximum = 31_622_400)]
    pub since_s: i64,
}

/// Whether a text is a policy.
#[derive(Debug, Serialize, ToSchema)]
pub struct Checked {
    /// Whether it would be accepted.
    pub valid: bool,
    /// The line that is wrong, from 1, where it is known.
    pub line: Option<usize>,
    /// What is wrong, and what would be right.
    pub message: Option<String>,
}

/// The versions of the policy, newest first.
#[utoipa::path(
    get, path = "/api/v1/policies", tag = "policies", params(Page),
    responses((status = 200, body = Paged<PolicyVersion>))
)]
pub async fn list(
    State(panel): State<Panel>,
    Query(page): Query<Page>,
) -> Result<Json<Paged<PolicyVersion>>, Problem> {
    let limit = page.limit()?;
    let before = match page.after()?.as_str() {
        "" => i64::MAX,
        cursor => cursor.parse().map_err(|_| {
            Problem::invalid("cursor is none: send back `next` of the page before, as it was")
        })?,
    };
    let mut connection = panel.store.pool().acquire().await?;
    let found = policies::list(&mut connection, before, limit + 1).await?;
    let found = found.into_iter().map(PolicyVersion::from).collect();
    Ok(Json(Paged::of(found, limit, |policy: &PolicyVersion| policy.number.to_string())))
}

/// One version of the policy, with its text.
#[utoipa::path(
    get, path = "/api/v1/policies/{number}", tag = "policies", params(("number" = i64, Path)),
    responses((status = 200, body = WholePolicy))
)]
pub async fn show(
    State(panel): State<Panel>,
    Path(number): Path<i64>,
) -> Result<Json<WholePolicy>, Problem> {
    let mut connection = panel.store.pool().acquire().await?;
    let found = policies::find(&mut connection, number).await?;
    let (listed, toml) = found.ok_or_else(nothing)?;
    Ok(Json(WholePolicy { version: listed.into(), toml }))
}

/// Keeps a policy as a new version, where it holds together.
#[utoipa::path(
    post, path = "/api/v1/policies", tag = "policies", request_body = NewPolicy,
    responses((status = 201, body = WholePolicy))
)]
pub async fn add(
    State(panel): State<Panel>,
    principal: Principal,
    Json(new): Json<NewPolicy>,
) -> Result<(StatusCode, Json<WholePolicy>), Problem> {
    if new.note.len() > LONGEST_NOTE {
        return Err(Problem::invalid("note has 500 bytes at most"));
    }
    policies::check(&new.toml).map_err(|error| refused(&error))?;
    let author = match &principal {
        Principal::Person { name, .. } => name.clone(),
        other => other.actor(),
    };
    let mut tx = panel.store.begin().await?;
    let number = policies::add(&panel, &mut tx, &new.toml, &new.note, &author).await?;
    let before = if new.activate { policies::activate(&mut tx, number).await? } else { None };
    let target = number.to_string();
    audit::record(&panel, &mut tx, &principal, "policy.create", &target, json!({})).await?;
    if let Some(before) = before {
        let detail = json!({"before": before});
        audit::record(&panel, &mut tx, &principal, "policy.activate", &target, detail).await?;
    }
    let (listed, toml) = policies::find(&mut tx, number).await?.ok_or_else(nothing)?;
    tx.commit().await?;
    panel.wake.notify(policies::PART);
    Ok((StatusCode::CREATED, Json(WholePolicy { version: listed.into(), toml })))
}

/// Says whether a text is a policy, and keeps nothing.
#[utoipa::path(
    post, path = "/api/v1/policies/check", tag = "policies", request_body = PolicyToCheck,
    responses((status = 200, body = Checked))
)]
pub async fn check(Json(new): Json<PolicyToCheck>) -> Json<Checked> {
    Json(match policies::check(&new.toml) {
        Ok(_) => Checked { valid: true, line: None, message: None },
        Err(error) => Checked { valid: false, line: error.line, message: Some(error.message) },
    })
}

/// Says what a policy would have refused, redacted and cost on the calls that the panel has, and keeps
/// nothing.
#[utoipa::path(
    post, path = "/api/v1/policies/replay", tag = "policies", request_body = PolicyToReplay,
    responses((status = 200, body = Report))
)]
pub async fn replay(
    State(panel): State<Panel>,
    Json(new): Json<PolicyToReplay>,
) -> Result<Json<Report>, Problem> {
    if !(1..=366 * 86_400).contains(&new.since_s) {
        return Err(Problem::invalid("since_s must be 1 second to 366 days"));
    }
    let policy = policies::check(&new.toml).map_err(|error| refused(&error))?;
    let mut connection = panel.store.pool().acquire().await?;
    let before = policies::active(&mut connection).await?;
    drop(connection);
    let before = before.and_then(|text| policies::check(&text).ok());
    let since = panel.clock.now_ms() - new.since_s * 1000;
    policies::replay(&panel, &policy, before.as_ref(), since).await.map(Json).map_err(|error| {
        match error {
            ReplayError::Store(error) => error.into(),
            ReplayError::Price(error) => Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "policy_invalid",
                format!("the policy does not hold together: {error}"),
            ),
        }
    })
}

/// Puts a version in force: proxies have it within two seconds. To roll back, name an older one.
#[utoipa::path(
    post, path = "/api/v1/policies/{number}/activate", tag = "policies",
    params(("number" = i64, Path)), responses((status = 200, body = PolicyVersion))
)]
pub async fn activate(
    State(panel): State<Panel>,
    principal: Principal,
    Path(number): Path<i64>,
) -> Result<Json<PolicyVersion>, Problem> {
    let mut tx = panel.store.begin().await?;
    let (_, toml) = policies::find(&mut tx, number).await?.ok_or_else(nothing)?;
    // What an older version of the panel accepted may be none to this one.
    policies::check(&toml).map_err(|error| refused(&error))?;
    if let Some(before) = policies::activate(&mut tx, number).await? {
        let (target, detail) = (number.to_string(), json!({"before": before}));
        audit::record(&panel, &mut tx, &principal, "policy.activate", &target, detail).await?;
    }
    let (listed, _) = policies::find(&mut tx, number).await?.ok_or_else(nothing)?;
    tx.commit().await?;
    panel.wake.notify(policies::PART);
    Ok(Json(listed.into()))
}

fn refused(error: &ConfigError) -> Problem {
    let detail = format!("the policy does not hold together: {error}; nothing was changed");
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "policy_invalid", detail)
}

fn nothing() -> Problem {
    Problem::not_found("there is no such version of the policy: see `GET /api/v1/policies`")
}
