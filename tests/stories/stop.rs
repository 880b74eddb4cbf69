//! The kill switch: no new call, no open stream, no restart gets around it.

use iron_cli::simulator::{At, Behaviour, Mishap};
use iron_policy::types::NanoUsd;
use iron_proxy::shared::unix_ms;
use iron_proxy::state::Store;
use iron_proxy::stops::{self, Whom};
use iron_tests::client::{Client, chat_stream, content, message};
use iron_tests::{World, binary};
use serde_json::json;

fn whom(name: &str) -> Whom {
    Whom::Agent(name.parse().unwrap())
}

/// As another process does it, and without waiting for the next look at the file.
async fn stop(world: &World, whom: &Whom) {
    assert!(Store::stop(&world.state(), whom, unix_ms()).unwrap());
    stops::refresh(&world.shared).await.unwrap();
}

fn agent(client: Client, name: &str) -> Client {
    client.header("x-iron-agent", name)
}

#[tokio::test]
async fn a_stopped_agent_is_refused_and_told_what_lifts_it() {
    let world = World::plain().await;
    stop(&world, &whom("wild")).await;
    let refused = agent(world.client(), "wild").chat("hello").await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (403, "agent_stopped"));
    assert_eq!(refused.header("x-should-retry"), "false");
    assert!(refused.text().contains("`iron start wild`"), "{}", refused.text());
    let by_path = world.client().post("/agent/wild/v1/messages", &message("x")).await;
    assert_eq!(by_path.json()["error"]["type"], "permission_error");
    // What costs nothing is a call as well.
    assert_eq!(agent(world.client(), "wild").get("/v1/models").await.status, 403);
    assert_eq!(agent(world.client(), "tame").chat("hello").await.status, 200);
    assert_eq!(world.provider.counts().received, 1);
    assert!(Store::lift(&world.state(), &whom("wild")).unwrap());
    stops::refresh(&world.shared).await.unwrap();
    assert_eq!(agent(world.client(), "wild").chat("hello").await.status, 200);
}

#[tokio::test]
async fn a_stop_written_by_another_process_is_seen_without_being_told() {
    let world = World::plain().await;
    let (held, _gate) = Behaviour::hold();
    world.provider.always(held);
    let client = agent(world.client(), "wild");
    let open = tokio::spawn(async move { client.chat("hello").await });
    world.provider.until(|counts| counts.received == 1).await;
    Store::stop(&world.state(), &whom("wild"), unix_ms()).unwrap();
    // The provider never answers: only the stop ends this.
    let ended = open.await.unwrap();
    assert_eq!((ended.status.as_u16(), ended.code().as_str()), (403, "agent_stopped"));
    world.provider.until(|counts| counts.cancelled == 1).await;
    let call = &world.calls().await[0];
    assert_eq!((call.outcome.as_str(), call.reason.as_str()), ("refused", "agent_stopped"));
    // It was sent: nobody knows what it cost.
    assert!(call.estimated && call.posted == call.reserved && call.posted > NanoUsd::ZERO);
}

#[tokio::test]
async fn open_streams_end_at_once_with_an_error_of_their_dialect() {
    let hang = || Behaviour::bytes(400).at(At::Event(6), Mishap::Hang);
    for (path, body, of_dialect) in [
        ("/v1/chat/completions", chat_stream("x"), "\"code\":\"agent_stopped\""),
        (
            "/v1/responses",
            json!({"model": "gpt-4o-mini", "max_output_tokens": 99, "stream": true, "input": "x"}),
            "event: error\ndata: {\"type\":\"error\",\"code\":\"agent_stopped\"",
        ),
        (
            "/v1/messages",
            json!({"model": "claude-haiku-4-5", "max_tokens": 99, "stream": true,
                "messages": [{"role": "user", "content": "x"}]}),
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"permission_error\"",
        ),
        (
            "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
            content("x"),
            "\"status\":\"PERMISSION_DENIED\"",
        ),
    ] {
        let world = World::with("[proxy]\non_abort = \"drain\"\n").await;
        world.provider.always(hang());
        let mut wild = agent(world.client(), "wild").stream(path, &body).await;
        let mut tame = agent(world.client(), "tame").stream(path, &body).await;
        assert!(wild.next().await.is_some() && tame.next().await.is_some());
        stop(&world, &whom("wild")).await;
        let rest = wild.rest().await;
        assert!(rest.contains(of_dialect), "{path}: {rest}");
        assert!(rest.contains("iron start wild"), "{path}: {rest}");
        assert!(!rest.contains("[DONE]") && rest.ends_with("\n\n"), "{path}: {rest}");
        world.provider.until(|counts| counts.cancelled == 1).await;
        let calls = world.calls().await;
        assert_eq!(calls.len(), 1, "{path}: the other agent's stream goes on");
        assert_eq!(calls[0].reason, "agent_stopped");
        assert_eq!(calls[0].posted, calls[0].reserved);
    }
}

