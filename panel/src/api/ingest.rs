//! `/api/v1/ingest`: what proxies tell of their calls.

use axum::extract::State;
use bytes::Bytes;
use http::StatusCode;
use iron_policy::control::{Batch, Taken};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Door, May, Principal, door};
use super::extract::Json;
use super::problem::Problem;
use crate::panel::Panel;
use crate::telemetry::ingest::{NotTaken, take};

pub(crate) const DOORS: &[Door] = &[door("POST", "/api/v1/ingest", May::Proxy)];

pub(crate) fn routes() -> OpenApiRouter<Panel> {
    OpenApiRouter::new().routes(routes!(ingest))
}

/// Takes records of calls: at most 500, known by their ids. What comes twice is taken once.
#[utoipa::path(
    post, path = "/api/v1/ingest", tag = "ingest",
    request_body(content = Batch),
    responses((status = 200, body = Taken, description = "All of it is on record."))
)]
async fn ingest(
    State(panel): State<Panel>,
    principal: Principal,
    body: Bytes,
) -> Result<Json<Taken>, Problem> {
    let Principal::Proxy { name } = principal else {
        return Err(Problem::forbidden("only proxies tell of calls: use a proxy's credential"));
    };
    // Read here and not by the usual way: what a caller of a proxy wrote, a null character say, must
    // not keep the records of others from being taken.
    let batch: Batch = serde_json::from_slice(&body).map_err(|error| {
        Problem::invalid(format!(
            "the batch cannot be read at line {}, column {}: see /api/v1/openapi.json for its form",
            error.line(),
            error.column()
        ))
    })?;
    take(&panel, &name, batch).await.map(Json).map_err(|error| match error {
        NotTaken::Unfit(unfit) => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "record_refused",
            format!("nothing was taken, because of {unfit}: leave this record out, and report it"),
        ),
        NotTaken::Store(error) => error.into(),
    })
}
