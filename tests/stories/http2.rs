//! HTTP/2 with agents and providers, and peers that abuse it: each flood ends in a GOAWAY or a
//! closed connection long before it costs memory, and the next good call is answered.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use iron_cli::simulator::{At, Behaviour, Gate, Mishap, Simulator};
use iron_policy::types::NanoUsd;
use iron_tests::World;
use iron_tests::client::{chat, chat_stream};
use iron_tests::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, HEADERS, RST_STREAM, Raw, chat_head,
    fields, frame, goaway, setting,
};
use iron_tests::tls::{Issuer, Leaf};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// ENHANCE_YOUR_CALM (RFC 9113, section 7).
const CALM: u32 = 11;

async fn still_well(world: &World) {
    assert_eq!(world.client().chat("hello").await.status, 200);
    assert_eq!(world.totals().await.pending, NanoUsd::ZERO);
}

/// A head of these fields, ended or not.
fn head(stream: u32, flags: u8, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, flags, stream, block)
}

/// The answer on a stream: its first head's first byte says its status where that is in the
/// static table (RFC 7541, appendix A), and the data.
fn answer(frames: &[Frame], stream: u32) -> (Vec<u8>, String) {
    let of = |kind| {
        let own = frames.iter().filter(move |frame| frame.stream == stream && frame.kind == kind);
        own.flat_map(|frame| frame.payload.clone()).collect::<Vec<u8>>()
    };
    (of(HEADERS), String::from_utf8_lossy(&of(DATA)).into_owned())
}

#[tokio::test]
async fn frames_by_hand_get_an_answer() {
    let world = World::plain().await;
    let mut raw = Raw::connect(world.address, &[]).await;
    let body = chat("hello").to_string();
    let call = [head(1, END_HEADERS, &chat_head()), frame(DATA, END_STREAM, 1, body.as_bytes())];
    assert!(raw.send(&call.concat()).await);
    world.provider.until(|counts| counts.received == 1).await;
    let (_, text) = answer(&raw.finish().await, 1);
    assert!(text.contains("chat.completion"), "{text}");
    still_well(&world).await;
}

