//! Follows the panel: asks what changed, waits for the answer, and puts it in force.
//!
//! A part that cannot be put in force leaves the old one and is said in the status; it is not asked
//! for again before it changes. What must survive a restart is written before the next question.

use std::sync::{Arc, Weak};
use std::time::Duration;

use iron_policy::control::{Changes, Known, PolicyText};
use iron_policy::token::TokenKeys;

use super::copy::CopyFile;
use super::seal::{KeyPair, ProviderKeys};
use super::{ControlError, ControlPlane};
use crate::shared::Shared;
use crate::stops::Whom;

/// How long the panel may wait with its answer.
const WAIT_MS: u64 = 20_000;
/// How long to wait after the first failure, and at most: what is revoked meanwhile is late by that.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How long to wait where the panel does not take the proxy's credential.
const REFUSED: Duration = Duration::from_secs(15);
/// No panel is left alone longer than this, whatever it asks for.
const LONGEST: Duration = Duration::from_mins(1);

/// Puts in force what a panel says of a proxy's policy and keys: whoever builds policies.
pub trait Enforce: std::fmt::Debug + Send + Sync {
    /// Lays the panel's policy over the proxy's own. The old one stays where that fails.
    fn policy(&self, text: &PolicyText) -> Result<(), String>;

    /// These are the panel's provider keys, and no others.
    fn keys(&self, keys: ProviderKeys);
}

/// A proxy's way to its panel.
#[derive(Debug)]
pub struct Follower {
    shared: Weak<Shared>,
    plane: Arc<dyn ControlPlane>,
    enforce: Arc<dyn Enforce>,
    file: CopyFile,
    pair: KeyPair,
    /// All that was said so far, without provider keys.
    said: Changes,
    listens: Option<String>,
}

impl Follower {
    /// Begins with what the panel said before the proxy was last stopped. `panel` is where it is, and
    /// whose copy is taken; `listens` is where agents reach the proxy.
    pub fn new(
        shared: &Arc<Shared>,
        plane: Arc<dyn ControlPlane>,
        enforce: Arc<dyn Enforce>,
        panel: &str,
        listens: Option<String>,
    ) -> Self {
        let file = CopyFile::beside(shared.ledger.path(), panel);
        shared.panel.linked(panel);
        let mut follower = Self {
            shared: Arc::downgrade(shared),
            plane,
            enforce,
            file,
            pair: KeyPair::new(),
            said: Changes::default(),
            listens,
        };
        if let Some(said) = follower.file.read() {
            follower.take(shared, said);
        }
        follower
    }

    /// Follows for as long as the proxy lives.
    pub async fn run(mut self) {
        let mut failures = 0;
        while self.shared.strong_count() > 0 {
            match self.ask(WAIT_MS).await {
                Ok(()) => failures = 0,
                Err(error) => {
                    if let Some(shared) = self.shared.upgrade() {
                        shared.panel.failed(&error);
                    }
                    tokio::time::sleep(wait(&error, failures, fastrand::f64())).await;
                    failures = failures.saturating_add(1);
                }
            }
        }
    }

    /// Asks once without waiting for news, and puts in force what the answer says.
    pub async fn ask_now(&mut self) -> Result<(), ControlError> {
        self.ask(0).await
    }

    /// Asks once; the panel answers when there is news, or after `wait_ms`.
    async fn ask(&mut self, wait_ms: u64) -> Result<(), ControlError> {
        let known = Known {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seal_to: self.pair.public().to_owned(),
            listens: self.listens.clone(),
            marks: self.said.marks,
            wait_ms,
        };
        let changes = self.plane.changes(&known).await?;
        let Some(shared) = self.shared.upgrade() else { return Ok(()) };
        shared.panel.heard(&changes.issuer, changes.marks, changes.now_ms);
        if changes.marks == self.said.marks && changes.issuer == self.said.issuer {
            return Ok(());
        }
        self.take(&shared, changes);
        // The disk may be slow: not on a thread that carries calls.
        let (said, file) = (self.said.clone(), self.file.clone());
        let written = tokio::task::spawn_blocking(move || file.write(&said)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(%error, "what the panel said cannot be kept for a restart");
        }
        Ok(())
    }

    fn take(&mut self, shared: &Shared, changes: Changes) {
        let said = &mut self.said;
        let another_issuer = changes.issuer != said.issuer;
        said.issuer = changes.issuer;
        said.marks = changes.marks;
        let keys = match changes.keys {
            // The same keys under another name.
            None if another_issuer => said.keys.take(),
            keys => keys,
        };
        if let Some(keys) = keys {
            match TokenKeys::parse(&keys) {
                Ok(parsed) => shared.tokens.learn(said.issuer.clone(), parsed),
                Err(error) => tracing::error!(%error, "the panel's keys: the old ones stay"),
            }
            said.keys = Some(keys);
        }
        if let Some(revoked) = changes.revocations {
            let named = |cut: bool| {
                let all = revoked.iter().filter(move |one| !cut || one.cut_streams);
                all.filter_map(|one| one.token.parse().ok()).collect()
            };
            // First the calls to come, then those that are open.
            shared.tokens.revoke(named(false));
            let cut: std::collections::HashSet<_> = named(true);
            shared.stops.cut(cut);
            said.revocations = Some(revoked);
        }
        if let Some(stops) = changes.stops {
            shared.stops.order(stops.iter().filter_map(|name| Whom::named(name)));
            said.stops = Some(stops);
        }
        if let Some(budgets) = changes.budgets {
            if let Some(leases) = shared.leases.get() {
                leases.set_budgets(&budgets);
            }
            shared.panel.budgets_are(budgets.len());
            said.budgets = Some(budgets);
        }
        // Before the policy, so that upstreams which it brings have their keys at once.
        if let Some(sealed) = changes.secrets {
            let (keys, broken) = self.pair.open_all(&sealed);
            shared.panel.provider_keys_are(keys.len(), broken);
            self.enforce.keys(keys);
        }
        if let Some(policy) = changes.policy {
            shared.panel.policy_is(policy.version, self.enforce.policy(&policy));
            said.policy = Some(policy);
        }
    }
}

/// How long to wait after a failure: longer each time, and never all proxies at once. `random` is
/// from 0 to 1.
fn wait(error: &ControlError, failures: u32, random: f64) -> Duration {
    let base = match error {
        ControlError::Busy { retry_after } => (*retry_after).min(LONGEST),
        ControlError::Refused { .. } => REFUSED,
        ControlError::Unreachable(_) => {
            BACKOFF.0.saturating_mul(1 << failures.min(10)).min(BACKOFF.1)
        }
    };
    base.mul_f64(0.5 + random / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_differ() {
        let away = ControlError::Unreachable(String::new());
        let waits: Vec<_> = (0..8).map(|failures| wait(&away, failures, 1.0).as_millis()).collect();
        assert_eq!(waits, [200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]);
        assert_eq!(wait(&away, u32::MAX, 0.0).as_millis(), 2_500);
        let busy = ControlError::Busy { retry_after: Duration::from_hours(9) };
        assert_eq!(wait(&busy, 0, 1.0), LONGEST);
    }
}
