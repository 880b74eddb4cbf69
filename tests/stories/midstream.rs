//! Streams that cost what was reserved for them are ended, in a form that their dialect knows.

use iron_cli::simulator::{Behaviour, Report};
use iron_policy::types::NanoUsd;
use iron_tests::World;
use iron_tests::client::{chat, chat_stream, content, data};
use serde_json::{Value, json};

/// So much that every reservation of these stories is spent long before its end.
const ENDLESS: usize = 400_000;

fn endless() -> Behaviour {
    Behaviour::bytes(ENDLESS).beyond_limit()
}

/// One stream of a dialect over its reservation; its text, and the world afterwards.
async fn over(lines: &str, path: &str, body: &Value, behaviour: Behaviour) -> (String, World) {
    let world = World::with(lines).await;
    world.provider.always(behaviour);
    let text = world.client().stream(path, body).await.rest().await;
    world.provider.until(|counts| counts.cancelled == 1).await;
    let calls = world.calls().await;
    let call = &calls[0];
    assert_eq!(
        (calls.len(), call.outcome.as_str(), call.reason.as_str()),
        (1, "ok", "reservation_spent")
    );
    assert!(call.estimated && call.posted >= call.reserved && call.reserved > NanoUsd::ZERO);
    // What the provider generated until it was left is near what was reserved.
    let bill = world.provider.bill().total_nano_usd;
    assert!(bill < 3 * call.reserved.0, "{bill} billed, {} reserved", call.reserved.0);
    assert_eq!(world.totals().await.pending, NanoUsd::ZERO);
    assert!(text.len() < ENDLESS, "{path}: {} bytes", text.len());
    (text, world)
}

#[tokio::test]
async fn a_chat_ends_with_the_reason_length_and_usage_where_it_was_asked_for() {
    let path = "/v1/chat/completions";
    let (text, _) = over("", path, &chat_stream("x"), endless()).await;
    let events = data(&text);
    let last = events.last().unwrap();
    assert_eq!(last["choices"][0]["finish_reason"], "length");
    assert_eq!((&last["id"], &last["model"]), (&events[0]["id"], &events[0]["model"]));
    assert!(text.ends_with("data: [DONE]\n\n") && !text.contains("\"usage\":{"), "{last}");
    let mut asked = chat_stream("x");
    asked["stream_options"] = json!({"include_usage": true});
    asked["n"] = json!(2);
    let (text, _) = over("", path, &asked, endless()).await;
    let events = data(&text);
    let usage = &events.last().unwrap()["usage"];
    assert!(usage["completion_tokens"].as_u64().unwrap() > 64, "{usage}");
    let ends = &events[events.len() - 3..];
    assert_eq!(ends[0]["choices"][0]["index"], 0);
    assert_eq!(
        ends[1]["choices"][0],
        json!({"index": 1, "delta": {}, "logprobs": null, "finish_reason": "length"})
    );
    // The older endpoint.
    let body =
        json!({"model": "gpt-3.5-turbo-instruct", "prompt": "x", "max_tokens": 16, "stream": true});
    let (text, _) = over("", "/v1/completions", &body, endless()).await;
    assert_eq!(data(&text).last().unwrap()["choices"][0]["finish_reason"], "length");
}

#[tokio::test]
async fn a_response_is_incomplete() {
    let body =
        json!({"model": "gpt-4o-mini", "max_output_tokens": 64, "stream": true, "input": "x"});
    let (text, _) = over("", "/v1/responses", &body, endless()).await;
    let events = data(&text);
    let [before, last] = &events[events.len() - 2..] else { panic!() };
    assert_eq!(last["type"], "response.incomplete");
    assert!(text.contains("event: response.incomplete\n") && text.ends_with("\n\n"));
    let response = &last["response"];
    assert_eq!(
        (&response["status"], &response["id"]),
        (&json!("incomplete"), &events[0]["response"]["id"])
    );
    assert_eq!(response["incomplete_details"]["reason"], "max_output_tokens");
    assert!(response["usage"]["output_tokens"].as_u64().unwrap() > 64);
    let number = |event: &Value| event["sequence_number"].as_u64().unwrap();
    assert_eq!(number(last), number(before) + 1);
}

