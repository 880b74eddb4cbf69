//! Hosts that are no provider's, reached through the proxy: passed, denied, looked through; and
//! the addresses that nobody reaches.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::Method;
use iron_proxy::connect::Names;
use iron_tests::through::Inside;
use iron_tests::{Site, Through, World};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const KEY: &str = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";

/// What the proxy says of its connections.
async fn connections(world: &World) -> Value {
    world.client().get("/_iron/status").await.json()["connections"].clone()
}

/// The latest connection, once it has ended.
async fn ended(world: &World) -> Value {
    for _ in 0..500 {
        let shown = connections(world).await;
        if shown["open"] == 0 && shown["latest"][0].is_object() {
            return shown["latest"][0].clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the connection did not end")
}

/// A host that says how many bytes it was sent, once the other side is done.
async fn counting() -> (u16, tokio::task::JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let host = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut all = Vec::new();
        let read = stream.read_to_end(&mut all).await.unwrap_or_default();
        let _ = stream.write_all(format!("{read} bytes").as_bytes()).await;
        read
    });
    (port, host)
}

#[tokio::test]
async fn a_tunnel_passes_bytes_both_ways_unread_and_counts_them() {
    let (port, host) = counting().await;
    let world = World::with(&format!("[connect]\nprivate = [\"127.0.0.1:{port}\"]\n")).await;
    let through = Through::new(&world).named("nightly:");
    let mut stream = through.connect(&format!("127.0.0.1:{port}")).await.unwrap();
    assert_eq!(connections(&world).await["open"], 1);
    // Neither HTTP nor TLS, and longer than any buffer.
    stream.write_all(&vec![0xff; 100_000]).await.unwrap();
    // This side says no more; the other still answers.
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "100000 bytes");
    assert_eq!(host.await.unwrap(), 100_000);
    let ended = ended(&world).await;
    assert_eq!(ended["outcome"], "ok");
    assert_eq!((&ended["handling"], &ended["agent"]), (&json!("tunnel"), &json!("nightly")));
    assert_eq!((&ended["host"], &ended["port"]), (&json!("127.0.0.1"), &json!(port)));
    assert_eq!(ended["bytes_from_agent"], 100_000);
    assert_eq!(ended["bytes_to_agent"], 12);
    let metrics = world.client().get("/_iron/metrics").await.text();
    let line = "iron_connections_total{handling=\"tunnel\",outcome=\"ok\"} 1";
    assert!(metrics.contains(line), "{metrics}");
    assert!(metrics.contains("direction=\"from_agent\"} 100000"), "{metrics}");
}

#[tokio::test]
async fn an_agent_that_leaves_in_the_middle_ends_the_tunnel_and_so_does_silence() {
    let (port, host) = counting().await;
    let lines = format!("[connect]\nidle_timeout = \"300ms\"\nprivate = [\"127.0.0.1:{port}\"]\n");
    let world = World::with(&lines).await;
    let through = Through::new(&world);
    let mut stream = through.connect(&format!("127.0.0.1:{port}")).await.unwrap();
    stream.write_all(b"half").await.unwrap();
    drop(stream);
    assert_eq!(host.await.unwrap(), 4);
    assert_eq!(ended(&world).await["bytes_from_agent"], 4);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let lines = format!("[connect]\nidle_timeout = \"300ms\"\nprivate = [\"127.0.0.1:{port}\"]\n");
    let world = World::with(&lines).await;
    let mut stream = Through::new(&world).connect(&format!("127.0.0.1:{port}")).await.unwrap();
    let (_silent, _) = listener.accept().await.unwrap();
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or_default(), 0);
    assert_eq!(ended(&world).await["outcome"], "idle");
}

