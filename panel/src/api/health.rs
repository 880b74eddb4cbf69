//! `/api/v1/health`: whether the panel and its database answer.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use crate::panel::Panel;

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
    responses((status = 200, body = Health), (status = 503, body = Problem, content_type = "application/problem+json"))
)]
pub async fn health(State(panel): State<Panel>) -> Result<Json<Health>, Problem> {
    panel.store.ping().await?;
    Ok(Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") }))
}
