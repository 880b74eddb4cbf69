//! `/api/v1/leases`: what proxies ask for and report, and what an operator sees and takes back.

use axum::extract::State;
use http::StatusCode;
use iron_policy::control::{Acknowledged, Asks, Grants, Reports};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Door, May, Principal, Role, door};
use super::extract::{Json, Path, Query};
use super::page::{Page, Paged};
use super::problem::Problem;
use super::wire::{Money, Time};
use crate::budgets;
use crate::leases::{self, Filter, LeaseError, Listed};
use crate::panel::Panel;
use crate::store::StoreError;

/// Who may ask.
pub const DOORS: &[Door] = &[
    door("GET", "/api/v1/leases", May::Person(Role::Viewer)).in_project(),
    door("POST", "/api/v1/leases", May::Proxy),
    door("POST", "/api/v1/leases/report", May::Proxy),
    door("POST", "/api/v1/leases/{id}/reclaim", May::Person(Role::Operator)).in_project(),
];

/// The routes.
pub fn routes() -> OpenApiRouter<Panel> {
    OpenApiRouter::new()
        .routes(routes!(list, grant))
        .routes(routes!(report))
        .routes(routes!(reclaim))
}

/// A slice of a budget that a proxy holds.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeaseView {
    /// `lse_…`.
    pub id: String,
    /// The budget's id.
    pub budget: String,
    /// The account: the scope with its real name.
    pub account: String,
    /// When the window began; the beginning of 1970 for `total`.
    pub start: Time,
    /// The proxy that holds it.
    pub proxy: String,
    /// Counts the proxy's leases of the account.
    pub epoch: i64,
    /// `open`, `closed` or `reclaimed`.
    pub state: String,
    /// All that was granted with it.
    pub granted: Money,
    /// All that was spent with it.
    pub spent: Money,
    /// All that was given back.
    pub returned: Money,
    /// What is still held: it was neither spent nor given back, as far as is known.
    pub held: Money,
    /// What of it calls in flight may cost.
    pub in_flight: Money,
    /// What calls cost beyond what was held for them.
    pub overrun: Money,
    /// Until when the proxy may spend it without another word with the panel.
    pub expires_at: Time,
    /// Whether that is over. What is held stays held until the proxy reports, or somebody reclaims it.
    pub silent: bool,
    /// When it was granted first.
    pub created_at: Time,
    /// When it changed last.
    pub updated_at: Time,
}

impl LeaseView {
    fn of(listed: Listed, now: i64) -> Self {
        let Listed { lease, account, created_at, updated_at } = listed;
        Self {
            budget: account.budget,
            account: account.account,
            start: Time(account.start),
            epoch: lease.epoch,
            granted: lease.granted.into(),
            spent: lease.spent.into(),
            returned: lease.returned.into(),
            held: lease.outstanding().into(),
            in_flight: lease.pending.into(),
            overrun: lease.overrun.into(),
            silent: lease.is_open() && lease.expires_at < now,
            expires_at: Time(lease.expires_at),
            created_at: Time(created_at),
            updated_at: Time(updated_at),
            id: lease.id,
            proxy: lease.proxy,
            state: lease.state,
        }
    }
}

/// Which leases.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Of this budget.
    #[serde(default)]
    budget: Option<String>,
    /// Of this proxy.
    #[serde(default)]
    proxy: Option<String>,
    /// `open`, `closed` or `reclaimed`.
    #[serde(default)]
    state: Option<String>,
}

/// The leases, oldest first.
#[utoipa::path(
    get, path = "/api/v1/leases", tag = "leases", params(Page, Which),
    responses((status = 200, body = Paged<LeaseView>))
)]
pub async fn list(
    State(panel): State<Panel>,
    principal: Principal,
    Query(page): Query<Page>,
    Query(which): Query<Which>,
) -> Result<Json<Paged<LeaseView>>, Problem> {
    let filter = Filter {
        budget: which.budget.unwrap_or_default(),
        proxy: which.proxy.unwrap_or_default(),
        state: which.state.unwrap_or_default(),
        person: budgets::whose(&principal),
    };
    let limit = page.limit()?;
    let mut connection = panel.store.pool().acquire().await?;
    let rows = leases::list(&mut connection, &filter, &page.after()?, limit + 1).await?;
    let now = panel.clock.now_ms();
    let rows = rows.into_iter().map(|listed| LeaseView::of(listed, now)).collect();
    Ok(Json(Paged::of(rows, limit, |lease: &LeaseView| lease.id.clone())))
}

