//! `/api/v1/budget-requests`: asking for more, and deciding it, while the caller waits.

use std::time::Duration;

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Door, May, Principal, Role, door};
use super::extract::{Json, Path, Query};
use super::page::{Page, Paged};
use super::problem::Problem;
use super::wire::{Amount, Money, Time};
use crate::budgets::{self, Asked, BudgetError, Decision, Request, RequestFilter};
use crate::panel::Panel;

/// Who may ask.
pub const DOORS: &[Door] = &[
    door("GET", "/api/v1/budget-requests", May::AgentOr(Role::Viewer)).in_project(),
    door("POST", "/api/v1/budget-requests", May::AgentOr(Role::Viewer)).in_project(),
    door("GET", "/api/v1/budget-requests/{id}", May::AgentOr(Role::Viewer)).in_project(),
    door("POST", "/api/v1/budget-requests/{id}/approve", May::Person(Role::Operator)).in_project(),
    door("POST", "/api/v1/budget-requests/{id}/deny", May::Person(Role::Operator)).in_project(),
    door("POST", "/api/v1/budget-requests/{id}/withdraw", May::AgentOr(Role::Viewer)).own(),
];

/// The longest that a caller can wait for a decision in one request.
const LONGEST_WAIT_MS: u64 = 25_000;

/// The routes.
pub fn routes() -> OpenApiRouter<Panel> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show))
        .routes(routes!(approve))
        .routes(routes!(deny))
        .routes(routes!(withdraw))
}

/// A request for more.
#[derive(Debug, Serialize, ToSchema)]
pub struct BudgetRequestView {
    /// `brq_…`.
    pub id: String,
    /// The budget's id.
    pub budget: String,
    /// The account that wants more.
    pub account: String,
    /// How much more.
    pub amount: Money,
    /// Why, in the words of whoever asked.
    pub why: String,
    /// Who asked: `agent:NAME` or `usr_…`.
    pub asked_by: String,
    /// `open`, `approved`, `denied` or `withdrawn`.
    pub state: String,
    /// When.
    pub created_at: Time,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<Time>,
    /// What was given.
    pub given: Option<Money>,
    /// Whether that is for good rather than for the window in which it was given.
    pub lasting: bool,
}

impl From<Request> for BudgetRequestView {
    fn from(request: Request) -> Self {
        Self {
            id: request.id,
            budget: request.budget,
            account: request.account,
            amount: request.amount.into(),
            why: request.why,
            asked_by: request.asked_by,
            state: request.state,
            created_at: Time(request.created_at),
            decided_by: request.decided_by,
            decided_at: request.decided_at.map(Time),
            given: request.given.map(Into::into),
            lasting: request.lasting,
        }
    }
}

/// What is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBudgetRequest {
    /// The budget's id, as the refused call named it.
    budget: String,
    /// The account, of a budget such as `agent:*`; an agent asks for itself.
    #[serde(default)]
    account: Option<String>,
    /// How much more.
    amount: Amount,
    /// Why.
    #[serde(default)]
    #[schema(max_length = 500)]
    why: String,
}

/// How a request is approved.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// How much is given; what was asked for unless said.
    #[serde(default)]
    amount: Option<Amount>,
    /// Raise the budget's limit for good, rather than this account's for the window of now.
    #[serde(default)]
    lasting: bool,
}

/// Which requests.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// `open`, `approved`, `denied` or `withdrawn`.
    #[serde(default)]
    state: Option<String>,
    /// Of this budget.
    #[serde(default)]
    budget: Option<String>,
}

/// How long to wait.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wait {
    /// Milliseconds to wait for a decision where there is none yet: 25,000 at most.
    #[serde(default)]
    #[param(maximum = 25_000)]
    wait_ms: Option<u64>,
}

/// Requests for more, newest first: an agent's own, or those of a person's projects.
#[utoipa::path(
    get, path = "/api/v1/budget-requests", tag = "budget requests", params(Page, Which),
    responses((status = 200, body = Paged<BudgetRequestView>))
)]
pub async fn list(
    State(panel): State<Panel>,
    principal: Principal,
    Query(page): Query<Page>,
    Query(which): Query<Which>,
) -> Result<Json<Paged<BudgetRequestView>>, Problem> {
    let is_agent = matches!(principal, Principal::Agent { .. });
    let filter = RequestFilter {
        state: which.state.unwrap_or_default(),
        budget: which.budget.unwrap_or_default(),
        asked_by: if is_agent { principal.actor() } else { String::new() },
        person: if is_agent { String::new() } else { budgets::whose(&principal) },
    };
    let limit = page.limit()?;
    let mut connection = panel.store.pool().acquire().await?;
    let rows = budgets::requests(&mut connection, &filter, &page.after()?, limit + 1).await?;
    let rows = rows.into_iter().map(BudgetRequestView::from).collect();
    Ok(Json(Paged::of(rows, limit, |request: &BudgetRequestView| request.id.clone())))
}