#[tokio::test]
async fn too_many_headers_and_a_long_address_are_refused_in_words() {
    let world = World::plain().await;
    let base = [(":method", "GET"), (":scheme", "http"), (":authority", "localhost")];
    let long = format!("/v1/models/{}", "a".repeat(17_000));
    let names: Vec<String> = (0..101).map(|number| format!("x-{number}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
    for (more, status, code) in [
        ([&[(":path", "/v1/models")], &many[..]].concat(), "431", "too_many_headers"),
        (vec![(":path", long.as_str())], "414", "address_too_long"),
    ] {
        let block = fields(&[&base[..], &more].concat());
        let mut raw = Raw::connect(world.address, &[]).await;
        let mut parts = block.chunks(16_000).peekable();
        let first = parts.next().unwrap();
        let last = |more: bool| if more { 0 } else { END_HEADERS };
        let mut bytes = head(1, END_STREAM | last(parts.peek().is_some()), first);
        while let Some(part) = parts.next() {
            bytes.extend(frame(CONTINUATION, last(parts.peek().is_some()), 1, part));
        }
        assert!(raw.send(&bytes).await);
        let (head, text) = answer(&raw.finish().await, 1);
        assert!(text.contains(code), "{status}: {text} {head:?}");
    }
    // The same over HTTP/1.1, where 101 headers fit and are counted by the same rule.
    let mut client = world.client();
    for name in ["a", "b"] {
        client = client.header(name, "1");
    }
    assert_eq!(client.get("/v1/models").await.status, 200);
    let long = world.client().get(&long).await;
    assert_eq!((long.status.as_u16(), long.code().as_str()), (414, "address_too_long"));
    assert!(long.header("x-iron-request-id").starts_with("call_"));
    still_well(&world).await;
}

#[tokio::test]
async fn a_head_larger_than_the_limit_is_refused() {
    let world = World::plain().await;
    let mut raw = Raw::connect(world.address, &[]).await;
    let large = "x".repeat(15_000);
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut bytes = head(1, END_STREAM, &chat_head());
    for (place, name) in names.iter().enumerate() {
        let flags = if place + 1 == names.len() { END_HEADERS } else { 0 };
        bytes.extend(frame(CONTINUATION, flags, 1, &fields(&[(name, &large)])));
    }
    assert!(raw.send(&bytes).await);
    let frames = raw.finish().await;
    let (_, text) = answer(&frames, 1);
    assert!(!text.contains("chat.completion"), "{frames:?}");
    assert_eq!(world.provider.counts().received, 0);
    still_well(&world).await;
}

#[tokio::test]
async fn rapid_resets_end_the_connection() {
    let world = World::plain().await;
    let mut raw = Raw::connect(world.address, &[]).await;
    let block = chat_head();
    let mut sent = 0_u32;
    // In pieces of a hundred, as fast as the connection takes them.
    let refused = loop {
        let mut bytes = Vec::new();
        for _ in 0..100 {
            let stream = 2 * sent + 1;
            bytes.extend(head(stream, END_HEADERS, &block));
            bytes.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
            sent += 1;
        }
        if !raw.send(&bytes).await {
            break true;
        }
        if sent >= 100_000 {
            break false;
        }
    };
    assert!(refused, "{sent} resets were taken");
    let frames = raw.closed().await;
    assert!(goaway(&frames).is_none_or(|code| code == CALM), "{frames:?}");
    assert_eq!(world.provider.counts().received, 0);
    let records = world.calls().await.len();
    assert!(records < 1_000, "{records} calls on record");
    still_well(&world).await;
}

#[tokio::test]
async fn a_head_without_end_ends_the_connection() {
    let world = World::plain().await;
    for part in [fields(&[("x", &"y".repeat(16_000))]), fields(&[("x", "y")]), Vec::new()] {
        let mut raw = Raw::connect(world.address, &[]).await;
        assert!(raw.send(&head(1, 0, &chat_head())).await);
        let piece = frame(CONTINUATION, 0, 1, &part).repeat((64 * 1024 / (part.len() + 9)).max(1));
        let mut sent = 0;
        while raw.send(&piece).await {
            sent += piece.len();
            assert!(sent < 64 << 20, "{} bytes a frame: 64 MiB were taken", part.len());
        }
        let frames = raw.closed().await;
        assert!(goaway(&frames).is_none_or(|code| code == CALM), "{frames:?}");
    }
    assert_eq!(world.provider.counts().received, 0);
    still_well(&world).await;
}

#[tokio::test]
async fn empty_data_without_end_ends_the_connection() {
    let world = World::plain().await;
    let mut raw = Raw::connect(world.address, &[]).await;
    assert!(raw.send(&head(1, END_HEADERS, &chat_head())).await);
    let piece = frame(DATA, 0, 1, b"").repeat(1_000);
    let mut sent = 0;
    while raw.send(&piece).await {
        sent += 1_000;
        assert!(sent < 10_000_000, "{sent} empty frames were taken");
    }
    let frames = raw.closed().await;
    assert!(goaway(&frames).is_none_or(|code| code == CALM), "{frames:?}");
    assert_eq!(world.provider.counts().received, 0);
    still_well(&world).await;
}

/// A client that answers every ping and gives its stream no window.
#[tokio::test]
async fn an_answer_that_nobody_takes_is_cut_and_its_call_ends() {
    let world = World::with("[proxy]\nwrite_timeout = \"300ms\"\n").await;
    // INITIAL_WINDOW_SIZE = 0
    let mut raw = Raw::connect(world.address, &setting(4, 0)).await;
    let body = chat_stream("hello").to_string();
    let call = [head(1, END_HEADERS, &chat_head()), frame(DATA, END_STREAM, 1, body.as_bytes())];
    assert!(raw.send(&call.concat()).await);
    let frames = raw.closed().await;
    assert!(answer(&frames, 1).1.is_empty(), "{frames:?}");
    let call = world.calls().await.pop().unwrap();
    assert_eq!((call.outcome.as_str(), call.reason.as_str()), ("aborted", "client_gone"));
    still_well(&world).await;
}

/// The provider is silent for longer than a client may be.
#[tokio::test]
async fn a_slow_provider_is_no_slow_client() {
    let world = World::with("[proxy]\nwrite_timeout = \"200ms\"\n").await;
    let gate = Gate::new();
    let held = Mishap::Hold(gate.clone());
    world.provider.script([Behaviour::bytes(400).at(At::Event(3), held)]);
    let mut raw = Raw::connect(world.address, &[]).await;
    let body = chat_stream("hello").to_string();
    let call = [head(1, END_HEADERS, &chat_head()), frame(DATA, END_STREAM, 1, body.as_bytes())];
    assert!(raw.send(&call.concat()).await);
    world.provider.until(|counts| counts.received == 1).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    gate.open();
    world.provider.until(|counts| counts.answered == 1).await;
    let (_, text) = answer(&raw.finish().await, 1);
    assert!(text.contains("[DONE]"), "{text}");
    still_well(&world).await;
}

#[tokio::test]
async fn nonsense_is_a_goaway() {
    let world = World::plain().await;
    for (what, bytes) in [
        ("a frame larger than allowed", frame(DATA, 0, 1, &vec![0; 20_000])),
        ("data on a stream that is none", frame(DATA, 0, 1, b"x")),
        ("an even stream", head(2, END_HEADERS, &chat_head())),
        ("a head on no stream", head(0, END_HEADERS, &chat_head())),
        ("a block that is none", head(1, END_HEADERS, &[0xff; 40])),
        ("a continuation of nothing", frame(CONTINUATION, END_HEADERS, 1, &chat_head())),
    ] {
        let mut raw = Raw::connect(world.address, &[]).await;
        raw.send(&bytes).await;
        let frames = raw.closed().await;
        assert!(goaway(&frames).is_some_and(|code| code != 0), "{what}: {frames:?}");
    }
    assert!(world.calls().await.is_empty());
    still_well(&world).await;
}

/// A provider that speaks HTTP/2 within TLS, and counts connections and calls.
async fn provider(issuer: &Issuer) -> (SocketAddr, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let config = issuer.server(&Leaf { protocols: vec![b"h2", b"http/1.1"], ..Leaf::default() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (connections, calls) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let counts = (Arc::clone(&connections), Arc::clone(&calls));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            counts.0.fetch_add(1, Ordering::SeqCst);
            let calls = Arc::clone(&counts.1);
            let acceptor = TlsAcceptor::from(Arc::clone(&config));
            tokio::spawn(async move {
                let stream = acceptor.accept(stream).await.unwrap();
                let service = service_fn(move |request: Request<Incoming>| {
                    calls.fetch_add(1, Ordering::SeqCst);
                    assert_eq!(request.version(), Version::HTTP_2);
                    assert!(!request.headers().contains_key("connection"));
                    let answer = json!({
                        "id": "x", "object": "chat.completion", "created": 1,
                        "model": "gpt-4o-mini",
                        "choices": [{"index": 0, "finish_reason": "stop",
                            "message": {"role": "assistant", "content": "hello"}}],
                        "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
                    });
                    let mut response = Response::new(Full::new(Bytes::from(answer.to_string())));
                    let json = "application/json".parse().unwrap();
                    response.headers_mut().insert("content-type", json);
                    async { Ok::<_, Infallible>(response) }
                });
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    (address, connections, calls)
}

#[tokio::test]
async fn calls_to_a_provider_that_speaks_http2_share_one_connection() {
    let issuer = Issuer::default();
    let (address, connections, calls) = provider(&issuer).await;
    let simulator = Simulator::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let lines = format!(
        "[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url = \"https://{address}\"\n"
    );
    let world = World::built(&lines, simulator, Some(&issuer)).await;
    assert_eq!(world.client().chat("first").await.said(), "hello");
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let client = world.client().header("connection", "x-gone").header("x-gone", "1");
        all.spawn(async move { client.chat("hello").await.status });
    }
    while let Some(status) = all.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 21);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    assert!(world.calls().await.iter().all(|call| call.outcome == "ok"));
}
