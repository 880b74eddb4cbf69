//! An account and the leases on it, as rows that are held, and the arithmetic between the two.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::MOST_ACCOUNTS;
use crate::store::{StoreError, id};

/// The balance of a budget in one window, for one name. Amounts are nano-USD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// `acc_…`.
    pub id: String,
    /// The budget.
    pub budget: String,
    /// The scope with its real name.
    pub account: String,
    /// When the window began, in Unix milliseconds; 0 for `total`.
    pub start: i64,
    /// What may be spent in it.
    pub limit: i64,
    /// What was spent.
    pub posted: i64,
    /// What proxies hold and did not spend, as far as is known.
    pub leased: i64,
    /// What calls cost beyond what was held for them.
    pub overrun: i64,
    /// What an operator took back from proxies that may have spent it.
    pub reclaimed: i64,
    /// The highest of the alerts that were given, in percent of the limit.
    pub alerted: i64,
}

/// A slice of an account that one proxy holds. Amounts are nano-USD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// `lse_…`.
    pub id: String,
    /// The account's id.
    pub account: String,
    /// The proxy's name.
    pub proxy: String,
    /// Counts the proxy's leases of the account.
    pub epoch: i64,
    /// All that was granted.
    pub granted: i64,
    /// All that was spent.
    pub spent: i64,
    /// All that was given back.
    pub returned: i64,
    /// What is held by calls in flight.
    pub pending: i64,
    /// What calls cost beyond what was held for them.
    pub overrun: i64,
    /// The newest report.
    pub sequence: i64,
    /// `open`, `closed` or `reclaimed`.
    pub state: String,
    /// Until when the proxy may spend it, in Unix milliseconds.
    pub expires_at: i64,
}

/// What a query for a [`Lease`] selects.
macro_rules! lease_columns {
    () => {
        "lease.id, lease.account, lease.proxy, lease.epoch, lease.granted, lease.spent, \
         lease.returned, lease.pending, lease.overrun, lease.sequence, lease.state, \
         lease.expires_at"
    };
}
pub(super) use lease_columns;

impl Account {
    /// The account of this budget, name and window, held until the transaction ends.
    pub async fn hold(
        connection: &mut AnyConnection,
        budget: &str,
        account: &str,
        start: i64,
    ) -> Result<Option<Self>, StoreError> {
        let row = sqlx::query(
            "UPDATE account SET alerted = alerted WHERE budget = $1 AND account = $2 AND start = $3
             RETURNING id, budget, account, start, limit_nano, posted, leased, overrun, reclaimed,
               alerted",
        )
        .bind(budget.to_owned())
        .bind(account.to_owned())
        .bind(start)
        .fetch_optional(connection)
        .await?;
        row.as_ref().map(Self::of).transpose()
    }

    /// The account of this id, held until the transaction ends.
    pub async fn hold_id(connection: &mut AnyConnection, id: &str) -> Result<Self, StoreError> {
        let row = sqlx::query(
            "UPDATE account SET alerted = alerted WHERE id = $1
             RETURNING id, budget, account, start, limit_nano, posted, leased, overrun, reclaimed,
               alerted",
        )
        .bind(id.to_owned())
        .fetch_one(connection)
        .await?;
        Self::of(&row)
    }

    /// The same; opened where it is the first time in this window, with the budget's limit. None
    /// where the budget has as many accounts in this window as it may have.
    pub async fn open(
        connection: &mut AnyConnection,
        budget: &str,
        account: &str,
        start: i64,
    ) -> Result<Option<Self>, StoreError> {
        if let Some(account) = Self::hold(&mut *connection, budget, account, start).await? {
            return Ok(Some(account));
        }
        // Its limit is the budget's, which nobody changes meanwhile.
        sqlx::query("UPDATE budget SET version = version WHERE id = $1")
            .bind(budget.to_owned())
            .execute(&mut *connection)
            .await?;
        let count = sqlx::query("SELECT COUNT(*) FROM account WHERE budget = $1 AND start = $2")
            .bind(budget.to_owned())
            .bind(start)
            .fetch_one(&mut *connection)
            .await?;
        if count.try_get::<i64, _>(0)? >= MOST_ACCOUNTS {
            return Ok(None);
        }
        sqlx::query(
            "INSERT INTO account (id, budget, account, start, limit_nano)
             SELECT $1, id, $2, $3, limit_nano FROM budget WHERE id = $4
             ON CONFLICT (budget, account, start) DO NOTHING",
        )
        .bind(id("acc"))
        .bind(account.to_owned())
        .bind(start)
        .bind(budget.to_owned())
        .execute(&mut *connection)
        .await?;
        Self::hold(connection, budget, account, start).await
    }

    /// The account of this id, as it is now.
    pub async fn find(connection: &mut AnyConnection, id: &str) -> Result<Self, StoreError> {
        let row = sqlx::query(
            "SELECT id, budget, account, start, limit_nano, posted, leased, overrun, reclaimed,
               alerted
             FROM account WHERE id = $1",
        )
        .bind(id.to_owned())
        .fetch_one(connection)
        .await?;
        Self::of(&row)
    }

