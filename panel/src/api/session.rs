//! `/api/v1/session`: signing in and out, the first admin, passwords; `/api/v1/sessions`: where one is
//! signed in.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use iron_policy::config::Panel as Settings;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Door, May, Principal, Role, door};
use super::authenticate::{MaybeCookie, cookie_name, hash};
use super::browser::Address;
use super::extract::{Json, Path, Query};
use super::page::{Page, Paged};
use super::problem::Problem;
use super::wire::Time;
use crate::audit;
use crate::identity::password::Password;
use crate::identity::sessions::{self, Begun, Carrier};
use crate::identity::{attempts, bootstrap, names, people};
use crate::panel::Panel;
use crate::reach::is_secure;

/// Who may use which route.
pub const DOORS: &[Door] = &[
    door("POST", "/api/v1/session", May::Anyone),
    door("GET", "/api/v1/session", May::Person(Role::Viewer)).own(),
    door("DELETE", "/api/v1/session", May::Person(Role::Viewer)).own(),
    door("POST", "/api/v1/session/bootstrap", May::Anyone),
    door("POST", "/api/v1/session/setup", May::Anyone),
    door("PUT", "/api/v1/session/password", May::Person(Role::Viewer)).own(),
    door("GET", "/api/v1/sessions", May::Person(Role::Viewer)).own(),
    door("DELETE", "/api/v1/sessions/{id}", May::Person(Role::Viewer)).own(),
];

/// The routes.
pub fn routes() -> OpenApiRouter<Panel> {
    OpenApiRouter::new()
        .routes(routes!(sign_in, me, sign_out))
        .routes(routes!(first_admin))
        .routes(routes!(set_up))
        .routes(routes!(change_password))
        .routes(routes!(list))
        .routes(routes!(end))
}

/// A name and a password.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SignIn {
    /// The name.
    #[schema(max_length = 64)]
    pub name: String,
    /// The password.
    pub password: Password,
    /// What is to carry the session: a `browser`'s cookie unless said.
    #[serde(default)]
    pub carrier: Carrier,
    /// What the session is to be called in lists.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub label: String,
}

/// A token that works once, and what to sign in with from then on.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SetUp {
    /// The token: of an invitation, or the one that the panel printed.
    #[schema(value_type = String, max_length = 200)]
    pub token: Password,
    /// The name of the first admin. An invitation says already whom it is for.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub name: String,
    /// The password from now on.
    pub password: Password,
    /// What is to carry the session: a `browser`'s cookie unless said.
    #[serde(default)]
    pub carrier: Carrier,
}

/// A session that was begun.
#[derive(Serialize, ToSchema)]
pub struct SignedIn {
    /// The session's id.
    pub id: String,
    /// Who is signed in.
    pub person: PersonSeen,
    /// What carries it.
    pub carrier: Carrier,
    /// The bearer token of a `machine` session: it is shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What a browser sends in `x-csrf-token` with each change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csrf: Option<String>,
    /// When it ends.
    pub expires_at: Time,
}

/// Somebody, as others see them.
#[derive(Debug, Serialize, ToSchema)]
pub struct PersonSeen {
    /// `usr_…`.
    pub id: String,
    /// The name.
    pub name: String,
    /// The role.
    pub role: Role,
}

/// Who is signed in, and what they may see.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// Who.
    pub person: PersonSeen,
    /// The session's id.
    pub session: String,
    /// The projects that they are members of; admins see all projects besides.
    pub projects: Vec<ProjectSeen>,
    /// What a browser sends in `x-csrf-token` with each change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csrf: Option<String>,
}

/// A project, by its name.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectSeen {
    /// `prj_…`.
    pub id: String,
    /// The name.
    pub name: String,
}

impl SignedIn {
    pub(super) fn new(begun: &Begun, person: PersonSeen, panel: &Panel) -> Self {
        let by_browser = begun.carrier == Carrier::Browser;
        Self {
            id: begun.id.clone(),
            person,
            carrier: begun.carrier,
            token: (!by_browser).then(|| begun.credential.to_string()),
            csrf: by_browser.then(|| sessions::csrf(panel, &hash(&begun.credential))),
            expires_at: Time(begun.expires_at),
        }
    }
}

/// The line that has a browser keep a session.
pub(super) fn cookie(settings: &Settings, begun: &Begun) -> Option<HeaderValue> {
    let secure = if is_secure(settings) { "; Secure" } else { "" };
    let (name, seconds) = (cookie_name(settings), begun.carrier.lasts() / 1000);
    let value = begun.credential.as_str();
    let mut line: HeaderValue =
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
            .parse()
            .ok()?;
    line.set_sensitive(true);
    Some(line)
}

