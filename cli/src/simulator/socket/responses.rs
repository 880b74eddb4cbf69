//! The Responses API over a WebSocket: `response.create` messages, answered by lanes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{Socket, deliver, refused};
use crate::simulator::behaviour::Answer;
use crate::simulator::bill::{self, Vendor};
use crate::simulator::draft::Draft;
use crate::simulator::endpoint::Charge;
use crate::simulator::openai::responses;
use crate::simulator::refusal::Refusal;
use crate::simulator::request::{self, Asked};
use crate::simulator::sse::Event;

/// What one connection remembers.
#[derive(Debug, Default)]
pub(super) struct Responses {
    /// Tokens of the conversation up to and with a response.
    history: HashMap<String, u64>,
    /// Requests on one lane wait for each other.
    lanes: HashMap<String, Arc<Mutex<()>>>,
}

impl Responses {
    pub(super) fn message(&mut self, socket: &mut Socket, text: &str) {
        let (received, number, mut call) = socket.receive(text);
        let body: Value = serde_json::from_str(text).unwrap_or_default();
        let lane = body["stream_id"].clone();
        if body["type"] != "response.create" {
            if body["type"] != "response.processed" {
                let unknown = Refusal::new(400, "Unknown event type.");
                socket.out.event(&refused(&unknown, &lane));
            }
            call.end();
            return;
        }
        let behaviour = socket.behaviour(body["model"].as_str());
        if let Answer::Literal { body, .. } = &behaviour.answer {
            call.end();
            socket.out.text(String::from_utf8_lossy(body).into_owned());
            return;
        }
        let model = body["model"].as_str().and_then(bill::model);
        let before = body["previous_response_id"].as_str();
        let refusal = match (&behaviour.answer, model, before) {
            (Answer::Refuse(status), ..) => Some(Refusal::of_status(*status, Vendor::OpenAi)),
            (_, None, _) => {
                Some(Refusal::new(404, "The model does not exist.").code("model_not_found"))
            }
            (_, _, Some(id)) if !self.history.contains_key(id) => Some(
                Refusal::new(400, format!("Previous response with id '{id}' not found."))
                    .code("previous_response_not_found"),
            ),
            _ => None,
        };
        let (Some(model), None) = (model, &refusal) else {
            call.end();
            if let Some(refusal) = refusal {
                socket.out.event(&refused(&refusal, &lane));
            }
            return;
        };
        let mut asked = Asked::read(&body, request::last_turn(&body["input"]));
        asked.input_tokens += before.map_or(0, |id| self.history[id]);
        let created = received.at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut draft = Draft::new(&asked, &behaviour, number, created);
        if body["generate"] == false {
            draft.choices.clear();
            draft.usage.output = 0;
        }
        let tokens = draft.usage.all_input() + draft.usage.all_output();
        self.history.insert(format!("resp_simulated{number:08}"), tokens);
        call.owe(Some(Charge { model, name: asked.model.clone(), usage: draft.usage }), false);
        let events: Vec<Event> =
            responses::stream(&draft).into_iter().map(|event| on_lane(&event, &lane)).collect();
        let out = socket.out.clone();
        let name = lane.as_str().unwrap_or_default().to_owned();
        let turn = Arc::clone(self.lanes.entry(name).or_default());
        socket.answers.spawn(async move {
            let _turn = turn.lock().await;
            deliver(call, events, behaviour, out).await;
        });
    }
}

fn on_lane(event: &Event, lane: &Value) -> Event {
    let mut value: Value = serde_json::from_str(event.text()).unwrap_or_else(|_| json!({}));
    if !lane.is_null() {
        value["stream_id"] = lane.clone();
    }
    Event::data(&value).tokens(event.cost())
}
