//! Who is connected over a WebSocket to what, and what every message of theirs goes through: the
//! search for what must not leave, the upstream's breaker, refusals. Which API is spoken does not
//! matter here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use iron_policy::outline::path_at;
use iron_policy::redact::{Edit, Kind, Span, Vault, splice};

use super::super::identify::{Identified, Target};
use super::super::redact;
use super::super::{Halt, Stopped, Ticket};
use super::end::End;
use super::tell::{self, About};
use crate::dialect::Socket;
use crate::live::Live;
use crate::observer::TraceParent;
use crate::rescue::Caller;
use crate::shared::Shared;
use crate::state::CallRecord;
use crate::stops::Leave;
use crate::stream::answers::{AnswerRestorers, count};
use crate::stream::{MessageRelay, StreamError, WireKind};
use crate::upstream::UpstreamPermit;

/// Who is connected to what.
#[derive(Debug)]
pub(super) struct Party {
    pub(super) shared: Arc<Shared>,
    /// What is known of each call of this connection.
    pub(super) known: CallRecord,
    /// The span of the client's that the connection belongs to.
    pub(super) parent: Option<TraceParent>,
    pub(super) target: Target,
    /// The agent's leave to be connected.
    pub(super) leave: Leave,
    pub(super) caller: Caller,
    pub(super) socket: Socket,
}

/// What a message leads to, for either side.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pub(super) client: Vec<Bytes>,
    pub(super) upstream: Vec<Bytes>,
}

impl Party {
    /// A call of this connection: who makes it and where it goes is known.
    pub(super) fn identified(&self) -> Identified {
        let ticket = Ticket::sibling(&self.shared, &self.known, self.parent);
        Identified { ticket, leave: self.leave.clone(), target: self.target.clone() }
    }

    /// The placeholders of the session.
    pub(super) fn vault(&self, live: &Live) -> Arc<Vault> {
        live.sessions.vault(&self.target.session, live.policy.redact.remember)
    }

    pub(super) fn counts_429(&self) -> bool {
        self.target.upstream.config.breaker.count_429
    }

    /// Asks the upstream's breaker.
    pub(super) fn permit(&self, model: &str) -> Result<UpstreamPermit, Stopped> {
        self.target.upstream.permit(model).map_err(|refused| Stopped::CircuitOpen {
            upstream: self.target.upstream.name().to_owned(),
            wait: Duration::from_millis(refused.retry_after_ms),
        })
    }

    /// Refuses a message: as a call that goes no further.
    pub(super) fn refuse(&self, live: &Live, why: Stopped, about: About, out: &mut Outgoing) {
        self.tell(live, self.identified().ticket.halt(why), about, out);
    }

    /// Ends a call that goes no further, and tells the client.
    pub(super) fn tell(&self, live: &Live, halt: Box<Halt>, about: About, out: &mut Outgoing) {
        let id = halt.call(self.known.id);
        let refusal = halt.end(live, id);
        out.client.push(tell::refusal(self.socket, self.caller, &refusal, id, about).into());
    }

    /// A message that asks for no answer, without what must not leave; and what was found.
    pub(super) async fn redacted(
        &self,
        live: &Live,
        message: &Bytes,
        spans: &[Span<'_>],
    ) -> Result<(Bytes, Vec<(Kind, u32)>), Box<Halt>> {
        if spans.is_empty() {
            return Ok((message.clone(), Vec::new()));
        }
        let vault = self.vault(live);
        let found = redact::search(live, &vault, spans).await;
        let redaction = match found {
            Ok(redaction) => redaction,
            Err(why) => return Err(self.identified().ticket.halt(why)),
        };
        let place = |at| path_at(message, at);
        if let Some(found) = redact::blocked_at(&redaction.findings, place) {
            let mut ticket = self.identified().ticket;
            ticket.findings(&redaction.findings);
            return Err(ticket.halt(Stopped::Blocked { found }));
        }
        let mut counts = Vec::new();
        for finding in &redaction.findings {
            count(&mut counts, finding.kind, 1);
        }
        let body = match redaction.edits.as_slice() {
            [] => message.clone(),
            edits => splice(message, edits).into(),
        };
        Ok((body, counts))
    }

    /// What to change in a message that asks for an answer; findings are noted with its call.
    pub(super) async fn search(
        &self,
        live: &Live,
        message: &Bytes,
        spans: &[Span<'_>],
        ticket: &mut Ticket,
    ) -> Result<Vec<Edit>, Stopped> {
        let redaction = redact::search(live, &self.vault(live), spans).await?;
        ticket.findings(&redaction.findings);
        match redact::blocked_at(&redaction.findings, |at| path_at(message, at)) {
            Some(found) => Err(Stopped::Blocked { found }),
            None => Ok(redaction.edits),
        }
    }

    /// Passes on an event that belongs to no response: looked through and restored by itself.
    pub(super) fn loose(
        &self,
        live: &Live,
        kind: WireKind,
        message: Bytes,
        out: &mut Outgoing,
    ) -> Result<(), End> {
        let restorers = AnswerRestorers::new(live.answers.as_ref(), self.vault(live));
        if restorers.is_idle() {
            out.client.push(message);
            return Ok(());
        }
        let mut relay = MessageRelay::new(kind, Some(restorers));
        let passed = relay.push(message, &mut out.client);
        match passed.and_then(|()| relay.finish(&mut out.client)) {
            // An event that the policy keeps back is left out; one that cannot be read ends all.
            Ok(()) | Err(StreamError::Blocked) => Ok(()),
            Err(_) => Err(End::UpstreamGone),
        }
    }
}
