//! `/api/v1/secrets`: provider keys, written and never read back.

use axum::extract::State;
use http::StatusCode;
use iron_policy::config;
use iron_policy::types::Name;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Door, May, Principal, Role, door};
use super::extract::{IfMatch, Json, Path, Query, Tagged};
use super::page::{Page, Paged};
use super::problem::Problem;
use super::wire::Time;
use crate::audit;
use crate::panel::Panel;
use crate::secrets::{self, Listed, SecretError, Value};

/// Who may ask.
pub const DOORS: &[Door] = &[
    door("GET", "/api/v1/secrets", May::Person(Role::Operator)),
    door("POST", "/api/v1/secrets", May::Person(Role::Admin)),
    door("GET", "/api/v1/secrets/{id}", May::Person(Role::Operator)),
    door("DELETE", "/api/v1/secrets/{id}", May::Person(Role::Admin)).versioned(),
    door("POST", "/api/v1/secrets/{id}/rotate", May::Person(Role::Admin)),
];

/// The routes.
pub fn routes() -> OpenApiRouter<Panel> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(show, remove))
        .routes(routes!(rotate))
}

/// A provider key, without its value.
#[derive(Debug, Serialize, ToSchema)]
pub struct Secret {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The upstream whose key it is.
    pub upstream: String,
    /// The one address that it may be sent to.
    pub base_url: String,
    /// The last four characters; empty where it has fewer than 16.
    pub last4: String,
    /// Its version: how often it was set.
    pub number: i64,
    /// When it was made.
    pub created_at: Time,
    /// When it was last set.
    pub rotated_at: Time,
}

impl From<Listed> for Secret {
    fn from(listed: Listed) -> Self {
        Self {
            id: listed.id,
            name: listed.name,
            upstream: listed.upstream,
            base_url: listed.base_url,
            last4: listed.last4,
            number: listed.number,
            created_at: Time(listed.created_at),
            rotated_at: Time(listed.rotated_at),
        }
    }
}

/// A provider key to be kept.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSecret {
    /// Its name.
    #[schema(pattern = "^[A-Za-z0-9._-]{1,64}$")]
    pub name: String,
    /// The upstream whose key it is: each has one.
    #[schema(pattern = "^[A-Za-z0-9._-]{1,64}$")]
    pub upstream: String,
    /// The one address that it may be sent to: the upstream's `base_url`. The provider's own for
    /// `openai`, `anthropic` and `gemini`, required for others.
    #[serde(default)]
    #[schema(max_length = 2048)]
    pub base_url: Option<String>,
    /// The key itself.
    pub value: Value,
}

/// A provider key's new value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewValue {
    /// The one address that it may be sent to; that of the old value unless said.
    #[serde(default)]
    #[schema(max_length = 2048)]
    pub base_url: Option<String>,
    /// The key itself.
    pub value: Value,
}

/// The provider keys, without their values.
#[utoipa::path(
    get, path = "/api/v1/secrets", tag = "secrets", params(Page),
    responses((status = 200, body = Paged<Secret>))
)]
pub async fn list(
    State(panel): State<Panel>,
    Query(page): Query<Page>,
) -> Result<Json<Paged<Secret>>, Problem> {
    let limit = page.limit()?;
    let mut connection = panel.store.pool().acquire().await?;
    let found = secrets::list(&mut connection, &page.after()?, limit + 1).await?;
    let found = found.into_iter().map(Secret::from).collect();
    Ok(Json(Paged::of(found, limit, |secret: &Secret| secret.id.clone())))
}

/// One provider key, without its value.
#[utoipa::path(
    get, path = "/api/v1/secrets/{id}", tag = "secrets", params(("id" = String, Path)),
    responses((status = 200, body = Secret))
)]
pub async fn show(
    State(panel): State<Panel>,
    Path(id): Path<String>,
) -> Result<Tagged<Secret>, Problem> {
    let mut connection = panel.store.pool().acquire().await?;
    let found = secrets::find(&mut connection, &id).await?.ok_or_else(nothing)?;
    Ok(Tagged(found.version, found.into()))
}

