//! `/api/v1/tokens`: agents' tokens.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Door, May, Principal, Role, door};
use super::extract::{Json, Path, Query};
use super::page::{Page, Paged};
use super::problem::Problem;
use super::wire::Time;
use crate::audit;
use crate::keys::signing;
use crate::panel::Panel;
use crate::store::StoreError;
use crate::tokens::{
    self, Filter, Issued, Listed, Order, Rotation, Snippets, State as TokenState, TokenError,
};

/// Who may ask.
pub const DOORS: &[Door] = &[
    door("GET", "/api/v1/tokens", May::Person(Role::Viewer)).in_project(),
    door("POST", "/api/v1/tokens", May::Person(Role::Operator)).in_project(),
    door("GET", "/api/v1/tokens/{id}", May::Person(Role::Viewer)).in_project(),
    door("POST", "/api/v1/tokens/{id}/revoke", May::Person(Role::Operator)).in_project(),
    door("POST", "/api/v1/tokens/{id}/rotate", May::Person(Role::Operator)).in_project(),
];

/// The routes.
pub fn routes() -> OpenApiRouter<Panel> {
    OpenApiRouter::new()
        .routes(routes!(list, issue))
        .routes(routes!(show))
        .routes(routes!(revoke))
        .routes(routes!(rotate))
}

/// A token, without what it is used with.
#[derive(Debug, Serialize, ToSchema)]
pub struct Token {
    /// Its id: `jti` in the token.
    pub id: String,
    /// Whose it is.
    pub agent: String,
    /// The agent's project.
    pub project: String,
    /// The last four characters.
    pub last4: String,
    /// What it is for.
    pub label: String,
    /// The models that may be asked for, as patterns; empty for all.
    pub models: Vec<String>,
    /// The upstreams that may be called; empty for all.
    pub upstreams: Vec<String>,
    /// What it is worth now.
    pub state: TokenState,
    /// The budget that is its own.
    pub budget: Option<String>,
    /// Who issued it.
    pub issued_by: String,
    /// When.
    pub issued_at: Time,
    /// Until when it may be used.
    pub expires_at: Time,
    /// When it was revoked.
    pub revoked_at: Option<Time>,
    /// When it is revoked because another one took its place.
    pub retires_at: Option<Time>,
    /// The token that took its place.
    pub rotated_to: Option<String>,
}

impl From<Listed> for Token {
    fn from(listed: Listed) -> Self {
        Self {
            id: listed.id,
            agent: listed.agent,
            project: listed.project,
            last4: listed.last4,
            label: listed.label,
            models: listed.models,
            upstreams: listed.upstreams,
            state: listed.state,
            budget: listed.budget,
            issued_by: listed.issued_by,
            issued_at: Time(listed.issued_at),
            expires_at: Time(listed.expires_at),
            revoked_at: listed.revoked_at.map(Time),
            retires_at: listed.retires_at.map(Time),
            rotated_to: listed.rotated_to,
        }
    }
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// The agent's name; it is made where there is none.
    #[schema(pattern = "^[A-Za-z0-9._-]{1,64}$")]
    pub agent: String,
    /// The project's name. Left out: the agent's own; for a new agent the caller's only project, or
    /// `default` for admins.
    #[serde(default)]
    pub project: Option<String>,
    /// What it is for: one line.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub label: String,
    /// Patterns of models that may be asked for, such as `gpt-5*`; all where there is none.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub models: Vec<String>,
    /// The upstreams that may be called; all where there is none.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub upstreams: Vec<String>,
    /// For how long, `30d` or `12h`, or until when, RFC 3339: a minute to 366 days; 30 days where it is
    /// left out.
    #[serde(default)]
    #[schema(example = "30d")]
    pub expires: Option<String>,
    /// A budget of its own: `5 USD/day`, with `day`, `week`, `month` or `total`.
    #[serde(default)]
    #[schema(example = "5 USD/day")]
    pub budget: Option<String>,
    /// Where the agent reaches a proxy, for the snippets; the newest proxy's own where it is left out.
    #[serde(default)]
    #[schema(example = "http://127.0.0.1:4141")]
    pub base_url: Option<String>,
}

/// A token that was made: the only answer that shows it.
#[derive(Serialize, ToSchema)]
pub struct IssuedToken {
    /// What the agent uses as its API key.
    pub token: String,
    /// What it is.
    #[serde(flatten)]
    pub shown: Token,
    /// Ready commands with the token in them.
    pub snippets: Snippets,
}

