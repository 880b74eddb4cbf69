//! `/api/v1/budgets`: who may spend how much, and what of it is spent, held and left.

mod view;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use iron_policy::budget::{Scope, Window};
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Door, May, Principal, Role, door};
use super::extract::{IfMatch, Json, Path, Query, Tagged};
use super::page::{Page, Paged};
use super::problem::Problem;
use super::wire::{Amount, Money, Time};
use crate::budgets::{self, BudgetError, Change, New, Terms};
use crate::panel::Panel;
pub use view::{
    AccountView, BudgetView, ChangedView, HolderView, NodeView, PreviewView, PreviewedView,
    TreeView,
};

/// Who may ask.
pub const DOORS: &[Door] = &[
    door("GET", "/api/v1/budgets", May::Person(Role::Viewer)).in_project(),
    door("POST", "/api/v1/budgets", May::Person(Role::Operator)).in_project(),
    door("GET", "/api/v1/budgets/tree", May::Person(Role::Viewer)).in_project(),
    door("GET", "/api/v1/budgets/mine", May::AgentOr(Role::Viewer)).own(),
    door("GET", "/api/v1/budgets/{id}", May::Person(Role::Viewer)).in_project(),
    door("PATCH", "/api/v1/budgets/{id}", May::Person(Role::Operator)).in_project().versioned(),
    door("DELETE", "/api/v1/budgets/{id}", May::Person(Role::Operator)).in_project().versioned(),
    door("GET", "/api/v1/budgets/{id}/accounts", May::Person(Role::Viewer)).in_project(),
    door("POST", "/api/v1/budgets/{id}/preview", May::Person(Role::Viewer)).in_project(),
];

/// The routes.
pub fn routes() -> OpenApiRouter<Panel> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(tree))
        .routes(routes!(mine))
        .routes(routes!(show, change, remove))
        .routes(routes!(accounts))
        .routes(routes!(preview))
}

/// A budget to be set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBudget {
    /// Whose calls it covers: `organisation`, `project:NAME`, `agent:NAME`, `token:ID`, `run:ID`,
    /// `model:GLOB`; `agent:*` gives each agent an account of its own.
    #[schema(min_length = 1, max_length = 200, example = "agent:researcher")]
    scope: String,
    /// What may be spent in a window.
    limit: Amount,
    /// `total`, `day`, `week` or `month`; `month` unless said.
    #[serde(default)]
    window: Option<String>,
    /// The time zone of its windows (IANA); UTC unless said.
    #[serde(default)]
    #[schema(example = "Europe/Paris")]
    zone: Option<String>,
    /// Whether calls are shortened to what is left rather than refused.
    #[serde(default)]
    clamp: bool,
}

/// What is to change of a budget.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetChange {
    /// A new limit.
    #[serde(default)]
    limit: Option<Amount>,
    /// Whether calls are shortened to what is left rather than refused.
    #[serde(default)]
    clamp: Option<bool>,
}

/// A limit to be looked at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewOf {
    /// The limit.
    limit: Amount,
}

/// How a change is meant.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct How {
    /// Only say what it would do.
    #[serde(default)]
    dry_run: bool,
}

/// What an agent may spend, from one budget.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnBudget {
    /// `bud_…`: what to name in a request for more.
    pub budget: String,
    /// The account.
    pub account: String,
    /// `total`, `day`, `week` or `month`.
    pub window: String,
    /// When it begins anew; never for `total`.
    pub resets_at: Option<Time>,
    /// What may be spent in a window.
    pub limit: Money,
    /// What was spent.
    pub posted: Money,
    /// What proxies hold of it.
    pub leased: Money,
    /// What is left.
    pub left: Money,
    /// What to do for more.
    pub more: String,
}

/// The budgets, oldest first.
#[utoipa::path(
    get, path = "/api/v1/budgets", tag = "budgets", params(Page),
    responses((status = 200, body = Paged<BudgetView>))
)]
pub async fn list(
    State(panel): State<Panel>,
    principal: Principal,
    Query(page): Query<Page>,
) -> Result<Json<Paged<BudgetView>>, Problem> {
    let limit = page.limit()?;
    let person = budgets::whose(&principal);
    let mut connection = panel.store.pool().acquire().await?;
    let all = Terms::list(&mut connection, &person, &page.after()?, limit + 1).await?;
    let Paged { items, next } = Paged::of(all, limit, |terms: &Terms| terms.id.clone());
    let now = panel.clock.now_ms();
    let mut sums = budgets::balances(&mut connection, &items, &person, now).await?;
    let mut views = Vec::with_capacity(items.len());
    for terms in &items {
        let balance = sums.remove(&terms.id).unwrap_or_default();
        let warnings = budgets::above(&mut connection, &principal, terms).await?;
        views.push(BudgetView::of(terms, &balance, warnings));
    }
    Ok(Json(Paged { items: views, next }))
}

