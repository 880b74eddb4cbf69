//! Which projects somebody sees, by the names that calls carry.

use std::collections::BTreeSet;

use sqlx::Row;

use crate::api::access::Principal;
use crate::panel::Panel;
use crate::store::{StoreError, places};

/// Which projects somebody sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// All, and what belongs to none.
    All,
    /// Those of these names.
    Projects(BTreeSet<String>),
}

impl Sight {
    /// What this principal sees.
    pub async fn of(panel: &Panel, principal: &Principal) -> Result<Self, StoreError> {
        Ok(match principal {
            _ if principal.sees_all() => Self::All,
            Principal::Person { projects, .. } => Self::Projects(names(panel, projects).await?),
            Principal::Agent { project, .. } => Self::Projects(BTreeSet::from([project.clone()])),
            _ => Self::Projects(BTreeSet::new()),
        })
    }

    /// Whether it is everything.
    pub const fn sees_all(&self) -> bool {
        matches!(self, Self::All)
    }

    /// Whether this project is among them.
    pub fn sees(&self, project: &str) -> bool {
        match self {
            Self::All => true,
            Self::Projects(names) => names.contains(project),
        }
    }
}

/// The names of the projects with these ids.
async fn names(panel: &Panel, ids: &[String]) -> Result<BTreeSet<String>, StoreError> {
    let mut names = BTreeSet::new();
    for ids in ids.chunks(100) {
        let sql = format!("SELECT name FROM project WHERE id IN {}", places(1, ids.len()));
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql)).persistent(false);
        for id in ids {
            query = query.bind(id.clone());
        }
        for row in query.fetch_all(panel.store.pool()).await? {
            names.insert(row.try_get(0)?);
        }
    }
    Ok(names)
}
