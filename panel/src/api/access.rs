//! Who may ask what: one table that the router obeys and a test walks.
//!
//! Each resource lists its doors beside its handlers; [`table`] is all of them. A route that is not in
//! it does not exist for anybody. What a role may see or change of a resource that belongs to a
//! project is decided by the handler, with [`Principal::sees`] and [`Principal::sees_all`]; whether a
//! resource does belong to one is in its door, so that the test asks as a stranger, too.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::authenticate;
use super::problem::Problem;
use crate::audit;
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

/// Who asks, said by the process that the panel is part of: no request from outside can carry it.
#[derive(Debug, Clone)]
pub struct Trusted(pub Principal);

impl Trusted {
    /// Whoever can write the panel's own files: it may do everything.
    pub fn operator() -> Self {
        Self(Principal::Person {
            id: "local".to_owned(),
            name: "local".to_owned(),
            role: Role::Admin,
            session: "local".to_owned(),
            projects: Vec::new(),
        })
    }

    /// The proxy in the same process.
    pub fn proxy(name: &str) -> Self {
        Self(Principal::Proxy { name: name.to_owned() })
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

/// Whose the things behind a route are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The panel's: the role alone decides.
    Panel,
    /// A project's: whoever is not a member of it, nor an admin, is told that there is no such thing.
    Project,
    /// The caller's own: nobody else's can be reached.
    Caller,
}

/// One route, and who may use it.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    /// The method.
    pub method: &'static str,
    /// The path as the router has it.
    pub path: &'static str,
    /// Who may.
    pub may: May,
    /// Whose it is.
    pub whose: Whose,
    /// Whether `If-Match` must be sent.
    pub versioned: bool,
    /// Whether a form is sent here, whose handler looks for the CSRF token in its fields.
    pub form: bool,
}

/// A route that these may use.
pub const fn door(method: &'static str, path: &'static str, may: May) -> Door {
    Door { method, path, may, whose: Whose::Panel, versioned: false, form: false }
}

impl Door {
    /// What is behind it belongs to a project.
    #[must_use]
    pub const fn in_project(self) -> Self {
        Self { whose: Whose::Project, ..self }
    }

    /// What is behind it is the caller's own.
    #[must_use]
    pub const fn own(self) -> Self {
        Self { whose: Whose::Caller, ..self }
    }

    /// A change of something with a version: `If-Match` is required.
    #[must_use]
    pub const fn versioned(self) -> Self {
        Self { versioned: true, ..self }
    }

    /// A form of a page without scripts is sent here: it cannot send headers.
    #[must_use]
    pub const fn form(self) -> Self {
        Self { form: true, ..self }
    }

    /// Whether an `Idempotency-Key` means something here.
    pub(super) fn takes_key(&self) -> bool {
        self.method == "POST" && matches!(self.may, May::Person(_) | May::AgentOr(_))
    }
}

/// Every route there is.
pub fn table() -> impl Iterator<Item = &'static Door> {
    super::RESOURCES.iter().flat_map(|resource| resource.doors)
}

/// The door of this route.
pub fn door_of(method: &str, path: &str) -> Option<&'static Door> {
    static DOORS: LazyLock<HashMap<(&str, &str), &Door>> =
        LazyLock::new(|| table().map(|door| ((door.method, door.path), door)).collect());
    DOORS.get(&(method, path)).copied()
}

/// Lets nobody pass whom the table does not name for the route.
pub async fn guard(State(panel): State<Panel>, mut request: Request, next: Next) -> Response {
    match admit(&panel, &mut request).await {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

async fn admit(panel: &Panel, request: &mut Request) -> Result<(), Problem> {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let method =
        if request.method() == http::Method::HEAD { "GET" } else { request.method().as_str() };
    let door = path.as_ref().and_then(|path| door_of(method, path.as_str()));
    let Some(door) = door else {
        return Err(Problem::not_found(
            "there is nothing at this address: see /api/v1/openapi.json",
        ));
    };
    let trusted = request.extensions().get::<Trusted>().cloned();
    let principal = match trusted {
        Some(Trusted(principal)) => Ok((principal, None)),
        None => authenticate::principal(panel, request.headers()).await,
    };
    let (principal, by_cookie) = match principal {
        Ok(found) => found,
        Err(problem) => {
            refused(panel, &Principal::Anyone, door, &problem).await;
            return Err(problem);
        }
    };
    if let Err(problem) = may_pass(door, &principal) {
        refused(panel, &principal, door, &problem).await;
        return Err(problem);
    }
    if door.versioned && !request.headers().contains_key(http::header::IF_MATCH) {
        return Err(Problem::precondition_required());
    }
    if let Some(by_cookie) = by_cookie {
        if !request.method().is_safe() && !door.form && !sends_csrf(&by_cookie, request) {
            let problem = Problem::new(
                http::StatusCode::FORBIDDEN,
                "csrf_token_wrong",
                "changes by a browser need the header `x-csrf-token`: GET /api/v1/session says which",
            );
            refused(panel, &principal, door, &problem).await;
            return Err(problem);
        }
        request.extensions_mut().insert(by_cookie);
    }
    request.extensions_mut().insert(principal);
    Ok(())
}

fn sends_csrf(by_cookie: &authenticate::ByCookie, request: &Request) -> bool {
    let sent = request.headers().get(authenticate::CSRF).and_then(|value| value.to_str().ok());
    sent.is_some_and(|sent| by_cookie.fits(sent))
}

fn may_pass(door: &Door, principal: &Principal) -> Result<(), Problem> {
    let allowed = match (door.may, principal) {
        (May::Anyone, _)
        | (May::Proxy, Principal::Proxy { .. })
        | (May::AgentOr(_), Principal::Agent { .. }) => true,
        (May::Person(least) | May::AgentOr(least), Principal::Person { role, .. }) => {
            *role >= least
        }
        _ => false,
    };
    if allowed {
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

async fn refused(panel: &Panel, principal: &Principal, door: &Door, problem: &Problem) {
    let target = format!("{} {}", door.method, door.path);
    let detail = serde_json::json!({"status": problem.status, "code": problem.code});
    audit::refusal(panel, &principal.actor(), "access.refused", &target, detail).await;
}