/// Asks for more of a budget.
#[utoipa::path(
    post, path = "/api/v1/budget-requests", tag = "budget requests",
    request_body = NewBudgetRequest, responses((status = 201, body = BudgetRequestView),
        (status = 404, body = Problem, content_type = "application/problem+json"))
)]
pub async fn create(
    State(panel): State<Panel>,
    principal: Principal,
    Json(new): Json<NewBudgetRequest>,
) -> Result<(StatusCode, Json<BudgetRequestView>), Problem> {
    let asked =
        Asked { budget: new.budget, account: new.account, amount: new.amount.0.0, why: new.why };
    let request = budgets::ask(&panel, &principal, &asked).await?;
    Ok((StatusCode::CREATED, Json(request.into())))
}

/// One request; with `wait_ms` the answer waits until it is decided.
#[utoipa::path(
    get, path = "/api/v1/budget-requests/{id}", tag = "budget requests",
    params(("id" = String, Path), Wait), responses((status = 200, body = BudgetRequestView))
)]
pub async fn show(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
    Query(wait): Query<Wait>,
) -> Result<Json<BudgetRequestView>, Problem> {
    let wait = Duration::from_millis(wait.wait_ms.unwrap_or(0).min(LONGEST_WAIT_MS));
    let until = tokio::time::Instant::now() + wait;
    // First the ear, then the look: what is decided in between is not missed.
    let mut changed = panel.wake.parts();
    loop {
        let mut connection = panel.store.pool().acquire().await?;
        let request = seen(&mut connection, &principal, &id).await?;
        // Nobody keeps a connection while waiting.
        drop(connection);
        let woken = async { changed.changed().await.is_ok() };
        if request.state != "open" || !tokio::time::timeout_at(until, woken).await.unwrap_or(false)
        {
            return Ok(Json(request.into()));
        }
    }
}

/// Approves a request, all or a part of it: the limit rises, and whoever waits goes on.
#[utoipa::path(
    post, path = "/api/v1/budget-requests/{id}/approve", tag = "budget requests",
    params(("id" = String, Path)), request_body = Approval,
    responses((status = 200, body = BudgetRequestView))
)]
pub async fn approve(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
    Json(approval): Json<Approval>,
) -> Result<Json<BudgetRequestView>, Problem> {
    let amount = approval.amount.map(|amount| amount.0.0);
    let decision = Decision::Approve { amount, lasting: approval.lasting };
    Ok(Json(budgets::decide(&panel, &principal, &id, decision).await?.into()))
}

/// Denies a request.
#[utoipa::path(
    post, path = "/api/v1/budget-requests/{id}/deny", tag = "budget requests",
    params(("id" = String, Path)), responses((status = 200, body = BudgetRequestView))
)]
pub async fn deny(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<BudgetRequestView>, Problem> {
    Ok(Json(budgets::decide(&panel, &principal, &id, Decision::Deny).await?.into()))
}

/// Takes a request back that the caller made.
#[utoipa::path(
    post, path = "/api/v1/budget-requests/{id}/withdraw", tag = "budget requests",
    params(("id" = String, Path)), responses((status = 200, body = BudgetRequestView))
)]
pub async fn withdraw(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<BudgetRequestView>, Problem> {
    Ok(Json(budgets::withdraw(&panel, &principal, &id).await?.into()))
}

/// A request that the caller may see: their own, or of a project of theirs.
async fn seen(
    connection: &mut AnyConnection,
    principal: &Principal,
    id: &str,
) -> Result<Request, Problem> {
    let request = budgets::find_request(&mut *connection, id).await?;
    let request = request.ok_or(BudgetError::NotFound("request"))?;
    if request.asked_by == principal.actor()
        || budgets::is_own(connection, principal, &request.account).await?
    {
        return Ok(request);
    }
    Err(BudgetError::NotFound("request").into())
}
