//! Step 9: the answer on its way to the client. Metered, restored, and otherwise as it came.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use iron_policy::breaker::Signal;
use iron_policy::outline::Endpoint;
use iron_policy::types::Outcome;

use super::forward::Answered;
use super::stream::StreamBody;
use super::{Halt, Stopped};
use crate::body::Body;
use crate::live::Live;
use crate::stream::{Metered, encoding, plain};
use crate::upstream::strip_hop_headers;

/// Passes the answer on.
pub(super) async fn relay(
    live: &Arc<Live>,
    mut answered: Answered,
) -> Result<Response<Body>, Box<Halt>> {
    strip_hop_headers(answered.answer.headers_mut());
    let status = answered.answer.status();
    answered.permit.report_status(status, live_counts_429(&answered));
    if status.is_redirection() {
        let upstream = answered.upstream.name().to_owned();
        let mut ticket = answered.ticket;
        ticket.not_sent();
        return Err(ticket.halt(Stopped::Redirect { upstream }));
    }
    let sse = is_event_stream(answered.answer.headers());
    if sse && status.is_success() {
        return Ok(StreamBody::answer(live, answered));
    }
    whole(live, answered).await
}

/// An answer that comes in one piece: read to its end first, so that one that breaks off is an
/// error and not half an answer.
async fn whole(live: &Arc<Live>, answered: Answered) -> Result<Response<Body>, Box<Halt>> {
    let Answered { ticket, upstream, answer, endpoint, vault, .. } = answered;
    let (mut head, body) = answer.into_parts();
    let bad = |what| Stopped::BadAnswer { upstream: upstream.name().to_owned(), what };
    let limit = live.policy.proxy.max_body;
    let bytes = match collect(body, limit, upstream.config.idle_timeout).await {
        Ok(bytes) => bytes,
        Err(what) => return Err(ticket.halt(bad(what))),
    };
    if !head.status.is_success() {
        ticket.refused_upstream(head.status);
        return Ok(Response::from_parts(head, bytes.into()));
    }
    let readable = match decoded(&head.headers, &bytes, limit) {
        Ok(readable) => readable,
        Err(what) => return Err(ticket.halt(bad(what))),
    };
    let plain = readable.as_deref().unwrap_or(&bytes);
    let metered = match endpoint.map(|endpoint| plain::meter(endpoint, plain)) {
        None => Metered::default(),
        Some(Ok(metered)) => metered,
        Some(Err(_)) => return Err(ticket.halt(bad("is not JSON"))),
    };
    let restored = if vault.is_empty() { None } else { plain::restore(plain, &vault) };
    let body = match restored {
        Some(restored) => {
            head.headers.remove(header::CONTENT_ENCODING);
            head.headers.remove(header::CONTENT_LENGTH);
            Bytes::from(restored)
        }
        None => bytes,
    };
    ticket.finish(head.status, Outcome::Ok, "ok", &metered);
    Ok(Response::from_parts(head, body.into()))
}

/// The body in one piece, within a limit of bytes and of silence.
async fn collect(
    mut body: Incoming,
    limit: usize,
    idle: Duration,
) -> Result<Bytes, &'static str> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    loop {
        let frame = tokio::time::timeout(idle, body.frame()).await.map_err(|_| "fell silent")?;
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(|_| "broke off")?.into_data() else { continue };
        if first.len() + rest.len() + data.len() > limit {
            return Err("is larger than proxy.max_body_mib allows");
        }
        if first.is_empty() && rest.is_empty() {
            first = data;
            continue;
        }
        if rest.is_empty() {
            rest.extend_from_slice(&std::mem::take(&mut first));
        }
        rest.extend_from_slice(&data);
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

/// A decoded copy of a compressed answer; none where it can be read as it is.
fn decoded(
    headers: &HeaderMap,
    bytes: &Bytes,
    limit: usize,
) -> Result<Option<Vec<u8>>, &'static str> {
    match headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?")) {
        None | Some("identity" | "") => Ok(None),
        Some(coding) => encoding::decode(coding, bytes, limit)
            .map(Some)
            .map_err(|_| "cannot be decoded as its content-encoding says"),
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream"))
}
