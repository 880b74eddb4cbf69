//! Steps 7 and 8: the breaker's permit, and the only function that may dial.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use iron_policy::outline::Endpoint;
use iron_policy::redact::Vault;

use super::reserve::Reserved;
use super::{Halt, Stopped, Ticket};
use crate::dialect::Operation;
use crate::stops::Leave;
use crate::upstream::{Health, Upstream, UpstreamPermit};

/// A call that may go out now.
#[derive(Debug)]
pub(super) struct Permitted {
    reserved: Reserved,
    permit: UpstreamPermit,
}

/// A call that went out, and the head of what came back.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) ticket: Ticket,
    pub(super) leave: Leave,
    pub(super) upstream: Arc<Upstream>,
    /// The model that was asked, where it is another one than the caller named.
    pub(super) model: Option<String>,
    /// Until the breaker was told how it went.
    pub(super) permit: Option<UpstreamPermit>,
    pub(super) answer: Response<Incoming>,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) vault: Arc<Vault>,
    pub(super) hide_usage: bool,
}

impl Permitted {
    /// What is sent as a message over a connection that is there already; from now on the provider
    /// may have seen it.
    pub(super) fn into_message(self) -> (Ticket, UpstreamPermit, Arc<Vault>, Bytes) {
        let Self { reserved, permit } = self;
        let mut ticket = reserved.call.ticket;
        ticket.sent();
        (ticket, permit, reserved.vault, reserved.body)
    }
}

/// Asks the upstream's breaker.
pub(super) fn permit(mut reserved: Reserved) -> Result<Permitted, Box<Halt>> {
    match reserved.call.target.upstream.permit(reserved.call.ticket.model()) {
        Ok(permit) => {
            reserved.call.ticket.mark("breaker");
            Ok(Permitted { reserved, permit })
        }
        Err(refused) => {
            let why = Stopped::CircuitOpen {
                upstream: reserved.call.target.upstream.name().to_owned(),
                wait: Duration::from_millis(refused.retry_after_ms),
            };
            Err(reserved.call.ticket.halt(why))
        }
    }
}

/// Sends the call and waits for the answer's head.
pub(super) async fn forward(permitted: Permitted) -> Result<Answered, Box<Halt>> {
    let Permitted { reserved, permit } = permitted;
    let Reserved { call, body, endpoint, vault, hide_usage } = reserved;
    let (mut ticket, leave) = (call.ticket, call.leave);
    let upstream = call.target.upstream;
    let failed = |error| Stopped::Upstream { upstream: upstream.name().to_owned(), error };
    let address = match upstream.address(&call.target.path, call.target.query.as_deref()) {
        Ok(address) => address,
        Err(error) => return Err(ticket.halt(failed(error))),
    };
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = call.target.method;
    *request.uri_mut() = address;
    *request.headers_mut() = call.target.headers;

    // From here on the provider may have seen the call: whatever stops it now is charged, unless
    // it is known that no byte left.
    ticket.sent();
    let sent = match call.target.operation {
        Operation::Socket(_) => upstream.upgrade(request).await,
        _ => upstream.send(request).await,
    };
    match sent {
        Ok(answer) => {
            ticket.mark("upstream");
            ticket.answered(answer.headers());
            let permit = Some(permit);
            Ok(Answered {
                ticket,
                leave,
                upstream,
                model: call.target.model.filter(|model| model.is_other).map(|model| model.meant),
                permit,
                answer,
                endpoint,
                vault,
                hide_usage,
            })
        }
        Err(error) => {
            if !error.sent() {
                ticket.not_sent();
            }
            permit.report(Health::Unreachable);
            Err(ticket.halt(failed(error)))
        }
    }
}
