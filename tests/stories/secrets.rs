//! Secrets that agents do not have: a placeholder leaves them, the value arrives, and nobody else
//! sees it.

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use iron_tests::binary::Proxy;
use iron_tests::through::Inside;
use iron_tests::{Site, Through, World, base64};
use serde_json::Value;
use tokio::net::TcpStream;

const VALUE: &str = "ghp_CANARYofTheStory0123456789abcdefXYZ";

/// A world with one secret for this site.
async fn world(site: &Site, lines: &str) -> (World, String) {
    let target = &site.target;
    let text = format!(
        "[[secret]]\nname = \"github\"\nenv = \"GITHUB_TOKEN\"\nhosts = [\"site.example\"]\n{lines}\n\
         [connect]\nprivate = [\"{target}\", \"plain.example\"]\n"
    );
    let world =
        World::within(&text, &[("GITHUB_TOKEN", VALUE)], |network| site.join(network)).await;
    let placeholder = placeholder(&world).await;
    (world, placeholder)
}

async fn placeholder(world: &World) -> String {
    let status = world.client().get("/_iron/status").await;
    assert!(!status.text().contains(VALUE));
    let given = iron_cli::secret::placeholders(&status.json());
    let [(variable, placeholder)] = given.as_slice() else { panic!("{given:?}") };
    assert_eq!(variable, "GITHUB_TOKEN");
    placeholder.clone()
}

