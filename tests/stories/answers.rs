//! What providers write is searched by a policy of its own: reported, masked, or kept back.

use iron_cli::simulator::Behaviour;
use iron_policy::types::TokenClass;
use iron_tests::World;
use iron_tests::client::{chat, chat_stream, content, data, message};
use serde_json::{Value, json};

const SAID: &str = "Ask mallory@example.com,\ncard 4242 4242 4242 4242. Done";
const MASKED: &str = "Ask <EMAIL>,\ncard <CREDIT_CARD>. Done";
const IBAN: &str = "Pay\nto DE89370400440532013000\nat once";

async fn world(answers: &str) -> World {
    World::with(&format!("[redact]\nanswers = \"{answers}\"\n")).await
}

fn chat_text(stream: &str) -> String {
    let events = data(stream);
    events.iter().filter_map(|e| e["choices"][0]["delta"]["content"].as_str()).collect()
}

const GEMINI: &str = "/v1beta/models/gemini-2.5-flash:generateContent";
const GEMINI_STREAM: &str = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse";
const GEMINI_LIST: &str = "/v1beta/models/gemini-2.5-flash:streamGenerateContent";

/// What the model said in chunks of Gemini's.
fn gemini_text(chunks: &[Value]) -> String {
    let parts = chunks.iter().map(|chunk| &chunk["candidates"][0]["content"]["parts"][0]["text"]);
    parts.filter_map(Value::as_str).collect()
}

fn streamed(mut body: Value) -> Value {
    body["stream"] = json!(true);
    body
}

fn response(text: &str) -> Value {
    json!({"model": "gpt-4o-mini", "max_output_tokens": 64, "input": text})
}

async fn assert_money_is_exact(world: &World) {
    let totals = world.totals().await;
    assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd);
    assert_eq!((totals.pending.0, totals.estimated.0), (0, 0));
}

#[tokio::test]
async fn detected_answers_pass_byte_for_byte_and_are_reported() {
    let (off, world) = (World::plain().await, world("detect").await);
    for provider in [&off.provider, &world.provider] {
        provider.always(Behaviour::say(SAID));
    }
    assert_eq!(world.client().chat("hi").await.said(), SAID);
    let same = |stream: String| {
        // Ids and times of the simulated answers differ; their texts and number must not.
        (chat_text(&stream), data(&stream).len())
    };
    let client = world.client();
    let seen = client.stream("/v1/chat/completions", &chat_stream("hi")).await.rest().await;
    let plain = off.client().stream("/v1/chat/completions", &chat_stream("hi")).await.rest().await;
    assert_eq!(same(seen), same(plain));
    for call in world.calls().await {
        assert_eq!(call.answer_findings, json!({"EMAIL": 1, "CREDIT_CARD": 1}));
        assert_eq!(call.findings, json!({}));
    }
    let metrics = world.client().get("/_iron/metrics").await.text();
    let counted = "iron_findings_total{in=\"answer\",kind=\"EMAIL\"} 2";
    assert!(metrics.contains(counted), "{metrics}");
    assert!(off.calls().await.iter().all(|call| call.answer_findings == json!({})));
    assert_money_is_exact(&world).await;
}

#[tokio::test]
async fn a_value_of_the_callers_own_is_no_finding() {
    let world = world("mask").await;
    let answer = world.client().chat("I am ada@example.org").await;
    assert_eq!(answer.said(), "You said: I am ada@example.org");
    let stream =
        world.client().stream("/v1/chat/completions", &chat_stream("I am ada@example.org")).await;
    assert_eq!(chat_text(&stream.rest().await), "You said: I am ada@example.org");
    for call in world.calls().await {
        assert_eq!((call.answer_findings, call.findings), (json!({}), json!({"EMAIL": 1})));
    }
}

#[tokio::test]
async fn masked_answers_hold_no_value_whole_or_streamed_in_any_dialect() {
    let world = world("mask").await;
    world.provider.always(Behaviour::say(SAID));
    let (client, anthropic) = (world.client(), world.anthropic());
    assert_eq!(client.chat("hi").await.said(), MASKED);
    let answer = client.post("/v1/responses", &response("hi")).await;
    assert_eq!(answer.json()["output"][0]["content"][0]["text"], MASKED, "{}", answer.text());
    let answer = anthropic.post("/v1/messages", &message("hi")).await;
    assert_eq!(answer.json()["content"][0]["text"], MASKED);

    for split in [1, 5, 33, 1_000] {
        world.provider.always(Behaviour::say(SAID).split(split));
        let stream = client.stream("/v1/chat/completions", &chat_stream("hi")).await.rest().await;
        assert_eq!(chat_text(&stream), MASKED, "split {split}");
        assert!(stream.trim_end().ends_with("[DONE]"));
        let stream = client.stream("/v1/responses", &streamed(response("hi"))).await.rest().await;
        assert!(!stream.contains("mallory") && !stream.contains("4242"), "{stream}");
        let events = data(&stream);
        let said: String = events
            .iter()
            .filter(|event| event["type"] == "response.output_text.delta")
            .filter_map(|event| event["delta"].as_str())
            .collect();
        assert_eq!(said, MASKED);
        let last = events.last().unwrap();
        assert_eq!(last["response"]["output"][0]["content"][0]["text"], MASKED, "{last}");
        let stream = anthropic.stream("/v1/messages", &streamed(message("hi"))).await.rest().await;
        let events = data(&stream);
        let said: String =
            events.iter().filter_map(|event| event["delta"]["text"].as_str()).collect();
        assert_eq!(said, MASKED);
        assert_eq!(events.last().unwrap()["type"], "message_stop");
    }
    for call in world.calls().await {
        assert_eq!(call.answer_findings, json!({"EMAIL": 1, "CREDIT_CARD": 1}), "{call:?}");
    }
    assert_money_is_exact(&world).await;
}