/// Grants a proxy all that it asks for, or nothing. The same request may be sent again.
#[utoipa::path(
    post, path = "/api/v1/leases", tag = "leases", request_body = Asks,
    responses((status = 200, body = Grants))
)]
pub async fn grant(
    State(panel): State<Panel>,
    principal: Principal,
    Json(asks): Json<Asks>,
) -> Result<Json<Grants>, Problem> {
    Ok(Json(leases::grant(&panel, proxy(&principal)?, &asks).await?))
}

/// Takes what a proxy spent. Amounts are cumulative: a report that comes twice, or late, changes nothing.
#[utoipa::path(
    post, path = "/api/v1/leases/report", tag = "leases", request_body = Reports,
    responses((status = 200, body = Acknowledged))
)]
pub async fn report(
    State(panel): State<Panel>,
    principal: Principal,
    Json(reports): Json<Reports>,
) -> Result<Json<Acknowledged>, Problem> {
    Ok(Json(leases::report(&panel, proxy(&principal)?, &reports).await?))
}

/// What was taken back.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reclaimed {
    /// The lease's id.
    pub lease: String,
    /// What went back to the budget.
    pub taken: Money,
    /// What of it calls were in flight for when the proxy reported last.
    pub in_flight: Money,
    /// What was ever taken back in this window: by so much it may be overspent, if proxies had spent
    /// it and did not say so.
    pub reclaimed: Money,
    /// The same in words.
    pub notice: String,
}

/// Takes back what a silent proxy holds. It may have been spent: the budget's bound grows by as much.
/// It is for whoever could have set the budget; that of a proxy that is heard, for admins alone.
#[utoipa::path(
    post, path = "/api/v1/leases/{id}/reclaim", tag = "leases", params(("id" = String, Path)),
    responses((status = 200, body = Reclaimed))
)]
pub async fn reclaim(
    State(panel): State<Panel>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<Reclaimed>, Problem> {
    let mut connection = panel.store.pool().acquire().await?;
    let account = leases::account_of(&mut connection, &id).await?;
    let own = match &account {
        Some(account) => budgets::is_own(&mut connection, &principal, &account.account).await?,
        None => false,
    };
    let scope = match &account {
        Some(account) if own => budgets::Terms::find(&mut connection, &account.budget).await?,
        _ => None,
    };
    let Some(scope) = scope.map(|terms| terms.scope.to_string()) else {
        return Err(LeaseError::NotFound.into());
    };
    // Whoever could not have set the budget cannot raise its bound either.
    if !budgets::is_own(&mut connection, &principal, &scope).await? {
        return Err(Problem::forbidden(format!(
            "the budget of {scope} belongs to none of your projects: ask an admin to reclaim this"
        )));
    }
    drop(connection);
    let (account, lease, taken) = leases::reclaim(&panel, &id, &principal).await?;
    let taken: Money = taken.into();
    Ok(Json(Reclaimed {
        notice: format!(
            "{} went back to the budget. If {} had spent it before and did not report it, the budget \
             is overspent by as much; from now on the proxy may not spend this lease any more",
            taken.text, lease.proxy
        ),
        lease: lease.id,
        taken,
        in_flight: lease.pending.into(),
        reclaimed: account.reclaimed.into(),
    }))
}

fn proxy(principal: &Principal) -> Result<&str, Problem> {
    match principal {
        Principal::Proxy { name } => Ok(name),
        _ => Err(Problem::forbidden("this is for proxies: see /api/v1/openapi.json")),
    }
}

impl From<LeaseError> for Problem {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::Invalid(detail) => Self::invalid(detail),
            LeaseError::Reused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                error.to_string(),
            ),
            LeaseError::NotFound => Self::not_found(
                "there is no such lease, or it is not yours to see: look at GET /api/v1/leases",
            ),
            LeaseError::NotOpen(state) => Self::conflict(
                "lease_not_open",
                format!("the lease is {state} already: nothing of it can be taken back"),
            ),
            LeaseError::NotSilent => Self::conflict(
                "lease_not_silent",
                "its proxy is heard, and may be spending it: wait until it gives it back, or ask an \
                 admin to reclaim it",
            ),
            LeaseError::Store(error) => StoreError::into(error),
        }
    }
}
