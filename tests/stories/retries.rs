//! Attempts and fallbacks: each with money of its own, none after the first byte.

use std::time::{Duration, Instant};

use iron_cli::simulator::{At, Behaviour, Mishap, When};
use iron_policy::types::NanoUsd;
use iron_tests::World;
use iron_tests::client::{CALLER_KEY, chat, chat_stream, content, message};
use iron_tests::world::OPERATOR_KEY;
use serde_json::{Value, json};

const QUICK: &str = "[retry]\nattempts = 2\nbackoff = \"2ms\"\n";

/// Two upstreams of OpenAI's dialect at the provider; the second has the operator's key.
const TWO: &str = "[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\n\
     base_url = \"{provider}\"\n\
     [[upstream]]\nname = \"azure\"\ndialect = \"openai\"\nvendor = \"openai\"\n\
     base_url = \"{provider}/v1\"\napi_key_env = \"STORY_KEY\"\n";

#[tokio::test]
async fn nothing_is_tried_again_unless_the_policy_says_so() {
    let world = World::plain().await;
    world.provider.script([Behaviour::status(503)]);
    let answer = world.client().chat("hello").await;
    assert_eq!(answer.status, 503);
    assert_eq!(
        (answer.header("x-iron-upstream"), answer.header("x-iron-attempts")),
        ("openai", "1")
    );
    assert_eq!(world.provider.counts().received, 1);
}

#[tokio::test]
async fn each_attempt_has_its_own_reservation_and_record() {
    let world = World::with(QUICK).await;
    world.provider.script([Behaviour::status(503), Behaviour::status(529)]);
    let answer = world.client().chat("write to ada@example.org").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("x-iron-attempts"), "3");
    assert_eq!(answer.header("x-iron-model"), "");
    let calls = world.calls().await;
    let attempts: Vec<_> = calls.iter().map(|call| (call.attempt, call.status)).collect();
    assert_eq!(attempts, [(1, 503), (2, 529), (3, 200)]);
    assert_eq!(calls[0].first_attempt, None);
    assert!(calls[1..].iter().all(|call| call.first_attempt == Some(calls[0].id)));
    assert_eq!(answer.header("x-iron-request-id"), calls[2].id.to_string());
    assert!(calls.iter().all(|call| call.reserved == calls[0].reserved));
    let totals = world.totals().await;
    assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd);
    assert_eq!(totals.pending, NanoUsd::ZERO);
    // Searched once, and sent alike each time.
    let bodies: Vec<_> = world.provider.received().iter().map(|call| call.body.clone()).collect();
    assert!(bodies.len() == 3 && bodies.iter().all(|body| *body == bodies[0]));
    assert!(!String::from_utf8_lossy(&bodies[0]).contains("ada@example.org"));
    assert!(answer.said().contains("ada@example.org"));
    assert_eq!(calls[0].findings["EMAIL"], 1);
    assert_eq!(calls[2].findings.get("EMAIL"), None);
}

#[tokio::test]
async fn an_attempt_of_unknown_outcome_stays_charged_beside_the_next() {
    let world = World::with(QUICK).await;
    world.provider.script([Behaviour::default().at(At::Head, Mishap::Reset)]);
    let answer = world.client().chat("hello").await;
    assert_eq!((answer.status.as_u16(), answer.header("x-iron-attempts")), (200, "2"));
    let calls = world.calls().await;
    assert_eq!((calls[0].reason.as_str(), calls[0].estimated), ("upstream_reset", true));
    assert_eq!(calls[0].posted, calls[0].reserved);
    assert!(!calls[1].estimated && calls[1].posted > NanoUsd::ZERO);
    let totals = world.totals().await;
    assert_eq!(totals.posted, calls[0].posted + calls[1].posted);
    assert!(totals.posted.0 >= world.provider.bill().total_nano_usd);
}

#[tokio::test]
async fn a_budget_holds_for_the_attempts_together() {
    let measured = World::plain().await;
    measured.client().chat("hello").await;
    let bound = measured.calls().await[0].reserved;
    let limit = NanoUsd(bound.0 + bound.0 / 2);
    let budget =
        format!("[[budget]]\nscope = \"organisation\"\nwindow = \"total\"\nlimit = \"{limit}\"\n");
    let world = World::with(&format!("{QUICK}{budget}")).await;
    world.provider.always(Behaviour::default().at(At::Head, Mishap::Reset));
    let answer = world.client().chat("hello").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (402, "insufficient_quota"));
    assert_eq!(world.provider.counts().received, 1);
    let totals = world.totals().await;
    assert!(totals.posted == bound && totals.pending == NanoUsd::ZERO);
}

