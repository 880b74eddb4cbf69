//! Agents' tokens: who calls, what a token may ask for, what ends with it, and what a proxy does
//! while its panel is away. What is refused costs the provider nothing: it is never asked.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use iron_cli::simulator::{At, Behaviour, Mishap, Simulator};
use iron_proxy::control_plane::ControlError;
use iron_tests::binary::{self, Proxy};
use iron_tests::client::{Client, chat, chat_stream, content, message};
use iron_tests::plane::Scripted;
use iron_tests::socket::Socket;
use iron_tests::tls::{Issuer, Leaf};
use iron_tests::world::{OPERATOR_KEY, until};
use iron_tests::{Through, World};
use serde_json::{Value, json};

use crate::websocket::{ENDS, create};

/// Three upstreams whose keys the operator has.
pub(crate) const KEYED: &str = r#"
[[upstream]]
name = "openai"
dialect = "openai"
base_url = "{provider}"
api_key_env = "STORY_KEY"
[[upstream]]
name = "anthropic"
dialect = "anthropic"
base_url = "{provider}"
api_key_env = "STORY_KEY"
[[upstream]]
name = "gemini"
dialect = "gemini"
base_url = "{provider}"
api_key_env = "STORY_KEY"
[[upstream]]
name = "bare"
dialect = "openai"
base_url = "{provider}"
api_key_env = "A_KEY_THAT_NOBODY_SET"
"#;

const GEMINI: &str = "/v1beta/models/gemini-2.5-flash:generateContent";

/// A proxy that needs tokens, and its control plane.
async fn world(lines: &str) -> (World, Scripted) {
    let (world, plane) = (World::with(&format!("{lines}{KEYED}")).await, Scripted::default());
    world.linked(&plane, true).await;
    (world, plane)
}

fn bare(world: &World) -> Client {
    world.client().without("authorization")
}

fn bearer(world: &World, token: &str) -> Client {
    bare(world).header("authorization", &format!("Bearer {token}"))
}

