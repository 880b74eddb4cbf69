//! Spending a panel's budgets: this proxy holds a slice of each, a lease, and asks the panel only when
//! that runs out.
//!
//! ```text
//!  call ─▶ hold ─▶ the ledger's one statement ──▶ held             (no round trip)
//!                        │ a lease has no room
//!                        ▼
//!                  flights.rs: one request for all calls that lack the same ─▶ again, or refused
//!  reports.rs: what was spent, every second where something changed ─▶ the panel
//! ```
//!
//! The lease itself is an account of the ledger (`crate::state`, `lease`), and so as durable as every
//! reservation. Not here: which calls there were (`crate::report`), and which budgets the panel has
//! (whoever follows its changes says so by [`Leases::set_budgets`]).

mod budgets;
mod clock;
mod contact;
mod figures;
mod flights;
mod reports;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use iron_policy::budget::Subject;
use iron_policy::control::LeasedBudget;
use tokio::sync::{mpsc, oneshot};

pub use budgets::UnknownBudget;
pub use clock::{BootClock, SystemClock};

use budgets::Budgets;
use contact::Contact;
pub(crate) use figures::figures;
use flights::{Desk, Verdict};
use reports::{Reporter, Wanted};

use crate::control_plane::ControlPlane;
use crate::state::{Hold, LeaseHold, LeaseKey, Ledger, ReserveError, Short};

/// The times that leases live by.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// How often the panel is told what was spent, while something changes.
    pub report_every: Duration,
    /// How often it is told that nothing changes, by which leases are renewed.
    pub heartbeat: Duration,
    /// After so long without a call, a lease gives back three quarters of what it has.
    pub idle: Duration,
    /// How long a call waits for money while the panel does not answer.
    pub patience: Duration,
    /// How long one request to the panel may take.
    pub timeout: Duration,
    /// How long calls are refused at once after the panel could not be reached.
    pub cool_down: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            report_every: Duration::from_secs(1),
            heartbeat: Duration::from_mins(1),
            idle: Duration::from_mins(1),
            patience: Duration::from_secs(3),
            timeout: Duration::from_secs(10),
            cool_down: Duration::from_millis(500),
        }
    }
}

/// The leases of one proxy. Dropped, it reports no more; what is held stays held in the file.
pub struct Leases {
    inner: Arc<Inner>,
}

/// What flights, reports and calls share.
struct Inner {
    core: Arc<Core>,
    /// None before the panel has said which budgets there are.
    budgets: ArcSwapOption<Result<Budgets, UnknownBudget>>,
    desk: Mutex<Desk>,
    /// Until when more is not asked for ahead of need.
    not_ahead: Mutex<HashMap<LeaseKey, Instant>>,
    reports: mpsc::UnboundedSender<Wanted>,
}

/// What the reporting task has of it.
struct Core {
    ledger: Ledger,
    plane: Arc<dyn ControlPlane>,
    clock: Arc<dyn BootClock>,
    terms: Terms,
    contact: Contact,
    /// Budgets whose limit was lowered: what no call holds of them goes back with the next reports.
    lowered: Mutex<HashSet<String>>,
}

/// A call comes back for money so often at most: each time some other call took what was granted.
const MOST_ROUNDS: usize = 64;

impl fmt::Debug for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leases").field("plane", &self.inner.core.plane).finish_non_exhaustive()
    }
}