#[tokio::test]
async fn a_proxy_that_stops_and_an_agent_that_is_stopped_end_their_tunnels() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let world = World::with(&format!("[connect]\nprivate = [\"127.0.0.1:{port}\"]\n")).await;
    let target = format!("127.0.0.1:{port}");
    let mut stream = Through::new(&world).named("rogue").connect(&target).await.unwrap();
    let _host = listener.accept().await.unwrap();
    let rogue = iron_proxy::stops::Whom::Agent("rogue".parse().unwrap());
    world.shared.stops.stop(rogue, 1);
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or_default(), 0);
    assert_eq!(ended(&world).await["outcome"], "agent_stopped");
    let refused = Through::new(&world).named("rogue").connect(&target).await.unwrap_err();
    assert_eq!(
        (refused.status.as_u16(), &refused.body["error"]["code"]),
        (403, &json!("agent_stopped"))
    );

    let mut stream = Through::new(&world).connect(&target).await.unwrap();
    let _host = listener.accept().await.unwrap();
    let began = std::time::Instant::now();
    world.stop().await;
    assert!(
        began.elapsed() < std::time::Duration::from_secs(5),
        "a silent tunnel held the stop up"
    );
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or_default(), 0);
}

#[tokio::test]
async fn what_the_policy_denies_is_refused_by_its_key() {
    let world = World::with(
        "[connect]\nother_hosts = \"deny\"\ndeny = [\"*.tracker.example\"]\n\
         tunnel = [\"*.example\"]\nprivate = [\"127.0.0.0/8\"]\n",
    )
    .await;
    let through = Through::new(&world);
    for (target, key) in
        [("www.else.org:443", "connect.other_hosts"), ("a.tracker.example:443", "connect.deny")]
    {
        let refused = through.connect(target).await.unwrap_err();
        assert_eq!(refused.status, 403);
        let message = refused.body["error"]["message"].as_str().unwrap();
        let host = target.trim_end_matches(":443");
        assert!(message.contains(host) && message.contains(key), "{message}");
        assert!(refused.reason.contains(key), "{}", refused.reason);
        assert_eq!(refused.body["error"]["code"], "connect_denied");
    }
    let latest = connections(&world).await["latest"][0].clone();
    assert_eq!(
        (&latest["handling"], &latest["outcome"]),
        (&json!("refuse"), &json!("connect_denied"))
    );
    assert_eq!(latest["host"], "a.tracker.example");

    // The proxy's credentials only tighten: `strict` denies what no list names.
    let world = World::with("[connect]\ntunnel = [\"named.example\"]\n").await;
    let strict = Through::new(&world).named("a:strict");
    let refused = strict.connect("other.example:443").await.unwrap_err();
    assert!(refused.reason.contains("`strict`"), "{}", refused.reason);
    let named = strict.connect("named.example:443").await.unwrap_err();
    // Let through, and not found: there is no such name.
    assert_eq!(named.status, 502);
}

