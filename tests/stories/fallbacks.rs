//! Fallbacks to where models have names of their own: deployments of Azure's, and other maps.

use iron_cli::simulator::Behaviour;
use iron_policy::types::NanoUsd;
use iron_tests::World;
use iron_tests::client::{CALLER_KEY, chat, chat_stream, data};
use iron_tests::world::OPERATOR_KEY;
use serde_json::{Value, json};

const TEXT: &str = "write to ada@example.org";

/// OpenAI, and Azure with the operator's key. The provider's deployments are called the same.
fn upstreams(models: &str, to: &str) -> String {
    format!(
        "[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url = \"{{provider}}\"\n\
         [[upstream]]\nname = \"azure\"\nplatform = \"azure\"\nbase_url = \"{{provider}}\"\n\
         api_key_env = \"STORY_KEY\"\nmodels = {{ {models} }}\n\
         [[fallback]]\nmodel = \"*\"\nto = [{to}]\n"
    )
}

const DEPLOYMENTS: &str = "team-chat = \"gpt-4o-mini\", team-chat-large = \"gpt-4o\", \
     team-embeddings = \"text-embedding-3-small\"";

/// What the provider saw last.
fn last_body(world: &World) -> Value {
    serde_json::from_str(&world.last_received()).unwrap()
}

async fn is_billed_exactly(world: &World) {
    let totals = world.totals().await;
    assert!(totals.posted.0 > 0);
    assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd);
    assert_eq!((totals.pending, totals.estimated), (NanoUsd::ZERO, NanoUsd::ZERO));
}

