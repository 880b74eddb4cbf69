//! Step 9 for streams: each event goes on as soon as it is there; the end settles the call.
//!
//! A stream ends in one of three ways, and all of them end the [`Ticket`]: the upstream ends it,
//! the upstream breaks or falls silent (an error event of the stream's dialect follows), or the
//! client goes away and hyper drops the body. What the policy blocks in an answer ends it as a break
//! does: with an error event, never with a normal end; and so does the stop of its agent.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use iron_policy::config::OnAbort;
use iron_policy::types::Outcome;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::forward::Answered;
use super::relay::{framing, wire_kind};
use super::stopped::{ANSWER_BLOCKED, Stopped};
use super::{Halt, Ticket};
use crate::body::Body;
use crate::live::Live;
use crate::stops::Leave;
use crate::stream::answers::{AnswerRestorers, Findings};
use crate::stream::encoding::{Decoder, Encoding};
use crate::stream::{Framing, Metered, POLICY_VIOLATION, Relay, Restorers, StreamError, WireKind};

/// More than this of a stream is not read for a client that is gone.
const DRAIN_BYTES: usize = 16 << 20;
/// Nor for longer than this.
const DRAIN_TIME: Duration = Duration::from_mins(2);

/// A stream on its way to the client.
pub struct StreamBody {
    flow: Flow,
    /// What may go to the client now.
    ready: VecDeque<Bytes>,
    /// Reused between chunks.
    scratch: Vec<Bytes>,
    /// Fires when the upstream was silent for too long.
    silence: Pin<Box<Sleep>>,
    idle: Duration,
    /// Whether bytes came since the timer was set.
    moved: bool,
    status: StatusCode,
    on_abort: OnAbort,
    /// What the policy for answers found.
    findings: Findings,
    /// Until the agent is stopped.
    leave: Leave,
    /// Ready when it is.
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
    /// None once the call has ended.
    ticket: Option<Ticket>,
}

/// What comes from the upstream, and what reads it.
struct Flow {
    /// None once the stream has ended, and where it went on into a drain.
    body: Option<Incoming>,
    relay: Relay<AnswerRestorers>,
    coding: Coding,
}

/// What the bytes are wrapped in.
enum Coding {
    /// Nothing.
    Plain,
    /// Passed on as they are, decoded on the side to be metered.
    Aside(Decoder),
    /// Decoded on their way, since they are edited.
    Inline(Decoder),
    /// Passed on as they are; cannot be metered (any more).
    Opaque,
}

impl fmt::Debug for StreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamBody").field("ticket", &self.ticket).finish_non_exhaustive()
    }
}

impl StreamBody {
    /// The answer with this stream as its body.
    pub(super) fn answer(
        live: &Arc<Live>,
        answered: Answered,
    ) -> Result<Response<Body>, Box<Halt>> {
        let Answered { mut ticket, leave, upstream, answer, endpoint, vault, hide_usage, .. } =
            answered;
        let (mut head, body) = answer.into_parts();
        let kind = wire_kind(endpoint, upstream.config.dialect);
        let restorers = AnswerRestorers::new(live.answers.as_ref(), vault);
        let findings = restorers.findings();
        let restorers = Some(restorers).filter(|restorers| !restorers.is_idle());
        let edited = hide_usage || restorers.as_ref().is_some_and(|made| !made.only_looks());
        let coding = Coding::of(&head.headers, edited, live.policy.proxy.max_body);
        if live.guards_answers() && matches!(coding, Coding::Opaque) {
            let upstream = upstream.name().to_owned();
            let what = "cannot be decoded, and so not be checked for what the policy keeps back";
            return Err(ticket.halt(Stopped::BadAnswer { upstream, what }));
        }
        if edited {
            head.headers.remove(header::CONTENT_LENGTH);
            head.headers.remove(header::CONTENT_ENCODING);
        }
        let idle = upstream.config.idle_timeout;
        let stream = Self {
            flow: Flow {
                body: Some(body),
                relay: Relay::new(framing(&head.headers), kind, hide_usage, restorers)
                    .within(ticket.cap()),
                coding,
            },
            ready: VecDeque::new(),
            scratch: Vec::new(),
            silence: Box::pin(tokio::time::sleep(idle)),
            idle,
            moved: false,
            status: head.status,
            on_abort: live.policy.proxy.on_abort,
            findings,
            stopped: Box::pin(leave.cancelled_owned()),
            leave,
            ticket: Some(ticket),
        };
        Ok(Response::from_parts(head, Body::Stream(Box::new(stream))))
    }

