//! `/api/v1/projects`: what people work on, and who does.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Door, May, Principal, Role, door};
use super::extract::{IfMatch, Json, Path, Query, Tagged};
use super::page::{Page, Paged};
use super::problem::Problem;
use super::session::PersonSeen;
use super::wire::Time;
use crate::audit;
use crate::identity::names;
use crate::panel::Panel;
use crate::store::id;

/// Who may use which route.
pub const DOORS: &[Door] = &[
    door("GET", "/api/v1/projects", May::Person(Role::Viewer)).in_project(),
    door("POST", "/api/v1/projects", May::Person(Role::Admin)),
    door("GET", "/api/v1/projects/{id}", May::Person(Role::Viewer)).in_project(),
    door("PATCH", "/api/v1/projects/{id}", May::Person(Role::Operator)).in_project().versioned(),
    door("GET", "/api/v1/projects/{id}/members", May::Person(Role::Viewer)).in_project(),
    door("PUT", "/api/v1/projects/{id}/members/{person}", May::Person(Role::Admin)),
    door("DELETE", "/api/v1/projects/{id}/members/{person}", May::Person(Role::Admin)),
];

/// The routes.
pub fn routes() -> OpenApiRouter<Panel> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, change))
        .routes(routes!(members))
        .routes(routes!(join, leave))
}

/// Characters of a title at most.
const TITLE: usize = 200;
const SELECT: &str = "SELECT id, name, title, created_at, version FROM project";

/// A project.
#[derive(Debug, Serialize, ToSchema)]
pub struct Project {
    /// `prj_…`.
    pub id: String,
    /// The name: in tokens, budgets and reports. It does not change.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// Since when.
    pub created_at: Time,
    /// Rises with each change; the ETag.
    pub version: i64,
}

fn project(row: &AnyRow) -> Result<Project, Problem> {
    Ok(Project {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        title: row.try_get(2)?,
        created_at: Time(row.try_get(3)?),
        version: row.try_get(4)?,
    })
}

/// A project that the principal may see, by id or by name.
pub(super) async fn find(
    connection: &mut AnyConnection,
    principal: &Principal,
    key: &str,
) -> Result<Project, Problem> {
    let row = sqlx::query(AssertSqlSafe(format!("{SELECT} WHERE id = $1 OR name = $1")))
        .bind(key.to_owned())
        .fetch_optional(connection)
        .await?;
    let found = row.as_ref().map(project).transpose()?;
    found.filter(|project| principal.sees(&project.id)).ok_or_else(|| {
        Problem::not_found(
            "there is no such project, or you are not a member of it: see GET /api/v1/projects",
        )
    })
}

/// The projects that one may see.
#[utoipa::path(
    get, path = "/api/v1/projects", tag = "projects", params(Page),
    responses((status = 200, body = Paged<Project>))
)]
pub async fn list(
    State(panel): State<Panel>,
    principal: Principal,
    Query(page): Query<Page>,
) -> Result<Json<Paged<Project>>, Problem> {
    let limit = page.limit()?;
    let sql = format!(
        "{SELECT} WHERE id > $1
         AND ($2 = 1 OR id IN (SELECT project FROM member WHERE person = $3)) ORDER BY id LIMIT $4"
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(page.after()?)
        .bind(i64::from(principal.sees_all()))
        .bind(principal.actor())
        .bind(limit + 1)
        .fetch_all(panel.store.pool())
        .await?;
    let projects = rows.iter().map(project).collect::<Result<Vec<_>, _>>()?;
    Ok(Json(Paged::of(projects, limit, |project| project.id.clone())))
}

/// A new project.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewProject {
    /// The name: 1 to 64 letters, digits, `.`, `_` or `-`.
    #[schema(max_length = 64)]
    pub name: String,
    /// The name for people.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub title: String,
}

/// Makes a project.
#[utoipa::path(
    post, path = "/api/v1/projects", tag = "projects", responses((status = 201, body = Project))
)]
pub async fn create(
    State(panel): State<Panel>,
    principal: Principal,
    Json(body): Json<NewProject>,
) -> Result<Response, Problem> {
    names::check(&body.name)?;
    names::check_text("title", &body.title, TITLE)?;
    let project = id("prj");
    let mut tx = panel.store.begin().await?;
    let made = sqlx::query(
        "INSERT INTO project (id, name, title, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (name) DO NOTHING",
    )
    .bind(project.clone())
    .bind(body.name.clone())
    .bind(body.title.clone())
    .bind(panel.clock.now_ms())
    .execute(&mut *tx)
    .await?;
    if made.rows_affected() == 0 {
        let detail = format!("there is a project named {} already: choose another name", body.name);
        return Err(Problem::conflict("name_taken", detail));
    }
    let detail = json!({"name": body.name});
    audit::record(&panel, &mut tx, &principal, "project.create", &project, detail).await?;
    let made = find(&mut tx, &principal, &project).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Tagged(made.version, made)).into_response())
}

