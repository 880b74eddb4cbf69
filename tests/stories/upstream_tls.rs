//! Upstreams over TLS: those that can be trusted, and those that cannot. To the latter nothing is
//! sent, not even the head of a request, and the reservation is void.

use iron_cli::simulator::Simulator;
use iron_policy::types::NanoUsd;
use iron_tests::World;
use iron_tests::client::{Answer, chat, chat_stream};
use iron_tests::tls::{self, Issuer, Leaf, Parrot, Recorder};

/// A world with upstreams `bad` at this address, and `openai` at the simulated provider.
async fn world(issuer: &Issuer, bad: &str) -> World {
    let provider = Simulator::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let lines = format!(
        "[[upstream]]\nname = \"bad\"\ndialect = \"openai\"\nbase_url = \"https://{bad}\"\n\
         [[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url = \"{{provider}}\"\n\
         [[budget]]\nscope = \"organisation\"\nwindow = \"day\"\nlimit = \"1 USD\"\n"
    );
    World::built(&lines, provider, Some(issuer)).await
}

/// Calls the upstream, and checks what became of it.
async fn refused(world: &World, code: &str, what: &str) -> Answer {
    for body in [chat("hello"), chat_stream("hello")] {
        let answer = world.client().post("/bad/v1/chat/completions", &body).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (502, code), "{what}");
        assert_eq!(answer.header("x-iron-refused-by"), "proxy", "{what}");
    }
    let totals = world.totals().await;
    assert_eq!((totals.posted, totals.pending), (NanoUsd::ZERO, NanoUsd::ZERO), "{what}");
    assert!(world.calls().await.iter().all(|call| call.outcome == "failed"), "{what}");
    let good = world.client().post("/openai/v1/chat/completions", &chat("hello")).await;
    assert_eq!(good.status, 200, "{what}");
    good
}

#[tokio::test]
async fn an_upstream_that_can_be_trusted_is_called() {
    let issuer = Issuer::default();
    let world = World::over_tls("", &issuer).await;
    assert!(world.provider.url().starts_with("https://"));
    assert_eq!(world.client().chat("hello").await.status, 200);
    let text =
        world.client().stream("/v1/chat/completions", &chat_stream("hello")).await.rest().await;
    assert!(text.contains("[DONE]"), "{text}");
    assert_eq!(world.totals().await.posted.0, world.provider.bill().total_nano_usd);
}

#[tokio::test]
async fn certificates_that_prove_nothing_get_no_byte() {
    let (issuer, other) = (Issuer::default(), Issuer::default());
    let leaf = Leaf::default();
    for (what, config) in [
        ("unknown root", other.server(&leaf)),
        ("expired", issuer.server(&Leaf { begins: -9, ends: -1, ..leaf.clone() })),
        ("not valid yet", issuer.server(&Leaf { begins: 1, ends: 9, ..leaf.clone() })),
        ("wrong host", issuer.server(&Leaf { names: vec!["example.com"], ..leaf.clone() })),
        ("wrong address", issuer.server(&Leaf { names: vec!["127.0.0.2"], ..leaf.clone() })),
        ("no name at all", issuer.server(&Leaf { names: vec![], ..leaf })),
    ] {
        let upstream = Recorder::start(config).await;
        let world = world(&issuer, &upstream.address.to_string()).await;
        refused(&world, "upstream_tls", what).await;
        assert_eq!(upstream.connections(), 2, "{what}: it was not asked");
        assert_eq!(upstream.received(), 0, "{what}");
    }
}

#[tokio::test]
async fn the_proxys_own_ca_is_no_reason_to_trust_an_upstream() {
    let issuer = Issuer::default();
    // Another proxy's port, with a certificate of its CA; the first one trusts the issuer.
    let port = World::plain().await;
    let world = world(&issuer, &port.address.to_string()).await;
    refused(&world, "upstream_tls", "own CA").await;
    assert!(port.provider.received().is_empty());
}

#[tokio::test]
async fn what_is_no_tls_of_today_gets_no_byte() {
    let issuer = Issuer::default();
    for (what, says, code) in [
        ("TLS 1.1", tls::server_hello(0x0302), "upstream_tls"),
        ("TLS 1.0", tls::server_hello(0x0301), "upstream_tls"),
        ("an alert that only TLS 1.1 is spoken", tls::alert(0x0302, 70), "upstream_tls"),
        ("plain HTTP", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "upstream_tls"),
        ("a record too long", vec![0x16, 3, 3, 0xff, 0xff, 0, 0, 0], "upstream_tls"),
        ("a closed connection", Vec::new(), "upstream_connect"),
    ] {
        let upstream = Parrot::start(&says).await;
        let world = world(&issuer, &upstream.address.to_string()).await;
        refused(&world, code, what).await;
        let heard = upstream.heard();
        assert_eq!(heard[0], 0x16, "{what}: a handshake was begun");
        assert!(memchr::memmem::find(&heard, b"HTTP/1.1").is_none(), "{what}");
        assert!(memchr::memmem::find(&heard, b"hello").is_none(), "{what}");
        // After the hello comes an alert at most: no record of data.
        assert!(!records(&heard).contains(&0x17), "{what}: {heard:?}");
    }
}

#[tokio::test]
async fn an_upstream_that_hangs_in_the_handshake_is_given_up() {
    let issuer = Issuer::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let lines = format!(
        "[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url = \"https://{}\"\n\
         connect_timeout = \"200ms\"\n",
        listener.local_addr().unwrap()
    );
    let provider = Simulator::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let world = World::built(&lines, provider, Some(&issuer)).await;
    let answer = world.client().chat("hello").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (504, "upstream_timeout"));
    let totals = world.totals().await;
    assert_eq!((totals.posted, totals.pending), (NanoUsd::ZERO, NanoUsd::ZERO));
}

/// The kinds of the records that a client sent. Several connections may follow one another.
fn records(mut bytes: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let [kind, _, _, high, low, rest @ ..] = bytes {
        kinds.push(*kind);
        bytes = rest.get(usize::from(u16::from_be_bytes([*high, *low]))..).unwrap_or_default();
    }
    kinds
}