#[tokio::test]
async fn a_token_is_the_key_of_every_sdk_and_says_who_calls() {
    let (world, _plane) = world("").await;
    let token = Scripted::token("tok_1", |_| {});
    let anthropic = || bare(&world).header("anthropic-version", "2023-06-01");
    let by_query = format!("{GEMINI}?key={token}");
    let calls = [
        (bearer(&world, &token), "/v1/chat/completions", chat("x")),
        (bearer(&world, &token), "/agent/admin/run/r1/v1/chat/completions", chat("x")),
        (bare(&world).header("api-key", &token), "/openai/v1/chat/completions", chat("x")),
        (anthropic().header("x-api-key", &token), "/v1/messages", message("x")),
        (
            anthropic().header("authorization", &format!("Bearer {token}")),
            "/v1/messages",
            message("x"),
        ),
        (bare(&world).header("x-goog-api-key", &token), GEMINI, content("x")),
        (bare(&world), by_query.as_str(), content("x")),
    ];
    let count = calls.len();
    for (client, path, body) in calls {
        let client = client.header("x-iron-agent", "admin").header("x-iron-project", "secret");
        let answer = client.post(path, &body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert!(!answer.text().contains("iron_ey") && !answer.text().contains(OPERATOR_KEY));
    }
    let recorded = world.calls().await;
    assert_eq!(recorded.len(), count);
    for call in &recorded {
        assert_eq!((call.agent.as_str(), call.project.as_deref()), ("researcher", Some("web")));
        assert_eq!(call.token.as_deref(), Some("tok_1"));
    }
    // Runs are the caller's to name.
    assert_eq!(recorded[1].run.as_deref(), Some("r1"));
    for received in world.provider.received() {
        let all = format!("{} {:?} {}", received.path, received.headers, received.text());
        assert!(!all.contains("iron_"), "{all}");
        assert!(all.contains(OPERATOR_KEY), "{all}");
    }
}

#[tokio::test]
async fn what_is_no_good_token_is_refused_in_the_callers_dialect_and_goes_nowhere() {
    let (world, plane) = world("").await;
    plane.revoke("tok_gone", false);
    until("the revocation is known", || world.shared.tokens.revoked() == 1).await;
    let good = Scripted::token("tok_1", |_| {});
    let (head, signature) = good.rsplit_once('.').unwrap();
    let (message_of, _) = good.split_once('.').unwrap();
    let cases = [
        (None, "token_missing"),
        (Some("sk-a-key-of-the-callers-own".to_owned()), "token_missing"),
        (Some(format!("{head}.{}", &signature[1..])), "token_invalid"),
        (Some(format!("{message_of}.e30.")), "token_invalid"),
        (Some(format!("iron_{}", "A".repeat(16 * 1024))), "token_invalid"),
        (Some(Scripted::token("tok_2", |claims| claims.iss = "other".into())), "token_invalid"),
        (Some(Scripted::token("tok_2", |claims| claims.aud = "other".into())), "token_invalid"),
        (Some(Scripted::token("tok_2", |claims| claims.nbf += 3_600)), "token_invalid"),
        (Some(Scripted::token("tok_2", |claims| claims.exp -= 3_700)), "token_expired"),
        (Some(Scripted::token("tok_gone", |_| {})), "token_revoked"),
    ];
    for (token, reason) in &cases {
        let with = |client: Client, name: &'static str, prefix: &str| match token {
            Some(token) => client.header(name, &format!("{prefix}{token}")),
            None => client,
        };
        let client = with(bare(&world), "authorization", "Bearer ");
        let openai = client.post("/v1/chat/completions", &chat("x")).await;
        let error = &openai.json()["error"];
        assert_eq!((openai.status.as_u16(), &error["code"]), (401, &json!(reason)), "{error}");
        assert_eq!(error["type"], "authentication_error");
        assert_eq!(openai.header("x-should-retry"), "false");
        assert!(openai.text().contains("iron token issue") || openai.text().contains("token"));
        let client = with(bare(&world).header("anthropic-version", "2023-06-01"), "x-api-key", "");
        let anthropic = client.post("/v1/messages", &message("x")).await;
        assert_eq!(anthropic.status, 401, "{reason}");
        assert_eq!(anthropic.json()["error"]["type"], "authentication_error");
        assert_eq!(anthropic.json()["error"]["code"], *reason);
        let gemini = with(bare(&world), "x-goog-api-key", "").post(GEMINI, &content("x")).await;
        assert_eq!(
            (gemini.status.as_u16(), &gemini.json()["error"]["status"]),
            (401, &json!("UNAUTHENTICATED"))
        );
        assert!(gemini.text().contains(&reason.to_ascii_uppercase()), "{}", gemini.text());
        // Nothing of the token comes back.
        for answer in [&openai, &anthropic, &gemini] {
            assert!(token.as_ref().is_none_or(|token| !answer.text().contains(token)));
        }
    }
    assert!(world.provider.received().is_empty());
    let calls = world.calls().await;
    assert_eq!(calls.len(), 3 * cases.len());
    assert!(calls.iter().all(|call| call.status == 401 && call.token.is_none()));
    assert_eq!(world.totals().await.posted.0, 0);
    // Two tokens, or one where it would go on to the provider.
    let two = bearer(&world, &good)
        .header("x-api-key", &Scripted::token("tok_2", |_| {}))
        .chat("x")
        .await;
    assert_eq!((two.status.as_u16(), two.code().as_str()), (401, "token_invalid"));
    let path = format!("/v1/chat/completions?key={good}");
    let in_address = bare(&world).post(&path, &chat("x")).await;
    assert_eq!((in_address.status.as_u16(), in_address.code().as_str()), (401, "token_invalid"));
    assert!(world.provider.received().is_empty());
    // What the proxy says of itself needs none.
    assert_eq!(bare(&world).get("/_iron/health").await.status, 200);
}

