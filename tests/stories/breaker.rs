//! A failing upstream is left alone, probed, and used again; its neighbours do not notice.

use iron_cli::simulator::{Behaviour, When};
use iron_tests::World;
use iron_tests::client::{chat, message};

const QUICK: &str = "[breaker]\nconsecutive_failures = 3\nopen_for = \"300ms\"\nprobes = 1\n";

#[tokio::test]
async fn it_opens_at_the_threshold_and_closes_after_a_probe() {
    let world = World::with(QUICK).await;
    let chat = When::Path("/v1/chat/completions".to_owned());
    world.provider.always_when(chat, Behaviour::status(500));
    let client = world.client();
    for _ in 0..3 {
        assert_eq!(client.chat("hello").await.status, 500);
    }
    let refused = client.chat("hello").await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (503, "circuit_open"));
    assert!(!refused.header("retry-after").is_empty());
    assert!(refused.text().contains("`openai`"), "{}", refused.text());
    assert_eq!(world.provider.counts().received, 3);
    // Another upstream, even of the same provider, is untouched.
    assert_eq!(world.anthropic().post("/v1/messages", &message("hello")).await.status, 200);

    world.provider.heal();
    let mut tries = 0;
    while client.chat("hello").await.status != 200 {
        tries += 1;
        assert!(tries < 200, "it never closed");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(client.chat("hello").await.status, 200);
    let calls = world.calls().await;
    let open: Vec<_> = calls.iter().filter(|call| call.reason == "circuit_open").collect();
    assert!(!open.is_empty() && open.iter().all(|call| call.posted.0 == 0));
    assert_eq!(world.totals().await.pending.0, 0);
}

#[tokio::test]
async fn a_client_error_and_a_rate_limit_do_not_open_it() {
    let world = World::with(QUICK).await;
    for status in [400, 404, 429, 422, 429, 400] {
        let client = world.client().header("x-simulate", &format!("status={status}"));
        assert_eq!(client.chat("hello").await.status, status);
    }
    assert_eq!(world.client().chat("hello").await.status, 200);
}

#[tokio::test]
async fn a_rate_limit_opens_it_where_the_policy_says_so() {
    let world = World::with("[breaker]\nconsecutive_failures = 2\ncount_429 = true\n").await;
    let client = world.client().header("x-simulate", "status=429");
    assert_eq!(client.chat("hello").await.status, 429);
    assert_eq!(client.chat("hello").await.status, 429);
    assert_eq!(client.chat("hello").await.status, 503);
}

#[tokio::test]
async fn one_failing_model_does_not_stop_the_others() {
    let world = World::with(QUICK).await;
    world.provider.always_when(When::Model("gpt-4o-mini".to_owned()), Behaviour::status(529));
    for _ in 0..3 {
        assert_eq!(world.client().chat("hello").await.status, 529);
    }
    assert_eq!(world.client().chat("hello").await.status, 503);
    let mut other = chat("hello");
    other["model"] = serde_json::json!("gpt-4o");
    assert_eq!(world.client().post("/v1/chat/completions", &other).await.status, 200);
    let status = world.client().get("/_iron/status").await.json();
    let models = &status["upstreams"][0]["models_not_closed"];
    assert_eq!(models["gpt-4o-mini"], "open", "{status}");
}
