//! Programs that honour `HTTPS_PROXY` call the provider by its own name, and are guarded as if they
//! had been pointed at the proxy.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use iron_tests::client::{CALLER_KEY, chat, chat_stream, data, message};
use iron_tests::through::Inside;
use iron_tests::world::OPERATOR_KEY;
use iron_tests::{Through, World};

/// Upstreams at the simulated provider, under the names that clients know.
const UPSTREAMS: &str = r#"
[[upstream]]
name = "openai"
dialect = "openai"
base_url = "{provider}"
hosts = ["api.openai.com"]
[[upstream]]
name = "anthropic"
dialect = "anthropic"
base_url = "{provider}"
hosts = ["api.anthropic.com"]
[[upstream]]
name = "groq"
dialect = "openai"
vendor = "openai"
base_url = "{provider}"
hosts = ["api.groq.com/openai"]
api_key_env = "STORY_KEY"
[[upstream]]
name = "gateway"
dialect = "openai"
vendor = "openai"
base_url = "{provider}"
hosts = ["api.groq.com"]
"#;

async fn world(lines: &str) -> World {
    World::with(&format!("{lines}\n{UPSTREAMS}")).await
}

#[tokio::test]
async fn a_call_by_the_providers_name_is_budgeted_redacted_metered_and_restored() {
    let world = world("").await;
    let mut openai =
        Through::new(&world).named("nightly:run=r-1;depth=2").open("api.openai.com:443").await;
    let answer = openai.post("/v1/chat/completions", &chat("write to ada@example.org")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.said().contains("ada@example.org"), "{}", answer.text());
    assert!(!world.last_received().contains("ada@example.org"));
    // Kept alive: the next call comes on the same connection, and is a stream.
    let answer = openai.post("/v1/chat/completions", &chat_stream("ada@example.org")).await;
    assert!(data(&answer.text()).len() > 3, "{}", answer.text());
    assert!(!world.last_received().contains("ada@example.org"));
    let calls = world.calls().await;
    assert_eq!(calls.len(), 2);
    for call in &calls {
        assert_eq!((call.agent.as_str(), call.upstream.as_str()), ("nightly", "openai"));
        assert_eq!((call.outcome.as_str(), call.depth), ("ok", Some(2)));
        assert_eq!(call.run.as_deref(), Some("r-1"));
    }
    let totals = world.totals().await;
    assert_eq!((totals.posted.0, totals.pending.0), (world.provider.bill().total_nano_usd, 0));
    let received = &world.provider.received()[0];
    assert_eq!(received.headers["authorization"], format!("Bearer {CALLER_KEY}"));
    assert!(!received.headers.contains_key("proxy-authorization"));

    let mut anthropic = Through::new(&world).open("API.Anthropic.com:443").await;
    let headers = [
        ("x-api-key", CALLER_KEY),
        ("anthropic-version", "2023-06-01"),
        ("content-type", "application/json"),
    ];
    let answer =
        anthropic.send(Method::POST, "/v1/messages", &headers, message("hi").to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(world.calls().await[2].agent, "default");
}

#[tokio::test]
async fn the_longest_base_path_chooses_the_upstream_and_the_operators_key_goes_in() {
    let world = world("").await;
    let mut groq = Through::new(&world).open("api.groq.com:443").await;
    assert_eq!(groq.post("/openai/v1/chat/completions", &chat("hi")).await.status, 200);
    let received = world.provider.received();
    assert_eq!(received[0].path, "/v1/chat/completions");
    assert_eq!(received[0].headers["authorization"], format!("Bearer {OPERATOR_KEY}"));
    assert_eq!(groq.post("/v1/chat/completions", &chat("hi")).await.status, 200);
    let received = world.provider.received();
    assert_eq!(received[1].headers["authorization"], format!("Bearer {CALLER_KEY}"));
    let names: Vec<_> = world.calls().await.into_iter().map(|call| call.upstream).collect();
    assert_eq!(names, ["groq", "gateway"]);
}

#[tokio::test]
async fn http_2_inside_and_tls_to_the_port_itself_are_the_same() {
    let world = world("").await;
    let through = Through::new(&world);
    let stream = through.tls("api.openai.com:443", "api.openai.com", &["h2"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = |host: &str| {
        Request::post(format!("https://{host}/v1/chat/completions"))
            .header("authorization", "Bearer k")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(chat("ada@example.org").to_string())))
            .unwrap()
    };
    let answer = sender.send_request(request("api.openai.com")).await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.into_body().collect().await.unwrap();
    assert!(!world.last_received().contains("ada@example.org"));
    assert_eq!(sender.send_request(request("api.groq.com")).await.unwrap().status(), 421);
    assert_eq!(world.provider.received().len(), 1);

    // The proxy itself by HTTPS, as in HTTPS_PROXY=https://localhost:4141.
    let tcp = tokio::net::TcpStream::connect(world.address).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let outer = through.trusting(&["http/1.1"]).connect(name, tcp).await.unwrap();
    let inner = through.ask(outer, "api.openai.com:443").await.unwrap();
    let name = "api.openai.com".try_into().unwrap();
    let stream = through.trusting(&["http/1.1"]).connect(name, inner).await.unwrap();
    let mut openai = Inside::new(stream, "api.openai.com").await;
    assert_eq!(openai.post("/v1/chat/completions", &chat("hi")).await.status, 200);
}

#[tokio::test]
async fn connect_over_http_2_is_served_too() {
    let world = world("").await;
    let through = Through::new(&world);
    let tcp = tokio::net::TcpStream::connect(world.address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tcp))
            .await
            .unwrap();
    tokio::spawn(connection);
    let connect = Request::connect("api.openai.com:443").body(Full::new(Bytes::new())).unwrap();
    let mut answer = sender.send_request(connect).await.unwrap();
    assert_eq!(answer.status(), 200);
    let inner = TokioIo::new(hyper::upgrade::on(&mut answer).await.unwrap());
    let name = "api.openai.com".try_into().unwrap();
    let stream = through.trusting(&["http/1.1"]).connect(name, inner).await.unwrap();
    let mut openai = Inside::new(stream, "api.openai.com").await;
    assert_eq!(openai.post("/v1/chat/completions", &chat("hi")).await.status, 200);
}