    /// The next bytes for the client; none at the end.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Poll::Ready(Some(bytes));
            }
            if self.flow.body.is_none() {
                return Poll::Ready(None);
            }
            if self.leave.is_cancelled() {
                self.stop();
                continue;
            }
            let Some(body) = &mut self.flow.body else { return Poll::Ready(None) };
            match Pin::new(body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.moved = true;
                    if let Ok(data) = frame.into_data() {
                        if let Some(ticket) = &mut self.ticket {
                            ticket.chunk_came();
                        }
                        self.take(data);
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    tracing::debug!(%error, "a stream broke off");
                    self.fail("upstream_reset", "the upstream broke off its answer");
                }
                Poll::Ready(None) => self.end(),
                Poll::Pending => {
                    if std::mem::take(&mut self.moved) {
                        self.silence.as_mut().reset(Instant::now() + self.idle);
                    }
                    if self.stopped.as_mut().poll(context).is_ready() {
                        self.stop();
                        continue;
                    }
                    if self.silence.as_mut().poll(context).is_pending() {
                        return Poll::Pending;
                    }
                    self.fail("upstream_timeout", "the upstream fell silent");
                }
            }
        }
    }

    fn take(&mut self, data: Bytes) {
        let Flow { relay, coding, .. } = &mut self.flow;
        let readable = match coding {
            Coding::Plain => Ok(data),
            Coding::Inline(decoder) => decoder.push(&data),
            Coding::Opaque => {
                self.ready.push_back(data);
                return;
            }
            Coding::Aside(decoder) => {
                let decoded = decoder.push(&data).ok();
                self.ready.push_back(data);
                let read = decoded.map(|data| relay.push(data, &mut self.scratch));
                if let Some(Err(StreamError::Spent)) = read {
                    // An end of ours cannot be put into what is compressed: it breaks off.
                    return self.cut();
                }
                if !matches!(read, Some(Ok(()))) {
                    // The client can still read what the meter cannot; charged whole.
                    *coding = Coding::Opaque;
                }
                self.scratch.clear();
                return;
            }
        };
        let pushed = match readable {
            Ok(data) => relay.push(data, &mut self.scratch),
            Err(error) => {
                tracing::warn!(%error, "a stream cannot be decoded any further");
                return self.fail("upstream_answer", "the answer cannot be read any further");
            }
        };
        self.ready.extend(self.scratch.drain(..));
        if let Err(error) = pushed {
            self.give_up(error);
        }
    }

    /// What came cannot be passed on.
    fn give_up(&mut self, error: StreamError) {
        match error {
            StreamError::Blocked => return self.block(),
            StreamError::Spent => return self.cut(),
            _ => {}
        }
        tracing::warn!(%error, "a stream cannot be edited any further");
        self.fail("upstream_answer", "the answer cannot be read any further");
    }

    /// The answer has cost what was reserved for it: the upstream is cancelled, and the client gets
    /// the end of an answer that was cut at its longest.
    fn cut(&mut self) {
        self.scratch.clear();
        let cut = self.flow.relay.cut(&mut self.scratch);
        if matches!(self.flow.coding, Coding::Plain | Coding::Inline(_)) {
            self.ready.extend(self.scratch.drain(..));
        }
        self.scratch.clear();
        match cut {
            Ok(metered) => {
                let id = self.ticket.as_ref().map(Ticket::id);
                tracing::warn!(call = ?id, "a stream cost what was reserved for it and was ended");
                self.finish(Outcome::Ok, "reservation_spent", &metered);
            }
            Err(error) => self.give_up(error),
        }
    }

    /// The upstream ended its stream.
    fn end(&mut self) {
        let metered = match self.flow.relay.finish(&mut self.scratch) {
            Ok(metered) => metered,
            Err(error) => {
                self.ready.extend(self.scratch.drain(..));
                return self.give_up(error);
            }
        };
        if matches!(self.flow.coding, Coding::Aside(_) | Coding::Opaque) {
            self.scratch.clear();
        }
        self.ready.extend(self.scratch.drain(..));
        let (outcome, reason) = ended(&metered);
        self.finish(outcome, reason, &metered);
    }

    /// The stream cannot go on: what is held back, then an error event, then the end.
    fn fail(&mut self, reason: &'static str, message: &str) {
        self.tell(reason, message);
        let metered = self.flow.relay.metered().clone();
        self.finish(Outcome::Failed, reason, &metered);
    }

    /// The policy keeps the rest of the answer back. What it costs is still to be learned.
    fn block(&mut self) {
        let why = Stopped::BlockedAnswer { found: self.findings.blocked() };
        self.tell(POLICY_VIOLATION, &why.to_string());
        self.leave(why.outcome(), ANSWER_BLOCKED);
    }

    /// The agent was stopped: the upstream is cancelled whatever the policy for lost clients says.
    fn stop(&mut self) {
        let why = self.leave.why();
        self.tell(why.reason(), &why.to_string());
        let metered = self.flow.relay.metered().clone();
        self.finish(Outcome::Refused, why.reason(), &metered);
    }

    fn tell(&mut self, code: &str, message: &str) {
        if matches!(self.flow.coding, Coding::Plain | Coding::Inline(_)) {
            let id = self.ticket.as_ref().map(|ticket| ticket.id().to_string()).unwrap_or_default();
            self.flow.relay.fail(code, message, &id, &mut self.scratch);
            self.ready.extend(self.scratch.drain(..));
        }
    }

    fn finish(&mut self, outcome: Outcome, reason: &'static str, metered: &Metered) {
        self.flow.body = None;
        if let Some(mut ticket) = self.ticket.take() {
            ticket.answer_findings(&self.findings);
            ticket.finish(self.status, outcome, reason, metered);
        }
    }

    /// Nobody takes the rest: cancels upstream by dropping its body, or reads on for the usage.
    fn leave(&mut self, outcome: Outcome, reason: &'static str) {
        let Some(mut ticket) = self.ticket.take() else { return };
        self.flow.relay.abandon();
        ticket.answer_findings(&self.findings);
        let status = self.status;
        let metered = self.flow.relay.metered().clone();
        let drains = self.on_abort == OnAbort::Drain && !metered.usage_is_final;
        let runtime = tokio::runtime::Handle::try_current();
        match (self.flow.body.take(), runtime) {
            (Some(body), Ok(runtime)) if drains => {
                let coding = std::mem::replace(&mut self.flow.coding, Coding::Opaque);
                let idle = Relay::new(Framing::Events, WireKind::Chat, false, None);
                let mut relay = std::mem::replace(&mut self.flow.relay, idle);
                relay.only_meter();
                let flow = Flow { body: Some(body), relay, coding };
                runtime.spawn(async move {
                    let metered = flow.drain().await;
                    ticket.finish(status, outcome, reason, &metered);
                });
            }
            _ => ticket.finish(status, outcome, reason, &metered),
        }
    }
}