#[tokio::test]
async fn a_token_goes_no_further_than_what_it_names() {
    let (world, _plane) = world(
        "[[route]]\nmodel = \"gpt-4o-mini\"\nupstream = \"bare\"\n\
         [[fallback]]\nmodel = \"gpt-4o\"\nto = [{ model = \"gpt-4.1\" }, { model = \"gpt-4.1-mini\" }]\n",
    )
    .await;
    let refused = |answer: &iron_tests::Answer| (answer.status.as_u16(), answer.code());
    let is = |status: u16, code: &str| (status, code.to_owned());
    let client = bearer(&world, &Scripted::token_for("tok_1", &["gpt-4o", "gpt-4.1-mini"]));
    let ask = |model: &str| {
        let mut body = chat("x");
        body["model"] = json!(model);
        body
    };
    let path = "/v1/chat/completions";
    let answer = client.post(path, &ask("gpt-5")).await;
    assert_eq!(refused(&answer), is(403, "model_not_allowed"));
    assert!(answer.text().contains("`gpt-4o`, `gpt-4.1-mini`"), "{}", answer.text());
    // What costs nothing is asked for by model, too.
    let count = bearer(&world, &Scripted::token_for("tok_1", &["gpt-4o"]))
        .header("anthropic-version", "2023-06-01")
        .post("/v1/messages/count_tokens", &message("x"))
        .await;
    assert_eq!(count.status, 403, "{}", count.text());
    assert_eq!(client.get("/v1/models").await.status, 200);
    // The fallback that it may not ask for is passed over.
    world.provider.script([Behaviour::status(503)]);
    let answer = client.post(path, &ask("gpt-4o")).await;
    assert_eq!((answer.status.as_u16(), answer.header("x-iron-model")), (200, "gpt-4.1-mini"));

    let of_openai = Scripted::token("tok_2", |claims| {
        claims.upstreams = vec!["openai".parse().unwrap(), "bare".parse().unwrap()];
    });
    let client = bearer(&world, &of_openai).header("anthropic-version", "2023-06-01");
    let answer = client.post("/v1/messages", &message("x")).await;
    assert_eq!(refused(&answer), is(403, "upstream_not_allowed"));
    // Where the operator has no key, the caller's token is none, nor is a key beside it.
    let before = world.provider.received().len();
    let client = bearer(&world, &of_openai).header("x-api-key", "sk-own");
    let answer = client.post("/bare/v1/chat/completions", &ask("gpt-4o")).await;
    assert_eq!(answer.status, 401, "{}", answer.text());
    assert!(answer.text().contains("no provider key"), "{}", answer.text());
    // Sent elsewhere by a route, which the token does not name.
    let narrow =
        Scripted::token("tok_3", |claims| claims.upstreams = vec!["openai".parse().unwrap()]);
    let answer = bearer(&world, &narrow).post(path, &ask("gpt-4o-mini")).await;
    assert_eq!(refused(&answer), is(403, "upstream_not_allowed"));
    assert_eq!(world.provider.received().len(), before);
}

#[tokio::test]
async fn a_batch_is_made_of_requests_that_the_token_may_make_alone() {
    let (world, _plane) = world("").await;
    let client = bearer(&world, &Scripted::token_for("tok_1", &["claude-haiku-*"]))
        .header("anthropic-version", "2023-06-01");
    let request = |id: &str, model: &str| {
        let mut params = message("x");
        params["model"] = json!(model);
        json!({"custom_id": id, "params": params})
    };
    let path = "/v1/messages/batches";
    let both =
        json!({"requests": [request("1", "claude-haiku-4-5"), request("2", "claude-opus-4-1")]});
    let refused = client.post(path, &both).await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert_eq!(refused.json()["error"]["code"], "model_not_allowed");
    assert!(world.provider.received().is_empty());
    let one = json!({"requests": [request("1", "claude-haiku-4-5")]});
    let made = client.post(path, &one).await;
    assert_eq!(made.status, 200, "{}", made.text());
}

