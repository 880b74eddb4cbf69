//! The same models at the paths of clouds: Azure OpenAI, Amazon Bedrock, Vertex AI, and Gemini's path
//! for clients of OpenAI's.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::{Method, StatusCode};
use iron_cli::simulator::{At, Behaviour, Mishap, Usage};
use iron_proxy::stream::frame::{Frame, Framer};
use iron_tests::World;
use iron_tests::client::{CALLER_KEY, Client, chat, chat_stream, content, data, message};
use iron_tests::world::OPERATOR_KEY;
use serde_json::{Value, json};

const TEXT: &str = "Card 4242 4242 4242 4242 of ada@example.org, \"quoted\" — thanks.";
const CLAUDE: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
/// An upstream for each cloud.
pub(crate) const CLOUDS: &str = r#"
[[upstream]]
name = "azure"
platform = "azure"
base_url = "{provider}"
models = { team-chat = "gpt-4o-mini", team-chat-large = "gpt-4o", team-embeddings = "text-embedding-3-small" }
[[upstream]]
name = "bedrock"
platform = "bedrock"
base_url = "{provider}"
breaker = { consecutive_failures = 2 }
[[upstream]]
name = "vertex"
platform = "vertex"
base_url = "{provider}"
[[upstream]]
name = "gemini"
dialect = "gemini"
base_url = "{provider}"
"#;

async fn clouds(lines: &str) -> World {
    World::with(&format!("{CLOUDS}{lines}")).await
}

fn azure(deployment: &str, rest: &str) -> String {
    format!("/azure/openai/deployments/{deployment}/{rest}?api-version=2024-10-21")
}

fn bedrock(model: &str, method: &str) -> String {
    format!("/bedrock/model/{}/{method}", model.replace(':', "%3A").replace('/', "%2F"))
}

fn vertex(location: &str, model: &str) -> String {
    let publisher = if model.starts_with("claude") || model.starts_with("count") {
        "anthropic"
    } else {
        "google"
    };
    format!("/vertex/v1/projects/p-1/locations/{location}/publishers/{publisher}/models/{model}")
}

fn without(mut body: Value, member: &str) -> Value {
    body.as_object_mut().unwrap().remove(member);
    body
}

fn with(mut body: Value, member: &str, value: Value) -> Value {
    body[member] = value;
    body
}

fn converse(text: &str) -> Value {
    json!({
        "messages": [{"role": "user", "content": [{"text": text}]}],
        "inferenceConfig": {"maxTokens": 64},
    })
}

fn invoked(text: &str) -> Value {
    with(without(message(text), "model"), "anthropic_version", json!("bedrock-2023-05-31"))
}

fn raw(text: &str) -> Value {
    with(without(message(text), "model"), "anthropic_version", json!("vertex-2023-10-16"))
}

/// The frames of a stream: their kind, their name, what is in them.
async fn frames(client: &Client, path: &str, body: &Value) -> Vec<(String, String, Value)> {
    let mut events = client.stream(path, body).await;
    assert_eq!(events.headers["content-type"], "application/vnd.amazon.eventstream");
    let mut framer = Framer::default();
    let mut found = Vec::new();
    while let Some(mut bytes) = events.next().await {
        while let Some(frame) = framer.next(&mut bytes).unwrap() {
            let frame = Frame::read(&frame).unwrap();
            let payload = serde_json::from_slice(frame.payload).unwrap();
            found.push((frame.message_type.to_owned(), frame.name.to_owned(), payload));
        }
    }
    assert!(!framer.is_inside_frame());
    found
}

/// What `converse-stream` said.
fn said_in(frames: &[(String, String, Value)]) -> String {
    frames.iter().filter_map(|(_, _, payload)| payload["delta"]["text"].as_str()).collect()
}

/// The events that are in the frames of an invoked model.
fn inside(frames: &[(String, String, Value)]) -> Vec<Value> {
    let bytes = frames.iter().filter_map(|(_, _, payload)| payload["bytes"].as_str());
    bytes.map(|text| serde_json::from_slice(&BASE64.decode(text).unwrap()).unwrap()).collect()
}

fn said_by_claude(events: &[Value]) -> String {
    events.iter().filter_map(|event| event["delta"]["text"].as_str()).collect()
}

fn said_in_chunks(chunks: &[Value]) -> String {
    let texts = chunks.iter().filter_map(|c| c["choices"][0]["delta"]["content"].as_str());
    texts.collect()
}

