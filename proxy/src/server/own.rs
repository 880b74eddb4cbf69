//! The proxy's own answers, under `/_iron/`.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};
use iron_policy::breaker::State;
use serde_json::json;

use crate::body::Body;
use crate::live::Live;
use crate::pipeline::come_by_right_way;
use crate::shared::Shared;

/// Answers `/_iron/health`, `ready`, `status` and `metrics`.
pub(super) async fn answer(shared: &Arc<Shared>, request: &Parts) -> Response<Body> {
    if request.method != Method::GET && request.method != Method::HEAD {
        return problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "use GET");
    }
    if let Err(why) = come_by_right_way(request, &shared.live().policy.proxy.names) {
        let refusal = crate::rescue::refusal(&why, 402);
        return problem(refusal.status, refusal.code, &refusal.message);
    }
    match request.uri.path() {
        "/_iron/health" => answer_json(StatusCode::OK, &json!({"status": "ok"})),
        "/_iron/ready" => ready(shared),
        "/_iron/status" => {
            // Whoever asks reads the state next, and expects every call that has ended in it.
            shared.ledger.flush().await;
            status(shared)
        }
        "/_iron/metrics" => {
            let mut response = Response::new(Body::from(metrics(shared).await));
            response.headers_mut().insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("text/plain; version=0.0.4"),
            );
            response
        }
        _ => problem(
            StatusCode::NOT_FOUND,
            "not_found",
            "there are /_iron/health, /_iron/ready, /_iron/status and /_iron/metrics",
        ),
    }
}

/// Whether a request tells nothing of other agents, nor of the machine.
pub(super) fn is_for_anybody<B>(request: &http::Request<B>) -> bool {
    matches!(request.uri().path(), "/_iron/health" | "/_iron/ready")
}

/// The answer to what only who is outside of a sandbox may ask for.
pub(super) fn not_from_here() -> Response<Body> {
    problem(
        StatusCode::FORBIDDEN,
        "not_from_a_sandbox",
        "this connection is a sandbox's: it has its calls, /_iron/health and /_iron/ready; ask for the \
         rest from outside of it",
    )
}

async fn metrics(shared: &Shared) -> String {
    let mut text = shared.metrics.render();
    if shared.leases.get().is_some() {
        // What cannot be read has no figures.
        let leases = shared.ledger.leases().await.unwrap_or_default();
        text.push_str(&crate::lease::figures(&leases));
    }
    text
}

fn ready(shared: &Shared) -> Response<Body> {
    if shared.ledger.is_available() {
        answer_json(StatusCode::OK, &json!({"status": "ready"}))
    } else {
        problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "ledger_unavailable",
            "the ledger cannot write: look at the log, free disk space or unlock the state file",
        )
    }
}

fn status(shared: &Shared) -> Response<Body> {
    let live = shared.live();
    let upstreams: Vec<_> = live
        .upstreams()
        .iter()
        .map(|upstream| {
            let (state, models) = upstream.state();
            let models: serde_json::Map<String, serde_json::Value> =
                models.into_iter().map(|(model, state)| (model, json!(name(state)))).collect();
            json!({
                "name": upstream.name(),
                "dialect": upstream.config.dialect.name(),
                "base_url": upstream.config.base_url,
                "hosts": upstream.config.hosts.iter().map(|place| &place.host).collect::<Vec<_>>(),
                "own_key": upstream.key().is_some(),
                "breaker": name(state),
                "models_not_closed": models,
            })
        })
        .collect();
    answer_json(
        StatusCode::OK,
        &json!({
            "version": env!("CARGO_PKG_VERSION"),
            "state": shared.ledger.path().display().to_string(),
            "ledger": if shared.ledger.is_available() { "ok" } else { "unavailable" },
            "prices": live.prices().date(),
            "simulated": live.simulated,
            "upstreams": upstreams,
            "connections": shared.connections.shown(),
            "secrets": secrets(&live),
            "panel": shared.panel.shown(&shared.tokens),
        }),
    )
}

/// The secrets that agents have placeholders for: those, and never a value.
fn secrets(live: &Live) -> serde_json::Value {
    live.others
        .swaps
        .iter()
        .map(|swap| {
            json!({
                "name": swap.config.name.as_str(),
                "agent_env": swap.config.agent_env,
                "placeholder": swap.placeholder,
                "set": swap.is_set(),
                "hosts": swap.config.hosts.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        })
        .collect()
}

const fn name(state: State) -> &'static str {
    match state {
        State::Closed => "closed",
        State::Open { .. } => "open",
        State::HalfOpen => "half_open",
    }
}

pub(super) fn answer_json(status: StatusCode, value: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

pub(super) fn problem(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    answer_json(status, &json!({"error": {"code": code, "message": message}}))
}
