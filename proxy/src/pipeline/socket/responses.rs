//! The Responses API over a WebSocket: each `response.create` is a call like a POST to it.
//!
//! Requests on one lane (`stream_id`; those without one share a lane) are answered in their order, and
//! events say the lane that they are on. So what an event belongs to is the oldest request of its
//! lane. Other messages of the client carry text at most, and are redacted; those that may make the
//! provider answer by itself, like `response.steer`, are refused: nothing would be held for it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use iron_policy::outline::{ClientEvent, Envelope};
use iron_policy::types::Outcome;

use super::super::{Halt, Stopped, admit, decode, forward, redact, reserve};
use super::end::End;
use super::party::{Outgoing, Party};
use super::tell::{self, About};
use super::turn::Turn;
use crate::live::Live;
use crate::stream::WireKind;
use crate::stream::head::Head;

/// More responses than this are never asked for at once on one connection.
const MOST_OPEN: usize = 64;
/// No client names a lane longer than this, in bytes.
const LONGEST_LANE: usize = 256;

/// Messages of the `response.` family that ask for no answer.
const FREE: [&str; 2] = ["response.cancel", "response.processed"];

/// What is open on a connection.
#[derive(Debug, Default)]
pub(super) struct Responses(Mutex<Lanes>);

#[derive(Debug, Default)]
struct Lanes {
    /// Requests by lane, the oldest first; no lane is empty. The lane without a name is `""`.
    open: BTreeMap<String, VecDeque<Turn>>,
    /// True once a message was passed on that the provider may answer with an error of its own.
    others: bool,
}

impl Responses {
    /// Whether an answer is waited for.
    pub(super) fn waits(&self) -> bool {
        !self.lanes().open.is_empty()
    }

    /// Everything that is open; nothing is any more.
    pub(super) fn take(&self) -> Vec<Turn> {
        std::mem::take(&mut self.lanes().open).into_values().flatten().collect()
    }

    /// The client gets no more of what is open.
    pub(super) fn leave(&self, outcome: Outcome, reason: &'static str) {
        for turn in self.lanes().open.values_mut().flatten() {
            turn.leave(outcome, reason);
        }
    }

    /// Takes a message of the client's.
    pub(super) async fn client(
        &self,
        party: &Party,
        message: Bytes,
        out: &mut Outgoing,
    ) -> Result<(), End> {
        let live = party.shared.live();
        let envelope = match Envelope::read(&message) {
            Ok(envelope) => envelope,
            Err(error) => {
                party.refuse(&live, Stopped::Body(error), About::default(), out);
                return Ok(());
            }
        };
        let lane = envelope.lane.map(|lane| lane.decode().into_owned());
        let about = About { lane: lane.clone(), event: None };
        match envelope.kind {
            "response.create" => {
                let generates = envelope.generates;
                match self.ask(party, &live, message, lane.unwrap_or_default(), generates).await {
                    Ok(body) => out.upstream.push(body),
                    Err(halt) => party.tell(&live, halt, about, out),
                }
            }
            kind if kind.starts_with("response.") && !FREE.contains(&kind) => {
                let why = "this event may make the provider answer by itself, and nothing would \
                           be held for it: send response.create";
                party.refuse(&live, Stopped::Unbounded(why), about, out);
            }
            _ => match other(party, &live, &message).await {
                Ok(body) => {
                    self.lanes().others = true;
                    out.upstream.push(body);
                }
                Err(halt) => party.tell(&live, halt, about, out),
            },
        }
        Ok(())
    }

    /// The way of a call, up to the bytes that may be sent.
    async fn ask(
        &self,
        party: &Party,
        live: &Arc<Live>,
        message: Bytes,
        lane: String,
        generates: bool,
    ) -> Result<Bytes, Box<Halt>> {
        let identified = party.identified();
        let open: usize = self.lanes().open.values().map(VecDeque::len).sum();
        if open >= MOST_OPEN || lane.len() > LONGEST_LANE {
            return Err(identified.ticket.halt(Stopped::Crowded { limit: MOST_OPEN }));
        }
        let admitted = admit::admit(live, identified)?;
        let decoded = decode::message(live, admitted, message, generates)?;
        let redacted = redact::redact(live, decoded).await?;
        let reserved = reserve::reserve(live, redacted).await?;
        let (ticket, permit, vault, body) = forward::permit(reserved)?.into_message();
        let turn = Turn::new(ticket, Some(permit), vault, party.counts_429());
        self.lanes().open.entry(lane).or_default().push_back(turn);
        Ok(body)
    }

