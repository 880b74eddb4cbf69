//! How a token is made, with its agent and its budget, in one transaction.

use iron_policy::budget::Glob;
use iron_policy::token::{AUDIENCE, Claims, SignError};
use iron_policy::types::{Name, NanoUsd};
use serde_json::json;
use sqlx::{AnyConnection, Row};
use zeroize::Zeroizing;

use super::{BEHIND_MS, Listed, PART, State, budget, end_budgets, find, tell_ended};
use crate::api::access::Principal;
use crate::api::authenticate::hash;
use crate::audit;
use crate::identity::names;
use crate::keys::signing;
use crate::panel::Panel;
use crate::store::{StoreError, id, raise};

/// The shortest time that a token is good for, in seconds.
pub const SHORTEST_S: i64 = 60;
/// The longest, in seconds: a year and a day.
pub const LONGEST_S: i64 = 366 * 86_400;
/// How long one is good for where nobody said, in seconds.
pub const USUAL_S: i64 = 30 * 86_400;
/// Patterns or names in one list at most.
const MOST_NAMES: usize = 100;
/// The longest label, and the longest pattern, in bytes.
const LONGEST_TEXT: usize = 200;
/// Tokens of one agent that may be used, at most.
const MOST_OF_AGENT: i64 = 1000;
/// Tokens of one project that have not expired, revoked ones too, at most; and of all projects. Proxies
/// are told of every revocation until its token expires, and of no more than 100,000: less by what those
/// that issue at once do not see of each other.
const MOST_OF_PROJECT: i64 = 10_000;
const MOST_OF_ALL: i64 = 95_000;
/// Budgets that there may be.
const MOST_BUDGETS: i64 = 10_000;
/// The project of those that name none.
const DEFAULT: &str = "default";

/// What is wanted.
#[derive(Debug, Clone, Default)]
pub struct Order {
    /// The agent's name; it is made where there is none.
    pub agent: String,
    /// The project's name; the agent's own, or the only one of whoever asks, where it is left out.
    pub project: Option<String>,
    /// What the token is for.
    pub label: String,
    /// The models that may be asked for; empty for all.
    pub models: Vec<String>,
    /// The upstreams that may be called; empty for all.
    pub upstreams: Vec<String>,
    /// For how long it is good, in seconds.
    pub lifetime_s: i64,
    /// A budget of its own: `5 USD/day`.
    pub budget: Option<String>,
}

/// How a token is replaced.
#[derive(Debug, Clone, Copy)]
pub struct Rotation {
    /// For how long the new one is good, in seconds; as long as the old one was where it is left out.
    pub lifetime_s: Option<i64>,
    /// For how long the old one is good still, in seconds.
    pub overlap_s: i64,
}

/// A token that was made.
#[derive(Debug)]
pub struct Issued {
    /// It itself. Shown once.
    pub token: Zeroizing<String>,
    /// What it is.
    pub listed: Listed,
}

