//! What is known of each agent that its policy watches for running away.
//!
//! The decisions are [`iron_policy::runaway`]'s; here are the clock, the key of the marks, and the
//! bound on agents. One lock over all of them, held for a look at a few numbers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use iron_policy::config::Policy;
use iron_policy::runaway::{Caller, Caught, Runaway, mark};
use iron_policy::types::{Name, NanoUsd};

use crate::shared::Shared;

/// More agents than this are not watched at once, unless they have open calls.
const MAX_AGENTS: usize = 10_000;

/// All agents that are watched.
pub struct Runaways {
    key: [u8; 32],
    born: Instant,
    callers: Mutex<HashMap<Name, Caller>>,
}

/// What one call holds of its agent's minute. Given back when it is dropped.
#[derive(Debug)]
pub struct Pace {
    shared: Arc<Shared>,
    agent: Name,
    held: NanoUsd,
}

impl std::fmt::Debug for Runaways {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Runaways")
    }
}

impl Default for Runaways {
    /// The marks are of no use to anybody else, and end with the process.
    fn default() -> Self {
        let mut key = [0; 32];
        key.fill_with(|| fastrand::u8(..));
        Self { key, born: Instant::now(), callers: Mutex::default() }
    }
}

impl Runaways {
    /// What a call is known again by, where its agent is watched for repetitions; refused where it
    /// was answered too often.
    pub fn check_repeat(
        &self,
        of: &Runaway,
        agent: &Name,
        (operation, model, body): (&str, &str, &[u8]),
    ) -> Result<Option<u64>, Caught> {
        if of.repeats.is_none() {
            return Ok(None);
        }
        // What is no JSON was refused before.
        let Ok(mark) = mark(&self.key, operation, model, body) else { return Ok(None) };
        let now = self.now();
        match self.callers().get(agent) {
            Some(caller) => caller.check_repeat(of, mark, now).map(|()| Some(mark)),
            None => Ok(Some(mark)),
        }
    }

    /// A call of this mark was answered.
    pub fn answered(&self, of: &Runaway, agent: &Name, mark: u64) {
        let now = self.now();
        self.with(of, agent, |caller| caller.answered(of, mark, now));
    }

    /// Forgets what is known of an agent, or of all: the operator lets them go on.
    pub fn forget(&self, agent: Option<&Name>) {
        let mut callers = self.callers();
        // What is held for open calls stays: they will give it back.
        let fresh = |caller: &mut Caller| *caller = caller.without_past();
        match agent {
            Some(agent) => {
                callers.get_mut(agent).map(fresh);
            }
            None => callers.values_mut().for_each(fresh),
        }
    }

    fn with<T>(&self, of: &Runaway, agent: &Name, work: impl FnOnce(&mut Caller) -> T) -> T {
        let now = self.now();
        let mut callers = self.callers();
        if callers.len() >= MAX_AGENTS && !callers.contains_key(agent) {
            callers.retain(|_, caller| !caller.is_idle(of, now));
            if callers.len() >= MAX_AGENTS {
                callers.retain(|_, caller| caller.has_open_calls());
            }
        }
        work(callers.entry(agent.clone()).or_default())
    }

    fn now(&self) -> u64 {
        self.born.elapsed().as_millis() as u64
    }

    /// A poisoned lock is taken all the same: numbers are valid after every step.
    fn callers(&self) -> MutexGuard<'_, HashMap<Name, Caller>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pace {
    /// Holds what a call may cost within its agent's minute; none where nobody counts.
    pub fn hold(
        shared: &Arc<Shared>,
        policy: &Policy,
        agent: &Name,
        amount: NanoUsd,
    ) -> Result<Option<Self>, Caught> {
        let of = policy.runaway_of(agent);
        if of.spend_per_minute.is_none() {
            return Ok(None);
        }
        let runaways = &shared.runaways;
        let now = runaways.now();
        runaways.with(of, agent, |caller| caller.hold(of, amount, now))?;
        Ok(Some(Self { shared: Arc::clone(shared), agent: agent.clone(), held: amount }))
    }

    /// The call ended, and this is what it was charged.
    pub fn settle(mut self, posted: NanoUsd) {
        self.end(posted);
    }

    fn end(&mut self, posted: NanoUsd) {
        let held = std::mem::replace(&mut self.held, NanoUsd::ZERO);
        let now = self.shared.runaways.now();
        if let Some(caller) = self.shared.runaways.callers().get_mut(&self.agent) {
            caller.settle(held, posted, now);
        }
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        if self.held > NanoUsd::ZERO {
            self.end(NanoUsd::ZERO);
        }
    }
}
