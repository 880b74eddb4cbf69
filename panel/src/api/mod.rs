//! The REST API under `/api/v1`.
//!
//! A request's way: request id, size and time limits, [`access`] (who is it, may it be here),
//! then the handler of the resource. Refusals are [`problem`] documents. The OpenAPI document is made
//! of the handlers' own annotations.

pub mod access;
pub mod authenticate;
pub mod health;
pub mod money;
pub mod page;
pub mod problem;
pub mod time;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::panel::Panel;
use problem::Problem;

/// The largest body that is read, in bytes: a batch of records from a proxy.
const LARGEST_BODY: usize = 8 << 20;

/// What the document says of itself.
#[derive(OpenApi)]
#[openapi(info(
    title = "Iron Cage control panel",
    description = "Tokens, keys, budgets and spend of AI agents. Times are RFC 3339 UTC; money is \
                   nano-USD. Errors are RFC 9457 problem documents with a stable `code`.",
    license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
))]
struct About;

/// All resources, with their documentation.
fn resources() -> OpenApiRouter<Panel> {
    OpenApiRouter::with_openapi(About::openapi()).routes(routes!(health::health))
}

/// The OpenAPI document.
pub fn document() -> Document {
    resources().split_for_parts().1
}

/// Everything that the panel's port answers.
pub fn router(panel: &Panel) -> Router {
    let (resources, document) = resources().split_for_parts();
    let document = document.to_json().unwrap_or_default();
    let openapi = get(move || {
        let document = document.clone();
        async move { ([(http::header::CONTENT_TYPE, "application/json")], document) }
    });
    resources
        .route("/api/v1/openapi.json", openapi)
        .fallback(async || Problem::not_found("there is nothing at this address"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .route_layer(from_fn_with_state(panel.clone(), access::guard))
        .layer(RequestBodyLimitLayer::new(LARGEST_BODY))
        .layer(CatchPanicLayer::custom(|_| problem::panicked()))
        .with_state(panel.clone())
}

#[cfg(test)]
mod tests;