/// Why no token is made.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The database, or a key.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is wanted makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// There is no such thing, or it is not theirs to see.
    #[error("{0}")]
    NotFound(&'static str),
    /// It is not in the state for this.
    #[error("{1}")]
    Conflict(&'static str, String),
}

impl From<sqlx::Error> for TokenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Makes a token, within a transaction.
pub async fn issue(
    panel: &Panel,
    connection: &mut AnyConnection,
    principal: &Principal,
    order: &Order,
) -> Result<Issued, TokenError> {
    let allowed = Allowed::read(order)?;
    let own = order.budget.as_deref().map(|text| {
        budget::read(text).ok_or_else(|| {
            TokenError::Invalid(
                "budget is none: write it like `5 USD/day`, with day, week, month or total"
                    .to_owned(),
            )
        })
    });
    let own = own.transpose()?;
    let (agent, project, is_new) =
        agent(panel, connection, principal, &allowed.agent, order).await?;
    let live = sqlx::query(
        "SELECT COUNT(*) FROM token WHERE agent = $1 AND revoked_at IS NULL AND expires_at > $2",
    )
    .bind(agent.clone())
    .bind(panel.clock.now_ms())
    .fetch_one(&mut *connection)
    .await?;
    if live.try_get::<i64, _>(0)? >= MOST_OF_AGENT {
        return Err(TokenError::Conflict(
            "too_many_tokens",
            format!("the agent has {MOST_OF_AGENT} tokens that may be used: revoke some first"),
        ));
    }
    let new = id("tok");
    let terms = own.map(|(limit, window)| (limit, window.name().to_owned()));
    let made = make(panel, connection, principal, &new, &agent, &project, &allowed, terms).await?;
    if is_new {
        let detail = json!({"name": order.agent, "project": made.listed.project});
        audit::record(panel, connection, principal, "agent.create", &agent, detail).await?;
    }
    let detail = json!({
        "agent": order.agent, "project": made.listed.project, "label": order.label,
        "models": order.models, "upstreams": order.upstreams,
        "expires_at": made.listed.expires_at, "budget": order.budget,
    });
    audit::record(panel, connection, principal, "token.issue", &new, detail).await?;
    Ok(made)
}

/// Replaces a token: the new one allows the same, and the old one is good for the overlap still. A
/// budget of its own is made for the new one as well, so that during the overlap both may spend.
pub async fn rotate(
    panel: &Panel,
    connection: &mut AnyConnection,
    principal: &Principal,
    old: &Listed,
    rotation: Rotation,
) -> Result<Issued, TokenError> {
    if old.state != State::Active {
        return Err(TokenError::Conflict(
            "token_not_active",
            format!("the token is {}: issue a new one", old.state.name()),
        ));
    }
    if !(0..=LONGEST_S).contains(&rotation.overlap_s) {
        return Err(TokenError::Invalid("overlap must be 0 s to 366 days".to_owned()));
    }
    let order = Order {
        agent: old.agent.clone(),
        project: Some(old.project.clone()),
        label: old.label.clone(),
        models: old.models.clone(),
        upstreams: old.upstreams.clone(),
        lifetime_s: rotation.lifetime_s.unwrap_or(old.expires_at / 1000 - old.issued_at / 1000),
        budget: None,
    };
    let allowed = Allowed::read(&order)?;
    let (agent, project, _) = agent(panel, connection, principal, &allowed.agent, &order).await?;
    let terms = match &old.budget {
        None => None,
        Some(budget) => {
            let row = sqlx::query("SELECT limit_nano, span FROM budget WHERE id = $1")
                .bind(budget.clone())
                .fetch_one(&mut *connection)
                .await?;
            Some((NanoUsd(row.try_get(0)?), row.try_get(1)?))
        }
    };
    let new = id("tok");
    let made = make(panel, connection, principal, &new, &agent, &project, &allowed, terms).await?;
    let now = panel.clock.now_ms();
    // Of two that rotate it at once the second finds it retiring.
    let retired = sqlx::query(
        "UPDATE token SET rotated_to = $1, retires_at = $2, revoked_at = $3
         WHERE id = $4 AND rotated_to IS NULL AND revoked_at IS NULL",
    )
    .bind(new.clone())
    .bind(now + rotation.overlap_s * 1000)
    .bind((rotation.overlap_s == 0).then_some(now))
    .bind(old.id.clone())
    .execute(&mut *connection)
    .await?;
    if retired.rows_affected() == 0 {
        return Err(TokenError::Conflict(
            "token_not_active",
            "the token was rotated or revoked meanwhile: look at it again".to_owned(),
        ));
    }
    let mut ended = Vec::new();
    if rotation.overlap_s == 0 {
        ended = end_budgets(panel, connection, &old.id).await?;
        raise(connection, PART).await?;
    }
    tell_ended(panel, connection, &ended).await?;
    let detail = json!({
        "agent": old.agent, "rotated_to": new, "overlap_s": rotation.overlap_s,
        "expires_at": made.listed.expires_at,
    });
    audit::record(panel, connection, principal, "token.rotate", &old.id, detail).await?;
    Ok(made)
}

/// What a token allows, read and found to make sense.
struct Allowed<'a> {
    agent: Name,
    label: &'a str,
    models: Vec<Glob>,
    upstreams: Vec<Name>,
    lifetime_s: i64,
}

impl<'a> Allowed<'a> {
    fn read(order: &'a Order) -> Result<Self, TokenError> {
        let invalid = |text: String| TokenError::Invalid(text);
        if order.label.len() > LONGEST_TEXT || order.label.chars().any(char::is_control) {
            return Err(invalid(format!("label must be one line of {LONGEST_TEXT} bytes at most")));
        }
        if order.models.len() > MOST_NAMES || order.upstreams.len() > MOST_NAMES {
            return Err(invalid(format!("models and upstreams must be {MOST_NAMES} each at most")));
        }
        let fine = |b: u8| b.is_ascii_graphic() && !b"'\"\\`$".contains(&b);
        for model in &order.models {
            if !(1..=LONGEST_TEXT).contains(&model.len()) || !model.bytes().all(fine) {
                return Err(invalid(
                    "models must be patterns like `gpt-5*`, without spaces and quotes".to_owned(),
                ));
            }
        }
        if !(SHORTEST_S..=LONGEST_S).contains(&order.lifetime_s) {
            return Err(invalid(
                "expires must be between a minute and 366 days from now".to_owned(),
            ));
        }
        let name = |text: &str, what: &str| {
            text.parse::<Name>().map_err(|error| TokenError::Invalid(format!("{what}: {error}")))
        };
        Ok(Self {
            agent: name(&order.agent, "agent")?,
            label: &order.label,
            models: order.models.iter().map(|model| Glob::new(model)).collect(),
            upstreams: order
                .upstreams
                .iter()
                .map(|upstream| name(upstream, "upstreams"))
                .collect::<Result<_, _>>()?,
            lifetime_s: order.lifetime_s,
        })
    }
}

