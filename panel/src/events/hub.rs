//! Reads what is new once for all live views of this process, and listens to what other replicas say.
//!
//! PostgreSQL tells by NOTIFY that there is something to look at; what it says is never taken for more
//! than that. Where nothing is heard (SQLite, a connection that broke), the database is looked at once
//! a second.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgListener;
use tokio::sync::broadcast;

use super::{EVENT, Event, StoreError, after};
use crate::panel::Panel;
use crate::store::{CHANNEL, Engine};

/// How many events a live view may be behind before it is cut off.
const ROOM: usize = 1_024;
/// Events read at once.
const PAGE: i64 = 500;
/// How often to look where nobody tells.
const LOOK: Duration = Duration::from_secs(1);
/// How often to look where PostgreSQL tells: for what was said while nobody listened.
const LOOK_ANYWAY: Duration = Duration::from_secs(15);

/// Where live views of this process get events from.
#[derive(Debug)]
pub struct Hub {
    out: broadcast::Sender<Arc<Event>>,
    /// The last event that was handed out.
    last: AtomicI64,
    /// How old it was then, in milliseconds.
    lag: AtomicI64,
    /// Whether the database tells of what other replicas do.
    listening: AtomicBool,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            out: broadcast::Sender::new(ROOM),
            last: AtomicI64::new(-1),
            lag: AtomicI64::new(0),
            listening: AtomicBool::new(false),
        }
    }
}

impl Hub {
    /// Everything that happens from now on, as soon as it is committed.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.out.subscribe()
    }

    /// How old the last event was when it was handed out, in milliseconds.
    pub fn lag_ms(&self) -> i64 {
        self.lag.load(Ordering::Relaxed)
    }

    /// The last event that was handed out; -1 before the first look.
    pub fn last(&self) -> i64 {
        self.last.load(Ordering::Relaxed)
    }

    /// Whether the database tells of what other replicas do.
    pub fn is_listening(&self) -> bool {
        self.listening.load(Ordering::Relaxed)
    }
}

/// Hands out events, and wakes whoever waits for what other replicas do, until it is dropped.
pub async fn run(panel: Panel) {
    tokio::join!(tail(&panel), listen(&panel));
}

/// Hands out events as they are committed.
async fn tail(panel: &Panel) {
    let hub = &panel.events;
    let mut woken = panel.wake.events();
    let mut marks = None;
    loop {
        woken.mark_unchanged();
        match look(panel, &mut marks).await {
            Ok(()) => {}
            Err(error) => tracing::warn!(%error, "events could not be read; trying again"),
        }
        let pause = if hub.is_listening() { LOOK_ANYWAY } else { LOOK };
        let _ = tokio::time::timeout(pause, woken.changed()).await;
    }
}

/// Looks once for events and for parts that changed.
async fn look(panel: &Panel, known: &mut Option<Vec<(String, i64)>>) -> Result<(), StoreError> {
    let hub = &panel.events;
    let mut connection = panel.store.pool().acquire().await?;
    let rows = sqlx::query("SELECT part, number FROM mark ORDER BY part")
        .fetch_all(&mut *connection)
        .await?;
    let mut marks = rows
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<Result<Vec<(String, i64)>, sqlx::Error>>()?;
    marks.retain(|(part, _)| part != "audit");
    let newest = marks.iter().find(|(part, _)| part == EVENT).map_or(0, |(_, number)| *number);
    marks.retain(|(part, _)| part != EVENT);
    if known.as_ref().is_some_and(|known| *known != marks) {
        panel.wake.notify("");
    }
    *known = Some(marks);
    let last = hub.last();
    // At the first look only where it is; the same after the database was restored from an old copy.
    if last < 0 || last > newest {
        hub.last.store(newest, Ordering::Relaxed);
        return Ok(());
    }
    let mut last = last;
    while last < newest {
        let page = after(&mut connection, last, PAGE).await?;
        let Some(end) = page.last else { break };
        last = end;
        hub.lag.store(panel.clock.now_ms().saturating_sub(page.at).max(0), Ordering::Relaxed);
        for event in page.events {
            // Nobody listening is no error.
            let _ = hub.out.send(Arc::new(event));
        }
        hub.last.store(last, Ordering::Relaxed);
    }
    hub.last.store(newest.max(last), Ordering::Relaxed);
    Ok(())
}

/// Wakes whoever waits when another replica says so.
async fn listen(panel: &Panel) {
    if panel.store.engine() != Engine::Postgres {
        return;
    }
    loop {
        let Err(error) = hear(panel).await;
        tracing::warn!(%error, "the database does not tell what other replicas do; looking instead");
        panel.events.listening.store(false, Ordering::Relaxed);
        tokio::time::sleep(LOOK).await;
    }
}

async fn hear(panel: &Panel) -> Result<Infallible, sqlx::Error> {
    let mut listener = PgListener::connect(panel.store.url()).await?;
    listener.listen(CHANNEL).await?;
    panel.events.listening.store(true, Ordering::Relaxed);
    // What was said before: nobody knows.
    panel.wake.notify_all();
    loop {
        match listener.try_recv().await? {
            Some(said) => panel.wake.notify(said.payload()),
            None => panel.wake.notify_all(),
        }
    }
}
