//! The connections that agents made through the proxy: which are open, and how the latest ended.
//!
//! Whom they led to, how many bytes passed, how long they took; never what passed. In memory, the
//! latest few: what was spent and found is with the calls, in the state.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use iron_policy::types::Name;
use serde_json::{Value, json};

use super::target::Target;
use crate::metrics::Metrics;
use crate::shared::unix_ms;

/// Connections that are open at once. Each takes two files of the process.
pub const MOST_OPEN: usize = 1_000;

/// Ended connections that are remembered.
const REMEMBERED: usize = 100;

/// The outcome of what was no connection.
const FORGOTTEN: &str = "";

/// All connections through one proxy.
#[derive(Debug, Default)]
pub struct Connections {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    open: Vec<Arc<Facts>>,
    ended: VecDeque<Value>,
}

/// What is done with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handling {
    /// Bytes pass unread.
    Tunnel,
    /// TLS, or plain HTTP, ends at the proxy.
    Intercept,
    /// Nothing passes.
    Refuse,
}

impl Handling {
    const fn name(self) -> &'static str {
        match self {
            Self::Tunnel => "tunnel",
            Self::Intercept => "intercept",
            Self::Refuse => "refuse",
        }
    }
}

/// What is known of a connection.
#[derive(Debug)]
struct Facts {
    target: Target,
    agent: Name,
    handling: Handling,
    since_ms: i64,
    begun: Instant,
    /// Bytes from the agent.
    sent: AtomicU64,
    /// Bytes to the agent.
    received: AtomicU64,
    /// Microseconds from `begun` to the latest byte.
    latest: AtomicU64,
}

/// A connection that is open; on record when it is dropped.
#[derive(Debug)]
pub struct Connection {
    facts: Arc<Facts>,
    log: Arc<Connections>,
    metrics: Arc<Metrics>,
    outcome: &'static str,
}

impl Connections {
    /// Notes a connection that opens; none where too many are open.
    pub fn open(
        self: &Arc<Self>,
        metrics: &Arc<Metrics>,
        target: &Target,
        agent: &Name,
        handling: Handling,
    ) -> Option<Connection> {
        let facts = Arc::new(Facts {
            target: target.clone(),
            agent: agent.clone(),
            handling,
            since_ms: unix_ms(),
            begun: Instant::now(),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            latest: AtomicU64::new(0),
        });
        let mut inner = self.lock();
        if handling != Handling::Refuse {
            if inner.open.len() >= MOST_OPEN {
                return None;
            }
            inner.open.push(Arc::clone(&facts));
        }
        drop(inner);
        let (log, metrics) = (Arc::clone(self), Arc::clone(metrics));
        Some(Connection { facts, log, metrics, outcome: "aborted" })
    }

    /// How many are open, and the latest, newest first: the open ones, then those that ended.
    pub fn shown(&self) -> Value {
        let inner = self.lock();
        let open = inner.open.iter().rev().take(REMEMBERED).map(|facts| facts.shown("open"));
        json!({
            "open": inner.open.len(),
            "latest": open.chain(inner.ended.iter().cloned()).take(REMEMBERED).collect::<Vec<_>>(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Facts {
    fn shown(&self, outcome: &str) -> Value {
        json!({
            "unix_ms": self.since_ms,
            "host": self.target.host,
            "port": self.target.port,
            "agent": self.agent.as_str(),
            "handling": self.handling.name(),
            "outcome": outcome,
            "bytes_from_agent": self.sent.load(Ordering::Relaxed),
            "bytes_to_agent": self.received.load(Ordering::Relaxed),
            "ms": self.begun.elapsed().as_millis() as u64,
        })
    }

    fn touch(&self) {
        self.latest.store(self.begun.elapsed().as_micros() as u64, Ordering::Relaxed);
    }
}

impl Connection {
    /// Says how it ends; without, it was aborted.
    pub const fn ends(&mut self, outcome: &'static str) {
        self.outcome = outcome;
    }

    /// Takes it off the record: it was not made.
    pub fn forget(mut self) {
        self.outcome = FORGOTTEN;
    }

    /// What counts its bytes.
    pub fn meter(&self) -> Meter {
        Meter(Arc::clone(&self.facts))
    }

    /// How long no byte has passed.
    pub fn silent_for(&self) -> Duration {
        let latest = Duration::from_micros(self.facts.latest.load(Ordering::Relaxed));
        self.facts.begun.elapsed().saturating_sub(latest)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let facts = &self.facts;
        if self.outcome == FORGOTTEN {
            self.log.lock().open.retain(|open| !Arc::ptr_eq(open, facts));
            return;
        }
        let (sent, received) =
            (facts.sent.load(Ordering::Relaxed), facts.received.load(Ordering::Relaxed));
        let handling = facts.handling.name();
        self.metrics.connection(handling, self.outcome, sent, received);
        if facts.handling != Handling::Refuse {
            // Why one is refused is said by whoever refuses it.
            tracing::info!(
                target = %facts.target,
                agent = %facts.agent,
                outcome = self.outcome,
                bytes_from_agent = sent,
                bytes_to_agent = received,
                ms = facts.begun.elapsed().as_millis() as u64,
                "{handling}"
            );
        }
        let mut inner = self.log.lock();
        inner.open.retain(|open| !Arc::ptr_eq(open, facts));
        inner.ended.push_front(facts.shown(self.outcome));
        inner.ended.truncate(REMEMBERED);
    }
}

/// Counts the bytes of a connection.
#[derive(Clone, Debug)]
pub struct Meter(Arc<Facts>);

impl Meter {
    /// These many came from the agent.
    pub fn sent(&self, bytes: usize) {
        self.0.sent.fetch_add(bytes as u64, Ordering::Relaxed);
        self.0.touch();
    }

    /// These many went to the agent.
    pub fn received(&self, bytes: usize) {
        self.0.received.fetch_add(bytes as u64, Ordering::Relaxed);
        self.0.touch();
    }
}
