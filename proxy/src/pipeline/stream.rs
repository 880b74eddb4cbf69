//! Step 9 for streams: each event goes on as soon as it is there; the end settles the call.
//!
//! A stream ends in one of three ways, and all of them end the [`Ticket`]: the upstream ends it,
//! the upstream breaks or falls silent (an error event of the stream's dialect follows), or the
//! client goes away and hyper drops the body.

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
use iron_policy::redact::{Restorer, Vault};
use iron_policy::types::Outcome;
use tokio::time::{Instant, Sleep};

use super::Ticket;
use super::forward::Answered;
use super::relay::wire_kind;
use crate::body::Body;
use crate::live::Live;
use crate::stream::encoding::{Decoder, Encoding};
use crate::stream::{Metered, Restore, Restorers, StreamRelay, WireKind};

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
    /// None once the call has ended.
    ticket: Option<Ticket>,
}

/// What comes from the upstream, and what reads it.
struct Flow {
    /// None once the stream has ended, and where it went on into a drain.
    body: Option<Incoming>,
    relay: StreamRelay<VaultRestorers>,
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
    pub(super) fn answer(live: &Arc<Live>, answered: Answered) -> Response<Body> {
        let Answered { ticket, upstream, answer, endpoint, vault, hide_usage, .. } = answered;
        let (mut head, body) = answer.into_parts();
        let kind = wire_kind(endpoint, upstream.config.dialect);
        let restorers = (!vault.is_empty()).then(|| VaultRestorers(vault));
        let edited = hide_usage || restorers.is_some();
        let coding = Coding::of(&head.headers, edited, live.policy.proxy.max_body);
        if edited {
            head.headers.remove(header::CONTENT_LENGTH);
            head.headers.remove(header::CONTENT_ENCODING);
        }
        let idle = upstream.config.idle_timeout;
        let stream = Self {
            flow: Flow {
                body: Some(body),
                relay: StreamRelay::new(kind, hide_usage, restorers),
                coding,
            },
            ready: VecDeque::new(),
            scratch: Vec::new(),
            silence: Box::pin(tokio::time::sleep(idle)),
            idle,
            moved: false,
            status: head.status,
            on_abort: live.policy.proxy.on_abort,
            ticket: Some(ticket),
        };
        Response::from_parts(head, Body::Stream(Box::new(stream)))
    }

    /// The next bytes for the client; none at the end.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Poll::Ready(Some(bytes));
            }
            let Some(body) = &mut self.flow.body else { return Poll::Ready(None) };
            match Pin::new(body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.moved = true;
                    if let Ok(data) = frame.into_data() {
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
                let read = decoded.and_then(|data| relay.push(data, &mut self.scratch).ok());
                if read.is_none() {
                    // The client can still read what the meter cannot; charged whole.
                    *coding = Coding::Opaque;
                }
                self.scratch.clear();
                return;
            }
        };
        let pushed = readable.map_err(|error| error.to_string()).and_then(|data| {
            relay.push(data, &mut self.scratch).map_err(|error| error.to_string())
        });
        self.ready.extend(self.scratch.drain(..));
        if let Err(error) = pushed {
            tracing::warn!(%error, "a stream cannot be edited any further");
            self.fail("upstream_answer", "the answer cannot be read any further");
        }
    }

    /// The upstream ended its stream.
    fn end(&mut self) {
        let metered = self.flow.relay.finish(&mut self.scratch);
        if matches!(self.flow.coding, Coding::Aside(_) | Coding::Opaque) {
            self.scratch.clear();
        }
        self.ready.extend(self.scratch.drain(..));
        let (outcome, reason) = match (&metered.error, metered.complete) {
            (Some(_), _) => (Outcome::UpstreamError, "stream_error"),
            (None, true) => (Outcome::Ok, "ok"),
            (None, false) => (Outcome::Ok, "unmarked_end"),
        };
        self.finish(outcome, reason, &metered);
    }

    /// The stream cannot go on: what is held back, then an error event, then the end.
    fn fail(&mut self, reason: &'static str, message: &str) {
        if matches!(self.flow.coding, Coding::Plain | Coding::Inline(_)) {
            let id = self.ticket.as_ref().map(|ticket| ticket.id().to_string()).unwrap_or_default();
            self.flow.relay.fail(reason, message, &id, &mut self.scratch);
            self.ready.extend(self.scratch.drain(..));
        }
        let metered = self.flow.relay.metered().clone();
        self.finish(Outcome::Failed, reason, &metered);
    }

    fn finish(&mut self, outcome: Outcome, reason: &'static str, metered: &Metered) {
        self.flow.body = None;
        if let Some(ticket) = self.ticket.take() {
            ticket.finish(self.status, outcome, reason, metered);
        }
    }
}

/// The client went away: cancel upstream by dropping its body, or read on for the usage.
impl Drop for StreamBody {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket.take() else { return };
        let status = self.status;
        let metered = self.flow.relay.metered().clone();
        let drains = self.on_abort == OnAbort::Drain && !metered.usage_is_final;
        let runtime = tokio::runtime::Handle::try_current();
        match (self.flow.body.take(), runtime) {
            (Some(body), Ok(runtime)) if drains => {
                let coding = std::mem::replace(&mut self.flow.coding, Coding::Opaque);
                let idle = StreamRelay::new(WireKind::Chat, false, None);
                let relay = std::mem::replace(&mut self.flow.relay, idle);
                let flow = Flow { body: Some(body), relay, coding };
                runtime.spawn(async move {
                    let metered = flow.drain().await;
                    ticket.finish(status, Outcome::Aborted, "client_gone", &metered);
                });
            }
            _ => ticket.finish(status, Outcome::Aborted, "client_gone", &metered),
        }
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
        self.relay.finish(&mut sink);
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

/// Makes the restorers of one answer from its session's vault.
pub(super) struct VaultRestorers(pub(super) Arc<Vault>);

impl Restorers for VaultRestorers {
    type R = Restorer;

    fn plain(&self) -> Restorer {
        Restorer::new(Arc::clone(&self.0))
    }

    fn json(&self) -> Restorer {
        Restorer::in_json(Arc::clone(&self.0), 1)
    }
}

impl Restore for Restorer {
    fn push(&mut self, text: &str, out: &mut String) {
        Self::push(self, text, out);
    }

    fn finish(&mut self, out: &mut String) {
        Self::finish(self, out);
    }
}