/// How to revoke.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// Whether streams that are open with it end as well; so they do where it is left out.
    #[serde(default = "yes")]
    pub cut_streams: bool,
}

/// How to rotate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotate {
    /// For how long the old one is good still; a day where it is left out, `0s` for no longer.
    #[serde(default)]
    #[schema(example = "24h")]
    pub overlap: Option<String>,
    /// For how long the new one is good; as long as the old one was where it is left out.
    #[serde(default)]
    #[schema(example = "30d")]
    pub expires: Option<String>,
    /// Where the agent reaches a proxy, for the snippets.
    #[serde(default)]
    pub base_url: Option<String>,
}

/// Which tokens.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Of this agent.
    #[serde(default)]
    pub agent: Option<String>,
    /// Of this project.
    #[serde(default)]
    pub project: Option<String>,
    /// In this state.
    #[serde(default)]
    #[param(inline)]
    pub state: Option<TokenState>,
}

const fn yes() -> bool {
    true
}

/// Tokens, newest first: those of the caller's projects.
#[utoipa::path(
    get, path = "/api/v1/tokens", tag = "tokens", params(Page, Which),
    responses((status = 200, body = Paged<Token>))
)]
pub async fn list(
    State(panel): State<Panel>,
    principal: Principal,
    Query(page): Query<Page>,
    Query(which): Query<Which>,
) -> Result<Json<Paged<Token>>, Problem> {
    let limit = page.limit()?;
    let filter = Filter {
        agent: which.agent.unwrap_or_default(),
        project: which.project.unwrap_or_default(),
        state: which.state,
    };
    let found = tokens::list(&panel, &principal, &filter, &page.after()?, limit + 1).await?;
    let found = found.into_iter().map(Token::from).collect();
    Ok(Json(Paged::of(found, limit, |token: &Token| token.id.clone())))
}

/// One token, without what it is used with: that is shown once, when it is issued.
#[utoipa::path(
    get, path = "/api/v1/tokens/{id}", tag = "tokens", params(("id" = String, Path)),
    responses((status = 200, body = Token))
)]
pub async fn show(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<Token>, Problem> {
    let mut connection = panel.store.pool().acquire().await?;
    Ok(Json(own(&panel, &mut connection, &principal, &id).await?.into()))
}

/// Issues a token, and shows it once.
#[utoipa::path(
    post, path = "/api/v1/tokens", tag = "tokens", request_body = NewToken,
    responses((status = 201, body = IssuedToken), (status = 404, body = Problem, content_type = "application/problem+json"))
)]
pub async fn issue(
    State(panel): State<Panel>,
    principal: Principal,
    Json(new): Json<NewToken>,
) -> Result<(StatusCode, Json<IssuedToken>), Problem> {
    let base_url = base_url(new.base_url)?;
    let expires = new.expires.as_deref();
    let order = Order {
        agent: new.agent,
        project: new.project,
        label: new.label,
        models: new.models,
        upstreams: new.upstreams,
        lifetime_s: expires
            .map_or(Ok(tokens::USUAL_S), |text| lifetime("expires", text, panel.clock.now_ms()))?,
        budget: new.budget,
    };
    let work = || async {
        let mut tx = panel.store.begin().await?;
        let issued = match tokens::issue(&panel, &mut tx, &principal, &order).await {
            Err(TokenError::Store(error)) => return Err(error),
            Err(error) => return Ok(Err(error)),
            Ok(issued) => issued,
        };
        let answer = shown(&mut tx, issued, base_url.clone()).await?;
        tx.commit().await?;
        Ok(Ok(answer))
    };
    let answer = panel.store.retry(work).await??;
    panel.wake.notify(signing::PART);
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Revokes a token: proxies refuse it within two seconds. Again changes nothing.
#[utoipa::path(
    post, path = "/api/v1/tokens/{id}/revoke", tag = "tokens", params(("id" = String, Path)),
    request_body = Revoke, responses((status = 200, body = Token))
)]
pub async fn revoke(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
    Json(how): Json<Revoke>,
) -> Result<Json<Token>, Problem> {
    let mut tx = panel.store.begin().await?;
    own(&panel, &mut tx, &principal, &id).await?;
    if tokens::revoke(&panel, &mut tx, &id, how.cut_streams).await? {
        let detail = json!({"cut_streams": how.cut_streams});
        audit::record(&panel, &mut tx, &principal, "token.revoke", &id, detail).await?;
    }
    let revoked = own(&panel, &mut tx, &principal, &id).await?;
    tx.commit().await?;
    panel.wake.notify(tokens::PART);
    Ok(Json(revoked.into()))
}

