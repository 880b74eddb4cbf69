//! `/api/v1/users`: who may sign in, and as what. Nobody changes their own role, and nobody gives more
//! than they have.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Door, May, Principal, Role, door};
use super::authenticate::hash;
use super::extract::{IfMatch, Json, Path, Query, Tagged};
use super::page::{Page, Paged};
use super::problem::Problem;
use super::session::nobody;
use super::wire::Time;
use crate::audit;
use crate::identity::{credential, people, sessions};
use crate::panel::Panel;

/// Who may use which route.
pub const DOORS: &[Door] = &[
    door("GET", "/api/v1/users", May::Person(Role::Admin)),
    door("POST", "/api/v1/users", May::Person(Role::Admin)),
    door("GET", "/api/v1/users/{id}", May::Person(Role::Admin)),
    door("PATCH", "/api/v1/users/{id}", May::Person(Role::Admin)).versioned(),
    door("POST", "/api/v1/users/{id}/invite", May::Person(Role::Admin)),
];

/// The routes.
pub fn routes() -> OpenApiRouter<Panel> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, change))
        .routes(routes!(invite))
}

/// What an invitation begins with.
const INVITATION: &str = "iron_invite_";
/// How long an invitation can be used, in milliseconds.
const INVITED: i64 = 7 * 86_400_000;

/// Somebody who may sign in.
#[derive(Debug, Serialize, ToSchema)]
pub struct User {
    /// `usr_…`.
    pub id: String,
    /// The name to sign in with.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Whether they may not sign in any more.
    pub disabled: bool,
    /// Whether they have chosen a password.
    pub has_password: bool,
    /// Since when.
    pub created_at: Time,
    /// Rises with each change; the ETag.
    pub version: i64,
}

const SELECT: &str =
    "SELECT id, name, role, disabled, CASE WHEN password IS NULL THEN 0 ELSE 1 END,
    created_at, version FROM person";

fn user(row: &AnyRow) -> Result<User, Problem> {
    let role: String = row.try_get(2)?;
    let damaged = || crate::store::StoreError::Damaged(format!("the role {role}"));
    Ok(User {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        role: Role::named(&role).ok_or_else(damaged)?,
        disabled: row.try_get::<i64, _>(3)? != 0,
        has_password: row.try_get::<i64, _>(4)? != 0,
        created_at: Time(row.try_get(5)?),
        version: row.try_get(6)?,
    })
}

/// Somebody, by id or by name.
async fn find(connection: &mut AnyConnection, key: &str) -> Result<User, Problem> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} WHERE id = $1 OR name = $1")))
        .bind(key.to_owned())
        .fetch_optional(connection)
        .await?;
    let gone = || Problem::not_found("there is no such user: see GET /api/v1/users");
    user(&row.ok_or_else(gone)?)
}

/// Who may sign in.
#[utoipa::path(
    get, path = "/api/v1/users", tag = "users", params(Page),
    responses((status = 200, body = Paged<User>))
)]
pub async fn list(
    State(panel): State<Panel>,
    Query(page): Query<Page>,
) -> Result<Json<Paged<User>>, Problem> {
    let limit = page.limit()?;
    let sql = format!("{SELECT} WHERE id > $1 ORDER BY id LIMIT $2");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(page.after()?)
        .bind(limit + 1)
        .fetch_all(panel.store.pool())
        .await?;
    let users = rows.iter().map(user).collect::<Result<Vec<_>, _>>()?;
    Ok(Json(Paged::of(users, limit, |user| user.id.clone())))
}

/// Somebody new.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewUser {
    /// The name to sign in with: 1 to 64 letters, digits, `.`, `_` or `-`.
    #[schema(max_length = 64)]
    pub name: String,
    /// What they may do: no more than whoever asks.
    pub role: Role,
}

/// Somebody who was invited.
#[derive(Serialize, ToSchema)]
pub struct Invited {
    /// Who.
    pub user: User,
    /// The token by which they choose a password: it works once, and is shown this once.
    pub invitation: String,
    /// Until when it works.
    pub expires_at: Time,
}

/// Makes somebody new. They choose their password with the invitation
/// (`POST /api/v1/session/setup`).
#[utoipa::path(
    post, path = "/api/v1/users", tag = "users", responses((status = 201, body = Invited))
)]
pub async fn create(
    State(panel): State<Panel>,
    principal: Principal,
    Json(body): Json<NewUser>,
) -> Result<Response, Problem> {
    may_give(&principal, body.role)?;
    let mut tx = panel.store.begin().await?;
    let id = people::add(&panel, &mut tx, &body.name, body.role, None).await?;
    let detail = json!({"name": body.name, "role": body.role});
    audit::record(&panel, &mut tx, &principal, "user.create", &id, detail).await?;
    let invited = invitation(&panel, &mut tx, &id).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(invited)).into_response())
}

/// Somebody.
#[utoipa::path(
    get, path = "/api/v1/users/{id}", tag = "users", params(("id" = String, Path)),
    responses((status = 200, body = User))
)]
pub async fn show(
    State(panel): State<Panel>,
    Path(id): Path<String>,
) -> Result<Tagged<User>, Problem> {
    let mut connection = panel.store.pool().acquire().await?;
    let user = find(&mut connection, &id).await?;
    Ok(Tagged(user.version, user))
}

