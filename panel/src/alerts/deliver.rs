//! Delivering what webhooks are to be told, by one replica at a time.
//!
//! A message is sent until somebody answers with a status of 2xx: at once, and then after longer and
//! longer pauses, [`PAUSES`], for about a day. It may arrive twice (the panel may be stopped between
//! the answer and its note of it); its `webhook-id` is the same then.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use http::StatusCode;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::send::{Message, Sender, TIMEOUT};
use super::sign::Secret;
use super::webhook::{self, WebhookError};
use crate::api::access::Principal;
use crate::audit;
use crate::panel::Panel;
use crate::store::{StoreError, id};

/// Pauses after the attempts but for the last, in milliseconds: eight attempts in about 23 hours.
pub const PAUSES: [i64; 7] = [5_000, 60_000, 300_000, 1_800_000, 7_200_000, 25_200_000, 50_400_000];
/// What this is called among the duties of replicas.
const DUTY: &str = "webhooks";
/// For how long a replica has the duty without another word, in milliseconds.
const DUTY_MS: i64 = 60_000;
/// Messages that are sent at once.
const AT_ONCE: usize = 8;
/// Messages of one round.
const ROUND: i64 = 32;
/// How long a message that is being sent is not due, in milliseconds: if nothing is noted of it until
/// then, whoever sent it is gone.
const CLAIM_MS: i64 = 60_000;
/// How often is looked when nobody says that there is something.
const LOOK: Duration = Duration::from_secs(5);
/// How long messages are kept that were delivered or given up, in milliseconds.
const KEPT_MS: i64 = 30 * 24 * 3_600_000;
// A round ends while its holder still has the duty.
const _: () =
    assert!(TIMEOUT.as_millis() * (ROUND as u128).div_ceil(AT_ONCE as u128) < DUTY_MS as u128);

/// A message, and how far it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// `msg_…`; the header `webhook-id`.
    pub id: String,
    /// The webhook.
    pub webhook: String,
    /// What it tells of.
    pub event: String,
    /// What it says.
    pub body: String,
    /// When it was noted, in Unix milliseconds.
    pub created_at: i64,
    /// How often it was sent.
    pub attempts: i64,
    /// When it is sent (again); none once it was delivered or given up.
    pub next_at: Option<i64>,
    /// When it was delivered.
    pub done_at: Option<i64>,
    /// The status of the last answer.
    pub status: Option<i64>,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

/// Delivers for as long as the panel runs. Of several replicas one does.
pub async fn run(panel: Panel) {
    let sender = match Sender::new(panel.settings.webhook_hosts.clone()) {
        Ok(sender) => sender,
        Err(error) => {
            tracing::error!(%error, "webhooks cannot be sent: TLS cannot be set up");
            return;
        }
    };
    let holder = id("holder");
    let mut woken = panel.wake.events();
    loop {
        match round(&panel, &sender, &holder).await {
            // There may be more.
            Ok(sent) if sent > 0 => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "webhooks could not be sent; trying again"),
        }
        let _ = tokio::time::timeout(LOOK, woken.changed()).await;
    }
}

/// Sends what is due, if this holder has the duty. Returns how many messages were tried.
pub async fn round(panel: &Panel, sender: &Sender, holder: &str) -> Result<usize, StoreError> {
    let now = panel.clock.now_ms();
    let due = sqlx::query(
        "SELECT id, webhook, event, body, created_at, attempts, next_at, done_at, status, error
         FROM delivery WHERE next_at <= $1 ORDER BY next_at LIMIT $2",
    )
    .bind(now)
    .bind(ROUND)
    .fetch_all(panel.store.pool())
    .await?;
    if due.is_empty() || !takes_duty(panel, holder, now).await? {
        return Ok(0);
    }
    let due: Vec<Delivery> = due.iter().map(Delivery::of).collect::<Result<_, _>>()?;
    let sent = stream::iter(due)
        .map(|delivery| async move { attempt(panel, sender, delivery).await })
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    let mut count = 0;
    for sent in sent {
        count += usize::from(sent?);
    }
    Ok(count)
}

