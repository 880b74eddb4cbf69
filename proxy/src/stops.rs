//! The kill switch: which agents are stopped, and the calls that end with that.
//!
//! Whoever carries a call of an agent — the pipeline, a stream, a socket, a tunnel — asks
//! [`Stops::leave`] for leave at its beginning and ends the call when that leave is cancelled.
//! The state file says who is stopped; what is here is a copy that calls can ask without waiting,
//! brought up to date by [`watch`] and at once by whoever stops an agent in this process. A panel's
//! stops come beside them, and so do the tokens whose revocation ends what is open.
//!
//! Not here: how a stopped call is told so in its dialect, and the file itself.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use iron_policy::types::Name;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::shared::Shared;
use crate::state::{Store, StoreError};

/// More agents than this are not remembered at once, unless they have open calls.
const MAX_AGENTS: usize = 10_000;

/// How often the state file is looked at, for what another process wrote into it.
const INTERVAL: Duration = Duration::from_millis(500);

/// Who is stopped.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Whom {
    /// Every agent, also those that nobody has heard of yet.
    All,
    /// One agent.
    Agent(Name),
}

/// Leave for one call, until its agent is stopped or its token is revoked.
#[derive(Clone, Debug)]
pub struct Leave(Arc<Given>);

/// What the leaves of one agent, with one token, share.
#[derive(Debug, Default)]
struct Given {
    token: CancellationToken,
    /// What ended it; written before the token is cancelled.
    ended_by: OnceLock<AgentStopped>,
}

/// Who leaves are given to: an agent, with a token where it has one.
type Holder = (Name, Option<Name>);

/// The agent may not call, or not any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentStopped {
    /// The operator of this proxy stopped it.
    #[error("{}", .0.message())]
    Here(Whom),
    /// The panel stopped it.
    #[error("{} stopped in the panel: an operator lets it call again there", .0.subject())]
    Panel(Whom),
    /// Its token was revoked, with what is open.
    #[error("the token {0} is revoked: ask for a new one (`iron token issue`)")]
    Revoked(Name),
}

/// Who is stopped, and the leaves that are out.
#[derive(Debug, Default)]
pub struct Stops(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Since when, in Unix milliseconds; as the file says it.
    stopped: BTreeMap<Whom, i64>,
    /// Stopped here although the file could not be written; gone with this process.
    unwritten: BTreeMap<Whom, i64>,
    /// As the panel says it.
    ordered: BTreeSet<Whom>,
    /// Tokens whose revocation ends what is open.
    cut: HashSet<Name>,
    leaves: HashMap<Holder, Arc<Given>>,
}

impl Whom {
    /// What its entry in the state file is called. No agent's name has a star.
    pub fn name(&self) -> &str {
        match self {
            Self::All => "*",
            Self::Agent(name) => name.as_str(),
        }
    }

    /// Whom an entry of the state file means; none for what is no name.
    pub fn named(name: &str) -> Option<Self> {
        if name == "*" { Some(Self::All) } else { name.parse().ok().map(Self::Agent) }
    }

    fn message(&self) -> String {
        let back = match self {
            Self::All => "--all",
            Self::Agent(name) => name.as_str(),
        };
        format!("{} stopped: the operator lifts it with `iron start {back}`", self.subject())
    }

    fn subject(&self) -> String {
        match self {
            Self::All => "all agents are".to_owned(),
            Self::Agent(name) => format!("the agent `{name}` is"),
        }
    }
}

impl AgentStopped {
    /// In a word of a closed set, for records and callers.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Here(_) | Self::Panel(_) => "agent_stopped",
            Self::Revoked(_) => "token_revoked",
        }
    }

    /// The status that says it best.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Here(_) | Self::Panel(_) => 403,
            Self::Revoked(_) => 401,
        }
    }
}

impl Leave {
    /// Ready once the agent is stopped.
    pub async fn cancelled(&self) -> AgentStopped {
        self.0.token.cancelled().await;
        self.why()
    }

    /// The same as a future of its own, for what is polled by hand.
    pub fn cancelled_owned(&self) -> WaitForCancellationFutureOwned {
        self.0.token.clone().cancelled_owned()
    }

    /// What `work` comes to, unless the agent is stopped before: then it is dropped where it is.
    pub async fn unless_stopped<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, AgentStopped> {
        tokio::select! {
            biased;
            stopped = self.cancelled() => Err(stopped),
            done = work => Ok(done),
        }
    }

