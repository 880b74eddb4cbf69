//! Sessions: of browsers, by a cookie, and of terminals, by a bearer token. The database holds a hash
//! of either.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::credential;
use crate::api::authenticate::{self, hash};
use crate::api::problem::Problem;
use crate::audit::{Entry, write};
use crate::keys::hmac;
use crate::panel::Panel;
use crate::store::{StoreError, id};

/// How long a browser's session lasts at most, in milliseconds.
const BROWSER: i64 = 7 * 86_400_000;
/// After so many milliseconds without a request a browser's session ends.
pub const IDLE: i64 = 12 * 3_600_000;
/// How long a terminal's session lasts, in milliseconds.
const MACHINE: i64 = 30 * 86_400_000;
/// Sessions of one person at most: the oldest end for new ones.
const MOST: i64 = 50;

/// What carries a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Carrier {
    /// A browser, by a cookie.
    #[default]
    Browser,
    /// A terminal or a program, by a bearer token.
    Machine,
}

impl Carrier {
    /// The name in the API and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Machine => "machine",
        }
    }

    /// How long its sessions last, in milliseconds.
    pub const fn lasts(self) -> i64 {
        match self {
            Self::Browser => BROWSER,
            Self::Machine => MACHINE,
        }
    }
}

/// A session that was just begun.
pub struct Begun {
    /// Its id.
    pub id: String,
    /// The cookie's value or the bearer token: it is not kept anywhere.
    pub credential: Zeroizing<String>,
    /// What carries it.
    pub carrier: Carrier,
    /// When it ends, in Unix milliseconds.
    pub expires_at: i64,
}

/// Begins a session of somebody, and writes it down.
pub async fn begin(
    panel: &Panel,
    connection: &mut AnyConnection,
    person: &str,
    carrier: Carrier,
    label: &str,
) -> Result<Begun, Problem> {
    let prefix = match carrier {
        Carrier::Browser => "",
        Carrier::Machine => authenticate::PERSON,
    };
    let credential = credential(prefix)?;
    let (session, now) = (id("ses"), panel.clock.now_ms());
    let expires_at = now + carrier.lasts();
    sqlx::query(
        "DELETE FROM session WHERE person = $1 AND id NOT IN
             (SELECT id FROM session WHERE person = $1 ORDER BY used_at DESC, id DESC LIMIT $2)",
    )
    .bind(person.to_owned())
    .bind(MOST - 1)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO session (hash, id, person, kind, label, created_at, expires_at, used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $6)",
    )
    .bind(hash(&credential))
    .bind(session.clone())
    .bind(person.to_owned())
    .bind(carrier.name())
    .bind(label.to_owned())
    .bind(now)
    .bind(expires_at)
    .execute(&mut *connection)
    .await?;
    let detail = serde_json::json!({"carrier": carrier, "session": session});
    let entry = Entry { actor: person, action: "session.begin", target: person, detail };
    write(panel, connection, entry).await?;
    Ok(Begun { id: session, credential, carrier, expires_at })
}

/// Removes sessions that have ended, and invitations that nobody followed.
pub async fn prune(panel: &Panel) -> Result<(), StoreError> {
    for query in [
        "DELETE FROM session WHERE expires_at < $1",
        "DELETE FROM invitation WHERE expires_at < $1",
    ] {
        let now = panel.clock.now_ms();
        panel
            .store
            .retry(|| async {
                sqlx::query(query).bind(now).execute(panel.store.pool()).await?;
                Ok(())
            })
            .await?;
    }
    Ok(())
}

/// Ends all sessions of somebody, but for one, and the logins from terminals that they approved and that
/// are no sessions yet.
pub async fn end_all(
    connection: &mut AnyConnection,
    person: &str,
    but: &str,
) -> Result<(), Problem> {
    sqlx::query("DELETE FROM session WHERE person = $1 AND id <> $2")
        .bind(person.to_owned())
        .bind(but.to_owned())
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM device_login WHERE person = $1")
        .bind(person.to_owned())
        .execute(connection)
        .await?;
    Ok(())
}

/// What a browser must send in `x-csrf-token` with each change: made of the session, so that nothing
/// is kept of it. A page of another origin can have the cookie sent, but cannot read this.
pub fn csrf(panel: &Panel, session_hash: &[u8]) -> String {
    let mut mac = hmac(&panel.master.derive("csrf"));
    mac.update(session_hash);
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}
