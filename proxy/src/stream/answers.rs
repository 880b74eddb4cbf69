//! What is done with the texts of an answer: searched by the policy for answers, then restored.
//!
//! The search sees what the provider wrote, so a value of the user's own that comes back by its
//! placeholder is no finding. Where the policy masks or blocks a kind, text waits until it was
//! searched; where it only reports, text passes at once and the search reads along.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use iron_policy::redact::screen::{self, Cut, Screen};
use iron_policy::redact::{Engine, Kind, Mode, Restorer, Vault};

use super::{Restore, Restorers, StreamError};

/// No text that must be searched whole is held beyond this: no tool's arguments are longer.
const MOST_HELD: usize = 16 << 20;

/// Findings by kind.
pub type Counts = Vec<(Kind, u32)>;

/// The policy for findings in answers, at work.
#[derive(Clone, Debug)]
pub struct Answers {
    engine: Arc<Engine>,
    guards: bool,
}

impl Answers {
    /// With an engine that may find these kinds. None where nothing is looked for.
    pub fn of(engine: Engine, kinds: &[Kind]) -> Option<Self> {
        let guards = screen::guards(engine.modes(), kinds);
        screen::looks(engine.modes(), kinds).then(|| Self { engine: Arc::new(engine), guards })
    }

    /// Whether any kind is masked or blocked, so that text waits until it was searched.
    pub const fn guards(&self) -> bool {
        self.guards
    }
}

/// Makes what the texts of one answer go through.
pub struct AnswerRestorers {
    /// None where no placeholder was issued.
    vault: Option<Arc<Vault>>,
    /// None where nothing is looked for.
    search: Option<Search>,
}

/// The search through one answer.
#[derive(Clone)]
struct Search {
    policy: Answers,
    found: Arc<Mutex<Found>>,
}

/// What was found in one answer so far.
#[derive(Debug, Default)]
struct Found {
    once: Counts,
    /// Of texts that repeat others: in the event at hand, and the most of any event.
    repeated: Counts,
    most_repeated: Counts,
    blocked: Vec<Kind>,
    too_long: bool,
}

/// One text on its way.
pub struct AnswerRestore {
    screen: Option<(Screen, Search, Role)>,
    restorer: Option<Restorer>,
    /// What the search put out, before it is restored.
    searched: String,
}

/// Whether a text's findings are counted, or may have been in another text already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Once,
    Repeated,
}

impl AnswerRestorers {
    /// For one answer of a call with this vault.
    pub fn new(policy: Option<&Answers>, vault: Arc<Vault>) -> Self {
        let search = policy.map(|policy| Search { policy: policy.clone(), found: Arc::default() });
        Self { vault: Some(vault).filter(|vault| !vault.is_empty()), search }
    }

    /// True where texts are neither searched nor restored.
    pub fn is_idle(&self) -> bool {
        self.vault.is_none() && self.search.is_none()
    }

    /// Looks up what was found, now or later.
    pub fn findings(&self) -> Findings {
        Findings(self.search.as_ref().map(|search| Arc::clone(&search.found)))
    }

    fn text(&self, cut: Cut, key: Option<&str>, role: Role) -> AnswerRestore {
        let screen = self.search.as_ref().map(|search| {
            let screen = Screen::new(Arc::clone(&search.policy.engine), cut, key);
            (screen, search.clone(), role)
        });
        let depth = u8::from(cut == Cut::Json);
        let restorer = self.vault.as_ref().map(|vault| Restorer::in_json(Arc::clone(vault), depth));
        AnswerRestore { screen, restorer, searched: String::new() }
    }
}

impl Restorers for AnswerRestorers {
    type R = AnswerRestore;

    fn plain(&self) -> AnswerRestore {
        self.text(Cut::Units, None, Role::Once)
    }

    fn json(&self) -> AnswerRestore {
        self.text(Cut::Json, None, Role::Once)
    }

    fn whole(&self, json: bool, key: Option<&str>) -> AnswerRestore {
        self.text(if json { Cut::Json } else { Cut::Whole }, key, Role::Once)
    }