    /// Whether the agent was stopped since.
    pub fn is_cancelled(&self) -> bool {
        self.0.token.is_cancelled()
    }

    /// What ended it; everybody's stop where it has not ended.
    pub fn why(&self) -> AgentStopped {
        self.0.ended_by.get().cloned().unwrap_or(AgentStopped::Here(Whom::All))
    }
}

impl Stops {
    /// Leave for a call that begins now; refused while the agent is stopped. `token` is the id of
    /// the token that it calls with.
    pub fn leave(&self, agent: &Name, token: Option<&Name>) -> Result<Leave, AgentStopped> {
        let mut inner = self.inner();
        let holder = (agent.clone(), token.cloned());
        if let Some(why) = inner.stop_of(&holder) {
            return Err(why);
        }
        if let Some(given) = inner.leaves.get(&holder) {
            return Ok(Leave(Arc::clone(given)));
        }
        if inner.leaves.len() >= MAX_AGENTS {
            inner.leaves.retain(|_, given| Arc::strong_count(given) > 1);
        }
        let given = Arc::<Given>::default();
        inner.leaves.insert(holder, Arc::clone(&given));
        Ok(Leave(given))
    }

    /// Takes over what the panel says: ends the calls of agents that it stops.
    pub fn order(&self, panel: impl IntoIterator<Item = Whom>) {
        let mut inner = self.inner();
        inner.ordered = panel.into_iter().collect();
        inner.cancel();
    }

    /// Takes over which tokens' revocation ends what is open with them, and ends it.
    pub fn cut(&self, tokens: impl IntoIterator<Item = Name>) {
        let mut inner = self.inner();
        inner.cut = tokens.into_iter().collect();
        inner.cancel();
    }

    /// Everybody who is stopped, and since when in Unix milliseconds.
    pub fn list(&self) -> Vec<(Whom, i64)> {
        let inner = self.inner();
        let both = inner.stopped.iter().chain(&inner.unwritten);
        let all: BTreeMap<_, _> = both.map(|(whom, at)| (whom.clone(), *at)).collect();
        all.into_iter().collect()
    }

    /// Takes over what the state file says: ends the calls of those who are stopped now.
    pub fn follow(&self, file: impl IntoIterator<Item = (Whom, i64)>) {
        let mut inner = self.inner();
        inner.stopped = file.into_iter().collect();
        inner.cancel();
    }

    /// Stops at once, whatever the file says: for a file that cannot be written.
    pub fn stop(&self, whom: Whom, now_ms: i64) {
        let mut inner = self.inner();
        inner.unwritten.insert(whom, now_ms);
        inner.cancel();
    }

    /// Whether this very stop is in force.
    pub fn is_stopped(&self, whom: &Whom) -> bool {
        let inner = self.inner();
        inner.stopped.contains_key(whom) || inner.unwritten.contains_key(whom)
    }

    /// Forgets that a stop is not in the file, where it is there: whoever takes it out of there
    /// lifts it.
    pub fn written(&self, whom: &Whom) {
        let mut inner = self.inner();
        if inner.stopped.contains_key(whom) {
            inner.unwritten.remove(whom);
        }
    }

    /// Lifts a stop at once, whatever the file says. True where there was one.
    pub fn lift(&self, whom: &Whom) -> bool {
        let mut inner = self.inner();
        let unwritten = inner.unwritten.remove(whom).is_some();
        inner.stopped.remove(whom).is_some() || unwritten
    }

    /// A poisoned lock is taken all the same: the maps are valid after every step.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn stop_of(&self, (agent, token): &Holder) -> Option<AgentStopped> {
        let here =
            |whom: &Whom| self.stopped.contains_key(whom) || self.unwritten.contains_key(whom);
        // Its own stop is told first: lifting the other would not be enough.
        let whom = [Whom::Agent(agent.clone()), Whom::All];
        if let Some(whom) = whom.iter().find(|whom| here(whom)) {
            return Some(AgentStopped::Here(whom.clone()));
        }
        if let Some(whom) = whom.into_iter().find(|whom| self.ordered.contains(whom)) {
            return Some(AgentStopped::Panel(whom));
        }
        let cut = token.as_ref().filter(|token| self.cut.contains(*token));
        cut.map(|token| AgentStopped::Revoked(token.clone()))
    }

    fn cancel(&mut self) {
        let leaves = std::mem::take(&mut self.leaves);
        for (holder, given) in leaves {
            if let Some(why) = self.stop_of(&holder) {
                // The first stop is the one that counts; a second finds no leave here.
                let _ = given.ended_by.set(why);
                given.token.cancel();
            } else {
                self.leaves.insert(holder, given);
            }
        }
    }
}

