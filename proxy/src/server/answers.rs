//! The answers of one connection, and whether the peer takes them.
//!
//! Over HTTP/1.1 a peer that takes nothing stops the connection's writes, which are timed. Over
//! HTTP/2 it may hold back a single stream by giving it no window, and answer pings meanwhile:
//! nothing would ever end that call, its reservation and its connection to the provider. So every
//! body notes since when it has something that nobody fetches, and the connection looks at them
//! now and then. What waits in h2's own buffer counts as taken. A body that is cut is dropped, which ends its call as if the client had left.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::body::{Body, Broken};

/// The answers that a connection has begun and not ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers(Arc<Mutex<Vec<Weak<Held>>>>);

/// How the answers of a connection stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// There are none.
    None,
    /// At least one is made or taken.
    Moving,
    /// All that there are were cut.
    Stuck,
}

/// A call, from its request to the end of its answer.
#[derive(Debug, Default)]
pub(super) struct Held {
    body: Mutex<State>,
    /// Apart from the body, which keeps it as its waker: else each would hold the other for ever.
    signal: Arc<Signal>,
    /// Whether a body that nobody takes is cut.
    timed: bool,
}

#[derive(Debug, Default)]
struct Signal {
    /// Since when the body has something, or is about to, and nobody asks for it.
    ready: Mutex<Option<Instant>>,
    /// Who waits for the body.
    waiting: Mutex<Option<Waker>>,
}

#[derive(Debug, Default)]
enum State {
    /// The answer is still being made.
    #[default]
    Made,
    Taken(Body),
    /// Nobody took it.
    Cut,
}

/// A body that its connection can cut.
#[derive(Debug)]
pub(super) struct Attended(Arc<Held>);

/// Why a body ends early.
#[derive(Debug, thiserror::Error)]
pub(super) enum EarlyEnd {
    #[error("the client took nothing of its answer for too long")]
    NotTaken,
    #[error(transparent)]
    Broken(#[from] Broken),
}

impl Answers {
    /// A call that begins; its answer can be cut where `timed`.
    pub(super) fn begin(&self, timed: bool) -> Arc<Held> {
        let held = Arc::new(Held { timed, ..Held::default() });
        let mut open = lock(&self.0);
        open.retain(|held| held.strong_count() > 0);
        open.push(Arc::downgrade(&held));
        held
    }

    /// Cuts what nobody has taken anything of for `limit`.
    pub(super) fn look(&self, limit: Duration) -> Standing {
        let open: Vec<_> = lock(&self.0).iter().filter_map(Weak::upgrade).collect();
        let stuck = open.iter().filter(|held| held.cut_after(limit)).count();
        match stuck {
            _ if open.is_empty() => Standing::None,
            _ if stuck == open.len() => Standing::Stuck,
            _ => Standing::Moving,
        }
    }
}

impl Held {
    /// The answer, attended from now on.
    pub(super) fn attend(self: Arc<Self>, answer: Response<Body>) -> Response<Attended> {
        let (head, body) = answer.into_parts();
        *lock(&self.body) = State::Taken(body);
        *lock(&self.signal.ready) = Some(Instant::now());
        Response::from_parts(head, Attended(self))
    }

    /// Cuts the body where it waits for longer than `limit`; true where it is cut now.
    fn cut_after(&self, limit: Duration) -> bool {
        let late =
            self.timed && lock(&self.signal.ready).is_some_and(|since| since.elapsed() >= limit);
        let mut state = lock(&self.body);
        if late && matches!(*state, State::Taken(_)) {
            let body = std::mem::replace(&mut *state, State::Cut);
            drop(state);
            tracing::debug!(?limit, "a client takes nothing of its answer, which is cut");
            drop(body);
            return true;
        }
        matches!(*state, State::Cut)
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        lock(&self.ready).get_or_insert_with(Instant::now);
        let waiting = lock(&self.waiting).take();
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

impl HttpBody for Attended {
    type Data = Bytes;
    type Error = EarlyEnd;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EarlyEnd>>> {
        let held = &self.0;
        let mut state = lock(&held.body);
        let State::Taken(body) = &mut *state else {
            return Poll::Ready(Some(Err(EarlyEnd::NotTaken)));
        };
        *lock(&held.signal.waiting) = Some(context.waker().clone());
        *lock(&held.signal.ready) = None;
        let waker = Waker::from(Arc::clone(&held.signal));
        let polled = Pin::new(body).poll_frame(&mut Context::from_waker(&waker));
        drop(state);
        if polled.is_ready() {
            *lock(&held.signal.ready) = Some(Instant::now());
        }
        polled.map(|next| next.map(|frame| frame.map_err(EarlyEnd::from)))
    }

    fn is_end_stream(&self) -> bool {
        match &*lock(&self.0.body) {
            State::Taken(body) => body.is_end_stream(),
            _ => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &*lock(&self.0.body) {
            State::Taken(body) => body.size_hint(),
            _ => SizeHint::default(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::ZERO;
    const NEVER: Duration = Duration::from_hours(1);

    fn poll(body: &mut Attended) -> Poll<Option<Result<Frame<Bytes>, EarlyEnd>>> {
        Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_body_is_cut_only_while_nobody_takes_it() {
        let answers = Answers::default();
        assert_eq!(answers.look(SOON), Standing::None);
        let held = answers.begin(true);
        assert_eq!(answers.look(SOON), Standing::Moving, "what is being made is not cut");
        let mut taken = held.attend(Response::new(Body::from("x".to_owned()))).into_body();
        assert_eq!(answers.look(NEVER), Standing::Moving);
        assert!(matches!(poll(&mut taken), Poll::Ready(Some(Ok(_)))));
        assert!(matches!(poll(&mut taken), Poll::Ready(None)));
        drop(taken);
        assert_eq!(answers.look(SOON), Standing::None);

        let mut left =
            answers.begin(true).attend(Response::new(Body::from("x".to_owned()))).into_body();
        let moving = answers.begin(true);
        assert_eq!(answers.look(SOON), Standing::Moving, "another call goes on");
        assert!(matches!(poll(&mut left), Poll::Ready(Some(Err(EarlyEnd::NotTaken)))));
        drop(moving);
        assert_eq!(answers.look(NEVER), Standing::Stuck);
        let held = answers.begin(false);
        let _not_timed = held.attend(Response::new(Body::from("x".to_owned())));
        assert_eq!(answers.look(SOON), Standing::Moving);
    }

    #[test]
    fn a_provider_that_is_silent_is_no_fault_of_the_client() {
        let answers = Answers::default();
        let held = answers.begin(true);
        let body = held.attend(Response::new(Body::from("x".to_owned()))).into_body();
        // As after a poll that found nothing yet.
        *lock(&body.0.signal.ready) = None;
        assert_eq!(answers.look(SOON), Standing::Moving);
        Waker::from(Arc::clone(&body.0.signal)).wake();
        assert_eq!(answers.look(NEVER), Standing::Moving);
        assert_eq!(answers.look(SOON), Standing::Stuck);
    }
}
