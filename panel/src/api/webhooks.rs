//! `/api/v1/webhooks`: where the panel tells of alerts, and whether it arrived.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Door, May, Principal, Role, door};
use super::extract::{IfMatch, Json, Path, Query, Tagged};
use super::page::{Page, Paged};
use super::problem::Problem;
use super::wire::Time;
use crate::alerts::{self, Delivery, Webhook, WebhookChange, WebhookError};
use crate::panel::Panel;

/// Who may ask.
pub const DOORS: &[Door] = &[
    door("GET", "/api/v1/webhooks", May::Person(Role::Admin)),
    door("POST", "/api/v1/webhooks", May::Person(Role::Admin)),
    door("GET", "/api/v1/webhooks/{id}", May::Person(Role::Admin)),
    door("PATCH", "/api/v1/webhooks/{id}", May::Person(Role::Admin)).versioned(),
    door("DELETE", "/api/v1/webhooks/{id}", May::Person(Role::Admin)).versioned(),
    door("POST", "/api/v1/webhooks/{id}/test", May::Person(Role::Admin)),
    door("GET", "/api/v1/webhooks/{id}/deliveries", May::Person(Role::Admin)),
];

/// The routes.
pub fn routes() -> OpenApiRouter<Panel> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, change, remove))
        .routes(routes!(test))
        .routes(routes!(deliveries))
}

/// Somewhere to be told.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookView {
    /// `whk_…`.
    pub id: String,
    /// Where.
    pub url: String,
    /// Which kinds of events; all where it is empty.
    pub events: Vec<String>,
    /// Whether nothing is sent.
    pub disabled: bool,
    /// When it was made.
    pub created_at: Time,
    /// Counts its changes; also the `ETag`.
    pub version: i64,
}

/// A webhook with its secret: it is shown here and never again.
#[derive(Serialize, ToSchema)]
pub struct NewWebhookView {
    /// The webhook.
    #[serde(flatten)]
    pub webhook: WebhookView,
    /// What signatures are made with: `whsec_` and base64, as the Standard Webhooks specification
    /// has it.
    pub secret: String,
}

/// Where to be told, and of what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// Where.
    #[schema(example = "https://example.org/hook", max_length = 1000)]
    url: String,
    /// `budget_alert`, `budget_overrun`, `budget_request`, `lease_reclaimed`; all unless said.
    #[serde(default)]
    events: Vec<String>,
}

/// What is to change of a webhook.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeOfWebhook {
    /// Where.
    #[serde(default)]
    url: Option<String>,
    /// Which kinds of events; all where it is empty.
    #[serde(default)]
    events: Option<Vec<String>>,
    /// Whether nothing is sent.
    #[serde(default)]
    disabled: Option<bool>,
}

/// A message to a webhook, and how far it came.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// `msg_…`; the header `webhook-id`.
    pub id: String,
    /// What it tells of.
    pub event: String,
    /// `waiting`, `delivered` or `given_up`.
    pub state: &'static str,
    /// How often it was sent.
    pub attempts: i64,
    /// The status of the last answer.
    pub status: Option<i64>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// When it was noted.
    pub created_at: Time,
    /// When it is sent again.
    pub next_at: Option<Time>,
    /// When it was delivered.
    pub done_at: Option<Time>,
    /// What it says: JSON.
    pub body: String,
}

impl From<Webhook> for WebhookView {
    fn from(webhook: Webhook) -> Self {
        Self {
            id: webhook.id,
            url: webhook.url,
            events: webhook.events,
            disabled: webhook.disabled,
            created_at: Time(webhook.created_at),
            version: webhook.version,
        }
    }
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            state: match (delivery.done_at, delivery.next_at) {
                (Some(_), _) => "delivered",
                (None, Some(_)) => "waiting",
                (None, None) => "given_up",
            },
            id: delivery.id,
            event: delivery.event,
            attempts: delivery.attempts,
            status: delivery.status,
            error: delivery.error,
            created_at: Time(delivery.created_at),
            next_at: delivery.next_at.map(Time),
            done_at: delivery.done_at.map(Time),
            body: delivery.body,
        }
    }
}

