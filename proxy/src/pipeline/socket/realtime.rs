//! The Realtime API: a conversation that the provider keeps, in which each response is a call.
//!
//! A response is asked for (`response.create`), or started by the provider when voice detection
//! hears the end of a turn. Money is held before either can happen: for each request when it is sent,
//! and one response in advance while voice detection may start one. The one in advance is held
//! before the first audio goes out, and held anew as soon as a response has taken it. Where that
//! fails, the buffered audio is cleared, no more goes out, and the connection ends with the response
//! that is under way.
//!
//! What is known of the conversation, and so the bound, is in [`super::conversation`]; what is
//! refused for want of one in [`super::terms`].
//!
//! The bound of a response is the longest answer that the session allows, and as input everything that
//! was said so far; once there was audio, an image or a prompt template, the model's whole context
//! window at the dearest price of an input token. It never depends on what one request says, so
//! that it does not matter which request a response answers.
//!
//! Refused, since they cost what nobody could bound or bill: transcription of the input by another
//! model, tools that the provider runs, sessions for transcription or on another model, and joining
//! a call that exists.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use iron_policy::outline::ClientEvent;
use iron_policy::price::{ModelPrice, NoBound};
use iron_policy::redact::{Edit, splice};
use iron_policy::types::Outcome;

use super::super::identify::Target;
use super::super::reserve::LARGEST_WINDOW;
use super::super::{Halt, Stopped, admit, decode, reserve};
use super::conversation::State;
use super::end::End;
use super::party::{Outgoing, Party};
use super::tell::{self, About};
use super::terms::{model_of, unbounded};
use super::turn::Turn;
use crate::live::Live;
use crate::stream::WireKind;
use crate::stream::answers::count;
use crate::stream::head::Head;

/// More responses than this are never asked for at once.
const MOST_OPEN: usize = 64;

/// One conversation.
#[derive(Debug)]
pub(super) struct Realtime {
    model: String,
    price: Arc<ModelPrice>,
    state: Mutex<State>,
}

impl Realtime {
    /// A conversation with the model that the request for the connection names.
    pub(super) fn of(live: &Live, target: &Target) -> Result<Self, Stopped> {
        let model = model_of(target.query.as_deref().unwrap_or_default())?;
        if let Some(why) = decode::routed(live, target, &model) {
            return Err(why);
        }
        let unpriced = |why: String| Stopped::UnpricedModel {
            model: model.chars().take(80).collect(),
            upstream: target.upstream.name().to_owned(),
            why,
        };
        let price = live
            .price(&target.upstream, &model)
            .ok_or_else(|| unpriced("it is not in the price list".into()))?;
        let state = State::new();
        let bound = state.bound(&price, None);
        bound.map_err(|error| unpriced(error.to_string()))?;
        Ok(Self { model, price, state: Mutex::new(state) })
    }

    /// The model spoken to.
    pub(super) fn model(&self) -> &str {
        &self.model
    }

    /// Whether an answer is waited for.
    pub(super) fn waits(&self) -> bool {
        let state = self.state();
        !state.asked.is_empty() || !state.running.is_empty()
    }

    /// The client gets no more of what is open.
    pub(super) fn leave(&self, outcome: Outcome, reason: &'static str) {
        let mut state = self.state();
        let State { asked, advance, running, .. } = &mut *state;
        let asked = asked.iter_mut().map(|(_, turn)| turn);
        for turn in running.values_mut().chain(asked).chain(advance) {
            turn.leave(outcome, reason);
        }
    }

    /// Everything that is open; nothing is any more. What was held in advance is among it where a
    /// response may have begun that nobody was told of: a turn of speech has ended and was not
    /// answered, or one may have, and the upstream has not told all (`all_told`).
    pub(super) fn take(&self, all_told: bool) -> Vec<Turn> {
        let mut state = self.state();
        let mut open: Vec<Turn> = std::mem::take(&mut state.running).into_values().collect();
        open.extend(state.asked.drain(..).map(|(_, turn)| turn));
        match state.advance.take() {
            Some(mut turn) if state.due || (state.heard && !all_told) => {
                turn.ticket().sent();
                open.push(turn);
            }
            Some(turn) => turn.unused(),
            None => {}
        }
        open
    }

