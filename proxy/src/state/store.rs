//! The reading side, for people: beside a running proxy or without one.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use iron_policy::budget::Window;
use iron_policy::types::{CallId, NanoUsd};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params, params_from_iter};
use serde_json::{Map, Value};

use super::{StoreError, open, schema};
use crate::stops::Whom;

/// The state file, read.
#[derive(Debug)]
pub struct Store(Connection);

impl Store {
    /// The connection, for the other readers of this folder.
    pub(super) const fn connection(&self) -> &Connection {
        &self.0
    }
}

/// Which calls are meant.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// From this time on, in Unix milliseconds.
    pub since_ms: Option<i64>,
    /// Before this time.
    pub until_ms: Option<i64>,
    /// Of this agent.
    pub agent: Option<String>,
    /// Of this run.
    pub run: Option<String>,
}

/// Sums over calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many calls.
    pub calls: u64,
    /// What was charged, estimates included.
    pub posted: NanoUsd,
    /// What of it is estimated.
    pub estimated: NanoUsd,
    /// What is held for calls that are open; not part of `posted`.
    pub pending: NanoUsd,
    /// Tokens read by providers, cached ones included.
    pub input_tokens: u64,
    /// Tokens made by providers, reasoning included.
    pub output_tokens: u64,
}

/// What sums are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    /// The agent.
    Agent,
    /// The model.
    Model,
    /// The upstream.
    Upstream,
}

/// One group of calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What they share; empty where it is unknown.
    pub key: String,
    /// Their sums; nothing is pending in them.
    pub totals: Totals,
}

/// A call that ended.
#[derive(Debug, Clone, PartialEq)]
pub struct CallRow {
    /// The call.
    pub id: CallId,
    /// Who called.
    pub agent: String,
    /// For which project.
    pub project: Option<String>,
    /// With which token: its id.
    pub token: Option<String>,
    /// In which run.
    pub run: Option<String>,
    /// How many agents stood above the caller, where it was said.
    pub depth: Option<u8>,
    /// The model, as the caller wrote it.
    pub model: String,
    /// Where it went.
    pub upstream: String,
    /// Which operation.
    pub endpoint: String,
    /// Whether the answer was a stream.
    pub stream: bool,
    /// The status that the caller got; 0 where there was none.
    pub status: u16,
    /// How it ended.
    pub outcome: String,
    /// Why.
    pub reason: String,
    /// What was held.
    pub reserved: NanoUsd,
    /// What was charged, after a correction if there was one.
    pub posted: NanoUsd,
    /// Whether that is an estimate.
    pub estimated: bool,
    /// Units by class.
    pub usage: Value,
    /// Pico-USD by class.
    pub cost: Value,
    /// Findings by kind.
    pub findings: Value,
    /// Findings in the answer, by kind.
    pub answer_findings: Value,
    /// Microseconds by step.
    pub timeline: Value,
    /// Which attempt at answering its caller it was, from 1.
    pub attempt: u32,
    /// The call that was the first attempt; none where it is that itself.
    pub first_attempt: Option<CallId>,
}

/// A balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// The scope, with the real name.
    pub scope: String,
    /// The window.
    pub window: Window,
    /// When it began, in Unix milliseconds.
    pub start: i64,
    /// When it begins anew.
    pub resets_at: Option<i64>,
    /// What may be spent, when it was last touched.
    pub limit: NanoUsd,
    /// What is held.
    pub pending: NanoUsd,
    /// What was charged.
    pub posted: NanoUsd,
    /// By how much calls exceeded their bounds.
    pub overrun: NanoUsd,
}

/// Money that waits for the results of a batch: of one of its models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRow {
    /// The call that made the batch, or one beside it for another model.
    pub id: CallId,
    /// Who called.
    pub agent: String,
    /// The model.
    pub model: String,
    /// The upstream.
    pub upstream: String,
    /// The batch's id there.
    pub batch: String,
    /// How many requests of the model.
    pub requests: u64,
    /// What is held.
    pub reserved: NanoUsd,
    /// When the batch was made, in Unix milliseconds.
    pub at: i64,
}

/// Calls with their corrections: what counts is the corrected amount.
const CALLS: &str = "call c LEFT JOIN correction x ON x.call = c.id";
const SUMS: &str = "COUNT(*), COALESCE(SUM(COALESCE(x.posted, c.posted)), 0),
    COALESCE(SUM(CASE WHEN c.estimated AND x.call IS NULL THEN c.posted END), 0),
    COALESCE(SUM(c.input_tokens), 0), COALESCE(SUM(c.output_tokens), 0)";