#[tokio::test]
async fn the_value_takes_the_placeholders_place_in_headers_of_its_host_and_nowhere_else() {
    let site = Site::start("site.example", true).await;
    let (world, placeholder) = world(&site, "").await;
    assert!(placeholder.starts_with("iron-secret-github-"), "{placeholder}");
    let mut inside = Through::new(&world).named("nightly:strict").open(&site.target).await;
    let bearer = format!("Bearer {placeholder}");
    let basic = format!("Basic {}", base64(format!("x:{placeholder}").as_bytes()));
    let headers = [
        ("authorization", bearer.as_str()),
        ("x-api-key", &placeholder),
        ("content-type", "text/plain"),
    ];
    let path = format!("/text?token={placeholder}");
    let answer = inside.send(Method::POST, &path, &headers, placeholder.clone()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let got = site.received().pop().unwrap();
    assert_eq!(got.headers["authorization"], format!("Bearer {VALUE}"));
    assert_eq!(got.headers["x-api-key"], VALUE);
    // Not in the query, where it would be logged, nor in the body.
    assert!(got.path.ends_with(&placeholder), "{}", got.path);
    assert!(!String::from_utf8_lossy(&got.body).contains(VALUE));
    // The host said it back, in a header and in its text.
    assert_eq!(answer.header("x-echo"), bearer);
    assert!(answer.text().starts_with(&bearer) && !answer.text().contains(VALUE));
    for path in ["/json", "/stream"] {
        let answer = inside.send(Method::GET, path, &[("authorization", &bearer)], "").await;
        assert!(answer.text().contains(&placeholder), "{path}: {}", answer.text());
        assert!(!answer.text().contains(VALUE), "{path}: {}", answer.text());
    }
    inside.send(Method::GET, "/json", &[("authorization", &basic)], "").await;
    let got = site.received().pop().unwrap();
    let expected = format!("Basic {}", base64(format!("x:{VALUE}").as_bytes()));
    assert_eq!(got.headers["authorization"], expected);
}

#[tokio::test]
async fn a_value_that_comes_back_in_a_trailer_is_hidden_and_follows_the_whole_text() {
    let site = Site::start("site.example", true).await;
    let (world, placeholder) = world(&site, "").await;
    let through = Through::new(&world);
    let stream = through.tls(&site.target, "site.example", &["h2"]).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    // The end of the text could be the beginning of the value: it waits for what follows.
    let text = format!("{placeholder} {}", &VALUE[..9]);
    for (path, said) in [("/trailers/text", text.as_str()), ("/trailers/bytes", &VALUE[..9])] {
        let request = Request::post(format!("https://{}{path}", site.target))
            .header("authorization", &placeholder)
            .body(Full::new(Bytes::from_static(&VALUE.as_bytes()[..9])))
            .unwrap();
        let answer = sender.send_request(request).await.unwrap();
        let answer = answer.into_body().collect().await.unwrap();
        assert_eq!(answer.trailers().unwrap()["x-last"], placeholder.as_str(), "{path}");
        assert_eq!(answer.to_bytes(), said, "{path}");
    }
    assert_eq!(site.received()[0].headers["authorization"], VALUE);
    for call in world.calls().await {
        assert_eq!((call.outcome.as_str(), call.reason.as_str()), ("ok", "ok"));
    }
}

#[tokio::test]
async fn another_host_plain_http_and_other_headers_get_the_placeholder() {
    let site = Site::start("site.example", true).await;
    let (world, placeholder) = world(&site, "headers = [\"Authorization\"]").await;
    let mut inside = Through::new(&world).open(&site.target).await;
    inside.send(Method::GET, "/json", &[("x-other", &placeholder)], "").await;
    assert_eq!(site.received().pop().unwrap().headers["x-other"], placeholder.as_str());

    // The same name without TLS, and a host that is looked through but gets no secret.
    let plain = Site::start("site.example", false).await;
    let (world, placeholder) = self::world(&plain, "").await;
    let mut inside =
        Inside::new(TcpStream::connect(world.address).await.unwrap(), &plain.target).await;
    let path = format!("http://{}/json", plain.target);
    let answer = inside.send(Method::GET, &path, &[("authorization", &placeholder)], "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(plain.received()[0].headers["authorization"], placeholder.as_str());
    let mut inside =
        Inside::new(Through::new(&world).connect(&plain.target).await.unwrap(), &plain.target)
            .await;
    inside.send(Method::GET, "/json", &[("authorization", &placeholder)], "").await;
    assert_eq!(plain.received()[1].headers["authorization"], placeholder.as_str());

    let other = Site::start("other.example", true).await;
    let text = format!(
        "[[secret]]\nname = \"github\"\nenv = \"GITHUB_TOKEN\"\nhosts = [\"site.example\"]\n\
         [connect]\nintercept = [\"other.example\"]\nprivate = [\"{}\"]\n",
        other.target
    );
    let world =
        World::within(&text, &[("GITHUB_TOKEN", VALUE)], |network| other.join(network)).await;
    let placeholder = self::placeholder(&world).await;
    let mut inside = Through::new(&world).open(&other.target).await;
    inside.send(Method::GET, "/json", &[("authorization", &placeholder)], "").await;
    assert_eq!(other.received()[0].headers["authorization"], placeholder.as_str());
}

#[tokio::test]
async fn the_value_is_in_no_record_metric_status_error_or_file() {
    let site = Site::start("site.example", true).await;
    let (world, placeholder) = world(&site, "").await;
    let through = Through::new(&world);
    let mut inside = through.open(&site.target).await;
    let bearer = format!("Bearer {placeholder}");
    inside.send(Method::GET, "/json", &[("authorization", &bearer)], "").await;
    let mut said = String::new();
    inside.host = "other.example".to_owned();
    said += &inside.send(Method::GET, "/json", &[("authorization", &bearer)], "").await.text();
    drop(site);
    let mut inside = through.open("site.example:443").await;
    said += &inside.send(Method::GET, "/json", &[("authorization", &bearer)], "").await.text();
    for path in ["/_iron/metrics", "/_iron/status"] {
        said += &world.client().get(path).await.text();
    }
    let live = format!("{:?}", world.shared.live());
    said += &live;
    assert!(said.contains("misdirected") && !said.contains(VALUE), "{said}");
    let folder = world.stop().await;
    for path in iron_tests::files_below(folder.path()) {
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(VALUE.len()).any(|window| window == VALUE.as_bytes());
        assert!(!found, "{} holds the value", path.display());
    }
}

#[tokio::test]
async fn a_secret_without_a_value_is_told_to_the_agent_and_a_placeholder_outlives_a_restart() {
    let site = Site::start("site.example", true).await;
    let text = format!(
        "[[secret]]\nname = \"github\"\nenv = \"GITHUB_TOKEN\"\nhosts = [\"site.example\"]\n\
         [connect]\nprivate = [\"{}\"]\n",
        site.target
    );
    let world = World::within(&text, &[], |network| site.join(network)).await;
    let status: Value = world.client().get("/_iron/status").await.json();
    assert_eq!(status["secrets"][0]["set"], false);
    let placeholder = placeholder(&world).await;
    let mut inside = Through::new(&world).open(&site.target).await;
    let answer = inside.send(Method::GET, "/json", &[("authorization", &placeholder)], "").await;
    assert_eq!(answer.status, 401);
    assert!(answer.text().contains("set GITHUB_TOKEN"), "{}", answer.text());
    assert!(site.received().is_empty());
    // The same with another policy in force, and whatever the value is.
    let policy = iron_tests::world::policy(&text, &world.provider.url());
    let live = world.maker.live(policy, Some(&world.shared.live())).unwrap();
    assert_eq!(live.others.swaps.iter().next().unwrap().placeholder, placeholder);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_value_is_in_no_log_however_much_is_logged_and_in_no_check_of_the_policy() {
    let site = Site::start("localhost", true).await;
    let folder = tempfile::tempdir().unwrap();
    let (config, log) = (folder.path().join("iron.toml"), folder.path().join("log"));
    let text = format!(
        "[[secret]]\nname = \"github\"\nenv = \"GITHUB_TOKEN\"\nhosts = [\"localhost\"]\n\
         [connect]\nprivate = [\"{}\"]\n",
        site.target
    );
    std::fs::write(&config, text).unwrap();
    let ca = site.ca();
    let variables = [("GITHUB_TOKEN", VALUE.as_ref()), ("SSL_CERT_FILE", ca.as_os_str())];
    let state = folder.path().join("state.db");
    let proxy = Proxy::start_logging_with(&config, &state, &log, &variables);
    let client = iron_tests::Client::new(proxy.address);
    let status = client.get("/_iron/status").await.json();
    let placeholder = iron_cli::secret::placeholders(&status).remove(0).1;
    let through = Through::at(proxy.address, &folder.path().join("ca/ca.pem"));
    let bearer = format!("Bearer {placeholder}");
    for protocol in ["http/1.1", "h2"] {
        let stream = through.tls(&site.target, "localhost", &[protocol]).await.unwrap();
        if protocol == "http/1.1" {
            let mut inside = Inside::new(stream, &site.target).await;
            let answer = inside.send(Method::GET, "/json", &[("authorization", &bearer)], "").await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    }
    assert_eq!(site.received()[0].headers["authorization"], format!("Bearer {VALUE}"));
    assert!(proxy.terminate());
    let logged = std::fs::read_to_string(&log).unwrap();
    assert!(logged.contains("intercept") && !logged.contains(VALUE), "{logged}");
    let checked = iron_tests::binary::command()
        .args(["policy", "check", "--config"])
        .arg(&config)
        .env("GITHUB_TOKEN", VALUE)
        .output()
        .unwrap();
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(said.contains("GITHUB_TOKEN (set)") && !said.contains(VALUE), "{said}");
    assert!(said.contains("other_hosts  tunnel") && said.contains("api.openai.com:443"), "{said}");
}
