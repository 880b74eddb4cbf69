//! Bad input and bad upstreams: a clear error, nothing lost, and the next good call is served.

use iron_cli::simulator::{At, Behaviour, Mishap};
use iron_policy::types::NanoUsd;
use iron_tests::World;
use iron_tests::client::{chat, chat_stream, message};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// After whatever happened, the ledger is even and the next call is served.
async fn still_well(world: &World) {
    world.provider.heal();
    assert_eq!(world.client().chat("hello").await.status, 200);
    assert_eq!(world.totals().await.pending, NanoUsd::ZERO);
}

#[tokio::test]
async fn bodies_that_cannot_be_guarded_are_refused_and_never_sent() {
    let world = World::plain().await;
    let client = world.client();
    let deep =
        format!("{{\"model\":\"gpt-4o\",\"x\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    for body in [
        "",
        "{",
        "[]",
        "{\"messages\":[]}",
        "{\"model\":\"gpt-4o\",\"model\":\"gpt-4o-mini\"}",
        "{\"model\":\"gpt-4o\",\"max_tokens\":-1}",
        "{\"model\":\"gpt-4o\",\"max_tokens\":\"5\"}",
        "{\"model\":\"gpt-4o\",\"temperature\":1e400}",
        "{\"model\":\"gpt-4o\",\"x\":\"\\ud800\"}",
        &deep,
    ] {
        let answer = client.post_bytes("/v1/chat/completions", body.to_owned()).await;
        let shown = &body[..body.len().min(60)];
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, "invalid_body"),
            "{shown}"
        );
        assert!(answer.header("x-iron-request-id").starts_with("call_"));
    }
    let utf8 = client.post_bytes("/v1/chat/completions", &b"{\"model\":\"\xff\"}"[..]).await;
    assert_eq!(utf8.status, 400);
    let anthropic = world.anthropic().post_bytes("/v1/messages", "{").await;
    assert_eq!(anthropic.json()["error"]["type"], "invalid_request_error");
    assert!(world.provider.received().is_empty());
    still_well(&world).await;
}

#[tokio::test]
async fn what_is_too_large_or_oddly_encoded_is_refused() {
    let world = World::with("[proxy]\nmax_body_mib = 1\n").await;
    let client = world.client();
    let large = client.chat(&"x".repeat(2 << 20)).await;
    assert_eq!((large.status.as_u16(), large.code().as_str()), (413, "request_too_large"));
    let odd = client.clone().header("content-encoding", "rot13").chat("x").await;
    assert_eq!(odd.status, 415);
    let stacked = client.clone().header("content-encoding", "gzip, gzip").chat("x").await;
    assert_eq!(stacked.status, 415);
    let lying = client.clone().header("content-encoding", "gzip").chat("x").await;
    assert_eq!(lying.status, 400);
    assert!(world.provider.received().is_empty());
    still_well(&world).await;
}

#[tokio::test]
async fn ambiguous_requests_are_refused_before_anything_is_read() {
    let world = World::plain().await;
    for request in [
        "POST //v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n",
        "GET /v1/../models HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /v1/models HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
        "POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: +5\r\n\r\n",
        "POST /v1/messages HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "GET /v1/models HTTP/1.1\r\nhost: x\r\nname : value\r\n\r\n",
    ] {
        let mut stream = tokio::net::TcpStream::connect(world.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 64];
        let read = stream.read(&mut answer).await.unwrap();
        let head = String::from_utf8_lossy(&answer[..read]).into_owned();
        assert!(head.starts_with("HTTP/1.1 400"), "{request:?}: {head}");
    }
    assert!(world.provider.received().is_empty());
    still_well(&world).await;
}

#[tokio::test]
async fn an_upstream_that_cannot_be_reached_costs_nothing() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = free.local_addr().unwrap();
    drop(free);
    let world = World::with(&format!(
        "[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url = \"http://{dead}\"\n\
         [[upstream]]\nname = \"secure\"\ndialect = \"openai\"\nbase_url = \"https://{{host}}\"\n"
    ))
    .await;
    let answer = world.client().chat("hello").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (502, "upstream_connect"));
    let answer = world.client().post("/secure/v1/chat/completions", &chat("hello")).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (502, "upstream_tls"));
    let totals = world.totals().await;
    assert_eq!((totals.posted, totals.pending), (NanoUsd::ZERO, NanoUsd::ZERO));
    assert!(world.calls().await.iter().all(|call| call.outcome == "failed"));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error_and_is_charged_whole() {
    let world = World::plain().await;
    for (behaviour, code) in [
        (Behaviour::default().at(At::Head, Mishap::Close), "upstream_connect"),
        (Behaviour::default().at(At::Byte(40), Mishap::Close), "upstream_answer"),
        (Behaviour::default().at(At::Byte(40), Mishap::Reset), "upstream_answer"),
        (Behaviour::garbage(), "upstream_answer"),
    ] {
        world.provider.script([behaviour]);
        let before = world.totals().await.posted;
        let answer = world.client().chat("hello").await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (502, code));
        let call = world.calls().await.pop().unwrap();
        assert_eq!((call.outcome.as_str(), call.estimated), ("failed", true), "{code}");
        assert_eq!(world.totals().await.posted, before + call.reserved);
    }
    still_well(&world).await;
}

