//! The breakers of one upstream: one for reaching it at all, one for each of its models.
//!
//! A provider that cannot be reached is down for every model; one that answers 500 or 529 is
//! often down for one. So what breaks before an answer counts against the upstream, and a bad
//! status against the model alone.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use iron_policy::breaker::{Breaker, Permit, Refused, Settings, Signal, State};

/// Models that are remembered at once: their names come from callers.
const MAX_MODELS: usize = 256;

/// What a call says of an upstream's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answered as it should.
    Good,
    /// It could not be reached, or broke off before an answer.
    Unreachable,
    /// It answered, and the answer was that it cannot.
    Failing,
    /// Nothing can be said.
    Unknown,
}

/// Leave from both breakers.
#[derive(Debug)]
pub(super) struct Permits {
    model: String,
    for_model: Permit,
    for_upstream: Permit,
}

#[derive(Debug)]
pub(super) struct Breakers {
    settings: Settings,
    both: Mutex<Both>,
    born: Instant,
}

#[derive(Debug)]
struct Both {
    upstream: Breaker,
    models: HashMap<String, Breaker>,
}

impl Breakers {
    pub(super) fn new(settings: Settings) -> Self {
        let both = Both { upstream: Breaker::new(settings.clone()), models: HashMap::new() };
        Self { settings, both: Mutex::new(both), born: Instant::now() }
    }

    pub(super) fn admit(&self, model: &str) -> Result<Permits, Refused> {
        let now = self.now();
        let mut both = self.both();
        let both = &mut *both;
        if !both.models.contains_key(model) {
            if both.models.len() >= MAX_MODELS {
                both.models.retain(|_, breaker| breaker.state(now) != State::Closed);
            }
            if both.models.len() >= MAX_MODELS {
                both.models.clear();
            }
            both.models.insert(model.to_owned(), Breaker::new(self.settings.clone()));
        }
        let for_upstream = both.upstream.admit(now)?;
        let for_model = both.models.get_mut(model).map(|breaker| breaker.admit(now));
        match for_model {
            Some(Ok(for_model)) => Ok(Permits { model: model.to_owned(), for_model, for_upstream }),
            Some(Err(refused)) => {
                both.upstream.record(for_upstream, Signal::Neutral, now, 0);
                Err(refused)
            }
            None => Err(Refused { retry_after_ms: 1 }),
        }
    }

    pub(super) fn record(&self, permits: Permits, health: Health) {
        let (of_upstream, of_model) = match health {
            Health::Good => (Signal::Success, Signal::Success),
            Health::Unreachable => (Signal::Failure, Signal::Neutral),
            Health::Failing => (Signal::Success, Signal::Failure),
            Health::Unknown => (Signal::Neutral, Signal::Neutral),
        };
        let (now, random) = (self.now(), fastrand::u64(..));
        let mut both = self.both();
        both.upstream.record(permits.for_upstream, of_upstream, now, random);
        if let Some(breaker) = both.models.get_mut(&permits.model) {
            breaker.record(permits.for_model, of_model, now, random);
        }
    }

    pub(super) fn state(&self) -> (State, Vec<(String, State)>) {
        let now = self.now();
        let both = self.both();
        let models = both.models.iter().map(|(model, breaker)| (model.clone(), breaker.state(now)));
        let open = models.filter(|(_, state)| *state != State::Closed).collect();
        (both.upstream.state(now), open)
    }

    fn now(&self) -> u64 {
        self.born.elapsed().as_millis() as u64
    }

    /// A poisoned lock is taken all the same: a breaker is valid after every step.
    fn both(&self) -> MutexGuard<'_, Both> {
        self.both.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breakers() -> Breakers {
        Breakers::new(Settings { consecutive_failures: 2, ..Settings::default() })
    }

    fn call(breakers: &Breakers, model: &str, health: Health) -> bool {
        breakers.admit(model).map(|permits| breakers.record(permits, health)).is_ok()
    }

    #[test]
    fn a_failing_model_does_not_stop_its_neighbours() {
        let breakers = breakers();
        assert!(call(&breakers, "a", Health::Failing));
        assert!(call(&breakers, "a", Health::Failing));
        assert!(!call(&breakers, "a", Health::Good));
        assert!(call(&breakers, "b", Health::Good));
        let (upstream, models) = breakers.state();
        assert_eq!(upstream, State::Closed);
        assert_eq!(models.len(), 1);
    }

    #[test]
    fn an_unreachable_upstream_is_down_for_every_model() {
        let breakers = breakers();
        assert!(call(&breakers, "a", Health::Unreachable));
        assert!(call(&breakers, "b", Health::Unreachable));
        assert!(!call(&breakers, "c", Health::Good));
    }

    #[test]
    fn the_names_of_callers_do_not_fill_the_memory() {
        let breakers = breakers();
        for model in 0..2_000 {
            assert!(call(&breakers, &model.to_string(), Health::Good));
        }
        assert!(breakers.both().models.len() <= MAX_MODELS);
    }
}