#[tokio::test]
async fn a_message_closes_its_blocks_also_half_written_arguments() {
    let text_only = json!({"model": "claude-haiku-4-5", "max_tokens": 64, "stream": true,
        "messages": [{"role": "user", "content": "x"}]});
    let mut tool = text_only.clone();
    tool["tools"] = json!([{"name": "write", "input_schema": {"type": "object",
        "properties": {"text": {"type": "string"}}}}]);
    let arguments = json!({"text": "word ".repeat(ENDLESS / 5)}).to_string();
    for (body, behaviour, delta) in [
        (text_only, endless(), "text_delta"),
        (tool, Behaviour::call("write", &arguments).beyond_limit(), "input_json_delta"),
    ] {
        // The upstream is cancelled, and the call charged its reservation.
        let (text, _) = over("", "/v1/messages", &body, behaviour).await;
        let events = data(&text);
        let pieces: Vec<_> =
            events.iter().filter(|event| event["delta"]["type"] == delta).collect();
        assert!(pieces.len() > 64, "{delta}: {}", pieces.len());
        if delta == "input_json_delta" {
            let opened = events.iter().find(|event| event["type"] == "content_block_start");
            assert_eq!(opened.unwrap()["content_block"]["type"], "tool_use");
            let written = pieces.iter().filter_map(|event| event["delta"]["partial_json"].as_str());
            let written: String = written.collect();
            assert!(arguments.starts_with(&written) && written.len() < arguments.len());
            assert!(serde_json::from_str::<Value>(&written).is_err(), "half written");
        }
        let stop = &events[events.len() - 3];
        let opened: Vec<_> = events
            .iter()
            .filter(|event| event["type"] == "content_block_start")
            .map(|event| &event["index"])
            .collect();
        assert_eq!(opened, [&stop["index"]]);
        let kinds: Vec<_> = events[events.len() - 4..]
            .iter()
            .map(|event| event["type"].as_str().unwrap())
            .collect();
        let wanted = ["content_block_delta", "content_block_stop", "message_delta", "message_stop"];
        assert_eq!(kinds, wanted);
        let ending = &events[events.len() - 2];
        assert_eq!(ending["delta"]["stop_reason"], "max_tokens");
        let start = &events[0]["message"]["usage"];
        assert_eq!(ending["usage"]["input_tokens"], start["input_tokens"]);
        assert!(ending["usage"]["output_tokens"].as_u64().unwrap() > 64);
        assert!(text.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
    }
}

#[tokio::test]
async fn a_gemini_stream_ends_by_the_providers_own_count() {
    let path = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse";
    let (text, world) = over("", path, &content("x"), endless()).await;
    let events = data(&text);
    let last = events.last().unwrap();
    assert_eq!(last["candidates"][0]["finishReason"], "MAX_TOKENS");
    let counted = last["usageMetadata"]["candidatesTokenCount"].as_u64().unwrap();
    assert!(counted > 64);
    // One event earlier it was within what was reserved: charged is what that count costs.
    let call = &world.calls().await[0];
    assert!(call.posted > call.reserved && call.posted.0 < call.reserved.0 * 11 / 10, "{call:?}");
}

#[tokio::test]
async fn what_is_put_back_is_put_back_up_to_the_end() {
    // The placeholder's session is known, so the stream is edited.
    let world = World::plain().await;
    assert_eq!(world.client().chat("write to ada@example.org").await.status, 200);
    world.provider.always(endless());
    let text = world.client().stream("/v1/chat/completions", &chat_stream("x")).await.rest().await;
    let events = data(&text);
    assert_eq!(events.last().unwrap()["choices"][0]["finish_reason"], "length");
    assert!(text.ends_with("data: [DONE]\n\n"));
    assert_eq!(world.calls().await[1].reason, "reservation_spent");
}

#[tokio::test]
async fn a_stream_within_its_limit_is_never_ended_however_it_is_cut() {
    let world = World::plain().await;
    for split in [7, 1_000] {
        for path in ["/v1/chat/completions", "/v1/responses", "/v1/messages"] {
            for report in [Report::Once, Report::Never] {
                let answer = Behaviour::bytes(4_000).split(split).report(report);
                world.provider.script([answer]);
                let mut body = chat_stream("x");
                body["max_tokens"] = json!(200);
                if path == "/v1/responses" {
                    body = json!({"model": "gpt-4o-mini", "max_output_tokens": 200,
                        "stream": true, "input": "x"});
                } else if path == "/v1/messages" {
                    body["model"] = json!("claude-haiku-4-5");
                }
                let text = world.client().stream(path, &body).await.rest().await;
                assert!(text.contains("length") || text.contains("max_"), "{path}");
            }
        }
    }
    let calls = world.calls().await;
    assert!(calls.iter().all(|call| call.reason != "reservation_spent"));
    assert_eq!(world.provider.counts().cancelled, 0);
}

#[tokio::test]
async fn clamping_lowers_the_limit_of_every_dialect_to_what_is_left() {
    let budget = "[[budget]]\nscope = \"agent:*\"\nwindow = \"total\"\nlimit = \"0.002 USD\"\nclamp = true\n";
    let world = World::with(budget).await;
    let mut large = chat("x");
    large["max_tokens"] = json!(16_000);
    let gemini = "/v1beta/models/gemini-2.5-flash:generateContent";
    for (number, (path, body, at)) in [
        ("/v1/chat/completions", large, "/max_tokens"),
        (
            "/v1/chat/completions",
            json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "x"}]}),
            "/max_completion_tokens",
        ),
        (
            "/v1/completions",
            json!({"model": "gpt-3.5-turbo-instruct", "prompt": "x", "max_tokens": 4_000}),
            "/max_tokens",
        ),
        ("/v1/responses", json!({"model": "gpt-4o-mini", "input": "x"}), "/max_output_tokens"),
        (
            "/v1/messages",
            json!({"model": "claude-haiku-4-5", "max_tokens": 30_000,
                "messages": [{"role": "user", "content": "x"}]}),
            "/max_tokens",
        ),
        (
            gemini,
            json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}]}),
            "/generationConfig/maxOutputTokens",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let client = world.client().header("x-iron-agent", &format!("a{number}"));
        let answer = client.post(path, &body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let sent: Value = serde_json::from_str(&world.last_received()).unwrap();
        let limit = sent.pointer(at).and_then(Value::as_u64).unwrap_or_else(|| panic!("{sent}"));
        assert!(limit > 0 && limit < 4_000, "{path}: {limit}");
        let call = world.calls().await.pop().unwrap();
        assert!(
            call.reserved <= NanoUsd(2_000_000) && call.reserved > NanoUsd(1_950_000),
            "{call:?}"
        );
    }
}
