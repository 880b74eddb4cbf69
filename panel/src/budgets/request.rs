//! Asking for more than a budget has left, and deciding it.
//!
//! Who approves chooses between the window of now, for the one account that asked, and a higher limit
//! for good. Either is done in the transaction of the decision, and proxies are told at once: a call
//! that waits goes on.

use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::change::{self, Change};
use super::{BudgetError, MARK, Terms, is_own, limit, own, owner};
use crate::api::access::Principal;
use crate::events::{BudgetRequested, Kind};
use crate::leases::{Account, LARGEST};
use crate::panel::Panel;
use crate::store::{StoreError, id, raise, tell};
use crate::{alerts, audit, events};

/// Requests that one caller may have open.
const MOST_OPEN: i64 = 20;
/// The longest reason, in characters.
const LONGEST_WHY: usize = 500;

/// A request for more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `brq_…`.
    pub id: String,
    /// The budget.
    pub budget: String,
    /// The account that wants more.
    pub account: String,
    /// How much more, in nano-USD.
    pub amount: i64,
    /// Why.
    pub why: String,
    /// Who asked: `agent:NAME` or `usr_…`.
    pub asked_by: String,
    /// `open`, `approved`, `denied` or `withdrawn`.
    pub state: String,
    /// When, in Unix milliseconds.
    pub created_at: i64,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<i64>,
    /// What was given, in nano-USD.
    pub given: Option<i64>,
    /// Whether that is for good rather than for the window in which it was given.
    pub lasting: bool,
    /// Counts its changes.
    pub version: i64,
}

/// What somebody asks for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The budget.
    pub budget: String,
    /// The account; may be left out where the budget has one alone, or the caller is an agent.
    pub account: Option<String>,
    /// How much more, in nano-USD.
    pub amount: i64,
    /// Why.
    pub why: String,
}

/// What is decided.
#[derive(Debug, Clone, Copy)]
pub enum Decision {
    /// More is given.
    Approve {
        /// How much, in nano-USD; what was asked for where it is left out.
        amount: Option<i64>,
        /// For good, and for every account of the budget, rather than for the window of now.
        lasting: bool,
    },
    /// Nothing is given.
    Deny,
}

/// Which requests are wanted; empty texts are all.
#[derive(Debug, Clone, Default)]
pub struct RequestFilter {
    /// In this state.
    pub state: String,
    /// Of this budget.
    pub budget: String,
    /// Asked by this principal.
    pub asked_by: String,
    /// Of accounts of the projects that this person is a member of.
    pub person: String,
}

macro_rules! columns {
    () => {
        "SELECT id, budget, account, amount, why, asked_by, state, created_at, decided_by,
           decided_at, given, lasting, version FROM budget_request "
    };
}

/// Asks for more.
pub async fn ask(
    panel: &Panel,
    principal: &Principal,
    asked: &Asked,
) -> Result<Request, BudgetError> {
    let amount = limit(asked.amount)?;
    if amount == 0 || asked.why.chars().count() > LONGEST_WHY || asked.why.contains('\0') {
        return Err(BudgetError::Invalid(format!(
            "ask for more than nothing, and say why in at most {LONGEST_WHY} characters"
        )));
    }
    panel.store.retry(|| asked_within(panel, principal, asked)).await?
}