    /// Takes a message of the upstream's.
    pub(super) fn upstream(
        &self,
        party: &Party,
        message: &Bytes,
        out: &mut Outgoing,
    ) -> Result<(), End> {
        let live = party.shared.live();
        let head = Head::read(message);
        let mut lanes = self.lanes();
        let lane = match (head.kind, &head.lane) {
            ("error", None) => lanes.of_error(),
            (_, named) => Some(lanes.of(named.as_deref())),
        };
        let Some(lane) = lane else {
            drop(lanes);
            return party.loose(&live, WireKind::Responses, message.clone(), out);
        };
        let Some(queue) = lanes.open.get_mut(&lane) else {
            drop(lanes);
            return unasked(party, &live, &head, message, out);
        };
        let begun = queue.front().and_then(Turn::response);
        if let (Some(known), "response.created", Some(new)) = (begun, head.kind, &head.response)
            && known != new
        {
            // The one before ended without a word.
            if let Some(turn) = queue.pop_front() {
                turn.end(&mut out.client);
            }
        }
        let Some(turn) = queue.front_mut() else {
            lanes.open.remove(&lane);
            drop(lanes);
            return unasked(party, &live, &head, message, out);
        };
        if head.kind == "error" && turn.response().is_none() {
            // With other messages under way the error may be about one of those.
            let turn = if lanes.others { None } else { lanes.pop(&lane) };
            drop(lanes);
            if let Some(turn) = turn {
                turn.refused(head.status);
            }
            return party.loose(&live, WireKind::Responses, message.clone(), out);
        }
        if turn.response().is_none()
            && let (true, Some(id)) = (head.kind.starts_with("response."), &head.response)
        {
            turn.begin(&live, WireKind::Responses, id.clone());
        }
        if turn.response().is_none() {
            drop(lanes);
            return party.loose(&live, WireKind::Responses, message.clone(), out);
        }
        if let Err(kept) = turn.push(message.clone(), &mut out.client) {
            let about = About { lane: head.lane.clone(), event: None };
            let told = tell::failure(party.socket, kept.code, &kept.message, turn.call(), about);
            out.client.push(told.into());
        }
        let spent = turn.is_spent();
        if head.ends_response()
            && let Some(turn) = lanes.pop(&lane)
        {
            drop(lanes);
            turn.end(&mut out.client);
        }
        // Only the end of the connection is sure to end what the upstream makes.
        if spent { Err(End::Spent) } else { Ok(()) }
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lanes {
    /// The lane that an event is on: the one it names; else the one without a name, or the only one.
    fn of(&self, named: Option<&str>) -> String {
        match named {
            Some(lane) => lane.to_owned(),
            None if self.open.len() == 1 => self.open.keys().next().cloned().unwrap_or_default(),
            None => String::new(),
        }
    }

    /// The lane that an error is on which names none. Where it may be about any of several requests
    /// it is nobody's: what one of them holds is not given back for what became of another.
    fn of_error(&self) -> Option<String> {
        let mut waiting = self.open.iter().flat_map(|(lane, queue)| {
            let places = queue.iter().enumerate();
            places.filter(|(_, turn)| turn.response().is_none()).map(move |(at, _)| (lane, at))
        });
        match (self.open.len(), waiting.next(), waiting.next()) {
            (0 | 1, ..) | (_, None, _) => Some(self.of(None)),
            (_, Some((lane, 0)), None) => Some(lane.clone()),
            _ => None,
        }
    }

    fn pop(&mut self, lane: &str) -> Option<Turn> {
        let queue = self.open.get_mut(lane)?;
        let turn = queue.pop_front();
        if queue.is_empty() {
            self.open.remove(lane);
        }
        if self.open.is_empty() {
            self.others = false;
        }
        turn
    }
}

/// An event that belongs to no request. A response that nobody asked for is nobody's to pay.
fn unasked(
    party: &Party,
    live: &Live,
    head: &Head<'_>,
    message: &Bytes,
    out: &mut Outgoing,
) -> Result<(), End> {
    if head.kind == "response.created" {
        return Err(End::Unasked);
    }
    party.loose(live, WireKind::Responses, message.clone(), out)
}

/// A message that asks for no answer: what it may carry is text.
async fn other(party: &Party, live: &Arc<Live>, message: &Bytes) -> Result<Bytes, Box<Halt>> {
    match ClientEvent::read(message) {
        Ok(event) => party.redacted(live, message, &event.spans).await.map(|(body, _)| body),
        Err(error) => Err(party.identified().ticket.halt(Stopped::Body(error))),
    }
}
