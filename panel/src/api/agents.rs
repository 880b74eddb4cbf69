//! `/api/v1/agents`: who calls, and stopping them.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Door, May, Principal, Role, door};
use super::extract::{Json, Path, Query, Tagged};
use super::page::{Page, Paged};
use super::problem::Problem;
use super::projects;
use super::wire::Time;
use crate::audit;
use crate::identity::names;
use crate::panel::Panel;
use crate::store::{id, raise};

/// Who may use which route.
pub const DOORS: &[Door] = &[
    door("GET", "/api/v1/agents", May::Person(Role::Viewer)).in_project(),
    door("POST", "/api/v1/agents", May::Person(Role::Operator)).in_project(),
    door("GET", "/api/v1/agents/{id}", May::Person(Role::Viewer)).in_project(),
    door("POST", "/api/v1/agents/{id}/stop", May::Person(Role::Operator)).in_project(),
    door("POST", "/api/v1/agents/{id}/start", May::Person(Role::Operator)).in_project(),
    door("GET", "/api/v1/stop", May::Person(Role::Viewer)),
    door("PUT", "/api/v1/stop", May::Person(Role::Admin)),
    door("DELETE", "/api/v1/stop", May::Person(Role::Admin)),
];

/// The routes.
pub fn routes() -> OpenApiRouter<Panel> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show))
        .routes(routes!(stop))
        .routes(routes!(start))
        .routes(routes!(stopped, stop_all, start_all))
}

/// What proxies hold a copy of.
const STOPS: &str = "stops";
const SELECT: &str = "SELECT agent.id, agent.name, agent.project, project.name, agent.stopped_at,
    agent.created_at, agent.version FROM agent JOIN project ON project.id = agent.project";

/// An agent.
#[derive(Debug, Serialize, ToSchema)]
pub struct Agent {
    /// `agt_…`.
    pub id: String,
    /// The name: in tokens, budgets and reports. It does not change.
    pub name: String,
    /// The project's id.
    pub project_id: String,
    /// The project's name.
    pub project: String,
    /// Since when its calls are refused; null where they are not.
    pub stopped_at: Option<Time>,
    /// Since when it is there.
    pub created_at: Time,
    /// Rises with each change; the ETag.
    pub version: i64,
}

fn agent(row: &AnyRow) -> Result<Agent, Problem> {
    Ok(Agent {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        project_id: row.try_get(2)?,
        project: row.try_get(3)?,
        stopped_at: row.try_get::<Option<i64>, _>(4)?.map(Time),
        created_at: Time(row.try_get(5)?),
        version: row.try_get(6)?,
    })
}

/// An agent that the principal may see, by id or by name.
async fn find(
    connection: &mut AnyConnection,
    principal: &Principal,
    key: &str,
) -> Result<Agent, Problem> {
    let sql = format!(
        "{SELECT} WHERE agent.id = $1 OR agent.name = $1
         ORDER BY CASE WHEN agent.id = $1 THEN 0 ELSE 1 END LIMIT 1"
    );
    let row =
        sqlx::query(AssertSqlSafe(sql)).bind(key.to_owned()).fetch_optional(connection).await?;
    let found = row.as_ref().map(agent).transpose()?;
    found.filter(|agent| principal.sees(&agent.project_id)).ok_or_else(|| {
        let detail = "there is no such agent in your projects: see GET /api/v1/agents";
        Problem::not_found(detail)
    })
}

/// Which agents a caller wants.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Of this project alone: its id or its name.
    #[serde(default)]
    pub project: Option<String>,
}

/// The agents of one's projects.
#[utoipa::path(
    get, path = "/api/v1/agents", tag = "agents", params(Filter, Page),
    responses((status = 200, body = Paged<Agent>))
)]
pub async fn list(
    State(panel): State<Panel>,
    principal: Principal,
    Query(filter): Query<Filter>,
    Query(page): Query<Page>,
) -> Result<Json<Paged<Agent>>, Problem> {
    let limit = page.limit()?;
    let sql = format!(
        "{SELECT} WHERE agent.id > $1
         AND ($2 = 1 OR agent.project IN (SELECT project FROM member WHERE person = $3))
         AND ($4 = '' OR project.id = $4 OR project.name = $4) ORDER BY agent.id LIMIT $5"
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(page.after()?)
        .bind(i64::from(principal.sees_all()))
        .bind(principal.actor())
        .bind(filter.project.unwrap_or_default())
        .bind(limit + 1)
        .fetch_all(panel.store.pool())
        .await?;
    let agents = rows.iter().map(agent).collect::<Result<Vec<_>, _>>()?;
    Ok(Json(Paged::of(agents, limit, |agent| agent.id.clone())))
}

/// A new agent.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewAgent {
    /// The name: 1 to 64 letters, digits, `.`, `_` or `-`.
    #[schema(max_length = 64)]
    pub name: String,
    /// The project it belongs to: its id or its name.
    #[schema(max_length = 100)]
    pub project: String,
}

