//! WebSockets: OpenAI's Responses and Realtime API, a JSON event a message.
//!
//! Each message that arrives is a call of its own in the records, with the handshake's headers. What
//! asks for an answer is answered by a task of its own; closing the connection ends them all, and
//! each is billed what it had generated. Orders for a handshake name the path with `upgrade:` before
//! it; orders for messages name the path itself.

mod realtime;
mod responses;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use futures_util::{SinkExt as _, StreamExt as _};
use hyper::body::Bytes;
use hyper::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    UPGRADE,
};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::World;
use super::behaviour::{Answer, At, Behaviour, Mishap};
use super::bill::Vendor;
use super::delivery::{Call, Farewell, suffer};
use super::endpoint;
use super::records::Received;
use super::refusal::Refusal;
use super::sse::Event;

/// A connection that was opened.
#[derive(Debug)]
pub(super) struct Opened(Received);

/// Answers a handshake; none where the call is no handshake.
pub(super) fn open(
    world: &World,
    call: &Received,
    opened: &Mutex<Option<Opened>>,
) -> Option<Result<Response<()>, Farewell>> {
    let upgrade = call.headers.get(UPGRADE)?;
    let path = endpoint::path(call);
    if upgrade != "websocket" || !["/v1/responses", "/v1/realtime"].contains(&path) {
        return None;
    }
    let behaviour = world.script.behaviour_of_path(&format!("upgrade:{path}"));
    let mut response = Response::new(());
    let status = match behaviour.answer {
        Answer::Refuse(status) => status,
        _ if endpoint::authenticate(&call.headers, Vendor::OpenAi).is_err() => 401,
        _ => 101,
    };
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let headers = response.headers_mut();
    for (name, value) in &behaviour.headers {
        let name = hyper::header::HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    if status != 101 {
        headers.insert("content-length", HeaderValue::from_static("0"));
        return Some(Ok(response));
    }
    let Some(key) = call.headers.get(SEC_WEBSOCKET_KEY) else { return Some(Err(Farewell::Close)) };
    let accept = derive_accept_key(key.as_bytes());
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&accept) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    let offered = call.headers.get(SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok());
    if offered.is_some_and(|offered| offered.split(',').any(|one| one.trim() == "realtime")) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("realtime"));
    }
    *opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(Opened(call.clone()));
    Some(Ok(response))
}

/// Where answers go.
#[derive(Clone)]
struct Out(mpsc::UnboundedSender<Sent>);

enum Sent {
    Event(String),
    Leave(Parting),
}

/// How a connection is left.
#[derive(Clone, Copy)]
enum Parting {
    /// With a closing handshake.
    Told,
    /// Without one, as a machine that dies.
    Silent,
}

impl Parting {
    const fn of(mishap: &Mishap) -> Self {
        if matches!(mishap, Mishap::Part) { Self::Told } else { Self::Silent }
    }
}

impl Out {
    fn event(&self, event: &Value) {
        self.text(event.to_string());
    }

    fn text(&self, event: String) {
        // The connection may be gone.
        let _ = self.0.send(Sent::Event(event));
    }
}

/// One connection.
struct Socket {
    world: Arc<World>,
    opened: Received,
    out: Out,
    answers: JoinSet<()>,
}

/// Speaks to the client until one side ends it.
pub(super) async fn talk<S>(opened: Opened, stream: S, read: Bytes, world: &Arc<World>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let socket =
        WebSocketStream::from_partially_read(stream, read.to_vec(), Role::Server, None).await;
    let (mut to, mut from) = socket.split();
    let (out, mut outgoing) = mpsc::unbounded_channel();
    let realtime = endpoint::path(&opened.0) == "/v1/realtime";
    let mut socket = Socket {
        world: Arc::clone(world),
        opened: opened.0,
        out: Out(out),
        answers: JoinSet::new(),
    };
    let mut responses = responses::Responses::default();
    let mut session = realtime::Session::new(&socket);
    if realtime {
        session.greet(&socket);
    }
    loop {
        tokio::select! {
            message = from.next() => match message {
                Some(Ok(Message::Text(text))) if realtime => session.message(&mut socket, &text),
                Some(Ok(Message::Text(text))) => responses.message(&mut socket, &text),
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => {}
            },
            Some(sent) = outgoing.recv() => match sent {
                Sent::Event(event) => {
                    if to.send(Message::text(event)).await.is_err() {
                        break;
                    }
                }
                Sent::Leave(Parting::Told) => break,
                Sent::Leave(Parting::Silent) => return,
            },
            Some(_) = socket.answers.join_next() => {}
        }
    }
    // Before the client can see the end, so that it finds the bill settled.
    socket.answers.shutdown().await;
    let _ = to.close().await;
}

impl Socket {
    /// Puts a message into the records, and says how it is to be answered.
    fn receive(&self, text: &str) -> (Arc<Received>, u64, Call) {
        let received = Received {
            body: Bytes::copy_from_slice(text.as_bytes()),
            at: SystemTime::now(),
            ..self.opened.clone()
        };
        let number = self.world.records.receive(received.clone());
        let call = Call::new(Arc::clone(&self.world), format!("req_simulated{number:012}"));
        (Arc::new(received), number, call)
    }

    fn behaviour(&self, model: Option<&str>) -> Behaviour {
        self.world.script.behaviour(endpoint::path(&self.opened), model)
    }
}

/// Sends events at the pace and with the mishaps that were ordered.
async fn deliver(mut call: Call, events: Vec<Event>, behaviour: Behaviour, out: Out) {
    let count = events.len();
    for (place, event) in events.into_iter().enumerate() {
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
        call.generated(event.cost());
        if place + 1 == count {
            call.whole();
        }
        let _ = out.0.send(Sent::Event(event.text().to_owned()));
        if !behaviour.pace.gap.is_zero() {
            tokio::time::sleep(behaviour.pace.gap).await;
        }
    }
}

/// A refusal as the Responses API sends it over a WebSocket.
fn refused(refusal: &Refusal, lane: &Value) -> Value {
    let mut event = refusal.body(Vendor::OpenAi, "");
    event["type"] = json!("error");
    event["status"] = json!(refusal.status);
    if !lane.is_null() {
        event["stream_id"] = lane.clone();
    }
    event
}
