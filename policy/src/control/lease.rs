//! Leases: a slice of a budget that the panel grants one proxy.
//!
//! `posted + outstanding <= limit` holds at the panel at every commit. A lease is one budget in one
//! window at one proxy; topping it up raises its `amount`. Everything in a report is cumulative, so
//! that the newest one says all that the lost ones said.

use serde::{Deserialize, Serialize};

use crate::types::NanoUsd;

/// A lease's id, made by the panel.
pub type LeaseId = String;

/// What a proxy wants to be able to spend, for one call or ahead of need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Asks {
    /// Names this request: the same one asked again is answered as before.
    pub request: String,
    /// What is wanted; of all or nothing: a call touches several budgets.
    pub asks: Vec<Ask>,
}

/// One budget in one window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Ask {
    /// The budget's id.
    pub budget: String,
    /// The account it opens there: `agent:researcher` for a budget of `agent:*`.
    pub account: String,
    /// When the window began, in Unix milliseconds; 0 for `total`.
    pub start: i64,
    /// The lease that the proxy holds there, where it holds one.
    #[serde(default)]
    pub lease: Option<LeaseId>,
    /// What must be added at least for the call that waits.
    pub need: NanoUsd,
    /// The token in use, checked for revocation; none ahead of need.
    #[serde(default)]
    pub token: Option<String>,
}

/// The panel's answer to [`Asks`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Grants {
    /// What is granted; empty where anything was refused.
    pub grants: Vec<Grant>,
    /// Why nothing was granted.
    #[serde(default)]
    pub refused: Vec<Refused>,
}

/// A lease as it stands after a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Grant {
    /// The lease.
    pub lease: LeaseId,
    /// The budget's id.
    pub budget: String,
    /// The account.
    pub account: String,
    /// When the window began.
    pub start: i64,
    /// Counts the proxy's leases of the account: nothing is taken from an older one.
    pub epoch: i64,
    /// All that was ever granted with this lease, and may be spent with it in total.
    pub amount: NanoUsd,
    /// The budget's limit, for what callers are told.
    pub limit: NanoUsd,
    /// For how long it may be spent, in milliseconds from when the request was sent.
    pub expires_in_ms: u64,
}

/// Why a budget grants nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Refused {
    /// The budget's id.
    pub budget: String,
    /// The account.
    pub account: String,
    /// `exhausted`, `unknown_budget`, `token_revoked`, `old_epoch`, `window_over`.
    pub reason: String,
    /// The budget's limit.
    pub limit: NanoUsd,
    /// What nobody has spent or holds.
    pub left: NanoUsd,
    /// What other proxies hold of it: it may come back.
    pub held: NanoUsd,
}

/// What was spent with leases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Reports {
    /// One for each lease of which there is news.
    pub reports: Vec<Report>,
}

/// One lease, from its beginning until now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Report {
    /// The lease.
    pub lease: LeaseId,
    /// Its epoch.
    pub epoch: i64,
    /// Rises with each report of the lease: an older one changes nothing.
    pub sequence: i64,
    /// All that was charged, overruns included.
    pub spent: NanoUsd,
    /// What is held by calls in flight.
    pub pending: NanoUsd,
    /// Of `spent`, what went beyond what the calls had reserved.
    pub overrun: NanoUsd,
    /// What the proxy gives back of [`Grant::amount`], in total.
    pub returned: NanoUsd,
    /// Whether it is the last: nothing is in flight, and the rest goes back.
    pub last: bool,
}

/// The panel's answer to [`Reports`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Acknowledged {
    /// One for each report.
    pub kept: Vec<Kept>,
}

/// A lease as it stands after a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Kept {
    /// The lease.
    pub lease: LeaseId,
    /// The newest report that the panel has.
    pub sequence: i64,
    /// What it is now.
    pub standing: Standing,
    /// For how much longer it may be spent, from when the report was sent; 0 where it may not.
    pub expires_in_ms: u64,
}

/// What a lease is at the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It may be spent.
    Open,
    /// Its last report was taken.
    Closed,
    /// An operator took its remainder: it must not be spent any more.
    Reclaimed,
    /// The panel knows of no such lease.
    Unknown,
}

/// How much to grant where `need` must fit: ledger's rule `max(minimum, remaining / (2 * proxies))`,
/// never more than what remains; none where `need` does not fit.
pub fn size(remaining: NanoUsd, need: NanoUsd, minimum: NanoUsd, proxies: u64) -> Option<NanoUsd> {
    let proxies = i64::try_from(proxies.max(1)).unwrap_or(i64::MAX);
    let share = NanoUsd(remaining.0 / proxies.saturating_mul(2));
    (need <= remaining).then(|| share.max(minimum).max(need).min(remaining))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_a_share_that_covers_the_need_and_never_more_than_remains() {
        let size = |remaining, need, minimum, proxies| {
            super::size(NanoUsd(remaining), NanoUsd(need), NanoUsd(minimum), proxies).map(|a| a.0)
        };
        assert_eq!(size(100, 1, 5, 1), Some(50));
        assert_eq!(size(100, 1, 5, 5), Some(10));
        assert_eq!(size(100, 1, 20, 5), Some(20));
        assert_eq!(size(100, 80, 5, 5), Some(80));
        assert_eq!(size(10, 1, 20, 5), Some(10));
        assert_eq!(size(10, 11, 1, 1), None);
        assert_eq!(size(0, 0, 5, 0), Some(0));
    }
}