/// Makes an agent.
#[utoipa::path(
    post, path = "/api/v1/agents", tag = "agents", responses((status = 201, body = Agent))
)]
pub async fn create(
    State(panel): State<Panel>,
    principal: Principal,
    Json(body): Json<NewAgent>,
) -> Result<Response, Problem> {
    names::check_agent(&body.name, &principal)?;
    let mut tx = panel.store.begin().await?;
    let project = projects::find(&mut tx, &principal, &body.project).await?;
    let agent = id("agt");
    let made = sqlx::query(
        "INSERT INTO agent (id, name, project, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (name) DO NOTHING",
    )
    .bind(agent.clone())
    .bind(body.name.clone())
    .bind(project.id)
    .bind(panel.clock.now_ms())
    .execute(&mut *tx)
    .await?;
    if made.rows_affected() == 0 {
        let detail = format!("there is an agent named {} already: choose another name", body.name);
        return Err(Problem::conflict("name_taken", detail));
    }
    let detail = json!({"name": body.name, "project": project.name});
    audit::record(&panel, &mut tx, &principal, "agent.create", &agent, detail).await?;
    let made = find(&mut tx, &principal, &agent).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Tagged(made.version, made)).into_response())
}

/// An agent.
#[utoipa::path(
    get, path = "/api/v1/agents/{id}", tag = "agents", params(("id" = String, Path)),
    responses((status = 200, body = Agent))
)]
pub async fn show(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Tagged<Agent>, Problem> {
    let mut connection = panel.store.pool().acquire().await?;
    let agent = find(&mut connection, &principal, &id).await?;
    Ok(Tagged(agent.version, agent))
}

/// Stops an agent: proxies refuse its calls, and cut those under way. The same again changes nothing.
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/stop", tag = "agents", params(("id" = String, Path)),
    responses((status = 200, body = Agent))
)]
pub async fn stop(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Tagged<Agent>, Problem> {
    set(&panel, &principal, &id, Some(panel.clock.now_ms())).await
}

/// Lets a stopped agent call again.
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/start", tag = "agents", params(("id" = String, Path)),
    responses((status = 200, body = Agent))
)]
pub async fn start(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Tagged<Agent>, Problem> {
    set(&panel, &principal, &id, None).await
}

async fn set(
    panel: &Panel,
    principal: &Principal,
    key: &str,
    stopped_at: Option<i64>,
) -> Result<Tagged<Agent>, Problem> {
    let mut tx = panel.store.begin().await?;
    let before = find(&mut tx, principal, key).await?;
    if before.stopped_at.is_some() == stopped_at.is_some() {
        return Ok(Tagged(before.version, before));
    }
    sqlx::query("UPDATE agent SET stopped_at = $1, version = version + 1 WHERE id = $2")
        .bind(stopped_at)
        .bind(before.id.clone())
        .execute(&mut *tx)
        .await?;
    raise(&mut tx, STOPS).await?;
    let action = if stopped_at.is_some() { "agent.stop" } else { "agent.start" };
    let detail = json!({"name": before.name, "project": before.project});
    audit::record(panel, &mut tx, principal, action, &before.id, detail).await?;
    let after = find(&mut tx, principal, &before.id).await?;
    tx.commit().await?;
    panel.wake.notify(STOPS);
    Ok(Tagged(after.version, after))
}

/// Whether everybody is stopped.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stopped {
    /// Since when; null where nobody is.
    pub stopped_at: Option<Time>,
}

/// Whether all agents are stopped.
#[utoipa::path(get, path = "/api/v1/stop", tag = "agents", responses((status = 200, body = Stopped)))]
pub async fn stopped(State(panel): State<Panel>) -> Result<Json<Stopped>, Problem> {
    let row = sqlx::query("SELECT value FROM setting WHERE name = 'stop_all'")
        .fetch_optional(panel.store.pool())
        .await?;
    let value = row.map(|row| row.try_get::<String, _>(0)).transpose()?;
    Ok(Json(Stopped { stopped_at: value.and_then(|value| value.parse().ok()).map(Time) }))
}

/// Stops all agents at once, on all proxies.
#[utoipa::path(put, path = "/api/v1/stop", tag = "agents", responses((status = 200, body = Stopped)))]
pub async fn stop_all(
    State(panel): State<Panel>,
    principal: Principal,
) -> Result<Json<Stopped>, Problem> {
    let now = panel.clock.now_ms();
    let query = sqlx::query(
        "INSERT INTO setting (name, value) VALUES ('stop_all', $1) ON CONFLICT (name) DO NOTHING",
    )
    .bind(now.to_string());
    set_all(&panel, &principal, "stop_all.set", query).await?;
    stopped(State(panel)).await
}

/// Lets all agents call again that are not stopped themselves.
#[utoipa::path(
    delete, path = "/api/v1/stop", tag = "agents", responses((status = 200, body = Stopped))
)]
pub async fn start_all(
    State(panel): State<Panel>,
    principal: Principal,
) -> Result<Json<Stopped>, Problem> {
    let query = sqlx::query("DELETE FROM setting WHERE name = 'stop_all'");
    set_all(&panel, &principal, "stop_all.end", query).await?;
    stopped(State(panel)).await
}

async fn set_all(
    panel: &Panel,
    principal: &Principal,
    action: &'static str,
    query: sqlx::query::Query<'_, sqlx::Any, sqlx::any::AnyArguments>,
) -> Result<(), Problem> {
    let mut tx = panel.store.begin().await?;
    if query.execute(&mut *tx).await?.rows_affected() > 0 {
        raise(&mut tx, STOPS).await?;
        audit::record(panel, &mut tx, principal, action, "*", json!({})).await?;
        tx.commit().await?;
        panel.wake.notify(STOPS);
    }
    Ok(())
}
