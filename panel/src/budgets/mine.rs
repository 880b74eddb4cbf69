//! What somebody's own budgets are: those that an agent's calls are held to, by name, or those of a
//! person's projects.

use sqlx::AnyConnection;

use super::{Terms, is_own, whose};
use crate::api::access::Principal;
use crate::store::StoreError;

/// Budgets that are shown at most.
const MOST: i64 = 200;

/// The caller's own budgets, each with the account that is meant.
pub async fn mine(
    connection: &mut AnyConnection,
    principal: &Principal,
) -> Result<Vec<(Terms, String)>, StoreError> {
    let Principal::Agent { agent, project, token } = principal else {
        let mut own = Vec::new();
        for terms in Terms::list(&mut *connection, &whose(principal), "", MOST).await? {
            let scope = terms.scope.to_string();
            if terms.scope.opens(&scope) && is_own(&mut *connection, principal, &scope).await? {
                own.push((terms, scope));
            }
        }
        return Ok(own);
    };
    let accounts =
        [format!("project:{project}"), format!("agent:{agent}"), format!("token:{token}")];
    let mut own = Vec::new();
    for (account, each) in accounts.iter().zip(["project:*", "agent:*", "token:*"]) {
        let rows = sqlx::query(
            "SELECT id, scope, span, zone, limit_nano, clamp, removed_at, version FROM budget
             WHERE removed_at IS NULL AND (scope = $1 OR scope = $2) ORDER BY id LIMIT $3",
        )
        .bind(account.clone())
        .bind(each)
        .bind(MOST)
        .fetch_all(&mut *connection)
        .await?;
        for row in &rows {
            own.push((Terms::of(row)?, account.clone()));
        }
    }
    Ok(own)
}