#[tokio::test]
async fn everybody_is_stopped_also_who_comes_later() {
    let world = World::plain().await;
    stop(&world, &Whom::All).await;
    let refused = agent(world.client(), "new").chat("hello").await;
    assert_eq!(refused.code(), "agent_stopped");
    assert!(refused.text().contains("`iron start --all`"), "{}", refused.text());
    assert!(world.provider.received().is_empty());
    assert_eq!(world.client().get("/_iron/health").await.status, 200);
}

#[tokio::test]
async fn the_command_works_with_a_proxy_without_one_and_over_a_restart() {
    let provider = iron_cli::simulator::Simulator::start(([127, 0, 0, 1], 0).into()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (config, state) = (folder.path().join("iron.toml"), folder.path().join("state.db"));
    let write = |listen: &str| {
        let text = format!(
            "[proxy]\nlisten = \"{listen}\"\n[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\n\
             base_url = \"{}\"\n",
            provider.url()
        );
        std::fs::write(&config, text).unwrap();
    };
    write("127.0.0.1:0");
    let start = async || {
        let (config, state) = (config.clone(), state.clone());
        tokio::task::spawn_blocking(move || binary::Proxy::start(&config, &state)).await.unwrap()
    };
    let iron = async |words: &[&str]| {
        let mut command = tokio::process::Command::from(binary::command());
        command.args(words).arg("--config").arg(&config).arg("--state").arg(&state);
        let output = command.output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), said + &String::from_utf8_lossy(&output.stderr))
    };
    let proxy = start().await;
    // So that the commands find it where the configuration says.
    write(&proxy.address.to_string());
    let wild = Client::new(proxy.address).header("x-iron-agent", "wild");
    assert_eq!(wild.chat("x").await.status, 200);
    let (well, said) = iron(&["stop", "wild"]).await;
    assert!(well && said.contains("`iron start wild`"), "{said}");
    // It was told: nothing waits for its next look at the file.
    assert_eq!(wild.chat("x").await.code(), "agent_stopped");
    let (_, status) = iron(&["status"]).await;
    assert!(status.contains("stopped   wild"), "{status}");
    assert!(iron(&["stop", "wild"]).await.1.contains("already"));
    proxy.kill();
    write("127.0.0.1:0");
    let proxy = start().await;
    let wild = Client::new(proxy.address).header("x-iron-agent", "wild");
    assert_eq!(wild.chat("x").await.code(), "agent_stopped");
    assert!(proxy.terminate());
    // Without a proxy.
    assert!(iron(&["start", "wild"]).await.0);
    assert!(iron(&["stop", "--all"]).await.0);
    let proxy = start().await;
    let client = Client::new(proxy.address);
    assert_eq!(client.chat("x").await.code(), "agent_stopped");
    // The agents' port lifts nothing without the operator's token.
    let lift = client.post("/_iron/control/starts", &json!({"agent": "*"})).await;
    assert_eq!(lift.status, 401, "{}", lift.text());
    write(&proxy.address.to_string());
    let (well, said) = iron(&["stop", "--all", "--lift"]).await;
    assert!(well && said.contains("may call again"), "{said}");
    assert_eq!(client.chat("x").await.status, 200);
    for wrong in [&["stop"][..], &["stop", "a", "--all"], &["start", "a b"]] {
        assert!(!iron(wrong).await.0, "{wrong:?}");
    }
}
