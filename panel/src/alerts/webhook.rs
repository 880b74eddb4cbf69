//! Webhooks: where the panel tells what it tells, and what is still to be told.

use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::sign::Secret;
use crate::api::access::Principal;
use crate::api::time;
use crate::audit;
use crate::events::Kind;
use crate::keys::Place;
use crate::panel::Panel;
use crate::store::{StoreError, id};

/// The kinds of events that webhooks are told of.
pub const KINDS: [&str; 4] =
    ["budget_alert", "budget_overrun", "budget_request", "lease_reclaimed"];
/// Webhooks that there may be.
const MOST: i64 = 50;

/// Somewhere to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// `whk_…`.
    pub id: String,
    /// Where.
    pub url: String,
    /// Which of [`KINDS`]; all where it is empty.
    pub events: Vec<String>,
    /// Whether nothing is sent.
    pub disabled: bool,
    /// When it was made, in Unix milliseconds.
    pub created_at: i64,
    /// Counts its changes.
    pub version: i64,
}

/// Why nothing was done about webhooks.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// It makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// There is none.
    #[error("there is no such webhook")]
    NotFound,
    /// It changed meanwhile: this is its version now.
    #[error("it was changed meanwhile")]
    Changed(i64),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for WebhookError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What is to change of a webhook.
#[derive(Debug, Clone, Default)]
pub struct WebhookChange {
    /// Where.
    pub url: Option<String>,
    /// Which of [`KINDS`].
    pub events: Option<Vec<String>>,
    /// Whether nothing is sent.
    pub disabled: Option<bool>,
}

/// Makes a webhook. Its secret is shown here and never again.
pub async fn create(
    panel: &Panel,
    principal: &Principal,
    url: &str,
    events: Vec<String>,
) -> Result<(Webhook, Secret), WebhookError> {
    check_url(panel, url)?;
    check_events(&events)?;
    let secret = Secret::random()?;
    let webhook = Webhook {
        id: id("whk"),
        url: url.to_owned(),
        events,
        disabled: false,
        created_at: panel.clock.now_ms(),
        version: 1,
    };
    let sealed = panel.master.seal(place(&webhook.id), secret.bytes())?;
    let mut tx = panel.store.begin().await?;
    let count = sqlx::query("SELECT COUNT(*) FROM webhook").fetch_one(&mut *tx).await?;
    if count.try_get::<i64, _>(0)? >= MOST {
        return Err(WebhookError::Invalid(format!("there are {MOST} webhooks: remove some")));
    }
    sqlx::query(
        "INSERT INTO webhook (id, url, events, wrapped, created_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(webhook.id.clone())
    .bind(webhook.url.clone())
    .bind(json!(webhook.events).to_string())
    .bind(sealed)
    .bind(webhook.created_at)
    .execute(&mut *tx)
    .await?;
    let detail = json!({ "host": host(url), "events": webhook.events });
    audit::record(panel, &mut tx, principal, "webhook.create", &webhook.id, detail).await?;
    tx.commit().await?;
    Ok((webhook, secret))
}

/// Changes a webhook that has this version, where one is named.
pub async fn update(
    panel: &Panel,
    principal: &Principal,
    webhook: &str,
    version: Option<i64>,
    change: WebhookChange,
) -> Result<Webhook, WebhookError> {
    let mut tx = panel.store.begin().await?;
    let mut found = held(&mut tx, webhook, version).await?;
    if let Some(url) = change.url {
        check_url(panel, &url)?;
        found.url = url;
    }
    if let Some(events) = change.events {
        check_events(&events)?;
        found.events = events;
    }
    found.disabled = change.disabled.unwrap_or(found.disabled);
    found.version = found.version.saturating_add(1);
    sqlx::query(
        "UPDATE webhook SET url = $2, events = $3, disabled = $4, version = $5 WHERE id = $1",
    )
    .bind(found.id.clone())
    .bind(found.url.clone())
    .bind(json!(found.events).to_string())
    .bind(i64::from(found.disabled))
    .bind(found.version)
    .execute(&mut *tx)
    .await?;
    let detail =
        json!({ "host": host(&found.url), "events": found.events, "disabled": found.disabled });
    audit::record(panel, &mut tx, principal, "webhook.update", &found.id, detail).await?;
    tx.commit().await?;
    Ok(found)
}

/// Removes a webhook, and what was to be sent to it.
pub async fn remove(
    panel: &Panel,
    principal: &Principal,
    webhook: &str,
    version: Option<i64>,
) -> Result<(), WebhookError> {
    let mut tx = panel.store.begin().await?;
    let found = held(&mut tx, webhook, version).await?;
    for sql in ["DELETE FROM delivery WHERE webhook = $1", "DELETE FROM webhook WHERE id = $1"] {
        sqlx::query(sql).bind(found.id.clone()).execute(&mut *tx).await?;
    }
    let detail = json!({ "host": host(&found.url) });
    audit::record(panel, &mut tx, principal, "webhook.remove", &found.id, detail).await?;
    tx.commit().await?;
    Ok(())
}

/// The webhook of this id.
pub async fn find(
    connection: &mut AnyConnection,
    webhook: &str,
) -> Result<Option<Webhook>, StoreError> {
    let row = sqlx::query(
        "SELECT id, url, events, disabled, created_at, version FROM webhook WHERE id = $1",
    )
    .bind(webhook.to_owned())
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(Webhook::of).transpose()
}

/// The webhooks behind the one with the id `after`, oldest first.
pub async fn list(
    connection: &mut AnyConnection,
    after: &str,
    limit: i64,
) -> Result<Vec<Webhook>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, url, events, disabled, created_at, version FROM webhook
         WHERE id > $1 ORDER BY id LIMIT $2",
    )
    .bind(after.to_owned())
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter().map(Webhook::of).collect()
}

