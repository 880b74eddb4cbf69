//! All budgets as a tree: organisation, projects, agents, tokens; and by model.
//!
//! A call is held to every budget that covers it, so no branch has to be less than what it hangs on;
//! but a budget above the one it hangs on can never be used up, which is worth a warning.

use std::collections::{BTreeMap, HashMap};

use iron_policy::budget::Scope;
use sqlx::{AnyConnection, Row};

use super::{Balance, Terms, balances, is_own, owner};
use crate::api::access::Principal;
use crate::store::StoreError;

/// Budgets in a tree at most.
const MOST: i64 = 2_000;

/// A scope, its budgets, and what is below it.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// The scope: `organisation`, `project:web`, …
    pub scope: String,
    /// Its budgets, each with its balance and what is odd about it.
    pub budgets: Vec<(Terms, Balance, Vec<String>)>,
    /// What is part of it, by name.
    pub children: BTreeMap<String, Node>,
}

/// The tree of what this person may see (see [`super::whose`]), and whether it was cut.
pub async fn tree(
    connection: &mut AnyConnection,
    person: &str,
    now_ms: i64,
) -> Result<(Node, bool), StoreError> {
    let mut all = Terms::list(&mut *connection, person, "", MOST + 1).await?;
    let most = usize::try_from(MOST).unwrap_or(usize::MAX);
    let cut = all.len() > most;
    all.truncate(most);
    let mut balances = balances(&mut *connection, &all, person, now_ms).await?;
    let parents = parents(&mut *connection, &all).await?;
    let limits: HashMap<(String, &str), i64> = all
        .iter()
        .map(|terms| ((terms.scope.to_string(), terms.window.name()), terms.limit.0))
        .collect();
    let mut root = Node { scope: "organisation".to_owned(), ..Node::default() };
    for terms in &all {
        let path = path(&terms.scope, &parents);
        let mut warnings = Vec::new();
        for above in path.iter().rev().skip(1) {
            if let Some(limit) = limits.get(&(above.clone(), terms.window.name())) {
                warnings.extend(warning(terms, above, *limit));
            }
        }
        let mut node = &mut root;
        for scope in path.into_iter().skip(1) {
            node = node
                .children
                .entry(scope.clone())
                .or_insert_with(|| Node { scope, ..Node::default() });
        }
        let balance = balances.remove(&terms.id).unwrap_or_default();
        node.budgets.push((terms.clone(), balance, warnings));
    }
    Ok((root, cut))
}

/// What is odd about a budget, seen from those above it that the caller may see: it can never be used
/// up.
pub async fn above(
    connection: &mut AnyConnection,
    principal: &Principal,
    terms: &Terms,
) -> Result<Vec<String>, StoreError> {
    let parents = parents(&mut *connection, std::slice::from_ref(terms)).await?;
    let path = path(&terms.scope, &parents);
    let mut warnings = Vec::new();
    for above in path.iter().rev().skip(1) {
        if !is_own(&mut *connection, principal, above).await? {
            continue;
        }
        let row = sqlx::query(
            "SELECT limit_nano FROM budget WHERE scope = $1 AND span = $2 AND removed_at IS NULL",
        )
        .bind(above.clone())
        .bind(terms.window.name())
        .fetch_optional(&mut *connection)
        .await?;
        if let Some(row) = row {
            warnings.extend(warning(terms, above, row.try_get(0)?));
        }
    }
    Ok(warnings)
}

fn warning(terms: &Terms, above: &str, limit: i64) -> Option<String> {
    (terms.limit.0 > limit).then(|| {
        format!(
            "{} may spend more than {above} above it: calls are refused where the lower one is used up",
            terms.scope
        )
    })
}

/// The scopes from the organisation down to this one.
fn path(scope: &Scope, parents: &HashMap<String, Vec<String>>) -> Vec<String> {
    let own = scope.to_string();
    let mut path = vec!["organisation".to_owned()];
    if own != "organisation" {
        path.extend(parents.get(&own).cloned().unwrap_or_default());
        path.push(own);
    }
    path
}

/// What stands between the organisation and each scope.
async fn parents(
    connection: &mut AnyConnection,
    all: &[Terms],
) -> Result<HashMap<String, Vec<String>>, StoreError> {
    let mut parents = HashMap::new();
    for terms in all {
        let scope = terms.scope.to_string();
        let between = match &terms.scope {
            Scope::Agent(_) | Scope::Token(_) => between(&mut *connection, &scope).await?,
            _ => continue,
        };
        parents.insert(scope, between);
    }
    Ok(parents)
}

async fn between(connection: &mut AnyConnection, scope: &str) -> Result<Vec<String>, StoreError> {
    let Some(project) = owner(&mut *connection, scope).await? else { return Ok(Vec::new()) };
    let mut between = vec![format!("project:{}", project.name)];
    if let Some(token) = scope.strip_prefix("token:") {
        let row = sqlx::query(
            "SELECT agent.name FROM token JOIN agent ON agent.id = token.agent WHERE token.id = $1",
        )
        .bind(token.to_owned())
        .fetch_optional(connection)
        .await?;
        if let Some(row) = row {
            between.push(format!("agent:{}", row.try_get::<String, _>(0)?));
        }
    }
    Ok(between)
}
