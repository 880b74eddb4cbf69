//! Granting: all that a request asks for, or nothing, in one transaction.

use std::collections::BTreeMap;

use iron_policy::control::{Ask, Asks, Grant, Grants, Refused, size};
use iron_policy::types::NanoUsd;
use serde::{Deserialize, Serialize};
use sqlx::{AnyConnection, Row};

use super::account::{Account, Lease};
use super::{LARGEST, LeaseError, MINIMUM, MOST_ASKS, TERM_MS, told};
use crate::budgets::Terms;
use crate::events::{self, Kind};
use crate::panel::Panel;
use crate::store::{StoreError, id};

/// A proxy counts among those that share a budget until it was silent for so long, in milliseconds.
const SEEN_MS: i64 = 5 * 60_000;

/// Grants a proxy what it asks for, or says why it grants nothing. The same request asked again is
/// answered as before, with the leases as they are now.
pub async fn grant(panel: &Panel, proxy: &str, asks: &Asks) -> Result<Grants, LeaseError> {
    check(asks)?;
    let asked = serde_json::to_string(&asks.asks).unwrap_or_default();
    let answer = panel.store.retry(|| within(panel, proxy, asks, &asked)).await?;
    answer.ok_or(LeaseError::Reused)
}

/// What is kept of a request that was granted.
#[derive(Serialize, Deserialize)]
struct Kept {
    asked: String,
    leases: Vec<String>,
}

fn check(asks: &Asks) -> Result<(), LeaseError> {
    let invalid = |text: String| Err(LeaseError::Invalid(text));
    if asks.request.is_empty() || asks.request.len() > 100 {
        return invalid("request names none: send an id of 1 to 100 characters".to_owned());
    }
    if asks.asks.is_empty() || asks.asks.len() > MOST_ASKS {
        return invalid(format!("asks holds {}: send 1 to {MOST_ASKS}", asks.asks.len()));
    }
    for ask in &asks.asks {
        if !(0..=LARGEST).contains(&ask.need.0) {
            return invalid(format!("need is {}: send 0 to {LARGEST} nano-USD", ask.need.0));
        }
        let texts = [Some(&ask.budget), Some(&ask.account), ask.lease.as_ref(), ask.token.as_ref()];
        if texts.into_iter().flatten().any(|text| text.len() > 300 || text.contains('\0')) {
            return invalid(
                "a name is longer than 300 bytes, or holds a NUL: shorten it".to_owned(),
            );
        }
    }
    if asks.request.contains('\0') {
        return invalid("request holds a NUL: send another id".to_owned());
    }
    Ok(())
}

/// None where the request's id was used for something else.
async fn within(
    panel: &Panel,
    proxy: &str,
    asks: &Asks,
    asked: &str,
) -> Result<Option<Grants>, StoreError> {
    let now = panel.clock.now_ms();
    let mut tx = panel.store.begin().await?;
    // Whoever sends the same at once waits here until this one has ended.
    let new = sqlx::query(
        "INSERT INTO lease_request (proxy, request, answer, at) VALUES ($1, $2, '', $3)
         ON CONFLICT (proxy, request) DO NOTHING",
    )
    .bind(proxy.to_owned())
    .bind(asks.request.clone())
    .bind(now)
    .execute(&mut *tx)
    .await?;
    if new.rows_affected() == 0 {
        return again(&mut tx, proxy, asks, asked, now).await;
    }
    let sharing = proxies(&mut tx, proxy, now).await?;
    // In one order, so that no two transactions wait for each other.
    let mut order: Vec<usize> = (0..asks.asks.len()).collect();
    let key = |at: &usize| asks.asks.get(*at).map(|ask| (&ask.budget, &ask.account, ask.start));
    order.sort_by(|one, other| key(one).cmp(&key(other)));
    let (mut grants, mut refused, mut begun) = (BTreeMap::new(), Vec::new(), Vec::new());
    for at in order {
        let Some(ask) = asks.asks.get(at) else { continue };
        match one(&mut tx, proxy, ask, sharing, now).await? {
            Outcome::Granted { grant, new } => {
                begun.extend(new.map(|kind| *kind));
                grants.insert(at, grant);
            }
            Outcome::Refused(reason) => refused.push(reason),
        }
    }
    if !refused.is_empty() {
        tx.rollback().await?;
        return Ok(Some(Grants { grants: Vec::new(), refused }));
    }
    let grants: Vec<Grant> = grants.into_values().collect();
    let leases = grants.iter().map(|grant| grant.lease.clone()).collect();
    let kept = serde_json::to_string(&Kept { asked: asked.to_owned(), leases }).unwrap_or_default();
    sqlx::query("UPDATE lease_request SET answer = $3 WHERE proxy = $1 AND request = $2")
        .bind(proxy.to_owned())
        .bind(asks.request.clone())
        .bind(kept)
        .execute(&mut *tx)
        .await?;
    // Of the begin of each lease; a top-up is no news.
    if !begun.is_empty() {
        events::publish_all(panel, &mut tx, &begun).await?;
    }
    tx.commit().await?;
    if !begun.is_empty() {
        panel.wake.notify(events::EVENT);
    }
    Ok(Some(Grants { grants, refused }))
}

