//! Live views over real sockets: between replicas, stalled, too big, from foreign pages.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::{Error, Message, client::IntoClientRequest};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::access::Role;
use crate::events::{Audited, EVENT, Kind, ProxySeen, publish};
use crate::keys::Master;
use crate::panel::Panel;
use crate::store::Store;
use crate::tasks::{self, Tasks};
use crate::testing::{World, postgres, stores};

type Socket = WebSocketStream<TcpStream>;

/// A panel behind a port.
async fn served(panel: &Panel) -> (SocketAddr, Tasks) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, router) = (listener.local_addr().unwrap(), super::router(panel));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let tasks = tasks::start(panel);
    // From its first look on it hands out what happens.
    within(async {
        while panel.events.last() < 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    (address, tasks)
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work).await.expect("in time")
}

async fn connect(
    address: SocketAddr,
    query: &str,
    headers: &[(&'static str, &str)],
) -> Result<Socket, Error> {
    let mut request =
        format!("ws://localhost:{}/ws{query}", address.port()).into_client_request()?;
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(address).await.unwrap();
    client_async(request, stream).await.map(|(socket, _)| socket)
}

/// The next message that is JSON.
async fn next(socket: &mut Socket) -> Value {
    within(async {
        loop {
            match socket.next().await.expect("a message").expect("a message") {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Close(frame) => return json!({"closed": frame.map(|f| u16::from(f.code))}),
                _ => {}
            }
        }
    })
    .await
}

async fn say(panel: &Panel, what: Kind) {
    let mut tx = panel.store.begin().await.unwrap();
    publish(panel, &mut tx, &what).await.unwrap();
    tx.commit().await.unwrap();
    panel.wake.notify(EVENT);
}

fn up(name: &str) -> Kind {
    Kind::ProxyUp(ProxySeen { proxy: name.to_owned(), version: String::new() })
}

fn panel(store: &Store) -> Panel {
    Panel::new(store.clone(), Master::new([7; 32]))
}

/// What somebody with this role sends to be known.
async fn bearer(panel: &Panel, role: Role) -> String {
    World::of(panel.clone()).signed_in(role).await.sent("authorization")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_show_each_others_events() {
    let store = postgres().await;
    let (one, other) = (panel(&store), panel(&Store::open(store.url()).await.unwrap()));
    let (first, _tasks) = served(&one).await;
    let (second, _more) = served(&other).await;
    let token = bearer(&one, Role::Admin).await;
    let mut here = connect(first, "", &[("authorization", &token)]).await.unwrap();
    let mut there = connect(second, "", &[("authorization", &token)]).await.unwrap();
    for socket in [&mut here, &mut there] {
        let snapshot = next(socket).await;
        assert_eq!((&snapshot["type"], &snapshot["too_old"]), (&"snapshot".into(), &false.into()));
    }
    say(&one, up("a")).await;
    say(&other, up("b")).await;
    for socket in [&mut here, &mut there] {
        for (sequence, name) in [(1, "a"), (2, "b")] {
            let event = next(socket).await;
            assert_eq!(event["sequence"], sequence, "{event}");
            assert_eq!((&event["type"], &event["kind"]), (&"event".into(), &"proxy_up".into()));
            assert_eq!(event["body"]["proxy"], name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_back_gets_what_was_missed_or_is_told_that_it_is_gone() {
    for store in stores().await {
        let panel = panel(&store);
        let (address, _tasks) = served(&panel).await;
        let token = bearer(&panel, Role::Admin).await;
        let headers = [("authorization", &*token)];
        for name in ["a", "b", "c"] {
            say(&panel, up(name)).await;
        }
        let mut socket = connect(address, "?after=1", &headers).await.unwrap();
        assert_eq!(next(&mut socket).await, json!({"type": "resumed", "sequence": 1}));
        assert_eq!(next(&mut socket).await["body"]["proxy"], "b");
        assert_eq!(next(&mut socket).await["body"]["proxy"], "c");
        say(&panel, up("d")).await;
        assert_eq!(next(&mut socket).await["sequence"], 4);
        // Of another database, or removed since.
        sqlx::query("DELETE FROM event WHERE sequence <= 2").execute(store.pool()).await.unwrap();
        for after in ["?after=99", "?after=0", "?after=1"] {
            let mut socket = connect(address, after, &headers).await.unwrap();
            let first = next(&mut socket).await;
            assert_eq!((&first["type"], &first["too_old"]), (&"snapshot".into(), &true.into()));
            assert_eq!(first["sequence"], 4);
        }
        let mut socket = connect(address, "?after=2", &headers).await.unwrap();
        assert_eq!(next(&mut socket).await["type"], "resumed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_see_is_told() {
    for store in stores().await {
        let panel = panel(&store);
        let (address, _tasks) = served(&panel).await;
        let viewer = bearer(&panel, Role::Viewer).await;
        // By the first message.
        let mut socket = connect(address, "", &[]).await.unwrap();
        let token = viewer.strip_prefix("Bearer ").unwrap();
        socket.send(Message::text(json!({"token": token}).to_string())).await.unwrap();
        assert_eq!(next(&mut socket).await["type"], "snapshot");
        let audit = Kind::Audit(Audited {
            sequence: 1,
            actor: "usr_1".to_owned(),
            action: "login".to_owned(),
            target: String::new(),
        });
        say(&panel, audit).await;
        say(&panel, up("seen")).await;
        assert_eq!(next(&mut socket).await["body"]["proxy"], "seen");
        // Nobody, and what is no person.
        let mut socket = connect(address, "", &[]).await.unwrap();
        socket.send(Message::text(json!({"token": "iron_user_none"}).to_string())).await.unwrap();
        assert_eq!(next(&mut socket).await["closed"], 4_401);
        let proxy = World::of(panel.clone()).as_proxy("p").await.sent("authorization");
        let refused = connect(address, "", &[("authorization", &proxy)]).await;
        assert!(matches!(refused, Err(Error::Http(response)) if response.status() == 403));
        // A page of another origin, even with what a browser would send along.
        let headers = [("origin", "https://evil.example"), ("authorization", &*viewer)];
        let foreign = connect(address, "", &headers).await;
        assert!(matches!(foreign, Err(Error::Http(response)) if response.status() == 403));
        let own = format!("http://localhost:{}", address.port());
        connect(address, "", &[("origin", &own), ("authorization", &viewer)]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_sends_is_small_or_ends_the_connection() {
    let panel = panel(&crate::testing::sqlite().await);
    let (address, _tasks) = served(&panel).await;
    let token = bearer(&panel, Role::Viewer).await;
    let mut socket = connect(address, "", &[("authorization", &token)]).await.unwrap();
    assert_eq!(next(&mut socket).await["type"], "snapshot");
    socket.send(Message::text("x".repeat(1 << 20))).await.ok();
    // Closed, or reset where the rest was still on its way.
    let end = within(async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(Some(frame)))) => break u16::from(frame.code),
                None | Some(Err(_)) => break 1_009,
                Some(Ok(_)) => {}
            }
        }
    })
    .await;
    assert_eq!(end, 1_009);
    gone(&panel, 0).await;
    let mut socket = connect(address, "", &[("authorization", &token)]).await.unwrap();
    assert_eq!(next(&mut socket).await["type"], "snapshot");
    for _ in 0..40 {
        socket.send(Message::text("{}")).await.ok();
    }
    assert_eq!(next(&mut socket).await["closed"], 1_008);
}

/// Waits until there are so many live views.
async fn gone(panel: &Panel, left: usize) {
    within(async {
        while panel.views.count() != left {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_is_cut_off_and_nobody_else_is_held_up() {
    let panel = panel(&crate::testing::sqlite().await);
    let (address, _tasks) = served(&panel).await;
    let token = bearer(&panel, Role::Admin).await;
    let mut stalled = connect(address, "", &[("authorization", &token)]).await.unwrap();
    let mut reading = connect(address, "", &[("authorization", &token)]).await.unwrap();
    assert_eq!(next(&mut stalled).await["type"], "snapshot");
    assert_eq!(next(&mut reading).await["type"], "snapshot");
    assert_eq!(panel.views.count(), 2);
    // More than the system holds for a connection.
    let reader = tokio::spawn(async move {
        for sequence in 1..=200 {
            assert_eq!(next(&mut reading).await["sequence"], sequence);
        }
        reading
    });
    for sequence in 0..200 {
        let target = "x".repeat(100_000);
        let (actor, action) = (String::new(), String::new());
        say(&panel, Kind::Audit(Audited { sequence, actor, action, target })).await;
    }
    let reading = reader.await.unwrap();
    gone(&panel, 1).await;
    drop((stalled, reading));
    gone(&panel, 0).await;
}
