//! One response on a WebSocket: what is held for it, and what its messages go through.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use iron_policy::redact::Vault;
use iron_policy::types::{CallId, Outcome};

use super::super::stopped::ANSWER_BLOCKED;
use super::super::{Stopped, Ticket, relay};
use crate::live::Live;
use crate::stream::answers::{AnswerRestorers, Findings};
use crate::stream::{MessageRelay, Metered, POLICY_VIOLATION, StreamError, WireKind};
use crate::upstream::{Health, UpstreamPermit};

/// Why a response ended that cost what was reserved for it.
pub(super) const SPENT: &str = "reservation_spent";

/// A response that was asked for, or that is expected.
///
/// Dropped, it ends as its [`Ticket`] does: charged whole where it was sent, else void.
#[derive(Debug)]
pub(super) struct Turn {
    ticket: Ticket,
    permit: Option<UpstreamPermit>,
    vault: Arc<Vault>,
    begun: Option<Begun>,
    /// Whether failures of the upstream with 429 count against it.
    count_429: bool,
    /// What it ends as, whatever comes: the client gets no more of it.
    left: Option<(Outcome, &'static str)>,
}

/// A response that the upstream has begun.
struct Begun {
    id: String,
    relay: MessageRelay<AnswerRestorers>,
    findings: Findings,
    /// Why its messages are not passed on any more.
    kept_back: Option<(Outcome, &'static str)>,
}

impl std::fmt::Debug for Begun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Begun").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What a client must be told in place of the rest of an answer.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Turn {
    pub(super) const fn new(
        ticket: Ticket,
        permit: Option<UpstreamPermit>,
        vault: Arc<Vault>,
        count_429: bool,
    ) -> Self {
        Self { ticket, permit, vault, begun: None, count_429, left: None }
    }

    pub(super) const fn call(&self) -> CallId {
        self.ticket.id()
    }

    /// The response's id, once the upstream has begun it.
    pub(super) fn response(&self) -> Option<&str> {
        self.begun.as_ref().map(|begun| begun.id.as_str())
    }

    /// What is to be noted with the call.
    pub(super) const fn ticket(&mut self) -> &mut Ticket {
        &mut self.ticket
    }

    /// The upstream has begun the response.
    pub(super) fn begin(&mut self, live: &Live, kind: WireKind, id: String) {
        self.ticket.mark("upstream");
        if let Some(permit) = self.permit.take() {
            permit.report(Health::Good);
        }
        let restorers = AnswerRestorers::new(live.answers.as_ref(), Arc::clone(&self.vault));
        let findings = restorers.findings();
        let restorers = Some(restorers).filter(|restorers| !restorers.is_idle());
        let relay = MessageRelay::new(kind, restorers).within(kind, self.ticket.cap());
        self.begun = Some(Begun { id, relay, findings, kept_back: self.left });
    }

    /// The client gets no more of it: what still comes is read for its usage alone.
    pub(super) fn leave(&mut self, outcome: Outcome, reason: &'static str) {
        self.left = Some((outcome, reason));
        if let Some(begun) = &mut self.begun {
            begun.kept_back.get_or_insert((outcome, reason));
        }
    }

    /// Takes a message of the response and appends what goes to the client.
    pub(super) fn push(&mut self, message: Bytes, out: &mut Vec<Bytes>) -> Result<(), Kept> {
        let Some(begun) = &mut self.begun else {
            out.push(message);
            return Ok(());
        };
        if begun.kept_back.is_some() {
            begun.relay.only_meter(&message);
            return Ok(());
        }
        match begun.relay.push(message, out) {
            Err(StreamError::Spent) => {
                tracing::warn!(
                    call = %self.ticket.id(),
                    "a response cost what was reserved for it and was ended"
                );
                begun.kept_back = Some((Outcome::Ok, SPENT));
                begun.relay.cut(out).map_err(|error| begun.keep_back(error))
            }
            pushed => pushed.map_err(|error| begun.keep_back(error)),
        }
    }

    /// Whether it has cost what was reserved for it, and was ended for that.
    pub(super) fn is_spent(&self) -> bool {
        self.begun.as_ref().is_some_and(|begun| begun.kept_back == Some((Outcome::Ok, SPENT)))
    }

    /// The response came to its end; what was held back of it is appended.
    pub(super) fn end(mut self, out: &mut Vec<Bytes>) {
        let Some(mut begun) = self.begun.take() else { return };
        // What must not go out is left out.
        let _ = begun.relay.finish(out);
        let metered = begun.relay.metered().clone();
        self.ticket.answer_findings(&begun.findings);
        let (outcome, reason) = match (begun.kept_back, &metered.error, metered.complete) {
            (Some(kept), ..) => kept,
            (None, Some(_), _) => (Outcome::UpstreamError, "stream_error"),
            (None, None, true) => (Outcome::Ok, "ok"),
            (None, None, false) => (Outcome::Ok, "unmarked_end"),
        };
        self.ticket.finish(StatusCode::OK, outcome, reason, &metered);
    }

    /// The connection ended before the response did.
    pub(super) fn cut(mut self, outcome: Outcome, reason: &'static str) {
        if let (Some(permit), Outcome::Failed) = (self.permit.take(), outcome) {
            permit.report(Health::Unreachable);
        }
        let Some(begun) = self.begun.take() else {
            return self.ticket.finish(StatusCode::OK, outcome, reason, &Metered::default());
        };
        self.ticket.answer_findings(&begun.findings);
        let (outcome, reason) = begun.kept_back.unwrap_or((outcome, reason));
        self.ticket.finish(StatusCode::OK, outcome, reason, begun.relay.metered());
    }

    /// The upstream refused the request with an error of its own, before the response began.
    pub(super) fn refused(mut self, status: Option<u64>) {
        let status = status.and_then(|status| StatusCode::from_u16(status as u16).ok());
        let status = status.unwrap_or(StatusCode::BAD_REQUEST);
        if let Some(permit) = self.permit.take() {
            permit.report(relay::health(status, self.count_429));
        }
        self.ticket.refused_upstream(status);
    }

    /// What was held in advance is not needed.
    pub(super) fn unused(self) {
        self.ticket.finish(StatusCode::OK, Outcome::Ok, "not_needed", &Metered::default());
    }
}

impl Begun {
    fn keep_back(&mut self, error: StreamError) -> Kept {
        if error == StreamError::Blocked {
            let why = Stopped::BlockedAnswer { found: self.findings.blocked() };
            self.kept_back = Some((why.outcome(), ANSWER_BLOCKED));
            return Kept { code: POLICY_VIOLATION, message: why.to_string() };
        }
        tracing::warn!(%error, "an answer on a WebSocket cannot be edited any further");
        self.kept_back = Some((Outcome::Failed, "upstream_answer"));
        Kept { code: "upstream_answer", message: "the answer cannot be read any further".into() }
    }
}
