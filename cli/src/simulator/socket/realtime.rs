//! The Realtime API: a conversation that the provider keeps, spoken or written.
//!
//! Audio is any bytes; sound is what is not zero. Voice detection hears speech in an append with
//! sound, and its end in one without. A token of audio input is 4,800 bytes, a tenth of a second of
//! PCM; an answer that is spoken has two tokens of audio for one of its transcript.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Out, Parting, Sent, Socket, suffer};
use crate::simulator::behaviour::{Answer, At, Behaviour, Report, Text};
use crate::simulator::bill::{self, Usage};
use crate::simulator::delivery::Call;
use crate::simulator::draft::{count, tokens};
use crate::simulator::endpoint::Charge;
use crate::simulator::request::leaf_tokens;

/// Bytes of audio input in a token.
const AUDIO_TOKEN: usize = 4_800;

/// One conversation.
pub(super) struct Session {
    model: String,
    /// What the session is set to.
    settings: Value,
    /// Tokens of the conversation: text and audio; and how many of each were read before.
    text: u64,
    audio: u64,
    read: (u64, u64),
    said: String,
    buffer: Vec<u8>,
    hears: bool,
    items: u64,
    cancelled: Arc<AtomicBool>,
}

impl Session {
    pub(super) fn new(socket: &Socket) -> Self {
        let query = socket.opened.path.split_once('?').map_or("", |(_, query)| query);
        let model = query.split('&').find_map(|pair| pair.strip_prefix("model="));
        let model = model.unwrap_or_default().to_owned();
        let session = json!({
            "type": "realtime",
            "object": "realtime.session",
            "id": "sess_simulated",
            "model": model,
            "output_modalities": ["audio"],
            "instructions": "Be helpful.",
            "max_output_tokens": "inf",
            "tools": [],
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24_000},
                    "turn_detection": {"type": "server_vad", "create_response": true, "interrupt_response": true},
                    "transcription": null,
                },
                "output": {"format": {"type": "audio/pcm", "rate": 24_000}, "voice": "marin"},
            },
        });
        Self {
            model,
            settings: session,
            text: 0,
            audio: 0,
            read: (0, 0),
            said: String::new(),
            buffer: Vec::new(),
            hears: false,
            items: 0,
            cancelled: Arc::default(),
        }
    }

    pub(super) fn greet(&self, socket: &Socket) {
        socket.out.event(&json!({
            "type": "session.created", "event_id": "event_simulated0", "session": self.settings,
        }));
    }

    pub(super) fn message(&mut self, socket: &mut Socket, text: &str) {
        let (_, number, mut call) = socket.receive(text);
        let body: Value = serde_json::from_str(text).unwrap_or_default();
        let tell = |kind: &str, mut event: Value| {
            event["type"] = json!(kind);
            event["event_id"] = json!(format!("event_simulated{number}"));
            socket.out.event(&event);
        };
        match body["type"].as_str().unwrap_or_default() {
            "session.update" => {
                merge(&mut self.settings, &body["session"]);
                tell("session.updated", json!({"session": self.settings}));
            }
            "conversation.item.create" => {
                let mut item = body["item"].clone();
                item["id"] = json!(self.item());
                self.add(&item);
                tell("conversation.item.added", json!({"item": item}));
                tell("conversation.item.done", json!({"item": item}));
            }
            "input_audio_buffer.append" => {
                let bytes = STANDARD.decode(body["audio"].as_str().unwrap_or_default());
                let bytes = bytes.unwrap_or_default();
                let sound = bytes.iter().any(|byte| *byte != 0);
                self.buffer.extend(bytes);
                let detection = self.settings["audio"]["input"]["turn_detection"].clone();
                if detection.is_null() {
                    call.end();
                    return;
                }
                if sound && !self.hears {
                    self.hears = true;
                    tell("input_audio_buffer.speech_started", json!({"audio_start_ms": 0}));
                }
                if !sound && self.hears {
                    self.hears = false;
                    tell("input_audio_buffer.speech_stopped", json!({"audio_end_ms": 0}));
                    let item = self.commit();
                    tell("input_audio_buffer.committed", json!({"item_id": item}));
                    if detection["create_response"] != false {
                        self.respond(socket, call, number, &json!({}));
                        return;
                    }
                }
            }
            "input_audio_buffer.commit" => {
                let item = self.commit();
                tell("input_audio_buffer.committed", json!({"item_id": item}));
            }
            "input_audio_buffer.clear" => {
                self.buffer.clear();
                self.hears = false;
                tell("input_audio_buffer.cleared", json!({}));
            }
            "response.create" => {
                self.respond(socket, call, number, &body);
                return;
            }
            "response.cancel" => self.cancelled.store(true, Ordering::Relaxed),
            kind => tell(
                "error",
                json!({"error": {
                    "type": "invalid_request_error", "code": "unknown_event",
                    "message": format!("Unknown event type: {kind}"), "param": null,
                    "event_id": body["event_id"],
                }}),
            ),
        }
        call.end();
    }

    fn item(&mut self) -> String {
        self.items += 1;
        format!("item_simulated{}", self.items)
    }

    fn add(&mut self, item: &Value) {
        for part in item["content"].as_array().into_iter().flatten() {
            let text = part["text"].as_str().unwrap_or_default();
            self.text += count(text);
            if item["role"] == "user" && !text.is_empty() {
                text.clone_into(&mut self.said);
            }
            let audio = STANDARD.decode(part["audio"].as_str().unwrap_or_default());
            self.audio += audio.unwrap_or_default().len().div_ceil(AUDIO_TOKEN) as u64;
        }
        let output = item["output"].as_str().unwrap_or_default();
        self.text += count(output);
        if !output.is_empty() {
            output.clone_into(&mut self.said);
        }
    }

    fn commit(&mut self) -> String {
        self.audio += self.buffer.len().div_ceil(AUDIO_TOKEN) as u64;
        self.said = format!("{} bytes of audio", self.buffer.len());
        self.buffer.clear();
        self.item()
    }

    fn respond(&mut self, socket: &mut Socket, mut call: Call, number: u64, body: &Value) {
        let behaviour = socket.behaviour(Some(&self.model));
        let asked = &body["response"];
        let setting =
            |name: &str| if asked[name].is_null() { &self.settings[name] } else { &asked[name] };
        let error = |status: u16, code: &str| {
            json!({"type": "error", "event_id": format!("event_simulated{number}"), "error": {
                "type": "invalid_request_error", "code": code, "param": null,
                "message": format!("The request was refused ({status})."),
                "event_id": body["event_id"],
            }})
        };
        let model = bill::model(&self.model);
        let (Some(model), false) = (model, matches!(behaviour.answer, Answer::Refuse(_))) else {
            call.end();
            socket.out.event(&error(400, "refused"));
            return;
        };
        let speaks = setting("output_modalities")
            .as_array()
            .is_some_and(|all| all.contains(&json!("audio")));
        let limit = setting("max_output_tokens").as_u64().unwrap_or(u64::MAX);
        let text = match &behaviour.text {
            Text::Echo | Text::Call { .. } => format!("You said: {}", self.said),
            Text::Say(text) => text.clone(),
            Text::Bytes(size) => "x".repeat(*size),
        };
        // A token of a spoken answer costs three.
        let each = if speaks { 3 } else { 1 };
        let kept: usize = tokens(&text).take((limit / each) as usize).map(str::len).sum();
        let text = text[..kept].to_owned();
        let instructions = leaf_tokens(&self.settings["instructions"]);
        let (read_text, read_audio) = self.read;
        let made = count(&text);
        let counted = Usage {
            input: (instructions + self.text).saturating_sub(read_text),
            cache_read: read_text.min(instructions + self.text),
            audio_input: self.audio.saturating_sub(read_audio),
            audio_cache_read: read_audio.min(self.audio),
            output: made,
            audio_output: if speaks { 2 * made } else { 0 },
            ..Usage::default()
        };
        let usage = behaviour.usage.unwrap_or(counted);
        self.read = (instructions + self.text, self.audio);
        self.text += made;
        self.audio += usage.audio_output;
        call.owe(Some(Charge { model, name: self.model.clone(), usage }), false);
        self.cancelled = Arc::default();
        let answer = Spoken {
            id: format!("resp_simulated{number:08}"),
            item: self.item(),
            text,
            speaks,
            usage,
            cancelled: Arc::clone(&self.cancelled),
        };
        let out = socket.out.clone();
        socket.answers.spawn(answer.deliver(call, behaviour, out));
    }
}