#[tokio::test]
async fn nothing_is_tried_again_after_the_first_byte() {
    let world = World::with(QUICK).await;
    world.provider.script([Behaviour::bytes(400).at(At::Event(3), Mishap::Reset)]);
    let text = world.client().stream("/v1/chat/completions", &chat_stream("x")).await.rest().await;
    assert!(text.contains("\"code\":\"upstream_reset\""), "{text}");
    assert_eq!(world.provider.counts().received, 1);
    // A whole answer that breaks off had a head as well.
    world.provider.script([Behaviour::bytes(400).at(At::Byte(50), Mishap::Close)]);
    assert_eq!(world.client().chat("x").await.code(), "upstream_answer");
    assert_eq!(world.provider.counts().received, 2);
}

#[tokio::test]
async fn a_stream_is_tried_again_before_its_head() {
    let world = World::with(QUICK).await;
    world.provider.script([Behaviour::status(500)]);
    let events = world.client().stream("/v1/chat/completions", &chat_stream("x")).await;
    assert_eq!(events.headers["x-iron-attempts"], "2");
    assert!(events.rest().await.contains("[DONE]"));
    assert_eq!(world.totals().await.posted.0, world.provider.bill().total_nano_usd);
}

#[tokio::test]
async fn the_last_error_of_a_provider_passes_unchanged() {
    let world = World::with(QUICK).await;
    world.provider.always(Behaviour::status(529).header("retry-after", "0.001"));
    let anthropic = world.anthropic().post("/v1/messages", &message("x")).await;
    assert_eq!((anthropic.status.as_u16(), anthropic.header("retry-after")), (529, "0.001"));
    assert_eq!(anthropic.header("x-iron-refused-by"), "");
    assert_eq!(anthropic.json()["error"]["type"], "overloaded_error");
    assert_eq!(world.provider.counts().received, 3);
    world.provider.heal();
    // What the caller did wrong is not tried again.
    world.provider.script([Behaviour::status(400)]);
    assert_eq!(world.client().chat("x").await.status, 400);
    assert_eq!(world.provider.counts().received, 4);
}

#[tokio::test]
async fn an_upstreams_wish_to_be_left_alone_is_respected_or_passed_on() {
    let world = World::with(QUICK).await;
    world.provider.script([Behaviour::status(429).header("retry-after-ms", "120")]);
    let begun = Instant::now();
    assert_eq!(world.client().chat("x").await.status, 200);
    assert!(begun.elapsed() >= Duration::from_millis(120));
    for absurd in ["86400", "99999999999999999999999999", "Fri, 31 Dec 2999 23:59:59 GMT"] {
        let before = world.provider.counts().received;
        world.provider.script([Behaviour::status(429).header("retry-after", absurd)]);
        let answer = world.client().chat("x").await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, absurd));
        assert_eq!(world.provider.counts().received, before + 1, "{absurd}");
    }
    for nonsense in ["-5", "soon", ""] {
        world.provider.script([Behaviour::status(429).header("retry-after", nonsense)]);
        assert_eq!(world.client().chat("x").await.status, 200, "{nonsense}");
    }
    let before = world.provider.counts().received;
    world.provider.script([Behaviour::status(429).header("x-should-retry", "false")]);
    assert_eq!(world.client().chat("x").await.status, 429);
    assert_eq!(world.provider.counts().received, before + 1);
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_attempts() {
    let world =
        World::with("[retry]\nattempts = 5\nbackoff = \"30s\"\nbackoff_max = \"30s\"\n").await;
    world.provider.always(Behaviour::status(503));
    let client = world.client();
    let waiting = tokio::spawn(async move { client.chat("x").await });
    world.provider.until(|counts| counts.answered == 1).await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    let calls = world.calls().await;
    assert!(calls.len() <= 1 && world.provider.counts().received == 1);
    assert_eq!(world.totals().await.pending, NanoUsd::ZERO);
}

#[tokio::test]
async fn a_fallback_has_the_operators_key_and_never_the_callers() {
    let world = World::with(&format!(
        "{TWO}[[fallback]]\nmodel = \"gpt-4o*\"\nto = [{{ upstream = \"azure\" }}]\n"
    ))
    .await;
    world.provider.script([Behaviour::status(500)]);
    let client = world.client().header("openai-organization", "org-of-the-caller");
    let answer = client.chat("hello").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        (answer.header("x-iron-upstream"), answer.header("x-iron-attempts")),
        ("azure", "2")
    );
    let received = world.provider.received();
    let sent = |at: usize, name: &str| {
        received[at].headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(sent(0, "authorization"), Some(format!("Bearer {CALLER_KEY}")));
    assert_eq!(sent(1, "authorization"), Some(format!("Bearer {OPERATOR_KEY}")));
    assert_eq!(sent(1, "openai-organization"), None);
    let upstreams: Vec<_> = world.calls().await.into_iter().map(|call| call.upstream).collect();
    assert_eq!(upstreams, ["openai", "azure"]);
}