#[tokio::test]
async fn a_request_for_another_host_than_the_connection_is_refused_before_anything_is_sent() {
    let world = world("").await;
    let through = Through::new(&world);
    let mut openai = through.open("api.openai.com:443").await;
    for host in ["api.anthropic.com", "api.openai.com:8443", "127.0.0.1", "api.openai.com@x"] {
        openai.host = host.to_owned();
        let answer = openai.post("/v1/chat/completions", &chat("hi")).await;
        assert_eq!(answer.status, 421, "{host}: {}", answer.text());
        assert!(answer.text().contains("names another host"), "{}", answer.text());
        openai = through.open("api.openai.com:443").await;
    }
    // A client that asks for another name within TLS gets the certificate of the one it connected to.
    let failed = through.tls("api.openai.com:443", "api.anthropic.com", &[]).await;
    assert!(failed.unwrap_err().to_string().contains("certificate"));
    assert!(world.provider.received().is_empty());
    let totals = world.totals().await;
    assert_eq!((totals.posted.0, totals.pending.0), (0, 0));
    assert!(world.calls().await.iter().all(|call| call.reason == "misdirected"));
    // The port said, another letter case, and no name in TLS are all the same host.
    let mut openai = through.open("api.openai.com:443").await;
    for host in ["API.OpenAI.com:443", "api.openai.com."] {
        openai.host = host.to_owned();
        assert_eq!(openai.post("/v1/chat/completions", &chat("hi")).await.status, 200, "{host}");
    }
}

#[tokio::test]
async fn what_is_neither_priced_nor_free_is_refused_at_once_and_the_proxys_own_is_not_there() {
    let world = world("").await;
    let mut anthropic = Through::new(&world).open("api.anthropic.com:443").await;
    for path in ["/api/event_logging/batch", "/api/claude_code/metrics", "/v1/oauth/token"] {
        let answer = anthropic.post(path, &serde_json::json!({"events": []})).await;
        assert_eq!((answer.status.as_u16(), answer.header("x-should-retry")), (403, "false"));
        assert_eq!(answer.json()["error"]["type"], "permission_error");
    }
    for path in ["/_iron/status", "/_iron/control/stop", "/openai/v1/models", "/agent/a/v1/models"]
    {
        assert_eq!(anthropic.get(path).await.status, 403, "{path}");
    }
    assert!(world.provider.received().is_empty());
    // No CONNECT within: a connection leads where it says.
    let answer = anthropic.send(Method::CONNECT, "api.openai.com:443", &[], "").await;
    assert_eq!(answer.status, 400, "{}", answer.text());
}

