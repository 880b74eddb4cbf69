//! A plain HTTP client: what it sends is what the story says, byte for byte.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// The key that callers send of their own.
pub const CALLER_KEY: &str = "caller-key-of-the-story";

/// No story waits longer than this for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Calls one proxy.
#[derive(Clone)]
pub struct Client {
    address: SocketAddr,
    pool: Pool<HttpConnector, Full<Bytes>>,
    headers: HeaderMap,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// The events of a stream, as raw text.
pub struct Events {
    body: Incoming,
    /// The answer's headers.
    pub headers: HeaderMap,
}

impl Client {
    /// A client of the proxy at this address.
    pub fn new(address: SocketAddr) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {CALLER_KEY}").parse().unwrap());
        headers.insert("content-type", "application/json".parse().unwrap());
        Self { address, pool: Pool::builder(TokioExecutor::new()).build_http(), headers }
    }

    /// The same client with another header on each call.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().unwrap());
        self
    }

    /// The same client without one of its headers.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// Sends a request and returns once the answer's head is there.
    pub async fn begin(&self, method: Method, path: &str, body: Bytes) -> Response<Incoming> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = format!("http://{}{path}", self.address).parse().unwrap();
        *request.headers_mut() = self.headers.clone();
        tokio::time::timeout(PATIENCE, self.pool.request(request)).await.unwrap().unwrap()
    }

    /// Sends bytes and reads the whole answer.
    pub async fn post_bytes(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        Answer::read(self.begin(Method::POST, path, body.into()).await).await
    }

    /// Sends JSON and reads the whole answer.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_bytes(path, body.to_string()).await
    }

    /// Gets a path.
    pub async fn get(&self, path: &str) -> Answer {
        Answer::read(self.begin(Method::GET, path, Bytes::new()).await).await
    }

    /// One chat call with this user text.
    pub async fn chat(&self, text: &str) -> Answer {
        self.post("/v1/chat/completions", &chat(text)).await
    }

    /// A call that may fail at any point.
    pub async fn try_post(&self, path: &str, body: &Value) -> Result<StatusCode, String> {
        let mut request = Request::new(Full::new(Bytes::from(body.to_string())));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = format!("http://{}{path}", self.address).parse().unwrap();
        *request.headers_mut() = self.headers.clone();
        let answer = self.pool.request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        answer.into_body().collect().await.map_err(|error| error.to_string())?;
        Ok(status)
    }

    /// Begins a stream.
    pub async fn stream(&self, path: &str, body: &Value) -> Events {
        let response = self.begin(Method::POST, path, body.to_string().into()).await;
        let (head, body) = response.into_parts();
        assert_eq!(head.status, StatusCode::OK);
        Events { body, headers: head.headers }
    }
}

impl Answer {
    pub(crate) async fn read(response: Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        let body = tokio::time::timeout(PATIENCE, body.collect()).await.unwrap().unwrap();
        Self { status: head.status, headers: head.headers, body: body.to_bytes() }
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// What the model said in an OpenAI chat answer.
    pub fn said(&self) -> String {
        self.json()["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned()
    }

    /// The code of an OpenAI error.
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Events {
    /// The next bytes; none at the end.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await.unwrap()?;
            if let Ok(data) = frame.unwrap().into_data() {
                return Some(data);
            }
        }
    }

    /// Everything up to the end, as text.
    pub async fn rest(mut self) -> String {
        let mut all = Vec::new();
        while let Some(bytes) = self.next().await {
            all.extend_from_slice(&bytes);
        }
        String::from_utf8(all).unwrap()
    }
}

/// The `data:` of each event of a stream's text that is JSON.
pub fn data(stream: &str) -> Vec<Value> {
    stream
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .filter_map(|data| serde_json::from_str(data.trim()).ok())
        .collect()
}

/// A chat call with one user text and a small limit on output.
pub fn chat(text: &str) -> Value {
    json!({
        "model": "gpt-4o-mini",
        "max_tokens": 64,
        "messages": [{"role": "user", "content": text}],
    })
}

/// The same as a stream.
pub fn chat_stream(text: &str) -> Value {
    let mut body = chat(text);
    body["stream"] = json!(true);
    body
}

/// A Gemini call with one user text; the model is in the path.
pub fn content(text: &str) -> Value {
    json!({
        "contents": [{"role": "user", "parts": [{"text": text}]}],
        "generationConfig": {"maxOutputTokens": 64},
    })
}

/// An Anthropic call with one user text.
pub fn message(text: &str) -> Value {
    json!({
        "model": "claude-haiku-4-5",
        "max_tokens": 64,
        "messages": [{"role": "user", "content": text}],
    })
}
