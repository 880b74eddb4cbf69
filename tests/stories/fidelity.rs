//! Untouched traffic passes byte for byte, and headers but for those that must not.

use iron_cli::simulator::{Behaviour, When};
use iron_tests::World;
use iron_tests::client::{CALLER_KEY, chat, message};
use iron_tests::world::OPERATOR_KEY;
use serde_json::json;

#[tokio::test]
async fn a_body_with_nothing_to_hide_leaves_byte_for_byte() {
    let world = World::plain().await;
    // White space, key order, escapes and numbers as no serializer would write them.
    let body = "{ \"model\" :\"gpt-4o-mini\",\r\n\t\"temperature\":1.0e0, \"max_tokens\": 5,\
                \"messages\":[{\"content\":\"caf\\u00e9 \\/ ok\",\"role\":\"user\"}] }";
    let answer = world.client().post_bytes("/v1/chat/completions", body).await;
    assert_eq!(answer.status, 200);
    assert_eq!(world.last_received(), body);
}

#[tokio::test]
async fn the_providers_headers_come_back_and_the_callers_arrive() {
    let world = World::plain().await;
    let client = world
        .client()
        .header("openai-organization", "org-1")
        .header("x-forwarded-for", "10.0.0.1")
        .header("x-iron-agent", "nightly")
        .header("connection", "keep-alive, x-private")
        .header("x-private", "hop");
    let answer = client.chat("hello").await;
    assert!(!answer.header("x-request-id").is_empty(), "{:?}", answer.headers);
    assert!(answer.header("x-iron-request-id").starts_with("call_"));
    let received = world.provider.received();
    let headers = &received[0].headers;
    assert_eq!(headers["openai-organization"], "org-1");
    assert_eq!(headers["authorization"], format!("Bearer {CALLER_KEY}"));
    for gone in ["x-forwarded-for", "x-iron-agent", "x-private"] {
        assert!(!headers.contains_key(gone), "{gone}");
    }
}

#[tokio::test]
async fn a_providers_own_error_passes_unchanged_and_costs_nothing() {
    let world = World::plain().await;
    let client = world.client().header("x-simulate", "status=429; retry-after=7");
    let answer = client.chat("hi").await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.header("retry-after"), "7");
    assert_eq!(answer.header("x-iron-refused-by"), "");
    let totals = world.totals().await;
    assert_eq!((totals.posted.0, totals.pending.0), (0, 0));
    assert_eq!(world.calls().await[0].outcome, "upstream_error");
}

#[tokio::test]
async fn every_endpoint_of_both_dialects_is_passed_and_charged() {
    let world = World::plain().await;
    let openai = world.client();
    let anthropic = world.anthropic();
    for (client, path, body) in [
        (&openai, "/v1/chat/completions", chat("hello")),
        (
            &openai,
            "/v1/responses",
            json!({"model": "gpt-4o-mini", "input": "hi", "max_output_tokens": 20}),
        ),
        (&openai, "/v1/embeddings", json!({"model": "text-embedding-3-small", "input": "x"})),
        (&anthropic, "/v1/messages", message("hello")),
    ] {
        let before = world.totals().await.posted;
        let answer = client.post(path, &body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert!(world.totals().await.posted > before, "{path} was not charged");
    }
    let mut free = message("hello");
    free.as_object_mut().unwrap().remove("max_tokens");
    let before = world.totals().await.posted;
    assert_eq!(anthropic.post("/v1/messages/count_tokens", &free).await.status, 200);
    assert_eq!(openai.get("/v1/models").await.status, 200);
    assert_eq!(openai.get("/v1/models/gpt-4o-mini").await.status, 200);
    assert_eq!(anthropic.get("/v1/models").await.json()["data"][0]["type"], "model");
    let totals = world.totals().await;
    assert_eq!(totals.posted, before);
    assert_eq!(totals.pending.0, 0);
    assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd);
}

#[tokio::test]
async fn the_operators_key_takes_the_place_of_the_callers() {
    let world = World::with(
        "[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url = \"{provider}\"\n\
         api_key_env = \"STORY_KEY\"\n",
    )
    .await;
    let answer = world.client().header("x-api-key", "other").chat("hi").await;
    assert_eq!(answer.status, 200);
    let received = world.provider.received();
    assert_eq!(received[0].headers["authorization"], format!("Bearer {OPERATOR_KEY}"));
    assert!(!received[0].headers.contains_key("x-api-key"));
    assert!(!answer.text().contains(OPERATOR_KEY));
}

#[tokio::test]
async fn what_is_free_passes_whatever_it_is() {
    let world = World::plain().await;
    let path = "/v1/files/file-1/content";
    let bytes: &[u8] = b"\x00\xffnot json";
    let file = Behaviour::literal(200, "application/octet-stream", bytes);
    world.provider.always_when(When::Path(path.to_owned()), file);
    let answer = world.client().get(path).await;
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, bytes));
    let call = &world.calls().await[0];
    assert_eq!((call.outcome.as_str(), call.posted.0), ("ok", 0));
}
