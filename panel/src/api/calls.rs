//! `/api/v1/calls`, `/runs`, `/findings`, `/denials`, `/breakers`: what happened, one by one.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use iron_policy::control::Denied;
use iron_policy::types::{CallId, NanoUsd, PicoUsd};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Door, May, Principal, Role, door};
use super::extract::{Json, Path, Query};
use super::overview::{BreakerState, breaker};
use super::page::{Page, Paged};
use super::problem::Problem;
use super::usage::{Format, When, Which, file};
use super::wire::{Money, Time};
use crate::events::Sight;
use crate::panel::Panel;
use crate::telemetry::browse::{self, Call, Denial, Run};
use crate::telemetry::csv::{Cell, Csv};
use crate::telemetry::query::{Group, Question, ask};
use crate::telemetry::report::Range;
use crate::telemetry::setting;

/// Who may ask.
pub const DOORS: &[Door] = &[
    door("GET", "/api/v1/calls", May::Person(Role::Viewer)).in_project(),
    door("GET", "/api/v1/calls/{id}", May::Person(Role::Viewer)).in_project(),
    door("GET", "/api/v1/runs", May::Person(Role::Viewer)).in_project(),
    door("GET", "/api/v1/findings", May::Person(Role::Viewer)).in_project(),
    door("GET", "/api/v1/denials", May::Person(Role::Viewer)).in_project(),
    door("GET", "/api/v1/breakers", May::Person(Role::Viewer)),
];

/// The routes.
pub fn routes() -> OpenApiRouter<Panel> {
    OpenApiRouter::new()
        .routes(routes!(calls))
        .routes(routes!(call))
        .routes(routes!(runs))
        .routes(routes!(findings))
        .routes(routes!(denials))
        .routes(routes!(breakers))
}

/// How far back is looked where it is not said, in milliseconds: 30 days.
const USUAL: i64 = 30 * 86_400_000;
/// Rows of a table for spreadsheets.
const TABLE: i64 = 5_000;
/// The longest name in a cursor, in bytes.
const LONGEST_CURSOR: usize = 300;

/// A call.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallView {
    /// `call_…`.
    pub id: String,
    /// When it began.
    pub at: Time,
    /// The proxy it went through.
    pub proxy: String,
    /// Who called.
    pub agent: Option<String>,
    /// For which project.
    pub project: Option<String>,
    /// With which token.
    pub token: Option<String>,
    /// In which run.
    pub run: Option<String>,
    /// The model, as the caller wrote it.
    pub model: String,
    /// Where it went.
    pub upstream: Option<String>,
    /// In which dialect.
    pub dialect: Option<String>,
    /// Which operation.
    pub endpoint: String,
    /// Whether the answer was a stream.
    pub stream: bool,
    /// The status that the caller got; 0 where there was none.
    pub status: i64,
    /// How it ended.
    pub outcome: String,
    /// Why.
    pub reason: String,
    /// What was held for it.
    pub reserved: Money,
    /// What it was charged.
    pub posted: Money,
    /// Whether that is an estimate.
    pub estimated: bool,
    /// Tokens read, cached ones included.
    pub input_tokens: i64,
    /// Tokens written, reasoning included.
    pub output_tokens: i64,
    /// Microseconds to the first byte of the answer; null where there was none.
    pub first_byte_us: Option<i64>,
    /// How many findings.
    pub findings: i64,
}

impl From<Call> for CallView {
    fn from(call: Call) -> Self {
        Self {
            id: call.id.to_string(),
            at: Time(call.id.unix_ms()),
            proxy: call.proxy,
            agent: call.agent,
            project: call.project,
            token: call.token,
            run: call.run,
            model: call.model,
            upstream: call.upstream,
            dialect: call.dialect,
            endpoint: call.endpoint,
            stream: call.stream,
            status: call.status,
            outcome: call.outcome,
            reason: call.reason,
            reserved: call.reserved.into(),
            posted: call.posted.into(),
            estimated: call.estimated,
            input_tokens: call.input_tokens,
            output_tokens: call.output_tokens,
            first_byte_us: Some(call.first_byte).filter(|micros| *micros > 0),
            findings: call.findings,
        }
    }
}

/// Which calls, besides.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct More {
    /// Through this proxy.
    #[serde(default)]
    pub proxy: Option<String>,
    /// In this run.
    #[serde(default)]
    pub run: Option<String>,
    /// With this token (`tok_…`).
    #[serde(default)]
    pub token: Option<String>,
    /// Only those in which something was found.
    #[serde(default)]
    pub found: bool,
    /// `json` unless said, or `csv`: a table of up to 5,000 calls, without pages.
    #[serde(default)]
    pub format: Format,
}