/// One answer.
struct Spoken {
    id: String,
    item: String,
    text: String,
    speaks: bool,
    usage: Usage,
    cancelled: Arc<AtomicBool>,
}

impl Spoken {
    async fn deliver(self, mut call: Call, behaviour: Behaviour, out: Out) {
        let place = json!({"response_id": self.id, "item_id": self.item, "output_index": 0, "content_index": 0});
        let at = |kind: &str, more: Value| {
            let mut event = json!({"type": kind, "event_id": format!("event_{}", self.id)});
            merge(&mut event, &place);
            merge(&mut event, &more);
            event
        };
        let name =
            if self.speaks { "response.output_audio_transcript" } else { "response.output_text" };
        let member = if self.speaks { "transcript" } else { "text" };
        let mut events = vec![
            (
                json!({"type": "response.created", "event_id": "event_created", "response": self.response("in_progress", &[])}),
                0,
            ),
            (
                at(
                    "response.output_item.added",
                    json!({"item": {"id": self.item, "type": "message", "role": "assistant", "content": []}}),
                ),
                0,
            ),
        ];
        for token in tokens(&self.text) {
            events.push((at(&format!("{name}.delta"), json!({"delta": token})), 1));
            if self.speaks {
                events.push((
                    at("response.output_audio.delta", json!({"delta": STANDARD.encode([7; 48])})),
                    0,
                ));
            }
        }
        events.push((at(&format!("{name}.done"), json!({member: self.text})), 0));
        events.push((at("response.output_item.done", json!({"item": self.whole()})), 0));
        for (place, (event, made)) in events.into_iter().enumerate() {
            for (at, mishap) in &behaviour.mishaps {
                let here = match at {
                    At::Head => place == 0,
                    At::Event(events) => *events == place && place > 0,
                    At::Byte(_) => false,
                };
                if here && suffer(mishap.clone()).await.is_err() {
                    call.end();
                    let _ = out.0.send(Sent::Leave(Parting::of(mishap)));
                    return;
                }
            }
            if self.cancelled.load(Ordering::Relaxed) {
                // What was made is billed and told.
                call.whole();
                out.event(&self.done("cancelled", behaviour.report));
                return;
            }
            call.generated(made);
            out.event(&event);
            if !behaviour.pace.gap.is_zero() {
                tokio::time::sleep(behaviour.pace.gap).await;
            }
        }
        call.whole();
        out.event(&self.done("completed", behaviour.report));
    }

