//! Opening the file: whose it is, whether it is whole, what the last run left open.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use iron_policy::config::Durability;
use iron_policy::types::{CallId, Outcome};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, params};

use super::ledger::{Options, Recovery};
use super::{OpenError, schema};

/// How long to wait for another program's lock when calls wait too: what is reserved waits for one
/// batch before it and for its own.
const BUSY: Duration = Duration::from_millis(250);
/// The same at start, when nobody waits.
const BUSY_AT_START: Duration = Duration::from_secs(2);

/// A file that is ours to write for as long as this lives.
pub(super) struct Opened {
    pub(super) connection: Connection,
    /// Only held: the lock goes with it.
    _lock: File,
}

impl Opened {
    /// Folds the log into the file and closes it.
    pub(super) fn close(self) -> rusqlite::Result<()> {
        self.connection.close().map_err(|(_, error)| error)
    }
}

/// Opens or makes the file, and brings it to a state in which calls may begin.
pub(super) fn open(path: &Path, options: Options) -> Result<(Opened, Recovery), OpenError> {
    let lock = lock(path)?;
    let exists = inspect(path)?;
    if !exists {
        own_alone(path)?;
    }
    let sql = |source| damaged_or(path, source);
    let mut connection = Connection::open(path).map_err(sql)?;
    // A file that is refused stays as it is: closing it must not fold its log into it.
    let fold_log = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    connection.set_db_config(fold_log, true).map_err(sql)?;
    prepare(&mut connection, options, exists).map_err(sql)?;
    let recovery = recover(&mut connection).map_err(sql)?;
    connection.set_db_config(fold_log, false).map_err(sql)?;
    connection.busy_timeout(BUSY).map_err(sql)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok((Opened { connection, _lock: lock }, recovery))
}

/// Keeps a second proxy away, also one that runs as another user's process.
fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let io = |source| OpenError::Io { path: path.to_owned(), source };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(PathBuf::from(name))
        .map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => Err(io(source)),
    }
}

/// Makes an empty file for its owner alone; SQLite gives its log the same rights.
fn own_alone(path: &Path) -> Result<(), OpenError> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let opened = options.open(path);
    opened.map(drop).map_err(|source| OpenError::Io { path: path.to_owned(), source })
}

/// Looks at a file without changing it; false where there is none yet.
fn inspect(path: &Path) -> Result<bool, OpenError> {
    let io = |source| OpenError::Io { path: path.to_owned(), source };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(io(source)),
    };
    let mut head = [0; 16];
    if file.metadata().map_err(io)?.len() == 0 {
        return Ok(false);
    }
    let known = file.read_exact(&mut head).is_ok() && head == *b"SQLite format 3\0";
    if !known {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    let sql = |source| damaged_or(path, source);
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(sql)?;
    connection.busy_timeout(BUSY_AT_START).map_err(sql)?;
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) =
        (pragma("application_id").map_err(sql)?, pragma("user_version").map_err(sql)?);
    if (application, version) == (0, 0) {
        // What a start leaves that was killed before the tables were made.
        let things: i64 = connection
            .query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(sql)?;
        if things == 0 {
            return Ok(false);
        }
    }
    if application != schema::APPLICATION_ID {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    if version > schema::VERSION {
        let (found, known) = (version, schema::VERSION);
        return Err(OpenError::Newer { path: path.to_owned(), found, known });
    }
    // The tables that decide about money are read whole; the calls when they are added up.
    let batches = if version >= 3 { &["batch", "batch_file"][..] } else { &[] };
    let leases = if version >= 6 { &["lease", "outbox"][..] } else { &[] };
    let money = ["account", "reservation", "checkpoint"];
    for table in money.iter().chain(batches).chain(leases) {
        let said: String = connection
            .query_row(&format!("PRAGMA integrity_check('{table}')"), [], |row| row.get(0))
            .map_err(sql)?;
        if said != "ok" {
            return Err(OpenError::Damaged { path: path.to_owned(), what: said });
        }
    }
    Ok(true)
}

fn damaged_or(path: &Path, source: rusqlite::Error) -> OpenError {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(DatabaseCorrupt | NotADatabase) => {
            OpenError::Damaged { path, what: source.to_string() }
        }
        _ => OpenError::Sql { path, source },
    }
}

fn prepare(connection: &mut Connection, options: Options, exists: bool) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_AT_START)?;
    if !exists {
        connection.pragma_update(None, "page_size", 4096)?;
    }
    connection.execute_batch(schema::PRAGMAS)?;
    let synchronous = match options.durability {
        Durability::Process => "NORMAL",
        Durability::Power => "FULL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    if exists {
        return migrate(connection);
    }
    let transaction = connection.transaction()?;
    transaction.execute_batch(schema::CREATE)?;
    transaction.execute_batch(schema::BATCHES)?;
    transaction.execute_batch(schema::LEASES)?;
    transaction.execute_batch(schema::DENIALS)?;
    transaction.pragma_update(None, "application_id", schema::APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", schema::VERSION)?;
    transaction.commit()
}

/// Brings the tables of an older version up to this one: all steps or none.
fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let done = usize::try_from(found - 1).unwrap_or_default();
    if done >= schema::MIGRATIONS.len() {
        return Ok(());
    }
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for step in &schema::MIGRATIONS[done..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", schema::VERSION)?;
    transaction.commit()?;
    tracing::info!(from = found, to = schema::VERSION, "the state file was brought up to date");
    Ok(())
}

