//! Puts a proxy's money under a control plane: leases of its budgets, and records of calls to it.

use std::sync::Arc;

use super::ControlPlane;
use crate::lease::{Leases, SystemClock, Terms};
use crate::report::{Pace, Records};
use crate::shared::Shared;
use crate::state::ReserveError;

/// What a proxy spends and tells under a control plane, for as long as this lives.
#[derive(Debug)]
pub struct Spending {
    shared: Arc<Shared>,
    records: Records,
}

impl Spending {
    /// Begins both, before calls begin. Until [`Leases::set_budgets`] has said which budgets there are,
    /// calls are refused: a budget that nobody has heard of cannot be kept.
    pub async fn begin(
        shared: &Arc<Shared>,
        plane: Arc<dyn ControlPlane>,
        terms: Terms,
        pace: Pace,
    ) -> Result<Self, ReserveError> {
        let ledger = shared.ledger.clone();
        let clock = Arc::new(SystemClock::new());
        let leases = Leases::start(ledger.clone(), Arc::clone(&plane), clock, terms).await?;
        // The first one stays: a proxy has one control plane.
        let _ = shared.leases.set(leases);
        let records = Records::start(ledger, plane, Arc::downgrade(shared), pace).await?;
        Ok(Self { shared: Arc::clone(shared), records })
    }

    /// Tells the panel everything once more, and gives back what is left; once no call is open, and
    /// before the ledger is closed. Waits a few seconds at most: the next start goes on from there.
    pub async fn close(&self) {
        if let Some(leases) = self.shared.leases.get() {
            leases.close().await;
        }
        if !self.records.flush().await {
            tracing::warn!("the panel was not told of all calls; the next start tells it");
        }
    }
}
