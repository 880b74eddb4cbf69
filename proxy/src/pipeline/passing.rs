//! Step 9 for bodies that are neither a document nor events: files of any size, recordings, the
//! results of batches. They go on as they come; their end settles the call.
//!
//! One that breaks off breaks the connection to the client too: half a file must not look whole.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body::Body as _;
use hyper::body::Incoming;
use iron_policy::types::Outcome;
use tokio::time::{Instant, Sleep};

use super::follow::Follow;
use super::forward::Answered;
use super::{Ticket, batch};
use crate::body::{Body, Broken};
use crate::live::Live;
use crate::state::OpenBatch;
use crate::stream::answers::{AnswerRestorers, Findings};
use crate::stream::results::{LineRelay, Source};
use crate::stream::{Metered, StreamError, WireKind};

/// A body on its way to the client.
pub struct PassBody {
    live: Arc<Live>,
    /// None once it has ended.
    body: Option<Incoming>,
    way: Way,
    ready: VecDeque<Bytes>,
    /// Reused between chunks.
    scratch: Vec<Bytes>,
    /// Fires when the upstream was silent for too long.
    silence: Pin<Box<Sleep>>,
    idle: Duration,
    /// Whether bytes came since the timer was set.
    moved: bool,
    status: StatusCode,
    /// What the call cost, where that is known without its answer.
    metered: Metered,
    /// None once the call has ended.
    ticket: Option<Ticket>,
    broken: bool,
}

/// How bytes go on.
enum Way {
    /// As they are.
    Bytes,
    /// Line by line, where they are the results of a batch.
    Lines {
        relay: Box<LineRelay<AnswerRestorers>>,
        findings: Findings,
        /// The batch that they settle.
        batch: Option<Box<OpenBatch>>,
    },
}

impl fmt::Debug for PassBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PassBody").field("ticket", &self.ticket).finish_non_exhaustive()
    }
}

impl PassBody {
    /// The answer with these bytes as its body. `metered` is what the call cost, where that is
    /// known.
    pub(super) fn answer(live: &Arc<Live>, answered: Answered, metered: Metered) -> Response<Body> {
        let Answered { mut ticket, upstream, answer, vault, .. } = answered;
        let (mut head, body) = answer.into_parts();
        let way = match std::mem::take(&mut ticket.follow) {
            // A part of the results is not all of them.
            Follow::Content { id, source } if head.status == StatusCode::OK => {
                let name = &upstream.config.name;
                let batches = ticket.shared().ledger.batches();
                let batch = match source {
                    Source::OpenAi => batches.of_output(name, &id),
                    Source::Anthropic => batches.get(&super::follow::key(name, &id)),
                    Source::Other => None,
                };
                let dialect = upstream.config.dialect;
                let kind = batch
                    .as_ref()
                    .map_or(WireKind::Other(dialect), |batch| batch::kind_of(&batch.of, dialect));
                let restorers = AnswerRestorers::new(live.answers.as_ref(), vault);
                let findings = restorers.findings();
                let readable = !head.headers.contains_key(header::CONTENT_ENCODING);
                if source != Source::Other && readable {
                    head.headers.remove(header::CONTENT_LENGTH);
                }
                Way::Lines {
                    relay: Box::new(LineRelay::new(source, kind, restorers, readable)),
                    findings,
                    batch: batch.map(Box::new),
                }
            }
            _ => Way::Bytes,
        };
        let idle = upstream.config.idle_timeout;
        let passing = Self {
            live: Arc::clone(live),
            body: Some(body),
            way,
            ready: VecDeque::new(),
            scratch: Vec::new(),
            silence: Box::pin(tokio::time::sleep(idle)),
            idle,
            moved: false,
            status: head.status,
            metered,
            ticket: Some(ticket),
            broken: false,
        };
        Response::from_parts(head, Body::Passing(Box::new(passing)))
    }

    /// The next bytes for the client; none at the end.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(bytes)));
            }
            if std::mem::take(&mut self.broken) {
                return Poll::Ready(Some(Err(Broken)));
            }
            let Some(body) = &mut self.body else { return Poll::Ready(None) };
            match Pin::new(body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.moved = true;
                    if let Ok(data) = frame.into_data() {
                        self.take(data);
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    tracing::debug!(%error, "an answer broke off");
                    self.fail(Outcome::Failed, "upstream_reset");
                }
                Poll::Ready(None) => self.end(),
                Poll::Pending => {
                    if std::mem::take(&mut self.moved) {
                        self.silence.as_mut().reset(Instant::now() + self.idle);
                    }
                    if self.silence.as_mut().poll(context).is_pending() {
                        return Poll::Pending;
                    }
                    self.fail(Outcome::Failed, "upstream_timeout");
                }
            }
        }
    }

    fn take(&mut self, data: Bytes) {
        let passed = match &mut self.way {
            Way::Bytes => {
                self.ready.push_back(data);
                return;
            }
            Way::Lines { relay, .. } => relay.push(data, &mut self.scratch),
        };
        self.ready.extend(self.scratch.drain(..));
        if let Err(error) = passed {
            self.forbid(error);
        }
    }

    /// The upstream ended the answer.
    fn end(&mut self) {
        self.body = None;
        if let Way::Lines { relay, .. } = &mut self.way {
            let finished = relay.finish(&mut self.scratch);
            self.ready.extend(self.scratch.drain(..));
            if let Err(error) = finished {
                return self.forbid(error);
            }
        }
        if let (Way::Lines { relay, batch: Some(batch), .. }, Some(ticket)) =
            (&self.way, &self.ticket)
            && let Some(used) = relay.used()
        {
            batch::settle(&self.live, ticket.shared(), batch, used);
        }
        self.finish(Outcome::Ok, "ok", true);
    }

    /// What comes may not be passed on.
    fn forbid(&mut self, error: StreamError) {
        match error {
            StreamError::Blocked => self.fail(Outcome::Refused, "answer_blocked"),
            _ => self.fail(Outcome::Failed, "upstream_answer"),
        }
    }

    fn fail(&mut self, outcome: Outcome, reason: &'static str) {
        self.body = None;
        self.broken = true;
        self.finish(outcome, reason, false);
    }

    /// Ends the call. What was not passed on whole is charged whole, where it costs something.
    fn finish(&mut self, outcome: Outcome, reason: &'static str, whole: bool) {
        let Some(mut ticket) = self.ticket.take() else { return };
        if let Way::Lines { findings, .. } = &self.way {
            ticket.answer_findings(findings);
        }
        let nothing = Metered::default();
        ticket.finish(self.status, outcome, reason, if whole { &self.metered } else { &nothing });
    }
}

/// The client went away.
impl Drop for PassBody {
    fn drop(&mut self) {
        self.finish(Outcome::Aborted, "client_gone", false);
    }
}