#[tokio::test]
async fn addresses_that_are_not_the_open_internet_are_refused_however_they_are_written() {
    let world = World::within("", &[], |network| {
        network.names = Names::Given(Arc::new(|name| match name {
            "inside.example" => vec!["10.0.0.7".parse().unwrap()],
            "mapped.example" => vec!["::ffff:127.0.0.1".parse().unwrap()],
            "meta.example" => vec!["169.254.169.254".parse().unwrap()],
            _ => Vec::new(),
        }));
    })
    .await;
    let through = Through::new(&world);
    for (target, said) in [
        ("127.0.0.1:443", "loopback"),
        ("[::1]:443", "loopback"),
        ("[::ffff:127.0.0.1]:443", "loopback"),
        ("0.0.0.0:443", "unspecified"),
        ("10.1.2.3:443", "private"),
        ("192.168.0.1:80", "private"),
        ("169.254.169.254:80", "metadata"),
        ("[fd00:ec2::254]:80", "metadata"),
        ("169.254.1.1:80", "link-local"),
        ("[fe80::1]:443", "link-local"),
        ("224.0.0.1:443", "multicast"),
        ("inside.example:443", "private"),
        ("mapped.example:443", "loopback"),
        ("meta.example:80", "metadata"),
        ("example.com:22", "connect.ports"),
    ] {
        let refused = through.connect(target).await.unwrap_err();
        assert_eq!(refused.status, 403, "{target}: {}", refused.body);
        let message = refused.body["error"]["message"].as_str().unwrap();
        assert!(message.contains(said), "{target}: {message}");
        // Where a name leads is not told to whoever asks.
        assert!(!target.starts_with("inside") || !message.contains("10.0.0.7"), "{message}");
    }
    for target in ["example.com", "example.com:0", "user@example.com:443", "a..b:443"] {
        let refused = through.connect(target).await.unwrap_err();
        assert_eq!(refused.status, 400, "{target}");
    }
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_at_the_second_question_is_asked_once() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let (port, host) = counting().await;
    let lines = format!("[connect]\nports = [{port}]\nprivate = [\"allowed.example\"]\n");
    let world = World::within(&lines, &[], move |network| {
        network.names = Names::Given(Arc::new(move |name| {
            // First what may be reached, then what may not: who checks and then asks again loses.
            let first = count.fetch_add(1, Ordering::Relaxed) == 0;
            let forbidden = || vec!["10.0.0.1".parse().unwrap(), "127.0.0.1".parse().unwrap()];
            if name == "allowed.example" && first {
                vec!["127.0.0.1".parse().unwrap()]
            } else {
                forbidden()
            }
        }));
    })
    .await;
    let through = Through::new(&world);
    let mut stream = through.connect(&format!("allowed.example:{port}")).await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(host.await.unwrap(), 0);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    // Of several addresses, none that is forbidden is tried.
    let refused = through.connect(&format!("rebound.example:{port}")).await.unwrap_err();
    assert_eq!(refused.status, 403);
}

#[tokio::test]
async fn what_leads_back_to_the_proxy_is_refused() {
    let world = World::within("[connect]\nprivate = [\"0.0.0.0/0\", \"*\"]\n", &[], |network| {
        network.names = Names::Given(Arc::new(|_| vec!["127.0.0.1".parse().unwrap()]));
    })
    .await;
    let port = world.address.port();
    let through = Through::new(&world);
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"] {
        let refused = through.connect(&format!("{host}:{port}")).await.unwrap_err();
        assert_eq!(refused.status, 508, "{host}: {}", refused.body);
        assert_eq!(refused.body["error"]["code"], "proxy_loop");
    }
    // By a name, the proxy finds out when it connects. The port is not one of the usual.
    let lines = format!("[connect]\nports = [{port}]\nprivate = [\"*\"]\n");
    let policy = iron_tests::world::policy(&lines, &world.provider.url());
    world.shared.replace(world.maker.live(policy, Some(&world.shared.live())).unwrap());
    let refused = through.connect(&format!("round.example:{port}")).await.unwrap_err();
    assert_eq!(refused.status, 508, "{}", refused.body);
    let plain = TcpStream::connect(world.address).await.unwrap();
    let mut plain = Inside::new(plain, &format!("round.example:{port}")).await;
    let answer = plain.get(&format!("http://round.example:{port}/v1/models")).await;
    assert_eq!(answer.status, 508, "{}", answer.text());

    // An upstream that is the proxy itself: nothing is charged.
    let own = format!(
        "[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url = \"http://localhost:{port}\"\n"
    );
    let policy = iron_tests::world::policy(&own, &world.provider.url());
    world.shared.replace(world.maker.live(policy, Some(&world.shared.live())).unwrap());
    let answer = world.client().chat("hi").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (508, "proxy_loop"));
    assert!(answer.text().contains("base_url"), "{}", answer.text());
    let totals = world.totals().await;
    assert_eq!((totals.posted.0, totals.pending.0), (0, 0));
}

