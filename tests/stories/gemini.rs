//! Google's Gemini API: the model in the path, texts under two names, money in every chunk.

use iron_cli::simulator::{Behaviour, Usage};
use iron_policy::types::NanoUsd;
use iron_tests::World;
use iron_tests::client::{CALLER_KEY, Client, chat, content, data};
use iron_tests::world::OPERATOR_KEY;
use serde_json::{Value, json};

const TEXT: &str = "Card 4242 4242 4242 4242 of ada@example.org, \"quoted\" — thanks.";
const PLAIN: &str = "/v1beta/models/gemini-2.5-flash:generateContent";
const STREAM: &str = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse";
const LIST: &str = "/v1beta/models/gemini-2.5-flash:streamGenerateContent";

/// What the model said in these chunks.
fn said(chunks: &[Value]) -> String {
    let parts = chunks
        .iter()
        .filter_map(|chunk| chunk["candidates"][0]["content"]["parts"][0]["text"].as_str());
    parts.collect()
}

async fn reserved(world: &World) -> NanoUsd {
    world.calls().await.last().unwrap().reserved
}

fn with(mut body: Value, member: &str, value: Value) -> Value {
    body[member] = value;
    body
}

#[tokio::test]
async fn every_operation_costs_to_the_nano_what_the_provider_bills() {
    let world = World::plain().await;
    let client = world.gemini();
    let embedded = json!({"content": {"parts": [{"text": "hello"}]}});
    let batch = json!({"requests": [
        {"model": "models/gemini-embedding-001", "content": {"parts": [{"text": "a"}]}},
        {"model": "models/gemini-embedding-001", "content": {"parts": [{"text": "b"}]}}]});
    for (path, body) in [
        (PLAIN, content("hello")),
        ("/v1/models/gemini-2.5-pro:generateContent", content("hello")),
        ("/gemini/v1beta/models/gemini-2.5-flash:generateContent", content("hello")),
        (STREAM, content(TEXT)),
        (LIST, content(TEXT)),
        ("/v1beta/models/gemini-embedding-001:embedContent", embedded),
        ("/v1beta/models/gemini-embedding-001:batchEmbedContents", batch),
    ] {
        let before = world.totals().await.posted;
        let answer = client.post(path, &body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let totals = world.totals().await;
        assert!(totals.posted > before, "{path} was not charged");
        assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd, "{path}");
    }
    let before = world.totals().await.posted;
    for path in ["/v1beta/models", "/v1/models/gemini-2.5-flash"] {
        let answer = client.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text().contains("models/gemini-2.5-flash"), "{}", answer.text());
    }
    let counted = client.post("/v1beta/models/gemini-2.5-flash:countTokens", &content(TEXT)).await;
    assert!(counted.json()["totalTokens"].as_u64() > Some(0), "{}", counted.text());
    assert!(!world.last_received().contains("ada@"));
    let totals = world.totals().await;
    assert_eq!((totals.posted, totals.pending.0, totals.estimated.0), (before, 0, 0));
}

#[tokio::test]
async fn cached_input_and_thoughts_are_charged_as_the_provider_does() {
    let world = World::plain().await;
    let usage =
        Usage { input: 210_000, cache_read: 5_001, output: 7, reasoning: 333, ..Usage::default() };
    // As long as what is reported, so that the reservation covers it.
    let mut body = content(&"word ".repeat(45_000));
    body["generationConfig"]["maxOutputTokens"] = json!(400);
    for path in [
        "/v1beta/models/gemini-2.5-pro:generateContent",
        "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
        "/v1beta/models/gemini-2.5-pro:streamGenerateContent",
    ] {
        world.provider.script([Behaviour::default().usage(usage)]);
        assert_eq!(world.gemini().post(path, &body).await.status, 200);
    }
    // Above 200,000 tokens read: 210,000 x 2.5 + 5,001 x 0.25 + 340 x 15 micro-USD, three times.
    let bill = 3 * (210_000 * 2_500 + 5_001 * 250 + 340 * 15_000);
    assert_eq!(world.provider.bill().total_nano_usd, bill);
    assert_eq!(world.totals().await.posted.0, bill);
}

