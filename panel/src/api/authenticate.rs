//! Who asks: a person's session or a proxy's credential, found by its hash.

use http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use sqlx::Row;

use super::access::{Principal, Role};
use super::problem::Problem;
use crate::panel::Panel;

/// What a proxy's credential begins with.
pub const PROXY: &str = "iron_proxy_";
/// What the token of a person's terminal begins with.
pub const PERSON: &str = "iron_user_";

/// What an agent's token begins with: the other two do as well, and are told apart first.
const AGENT: &str = iron_policy::token::PREFIX;

/// What is kept of a credential: it has 256 random bits, so one round of a fast hash is enough.
pub fn hash(credential: &str) -> Vec<u8> {
    Sha256::digest(credential.as_bytes()).to_vec()
}

/// Who sent this. A credential that is none is refused, whatever the route.
pub async fn principal(panel: &Panel, headers: &HeaderMap) -> Result<Principal, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(Principal::Anyone);
    };
    let credential = value.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
    let found = match credential.map(str::trim) {
        Some(token) if token.starts_with(PERSON) => person(panel, token).await?,
        Some(token) if token.starts_with(PROXY) => proxy(panel, token).await?,
        Some(token) if token.starts_with(AGENT) => crate::tokens::holder(panel, token).await?,
        _ => None,
    };
    found.ok_or_else(|| {
        Problem::unauthenticated("this credential is not valid (any more): run `iron login` again")
    })
}

async fn person(panel: &Panel, token: &str) -> Result<Option<Principal>, Problem> {
    let row = sqlx::query(
        "SELECT person.id, person.name, person.role, session.id FROM session
         JOIN person ON person.id = session.person
         WHERE session.hash = $1 AND session.kind = 'machine' AND session.expires_at > $2
           AND person.disabled = 0",
    )
    .bind(hash(token))
    .bind(panel.clock.now_ms())
    .fetch_optional(panel.store.pool())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let id: String = row.try_get(0)?;
    let role: String = row.try_get(2)?;
    let Some(role) = Role::named(&role) else { return Ok(None) };
    let projects = sqlx::query("SELECT project FROM member WHERE person = $1 LIMIT 10000")
        .bind(id.clone())
        .fetch_all(panel.store.pool())
        .await?;
    let projects = projects.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    Ok(Some(Principal::Person {
        id,
        name: row.try_get(1)?,
        role,
        session: row.try_get(3)?,
        projects,
    }))
}

async fn proxy(panel: &Panel, token: &str) -> Result<Option<Principal>, Problem> {
    let row = sqlx::query("SELECT name FROM proxy WHERE hash = $1 AND removed_at IS NULL")
        .bind(hash(token))
        .fetch_optional(panel.store.pool())
        .await?;
    row.map(|row| Ok(Principal::Proxy { name: row.try_get(0)? })).transpose()
}