/// Sends a message to see whether it arrives; how that went.
pub async fn test(
    panel: &Panel,
    principal: &Principal,
    webhook: &str,
) -> Result<Delivery, WebhookError> {
    let sender = Sender::new(panel.settings.webhook_hosts.clone())
        .map_err(|error| WebhookError::Invalid(error.to_string()))?;
    let mut tx = panel.store.begin().await?;
    if webhook::find(&mut tx, webhook).await?.is_none() {
        return Err(WebhookError::NotFound);
    }
    let text = serde_json::json!({ "text": "this is a test" });
    let delivery = webhook::add(panel, &mut tx, webhook, "test", &text).await?;
    // Sent here and once: nobody else is to find it.
    sqlx::query("UPDATE delivery SET next_at = NULL WHERE id = $1")
        .bind(delivery.clone())
        .execute(&mut *tx)
        .await?;
    let detail = serde_json::json!({ "delivery": delivery });
    audit::record(panel, &mut tx, principal, "webhook.test", webhook, detail).await?;
    tx.commit().await?;
    let mut connection = panel.store.pool().acquire().await?;
    let mut found = find(&mut connection, &delivery).await?.ok_or(WebhookError::NotFound)?;
    drop(connection);
    send(panel, &sender, &mut found).await?;
    (found.attempts, found.next_at) = (1, None);
    note(panel, &found).await?;
    Ok(found)
}

/// The messages of a webhook before the one with the id `before`, newest first; from the newest where
/// it is empty.
pub async fn deliveries(
    connection: &mut AnyConnection,
    webhook: &str,
    before: &str,
    limit: i64,
) -> Result<Vec<Delivery>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, webhook, event, body, created_at, attempts, next_at, done_at, status, error
         FROM delivery WHERE webhook = $1 AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3",
    )
    .bind(webhook.to_owned())
    .bind(before.to_owned())
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter().map(Delivery::of).collect()
}

/// Removes messages that were delivered or given up long ago.
pub async fn prune(panel: &Panel) -> Result<u64, StoreError> {
    let deleted = sqlx::query("DELETE FROM delivery WHERE next_at IS NULL AND created_at < $1")
        .bind(panel.clock.now_ms().saturating_sub(KEPT_MS))
        .execute(panel.store.pool())
        .await?;
    Ok(deleted.rows_affected())
}