/// The agent's id, its project's name, and whether it was made because it was not there.
async fn agent(
    panel: &Panel,
    connection: &mut AnyConnection,
    principal: &Principal,
    name: &Name,
    order: &Order,
) -> Result<(String, Name, bool), TokenError> {
    let project = match &order.project {
        Some(project) => Some(named_project(connection, principal, project).await?),
        None => None,
    };
    if let Some((agent, own)) = agent_named(connection, name).await? {
        let project = in_its_project(connection, principal, &own, project).await?;
        return Ok((agent, project, false));
    }
    names::check_agent(name.as_str(), principal)
        .map_err(|problem| TokenError::Invalid(problem.detail))?;
    let project = match project {
        Some(project) => project,
        None => only_project(panel, connection, principal).await?,
    };
    let made = sqlx::query(
        "INSERT INTO agent (id, name, project, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (name) DO NOTHING",
    )
    .bind(id("agt"))
    .bind(name.as_str().to_owned())
    .bind(project.clone())
    .bind(panel.clock.now_ms())
    .execute(&mut *connection)
    .await?;
    let (agent, own) = agent_named(connection, name)
        .await?
        .ok_or(TokenError::NotFound("the agent was removed meanwhile: try again"))?;
    let project = in_its_project(connection, principal, &own, Some(project)).await?;
    Ok((agent, project, made.rows_affected() > 0))
}

async fn agent_named(
    connection: &mut AnyConnection,
    name: &Name,
) -> Result<Option<(String, String)>, TokenError> {
    let row = sqlx::query("SELECT id, project FROM agent WHERE name = $1")
        .bind(name.as_str().to_owned())
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|row| Ok::<_, sqlx::Error>((row.try_get(0)?, row.try_get(1)?))).transpose()?)
}

/// An agent is of one project: whoever issues a token for it must see that one, and mean it.
async fn in_its_project(
    connection: &mut AnyConnection,
    principal: &Principal,
    own: &str,
    wanted: Option<String>,
) -> Result<Name, TokenError> {
    if !principal.sees(own) || wanted.is_some_and(|wanted| wanted != own) {
        return Err(TokenError::Conflict(
            "agent_of_another_project",
            "an agent of this name belongs to another project: choose another name".to_owned(),
        ));
    }
    let name: String = sqlx::query("SELECT name FROM project WHERE id = $1")
        .bind(own.to_owned())
        .fetch_one(connection)
        .await?
        .try_get(0)?;
    Ok(name.parse().map_err(|_| StoreError::Damaged(format!("project {own}")))?)
}

async fn named_project(
    connection: &mut AnyConnection,
    principal: &Principal,
    name: &str,
) -> Result<String, TokenError> {
    let row = sqlx::query("SELECT id FROM project WHERE name = $1")
        .bind(name.to_owned())
        .fetch_optional(connection)
        .await?;
    let found: Option<String> = row.map(|row| row.try_get(0)).transpose()?;
    found
        .filter(|id| principal.sees(id))
        .ok_or(TokenError::NotFound("there is no such project: see `iron project list`"))
}

/// The project of whoever names none: their only one, or the default one of admins.
async fn only_project(
    panel: &Panel,
    connection: &mut AnyConnection,
    principal: &Principal,
) -> Result<String, TokenError> {
    match principal {
        Principal::Person { projects, .. } if projects.len() == 1 => Ok(projects[0].clone()),
        Principal::Person { .. } if principal.sees_all() => {
            sqlx::query(
                "INSERT INTO project (id, name, created_at) VALUES ($1, $2, $3)
                 ON CONFLICT (name) DO NOTHING",
            )
            .bind(id("prj"))
            .bind(DEFAULT)
            .bind(panel.clock.now_ms())
            .execute(&mut *connection)
            .await?;
            named_project(connection, principal, DEFAULT).await
        }
        _ => Err(TokenError::Invalid("project is missing: say for which one".to_owned())),
    }
}

