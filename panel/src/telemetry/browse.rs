//! Calls and runs, one by one: filters, pages, the newest first.

use iron_policy::control::Denied;
use iron_policy::types::CallId;
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::query::Filter;
use crate::events::Sight;
use crate::store::{Store, StoreError};

/// A call as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The proxy it went through.
    pub proxy: String,
    /// Its id.
    pub id: CallId,
    /// Who called.
    pub agent: Option<String>,
    /// For which project.
    pub project: Option<String>,
    /// With which token.
    pub token: Option<String>,
    /// In which run.
    pub run: Option<String>,
    /// The model.
    pub model: String,
    /// Where it went.
    pub upstream: Option<String>,
    /// In which dialect.
    pub dialect: Option<String>,
    /// Which operation.
    pub endpoint: String,
    /// Whether the answer was a stream.
    pub stream: bool,
    /// The status that the caller got.
    pub status: i64,
    /// How it ended.
    pub outcome: String,
    /// Why.
    pub reason: String,
    /// What was held, in nano-USD.
    pub reserved: i64,
    /// What was charged.
    pub posted: i64,
    /// Whether as an estimate.
    pub estimated: bool,
    /// Tokens read.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Microseconds to the first byte; 0 where there was none.
    pub first_byte: i64,
    /// How many findings.
    pub findings: i64,
    /// The rest, as JSON; null in lists.
    pub detail: Value,
}

/// Which calls.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// By what sums know too.
    pub filter: Filter,
    /// Through this proxy.
    pub proxy: Option<String>,
    /// In this run.
    pub run: Option<String>,
    /// With this token.
    pub token: Option<String>,
    /// Only those with findings.
    pub found: bool,
    /// From this time on, in Unix milliseconds.
    pub from: i64,
    /// Before this time.
    pub to: i64,
    /// Older than this one: an id and a proxy.
    pub before: Option<(i64, String)>,
}

const COLUMNS: &str = "proxy, id, agent, project, token, run, model, upstream, dialect, endpoint,
    stream, status, outcome, reason, reserved, posted, estimated, input_tokens, output_tokens,
    first_byte, findings";

/// Conditions, and what is bound in them.
#[derive(Default)]
struct Conditions {
    sql: String,
    bound: Vec<Bound>,
}

enum Bound {
    Text(String),
    Number(i64),
}

impl Conditions {
    fn place(&mut self, value: Bound) -> String {
        self.bound.push(value);
        format!("${}", self.bound.len())
    }

    fn and(&mut self, condition: &str) {
        self.sql.push_str(if self.sql.is_empty() { " WHERE " } else { " AND " });
        self.sql.push_str(condition);
    }

    fn is(&mut self, column: &str, sign: &str, value: Bound) {
        let place = self.place(value);
        self.and(&format!("{column} {sign} {place}"));
    }

    fn seen_by(&mut self, sight: &Sight) {
        if let Sight::Projects(names) = sight {
            let places: Vec<_> =
                names.iter().map(|name| self.place(Bound::Text(name.clone()))).collect();
            if places.is_empty() {
                self.and("1 = 0");
            } else {
                self.and(&format!("project IN ({})", places.join(", ")));
            }
        }
    }

    async fn rows(
        self,
        connection: &mut AnyConnection,
        sql: String,
    ) -> Result<Vec<AnyRow>, StoreError> {
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for value in self.bound {
            query = match value {
                Bound::Text(text) => query.bind(text),
                Bound::Number(number) => query.bind(number),
            };
        }
        Ok(query.fetch_all(connection).await?)
    }
}