/// The answer to a request that was granted before.
async fn again(
    tx: &mut AnyConnection,
    proxy: &str,
    asks: &Asks,
    asked: &str,
    now: i64,
) -> Result<Option<Grants>, StoreError> {
    let row = sqlx::query("SELECT answer FROM lease_request WHERE proxy = $1 AND request = $2")
        .bind(proxy.to_owned())
        .bind(asks.request.clone())
        .fetch_one(&mut *tx)
        .await?;
    let kept: String = row.try_get(0)?;
    let damaged = || StoreError::Damaged(format!("request {} of {proxy}", asks.request));
    let kept: Kept = serde_json::from_str(&kept).map_err(|_| damaged())?;
    if kept.asked != asked {
        return Ok(None);
    }
    let (mut grants, mut refused) = (Vec::new(), Vec::new());
    for (ask, lease) in asks.asks.iter().zip(&kept.leases) {
        let lease = Lease::find(&mut *tx, lease).await?.ok_or_else(damaged)?;
        let account = Account::find(&mut *tx, &lease.account).await?;
        if lease.is_open() {
            grants.push(granted(&account, &lease, now));
        } else {
            let held = held(&mut *tx, &account.id, proxy).await?;
            refused.push(refusal(ask, "old_epoch", Some(&account), held));
        }
    }
    if !refused.is_empty() {
        grants.clear();
    }
    Ok(Some(Grants { grants, refused }))
}

enum Outcome {
    Granted { grant: Grant, new: Option<Box<Kind>> },
    Refused(Refused),
}

