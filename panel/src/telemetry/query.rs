//! Asking for sums: which table answers a question with the fewest rows, and reading it.
//!
//! The text of a statement is put together of this module's own words; everything that a caller wrote
//! is bound.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use utoipa::ToSchema;

use super::grain::Segment;
use super::sums::{COLUMNS, NAMED, Sums};
use crate::events::Sight;
use crate::store::StoreError;

/// Names in one answer of the database: more are not looked at.
const NAMES: i64 = 10_000;

/// What sums are grouped by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Nothing.
    #[default]
    #[serde(rename = "none")]
    All,
    /// The agent.
    Agent,
    /// The project.
    Project,
    /// The model.
    Model,
    /// The upstream.
    Upstream,
    /// How calls ended.
    Outcome,
    /// Why.
    Reason,
    /// The kind of what was found.
    Kind,
}

impl Group {
    /// The column of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Agent => "agent",
            Self::Project => "project",
            Self::Model => "model",
            Self::Upstream => "upstream",
            Self::Outcome => "outcome",
            Self::Reason => "reason",
            Self::Kind => "kind",
        }
    }
}

/// Which calls: those that have all of these.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this agent.
    pub agent: Option<String>,
    /// Of this project.
    pub project: Option<String>,
    /// Of this model.
    pub model: Option<String>,
    /// Of this upstream.
    pub upstream: Option<String>,
    /// That ended so.
    pub outcome: Option<String>,
    /// For this reason.
    pub reason: Option<String>,
}

impl Filter {
    /// The columns that must have a value, except the project.
    fn conditions(&self) -> Vec<(Group, &str)> {
        [
            (Group::Agent, &self.agent),
            (Group::Model, &self.model),
            (Group::Upstream, &self.upstream),
            (Group::Outcome, &self.outcome),
            (Group::Reason, &self.reason),
        ]
        .into_iter()
        .filter_map(|(group, value)| Some((group, value.as_deref()?)))
        .collect()
    }

    /// Whether findings can be told apart by all of it.
    pub fn fits_findings(&self) -> bool {
        self.model.is_none() && self.outcome.is_none() && self.reason.is_none()
    }
}

/// A question: sums of what, of which calls, by what.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// Which calls.
    pub filter: &'a Filter,
    /// Whose.
    pub sight: &'a Sight,
    /// Sums of findings by kind, and not of calls.
    pub of_findings: bool,
    /// By what; by nothing where only the sum of all is wanted.
    pub group: Group,
    /// Only these of it; all where there are none.
    pub only: &'a [String],
    /// Also by when.
    pub by_start: bool,
    /// Also how long calls took to their first byte: nearly three times as many columns to add up.
    pub first_byte: bool,
}

/// Sums by start (0 where that was not asked for) and by name.
pub type Answer = BTreeMap<(i64, String), Sums>;

/// Answers a question for a range.
pub async fn ask(
    connection: &mut AnyConnection,
    question: &Question<'_>,
    segments: &[Segment],
) -> Result<Answer, StoreError> {
    let mut answer = Answer::new();
    if matches!(question.sight, Sight::Projects(names) if names.is_empty()) {
        return Ok(answer);
    }
    let plan = Plan::of(question);
    for segment in segments {
        let (sql, texts) = plan.sql(question);
        let mut query = sqlx::query(AssertSqlSafe(sql))
            .bind(segment.grain.seconds())
            .bind(segment.from)
            .bind(segment.to);
        for text in texts {
            query = query.bind(text);
        }
        for row in query.fetch_all(&mut *connection).await? {
            let at = (row.try_get(0)?, row.try_get(1)?);
            answer.entry(at).or_default().add(&plan.sums(&row)?);
        }
    }
    Ok(answer)
}

/// The table that answers, and where what is asked for stands in it.
struct Plan<'a> {
    table: &'static str,
    /// Which thing, in `tally`.
    dim: Option<&'static str>,
    key: &'static str,
    conditions: Vec<(&'static str, &'a str)>,
    columns: &'static [&'static str],
}