/// Keeps a provider key. Its value can never be read again; proxies get it sealed.
#[utoipa::path(
    post, path = "/api/v1/secrets", tag = "secrets", request_body = NewSecret,
    responses((status = 201, body = Secret))
)]
pub async fn add(
    State(panel): State<Panel>,
    principal: Principal,
    body: Result<Json<NewSecret>, Problem>,
) -> Result<(StatusCode, Tagged<Secret>), Problem> {
    let Json(new) = body.map_err(unquoted)?;
    for (field, text) in [("name", &new.name), ("upstream", &new.upstream)] {
        // The error does not quote it: it may be the key, in the wrong field.
        text.parse::<Name>().map_err(|_| {
            Problem::invalid(format!("{field} must be 1 to 64 letters, digits, `.`, `_` or `-`"))
        })?;
    }
    usable(&new.value)?;
    let wanted = new.base_url.as_deref().or_else(|| config::builtin_address(&new.upstream));
    let wanted = wanted.ok_or_else(|| {
        Problem::invalid(
            "base_url is missing: the key goes to one address alone, so say the upstream's base_url",
        )
    })?;
    let address = address(&new.upstream, wanted)?;
    let mut tx = panel.store.begin().await?;
    let made =
        secrets::add(&panel, &mut tx, &new.name, &new.upstream, &address, &new.value).await?;
    let detail = json!({
        "name": made.name, "upstream": made.upstream, "base_url": made.base_url, "last4": made.last4,
    });
    audit::record(&panel, &mut tx, &principal, "secret.create", &made.id, detail).await?;
    tx.commit().await?;
    panel.wake.notify(secrets::PART);
    Ok((StatusCode::CREATED, Tagged(made.version, made.into())))
}

/// Replaces a provider key's value. Proxies get the new one within two seconds; the old one is gone.
#[utoipa::path(
    post, path = "/api/v1/secrets/{id}/rotate", tag = "secrets", params(("id" = String, Path)),
    request_body = NewValue, responses((status = 200, body = Secret))
)]
pub async fn rotate(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
    body: Result<Json<NewValue>, Problem>,
) -> Result<Tagged<Secret>, Problem> {
    let Json(new) = body.map_err(unquoted)?;
    usable(&new.value)?;
    let mut tx = panel.store.begin().await?;
    let before = secrets::find(&mut tx, &id).await?.ok_or_else(nothing)?;
    let wanted = new.base_url.as_deref().map(|url| address(&before.upstream, url)).transpose()?;
    let rotated = secrets::rotate(&panel, &mut tx, &id, wanted.as_deref(), &new.value).await?;
    let rotated = rotated.ok_or_else(nothing)?;
    let detail = json!({
        "number": rotated.number, "last4": rotated.last4, "base_url": rotated.base_url,
    });
    audit::record(&panel, &mut tx, &principal, "secret.rotate", &id, detail).await?;
    tx.commit().await?;
    panel.wake.notify(secrets::PART);
    Ok(Tagged(rotated.version, rotated.into()))
}

/// Removes a provider key: proxies forget it within two seconds.
#[utoipa::path(
    delete, path = "/api/v1/secrets/{id}", tag = "secrets", params(("id" = String, Path)),
    responses((status = 204))
)]
pub async fn remove(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
    version: IfMatch,
) -> Result<StatusCode, Problem> {
    let mut tx = panel.store.begin().await?;
    let found = secrets::find(&mut tx, &id).await?.ok_or_else(nothing)?;
    version.check(found.version)?;
    if !secrets::remove(&mut tx, &id).await? {
        return Err(nothing());
    }
    let detail = json!({"name": found.name, "upstream": found.upstream});
    audit::record(&panel, &mut tx, &principal, "secret.remove", &id, detail).await?;
    tx.commit().await?;
    panel.wake.notify(secrets::PART);
    Ok(StatusCode::NO_CONTENT)
}

/// The address in the spelling that proxies compare. What is wrong is said without quoting it.
fn address(upstream: &str, url: &str) -> Result<String, Problem> {
    let refused = || {
        Problem::invalid(
            "base_url must be a plain address as in [[upstream]]: http(s)://HOST[:PORT][/PATH], \
             2048 bytes at most",
        )
    };
    let name = upstream.parse::<Name>().map_err(|_| refused())?;
    let address = config::address(&name, url).map_err(|_| refused())?;
    // No NUL or the like: PostgreSQL keeps none.
    (address.len() <= 2048 && !address.contains(char::is_control))
        .then_some(address)
        .ok_or_else(refused)
}

fn usable(value: &Value) -> Result<(), Problem> {
    if value.is_usable() {
        return Ok(());
    }
    Err(Problem::invalid("value must be 1 to 8192 visible ASCII characters, without spaces"))
}

/// A parser's complaint quotes what was sent, which may be the key.
fn unquoted(problem: Problem) -> Problem {
    if problem.code != "invalid_request" {
        return problem;
    }
    let detail = "the body cannot be read: see /api/v1/openapi.json for what belongs there";
    Problem { detail: detail.to_owned(), ..problem }
}

fn nothing() -> Problem {
    Problem::not_found("there is no such secret: see `iron secret list`")
}

impl From<SecretError> for Problem {
    fn from(error: SecretError) -> Self {
        match error {
            SecretError::Store(error) => error.into(),
            SecretError::Taken => Self::conflict(
                "secret_exists",
                "there is a secret of this name or of this upstream: rotate that one",
            ),
            SecretError::TooMany => {
                Self::conflict("too_many_secrets", "there are 1000: remove some first")
            }
        }
    }
}
