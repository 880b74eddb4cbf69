//! `/ws`: what happens, while it happens.
//!
//! Whoever connects is signed in by a browser's cookie (from the panel's own pages alone), by a bearer
//! token, or by the first message: `{"token": "iron_user_…"}`. Then comes a snapshot, and after it
//! every event that the person may see, each with a number. Whoever comes back says `?after=NUMBER`
//! and gets what was missed; where that is not kept any more, the snapshot says so.
//!
//! Nobody can make the panel keep much: what a client sends is small or ends the connection, and a
//! client that does not read is cut off (close code 4008).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use sqlx::Row;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Door, May, Principal, door};
use super::authenticate;
use super::calls::CallView;
use super::extract::Query;
use super::overview::{BreakerState, ProxyState, breakers, proxies};
use super::problem::Problem;
use super::total::Total;
use super::wire::Time;
use crate::events::{self, Event, Sight};
use crate::panel::Panel;
use crate::store::{Engine, StoreError};
use crate::telemetry::browse;
use crate::telemetry::grain::{Grain, Step};
use crate::telemetry::query::{Filter, Group, Question, ask};
use crate::telemetry::report::whole;
use crate::telemetry::setting;

/// Who may connect: who it is may also be said by the first message.
pub const DOORS: &[Door] = &[door("GET", "/ws", May::Anyone)];

/// The routes.
pub fn routes() -> OpenApiRouter<Panel> {
    OpenApiRouter::new().routes(routes!(live))
}

/// Bytes of a message from a client at most.
const LARGEST: usize = 4_096;
/// Messages from a client in a minute at most: it has nothing to say but who it is.
const MESSAGES: u32 = 30;
/// Live views of a panel at most.
const VIEWS: usize = 500;
/// How long a client may take to say who it is.
const INTRODUCTION: Duration = Duration::from_secs(10);
/// How long a client may take to read a message.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });
/// How often a client is asked whether it is there, and looked up whether it still may be.
const PING: Duration = Duration::from_secs(20);
/// How long a client may be silent.
const SILENCE: Duration = Duration::from_mins(1);
/// How many events are sent again to whoever comes back.
const MISSED: i64 = 5_000;
/// Events read at once.
const PAGE: i64 = 500;

/// Not signed in, or not any more.
const SIGNED_OUT: u16 = 4_401;
/// Too slow.
const TOO_SLOW: u16 = 4_008;
/// RFC 6455: a message was too big.
const TOO_BIG: u16 = 1_009;
/// RFC 6455: a rule was broken.
const POLICY: u16 = 1_008;
/// RFC 6455: the server cannot go on.
const FAILED: u16 = 1_011;

/// Where somebody left off.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Resume {
    /// The number of the last event that was seen.
    #[serde(default)]
    pub after: Option<i64>,
}

/// What the panel says.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Frame {
    /// How things stand; the first message.
    Snapshot(Box<Snapshot>),
    /// Nothing was missed that is not sent now; the first message to whoever comes back.
    Resumed {
        /// The number after which it goes on.
        sequence: i64,
    },
    /// Something happened.
    Event(Box<Event>),
}

/// How things stand.
#[derive(Debug, Serialize, ToSchema)]
pub struct Snapshot {
    /// The number of the last event that is in it.
    pub sequence: i64,
    /// Whether what was asked for with `after` is not kept any more.
    pub too_old: bool,
    /// The panel's clock.
    pub now: Time,
    /// The reporting time zone.
    pub zone: String,
    /// The sums of its day so far.
    pub today: Total,
    /// Proxies; at most 200.
    pub proxies: Vec<ProxyState>,
    /// Breakers that are not closed; at most 200.
    pub breakers: Vec<BreakerState>,
    /// The newest 20 calls.
    pub calls: Vec<CallView>,
}

/// What a client may say first.
#[derive(Deserialize)]
struct Introduction {
    token: String,
}

/// Counts live views.
#[derive(Debug, Clone, Default)]
pub struct Views(Arc<AtomicUsize>);

impl Views {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn enter(&self) -> Option<View> {
        let view = View(self.clone());
        (self.0.fetch_add(1, Ordering::Relaxed) < VIEWS).then_some(view)
    }
}

/// A place among the live views.
struct View(Views);

