//! Taking back what a silent proxy holds: an operator's decision, since it may have been spent.

use serde_json::json;

use super::account::{Account, Lease};
use super::{LARGEST, LeaseError, told};
use crate::api::access::Principal;
use crate::panel::Panel;
use crate::store::StoreError;
use crate::{alerts, audit, events};

/// Takes back what is left of a lease. The budget may be overspent by as much, if the proxy spent it
/// and did not say so; if it says so later, that is posted. Returns the account and the lease as they
/// then are, and how much was taken.
pub async fn reclaim(
    panel: &Panel,
    lease: &str,
    principal: &Principal,
) -> Result<(Account, Lease, i64), LeaseError> {
    panel.store.retry(|| within(panel, lease, principal)).await?
}

async fn within(
    panel: &Panel,
    lease: &str,
    principal: &Principal,
) -> Result<Result<(Account, Lease, i64), LeaseError>, StoreError> {
    let now = panel.clock.now_ms();
    let mut tx = panel.store.begin().await?;
    let Some(found) = Lease::find(&mut tx, lease).await? else {
        return Ok(Err(LeaseError::NotFound));
    };
    let mut account = Account::hold_id(&mut tx, &found.account).await?;
    let Some(before) = Lease::find(&mut tx, lease).await? else {
        return Ok(Err(LeaseError::NotFound));
    };
    if !before.is_open() {
        return Ok(Err(LeaseError::NotOpen(before.state)));
    }
    if before.expires_at >= now && !principal.sees_all() {
        return Ok(Err(LeaseError::NotSilent));
    }
    let taken = before.outstanding();
    let mut after = before.clone();
    "reclaimed".clone_into(&mut after.state);
    after.expires_at = now;
    account.moved(&before, &after)?;
    account.reclaimed = account.reclaimed.saturating_add(taken).min(LARGEST);
    after.write(&mut tx, now).await?;
    account.write(&mut tx).await?;
    let detail = json!({
        "budget": account.budget, "account": account.account, "proxy": after.proxy,
        "nano": taken, "in_flight": after.pending,
    });
    audit::record(panel, &mut tx, principal, "lease.reclaim", &after.id, detail).await?;
    let news = told(&mut tx, &account, &after).await?;
    alerts::tell(panel, &mut tx, &[news]).await?;
    tx.commit().await?;
    panel.wake.notify(events::EVENT);
    Ok(Ok((account, after, taken)))
}
