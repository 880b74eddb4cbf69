//! `/api/v1/usage`: what was used, over a range, by what, against the period before.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Door, May, Principal, Role, door};
use super::extract::{Json, Query};
use super::overview;
use super::problem::Problem;
use super::total::Total;
use super::wire::Time;
use crate::events::Sight;
use crate::panel::Panel;
use crate::telemetry::csv::{Cell, Csv};
use crate::telemetry::grain::Step;
use crate::telemetry::query::{Filter, Group};
use crate::telemetry::report::{Asked, Metric, Range, Report, Series, report};
use crate::telemetry::setting;

/// Who may ask.
pub const DOORS: &[Door] = &[
    door("GET", "/api/v1/usage", May::Person(Role::Viewer)).in_project(),
    door("GET", "/api/v1/usage/overview", May::Person(Role::Viewer)).in_project(),
];

/// The routes.
pub fn routes() -> OpenApiRouter<Panel> {
    OpenApiRouter::new().routes(routes!(usage)).routes(routes!(overview::overview))
}

/// A day, in milliseconds.
const DAY_MS: i64 = 86_400_000;
/// The longest name that is looked for, in bytes.
const LONGEST: usize = 300;

/// Which calls: those that have all that is given.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Of this agent.
    #[serde(default)]
    pub agent: Option<String>,
    /// Of this project.
    #[serde(default)]
    pub project: Option<String>,
    /// Of this model.
    #[serde(default)]
    pub model: Option<String>,
    /// Of this upstream.
    #[serde(default)]
    pub upstream: Option<String>,
    /// That ended so: `ok`, `refused`, `upstream_error`, `failed`, `aborted`, `recovered`.
    #[serde(default)]
    pub outcome: Option<String>,
    /// For this reason, such as `budget_exhausted`.
    #[serde(default)]
    pub reason: Option<String>,
}

impl Which {
    /// The same as a filter of sums.
    pub fn filter(self) -> Result<Filter, Problem> {
        let Self { agent, project, model, upstream, outcome, reason } = self;
        let all = [&agent, &project, &model, &upstream, &outcome, &reason];
        if all.into_iter().flatten().any(|text| text.len() > LONGEST) {
            return Err(Problem::invalid(
                "a name in the query is too long: no call has one like it",
            ));
        }
        Ok(Filter { agent, project, model, upstream, outcome, reason })
    }
}

/// A range of time.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct When {
    /// From this time on; a day before `to` unless said.
    #[serde(default)]
    #[param(value_type = Option<Time>)]
    pub from: Option<Time>,
    /// Before this time; now unless said.
    #[serde(default)]
    #[param(value_type = Option<Time>)]
    pub to: Option<Time>,
}

impl When {
    /// The range, of this length where it does not say its beginning.
    pub fn range(&self, now: i64, usual: i64) -> (i64, i64) {
        let to = self.to.map_or(now, |to| to.0);
        (self.from.map_or(to.saturating_sub(usual), |from| from.0), to)
    }
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// As JSON.
    #[default]
    Json,
    /// As a table for spreadsheets (RFC 4180).
    Csv,
}

/// What is to be shown.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Show {
    /// What `values` are; the greatest names are chosen by it. `spend` unless said.
    #[serde(default)]
    pub metric: Metric,
    /// By what; `none` unless said.
    #[serde(default)]
    pub group: Group,
    /// By which steps of the reporting time zone; what makes a readable graph unless said.
    #[serde(default)]
    pub rollup: Option<Step>,
    /// How many names have a series of their own, 1 to 20; 10 unless said.
    #[serde(default)]
    #[param(minimum = 1, maximum = 20)]
    pub top: Option<u8>,
    /// Whether with the sums of the period before.
    #[serde(default)]
    pub compare: bool,
    /// `json` unless said, or `csv`.
    #[serde(default)]
    pub format: Format,
}

/// Usage over a range.
#[derive(Debug, Serialize, ToSchema)]
pub struct Usage {
    /// The reporting time zone: whose hours and days these are.
    pub zone: String,
    /// Where the range begins: at or before what was asked for.
    pub from: Time,
    /// Where it ends.
    pub to: Time,
    /// The steps' length.
    pub rollup: Step,
    /// What `values` are.
    pub metric: Metric,
    /// By what.
    pub group: Group,
    /// When the steps begin.
    pub steps: Vec<Time>,
    /// All calls.
    pub all: Line,
    /// The greatest names, the greatest first.
    pub top: Vec<Line>,
    /// All others together; null where there are none.
    pub rest: Option<Line>,
    /// The period that `before` is about, where that was asked for.
    pub before: Option<Period>,
}

