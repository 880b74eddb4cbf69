//! Why the database did not do what it was asked to.

/// Why the database did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said no, or could not be reached.
    #[error("the database did not answer as it should: {0}")]
    Sql(#[from] sqlx::Error),
    /// Its tables are not what this version knows.
    #[error("the database's tables cannot be brought up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The address is none of a database that can be used.
    #[error(
        "`{0}` is no database that can be used: write sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME"
    )]
    Address(String),
    /// The file cannot be made.
    #[error("the database file {path} cannot be used: {source}")]
    File {
        /// Which file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What this transaction was based on was changed by another one.
    #[error("another change came first: try again")]
    Overtaken,
    /// What is stored cannot be read: it was changed by somebody else.
    #[error("what is stored of {0} cannot be read: it was damaged, or changed by somebody else")]
    Damaged(String),
    /// What is stored hangs on another master key than the one in use.
    #[error("this is not the master key of this database: what is stored hangs on the key {0}")]
    WrongMasterKey(String),
    /// The system has no randomness to make keys of.
    #[error("the system gives no random bytes: {0}")]
    Randomness(#[from] getrandom::Error),
}

impl StoreError {
    /// Whether another transaction was in the way: the same again may well work.
    pub fn may_be_tried_again(&self) -> bool {
        if matches!(self, Self::Overtaken) {
            return true;
        }
        let Self::Sql(sqlx::Error::Database(error)) = self else { return false };
        // PostgreSQL: serialization_failure, deadlock_detected, lock_not_available. SQLite: busy,
        // busy_snapshot, locked.
        error.code().is_some_and(|code| {
            matches!(&*code, "40001" | "40P01" | "55P03" | "5" | "517" | "261" | "6" | "262")
        })
    }

    /// Whether it refers to something that is not there.
    pub fn lacks_reference(&self) -> bool {
        matches!(self, Self::Sql(sqlx::Error::Database(error)) if error.is_foreign_key_violation())
    }

    /// Whether something of this name is there already.
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::Sql(sqlx::Error::Database(error)) if error.is_unique_violation())
    }
}
