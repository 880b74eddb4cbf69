//! What a new limit would do, before it is set.
//!
//! A lower limit binds for what is granted from now on. What proxies hold already they give back once
//! they hear of it, as far as no call holds it; one that is away may spend it until its lease is over.
//! This says how much that is and who holds it.

use std::collections::HashMap;

use sqlx::{AnyConnection, Row};

use super::{BudgetError, Terms, limit};
use crate::leases::Account;

/// Accounts and leases that are looked at, at most: the fullest first.
const MOST: i64 = 1_000;

/// What a new limit would do. Amounts are nano-USD, times Unix milliseconds.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The budget as it is.
    pub terms: Terms,
    /// The limit that is asked about.
    pub limit: i64,
    /// The accounts of the window of now that it would be felt in, the fullest first.
    pub accounts: Vec<Previewed>,
    /// What can still be spent beyond the new limit, in all accounts together.
    pub beyond: i64,
    /// Whether there are more accounts than are shown.
    pub partial: bool,
}

/// What a new limit would do to one account.
#[derive(Debug, Clone)]
pub struct Previewed {
    /// As it is.
    pub account: Account,
    /// Its limit then: what it was allowed for this window alone comes on top.
    pub limit: i64,
    /// What nobody would have spent or hold then.
    pub left: i64,
    /// What is spent already beyond the new limit.
    pub over: i64,
    /// What proxies hold and may still spend beyond the new limit.
    pub beyond: i64,
    /// Who holds something of it.
    pub holders: Vec<Holder>,
    /// From when the new limit binds for certain: when the last of those leases would expire if its
    /// proxy did not say another word, or now.
    pub binds_at: i64,
}

/// A proxy that holds something.
#[derive(Debug, Clone)]
pub struct Holder {
    /// The proxy's name.
    pub proxy: String,
    /// Its lease.
    pub lease: String,
    /// What it holds and did not spend.
    pub held: i64,
    /// What of it calls in flight may cost.
    pub in_flight: i64,
    /// Until when it may spend it without another word with the panel.
    pub expires_at: i64,
}

/// What this limit would do to a budget now.
pub async fn preview(
    connection: &mut AnyConnection,
    terms: Terms,
    new: i64,
    now_ms: i64,
) -> Result<Preview, BudgetError> {
    let new = limit(new)?;
    let start = terms.start(now_ms);
    let rows = sqlx::query(
        "SELECT id, budget, account, start, limit_nano, posted, leased, overrun, reclaimed, alerted,
           extra
         FROM account WHERE budget = $1 AND start = $2 ORDER BY posted + leased DESC, id LIMIT $3",
    )
    .bind(terms.id.clone())
    .bind(start)
    .bind(MOST)
    .fetch_all(&mut *connection)
    .await?;
    let mut holders = holders(connection, &terms.id, start).await?;
    let partial = i64::try_from(rows.len()).is_ok_and(|rows| rows >= MOST);
    let (mut accounts, mut sum) = (Vec::with_capacity(rows.len()), 0_i64);
    for row in &rows {
        let account = Account::of(row)?;
        let limit = new.saturating_add(row.try_get::<i64, _>(10)?);
        let taken = account.posted.saturating_add(account.leased);
        let beyond = taken.saturating_sub(limit).clamp(0, account.leased.max(0));
        sum = sum.saturating_add(beyond);
        let holders = holders.remove(&account.id).unwrap_or_default();
        let latest = holders.iter().map(|holder| holder.expires_at).max();
        accounts.push(Previewed {
            limit,
            left: limit.saturating_sub(taken).max(0),
            over: account.posted.saturating_sub(limit).max(0),
            beyond,
            binds_at: latest.filter(|_| beyond > 0).map_or(now_ms, |at| at.max(now_ms)),
            holders,
            account,
        });
    }
    Ok(Preview { terms, limit: new, accounts, beyond: sum, partial })
}

/// Who holds something of a budget's accounts in this window, by account.
async fn holders(
    connection: &mut AnyConnection,
    budget: &str,
    start: i64,
) -> Result<HashMap<String, Vec<Holder>>, BudgetError> {
    let rows = sqlx::query(
        "SELECT account.id, lease.proxy, lease.id, lease.granted - lease.spent - lease.returned,
           lease.pending, lease.expires_at
         FROM account JOIN lease ON lease.account = account.id
         WHERE account.budget = $1 AND account.start = $2 AND lease.state = 'open'
           AND lease.granted - lease.spent > lease.returned
         ORDER BY 4 DESC, lease.id LIMIT $3",
    )
    .bind(budget.to_owned())
    .bind(start)
    .bind(MOST)
    .fetch_all(connection)
    .await?;
    let mut all: HashMap<String, Vec<Holder>> = HashMap::new();
    for row in &rows {
        all.entry(row.try_get(0)?).or_default().push(Holder {
            proxy: row.try_get(1)?,
            lease: row.try_get(2)?,
            held: row.try_get(3)?,
            in_flight: row.try_get(4)?,
            expires_at: row.try_get(5)?,
        });
    }
    Ok(all)
}
