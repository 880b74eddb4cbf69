//! Agents that run away: loops, spending, recursion. Honest ones are left alone.

use iron_cli::simulator::{At, Behaviour, Mishap};
use iron_policy::types::NanoUsd;
use iron_tests::World;
use iron_tests::client::{chat, chat_stream, content, message};
use iron_tests::socket::Socket;
use serde_json::json;

const LOOPS: &str = "[runaway]\nrepeats = 3\n[[agent]]\nname = \"sampler\"\n";

#[tokio::test]
async fn the_same_call_answered_too_often_is_a_loop_in_every_dialect() {
    let world = World::with(LOOPS).await;
    let responses = json!({"model": "gpt-4o-mini", "max_output_tokens": 9, "input": "x"});
    let gemini = "/v1beta/models/gemini-2.5-flash:generateContent";
    for (client, path, body) in [
        (world.client(), "/v1/chat/completions", chat("x")),
        (world.client(), "/v1/responses", responses),
        (world.anthropic(), "/v1/messages", message("x")),
        (world.gemini(), gemini, content("x")),
    ] {
        for number in 0..3 {
            let mut body = body.clone();
            // What accompanies a question does not make it another one.
            body["metadata"] = json!({"number": number});
            if path.contains("gemini") {
                body.as_object_mut().unwrap().remove("metadata");
            }
            assert_eq!(client.post(path, &body).await.status, 200, "{path}");
        }
        let received = world.provider.counts().received;
        let caught = client.post(path, &body).await;
        assert_eq!(caught.status, 403, "{path}: {}", caught.text());
        assert_eq!(caught.header("x-should-retry"), "false");
        assert!(caught.text().contains("answered 3 times"), "{}", caught.text());
        assert_eq!(world.provider.counts().received, received);
    }
    let calls = world.calls().await;
    let last = calls.last().unwrap();
    assert_eq!((last.reason.as_str(), last.reserved), ("loop_detected", NanoUsd::ZERO));
    // Another question, and another agent with the same one, go on.
    assert_eq!(world.client().chat("y").await.status, 200);
    assert_eq!(world.client().header("x-iron-agent", "other").chat("x").await.status, 200);
}

#[tokio::test]
async fn what_sdks_send_again_after_failures_is_no_loop() {
    let world = World::with(LOOPS).await;
    let failures = [500, 503, 529, 429].map(Behaviour::status);
    world.provider.script(failures);
    world.provider.script([Behaviour::default().at(At::Head, Mishap::Reset)]);
    world.provider.script([Behaviour::bytes(400).at(At::Event(3), Mishap::Reset)]);
    for status in [500, 503, 529, 429, 502] {
        assert_eq!(world.client().chat("x").await.status, status);
    }
    world.client().stream("/v1/chat/completions", &chat_stream("x")).await.rest().await;
    for _ in 0..3 {
        assert_eq!(world.client().chat("x").await.status, 200);
    }
    assert_eq!(world.client().chat("x").await.code(), "loop_detected");
}

#[tokio::test]
async fn by_default_nobody_is_kept_from_asking_the_same() {
    let world = World::plain().await;
    for _ in 0..30 {
        assert_eq!(world.client().chat("x").await.status, 200);
    }
}

#[tokio::test]
async fn an_agent_has_bounds_of_its_own() {
    let world = World::with(
        "[runaway]\nrepeats = 1\n[[agent]]\nname = \"sampler\"\nrunaway = { repeats = 50 }\n",
    )
    .await;
    let sampler = world.client().header("x-iron-agent", "sampler");
    for _ in 0..5 {
        assert_eq!(sampler.chat("x").await.status, 200);
    }
    assert_eq!(world.client().chat("x").await.status, 200);
    assert_eq!(world.client().chat("x").await.code(), "loop_detected");
}

#[tokio::test]
async fn spending_too_fast_is_told_when_it_fits_again() {
    let measured = World::plain().await;
    measured.client().chat("x").await;
    let bound = measured.calls().await[0].reserved;
    let limit = NanoUsd(bound.0 + bound.0 / 2);
    let world = World::with(&format!("[runaway]\nspend_per_minute = \"{limit}\"\n")).await;
    let (held, gate) = Behaviour::hold();
    world.provider.always(held);
    let client = world.client();
    let open = tokio::spawn(async move { client.chat("x").await.status });
    world.provider.until(|counts| counts.received == 1).await;
    let fast = world.client().chat("x").await;
    assert_eq!((fast.status.as_u16(), fast.code().as_str()), (429, "spend_rate"));
    assert!(!fast.header("retry-after").is_empty(), "{:?}", fast.headers);
    assert!(fast.text().contains("runaway.spend_per_minute"), "{}", fast.text());
    // Another agent has a minute of its own.
    let other = world.client().header("x-iron-agent", "other");
    let other = tokio::spawn(async move { other.chat("x").await.status });
    world.provider.until(|counts| counts.received == 2).await;
    gate.open();
    assert_eq!(
        (open.await.unwrap(), other.await.unwrap()),
        (200.try_into().unwrap(), 200.try_into().unwrap())
    );
    // What the call did not cost is free at once.
    assert_eq!(world.client().chat("x").await.status, 200);
    let mut never = chat("x");
    never["max_tokens"] = json!(16_000);
    let never = world.client().post("/v1/chat/completions", &never).await;
    assert_eq!((never.status.as_u16(), never.code().as_str()), (403, "spend_rate"));
    assert_eq!(never.header("x-should-retry"), "false");
}

#[tokio::test]
async fn images_and_spoken_responses_are_spending_too() {
    let world = World::with("[runaway]\nspend_per_minute = \"0.0001 USD\"\n").await;
    let image =
        json!({"model": "gpt-image-1", "prompt": "x", "quality": "low", "size": "1024x1024"});
    let answer = world.client().post("/v1/images/generations", &image).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "spend_rate"));
    let mut socket = Socket::open(world.address, "/v1/realtime?model=gpt-realtime").await;
    socket.send(&json!({"type": "response.create", "event_id": "mine"})).await;
    let refused = socket.until(&["error"]).await.pop().unwrap();
    let error = &refused["error"];
    assert_eq!((&error["code"], &error["event_id"]), (&json!("spend_rate"), &json!("mine")));
    assert_eq!(world.totals().await.posted, NanoUsd::ZERO);
}

#[tokio::test]
async fn recursion_ends_at_its_bound() {
    let world = World::plain().await;
    let at = |depth: &str| world.client().header("x-iron-depth", depth);
    assert_eq!(at("8").chat("x").await.status, 200);
    let deep = at("9").chat("x").await;
    assert_eq!((deep.status.as_u16(), deep.code().as_str()), (403, "depth_exceeded"));
    assert!(deep.text().contains("runaway.max_depth"), "{}", deep.text());
    let by_path = world.client().post("/depth/9/v1/chat/completions", &chat("x")).await;
    assert_eq!(by_path.code(), "depth_exceeded");
}