/// A project.
#[utoipa::path(
    get, path = "/api/v1/projects/{id}", tag = "projects", params(("id" = String, Path)),
    responses((status = 200, body = Project))
)]
pub async fn show(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Tagged<Project>, Problem> {
    let mut connection = panel.store.pool().acquire().await?;
    let project = find(&mut connection, &principal, &id).await?;
    Ok(Tagged(project.version, project))
}

/// What is to change of a project.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ProjectChange {
    /// The name for people.
    #[schema(max_length = 200)]
    pub title: String,
}

/// Changes a project's title.
#[utoipa::path(
    patch, path = "/api/v1/projects/{id}", tag = "projects", params(("id" = String, Path)),
    responses((status = 200, body = Project))
)]
pub async fn change(
    State(panel): State<Panel>,
    principal: Principal,
    if_match: IfMatch,
    Path(key): Path<String>,
    Json(body): Json<ProjectChange>,
) -> Result<Tagged<Project>, Problem> {
    names::check_text("title", &body.title, TITLE)?;
    let mut tx = panel.store.begin().await?;
    let before = find(&mut tx, &principal, &key).await?;
    if_match.check(before.version)?;
    let detail = json!({"name": before.name, "title": body.title});
    audit::record(&panel, &mut tx, &principal, "project.update", &before.id, detail).await?;
    let changed = sqlx::query(
        "UPDATE project SET title = $1, version = version + 1 WHERE id = $2 AND version = $3",
    )
    .bind(body.title)
    .bind(before.id.clone())
    .bind(before.version)
    .execute(&mut *tx)
    .await?;
    let after = find(&mut tx, &principal, &before.id).await?;
    if changed.rows_affected() == 0 {
        if_match.check(after.version)?;
    }
    tx.commit().await?;
    Ok(Tagged(after.version, after))
}

/// Who works on a project. Admins see it without being members.
#[utoipa::path(
    get, path = "/api/v1/projects/{id}/members", tag = "projects",
    params(("id" = String, Path), Page), responses((status = 200, body = Paged<PersonSeen>))
)]
pub async fn members(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<Paged<PersonSeen>>, Problem> {
    let (limit, after) = (page.limit()?, page.after()?);
    let mut connection = panel.store.pool().acquire().await?;
    let project = find(&mut connection, &principal, &id).await?;
    let rows = sqlx::query(
        "SELECT person.id, person.name, person.role FROM member
         JOIN person ON person.id = member.person
         WHERE member.project = $1 AND person.id > $2 ORDER BY person.id LIMIT $3",
    )
    .bind(project.id)
    .bind(after)
    .bind(limit + 1)
    .fetch_all(&mut *connection)
    .await?;
    let seen = rows.iter().map(|row| {
        let role = Role::named(&row.try_get::<String, _>(2)?).unwrap_or(Role::Viewer);
        Ok(PersonSeen { id: row.try_get(0)?, name: row.try_get(1)?, role })
    });
    let seen = seen.collect::<Result<Vec<_>, Problem>>()?;
    Ok(Json(Paged::of(seen, limit, |person| person.id.clone())))
}

/// Makes somebody a member of a project.
#[utoipa::path(
    put, path = "/api/v1/projects/{id}/members/{person}", tag = "projects",
    params(("id" = String, Path), ("person" = String, Path)), responses((status = 204))
)]
pub async fn join(
    State(panel): State<Panel>,
    principal: Principal,
    Path((id, person)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let sql = "INSERT INTO member (project, person) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    set_member(&panel, &principal, &id, &person, "project.join", sql).await
}

/// Ends somebody's membership of a project.
#[utoipa::path(
    delete, path = "/api/v1/projects/{id}/members/{person}", tag = "projects",
    params(("id" = String, Path), ("person" = String, Path)), responses((status = 204))
)]
pub async fn leave(
    State(panel): State<Panel>,
    principal: Principal,
    Path((id, person)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let sql = "DELETE FROM member WHERE project = $1 AND person = $2";
    set_member(&panel, &principal, &id, &person, "project.leave", sql).await
}

async fn set_member(
    panel: &Panel,
    principal: &Principal,
    project: &str,
    person: &str,
    action: &'static str,
    sql: &'static str,
) -> Result<StatusCode, Problem> {
    let mut tx = panel.store.begin().await?;
    let project = find(&mut tx, principal, project).await?;
    let row = sqlx::query("SELECT id FROM person WHERE id = $1 OR name = $1")
        .bind(person.to_owned())
        .fetch_optional(&mut *tx)
        .await?;
    let gone = || Problem::not_found("there is no such user: see GET /api/v1/users");
    let person: String = row.ok_or_else(gone)?.try_get(0)?;
    let done =
        sqlx::query(sql).bind(project.id.clone()).bind(person.clone()).execute(&mut *tx).await?;
    if done.rows_affected() > 0 {
        let detail = json!({"person": person, "project": project.name});
        audit::record(panel, &mut tx, principal, action, &project.id, detail).await?;
        tx.commit().await?;
    }
    Ok(StatusCode::NO_CONTENT)
}