/// The client went away; or it has all that it waited for, and does not read to the end.
impl Drop for StreamBody {
    fn drop(&mut self) {
        let metered = self.flow.relay.metered();
        let has_all = metered.complete && metered.usage_is_final && self.ready.is_empty();
        if has_all && self.ticket.is_some() {
            let metered = metered.clone();
            let (outcome, reason) = ended(&metered);
            return self.finish(outcome, reason, &metered);
        }
        self.leave(Outcome::Aborted, "client_gone");
    }
}

/// What became of a stream that came to its end.
const fn ended(metered: &Metered) -> (Outcome, &'static str) {
    match (&metered.error, metered.complete) {
        (Some(_), _) => (Outcome::UpstreamError, "stream_error"),
        (None, true) => (Outcome::Ok, "ok"),
        (None, false) => (Outcome::Ok, "unmarked_end"),
    }
}

impl Flow {
    /// Reads a stream to its end for its usage alone, within limits.
    async fn drain(mut self) -> Metered {
        // Out of time: what was metered until then has to do.
        let _ = tokio::time::timeout(DRAIN_TIME, self.read_on()).await;
        self.relay.metered().clone()
    }

    async fn read_on(&mut self) {
        let Some(body) = &mut self.body else { return };
        let mut left = DRAIN_BYTES;
        let mut sink = Vec::new();
        while let Some(Ok(frame)) = body.frame().await {
            let Ok(data) = frame.into_data() else { continue };
            left = left.saturating_sub(data.len());
            let data = match &mut self.coding {
                Coding::Plain => data,
                Coding::Aside(decoder) | Coding::Inline(decoder) => {
                    decoder.push(&data).unwrap_or_default()
                }
                Coding::Opaque => return,
            };
            if left == 0 || self.relay.push(data, &mut sink).is_err() {
                return;
            }
            sink.clear();
            if self.relay.metered().usage_is_final {
                return;
            }
        }
        // Nothing is edited any more, so nothing can be refused.
        let _ = self.relay.finish(&mut sink);
    }
}

impl Coding {
    fn of(headers: &http::HeaderMap, edited: bool, cap: usize) -> Self {
        let Some(header) = headers.get(header::CONTENT_ENCODING) else { return Self::Plain };
        // A stream may be longer than a body: the cap is on one run of zeros, not on talking.
        let cap = cap.saturating_mul(16);
        let decoder = header.to_str().ok().map(Encoding::parse);
        match decoder {
            Some(Ok(Encoding::Identity)) => Self::Plain,
            Some(Ok(encoding)) => match Decoder::new(encoding, cap) {
                Ok(decoder) if edited => Self::Inline(decoder),
                Ok(decoder) => Self::Aside(decoder),
                Err(_) => Self::Opaque,
            },
            _ => Self::Opaque,
        }
    }
}
