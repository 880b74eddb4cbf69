//! Stories told to the simulator by a bare HTTP client, so that nothing hides what is on the wire.

mod bills;
mod faults;
mod gemini;
mod plain;
mod scripts;
mod streams;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::{Behaviour, Simulator};

fn start() -> Simulator {
    Simulator::start(([127, 0, 0, 1], 0).into()).unwrap()
}

/// An answer, read to its end or to where it breaks off.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: hyper::HeaderMap,
    body: Vec<u8>,
    /// The size of each chunk as it came.
    chunks: Vec<usize>,
    /// False if the connection broke before the end.
    complete: bool,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The data of each event that is JSON.
    fn events(&self) -> Vec<Value> {
        let data = self.text().lines().filter_map(|line| line.strip_prefix("data: "));
        data.filter_map(|data| serde_json::from_str(data).ok()).collect()
    }
}

/// Sends a request on a connection of its own and returns the head of the answer.
async fn send(
    simulator: &Simulator,
    request: Request<Full<Bytes>>,
) -> hyper::Result<Response<Incoming>> {
    let stream = TcpStream::connect(simulator.address()).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    sender.send_request(request).await
}

async fn read(response: Response<Incoming>) -> Answer {
    let (head, mut body) = response.into_parts();
    let mut answer = Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        body: Vec::new(),
        chunks: Vec::new(),
        complete: true,
    };
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                let data = frame.into_data().unwrap_or_default();
                answer.chunks.push(data.len());
                answer.body.extend_from_slice(&data);
            }
            Err(_) => answer.complete = false,
        }
    }
    answer
}

async fn call(simulator: &Simulator, request: Request<Full<Bytes>>) -> Answer {
    read(send(simulator, request).await.unwrap()).await
}

fn request(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path).header("host", "provider");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body.into())).unwrap()
}

fn openai(path: &str, body: &Value) -> Request<Full<Bytes>> {
    request("POST", path, &[("authorization", "Bearer sk-test")], body.to_string())
}

fn anthropic(path: &str, body: &Value) -> Request<Full<Bytes>> {
    let headers = [("x-api-key", "sk-ant-test"), ("anthropic-version", "2023-06-01")];
    request("POST", path, &headers, body.to_string())
}

/// One user message to gpt-4o-mini: `user` and the text are what is counted.
fn chat_body(text: &str) -> Value {
    json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": text }] })
}

fn chat(text: &str) -> Request<Full<Bytes>> {
    openai("/v1/chat/completions", &chat_body(text))
}

fn streamed(mut body: Value) -> Value {
    body["stream"] = json!(true);
    body
}

fn chat_stream(text: &str) -> Request<Full<Bytes>> {
    openai("/v1/chat/completions", &streamed(chat_body(text)))
}

fn messages_body(text: &str) -> Value {
    json!({
        "model": "claude-haiku-4-5",
        "max_tokens": 100,
        "messages": [{ "role": "user", "content": text }],
    })
}

/// Streams a chat answer in the manner ordered.
async fn stream_as(behaviour: Behaviour) -> Answer {
    let simulator = start();
    simulator.script([behaviour]);
    call(&simulator, chat_stream("the 🦀 e-mail is a@b.org")).await
}
