//! Rates: refused with the time to come back, in the caller's dialect.

use iron_cli::simulator::Behaviour;
use iron_tests::World;
use iron_tests::client::message;

#[tokio::test]
async fn calls_per_minute() {
    let world = World::with("[limits]\nrequests_per_minute = 2\n").await;
    let client = world.client().header("x-iron-agent", "a");
    assert_eq!(client.chat("1").await.status, 200);
    assert_eq!(client.chat("2").await.status, 200);
    let refused = client.chat("3").await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "rate_limit_exceeded"));
    let millis: u64 = refused.header("retry-after-ms").parse().unwrap();
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!(millis > 0 && seconds <= 60 && seconds == millis.div_ceil(1000));
    assert_eq!(world.client().header("x-iron-agent", "b").chat("1").await.status, 200);
    assert_eq!(world.provider.counts().received, 3);
}

#[tokio::test]
async fn calls_at_once() {
    let world = World::with(
        "[[upstream]]\nname = \"anthropic\"\ndialect = \"anthropic\"\nbase_url = \"{provider}\"\n\
         limits = { parallel = 1 }\n",
    )
    .await;
    let (held, gate) = Behaviour::hold();
    world.provider.script([held]);
    let client = world.anthropic();
    let first = {
        let client = client.clone();
        tokio::spawn(async move { client.post("/v1/messages", &message("1")).await.status })
    };
    world.provider.until(|counts| counts.received == 1).await;
    let refused = client.post("/v1/messages", &message("2")).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json()["type"], "error");
    assert_eq!(refused.json()["error"]["type"], "rate_limit_error");
    gate.open();
    assert_eq!(first.await.unwrap(), 200);
    assert_eq!(client.post("/v1/messages", &message("3")).await.status, 200);
}

#[tokio::test]
async fn tokens_per_minute_of_an_agent_with_limits_of_its_own() {
    let world =
        World::with("[[agent]]\nname = \"small\"\nlimits = { tokens_per_minute = 100 }\n").await;
    let small = world.client().header("x-iron-agent", "small");
    assert_eq!(small.chat("hello").await.status, 200);
    assert_eq!(small.chat("hello").await.status, 429);
    assert_eq!(world.client().chat("hello").await.status, 200);
    let refused = &world.calls().await[1];
    assert_eq!(refused.reason, "rate_limit_tokens");
}