fn signed_in(panel: &Panel, begun: &Begun, person: PersonSeen) -> Response {
    let body = Json(SignedIn::new(begun, person, panel));
    let mut response = (StatusCode::CREATED, body).into_response();
    if begun.carrier == Carrier::Browser
        && let Some(line) = cookie(&panel.settings, begun)
    {
        response.headers_mut().insert(header::SET_COOKIE, line);
    }
    response
}

/// Checks a name and a password. An unknown name and a wrong password look alike and take the same.
pub(super) async fn check(
    panel: &Panel,
    address: &Address,
    name: &str,
    password: Password,
) -> Result<people::Person, Problem> {
    let attempt = match attempts::begin(panel, name, &address.0).await {
        Ok(attempt) => attempt,
        Err(problem) => {
            let detail = serde_json::json!({"code": problem.code, "address": address.0});
            audit::refusal(panel, "anonymous", "session.refused", "", detail).await;
            return Err(problem);
        }
    };
    let mut connection = panel.store.pool().acquire().await?;
    let person = people::by_name(&mut connection, name).await?;
    drop(connection);
    let kept = person.as_ref().and_then(|person| person.password.clone());
    let is_right = panel.hashing.verify(password, kept).await?;
    match person {
        Some(person) if is_right => {
            attempt.forgive(panel).await?;
            Ok(person)
        }
        person => {
            let target = person.map(|person| person.id).unwrap_or_default();
            let detail = serde_json::json!({"code": "wrong_password", "address": address.0});
            audit::refusal(panel, "anonymous", "session.refused", &target, detail).await;
            Err(Problem::unauthenticated(
                "there is nobody of this name with this password: try again, or ask an admin of this \
                 panel for a new invitation",
            ))
        }
    }
}

/// Signs in with a name and a password.
#[utoipa::path(
    post, path = "/api/v1/session", tag = "session",
    responses((status = 201, body = SignedIn))
)]
pub async fn sign_in(
    State(panel): State<Panel>,
    address: Address,
    Json(body): Json<SignIn>,
) -> Result<Response, Problem> {
    names::check_text("label", &body.label, 100)?;
    let person = check(&panel, &address, &body.name, body.password).await?;
    let mut tx = panel.store.begin().await?;
    let begun = sessions::begin(&panel, &mut tx, &person.id, body.carrier, &body.label).await?;
    tx.commit().await?;
    let seen = PersonSeen { id: person.id, name: person.name, role: person.role };
    Ok(signed_in(&panel, &begun, seen))
}

/// Makes the first admin with the token that the panel printed when it started.
#[utoipa::path(
    post, path = "/api/v1/session/bootstrap", tag = "session",
    responses((status = 201, body = SignedIn))
)]
pub async fn first_admin(
    State(panel): State<Panel>,
    address: Address,
    Json(body): Json<SetUp>,
) -> Result<Response, Problem> {
    let name = body.name.clone();
    let begun =
        make_first_admin(&panel, &address, &name, &body.token, Some(body.password), body.carrier);
    let (begun, id) = begun.await?;
    Ok(signed_in(&panel, &begun, PersonSeen { id, name, role: Role::Admin }))
}

/// Makes the first admin. None needs a password whose panel only they use.
pub(super) async fn make_first_admin(
    panel: &Panel,
    address: &Address,
    name: &str,
    token: &Password,
    password: Option<Password>,
    carrier: Carrier,
) -> Result<(Begun, String), Problem> {
    names::check(name)?;
    let attempt = attempts::begin_with_token(panel, &address.0).await?;
    let password = match password {
        Some(password) => {
            password.check(name)?;
            Some(panel.hashing.hash(password).await?)
        }
        None => None,
    };
    let mut tx = panel.store.begin().await?;
    if let Err(problem) = bootstrap::take(panel, &mut tx, token.text()).await {
        drop(tx);
        let detail = serde_json::json!({"address": address.0});
        audit::refusal(panel, "anonymous", "bootstrap.refused", "", detail).await;
        return Err(problem);
    }
    let person = people::add(panel, &mut tx, name, Role::Admin, password).await?;
    let detail = serde_json::json!({"name": name, "role": Role::Admin});
    let entry = audit::Entry { actor: "bootstrap", action: "user.create", target: &person, detail };
    audit::write(panel, &mut tx, entry).await?;
    let begun = sessions::begin(panel, &mut tx, &person, carrier, "first start").await?;
    tx.commit().await?;
    attempt.forgive(panel).await?;
    Ok((begun, person))
}

