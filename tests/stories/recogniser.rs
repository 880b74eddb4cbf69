//! Names and places, found by a service that the policy names.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use iron_tests::World;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A service that knows one name, and how often it was asked.
struct Service {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    /// How long it takes, in milliseconds.
    delay: Arc<AtomicUsize>,
}

const NAME: &str = "Zoë Müller";

impl Service {
    async fn start(delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let delay = Arc::new(AtomicUsize::new(delay.as_millis() as usize));
        let wait = Arc::clone(&delay);
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (counter, wait) = (Arc::clone(&counter), Arc::clone(&wait));
                let answer = service_fn(move |request: Request<Incoming>| {
                    counter.fetch_add(1, Ordering::SeqCst);
                    let delay = Duration::from_millis(wait.load(Ordering::SeqCst) as u64);
                    async move {
                        tokio::time::sleep(delay).await;
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        Ok::<_, Infallible>(Response::new(Full::new(answer(&body))))
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        Self { address, asked, delay }
    }

    fn policy(&self, more: &str) -> String {
        let url = format!("http://{}/analyze", self.address);
        format!("[redact.recogniser]\nurl = \"{url}\"\nkinds = {{ PERSON = \"PERSON\" }}\n{more}\n")
    }
}

/// As Presidio's analyzer answers a list of texts, offsets in characters.
fn answer(body: &[u8]) -> Bytes {
    let asked: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(asked["entities"], json!(["PERSON"]));
    let answers: Vec<Value> = asked["text"]
        .as_array()
        .unwrap()
        .iter()
        .map(|text| {
            let text = text.as_str().unwrap();
            let found = text.find(NAME).map(|at| {
                let start = text[..at].chars().count();
                let end = start + NAME.chars().count();
                json!({"entity_type": "PERSON", "start": start, "end": end, "score": 0.85})
            });
            found.into_iter().collect()
        })
        .collect();
    Bytes::from(Value::from(answers).to_string())
}

#[tokio::test]
async fn a_name_leaves_as_a_placeholder_and_is_asked_for_once() {
    let service = Service::start(Duration::ZERO).await;
    let world = World::with(&service.policy("")).await;
    let text = format!("Grüße an {NAME}, ada@example.org");
    for _ in 0..3 {
        let answer = world.client().chat(&text).await;
        assert_eq!(answer.said(), format!("You said: {text}"));
        let sent = world.last_received();
        assert!(sent.contains("<PERSON_") && !sent.contains("Zo"), "{sent}");
        assert!(sent.contains("<EMAIL_"), "{sent}");
    }
    assert_eq!(service.asked.load(Ordering::SeqCst), 1);
    assert_eq!(world.calls().await[0].findings["PERSON"], 1);
}

#[tokio::test]
async fn without_an_answer_the_policy_decides() {
    let service = Service::start(Duration::from_secs(5)).await;
    let closed = World::with(&service.policy("timeout = \"50ms\"")).await;
    let answer = closed.client().chat("Hello").await;
    assert_eq!(answer.status, 503);
    let error = answer.json();
    assert_eq!(error["error"]["code"], "recogniser_unavailable");
    assert!(error["error"]["message"].as_str().unwrap().contains("on_failure"), "{error}");
    assert!(closed.provider.received().is_empty());
    assert_eq!(closed.totals().await.posted.0, 0);

    let open = World::with(&service.policy("timeout = \"50ms\"\non_failure = \"open\"")).await;
    let answer = open.client().chat("ada@example.org").await;
    assert_eq!(answer.status, 200);
    assert!(open.last_received().contains("<EMAIL_"));
}

#[tokio::test]
async fn a_name_that_was_found_before_stays_in_when_the_service_falls_silent() {
    let service = Service::start(Duration::ZERO).await;
    let world = World::with(&service.policy("timeout = \"2s\"\non_failure = \"open\"")).await;
    // Long enough to be remembered as searched.
    let first = format!("Grüße an {NAME}. {}", "And so on and on. ".repeat(20));
    let mut body = iron_tests::client::chat(&first);
    assert_eq!(world.client().post("/v1/chat/completions", &body).await.status, 200);
    assert!(world.last_received().contains("<PERSON_"));
    service.delay.store(5_000, Ordering::SeqCst);
    let next = json!({"role": "user", "content": "something new"});
    body["messages"].as_array_mut().unwrap().push(next);
    assert_eq!(world.client().post("/v1/chat/completions", &body).await.status, 200);
    let sent = world.last_received();
    assert!(sent.contains("something new") && sent.contains("<PERSON_"), "{sent}");
    assert!(!sent.contains("Zo"), "{sent}");
}