#[tokio::test]
async fn a_revocation_is_seen_within_two_seconds_and_ends_what_is_open() {
    let hang = || Behaviour::bytes(400).at(At::Event(6), Mishap::Hang);
    for (path, body, of_dialect) in [
        ("/v1/chat/completions", chat_stream("x"), "\"code\":\"token_revoked\""),
        (
            "/v1/messages",
            {
                let mut body = message("x");
                body["stream"] = json!(true);
                body
            },
            "\"type\":\"authentication_error\"",
        ),
        (
            "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
            content("x"),
            "\"status\":\"UNAUTHENTICATED\"",
        ),
    ] {
        let (world, plane) = world("").await;
        world.provider.always(hang());
        let (cut, kept) = (Scripted::token("tok_cut", |_| {}), Scripted::token("tok_kept", |_| {}));
        let mut ends = bearer(&world, &cut).stream(path, &body).await;
        let mut stays = bearer(&world, &kept).stream(path, &body).await;
        assert!(ends.next().await.is_some() && stays.next().await.is_some());
        let begun = Instant::now();
        plane.revoke("tok_kept", false);
        plane.revoke("tok_cut", true);
        let rest = ends.rest().await;
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        assert!(rest.contains(of_dialect) && rest.contains("tok_cut"), "{path}: {rest}");
        assert!(!rest.contains("[DONE]"), "{rest}");
        world.provider.until(|counts| counts.cancelled == 1).await;
        // The other stream goes on; a new call with its token is refused.
        for token in [&cut, &kept] {
            let refused = bearer(&world, token).post(path, &body).await;
            assert_eq!(refused.status, 401, "{}", refused.text());
        }
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        let calls = world.calls().await;
        assert_eq!(calls.len(), 3, "{calls:?}");
        let ended = calls.iter().find(|call| call.posted.0 > 0).unwrap();
        assert_eq!((ended.reason.as_str(), ended.posted), ("token_revoked", ended.reserved));
    }
}

#[tokio::test]
async fn a_websocket_ends_with_its_token_and_asks_for_its_models_alone() {
    let (world, plane) = world("").await;
    let open = async |name: &'static str, value: String| {
        let headers = [(name, value.as_str())];
        let opened = Socket::try_open(world.address, "/agent/other/v1/responses", &headers).await;
        opened.map_err(|refused| {
            let status = refused.status().as_u16();
            (status, String::from_utf8(refused.into_body().unwrap()).unwrap())
        })
    };
    let cut = Scripted::token_for("tok_cut", &["gpt-4o-mini"]);
    let protocols = format!("realtime, openai-insecure-api-key.{cut}");
    let by_protocol = open("sec-websocket-protocol", protocols).await;
    assert!(by_protocol.err().is_none_or(|(status, _)| status != 401));
    let mut socket = open("authorization", format!("Bearer {cut}")).await.unwrap();
    socket.send(&create("hello")).await;
    assert_eq!(socket.until(&ENDS).await.last().unwrap()["type"], "response.completed");
    let mut other = create("hello");
    other["model"] = json!("gpt-4o");
    socket.send(&other).await;
    let refused = socket.until(&ENDS).await;
    assert!(refused.last().unwrap().to_string().contains("model_not_allowed"), "{refused:?}");
    let kept = Scripted::token("tok_kept", |_| {});
    let mut stays = open("authorization", format!("Bearer {kept}")).await.unwrap();
    plane.revoke("tok_kept", false);
    plane.revoke("tok_cut", true);
    let closed = socket.closed().await;
    assert!(closed.is_some_and(|frame| frame.reason.contains("token is revoked")));
    // What is open stays open, and asks for nothing more.
    stays.send(&create("hello")).await;
    let refused = stays.until(&ENDS).await;
    assert!(refused.last().unwrap().to_string().contains("token_revoked"), "{refused:?}");
    let bad = open("authorization", "Bearer iron_nonsense".to_owned()).await.err().unwrap();
    assert!(bad.0 == 401 && bad.1.contains("token_invalid"), "{bad:?}");
    assert_eq!(
        world
            .calls()
            .await
            .iter()
            .filter(|call| call.agent != "researcher" && call.token.is_some())
            .count(),
        0
    );
}

