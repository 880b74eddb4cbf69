//! `/api/v1/proxies`: who the proxies are, and what they are told.

use axum::extract::State;
use http::StatusCode;
use iron_policy::control::{Changes, Known, Marks};
use iron_policy::types::Name;
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
use crate::proxies::{self, FeedError, LOCAL, Listed, MOST, SILENT_MS};

/// Who may ask.
pub const DOORS: &[Door] = &[
    door("GET", "/api/v1/proxies", May::Person(Role::Viewer)),
    door("POST", "/api/v1/proxies", May::Person(Role::Admin)),
    door("GET", "/api/v1/proxies/{name}", May::Person(Role::Viewer)),
    door("DELETE", "/api/v1/proxies/{name}", May::Person(Role::Admin)),
    door("POST", "/api/v1/proxies/changes", May::Proxy),
];

/// The routes.
pub fn routes() -> OpenApiRouter<Panel> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(show, remove))
        .routes(routes!(changes))
}

/// A proxy.
#[derive(Debug, Serialize, ToSchema)]
pub struct Proxy {
    /// Its name.
    pub name: String,
    /// The last four characters of its credential.
    pub last4: String,
    /// Its version; empty until it first asked.
    pub version: String,
    /// Where agents reach it.
    pub listens: Option<String>,
    /// The upstreams whose keys it gets; empty for all.
    pub upstreams: Vec<String>,
    /// Whether it was heard of within the last minute.
    pub up: bool,
    /// When it last asked for changes.
    pub seen_at: Option<Time>,
    /// How far it is in each part.
    pub marks: Marks,
    /// When it was made.
    pub created_at: Time,
}

impl Proxy {
    fn of(listed: Listed, now_ms: i64) -> Self {
        Self {
            up: listed.seen_at.is_some_and(|seen| now_ms - seen < SILENT_MS),
            marks: serde_json::from_str(&listed.marks).unwrap_or_default(),
            seen_at: listed.seen_at.map(Time),
            created_at: Time(listed.created_at),
            name: listed.name,
            last4: listed.last4,
            version: listed.version,
            listens: listed.listens,
            upstreams: listed.upstreams,
        }
    }
}

/// A proxy to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProxy {
    /// Its name.
    #[schema(pattern = "^[A-Za-z0-9._-]{1,64}$")]
    pub name: String,
    /// The upstreams whose keys it gets; all where it is left out or empty.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub upstreams: Vec<String>,
}

/// A proxy that was made, with its credential: shown once.
#[derive(Serialize, ToSchema)]
pub struct AddedProxy {
    /// Its name.
    pub name: String,
    /// What it signs in with, as `Authorization: Bearer`.
    pub credential: String,
}

/// The proxies.
#[utoipa::path(
    get, path = "/api/v1/proxies", tag = "proxies", params(Page),
    responses((status = 200, body = Paged<Proxy>))
)]
pub async fn list(
    State(panel): State<Panel>,
    Query(page): Query<Page>,
) -> Result<Json<Paged<Proxy>>, Problem> {
    let (limit, now) = (page.limit()?, panel.clock.now_ms());
    let mut connection = panel.store.pool().acquire().await?;
    let found = proxies::list(&mut connection, &page.after()?, limit + 1).await?;
    let found = found.into_iter().map(|listed| Proxy::of(listed, now)).collect();
    Ok(Json(Paged::of(found, limit, |proxy: &Proxy| proxy.name.clone())))
}

/// One proxy.
#[utoipa::path(
    get, path = "/api/v1/proxies/{name}", tag = "proxies", params(("name" = String, Path)),
    responses((status = 200, body = Proxy))
)]
pub async fn show(
    State(panel): State<Panel>,
    Path(name): Path<String>,
) -> Result<Json<Proxy>, Problem> {
    let mut connection = panel.store.pool().acquire().await?;
    let found = proxies::find(&mut connection, &name).await?.ok_or_else(nobody)?;
    Ok(Json(Proxy::of(found, panel.clock.now_ms())))
}

/// Makes a proxy, and shows its credential once.
#[utoipa::path(
    post, path = "/api/v1/proxies", tag = "proxies", request_body = NewProxy,
    responses((status = 201, body = AddedProxy))
)]
pub async fn add(
    State(panel): State<Panel>,
    principal: Principal,
    Json(new): Json<NewProxy>,
) -> Result<(StatusCode, Json<AddedProxy>), Problem> {
    let name: Name =
        new.name.parse().map_err(|error| Problem::invalid(format!("name: {error}")))?;
    if [LOCAL, "changes"].contains(&name.as_str()) {
        return Err(Problem::invalid("name: this one is the panel's own, choose another"));
    }
    if new.upstreams.len() > 100 {
        return Err(Problem::invalid("upstreams must be 100 at most"));
    }
    for upstream in &new.upstreams {
        upstream
            .parse::<Name>()
            .map_err(|error| Problem::invalid(format!("upstreams: {error}")))?;
    }
    let credential = proxies::credential()?;
    let mut tx = panel.store.begin().await?;
    if proxies::list(&mut tx, "", MOST).await?.len() >= MOST as usize {
        return Err(Problem::conflict("too_many_proxies", "there are 1000: remove some first"));
    }
    if !proxies::add(&panel, &mut tx, name.as_str(), &credential, &new.upstreams).await? {
        let detail = "there is a proxy of this name: remove it first, or choose another name";
        return Err(Problem::conflict("proxy_exists", detail));
    }
    let detail = json!({"upstreams": new.upstreams});
    audit::record(&panel, &mut tx, &principal, "proxy.create", name.as_str(), detail).await?;
    tx.commit().await?;
    let added = AddedProxy { name: name.to_string(), credential: credential.to_string() };
    Ok((StatusCode::CREATED, Json(added)))
}

/// Removes a proxy: its credential is refused from now on. What it holds of budgets stays held until
/// it is reclaimed.
#[utoipa::path(
    delete, path = "/api/v1/proxies/{name}", tag = "proxies", params(("name" = String, Path)),
    responses((status = 204))
)]
pub async fn remove(
    State(panel): State<Panel>,
    principal: Principal,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let mut tx = panel.store.begin().await?;
    if !proxies::remove(&panel, &mut tx, &name).await? {
        return Err(nobody());
    }
    audit::record(&panel, &mut tx, &principal, "proxy.remove", &name, json!({})).await?;
    tx.commit().await?;
    panel.wake.notify("secrets");
    Ok(StatusCode::NO_CONTENT)
}

/// What changed since the proxy last asked. Waits for a change where nothing did: `wait_ms`, 25 s at
/// most.
#[utoipa::path(
    post, path = "/api/v1/proxies/changes", tag = "proxies", request_body = Known,
    responses((status = 200, body = Changes))
)]
pub async fn changes(
    State(panel): State<Panel>,
    principal: Principal,
    Json(known): Json<Known>,
) -> Result<Json<Changes>, Problem> {
    let Principal::Proxy { name } = principal else {
        return Err(Problem::forbidden("this address is for proxies"));
    };
    Ok(Json(proxies::changes(&panel, &name, &known).await?))
}

fn nobody() -> Problem {
    Problem::not_found("there is no proxy of this name: see `GET /api/v1/proxies`")
}

impl From<FeedError> for Problem {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Store(error) => error.into(),
            FeedError::Invalid(why) => Self::invalid(why),
            FeedError::Removed(_) => Self::unauthenticated(
                "this proxy was removed from the panel: ask an admin to make it anew",
            ),
        }
    }
}