#[tokio::test]
async fn an_intercepted_hosts_requests_are_looked_through_and_their_answers_restored() {
    let site = Site::start("site.example", true).await;
    let target = site.target.clone();
    let lines = format!("[connect]\nintercept = [\"site.example\"]\nprivate = [\"{target}\"]\n");
    let world = World::within(&lines, &[], |network| site.join(network)).await;
    let mut inside = Through::new(&world).named("nightly").open(&target).await;
    let send = |kind: &'static str| [("content-type", kind)];
    let body = json!({"text": format!("key {KEY} of ada@example.org")}).to_string();
    let answer = inside.send(Method::POST, "/json", &send("application/json"), body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    // The agent gets its own value back; the host had a placeholder.
    assert!(answer.text().contains(KEY), "{}", answer.text());
    let got = String::from_utf8(site.received()[0].body.to_vec()).unwrap();
    assert!(!got.contains(KEY) && got.contains("ada@example.org"), "{got}");
    for (kind, body) in [
        ("text/plain", format!("the key is {KEY}")),
        ("application/x-www-form-urlencoded", format!("a=1&key={KEY}")),
        ("application/x-ndjson", format!("{{\"a\":\"{KEY}\"}}\n{{\"b\":\"{KEY}\"}}\n")),
        (
            "multipart/form-data; boundary=x",
            format!("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n{KEY}\r\n--x--\r\n"),
        ),
    ] {
        let answer = inside.send(Method::POST, "/text", &send(kind), body).await;
        assert_eq!(answer.status, 200, "{kind}");
        let got = site.received().pop().unwrap();
        let got = String::from_utf8(got.body.to_vec()).unwrap();
        assert!(!got.contains(KEY), "{kind}: {got}");
    }
    // What cannot be read passes as it is.
    let bytes: &[u8] = b"\x00\xff";
    let answer =
        inside.send(Method::POST, "/bytes", &send("application/octet-stream"), bytes).await;
    assert_eq!(&answer.body[..], bytes);
    let got = site.received().pop().unwrap();
    assert!(!got.headers.contains_key("proxy-authorization"));
    assert!(!got.headers.keys().any(|name| name.as_str().starts_with("x-iron")));
    let calls = world.calls().await;
    assert_eq!(calls.len(), 6);
    assert_eq!((calls[0].upstream.as_str(), calls[0].endpoint.as_str()), ("site.example", "other"));
    assert_eq!((calls[0].outcome.as_str(), calls[0].agent.as_str()), ("ok", "nightly"));
    assert!(calls[0].findings.to_string().contains("API_KEY"), "{}", calls[0].findings);
    assert_eq!(world.totals().await.posted.0, 0);
    drop(inside);
    assert_eq!(ended(&world).await["handling"], "intercept");
}

#[tokio::test]
async fn an_intercepted_host_gets_nothing_that_the_policy_blocks_and_none_of_anothers_requests() {
    let site = Site::start("site.example", true).await;
    let target = site.target.clone();
    let lines = format!(
        "[connect]\nintercept = [\"site.example\"]\nprivate = [\"{target}\"]\nredact = \"all\"\n\
         opaque_bodies = \"block\"\n[redact.kinds]\nEMAIL = \"block\"\n"
    );
    let world = World::within(&lines, &[], |network| site.join(network)).await;
    let through = Through::new(&world);
    let mut inside = through.open(&target).await;
    for (kind, body, code) in [
        ("application/json", "{\"to\":\"ada@example.org\"}", "policy_violation"),
        ("application/octet-stream", "bytes", "opaque_body"),
        ("", "bytes", "opaque_body"),
    ] {
        let answer = inside.send(Method::POST, "/json", &[("content-type", kind)], body).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, code), "{kind}");
    }
    let json = ("content-type", "application/json");
    let wide: String = "{\"a\":\"ada@example.org\"}".chars().flat_map(|c| [c, '\0']).collect();
    for (headers, body) in [
        (vec![json], wide.as_str()),
        (vec![("content-type", "text/plain")], wide.as_str()),
        (vec![("content-type", "application/json; charset=utf-16le")], "{}"),
        (vec![json, ("content-type", "application/octet-stream")], "{}"),
        (vec![json, ("content-encoding", "identity"), ("content-encoding", "gzip")], "{}"),
    ] {
        let answer = inside.send(Method::POST, "/json", &headers, body.to_owned()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (403, "opaque_body"),
            "{headers:?}"
        );
    }
    inside.host = "other.example".to_owned();
    assert_eq!(inside.get("/json").await.status, 421);
    let mut inside = through.open(&target).await;
    let upgrade = [("upgrade", "websocket"), ("connection", "upgrade")];
    let answer = inside.send(Method::GET, "/socket", &upgrade, "").await;
    assert_eq!(answer.status, 426, "{}", answer.text());
    assert!(site.received().is_empty());
    // What nothing is to be read in passes: a request without a body.
    let mut inside = through.open(&target).await;
    assert_eq!(inside.get("/json").await.status, 200);
}

