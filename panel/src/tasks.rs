//! What a panel does besides answering: one list, started once, ended with its guard.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::identity::sessions;
use crate::panel::Panel;
use crate::{alerts, events, leases, telemetry, tokens};

/// How often what is kept for a while only is looked through.
const SWEEP: Duration = Duration::from_secs(30);
/// How often it is looked whether records of calls are too old.
const KEEP: Duration = Duration::from_mins(15);

/// What runs beside a panel; it ends when this is dropped.
#[derive(Debug)]
#[must_use = "dropping it ends what it runs"]
pub struct Tasks {
    _running: JoinSet<()>,
}

/// Starts everything that a panel does besides answering.
pub fn start(panel: &Panel) -> Tasks {
    let mut running = JoinSet::new();
    running.spawn(events::run(panel.clone()));
    running.spawn(alerts::run(panel.clone()));
    running.spawn(sweep(panel.clone()));
    running.spawn(keep(panel.clone()));
    Tasks { _running: running }
}

/// Removes what is kept for a while only.
async fn sweep(panel: Panel) {
    loop {
        if let Err(error) = events::keep(&panel).await {
            tracing::warn!(%error, "old events could not be removed; trying again");
        }
        if let Err(error) = alerts::prune(&panel).await {
            tracing::warn!(%error, "old messages to webhooks could not be removed; trying again");
        }
        if let Err(error) = leases::prune(&panel).await {
            tracing::warn!(%error, "old requests for leases could not be removed; trying again");
        }
        if let Err(error) = tokens::prune(&panel).await {
            tracing::warn!(%error, "budgets of expired tokens could not be removed; trying again");
        }
        if let Err(error) = sessions::prune(&panel).await {
            tracing::warn!(%error, "ended sessions could not be removed; trying again");
        }
        tokio::time::sleep(SWEEP).await;
    }
}

/// Makes room for records of calls, and removes old ones.
async fn keep(panel: Panel) {
    loop {
        if let Err(error) = telemetry::keep::keep(&panel).await {
            tracing::warn!(%error, "old records of calls could not be removed; trying again");
        }
        tokio::time::sleep(KEEP).await;
    }
}
