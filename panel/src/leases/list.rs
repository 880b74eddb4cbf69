//! The list of leases: who holds how much of what.

use sqlx::{AnyConnection, Row};

use super::account::{Account, Lease, lease_columns};
use crate::budgets::own;
use crate::store::StoreError;

/// Which leases are wanted; empty texts are all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this budget.
    pub budget: String,
    /// Of this proxy.
    pub proxy: String,
    /// In this state.
    pub state: String,
    /// Of accounts of the projects that this person is a member of.
    pub person: String,
}

/// A lease with its account.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The lease.
    pub lease: Lease,
    /// Its account.
    pub account: Account,
    /// When it was granted first, in Unix milliseconds.
    pub created_at: i64,
    /// When it changed last.
    pub updated_at: i64,
}

/// Up to `limit` leases behind the one with the id `after`, oldest first.
pub async fn list(
    connection: &mut AnyConnection,
    filter: &Filter,
    after: &str,
    limit: i64,
) -> Result<Vec<Listed>, StoreError> {
    let rows = sqlx::query(concat!(
        "SELECT account.id, account.budget, account.account, account.start, account.limit_nano,
           account.posted, account.leased, account.overrun, account.reclaimed, account.alerted, ",
        lease_columns!(),
        ", lease.created_at, lease.updated_at
         FROM lease JOIN account ON account.id = lease.account
         WHERE ($1 = '' OR account.budget = $1) AND ($2 = '' OR lease.proxy = $2)
           AND ($3 = '' OR lease.state = $3) AND lease.id > $5 AND ",
        own!("$4", "account.account"),
        " ORDER BY lease.id LIMIT $6"
    ))
    .bind(filter.budget.clone())
    .bind(filter.proxy.clone())
    .bind(filter.state.clone())
    .bind(filter.person.clone())
    .bind(after.to_owned())
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Listed {
                account: Account::of(row)?,
                lease: Lease::at(row, 10)?,
                created_at: row.try_get(22)?,
                updated_at: row.try_get(23)?,
            })
        })
        .collect()
}