/// Notes what webhooks are to be told of these events, in the transaction of what they tell of.
pub(super) async fn enqueue(
    panel: &Panel,
    tx: &mut AnyConnection,
    news: &[Kind],
) -> Result<(), StoreError> {
    let told: Vec<_> = news.iter().filter_map(|news| Some((kind(news)?, news))).collect();
    if told.is_empty() {
        return Ok(());
    }
    let all = list(&mut *tx, "", MOST).await?;
    for (kind, news) in told {
        let written = serde_json::to_value(news).unwrap_or_default();
        for webhook in all.iter().filter(|webhook| webhook.wants(kind)) {
            add(panel, &mut *tx, &webhook.id, kind, &written["body"]).await?;
        }
    }
    Ok(())
}

/// Notes one message to one webhook, due at once; its id.
pub(super) async fn add(
    panel: &Panel,
    tx: &mut AnyConnection,
    webhook: &str,
    kind: &str,
    data: &serde_json::Value,
) -> Result<String, StoreError> {
    let (delivery, now) = (id("msg"), panel.clock.now_ms());
    let body = json!({ "type": kind, "timestamp": time::text(now), "data": data });
    sqlx::query(
        "INSERT INTO delivery (id, webhook, event, body, created_at, next_at)
         VALUES ($1, $2, $3, $4, $5, $5)",
    )
    .bind(delivery.clone())
    .bind(webhook.to_owned())
    .bind(kind.to_owned())
    .bind(body.to_string())
    .bind(now)
    .execute(tx)
    .await?;
    Ok(delivery)
}

/// The name under which webhooks are told of an event; none where they are not.
fn kind(news: &Kind) -> Option<&'static str> {
    match news {
        Kind::Lease(lease) => (lease.state == "reclaimed").then_some("lease_reclaimed"),
        news => KINDS.into_iter().find(|kind| *kind == news.name()),
    }
}

/// Where a webhook's secret stands.
pub(super) fn place(webhook: &str) -> Place<'_> {
    Place { kind: "webhook", row: webhook, version: 0 }
}

impl Webhook {
    fn of(row: &AnyRow) -> Result<Self, StoreError> {
        let events: String = row.try_get(2)?;
        let id: String = row.try_get(0)?;
        Ok(Self {
            url: row.try_get(1)?,
            events: serde_json::from_str(&events)
                .map_err(|_| StoreError::Damaged(format!("webhook {id}")))?,
            disabled: row.try_get::<i64, _>(3)? != 0,
            created_at: row.try_get(4)?,
            version: row.try_get(5)?,
            id,
        })
    }

    fn wants(&self, kind: &str) -> bool {
        !self.disabled && (self.events.is_empty() || self.events.iter().any(|own| own == kind))
    }
}

async fn held(
    tx: &mut AnyConnection,
    webhook: &str,
    version: Option<i64>,
) -> Result<Webhook, WebhookError> {
    sqlx::query("UPDATE webhook SET version = version WHERE id = $1")
        .bind(webhook.to_owned())
        .execute(&mut *tx)
        .await?;
    let found = find(tx, webhook).await?.ok_or(WebhookError::NotFound)?;
    match version {
        Some(version) if version != found.version => Err(WebhookError::Changed(found.version)),
        _ => Ok(found),
    }
}

/// The host of an address, for the audit log: a path may hold a secret of the receiver's.
fn host(url: &str) -> String {
    url.parse::<http::Uri>()
        .ok()
        .and_then(|uri| uri.host().map(ToOwned::to_owned))
        .unwrap_or_default()
}

fn check_url(panel: &Panel, url: &str) -> Result<(), WebhookError> {
    let invalid = |text: &str| Err(WebhookError::Invalid(text.to_owned()));
    let uri = url.parse::<http::Uri>().ok().filter(|uri| {
        url.len() <= 1_000
            && matches!(uri.scheme_str(), Some("https" | "http"))
            && uri.host().is_some_and(|host| !host.is_empty())
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && !url.contains('#')
    });
    let Some(uri) = uri else {
        return invalid(
            "url is no address that can be sent to: write it like https://example.org/hook, without \
             a name and a password in it",
        );
    };
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    let named = panel.settings.webhook_hosts.contains(&host);
    if uri.scheme_str() == Some("http") && !named {
        return invalid(
            "url is not encrypted: write https://, or name the host in [panel] webhook_hosts",
        );
    }
    Ok(())
}

fn check_events(events: &[String]) -> Result<(), WebhookError> {
    match events.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
        None if events.len() <= KINDS.len() => Ok(()),
        None => Err(WebhookError::Invalid("events names one twice".to_owned())),
        Some(other) => Err(WebhookError::Invalid(format!(
            "events: webhooks are not told of {other:.40}; choose from {}",
            KINDS.join(", ")
        ))),
    }
}