/// So many calls, the newest first.
pub async fn calls(
    store: &Store,
    connection: &mut AnyConnection,
    sight: &Sight,
    which: &Which,
    limit: i64,
) -> Result<Vec<Call>, StoreError> {
    let mut conditions = Conditions::default();
    conditions.is("id", ">=", Bound::Number(first_at(which.from)));
    conditions.is("id", "<", Bound::Number(first_at(which.to)));
    let filter = &which.filter;
    for (column, value) in [
        ("agent", &filter.agent),
        ("project", &filter.project),
        ("model", &filter.model),
        ("upstream", &filter.upstream),
        ("outcome", &filter.outcome),
        ("reason", &filter.reason),
        ("proxy", &which.proxy),
        ("run", &which.run),
        ("token", &which.token),
    ] {
        if let Some(value) = value {
            conditions.is(column, "=", Bound::Text(value.clone()));
        }
    }
    if which.found {
        conditions.and("findings > 0");
    }
    // Beside a proxy all calls are that one's, and the order by id is the file's own.
    let order = if store.is_beside() { "id DESC" } else { "id DESC, proxy DESC" };
    if let Some((id, proxy)) = &which.before {
        if store.is_beside() {
            conditions.is("id", "<", Bound::Number(*id));
        } else {
            let (at, same) = (conditions.place(Bound::Number(*id)), Bound::Text(proxy.clone()));
            let proxy = conditions.place(same);
            conditions.and(&format!("(id < {at} OR (id = {at} AND proxy < {proxy}))"));
            conditions.and(&format!("id <= {at}"));
        }
    }
    conditions.seen_by(sight);
    let limit = conditions.place(Bound::Number(limit));
    let wheres = &conditions.sql;
    let sql = format!("SELECT {COLUMNS} FROM call{wheres} ORDER BY {order} LIMIT {limit}");
    conditions.rows(connection, sql).await?.iter().map(call).collect()
}

/// The call of this id, of the first proxy by name that has it, with everything.
pub async fn one(
    connection: &mut AnyConnection,
    sight: &Sight,
    id: CallId,
) -> Result<Option<Call>, StoreError> {
    let mut conditions = Conditions::default();
    conditions.is("id", "=", Bound::Number(id.0));
    conditions.seen_by(sight);
    let sql =
        format!("SELECT {COLUMNS}, detail FROM call{} ORDER BY proxy LIMIT 1", conditions.sql);
    let rows = conditions.rows(connection, sql).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let detail: String = row.try_get("detail")?;
    let damaged = |_| StoreError::Damaged(format!("call {id}"));
    Ok(Some(Call { detail: serde_json::from_str(&detail).map_err(damaged)?, ..call(row)? }))
}

/// A correction or an incident that a proxy told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extra {
    /// What it is.
    pub kind: String,
    /// When, in Unix milliseconds.
    pub at: i64,
    /// The new amount, of a correction.
    pub posted: Option<i64>,
    /// Why.
    pub detail: String,
}

/// What was told of a call later; at most 100.
pub async fn extra(
    connection: &mut AnyConnection,
    proxy: &str,
    id: CallId,
) -> Result<Vec<Extra>, StoreError> {
    let rows = sqlx::query(
        "SELECT kind, at, posted, detail FROM extra WHERE call = $1 AND proxy = $2
         ORDER BY at, id LIMIT 100",
    )
    .bind(id.0)
    .bind(proxy.to_owned())
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let (kind, at) = (row.try_get(0)?, row.try_get(1)?);
            Ok(Extra { kind, at, posted: row.try_get(2)?, detail: row.try_get(3)? })
        })
        .collect()
}

fn call(row: &AnyRow) -> Result<Call, StoreError> {
    let flag = |at: usize| row.try_get::<i64, _>(at).map(|value| value != 0);
    Ok(Call {
        proxy: row.try_get(0)?,
        id: CallId(row.try_get(1)?),
        agent: row.try_get(2)?,
        project: row.try_get(3)?,
        token: row.try_get(4)?,
        run: row.try_get(5)?,
        model: row.try_get(6)?,
        upstream: row.try_get(7)?,
        dialect: row.try_get(8)?,
        endpoint: row.try_get(9)?,
        stream: flag(10)?,
        status: row.try_get(11)?,
        outcome: row.try_get(12)?,
        reason: row.try_get(13)?,
        reserved: row.try_get(14)?,
        posted: row.try_get(15)?,
        estimated: flag(16)?,
        input_tokens: row.try_get(17)?,
        output_tokens: row.try_get(18)?,
        first_byte: row.try_get(19)?,
        findings: row.try_get(20)?,
        detail: Value::Null,
    })
}

/// The first id of this time; the last one there can be where the time is beyond what ids hold.
const fn first_at(unix_ms: i64) -> i64 {
    if unix_ms < 0 {
        0
    } else if unix_ms >= 1 << 42 {
        i64::MAX
    } else {
        CallId::first_at(unix_ms).0
    }
}

