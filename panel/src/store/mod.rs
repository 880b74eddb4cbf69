//! The database: SQLite in pilot mode, PostgreSQL in production, one set of queries for both.
//!
//! sqlx's `Any` driver speaks to either. What holds for every statement here: numbered placeholders
//! (`$1`), the types TEXT, BIGINT and BLOB or BYTEA alone, sums cast back to BIGINT. What differs is
//! in the migrations, and where [`Store::engine`] is asked.
//!
//! SQLite has one writer: transactions begin with its lock (`BEGIN IMMEDIATE`), so that none has to
//! be tried again because it read before it wrote. On PostgreSQL one that loses against another is
//! tried again by [`Store::retry`].

mod beside;
mod error;
mod open;

use std::time::Duration;

use sqlx::any::AnyRow;
use sqlx::{Any, AnyConnection, AnyPool, Row, Transaction};
use uuid::Uuid;

pub use beside::LOCAL;
pub use error::StoreError;

use beside::StateFile;

/// A transaction.
pub type Tx = Transaction<'static, Any>;

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// One file, one writer.
    Sqlite,
    /// A server, many writers.
    Postgres,
}

/// A database that is open. Clones are handles to the same one.
#[derive(Clone)]
pub struct Store {
    pool: AnyPool,
    engine: Engine,
    url: String,
    beside: bool,
}

/// How often a transaction is tried that lost against another one.
const TRIES: u32 = 8;

impl Store {
    /// Which database it is.
    pub const fn engine(&self) -> Engine {
        self.engine
    }

    /// Its connections, for statements that need no transaction.
    pub const fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Where it is. Holds a password: never for people's eyes.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether calls are read from a proxy's own file, and not kept here.
    pub const fn is_beside(&self) -> bool {
        self.beside
    }

    /// Begins a transaction; one that is dropped is rolled back.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(match self.engine {
            Engine::Sqlite => self.pool.begin_with("BEGIN IMMEDIATE").await?,
            Engine::Postgres => self.pool.begin().await?,
        })
    }

    /// Does something again that lost against another transaction, for a while.
    pub async fn retry<T, F, Work>(&self, mut work: F) -> Result<T, StoreError>
    where
        F: FnMut() -> Work + Send,
        Work: Future<Output = Result<T, StoreError>> + Send,
    {
        let mut tried = 0;
        loop {
            match work().await {
                Err(error) if error.may_be_tried_again() && tried < TRIES => {
                    tried += 1;
                    tokio::time::sleep(Duration::from_millis(5 << tried)).await;
                }
                result => return result,
            }
        }
    }

    /// Whether it answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Closes its connections, once what they do has ended.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("engine", &self.engine).finish_non_exhaustive()
    }
}

/// A new id: what kind of thing it names, and a version 7 UUID, so that ids sort by their age.
pub fn id(kind: &str) -> String {
    format!("{kind}_{}", Uuid::now_v7().simple())
}

/// What PostgreSQL tells every replica on: which part changed, and nothing else.
pub const CHANNEL: &str = "iron";

/// Tells every replica, once the transaction is committed, to look at this part. On SQLite there is
/// none but this process: see `panel.wake`.
pub async fn tell(connection: &mut AnyConnection, part: &str) -> Result<(), StoreError> {
    if connection.backend_name() == "PostgreSQL" {
        sqlx::query("SELECT pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(part.to_owned())
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Says that a part changed of which proxies hold copies, within the change's own transaction.
/// Returns its new number. Every replica is told with the commit; this process by
/// `panel.wake.notify(part)` after it.
///
/// The row is held until the transaction ends. So that no two wait for each other, every transaction
/// takes rows in this order: those that it changes, the marks of parts (`budgets`, `keys`,
/// `revocations` where it is several), the audit log, the events.
pub async fn raise(connection: &mut AnyConnection, part: &str) -> Result<i64, StoreError> {
    let row: AnyRow =
        sqlx::query("UPDATE mark SET number = number + 1 WHERE part = $1 RETURNING number")
            .bind(part.to_owned())
            .fetch_one(&mut *connection)
            .await?;
    if part != "audit" {
        tell(connection, part).await?;
    }
    Ok(row.try_get(0)?)
}

/// Cuts rows into statements of `most` rows, a power of two, and what is left over into statements of
/// half, a quarter, … of it: any number of rows takes a few texts, each of which is prepared once.
pub fn portions<T>(mut rows: &[T], most: usize) -> impl Iterator<Item = &[T]> {
    let mut size = most;
    std::iter::from_fn(move || {
        while size > rows.len() {
            size /= 2;
        }
        let (portion, rest) = rows.split_at_checked(size).filter(|_| size > 0)?;
        rows = rest;
        Some(portion)
    })
}

/// `($1,$2),($3,$4)`: places for `rows` rows of `columns` values.
pub fn places(rows: usize, columns: usize) -> String {
    let mut text = String::with_capacity(rows * columns * 6);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ",(" });
        for column in 0..columns {
            if column > 0 {
                text.push(',');
            }
            text.push('$');
            text.push_str(&(row * columns + column + 1).to_string());
        }
        text.push(')');
    }
    text
}

#[cfg(test)]
mod tests;