/// Chooses a password with an invitation, and signs in.
#[utoipa::path(
    post, path = "/api/v1/session/setup", tag = "session",
    responses((status = 201, body = SignedIn))
)]
pub async fn set_up(
    State(panel): State<Panel>,
    address: Address,
    Json(body): Json<SetUp>,
) -> Result<Response, Problem> {
    let refused = || {
        let detail =
            "this invitation is not valid (any more): ask an admin of this panel for a new one";
        Problem::unauthenticated(detail)
    };
    let attempt = attempts::begin_with_token(&panel, &address.0).await?;
    let row = sqlx::query(
        "SELECT person.id, person.name, person.role FROM invitation
         JOIN person ON person.id = invitation.person
         WHERE invitation.hash = $1 AND invitation.expires_at > $2 AND person.disabled = 0",
    )
    .bind(hash(body.token.text()))
    .bind(panel.clock.now_ms())
    .fetch_optional(panel.store.pool())
    .await?;
    let Some(row) = row else {
        let detail = serde_json::json!({"address": address.0});
        audit::refusal(&panel, "anonymous", "invitation.refused", "", detail).await;
        return Err(refused());
    };
    let (id, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let role = Role::named(&row.try_get::<String, _>(2)?).ok_or_else(refused)?;
    body.password.check(&name)?;
    let password = panel.hashing.hash(body.password).await?;
    let mut tx = panel.store.begin().await?;
    let taken = sqlx::query("DELETE FROM invitation WHERE hash = $1")
        .bind(hash(body.token.text()))
        .execute(&mut *tx)
        .await?;
    if taken.rows_affected() == 0 {
        return Err(refused());
    }
    set_password(&panel, &mut tx, &id, password, "").await?;
    let begun = sessions::begin(&panel, &mut tx, &id, body.carrier, "invitation").await?;
    tx.commit().await?;
    attempt.forgive(&panel).await?;
    Ok(signed_in(&panel, &begun, PersonSeen { id, name, role }))
}

/// Sets somebody's own password; their other sessions end.
async fn set_password(
    panel: &Panel,
    connection: &mut sqlx::AnyConnection,
    person: &str,
    password: String,
    session: &str,
) -> Result<(), Problem> {
    sqlx::query("UPDATE person SET password = $1, version = version + 1 WHERE id = $2")
        .bind(password)
        .bind(person.to_owned())
        .execute(&mut *connection)
        .await?;
    sessions::end_all(connection, person, session).await?;
    let detail = serde_json::json!({});
    let entry = audit::Entry { actor: person, action: "password.set", target: person, detail };
    audit::write(panel, connection, entry).await?;
    Ok(())
}

/// A new password, and the one before.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewPassword {
    /// The one before; left out where there was none.
    #[serde(default)]
    pub old: Option<Password>,
    /// The one from now on.
    pub new: Password,
}

