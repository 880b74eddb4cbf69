//! WebSockets: a call that becomes a connection, over which each response is a call of its own.
//!
//! [`open`] takes the request for one through the same first steps as any call, dials the upstream
//! and answers 101; a refusal of the upstream's is passed on as the HTTP answer that it is. Then a
//! [`session`] carries messages both ways until one side ends it. What messages mean is known to
//! [`responses`] and [`realtime`]: which of them ask for money, and which answer they belong to.
//!
//! Extensions are not negotiated, so that no message is compressed. Pings are answered on each side
//! by itself.

mod conversation;
mod end;
mod handshake;
mod party;
mod realtime;
mod responses;
mod session;
mod tell;
mod terms;
mod turn;

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use iron_policy::types::Outcome;

use handshake::Handshake;
use party::Party;
use realtime::Realtime;
use responses::Responses;
use session::{Session, Talk};

use super::identify::{self, Identified};
use super::reserve::Reserved;
use super::{Halt, Stopped, Ticket, admit, forward, relay};
use crate::body::Body;
use crate::dialect::{Operation, Socket};
use crate::live::Live;
use crate::rescue::Caller;
use crate::server::{Stopping, Via};
use crate::shared::Shared;
use crate::stream::Metered;
use crate::upstream::{Health, strip_hop_headers};

/// Opens a WebSocket to the upstream and answers that it is open.
pub(super) async fn open(
    shared: &Arc<Shared>,
    live: &Arc<Live>,
    ticket: Ticket,
    mut head: Parts,
    caller: &mut Caller,
) -> Result<Response<Body>, Box<Halt>> {
    let client = head.extensions.remove::<OnUpgrade>();
    let stopping = head.extensions.remove::<Stopping>();
    let handshake = Handshake::read(&head);
    handshake::take_key(&mut head.headers);
    // Codex speaks WebSocket to the provider's own name first, and repeats there what is refused; sent
    // back with a 426 it goes on over HTTP at once (measured: docs/clients.md).
    let sent_back =
        caller.stops_on_400_only && matches!(head.extensions.get(), Some(Via::Intercepted(_)));
    let identified = identify::identify(live, ticket, head, &mut caller.dialect)?;
    if sent_back {
        return Err(identified.ticket.halt(Stopped::WebSocket));
    }
    let leave = identified.leave.clone();
    let opening = Opening { handshake, client, stopping, caller: *caller };
    let rest = Box::pin(opening.connect(shared, live, identified));
    leave.unless_stopped(rest).await.unwrap_or_else(Halt::stopped)
}

/// What is needed to open a connection, beside the call that asks for it.
struct Opening {
    handshake: Result<Handshake, Stopped>,
    client: Option<OnUpgrade>,
    stopping: Option<Stopping>,
    caller: Caller,
}

impl Opening {
    async fn connect(
        self,
        shared: &Arc<Shared>,
        live: &Arc<Live>,
        identified: Identified,
    ) -> Result<Response<Body>, Box<Halt>> {
        let Self { handshake, client, stopping, caller } = self;
        let leave = identified.leave.clone();
        let mut call = admit::admit(live, identified)?.call;
        let (handshake, client) = match (handshake, client) {
            (Ok(handshake), Some(client)) => (handshake, client),
            (Err(why), _) => return Err(call.ticket.halt(why)),
            (Ok(_), None) => {
                return Err(call.ticket.halt(Stopped::Handshake("must come over HTTP/1.1")));
            }
        };
        handshake.ask(&mut call.target.headers);
        let Operation::Socket(socket) = call.target.operation else {
            return Err(call.ticket.halt(Stopped::WebSocket));
        };
        let talk = match socket {
            Socket::Responses => Talk::Responses(Responses::default()),
            Socket::Realtime => match Realtime::of(live, &call.target) {
                Ok(realtime) => {
                    call.ticket.request(realtime.model(), true);
                    if let Err(why) = call.target.may_ask_for(realtime.model()) {
                        return Err(call.ticket.halt(why));
                    }
                    Talk::Realtime(Box::new(realtime))
                }
                Err(why) => return Err(call.ticket.halt(why)),
            },
        };
        let mut target = call.target.clone();
        target.headers = HeaderMap::new();
        let vault = live.sessions.vault(&target.session, live.policy.redact.remember);
        let reserved =
            Reserved { call, body: Bytes::new(), endpoint: None, vault, hide_usage: false };
        let mut answered = forward::forward(forward::permit(reserved)?).await?;

        let status = answered.answer.status();
        let accepted = status == StatusCode::SWITCHING_PROTOCOLS
            && handshake.accepts(answered.answer.headers());
        if !accepted && (status.is_success() || status.is_informational()) {
            let upstream = answered.upstream.name().to_owned();
            let what = "does not open the WebSocket that was asked for";
            return Err(answered.ticket.halt(Stopped::BadAnswer { upstream, what }));
        }
        if !accepted {
            return relay::relay(live, answered).await;
        }
        if let Some(permit) = answered.permit.take() {
            permit.report(Health::Good);
        }
        let party = Party {
            shared: Arc::clone(shared),
            known: answered.ticket.known(),
            parent: answered.ticket.parent(),
            target,
            leave,
            caller,
            socket,
        };
        answered.ticket.finish(status, Outcome::Ok, "ok", &Metered::default());
        let upstream = hyper::upgrade::on(&mut answered.answer);
        let session = Session::new(party, talk, live.policy.proxy.max_body, stopping);
        tokio::spawn(async move {
            match tokio::try_join!(client, upstream) {
                Ok((client, upstream)) => session.run(client, upstream).await,
                Err(error) => tracing::debug!(%error, "a WebSocket was left before it was open"),
            }
        });
        let (head, _) = answered.answer.into_parts();
        let mut headers = head.headers;
        strip_hop_headers(&mut headers);
        Ok(handshake.answer(headers))
    }
}