async fn is_billed_exactly(world: &World) {
    let totals = world.totals().await;
    assert!(totals.posted.0 > 0);
    assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd);
    assert_eq!((totals.pending.0, totals.estimated.0), (0, 0));
}

#[tokio::test]
async fn azures_deployments_cost_what_their_models_do() {
    let world = clouds("").await;
    let client = world.client().without("authorization").header("api-key", CALLER_KEY);
    for (path, body) in [
        (azure("team-chat", "chat/completions"), chat("hello")),
        (azure("team-chat", "chat/completions"), without(chat("hello"), "model")),
        // Clients write the deployment into the body as well, or the model behind it.
        (azure("team-chat", "chat/completions"), with(chat("hello"), "model", json!("team-chat"))),
        (azure("gpt-4o-mini", "chat/completions"), chat("hello")),
        (azure("team-embeddings", "embeddings"), json!({"input": "hello"})),
        (
            "/azure/openai/v1/chat/completions".to_owned(),
            with(chat("hello"), "model", json!("team-chat-large")),
        ),
        ("/azure/v1/chat/completions".to_owned(), with(chat("hello"), "model", json!("team-chat"))),
        (
            "/azure/openai/v1/responses".to_owned(),
            json!({"model": "team-chat", "input": "hello", "max_output_tokens": 32}),
        ),
    ] {
        let before = world.totals().await.posted;
        let answer = client.post(&path, &body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(answer.header("x-ms-region"), "Sweden Central");
        let totals = world.totals().await;
        assert!(totals.posted > before, "{path} was not charged");
        assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd, "{path}");
    }
    let received = &world.provider.received()[0];
    assert_eq!(
        received.path,
        "/openai/deployments/team-chat/chat/completions?api-version=2024-10-21"
    );
    assert_eq!(received.headers["api-key"], CALLER_KEY);
    assert_eq!(world.calls().await[0].model, "gpt-4o-mini");
    let listed = client.get("/azure/openai/v1/models").await;
    assert_eq!(listed.status, 200, "{}", listed.text());
    is_billed_exactly(&world).await;
}

#[tokio::test]
async fn what_azure_is_asked_for_twice_must_have_one_price() {
    let world = clouds("").await;
    let dearer = with(chat("x"), "model", json!("team-chat-large"));
    let answer = world.client().post(&azure("team-chat", "chat/completions"), &dearer).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("the model of the path"), "{}", answer.text());
    let unknown = world.client().post(&azure("unheard-of", "chat/completions"), &chat("x")).await;
    assert_eq!(unknown.status, 400);
    let body = without(chat("x"), "model");
    let unknown = world.client().post(&azure("unheard-of", "chat/completions"), &body).await;
    assert_eq!(
        (unknown.status, unknown.code().as_str()),
        (StatusCode::FORBIDDEN, "unpriced_model")
    );
    let hint = "models = { \"unheard-of\" = \"the model behind it\" }";
    assert!(
        unknown.json()["error"]["message"].as_str().unwrap().contains(hint),
        "{}",
        unknown.text()
    );
    assert_eq!(world.provider.received().len(), 0);
}

#[tokio::test]
async fn azures_streams_and_errors_pass_as_they_are() {
    let world = clouds("").await;
    let path = azure("team-chat", "chat/completions");
    for split in [1, 7, 4_000] {
        let client = world.client().header("x-simulate", &format!("split={split}"));
        let stream = client.stream(&path, &chat_stream(TEXT)).await.rest().await;
        let chunks = data(&stream);
        assert!(chunks[0]["prompt_filter_results"].is_array(), "{stream}");
        assert_eq!(said_in_chunks(&chunks), format!("You said: {TEXT}"));
        assert!(stream.trim_end().ends_with("data: [DONE]"));
    }
    assert!(!world.last_received().contains("ada@"));
    is_billed_exactly(&world).await;
    let filtered = r#"{"error":{"code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#;
    world.provider.script([Behaviour::literal(400, "application/json", filtered)]);
    let answer = world.client().post(&path, &chat("x")).await;
    assert_eq!((answer.status, answer.text().as_str()), (StatusCode::BAD_REQUEST, filtered));
    is_billed_exactly(&world).await;
}