#[tokio::test]
async fn a_host_that_cannot_be_trusted_or_reached_is_told_so() {
    let site = Site::start("site.example", true).await;
    let target = site.target.clone();
    let lines = format!(
        "[connect]\nintercept = [\"*.example\"]\nprivate = [\"*.example\"]\nports = [443, {}]\n",
        site.address.port()
    );
    // Its name is known, and its certificate's issuer is not.
    let world = World::within(&lines, &[], |network| {
        let trusted = network.tls.clone();
        site.join(network);
        network.tls = trusted;
    })
    .await;
    let through = Through::new(&world);
    let answer = through.open(&target).await.get("/json").await;
    assert_eq!(answer.status, 502);
    assert!(answer.text().contains("no trusted TLS connection"), "{}", answer.text());
    let answer = through.open("absent.example:443").await.get("/").await;
    assert_eq!(answer.status, 502);
    assert!(answer.text().contains("no known host"), "{}", answer.text());
    assert!(site.received().is_empty());
    assert_eq!(world.calls().await[0].outcome, "failed");
}

#[tokio::test]
async fn plain_requests_to_other_hosts_follow_the_same_policy() {
    let site = Site::start("site.example", false).await;
    let target = site.target.clone();
    let lines = format!("[connect]\nprivate = [\"{target}\"]\ndeny = [\"no.example\"]\n");
    let world = World::within(&lines, &[], |network| site.join(network)).await;
    let mut plain = Inside::new(TcpStream::connect(world.address).await.unwrap(), &target).await;
    let headers = [("content-type", "text/plain"), ("proxy-connection", "keep-alive")];
    let answer =
        plain.send(Method::POST, &format!("http://{target}/text?q=1"), &headers, KEY).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    // A tunnel by another way: unread.
    assert!(answer.text().contains(KEY));
    let got = site.received().pop().unwrap();
    assert_eq!(got.path, "/text?q=1");
    assert_eq!(got.headers["host"], target.as_str());
    assert!(!got.headers.contains_key("proxy-connection"));
    plain.host = "no.example".to_owned();
    let answer = plain.get("http://no.example/").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "connect_denied"));
}

#[tokio::test]
async fn another_policy_counts_from_the_next_request_on() {
    let site = Site::start("site.example", true).await;
    let target = site.target.clone();
    let lines =
        |rule: &str| format!("[connect]\n{rule} = [\"site.example\"]\nprivate = [\"{target}\"]\n");
    let world = World::within(&lines("intercept"), &[], |network| site.join(network)).await;
    let mut inside = Through::new(&world).open(&target).await;
    assert_eq!(inside.get("/json").await.status, 200);
    let policy = iron_tests::world::policy(&lines("deny"), &world.provider.url());
    world.shared.replace(world.maker.live(policy, Some(&world.shared.live())).unwrap());
    let answer = inside.get("/json").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "connect_denied"));
    assert_eq!(site.received().len(), 1);
}
