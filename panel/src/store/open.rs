//! Opening a database, and bringing its tables up to date.

use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::migrate::Migrator;

use super::{Engine, StateFile, Store, StoreError};

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// How long a request waits for a connection before it is told that there is none.
const ACQUIRE: Duration = Duration::from_secs(5);

impl Store {
    /// Opens a database by its address, `sqlite:PATH` or `postgres://…`, and brings its tables up to
    /// date. Several panels may do so at once.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_with(url, None).await
    }

    /// The same on SQLite beside a proxy whose file this is: calls are read there, and not kept twice.
    /// The file need not be there yet.
    pub async fn open_beside(url: &str, state_file: &Path) -> Result<Self, StoreError> {
        // Its tables first: the proxy's calls stand in the place of a table once they are there.
        Self::open_with(url, None).await?.close().await;
        Self::open_with(url, Some(StateFile::at(state_file))).await
    }

    async fn open_with(url: &str, state: Option<StateFile>) -> Result<Self, StoreError> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(install_default_drivers);
        let store = if let Some(path) = url.strip_prefix("sqlite:") {
            Self::sqlite(Path::new(path.trim_start_matches("//")), state).await?
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Self::postgres(url).await?
        } else {
            let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
            return Err(StoreError::Address(scheme.chars().take(40).collect()));
        };
        let migrations = match store.engine {
            Engine::Sqlite => &SQLITE,
            Engine::Postgres => &POSTGRES,
        };
        migrations.run(&store.pool).await?;
        Ok(store)
    }

    /// A file that holds what somebody else put there.
    #[cfg(test)]
    pub(crate) async fn raw(path: &Path) -> Result<Self, StoreError> {
        install_default_drivers();
        Self::sqlite(path, None).await
    }

    async fn sqlite(path: &Path, state: Option<StateFile>) -> Result<Self, StoreError> {
        own_alone(path)?;
        let url = format!("sqlite:{}?mode=rwc", path.display());
        let (beside, again) = (state.is_some(), state.clone());
        let pool = AnyPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(ACQUIRE)
            .after_connect(move |connection, _| {
                let state = state.clone();
                Box::pin(async move {
                    for pragma in [
                        "PRAGMA busy_timeout = 5000",
                        "PRAGMA journal_mode = WAL",
                        "PRAGMA synchronous = NORMAL",
                        "PRAGMA foreign_keys = ON",
                    ] {
                        sqlx::query(pragma).execute(&mut *connection).await?;
                    }
                    match state {
                        Some(state) => state.attach(connection).await,
                        None => Ok(()),
                    }
                })
            })
            .before_acquire(move |connection, _| {
                let state = again.clone();
                Box::pin(async move {
                    if let Some(state) = state {
                        state.refresh(connection).await?;
                    }
                    Ok(true)
                })
            })
            .connect(&url)
            .await?;
        let url = format!("sqlite:{}", path.display());
        Ok(Self { pool, engine: Engine::Sqlite, url, beside })
    }

    async fn postgres(url: &str) -> Result<Self, StoreError> {
        let pool = AnyPoolOptions::new()
            .max_connections(16)
            .acquire_timeout(ACQUIRE)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    // Compiling a sum of many columns takes longer than adding it up.
                    sqlx::query("SET jit = off").execute(connection).await?;
                    Ok(())
                })
            })
            .connect(url)
            .await?;
        Ok(Self { pool, engine: Engine::Postgres, url: url.to_owned(), beside: false })
    }
}

/// Makes the file where there is none, for its owner alone.
fn own_alone(path: &Path) -> Result<(), StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let opened = options.open(path);
    opened.map(drop).map_err(|source| StoreError::File { path: path.to_owned(), source })
}