#[tokio::test]
async fn the_operators_key_goes_where_each_cloud_wants_it() {
    let key = "api_key_env = \"STORY_KEY\"\n";
    let lines = CLOUDS
        .replace("base_url = \"{provider}\"\n", &format!("base_url = \"{{provider}}\"\n{key}"));
    let world = World::with(&lines).await;
    let bearer = format!("Bearer {OPERATOR_KEY}");
    for (path, body, header, value) in [
        (azure("team-chat", "chat/completions"), chat("x"), "api-key", OPERATOR_KEY),
        (bedrock(CLAUDE, "converse"), converse("x"), "authorization", &bearer),
        (
            vertex("global", "gemini-2.5-flash:generateContent"),
            content("x"),
            "authorization",
            &bearer,
        ),
        (
            "/gemini/v1beta/openai/chat/completions".to_owned(),
            with(chat("x"), "model", json!("gemini-2.5-flash")),
            "authorization",
            &bearer,
        ),
    ] {
        let answer = world.client().header("api-key", "mine").post(&path, &body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let received = world.provider.received().pop().unwrap();
        assert_eq!(received.headers[header], *value, "{path}");
        assert!(!format!("{received:?}").contains(CALLER_KEY), "{path}");
    }
}

#[tokio::test]
async fn bedrocks_calls_cost_to_the_nano_what_it_bills() {
    let world = clouds("").await;
    let client = world.client();
    let global = CLAUDE.replace("us.", "global.");
    let profile = format!("arn:aws:bedrock:us-east-1:123456789012:inference-profile/{global}");
    let oss = with(chat("hello"), "model", json!("openai.gpt-oss-120b-1:0"));
    for (path, body) in [
        (bedrock(CLAUDE, "converse"), converse("hello")),
        (bedrock(&global, "converse"), converse("hello")),
        (bedrock(&profile, "converse"), converse("hello")),
        (bedrock("amazon.nova-lite-v1:0", "converse"), converse("hello")),
        (bedrock(CLAUDE, "invoke"), invoked("hello")),
        (format!("/model/{CLAUDE}/invoke"), invoked("hello")),
        ("/bedrock/openai/v1/chat/completions".to_owned(), oss),
    ] {
        let before = world.totals().await.posted;
        let answer = client.post(&path, &body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let totals = world.totals().await;
        assert!(totals.posted > before, "{path} was not charged");
        assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd, "{path}");
    }
    assert_eq!(world.provider.received()[0].path, bedrock(CLAUDE, "converse")["/bedrock".len()..]);
    // Cached input of both lives, in one piece and as streams.
    let usage = Usage {
        input: 11,
        cache_read: 5_001,
        cache_write: 300,
        cache_write_1h: 40,
        output: 7,
        ..Usage::default()
    };
    for (method, body) in [
        ("converse", converse("x")),
        ("converse-stream", converse("x")),
        ("invoke", invoked("x")),
        ("invoke-with-response-stream", invoked("x")),
    ] {
        world.provider.script([Behaviour::default().usage(usage)]);
        let before = world.totals().await.posted.0;
        assert_eq!(client.post(&bedrock(CLAUDE, method), &body).await.status, 200);
        // 11 x 1.1 + 5,001 x 0.11 + 300 x 1.375 + 40 x 2.2 + 7 x 5.5 micro-USD, rounded up once.
        let cost = 11 * 1_100 + 5_001 * 110 + 300 * 1_375 + 40 * 2_200 + 7 * 5_500;
        assert_eq!(world.totals().await.posted.0 - before, cost, "{method}");
    }
    is_billed_exactly(&world).await;
    let count = json!({"input": {"converse": {"messages": [{"role": "user", "content": [{"text": TEXT}]}]}}});
    let counted = client.post(&bedrock(CLAUDE, "count-tokens"), &count).await;
    assert!(counted.json()["inputTokens"].as_u64() > Some(0), "{}", counted.text());
    assert!(!world.last_received().contains("ada@"));
    is_billed_exactly(&world).await;
}

#[tokio::test]
async fn bedrocks_frames_are_restored_however_they_are_cut() {
    let world = clouds("").await;
    for split in [1, 2, 3, 13, 100, 5_000] {
        let client = world.client().header("x-simulate", &format!("split={split}"));
        let found = frames(&client, &bedrock(CLAUDE, "converse-stream"), &converse(TEXT)).await;
        assert_eq!(said_in(&found), format!("You said: {TEXT}"), "split {split}");
        assert_eq!(found[0].1, "messageStart");
        assert_eq!(found.last().unwrap().1, "metadata");
        assert!(found.iter().all(|(kind, ..)| kind == "event"));
        assert!(!world.last_received().contains("ada@"));
        let found =
            frames(&client, &bedrock(CLAUDE, "invoke-with-response-stream"), &invoked(TEXT)).await;
        assert!(found.iter().all(|(kind, name, _)| kind == "event" && name == "chunk"));
        let events = inside(&found);
        assert_eq!(said_by_claude(&events), format!("You said: {TEXT}"), "split {split}");
        assert_eq!(events.last().unwrap()["type"], "message_stop");
        assert!(!world.last_received().contains("ada@"));
    }
    is_billed_exactly(&world).await;
    // In one piece.
    let answer = world.client().post(&bedrock(CLAUDE, "converse"), &converse(TEXT)).await.json();
    assert_eq!(answer["output"]["message"]["content"][0]["text"], format!("You said: {TEXT}"));
    let answer = world.client().post(&bedrock(CLAUDE, "invoke"), &invoked(TEXT)).await.json();
    assert_eq!(answer["content"][0]["text"], format!("You said: {TEXT}"));
}

#[tokio::test]
async fn a_tools_arguments_come_back_from_bedrock_as_they_went() {
    let world = clouds("").await;
    let text = "call the tool for \"Ada\" <ada@example.org>";
    let tools = json!({"tools": [{"toolSpec": {"name": "mail", "inputSchema": {"json": {
        "type": "object", "properties": {"text": {"type": "string"}}}}}}]});
    let body = with(converse(text), "toolConfig", tools);
    let answer = world.client().post(&bedrock(CLAUDE, "converse"), &body).await.json();
    assert_eq!(
        answer["output"]["message"]["content"][0]["toolUse"]["input"],
        json!({"text": text})
    );
    let found = frames(&world.client(), &bedrock(CLAUDE, "converse-stream"), &body).await;
    let arguments: String =
        found.iter().filter_map(|(.., p)| p["delta"]["toolUse"]["input"].as_str()).collect();
    assert_eq!(serde_json::from_str::<Value>(&arguments).unwrap(), json!({"text": text}));
    assert!(!world.last_received().contains("ada@"));
    is_billed_exactly(&world).await;
}

#[tokio::test]
async fn an_untouched_stream_of_frames_passes_byte_for_byte() {
    let world = clouds("[redact]\nmode = \"off\"\n").await;
    let path = bedrock(CLAUDE, "converse-stream");
    let body = converse("hello").to_string();
    let through = world.client().post_bytes(&path, body.clone()).await;
    let direct = Client::new(world.provider.address());
    let direct = direct.post_bytes(&path["/bedrock".len()..], body).await;
    assert_eq!(through.status, 200);
    assert_eq!(through.body, direct.body);
}

#[tokio::test]
async fn a_stream_of_frames_that_breaks_ends_with_an_exception() {
    let world = clouds("").await;
    for (method, body) in [
        ("converse-stream", converse("a text that is long enough")),
        ("invoke-with-response-stream", invoked("a text that is long enough")),
    ] {
        world.provider.script([Behaviour::default().at(At::Byte(900), Mishap::Close)]);
        let found = frames(&world.client(), &bedrock(CLAUDE, method), &body).await;
        let (kind, name, payload) = found.last().unwrap();
        assert_eq!((kind.as_str(), name.as_str()), ("exception", "modelStreamErrorException"));
        assert!(payload["message"].as_str().unwrap().contains("upstream_reset"), "{payload}");
        assert!(!found.iter().any(|(_, name, _)| name == "messageStop"));
        let call = world.calls().await.pop().unwrap();
        assert_eq!((call.outcome.as_str(), call.estimated), ("failed", true));
        assert_eq!(call.posted, call.reserved);
    }
    // A client that leaves.
    world.provider.script([Behaviour::default().gap(std::time::Duration::from_millis(20))]);
    let body = converse(&"word ".repeat(40));
    let mut events = world.client().stream(&bedrock(CLAUDE, "converse-stream"), &body).await;
    events.next().await.unwrap();
    drop(events);
    world.provider.until(|counts| counts.cancelled == 1).await;
    let call = world.calls().await.pop().unwrap();
    assert_eq!((call.outcome.as_str(), call.estimated), ("aborted", true));
}

#[tokio::test]
async fn an_answer_that_the_policy_blocks_ends_in_bedrocks_own_words() {
    let world = clouds("[redact]\nanswers = \"block\"\n").await;
    world.provider.always(Behaviour::say("Mail bob@example.net today."));
    let found = frames(&world.client(), &bedrock(CLAUDE, "converse-stream"), &converse("x")).await;
    let (kind, name, payload) = found.last().unwrap();
    assert_eq!((kind.as_str(), name.as_str()), ("exception", "validationException"));
    assert!(payload["message"].as_str().unwrap().contains("EMAIL"), "{payload}");
    assert!(!said_in(&found).contains("bob@"));
    let answer = world.client().post(&bedrock(CLAUDE, "converse"), &converse("x")).await;
    assert_eq!(answer.header("x-amzn-errortype"), "AccessDeniedException");
}

#[tokio::test]
async fn bedrocks_refusals_are_what_its_sdks_raise() {
    let world =
        clouds("[[budget]]\nscope = \"agent:poor\"\nwindow = \"day\"\nlimit = \"0.000001 USD\"\n")
            .await;
    let poor = world.client().header("x-iron-agent", "poor");
    let answer = poor.post(&bedrock(CLAUDE, "converse"), &converse("x")).await;
    assert_eq!(answer.status, 402);
    assert_eq!(answer.header("x-amzn-errortype"), "ServiceQuotaExceededException");
    assert_eq!(answer.header("x-iron-refused-by"), "proxy");
    assert!(answer.json()["message"].as_str().unwrap().contains("agent:poor"));
    let client = world.client();
    for (path, body, said) in [
        (bedrock("cohere.embed-v9", "converse"), converse("x"), "not in the price list"),
        (bedrock(CLAUDE, "invoke"), json!({"prompt": "x"}), "anthropic_version"),
        (
            bedrock(CLAUDE, "converse"),
            with(converse("x"), "guardrailConfig", json!({"guardrailIdentifier": "g"})),
            "guardrails",
        ),
        (
            bedrock(CLAUDE, "converse"),
            with(converse("x"), "serviceTier", json!({"type": "priority"})),
            "priority",
        ),
        ("/bedrock/async-invoke".to_owned(), json!({}), "not a path"),
    ] {
        let answer = client.post(&path, &body).await;
        assert!(answer.status.is_client_error(), "{path}");
        assert!(answer.text().contains(said), "{path}: {}", answer.text());
        assert!(!answer.header("x-amzn-errortype").is_empty(), "{path}");
    }
    let guarded = client.clone().header("x-amzn-bedrock-guardrailidentifier", "g");
    assert_eq!(guarded.post(&bedrock(CLAUDE, "invoke"), &invoked("x")).await.status, 403);
    let model = with(invoked("x"), "model", json!("another"));
    assert_eq!(client.post(&bedrock(CLAUDE, "invoke"), &model).await.status, 400);
    // A signature covers the body, which could not be changed then.
    let signed = client.header("authorization", "AWS4-HMAC-SHA256 Credential=AKIA/x, Signature=0");
    let answer = signed.post(&bedrock(CLAUDE, "converse"), &converse("x")).await;
    assert_eq!(
        (answer.status, answer.header("x-amzn-errortype")),
        (StatusCode::FORBIDDEN, "AccessDeniedException")
    );
    assert!(answer.text().contains("AWS_BEARER_TOKEN_BEDROCK"), "{}", answer.text());
    assert_eq!(world.provider.received().len(), 0);
    assert_eq!(world.totals().await.posted.0, 0);
}

#[tokio::test]
async fn bedrock_fails_by_the_model() {
    let world = clouds("").await;
    world.provider.script([Behaviour::status(503), Behaviour::status(500)]);
    let client = world.client();
    for _ in 0..2 {
        let answer = client.post(&bedrock(CLAUDE, "converse"), &converse("x")).await;
        assert!(answer.status.is_server_error());
        assert!(!answer.header("x-amzn-errortype").is_empty());
        assert_eq!(answer.header("x-iron-refused-by"), "");
    }
    let answer = client.post(&bedrock(CLAUDE, "converse"), &converse("x")).await;
    assert_eq!(
        (answer.status, answer.header("x-amzn-errortype")),
        (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailableException")
    );
    assert_eq!(answer.header("x-iron-refused-by"), "proxy");
    let other = client.post(&bedrock("amazon.nova-lite-v1:0", "converse"), &converse("x")).await;
    assert_eq!(other.status, 200);
    is_billed_exactly(&world).await;
}

#[tokio::test]
async fn a_budget_shortens_a_call_of_bedrocks() {
    let world = clouds("[[budget]]\nscope = \"organisation\"\nwindow = \"day\"\nlimit = \"0.0008 USD\"\nclamp = true\n").await;
    let long = with(converse("x"), "inferenceConfig", json!({"maxTokens": 60_000}));
    let answer = world.client().post(&bedrock(CLAUDE, "converse"), &long).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent: Value = serde_json::from_str(&world.last_received()).unwrap();
    let lowered = sent["inferenceConfig"]["maxTokens"].as_u64().unwrap();
    assert!((1..60_000).contains(&lowered), "{sent}");
}

#[tokio::test]
async fn vertex_serves_gemini_and_claude_at_its_prices() {
    let world = clouds("").await;
    let client = world.client();
    for (path, body) in [
        (vertex("us-central1", "gemini-2.5-flash:generateContent"), content(TEXT)),
        (vertex("global", "gemini-2.5-pro:streamGenerateContent?alt=sse"), content(TEXT)),
        (vertex("global", "claude-haiku-4-5@20251001:rawPredict"), raw(TEXT)),
        (vertex("europe-west1", "claude-haiku-4-5@20251001:rawPredict"), raw(TEXT)),
        (
            vertex("us-east5", "claude-haiku-4-5@20251001:streamRawPredict"),
            with(raw(TEXT), "stream", json!(true)),
        ),
    ] {
        let before = world.totals().await.posted;
        let answer = client.post(&path, &body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert!(!world.last_received().contains("ada@"), "{path}");
        let events = data(&answer.text());
        let whole = if answer.text().starts_with('{') { answer.json() } else { Value::default() };
        let said = [
            said_by_claude(&events),
            events
                .iter()
                .filter_map(|e| e["candidates"][0]["content"]["parts"][0]["text"].as_str())
                .collect(),
            whole["content"][0]["text"].as_str().unwrap_or_default().to_owned(),
            whole["candidates"][0]["content"]["parts"][0]["text"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        ];
        assert_eq!(said.concat(), format!("You said: {TEXT}"), "{path}");
        let totals = world.totals().await;
        assert!(totals.posted > before, "{path} was not charged");
        assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd, "{path}");
    }
    // A region costs a tenth more than the global endpoint.
    let usage = Usage { input: 1_000, output: 100, ..Usage::default() };
    for (location, cost) in [("global", 1_500_000), ("us-east5", 1_650_000)] {
        world.provider.script([Behaviour::default().usage(usage)]);
        let before = world.totals().await.posted.0;
        let path = vertex(location, "claude-haiku-4-5@20251001:rawPredict");
        assert_eq!(client.post(&path, &raw("x")).await.status, 200);
        assert_eq!(world.totals().await.posted.0 - before, cost, "{location}");
    }
    let before = world.totals().await.posted;
    let count = with(raw(TEXT), "model", json!("claude-haiku-4-5@20251001"));
    let counted = client.post(&vertex("global", "count-tokens:rawPredict"), &count).await;
    assert!(counted.json()["input_tokens"].as_u64() > Some(0), "{}", counted.text());
    assert_eq!(world.totals().await.posted, before);
    is_billed_exactly(&world).await;
}

#[tokio::test]
async fn traffic_that_costs_more_on_vertex_is_refused() {
    let world = clouds("").await;
    let kind = "x-vertex-ai-llm-shared-request-type";
    let path = vertex("global", "gemini-2.5-flash:generateContent");
    for value in ["priority", "Priority", "something-new"] {
        let answer = world.client().header(kind, value).post(&path, &content("x")).await;
        assert_eq!(answer.status, 403, "{value}");
        assert!(answer.text().contains(kind), "{}", answer.text());
    }
    assert_eq!(world.provider.received().len(), 0);
    let flexible = world.client().header(kind, "flex").post(&path, &content("x")).await;
    assert_eq!(flexible.status, 200, "{}", flexible.text());
}

#[tokio::test]
async fn vertexes_refusals_are_in_the_dialect_of_the_model() {
    let world =
        clouds("[[budget]]\nscope = \"agent:poor\"\nwindow = \"day\"\nlimit = \"0.000001 USD\"\n")
            .await;
    let poor = world.client().header("x-iron-agent", "poor");
    let claude =
        poor.post(&vertex("global", "claude-haiku-4-5@20251001:rawPredict"), &raw("x")).await;
    assert_eq!(
        (claude.status.as_u16(), &claude.json()["error"]["type"]),
        (402, &json!("billing_error"))
    );
    let gemini =
        poor.post(&vertex("global", "gemini-2.5-flash:generateContent"), &content("x")).await;
    assert_eq!(
        (gemini.status.as_u16(), &gemini.json()["error"]["status"]),
        (402, &json!("RESOURCE_EXHAUSTED"))
    );
    let imagen = poor.post(&vertex("global", "imagen-4:predict"), &json!({})).await;
    assert_eq!(
        (imagen.status.as_u16(), &imagen.json()["error"]["status"]),
        (403, &json!("PERMISSION_DENIED"))
    );
    assert_eq!(world.provider.received().len(), 0);
}

#[tokio::test]
async fn a_stream_of_claude_on_vertex_that_breaks_ends_with_its_error() {
    let world = clouds("").await;
    world.provider.script([Behaviour::default().at(At::Byte(700), Mishap::Close)]);
    let path = vertex("global", "claude-haiku-4-5@20251001:streamRawPredict");
    let body = with(raw(TEXT), "stream", json!(true));
    let stream = world.client().stream(&path, &body).await.rest().await;
    assert_eq!(data(&stream).last().unwrap()["type"], "error", "{stream}");
    assert!(world.calls().await.pop().unwrap().estimated);
}

#[tokio::test]
async fn gemini_speaks_openais_dialect_at_its_compatible_path() {
    let world = clouds("").await;
    let client = world.client();
    let path = "/v1beta/openai/chat/completions";
    let usage = Usage { input: 1_000, output: 100, reasoning: 50, ..Usage::default() };
    for (path, model) in [
        (path, "gemini-2.5-flash"),
        ("/gemini/v1beta/openai/chat/completions", "models/gemini-2.5-flash"),
    ] {
        world
            .provider
            .script([Behaviour::default().usage(usage), Behaviour::default().usage(usage)]);
        let body = with(chat(TEXT), "model", json!(model));
        let answer = client.post(path, &body).await;
        assert_eq!(answer.said(), format!("You said: {TEXT}"), "{}", answer.text());
        let stream = client.stream(path, &with(body, "stream", json!(true))).await.rest().await;
        assert_eq!(said_in_chunks(&data(&stream)), format!("You said: {TEXT}"));
        assert!(!world.last_received().contains("ada@"));
    }
    // Thoughts stand in the total alone: 1,000 x 0.3 + 150 x 2.5 micro-USD, four times.
    assert_eq!(world.totals().await.posted.0, 4 * (300_000 + 375_000));
    let embedded = json!({"model": "gemini-embedding-001", "input": "hello"});
    assert_eq!(client.post("/v1beta/openai/embeddings", &embedded).await.status, 200);
    assert_eq!(client.get("/v1beta/openai/models").await.status, 200);
    is_billed_exactly(&world).await;
    let unknown = client.post(path, &with(chat("x"), "model", json!("gpt-4o"))).await;
    assert_eq!((unknown.status.as_u16(), unknown.code().as_str()), (403, "unpriced_model"));
    assert_eq!(
        client.post("/v1beta/openai/images/generations", &json!({})).await.code(),
        "unpriced_endpoint"
    );
}

#[tokio::test]
async fn a_path_without_an_upstreams_name_finds_its_platform() {
    let world = clouds("").await;
    let claude = vertex("global", "claude-haiku-4-5@20251001:rawPredict");
    for (path, body) in [
        (&bedrock(CLAUDE, "converse")["/bedrock".len()..], converse("x")),
        (&azure("team-chat", "chat/completions")["/azure".len()..], chat("x")),
        (&claude["/vertex".len()..], raw("x")),
    ] {
        let answer = world.client().begin(Method::POST, path, body.to_string().into()).await;
        assert_eq!(answer.status(), 200, "{path}");
    }
    is_billed_exactly(&world).await;
}