/// Calls, the newest first; of the last 30 days unless said.
#[utoipa::path(
    get, path = "/api/v1/calls", tag = "calls", params(Page, When, Which, More),
    responses((status = 200, content((Paged<CallView> = "application/json"), (String = "text/csv"))))
)]
async fn calls(
    State(panel): State<Panel>,
    principal: Principal,
    Query(page): Query<Page>,
    Query(when): Query<When>,
    Query(which): Query<Which>,
    Query(more): Query<More>,
) -> Result<Response, Problem> {
    let sight = Sight::of(&panel, &principal).await?;
    // Proxies' clocks may be ahead of this one's.
    let (from, to) = when.range(panel.clock.now_ms().saturating_add(86_400_000), USUAL);
    let which = browse::Which {
        filter: which.filter()?,
        proxy: more.proxy,
        run: more.run,
        token: more.token,
        found: more.found,
        from,
        to,
        before: before(&page)?,
    };
    let limit = if more.format == Format::Csv { TABLE } else { page.limit()? + 1 };
    let mut connection = panel.store.pool().acquire().await?;
    let calls = browse::calls(&panel.store, &mut connection, &sight, &which, limit).await?;
    drop(connection);
    let calls: Vec<CallView> = calls.into_iter().map(CallView::from).collect();
    if more.format == Format::Csv {
        return Ok(file("calls.csv", table(&calls)));
    }
    let cursor = |call: &CallView| {
        let id = call.id.parse::<CallId>().map_or(0, |id| id.0);
        format!("{id}:{}", call.proxy)
    };
    Ok(Json(Paged::of(calls, page.limit()?, cursor)).into_response())
}

/// A cursor of a number and a name.
fn before(page: &Page) -> Result<Option<(i64, String)>, Problem> {
    let Some(cursor) = page.cursor.as_deref().filter(|cursor| !cursor.is_empty()) else {
        return Ok(None);
    };
    let (number, name) = cursor.split_once(':').ok_or_else(no_cursor)?;
    let number = number.parse().map_err(|_| no_cursor())?;
    if name.len() > LONGEST_CURSOR {
        return Err(no_cursor());
    }
    Ok(Some((number, name.to_owned())))
}

/// The cursor behind a run.
fn behind(run: &RunView) -> String {
    cursor(run.last_at, &run.run, run.project.as_deref().unwrap_or_default())
}

/// A cursor of a time and two names. Names may hold anything: the length says where one ends.
fn cursor(at: Time, first: &str, second: &str) -> String {
    format!("{}:{}:{first}{second}", at.0, first.len())
}

/// What such a cursor stands behind: of a run when it was called last, its name, its project.
fn before_run(page: &Page) -> Result<Option<(i64, String, String)>, Problem> {
    let Some((last_at, rest)) = before(page)? else { return Ok(None) };
    let (length, names) = rest.split_once(':').ok_or_else(no_cursor)?;
    let length = length.parse().map_err(|_| no_cursor())?;
    let (run, project) = names.split_at_checked(length).ok_or_else(no_cursor)?;
    Ok(Some((last_at, run.to_owned(), project.to_owned())))
}

fn no_cursor() -> Problem {
    Problem::invalid("cursor is none: send back `next` of the page before, as it was")
}

fn table(calls: &[CallView]) -> String {
    let mut csv = Csv::new(&[
        "id",
        "at",
        "proxy",
        "agent",
        "project",
        "token",
        "run",
        "model",
        "upstream",
        "endpoint",
        "status",
        "outcome",
        "reason",
        "reserved_nano_usd",
        "posted_nano_usd",
        "estimated",
        "input_tokens",
        "output_tokens",
        "first_byte_us",
        "findings",
    ]);
    for call in calls {
        csv.row([
            Cell::from(&*call.id),
            Cell::Text(&call.at.to_string()),
            Cell::from(&*call.proxy),
            (&call.agent).into(),
            (&call.project).into(),
            (&call.token).into(),
            (&call.run).into(),
            Cell::from(&*call.model),
            (&call.upstream).into(),
            Cell::from(&*call.endpoint),
            call.status.into(),
            Cell::from(&*call.outcome),
            Cell::from(&*call.reason),
            call.reserved.nano.into(),
            call.posted.nano.into(),
            i64::from(call.estimated).into(),
            call.input_tokens.into(),
            call.output_tokens.into(),
            call.first_byte_us.into(),
            call.findings.into(),
        ]);
    }
    csv.finish()
}