/// Issues a token in place of another one, which is good for an overlap still.
#[utoipa::path(
    post, path = "/api/v1/tokens/{id}/rotate", tag = "tokens", params(("id" = String, Path)),
    request_body = Rotate, responses((status = 201, body = IssuedToken))
)]
pub async fn rotate(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
    Json(how): Json<Rotate>,
) -> Result<(StatusCode, Json<IssuedToken>), Problem> {
    let (now, base_url) = (panel.clock.now_ms(), base_url(how.base_url)?);
    let read = |field, text: Option<&str>| text.map(|text| lifetime(field, text, now)).transpose();
    let rotation = Rotation {
        lifetime_s: read("expires", how.expires.as_deref())?,
        overlap_s: read("overlap", how.overlap.as_deref())?.unwrap_or(86_400),
    };
    let work = || async {
        let mut tx = panel.store.begin().await?;
        let Some(old) = tokens::find(&panel, &mut tx, &id).await? else { return Ok(Err(none())) };
        if !principal.sees(&old.project_id) {
            return Ok(Err(none()));
        }
        let issued = match tokens::rotate(&panel, &mut tx, &principal, &old, rotation).await {
            Err(TokenError::Store(error)) => return Err(error),
            Err(error) => return Ok(Err(error.into())),
            Ok(issued) => issued,
        };
        let answer = shown(&mut tx, issued, base_url.clone()).await?;
        tx.commit().await?;
        Ok(Ok(answer))
    };
    let answer = panel.store.retry(work).await??;
    panel.wake.notify(tokens::PART);
    Ok((StatusCode::CREATED, Json(answer)))
}

/// The token with this id, of the principal's projects.
async fn own(
    panel: &Panel,
    connection: &mut sqlx::AnyConnection,
    principal: &Principal,
    id: &str,
) -> Result<Listed, Problem> {
    let found = tokens::find(panel, connection, id).await?;
    found.filter(|token| principal.sees(&token.project_id)).ok_or_else(none)
}

fn none() -> Problem {
    Problem::not_found("there is no such token: see `iron token list`")
}

async fn shown(
    connection: &mut sqlx::AnyConnection,
    issued: Issued,
    base_url: Option<String>,
) -> Result<IssuedToken, StoreError> {
    let base_url = match base_url {
        Some(url) => url,
        None => tokens::base_url(connection).await?,
    };
    // A pattern is no model's name.
    let model = issued.listed.models.iter().find(|model| !model.contains('*'));
    let snippets = Snippets::of(&base_url, &issued.token, model.map(String::as_str));
    Ok(IssuedToken { token: issued.token.to_string(), shown: issued.listed.into(), snippets })
}

fn base_url(given: Option<String>) -> Result<Option<String>, Problem> {
    let fine = |url: &String| {
        (url.starts_with("http://") || url.starts_with("https://")) && tokens::is_plain(url)
    };
    match given {
        Some(url) if !fine(&url) => Err(Problem::invalid(
            "base_url must be the address of a proxy, like http://127.0.0.1:4141",
        )),
        given => Ok(given),
    }
}

/// `30d` or `12h`, or a time in the future: seconds from now.
fn lifetime(field: &str, text: &str, now_ms: i64) -> Result<i64, Problem> {
    let from_now = || {
        let span: jiff::Span = text.parse().ok()?;
        let days = jiff::SpanRelativeTo::days_are_24_hours();
        span.total((jiff::Unit::Second, days)).ok().map(|seconds| seconds as i64)
    };
    let until = || {
        let time: Time = text.parse().ok()?;
        Some((time.0 - now_ms) / 1000)
    };
    if text.len() <= 100
        && let Some(seconds) = from_now().or_else(until)
    {
        return Ok(seconds);
    }
    Err(Problem::invalid(format!(
        "{field} is no time: write `30d` or `12h`, or a time like 2026-12-31T00:00:00Z"
    )))
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Store(error) => error.into(),
            TokenError::Invalid(why) => Self::invalid(why),
            TokenError::NotFound(why) => Self::not_found(why),
            TokenError::Conflict(code, why) => Self::conflict(code, why),
        }
    }
}
