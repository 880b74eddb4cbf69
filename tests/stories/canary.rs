//! A secret that goes in shows up nowhere it has no business.

use iron_cli::simulator::Simulator;
use iron_tests::World;
use iron_tests::binary::Proxy;
use iron_tests::client::{Client, chat_stream, content, message};

const CANARY: &str = "sk-proj-CANARYa8Xk2Qv7Lm4Zr9Tb3Yw6Nc1Pd5Sf0Gh8Jk2Lq7";
const CANARY_MAIL: &str = "canary.of.the.story@example.org";

#[tokio::test]
async fn a_secret_never_reaches_the_provider_the_state_the_metrics_or_an_error() {
    let world = World::with(
        "[redact.kinds]\nIBAN = \"block\"\n[[budget]]\nscope = \"agent:poor\"\nwindow = \"day\"\n\
         limit = \"0.000001 USD\"\n",
    )
    .await;
    let text = format!("key {CANARY} of {CANARY_MAIL}");
    let client = world.client();
    assert!(client.chat(&text).await.said().contains(CANARY));
    client.stream("/v1/chat/completions", &chat_stream(&text)).await.rest().await;
    world.anthropic().post("/v1/messages", &message(&text)).await;
    let gemini = "/v1beta/models/gemini-2.5-flash:streamGenerateContent";
    world.gemini().post(gemini, &content(&text)).await;
    let mut errors = String::new();
    for answer in [
        client.clone().header("x-iron-agent", "poor").chat(&text).await,
        client.chat(&format!("{text} DE89370400440532013000")).await,
        client.clone().header("x-simulate", "garbage").chat(&text).await,
        client.post_bytes("/v1/chat/completions", format!("{{\"model\":\"{CANARY}")).await,
    ] {
        assert!(answer.status.as_u16() >= 400, "{}", answer.text());
        errors.push_str(&answer.text());
    }
    let metrics = client.get("/_iron/metrics").await.text();
    assert!(metrics.contains("iron_calls_total"), "{metrics}");
    let status = client.get("/_iron/status").await.text();
    let provider: String =
        world.provider.received().iter().map(iron_cli::simulator::Received::text).collect();
    for (place, text) in
        [("an error", errors), ("metrics", metrics), ("status", status), ("the provider", provider)]
    {
        assert!(!text.contains(CANARY) && !text.contains(CANARY_MAIL), "{place}: {text}");
    }
    let folder = world.stop().await;
    for path in iron_tests::files_below(folder.path()) {
        let bytes = std::fs::read(&path).unwrap();
        for canary in [CANARY, CANARY_MAIL] {
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "{} holds the canary", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_never_reaches_the_log_however_much_is_logged() {
    let provider = Simulator::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("iron.toml");
    let url = provider.url();
    let text = format!(
        "[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url = \"{url}\"\n\
         [[upstream]]\nname = \"gemini\"\ndialect = \"gemini\"\nbase_url = \"{url}\"\n\
         [redact.kinds]\nIBAN = \"block\"\n"
    );
    std::fs::write(&config, text).unwrap();
    let log = folder.path().join("log");
    let proxy = Proxy::start_logging(&config, &folder.path().join("state.db"), &log);
    let client = Client::new(proxy.address).header("x-iron-agent", "canary-agent");
    let text = format!("key {CANARY} of {CANARY_MAIL}");
    client.chat(&text).await;
    client.stream("/v1/chat/completions", &chat_stream(&text)).await.rest().await;
    client.chat(&format!("{text} DE89370400440532013000")).await;
    client.clone().header("x-simulate", "garbage").chat(&text).await;
    client.post_bytes("/v1/chat/completions", format!("{{\"model\":\"{CANARY}")).await;
    // A key in the address, of a call that passes and of calls that stop.
    for path in ["gemini-2.5-flash:generateContent", "unheard-of:generateContent", "x:predict"] {
        let path = format!("/v1beta/models/{path}?key=caller-key-of-the-story");
        client.post(&path, &content(&text)).await;
    }
    assert!(proxy.terminate());
    let logged = std::fs::read_to_string(&log).unwrap();
    assert!(logged.contains("invalid_body") && logged.contains("blocked"), "{logged}");
    for canary in [CANARY, CANARY_MAIL, "caller-key-of-the-story"] {
        assert!(!logged.contains(canary), "{logged}");
    }
}
