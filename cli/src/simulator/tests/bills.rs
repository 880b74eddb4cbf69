//! The provider's bill, against sums made by hand.

use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use serde_json::json;

use super::{anthropic, call, chat, chat_stream, messages_body, openai, send, start, streamed};
use crate::simulator::{At, Behaviour, Billed, Mishap, Report, Usage};

#[tokio::test]
async fn completed_calls_are_billed_by_the_list() {
    let simulator = start();
    // 4 x 150,000 + 6 x 600,000 = 4,200,000 pico.
    let answer = call(&simulator, chat("hello there")).await;
    assert_eq!(
        simulator.bill().by_call,
        [Billed {
            request_id: answer.header("x-request-id").to_owned(),
            model: "gpt-4o-mini".to_owned(),
            usage: Usage { input: 4, output: 6, ..Usage::default() },
            nano_usd: 4_200,
        }]
    );
    // 2 x 1,000,000 + 3 x 5,000,000 pico.
    call(&simulator, anthropic("/v1/messages", &streamed(messages_body("hi")))).await;
    // 1 x 20,000 pico.
    let body = json!({ "model": "text-embedding-3-small", "input": "a" });
    call(&simulator, openai("/v1/embeddings", &body)).await;
    assert_eq!(simulator.bill().total_nano_usd, 4_200 + 17_000 + 20);
}

#[tokio::test]
async fn what_is_told_does_not_change_the_bill() {
    let simulator = start();
    for report in [Report::Once, Report::Never, Report::Twice] {
        simulator.script([Behaviour::default().report(report)]);
        call(&simulator, chat_stream("hello there")).await;
    }
    let bill = simulator.bill();
    assert!(bill.by_call.iter().all(|call| call.nano_usd == 4_200), "{bill:?}");

    simulator.script([Behaviour::default().usage(Usage::default())]);
    call(&simulator, chat_stream("hello there")).await;
    assert_eq!(simulator.bill().by_call[3].nano_usd, 0);
}

#[tokio::test]
async fn given_usage_is_billed_in_every_class() {
    let simulator = start();
    simulator.always(Behaviour::default().usage(Usage {
        input: 1_000,
        cache_read: 2_000,
        cache_write: 300,
        cache_write_1h: 40,
        output: 50,
        reasoning: 6,
        ..Usage::default()
    }));
    call(&simulator, anthropic("/v1/messages", &messages_body("x"))).await;
    // Haiku in nano-USD: 1,000 x 1,000 + 2,000 x 100 + 300 x 1,250 + 40 x 2,000 + 56 x 5,000.
    assert_eq!(simulator.bill().total_nano_usd, 1_935_000);
}

#[tokio::test]
async fn a_client_that_leaves_pays_for_what_was_generated() {
    let simulator = start();
    // The role and two tokens, then nothing.
    simulator.script([Behaviour::default().at(At::Event(3), Mishap::Hang)]);
    let mut response = send(&simulator, chat_stream("hello there")).await.unwrap();
    let mut events = 0;
    while events < 3 {
        let frame = response.body_mut().frame().await.unwrap().unwrap();
        events += frame.into_data().unwrap().windows(2).filter(|end| end == b"\n\n").count();
    }
    assert!(!response.body().is_end_stream());
    assert_eq!(simulator.bill().by_call, [], "it is still being generated");
    drop(response);
    simulator.until(|counts| counts.cancelled == 1).await;
    let bill = simulator.bill();
    assert_eq!(bill.by_call[0].usage, Usage { input: 4, output: 2, ..Usage::default() });
    // 4 x 150,000 + 2 x 600,000 pico.
    assert_eq!(bill.total_nano_usd, 1_800);
}

#[tokio::test]
async fn what_was_generated_is_billed_even_if_it_never_arrives() {
    let simulator = start();
    simulator.script([
        Behaviour::default().at(At::Head, Mishap::Close),
        Behaviour::default().at(At::Byte(10), Mishap::Close),
        Behaviour::status(500),
        Behaviour::garbage(),
    ]);
    assert!(send(&simulator, chat("hello there")).await.is_err());
    assert_eq!(simulator.bill().total_nano_usd, 4_200);
    assert!(!call(&simulator, chat("hello there")).await.complete);
    assert_eq!(simulator.bill().total_nano_usd, 8_400);
    call(&simulator, chat("hello there")).await;
    call(&simulator, chat("hello there")).await;
    assert_eq!(simulator.bill().total_nano_usd, 8_400, "refusals and garbage are free");
}