/// A run as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its name.
    pub run: String,
    /// Whose project's; empty where it has none.
    pub project: String,
    /// Whose it is: of its first call.
    pub agent: String,
    /// Its first call's time.
    pub first_at: i64,
    /// Its last call's.
    pub last_at: i64,
    /// Calls, refused, posted, estimated, tokens read, tokens written, findings.
    pub sums: [i64; 7],
}

/// What a sandbox refused, or a limit of it that was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The proxy that told of it.
    pub proxy: String,
    /// Its id there.
    pub id: String,
    /// `denial` or `limit`.
    pub kind: String,
    /// When, in Unix milliseconds.
    pub at: i64,
    /// Whose sandbox.
    pub agent: Option<String>,
    /// In which project.
    pub project: Option<String>,
    /// In which run.
    pub run: Option<String>,
    /// What it counts as among findings.
    pub finding: String,
    /// What was tried, and what would allow it.
    pub denied: Denied,
}

/// So many refusals of sandboxes, the newest first.
pub async fn denials(
    connection: &mut AnyConnection,
    sight: &Sight,
    filter: [(&str, Option<String>); 4],
    before: Option<(i64, String, String)>,
    limit: i64,
) -> Result<Vec<Denial>, StoreError> {
    let mut conditions = Conditions::default();
    conditions.and("finding IS NOT NULL");
    for (column, value) in filter {
        if let Some(value) = value {
            conditions.is(column, "=", Bound::Text(value));
        }
    }
    if let Some((at, proxy, id)) = before {
        let at = conditions.place(Bound::Number(at));
        let (proxy, id) = (conditions.place(Bound::Text(proxy)), conditions.place(Bound::Text(id)));
        conditions.and(&format!("(at, proxy, id) < ({at}, {proxy}, {id})"));
    }
    conditions.seen_by(sight);
    let limit = conditions.place(Bound::Number(limit));
    let sql = format!(
        "SELECT proxy, id, kind, at, agent, project, run, finding, detail FROM extra{}
         ORDER BY at DESC, proxy DESC, id DESC LIMIT {limit}",
        conditions.sql
    );
    let rows = conditions.rows(connection, sql).await?;
    rows.iter()
        .map(|row| {
            let detail: String = row.try_get(8)?;
            Ok(Denial {
                proxy: row.try_get(0)?,
                id: row.try_get(1)?,
                kind: row.try_get(2)?,
                at: row.try_get(3)?,
                agent: row.try_get(4)?,
                project: row.try_get(5)?,
                run: row.try_get(6)?,
                finding: row.try_get(7)?,
                // What a proxy of another version wrote is shown as it is.
                denied: serde_json::from_str(&detail)
                    .unwrap_or_else(|_| Denied { target: detail, ..Denied::default() }),
            })
        })
        .collect()
}

/// So many runs, those with the newest calls first.
pub async fn runs(
    connection: &mut AnyConnection,
    sight: &Sight,
    agent: Option<String>,
    before: Option<(i64, String, String)>,
    limit: i64,
) -> Result<Vec<Run>, StoreError> {
    let mut conditions = Conditions::default();
    if let Some(agent) = agent {
        conditions.is("agent", "=", Bound::Text(agent));
    }
    if let Some((at, run, project)) = before {
        let (at, run) = (conditions.place(Bound::Number(at)), conditions.place(Bound::Text(run)));
        let project = conditions.place(Bound::Text(project));
        conditions.and(&format!("(last_at, run, project) < ({at}, {run}, {project})"));
    }
    conditions.seen_by(sight);
    let limit = conditions.place(Bound::Number(limit));
    let sql = format!(
        "SELECT run, project, agent, first_at, last_at, calls, refused, posted, estimated,
         input_tokens, output_tokens, found FROM run{} ORDER BY last_at DESC, run DESC,
         project DESC LIMIT {limit}",
        conditions.sql
    );
    let rows = conditions.rows(connection, sql).await?;
    rows.iter()
        .map(|row| {
            let mut sums = [0; 7];
            for (at, sum) in sums.iter_mut().enumerate() {
                *sum = row.try_get(at + 5)?;
            }
            let (run, project, agent) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let (first_at, last_at) = (row.try_get(3)?, row.try_get(4)?);
            Ok(Run { run, project, agent, first_at, last_at, sums })
        })
        .collect()
}