/// A call with everything that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallDetail {
    /// The call.
    #[serde(flatten)]
    pub call: CallView,
    /// The steps of its way, in order.
    pub timeline: Vec<StepView>,
    /// What was used and what it cost, by class.
    pub classes: Vec<ClassView>,
    /// Findings by kind, never their text; a kind begins with `answer/` where it stood in the answer.
    pub found: Vec<KindView>,
    /// Which attempt at answering its caller it was, from 1.
    pub attempt: i64,
    /// The call that was the first attempt, where it is another one.
    pub first_attempt: Option<String>,
    /// What was told of it later: corrections.
    pub later: Vec<LaterView>,
}

/// A step of a call's way.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepView {
    /// Its name.
    pub step: String,
    /// How long it took, in microseconds.
    pub micros: i64,
}

/// A class of what was used.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClassView {
    /// Its name.
    pub class: String,
    /// How many units.
    pub units: i64,
    /// What they cost, rounded up to a nano-USD; null where nobody knows.
    pub cost: Option<Money>,
}

/// A kind of finding.
#[derive(Debug, Serialize, ToSchema)]
pub struct KindView {
    /// The kind.
    pub kind: String,
    /// How often.
    pub count: i64,
}

/// What was told of a call later.
#[derive(Debug, Serialize, ToSchema)]
pub struct LaterView {
    /// `correction`, `denial`, …
    pub kind: String,
    /// When.
    pub at: Time,
    /// What it was charged from then on.
    pub posted: Option<Money>,
    /// Why.
    pub why: String,
}

/// One call with its timeline, costs and findings.
#[utoipa::path(
    get, path = "/api/v1/calls/{id}", tag = "calls", params(("id" = String, Path, description = "`call_…`")),
    responses((status = 200, body = CallDetail))
)]
async fn call(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<CallDetail>, Problem> {
    let none = || {
        Problem::not_found(
            "there is no such call, or it is not yours to see: list them with /api/v1/calls",
        )
    };
    let id: CallId = id.parse().map_err(|_| none())?;
    let sight = Sight::of(&panel, &principal).await?;
    let mut connection = panel.store.pool().acquire().await?;
    let call = browse::one(&mut connection, &sight, id).await?.ok_or_else(none)?;
    let later = browse::extra(&mut connection, &call.proxy, id).await?;
    let later = later.into_iter().map(|extra| LaterView {
        kind: extra.kind,
        at: Time(extra.at),
        posted: extra.posted.map(Money::from),
        why: extra.detail,
    });
    let detail = &call.detail;
    Ok(Json(CallDetail {
        timeline: steps(&detail["timeline"]),
        classes: classes(&detail["usage"], &detail["cost"]),
        found: counts(&detail["findings"]).map(|(kind, count)| KindView { kind, count }).collect(),
        attempt: detail["attempt"].as_i64().unwrap_or(1),
        first_attempt: detail["first_attempt"].as_i64().map(|id| CallId(id).to_string()),
        later: later.collect(),
        call: call.into(),
    }))
}

/// Steps: pairs in the panel's own records, fields in a proxy's.
fn steps(value: &Value) -> Vec<StepView> {
    let step = |step: &str, micros: &Value| StepView {
        step: step.to_owned(),
        micros: micros.as_i64().unwrap_or_default(),
    };
    match value {
        Value::Array(pairs) => {
            pairs.iter().filter_map(|pair| Some(step(pair[0].as_str()?, &pair[1]))).collect()
        }
        Value::Object(fields) => fields.iter().map(|(name, micros)| step(name, micros)).collect(),
        _ => Vec::new(),
    }
}

fn classes(usage: &Value, cost: &Value) -> Vec<ClassView> {
    let price = |class: &str| {
        cost.get(class).and_then(Value::as_i64).map(|pico| {
            let nano: NanoUsd = PicoUsd(pico.into()).ceil();
            Money::from(nano)
        })
    };
    counts(usage).map(|(class, units)| ClassView { cost: price(&class), class, units }).collect()
}

fn counts(value: &Value) -> impl Iterator<Item = (String, i64)> {
    let fields = value.as_object().into_iter().flatten();
    fields.map(|(name, count)| (name.clone(), count.as_i64().unwrap_or_default()))
}

/// A run: calls that belong together.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunView {
    /// Its name.
    pub run: String,
    /// Its agent.
    pub agent: Option<String>,
    /// Its project.
    pub project: Option<String>,
    /// When its first call began.
    pub first_at: Time,
    /// When its newest call began.
    pub last_at: Time,
    /// Calls that ended.
    pub calls: i64,
    /// Of them, those that were refused.
    pub refused: i64,
    /// What was charged, estimates included.
    pub spent: Money,
    /// What of it is an estimate.
    pub estimated: Money,
    /// Tokens read.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Findings.
    pub findings: i64,
}