impl Drop for View {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Events while they happen, over a WebSocket: a snapshot first, then events with numbers. Whoever has
/// neither cookie nor header says who it is by its first message, `{"token": "iron_user_…"}`.
#[utoipa::path(
    get, path = "/ws", tag = "live", params(Resume),
    responses(
        (status = 101, body = Frame, description = "Switching to a WebSocket; these are its messages."),
        (status = 426, body = Problem, content_type = "application/problem+json", description = "This is a WebSocket."),
    )
)]
async fn live(
    State(panel): State<Panel>,
    principal: Principal,
    Query(resume): Query<Resume>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let Ok(upgrade) = upgrade else {
        return Err(Problem::new(
            StatusCode::UPGRADE_REQUIRED,
            "websocket_expected",
            "this address speaks WebSocket: connect with a WebSocket client",
        ));
    };
    if !matches!(principal, Principal::Anyone | Principal::Person { .. }) {
        return Err(Problem::forbidden("live views are for people: run `iron login`"));
    }
    let Some(view) = panel.views.enter() else {
        let detail = "there are too many live views: close some, or try again later";
        return Err(
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_views", detail).after(30)
        );
    };
    let upgrade = upgrade.max_message_size(LARGEST).max_frame_size(LARGEST);
    Ok(upgrade.on_upgrade(async move |socket| {
        let mut client = Client { panel, socket, headers, messages: 0, heard: Instant::now() };
        let why = client.serve(principal, resume).await;
        client.close(why).await;
        drop(view);
    }))
}

/// Why a connection ends.
enum End {
    /// The client went away, or does not answer.
    Gone,
    /// The panel ends it, with this code and reason.
    Closed(u16, &'static str),
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "a live view could not be served");
        Self::Closed(FAILED, "the panel's database cannot be used now: connect again")
    }
}

impl From<sqlx::Error> for End {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}

/// Somebody who is connected.
struct Client {
    panel: Panel,
    socket: WebSocket,
    /// What it connected with: looked at again now and then.
    headers: HeaderMap,
    /// What it said since the last look.
    messages: u32,
    /// When it was heard of last.
    heard: Instant,
}

impl Client {
    async fn serve(&mut self, principal: Principal, resume: Resume) -> End {
        match self.try_serve(principal, resume).await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn try_serve(
        &mut self,
        principal: Principal,
        resume: Resume,
    ) -> Result<std::convert::Infallible, End> {
        let principal = match principal {
            Principal::Anyone => timeout(INTRODUCTION, self.introduced())
                .await
                .map_err(|_| End::Closed(SIGNED_OUT, "nobody said who it is"))??,
            principal => principal,
        };
        let mut sight = Sight::of(&self.panel, &principal).await?;
        // Before the look at how things stand: what happens from here on is not missed.
        let mut live = self.panel.events.subscribe();
        let mut last = self.begin(&sight, resume).await?;
        let mut tick = interval(PING);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.reset();
        loop {
            tokio::select! {
                event = live.recv() => last = self.told(event, &sight, last).await?,
                message = self.socket.recv() => self.said(message)?,
                _ = tick.tick() => sight = self.looked_after().await?,
            }
        }
    }

    /// Waits for the message that says who it is.
    async fn introduced(&mut self) -> Result<Principal, End> {
        loop {
            let message = self.socket.recv().await;
            let text = match &message {
                Some(Ok(Message::Text(text))) => Some(text.to_string()),
                _ => None,
            };
            self.said(message)?;
            let Some(text) = text else { continue };
            let unknown = End::Closed(SIGNED_OUT, "this is no valid token: run `iron login` again");
            let Ok(Introduction { token }) = serde_json::from_str(&text) else {
                return Err(unknown);
            };
            let Ok(value) = HeaderValue::from_str(&format!("Bearer {token}")) else {
                return Err(unknown);
            };
            self.headers.insert(header::AUTHORIZATION, value);
            return self.person().await?.ok_or(unknown);
        }
    }

    /// Who it is now; nobody where what it connected with is not valid any more.
    async fn person(&mut self) -> Result<Option<Principal>, End> {
        match authenticate::principal(&self.panel, &self.headers).await {
            Ok((person @ Principal::Person { .. }, _)) => Ok(Some(person)),
            Err(problem) if problem.status == 503 => {
                Err(End::Closed(FAILED, "the panel's database cannot be used now: connect again"))
            }
            _ => Ok(None),
        }
    }

    /// Sends what there is to begin with; returns the number of the last event in it.
    async fn begin(&mut self, sight: &Sight, resume: Resume) -> Result<i64, End> {
        let mut too_old = false;
        if let Some(after) = resume.after {
            if let Some(newest) = reach(&self.panel, after).await? {
                self.send(&Frame::Resumed { sequence: after }).await?;
                return self.missed(sight, after, newest).await;
            }
            too_old = true;
        }
        let snapshot = snapshot(&self.panel, sight, too_old).await?;
        let sequence = snapshot.sequence;
        self.send(&Frame::Snapshot(Box::new(snapshot))).await?;
        Ok(sequence)
    }

    /// Sends what was missed.
    async fn missed(&mut self, sight: &Sight, after: i64, newest: i64) -> Result<i64, End> {
        let mut last = after;
        while last < newest {
            let mut connection = self.panel.store.pool().acquire().await?;
            let read = events::after(&mut connection, last, PAGE).await?;
            drop(connection);
            let Some(end) = read.last else { break };
            last = end;
            for event in read.events {
                self.send_event(&event, sight).await?;
            }
        }
        Ok(last.max(newest))
    }

    /// Passes an event on.
    async fn told(
        &mut self,
        event: Result<Arc<Event>, RecvError>,
        sight: &Sight,
        last: i64,
    ) -> Result<i64, End> {
        match event {
            Ok(event) if event.sequence > last => {
                self.send_event(&event, sight).await?;
                Ok(event.sequence)
            }
            Ok(_) => Ok(last),
            Err(broadcast::error::RecvError::Lagged(_)) => Err(End::Closed(
                TOO_SLOW,
                "events came faster than they were read: connect again with ?after=",
            )),
            Err(broadcast::error::RecvError::Closed) => Err(End::Gone),
        }
    }

    /// Takes what a client said: nothing of it matters but that it is there.
    fn said(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        match message {
            None | Some(Ok(Message::Close(_))) => return Err(End::Gone),
            Some(Err(error)) => {
                let big = error.to_string().to_lowercase().contains("too");
                return Err(if big {
                    End::Closed(TOO_BIG, "messages to this address are at most 4,096 bytes")
                } else {
                    End::Gone
                });
            }
            Some(Ok(_)) => {}
        }
        self.heard = Instant::now();
        self.messages += 1;
        if self.messages > MESSAGES {
            return Err(End::Closed(POLICY, "a live view has nothing to say: too many messages"));
        }
        Ok(())
    }

    /// Asks whether it is there, and looks whether it still may be.
    async fn looked_after(&mut self) -> Result<Sight, End> {
        if self.heard.elapsed() > SILENCE {
            return Err(End::Gone);
        }
        self.messages = 0;
        let person = self.person().await?;
        let person = person.ok_or(End::Closed(SIGNED_OUT, "signed out: run `iron login` again"))?;
        let sight = Sight::of(&self.panel, &person).await?;
        self.write(Message::Ping(bytes::Bytes::new())).await?;
        Ok(sight)
    }

    async fn send_event(&mut self, event: &Event, sight: &Sight) -> Result<(), End> {
        let Some(what) = event.what.seen_by(sight) else { return Ok(()) };
        self.send(&Frame::Event(Box::new(Event { what, ..event.clone() }))).await
    }

    async fn send(&mut self, frame: &Frame) -> Result<(), End> {
        let text = serde_json::to_string(frame)
            .map_err(|_| End::Closed(FAILED, "an event could not be written: report it"))?;
        self.write(Message::Text(text.into())).await
    }

    async fn write(&mut self, message: Message) -> Result<(), End> {
        match timeout(PATIENCE, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Closed(TOO_SLOW, "what was sent is not read")),
        }
    }

