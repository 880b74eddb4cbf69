//! What changed since a proxy last asked, with a long poll.
//!
//! Marks are read before what they count: what a proxy is given is at least as new as the marks it is
//! told, so that nothing is missed, and at worst something comes twice. Whoever waits is woken by
//! `panel.wake`, and looks by itself every second besides: a replica whose connection to the
//! database's channel is broken is late by that second and no more.

use std::time::Duration;

use iron_policy::control::{Changes, Known, Marks};
use sqlx::AnyConnection;
use tokio::time::{Instant, timeout_at};

use super::sealed::SealTo;
use super::{Listed, find, parts};
use crate::keys::signing;
use crate::panel::Panel;
use crate::store::StoreError;

/// The longest that a poll waits for a change.
pub const LONGEST_WAIT: Duration = Duration::from_secs(25);
/// How often whoever waits looks without being woken.
const LOOK: Duration = Duration::from_secs(1);
/// How much a proxy may say of itself, in bytes.
const LONGEST_NAME: usize = 200;

/// Why a proxy gets no answer.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The database, or a key.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What it says of itself makes no sense.
    #[error("{0}")]
    Invalid(&'static str),
    /// It was removed.
    #[error("the proxy {0} was removed from this panel")]
    Removed(String),
}

impl From<sqlx::Error> for FeedError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What is newer than what this proxy holds; waits for something where nothing is.
pub async fn changes(panel: &Panel, proxy: &str, known: &Known) -> Result<Changes, FeedError> {
    let seal_to = SealTo::read(&known.seal_to)
        .ok_or(FeedError::Invalid("seal_to is not base64 of an X25519 public key"))?;
    if known.version.len() > LONGEST_NAME
        || known.listens.as_ref().is_some_and(|listens| listens.len() > LONGEST_NAME)
    {
        return Err(FeedError::Invalid("version and listens have 200 bytes at most"));
    }
    let deadline = Instant::now() + Duration::from_millis(known.wait_ms).min(LONGEST_WAIT);
    let mut woken = panel.wake.parts();
    seen(panel, proxy, known).await?;
    loop {
        woken.borrow_and_update();
        crate::tokens::retire_due(panel).await?;
        let mut connection = panel.store.pool().acquire().await?;
        let marks = parts::marks(&mut connection).await?;
        if marks != known.marks || Instant::now() >= deadline {
            let own = find(&mut connection, proxy).await?;
            let own = own.ok_or_else(|| FeedError::Removed(proxy.to_owned()))?;
            return Ok(collect(panel, &mut connection, &own, known.marks, marks, &seal_to).await?);
        }
        // Nobody holds a connection while waiting.
        drop(connection);
        let look = deadline.min(Instant::now() + LOOK);
        // Woken, or not: it looks again. The sender is the panel's own and outlives this.
        let _ = timeout_at(look, woken.changed()).await;
    }
}

async fn collect(
    panel: &Panel,
    connection: &mut AnyConnection,
    proxy: &Listed,
    known: Marks,
    marks: Marks,
    seal_to: &SealTo,
) -> Result<Changes, StoreError> {
    let mut changes = Changes {
        marks,
        now_ms: panel.clock.now_ms(),
        issuer: signing::issuer(connection).await?,
        ..Changes::default()
    };
    if marks.policy != known.policy {
        changes.policy = parts::policy(connection).await?;
    }
    if marks.budgets != known.budgets {
        changes.budgets = Some(parts::budgets(connection).await?);
    }
    if marks.keys != known.keys {
        changes.keys = Some(signing::jwks(&signing::published(panel, connection).await?));
    }
    if marks.secrets != known.secrets {
        let secrets = parts::secrets(panel, connection, &proxy.upstreams, seal_to).await?;
        changes.secrets = Some(secrets);
    }
    if marks.revocations != known.revocations {
        changes.revocations = Some(parts::revocations(panel, connection).await?);
    }
    if marks.stops != known.stops {
        changes.stops = Some(parts::stops(connection).await?);
    }
    Ok(changes)
}

/// Remembers that a proxy asked: where what it says is new, and every ten seconds.
async fn seen(panel: &Panel, proxy: &str, known: &Known) -> Result<(), StoreError> {
    let now = panel.clock.now_ms();
    let marks = serde_json::to_string(&known.marks).unwrap_or_default();
    let mut connection = panel.store.pool().acquire().await?;
    let listens = known.listens.clone().unwrap_or_default();
    let stale = sqlx::query(
        "SELECT 1 FROM proxy WHERE name = $1 AND removed_at IS NULL AND
           (seen_at IS NULL OR seen_at < $2 OR marks <> $3 OR version <> $4
            OR COALESCE(listens, '') <> $5)",
    )
    .bind(proxy.to_owned())
    .bind(now - 10_000)
    .bind(marks.clone())
    .bind(known.version.clone())
    .bind(listens)
    .fetch_optional(&mut *connection)
    .await?;
    if stale.is_some() {
        sqlx::query(
            "UPDATE proxy SET seen_at = $1, marks = $2, version = $3, listens = $4 WHERE name = $5",
        )
        .bind(now)
        .bind(marks)
        .bind(known.version.clone())
        .bind(known.listens.clone())
        .bind(proxy.to_owned())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