/// The budgets as a tree: organisation, projects, agents, tokens; and by model.
#[utoipa::path(
    get, path = "/api/v1/budgets/tree", tag = "budgets",
    responses((status = 200, body = TreeView))
)]
pub async fn tree(
    State(panel): State<Panel>,
    principal: Principal,
) -> Result<Json<TreeView>, Problem> {
    let mut connection = panel.store.pool().acquire().await?;
    let person = budgets::whose(&principal);
    let (root, cut) = budgets::tree(&mut connection, &person, panel.clock.now_ms()).await?;
    Ok(Json(TreeView { root: NodeView::of(root), cut }))
}

/// What the caller's own budgets have left: an agent's, or those of a person's projects.
#[utoipa::path(
    get, path = "/api/v1/budgets/mine", tag = "budgets",
    responses((status = 200, body = Vec<OwnBudget>))
)]
pub async fn mine(
    State(panel): State<Panel>,
    principal: Principal,
) -> Result<Json<Vec<OwnBudget>>, Problem> {
    let mut connection = panel.store.pool().acquire().await?;
    let now = panel.clock.now_ms();
    let mut own = Vec::new();
    for (terms, account) in budgets::mine(&mut connection, &principal).await? {
        let start = terms.start(now);
        let found = budgets::account(&mut connection, &terms.id, &account, start).await?;
        let limit = found.as_ref().map_or(terms.limit.0, |found| found.limit);
        own.push(OwnBudget {
            window: terms.window.name().to_owned(),
            resets_at: terms.window.end(now, &terms.zone).map(Time),
            limit: limit.into(),
            posted: found.as_ref().map_or(0, |found| found.posted).into(),
            leased: found.as_ref().map_or(0, |found| found.leased).into(),
            left: found.as_ref().map_or(limit, crate::leases::Account::left).into(),
            more: format!("iron budget request {} --more \"5 USD\" --why \"…\"", terms.id),
            budget: terms.id,
            account,
        });
    }
    Ok(Json(own))
}

/// Sets a budget.
#[utoipa::path(
    post, path = "/api/v1/budgets", tag = "budgets", request_body = NewBudget,
    responses((status = 201, body = BudgetView, headers(("ETag" = String))))
)]
pub async fn create(
    State(panel): State<Panel>,
    principal: Principal,
    Json(new): Json<NewBudget>,
) -> Result<Response, Problem> {
    let scope: Scope = new.scope.parse().map_err(|error| Problem::invalid(format!("{error}")))?;
    let window = new.window.as_deref().unwrap_or("month");
    let window = Window::named(window).ok_or_else(|| {
        Problem::invalid(format!("{window:.40} is no window: write total, day, week or month"))
    })?;
    let limit = new.limit.0;
    let new = New { scope, window, zone: new.zone, limit, clamp: new.clamp };
    let terms = budgets::set(&panel, &principal, &new).await?;
    let mut connection = panel.store.pool().acquire().await?;
    let view = whole(&panel, &mut connection, &principal, &terms).await?;
    Ok((StatusCode::CREATED, Tagged(terms.version, view)).into_response())
}

/// One budget.
#[utoipa::path(
    get, path = "/api/v1/budgets/{id}", tag = "budgets", params(("id" = String, Path)),
    responses((status = 200, body = BudgetView, headers(("ETag" = String))))
)]
pub async fn show(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Tagged<BudgetView>, Problem> {
    let mut connection = panel.store.pool().acquire().await?;
    let terms = seen(&mut connection, &principal, &id).await?;
    Ok(Tagged(terms.version, whole(&panel, &mut connection, &principal, &terms).await?))
}

/// Changes a budget, or with `dry_run` says what that would do. A lower limit binds for what is granted
/// from now on: proxies give back what no call of theirs holds once they hear of it, and `effect` says
/// how much they hold.
#[utoipa::path(
    patch, path = "/api/v1/budgets/{id}", tag = "budgets", params(("id" = String, Path), How),
    request_body = BudgetChange,
    responses((status = 200, body = ChangedView, headers(("ETag" = String))))
)]
pub async fn change(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
    Query(how): Query<How>,
    version: IfMatch,
    Json(change): Json<BudgetChange>,
) -> Result<Tagged<ChangedView>, Problem> {
    let mut connection = panel.store.pool().acquire().await?;
    let before = seen(&mut connection, &principal, &id).await?;
    if !budgets::is_own(&mut connection, &principal, &before.scope.to_string()).await? {
        return Err(BudgetError::NotFound("budget").into());
    }
    version.check(before.version)?;
    let now = panel.clock.now_ms();
    let limit = change.limit.map_or(before.limit, |amount| amount.0);
    let effect = budgets::preview(&mut connection, before.clone(), limit.0, now).await?;
    let effect = PreviewView::of(effect, now);
    if how.dry_run {
        let budget = whole(&panel, &mut connection, &principal, &before).await?;
        return Ok(Tagged(before.version, ChangedView { applied: false, budget, effect }));
    }
    drop(connection);
    let change = Change { limit: change.limit.map(|amount| amount.0), clamp: change.clamp };
    let after = budgets::change(&panel, &principal, &id, Some(before.version), change).await?;
    let mut connection = panel.store.pool().acquire().await?;
    let budget = whole(&panel, &mut connection, &principal, &after).await?;
    Ok(Tagged(after.version, ChangedView { applied: true, budget, effect }))
}

