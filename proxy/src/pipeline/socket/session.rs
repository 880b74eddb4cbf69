//! An open WebSocket: two directions that run side by side, and how they end together.
//!
//! Each direction reads one message, lets the API's rules make what they will of it, and writes the
//! result before it reads the next: whoever reads slowly slows down whoever writes. Messages that a
//! direction makes for its own side (an error for the client, a cancellation for the upstream) go
//! through a small channel to the other.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use iron_policy::config::OnAbort;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::end::End;
use super::party::{Outgoing, Party};
use super::realtime::Realtime;
use super::responses::Responses;
use super::tell::About;
use crate::server::Stopping;

/// A side that does not answer a closing handshake in this time is left.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long an answer is read on for its usage after the client went away.
const DRAIN_TIME: Duration = Duration::from_mins(2);
/// Messages that wait for the other direction.
const WAITING: usize = 4;

type Side = WebSocketStream<TokioIo<Upgraded>>;

/// The API that is spoken, with what is open in it.
#[derive(Debug)]
pub(super) enum Talk {
    Responses(Responses),
    Realtime(Box<Realtime>),
}

/// One open connection.
pub(super) struct Session {
    party: Party,
    talk: Talk,
    largest: usize,
    stopping: Option<Stopping>,
    moved: Mutex<Moved>,
}

/// When something passed last.
#[derive(Clone, Copy)]
struct Moved {
    client: Instant,
    upstream: Instant,
}

impl Session {
    pub(super) fn new(
        party: Party,
        talk: Talk,
        largest: usize,
        stopping: Option<Stopping>,
    ) -> Self {
        let now = Instant::now();
        let moved = Mutex::new(Moved { client: now, upstream: now });
        Self { party, talk, largest, stopping, moved }
    }

    /// Carries messages both ways until one side ends it.
    pub(super) async fn run(mut self, client: Upgraded, upstream: Upgraded) {
        let config = WebSocketConfig::default()
            .read_buffer_size(16 << 10)
            .max_message_size(Some(self.largest))
            .max_frame_size(Some(self.largest));
        let open =
            |io, role| WebSocketStream::from_raw_socket(TokioIo::new(io), role, Some(config));
        let (mut to_client, mut from_client) = open(client, Role::Server).await.split();
        let (mut to_upstream, mut from_upstream) = open(upstream, Role::Client).await.split();
        let (notices, mut noticed) = mpsc::channel(WAITING);
        let (orders, mut ordered) = mpsc::channel(WAITING);
        let mut stopping = self.stopping.take();
        let end = tokio::select! {
            end = self.up(&mut from_client, &mut to_upstream, &mut ordered, &notices) => end,
            end = self.down(&mut from_upstream, &mut to_client, &mut noticed, &orders) => end,
            end = self.stops(stopping.as_mut()) => end,
            why = self.party.leave.cancelled() => End::Stopped(why),
        };
        tracing::debug!(?end, "a WebSocket ends");
        let mut last: Vec<Bytes> = Vec::new();
        while let Ok(notice) = noticed.try_recv() {
            last.push(notice);
        }
        if let End::Stopped(why) = &end {
            let mut out = Outgoing::default();
            let live = self.party.shared.live();
            self.party.refuse(&live, why.clone().into(), About::default(), &mut out);
            last.append(&mut out.client);
        }
        self.close(end, last, (to_client, from_client), (to_upstream, from_upstream)).await;
    }

    /// From the client to the upstream.
    async fn up(
        &self,
        from: &mut SplitStream<Side>,
        to: &mut SplitSink<Side, Message>,
        ordered: &mut mpsc::Receiver<Bytes>,
        notices: &mpsc::Sender<Bytes>,
    ) -> End {
        loop {
            let message = tokio::select! {
                message = from.next() => message,
                Some(order) = ordered.recv() => {
                    if send(to, [order]).await.is_err() {
                        return End::UpstreamGone;
                    }
                    continue;
                }
            };
            let text = match message {
                None => return End::ClientGone,
                Some(Err(error)) => return End::of_client(&error),
                Some(Ok(Message::Close(frame))) => return End::ClientLeft(frame),
                Some(Ok(Message::Text(text))) => Bytes::from(text),
                Some(Ok(Message::Binary(_))) => {
                    return End::ClientBroke(CloseCode::Unsupported, "messages must be text");
                }
                Some(Ok(_)) => continue,
            };
            self.moved().client = Instant::now();
            let mut out = Outgoing::default();
            let done = match &self.talk {
                Talk::Responses(talk) => talk.client(&self.party, text, &mut out).await,
                Talk::Realtime(talk) => talk.client(&self.party, text, &mut out).await,
            };
            for notice in out.client {
                // Waits while the client reads nothing.
                let _ = notices.send(notice).await;
            }
            if let Err(end) = done {
                return end;
            }
            if !out.upstream.is_empty() && send(to, out.upstream).await.is_err() {
                return End::UpstreamGone;
            }
        }
    }

    /// From the upstream to the client.
    async fn down(
        &self,
        from: &mut SplitStream<Side>,
        to: &mut SplitSink<Side, Message>,
        noticed: &mut mpsc::Receiver<Bytes>,
        orders: &mpsc::Sender<Bytes>,
    ) -> End {
        loop {
            let (deadline, end) = self.deadline();
            let message = tokio::select! {
                message = from.next() => message,
                Some(notice) = noticed.recv() => {
                    if send(to, [notice]).await.is_err() {
                        return End::ClientGone;
                    }
                    continue;
                }
                () = tokio::time::sleep_until(deadline) => {
                    if self.deadline().0 <= Instant::now() {
                        return end;
                    }
                    continue;
                }
            };
            let message = match self.read(message) {
                Ok(Some(message)) => message,
                Ok(None) => continue,
                Err(end) => return end,
            };
            let mut out = Outgoing::default();
            let done = self.answer(message, &mut out).await;
            if !out.client.is_empty() && send(to, out.client).await.is_err() {
                return End::ClientGone;
            }
            for order in out.upstream {
                // Not waited for: an upstream that takes nothing must not keep its answers from
                // being read.
                if orders.try_send(order).is_err() {
                    return End::UpstreamGone;
                }
            }
            if let Err(end) = done {
                return end;
            }
        }
    }

