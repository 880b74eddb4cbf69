//! Where a call goes: by path, by name, by model.

use iron_cli::reload::Enforcer;
use iron_cli::simulator::Simulator;
use iron_tests::World;
use iron_tests::client::{CALLER_KEY, chat};
use serde_json::json;

#[tokio::test]
async fn an_agent_is_named_by_path_or_by_header() {
    let world = World::plain().await;
    let client = world.client();
    client.post("/agent/nightly/v1/chat/completions", &chat("1")).await;
    client.clone().header("x-iron-agent", "daily").chat("2").await;
    client.chat("3").await;
    let agents: Vec<_> = world.calls().await.into_iter().map(|call| call.agent).collect();
    assert_eq!(agents, ["nightly", "daily", "default"]);
    let refused = client.clone().header("x-iron-agent", "no spaces").chat("4").await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "invalid_name"));
}

#[tokio::test]
async fn a_run_and_its_depth_are_named_by_path_or_by_header() {
    let world = World::plain().await;
    let client = world.client();
    client.post("/agent/a/run/r1/depth/2/openai/v1/chat/completions", &chat("1")).await;
    client.post("/run/r2/v1/chat/completions", &chat("2")).await;
    client.clone().header("x-iron-session", "r3").header("x-iron-depth", "1").chat("3").await;
    let calls = world.calls().await;
    let named: Vec<_> = calls
        .iter()
        .map(|call| (call.agent.as_str(), call.run.as_deref().unwrap_or(""), call.depth))
        .collect();
    assert_eq!(named, [("a", "r1", Some(2)), ("default", "r2", None), ("default", "r3", Some(1))]);
    for received in world.provider.received() {
        assert_eq!(received.path, "/v1/chat/completions");
        assert!(received.headers.keys().all(|name| !name.as_str().starts_with("x-iron-")));
    }
    let refused = client.clone().header("x-iron-depth", "deep").chat("4").await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "invalid_path"));
}

#[tokio::test]
async fn a_prefix_names_the_upstream_whatever_its_base_url_ends_in() {
    let other = Simulator::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let world = World::with(&format!(
        "[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url = \"{{provider}}\"\n\
         [[upstream]]\nname = \"groq\"\ndialect = \"openai\"\nbase_url = \"{}/v1\"\n\
         [[price]]\nmodel = \"gpt-4o-mini\"\ninput = \"1 USD\"\noutput = \"1 USD\"\n",
        other.url()
    ))
    .await;
    let client = world.client();
    for path in ["/groq/v1/chat/completions", "/groq/chat/completions"] {
        let answer = client.post(path, &chat("hello")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
    assert_eq!(other.counts().received, 2);
    assert_eq!(other.received()[0].path, "/v1/chat/completions");
    assert_eq!(client.post("/openai/v1/chat/completions", &chat("x")).await.status, 200);
    assert_eq!(world.provider.counts().received, 1);
}

#[tokio::test]
async fn a_model_goes_where_the_policy_says_and_the_callers_key_does_not() {
    let other = Simulator::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let world = World::with(&format!(
        "[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url = \"{{provider}}\"\n\
         [[upstream]]\nname = \"local\"\ndialect = \"openai\"\nbase_url = \"{}\"\n\
         api_key_env = \"STORY_KEY\"\n\
         [[route]]\nmodel = \"gpt-4o-mini*\"\nupstream = \"local\"\n\
         [[price]]\nmodel = \"gpt-4o*\"\ninput = \"1 USD\"\noutput = \"1 USD\"\nmax_output_tokens = 100\n",
        other.url()
    ))
    .await;
    let client =
        world.client().header("openai-organization", "org-1").header("openai-project", "p");
    assert_eq!(client.chat("hello").await.status, 200);
    assert_eq!(other.counts().received, 1);
    let received = other.received();
    for account in ["openai-organization", "openai-project"] {
        assert!(!received[0].headers.contains_key(account), "{account} went to another upstream");
    }
    let sent = received[0].headers["authorization"].to_str().unwrap();
    assert!(!sent.contains(CALLER_KEY), "the caller's key went to another upstream");
    let mut body = chat("hello");
    body["model"] = json!("gpt-4o");
    assert_eq!(world.client().post("/v1/chat/completions", &body).await.status, 200);
    assert_eq!(world.provider.counts().received, 1);
}

#[tokio::test]
async fn without_any_key_the_caller_is_told_where_to_put_one() {
    let world = World::with(
        "[proxy]\npassthrough = false\n[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\n\
         base_url = \"{provider}\"\napi_key_env = \"A_KEY_THAT_NOBODY_SET\"\n",
    )
    .await;
    let refused = world.client().chat("hello").await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (401, "invalid_api_key"));
    assert!(refused.text().contains("A_KEY_THAT_NOBODY_SET"), "{}", refused.text());
    assert!(world.provider.received().is_empty());
}

#[tokio::test]
async fn a_changed_configuration_is_in_force_at_once_and_a_bad_one_never() {
    let world = World::plain().await;
    let file = world.folder().join("iron.toml");
    let text = |limit: &str| {
        format!(
            "[proxy]\nlisten = \"127.0.0.1:0\"\n[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\n\
             base_url = \"{}\"\n[[budget]]\nscope = \"organisation\"\nwindow = \"day\"\nlimit = \"{limit}\"\n",
            world.provider.url()
        )
    };
    std::fs::write(&file, text("1 USD")).unwrap();
    let enforcer = Enforcer::new(&world.shared, world.maker.clone(), text("1 USD"), None);
    let watching = tokio::spawn(iron_cli::reload::watch(file.clone(), enforcer));
    let client = world.client();
    let until = async |status: u16| {
        for _ in 0..500 {
            if client.chat("hello").await.status == status {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{status} was never answered");
    };
    until(200).await;
    std::fs::write(&file, text("0.000001 USD")).unwrap();
    until(402).await;
    std::fs::write(&file, text("five dollars")).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    assert_eq!(client.chat("hello").await.status, 402);
    std::fs::write(&file, text("2 USD")).unwrap();
    until(200).await;
    watching.abort();
}