#[tokio::test]
async fn a_proxy_is_used_with_a_token_as_its_password() {
    let lines = KEYED.replacen(
        "base_url = \"{provider}\"\n",
        "base_url = \"{provider}\"\nhosts = [\"api.openai.com\"]\n",
        1,
    );
    let (world, plane) = (World::with(&lines).await, Scripted::default());
    world.linked(&plane, true).await;
    let token = Scripted::token("tok_1", |_| {});
    let through = Through::new(&world).named(&format!("admin:run=r1;{token}"));
    let mut inside = through.open("api.openai.com:443").await;
    let answer = inside.post("/v1/chat/completions", &chat("x")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let call = &world.calls().await[0];
    assert_eq!((call.agent.as_str(), call.run.as_deref()), ("researcher", Some("r1")));
    assert_eq!(call.token.as_deref(), Some("tok_1"));
    let sent = &world.provider.received()[0].headers;
    assert_eq!(sent["authorization"], format!("Bearer {OPERATOR_KEY}"));
    assert!(!sent.contains_key("proxy-authorization"));
    // The connection stays, the token does not.
    plane.revoke("tok_1", false);
    until("the revocation is known", || world.shared.tokens.revoked() == 1).await;
    let refused = inside.post("/v1/chat/completions", &chat("x")).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (401, "token_revoked"));
    // No token, no way out to other hosts.
    for credentials in ["admin:", "admin:iron_nonsense"] {
        let refused = Through::new(&world).named(credentials).connect("example.org:443").await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.status, 401, "{}", refused.body);
    }
}

#[tokio::test]
async fn a_proxy_starts_and_goes_on_without_its_panel() {
    let (world, plane) = world("").await;
    plane.revoke("tok_gone", false);
    plane.stop(&["wild"]);
    plane.policy("[reserve]\nclamp = true\n[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url = \"https://provider.example\"\n");
    until("the policy is in force", || world.shared.live().policy.reserve.clamp).await;
    let good = Scripted::token("tok_1", |_| {});
    let wild = Scripted::token("tok_2", |claims| claims.sub = "wild".parse().unwrap());
    let gone = Scripted::token("tok_gone", |_| {});
    until("all is known", || world.shared.tokens.revoked() == 1).await;
    plane.policy("[reserve]\nclamp = true\n");
    until("the next one is", || world.shared.live().upstreams().len() == 4).await;
    let is_known = async |world: &World| {
        assert_eq!(bearer(world, &good).chat("x").await.status, 200);
        assert_eq!(bearer(world, &gone).chat("x").await.code(), "token_revoked");
        let stopped = bearer(world, &wild).chat("x").await;
        assert_eq!((stopped.status.as_u16(), stopped.code().as_str()), (403, "agent_stopped"));
        assert!(stopped.text().contains("in the panel"), "{}", stopped.text());
    };
    is_known(&world).await;
    plane.leaves(ControlError::Unreachable("it is gone".into()));
    until("the link is down", || world.shared.panel.is_up() == Some(false)).await;
    is_known(&world).await;

    let world = world.restarted().await;
    assert!(!world.shared.live().policy.reserve.clamp);
    world.link(Arc::new(plane.clone()), true).await;
    // Not a moment without: what was known is so before the first call.
    is_known(&world).await;
    assert!(world.shared.live().policy.reserve.clamp);
    until("it is asked", || world.shared.panel.is_up() == Some(false) && plane.asked() > 3).await;
    let status = bare(&world).get("/_iron/status").await.json();
    assert_eq!(status["panel"]["up"], false);
    assert_eq!(status["panel"]["revoked_tokens"], 1);
    assert!(status["panel"]["error"].as_str().unwrap().contains("it is gone"), "{status}");
    // What happened while it was away is learned once it is back.
    plane.revoke("tok_1", false);
    plane.is_back();
    until("the link is up", || world.shared.panel.is_up() == Some(true)).await;
    assert_eq!(bearer(&world, &good).chat("x").await.code(), "token_revoked");
}

