//! A call's way through the proxy, one step after the other.
//!
//! Each step takes the type that the step before made, so that sending something that was not
//! redacted or not reserved for does not compile:
//!
//! ```text
//! Identified -> Admitted -> Decoded -> Redacted -> Reserved -> Permitted -> Answered
//!                                         ^                                    |
//!                                         +------ another attempt [attempts] --+
//! ```
//!
//! Whatever happens in between — an error, a refusal, a client that goes away and takes this
//! future with it — the [`Ticket`] that travels along ends the call's reservation exactly once.

mod admit;
mod attempts;
mod batch;
mod decode;
mod follow;
mod forward;
mod identify;
mod intercepted;
mod media;
mod other;
mod other_body;
mod passing;
mod redact;
mod relay;
mod reserve;
mod socket;
mod stopped;
mod stream;
mod ticket;

use std::sync::Arc;

use http::{Request, Response, Version};
use hyper::body::Incoming;
use iron_policy::types::{CallId, Dialect};

pub(crate) use batch::settle_unclaimed;
pub use identify::MAX_HEADERS;
pub(crate) use identify::come_by_right_way;
pub(crate) use other::handle_other;
pub use other_body::OtherBody;
pub use passing::PassBody;
pub use stopped::Stopped;
pub use stream::StreamBody;
pub use ticket::{STEPS, Ticket};

use crate::body::{self, Body};
use crate::live::Live;
use crate::rescue::{self, Caller, Refusal};
use crate::server::Via;
use crate::shared::Shared;
use crate::stops::AgentStopped;
use attempts::{Attempts, Turn};
use forward::Answered;
use identify::Identified;
use redact::Redacted;
use ticket::Heir;

/// Answers one call of an agent.
pub async fn handle(shared: &Arc<Shared>, request: Request<Incoming>) -> Response<Body> {
    let live = shared.live();
    let ticket = Ticket::open(shared);
    let id = ticket.id();
    let dialect = dialect_of(&live, &request);
    let mut caller = Caller::of(dialect, request.headers());
    let mut response = match pass(shared, &live, ticket, request, &mut caller).await {
        Ok(response) => response,
        Err(halt) => halt.answer(&live, caller, id),
    };
    rescue::mark(&mut response, id);
    response
}

/// The dialect that a caller is taken to speak until its upstream is known.
fn dialect_of(live: &Live, request: &Request<Incoming>) -> Dialect {
    let guess =
        |path: &str| crate::dialect::dialect_of(path, request.uri().query(), request.headers());
    let path = request.uri().path();
    let upstream = match request.extensions().get() {
        Some(Via::Intercepted(passage)) => live.upstream_at(&passage.target, path, guess),
        _ => None,
    };
    upstream.map_or_else(|| guess(path), |(upstream, _)| upstream.config.dialect)
}

async fn pass(
    shared: &Arc<Shared>,
    live: &Arc<Live>,
    ticket: Ticket,
    request: Request<Incoming>,
    caller: &mut Caller,
) -> Result<Response<Body>, Box<Halt>> {
    let (head, body) = request.into_parts();
    if identify::is_websocket(&head.headers) {
        return socket::open(shared, live, ticket, head, caller).await;
    }
    // Over HTTP/1.1 hyper reads on by itself; over HTTP/2 it resets the stream under the refusal.
    let multiplexed = head.version == Version::HTTP_2;
    let identified = match identify::identify(live, ticket, head, &mut caller.dialect) {
        Ok(identified) => identified,
        Err(halt) => {
            if multiplexed {
                body::drain(body).await;
            }
            return Err(halt);
        }
    };
    let leave = identified.leave.clone();
    // Boxed: what is awaited on the way is large, and the server moves its futures about.
    let rest = Box::pin(carry(live, identified, body));
    leave.unless_stopped(rest).await.unwrap_or_else(Halt::stopped)
}

/// The rest of the way. Dropped at any point, it ends in the ledger as what it then is.
async fn carry(
    live: &Arc<Live>,
    identified: Identified,
    body: Incoming,
) -> Result<Response<Body>, Box<Halt>> {
    let admitted = admit::admit(live, identified)?;
    let decoded = decode::decode(live, admitted, body).await?;
    let mut redacted = redact::redact(live, decoded).await?;
    let mut attempts = Attempts::of(live, &redacted);
    loop {
        let tried = attempt(live, redacted).await;
        match attempts.after(live, tried).await {
            Turn::Again(next) => redacted = next,
            Turn::Over(tried) => return relay::relay(live, tried?).await,
        }
    }
}

/// One attempt at getting an answer, with a reservation of its own.
async fn attempt(live: &Arc<Live>, redacted: Redacted) -> Result<Answered, Box<Halt>> {
    let reserved = reserve::reserve(live, redacted).await?;
    let permitted = forward::permit(reserved)?;
    forward::forward(permitted).await
}

/// A call that goes no further, and why.
#[derive(Debug)]
pub struct Halt {
    /// None where the call was ended before.
    ticket: Option<Ticket>,
    why: Stopped,
}

impl Halt {
    /// Its ticket was dropped where the stop found it.
    fn stopped<T>(why: AgentStopped) -> Result<T, Box<Self>> {
        Err(Box::new(Self { ticket: None, why: why.into() }))
    }

    /// Ends the call in the ledger and the records, and tells the caller.
    fn answer(self: Box<Self>, live: &Live, caller: Caller, id: CallId) -> Response<Body> {
        let id = self.call(id);
        self.end(live, id).into_response(caller, id)
    }

    /// The call's id; `id` where it was ended before.
    fn call(&self, id: CallId) -> CallId {
        self.ticket.as_ref().map_or(id, Ticket::id)
    }

    const fn why(&self) -> &Stopped {
        &self.why
    }

    /// Ends the call and leaves what another attempt needs; back where it was ended before.
    fn bequeath(mut self: Box<Self>, live: &Live) -> Result<Heir, Box<Self>> {
        let Some(ticket) = &mut self.ticket else { return Err(self) };
        let (heir, id) = (ticket.heir(), ticket.id());
        self.end(live, id);
        Ok(heir)
    }

    /// Ends the call in the ledger and the records.
    fn end(self: Box<Self>, live: &Live, id: CallId) -> Refusal {
        let Self { ticket, why } = *self;
        let refusal = rescue::refusal(&why, live.policy.proxy.budget_status);
        tracing::info!(call = %id, reason = why.reason(), "{}", why.for_operator());
        if let Some(ticket) = ticket {
            ticket.stop(&why, refusal.status);
        }
        refusal
    }
}
