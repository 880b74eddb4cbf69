//! Writes sums and calls: many rows a statement.

use std::collections::BTreeMap;

use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AssertSqlSafe};

use super::deltas::{Rows, Run};
use super::sums::{COLUMNS, Sums};
use crate::store::{StoreError, places, portions};

/// Rows a statement.
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

/// Adds to these runs.
pub async fn add_runs(
    connection: &mut AnyConnection,
    runs: &BTreeMap<(String, String), Run>,
) -> Result<(), StoreError> {
    let runs: Vec<_> = runs.iter().collect();
    let head = "INSERT INTO run (run, project, agent, first_at, last_at, calls, refused, posted,
                estimated, input_tokens, output_tokens, found)";
    let tail = "ON CONFLICT (run, project) DO UPDATE SET
        first_at = CASE WHEN excluded.first_at < run.first_at THEN excluded.first_at
                   ELSE run.first_at END,
        last_at = CASE WHEN excluded.last_at > run.last_at THEN excluded.last_at
                  ELSE run.last_at END,
        calls = run.calls + excluded.calls, refused = run.refused + excluded.refused,
        posted = run.posted + excluded.posted, estimated = run.estimated + excluded.estimated,
        input_tokens = run.input_tokens + excluded.input_tokens,
        output_tokens = run.output_tokens + excluded.output_tokens,
        found = run.found + excluded.found";
    insert(connection, head, tail, 12, &runs, |query, ((name, project), run)| {
        let query = query.bind(name.clone()).bind(project.clone()).bind(run.agent.clone());
        let sums = &run.sums;
        [
            run.first,
            run.last,
            sums.calls(),
            sums.refused(),
            sums.posted(),
            sums.estimated(),
            sums.input_tokens(),
            sums.output_tokens(),
            sums.found(),
        ]
        .into_iter()
        .fold(query, Query::bind)
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
    for rows in portions(rows, CHUNK) {
        let sql = format!("{head} VALUES {} {tail}", places(rows.len(), columns));
        let query = sqlx::query(AssertSqlSafe(sql));
        rows.iter().fold(query, &bind).execute(&mut *connection).await?;
    }
    Ok(())
}
