//! Corrections: what a call cost in the end, and what else a proxy tells of later.

use std::collections::{BTreeSet, HashMap, HashSet};

use iron_policy::control::ExtraRecord;
use iron_policy::types::CallId;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::deltas::{Cell, Deltas, Spot};
use super::sums::Sums;
use crate::store::{Store, StoreError, places, portions};

/// Rows a statement.
const CHUNK: usize = 64;
/// The kind of an extra record that says what a call cost in the end.
const CORRECTION: &str = "correction";

/// Writes extra records; returns those that were not there.
pub async fn insert<'a>(
    connection: &mut AnyConnection,
    proxy: &str,
    extra: &'a [ExtraRecord],
) -> Result<Vec<&'a ExtraRecord>, StoreError> {
    let mut new = HashSet::new();
    for extra in portions(extra, CHUNK) {
        let sql = format!(
            "INSERT INTO extra (proxy, id, kind, at, call, posted, detail, agent, project, run,
             finding) VALUES {} ON CONFLICT (proxy, id) DO NOTHING RETURNING id",
            places(extra.len(), 11)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for extra in extra {
            query = query
                .bind(proxy.to_owned())
                .bind(extra.id.clone())
                .bind(extra.kind.clone())
                .bind(extra.at)
                .bind(extra.call)
                .bind(extra.posted)
                .bind(extra.detail.clone())
                .bind(extra.agent.clone())
                .bind(extra.project.clone())
                .bind(extra.run.clone())
                .bind(extra.finding.clone());
        }
        for row in query.fetch_all(&mut *connection).await? {
            new.insert(row.try_get::<String, _>(0)?);
        }
    }
    // One that stands twice in a batch is taken once.
    Ok(extra.iter().filter(|extra| new.remove(&extra.id)).collect())
}

/// What these calls cost in the end, of corrections that came before their calls did.
pub async fn waiting(
    connection: &mut AnyConnection,
    proxy: &str,
    calls: &BTreeSet<i64>,
) -> Result<HashMap<i64, i64>, StoreError> {
    let (Some(first), Some(last)) = (calls.first(), calls.last()) else {
        return Ok(HashMap::new());
    };
    let rows = sqlx::query(
        "SELECT call, posted FROM extra WHERE call >= $1 AND call <= $2 AND proxy = $3
         AND kind = 'correction' AND posted IS NOT NULL ORDER BY at, id",
    )
    .bind(*first)
    .bind(*last)
    .bind(proxy.to_owned())
    .fetch_all(connection)
    .await?;
    let mut amounts = HashMap::new();
    for row in rows {
        let call: i64 = row.try_get(0)?;
        if calls.contains(&call) {
            amounts.insert(call, row.try_get(1)?);
        }
    }
    Ok(amounts)
}

/// Counts what sandboxes refused among the findings.
pub fn count(deltas: &mut Deltas, new: &[&ExtraRecord]) {
    for extra in new {
        let Some(kind) = extra.finding.clone() else { continue };
        let spot = Spot {
            agent: extra.agent.clone().unwrap_or_default(),
            project: extra.project.clone().unwrap_or_default(),
            upstream: String::new(),
            kind,
        };
        deltas.found_in_no_call(extra.at, spot);
    }
}

/// Adjusts the calls that these corrections are about, and the sums. A call that is not there (yet)
/// finds its correction when it comes.
pub async fn apply(
    store: &Store,
    connection: &mut AnyConnection,
    proxy: &str,
    new: &[&ExtraRecord],
    deltas: &mut Deltas,
    name: impl Fn(&str) -> String,
) -> Result<(), StoreError> {
    let amounts: Vec<(i64, i64)> = new
        .iter()
        .filter(|extra| extra.kind == CORRECTION)
        .filter_map(|extra| extra.call.zip(extra.posted))
        .collect();
    for (call, amount) in amounts {
        let Some(known) = known(store, connection, proxy, call, &name).await? else { continue };
        let Known { cell, run, posted, estimated } = known;
        let mut sums = Sums::default();
        *sums.posted_mut() = amount - posted;
        // What was corrected is known.
        *sums.estimated_mut() = if estimated { -posted } else { 0 };
        let at = CallId(call).unix_ms();
        if let Some(run) = run {
            deltas.run(at, &run, &cell, &sums);
        }
        deltas.add(at, cell, &sums);
        if !store.is_beside() {
            sqlx::query("UPDATE call SET posted = $1, estimated = 0 WHERE id = $2 AND proxy = $3")
                .bind(amount)
                .bind(call)
                .bind(proxy.to_owned())
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}

/// What the sums have of a call.
struct Known {
    cell: Cell,
    run: Option<String>,
    /// What was charged.
    posted: i64,
    estimated: bool,
}

/// What the sums have of a call: what it is about, what was charged, whether as an estimate.
async fn known(
    store: &Store,
    connection: &mut AnyConnection,
    proxy: &str,
    call: i64,
    name: impl Fn(&str) -> String,
) -> Result<Option<Known>, StoreError> {
    // The proxy's own file has the correction already; what was counted is what was there before.
    let (sql, is_counted) = if store.is_beside() {
        (
            "SELECT agent, project, model, upstream, outcome, reason, first_posted, first_estimated,
             run
             FROM call JOIN counted ON counted.id = call.id AND counted.proxy = call.proxy
             WHERE call.id = $1 AND call.proxy = $2",
            true,
        )
    } else {
        (
            "SELECT agent, project, model, upstream, outcome, reason, posted, estimated, run
             FROM call WHERE id = $1 AND proxy = $2",
            false,
        )
    };
    let row =
        sqlx::query(sql).bind(call).bind(proxy.to_owned()).fetch_optional(&mut *connection).await?;
    let Some(row) = row else { return Ok(None) };
    let text = |at: usize| row.try_get::<Option<String>, _>(at).map(Option::unwrap_or_default);
    let cell = Cell {
        agent: text(0)?,
        project: text(1)?,
        model: name(&text(2)?),
        upstream: text(3)?,
        outcome: text(4)?,
        reason: text(5)?,
    };
    if is_counted && corrected_before(connection, proxy, call).await? {
        return Ok(None);
    }
    let (posted, estimated) = (row.try_get(6)?, row.try_get::<i64, _>(7)? != 0);
    Ok(Some(Known { cell, run: row.try_get(8)?, posted, estimated }))
}

/// Whether another correction of the call is on record. A proxy lets nobody correct a call twice.
async fn corrected_before(
    connection: &mut AnyConnection,
    proxy: &str,
    call: i64,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT COUNT(*) FROM extra WHERE call = $1 AND proxy = $2 AND kind = 'correction'
         AND posted IS NOT NULL",
    )
    .bind(call)
    .bind(proxy.to_owned())
    .fetch_one(connection)
    .await?;
    Ok(row.try_get::<i64, _>(0)? > 1)
}