#[tokio::test]
async fn a_proxy_that_never_reached_its_panel_says_so_and_lets_nobody_in() {
    let (world, plane) = (World::with(KEYED).await, Scripted::default());
    plane.leaves(ControlError::Refused {
        code: "unauthorized".into(),
        detail: "who are you".into(),
    });
    world.link(Arc::new(plane.clone()), true).await;
    let refused = bearer(&world, &Scripted::token("tok_1", |_| {})).chat("x").await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (503, "panel_unavailable"));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(world.client().chat("x").await.code(), "token_missing");
    until("it is said", || world.shared.panel.is_up() == Some(false) && plane.asked() >= 1).await;
    let status = bare(&world).get("/_iron/status").await.text();
    assert!(status.contains("who are you"), "{status}");
    assert!(world.provider.received().is_empty());
}

#[tokio::test]
async fn a_policy_of_the_panels_is_in_force_within_two_seconds_and_a_bad_one_never() {
    let (world, plane) = world("").await;
    let client = bearer(&world, &Scripted::token("tok_1", |_| {}));
    assert_eq!(client.chat("x").await.status, 200);
    let begun = Instant::now();
    plane.policy("[[budget]]\nscope = \"agent:*\"\nwindow = \"day\"\nlimit = \"0.000001 USD\"\n");
    until("the budget is in force", || world.shared.live().policy.budgets.len() == 1).await;
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert_eq!(client.chat("x").await.status, 402);
    plane.policy("[[budget]]\nscope = \"everybody\"\n");
    let told =
        async || -> Value { bare(&world).get("/_iron/status").await.json()["panel"].clone() };
    for _ in 0..500 {
        if told().await["policy_error"].is_string() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let panel = told().await;
    assert_eq!((&panel["policy"], &panel["marks"]["policy"]), (&json!(1), &json!(2)), "{panel}");
    assert!(panel["policy_error"].as_str().unwrap().contains("version 2"), "{panel}");
    assert_eq!(client.chat("x").await.status, 402);
    // It is not asked for again and again.
    let asked = plane.asked();
    assert!(asked < 8, "{asked}");
}

#[tokio::test]
async fn without_a_panel_a_token_is_refused_and_keys_pass_as_ever() {
    let world = World::plain().await;
    let refused = bearer(&world, &Scripted::token("tok_1", |_| {})).chat("x").await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (401, "token_invalid"));
    assert!(world.provider.received().is_empty());
    assert_eq!(world.client().chat("x").await.status, 200);
    let world = World::with("[tokens]\nrequired = true\n").await;
    assert_eq!(world.client().chat("x").await.code(), "token_missing");
}