/// What is to change of somebody; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
pub struct UserChange {
    /// What they may do from now on: no more than whoever asks.
    #[serde(default)]
    pub role: Option<Role>,
    /// Whether they may not sign in any more. Their sessions end at once.
    #[serde(default)]
    pub disabled: Option<bool>,
}

/// Changes somebody's role, or disables them. Nobody does this to themselves.
#[utoipa::path(
    patch, path = "/api/v1/users/{id}", tag = "users", params(("id" = String, Path)),
    responses((status = 200, body = User))
)]
pub async fn change(
    State(panel): State<Panel>,
    principal: Principal,
    if_match: IfMatch,
    Path(key): Path<String>,
    Json(body): Json<UserChange>,
) -> Result<Tagged<User>, Problem> {
    let mut tx = panel.store.begin().await?;
    let before = find(&mut tx, &key).await?;
    let Principal::Person { id: own, .. } = &principal else { return Err(nobody()) };
    if *own == before.id {
        drop(tx);
        audit::refusal(&panel, own, "user.refused", own, json!({"code": "own_role"})).await;
        let detail = "nobody changes their own role: ask another admin";
        return Err(Problem::new(StatusCode::FORBIDDEN, "own_role", detail));
    }
    if_match.check(before.version)?;
    may_give(&principal, before.role)?;
    let role = body.role.unwrap_or(before.role);
    may_give(&principal, role)?;
    let disabled = body.disabled.unwrap_or(before.disabled);
    let changed = sqlx::query(
        "UPDATE person SET role = $1, disabled = $2, version = version + 1
         WHERE id = $3 AND version = $4",
    )
    .bind(role.name())
    .bind(i64::from(disabled))
    .bind(before.id.clone())
    .bind(before.version)
    .execute(&mut *tx)
    .await?;
    if changed.rows_affected() == 0 {
        return Err(IfMatch::None.check(before.version + 1).err().unwrap_or_else(nobody));
    }
    if disabled {
        sessions::end_all(&mut tx, &before.id, "").await?;
    }
    // Entries are written in turn: of two that disable each other, the second counts admins once the
    // first is done.
    let detail = json!({"name": before.name, "role": role, "disabled": disabled,
        "role_before": before.role, "disabled_before": before.disabled});
    audit::record(&panel, &mut tx, &principal, "user.update", &before.id, detail).await?;
    let admins = people::admins(&mut tx).await?;
    if admins == 0 && before.role == Role::Admin && !before.disabled {
        let detail = "this is the last admin: make another one first";
        return Err(Problem::conflict("last_admin", detail));
    }
    let after = find(&mut tx, &before.id).await?;
    tx.commit().await?;
    Ok(Tagged(after.version, after))
}

/// Invites somebody anew: their password and their sessions end, and they choose another password.
#[utoipa::path(
    post, path = "/api/v1/users/{id}/invite", tag = "users", params(("id" = String, Path)),
    responses((status = 201, body = Invited))
)]
pub async fn invite(
    State(panel): State<Panel>,
    principal: Principal,
    Path(key): Path<String>,
) -> Result<Response, Problem> {
    let mut tx = panel.store.begin().await?;
    let user = find(&mut tx, &key).await?;
    may_give(&principal, user.role)?;
    if matches!(&principal, Principal::Person { id, .. } if *id == user.id) {
        let detail = "you are signed in: choose a password with PUT /api/v1/session/password";
        return Err(Problem::conflict("own_invitation", detail));
    }
    sqlx::query("UPDATE person SET password = NULL, version = version + 1 WHERE id = $1")
        .bind(user.id.clone())
        .execute(&mut *tx)
        .await?;
    sessions::end_all(&mut tx, &user.id, "").await?;
    let invited = invitation(&panel, &mut tx, &user.id).await?;
    let detail = json!({"name": user.name});
    audit::record(&panel, &mut tx, &principal, "user.invite", &user.id, detail).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(invited)).into_response())
}

async fn invitation(
    panel: &Panel,
    connection: &mut AnyConnection,
    person: &str,
) -> Result<Invited, Problem> {
    let token = credential(INVITATION)?;
    let expires_at = panel.clock.now_ms() + INVITED;
    sqlx::query(
        "INSERT INTO invitation (hash, person, expires_at) VALUES ($1, $2, $3)
         ON CONFLICT (person) DO UPDATE
         SET hash = excluded.hash, expires_at = excluded.expires_at",
    )
    .bind(hash(&token))
    .bind(person.to_owned())
    .bind(expires_at)
    .execute(&mut *connection)
    .await?;
    let user = find(connection, person).await?;
    Ok(Invited { user, invitation: token.to_string(), expires_at: Time(expires_at) })
}

fn may_give(principal: &Principal, role: Role) -> Result<(), Problem> {
    match principal {
        Principal::Person { role: own, .. } if *own >= role => Ok(()),
        _ => Err(Problem::forbidden("nobody gives more than they have: ask an admin")),
    }
}
