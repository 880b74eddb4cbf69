//! The circuit breaker of an upstream: a pure state machine over (state, event, now).
//!
//! closed = traffic flows, open = refused, half-open = probing. It opens after so many failures in
//! a row, or when too large a share of the calls in a sliding window failed. It stays open for a
//! time that doubles with each failed probing, with jitter so that many proxies do not come back
//! in the same instant. Half-open lets exactly [`Settings::probes`] calls through; when all of
//! them succeed it closes, when one fails it opens again.
//!
//! A call's result counts only in the period in which the call was admitted: an answer that was
//! under way when the breaker opened cannot close it.

mod window;

use std::time::Duration;

use serde::Deserialize;

use window::Window;

/// When a breaker opens and for how long. All of it can be set under `[breaker]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Failures in a row that open it.
    pub consecutive_failures: u32,
    /// Percentage of failed calls in the window that opens it.
    pub failure_rate: u8,
    /// The window's length.
    #[serde(deserialize_with = "crate::config::duration")]
    pub window: Duration,
    /// Calls in the window below which the percentage says nothing.
    pub minimum_calls: u32,
    /// How long it stays open the first time.
    #[serde(deserialize_with = "crate::config::duration")]
    pub open_for: Duration,
    /// How long it stays open at most, before jitter.
    #[serde(deserialize_with = "crate::config::duration")]
    pub open_for_max: Duration,
    /// Calls let through while half-open.
    pub probes: u32,
    /// Whether an upstream's 429 counts as a failure.
    pub count_429: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            failure_rate: 50,
            window: Duration::from_secs(30),
            minimum_calls: 20,
            open_for: Duration::from_secs(5),
            open_for_max: Duration::from_mins(1),
            probes: 1,
            count_429: false,
        }
    }
}

/// How an admitted call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The upstream did its work.
    Success,
    /// It did not.
    Failure,
    /// Nothing can be said: the call never went out, or the client left.
    Neutral,
}

/// How a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Traffic flows.
    Closed,
    /// Calls are refused for so many milliseconds more.
    Open {
        /// Milliseconds until the next probe.
        for_ms: u64,
    },
    /// Probes are let through.
    HalfOpen,
}

/// Leave for one call. To be given back with [`Breaker::record`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permit that is not recorded holds a probe's place for ever"]
pub struct Permit {
    epoch: u64,
}

/// The breaker is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the circuit is open for {retry_after_ms} ms more")]
pub struct Refused {
    /// When a probe may go, in milliseconds.
    pub retry_after_ms: u64,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Closed,
    Open { until: u64 },
    HalfOpen { out: u32, good: u32 },
}

/// One breaker. Times are milliseconds of one monotonic clock.
#[derive(Debug)]
pub struct Breaker {
    settings: Settings,
    phase: Phase,
    /// Counts changes of phase.
    epoch: u64,
    /// Failures in a row.
    streak: u32,
    /// Openings since it was last closed.
    openings: u32,
    window: Window,
}

/// A refused caller is told this where nobody knows better: probes are under way.
const PROBING_RETRY_MS: u64 = 500;

impl Breaker {
    /// A closed breaker.
    pub fn new(settings: Settings) -> Self {
        let window = Window::new(settings.window);
        Self { settings, phase: Phase::Closed, epoch: 0, streak: 0, openings: 0, window }
    }

    /// Lets a call through, or says when to come back.
    pub fn admit(&mut self, now: u64) -> Result<Permit, Refused> {
        if let Phase::Open { until } = self.phase {
            if now < until {
                return Err(Refused { retry_after_ms: until - now });
            }
            self.enter(Phase::HalfOpen { out: 0, good: 0 });
        }
        if let Phase::HalfOpen { out, good } = &mut self.phase {
            if *out + *good >= self.settings.probes.max(1) {
                return Err(Refused { retry_after_ms: PROBING_RETRY_MS });
            }
            *out += 1;
        }
        Ok(Permit { epoch: self.epoch })
    }

