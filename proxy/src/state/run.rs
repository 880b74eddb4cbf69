//! Runs that were announced, and what became of one: its figures, with those of the runs within it.

use std::collections::BTreeMap;

use iron_policy::types::{Name, NanoUsd};
use rusqlite::{OptionalExtension, Row, params};
use serde_json::Value;

use super::denials::SANDBOX_FINDING;
use super::{Store, StoreError, schema};

/// A run that was announced before its first call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// What its calls name it by.
    pub id: Name,
    /// The run that it was started in: its calls belong to that one too.
    pub parent: Option<Name>,
    /// The agent.
    pub agent: Name,
    /// What it may spend.
    pub limit: Option<NanoUsd>,
    /// Whether it may reach providers alone.
    pub strict: bool,
    /// When it was announced, in Unix milliseconds.
    pub begun_ms: i64,
}

/// What a run did until now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Calls of providers that ended.
    pub calls: u64,
    /// Requests to other hosts that were looked through, by host.
    pub others: BTreeMap<String, u64>,
    /// Calls that are open.
    pub open: u64,
    /// What was charged, estimates included.
    pub posted: NanoUsd,
    /// What of it is estimated.
    pub estimated: NanoUsd,
    /// What is held for open calls.
    pub pending: NanoUsd,
    /// Tokens read by providers, cached ones included.
    pub input_tokens: u64,
    /// Those of them that were read from a cache.
    pub cached_tokens: u64,
    /// Tokens made by providers, reasoning included.
    pub output_tokens: u64,
    /// Calls of providers by how they ended.
    pub outcomes: BTreeMap<String, u64>,
    /// What the proxy refused, by reason.
    pub refused: BTreeMap<String, u64>,
    /// What was found in requests, by kind.
    pub findings: BTreeMap<String, u64>,
    /// What was found in answers, by kind.
    pub answer_findings: BTreeMap<String, u64>,
    /// What its sandbox refused and which limits were reached there: `connect`, `limit/memory`.
    pub denials: BTreeMap<String, u64>,
    /// Calls and what was charged for them, by upstream, of those that were sent.
    pub upstreams: BTreeMap<String, (u64, NanoUsd)>,
    /// How long each call that was sent was in the proxy before it was sent, in microseconds, in
    /// rising order.
    pub overheads: Vec<u64>,
}

/// The run and all that were started in it, to any depth.
const FAMILY: &str = "WITH RECURSIVE family (id) AS (
    SELECT ?1 UNION SELECT r.id FROM run r JOIN family f ON r.parent = f.id)";
/// The endpoint of requests to hosts that are no upstream's, in the place of whose name theirs stands.
const OTHER_HOST: &str = "other";
/// The steps before a call leaves. What comes later is the upstream's time too.
const BEFORE: [&str; 6] = ["identify", "admit", "decode", "redact", "reserve", "breaker"];

impl Store {
    /// The latest runs, the oldest of them first.
    pub fn runs(&self, limit: usize) -> Result<Vec<RunRecord>, StoreError> {
        let mut statement = self.connection().prepare(
            "SELECT id, parent, agent, limit_nano, strict, begun FROM run
             ORDER BY begun DESC, rowid DESC LIMIT ?1",
        )?;
        let rows = statement.query_map([limit as i64], run)?;
        let mut runs = rows.filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?;
        runs.reverse();
        Ok(runs)
    }

    /// A run that was announced.
    pub fn run(&self, id: &Name) -> Result<Option<RunRecord>, StoreError> {
        let sql = "SELECT id, parent, agent, limit_nano, strict, begun FROM run WHERE id = ?1";
        Ok(self.connection().query_row(sql, [id.as_str()], run).optional()?.flatten())
    }

