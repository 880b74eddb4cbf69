//! `/api/v1/health`: whether the panel and its database answer.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Door, May, door};
use super::extract::Json;
use super::problem::Problem;
use crate::panel::Panel;

/// Who may ask.
pub const DOORS: &[Door] = &[door("GET", "/api/v1/health", May::Anyone)];

/// The routes.
pub fn routes() -> OpenApiRouter<Panel> {
    OpenApiRouter::new().routes(routes!(health))
}

/// How the panel is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`.
    pub status: &'static str,
    /// The panel's version.
    pub version: &'static str,
}

/// Whether the panel can be used. For load balancers: nobody has to sign in.
#[utoipa::path(
    get, path = "/api/v1/health", tag = "health", security(()),
    responses((status = 200, body = Health))
)]
pub async fn health(State(panel): State<Panel>) -> Result<Json<Health>, Problem> {
    panel.store.ping().await?;
    Ok(Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") }))
}
