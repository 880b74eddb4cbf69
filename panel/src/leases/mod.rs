//! Leases: slices of budgets that proxies spend without asking again.
//!
//! In every account, at every commit: `posted + leased <= limit`. `posted` is what was spent by
//! what proxies reported, `leased` is what they hold and did not spend. A grant adds to `leased`,
//! where it fits; a report moves what was spent from `leased` to `posted`; what is given back, or
//! reclaimed by an operator, leaves `leased`. What was spent beyond a lease is posted as it is: it
//! is counted as overrun, and told. It is the one way past a limit, and nothing hides it.
//!
//! Whoever changes a lease has its account's row first (an update holds it until the transaction
//! ends), and accounts are taken in one order. Sums are made here, checked, and never in SQL alone.
//!
//! What is not done here: nobody is asked to give back a lease before its time. A lease whose proxy
//! is silent stays held, since the proxy may have spent it; its expiry only binds the proxy.

mod account;
mod grant;
mod list;
mod reclaim;
mod report;

pub use account::{Account, Lease};
pub use grant::grant;
pub use list::{Filter, Listed, list};
pub use reclaim::reclaim;
pub use report::report;

use sqlx::AnyConnection;

use crate::budgets::owner;
use crate::events::{Kind, LeaseChanged};
use crate::panel::Panel;
use crate::store::StoreError;

/// For how long a lease may be spent after the last word with the panel, in milliseconds.
pub const TERM_MS: i64 = 10 * 60_000;
/// The least that is granted, where so much is left: $0.01.
pub const MINIMUM: iron_policy::types::NanoUsd = iron_policy::types::NanoUsd(10_000_000);
/// The largest amount that anybody may name: a billion dollars. Sums of several still fit.
pub const LARGEST: i64 = 1_000_000_000_000_000_000;
/// What a report may say beyond all that was granted with its lease: $1,000. Calls in flight do not cost
/// so much more than was held for them.
const MOST_BEYOND: i64 = 1_000_000_000_000;
/// Budgets that one request may be about, and leases in one report.
pub const MOST_ASKS: usize = 32;
/// Leases in one report.
pub const MOST_REPORTS: usize = 500;
/// Accounts that a budget such as `agent:*` may have in one window.
const MOST_ACCOUNTS: i64 = 100_000;
/// How long an answer to a request for leases is kept, in milliseconds.
const REMEMBERED_MS: i64 = 24 * 3_600_000;

/// Why nothing was done about leases.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The message makes no sense; it never will.
    #[error("{0}")]
    Invalid(String),
    /// The request's id was used for another request.
    #[error("this request's id was used for another one: make a new id for each request")]
    Reused,
    /// There is no such lease.
    #[error("there is no such lease")]
    NotFound,
    /// It is not open (any more).
    #[error("the lease is {0}")]
    NotOpen(String),
    /// Its proxy is heard, and only admins take back what it may be spending.
    #[error("the lease is not silent")]
    NotSilent,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for LeaseError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What live views are told of a lease.
async fn told(
    connection: &mut AnyConnection,
    account: &Account,
    lease: &Lease,
) -> Result<Kind, StoreError> {
    let project = owner(connection, &account.account).await?.map(|project| project.name);
    Ok(Kind::Lease(LeaseChanged {
        lease: lease.id.clone(),
        proxy: lease.proxy.clone(),
        budget: account.budget.clone(),
        account: account.account.clone(),
        project,
        state: lease.state.clone(),
        granted: lease.granted.into(),
        spent: lease.spent.into(),
    }))
}

/// The account of a lease; none where there is no such lease.
pub async fn account_of(
    connection: &mut AnyConnection,
    lease: &str,
) -> Result<Option<Account>, StoreError> {
    match Lease::find(connection, lease).await? {
        Some(lease) => Ok(Some(Account::find(connection, &lease.account).await?)),
        None => Ok(None),
    }
}

/// Forgets answers to requests that nobody will send again.
pub async fn prune(panel: &Panel) -> Result<u64, StoreError> {
    let before = panel.clock.now_ms().saturating_sub(REMEMBERED_MS);
    let deleted = sqlx::query("DELETE FROM lease_request WHERE at < $1")
        .bind(before)
        .execute(panel.store.pool())
        .await?;
    Ok(deleted.rows_affected())
}

#[cfg(test)]
mod tests;