/// Brings a file of an older version up to date for those who read it while no proxy does.
pub(super) fn bring_up_to_date(path: &Path) -> Result<(), OpenError> {
    let _lock = lock(path)?;
    if !inspect(path)? {
        return Ok(());
    }
    let sql = |source| damaged_or(path, source);
    let mut connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(sql)?;
    connection.busy_timeout(BUSY_AT_START).map_err(sql)?;
    migrate(&mut connection).map_err(sql)
}

/// A reservation that waits for a batch's results: a restart is nothing to it.
const WAITING: &str = "(SELECT call FROM batch WHERE ended = 0)";

/// Ends what the last run left open, and compares every balance with the journal.
fn recover(connection: &mut Connection) -> rusqlite::Result<Recovery> {
    let transaction = connection.transaction()?;
    let reason = "restart";
    let recovered = transaction.execute(
        &format!(
            "INSERT OR IGNORE INTO call
             (id, agent, project, model, upstream, dialect, endpoint, stream, status, outcome,
              reason, reserved, posted, estimated, accounts, run, depth, attempt,
              first_attempt, token)
             SELECT id, agent, project, model, upstream, dialect, endpoint, stream, 0, ?1, ?2,
              amount, amount, 1, accounts, run, depth, attempt, first_attempt, token
             FROM reservation WHERE id NOT IN {WAITING}"
        ),
        params![Outcome::Recovered.name(), reason],
    )?;
    transaction.execute(
        &format!(
            "UPDATE account SET
               pending = MAX(pending - held.amount, 0),
               posted = posted + MIN(held.amount, 9223372036854775807 - posted)
             FROM (SELECT j.value AS account, SUM(r.amount) AS amount
                   FROM reservation r, json_each(r.accounts) j
                   WHERE r.id NOT IN {WAITING} GROUP BY 1) AS held
             WHERE account.id = held.account"
        ),
        [],
    )?;
    transaction.execute(&format!("DELETE FROM reservation WHERE id NOT IN {WAITING}"), [])?;
    let repaired = compare(&transaction)?;
    let last = transaction
        .query_row("SELECT COALESCE(MAX(id), 0) FROM call", [], |row| row.get::<_, i64>(0))?;
    transaction
        .execute("INSERT OR REPLACE INTO checkpoint SELECT id, ?1, posted FROM account", [last])?;
    // Their calls are in what was just added up.
    transaction.execute(
        "DELETE FROM batch WHERE ended = 1 OR call NOT IN (SELECT id FROM reservation)",
        [],
    )?;
    let waiting: i64 =
        transaction
            .query_row("SELECT COALESCE(MAX(id), 0) FROM reservation", [], |row| row.get(0))?;
    transaction.commit()?;
    Ok(Recovery { recovered: recovered as u64, repaired, last: CallId(last.max(waiting)) })
}

/// The journal is the truth and the balance a cache of it: one that differs is set right, loudly.
///
/// Only calls since the last comparison are added up. Of what is older nothing changes but by
/// corrections, which say whether they are in it, and by batches that were open at the
/// comparison, which are in `batch` until they are in it. Ids rise.
fn compare(connection: &Connection) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare(
        "WITH since AS (
           SELECT j.value AS account, SUM(c.posted) AS posted
           FROM call c, json_each(c.accounts) j
           WHERE c.id > (SELECT COALESCE(MAX(call), 0) FROM checkpoint)
           GROUP BY 1)
         SELECT a.id, a.scope, a.posted, a.pending,
           COALESCE(k.posted, 0) + COALESCE(s.posted, 0) + COALESCE((
             SELECT SUM(x.posted - c.posted) FROM correction x JOIN call c ON c.id = x.call,
               json_each(c.accounts) j
             WHERE j.value = a.id AND x.folded = 0), 0) + COALESCE((
             SELECT SUM(c.posted) FROM batch b JOIN call c ON c.id = b.call,
               json_each(c.accounts) j
             WHERE j.value = a.id AND b.ended = 1
               AND c.id <= (SELECT COALESCE(MAX(call), 0) FROM checkpoint)), 0),
           COALESCE((SELECT SUM(r.amount) FROM reservation r, json_each(r.accounts) j
             WHERE j.value = a.id), 0)
         FROM account a
         LEFT JOIN checkpoint k ON k.account = a.id
         LEFT JOIN since s ON s.account = a.id",
    )?;
    let mut wrong = Vec::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, scope, posted, pending, fold): (i64, String, i64, i64, i64) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
        let held: i64 = row.get(5)?;
        if posted != fold || pending != held {
            tracing::error!(
                %scope, posted, pending, held, journal = fold,
                "a balance was not what the journal adds up to and was set right"
            );
            wrong.push((id, fold, held));
        }
    }
    for (id, fold, held) in &wrong {
        connection.execute(
            "UPDATE account SET posted = ?1, pending = ?3 WHERE id = ?2",
            params![fold, id, held],
        )?;
    }
    connection.execute("UPDATE correction SET folded = 1", [])?;
    Ok(wrong.len() as u64)
}