#[tokio::test]
async fn azure_answers_where_openai_cannot_at_the_price_of_the_deployment() {
    for (to, deployment, model, told) in [
        ("{ upstream = \"azure\" }", "team-chat", "gpt-4o-mini", ""),
        (
            "{ upstream = \"azure\", model = \"team-chat-large\" }",
            "team-chat-large",
            "gpt-4o",
            "gpt-4o",
        ),
        ("{ upstream = \"azure\", model = \"gpt-4o\" }", "team-chat-large", "gpt-4o", "gpt-4o"),
    ] {
        let world = World::with(&upstreams(DEPLOYMENTS, to)).await;
        world.provider.script([Behaviour::status(503)]);
        let client = world.client().header("openai-organization", "org-of-the-caller");
        let answer = client.chat(TEXT).await;
        assert_eq!(answer.status, 200, "{to}: {}", answer.text());
        let who = ["x-iron-upstream", "x-iron-attempts", "x-iron-model", "x-ms-region"]
            .map(|name| answer.header(name));
        assert_eq!(who, ["azure", "2", told, "Sweden Central"]);
        assert!(answer.said().contains(TEXT), "{}", answer.text());

        let received = world.provider.received();
        let header = |at: usize, name: &str| {
            received[at].headers.get(name).map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(received[1].path, "/openai/v1/chat/completions");
        assert_eq!(header(0, "authorization"), Some(format!("Bearer {CALLER_KEY}")));
        assert_eq!(header(1, "authorization"), None);
        assert_eq!(header(1, "api-key").as_deref(), Some(OPERATOR_KEY));
        assert_eq!(header(1, "openai-organization"), None);
        assert_eq!(last_body(&world)["model"], deployment);
        assert!(!world.last_received().contains("ada@example.org"));

        let calls = world.calls().await;
        let seen: Vec<_> = calls
            .iter()
            .map(|call| (call.upstream.as_str(), call.model.as_str(), call.status))
            .collect();
        assert_eq!(seen, [("openai", "gpt-4o-mini", 503), ("azure", model, 200)]);
        // Held by the price of what answers.
        assert_eq!(calls[1].reserved.0 > 10 * calls[0].reserved.0, model == "gpt-4o");
        is_billed_exactly(&world).await;
    }
}

#[tokio::test]
async fn azure_streams_in_its_place_and_what_was_redacted_is_put_back() {
    let world = World::with(&upstreams(DEPLOYMENTS, "{ upstream = \"azure\" }")).await;
    for split in [1, 4_000] {
        world.provider.script([Behaviour::status(503), Behaviour::default().split(split)]);
        let events = world.client().stream("/v1/chat/completions", &chat_stream(TEXT)).await;
        assert_eq!(events.headers["x-iron-upstream"], "azure");
        let text = events.rest().await;
        let chunks = data(&text);
        let said =
            chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
        assert!(said.collect::<String>().contains(TEXT), "{text}");
        assert!(text.ends_with("data: [DONE]\n\n") && !text.contains("\"usage\":{"), "{text}");
        assert_eq!(last_body(&world)["model"], "team-chat");
        assert!(!world.last_received().contains("ada@example.org"));
    }
    is_billed_exactly(&world).await;
}

#[tokio::test]
async fn other_operations_go_to_azure_as_well_where_it_has_them() {
    let world = World::with(&upstreams(DEPLOYMENTS, "{ upstream = \"azure\" }")).await;
    let large = json!({"model": "gpt-4o", "input": "x", "max_output_tokens": 32});
    let embedded = json!({"model": "text-embedding-3-small", "input": "x"});
    for (path, body, deployment) in [
        ("/v1/responses", &large, "team-chat-large"),
        ("/openai/v1/responses", &large, "team-chat-large"),
        ("/v1/embeddings", &embedded, "team-embeddings"),
    ] {
        world.provider.script([Behaviour::status(500)]);
        let answer = world.client().post(path, body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(answer.header("x-iron-upstream"), "azure");
        assert_eq!(last_body(&world)["model"], deployment);
    }
    // What OpenAI keeps, Azure does not have.
    let mut next = large.clone();
    next["previous_response_id"] = json!("resp_of_openai");
    world.provider.script([Behaviour::status(500)]);
    let before = world.provider.counts().received;
    assert_eq!(world.client().post("/v1/responses", &next).await.status, 500);
    assert_eq!(world.provider.counts().received, before + 1);
}

#[tokio::test]
async fn a_deployment_without_a_price_and_a_name_for_another_model_are_passed_over() {
    for models in [
        // Nobody knows what this costs.
        "team-chat = \"nobody-knows-it\", gpt-4o-mini = \"nobody-knows-it\"",
        // What is called so there is another model.
        "gpt-4o-mini = \"gpt-4o\"",
    ] {
        let world = World::with(&upstreams(
            models,
            "{ upstream = \"azure\" }, { upstream = \"azure\", model = \"unheard-of\" }",
        ))
        .await;
        world.provider.script([Behaviour::status(503)]);
        let answer = world.client().chat("x").await;
        assert_eq!(answer.status, 503, "{models}: {}", answer.text());
        assert_eq!(answer.header("x-iron-upstream"), "openai");
        assert_eq!(world.provider.counts().received, 1);
        assert_eq!(world.totals().await.posted, NanoUsd::ZERO);
    }
}

#[tokio::test]
async fn a_budget_is_asked_for_what_the_deployment_costs() {
    let measured = World::plain().await;
    measured.client().chat("x").await;
    let bound = measured.calls().await[0].reserved;
    let limit = NanoUsd(bound.0 * 2);
    let budget =
        format!("[[budget]]\nscope = \"organisation\"\nwindow = \"total\"\nlimit = \"{limit}\"\n");
    let dear = "{ upstream = \"azure\", model = \"team-chat-large\" }";
    let world = World::with(&format!("{}{budget}", upstreams(DEPLOYMENTS, dear))).await;
    world.provider.script([Behaviour::status(503)]);
    assert_eq!(world.client().chat("x").await.status, 402);
    assert_eq!(world.provider.counts().received, 1);
}

#[tokio::test]
async fn a_map_of_models_is_followed_from_and_to_upstreams_without_a_platform() {
    let world = World::with(
        "[[upstream]]\nname = \"first\"\ndialect = \"openai\"\nvendor = \"openai\"\n\
         base_url = \"{provider}\"\nmodels = { \"gpt-4o-mini-2024-07-18\" = \"gpt-4o-mini\" }\n\
         [[upstream]]\nname = \"second\"\ndialect = \"openai\"\nvendor = \"openai\"\n\
         base_url = \"{provider}\"\nmodels = { \"gpt-4o-2024-08-06\" = \"gpt-4o\" }\n\
         api_key_env = \"STORY_KEY\"\n\
         [[fallback]]\nmodel = \"gpt-4o-mini\"\nto = [{ upstream = \"second\" }]\n\
         [[fallback]]\nmodel = \"gpt-4o\"\nto = [{ upstream = \"second\" }]\n",
    )
    .await;
    for (asked, sent) in
        [("gpt-4o-mini-2024-07-18", "gpt-4o-mini"), ("gpt-4o", "gpt-4o-2024-08-06")]
    {
        world.provider.script([Behaviour::status(503)]);
        let mut body = chat("x");
        body["model"] = json!(asked);
        let answer = world.client().post("/first/v1/chat/completions", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let who = ["x-iron-upstream", "x-iron-model"].map(|name| answer.header(name));
        assert_eq!(who, ["second", ""]);
        assert_eq!(last_body(&world)["model"], sent);
    }
    is_billed_exactly(&world).await;
}