    fn repeated(&self, json: bool) -> AnswerRestore {
        self.text(if json { Cut::Json } else { Cut::Units }, None, Role::Repeated)
    }

    fn only_looks(&self) -> bool {
        self.vault.is_none() && self.search.as_ref().is_none_or(|search| !search.policy.guards)
    }

    fn hides_tokens(&self) -> bool {
        self.search.as_ref().is_some_and(|search| search.policy.guards)
    }

    fn verdict(&self) -> Result<(), StreamError> {
        let Some(search) = &self.search else { return Ok(()) };
        let mut found = search.found();
        found.event_ended();
        match (found.blocked.is_empty(), found.too_long) {
            (false, _) => Err(StreamError::Blocked),
            (true, true) => Err(StreamError::HeldTooLong { limit: MOST_HELD }),
            (true, false) => Ok(()),
        }
    }
}

impl Restore for AnswerRestore {
    fn push(&mut self, text: &str, out: &mut String) {
        self.step(Some(text), out);
    }

    fn finish(&mut self, out: &mut String) {
        self.step(None, out);
        if let Some(restorer) = &mut self.restorer {
            restorer.finish(out);
        }
    }
}

impl AnswerRestore {
    /// Takes a piece, or the end.
    fn step(&mut self, text: Option<&str>, out: &mut String) {
        self.searched.clear();
        let mut waits = false;
        if let Some((screen, search, role)) = &mut self.screen {
            waits = search.policy.guards;
            let role = *role;
            let mut told = |kind, mode| search.found().add(kind, mode, role);
            match text {
                Some(text) => screen.push(text, &mut self.searched, &mut told),
                None => screen.finish(&mut self.searched, &mut told),
            }
            if screen.held() > MOST_HELD {
                if waits {
                    search.found().too_long = true;
                }
                self.screen = None;
            }
        }
        let passing = if waits { &self.searched } else { text.unwrap_or_default() };
        match &mut self.restorer {
            Some(restorer) => restorer.push(passing, out),
            None => out.push_str(passing),
        }
    }
}

impl Search {
    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Found {
    fn add(&mut self, kind: Kind, mode: Mode, role: Role) {
        let counts = if role == Role::Once { &mut self.once } else { &mut self.repeated };
        count(counts, kind, 1);
        if mode == Mode::Block && !self.blocked.contains(&kind) {
            self.blocked.push(kind);
        }
    }

    /// Snapshots of a stream grow: the fullest says what was in all of them.
    fn event_ended(&mut self) {
        for (kind, here) in self.repeated.drain(..) {
            match self.most_repeated.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, most)) => *most = here.max(*most),
                None => self.most_repeated.push((kind, here)),
            }
        }
    }
}

/// What was found in one answer.
#[derive(Debug)]
pub struct Findings(Option<Arc<Mutex<Found>>>);

impl Findings {
    /// How much of each kind.
    pub fn counts(&self) -> Counts {
        let Some(found) = self.found() else { return Vec::new() };
        let mut counts = found.once.clone();
        for (kind, repeated) in &found.most_repeated {
            match counts.iter_mut().find(|(known, _)| known == kind) {
                Some((_, once)) => *once = (*once).max(*repeated),
                None => counts.push((*kind, *repeated)),
            }
        }
        counts
    }

    /// The kinds that the policy blocks, for a message; empty where there are none.
    pub fn blocked(&self) -> String {
        let Some(found) = self.found() else { return String::new() };
        let names: Vec<_> = found.blocked.iter().map(Kind::to_string).collect();
        names.join(", ")
    }

    fn found(&self) -> Option<MutexGuard<'_, Found>> {
        Some(self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Adds to the count of a kind.
pub fn count(counts: &mut Counts, kind: Kind, more: u32) {
    match counts.iter_mut().find(|(known, _)| *known == kind) {
        Some((_, count)) => *count = count.saturating_add(more),
        None => counts.push((kind, more)),
    }
}
