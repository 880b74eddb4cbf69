//! Setting, changing and removing budgets, each in one transaction with its audit entry and the word
//! to proxies.

use iron_policy::budget::{Scope, Window};
use iron_policy::types::NanoUsd;
use jiff::tz::TimeZone;
use serde_json::json;
use sqlx::AnyConnection;

use super::{BudgetError, MARK, Terms, balance, is_own, limit};
use crate::alerts::LEVELS;
use crate::api::access::Principal;
use crate::audit;
use crate::panel::Panel;
use crate::store::{StoreError, Tx, id, raise};

/// Budgets that there may be: every proxy holds all of them.
const MOST: i64 = 10_000;

/// A budget to be set.
#[derive(Debug, Clone)]
pub struct New {
    /// Whose calls it covers.
    pub scope: Scope,
    /// After which time it begins anew.
    pub window: Window,
    /// The time zone of its windows (IANA); UTC where none is named.
    pub zone: Option<String>,
    /// What may be spent in a window.
    pub limit: NanoUsd,
    /// Whether calls are shortened rather than refused.
    pub clamp: bool,
}

/// What is to change of a budget.
#[derive(Debug, Clone, Copy, Default)]
pub struct Change {
    /// A new limit.
    pub limit: Option<NanoUsd>,
    /// Whether calls are shortened rather than refused.
    pub clamp: Option<bool>,
}

/// Sets a budget.
pub async fn set(panel: &Panel, principal: &Principal, new: &New) -> Result<Terms, BudgetError> {
    let done = panel.store.retry(|| async move {
        let mut tx = panel.store.begin().await?;
        ended(insert(panel, &mut tx, principal, new).await, tx).await
    });
    notify(panel, done.await?)
}

/// Changes a budget that has this version, where one is named.
pub async fn change(
    panel: &Panel,
    principal: &Principal,
    budget: &str,
    version: Option<i64>,
    change: Change,
) -> Result<Terms, BudgetError> {
    let done = panel.store.retry(|| async move {
        let mut tx = panel.store.begin().await?;
        ended(update(panel, &mut tx, principal, budget, version, change).await, tx).await
    });
    notify(panel, done.await?)
}

/// Removes a budget that has this version, where one is named.
pub async fn withdraw(
    panel: &Panel,
    principal: &Principal,
    budget: &str,
    version: Option<i64>,
) -> Result<(), BudgetError> {
    let done = panel.store.retry(|| async move {
        let mut tx = panel.store.begin().await?;
        ended(remove(panel, &mut tx, principal, budget, version).await, tx).await
    });
    notify(panel, done.await?)
}

/// Commits what was done, and tells what another attempt may mend from what it may not.
async fn ended<T>(
    done: Result<T, BudgetError>,
    tx: Tx,
) -> Result<Result<T, BudgetError>, StoreError> {
    match done {
        Ok(value) => {
            tx.commit().await?;
            Ok(Ok(value))
        }
        Err(BudgetError::Store(error)) => Err(error),
        Err(error) => Ok(Err(error)),
    }
}

fn notify<T>(panel: &Panel, done: Result<T, BudgetError>) -> Result<T, BudgetError> {
    if done.is_ok() {
        panel.wake.notify(MARK);
    }
    done
}

/// Sets a budget, in the transaction of what it comes with. After the commit, notify [`MARK`].
pub async fn insert(
    panel: &Panel,
    tx: &mut Tx,
    principal: &Principal,
    new: &New,
) -> Result<Terms, BudgetError> {
    let limit = limit(new.limit.0)?;
    let zone = new.zone.as_deref().unwrap_or("UTC");
    let found = TimeZone::get(zone).ok().filter(|_| zone.len() <= 60);
    let Some(zone) = found.as_ref().and_then(|zone| zone.iana_name()) else {
        return Err(BudgetError::Invalid(format!(
            "{zone:.60} is no time zone: write one like Europe/Paris, or leave it out for UTC"
        )));
    };
    let scope = new.scope.to_string();
    if scope.len() > 200 {
        return Err(BudgetError::Invalid("the scope is longer than 200 bytes".to_owned()));
    }
    own(tx, principal, &scope).await?;
    if balance::count(tx).await? >= MOST {
        return Err(BudgetError::Invalid(format!(
            "there are {MOST} budgets: remove some, or set one of `agent:*` or `project:*` instead"
        )));
    }
    let budget = id("bud");
    let written = sqlx::query(
        "INSERT INTO budget (id, scope, span, zone, limit_nano, clamp, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (scope, span) WHERE removed_at IS NULL DO NOTHING",
    )
    .bind(budget.clone())
    .bind(scope.clone())
    .bind(new.window.name())
    .bind(zone.to_owned())
    .bind(limit)
    .bind(i64::from(new.clamp))
    .bind(panel.clock.now_ms())
    .execute(&mut **tx)
    .await?;
    if written.rows_affected() == 0 {
        return Err(BudgetError::Exists { scope });
    }
    raise(tx, MARK).await?;
    let detail = json!({
        "scope": scope, "window": new.window.name(), "zone": zone, "limit": limit,
        "clamp": new.clamp,
    });
    audit::record(panel, tx, principal, "budget.create", &budget, detail).await?;
    found_again(tx, &budget).await
}