#[tokio::test]
async fn another_model_is_asked_where_each_dialect_names_it() {
    let fallback = "[[fallback]]\nmodel = \"gpt-4o\"\nto = [{ model = \"gpt-4o-mini\" }]\n\
         [[fallback]]\nmodel = \"claude-haiku*\"\nto = [{ model = \"claude-sonnet-4-5\" }]\n\
         [[fallback]]\nmodel = \"gemini-2.5-pro\"\nto = [{ model = \"gemini-2.5-flash\" }]\n";
    let world = World::with(fallback).await;
    let mut large = chat("x");
    large["model"] = json!("gpt-4o");
    for (client, path, body, model) in [
        (world.client(), "/v1/chat/completions", large, "gpt-4o-mini"),
        (
            world.client(),
            "/v1/responses",
            json!({"model": "gpt-4o", "max_output_tokens": 9, "input": "x"}),
            "gpt-4o-mini",
        ),
        (world.anthropic(), "/v1/messages", message("x"), "claude-sonnet-4-5"),
        (
            world.gemini(),
            "/v1beta/models/gemini-2.5-pro:generateContent",
            content("x"),
            "gemini-2.5-flash",
        ),
    ] {
        world.provider.script([Behaviour::status(503)]);
        let answer = client.post(path, &body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(answer.header("x-iron-model"), model);
        let received = world.provider.received();
        let last = received.last().unwrap();
        let sent: Value = serde_json::from_slice(&last.body).unwrap();
        if path.contains("gemini") {
            assert!(last.path.contains("/models/gemini-2.5-flash:"), "{}", last.path);
        } else {
            assert_eq!(sent["model"], model);
        }
        assert_eq!(world.calls().await.last().unwrap().model, model);
    }
    assert_eq!(world.totals().await.posted.0, world.provider.bill().total_nano_usd);
}

#[tokio::test]
async fn a_fallback_without_a_price_or_a_key_is_passed_over() {
    let world = World::with(
        "[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url = \"{provider}\"\n\
         [[upstream]]\nname = \"keyless\"\ndialect = \"openai\"\nvendor = \"openai\"\n\
         base_url = \"{provider}\"\napi_key_env = \"NOT_SET_IN_THE_STORY\"\n\
         [[upstream]]\nname = \"other\"\ndialect = \"anthropic\"\nbase_url = \"{provider}\"\n\
         [[upstream]]\nname = \"another\"\ndialect = \"anthropic\"\nbase_url = \"{provider}\"\n\
         [[fallback]]\nmodel = \"*\"\nto = [{ model = \"nobody-knows-it\" }, \
         { upstream = \"keyless\" }, { upstream = \"other\" }, { model = \"gpt-4.1-mini\" }]\n",
    )
    .await;
    world.provider.script([Behaviour::status(503)]);
    let answer = world.client().chat("x").await;
    assert_eq!((answer.status.as_u16(), answer.header("x-iron-model")), (200, "gpt-4.1-mini"));
    assert_eq!(world.provider.counts().received, 2);
}

#[tokio::test]
async fn an_open_breaker_leads_to_the_fallback_and_is_not_waited_for() {
    let world = World::with(
        "[breaker]\nconsecutive_failures = 2\nopen_for = \"60s\"\n\
         [[fallback]]\nmodel = \"gpt-4o-mini\"\nto = [{ model = \"gpt-4.1-mini\" }]\n",
    )
    .await;
    world.provider.always_when(When::Model("gpt-4o-mini".to_owned()), Behaviour::status(500));
    for _ in 0..4 {
        let answer = world.client().chat("x").await;
        assert_eq!((answer.status.as_u16(), answer.header("x-iron-model")), (200, "gpt-4.1-mini"));
    }
    // Two to open it; then nothing went to the model that fails.
    assert_eq!(world.provider.counts().received, 2 + 4);
    let calls = world.calls().await;
    assert_eq!(calls.iter().filter(|call| call.reason == "circuit_open").count(), 2);
    assert_eq!(world.totals().await.posted.0, world.provider.bill().total_nano_usd);
}

#[tokio::test]
async fn a_budget_leads_to_a_cheaper_model_only_where_the_policy_says_so() {
    let lines = |on_budget: bool| {
        format!(
            "[[budget]]\nscope = \"model:gpt-4o\"\nwindow = \"day\"\nlimit = \"0.000001 USD\"\n\
             [[fallback]]\nmodel = \"gpt-4o\"\nto = [{{ model = \"gpt-4o-mini\" }}]\n\
             on_budget = {on_budget}\n"
        )
    };
    let mut large = chat("x");
    large["model"] = json!("gpt-4o");
    let strict = World::with(&lines(false)).await;
    assert_eq!(strict.client().post("/v1/chat/completions", &large).await.status, 402);
    assert!(strict.provider.received().is_empty());
    let frugal = World::with(&lines(true)).await;
    let answer = frugal.client().post("/v1/chat/completions", &large).await;
    assert_eq!((answer.status.as_u16(), answer.header("x-iron-model")), (200, "gpt-4o-mini"));
    let calls = frugal.calls().await;
    let reasons: Vec<_> = calls.iter().map(|call| call.reason.as_str()).collect();
    assert_eq!(reasons, ["budget_exhausted", "ok"]);
}
