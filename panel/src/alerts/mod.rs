//! Alerts: what of the money somebody should hear of, once.
//!
//! The levels are of what is **posted**, not of what is posted or leased: a lease is a slice that a
//! proxy may never spend, and half of a small budget is leased at its first call. A level is told
//! once in a window for each account, and again only after the limit was raised above it.

mod deliver;
mod send;
mod sign;
mod webhook;

use sqlx::AnyConnection;

pub use deliver::{Delivery, PAUSES, deliveries, prune, round, run, test};
pub use send::{SendError, Sender};
pub use sign::Secret;
pub use webhook::{
    KINDS, Webhook, WebhookChange, WebhookError, create, find, list, remove, update,
};

use crate::api::time;
use crate::budgets::{Terms, owner};
use crate::events::{self, BudgetAlert, BudgetOverrun, Kind};
use crate::leases::Account;
use crate::panel::Panel;
use crate::store::StoreError;

/// Of how many percent of a limit somebody is told, in rising order.
pub const LEVELS: [i64; 3] = [50, 80, 95];

/// What is to be told of what a report changed in an account. Notes it in the account, which the
/// caller writes.
pub async fn after(
    tx: &mut AnyConnection,
    terms: &Terms,
    before: &Account,
    account: &mut Account,
) -> Result<Vec<Kind>, StoreError> {
    let level = level(account.posted, account.limit);
    let overrun = account.overrun.saturating_sub(before.overrun);
    let mut news = Vec::new();
    if level <= account.alerted && overrun <= 0 {
        return Ok(news);
    }
    let project = owner(tx, &account.account).await?.map(|project| project.name);
    if level > account.alerted {
        account.alerted = level;
        news.push(Kind::BudgetAlert(BudgetAlert {
            budget: terms.id.clone(),
            account: account.account.clone(),
            project: project.clone(),
            start: time::text(account.start),
            percent: level,
            spent: account.posted.into(),
            held: account.leased.into(),
            limit: account.limit.into(),
        }));
    }
    if overrun > 0 {
        news.push(Kind::BudgetOverrun(BudgetOverrun {
            budget: terms.id.clone(),
            account: account.account.clone(),
            project,
            start: time::text(account.start),
            by: overrun.into(),
            spent: account.posted.into(),
            limit: account.limit.into(),
        }));
    }
    Ok(news)
}

/// The highest level that this much of a limit has passed; 0 below the first.
pub fn level(posted: i64, limit: i64) -> i64 {
    let passed = |level: &&i64| {
        limit > 0 && i128::from(posted) * 100 >= i128::from(limit) * i128::from(**level)
    };
    LEVELS.iter().rev().find(passed).copied().unwrap_or(0)
}

/// Tells live views and webhooks, in the transaction of what it is about. The caller notifies
/// [`events::EVENT`] after the commit.
pub async fn tell(panel: &Panel, tx: &mut AnyConnection, news: &[Kind]) -> Result<(), StoreError> {
    webhook::enqueue(panel, tx, news).await?;
    events::publish_all(panel, tx, news).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    mod webhooks;

    use super::*;

    #[test]
    fn a_level_is_passed_at_its_very_share() {
        for (posted, limit, expected) in [
            (0, 100, 0),
            (49, 100, 0),
            (50, 100, 50),
            (79, 100, 50),
            (80, 100, 80),
            (95, 100, 95),
            (1_000, 100, 95),
            (5, 0, 0),
            (i64::MAX, i64::MAX, 95),
        ] {
            assert_eq!(level(posted, limit), expected, "{posted} of {limit}");
        }
    }
}
