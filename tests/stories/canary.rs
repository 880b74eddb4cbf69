//! A secret that goes in shows up nowhere it has no business.

use iron_tests::World;
use iron_tests::client::{chat_stream, message};

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
    let provider: String = world.provider.received().iter().map(|call| call.text()).collect();
    for (place, text) in
        [("an error", errors), ("metrics", metrics), ("status", status), ("the provider", provider)]
    {
        assert!(!text.contains(CANARY) && !text.contains(CANARY_MAIL), "{place}: {text}");
    }
    let folder = world.stop().await;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for canary in [CANARY, CANARY_MAIL] {
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "{} holds the canary", path.display());
        }
    }
}
