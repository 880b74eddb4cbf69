//! The body of an answer that is passed on as it comes, from a host that is no upstream's.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use iron_policy::types::Outcome;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::Ticket;
use crate::body::Broken;
use crate::connect::Hider;
use crate::stops::Leave;
use crate::stream::Metered;

/// An answer on its way. Dropped before its end, the call is on record as aborted.
#[derive(Debug)]
pub struct OtherBody {
    body: Incoming,
    patience: Duration,
    silent: Pin<Box<Sleep>>,
    hider: Option<Hider>,
    /// Whether secrets are looked for in the body too, and not in its trailers alone.
    text: bool,
    /// Trailers that wait for what was held back of the body.
    trailers: Option<HeaderMap>,
    /// Until the call is on record.
    ticket: Option<Ticket>,
    status: StatusCode,
    /// Ready once the agent is stopped.
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
    leave: Leave,
}

impl OtherBody {
    /// `patience` is how long the host may be silent. `hider` takes secrets out of the trailers,
    /// and out of the body where it is `text`.
    pub(super) fn new(
        body: Incoming,
        patience: Duration,
        hider: Option<Hider>,
        text: bool,
        ticket: Ticket,
        status: StatusCode,
        leave: &Leave,
    ) -> Self {
        let stopped = Box::pin(leave.cancelled_owned());
        let silent = Box::pin(tokio::time::sleep(patience));
        let (text, ticket) = (text && hider.is_some(), Some(ticket));
        let leave = leave.clone();
        Self { body, patience, silent, hider, text, trailers: None, ticket, status, stopped, leave }
    }

    fn end(&mut self, outcome: Outcome, reason: &'static str) {
        if let Some(ticket) = self.ticket.take() {
            ticket.finish(self.status, outcome, reason, &Metered::default());
        }
    }

    /// What is still held back, once.
    fn rest(&mut self) -> Option<Bytes> {
        let hider = self.hider.as_mut().filter(|_| std::mem::take(&mut self.text));
        hider.map(Hider::finish).filter(|rest| !rest.is_empty()).map(Bytes::from)
    }
}

impl Body for OtherBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        if this.ticket.is_some() && this.stopped.as_mut().poll(context).is_ready() {
            let why = this.leave.why();
            this.end(Outcome::Aborted, why.reason());
            return Poll::Ready(Some(Err(Broken)));
        }
        if let Some(trailers) = this.trailers.take() {
            this.end(Outcome::Ok, "ok");
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        loop {
            let Poll::Ready(next) = Pin::new(&mut this.body).poll_frame(context) else {
                ready!(this.silent.as_mut().poll(context));
                this.end(Outcome::Failed, "connect_answer");
                return Poll::Ready(Some(Err(Broken)));
            };
            this.silent.as_mut().reset(Instant::now() + this.patience);
            let frame = match next {
                None => {
                    let rest = this.rest();
                    if rest.is_none() {
                        this.end(Outcome::Ok, "ok");
                    }
                    return Poll::Ready(rest.map(|rest| Ok(Frame::data(rest))));
                }
                // Not a clean end: the agent must not take half an answer for a whole one.
                Some(Err(_)) => {
                    this.end(Outcome::Failed, "connect_answer");
                    return Poll::Ready(Some(Err(Broken)));
                }
                Some(Ok(frame)) => frame,
            };
            if this.body.is_end_stream() && !this.text {
                this.end(Outcome::Ok, "ok");
            }
            let Some(hider) = &mut this.hider else { return Poll::Ready(Some(Ok(frame))) };
            let data = match frame.into_data() {
                Ok(data) if this.text => hider.push(&data),
                Ok(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Err(frame) => {
                    let Ok(mut trailers) = frame.into_trailers() else { continue };
                    hider.headers(&mut trailers);
                    // Trailers come last.
                    if let Some(rest) = this.rest() {
                        this.trailers = Some(trailers);
                        return Poll::Ready(Some(Ok(Frame::data(rest))));
                    }
                    this.end(Outcome::Ok, "ok");
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
            };
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(data.into()))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        !self.text && self.trailers.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.text { SizeHint::default() } else { self.body.size_hint() }
    }
}

impl Drop for OtherBody {
    fn drop(&mut self) {
        // An answer without a body is never asked for a part of it.
        if self.body.is_end_stream() {
            self.end(Outcome::Ok, "ok");
        }
    }
}
