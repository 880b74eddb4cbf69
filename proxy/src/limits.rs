//! Rate limits: calls per minute, tokens per minute, calls at once.
//!
//! A [`Gate`] holds one set of limits, for one agent or one upstream. The rates are governor's
//! (GCRA: no timer, no lock across an await); parallel calls are counted by a slot that frees
//! itself on drop.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use iron_policy::config::Limits;
use iron_policy::types::Name;

/// More names than this are not remembered at once: names come from callers.
const MAX_AGENTS: usize = 10_000;

/// One set of limits and how much of it is used.
#[derive(Debug)]
pub struct Gate {
    limits: Limits,
    requests: Option<DefaultDirectRateLimiter>,
    tokens: Option<DefaultDirectRateLimiter>,
    open: AtomicU32,
}

/// Which limit a call met, and when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Limited {
    /// Too many calls in a minute.
    #[error("{limit} requests per minute are allowed")]
    Requests {
        /// The limit.
        limit: u32,
        /// When the next call fits.
        wait: Duration,
    },
    /// Too many tokens in a minute.
    #[error("{limit} tokens per minute are allowed")]
    Tokens {
        /// The limit.
        limit: u32,
        /// When this call fits.
        wait: Duration,
    },
    /// Too many calls at once.
    #[error("{limit} parallel calls are allowed")]
    Parallel {
        /// The limit.
        limit: u32,
    },
}

impl Limited {
    /// When to come back.
    pub const fn wait(&self) -> Duration {
        match self {
            Self::Requests { wait, .. } | Self::Tokens { wait, .. } => *wait,
            // Nobody knows when a call ends; a second is short enough and not a busy loop.
            Self::Parallel { .. } => Duration::from_secs(1),
        }
    }

    /// The reason in records and metrics.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Requests { .. } => "rate_limit_requests",
            Self::Tokens { .. } => "rate_limit_tokens",
            Self::Parallel { .. } => "rate_limit_parallel",
        }
    }
}

/// One of the parallel calls. Freed on drop.
#[derive(Debug)]
pub struct Slot(Option<Arc<Gate>>);

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(gate) = &self.0 {
            gate.open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Gate {
    /// A gate with nothing used yet.
    pub fn new(limits: Limits) -> Self {
        let per_minute = |limit: Option<NonZeroU32>| {
            limit.map(|limit| RateLimiter::direct(Quota::per_minute(limit)))
        };
        Self {
            limits,
            requests: per_minute(limits.requests_per_minute),
            tokens: per_minute(limits.tokens_per_minute),
            open: AtomicU32::new(0),
        }
    }

    /// Lets one call in, or says which limit it met.
    pub fn enter(self: &Arc<Self>) -> Result<Slot, Limited> {
        let slot = match self.limits.parallel {
            None => Slot(None),
            Some(limit) => {
                let limit = limit.get();
                let fits = |open: u32| (open < limit).then_some(open + 1);
                self.open
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
                    .map_err(|_| Limited::Parallel { limit })?;
                Slot(Some(Arc::clone(self)))
            }
        };
        if let (Some(limiter), Some(limit)) = (&self.requests, self.limits.requests_per_minute) {
            limiter.check().map_err(|until| Limited::Requests {
                limit: limit.get(),
                wait: until.wait_time_from(DefaultClock::default().now()),
            })?;
        }
        Ok(slot)
    }

    /// Takes a call's estimated tokens from the minute's allowance.
    ///
    /// A call larger than a whole minute's allowance takes all of it rather than never fitting.
    pub fn take_tokens(&self, tokens: u64) -> Result<(), Limited> {
        let (Some(limiter), Some(limit)) = (&self.tokens, self.limits.tokens_per_minute) else {
            return Ok(());
        };
        let wanted = u32::try_from(tokens).unwrap_or(u32::MAX).clamp(1, limit.get());
        let Some(wanted) = NonZeroU32::new(wanted) else { return Ok(()) };
        match limiter.check_n(wanted) {
            Ok(Err(until)) => Err(Limited::Tokens {
                limit: limit.get(),
                wait: until.wait_time_from(DefaultClock::default().now()),
            }),
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }

    /// True where nothing is limited.
    fn is_open(&self) -> bool {
        self.limits == Limits::default()
    }

    fn is_idle(self: &Arc<Self>) -> bool {
        self.open.load(Ordering::Relaxed) == 0 && Arc::strong_count(self) == 1
    }
}

/// The gates of all agents.
#[derive(Debug)]
pub struct AgentGates {
    common: Arc<Gate>,
    gates: Mutex<HashMap<Name, Arc<Gate>>>,
}

impl AgentGates {
    /// Gates for agents under these common limits.
    pub fn new(common: Limits) -> Self {
        Self { common: Arc::new(Gate::new(common)), gates: Mutex::default() }
    }

    /// The gate of an agent; `own` are its limits where it has some of its own.
    pub fn of(&self, agent: &Name, own: Option<Limits>) -> Arc<Gate> {
        if own.is_none() && self.common.is_open() {
            return Arc::clone(&self.common);
        }
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(agent) {
            return Arc::clone(gate);
        }
        if gates.len() >= MAX_AGENTS {
            gates.retain(|_, gate| !gate.is_idle());
        }
        let gate = Arc::new(Gate::new(own.unwrap_or(self.common.limits)));
        gates.insert(agent.clone(), Arc::clone(&gate));
        gate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(requests: u32, tokens: u32, parallel: u32) -> Arc<Gate> {
        Arc::new(Gate::new(Limits {
            requests_per_minute: NonZeroU32::new(requests),
            tokens_per_minute: NonZeroU32::new(tokens),
            parallel: NonZeroU32::new(parallel),
        }))
    }

    #[test]
    fn a_slot_is_freed_on_drop() {
        let gate = gate(0, 0, 2);
        let first = gate.enter().unwrap();
        let _second = gate.enter().unwrap();
        assert_eq!(gate.enter().unwrap_err(), Limited::Parallel { limit: 2 });
        drop(first);
        assert!(gate.enter().is_ok());
    }

    #[test]
    fn the_call_after_the_last_of_a_minute_is_told_when_to_come_back() {
        let gate = gate(3, 0, 0);
        for _ in 0..3 {
            assert!(gate.enter().is_ok());
        }
        let limited = gate.enter().unwrap_err();
        assert_eq!(limited.reason(), "rate_limit_requests");
        assert!(limited.wait() > Duration::ZERO && limited.wait() <= Duration::from_secs(20));
    }

    #[test]
    fn a_refused_call_gives_its_slot_back() {
        let gate = gate(1, 0, 1);
        drop(gate.enter().unwrap());
        assert_eq!(gate.enter().unwrap_err().reason(), "rate_limit_requests");
        assert_eq!(gate.open.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_call_larger_than_the_minute_takes_the_whole_minute() {
        let gate = gate(0, 100, 0);
        assert!(gate.take_tokens(5_000).is_ok());
        assert!(matches!(gate.take_tokens(1), Err(Limited::Tokens { limit: 100, .. })));
    }

    #[test]
    fn agents_do_not_share_a_gate() {
        let gates = AgentGates::new(Limits { parallel: NonZeroU32::new(1), ..Limits::default() });
        let (a, b) = ("a".parse().unwrap(), "b".parse().unwrap());
        let _held = gates.of(&a, None).enter().unwrap();
        assert!(gates.of(&a, None).enter().is_err());
        assert!(gates.of(&b, None).enter().is_ok());
    }
}
