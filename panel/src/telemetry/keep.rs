//! How long what proxies told is kept: calls for weeks, sums the longer the coarser they are.
//!
//! On PostgreSQL calls lie in a partition for each week, made ahead of time and dropped whole. What is
//! in no week's partition, and everything on SQLite, is removed in small steps. Of several replicas
//! one does the work: the one that gets the lock.

use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::grain::Grain;
use crate::panel::Panel;
use crate::store::{Engine, StoreError, Tx};

/// A week, in milliseconds.
const WEEK_MS: i64 = 7 * 86_400_000;
/// A day, in milliseconds.
const DAY_MS: i64 = 86_400_000;
/// Weeks whose partitions are made ahead of time.
const AHEAD: i64 = 3;
/// Rows that are removed at once, so that nobody waits long for the lock.
const STEP: i64 = 2_000;
/// Steps in one round: the rest waits for the next one.
const STEPS: usize = 500;
/// What the replicas' lock is known by: "iron keep", cut to eight bytes.
const LOCK: i64 = 0x6972_6F6E_206B_6570;
/// How long breakers are remembered that closed.
const BREAKERS: i64 = 7 * DAY_MS;
/// Everything that `tally` is kept by.
const DIMS: [&str; 7] = ["all", "agent", "model", "upstream", "outcome", "reason", "kind"];

/// Makes room for what comes, and removes what is too old.
pub async fn keep(panel: &Panel) -> Result<(), StoreError> {
    let now = panel.clock.now_ms();
    let ms = |length: std::time::Duration| i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    let calls = now.saturating_sub(ms(panel.settings.keep_calls));
    if panel.store.engine() == Engine::Postgres {
        weeks(panel, now, calls).await?;
    }
    let minutes = ms(panel.settings.keep_minutes);
    remove_sums(panel, Grain::Minute, now.saturating_sub(minutes)).await?;
    remove_sums(panel, Grain::Hour, now.saturating_sub(minutes.saturating_mul(10))).await?;
    let oldest = calls.clamp(0, i64::MAX >> 20) << 20;
    let mut old = vec![("extra", "ctid", "at", calls), ("run", "ctid", "last_at", calls)];
    if panel.store.is_beside() {
        // Whose calls they are keeps them.
    } else {
        old.push(("call", "id", "id", oldest));
    }
    for (table, key, column, before) in old {
        remove(panel, table, key, column, before).await?;
    }
    sqlx::query("DELETE FROM breaker WHERE state = 'closed' AND at < $1")
        .bind(now - BREAKERS)
        .execute(panel.store.pool())
        .await?;
    Ok(())
}

/// Removes rows whose column is below this, in steps.
async fn remove(
    panel: &Panel,
    table: &str,
    key: &str,
    column: &str,
    before: i64,
) -> Result<(), StoreError> {
    let key = match (key, panel.store.engine()) {
        ("ctid", Engine::Sqlite) => "rowid",
        (key, _) => key,
    };
    let sql = format!(
        "DELETE FROM {table} WHERE {column} < $1 AND {key} IN
         (SELECT {key} FROM {table} WHERE {column} < $1 ORDER BY {column} LIMIT $2)"
    );
    for _ in 0..STEPS {
        let query = sqlx::query(AssertSqlSafe(sql.clone())).bind(before).bind(STEP);
        if query.execute(panel.store.pool()).await?.rows_affected() == 0 {
            break;
        }
    }
    Ok(())
}

