//! Webhooks, with a receiver that answers what it is told to.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use iron_policy::config;
use serde_json::{Value, json};

use crate::alerts::*;
use crate::api::access::{Principal, Role};
use crate::events::BudgetAlert;
use crate::keys::Master;
use crate::panel::Panel;
use crate::store::Store;
use crate::testing::{stores, worlds};

/// What came, and what is answered.
#[derive(Clone)]
struct Receiver {
    came: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    answer: Arc<Mutex<(StatusCode, Option<String>)>>,
    url: String,
}

impl Receiver {
    async fn new() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            came: Arc::default(),
            answer: Arc::new(Mutex::new((StatusCode::NO_CONTENT, None))),
            url: format!("http://{}/hook?of=iron", listener.local_addr().unwrap()),
        };
        let app = Router::new().fallback(came).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        receiver
    }

    fn answers(&self, status: StatusCode) {
        self.answer.lock().unwrap().0 = status;
    }

    fn count(&self) -> usize {
        self.came.lock().unwrap().len()
    }
}

async fn came(
    State(receiver): State<Receiver>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap) {
    receiver.came.lock().unwrap().push((headers, body));
    let (status, location) = receiver.answer.lock().unwrap().clone();
    let mut headers = HeaderMap::new();
    if let Some(location) = location {
        headers.insert("location", location.parse().unwrap());
    }
    (status, headers)
}

/// A panel that may send to this machine.
fn over(store: Store) -> Panel {
    let settings =
        config::Panel { webhook_hosts: vec!["127.0.0.1".to_owned()], ..config::Panel::default() };
    Panel::configured(store, Master::new([7; 32]), settings)
}

fn sender(panel: &Panel) -> Sender {
    Sender::new(panel.settings.webhook_hosts.clone()).unwrap()
}

fn admin() -> Principal {
    Principal::Person {
        id: "usr_admin".to_owned(),
        name: "admin".to_owned(),
        role: Role::Admin,
        session: String::new(),
        projects: Vec::new(),
    }
}

async fn alert(panel: &Panel, percent: i64) {
    let alert = BudgetAlert {
        budget: "bud_1".to_owned(),
        account: "agent:a".to_owned(),
        project: None,
        start: String::new(),
        percent,
        spent: 5.into(),
        held: 0.into(),
        limit: 10.into(),
    };
    let mut tx = panel.store.begin().await.unwrap();
    tell(panel, &mut tx, &[Kind::BudgetAlert(alert)]).await.unwrap();
    tx.commit().await.unwrap();
}

async fn log(panel: &Panel, webhook: &str) -> Vec<Delivery> {
    let mut connection = panel.store.pool().acquire().await.unwrap();
    deliveries(&mut connection, webhook, "", 100).await.unwrap()
}

#[tokio::test]
async fn an_alert_arrives_once_and_is_signed() {
    for store in stores().await {
        let (panel, receiver) = (over(store), Receiver::new().await);
        let (webhook, secret) = create(&panel, &admin(), &receiver.url, Vec::new()).await.unwrap();
        create(&panel, &admin(), &receiver.url, vec!["budget_overrun".to_owned()]).await.unwrap();
        alert(&panel, 80).await;
        assert_eq!(
            round(&panel, &sender(&panel), "one").await.unwrap(),
            1,
            "the other is not told"
        );
        assert_eq!(round(&panel, &sender(&panel), "one").await.unwrap(), 0);
        let came = receiver.came.lock().unwrap().clone();
        let [(headers, body)] = came.as_slice() else { panic!("{} came", came.len()) };
        let said: Value = serde_json::from_slice(body).unwrap();
        assert_eq!((&said["type"], &said["data"]["percent"]), (&json!("budget_alert"), &json!(80)));
        // Checked as a receiver does: by what it was shown, and what stands in the headers.
        let shown = secret.shown().to_string();
        let key = base64::engine::general_purpose::STANDARD
            .decode(shown.strip_prefix("whsec_").unwrap())
            .unwrap();
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        let stamp: i64 = header("webhook-timestamp").parse().unwrap();
        assert!((panel.clock.now_ms() / 1_000 - stamp).abs() < 60);
        let signed = Secret::of(&key).unwrap().signature(&header("webhook-id"), stamp, body);
        assert_eq!(header("webhook-signature"), signed);
        let log = log(&panel, &webhook.id).await;
        assert_eq!((log[0].status, log[0].attempts, log[0].next_at), (Some(204), 1, None));
        assert_eq!(log[0].id, header("webhook-id"));
        assert!(log[0].done_at.is_some());
    }
}

