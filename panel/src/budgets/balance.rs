//! What is posted, held and left of budgets in the window of now.

use std::collections::{BTreeMap, HashMap};

use sqlx::{AnyConnection, Row};

use super::{Terms, own};
use crate::leases::Account;
use crate::store::StoreError;

/// Accounts of one budget that are shown at most: those with the highest spend.
pub const MOST_SHOWN: usize = 20;
/// Accounts that are read for one list at most.
const MOST_READ: i64 = 10_000;

/// A budget in its window of now. Amounts are nano-USD.
#[derive(Debug, Clone, Default)]
pub struct Balance {
    /// When the window began, in Unix milliseconds; 0 for `total`.
    pub start: i64,
    /// When it begins anew.
    pub resets_at: Option<i64>,
    /// What was spent by all its accounts.
    pub posted: i64,
    /// What proxies hold of all its accounts.
    pub leased: i64,
    /// What calls cost beyond what was held for them.
    pub overrun: i64,
    /// What operators took back of leases.
    pub reclaimed: i64,
    /// How many accounts there are.
    pub count: usize,
    /// Those with the highest spend, [`MOST_SHOWN`] at most.
    pub accounts: Vec<Account>,
    /// Whether there were too many accounts to read: sums are then of a part.
    pub partial: bool,
}

/// The balances of these budgets by their ids, of accounts that this person may see (see
/// [`super::whose`]).
pub async fn balances(
    connection: &mut AnyConnection,
    budgets: &[Terms],
    person: &str,
    now_ms: i64,
) -> Result<HashMap<String, Balance>, StoreError> {
    let mut all: HashMap<String, Balance> = HashMap::new();
    // One query for each kind of window, of which there are few.
    let mut kinds: BTreeMap<(String, String, i64), (String, String)> = BTreeMap::new();
    for terms in budgets {
        let start = terms.start(now_ms);
        let resets_at = terms.window.end(now_ms, &terms.zone);
        all.insert(terms.id.clone(), Balance { start, resets_at, ..Balance::default() });
        let kind = (terms.window.name().to_owned(), terms.zone_name().to_owned(), start);
        let ids = kinds.entry(kind).or_insert_with(|| (terms.id.clone(), terms.id.clone()));
        ids.0 = ids.0.clone().min(terms.id.clone());
        ids.1 = ids.1.clone().max(terms.id.clone());
    }
    for ((span, zone, start), (first, last)) in kinds {
        let rows = sqlx::query(concat!(
            "SELECT account.id, account.budget, account.account, account.start, account.limit_nano,
               account.posted, account.leased, account.overrun, account.reclaimed, account.alerted
             FROM budget JOIN account ON account.budget = budget.id AND account.start = $4
             WHERE budget.span = $2 AND budget.zone = $3 AND budget.removed_at IS NULL
               AND budget.id >= $5 AND budget.id <= $6 AND ",
            own!("$1", "account.account"),
            " ORDER BY account.posted DESC, account.id LIMIT $7"
        ))
        .bind(person.to_owned())
        .bind(span)
        .bind(zone)
        .bind(start)
        .bind(first)
        .bind(last)
        .bind(MOST_READ)
        .fetch_all(&mut *connection)
        .await?;
        let partial = i64::try_from(rows.len()).is_ok_and(|rows| rows >= MOST_READ);
        for row in &rows {
            let account = Account::of(row)?;
            let Some(balance) = all.get_mut(&account.budget) else { continue };
            balance.posted = balance.posted.saturating_add(account.posted);
            balance.leased = balance.leased.saturating_add(account.leased);
            balance.overrun = balance.overrun.saturating_add(account.overrun);
            balance.reclaimed = balance.reclaimed.saturating_add(account.reclaimed);
            balance.count += 1;
            balance.partial = partial;
            if balance.accounts.len() < MOST_SHOWN {
                balance.accounts.push(account);
            }
        }
    }
    Ok(all)
}

/// The accounts of a budget in this window behind the one with the id `after`, in the order in which
/// they were opened, that this person may see.
pub(crate) async fn accounts(
    connection: &mut AnyConnection,
    budget: &str,
    start: i64,
    person: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<Account>, StoreError> {
    let rows = sqlx::query(concat!(
        "SELECT account.id, account.budget, account.account, account.start, account.limit_nano,
           account.posted, account.leased, account.overrun, account.reclaimed, account.alerted
         FROM account WHERE account.budget = $2 AND account.start = $3 AND account.id > $4 AND ",
        own!("$1", "account.account"),
        " ORDER BY account.id LIMIT $5"
    ))
    .bind(person.to_owned())
    .bind(budget.to_owned())
    .bind(start)
    .bind(after.to_owned())
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter().map(Account::of).collect()
}

/// What one account has in it, where it was opened.
pub(crate) async fn account(
    connection: &mut AnyConnection,
    budget: &str,
    account: &str,
    start: i64,
) -> Result<Option<Account>, StoreError> {
    let row = sqlx::query(
        "SELECT id, budget, account, start, limit_nano, posted, leased, overrun, reclaimed, alerted
         FROM account WHERE budget = $1 AND account = $2 AND start = $3",
    )
    .bind(budget.to_owned())
    .bind(account.to_owned())
    .bind(start)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(Account::of).transpose()
}

/// How many budgets there are.
pub(crate) async fn count(connection: &mut AnyConnection) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT COUNT(*) FROM budget WHERE removed_at IS NULL")
        .fetch_one(connection)
        .await?;
    Ok(row.try_get(0)?)
}
