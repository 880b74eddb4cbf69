//! What the provider remembers: the calls it received, the bill, and how calls ended.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use hyper::body::Bytes;
use hyper::{HeaderMap, Method};
use tokio::sync::watch;

use super::bill::{Bill, Billed, Model, Usage};

/// A call as the provider saw it.
#[derive(Clone, Debug)]
pub struct Received {
    /// The HTTP method.
    pub method: Method,
    /// The path, with its query.
    pub path: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// When the body was complete.
    pub at: SystemTime,
}

impl Received {
    /// The body as text, what is not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// How many calls have come and gone. Every received call ends as answered or as cancelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that arrived whole.
    pub received: u64,
    /// Calls that ended as ordered: an answer, a refusal, or a mishap that the provider caused.
    pub answered: u64,
    /// Calls that the client left before that.
    pub cancelled: u64,
}

const CALLS_KEPT: usize = 1_000;
const BODY_BYTES_KEPT: usize = 64 << 20;
const BILLED_KEPT: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Records {
    books: Mutex<Books>,
    counts: watch::Sender<Counts>,
}

#[derive(Debug, Default)]
struct Books {
    calls: VecDeque<Received>,
    body_bytes: usize,
    total_nano_usd: i64,
    billed: VecDeque<Billed>,
}

impl Records {
    /// Remembers a call and returns its number, counted from 1.
    pub(super) fn receive(&self, call: Received) -> u64 {
        let mut books = self.books();
        books.body_bytes += call.body.len();
        books.calls.push_back(call);
        while books.calls.len() > CALLS_KEPT
            || (books.body_bytes > BODY_BYTES_KEPT && books.calls.len() > 1)
        {
            let gone = books.calls.pop_front().map_or(0, |call| call.body.len());
            books.body_bytes -= gone;
        }
        // Counted under the lock, so that numbers follow the order of the list.
        self.count(|counts| counts.received += 1).received
    }

    pub(super) fn charge(&self, request_id: String, name: String, model: &Model, usage: Usage) {
        let nano_usd = model.charge(&usage);
        let mut books = self.books();
        books.total_nano_usd = books.total_nano_usd.saturating_add(nano_usd);
        if books.billed.len() == BILLED_KEPT {
            books.billed.pop_front();
        }
        books.billed.push_back(Billed { request_id, model: name, usage, nano_usd });
    }

    /// Charges for the requests of a batch that one model answered: half, rounded up once.
    pub(super) fn charge_batch(&self, id: String, name: String, model: &Model, usages: &[Usage]) {
        let mut books = self.books();
        let nano_usd = model.charge_batch(usages);
        books.total_nano_usd = books.total_nano_usd.saturating_add(nano_usd);
        let usage = usages.first().copied().unwrap_or_default();
        books.billed.push_back(Billed { request_id: id, model: name, usage, nano_usd });
    }

    pub(super) fn answered(&self) {
        self.count(|counts| counts.answered += 1);
    }

    pub(super) fn cancelled(&self) {
        self.count(|counts| counts.cancelled += 1);
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.books().calls.iter().cloned().collect()
    }

    pub(super) fn bill(&self) -> Bill {
        let books = self.books();
        Bill {
            total_nano_usd: books.total_nano_usd,
            by_call: books.billed.iter().cloned().collect(),
        }
    }

    pub(super) fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    pub(super) async fn until(&self, reached: impl Fn(&Counts) -> bool) -> Counts {
        let mut changes = self.counts.subscribe();
        // The sender lives in `self`, so the channel cannot close while this waits.
        let counts = changes.wait_for(reached).await.map(|counts| *counts);
        counts.unwrap_or_else(|_| self.counts())
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) -> Counts {
        let mut now = Counts::default();
        self.counts.send_modify(|counts| {
            change(counts);
            now = *counts;
        });
        now
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