/// Changes one's own password. All other sessions of the same person end.
#[utoipa::path(
    put, path = "/api/v1/session/password", tag = "session", responses((status = 204))
)]
pub async fn change_password(
    State(panel): State<Panel>,
    principal: Principal,
    address: Address,
    Json(body): Json<NewPassword>,
) -> Result<StatusCode, Problem> {
    let Principal::Person { id, name, session, .. } = &principal else { return Err(nobody()) };
    body.new.check(name)?;
    let row = sqlx::query("SELECT password FROM person WHERE id = $1")
        .bind(id.clone())
        .fetch_one(panel.store.pool())
        .await?;
    let kept: Option<String> = row.try_get(0)?;
    if kept.is_some() {
        let attempt = attempts::begin(&panel, name, &address.0).await?;
        let old = body.old.unwrap_or_else(|| String::new().into());
        if !panel.hashing.verify(old, kept).await? {
            audit::refusal(&panel, id, "password.refused", id, serde_json::json!({})).await;
            let detail = "`old` is not your password: try again";
            return Err(Problem::new(StatusCode::FORBIDDEN, "wrong_password", detail));
        }
        attempt.forgive(&panel).await?;
    }
    let password = panel.hashing.hash(body.new).await?;
    let mut tx = panel.store.begin().await?;
    set_password(&panel, &mut tx, id, password, session).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who is signed in.
#[utoipa::path(get, path = "/api/v1/session", tag = "session", responses((status = 200, body = Me)))]
pub async fn me(
    State(panel): State<Panel>,
    principal: Principal,
    MaybeCookie(cookie): MaybeCookie,
) -> Result<Json<Me>, Problem> {
    let Principal::Person { id, name, role, session, .. } = principal else {
        return Err(nobody());
    };
    let rows = sqlx::query(
        "SELECT project.id, project.name FROM member JOIN project ON project.id = member.project
         WHERE member.person = $1 ORDER BY project.name LIMIT 10000",
    )
    .bind(id.clone())
    .fetch_all(panel.store.pool())
    .await?;
    let projects = rows
        .iter()
        .map(|row| Ok(ProjectSeen { id: row.try_get(0)?, name: row.try_get(1)? }))
        .collect::<Result<_, Problem>>()?;
    let csrf = cookie.map(|cookie| cookie.csrf);
    Ok(Json(Me { person: PersonSeen { id, name, role }, session, projects, csrf }))
}

/// Signs out.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session", responses((status = 204)))]
pub async fn sign_out(
    State(panel): State<Panel>,
    principal: Principal,
) -> Result<Response, Problem> {
    let Principal::Person { session, .. } = &principal else { return Err(nobody()) };
    remove(&panel, &principal, session).await?;
    let secure = if is_secure(&panel.settings) { "; Secure" } else { "" };
    let name = cookie_name(&panel.settings);
    let line = format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict{secure}");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, line)]).into_response())
}

/// Where somebody is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionSeen {
    /// `ses_…`.
    pub id: String,
    /// What carries it.
    pub carrier: Carrier,
    /// What it is called.
    pub label: String,
    /// When it was begun.
    pub created_at: Time,
    /// When it was last used, to the minute.
    pub used_at: Time,
    /// When it ends.
    pub expires_at: Time,
    /// Whether this request came by it.
    pub current: bool,
}

/// Where one is signed in, the newest last.
#[utoipa::path(
    get, path = "/api/v1/sessions", tag = "session", params(Page),
    responses((status = 200, body = Paged<SessionSeen>))
)]
pub async fn list(
    State(panel): State<Panel>,
    principal: Principal,
    Query(page): Query<Page>,
) -> Result<Json<Paged<SessionSeen>>, Problem> {
    let Principal::Person { id, session, .. } = principal else { return Err(nobody()) };
    let (limit, now) = (page.limit()?, panel.clock.now_ms());
    let rows = sqlx::query(
        "SELECT id, kind, label, created_at, used_at, expires_at FROM session
         WHERE person = $1 AND id > $2 AND expires_at > $3
           AND (kind = 'machine' OR used_at > $4) ORDER BY id LIMIT $5",
    )
    .bind(id)
    .bind(page.after()?)
    .bind(now)
    .bind(now - sessions::IDLE)
    .bind(limit + 1)
    .fetch_all(panel.store.pool())
    .await?;
    let seen = rows.iter().map(|row| {
        let id: String = row.try_get(0)?;
        let is_machine = row.try_get::<String, _>(1)? == Carrier::Machine.name();
        Ok(SessionSeen {
            current: id == session,
            id,
            carrier: if is_machine { Carrier::Machine } else { Carrier::Browser },
            label: row.try_get(2)?,
            created_at: Time(row.try_get(3)?),
            used_at: Time(row.try_get(4)?),
            expires_at: Time(row.try_get(5)?),
        })
    });
    let seen = seen.collect::<Result<Vec<_>, Problem>>()?;
    Ok(Json(Paged::of(seen, limit, |session| session.id.clone())))
}

/// Ends one of one's own sessions.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{id}", tag = "session", params(("id" = String, Path)),
    responses((status = 204))
)]
pub async fn end(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    remove(&panel, &principal, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove(panel: &Panel, principal: &Principal, session: &str) -> Result<(), Problem> {
    let Principal::Person { id, .. } = principal else { return Err(nobody()) };
    let mut tx = panel.store.begin().await?;
    let gone = sqlx::query("DELETE FROM session WHERE id = $1 AND person = $2")
        .bind(session.to_owned())
        .bind(id.clone())
        .execute(&mut *tx)
        .await?;
    if gone.rows_affected() == 0 {
        let detail = "you have no such session: see GET /api/v1/sessions for those that you have";
        return Err(Problem::not_found(detail));
    }
    let detail = serde_json::json!({"session": session});
    audit::record(panel, &mut tx, principal, "session.end", id, detail).await?;
    tx.commit().await?;
    Ok(())
}

/// For routes that the access table gives to people alone.
pub(super) fn nobody() -> Problem {
    Problem::forbidden("this is for people: run `iron login`")
}
