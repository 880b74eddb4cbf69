//! The REST API under `/api/v1`.
//!
//! A request's way: [`request`] (its id), [`browser`] (host, origin, headers), [`access`] (who is it,
//! may it be here), [`idempotency`] (was it done already), then the handler of the resource, which
//! takes it apart with [`extract`]. Refusals are [`problem`] documents. The OpenAPI document is made of the handlers' own
//! annotations; what holds for all of them is added by [`describe`].

pub mod access;
pub mod agents;
pub mod audit_log;
pub mod authenticate;
pub mod browser;
pub mod budget_requests;
pub mod budgets;
pub mod calls;
pub mod describe;
pub mod device;
pub mod extract;
pub mod health;
pub mod idempotency;
pub mod ingest;
pub mod keys;
pub mod leases;
pub mod live;
pub mod metrics;
pub mod money;
pub mod overview;
pub mod page;
pub mod pages;
pub mod policies;
pub mod problem;
pub mod projects;
pub mod proxies;
pub mod request;
pub mod secrets;
pub mod session;
pub mod time;
pub mod tokens;
pub mod total;
pub mod usage;
pub mod users;
pub mod webhooks;
pub mod wire;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use serde_json::Value;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::panel::Panel;
use access::{Door, May, door};
use problem::Problem;

/// The largest body that is read, in bytes: a batch of records from a proxy.
const LARGEST_BODY: usize = 8 << 20;

/// A part of the API: its doors, and the routes behind them.
pub(crate) struct Resource {
    /// Who may use which route.
    doors: &'static [Door],
    /// The handlers, with their documentation.
    routes: fn() -> OpenApiRouter<Panel>,
}

/// All of the API: a line for each resource.
pub(crate) const RESOURCES: &[Resource] = &[
    Resource { doors: DOCUMENT, routes: OpenApiRouter::new },
    Resource { doors: health::DOORS, routes: health::routes },
    Resource { doors: pages::DOORS, routes: pages::routes },
    Resource { doors: session::DOORS, routes: session::routes },
    Resource { doors: device::DOORS, routes: device::routes },
    Resource { doors: budgets::DOORS, routes: budgets::routes },
    Resource { doors: budget_requests::DOORS, routes: budget_requests::routes },
    Resource { doors: users::DOORS, routes: users::routes },
    Resource { doors: projects::DOORS, routes: projects::routes },
    Resource { doors: agents::DOORS, routes: agents::routes },
    Resource { doors: audit_log::DOORS, routes: audit_log::routes },
    Resource { doors: webhooks::DOORS, routes: webhooks::routes },
    Resource { doors: leases::DOORS, routes: leases::routes },
    Resource { doors: keys::DOORS, routes: keys::routes },
    Resource { doors: proxies::DOORS, routes: proxies::routes },
    Resource { doors: tokens::DOORS, routes: tokens::routes },
    Resource { doors: ingest::DOORS, routes: ingest::routes },
    Resource { doors: usage::DOORS, routes: usage::routes },
    Resource { doors: secrets::DOORS, routes: secrets::routes },
    Resource { doors: policies::DOORS, routes: policies::routes },
    Resource { doors: calls::DOORS, routes: calls::routes },
    Resource { doors: live::DOORS, routes: live::routes },
    Resource { doors: metrics::DOORS, routes: metrics::routes },
];

/// Who may read the OpenAPI document.
const DOCUMENT: &[Door] = &[door("GET", "/api/v1/openapi.json", May::Anyone)];

/// What the document says of itself.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Iron Cage control panel",
        description = "Tokens, keys, budgets and spend of AI agents. Times are RFC 3339 UTC; money is \
                       nano-USD. Errors are RFC 9457 problem documents with a stable `code`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    components(schemas(Problem, calls::By, overview::Window, usage::Format))
)]
struct About;

/// All resources, with their documentation.
fn resources() -> OpenApiRouter<Panel> {
    RESOURCES.iter().fold(OpenApiRouter::with_openapi(About::openapi()), |all, resource| {
        all.merge((resource.routes)())
    })
}

/// The OpenAPI document.
pub fn document() -> Value {
    described(&resources().split_for_parts().1)
}

fn described(document: &utoipa::openapi::OpenApi) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    describe::complete(&mut document);
    document
}

/// Everything that the panel's port answers.
pub fn router(panel: &Panel) -> Router {
    let (resources, document) = resources().split_for_parts();
    let document = described(&document).to_string();
    let openapi = get(move || {
        let document = document.clone();
        async move { ([(http::header::CONTENT_TYPE, "application/json")], document) }
    });
    let nothing =
        async || Problem::not_found("there is nothing at this address: see /api/v1/openapi.json");
    resources
        .route("/api/v1/openapi.json", openapi)
        .route_layer(from_fn_with_state(panel.clone(), idempotency::once))
        .route_layer(from_fn_with_state(panel.clone(), access::guard))
        .fallback(nothing)
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(CatchPanicLayer::custom(|_| problem::panicked()))
        .layer(from_fn_with_state(panel.clone(), browser::guard))
        .layer(from_fn_with_state(panel.clone(), metrics::counted))
        .layer(from_fn(request::around))
        .with_state(panel.clone())
}

#[cfg(test)]
mod live_tests;
#[cfg(test)]
mod tests;