async fn asked_within(
    panel: &Panel,
    principal: &Principal,
    asked: &Asked,
) -> Result<Result<Request, BudgetError>, StoreError> {
    let mut tx = panel.store.begin().await?;
    let terms = Terms::find(&mut tx, &asked.budget).await?.filter(|terms| !terms.removed);
    let Some(terms) = terms else { return Ok(Err(BudgetError::NotFound("budget"))) };
    let account = match (account(&terms, principal, asked.account.as_deref()), principal) {
        (Err(error), _) => return Ok(Err(error)),
        (Ok(account), _) if is_own(&mut tx, principal, &account).await? => account,
        // An agent may say that what everybody shares is used up.
        (Ok(account), Principal::Agent { .. })
            if account == "organisation" || account.starts_with("model:") =>
        {
            account
        }
        _ => return Ok(Err(BudgetError::NotFound("budget"))),
    };
    let actor = principal.actor();
    let open =
        sqlx::query("SELECT COUNT(*) FROM budget_request WHERE asked_by = $1 AND state = 'open'")
            .bind(actor.clone())
            .fetch_one(&mut *tx)
            .await?;
    if open.try_get::<i64, _>(0)? >= MOST_OPEN {
        return Ok(Err(BudgetError::TooMany));
    }
    let request = Request {
        id: id("brq"),
        budget: terms.id.clone(),
        account,
        amount: asked.amount,
        why: asked.why.clone(),
        asked_by: actor,
        state: "open".to_owned(),
        created_at: panel.clock.now_ms(),
        decided_by: None,
        decided_at: None,
        given: None,
        lasting: false,
        version: 1,
    };
    sqlx::query(
        "INSERT INTO budget_request (id, budget, account, amount, why, asked_by, state, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(request.id.clone())
    .bind(request.budget.clone())
    .bind(request.account.clone())
    .bind(request.amount)
    .bind(request.why.clone())
    .bind(request.asked_by.clone())
    .bind(request.state.clone())
    .bind(request.created_at)
    .execute(&mut *tx)
    .await?;
    let detail =
        json!({ "budget": request.budget, "account": request.account, "nano": request.amount });
    audit::record(panel, &mut tx, principal, "budget_request.create", &request.id, detail).await?;
    told(panel, &mut tx, &request).await?;
    tx.commit().await?;
    panel.wake.notify(events::EVENT);
    Ok(Ok(request))
}

/// The account that is meant.
fn account(
    terms: &Terms,
    principal: &Principal,
    named: Option<&str>,
) -> Result<String, BudgetError> {
    let scope = terms.scope.to_string();
    let own = match (principal, scope.as_str()) {
        (Principal::Agent { agent, .. }, "agent:*") => Some(format!("agent:{agent}")),
        (Principal::Agent { project, .. }, "project:*") => Some(format!("project:{project}")),
        (Principal::Agent { token, .. }, "token:*") => Some(format!("token:{token}")),
        _ => None,
    };
    let account = named.map(ToOwned::to_owned).or(own).unwrap_or(scope);
    if account.len() <= 300 && terms.scope.opens(&account) {
        return Ok(account);
    }
    Err(BudgetError::Invalid(format!(
        "the budget of {} has no account {account:.80}: name one, such as agent:NAME",
        terms.scope
    )))
}

/// Decides a request. The same again is refused: it is decided once.
pub async fn decide(
    panel: &Panel,
    principal: &Principal,
    request: &str,
    decision: Decision,
) -> Result<Request, BudgetError> {
    if let Decision::Approve { amount: Some(amount), .. } = decision
        && limit(amount)? == 0
    {
        return Err(BudgetError::Invalid(
            "approve more than nothing, or deny the request".to_owned(),
        ));
    }
    let decided =
        panel.store.retry(|| decided_within(panel, principal, request, decision)).await??;
    panel.wake.notify(events::EVENT);
    panel.wake.notify(MARK);
    Ok(decided)
}

async fn decided_within(
    panel: &Panel,
    principal: &Principal,
    request: &str,
    decision: Decision,
) -> Result<Result<Request, BudgetError>, StoreError> {
    let mut tx = panel.store.begin().await?;
    let now = panel.clock.now_ms();
    // Holds the row: whoever decides at once waits here, and finds it decided.
    let row = sqlx::query("UPDATE budget_request SET version = version WHERE id = $1 RETURNING id")
        .bind(request.to_owned())
        .fetch_optional(&mut *tx)
        .await?;
    let found = if row.is_some() { find(&mut tx, request).await? } else { None };
    let Some(mut found) = found else { return Ok(Err(BudgetError::NotFound("request"))) };
    let Some(terms) = Terms::find(&mut tx, &found.budget).await? else {
        return Ok(Err(BudgetError::NotFound("request")));
    };
    if !is_own(&mut tx, principal, &found.account).await? {
        return Ok(Err(BudgetError::NotFound("request")));
    }
    // Whoever could not have set the budget cannot lift it either.
    let scope = terms.scope.to_string();
    if !is_own(&mut tx, principal, &scope).await? {
        return Ok(Err(BudgetError::Forbidden(format!(
            "the budget of {scope} belongs to none of your projects: ask an admin to decide this"
        ))));
    }
    if found.state != "open" {
        return Ok(Err(BudgetError::Decided(found.state)));
    }
    match decision {
        Decision::Deny => {
            "denied".clone_into(&mut found.state);
            // Whoever waits looks again; proxies hold nothing that changed.
            tell(&mut tx, MARK).await?;
        }
        Decision::Approve { amount, lasting } => {
            let amount = amount.unwrap_or(found.amount);
            if let Err(error) =
                give(panel, &mut tx, principal, &terms, &found, amount, lasting).await
            {
                return match error {
                    BudgetError::Store(error) => Err(error),
                    error => Ok(Err(error)),
                };
            }
            "approved".clone_into(&mut found.state);
            (found.given, found.lasting) = (Some(amount), lasting);
        }
    }
    (found.decided_by, found.decided_at) = (Some(principal.actor()), Some(now));
    write(&mut tx, &mut found).await?;
    let action =
        if found.state == "approved" { "budget_request.approve" } else { "budget_request.deny" };
    let detail = json!({
        "budget": found.budget, "account": found.account, "asked": found.amount,
        "given": found.given, "lasting": found.lasting,
    });
    audit::record(panel, &mut tx, principal, action, &found.id, detail).await?;
    told(panel, &mut tx, &found).await?;
    tx.commit().await?;
    Ok(Ok(found))
}

/// Raises what the request is about, within the transaction of the decision.
async fn give(
    panel: &Panel,
    tx: &mut crate::store::Tx,
    principal: &Principal,
    terms: &Terms,
    request: &Request,
    amount: i64,
    lasting: bool,
) -> Result<(), BudgetError> {
    if terms.removed {
        return Err(BudgetError::NotFound("budget"));
    }
    if lasting {
        let raised = limit(terms.limit.0.saturating_add(amount))?;
        let change = Change { limit: Some(iron_policy::types::NanoUsd(raised)), clamp: None };
        change::update(panel, tx, principal, &terms.id, None, change).await?;
        return Ok(());
    }
    let start = terms.start(panel.clock.now_ms());
    let account = Account::open(tx, &terms.id, &request.account, start).await?;
    let account = account.ok_or_else(|| {
        BudgetError::Invalid("the budget has too many accounts in this window".to_owned())
    })?;
    if account.limit.saturating_add(amount) > LARGEST {
        return Err(BudgetError::Invalid("the account's limit would be too large".to_owned()));
    }
    sqlx::query(
        "UPDATE account SET limit_nano = limit_nano + $2, extra = extra + $2 WHERE id = $1",
    )
    .bind(account.id.clone())
    .bind(amount)
    .execute(&mut **tx)
    .await?;
    change::lower_levels(tx, &terms.id, start).await?;
    // Nothing changed that proxies hold a copy of, but a call may wait: they ask again.
    raise(tx, MARK).await?;
    Ok(())
}

/// Takes a request back that the caller made.
pub async fn withdraw(
    panel: &Panel,
    principal: &Principal,
    request: &str,
) -> Result<Request, BudgetError> {
    let mut tx = panel.store.begin().await?;
    let row = sqlx::query("UPDATE budget_request SET version = version WHERE id = $1 RETURNING id")
        .bind(request.to_owned())
        .fetch_optional(&mut *tx)
        .await?;
    let found = if row.is_some() { find(&mut tx, request).await? } else { None };
    let mut found = found
        .filter(|found| found.asked_by == principal.actor())
        .ok_or(BudgetError::NotFound("request"))?;
    if found.state != "open" {
        return Err(BudgetError::Decided(found.state));
    }
    "withdrawn".clone_into(&mut found.state);
    (found.decided_by, found.decided_at) = (Some(principal.actor()), Some(panel.clock.now_ms()));
    write(&mut tx, &mut found).await?;
    let detail = json!({ "budget": found.budget, "account": found.account });
    audit::record(panel, &mut tx, principal, "budget_request.withdraw", &found.id, detail).await?;
    tell(&mut tx, MARK).await?;
    told(panel, &mut tx, &found).await?;
    tx.commit().await?;
    panel.wake.notify(events::EVENT);
    panel.wake.notify(MARK);
    Ok(found)
}

/// The request of this id.
pub async fn find(
    connection: &mut AnyConnection,
    request: &str,
) -> Result<Option<Request>, StoreError> {
    let row = sqlx::query(concat!(columns!(), "WHERE id = $1"))
        .bind(request.to_owned())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(Request::of).transpose()
}

/// The requests before the one with the id `before`, newest first; from the newest where it is empty.
pub async fn requests(
    connection: &mut AnyConnection,
    filter: &RequestFilter,
    before: &str,
    limit: i64,
) -> Result<Vec<Request>, StoreError> {
    let rows = sqlx::query(concat!(
        columns!(),
        "WHERE ($2 = '' OR state = $2) AND ($3 = '' OR budget = $3) AND ($4 = '' OR asked_by = $4)
           AND ($5 = '' OR id < $5) AND ",
        own!("$1", "budget_request.account"),
        " ORDER BY id DESC LIMIT $6"
    ))
    .bind(filter.person.clone())
    .bind(filter.state.clone())
    .bind(filter.budget.clone())
    .bind(filter.asked_by.clone())
    .bind(before.to_owned())
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter().map(Request::of).collect()
}

impl Request {
    fn of(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.try_get(0)?,
            budget: row.try_get(1)?,
            account: row.try_get(2)?,
            amount: row.try_get(3)?,
            why: row.try_get(4)?,
            asked_by: row.try_get(5)?,
            state: row.try_get(6)?,
            created_at: row.try_get(7)?,
            decided_by: row.try_get(8)?,
            decided_at: row.try_get(9)?,
            given: row.try_get(10)?,
            lasting: row.try_get::<i64, _>(11)? != 0,
            version: row.try_get(12)?,
        })
    }
}

/// Writes what was decided.
async fn write(connection: &mut AnyConnection, request: &mut Request) -> Result<(), StoreError> {
    request.version = request.version.saturating_add(1);
    sqlx::query(
        "UPDATE budget_request SET state = $2, decided_by = $3, decided_at = $4, given = $5,
           lasting = $6, version = $7
         WHERE id = $1",
    )
    .bind(request.id.clone())
    .bind(request.state.clone())
    .bind(request.decided_by.clone())
    .bind(request.decided_at)
    .bind(request.given)
    .bind(i64::from(request.lasting))
    .bind(request.version)
    .execute(connection)
    .await?;
    Ok(())
}

async fn told(
    panel: &Panel,
    connection: &mut AnyConnection,
    request: &Request,
) -> Result<(), StoreError> {
    let project = owner(&mut *connection, &request.account).await?.map(|project| project.name);
    let news = Kind::BudgetRequest(BudgetRequested {
        request: request.id.clone(),
        budget: request.budget.clone(),
        account: request.account.clone(),
        project,
        asked_by: request.asked_by.clone(),
        state: request.state.clone(),
        amount: request.amount.into(),
        given: request.given.map(Into::into),
    });
    alerts::tell(panel, connection, &[news]).await
}