impl<'a> Plan<'a> {
    fn of(question: &Question<'a>) -> Self {
        let columns = if question.first_byte { &COLUMNS[..] } else { &COLUMNS[..NAMED] };
        let conditions = question.filter.conditions();
        let named = || conditions.iter().map(|(group, value)| (group.name(), *value)).collect();
        if question.of_findings {
            if conditions.is_empty()
                && matches!(question.group, Group::All | Group::Project | Group::Kind)
            {
                return Self::tally("kind", question.group, Group::Kind, Vec::new(), columns);
            }
            let key = if question.group == Group::All { "''" } else { question.group.name() };
            let columns: &[&str] = &["found", "calls"];
            return Self { table: "finding", dim: None, key, conditions: named(), columns };
        }
        match (&*conditions, question.group) {
            ([], group) => {
                let dim = if group == Group::Project { Group::All } else { group };
                Self::tally(dim.name(), group, dim, Vec::new(), columns)
            }
            ([(dim, value)], group)
                if matches!(group, Group::All | Group::Project) || group == *dim =>
            {
                Self::tally(dim.name(), group, *dim, vec![("name", *value)], columns)
            }
            (_, group) => {
                let key = if group == Group::All { "''" } else { group.name() };
                Self { table: "rollup", dim: None, key, conditions: named(), columns }
            }
        }
    }

    fn tally(
        dim: &'static str,
        group: Group,
        thing: Group,
        conditions: Vec<(&'static str, &'a str)>,
        columns: &'static [&'static str],
    ) -> Self {
        let key = match group {
            Group::All => "''",
            Group::Project => "project",
            group if group == thing => "name",
            _ => "''",
        };
        Self { table: "tally", dim: Some(dim), key, conditions, columns }
    }

    /// The statement, and what is bound in it from `$4` on.
    fn sql(&self, question: &Question<'_>) -> (String, Vec<String>) {
        let mut texts = Vec::new();
        let mut place = |text: &str| {
            texts.push(text.to_owned());
            format!("${}", texts.len() + 3)
        };
        let mut wheres = String::new();
        let mut and = |condition: String| {
            wheres.push_str(" AND ");
            wheres.push_str(&condition);
        };
        if let Some(dim) = self.dim {
            and(format!("dim = {}", place(dim)));
        }
        for (column, value) in &self.conditions {
            and(format!("{column} = {}", place(value)));
        }
        if let Some(project) = &question.filter.project {
            and(format!("project = {}", place(project)));
        }
        if let Sight::Projects(names) = question.sight {
            let places: Vec<_> = names.iter().map(|name| place(name)).collect();
            and(format!("project IN ({})", places.join(", ")));
        }
        if !question.only.is_empty() {
            let places: Vec<_> = question.only.iter().map(|name| place(name)).collect();
            and(format!("{} IN ({})", self.key, places.join(", ")));
        }
        let start = if question.by_start { "start" } else { "CAST(0 AS BIGINT)" };
        let group = match (question.by_start, self.key) {
            (true, "''") => " GROUP BY start".to_owned(),
            (true, key) => format!(" GROUP BY start, {key}"),
            (false, "''") => String::new(),
            (false, key) => format!(" GROUP BY {key}"),
        };
        let limit = if question.by_start { String::new() } else { format!(" LIMIT {NAMES}") };
        let sums = self.columns.iter().map(|c| format!("CAST(SUM({c}) AS BIGINT)"));
        let sums = sums.collect::<Vec<_>>().join(", ");
        let (key, table) = (self.key, self.table);
        let sql = format!(
            "SELECT {start}, CAST({key} AS TEXT), {sums} FROM {table}
             WHERE grain = $1 AND start >= $2 AND start < $3{wheres}{group}{limit}"
        );
        (sql, texts)
    }

    fn sums(&self, row: &AnyRow) -> Result<Sums, sqlx::Error> {
        let mut sums = Sums::default();
        for (at, column) in self.columns.iter().enumerate() {
            let value: Option<i64> = row.try_get(at + 2)?;
            if let Some(own) = COLUMNS.iter().position(|own| own == column) {
                sums.0[own] = value.unwrap_or_default();
            }
        }
        Ok(sums)
    }
}