    /// A row of the columns above.
    pub fn of(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.try_get(0)?,
            budget: row.try_get(1)?,
            account: row.try_get(2)?,
            start: row.try_get(3)?,
            limit: row.try_get(4)?,
            posted: row.try_get(5)?,
            leased: row.try_get(6)?,
            overrun: row.try_get(7)?,
            reclaimed: row.try_get(8)?,
            alerted: row.try_get(9)?,
        })
    }

    /// What nobody has spent or holds.
    pub fn left(&self) -> i64 {
        self.limit.saturating_sub(self.posted).saturating_sub(self.leased).max(0)
    }

    /// Takes in that a lease changed from one state to another. What it was before must have been
    /// part of the account's sums.
    pub fn moved(&mut self, before: &Lease, after: &Lease) -> Result<(), StoreError> {
        let change = |sum: i64, before: i64, after: i64| {
            after
                .checked_sub(before)
                .and_then(|change| sum.checked_add(change))
                .ok_or_else(|| StoreError::Damaged(format!("account {}", self.id)))
        };
        let posted = change(self.posted, before.spent, after.spent)?;
        let leased = change(self.leased, before.outstanding(), after.outstanding())?;
        self.overrun = change(self.overrun, before.overrun, after.overrun)?;
        (self.posted, self.leased) = (posted, leased);
        Ok(())
    }

    /// Writes the sums. The row must be held.
    pub async fn write(&self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE account SET posted = $2, leased = $3, overrun = $4, reclaimed = $5, alerted = $6
             WHERE id = $1",
        )
        .bind(self.id.clone())
        .bind(self.posted)
        .bind(self.leased)
        .bind(self.overrun)
        .bind(self.reclaimed)
        .bind(self.alerted)
        .execute(connection)
        .await?;
        Ok(())
    }
}

impl Lease {
    /// A row of `lease_columns`, the first of which is this one.
    pub fn at(row: &AnyRow, first: usize) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.try_get(first)?,
            account: row.try_get(first + 1)?,
            proxy: row.try_get(first + 2)?,
            epoch: row.try_get(first + 3)?,
            granted: row.try_get(first + 4)?,
            spent: row.try_get(first + 5)?,
            returned: row.try_get(first + 6)?,
            pending: row.try_get(first + 7)?,
            overrun: row.try_get(first + 8)?,
            sequence: row.try_get(first + 9)?,
            state: row.try_get(first + 10)?,
            expires_at: row.try_get(first + 11)?,
        })
    }

    /// The lease of this id.
    pub async fn find(
        connection: &mut AnyConnection,
        id: &str,
    ) -> Result<Option<Self>, StoreError> {
        let row =
            sqlx::query(concat!("SELECT ", lease_columns!(), " FROM lease WHERE lease.id = $1"))
                .bind(id.to_owned())
                .fetch_optional(connection)
                .await?;
        row.as_ref().map(|row| Self::at(row, 0)).transpose()
    }

    /// The newest lease that a proxy has of an account.
    pub async fn newest(
        connection: &mut AnyConnection,
        account: &str,
        proxy: &str,
    ) -> Result<Option<Self>, StoreError> {
        let row = sqlx::query(concat!(
            "SELECT ",
            lease_columns!(),
            " FROM lease WHERE lease.account = $1 AND lease.proxy = $2
             ORDER BY lease.epoch DESC LIMIT 1"
        ))
        .bind(account.to_owned())
        .bind(proxy.to_owned())
        .fetch_optional(connection)
        .await?;
        row.as_ref().map(|row| Self::at(row, 0)).transpose()
    }

    /// Whether it may be spent, if it has not expired.
    pub fn is_open(&self) -> bool {
        self.state == "open"
    }

    /// What its proxy holds of the account and did not spend, as far as is known.
    pub fn outstanding(&self) -> i64 {
        if !self.is_open() {
            return 0;
        }
        self.granted.saturating_sub(self.spent).saturating_sub(self.returned).max(0)
    }

    /// What was spent beyond all that it ever had.
    pub fn beyond(&self) -> i64 {
        self.spent.saturating_add(self.returned).saturating_sub(self.granted).max(0)
    }

    /// Writes it over its row.
    pub async fn write(
        &self,
        connection: &mut AnyConnection,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE lease SET granted = $2, spent = $3, returned = $4, pending = $5, overrun = $6,
               sequence = $7, state = $8, expires_at = $9, updated_at = $10
             WHERE id = $1",
        )
        .bind(self.id.clone())
        .bind(self.granted)
        .bind(self.spent)
        .bind(self.returned)
        .bind(self.pending)
        .bind(self.overrun)
        .bind(self.sequence)
        .bind(self.state.clone())
        .bind(self.expires_at)
        .bind(now_ms)
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Writes it as a new row.
    pub async fn insert(
        &self,
        connection: &mut AnyConnection,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO lease (id, account, proxy, epoch, granted, state, expires_at, created_at,
               updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
        )
        .bind(self.id.clone())
        .bind(self.account.clone())
        .bind(self.proxy.clone())
        .bind(self.epoch)
        .bind(self.granted)
        .bind(self.state.clone())
        .bind(self.expires_at)
        .bind(now_ms)
        .execute(connection)
        .await?;
        Ok(())
    }
}
