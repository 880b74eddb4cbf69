//! Whose a budget or an account is: the project that its scope's name belongs to.

use iron_policy::budget::Scope;
use sqlx::{AnyConnection, Row};

use crate::api::access::Principal;
use crate::store::StoreError;

/// A condition: this column's scope or account belongs to a project of which the person at this
/// placeholder is a member; an empty text there stands for whoever sees all.
macro_rules! own {
    ($person:literal, $column:literal) => {
        concat!(
            "(",
            $person,
            " = ''
              OR EXISTS (SELECT 1 FROM member JOIN agent ON agent.project = member.project
                WHERE member.person = ",
            $person,
            " AND ",
            $column,
            " = 'agent:' || agent.name)
              OR EXISTS (SELECT 1 FROM member JOIN project ON project.id = member.project
                WHERE member.person = ",
            $person,
            " AND ",
            $column,
            " = 'project:' || project.name)
              OR EXISTS (SELECT 1 FROM member JOIN agent ON agent.project = member.project
                JOIN token ON token.agent = agent.id
                WHERE member.person = ",
            $person,
            " AND ",
            $column,
            " = 'token:' || token.id))"
        )
    };
}
pub(crate) use own;

/// The project of a scope; none where only admins are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// `prj_…`.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// The project that an account, or a scope of one name, belongs to. What covers several projects, or
/// names nothing that the panel knows, belongs to none.
pub async fn owner(
    connection: &mut AnyConnection,
    account: &str,
) -> Result<Option<Project>, StoreError> {
    let Some((kind, name)) = account.split_once(':') else { return Ok(None) };
    let sql = match kind {
        "project" => "SELECT id, name FROM project WHERE name = $1",
        "agent" => {
            "SELECT project.id, project.name FROM agent JOIN project ON project.id = agent.project
             WHERE agent.name = $1"
        }
        "token" => {
            "SELECT project.id, project.name FROM token JOIN agent ON agent.id = token.agent
             JOIN project ON project.id = agent.project WHERE token.id = $1"
        }
        _ => return Ok(None),
    };
    let row = sqlx::query(sql).bind(name.to_owned()).fetch_optional(connection).await?;
    row.map(|row| Ok(Project { id: row.try_get(0)?, name: row.try_get(1)? })).transpose()
}

/// Whose memberships decide what a query shows: a person's id, or an empty text for whoever sees all.
pub fn whose(principal: &Principal) -> String {
    match principal {
        _ if principal.sees_all() => String::new(),
        Principal::Person { id, .. } => id.clone(),
        // Nobody's.
        _ => "-".to_owned(),
    }
}

/// Whether somebody may see, or with the role for it change, what has this scope.
pub async fn is_own(
    connection: &mut AnyConnection,
    principal: &Principal,
    scope: &str,
) -> Result<bool, StoreError> {
    match principal {
        _ if principal.sees_all() => Ok(true),
        Principal::Person { .. } => {
            Ok(owner(connection, scope).await?.is_some_and(|project| principal.sees(&project.id)))
        }
        Principal::Agent { agent, project, token } => Ok(match scope.parse() {
            Ok(Scope::Agent(_)) => scope == format!("agent:{agent}"),
            Ok(Scope::Project(_)) => scope == format!("project:{project}"),
            Ok(Scope::Token(_)) => scope == format!("token:{token}"),
            _ => false,
        }),
        _ => Ok(false),
    }
}
