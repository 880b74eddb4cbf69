//! Google's API, as its reference shows it on the wire.

use serde_json::{Value, json};

use super::{call, request, start};
use crate::simulator::{Behaviour, Simulator, Usage, When};

const PLAIN: &str = "/v1beta/models/gemini-2.5-flash:generateContent";
const STREAM: &str = "/v1/models/gemini-2.5-flash:streamGenerateContent";

fn content(text: &str) -> Value {
    json!({ "contents": [{ "role": "user", "parts": [{ "text": text }] }] })
}

async fn post(simulator: &Simulator, path: &str, body: &Value) -> super::Answer {
    call(simulator, request("POST", path, &[("x-goog-api-key", "k")], body.to_string())).await
}

#[tokio::test]
async fn an_answer_tells_the_model_of_the_path_and_is_billed() {
    let simulator = start();
    let answer = post(&simulator, PLAIN, &content("hello there")).await;
    assert_eq!(answer.header("x-gemini-service-tier"), "standard");
    // As in the other dialects: 4 tokens read, 6 made.
    assert_eq!(
        answer.json(),
        json!({
            "candidates": [{
                "content": { "parts": [{ "text": "You said: hello there" }], "role": "model" },
                "finishReason": "STOP", "index": 0,
            }],
            "usageMetadata": {
                "promptTokenCount": 4, "candidatesTokenCount": 6, "totalTokenCount": 10,
                "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": 4 }],
                "serviceTier": "standard",
            },
            "modelVersion": "gemini-2.5-flash", "responseId": "simulated00000001",
        })
    );
    assert_eq!(simulator.bill().total_nano_usd, 4 * 300 + 6 * 2_500);
}

#[tokio::test]
async fn a_stream_is_events_or_one_list() {
    let simulator = start();
    let body = json!({ "contents": content("hello there")["contents"],
        "generation_config": { "max_output_tokens": 2, "candidateCount": 2 } });
    let events = post(&simulator, &format!("{STREAM}?alt=sse"), &body).await;
    assert_eq!(events.header("content-type"), "text/event-stream; charset=utf-8");
    assert!(events.text().ends_with("}\r\n\r\n"), "{}", events.text());
    let list = post(&simulator, STREAM, &body).await;
    assert!(list.header("content-type").starts_with("application/json"));
    assert!(list.text().starts_with("[{") && list.text().contains("},\r\n{"));
    for chunks in [events.events(), list.json().as_array().unwrap().clone()] {
        // Two tokens for each of two candidates, and the end.
        assert_eq!(chunks.len(), 5);
        assert_eq!(chunks[0]["candidates"][0]["content"]["parts"][0]["text"], "You ");
        assert_eq!(chunks[0]["usageMetadata"]["candidatesTokenCount"], 1);
        assert_eq!(chunks[4]["usageMetadata"]["candidatesTokenCount"], 4);
        assert_eq!(chunks[4]["candidates"][1]["finishReason"], "MAX_TOKENS");
    }
    let bill = simulator.bill();
    assert_eq!(bill.total_nano_usd, 2 * (4 * 300 + 4 * 2_500), "{bill:?}");
}

#[tokio::test]
async fn a_function_is_called_whole_and_its_result_is_told() {
    let simulator = start();
    let mut body = content("call the tool now");
    body["tools"] = json!([{ "functionDeclarations": [{ "name": "f",
        "parameters": { "type": "OBJECT", "properties": { "q": { "type": "STRING" } } } }] }]);
    let answer = post(&simulator, PLAIN, &body).await.json();
    let part = &answer["candidates"][0]["content"]["parts"][0];
    assert_eq!(part["functionCall"], json!({ "name": "f", "args": { "q": "call the tool now" } }));
    let answered = json!({ "functionResponse": { "name": "f", "response": { "result": "42" } } });
    body["contents"] = json!([{ "role": "user", "parts": [answered] }]);
    let answer = post(&simulator, PLAIN, &body).await.json();
    assert_eq!(answer["candidates"][0]["content"]["parts"][0]["text"], "The tool said: 42");
}

#[tokio::test]
async fn refusals_have_googles_shape_and_orders_know_the_model() {
    let simulator = start();
    let named = When::Model("gemini-2.5-flash".to_owned());
    simulator.script_when(named, [Behaviour::status(429)]);
    let unknown = "/v1beta/models/gemini-9:generateContent";
    for (path, body, status, name) in [
        (PLAIN, content("x"), 429, "RESOURCE_EXHAUSTED"),
        (PLAIN, json!({}), 400, "INVALID_ARGUMENT"),
        (unknown, content("x"), 404, "NOT_FOUND"),
        ("/v1beta/models/gemini-2.5-flash:predict", content("x"), 404, "NOT_FOUND"),
    ] {
        let answer = post(&simulator, path, &body).await;
        let error = &answer.json()["error"];
        assert_eq!((answer.status, &error["code"]), (status, &json!(status)), "{path}: {error}");
        assert_eq!(error["status"], name, "{path}");
    }
    let bare = call(&simulator, request("POST", PLAIN, &[], content("x").to_string())).await;
    assert_eq!((bare.status, &bare.json()["error"]["status"]), (403, &json!("PERMISSION_DENIED")));
    let query = format!("{PLAIN}?key=k");
    let with_key = call(&simulator, request("POST", &query, &[], content("x").to_string())).await;
    assert_eq!(with_key.status, 200);
}

#[tokio::test]
async fn given_usage_is_reported_as_google_reports_it() {
    let simulator = start();
    let usage = Usage { input: 10, cache_read: 4, output: 3, reasoning: 2, ..Usage::default() };
    simulator.script([Behaviour::default().usage(usage)]);
    let answer = post(&simulator, PLAIN, &content("x")).await.json();
    let reported = &answer["usageMetadata"];
    for (name, count) in [
        ("promptTokenCount", 14),
        ("cachedContentTokenCount", 4),
        ("candidatesTokenCount", 3),
        ("thoughtsTokenCount", 2),
        ("totalTokenCount", 19),
    ] {
        assert_eq!(reported[name], count, "{name}");
    }
    assert_eq!(simulator.bill().total_nano_usd, 10 * 300 + 4 * 30 + 5 * 2_500);
}