/// The webhooks, oldest first.
#[utoipa::path(
    get, path = "/api/v1/webhooks", tag = "webhooks", params(Page),
    responses((status = 200, body = Paged<WebhookView>))
)]
pub async fn list(
    State(panel): State<Panel>,
    Query(page): Query<Page>,
) -> Result<Json<Paged<WebhookView>>, Problem> {
    let limit = page.limit()?;
    let mut connection = panel.store.pool().acquire().await?;
    let rows = alerts::list(&mut connection, &page.after()?, limit + 1).await?;
    let rows = rows.into_iter().map(WebhookView::from).collect();
    Ok(Json(Paged::of(rows, limit, |webhook: &WebhookView| webhook.id.clone())))
}

/// Makes a webhook; its secret is shown once.
#[utoipa::path(
    post, path = "/api/v1/webhooks", tag = "webhooks", request_body = NewWebhook,
    responses((status = 201, body = NewWebhookView, headers(("ETag" = String))))
)]
pub async fn create(
    State(panel): State<Panel>,
    principal: Principal,
    Json(new): Json<NewWebhook>,
) -> Result<Response, Problem> {
    let (webhook, secret) = alerts::create(&panel, &principal, &new.url, new.events).await?;
    let version = webhook.version;
    let view = NewWebhookView { webhook: webhook.into(), secret: secret.shown().to_string() };
    Ok((StatusCode::CREATED, Tagged(version, view)).into_response())
}

/// One webhook.
#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}", tag = "webhooks", params(("id" = String, Path)),
    responses((status = 200, body = WebhookView, headers(("ETag" = String))))
)]
pub async fn show(
    State(panel): State<Panel>,
    Path(id): Path<String>,
) -> Result<Tagged<WebhookView>, Problem> {
    let webhook = found(&panel, &id).await?;
    Ok(Tagged(webhook.version, webhook.into()))
}

/// Changes a webhook.
#[utoipa::path(
    patch, path = "/api/v1/webhooks/{id}", tag = "webhooks", params(("id" = String, Path)),
    request_body = ChangeOfWebhook,
    responses((status = 200, body = WebhookView, headers(("ETag" = String))))
)]
pub async fn change(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
    version: IfMatch,
    Json(change): Json<ChangeOfWebhook>,
) -> Result<Tagged<WebhookView>, Problem> {
    let current = found(&panel, &id).await?.version;
    version.check(current)?;
    let ChangeOfWebhook { url, events, disabled } = change;
    let change = WebhookChange { url, events, disabled };
    let webhook = alerts::update(&panel, &principal, &id, Some(current), change).await?;
    Ok(Tagged(webhook.version, webhook.into()))
}

/// Removes a webhook, and what was to be sent to it.
#[utoipa::path(
    delete, path = "/api/v1/webhooks/{id}", tag = "webhooks", params(("id" = String, Path)),
    responses((status = 204))
)]
pub async fn remove(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
    version: IfMatch,
) -> Result<StatusCode, Problem> {
    let current = found(&panel, &id).await?.version;
    version.check(current)?;
    alerts::remove(&panel, &principal, &id, Some(current)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a test, once, and says how that went.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/test", tag = "webhooks", params(("id" = String, Path)),
    responses((status = 200, body = DeliveryView))
)]
pub async fn test(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<DeliveryView>, Problem> {
    Ok(Json(alerts::test(&panel, &principal, &id).await?.into()))
}

/// The messages to a webhook, newest first: those of the last 30 days, and all that wait.
#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}/deliveries", tag = "webhooks",
    params(("id" = String, Path), Page),
    responses((status = 200, body = Paged<DeliveryView>))
)]
pub async fn deliveries(
    State(panel): State<Panel>,
    Path(id): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<Paged<DeliveryView>>, Problem> {
    let limit = page.limit()?;
    found(&panel, &id).await?;
    let mut connection = panel.store.pool().acquire().await?;
    let rows = alerts::deliveries(&mut connection, &id, &page.after()?, limit + 1).await?;
    let rows = rows.into_iter().map(DeliveryView::from).collect();
    Ok(Json(Paged::of(rows, limit, |delivery: &DeliveryView| delivery.id.clone())))
}

async fn found(panel: &Panel, id: &str) -> Result<Webhook, Problem> {
    let mut connection = panel.store.pool().acquire().await?;
    let webhook = alerts::find(&mut connection, id).await?;
    webhook.ok_or_else(|| WebhookError::NotFound.into())
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Invalid(detail) => Self::invalid(detail),
            WebhookError::NotFound => {
                Self::not_found("there is no such webhook: look at GET /api/v1/webhooks")
            }
            WebhookError::Changed(version) => {
                IfMatch::None.check(version).err().unwrap_or_else(Self::precondition_required)
            }
            WebhookError::Store(error) => error.into(),
        }
    }
}