#[tokio::test]
async fn what_does_not_arrive_is_sent_again_for_a_day_and_then_given_up() {
    for store in stores().await {
        let (panel, receiver) = (over(store), Receiver::new().await);
        let (webhook, _) = create(&panel, &admin(), &receiver.url, Vec::new()).await.unwrap();
        receiver.answers(StatusCode::INTERNAL_SERVER_ERROR);
        alert(&panel, 50).await;
        let sender = sender(&panel);
        for (attempt, pause) in PAUSES.iter().enumerate() {
            assert_eq!(round(&panel, &sender, "one").await.unwrap(), 1, "attempt {attempt}");
            // Not before its time.
            panel.clock.turn(pause - 2_000);
            assert_eq!(round(&panel, &sender, "one").await.unwrap(), 0, "attempt {attempt}");
            panel.clock.turn(2_000);
        }
        assert_eq!(round(&panel, &sender, "one").await.unwrap(), 1, "the last");
        panel.clock.turn(1_000_000_000);
        assert_eq!(round(&panel, &sender, "one").await.unwrap(), 0);
        assert_eq!(receiver.count(), 8);
        let day = 24 * 3_600_000;
        assert!((day / 2..=day).contains(&PAUSES.iter().sum::<i64>()));
        let log = log(&panel, &webhook.id).await;
        assert_eq!((log[0].attempts, log[0].next_at, log[0].done_at), (8, None, None));
        assert_eq!(log[0].error.as_deref(), Some("the answer was 500"));
        // All attempts carry one id, and each its own time.
        let came = receiver.came.lock().unwrap().clone();
        assert!(came.iter().all(|(headers, _)| headers["webhook-id"] == log[0].id.as_str()));
        assert_ne!(came[0].0["webhook-timestamp"], came[7].0["webhook-timestamp"]);
    }
}

