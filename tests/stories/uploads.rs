//! Files and forms: their text leaves redacted, and every other byte as it was.

use iron_tests::World;
use iron_tests::client::Client;
use serde_json::json;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0ada@example.org\xff";

fn form(client: Client) -> Client {
    client.header("content-type", "multipart/form-data; boundary=\"a story's\"")
}

fn upload(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (head, content) in parts {
        body.extend_from_slice(b"--a story's\r\nContent-Disposition: form-data; ");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--a story's--\r\n");
    body
}

#[tokio::test]
async fn a_files_text_leaves_redacted_and_costs_nothing() {
    let world = World::plain().await;
    let text = "name,mail\nAda,ada@example.org\n";
    let parts = |text: &str| {
        upload(&[
            ("name=\"purpose\"", b"user_data"),
            ("name=\"file\"; filename=\"people.csv\"\r\nContent-Type: text/csv", text.as_bytes()),
            ("name=\"more\"; filename=\"a.png\"\r\nContent-Type: image/png", PNG),
        ])
    };
    for client in [form(world.client()), form(world.anthropic())] {
        let answer = client.post_bytes("/v1/files", parts(text)).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
        let received = world.provider.received().last().unwrap().body.clone();
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        let stored = client.get(&format!("/v1/files/{id}/content")).await.text();
        let placeholder = &stored[stored.find("<EMAIL_").unwrap()..=stored.find('>').unwrap()];
        assert_eq!(stored, text.replace("ada@example.org", placeholder));
        assert_eq!(received, parts(&stored), "only the text of one part is another");
    }
    let calls = world.calls().await;
    assert_eq!((calls[0].endpoint.as_str(), &calls[0].findings), ("files", &json!({"EMAIL": 1})));
    assert!(calls.iter().all(|call| call.posted.0 == 0 && call.status == 200), "{calls:?}");
}

#[tokio::test]
async fn nothing_found_is_the_same_bytes() {
    let world = World::plain().await;
    let body = upload(&[
        ("name=\"purpose\"", b"user_data"),
        ("name=\"file\"; filename=\"a.json\"", b"{ \"n\" : 1e0 }"),
        ("name=\"more\"; filename=\"a.png\"\r\nContent-Type: image/png", PNG),
    ]);
    form(world.client()).post_bytes("/v1/files", body.clone()).await;
    assert_eq!(world.provider.received()[0].body, body);
}

#[tokio::test]
async fn batch_lines_keep_what_they_are_matched_by() {
    let world = World::plain().await;
    let line = |id: u32, text: &str| {
        let body = json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]});
        json!({"custom_id": format!("{id}@example.org"), "method": "POST",
            "url": "/v1/chat/completions", "body": body})
        .to_string()
    };
    let file = format!("{}\n{}\n", line(1, "ada@example.org"), line(2, "nothing"));
    let head = "name=\"file\"; filename=\"b.jsonl\"";
    let body = upload(&[("name=\"purpose\"", b"batch"), (head, file.as_bytes())]);
    form(world.client()).post_bytes("/v1/files", body).await;
    let sent = world.last_received();
    assert!(!sent.contains("ada@") && sent.contains("<EMAIL_"), "{sent}");
    assert!(sent.contains("1@example.org") && sent.contains(&line(2, "nothing")), "{sent}");
}

#[tokio::test]
async fn what_cannot_be_read_is_let_out_by_policy() {
    let part = |kind: &str, content: &[u8]| {
        let head = format!("name=\"file\"; filename=\"x\"\r\nContent-Type: {kind}");
        upload(&[("name=\"purpose\"", b"user_data"), (&head, content)])
    };
    let (pdf, png) = (part("application/pdf", b"%PDF-1.7\xff"), part("image/png", PNG));
    for (lines, passes) in [
        ("", [false, true]),
        ("[redact]\nopaque_parts = \"pass\"\n", [true, true]),
        ("[redact]\nopaque_parts = \"block\"\n", [false, false]),
        ("[redact]\nmode = \"off\"\n", [true, true]),
    ] {
        let world = World::with(lines).await;
        for (body, passes) in [&pdf, &png].into_iter().zip(passes) {
            let answer = form(world.client()).post_bytes("/v1/files", body.clone()).await;
            if passes {
                assert_eq!(answer.status.as_u16(), 200, "{lines} {}", answer.text());
                assert_eq!(world.provider.received().last().unwrap().body, *body);
            } else {
                let status = (answer.status.as_u16(), answer.code());
                assert_eq!(status, (403, "policy_violation".to_owned()), "{lines}");
                assert!(answer.text().contains("part `file` cannot be read"), "{}", answer.text());
            }
        }
    }
}

#[tokio::test]
async fn a_blocked_kind_stops_an_upload_naming_the_part() {
    let world = World::with("[redact.kinds]\nEMAIL = \"block\"\n").await;
    let body = upload(&[("name=\"file\"; filename=\"a.txt\"", b"ada@example.org")]);
    let answer = form(world.client()).post_bytes("/v1/files", body).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "policy_violation"));
    assert!(answer.text().contains("EMAIL at part `file`"), "{}", answer.text());
    assert!(world.provider.received().is_empty());
}

#[tokio::test]
async fn what_is_malformed_or_of_another_type_never_leaves() {
    let world = World::plain().await;
    let cut = upload(&[("name=\"file\"; filename=\"a.txt\"", b"x")]);
    let cut = cut[..cut.len() - 4].to_vec();
    let answer = form(world.client()).post_bytes("/v1/files", cut).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "invalid_body"));
    let answer = world.client().post("/v1/files", &json!({"file": "x"})).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (415, "unsupported_media_type"));
    assert!(answer.text().contains("multipart/form-data"), "{}", answer.text());
    let urlencoded = "application/x-www-form-urlencoded";
    let client = world.client().header("content-type", urlencoded);
    let answer = client.post_bytes("/v1/chat/completions", "model=gpt-4o-mini").await;
    assert_eq!(answer.status.as_u16(), 415);
    assert!(answer.text().contains("content-type: application/json"), "{}", answer.text());
    let client = world.anthropic().header("content-type", "text/plain");
    let answer = client.post_bytes("/v1/messages", "{}").await;
    assert_eq!(answer.status.as_u16(), 415);
    assert_eq!(answer.json()["type"], "error", "{}", answer.text());
    assert!(world.provider.received().is_empty());
}

#[tokio::test]
async fn a_moderation_is_free_and_its_text_is_redacted() {
    let world = World::plain().await;
    let answer =
        world.client().post("/v1/moderations", &json!({"input": ["of ada@example.org"]})).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    assert!(world.last_received().contains("of <EMAIL_"), "{}", world.last_received());
    let call = &world.calls().await[0];
    assert_eq!((call.endpoint.as_str(), call.posted.0), ("moderations", 0));
}