/// Every time zone's offset is a multiple of this.
const QUARTER_HOUR_MS: i64 = 900_000;

impl Store {
    /// Opens a file for reading; one of an older version is brought up to date first.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(Duration::from_secs(2))?;
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if (1..schema::VERSION).contains(&version) {
            drop(connection);
            open::bring_up_to_date(path)?;
            return Self::open(path);
        }
        Ok(Self(connection))
    }

    /// Who is stopped, and since when in Unix milliseconds.
    pub fn stopped(&self) -> Result<Vec<(Whom, i64)>, StoreError> {
        let mut statement = self.0.prepare("SELECT agent, at FROM stopped ORDER BY agent")?;
        let rows = statement.query_map([], |row| {
            Ok((Whom::named(&row.get::<_, String>(0)?), row.get::<_, i64>(1)?))
        })?;
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        Ok(rows.into_iter().filter_map(|(whom, at)| Some((whom?, at))).collect())
    }

    /// Stops somebody from now on. Safe beside a running proxy, which looks twice a second. False
    /// where that was so before.
    pub fn stop(path: &Path, whom: &Whom, now_ms: i64) -> Result<bool, StoreError> {
        drop(Self::open(path)?);
        let connection = writable(path)?;
        let stopped = connection.execute(
            "INSERT OR IGNORE INTO stopped (agent, at) VALUES (?1, ?2)",
            params![whom.name(), now_ms],
        )?;
        Ok(stopped > 0)
    }

    /// Lifts a stop. False where there was none.
    pub fn lift(path: &Path, whom: &Whom) -> Result<bool, StoreError> {
        drop(Self::open(path)?);
        let connection = writable(path)?;
        let lifted = connection.execute("DELETE FROM stopped WHERE agent = ?1", [whom.name()])?;
        Ok(lifted > 0)
    }

    /// Sums over all calls.
    pub fn totals(&self) -> Result<Totals, StoreError> {
        self.totals_of(&Filter::default())
    }

    /// Sums over some calls, and what is held at this moment.
    pub fn totals_of(&self, filter: &Filter) -> Result<Totals, StoreError> {
        let (clause, values) = filter.clause();
        // One snapshot: a call that ends between two would be in neither.
        let snapshot = self.0.unchecked_transaction()?;
        let mut totals = snapshot.query_row(
            &format!("SELECT {SUMS} FROM {CALLS} WHERE {clause}"),
            params_from_iter(values),
            |row| sums(row, 0),
        )?;
        let pending: i64 = snapshot.query_row(
            "SELECT COALESCE(SUM(amount), 0) FROM reservation
             WHERE (?1 IS NULL OR agent = ?1) AND (?2 IS NULL OR run = ?2)",
            [&filter.agent, &filter.run],
            |row| row.get(0),
        )?;
        totals.pending = NanoUsd(pending);
        Ok(totals)
    }

    /// Sums by what calls share, the dearest first.
    pub fn grouped(&self, by: GroupBy, filter: &Filter) -> Result<Vec<Group>, StoreError> {
        let column = match by {
            GroupBy::Agent => "c.agent",
            GroupBy::Model => "c.model",
            GroupBy::Upstream => "c.upstream",
        };
        let (clause, values) = filter.clause();
        let mut statement = self.0.prepare(&format!(
            "SELECT COALESCE({column}, ''), {SUMS} FROM {CALLS} WHERE {clause}
             GROUP BY 1 ORDER BY 3 DESC, 1 LIMIT 1000"
        ))?;
        let groups = statement.query_map(params_from_iter(values), |row| {
            Ok(Group { key: row.get(0)?, totals: sums(row, 1)? })
        })?;
        Ok(groups.collect::<Result<_, _>>()?)
    }

    /// Sums by day in a time zone, the oldest first.
    pub fn by_day(&self, zone: &TimeZone, filter: &Filter) -> Result<Vec<Group>, StoreError> {
        let (clause, values) = filter.clause();
        let mut statement = self.0.prepare(&format!(
            "SELECT (c.id >> 20) / {QUARTER_HOUR_MS}, {SUMS} FROM {CALLS} WHERE {clause}
             GROUP BY 1 ORDER BY 1"
        ))?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut days: Vec<Group> = Vec::new();
        while let Some(row) = rows.next()? {
            let quarter: i64 = row.get(0)?;
            let key = Timestamp::from_millisecond(quarter * QUARTER_HOUR_MS)
                .map(|time| time.to_zoned_datetime(zone.clone()).date().to_string())
                .unwrap_or_default();
            let totals = sums(row, 1)?;
            match days.last_mut() {
                Some(day) if day.key == key => day.totals.add(&totals),
                _ => days.push(Group { key, totals }),
            }
        }
        Ok(days)
    }

    /// Calls after one, the oldest first; all from the beginning for none.
    pub fn calls(&self, after: Option<CallId>, limit: usize) -> Result<Vec<CallRow>, StoreError> {
        let filter = Filter::default();
        self.calls_where("c.id >", "ASC", after.map_or(-1, |id| id.0), limit, &filter)
    }

    /// The latest calls, the oldest of them first.
    pub fn latest(&self, limit: usize, filter: &Filter) -> Result<Vec<CallRow>, StoreError> {
        let mut calls = self.calls_where("c.id <=", "DESC", i64::MAX, limit, filter)?;
        calls.reverse();
        Ok(calls)
    }

    fn calls_where(
        &self,
        bound: &str,
        order: &str,
        id: i64,
        limit: usize,
        filter: &Filter,
    ) -> Result<Vec<CallRow>, StoreError> {
        let (clause, mut values) = filter.clause();
        let (first, second) = (values.len() + 1, values.len() + 2);
        values.extend([Sql::Integer(id), Sql::Integer(limit as i64)]);
        let mut statement = self.0.prepare(&format!(
            "SELECT c.id, c.agent, c.project, c.model, c.upstream, c.endpoint, c.stream, c.status,
               c.outcome, c.reason, c.reserved, COALESCE(x.posted, c.posted),
               c.estimated AND x.call IS NULL, c.usage, c.cost, c.findings, c.timeline,
               c.run, c.depth, c.attempt, c.first_attempt, c.token
             FROM {CALLS} WHERE {clause} AND {bound} ?{first}
             ORDER BY c.id {order} LIMIT ?{second}"
        ))?;
        let rows = statement.query_map(params_from_iter(values), call)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// All balances, also of windows that have ended; not those of leases.
    pub fn accounts(&self) -> Result<Vec<AccountRow>, StoreError> {
        let mut statement = self.0.prepare(
            "SELECT scope, window, start, resets_at, limit_nano, pending, posted, overrun
             FROM account WHERE id NOT IN (SELECT account FROM lease)
             ORDER BY scope, window, start",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(AccountRow {
                scope: row.get(0)?,
                window: Window::named(&row.get::<_, String>(1)?).unwrap_or(Window::Total),
                start: row.get(2)?,
                resets_at: row.get(3)?,
                limit: NanoUsd(row.get(4)?),
                pending: NanoUsd(row.get(5)?),
                posted: NanoUsd(row.get(6)?),
                overrun: NanoUsd(row.get(7)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Batches whose results were not fetched yet, the oldest first.
    pub fn batches(&self) -> Result<Vec<BatchRow>, StoreError> {
        let mut statement = self.0.prepare(
            "SELECT r.id, COALESCE(r.agent, ''), r.model, b.upstream, b.batch, b.requests, r.amount,
               b.at
             FROM batch b JOIN reservation r ON r.id = b.call WHERE b.ended = 0
             ORDER BY r.id LIMIT 10000",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(BatchRow {
                id: CallId(row.get(0)?),
                agent: row.get(1)?,
                model: row.get(2)?,
                upstream: row.get(3)?,
                batch: row.get(4)?,
                requests: row.get::<_, i64>(5)?.unsigned_abs(),
                reserved: NanoUsd(row.get(6)?),
                at: row.get(7)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Replaces the estimate of one call by what was really billed: once, for good.
    ///
    /// Safe beside a running proxy: balances change by relative statements only, in one
    /// transaction.
    pub fn correct(
        path: &Path,
        id: CallId,
        actual: NanoUsd,
        reason: &str,
        now_ms: i64,
    ) -> Result<NanoUsd, StoreError> {
        if actual < NanoUsd::ZERO {
            return Err(StoreError::Correction("nobody is billed less than nothing"));
        }
        let mut connection = writable(path)?;
        let transaction =
            connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let found: Option<(i64, bool, bool)> = transaction
            .query_row(
                "SELECT c.posted, c.estimated, x.call IS NOT NULL
                 FROM call c LEFT JOIN correction x ON x.call = c.id WHERE c.id = ?1",
                [id.0],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .optional()?;
        let wrong = |what| Err(StoreError::Correction(what));
        let before = match found {
            None => return wrong("there is no such call: `iron logs` shows ids"),
            Some((_, _, true)) => return wrong("the call was corrected before; that is final"),
            Some((_, false, _)) => return wrong("the call was metered, not estimated"),
            Some((posted, true, false)) => posted,
        };
        transaction.execute(
            "INSERT INTO correction (call, posted, reason, at) VALUES (?1, ?2, ?3, ?4)",
            params![id.0, actual.0, reason, now_ms],
        )?;
        transaction.execute(
            "UPDATE account SET posted = posted + ?1 WHERE id IN (
               SELECT j.value FROM call c, json_each(c.accounts) j WHERE c.id = ?2)",
            params![actual.0 - before, id.0],
        )?;
        transaction.commit()?;
        Ok(NanoUsd(before))
    }
}

/// A connection beside the ledger's own, to a file that is there.
fn writable(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(Duration::from_secs(2))?;
    Ok(connection)
}

impl Filter {
    fn clause(&self) -> (String, Vec<Sql>) {
        let mut clause = String::from("1");
        let mut values = Vec::new();
        let mut and = |text: &str, value: Sql| {
            values.push(value);
            let _ = write!(clause, " AND {text} ?{}", values.len());
        };
        if let Some(since) = self.since_ms {
            and("c.id >=", Sql::Integer(CallId::first_at(since).0));
        }
        if let Some(until) = self.until_ms {
            and("c.id <", Sql::Integer(CallId::first_at(until).0));
        }
        if let Some(agent) = &self.agent {
            and("c.agent =", Sql::Text(agent.clone()));
        }
        if let Some(run) = &self.run {
            and("c.run =", Sql::Text(run.clone()));
        }
        (clause, values)
    }
}

impl Totals {
    pub(super) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.posted = self.posted + other.posted;
        self.estimated = self.estimated + other.estimated;
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
    }
}

fn sums(row: &Row<'_>, from: usize) -> rusqlite::Result<Totals> {
    Ok(Totals {
        calls: row.get::<_, i64>(from)? as u64,
        posted: NanoUsd(row.get(from + 1)?),
        estimated: NanoUsd(row.get(from + 2)?),
        pending: NanoUsd::ZERO,
        input_tokens: row.get::<_, i64>(from + 3)? as u64,
        output_tokens: row.get::<_, i64>(from + 4)? as u64,
    })
}

fn call(row: &Row<'_>) -> rusqlite::Result<CallRow> {
    let json = |place| {
        let text: Option<String> = row.get(place)?;
        let value = text.and_then(|text| serde_json::from_str(&text).ok());
        Ok::<_, rusqlite::Error>(value.unwrap_or(Value::Null))
    };
    let (findings, answer_findings) = by_way(json(15)?);
    Ok(CallRow {
        id: CallId(row.get(0)?),
        agent: row.get::<_, Option<String>>(1)?.unwrap_or_default(),
        project: row.get(2)?,
        model: row.get(3)?,
        upstream: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
        endpoint: row.get(5)?,
        stream: row.get(6)?,
        status: row.get(7)?,
        outcome: row.get(8)?,
        reason: row.get(9)?,
        reserved: NanoUsd(row.get(10)?),
        posted: NanoUsd(row.get(11)?),
        estimated: row.get(12)?,
        usage: json(13)?,
        cost: json(14)?,
        findings,
        answer_findings,
        timeline: json(16)?,
        run: row.get(17)?,
        depth: row.get(18)?,
        attempt: row.get(19)?,
        first_attempt: row.get::<_, Option<i64>>(20)?.map(CallId),
        token: row.get(21)?,
    })
}

/// Findings in requests, and those in answers.
fn by_way(findings: Value) -> (Value, Value) {
    let Value::Object(all) = findings else { return (findings, Value::Null) };
    let (mut requests, mut answers) = (Map::new(), Map::new());
    for (name, count) in all {
        match name.strip_prefix(schema::ANSWER_FINDING) {
            Some(kind) => answers.insert(kind.to_owned(), count),
            None => requests.insert(name, count),
        };
    }
    (requests.into(), answers.into())
}