/// A period.
#[derive(Debug, Serialize, ToSchema)]
pub struct Period {
    /// Its beginning.
    pub from: Time,
    /// Its end.
    pub to: Time,
}

/// One name, or several together.
#[derive(Debug, Serialize, ToSchema)]
pub struct Line {
    /// The name; null where calls have none, or several are added up.
    pub name: Option<String>,
    /// Its sums over the range: always what its steps add up to.
    pub total: Total,
    /// The metric by step; null where there is nothing to measure. Money is in nano-USD.
    pub values: Vec<Option<i64>>,
    /// Its sums over the period before.
    pub before: Option<Total>,
}

impl Line {
    pub(super) fn of(series: &Series, metric: Metric) -> Self {
        Self {
            name: Some(series.name.clone()).filter(|name| !name.is_empty()),
            total: (&series.total).into(),
            values: series.steps.iter().map(|sums| metric.of(sums)).collect(),
            before: series.before.as_ref().map(Total::from),
        }
    }
}

/// What was used over a range: in all, by step, and by the greatest names.
#[utoipa::path(
    get, path = "/api/v1/usage", tag = "usage", params(When, Which, Show),
    responses((status = 200, content((Usage = "application/json"), (String = "text/csv"))))
)]
async fn usage(
    State(panel): State<Panel>,
    principal: Principal,
    Query(when): Query<When>,
    Query(which): Query<Which>,
    Query(show): Query<Show>,
) -> Result<Response, Problem> {
    let sight = Sight::of(&panel, &principal).await?;
    let mut connection = panel.store.pool().acquire().await?;
    let zone = setting::zone(&mut connection).await?;
    let (from, to) = when.range(panel.clock.now_ms(), DAY_MS);
    let range = Range::of(&panel, zone, from, to)?;
    let step = show.rollup.unwrap_or_else(|| range.usual_step());
    let top = match show.top.unwrap_or(10) {
        top @ 1..=20 => usize::from(top),
        _ => return Err(Problem::invalid("top is out of range: choose from 1 to 20")),
    };
    let asked = Asked {
        metric: show.metric,
        group: show.group,
        filter: which.filter()?,
        step,
        top,
        compare: show.compare,
    };
    let found = report(&mut connection, &sight, &range, &asked).await?;
    if show.format == Format::Csv {
        return Ok(file("usage.csv", table(&found, &range, show.group)));
    }
    let (before_from, before_to) = range.before();
    let usage = Usage {
        zone: range.zone.name().to_owned(),
        from: Time(range.from),
        to: Time(range.to),
        rollup: step,
        metric: show.metric,
        group: show.group,
        steps: found.starts.iter().map(|start| Time(*start)).collect(),
        all: Line::of(&found.all, show.metric),
        top: found.top.iter().map(|series| Line::of(series, show.metric)).collect(),
        rest: found.rest.as_ref().map(|series| Line::of(series, show.metric)),
        before: show.compare.then_some(Period { from: Time(before_from), to: Time(before_to) }),
    };
    Ok(Json(usage).into_response())
}

/// A table as a file to be saved.
pub(super) fn file(name: &str, table: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (headers, table).into_response()
}

/// A row for each step and name.
fn table(found: &Report, range: &Range, group: Group) -> String {
    let mut csv = Csv::new(&[
        "start",
        "zone",
        group.name(),
        "calls",
        "refused",
        "errors",
        "spent_nano_usd",
        "estimated_nano_usd",
        "unpriced_calls",
        "input_tokens",
        "output_tokens",
        "findings",
        "p95_first_byte_us",
    ]);
    let lines: Vec<&Series> = if group == Group::All {
        vec![&found.all]
    } else {
        found.top.iter().chain(&found.rest).collect()
    };
    let places = found.top.len();
    for (place, series) in lines.into_iter().enumerate() {
        let name = match group {
            Group::All => "all",
            _ if place == places => "(rest)",
            _ => &series.name,
        };
        for (start, sums) in found.starts.iter().zip(&series.steps) {
            csv.row([
                Cell::Text(&Time(*start).to_string()),
                range.zone.name().into(),
                name.into(),
                sums.calls().into(),
                sums.refused().into(),
                sums.errors().into(),
                sums.posted().into(),
                sums.estimated().into(),
                sums.unpriced().into(),
                sums.input_tokens().into(),
                sums.output_tokens().into(),
                sums.found().into(),
                sums.p95_micros().into(),
            ]);
        }
    }
    csv.finish()
}