    /// Takes in how an admitted call went. `random` is any random number, for the jitter.
    #[expect(clippy::needless_pass_by_value, reason = "a permit is used once")]
    pub fn record(&mut self, permit: Permit, signal: Signal, now: u64, random: u64) {
        if permit.epoch != self.epoch {
            return;
        }
        match (&mut self.phase, signal) {
            (Phase::Closed, Signal::Success) => {
                self.streak = 0;
                self.window.add(now, false);
            }
            (Phase::Closed, Signal::Failure) => {
                self.streak += 1;
                self.window.add(now, true);
                if self.has_failed(now) {
                    self.open(now, random);
                }
            }
            (Phase::HalfOpen { out, good }, Signal::Success) => {
                *out -= 1;
                *good += 1;
                if *good >= self.settings.probes.max(1) {
                    self.streak = 0;
                    self.openings = 0;
                    self.window.clear();
                    self.enter(Phase::Closed);
                }
            }
            (Phase::HalfOpen { .. }, Signal::Failure) => self.open(now, random),
            (Phase::HalfOpen { out, .. }, Signal::Neutral) => *out -= 1,
            (Phase::Closed, Signal::Neutral) | (Phase::Open { .. }, _) => {}
        }
    }

    /// How it stands.
    pub const fn state(&self, now: u64) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open { until } if now < until => State::Open { for_ms: until - now },
            Phase::Open { .. } | Phase::HalfOpen { .. } => State::HalfOpen,
        }
    }

    fn has_failed(&self, now: u64) -> bool {
        let (calls, failed) = self.window.totals(now);
        self.streak >= self.settings.consecutive_failures.max(1)
            || (calls >= u64::from(self.settings.minimum_calls.max(1))
                && failed * 100 >= calls * u64::from(self.settings.failure_rate))
    }

    fn open(&mut self, now: u64, random: u64) {
        let base = self.settings.open_for.as_millis() as u64;
        let most = (self.settings.open_for_max.as_millis() as u64).max(base);
        let time = base.saturating_mul(1 << self.openings.min(20)).min(most).max(1);
        // Up to a quarter more, never less: the upstream gets at least the time it was promised.
        let jitter = random % (time / 4 + 1);
        self.openings = self.openings.saturating_add(1);
        self.enter(Phase::Open { until: now.saturating_add(time + jitter) });
    }

    const fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.epoch += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(Settings {
            consecutive_failures: 3,
            open_for: Duration::from_millis(100),
            open_for_max: Duration::from_millis(400),
            probes: 2,
            failure_rate: 100,
            ..Settings::default()
        })
    }

    fn fail(breaker: &mut Breaker, now: u64) {
        let permit = breaker.admit(now).unwrap();
        breaker.record(permit, Signal::Failure, now, 0);
    }

    #[test]
    fn it_opens_at_the_threshold_probes_and_closes() {
        let mut breaker = breaker();
        fail(&mut breaker, 0);
        fail(&mut breaker, 0);
        assert_eq!(breaker.state(0), State::Closed);
        fail(&mut breaker, 0);
        assert_eq!(breaker.admit(99), Err(Refused { retry_after_ms: 1 }));
        let first = breaker.admit(100).unwrap();
        let second = breaker.admit(100).unwrap();
        assert!(breaker.admit(100).is_err(), "only two probes");
        breaker.record(first, Signal::Success, 110, 0);
        assert!(breaker.admit(110).is_err(), "a probe that succeeded does not make place");
        breaker.record(second, Signal::Success, 111, 0);
        assert_eq!(breaker.state(111), State::Closed);
    }

    #[test]
    fn a_success_ends_the_streak() {
        let mut breaker = breaker();
        for now in 0..10 {
            fail(&mut breaker, now);
            fail(&mut breaker, now);
            let permit = breaker.admit(now).unwrap();
            breaker.record(permit, Signal::Success, now, 0);
        }
        assert_eq!(breaker.state(10), State::Closed);
    }

    #[test]
    fn a_failed_probe_doubles_the_time_up_to_the_most() {
        let mut breaker = breaker();
        for now in 0..3 {
            fail(&mut breaker, now);
        }
        let mut now = 2;
        for wait in [100, 200, 400, 400] {
            assert_eq!(breaker.state(now), State::Open { for_ms: wait });
            now += wait;
            fail(&mut breaker, now);
        }
    }

    #[test]
    fn a_lost_probe_frees_its_place() {
        let mut breaker = breaker();
        for _ in 0..3 {
            fail(&mut breaker, 0);
        }
        let probes = [breaker.admit(100).unwrap(), breaker.admit(100).unwrap()];
        assert!(breaker.admit(100).is_err());
        for probe in probes {
            breaker.record(probe, Signal::Neutral, 100, 0);
        }
        assert!(breaker.admit(100).is_ok());
    }

    #[test]
    fn an_answer_from_before_the_opening_does_not_close_it() {
        let mut breaker = breaker();
        let early = breaker.admit(0).unwrap();
        for _ in 0..3 {
            fail(&mut breaker, 0);
        }
        breaker.record(early, Signal::Success, 1, 0);
        assert!(matches!(breaker.state(1), State::Open { .. }));
    }

    #[test]
    fn a_share_of_failures_opens_it_once_there_are_enough_calls() {
        let mut breaker = Breaker::new(Settings {
            consecutive_failures: 100,
            failure_rate: 50,
            minimum_calls: 10,
            ..Settings::default()
        });
        for call in 0..9 {
            let permit = breaker.admit(call).unwrap();
            let signal = if call % 2 == 0 { Signal::Success } else { Signal::Failure };
            breaker.record(permit, signal, call, 0);
        }
        assert_eq!(breaker.state(9), State::Closed);
        fail(&mut breaker, 9);
        assert!(matches!(breaker.state(9), State::Open { .. }));
    }

    #[test]
    fn old_failures_leave_the_window() {
        let mut breaker = Breaker::new(Settings {
            consecutive_failures: 100,
            minimum_calls: 4,
            window: Duration::from_secs(1),
            ..Settings::default()
        });
        for call in 0..3 {
            fail(&mut breaker, call);
        }
        fail(&mut breaker, 5_000);
        assert_eq!(breaker.state(5_000), State::Closed);
    }

    proptest! {
        /// Whatever happens: never a call while open, never more probes than allowed, and once
        /// the upstream is well the breaker closes.
        #[test]
        fn it_never_lets_too_many_through_and_always_recovers(
            steps in proptest::collection::vec((0_u8..4, 0_u64..200, any::<u64>()), 1..200),
            probes in 1_u32..4,
        ) {
            let mut breaker = Breaker::new(Settings {
                probes,
                consecutive_failures: 3,
                open_for: Duration::from_millis(100),
                open_for_max: Duration::from_millis(800),
                ..Settings::default()
            });
            let mut now = 0;
            let mut held: Vec<Permit> = Vec::new();
            for (step, wait, random) in steps {
                now += wait;
                let before = breaker.state(now);
                if step == 0 {
                    match breaker.admit(now) {
                        Ok(permit) => {
                            let open = matches!(before, State::Open { .. });
                            prop_assert!(!open);
                            held.push(permit);
                            if breaker.state(now) == State::HalfOpen {
                                let out = held.iter().filter(|p| p.epoch == breaker.epoch).count();
                                prop_assert!(out <= probes as usize);
                            }
                        }
                        Err(refused) => {
                            prop_assert!(before != State::Closed);
                            prop_assert!(refused.retry_after_ms > 0);
                        }
                    }
                } else if !held.is_empty() {
                    let permit = held.remove(random as usize % held.len());
                    let signal = [Signal::Success, Signal::Failure, Signal::Neutral][step as usize - 1];
                    breaker.record(permit, signal, now, random);
                }
            }
            for permit in held.drain(..) {
                breaker.record(permit, Signal::Neutral, now, 0);
            }
            for _ in 0..10 {
                now += 1_100;
                if let Ok(permit) = breaker.admit(now) {
                    breaker.record(permit, Signal::Success, now, 0);
                }
            }
            prop_assert_eq!(breaker.state(now), State::Closed);
        }
    }
}
