//! Answers in one piece, and what the provider refuses.

use serde_json::json;

use super::{anthropic, call, chat, chat_body, messages_body, openai, request, start};

#[tokio::test]
async fn chat_echoes_and_tells_its_usage() {
    let simulator = start();
    let answer = call(&simulator, chat("hello there")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("x-request-id"), "req_simulated000000000001");
    assert!(!answer.header("openai-processing-ms").is_empty());
    let body = answer.json();
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["choices"][0]["message"]["content"], "You said: hello there");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    // user | hell|o th|ere, and You |said|: he|llo |ther|e
    assert_eq!(body["usage"]["prompt_tokens"], 4);
    assert_eq!(body["usage"]["completion_tokens"], 6);
    assert_eq!(body["usage"]["total_tokens"], 10);
}

#[tokio::test]
async fn limits_and_several_choices_are_respected() {
    let simulator = start();
    let mut body = chat_body("hello there");
    body["max_completion_tokens"] = json!(2);
    body["n"] = json!(3);
    let body = call(&simulator, openai("/v1/chat/completions", &body)).await.json();
    assert_eq!(body["choices"].as_array().unwrap().len(), 3);
    assert_eq!(body["choices"][2]["message"]["content"], "You said");
    assert_eq!(body["choices"][2]["finish_reason"], "length");
    assert_eq!(body["usage"]["completion_tokens"], 6);
}

#[tokio::test]
async fn a_tool_is_called_on_wish_and_its_result_is_told() {
    let simulator = start();
    let tools = json!([{ "type": "function", "function": {
        "name": "look_up", "parameters": { "properties": { "who": { "type": "string" } } },
    }}]);
    let mut body = chat_body("call the tool with \"a\"");
    body["tools"] = tools.clone();
    let answer = call(&simulator, openai("/v1/chat/completions", &body)).await.json();
    let function = &answer["choices"][0]["message"]["tool_calls"][0]["function"];
    assert_eq!(function["name"], "look_up");
    assert_eq!(function["arguments"], r#"{"who":"call the tool with \"a\""}"#);
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");

    body["messages"] =
        json!([{ "role": "user", "content": "call the tool" }, { "role": "tool", "content": "7" }]);
    let answer = call(&simulator, openai("/v1/chat/completions", &body)).await.json();
    assert_eq!(answer["choices"][0]["message"]["content"], "The tool said: 7");

    let mut body = messages_body("call the tool");
    body["tools"] = json!([{ "name": "look_up", "input_schema": { "type": "object" } }]);
    let answer = call(&simulator, anthropic("/v1/messages", &body)).await.json();
    assert_eq!(answer["content"][0]["input"], json!({ "text": "call the tool" }));
    assert_eq!(answer["stop_reason"], "tool_use");
}

#[tokio::test]
async fn every_other_endpoint_answers_in_its_shape() {
    let simulator = start();
    let body = json!({ "model": "gpt-3.5-turbo-instruct", "prompt": "hi" });
    let answer = call(&simulator, openai("/v1/completions", &body)).await.json();
    assert_eq!(answer["choices"][0]["text"], "You said: hi");

    let body = json!({ "model": "gpt-5-mini", "input": "hi" });
    let answer = call(&simulator, openai("/v1/responses", &body)).await.json();
    assert_eq!(answer["status"], "completed");
    assert_eq!(answer["output"][0]["content"][0]["text"], "You said: hi");
    assert_eq!(answer["usage"]["input_tokens"], 1);
    assert_eq!(answer["usage"]["output_tokens"], 3);

    let body = json!({ "model": "text-embedding-3-small", "input": ["a", "b"], "dimensions": 2 });
    let answer = call(&simulator, openai("/v1/embeddings", &body)).await.json();
    assert_eq!(answer["data"][1]["embedding"].as_array().unwrap().len(), 2);
    assert_eq!(answer["usage"]["prompt_tokens"], 2);

    let answer = call(&simulator, anthropic("/v1/messages", &messages_body("hi"))).await;
    assert_eq!(answer.header("request-id"), "req_simulated000000000004");
    let answer = answer.json();
    assert_eq!(answer["content"], json!([{ "type": "text", "text": "You said: hi" }]));
    assert_eq!(answer["usage"]["input_tokens"], 2);
    assert_eq!(answer["usage"]["output_tokens"], 3);

    let answer =
        call(&simulator, anthropic("/v1/messages/count_tokens", &messages_body("hi"))).await;
    assert_eq!(answer.json(), json!({ "input_tokens": 2 }));

    let key = [("authorization", "Bearer k")];
    let answer = call(&simulator, request("GET", "/v1/models", &key, "")).await.json();
    assert_eq!(answer["data"][0]["id"], "gpt-4o-mini");
    let key = [("x-api-key", "k")];
    let answer = call(&simulator, request("GET", "/v1/models/claude-haiku-4-5", &key, "")).await;
    assert_eq!(answer.json()["type"], "model");
    assert_eq!(simulator.bill().by_call.len(), 4, "counting and listing are free");
}

#[tokio::test]
async fn refusals_have_the_providers_own_words() {
    let simulator = start();
    let path = "/v1/chat/completions";
    let key = [("authorization", "Bearer k")];
    let mut unknown = chat_body("x");
    unknown["model"] = json!("gpt-99");
    let mut options = chat_body("x");
    options["stream_options"] = json!({ "include_usage": true });
    for (asked, status, code) in [
        (request("POST", path, &[], chat_body("x").to_string()), 401, json!("invalid_api_key")),
        (openai(path, &unknown), 404, json!("model_not_found")),
        (openai(path, &json!({ "model": "gpt-4o" })), 400, json!("missing_required_parameter")),
        (openai(path, &options), 400, json!(null)),
        (request("POST", path, &key, "{"), 400, json!(null)),
        (openai("/v1/nowhere", &json!({})), 404, json!(null)),
    ] {
        let answer = call(&simulator, asked).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(answer.json()["error"]["code"], code);
    }
    for (asked, status, kind) in [
        (request("POST", "/v1/messages", &[], "{}"), 401, "authentication_error"),
        (anthropic("/v1/messages", &json!({ "model": "gpt-4o" })), 404, "not_found_error"),
        (
            anthropic("/v1/messages", &json!({ "model": "claude-haiku-4-5" })),
            400,
            "invalid_request_error",
        ),
    ] {
        let answer = call(&simulator, asked).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(answer.json()["error"]["type"], kind);
        assert_eq!(answer.json()["request_id"], answer.header("request-id"));
    }
    assert_eq!(simulator.bill(), crate::simulator::Bill::default());
}

#[tokio::test]
async fn what_was_received_is_remembered_whole() {
    let simulator = start();
    call(&simulator, request("POST", "/v1/x?y=1", &[("x-odd", "yes")], "raw \u{1f980}")).await;
    let received = simulator.received();
    assert_eq!(received.len(), 1);
    assert_eq!((received[0].method.as_str(), received[0].path.as_str()), ("POST", "/v1/x?y=1"));
    assert_eq!(received[0].headers["x-odd"], "yes");
    assert_eq!(received[0].text(), "raw \u{1f980}");
}