    fn whole(&self) -> Value {
        let part = if self.speaks {
            json!({"type": "output_audio", "transcript": self.text})
        } else {
            json!({"type": "output_text", "text": self.text})
        };
        json!({"id": self.item, "type": "message", "role": "assistant", "content": [part]})
    }

    fn response(&self, status: &str, output: &[Value]) -> Value {
        json!({
            "object": "realtime.response", "id": self.id, "status": status, "status_details": null,
            "output": output, "conversation_id": "conv_simulated", "usage": null, "metadata": null,
        })
    }

    fn done(&self, status: &str, report: Report) -> Value {
        let mut response = self.response(status, &[self.whole()]);
        let used = &self.usage;
        let text = used.input + used.cache_read;
        let audio = used.audio_input + used.audio_cache_read;
        if report != Report::Never {
            response["usage"] = json!({
                "total_tokens": text + audio + used.output + used.audio_output,
                "input_tokens": text + audio,
                "output_tokens": used.output + used.audio_output,
                "input_token_details": {
                    "text_tokens": text, "audio_tokens": audio, "image_tokens": 0,
                    "cached_tokens": used.cache_read + used.audio_cache_read,
                    "cached_tokens_details": {
                        "text_tokens": used.cache_read, "audio_tokens": used.audio_cache_read, "image_tokens": 0,
                    },
                },
                "output_token_details": {"text_tokens": used.output, "audio_tokens": used.audio_output},
            });
        }
        json!({"type": "response.done", "event_id": "event_done", "response": response})
    }
}

/// Writes the members of one object over those of another.
fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}
