//! A client that goes away is an ordinary end: upstream cancelled, money settled.

use iron_cli::simulator::{At, Behaviour, Gate, Mishap};
use iron_policy::types::NanoUsd;
use iron_tests::World;
use iron_tests::client::{chat, chat_stream};

/// Waits until a call is on record, and returns it.
async fn recorded(world: &World) -> iron_proxy::state::CallRow {
    for _ in 0..500 {
        if let Some(call) = world.calls().await.pop() {
            return call;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("no call was recorded")
}

#[tokio::test]
async fn leaving_while_waiting_for_a_plain_answer_cancels_and_settles() {
    let world = World::plain().await;
    let (held, _gate) = Behaviour::hold();
    world.provider.always(held);
    let client = world.client();
    let call = tokio::spawn(async move { client.chat("hello").await });
    world.provider.until(|counts| counts.received == 1).await;
    call.abort();
    world.provider.until(|counts| counts.cancelled == 1).await;
    let call = recorded(&world).await;
    assert_eq!((call.outcome.as_str(), call.reason.as_str()), ("aborted", "client_gone"));
    assert!(call.estimated && call.posted == call.reserved);
    assert_eq!(world.totals().await.pending, NanoUsd::ZERO);
}

#[tokio::test]
async fn leaving_during_a_stream_cancels_and_settles() {
    let world = World::plain().await;
    world.provider.always(Behaviour::bytes(400).at(At::Event(3), Mishap::Hold(Gate::new())));
    let mut events = world.client().stream("/v1/chat/completions", &chat_stream("hello")).await;
    assert!(events.next().await.is_some());
    drop(events);
    world.provider.until(|counts| counts.cancelled == 1).await;
    let call = recorded(&world).await;
    assert_eq!((call.outcome.as_str(), call.reason.as_str()), ("aborted", "client_gone"));
    assert!(call.posted == call.reserved && call.estimated);
    assert!(call.posted.0 >= world.provider.bill().total_nano_usd);
}

#[tokio::test]
async fn a_drained_stream_is_charged_what_its_end_says() {
    let world = World::with("[proxy]\non_abort = \"drain\"\n").await;
    let gate = Gate::new();
    world.provider.always(Behaviour::bytes(200).at(At::Event(3), Mishap::Hold(gate.clone())));
    let mut events = world.client().stream("/v1/chat/completions", &chat_stream("hello")).await;
    assert!(events.next().await.is_some());
    drop(events);
    gate.open();
    world.provider.until(|counts| counts.answered == 1).await;
    let call = recorded(&world).await;
    assert_eq!(call.outcome, "aborted");
    assert!(!call.estimated);
    assert_eq!(call.posted.0, world.provider.bill().total_nano_usd);
}

#[tokio::test]
async fn leaving_with_the_last_event_in_hand_is_no_abort() {
    let world = World::plain().await;
    // The body stays open behind its last event.
    world.provider.always(Behaviour::default().at(At::Event(1_000), Mishap::Hold(Gate::new())));
    let body = serde_json::json!({"model": "gpt-4o-mini", "max_output_tokens": 64, "input": "hello",
        "stream": true});
    let mut events = world.client().stream("/v1/responses", &body).await;
    let mut read = String::new();
    while !(read.contains("event: response.completed") && read.ends_with("\n\n")) {
        read.push_str(std::str::from_utf8(&events.next().await.unwrap()).unwrap());
    }
    drop(events);
    let call = recorded(&world).await;
    assert_eq!((call.outcome.as_str(), call.reason.as_str()), ("ok", "ok"));
    assert!(!call.estimated && call.posted.0 > 0);
    assert_eq!(call.posted.0, world.provider.bill().total_nano_usd);
    assert_eq!(world.totals().await.pending, NanoUsd::ZERO);

    // An event earlier it is one.
    let world = World::plain().await;
    world.provider.always(Behaviour::default().at(At::Event(4), Mishap::Hold(Gate::new())));
    let mut events = world.client().stream("/v1/responses", &body).await;
    assert!(events.next().await.is_some());
    drop(events);
    assert_eq!(recorded(&world).await.reason, "client_gone");
}

#[tokio::test]
async fn an_upload_that_breaks_off_costs_nothing() {
    use tokio::io::AsyncWriteExt;
    let world = World::plain().await;
    let mut stream = tokio::net::TcpStream::connect(world.address).await.unwrap();
    let body = chat("hello").to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\ncontent-length: {}\r\n\r\n",
        body.len() + 100
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    drop(stream);
    let call = recorded(&world).await;
    assert_eq!(call.outcome, "aborted");
    assert_eq!((call.reserved, call.posted), (NanoUsd::ZERO, NanoUsd::ZERO));
    assert!(world.provider.received().is_empty());
}