impl Leases {
    /// Begins to spend by lease, and to report. Leases that an earlier run of this proxy held go on
    /// where they have not expired.
    pub async fn start(
        ledger: Ledger,
        plane: Arc<dyn ControlPlane>,
        clock: Arc<dyn BootClock>,
        terms: Terms,
    ) -> Result<Self, ReserveError> {
        ledger.booted(clock.boot()).await?;
        let (reports, wanted) = mpsc::unbounded_channel();
        let contact = Contact::default();
        let lowered = Mutex::default();
        let core = Arc::new(Core { ledger, plane, clock, terms, contact, lowered });
        tokio::spawn(Reporter::new(Arc::clone(&core)).run(wanted));
        let inner = Inner {
            core,
            budgets: ArcSwapOption::empty(),
            desk: Mutex::default(),
            not_ahead: Mutex::default(),
            reports,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Says which budgets the panel has: these, and no others.
    pub fn set_budgets(&self, budgets: &[LeasedBudget]) {
        let read = Budgets::read(budgets);
        if let Err(error) = &read {
            tracing::error!(%error, "calls are refused");
        }
        let read = Arc::new(read);
        let before = self.inner.budgets.swap(Some(Arc::clone(&read)));
        if let (Ok(now), Some(Ok(before))) = (&*read, before.as_deref()) {
            let lowered = now.lowered_since(before).map(str::to_owned);
            let core = &self.inner.core;
            core.lowered.lock().unwrap_or_else(PoisonError::into_inner).extend(lowered);
        }
    }

    /// What a call must hold of the panel's budgets.
    pub fn touched(&self, call: &Subject<'_>, now_ms: i64) -> Result<Vec<LeaseHold>, ReserveError> {
        match self.inner.budgets.load().as_deref() {
            Some(Ok(budgets)) => Ok(budgets.touched(call, now_ms)),
            Some(Err(error)) => Err(ReserveError::Unheard(error.to_string())),
            None => Err(ReserveError::Unheard(
                "this proxy has not heard from its panel yet which budgets there are, so nothing is \
                 spent: try again in a few seconds, and see `iron status` where that does not help"
                    .to_owned(),
            )),
        }
    }

    /// Since when the panel cannot be reached, in Unix milliseconds.
    pub fn away_since(&self) -> Option<i64> {
        self.inner.core.contact.away().map(|away| away.since_ms)
    }

    /// Holds an amount in every account and lease, or in none; asks the panel for more where a lease
    /// has no room. Returns once that is committed.
    ///
    /// A caller that stops waiting must void the reservation, as with [`Ledger::reserve`].
    pub async fn hold(&self, hold: Hold) -> Result<(), ReserveError> {
        let inner = &self.inner;
        let token = hold.record.token.clone();
        let hold = Arc::new(hold);
        let mut refused: Option<(ReserveError, Vec<Short>)> = None;
        for round in 0..MOST_ROUNDS {
            let now = inner.core.clock.now_ms();
            let short = match inner.core.ledger.reserve_at(Arc::clone(&hold), now).await {
                Ok(held) => {
                    inner.ask_ahead(held.low);
                    return Ok(());
                }
                Err(ReserveError::Short(short)) => short,
                Err(other) => return Err(other),
            };
            // It was refused, and no call ended here since then.
            if let Some((error, before)) = refused.take()
                && !has_more_room(&short, &before)
            {
                return Err(error);
            }
            match inner.top_up(short.clone(), token.as_ref(), round).await {
                Verdict::Again => {}
                Verdict::Refused(error @ ReserveError::Exhausted(_)) => {
                    refused = Some((error, short));
                }
                Verdict::Refused(error) => return Err(error),
            }
        }
        Err(ReserveError::Unheard(
            "other calls took what the panel granted, again and again: try again in a second"
                .into(),
        ))
    }

    /// Tells the panel what was spent, and waits for its answer.
    pub async fn report_now(&self) -> Result<(), String> {
        self.inner.report_now(false).await
    }

    /// Makes the last reports: what is left of every lease goes back, where no call is open. Waits
    /// no longer than that takes with patience; what the panel did not hear by then, the next start
    /// tells it.
    pub async fn close(&self) {
        if let Err(why) = self.inner.report_now(true).await {
            tracing::warn!(%why, "the panel did not hear what is left of leases; the next start tells it");
        }
    }
}

/// Whether calls that ended made room since then.
fn has_more_room(now: &[Short], before: &[Short]) -> bool {
    let same = |short: &Short, other: &Short| short.hold.key == other.hold.key;
    now.iter().any(|now| before.iter().any(|old| same(now, old) && now.room > old.room))
}

impl Inner {
    async fn report_now(&self, closing: bool) -> Result<(), String> {
        let (answer, done) = oneshot::channel();
        let gone = || "the proxy stops".to_owned();
        self.reports.send(Wanted { closing, answer }).map_err(|_| gone())?;
        let patience = self.core.terms.patience;
        match tokio::time::timeout(patience, done).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(gone())),
            Err(_) => Err(format!("no answer within {} ms", patience.as_millis())),
        }
    }

    /// A poisoned lock is taken all the same: what is in it is valid after every step.
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Until when something may be spent that was granted for so long from `sent` on: a margin before the
/// panel takes it for expired.
fn expires(sent: i64, expires_in_ms: u64) -> i64 {
    let given = i64::try_from(expires_in_ms).unwrap_or(i64::MAX);
    let margin = (given / 20).max(10_000).min(given / 4);
    sent.saturating_add(given - margin)
}