#[tokio::test]
async fn an_untouched_request_leaves_byte_for_byte() {
    let world = World::plain().await;
    let body = "{ \"generation_config\" :{\"maxOutputTokens\": 5 ,\"temperature\":1.0e0},\r\n\t\
                \"contents\":[{\"parts\":[{\"text\":\"caf\\u00e9 \\/ ok\"}],\"role\":\"user\"}] }";
    let answer = world.gemini().post_bytes(PLAIN, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(world.last_received(), body);
    let received = &world.provider.received()[0];
    assert_eq!(received.path, PLAIN);
    assert_eq!(received.headers["x-goog-api-key"], CALLER_KEY);
    assert_eq!(answer.header("x-gemini-service-tier"), "standard");
}

#[tokio::test]
async fn every_position_of_text_is_redacted_and_nothing_else_is_touched() {
    let world = World::plain().await;
    let mail = |name: &str| format!("{name}@example.org");
    let body = json!({
        "system_instruction": {"parts": [{"text": mail("t1")}]},
        "contents": [
            {"role": "user", "parts": [
                {"text": mail("t2")},
                {"inlineData": {"mimeType": "image/png", "data": mail("keep1")}},
                {"file_data": {"mime_type": "image/png", "file_uri": mail("keep2")}}]},
            {"role": "model", "parts": [
                {"text": mail("t3"), "thought": true, "thoughtSignature": mail("keep3")},
                {"functionCall": {"id": mail("keep4"), "name": mail("keep5"),
                    "args": {"to": mail("t4"), "id": mail("t5")}}, "thought_signature": mail("keep6")},
                {"executableCode": {"language": "PYTHON", "code": format!("mail('{}')", mail("t6"))}},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": mail("t7")}}]},
            {"role": "user", "parts": [
                {"function_response": {"name": "f", "response": {"deep": [{"x": mail("t8")}]}}},
                {"text": mail("t9")}]}],
        "tools": [{"functionDeclarations": [{"name": "f", "description": mail("t10"),
            "parameters": {"type": "OBJECT", "properties": {
                "to": {"type": "STRING", "description": mail("t11"), "enum": [mail("keep7")],
                       "pattern": mail("keep8")}}}}]}],
        "safetySettings": [{"category": mail("keep9"), "threshold": "BLOCK_NONE"}],
        "generationConfig": {"maxOutputTokens": 64, "responseMimeType": "application/json",
            "responseSchema": {"type": "STRING", "description": mail("t12"), "enum": [mail("keep10")]}},
        "cachedContent": mail("keep11"),
    });
    let answer = world.gemini().post(PLAIN, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent = world.last_received();
    for number in 1..=12 {
        assert!(!sent.contains(&mail(&format!("t{number}"))), "t{number} left: {sent}");
    }
    for number in 1..=11 {
        assert!(sent.contains(&mail(&format!("keep{number}"))), "keep{number} was touched: {sent}");
    }
    // The provider keeps to the schema, whose words are the caller's own.
    assert_eq!(said(&[answer.json()]), format!("\"{}\"", mail("keep10")));
}

#[tokio::test]
async fn streams_come_back_whole_however_they_are_cut() {
    let world = World::plain().await;
    for split in [1, 2, 3, 5, 7, 64] {
        let client = world.gemini().header("x-simulate", &format!("split={split}"));
        let stream = client.stream(STREAM, &content(TEXT)).await.rest().await;
        assert_eq!(said(&data(&stream)), format!("You said: {TEXT}"), "split {split}");
        let list = client.post(LIST, &content(TEXT)).await.json();
        assert_eq!(said(list.as_array().unwrap()), format!("You said: {TEXT}"), "split {split}");
    }
    let totals = world.totals().await;
    assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd);
    assert_eq!(totals.estimated.0, 0);
}

#[tokio::test]
async fn a_functions_arguments_are_restored_and_its_signature_is_left() {
    let world = World::plain().await;
    let declared = json!([{"functionDeclarations": [{"name": "mail", "parameters": {
        "type": "OBJECT", "properties": {"text": {"type": "STRING"}}}}]}]);
    let text = "call the tool for \"Ada\" <ada@example.org>";
    let body = with(content(text), "tools", declared);
    let answer = world.gemini().post(PLAIN, &body).await.json();
    let stream = world.gemini().stream(STREAM, &body).await.rest().await;
    for answer in [&answer, &data(&stream)[0]] {
        let part = &answer["candidates"][0]["content"]["parts"][0];
        assert_eq!(part["functionCall"]["args"], json!({"text": text}), "{answer}");
        assert_eq!(part["thoughtSignature"], "c2lnbmF0dXJlIG9mIHRoZSBzaW11bGF0b3I=");
    }
    assert!(!world.last_received().contains("ada@"));
    assert_eq!(world.totals().await.posted.0, world.provider.bill().total_nano_usd);
}

#[tokio::test]
async fn a_key_in_the_query_is_the_callers_credential() {
    let world = World::plain().await;
    let bare = world.client().without("authorization");
    let answer = bare.post(&format!("{STREAM}&key={CALLER_KEY}"), &content("x")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = &world.provider.received()[0];
    assert_eq!(received.path, STREAM, "the key stayed in the address");
    assert_eq!(received.headers["x-goog-api-key"], CALLER_KEY);
    assert_eq!(bare.get(&format!("/v1/models?key={CALLER_KEY}")).await.status, 200);

    let world = World::with(
        "[[upstream]]\nname = \"gemini\"\ndialect = \"gemini\"\nbase_url = \"{provider}/v1beta\"\n\
         api_key_env = \"STORY_KEY\"\n",
    )
    .await;
    let path = format!("/v1/models/gemini-2.5-flash:generateContent?key={CALLER_KEY}&x=1");
    let answer = world.gemini().post(&path, &content("x")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = &world.provider.received()[0];
    assert_eq!(received.path, format!("{PLAIN}?x=1"));
    assert_eq!(received.headers["x-goog-api-key"], OPERATOR_KEY);
    assert!(!format!("{received:?}").contains(CALLER_KEY));

    let world = World::with(
        "[proxy]\npassthrough = false\n[[upstream]]\nname = \"gemini\"\ndialect = \"gemini\"\n\
         base_url = \"{provider}\"\napi_key_env = \"A_KEY_THAT_NOBODY_SET\"\n",
    )
    .await;
    let refused = world.gemini().post(&path, &content("x")).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.json()["error"]["status"], "UNAUTHENTICATED");
    assert!(world.provider.received().is_empty());
}

#[tokio::test]
async fn refusals_come_in_googles_shape() {
    let world = World::with(
        "[[budget]]\nscope = \"agent:poor\"\nwindow = \"day\"\nlimit = \"0.000001 USD\"\n\
         [redact.kinds]\nCREDIT_CARD = \"block\"\n\
         [[agent]]\nname = \"slow\"\n[agent.limits]\nrequests_per_minute = 1\n",
    )
    .await;
    let client = world.gemini();
    let poor = client.clone().header("x-iron-agent", "poor");
    let slow = client.clone().header("x-iron-agent", "slow");
    assert_eq!(slow.post(PLAIN, &content("x")).await.status, 200);
    let unknown = "/v1beta/models/unheard-of:generateContent";
    let batch = "/v1beta/models/gemini-2.5-flash:batchGenerateContent";
    let twice = json!({"generationConfig": {"maxOutputTokens": "7"}});
    for (client, path, body, status, name, reason) in [
        (&poor, PLAIN, content("x"), 402, "RESOURCE_EXHAUSTED", "INSUFFICIENT_QUOTA"),
        (&poor, STREAM, content("x"), 402, "RESOURCE_EXHAUSTED", "INSUFFICIENT_QUOTA"),
        (&client, PLAIN, content(TEXT), 403, "PERMISSION_DENIED", "POLICY_VIOLATION"),
        (&client, unknown, content("x"), 403, "PERMISSION_DENIED", "UNPRICED_MODEL"),
        (&client, batch, content("x"), 403, "PERMISSION_DENIED", "UNPRICED_ENDPOINT"),
        (&client, PLAIN, twice, 400, "INVALID_ARGUMENT", "INVALID_BODY"),
        (&slow, PLAIN, content("x"), 429, "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED"),
    ] {
        let answer = client.post(path, &body).await;
        let error = &answer.json()["error"];
        assert_eq!(answer.status.as_u16(), status, "{path}: {error}");
        assert_eq!((&error["code"], &error["status"]), (&json!(status), &json!(name)), "{path}");
        assert_eq!(error["details"][0]["reason"], reason, "{path}: {error}");
        assert_eq!(answer.header("x-iron-refused-by"), "proxy");
        let retried = error["details"][1]["@type"] == "type.googleapis.com/google.rpc.RetryInfo";
        assert_eq!(retried, status == 429, "{error}");
    }
    assert_eq!(world.provider.received().len(), 1);
}

#[tokio::test]
async fn a_limit_is_written_where_google_reads_it() {
    let world = World::with("[reserve]\ndefault_max_output = 9\n").await;
    let mut body = content("hello there");
    body["generationConfig"] = json!({"topK": 3});
    world.gemini().post(PLAIN, &body).await;
    let sent: Value = serde_json::from_str(&world.last_received()).unwrap();
    assert_eq!(sent["generationConfig"], json!({"maxOutputTokens": 9, "topK": 3}));

    let measured = World::plain().await;
    measured.gemini().post(PLAIN, &content("hello there")).await;
    let limit = NanoUsd(reserved(&measured).await.0 - 10 * 2_500);
    let world = World::with(&format!(
        "[[budget]]\nscope = \"organisation\"\nwindow = \"total\"\nlimit = \"{limit}\"\nclamp = true\n"
    ))
    .await;
    let answer = world.gemini().post(PLAIN, &content("hello there")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent: Value = serde_json::from_str(&world.last_received()).unwrap();
    assert_eq!(sent["generationConfig"]["maxOutputTokens"], 54);
}

#[tokio::test]
async fn what_a_call_may_cost_grows_with_what_the_body_does_not_show() {
    let world = World::plain().await;
    let client = world.gemini();
    let model = "/v1beta/models/gemini-3.8-flash:generateContent";
    let text = content("x");
    let part = |part: Value| json!({"contents": [{"parts": [part]}], "generationConfig": {"maxOutputTokens": 64}});
    let image = part(json!({"inlineData": {"mimeType": "image/png", "data": "AAAA"}}));
    let tool = |tool: &str| with(text.clone(), "tools", json!([{tool: {}}]));
    let bound = async |path: &str, body: &Value| {
        let answer = client.post(path, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        reserved(&world).await.0
    };
    let plain = bound(model, &text).await;
    // An image of the third generation: 2,240 tokens of 750 nano-USD.
    let with_image = bound(model, &image).await;
    assert!((1_600_000..1_800_000).contains(&(with_image - plain)), "{with_image} {plain}");
    // The window of a million tokens, at the price of sound where that is dearer.
    let window = 1_000_000 * 750;
    for body in [
        with(text.clone(), "cachedContent", json!("cachedContents/x")),
        part(json!({"fileData": {"mimeType": "application/pdf", "fileUri": "x"}})),
        part(json!({"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}})),
    ] {
        let hidden = bound(model, &body).await;
        assert!(hidden >= window && hidden < 2 * window, "{hidden}");
    }
    // Before the third generation an image may be anything; a film may be sound, which is dearer.
    let older = bound(PLAIN, &image).await;
    assert!((1_048_576 * 300..1_048_576 * 301).contains(&older), "{older}");
    let film = part(json!({"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}}));
    let older = bound(PLAIN, &film).await;
    assert!((1_048_576 * 1_000..1_048_576 * 1_001).contains(&older), "{older}");
    // Nine turns of a window; a search has a price of its own, running code has none.
    let code = bound(model, &tool("codeExecution")).await;
    assert!(code >= 9 * window, "{code}");
    assert_eq!(bound(model, &tool("googleSearch")).await - code, 8 * 14_000_000);
    let two =
        with(text.clone(), "generationConfig", json!({"maxOutputTokens": 64, "candidateCount": 2}));
    let two = bound(model, &two).await - plain;
    assert!((64 * 3_750..64 * 3_750 + 30_000).contains(&two), "{two}");
}

#[tokio::test]
async fn a_tier_whose_price_is_not_known_is_refused() {
    let world = World::plain().await;
    let priority = with(content("x"), "serviceTier", json!("PRIORITY"));
    let answer = world.gemini().post(PLAIN, &priority).await;
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert_eq!(answer.json()["error"]["details"][0]["reason"], "UNPRICED_MODEL");
    for tier in ["flex", "standard"] {
        let body = with(content("x"), "service_tier", json!(tier));
        assert_eq!(world.gemini().post(PLAIN, &body).await.status, 200, "{tier}");
    }
}

#[tokio::test]
async fn the_tier_that_served_and_every_search_are_charged() {
    let world = World::plain().await;
    let answer = |more: &str, usage: &str| {
        format!(
            "{{\"candidates\":[{{\"content\":{{\"parts\":[]}},\"finishReason\":\"STOP\"{more}}}],\
             \"usageMetadata\":{{\"promptTokenCount\":100,\"candidatesTokenCount\":10{usage}}},\
             \"modelVersion\":\"gemini-3.8-flash\"}}"
        )
    };
    let json = |body: String| Behaviour::literal(200, "application/json", body);
    let grounded = ",\"groundingMetadata\":{\"webSearchQueries\":[\"a\",\"b\"]}";
    let speech = "/v1beta/models/gemini-3.8-flash-tts:generateContent";
    let flash = "/v1beta/models/gemini-3.8-flash:generateContent";
    let flex = "flex";
    for (path, tier, behaviour, nano) in [
        // Asked for as flexible; served as it says in the head, or in the usage.
        (speech, flex, json(answer("", "")), 100 * 500 + 10 * 9_000),
        (
            speech,
            flex,
            json(answer("", "")).header("x-gemini-service-tier", "FLEX"),
            100 * 250 + 10 * 4_500,
        ),
        (
            speech,
            "priority",
            json(answer("", ",\"serviceTier\":\"priority\"")),
            100 * 900 + 10 * 16_200,
        ),
        (flash, "standard", json(answer(grounded, "")), 100 * 750 + 10 * 3_750 + 2 * 14_000_000),
    ] {
        let before = world.totals().await.posted.0;
        world.provider.script([behaviour]);
        let mut body = with(content("x"), "serviceTier", json!(tier));
        if path == flash {
            body = with(body, "tools", json!([{"googleSearch": {}}]));
        }
        let answer = world.gemini().post(path, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(world.totals().await.posted.0 - before, nano, "{path} {tier}");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_ends_in_googles_error_and_is_charged_whole() {
    let world = World::plain().await;
    let client = world.gemini().header("x-simulate", "close-after=700");
    let stream = client.stream(STREAM, &content("a long enough text to be cut")).await.rest().await;
    let last = data(&stream).pop().unwrap();
    assert_eq!(last["error"]["status"], "UNAVAILABLE", "{stream}");
    let call = &world.calls().await[0];
    assert_eq!((call.posted, call.outcome.as_str()), (call.reserved, "failed"));
    let refused =
        world.gemini().header("x-simulate", "status=503").post(PLAIN, &content("x")).await;
    assert_eq!(refused.json()["error"]["status"], "UNAVAILABLE");
    assert_eq!(refused.header("x-iron-refused-by"), "");
}

#[tokio::test]
async fn dialects_on_one_port_are_told_apart() {
    let world = World::plain().await;
    let client: Client = world.client();
    assert_eq!(client.post("/v1/chat/completions", &chat("x")).await.status, 200);
    // An SDK of OpenAI's own list, and Google's, under the same path.
    assert_eq!(client.get("/v1/models").await.json()["object"], "list");
    assert!(world.gemini().get("/v1/models").await.json()["models"].is_array());
    // A key of OpenAI's in front of Google's path: the path decides.
    assert_eq!(client.post(PLAIN, &content("x")).await.status, 200);
    let dialects: Vec<_> = world.calls().await.into_iter().map(|call| call.upstream).collect();
    assert_eq!(dialects, ["openai", "openai", "gemini", "gemini"]);
}