async fn one(
    tx: &mut AnyConnection,
    proxy: &str,
    ask: &Ask,
    sharing: u64,
    now: i64,
) -> Result<Outcome, StoreError> {
    let refuse = |reason| Ok(Outcome::Refused(refusal(ask, reason, None, 0)));
    if let Some(token) = &ask.token
        && is_revoked(&mut *tx, token).await?
    {
        return refuse("token_revoked");
    }
    let Some(terms) = Terms::find(&mut *tx, &ask.budget).await?.filter(|terms| !terms.removed)
    else {
        return refuse("unknown_budget");
    };
    if !terms.scope.opens(&ask.account) {
        return refuse("unknown_budget");
    }
    if !terms.is_now(ask.start, now) {
        return refuse("window_over");
    }
    let Some(mut account) = Account::open(&mut *tx, &ask.budget, &ask.account, ask.start).await?
    else {
        return refuse("too_many_accounts");
    };
    let newest = Lease::newest(&mut *tx, &account.id, proxy).await?;
    let before = match (&ask.lease, newest) {
        (Some(named), Some(lease)) if *named == lease.id && lease.is_open() => lease,
        (Some(_), _) => {
            let held = held(&mut *tx, &account.id, proxy).await?;
            return Ok(Outcome::Refused(refusal(ask, "old_epoch", Some(&account), held)));
        }
        // The answer that told of it was lost: nothing can have been spent from it.
        (None, Some(lease)) if lease.is_open() && lease.sequence == 0 => lease,
        // Of an older one that is open the proxy knows nothing any more. What it spent from it is
        // not known either: it stays held.
        (None, newest) => Lease {
            id: id("lse"),
            account: account.id.clone(),
            proxy: proxy.to_owned(),
            epoch: newest.map_or(1, |lease| lease.epoch.saturating_add(1)),
            granted: 0,
            spent: 0,
            returned: 0,
            pending: 0,
            overrun: 0,
            sequence: 0,
            state: "open".to_owned(),
            expires_at: 0,
        },
    };
    let amount = size(NanoUsd(account.left()), ask.need, MINIMUM, sharing);
    let Some(amount) = amount.filter(|amount| amount.0 > 0) else {
        let held = held(&mut *tx, &account.id, proxy).await?;
        return Ok(Outcome::Refused(refusal(ask, "exhausted", Some(&account), held)));
    };
    let mut after = before.clone();
    after.granted = before
        .granted
        .checked_add(amount.0)
        .ok_or_else(|| StoreError::Damaged(format!("lease {}", before.id)))?;
    after.expires_at = now.saturating_add(TERM_MS);
    let more = after.outstanding().saturating_sub(before.outstanding());
    // Said once more by the statement that takes it: whatever went before, this cannot overspend.
    let taken = sqlx::query(
        "UPDATE account SET leased = leased + $2
         WHERE id = $1 AND posted + leased + $2 <= limit_nano",
    )
    .bind(account.id.clone())
    .bind(more)
    .execute(&mut *tx)
    .await?;
    if taken.rows_affected() != 1 {
        return Err(StoreError::Damaged(format!("account {}", account.id)));
    }
    account.moved(&before, &after)?;
    let mut new = None;
    if before.granted == 0 {
        after.insert(&mut *tx, now).await?;
        new = Some(Box::new(told(&mut *tx, &account, &after).await?));
    } else {
        after.write(&mut *tx, now).await?;
    }
    Ok(Outcome::Granted { grant: granted(&account, &after, now), new })
}

/// How many proxies share what is left: those that were seen lately, this one among them.
async fn proxies(tx: &mut AnyConnection, own: &str, now: i64) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "SELECT COUNT(*) FROM proxy WHERE removed_at IS NULL AND seen_at > $1 AND name <> $2",
    )
    .bind(now.saturating_sub(SEEN_MS))
    .bind(own.to_owned())
    .fetch_one(tx)
    .await?;
    Ok(u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or(0).saturating_add(1))
}

/// Whether a token must not spend: it is revoked, or nobody here issued it.
async fn is_revoked(tx: &mut AnyConnection, token: &str) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT revoked_at FROM token WHERE id = $1")
        .bind(token.to_owned())
        .fetch_optional(tx)
        .await?;
    Ok(match row {
        Some(row) => row.try_get::<Option<i64>, _>(0)?.is_some(),
        None => true,
    })
}

/// What other proxies hold of an account.
async fn held(tx: &mut AnyConnection, account: &str, proxy: &str) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "SELECT CAST(COALESCE(SUM(granted - spent - returned), 0) AS BIGINT) FROM lease
         WHERE account = $1 AND proxy <> $2 AND state = 'open' AND granted - spent > returned",
    )
    .bind(account.to_owned())
    .bind(proxy.to_owned())
    .fetch_one(tx)
    .await?;
    Ok(row.try_get(0)?)
}

fn granted(account: &Account, lease: &Lease, now: i64) -> Grant {
    Grant {
        lease: lease.id.clone(),
        budget: account.budget.clone(),
        account: account.account.clone(),
        start: account.start,
        epoch: lease.epoch,
        amount: NanoUsd(lease.granted),
        limit: NanoUsd(account.limit),
        expires_in_ms: u64::try_from(lease.expires_at.saturating_sub(now)).unwrap_or(0),
    }
}

fn refusal(ask: &Ask, reason: &str, account: Option<&Account>, held: i64) -> Refused {
    Refused {
        budget: ask.budget.clone(),
        account: ask.account.clone(),
        reason: reason.to_owned(),
        limit: NanoUsd(account.map_or(0, |account| account.limit)),
        left: NanoUsd(account.map_or(0, Account::left)),
        held: NanoUsd(held),
    }
}