async fn make(
    panel: &Panel,
    connection: &mut AnyConnection,
    principal: &Principal,
    new: &str,
    agent: &str,
    project: &Name,
    allowed: &Allowed<'_>,
    own: Option<(NanoUsd, String)>,
) -> Result<Issued, TokenError> {
    let now = panel.clock.now_ms();
    room(connection, agent, now).await?;
    let damaged = || StoreError::Damaged("an id that was just made".to_owned());
    let budget = match own {
        None => None,
        Some((limit, span)) => Some(own_budget(panel, connection, new, limit, &span).await?),
    };
    let signer = signing::signer(panel, connection).await?;
    let claims = Claims {
        iss: signing::issuer(connection).await?,
        aud: AUDIENCE.to_owned(),
        sub: allowed.agent.clone(),
        jti: new.parse().map_err(|_| damaged())?,
        iat: now / 1000,
        nbf: now / 1000,
        exp: now / 1000 + allowed.lifetime_s,
        project: Some(project.clone()),
        models: allowed.models.clone(),
        upstreams: allowed.upstreams.clone(),
        budget: budget.map(|id| id.parse()).transpose().map_err(|_| damaged())?,
        policy: None,
    };
    let token = signer.sign(&claims).map_err(|error| match error {
        SignError::TooLong => TokenError::Invalid(error.to_string()),
        SignError::Key => StoreError::Damaged(format!("signing_key {}", signer.id)).into(),
    })?;
    let issued_by = match principal {
        Principal::Person { name, .. } => name.clone(),
        other => other.actor(),
    };
    sqlx::query(
        "INSERT INTO token (id, agent, key, hash, last4, label, models, upstreams, issued_by,
                            issued_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(new.to_owned())
    .bind(agent.to_owned())
    .bind(signer.id.clone())
    .bind(hash(&token))
    .bind(token.get(token.len().saturating_sub(4)..).unwrap_or_default().to_owned())
    .bind(allowed.label.to_owned())
    .bind(
        serde_json::to_string(&claims.models.iter().map(ToString::to_string).collect::<Vec<_>>())
            .unwrap_or_default(),
    )
    .bind(serde_json::to_string(&claims.upstreams).unwrap_or_default())
    .bind(issued_by)
    .bind(now)
    .bind(claims.exp * 1000)
    .execute(&mut *connection)
    .await?;
    let listed = find(panel, connection, new).await?;
    Ok(Issued { token, listed: listed.ok_or_else(damaged)? })
}

/// Whether there may be one more token of this agent's project.
async fn room(connection: &mut AnyConnection, agent: &str, now: i64) -> Result<(), TokenError> {
    let row = sqlx::query(
        "SELECT COUNT(*), CAST(COALESCE(SUM(CASE WHEN agent.project =
             (SELECT project FROM agent WHERE id = $1) THEN 1 ELSE 0 END), 0) AS BIGINT)
         FROM token JOIN agent ON agent.id = token.agent WHERE token.expires_at > $2",
    )
    .bind(agent.to_owned())
    .bind(now - BEHIND_MS)
    .fetch_one(connection)
    .await?;
    let (all, own): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    if own >= MOST_OF_PROJECT || all >= MOST_OF_ALL {
        return Err(TokenError::Conflict(
            "too_many_tokens",
            format!(
                "the project has {own} tokens that have not expired, revoked ones too, and the panel \
                 {all}, of {MOST_OF_PROJECT} and {MOST_OF_ALL}: wait until some expire, and issue \
                 tokens that expire sooner"
            ),
        ));
    }
    Ok(())
}

/// The token's own budget; its days, weeks and months begin in UTC, as of every budget that names no
/// zone.
async fn own_budget(
    panel: &Panel,
    connection: &mut AnyConnection,
    token: &str,
    limit: NanoUsd,
    span: &str,
) -> Result<String, TokenError> {
    let row = sqlx::query("SELECT COUNT(*) FROM budget WHERE removed_at IS NULL")
        .fetch_one(&mut *connection)
        .await?;
    if row.try_get::<i64, _>(0)? >= MOST_BUDGETS {
        let detail = format!("there are {MOST_BUDGETS} budgets, of which every proxy holds all");
        return Err(TokenError::Conflict(
            "too_many_budgets",
            format!("{detail}: remove some first"),
        ));
    }
    let new = id("bud");
    sqlx::query(
        "INSERT INTO budget (id, scope, span, zone, limit_nano, created_at)
         VALUES ($1, $2, $3, 'UTC', $4, $5)",
    )
    .bind(new.clone())
    .bind(format!("token:{token}"))
    .bind(span.to_owned())
    .bind(limit.0)
    .bind(panel.clock.now_ms())
    .execute(&mut *connection)
    .await?;
    raise(connection, "budgets").await?;
    Ok(new)
}
