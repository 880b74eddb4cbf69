//! A client that speaks WebSocket: what it sends is what the story says.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use hyper::{HeaderMap, Response, StatusCode};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::client::CALLER_KEY;

/// No story waits longer than this for a message.
const PATIENCE: Duration = Duration::from_secs(30);

/// What carries a connection.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Wire for S {}

/// An open connection.
pub struct Socket {
    stream: WebSocketStream<Box<dyn Wire>>,
    /// The headers of the handshake's answer.
    pub headers: HeaderMap,
}

/// Why no connection was opened.
pub type Refused = Response<Option<Vec<u8>>>;

impl Socket {
    /// Opens one, with a key of the caller's own.
    pub async fn open(address: SocketAddr, path: &str) -> Self {
        let key = format!("Bearer {CALLER_KEY}");
        Self::try_open(address, path, &[("authorization", &key)]).await.unwrap()
    }

    /// Opens one with these headers, or returns the answer that is none.
    pub async fn try_open(
        address: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Refused> {
        let stream = TcpStream::connect(address).await.unwrap();
        Self::over(Box::new(stream), &address.to_string(), path, headers).await
    }

    /// The same on a connection that is there already, to this host.
    pub async fn over(
        stream: Box<dyn Wire>,
        host: &str,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Refused> {
        let mut request = format!("ws://{host}{path}").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let opening = tokio_tungstenite::client_async(request, stream);
        match tokio::time::timeout(PATIENCE, opening).await.unwrap() {
            Ok((stream, response)) => {
                assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
                Ok(Self { stream, headers: response.headers().clone() })
            }
            Err(Error::Http(response)) => Err(*response),
            Err(error) => panic!("{error}"),
        }
    }

    /// Sends an event.
    pub async fn send(&mut self, event: &Value) {
        self.send_text(&event.to_string()).await;
    }

    /// Sends a message of text.
    pub async fn send_text(&mut self, text: &str) {
        self.send_message(Message::text(text)).await;
    }

    /// Sends any message.
    pub async fn send_message(&mut self, message: Message) {
        self.stream.send(message).await.unwrap();
    }

    /// The next message; none once the connection has ended.
    pub async fn message(&mut self) -> Option<Message> {
        tokio::time::timeout(PATIENCE, self.stream.next()).await.unwrap()?.ok()
    }

    /// The next event.
    pub async fn event(&mut self) -> Value {
        loop {
            match self.message().await {
                Some(Message::Text(text)) => return serde_json::from_str(&text).unwrap(),
                Some(Message::Close(frame)) => panic!("closed: {frame:?}"),
                Some(_) => {}
                None => panic!("the connection has ended"),
            }
        }
    }

    /// All events up to the first of one of these types, and that one.
    pub async fn until(&mut self, kinds: &[&str]) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let event = self.event().await;
            let last = kinds.contains(&event["type"].as_str().unwrap_or_default());
            events.push(event);
            if last {
                return events;
            }
        }
    }

    /// What the connection is closed with, once it is; other messages aside.
    pub async fn closed(&mut self) -> Option<CloseFrame> {
        let mut told = None;
        // Read to the end: the library answers the other side's farewell while it reads.
        while let Some(message) = self.message().await {
            if let Message::Close(frame) = message {
                told = frame;
            }
        }
        told
    }

    /// Closes the connection and waits for the other side to do so.
    pub async fn close(mut self) {
        let _ = self.stream.close(None).await;
        while self.message().await.is_some() {}
    }

    /// The bytes below the messages.
    pub fn into_bytes(self) -> Box<dyn Wire> {
        self.stream.into_inner()
    }
}

/// The text of events whose pieces are texts, joined.
pub fn pieces(events: &[Value], kind: &str) -> String {
    let of_kind = events.iter().filter(|event| event["type"] == kind);
    of_kind.filter_map(|event| event["delta"].as_str()).collect()
}