/// Removes sums of this grain that began before this time, an hour or a day at a time.
async fn remove_sums(panel: &Panel, grain: Grain, before: i64) -> Result<(), StoreError> {
    let step = if grain == Grain::Minute { DAY_MS / 24 } else { DAY_MS };
    let tables = [("rollup", ""), ("finding", "")];
    for (table, dim) in tables.into_iter().chain(DIMS.map(|dim| ("tally", dim))) {
        let by_dim = if dim.is_empty() { "" } else { " AND dim = $2" };
        for _ in 0..STEPS {
            let sql = format!("SELECT MIN(start) FROM {table} WHERE grain = $1{by_dim}");
            let query = sqlx::query(AssertSqlSafe(sql)).bind(grain.seconds());
            let query = if dim.is_empty() { query } else { query.bind(dim) };
            let oldest: Option<i64> = query.fetch_one(panel.store.pool()).await?.try_get(0)?;
            let Some(oldest) = oldest.filter(|oldest| *oldest < before) else { break };
            let by_dim = if dim.is_empty() { "" } else { " AND dim = $3" };
            let sql = format!("DELETE FROM {table} WHERE grain = $1 AND start < $2{by_dim}");
            let query = sqlx::query(AssertSqlSafe(sql))
                .bind(grain.seconds())
                .bind(before.min(oldest.saturating_add(step)));
            let query = if dim.is_empty() { query } else { query.bind(dim) };
            query.execute(panel.store.pool()).await?;
        }
    }
    Ok(())
}

/// Makes the partitions of this week, the one before and those to come, and drops those of weeks that
/// ended before `oldest`.
async fn weeks(panel: &Panel, now: i64, oldest: i64) -> Result<(), StoreError> {
    let mut there = partitions(&mut *panel.store.pool().acquire().await?).await?;
    let this = now.div_euclid(WEEK_MS);
    for week in (this - 1)..=(this + AHEAD) {
        if !there.contains(&week) {
            let Some(mut tx) = locked(panel).await? else { return Ok(()) };
            make(&mut tx, week).await?;
            tx.commit().await?;
        }
    }
    there.retain(|week| (week + 1).saturating_mul(WEEK_MS) <= oldest);
    for week in there {
        let Some(mut tx) = locked(panel).await? else { return Ok(()) };
        run(&mut tx, format!("DROP TABLE IF EXISTS call_w{week}")).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// A transaction of the one replica that does this now; none where another one does.
async fn locked(panel: &Panel) -> Result<Option<Tx>, StoreError> {
    let mut tx = panel.store.begin().await?;
    let row =
        sqlx::query("SELECT pg_try_advisory_xact_lock($1)").bind(LOCK).fetch_one(&mut *tx).await?;
    if !row.try_get::<bool, _>(0)? {
        return Ok(None);
    }
    // Whoever writes calls is not to be held up for long: the next round tries again.
    run(&mut tx, "SET LOCAL lock_timeout = '3s'".to_owned()).await?;
    Ok(Some(tx))
}

/// The weeks that have a partition.
pub async fn partitions(connection: &mut AnyConnection) -> Result<Vec<i64>, StoreError> {
    let rows = sqlx::query(
        "SELECT CAST(relname AS TEXT) FROM pg_class JOIN pg_inherits ON inhrelid = pg_class.oid
         WHERE inhparent = CAST('call' AS regclass)",
    )
    .fetch_all(connection)
    .await?;
    let names = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
    Ok(names.iter().filter_map(|name| name.strip_prefix("call_w")?.parse().ok()).collect())
}

/// Makes a week's partition, with what is of that week already.
async fn make(connection: &mut AnyConnection, week: i64) -> Result<(), StoreError> {
    let (from, to) = ((week * WEEK_MS) << 20, ((week + 1) * WEEK_MS) << 20);
    // Nobody writes calls until it is done: none can fall between the two tables.
    for sql in [
        "LOCK TABLE call IN SHARE ROW EXCLUSIVE MODE".to_owned(),
        format!("CREATE TABLE IF NOT EXISTS call_w{week} (LIKE call INCLUDING DEFAULTS)"),
        format!(
            "WITH moved AS (DELETE FROM call_rest WHERE id >= {from} AND id < {to} RETURNING *)
             INSERT INTO call_w{week} SELECT * FROM moved"
        ),
        format!(
            "ALTER TABLE call ATTACH PARTITION call_w{week} FOR VALUES FROM ({from}) TO ({to})"
        ),
    ] {
        run(connection, sql).await?;
    }
    Ok(())
}

/// Runs a statement that is made of this module's own words and numbers.
async fn run(connection: &mut AnyConnection, sql: String) -> Result<(), StoreError> {
    sqlx::query(AssertSqlSafe(sql)).persistent(false).execute(connection).await?;
    Ok(())
}
