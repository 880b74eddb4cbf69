//! Who may ask what: one table that the router obeys and a test walks.
//!
//! A route that is not in [`TABLE`] does not exist for anybody. What a role may see or change of a
//! resource that belongs to a project is decided by the handler, with [`Principal::sees_all`] and the
//! projects that the principal is a member of.

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::authenticate;
use super::problem::Problem;
use crate::panel::Panel;

/// What a person may do. Each role may do what those below it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads what belongs to its projects.
    Viewer,
    /// Issues tokens, sets budgets, decides requests in its projects.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// The name in the API and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Viewer, Self::Operator, Self::Admin].into_iter().find(|role| role.name() == name)
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Somebody who is not signed in.
    Anyone,
    /// A person, by a browser's cookie or a terminal's token.
    Person {
        /// `usr_…`.
        id: String,
        /// The name to sign in with.
        name: String,
        /// What they may do.
        role: Role,
        /// The session's id.
        session: String,
        /// The ids of the projects that they are members of.
        projects: Vec<String>,
    },
    /// A proxy.
    Proxy {
        /// Its name.
        name: String,
    },
    /// An agent, by its token: it may see what it has, and ask for more.
    Agent {
        /// The agent's name.
        agent: String,
        /// The project's name.
        project: String,
        /// The token's id.
        token: String,
    },
}

impl Principal {
    /// Who it is in the audit log.
    pub fn actor(&self) -> String {
        match self {
            Self::Anyone => "anonymous".to_owned(),
            Self::Person { id, .. } => id.clone(),
            Self::Proxy { name } => format!("proxy:{name}"),
            Self::Agent { agent, .. } => format!("agent:{agent}"),
        }
    }

    /// Whether it sees all projects.
    pub const fn sees_all(&self) -> bool {
        matches!(self, Self::Person { role: Role::Admin, .. })
    }

    /// Whether a project is its own to see.
    pub fn sees(&self, project_id: &str) -> bool {
        match self {
            Self::Person { role: Role::Admin, .. } => true,
            Self::Person { projects, .. } => projects.iter().any(|own| own == project_id),
            _ => false,
        }
    }
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum May {
    /// Everybody, signed in or not.
    Anyone,
    /// Whoever is signed in with this role or a higher one.
    Person(Role),
    /// Proxies alone.
    Proxy,
    /// Agents with their token, and people with this role or a higher one.
    AgentOr(Role),
}

/// One route: method, path as the router has it, who may.
pub type Door = (&'static str, &'static str, May);

/// Every route there is.
pub const TABLE: &[Door] =
    &[("GET", "/api/v1/health", May::Anyone), ("GET", "/api/v1/openapi.json", May::Anyone)];

/// Lets nobody pass whom the table does not name for the route.
pub async fn guard(State(panel): State<Panel>, mut request: Request, next: Next) -> Response {
    match admit(&panel, &mut request).await {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

async fn admit(panel: &Panel, request: &mut Request) -> Result<(), Problem> {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let method =
        if request.method() == http::Method::HEAD { "GET" } else { request.method().as_str() };
    let door = path
        .as_deref()
        .and_then(|path| TABLE.iter().find(|(own, at, _)| *own == method && *at == path));
    let Some((_, _, may)) = door else {
        return Err(Problem::not_found("there is nothing at this address"));
    };
    let principal = authenticate::principal(panel, request.headers()).await?;
    let allowed = match (may, &principal) {
        (May::Anyone, _)
        | (May::Proxy, Principal::Proxy { .. })
        | (May::AgentOr(_), Principal::Agent { .. }) => true,
        (May::Person(least) | May::AgentOr(least), Principal::Person { role, .. }) => role >= least,
        _ => false,
    };
    if allowed {
        request.extensions_mut().insert(principal);
        return Ok(());
    }
    Err(match principal {
        Principal::Anyone => Problem::unauthenticated(
            "nobody is signed in: run `iron login`, or send `Authorization: Bearer TOKEN`",
        ),
        Principal::Person { role, .. } => Problem::forbidden(format!(
            "the role {} may not do this: ask an admin of this panel",
            role.name()
        )),
        _ => {
            Problem::forbidden("this credential is not for this address: see /api/v1/openapi.json")
        }
    })
}