    /// What a run did until now, with the runs within it.
    pub fn figures(&self, id: &Name) -> Result<Figures, StoreError> {
        let mut figures = Figures::default();
        // One snapshot: a call that ends between two would be in neither.
        let snapshot = self.connection().unchecked_transaction()?;
        let mut statement = snapshot.prepare(&format!(
            "{FAMILY} SELECT COALESCE(x.posted, c.posted), c.estimated AND x.call IS NULL, c.outcome,
               c.reason, c.upstream, c.input_tokens, c.output_tokens, c.usage, c.findings, c.timeline,
               c.endpoint
             FROM call c JOIN family f ON c.run = f.id LEFT JOIN correction x ON x.call = c.id"
        ))?;
        let mut rows = statement.query([id.as_str()])?;
        while let Some(row) = rows.next()? {
            figures.add(row)?;
        }
        figures.overheads.sort_unstable();
        let (open, pending): (i64, i64) = snapshot.query_row(
            &format!(
                "{FAMILY} SELECT COUNT(*), COALESCE(SUM(r.amount), 0)
                 FROM reservation r JOIN family f ON r.run = f.id"
            ),
            params![id.as_str()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let mut denials = snapshot.prepare(&format!(
            "{FAMILY} SELECT d.finding, COUNT(*) FROM denial d JOIN family f ON d.run = f.id
             GROUP BY d.finding"
        ))?;
        let mut rows = denials.query([id.as_str()])?;
        while let Some(row) = rows.next()? {
            let finding: String = row.get(0)?;
            let what = finding.strip_prefix(SANDBOX_FINDING).unwrap_or(&finding).to_owned();
            figures.denials.insert(what, row.get::<_, i64>(1)?.unsigned_abs());
        }
        figures.open = open as u64;
        figures.pending = NanoUsd(pending);
        Ok(figures)
    }
}

impl Figures {
    /// The overhead that so many of a hundred calls did not exceed, in microseconds.
    pub fn overhead(&self, percent: usize) -> Option<u64> {
        let last = self.overheads.len().checked_sub(1)?;
        let rank = (self.overheads.len() * percent).div_ceil(100).saturating_sub(1);
        self.overheads.get(rank.min(last)).copied()
    }

    fn add(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let posted = NanoUsd(row.get(0)?);
        let upstream = row.get::<_, Option<String>>(4)?.unwrap_or_default();
        let other = row.get::<_, String>(10)? == OTHER_HOST;
        self.posted = self.posted + posted;
        if row.get(1)? {
            self.estimated = self.estimated + posted;
        }
        let outcome: String = row.get(2)?;
        if outcome == "refused" {
            *self.refused.entry(row.get(3)?).or_default() += 1;
        }
        if other {
            *self.others.entry(upstream.clone()).or_default() += 1;
        } else {
            self.calls += 1;
            *self.outcomes.entry(outcome).or_default() += 1;
        }
        self.input_tokens += row.get::<_, Option<i64>>(5)?.unwrap_or_default() as u64;
        self.output_tokens += row.get::<_, Option<i64>>(6)?.unwrap_or_default() as u64;
        self.cached_tokens += json(row, 7)?["cache_read"].as_u64().unwrap_or_default();
        for (name, count) in json(row, 8)?.as_object().into_iter().flatten() {
            let (kinds, kind) = match name.strip_prefix(schema::ANSWER_FINDING) {
                Some(kind) => (&mut self.answer_findings, kind),
                None => (&mut self.findings, name.as_str()),
            };
            *kinds.entry(kind.to_owned()).or_default() += count.as_u64().unwrap_or_default();
        }
        let timeline = json(row, 9)?;
        if !other && !timeline["upstream"].is_null() {
            let served = self.upstreams.entry(upstream).or_default();
            served.0 += 1;
            served.1 = served.1 + posted;
            self.overheads.push(BEFORE.iter().filter_map(|step| timeline[step].as_u64()).sum());
        }
        Ok(())
    }
}

fn json(row: &Row<'_>, place: usize) -> rusqlite::Result<Value> {
    let text: Option<String> = row.get(place)?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null))
}

/// One that another program wrote, with a name that is none, is none.
fn run(row: &Row<'_>) -> rusqlite::Result<Option<RunRecord>> {
    let name = |place| Ok::<_, rusqlite::Error>(row.get::<_, String>(place)?.parse::<Name>().ok());
    let parent: Option<String> = row.get(1)?;
    let (Some(id), Some(agent)) = (name(0)?, name(2)?) else { return Ok(None) };
    Ok(Some(RunRecord {
        id,
        parent: parent.and_then(|parent| parent.parse().ok()),
        agent,
        limit: row.get::<_, Option<i64>>(3)?.map(NanoUsd),
        strict: row.get(4)?,
        begun_ms: row.get(5)?,
    }))
}
