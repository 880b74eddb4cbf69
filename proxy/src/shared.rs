//! What all calls share: the policy in force, the ledger, the counters.

use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use iron_policy::types::{CallId, CallIds};

use crate::authority::Authority;
use crate::connect::Connections;
use crate::control::Token;
use crate::control_plane::Standing;
use crate::lease::Leases;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::observer::Observer;
use crate::runaways::Runaways;
use crate::runs::Runs;
use crate::state::Ledger;
use crate::stops::Stops;
use crate::tokens::Tokens;

/// One proxy's state.
#[derive(Debug)]
pub struct Shared {
    live: ArcSwap<Live>,
    /// The money and the records.
    pub ledger: Ledger,
    /// Signs the certificates of the port and of intercepted hosts.
    pub authority: Authority,
    /// The runs that were announced.
    pub runs: Runs,
    /// Who may announce them.
    pub control: Token,
    /// The connections that agents made through the proxy.
    pub connections: Arc<Connections>,
    /// The panel's budgets, where there is a panel: set once, before calls begin.
    pub leases: OnceLock<Leases>,
    /// Counters for `/_iron/metrics`.
    pub metrics: Arc<Metrics>,
    /// Who else is told of calls that ended; set once, or never.
    pub observer: OnceLock<Box<dyn Observer>>,
    /// Which agents are stopped.
    pub stops: Stops,
    /// What is known of the panel.
    pub panel: Standing,
    /// Which tokens are good here.
    pub tokens: Tokens,
    /// What is known of agents that are watched for running away.
    pub runaways: Runaways,
    ids: CallIds,
}

impl Shared {
    /// Puts the parts together; `last` is the newest call in the ledger.
    pub fn new(
        live: Live,
        ledger: Ledger,
        authority: Authority,
        runs: Runs,
        control: Token,
        last: CallId,
    ) -> Arc<Self> {
        Arc::new(Self {
            live: ArcSwap::from_pointee(live),
            ledger,
            authority,
            runs,
            control,
            connections: Arc::default(),
            leases: OnceLock::new(),
            metrics: Arc::new(Metrics::new()),
            observer: OnceLock::new(),
            stops: Stops::default(),
            panel: Standing::default(),
            tokens: Tokens::default(),
            runaways: Runaways::default(),
            ids: CallIds::after(last),
        })
    }

    /// The policy in force. A call keeps the one it began with.
    pub fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// Puts another policy in force for calls that begin from now on.
    pub fn replace(&self, live: Live) {
        self.live.store(Arc::new(live));
    }

    /// The id of a call that begins now.
    pub fn next_id(&self) -> CallId {
        self.ids.next(unix_ms())
    }
}

/// The wall clock, in Unix milliseconds.
pub fn unix_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