#[tokio::test]
async fn geminis_answers_are_masked_whole_streamed_and_in_a_list() {
    let world = world("mask").await;
    let client = world.gemini();
    for split in [1, 5, 33, 1_000] {
        world.provider.always(Behaviour::say(SAID).split(split));
        let answer = client.post(GEMINI, &content("hi")).await;
        assert_eq!(gemini_text(&[answer.json()]), MASKED, "{}", answer.text());
        let stream = client.stream(GEMINI_STREAM, &content("hi")).await.rest().await;
        assert!(!stream.contains("mallory") && !stream.contains("4242"), "{stream}");
        let chunks = data(&stream);
        assert_eq!(gemini_text(&chunks), MASKED, "split {split}");
        assert_eq!(chunks.last().unwrap()["candidates"][0]["finishReason"], "STOP", "{stream}");
        let answer = client.post(GEMINI_LIST, &content("hi")).await;
        assert_eq!(gemini_text(answer.json().as_array().unwrap()), MASKED, "{}", answer.text());
    }
    for call in world.calls().await {
        assert_eq!(call.answer_findings, json!({"EMAIL": 1, "CREDIT_CARD": 1}), "{call:?}");
    }
    assert_money_is_exact(&world).await;
}

#[tokio::test]
async fn geminis_answers_are_blocked_whole_streamed_and_in_a_list() {
    let world = World::with("[redact]\nanswers = \"block\"\n[proxy]\non_abort = \"drain\"\n").await;
    let client = world.gemini();
    for split in [1, 7, 10_000] {
        world.provider.always(Behaviour::say(IBAN).split(split));
        for path in [GEMINI, GEMINI_LIST] {
            let answer = client.post(path, &content("hi")).await;
            assert_eq!(answer.status.as_u16(), 403, "{path} {}", answer.text());
            assert_eq!(answer.json()["error"]["status"], "PERMISSION_DENIED");
            assert!(!answer.text().contains("DE89"), "{}", answer.text());
        }
        let stream = client.stream(GEMINI_STREAM, &content("hi")).await.rest().await;
        assert!(!stream.contains("DE89") && !stream.contains("finishReason"), "{stream}");
        let mut chunks = data(&stream);
        let error = chunks.pop().unwrap()["error"].take();
        assert_eq!((&error["code"], &error["status"]), (&json!(403), &json!("PERMISSION_DENIED")));
        assert!(error["message"].as_str().unwrap().contains("IBAN"), "{error}");
        assert_eq!(gemini_text(&chunks), "Pay\n", "split {split}");
    }
    let calls = loop {
        let calls = world.calls().await;
        if calls.len() == 9 {
            break calls;
        }
        tokio::task::yield_now().await;
    };
    for call in calls {
        assert_eq!((call.outcome.as_str(), call.reason.as_str()), ("refused", "answer_blocked"));
        assert_eq!(call.answer_findings, json!({"IBAN": 1}));
    }
    assert_money_is_exact(&world).await;
}

#[tokio::test]
async fn tool_arguments_stay_json_when_they_are_masked() {
    let world = World::with("[redact]\nmode = \"off\"\nanswers = \"mask\"\n").await;
    let mut body = chat("call the tool for \"Mallory\" <mallory@example.com>");
    body["tools"] = json!([{"type": "function", "function": {"name": "mail", "parameters": {
        "type": "object", "properties": {"text": {"type": "string"}}}}}]);
    let expected = json!({"text": "call the tool for \"Mallory\" <<EMAIL>>"});
    let answer = world.client().post("/v1/chat/completions", &body).await;
    let call = &answer.json()["choices"][0]["message"]["tool_calls"][0]["function"];
    let arguments: Value = serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(arguments, expected);

    let client = world.client().header("x-simulate", "split=3");
    let stream = client.stream("/v1/chat/completions", &streamed(body)).await.rest().await;
    let pieces: String = data(&stream)
        .iter()
        .filter_map(|event| {
            let calls = &event["choices"][0]["delta"]["tool_calls"];
            calls[0]["function"]["arguments"].as_str().map(str::to_owned)
        })
        .collect();
    assert_eq!(serde_json::from_str::<Value>(&pieces).unwrap(), expected);
    assert_money_is_exact(&world).await;
}