/// Reads the state file, and takes over what it says.
pub async fn refresh(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let path = shared.ledger.path().to_owned();
    let read = tokio::task::spawn_blocking(move || Store::open(&path)?.stopped()).await;
    // A task that was cancelled has read nothing: the runtime ends.
    if let Ok(read) = read {
        shared.stops.follow(read?);
    }
    Ok(())
}

/// Follows the state file for as long as the proxy lives.
pub async fn watch(shared: Weak<Shared>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        if let Err(error) = refresh(&shared).await {
            tracing::debug!(%error, "who is stopped could not be read; what was read before stands");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(name: &str) -> Name {
        name.parse().unwrap()
    }

    #[test]
    fn a_stop_ends_the_agents_leaves_and_refuses_new_ones() {
        let stops = Stops::default();
        let (a, b) = (agent("a"), agent("b"));
        let (of_a, of_b) = (stops.leave(&a, None).unwrap(), stops.leave(&b, None).unwrap());
        stops.follow([(Whom::Agent(a.clone()), 1)]);
        assert!(of_a.is_cancelled() && !of_b.is_cancelled());
        let refused = stops.leave(&a, None).unwrap_err().to_string();
        assert!(refused.contains("`iron start a`"), "{refused}");
        assert!(!stops.leave(&b, None).unwrap().is_cancelled());
        stops.follow([]);
        assert!(!stops.leave(&a, None).unwrap().is_cancelled());
        assert!(of_a.is_cancelled(), "a call that was ended stays ended");
    }

    #[test]
    fn all_means_also_agents_that_come_later() {
        let stops = Stops::default();
        let of_a = stops.leave(&agent("a"), None).unwrap();
        stops.stop(Whom::All, 1);
        assert!(of_a.is_cancelled());
        assert_eq!(stops.leave(&agent("new"), None).unwrap_err(), AgentStopped::Here(Whom::All));
        // What the file does not say yet is not lifted by reading it.
        stops.follow([]);
        assert!(stops.leave(&agent("new"), None).is_err());
        assert!(stops.lift(&Whom::All) && !stops.lift(&Whom::All));
        assert!(stops.leave(&agent("new"), None).is_ok());
    }

    #[test]
    fn a_revocation_that_cuts_ends_what_is_open_with_its_token_alone() {
        let stops = Stops::default();
        let (a, token, other) = (agent("a"), agent("tok_1"), agent("tok_2"));
        let with = |token: Option<&Name>| stops.leave(&a, token);
        let (cut, kept, bare) = (with(Some(&token)), with(Some(&other)), with(None));
        let (cut, kept, bare) = (cut.unwrap(), kept.unwrap(), bare.unwrap());
        stops.cut([token.clone()]);
        assert_eq!(cut.why(), AgentStopped::Revoked(token.clone()));
        assert!(cut.is_cancelled() && !kept.is_cancelled() && !bare.is_cancelled());
        assert_eq!(with(Some(&token)).unwrap_err().reason(), "token_revoked");
        stops.order([Whom::All]);
        assert!(kept.is_cancelled() && bare.is_cancelled());
        assert_eq!(with(None).unwrap_err(), AgentStopped::Panel(Whom::All));
        // The panel's stops and the file's do not lift each other.
        stops.follow([]);
        assert!(with(None).is_err());
        stops.order([]);
        assert!(with(None).is_ok());
    }

    #[test]
    fn the_names_of_callers_do_not_fill_the_memory() {
        let stops = Stops::default();
        let kept = stops.leave(&agent("kept"), None).unwrap();
        for number in 0..2 * MAX_AGENTS {
            drop(stops.leave(&agent(&number.to_string()), None).unwrap());
        }
        assert!(stops.inner().leaves.len() <= MAX_AGENTS + 1);
        stops.stop(Whom::Agent(agent("kept")), 1);
        assert!(kept.is_cancelled());
    }

    #[test]
    fn entries_of_the_file_are_read_as_they_were_written() {
        for whom in [Whom::All, Whom::Agent(agent("nightly-2.x"))] {
            assert_eq!(Whom::named(whom.name()), Some(whom));
        }
        assert_eq!(Whom::named("a b"), None);
    }
}