impl From<Run> for RunView {
    fn from(row: Run) -> Self {
        let [calls, refused, posted, estimated, input_tokens, output_tokens, findings] = row.sums;
        Self {
            agent: Some(row.agent).filter(|name| !name.is_empty()),
            project: Some(row.project).filter(|name| !name.is_empty()),
            run: row.run,
            first_at: Time(row.first_at),
            last_at: Time(row.last_at),
            calls,
            refused,
            spent: posted.into(),
            estimated: estimated.into(),
            input_tokens,
            output_tokens,
            findings,
        }
    }
}

/// Which runs.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WhichRuns {
    /// Of this agent.
    #[serde(default)]
    pub agent: Option<String>,
}

/// Runs, those with the newest calls first.
#[utoipa::path(
    get, path = "/api/v1/runs", tag = "calls", params(Page, WhichRuns),
    responses((status = 200, body = Paged<RunView>))
)]
async fn runs(
    State(panel): State<Panel>,
    principal: Principal,
    Query(page): Query<Page>,
    Query(which): Query<WhichRuns>,
) -> Result<Json<Paged<RunView>>, Problem> {
    let sight = Sight::of(&panel, &principal).await?;
    let limit = page.limit()?;
    let mut connection = panel.store.pool().acquire().await?;
    let rows =
        browse::runs(&mut connection, &sight, which.agent, before_run(&page)?, limit + 1).await?;
    let rows = rows.into_iter().map(RunView::from).collect();
    Ok(Json(Paged::of(rows, limit, behind)))
}

/// By what findings are added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// By kind.
    #[default]
    Kind,
    /// By agent.
    Agent,
    /// By project.
    Project,
    /// By upstream.
    Upstream,
}

/// Which findings.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WhichFindings {
    /// Added up by `kind` unless said.
    #[serde(default)]
    pub group: By,
    /// In calls of this agent.
    #[serde(default)]
    pub agent: Option<String>,
    /// In calls of this project.
    #[serde(default)]
    pub project: Option<String>,
    /// In calls to this upstream.
    #[serde(default)]
    pub upstream: Option<String>,
}

/// What was found, added up.
#[derive(Debug, Serialize, ToSchema)]
pub struct Findings {
    /// The reporting time zone.
    pub zone: String,
    /// Where the range begins: at or before what was asked for.
    pub from: Time,
    /// Where it ends.
    pub to: Time,
    /// The 200 most frequent, the most frequent first.
    pub items: Vec<FoundView>,
    /// Whether there are more.
    pub more: bool,
}

/// Findings of one kind, or in one's calls.
#[derive(Debug, Serialize, ToSchema)]
pub struct FoundView {
    /// The kind, agent, project or upstream; null where calls have none.
    pub name: Option<String>,
    /// How often something was found.
    pub found: i64,
    /// In how many calls; one with several kinds counts once for each.
    pub calls: i64,
}

/// What was found in calls, by kind or by whose calls they were; of the last day unless said.
#[utoipa::path(
    get, path = "/api/v1/findings", tag = "calls", params(When, WhichFindings),
    responses((status = 200, body = Findings))
)]
async fn findings(
    State(panel): State<Panel>,
    principal: Principal,
    Query(when): Query<When>,
    Query(which): Query<WhichFindings>,
) -> Result<Json<Findings>, Problem> {
    let sight = Sight::of(&panel, &principal).await?;
    let WhichFindings { group, agent, project, upstream } = which;
    let filter = Which { agent, project, upstream, ..Which::default() }.filter()?;
    let mut connection = panel.store.pool().acquire().await?;
    let zone = setting::zone(&mut connection).await?;
    let (from, to) = when.range(panel.clock.now_ms(), 86_400_000);
    let range = Range::of(&panel, zone, from, to)?;
    let group = match group {
        By::Kind => Group::Kind,
        By::Agent => Group::Agent,
        By::Project => Group::Project,
        By::Upstream => Group::Upstream,
    };
    let question = Question {
        filter: &filter,
        sight: &sight,
        of_findings: true,
        group,
        only: &[],
        by_start: false,
        first_byte: false,
    };
    let answer = ask(&mut connection, &question, &range.segments()).await?;
    let mut items: Vec<FoundView> = answer
        .into_iter()
        .map(|((_, name), sums)| FoundView {
            name: Some(name).filter(|name| !name.is_empty()),
            found: sums.found(),
            calls: sums.calls(),
        })
        .collect();
    items.sort_by_key(|item| std::cmp::Reverse(item.found));
    let more = items.len() > 200;
    items.truncate(200);
    let (zone, from, to) = (range.zone.name().to_owned(), Time(range.from), Time(range.to));
    Ok(Json(Findings { zone, from, to, items, more }))
}