    /// Takes a message of the client's.
    pub(super) async fn client(
        &self,
        party: &Party,
        message: Bytes,
        out: &mut Outgoing,
    ) -> Result<(), End> {
        let live = party.shared.live();
        let event = match ClientEvent::read(&message) {
            Ok(event) => event,
            Err(error) => {
                party.refuse(&live, Stopped::Body(error), About::default(), out);
                return Ok(());
            }
        };
        let about = About { lane: None, event: event.id.map(|id| id.decode().into_owned()) };
        if let Some(why) = unbounded(&event, &self.model) {
            party.refuse(&live, Stopped::Unbounded(why), about, out);
            return Ok(());
        }
        if event.kind == "response.create" {
            match self.ask(party, &live, &message, &event).await {
                Ok(body) => out.upstream.push(body),
                Err(halt) => party.tell(&live, halt, about, out),
            }
            return Ok(());
        }
        if event.kind.starts_with("response.") && event.kind != "response.cancel" {
            let why = "this event may make the provider answer, and nothing would be held for it";
            party.refuse(&live, Stopped::Unbounded(why), about, out);
            return Ok(());
        }
        let buffered =
            matches!(event.kind, "input_audio_buffer.append" | "input_audio_buffer.commit");
        if buffered && self.state().over {
            return Ok(());
        }
        let body = match party.redacted(&live, &message, &event.spans).await {
            Ok((body, found)) => {
                let mut state = self.state();
                for (kind, more) in found {
                    count(&mut state.found, kind, more);
                }
                body
            }
            Err(halt) => {
                party.tell(&live, halt, about, out);
                return Ok(());
            }
        };
        {
            let mut state = self.state();
            state.says(&event, message.len() as u64);
            state.prompts |= event.idle;
            state.heard |= buffered || event.idle;
        }
        if (buffered || event.idle)
            && let Err(halt) = self.hold_in_advance(party, &live).await
        {
            party.tell(&live, halt, about, out);
            return Err(End::Exhausted);
        }
        out.upstream.push(body);
        Ok(())
    }

    /// The way of a response that is asked for, up to the bytes that may be sent.
    async fn ask(
        &self,
        party: &Party,
        live: &Arc<Live>,
        message: &Bytes,
        event: &ClientEvent<'_>,
    ) -> Result<Bytes, Box<Halt>> {
        let mut identified = party.identified();
        identified.ticket.request(&self.model, true);
        if self.state().asked.len() >= MOST_OPEN {
            return Err(identified.ticket.halt(Stopped::Crowded { limit: MOST_OPEN }));
        }
        let admitted = admit::admit(live, identified)?;
        let tokens = message.len() as u64 / 4;
        if let Err(why) = admit::take_tokens(&admitted, tokens) {
            return Err(admitted.call.ticket.halt(why));
        }
        let mut call = admitted.call;
        let vault = party.vault(live);
        let mut edits = match party.search(live, message, &event.spans, &mut call.ticket).await {
            Ok(edits) => edits,
            Err(why) => return Err(call.ticket.halt(why)),
        };
        let amount = {
            let mut state = self.state();
            state.says(event, message.len() as u64);
            let found = std::mem::take(&mut state.found);
            call.ticket.found(&found);
            state.bound(&self.price, event.max_output)
        };
        let held = match amount {
            Ok(amount) => {
                reserve::hold_amount(live, &mut call, &self.price, &self.model, amount).await
            }
            Err(error) => Err(self.unpriced(party, error)),
        };
        if let Err(why) = held {
            return Err(call.ticket.halt(why));
        }
        let permit = match party.permit(&self.model) {
            Ok(permit) => permit,
            Err(why) => return Err(call.ticket.halt(why)),
        };
        let id = if let Some(id) = event.id {
            id.decode().into_owned()
        } else {
            // The upstream names it in an error about the request, and only so is it known whose.
            let id = format!("event_iron_{}", call.ticket.id());
            let head = message.iter().position(|byte| *byte == b'{').unwrap_or(0) + 1;
            edits.insert(0, Edit { range: head..head, with: format!("\"event_id\":\"{id}\",") });
            id
        };
        call.ticket.sent();
        let turn = Turn::new(call.ticket, Some(permit), vault, party.counts_429());
        self.state().asked.push_back((id, turn));
        Ok(if edits.is_empty() { message.clone() } else { splice(message, &edits).into() })
    }

    /// Holds a response in advance, where voice detection may start one and none is held.
    async fn hold_in_advance(&self, party: &Party, live: &Arc<Live>) -> Result<(), Box<Halt>> {
        let amount = {
            let mut state = self.state();
            if !state.automatic || state.advance.is_some() {
                return Ok(());
            }
            // What is said until it starts is not known yet.
            state.uncounted = true;
            state.bound(&self.price, None)
        };
        let mut call = party.identified();
        call.ticket.request(&self.model, true);
        if let Err(why) = admit::still_good(&call) {
            return Err(call.ticket.halt(why));
        }
        let held = match amount {
            Ok(amount) => {
                reserve::hold_amount(live, &mut call, &self.price, &self.model, amount).await
            }
            Err(error) => Err(self.unpriced(party, error)),
        };
        if let Err(why) = held {
            return Err(call.ticket.halt(why));
        }
        let turn = Turn::new(call.ticket, None, party.vault(live), party.counts_429());
        let before = self.state().advance.replace(turn);
        if let Some(before) = before {
            before.unused();
        }
        Ok(())
    }

