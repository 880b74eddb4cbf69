//! What is personal or secret leaves as a placeholder and comes back as it was.

use iron_tests::World;
use iron_tests::client::{chat, chat_stream, data, message};
use serde_json::{Value, json};

const TEXT: &str = "Card 4242 4242 4242 4242 of ada@example.org, \"quoted\" — thanks.";

#[tokio::test]
async fn values_leave_as_placeholders_and_come_back() {
    let world = World::plain().await;
    let answer = world.client().chat(TEXT).await;
    let sent = world.last_received();
    assert!(!sent.contains("4242") && !sent.contains("ada@"), "{sent}");
    assert!(sent.contains("<EMAIL_") && sent.contains("<CREDIT_CARD_"), "{sent}");
    assert_eq!(answer.said(), format!("You said: {TEXT}"));
    let findings = &world.calls().await[0].findings;
    assert_eq!((findings["EMAIL"].as_u64(), findings["CREDIT_CARD"].as_u64()), (Some(1), Some(1)));
}

#[tokio::test]
async fn a_stream_comes_back_whole_however_it_is_cut() {
    let world = World::plain().await;
    for split in [1, 2, 3, 5, 7, 64] {
        let client = world.client().header("x-simulate", &format!("split={split}"));
        let stream = client.stream("/v1/chat/completions", &chat_stream(TEXT)).await.rest().await;
        let said: String = data(&stream)
            .iter()
            .filter_map(|event| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(said, format!("You said: {TEXT}"), "split {split}");
        assert!(stream.trim_end().ends_with("[DONE]"));
    }
    let mut body = message(TEXT);
    body["stream"] = json!(true);
    for split in [1, 4, 33] {
        let client = world.anthropic().header("x-simulate", &format!("split={split}"));
        let stream = client.stream("/v1/messages", &body).await.rest().await;
        let said: String = data(&stream)
            .iter()
            .filter_map(|event| event["delta"]["text"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(said, format!("You said: {TEXT}"), "split {split}");
    }
    let totals = world.totals().await;
    assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd);
    assert_eq!(totals.estimated.0, 0);
}

#[tokio::test]
async fn tool_arguments_are_redacted_and_restored_inside_their_json() {
    let world = World::plain().await;
    let mut body = chat("call the tool for \"Ada\" <ada@example.org>");
    body["tools"] = json!([{"type": "function", "function": {"name": "mail", "parameters": {
        "type": "object", "properties": {"text": {"type": "string"}}}}}]);
    body["messages"].as_array_mut().unwrap().insert(
        0,
        json!({
        "role": "assistant", "content": null, "tool_calls": [{
            "id": "call_1", "type": "function",
            "function": {"name": "mail", "arguments": "{\"to\": \"grace@example.org\"}"}}]}),
    );
    let answer = world.client().post("/v1/chat/completions", &body).await;
    let sent = world.last_received();
    assert!(!sent.contains("@example.org"), "{sent}");
    let call = &answer.json()["choices"][0]["message"]["tool_calls"][0]["function"];
    let arguments = call["arguments"].as_str().unwrap_or_else(|| panic!("{}", answer.text()));
    let arguments: Value = serde_json::from_str(arguments).unwrap();
    assert!(arguments.to_string().contains("ada@example.org"), "{arguments}");
}

#[tokio::test]
async fn placeholders_stay_the_same_for_a_session_and_differ_between_sessions() {
    let world = World::plain().await;
    let client = world.client();
    client.chat(TEXT).await;
    let first = world.last_received();
    client.chat(TEXT).await;
    assert_eq!(world.last_received(), first);
    client.clone().header("x-iron-session", "other").chat(TEXT).await;
    assert_ne!(world.last_received(), first);
}

#[tokio::test]
async fn a_placeholder_of_another_session_is_not_restored() {
    let world = World::plain().await;
    world.client().header("x-iron-agent", "a").chat("ada@example.org").await;
    let sent = world.last_received();
    let start = sent.find("<EMAIL_").unwrap();
    let foreign = &sent[start..=start + sent[start..].find('>').unwrap()];
    let asked = format!("what is {foreign}?");
    let answer = world.client().header("x-iron-agent", "b").chat(&asked).await;
    assert_eq!(answer.said(), format!("You said: {asked}"));
}

#[tokio::test]
async fn a_blocked_kind_stops_the_call_naming_its_place_and_not_its_value() {
    let world = World::with("[redact.kinds]\nCREDIT_CARD = \"block\"\n").await;
    let answer = world.client().chat(TEXT).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "policy_violation"));
    assert!(answer.text().contains("CREDIT_CARD at messages[0].content"), "{}", answer.text());
    assert!(!answer.text().contains("4242"));
    assert!(world.provider.received().is_empty());
}

#[tokio::test]
async fn redaction_off_passes_everything() {
    let world = World::with("[redact]\nmode = \"off\"\n").await;
    world.client().chat(TEXT).await;
    assert_eq!(world.last_received(), chat(TEXT).to_string());
}

#[tokio::test]
async fn a_compressed_answer_is_metered_and_restored() {
    let world = World::plain().await;
    let client = world.client().header("x-simulate", "gzip").header("accept-encoding", "gzip");
    let answer = client.chat("nothing to hide").await;
    assert_eq!(answer.header("content-encoding"), "gzip");
    let answer = client.chat("ada@example.org").await;
    assert_eq!(answer.header("content-encoding"), "");
    assert_eq!(answer.said(), "You said: ada@example.org");
    let totals = world.totals().await;
    assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd);
    assert_eq!(totals.estimated.0, 0);
}

#[tokio::test]
async fn a_number_is_redacted_where_its_key_says_what_it_is() {
    let world = World::plain().await;
    let mut body = message("go on");
    let input = json!({"ssn": 536_228_731, "line": 536_228_731, "inner": "{\"ssn\":536228731}"});
    body["messages"].as_array_mut().unwrap().splice(
        0..0,
        [
            json!({"role": "user", "content": "look it up"}),
            json!({"role": "assistant", "content": [
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": input}]}),
            json!({"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "done"}]}),
        ],
    );
    assert_eq!(world.anthropic().post("/v1/messages", &body).await.status, 200);
    let sent: Value = serde_json::from_str(&world.last_received()).unwrap();
    let input = &sent["messages"][1]["content"][0]["input"];
    let placeholder = input["ssn"].as_str().unwrap();
    assert!(placeholder.starts_with("<SSN_"), "{placeholder}");
    assert_eq!(input["line"], 536_228_731);
    let inner: Value = serde_json::from_str(input["inner"].as_str().unwrap()).unwrap();
    assert_eq!(inner["ssn"], placeholder);
}