/// What a command says in JSON, with this on its standard input.
fn said(arguments: &[&str], files: &[&str; 4], input: &str) -> Value {
    let mut child = binary::command()
        .args(arguments)
        .args(files)
        .args(["--output", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {error}");
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_command_a_key_is_kept_and_a_token_issued_used_and_revoked() {
    const KEY: &str = "sk-kept-in-the-panel";
    let provider = Simulator::start(([127, 0, 0, 1], 0).into()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (config, state) = (folder.path().join("iron.toml"), folder.path().join("state.db"));
    let text = format!(
        "[panel]\nlisten = \"127.0.0.1:0\"\n[tokens]\nrequired = true\n[[upstream]]\n\
         name = \"openai\"\ndialect = \"openai\"\nbase_url = \"{}\"\napi_key_env = \"NOBODY_SET_IT\"\n",
        provider.url()
    );
    std::fs::write(&config, text).unwrap();
    let files = ["--config", config.to_str().unwrap(), "--state", state.to_str().unwrap()];
    let proxy = Proxy::start(&config, &state);
    let issue = ["token", "issue", "--agent", "researcher", "--models", "gpt-4o-mini"];
    let issued = said(&issue, &files, "");
    let token = issued["token"].as_str().unwrap().to_owned();
    let client = Client::new(proxy.address).header("authorization", &format!("Bearer {token}"));
    let becomes = async |status: u16| {
        let begun = Instant::now();
        loop {
            let answer = client.chat("x").await;
            if answer.status == status {
                return (answer, begun.elapsed());
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "{}", answer.text());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let (answer, _) = becomes(401).await;
    assert!(answer.text().contains("no provider key"), "{}", answer.text());
    said(&["secret", "set", "main", "--upstream", "openai"], &files, KEY);
    let (_, late) = becomes(200).await;
    assert!(late < Duration::from_secs(4), "{late:?}");
    let sent = format!("{:?}", provider.received().last().unwrap().headers);
    assert!(sent.contains(KEY) && !sent.contains("iron_"), "{sent}");
    let id = issued["id"].as_str().unwrap();
    said(&["token", "revoke", id], &files, "");
    let (answer, late) = becomes(401).await;
    assert_eq!(answer.code(), "token_revoked");
    assert!(late < Duration::from_secs(4), "{late:?}");
    println!("a revocation by command was seen after {late:?}");
    assert!(proxy.terminate());
    // What the proxy keeps holds no provider key and no token.
    for file in iron_tests::files_below(folder.path()) {
        let bytes = std::fs::read(&file).unwrap();
        let holds = |text: &str| memchr::memmem::find(&bytes, text.as_bytes()).is_some();
        assert!(!holds(KEY) && !holds(&token), "{}", file.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_beside_the_agents_follows_its_panel_over_tls_and_goes_on_without_it() {
    const KEY: &str = "sk-kept-in-the-panel";
    let provider = Simulator::start(([127, 0, 0, 1], 0).into()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    let issuer = Issuer::default();
    let (certificate, key) = issuer.files(&Leaf::default());
    let ca = file("ca.pem", &issuer.pem());
    let (certificate, key) = (file("panel.pem", &certificate), file("panel.key.pem", &key));
    let upstream = format!(
        "[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url = \"{}\"\n\
         api_key_env = \"NOBODY_SET_IT\"\n",
        provider.url()
    );
    let panel = format!(
        "[panel]\nlisten = \"127.0.0.1:0\"\ntls_certificate = {certificate:?}\ntls_key = {key:?}\n"
    );
    let config = file("server.toml", &format!("{panel}{upstream}"));
    let state = folder.path().join("server.db");
    let files = ["--config", config.to_str().unwrap(), "--state", state.to_str().unwrap()];
    let (server, base) = Proxy::start_with_panel(&config, &state);
    assert!(base.starts_with("https://127.0.0.1:"), "{base}");
    let added = said(&["proxies", "add", "laptop"], &files, "");
    let credential = file("credential", added["credential"].as_str().unwrap());
    said(&["secret", "set", "main", "--upstream", "openai"], &files, KEY);
    let token = said(&["token", "issue", "--agent", "researcher"], &files, "");
    let token = token["token"].as_str().unwrap().to_owned();

    let (own, own_state) = (file("laptop.toml", &upstream), folder.path().join("laptop/state.db"));
    std::fs::create_dir(own_state.parent().unwrap()).unwrap();
    let start = || Proxy::start_beside(&base, &ca, &credential, &own, &own_state);
    let bearer = |proxy: &Proxy, token: &str| {
        Client::new(proxy.address).header("authorization", &format!("Bearer {token}"))
    };
    let laptop = start();
    // It heard from the panel before it served.
    let answer = bearer(&laptop, &token).chat("x").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent = format!("{:?}", provider.received().last().unwrap().headers);
    assert!(sent.contains(KEY) && !sent.contains("iron_"), "{sent}");
    assert_eq!(bearer(&laptop, "sk-own").chat("x").await.code(), "token_missing");
    let listed = said(&["proxies", "list"], &files, "");
    assert!(listed.to_string().contains(&laptop.address.to_string()), "{listed}");

    server.kill();
    assert_eq!(bearer(&laptop, &token).chat("x").await.status, 200);
    assert!(laptop.terminate());
    let laptop = start();
    // The token is known; the provider's key was in memory alone.
    let answer = bearer(&laptop, &token).chat("x").await;
    assert!(answer.text().contains("no provider key"), "{}", answer.text());
    assert_eq!(bearer(&laptop, "iron_nonsense").chat("x").await.code(), "token_invalid");
    for file in iron_tests::files_below(own_state.parent().unwrap()) {
        let bytes = std::fs::read(&file).unwrap();
        let holds = |text: &str| memchr::memmem::find(&bytes, text.as_bytes()).is_some();
        assert!(!holds(KEY) && !holds(&token), "{}", file.display());
    }
}