    /// What the upstream sent, where it is a message.
    fn read(&self, message: Option<Result<Message, Error>>) -> Result<Option<Message>, End> {
        match message {
            None | Some(Err(_)) => Err(End::UpstreamGone),
            Some(Ok(Message::Close(frame))) => Err(End::UpstreamLeft(frame)),
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                self.moved().upstream = Instant::now();
                Ok(Some(message))
            }
            Some(Ok(_)) => Ok(None),
        }
    }

    async fn answer(&self, message: Message, out: &mut Outgoing) -> Result<(), End> {
        // Neither API has any: what cannot be read cannot be checked.
        let Message::Text(text) = message else { return Err(End::UpstreamGone) };
        match &self.talk {
            Talk::Responses(talk) => talk.upstream(&self.party, &text.into(), out),
            Talk::Realtime(talk) => talk.upstream(&self.party, &text.into(), out).await,
        }
    }

    /// When the connection has been silent for too long, and what that means.
    fn deadline(&self) -> (Instant, End) {
        let moved = *self.moved();
        let latest = moved.client.max(moved.upstream);
        if self.waits() {
            (latest + self.party.target.upstream.config.idle_timeout, End::Silent)
        } else {
            (latest + self.party.shared.live().policy.websocket_idle, End::Idle)
        }
    }

    /// Ready once the proxy stops and nothing is waited for.
    async fn stops(&self, stopping: Option<&mut Stopping>) -> End {
        let Some(stopping) = stopping else { return std::future::pending().await };
        stopping.begun().await;
        while self.waits() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        End::Stopping
    }

    fn waits(&self) -> bool {
        match &self.talk {
            Talk::Responses(talk) => talk.waits(),
            Talk::Realtime(talk) => talk.waits(),
        }
    }

    /// Ends both connections, and all that is open on them.
    async fn close(
        self,
        end: End,
        last: Vec<Bytes>,
        (mut to_client, mut from_client): (SplitSink<Side, Message>, SplitStream<Side>),
        (mut to_upstream, mut from_upstream): (SplitSink<Side, Message>, SplitStream<Side>),
    ) {
        let (outcome, reason) = end.outcome();
        match &self.talk {
            Talk::Responses(talk) => talk.leave(outcome, reason),
            Talk::Realtime(talk) => talk.leave(outcome, reason),
        }
        let drains =
            end.is_clients() && self.party.shared.live().policy.proxy.on_abort == OnAbort::Drain;
        let mut told = false;
        if drains {
            // Out of time: what was metered until then has to do.
            let read = self.read_on(&mut from_upstream, true);
            told = tokio::time::timeout(DRAIN_TIME, read).await.unwrap_or(false);
        }
        let (for_client, for_upstream) = end.frames();
        let part_from_client = async {
            if !last.is_empty() {
                let _ = send(&mut to_client, last).await;
            }
            let _ = to_client.send(Message::Close(for_client)).await;
            while let Some(Ok(_)) = from_client.next().await {}
        };
        let part_from_upstream = async {
            let _ = to_upstream.send(Message::Close(for_upstream)).await;
            // What still comes says what the answers cost that are cut short.
            self.read_on(&mut from_upstream, false).await
        };
        let settle = async {
            let parted = tokio::time::timeout(FAREWELL, part_from_upstream).await;
            // Its farewell to ours comes after everything that it had begun. Its own may come at
            // any time.
            let all_told = !matches!(end, End::UpstreamLeft(_) | End::UpstreamGone)
                && (told || parted.unwrap_or(false));
            self.cut_all(&end, all_told);
        };
        // Nobody waits for the client's farewell: a record is there when the upstream has parted.
        let _ = tokio::join!(tokio::time::timeout(FAREWELL, part_from_client), settle);
    }

    /// Ends what is still open, as the connection ended; `all_told` where the upstream has told of
    /// every response that it began.
    fn cut_all(&self, end: &End, all_told: bool) {
        let (outcome, reason) = end.outcome();
        let open = match &self.talk {
            Talk::Responses(talk) => talk.take(),
            Talk::Realtime(talk) => talk.take(all_told),
        };
        for turn in open {
            turn.cut(outcome, reason);
        }
    }

    /// Reads what the upstream still sends, for its usage alone. True once it said farewell.
    async fn read_on(&self, from: &mut SplitStream<Side>, only_while_waiting: bool) -> bool {
        while !only_while_waiting || self.waits() {
            let Some(Ok(message)) = from.next().await else { return false };
            if message.is_close() {
                return true;
            }
            if message.is_text() {
                let _ = self.answer(message, &mut Outgoing::default()).await;
            }
        }
        false
    }

    fn moved(&self) -> std::sync::MutexGuard<'_, Moved> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes messages and sees them out.
async fn send(
    to: &mut SplitSink<Side, Message>,
    messages: impl IntoIterator<Item = Bytes>,
) -> Result<(), Error> {
    for message in messages {
        let text = Utf8Bytes::try_from(message).map_err(|error| Error::Utf8(error.to_string()))?;
        to.feed(Message::Text(text)).await?;
    }
    to.flush().await
}