    async fn close(&mut self, end: End) {
        if let End::Closed(code, reason) = end {
            let frame = CloseFrame { code, reason: reason.into() };
            // Whoever does not read does not read this either.
            let _ = timeout(PATIENCE, self.socket.send(Message::Close(Some(frame)))).await;
        }
    }
}

/// The newest event where all since this one can be sent again.
async fn reach(panel: &Panel, after: i64) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query(
        "SELECT number, (SELECT MIN(sequence) FROM event) FROM mark WHERE part = 'event'",
    )
    .fetch_one(panel.store.pool())
    .await?;
    let (newest, oldest): (i64, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
    let oldest = oldest.unwrap_or_else(|| newest.saturating_add(1));
    let is_there = after <= newest && after >= newest - MISSED && after >= oldest - 1;
    Ok(is_there.then_some(newest))
}

/// How things stand at one moment.
async fn snapshot(panel: &Panel, sight: &Sight, too_old: bool) -> Result<Snapshot, StoreError> {
    let mut tx = panel.store.pool().begin().await?;
    if panel.store.engine() == Engine::Postgres {
        // All of it as of one commit; SQLite has it so anyway.
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            .execute(&mut *tx)
            .await?;
    }
    let sequence = sqlx::query("SELECT number FROM mark WHERE part = 'event'")
        .fetch_one(&mut *tx)
        .await?
        .try_get(0)?;
    let zone = setting::zone(&mut tx).await?;
    let now = panel.clock.now_ms();
    let filter = Filter::default();
    let question = Question {
        filter: &filter,
        sight,
        of_findings: false,
        group: Group::All,
        only: &[],
        by_start: false,
        first_byte: true,
    };
    let (from, to) = (zone.start_of(Step::Day, now), zone.end_of(Step::Day, now));
    let today = whole(&ask(&mut tx, &question, &zone.cover(from, to, Grain::Day)).await?);
    let week = 7 * 86_400_000;
    let which = browse::Which { from: now - week, to: now + week, ..browse::Which::default() };
    let calls = browse::calls(&panel.store, &mut tx, sight, &which, 20).await?;
    Ok(Snapshot {
        sequence,
        too_old,
        now: Time(now),
        zone: zone.name().to_owned(),
        today: (&today).into(),
        proxies: proxies(&mut tx).await?,
        breakers: breakers(&mut tx).await?,
        calls: calls.into_iter().map(CallView::from).collect(),
    })
}