#[tokio::test]
async fn a_stream_that_breaks_off_ends_in_an_error_event_of_its_dialect() {
    let world = World::plain().await;
    for mishap in [Mishap::Close, Mishap::Reset] {
        world.provider.script([Behaviour::bytes(200).at(At::Event(4), mishap)]);
        let stream = world.client().stream("/v1/chat/completions", &chat_stream("x")).await;
        let text = stream.rest().await;
        assert!(text.contains("\"error\""), "{text}");
        assert!(!text.contains("[DONE]"), "{text}");
        let call = world.calls().await.pop().unwrap();
        assert_eq!((call.outcome.as_str(), call.estimated), ("failed", true));
    }
    let mut body = message("x");
    body["stream"] = json!(true);
    world.provider.script([Behaviour::bytes(200).at(At::Event(4), Mishap::Close)]);
    let text = world.anthropic().stream("/v1/messages", &body).await.rest().await;
    assert!(text.contains("event: error") && text.contains("api_error"), "{text}");
    assert!(!text.contains("message_stop"), "{text}");
    still_well(&world).await;
}

#[tokio::test]
async fn an_upstream_that_hangs_is_given_up_and_charged_whole() {
    let world = World::with(
        "[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url = \"{provider}\"\n\
         answer_timeout = \"200ms\"\nidle_timeout = \"200ms\"\n",
    )
    .await;
    world.provider.script([Behaviour::default().at(At::Head, Mishap::Hang)]);
    let answer = world.client().chat("hello").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (504, "upstream_timeout"));
    assert!(world.calls().await[0].estimated);
    world.provider.script([Behaviour::bytes(200).at(At::Event(2), Mishap::Hang)]);
    let text = world.client().stream("/v1/chat/completions", &chat_stream("x")).await.rest().await;
    assert!(text.contains("\"error\""), "{text}");
    assert_eq!(world.calls().await[1].outcome, "failed");
    still_well(&world).await;
}

#[tokio::test]
async fn a_redirect_is_never_followed() {
    let world = World::plain().await;
    world.provider.script([Behaviour::redirect(&world.provider.url())]);
    let answer = world.client().chat("hello").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (502, "upstream_redirect"));
    assert_eq!(world.provider.counts().received, 1);
    assert_eq!(world.totals().await.posted, NanoUsd::ZERO);
    still_well(&world).await;
}

#[tokio::test]
async fn a_websocket_to_another_endpoint_is_refused_at_once() {
    let world = World::plain().await;
    let mut stream = tokio::net::TcpStream::connect(world.address).await.unwrap();
    stream
        .write_all(
            b"GET /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n\
              connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n\r\n",
        )
        .await
        .unwrap();
    let mut answer = vec![0; 64];
    let read = stream.read(&mut answer).await.unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 426"));
}

#[tokio::test]
async fn a_web_page_cannot_spend_and_a_local_one_can() {
    let world = World::plain().await;
    let foreign = world.client().header("origin", "https://evil.example").chat("hello").await;
    assert_eq!((foreign.status.as_u16(), foreign.code().as_str()), (403, "foreign_page"));
    let cross = world.client().header("sec-fetch-site", "cross-site").chat("hello").await;
    assert_eq!(cross.status, 403);
    let opaque = world.client().header("origin", "null").chat("hello").await;
    assert_eq!(opaque.status, 403);
    assert!(world.provider.received().is_empty());
    for origin in ["http://localhost:3000", "http://127.0.0.1:8080", "http://[::1]:1"] {
        let local = world.client().header("origin", origin).chat("hello").await;
        assert_eq!(local.status, 200, "{origin}");
    }
}

#[tokio::test]
async fn a_name_that_may_be_a_strangers_does_not_lead_to_the_port() {
    let world = World::with("[proxy]\nnames = [\"cage.example.com\"]\n").await;
    let as_host = |host: &'static str| world.client().header("host", host);
    for path in ["/v1/models", "/_iron/status"] {
        let rebound = as_host("rebind.example.net:4141").get(path).await;
        assert_eq!(
            (rebound.status.as_u16(), rebound.code().as_str()),
            (421, "foreign_host"),
            "{path}"
        );
        assert!(rebound.text().contains("proxy.names"), "{}", rebound.text());
        for own in ["localhost:1", "10.0.0.1:1", "[::1]", "iron-cage:4141", "cage.EXAMPLE.com"] {
            assert_eq!(as_host(own).get(path).await.status, 200, "{own}");
        }
    }
    assert_eq!(world.provider.received().len(), 5);
}

#[tokio::test]
async fn two_hosts_too_many_headers_and_a_long_address_are_refused() {
    let world = World::plain().await;
    let many = "x-many: 1\r\n".repeat(110);
    for (request, status) in [
        ("GET /v1/models HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n".to_owned(), "400"),
        ("GET http://a/v1/models HTTP/1.1\r\nhost: b\r\n\r\n".to_owned(), "421"),
        (format!("GET /v1/models HTTP/1.1\r\nhost: a\r\n{many}\r\n"), "431"),
        (format!("GET /v1/{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(70_000)), "414"),
    ] {
        let mut stream = tokio::net::TcpStream::connect(world.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 32];
        let read = stream.read(&mut answer).await.unwrap();
        let head = String::from_utf8_lossy(&answer[..read]).into_owned();
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {head}");
    }
    still_well(&world).await;
}
