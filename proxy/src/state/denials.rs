//! What sandboxes refused, and which of their limits were reached: told by their launchers, kept with
//! the run, and told on to the panel.
//!
//! How much is kept is bounded, so that an agent that tries and tries fills no disk.

use iron_policy::control::{Denied, ExtraRecord};
use iron_policy::types::Name;
use rusqlite::{Connection, Row, params};

/// Rows that are kept of a run.
const MOST_OF_RUN: i64 = 1_000;
/// Rows that are kept at all: beyond it the oldest go.
const MOST: i64 = 100_000;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DenialRecord {
    /// Whether a limit was reached, rather than something refused.
    pub is_limit: bool,
    /// When it was told, in Unix milliseconds.
    pub at_ms: i64,
    /// Whose sandbox.
    pub agent: Name,
    /// In which project.
    pub project: Option<Name>,
    /// In which run.
    pub run: Name,
    /// What it counts as among findings: `sandbox/connect`.
    pub finding: String,
    /// What was tried, what refused it and what would allow it.
    pub denied: Denied,
}

/// What the findings of sandboxes begin with.
pub const SANDBOX_FINDING: &str = "sandbox/";

/// The columns of [`extra`].
pub(super) const COLUMNS: &str =
    "SELECT kind, at, agent, project, run, finding, detail FROM denial";

/// Keeps as many as there is room for in their run.
pub(super) fn keep(connection: &Connection, denials: &[DenialRecord]) -> rusqlite::Result<usize> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO denial (kind, at, agent, project, run, finding, detail)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
         WHERE (SELECT COUNT(*) FROM denial WHERE run = ?5) < ?8",
    )?;
    let mut kept = 0;
    for denial in denials {
        // Texts alone: they can be written.
        let detail = serde_json::to_string(&denial.denied).unwrap_or_default();
        kept += insert.execute(params![
            if denial.is_limit { "limit" } else { "denial" },
            denial.at_ms,
            denial.agent.as_str(),
            denial.project.as_ref().map(Name::as_str),
            denial.run.as_str(),
            denial.finding,
            detail,
            MOST_OF_RUN,
        ])?;
    }
    connection
        .prepare_cached("DELETE FROM denial WHERE id <= (SELECT MAX(id) FROM denial) - ?1")?
        .execute([MOST])?;
    Ok(kept)
}

/// What the panel is told of a row of [`COLUMNS`].
pub(super) fn extra(id: i64, row: &Row<'_>) -> rusqlite::Result<ExtraRecord> {
    Ok(ExtraRecord {
        id: format!("denial:{id}"),
        kind: row.get(0)?,
        at: row.get(1)?,
        agent: row.get(2)?,
        project: row.get(3)?,
        run: row.get(4)?,
        finding: row.get(5)?,
        detail: row.get(6)?,
        ..ExtraRecord::default()
    })
}
