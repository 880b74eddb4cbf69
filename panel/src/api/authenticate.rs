//! Who asks: a person's session or a proxy's credential, found by its hash.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, header};
use iron_policy::config::Panel as Settings;
use sha2::{Digest, Sha256};
use sqlx::Row;

use super::access::{Principal, Role};
use super::problem::Problem;
use crate::identity::sessions;
use crate::panel::Panel;
use crate::reach::is_secure;

/// What a proxy's credential begins with.
pub const PROXY: &str = "iron_proxy_";
/// What the token of a person's terminal begins with.
pub const PERSON: &str = "iron_user_";
/// What a browser sends with each change, besides its cookie.
pub const CSRF: &str = "x-csrf-token";
/// How often it is written down that a session is used, in milliseconds.
const NOTED: i64 = 60_000;

/// What an agent's token begins with: the other two do as well, and are told apart first.
const AGENT: &str = iron_policy::token::PREFIX;

/// What is kept of a credential: it has 256 random bits, so one round of a fast hash is enough.
pub fn hash(credential: &str) -> Vec<u8> {
    Sha256::digest(credential.as_bytes()).to_vec()
}

/// The name of the cookie: over TLS browsers take it from this very host alone.
pub fn cookie_name(settings: &Settings) -> &'static str {
    if is_secure(settings) { "__Host-iron" } else { "iron" }
}

/// The browser's session by which a request came. Only there where it came by a cookie.
#[derive(Debug, Clone)]
pub struct ByCookie {
    /// What it must send in [`CSRF`] with each change.
    pub csrf: String,
}

impl ByCookie {
    /// Whether this is the session's CSRF token.
    pub fn fits(&self, csrf: &str) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.csrf.as_bytes(), csrf.as_bytes()).into()
    }
}

/// [`ByCookie`], or nothing.
#[derive(Debug, Clone)]
pub struct MaybeCookie(pub Option<ByCookie>);

impl<S: Send + Sync> FromRequestParts<S> for MaybeCookie {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(parts.extensions.get::<ByCookie>().cloned()))
    }
}

/// Who sent this. A credential that is none is refused, whatever the route; a cookie that is none (any
/// more) is nobody's.
pub async fn principal(
    panel: &Panel,
    headers: &HeaderMap,
) -> Result<(Principal, Option<ByCookie>), Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        let Some(cookie) = cookie(&panel.settings, headers) else {
            return Ok((Principal::Anyone, None));
        };
        let by_cookie = ByCookie { csrf: sessions::csrf(panel, &hash(cookie)) };
        let person = person(panel, cookie, "browser").await?;
        return Ok(person.map_or((Principal::Anyone, None), |person| (person, Some(by_cookie))));
    };
    let credential = value.to_str().ok().and_then(|text| {
        let (scheme, credential) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| credential.trim())
    });
    let found = match credential {
        Some(token) if token.starts_with(PERSON) => person(panel, token, "machine").await?,
        Some(token) if token.starts_with(PROXY) => proxy(panel, token).await?,
        Some(token) if token.starts_with(AGENT) => crate::tokens::holder(panel, token).await?,
        _ => None,
    };
    let refused = || {
        Problem::unauthenticated("this credential is not valid (any more): run `iron login` again")
    };
    Ok((found.ok_or_else(refused)?, None))
}

fn cookie<'a>(settings: &Settings, headers: &'a HeaderMap) -> Option<&'a str> {
    let name = cookie_name(settings);
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(own, _)| own.trim() == name).map(|(_, value)| value.trim())
}

async fn person(panel: &Panel, token: &str, kind: &str) -> Result<Option<Principal>, Problem> {
    let now = panel.clock.now_ms();
    let row = sqlx::query(
        "SELECT person.id, person.name, person.role, session.id, session.used_at FROM session
         JOIN person ON person.id = session.person
         WHERE session.hash = $1 AND session.kind = $2 AND session.expires_at > $3
           AND (session.kind = 'machine' OR session.used_at > $4) AND person.disabled = 0",
    )
    .bind(hash(token))
    .bind(kind.to_owned())
    .bind(now)
    .bind(now - sessions::IDLE)
    .fetch_optional(panel.store.pool())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let id: String = row.try_get(0)?;
    let role: String = row.try_get(2)?;
    let Some(role) = Role::named(&role) else { return Ok(None) };
    let session: String = row.try_get(3)?;
    if row.try_get::<i64, _>(4)? < now - NOTED {
        sqlx::query("UPDATE session SET used_at = $1 WHERE id = $2")
            .bind(now)
            .bind(session.clone())
            .execute(panel.store.pool())
            .await?;
    }
    let projects = sqlx::query("SELECT project FROM member WHERE person = $1 LIMIT 10000")
        .bind(id.clone())
        .fetch_all(panel.store.pool())
        .await?;
    let projects = projects.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    Ok(Some(Principal::Person { id, name: row.try_get(1)?, role, session, projects }))
}

async fn proxy(panel: &Panel, token: &str) -> Result<Option<Principal>, Problem> {
    let row = sqlx::query("SELECT name FROM proxy WHERE hash = $1 AND removed_at IS NULL")
        .bind(hash(token))
        .fetch_optional(panel.store.pool())
        .await?;
    row.map(|row| Ok(Principal::Proxy { name: row.try_get(0)? })).transpose()
}