/// Changes a budget that has this version, where one is named. What is open of it in the window of now
/// follows at once: more can be leased, or less. After the commit, notify [`MARK`].
pub(super) async fn update(
    panel: &Panel,
    tx: &mut Tx,
    principal: &Principal,
    budget: &str,
    version: Option<i64>,
    change: Change,
) -> Result<Terms, BudgetError> {
    let before = held(tx, principal, budget, version).await?;
    let limit = limit(change.limit.unwrap_or(before.limit).0)?;
    let clamp = change.clamp.unwrap_or(before.clamp);
    sqlx::query(
        "UPDATE budget SET limit_nano = $2, clamp = $3, version = version + 1 WHERE id = $1",
    )
    .bind(budget.to_owned())
    .bind(limit)
    .bind(i64::from(clamp))
    .execute(&mut **tx)
    .await?;
    follow(tx, &before, limit, before.oldest_start(panel.clock.now_ms())).await?;
    raise(tx, MARK).await?;
    let detail = json!({
        "scope": before.scope.to_string(), "limit": limit, "limit_before": before.limit.0,
        "clamp": clamp,
    });
    audit::record(panel, tx, principal, "budget.update", budget, detail).await?;
    found_again(tx, budget).await
}

/// Removes a budget: nothing of it is granted any more, and what proxies hold of it is still settled.
/// After the commit, notify [`MARK`].
pub(super) async fn remove(
    panel: &Panel,
    tx: &mut Tx,
    principal: &Principal,
    budget: &str,
    version: Option<i64>,
) -> Result<(), BudgetError> {
    let before = held(tx, principal, budget, version).await?;
    sqlx::query("UPDATE budget SET removed_at = $2, version = version + 1 WHERE id = $1")
        .bind(budget.to_owned())
        .bind(panel.clock.now_ms())
        .execute(&mut **tx)
        .await?;
    sqlx::query(
        "UPDATE budget_request SET state = 'denied', decided_by = 'system', decided_at = $2,
           version = version + 1
         WHERE budget = $1 AND state = 'open'",
    )
    .bind(budget.to_owned())
    .bind(panel.clock.now_ms())
    .execute(&mut **tx)
    .await?;
    raise(tx, MARK).await?;
    let detail = json!({ "scope": before.scope.to_string(), "limit": before.limit.0 });
    audit::record(panel, tx, principal, "budget.remove", budget, detail).await?;
    Ok(())
}

/// A budget that somebody may change, held until the transaction ends.
async fn held(
    tx: &mut Tx,
    principal: &Principal,
    budget: &str,
    version: Option<i64>,
) -> Result<Terms, BudgetError> {
    sqlx::query("UPDATE budget SET version = version WHERE id = $1")
        .bind(budget.to_owned())
        .execute(&mut **tx)
        .await?;
    let terms = Terms::find(tx, budget).await?.filter(|terms| !terms.removed);
    let terms = terms.ok_or(BudgetError::NotFound("budget"))?;
    if !is_own(tx, principal, &terms.scope.to_string()).await? {
        return Err(BudgetError::NotFound("budget"));
    }
    if version.is_some_and(|version| version != terms.version) {
        return Err(BudgetError::Changed(terms.version));
    }
    Ok(terms)
}

/// Gives the accounts that are open a new limit. A level of alerts that is not passed any more can be
/// passed again.
async fn follow(
    tx: &mut AnyConnection,
    terms: &Terms,
    limit: i64,
    oldest: i64,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE account SET limit_nano = extra + $2 WHERE budget = $1 AND start >= $3")
        .bind(terms.id.clone())
        .bind(limit)
        .bind(oldest)
        .execute(&mut *tx)
        .await?;
    lower_levels(tx, &terms.id, oldest).await
}

/// Takes back the levels of alerts that are not passed (any more), so that they are told again.
pub(super) async fn lower_levels(
    tx: &mut AnyConnection,
    budget: &str,
    oldest: i64,
) -> Result<(), StoreError> {
    // From the highest level down: each lowers what is above it and was not reached.
    for (at, level) in LEVELS.iter().enumerate().rev() {
        let below = at.checked_sub(1).and_then(|at| LEVELS.get(at)).copied().unwrap_or(0);
        sqlx::query(
            "UPDATE account SET alerted = $2 WHERE budget = $1 AND start >= $3 AND alerted = $4
               AND posted < limit_nano / 100 * $4 + (limit_nano % 100 * $4 + 99) / 100",
        )
        .bind(budget.to_owned())
        .bind(below)
        .bind(oldest)
        .bind(*level)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// Says no to whoever may not set a budget of this scope.
async fn own(tx: &mut Tx, principal: &Principal, scope: &str) -> Result<(), BudgetError> {
    if is_own(tx, principal, scope).await? {
        return Ok(());
    }
    Err(BudgetError::Forbidden(format!(
        "{scope} belongs to none of your projects: ask an admin of this panel to set its budget"
    )))
}

async fn found_again(tx: &mut Tx, budget: &str) -> Result<Terms, BudgetError> {
    Terms::find(tx, budget).await?.ok_or(BudgetError::NotFound("budget"))
}