#[tokio::test]
async fn a_blocked_whole_answer_is_refused_and_paid_for_as_metered() {
    let world = world("block").await;
    world.provider.always(Behaviour::say(IBAN));
    let answer = world.client().chat("hi").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "policy_violation"));
    assert!(answer.text().contains("IBAN") && !answer.text().contains("DE89"), "{}", answer.text());
    assert_eq!(answer.header("x-should-retry"), "false");
    let answer = world.anthropic().post("/v1/messages", &message("hi")).await;
    assert_eq!(answer.status.as_u16(), 403);
    assert_eq!(answer.json()["error"]["type"], "permission_error");
    for call in world.calls().await {
        assert_eq!((call.outcome.as_str(), call.reason.as_str()), ("refused", "answer_blocked"));
        assert_eq!(call.answer_findings, json!({"IBAN": 1}));
        assert!(call.posted.0 > 0 && call.usage[TokenClass::Output.name()].as_u64() > Some(0));
    }
    assert_money_is_exact(&world).await;
}

#[tokio::test]
async fn a_blocked_stream_ends_with_an_error_and_the_money_is_settled() {
    let world = World::with("[redact]\nanswers = \"block\"\n[proxy]\non_abort = \"drain\"\n").await;
    for split in [1, 7, 10_000] {
        world.provider.always(Behaviour::say(IBAN).split(split));
        let client = world.client();
        let stream = client.stream("/v1/chat/completions", &chat_stream("hi")).await.rest().await;
        assert_eq!(chat_text(&stream), "Pay\n", "split {split}");
        assert!(!stream.contains("DE89") && !stream.contains("[DONE]"), "{stream}");
        let last = data(&stream).pop().unwrap();
        assert_eq!(last["error"]["code"], "policy_violation", "{last}");
        assert!(last["error"]["message"].as_str().unwrap().contains("IBAN"), "{last}");

        let stream =
            world.anthropic().stream("/v1/messages", &streamed(message("hi"))).await.rest().await;
        let last = data(&stream).pop().unwrap();
        assert_eq!(
            (&last["type"], &last["error"]["type"]),
            (&json!("error"), &json!("permission_error"))
        );
        let stream = client.stream("/v1/responses", &streamed(response("hi"))).await.rest().await;
        let last = data(&stream).pop().unwrap();
        assert_eq!((&last["type"], &last["code"]), (&json!("error"), &json!("policy_violation")));
        assert!(!stream.contains("DE89"), "{stream}");
    }
    world.provider.until(|counts| counts.answered + counts.cancelled == 9).await;
    let calls = loop {
        let calls = world.calls().await;
        if calls.len() == 9 {
            break calls;
        }
        tokio::task::yield_now().await;
    };
    for call in calls {
        assert_eq!((call.outcome.as_str(), call.reason.as_str()), ("refused", "answer_blocked"));
        assert_eq!(call.answer_findings, json!({"IBAN": 1}));
    }
    assert_money_is_exact(&world).await;
}

#[tokio::test]
async fn a_blocked_stream_is_cancelled_upstream_where_the_policy_says_so() {
    let world = world("block").await;
    let said = format!("{IBAN}\n{}", "and so on ".repeat(500));
    world.provider.always(Behaviour::say(said).gap(std::time::Duration::from_millis(20)));
    let mut body = chat_stream("hi");
    body["max_tokens"] = json!(2_000);
    let stream = world.client().stream("/v1/chat/completions", &body).await.rest().await;
    assert_eq!(data(&stream).pop().unwrap()["error"]["code"], "policy_violation");
    world.provider.until(|counts| counts.cancelled == 1).await;
    let call = &world.calls().await[0];
    assert_eq!((call.reason.as_str(), call.estimated), ("answer_blocked", true));
    assert_eq!(call.posted, call.reserved);
    assert!(call.posted.0 >= world.provider.bill().total_nano_usd);
    assert_eq!(world.totals().await.pending.0, 0);
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_not_passed_where_kinds_are_kept_back() {
    let world = world("mask").await;
    let order = || Behaviour::say(SAID).header("content-encoding", "x-unknown");
    world.provider.script([order(), order()]);
    let answer = world.client().chat("hi").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (502, "upstream_answer"));
    let answer = world.client().post("/v1/chat/completions", &chat_stream("hi")).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (502, "upstream_answer"));
    world.provider.script([Behaviour::say(SAID).gzip()]);
    assert_eq!(world.client().chat("hi").await.said(), MASKED);
}