#[tokio::test]
async fn pages_of_strangers_do_not_spend_the_operators_key() {
    let world = world("").await;
    let mut groq = Through::new(&world).open("api.groq.com:443").await;
    let body = chat("hi").to_string();
    let json = ("content-type", "application/json");
    for (path, origin, status) in [
        ("/openai/v1/chat/completions", "https://evil.example", 403),
        ("/openai/v1/chat/completions", "null", 403),
        ("/openai/v1/chat/completions", "https://api.groq.com", 200),
        ("/openai/v1/chat/completions", "vscode-file://vscode-app", 200),
        // A page with a key of its own spends its own money, as it would without a proxy.
        ("/v1/chat/completions", "https://page.example", 200),
    ] {
        let headers = [json, ("origin", origin), ("authorization", "Bearer own")];
        let answer = groq.send(Method::POST, path, &headers, body.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{origin}: {}", answer.text());
    }
}

#[tokio::test]
async fn plain_requests_through_the_proxy_go_the_same_way() {
    let world = world("").await;
    let stream = || tokio::net::TcpStream::connect(world.address);
    let mut plain = Inside::new(stream().await.unwrap(), "api.openai.com").await;
    let answer =
        plain.post("http://api.openai.com/v1/chat/completions", &chat("a@example.org")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(!world.last_received().contains("a@example.org"));
    // And without TLS inside of CONNECT, as some programs do for http:// addresses.
    let tcp = Through::new(&world).connect("api.openai.com:80").await.unwrap();
    let mut inside = Inside::new(tcp, "api.openai.com").await;
    assert_eq!(inside.post("/v1/chat/completions", &chat("hi")).await.status, 200);
    // With a base URL as well as a proxy, the address is the proxy's own: it is what was meant.
    let own = world.address.to_string();
    let mut plain = Inside::new(stream().await.unwrap(), &own).await;
    let answer = plain.post(&format!("http://{own}/v1/chat/completions"), &chat("hi")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(world.calls().await.len(), 3);
}

#[tokio::test]
async fn a_stopped_agent_and_an_empty_budget_are_refused_inside_too() {
    let world =
        world("[[budget]]\nscope = \"agent:poor\"\nwindow = \"day\"\nlimit = \"0.000001 USD\"\n")
            .await;
    let through = Through::new(&world);
    let mut poor = through.clone().named("poor").open("api.openai.com:443").await;
    let answer = poor.post("/v1/chat/completions", &chat("hi")).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (402, "insufficient_quota"));
    assert!(world.provider.received().is_empty());
    let credentials = through.named("me:hunter2").connect("api.openai.com:443").await.unwrap_err();
    assert_eq!(credentials.status, 400);
    assert!(!credentials.body.to_string().contains("hunter2"));
    assert!(credentials.reason.contains("run=ID"), "{}", credentials.reason);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_simulated_provider_is_found_under_the_real_ones_name() {
    let folder = tempfile::tempdir().unwrap();
    let (config, state) = (folder.path().join("iron.toml"), folder.path().join("state.db"));
    // No upstream is named: the default ones.
    std::fs::write(&config, "").unwrap();
    let proxy = iron_tests::binary::Proxy::start_simulated(&config, &state);
    let through = Through::at(proxy.address, &folder.path().join("ca/ca.pem"));
    let mut openai = through.open("api.openai.com:443").await;
    let answer = openai.post("/v1/chat/completions", &chat("ada@example.org")).await;
    assert_eq!(answer.said(), "You said: ada@example.org", "{}", answer.text());
    let mut google = through.open("generativelanguage.googleapis.com:443").await;
    let answer = google.get("/v1beta/models?key=k").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}