/// What a sandbox refused, or a limit of it that was reached.
#[derive(Debug, Serialize, ToSchema)]
pub struct DenialView {
    /// When.
    pub at: Time,
    /// The proxy that told of it.
    pub proxy: String,
    /// Its id there.
    pub id: String,
    /// `denial` or `limit`.
    pub kind: String,
    /// What it counts as among findings: `sandbox/connect`, `sandbox/limit/memory`.
    pub finding: String,
    /// Whose sandbox it was.
    pub agent: Option<String>,
    /// In which project.
    pub project: Option<String>,
    /// In which run.
    pub run: Option<String>,
    /// On what it was tried: a path, an address, a system call; of a limit how much it is.
    pub target: String,
    /// What refused it.
    pub layer: Option<String>,
    /// The program that tried.
    pub program: Option<String>,
    /// The flag that would allow it; else in words why nothing does, or what came of a limit.
    pub remedy: Option<String>,
    /// The same as lines of a profile.
    pub profile: Option<String>,
}

impl From<Denial> for DenialView {
    fn from(row: Denial) -> Self {
        let Denied { target, layer, program, remedy, profile } = row.denied;
        Self {
            at: Time(row.at),
            proxy: row.proxy,
            id: row.id,
            kind: row.kind,
            finding: row.finding,
            agent: row.agent,
            project: row.project,
            run: row.run,
            target,
            layer,
            program,
            remedy,
            profile,
        }
    }
}

/// Which refusals.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WhichDenials {
    /// Of this agent's sandboxes.
    #[serde(default)]
    pub agent: Option<String>,
    /// In this project.
    #[serde(default)]
    pub project: Option<String>,
    /// In this run.
    #[serde(default)]
    pub run: Option<String>,
    /// Of this kind of finding, as in `sandbox/connect`.
    #[serde(default)]
    pub finding: Option<String>,
}

/// What sandboxes refused, and limits of theirs that were reached; the newest first.
#[utoipa::path(
    get, path = "/api/v1/denials", tag = "calls", params(Page, WhichDenials),
    responses((status = 200, body = Paged<DenialView>))
)]
async fn denials(
    State(panel): State<Panel>,
    principal: Principal,
    Query(page): Query<Page>,
    Query(which): Query<WhichDenials>,
) -> Result<Json<Paged<DenialView>>, Problem> {
    let sight = Sight::of(&panel, &principal).await?;
    let limit = page.limit()?;
    let WhichDenials { agent, project, run, finding } = which;
    let filter = [("agent", agent), ("project", project), ("run", run), ("finding", finding)];
    let mut connection = panel.store.pool().acquire().await?;
    let before = before_run(&page)?;
    let rows = browse::denials(&mut connection, &sight, filter, before, limit + 1).await?;
    let rows = rows.into_iter().map(DenialView::from).collect();
    let behind = |row: &DenialView| cursor(row.at, &row.proxy, &row.id);
    Ok(Json(Paged::of(rows, limit, behind)))
}

/// Breakers of all proxies.
#[utoipa::path(
    get, path = "/api/v1/breakers", tag = "calls", params(Page),
    responses((status = 200, body = Paged<BreakerState>))
)]
async fn breakers(
    State(panel): State<Panel>,
    Query(page): Query<Page>,
) -> Result<Json<Paged<BreakerState>>, Problem> {
    let limit = page.limit()?;
    let after = page.cursor.clone().unwrap_or_default();
    let mut parts = after.splitn(3, '\n').map(str::to_owned);
    let mut part = || parts.next().unwrap_or_default();
    let rows = sqlx::query(
        "SELECT proxy, upstream, lane, state, at FROM breaker
         WHERE (proxy, upstream, lane) > ($1, $2, $3)
         ORDER BY proxy, upstream, lane LIMIT $4",
    )
    .bind(part())
    .bind(part())
    .bind(part())
    .bind(limit + 1)
    .fetch_all(panel.store.pool())
    .await?;
    let rows = rows.iter().map(breaker).collect::<Result<_, _>>()?;
    let cursor = |row: &BreakerState| format!("{}\n{}\n{}", row.proxy, row.upstream, row.lane);
    Ok(Json(Paged::of(rows, limit, cursor)))
}