    /// Takes a message of the upstream's.
    pub(super) async fn upstream(
        &self,
        party: &Party,
        message: &Bytes,
        out: &mut Outgoing,
    ) -> Result<(), End> {
        let live = party.shared.live();
        let head = Head::read(message);
        match head.kind {
            "session.created" | "session.updated" => self.session(&head, message.len() as u64),
            "input_audio_buffer.speech_started" | "input_audio_buffer.committed" => {
                self.state().heard = true;
            }
            "input_audio_buffer.speech_stopped" | "input_audio_buffer.timeout_triggered" => {
                let mut state = self.state();
                state.due = state.automatic;
            }
            "error" => {
                let refused = self.state().refused(head.about.as_deref());
                if let Some(turn) = refused {
                    turn.refused(head.status);
                }
            }
            "response.created" => {
                let Some(id) = head.response.clone() else { return Err(End::Unasked) };
                self.begin(party, &live, id, out).await?;
            }
            _ => {}
        }
        let id = head.response.clone().unwrap_or_default();
        let mut state = self.state();
        let Some(turn) = state.running.get_mut(&id) else {
            drop(state);
            return party.loose(&live, WireKind::Realtime, message.clone(), out);
        };
        if let Err(kept) = turn.push(message.clone(), &mut out.client) {
            let about = About::default();
            let told = tell::failure(party.socket, kept.code, &kept.message, turn.call(), about);
            out.client.push(told.into());
            let cancel = serde_json::json!({"type": "response.cancel", "response_id": id});
            out.upstream.push(cancel.to_string().into());
        }
        if head.ends_response() {
            let turn = state.running.remove(&id);
            state.answered += head.output_tokens.unwrap_or_else(|| self.longest(&state));
            let over = state.over && state.running.is_empty() && state.asked.is_empty();
            drop(state);
            if let Some(turn) = turn {
                turn.end(&mut out.client);
            }
            if over {
                return Err(End::Exhausted);
            }
        }
        Ok(())
    }

    /// A response begins: the oldest that was asked for, or the one that was held in advance.
    async fn begin(
        &self,
        party: &Party,
        live: &Arc<Live>,
        id: String,
        out: &mut Outgoing,
    ) -> Result<(), End> {
        let from_advance = {
            let mut state = self.state();
            let asked = state.asked.pop_front().map(|(_, turn)| turn);
            let from_advance = asked.is_none();
            let Some(mut turn) = asked.or_else(|| state.advance.take()) else {
                return Err(End::Unasked);
            };
            turn.ticket().sent();
            if from_advance {
                state.due = false;
                state.heard = state.prompts;
                let found = std::mem::take(&mut state.found);
                turn.ticket().found(&found);
            }
            turn.begin(live, WireKind::Realtime, id.clone());
            state.running.insert(id, turn);
            from_advance
        };
        if from_advance && let Err(halt) = self.hold_in_advance(party, live).await {
            party.tell(live, halt, About::default(), out);
            self.state().over = true;
            out.upstream.push(Bytes::from_static(br#"{"type":"input_audio_buffer.clear"}"#));
        }
        Ok(())
    }

    /// What the upstream says of the session holds from now on.
    fn session(&self, head: &Head<'_>, bytes: u64) {
        let unneeded = {
            let mut state = self.state();
            state.instructions = state.instructions.max(bytes);
            state.limit = head.limit;
            if head.kind == "session.updated" {
                state.changes = state.changes.saturating_sub(1);
            }
            if state.changes == 0 {
                state.asked_limit = None;
                state.automatic = head.automatic.unwrap_or(state.automatic);
            }
            if state.automatic || state.due { None } else { state.advance.take() }
        };
        if let Some(turn) = unneeded {
            turn.unused();
        }
    }

    fn longest(&self, state: &State) -> u64 {
        state.limit.or(self.price.max_output()).unwrap_or(LARGEST_WINDOW)
    }

    fn unpriced(&self, party: &Party, error: NoBound) -> Stopped {
        Stopped::UnpricedModel {
            model: self.model.chars().take(80).collect(),
            upstream: party.target.upstream.name().to_owned(),
            why: error.to_string(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
