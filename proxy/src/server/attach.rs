//! `POST /_iron/control/attach`: a connection becomes a run's, whatever is said on it from then on.
//!
//! ```text
//! POST /_iron/control/attach HTTP/1.1     ▶
//! authorization: Bearer CONTROL-TOKEN
//! connection: upgrade
//! upgrade: iron-attach
//! x-iron-run: run-0c7d…
//!                                         ◀ HTTP/1.1 101 Switching Protocols
//! (a new connection of this server)       ◀▶
//! ```
//!
//! A sandbox's launcher asks for it, on behalf of an agent that has no token and no other way here.
//! What follows the 101 is served like any connection of the port (HTTP/1.1, HTTP/2 with prior
//! knowledge, `CONNECT`, WebSockets; no TLS), on the same place and with the same times, except that
//! its calls are the run's ([`crate::pinned`]).

use std::pin::Pin;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use iron_policy::types::Name;

use super::control::{bad, may_steer};
use super::own::problem;
use super::port::Port;
use super::via::{Stopping, Via};
use crate::body::Body;
use crate::pinned::Pinned;

/// Where it is asked for.
pub(super) const PATH: &str = "/_iron/control/attach";
/// What the connection becomes.
const PROTOCOL: &str = "iron-attach";
/// Names the run.
const RUN: &str = "x-iron-run";

/// Answers who asks for it, and serves what the connection becomes.
pub(super) fn answer(port: &Arc<Port>, request: Request<Incoming>) -> Response<Body> {
    let (mut head, _) = request.into_parts();
    if let Err(refusal) = may_steer(&port.shared, &head) {
        return *refusal;
    }
    if head.method != Method::POST {
        return problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "POST attach");
    }
    let stopping = head.extensions.remove::<Stopping>();
    let upgrade = head.extensions.remove::<OnUpgrade>();
    let (Some(stopping), Some(upgrade), Version::HTTP_11, true) =
        (stopping, upgrade, head.version, asks(&head.headers))
    else {
        return bad("attach over HTTP/1.1, with `connection: upgrade` and `upgrade: iron-attach`");
    };
    let pinned = match pinned(port, &head.headers) {
        Ok(pinned) => Arc::new(pinned),
        Err(refusal) => return *refusal,
    };
    let serving = serve(Arc::clone(port), upgrade, Via::Pinned(pinned), stopping);
    tokio::spawn(serving);
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    answer.headers_mut().insert(header::UPGRADE, HeaderValue::from_static(PROTOCOL));
    answer
}

/// Boxed, since what is served may ask for the same as far as the compiler knows.
fn serve(
    port: Arc<Port>,
    upgrade: OnUpgrade,
    via: Via,
    stopping: Stopping,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        match upgrade.await {
            Ok(stream) => port.serve(TokioIo::new(stream), via, stopping).await,
            Err(error) => {
                tracing::debug!(%error, "a sandbox left before its connection was its own");
            }
        }
    })
}

/// Whose the connection becomes.
fn pinned(port: &Port, headers: &HeaderMap) -> Result<Pinned, Box<Response<Body>>> {
    let mut said = headers.get_all(RUN).iter();
    let run = match (said.next(), said.next()) {
        (Some(run), None) => run.to_str().ok().and_then(|run| run.parse::<Name>().ok()),
        _ => None,
    };
    let run = run.ok_or_else(|| Box::new(bad("one header `x-iron-run` names the run")))?;
    let upwards = port.shared.runs.upwards(&run);
    let Some(innermost) = upwards.first() else {
        return Err(Box::new(problem(
            StatusCode::NOT_FOUND,
            "unknown_run",
            "no run of this id was announced",
        )));
    };
    let depth = u8::try_from(upwards.len() - 1).unwrap_or(u8::MAX);
    Ok(Pinned { agent: innermost.record.agent.clone(), run, depth })
}

fn asks(headers: &HeaderMap) -> bool {
    let says = |name, word: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(word))
    };
    says(header::CONNECTION, "upgrade") && says(header::UPGRADE, PROTOCOL)
}