#[tokio::test]
async fn addresses_inside_are_refused_where_they_are_connected_to() {
    let [store, _] = stores().await;
    let receiver = Receiver::new().await;
    let port = receiver.url.split(':').nth(2).unwrap().split('/').next().unwrap().to_owned();
    let panel = Panel::new(store, Master::new([7; 32]));
    let strict = Sender::new(Vec::new()).unwrap();
    let secret = Secret::random().unwrap();
    let message = send::Message { id: "msg_1", timestamp: 0, body: "{}" };
    for (url, said) in [
        (receiver.url.clone(), "loopback"),
        (format!("http://localhost:{port}/"), "loopback"),
        (format!("http://[::1]:{port}/"), "loopback"),
        (format!("http://[::ffff:127.0.0.1]:{port}/"), "loopback"),
        // Other spellings of 127.0.0.1 that resolvers take.
        (format!("http://2130706433:{port}/"), ""),
        (format!("http://0.0.0.0:{port}/"), "unspecified"),
        ("http://169.254.169.254/latest/meta-data".to_owned(), "cloud metadata"),
        ("http://10.0.0.1/".to_owned(), "private"),
        ("http://[fe80::1]/".to_owned(), "link-local"),
    ] {
        let refused = strict.send(&url, &secret, message).await.unwrap_err().to_string();
        assert!(refused.contains(said), "{url}: {refused}");
    }
    assert_eq!(receiver.count(), 0, "nothing was connected to");
    // What is not encrypted is for hosts that are named alone.
    let made = create(&panel, &admin(), "http://example.org/hook", Vec::new()).await;
    assert!(matches!(made, Err(WebhookError::Invalid(_))));
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_what_is_gone_is_not_asked_again() {
    let [store, _] = stores().await;
    let (panel, receiver) = (over(store), Receiver::new().await);
    let (webhook, _) = create(&panel, &admin(), &receiver.url, Vec::new()).await.unwrap();
    *receiver.answer.lock().unwrap() = (StatusCode::FOUND, Some(receiver.url.clone()));
    let tested = test(&panel, &admin(), &webhook.id).await.unwrap();
    assert_eq!((tested.status, tested.done_at, tested.next_at), (Some(302), None, None));
    assert_eq!(receiver.count(), 1);
    *receiver.answer.lock().unwrap() = (StatusCode::GONE, None);
    alert(&panel, 50).await;
    round(&panel, &sender(&panel), "one").await.unwrap();
    let mut connection = panel.store.pool().acquire().await.unwrap();
    let found = find(&mut connection, &webhook.id).await.unwrap().unwrap();
    assert!(found.disabled);
    drop(connection);
    alert(&panel, 80).await;
    assert_eq!(round(&panel, &sender(&panel), "one").await.unwrap(), 0);
}

#[tokio::test]
async fn two_replicas_send_each_message_once_and_one_takes_over_from_the_other() {
    for store in stores().await {
        let (panel, receiver) = (over(store), Receiver::new().await);
        create(&panel, &admin(), &receiver.url, Vec::new()).await.unwrap();
        for percent in 0..20 {
            alert(&panel, percent).await;
        }
        let sender = sender(&panel);
        let (one, other) =
            tokio::join!(round(&panel, &sender, "one"), round(&panel, &sender, "other"));
        assert_eq!(one.unwrap() + other.unwrap(), 20);
        assert_eq!(receiver.count(), 20);
        // Whoever has the duty keeps it; when nothing is heard of them, another takes it.
        assert_eq!(round(&panel, &sender, "one").await.unwrap(), 0);
        alert(&panel, 50).await;
        let mut sent = Vec::new();
        for holder in ["other", "one"] {
            sent.push(round(&panel, &sender, holder).await.unwrap());
        }
        assert_eq!(sent.iter().sum::<usize>(), 1);
        alert(&panel, 80).await;
        panel.clock.turn(120_000);
        assert_eq!(round(&panel, &sender, "third").await.unwrap(), 1);
        alert(&panel, 95).await;
        assert_eq!(round(&panel, &sender, "one").await.unwrap(), 0, "it is the third's now");
        assert_eq!(round(&panel, &sender, "third").await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_webhook_is_made_shown_without_its_secret_changed_and_removed() {
    for world in worlds().await {
        let admin = world.signed_in(Role::Admin).await;
        let operator = world.signed_in(Role::Operator).await;
        let body = json!({"url": "https://example.org/hook", "events": ["budget_alert"]});
        assert_eq!(operator.post("/api/v1/webhooks", &body).await.status, 403);
        let made = admin.post("/api/v1/webhooks", &body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let secret = made.json["secret"].as_str().unwrap();
        assert!(secret.starts_with("whsec_"));
        let path = format!("/api/v1/webhooks/{}", made.json["id"].as_str().unwrap());
        for answer in [admin.get(&path).await, admin.get("/api/v1/webhooks").await] {
            assert!(!answer.text.contains("secret") && !answer.text.contains(secret));
        }
        let change = json!({"events": [], "disabled": true}).to_string();
        let stale = admin.with_header("if-match", "\"9\"");
        assert_eq!(stale.send("PATCH", &path, Some(change.clone())).await.status, 412);
        let fresh = admin.with_header("if-match", "\"1\"");
        let changed = fresh.send("PATCH", &path, Some(change)).await;
        assert_eq!((changed.status, &changed.json["disabled"]), (200, &json!(true)));
        let logged = admin.get(&format!("{path}/deliveries")).await;
        assert_eq!(logged.json["items"], json!([]));
        let any = admin.with_header("if-match", "*");
        assert_eq!(any.send("DELETE", &path, None).await.status, 204);
        assert_eq!(admin.get(&path).await.status, 404);
        for wrong in [
            json!({"url": "ftp://example.org"}),
            json!({"url": "https://user:password@example.org"}),
            json!({"url": "/hook"}),
            json!({"url": "http://example.org/hook"}),
            json!({"url": "https://example.org", "events": ["call"]}),
        ] {
            assert_eq!(admin.post("/api/v1/webhooks", &wrong).await.status, 400, "{wrong}");
        }
    }
}
