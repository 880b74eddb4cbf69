//! Writes sums and calls: many rows a statement.

use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AssertSqlSafe};

use super::deltas::Rows;
use super::sums::{COLUMNS, Sums};
use crate::store::{StoreError, places};

/// Rows a statement. A full statement is prepared once; what is left over is not kept.
const CHUNK: usize = 64;

type Statement<'q> = Query<'q, Any, AnyArguments>;

/// Adds these rows to those that are there.
pub async fn add(connection: &mut AnyConnection, rows: &Rows) -> Result<(), StoreError> {
    let keys = "grain, start, agent, project, model, upstream, outcome, reason";
    let rollup: Vec<_> = rows.rollup.iter().collect();
    let (head, tail) = adding("rollup", keys);
    insert(connection, &head, &tail, 8 + COLUMNS.len(), &rollup, |query, ((span, cell), sums)| {
        let query = query.bind(span.0).bind(span.1);
        let words =
            [&cell.agent, &cell.project, &cell.model, &cell.upstream, &cell.outcome, &cell.reason];
        let query = words.into_iter().fold(query, |query, word| query.bind(word.clone()));
        bind_sums(query, sums)
    })
    .await?;
    let finding: Vec<_> = rows.finding.iter().collect();
    let head = "INSERT INTO finding (grain, start, agent, project, upstream, kind, found, calls)";
    let tail = "ON CONFLICT (grain, start, agent, project, upstream, kind) DO UPDATE SET
                found = finding.found + excluded.found, calls = finding.calls + excluded.calls";
    insert(connection, head, tail, 8, &finding, |query, ((span, spot), (found, calls))| {
        let query = query.bind(span.0).bind(span.1).bind(spot.agent.clone());
        let query = query.bind(spot.project.clone()).bind(spot.upstream.clone());
        query.bind(spot.kind.clone()).bind(*found).bind(*calls)
    })
    .await?;
    let tally: Vec<_> = rows.tally.iter().collect();
    let (head, tail) = adding("tally", "grain, start, dim, project, name");
    insert(connection, &head, &tail, 5 + COLUMNS.len(), &tally, |query, ((span, line), sums)| {
        let query = query.bind(span.0).bind(span.1).bind(line.dim);
        bind_sums(query.bind(line.project.clone()).bind(line.name.clone()), sums)
    })
    .await
}

/// What stands before and behind the values of a statement that adds to sums.
fn adding(table: &str, keys: &str) -> (String, String) {
    let columns = COLUMNS.join(", ");
    let sums = COLUMNS.map(|column| format!("{column} = {table}.{column} + excluded.{column}"));
    (
        format!("INSERT INTO {table} ({keys}, {columns})"),
        format!("ON CONFLICT ({keys}) DO UPDATE SET {}", sums.join(", ")),
    )
}

fn bind_sums<'q>(query: Statement<'q>, sums: &Sums) -> Statement<'q> {
    sums.0.iter().fold(query, |query, sum| query.bind(*sum))
}

async fn insert<T: Sync>(
    connection: &mut AnyConnection,
    head: &str,
    tail: &str,
    columns: usize,
    rows: &[T],
    bind: impl for<'q> Fn(Statement<'q>, &T) -> Statement<'q> + Send + Sync,
) -> Result<(), StoreError> {
    for rows in rows.chunks(CHUNK) {
        let sql = format!("{head} VALUES {} {tail}", places(rows.len(), columns));
        let query = sqlx::query(AssertSqlSafe(sql)).persistent(rows.len() == CHUNK);
        rows.iter().fold(query, &bind).execute(&mut *connection).await?;
    }
    Ok(())
}