/// Whether this holder has the duty now: nobody else, or nobody who was heard of lately.
async fn takes_duty(panel: &Panel, holder: &str, now: i64) -> Result<bool, StoreError> {
    let taken = sqlx::query(
        "INSERT INTO duty (name, holder, until) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
         WHERE duty.holder = excluded.holder OR duty.until < $4",
    )
    .bind(DUTY)
    .bind(holder.to_owned())
    .bind(now.saturating_add(DUTY_MS))
    .bind(now)
    .execute(panel.store.pool())
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// Sends one message, if nobody else does. Whether it was tried.
async fn attempt(
    panel: &Panel,
    sender: &Sender,
    mut delivery: Delivery,
) -> Result<bool, StoreError> {
    let now = panel.clock.now_ms();
    let claimed = sqlx::query(
        "UPDATE delivery SET next_at = $3, attempts = attempts + 1 WHERE id = $1 AND next_at = $2",
    )
    .bind(delivery.id.clone())
    .bind(delivery.next_at)
    .bind(now.saturating_add(CLAIM_MS))
    .execute(panel.store.pool())
    .await?;
    if claimed.rows_affected() != 1 {
        return Ok(false);
    }
    send(panel, sender, &mut delivery).await?;
    delivery.attempts = delivery.attempts.saturating_add(1);
    note(panel, &delivery).await?;
    Ok(true)
}

/// Sends a message now, and takes down how that went and when it is due again.
async fn send(panel: &Panel, sender: &Sender, delivery: &mut Delivery) -> Result<(), StoreError> {
    let row = sqlx::query("SELECT url, wrapped, disabled FROM webhook WHERE id = $1")
        .bind(delivery.webhook.clone())
        .fetch_optional(panel.store.pool())
        .await?;
    let Some(row) = row else {
        // It was removed meanwhile.
        delivery.next_at = None;
        return Ok(());
    };
    let (url, sealed): (String, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
    if row.try_get::<i64, _>(2)? != 0 && delivery.event != "test" {
        delivery.next_at = None;
        delivery.error = Some("the webhook is disabled".to_owned());
        return Ok(());
    }
    let place = webhook::place(&delivery.webhook);
    let secret = Secret::of(&panel.master.open(place, &sealed)?)
        .ok_or_else(|| StoreError::Damaged(place.to_string()))?;
    let timestamp = panel.clock.now_ms().div_euclid(1_000);
    let message = Message { id: &delivery.id, timestamp, body: &delivery.body };
    let answer = sender.send(&url, &secret, message).await;
    let now = panel.clock.now_ms();
    match answer {
        Ok(status) if status.is_success() => {
            delivery.done_at = Some(now);
            (delivery.status, delivery.error) = (Some(i64::from(status.as_u16())), None);
            delivery.next_at = None;
            return Ok(());
        }
        Ok(status) => {
            delivery.status = Some(i64::from(status.as_u16()));
            delivery.error = Some(format!("the answer was {}", status.as_u16()));
            // The specification's word for "never again".
            if status == StatusCode::GONE {
                delivery.next_at = None;
                disable(panel, &delivery.webhook).await?;
                return Ok(());
            }
        }
        Err(error) => (delivery.status, delivery.error) = (None, Some(error.to_string())),
    }
    let pause = usize::try_from(delivery.attempts).ok().and_then(|at| PAUSES.get(at));
    delivery.next_at = pause.map(|pause| now.saturating_add(*pause));
    Ok(())
}

/// Nothing more is sent to a webhook that said that it is gone.
async fn disable(panel: &Panel, webhook: &str) -> Result<(), StoreError> {
    let mut tx = panel.store.begin().await?;
    sqlx::query("UPDATE webhook SET disabled = 1, version = version + 1 WHERE id = $1")
        .bind(webhook.to_owned())
        .execute(&mut *tx)
        .await?;
    let detail = serde_json::json!({ "why": "it answered 410 Gone" });
    let entry =
        audit::Entry { actor: "system", action: "webhook.disable", target: webhook, detail };
    audit::write(panel, &mut tx, entry).await?;
    tx.commit().await?;
    Ok(())
}

/// Writes down how far a message came.
async fn note(panel: &Panel, delivery: &Delivery) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE delivery SET attempts = $2, next_at = $3, done_at = $4, status = $5, error = $6
         WHERE id = $1",
    )
    .bind(delivery.id.clone())
    .bind(delivery.attempts)
    .bind(delivery.next_at)
    .bind(delivery.done_at)
    .bind(delivery.status)
    .bind(delivery.error.clone())
    .execute(panel.store.pool())
    .await?;
    Ok(())
}

async fn find(
    connection: &mut AnyConnection,
    delivery: &str,
) -> Result<Option<Delivery>, StoreError> {
    let row = sqlx::query(
        "SELECT id, webhook, event, body, created_at, attempts, next_at, done_at, status, error
         FROM delivery WHERE id = $1",
    )
    .bind(delivery.to_owned())
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(Delivery::of).transpose()
}

impl Delivery {
    fn of(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.try_get(0)?,
            webhook: row.try_get(1)?,
            event: row.try_get(2)?,
            body: row.try_get(3)?,
            created_at: row.try_get(4)?,
            attempts: row.try_get(5)?,
            next_at: row.try_get(6)?,
            done_at: row.try_get(7)?,
            status: row.try_get(8)?,
            error: row.try_get(9)?,
        })
    }
}