/// Removes a budget: nothing of it is granted any more. What proxies hold of it is settled still.
#[utoipa::path(
    delete, path = "/api/v1/budgets/{id}", tag = "budgets", params(("id" = String, Path)),
    responses((status = 204))
)]
pub async fn remove(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
    version: IfMatch,
) -> Result<StatusCode, Problem> {
    let mut connection = panel.store.pool().acquire().await?;
    let before = seen(&mut connection, &principal, &id).await?;
    version.check(before.version)?;
    drop(connection);
    budgets::remove(&panel, &principal, &id, Some(before.version)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The accounts of a budget in the window of now, in the order in which they were opened.
#[utoipa::path(
    get, path = "/api/v1/budgets/{id}/accounts", tag = "budgets",
    params(("id" = String, Path), Page),
    responses((status = 200, body = Paged<AccountView>))
)]
pub async fn accounts(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<Paged<AccountView>>, Problem> {
    let limit = page.limit()?;
    let mut connection = panel.store.pool().acquire().await?;
    let terms = seen(&mut connection, &principal, &id).await?;
    let start = terms.start(panel.clock.now_ms());
    let person = budgets::whose(&principal);
    let rows =
        budgets::accounts(&mut connection, &terms.id, start, &person, &page.after()?, limit + 1)
            .await?;
    let Paged { items, next } = Paged::of(rows, limit, |account| account.id.clone());
    Ok(Json(Paged { items: items.iter().map(AccountView::of).collect(), next }))
}

/// What another limit would do: what is spent and held already, by whom, and from when it binds.
#[utoipa::path(
    post, path = "/api/v1/budgets/{id}/preview", tag = "budgets", params(("id" = String, Path)),
    request_body = PreviewOf, responses((status = 200, body = PreviewView))
)]
pub async fn preview(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
    Json(of): Json<PreviewOf>,
) -> Result<Json<PreviewView>, Problem> {
    let mut connection = panel.store.pool().acquire().await?;
    let terms = seen(&mut connection, &principal, &id).await?;
    // It shows all accounts, so it is for whoever sees them all.
    if !budgets::is_own(&mut connection, &principal, &terms.scope.to_string()).await? {
        return Err(BudgetError::NotFound("budget").into());
    }
    let now = panel.clock.now_ms();
    let preview = budgets::preview(&mut connection, terms, of.limit.0.0, now).await?;
    Ok(Json(PreviewView::of(preview, now)))
}

/// A budget that the caller may see.
async fn seen(
    connection: &mut AnyConnection,
    principal: &Principal,
    id: &str,
) -> Result<Terms, Problem> {
    let terms = Terms::find(&mut *connection, id).await?.filter(|terms| !terms.removed);
    let terms = terms.ok_or(BudgetError::NotFound("budget"))?;
    let each = matches!(terms.scope.to_string().as_str(), "agent:*" | "project:*" | "token:*");
    if each || budgets::is_own(connection, principal, &terms.scope.to_string()).await? {
        return Ok(terms);
    }
    Err(BudgetError::NotFound("budget").into())
}

async fn whole(
    panel: &Panel,
    connection: &mut AnyConnection,
    principal: &Principal,
    terms: &Terms,
) -> Result<BudgetView, Problem> {
    let (person, now) = (budgets::whose(principal), panel.clock.now_ms());
    let one = std::slice::from_ref(terms);
    let mut sums = budgets::balances(&mut *connection, one, &person, now).await?;
    let warnings = budgets::above(&mut *connection, principal, terms).await?;
    Ok(BudgetView::of(terms, &sums.remove(&terms.id).unwrap_or_default(), warnings))
}

impl From<BudgetError> for Problem {
    fn from(error: BudgetError) -> Self {
        match error {
            BudgetError::Invalid(detail) => Self::invalid(detail),
            BudgetError::NotFound(what) => Self::not_found(format!(
                "there is no such {what}, or it is not yours to see: look at its list"
            )),
            BudgetError::Exists { scope } => Self::conflict(
                "budget_exists",
                format!("there is a budget of {scope} for this window already: change that one"),
            ),
            BudgetError::Forbidden(detail) => Self::forbidden(detail),
            BudgetError::Changed(version) => {
                IfMatch::None.check(version).err().unwrap_or_else(Self::precondition_required)
            }
            BudgetError::Decided(state) => Self::conflict(
                "already_decided",
                format!("the request is {state} already: ask anew, or change the budget"),
            ),
            BudgetError::TooMany => Self::conflict(
                "too_many_open_requests",
                "too many of your requests are open: withdraw some, or wait until they are decided",
            ),
            BudgetError::Store(error) => error.into(),
        }
    }
}
