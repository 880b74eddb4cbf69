//! Each failure, as the client sees it.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{
    anthropic, call, chat, chat_body, chat_stream, messages_body, request, send, start, stream_as,
};
use crate::simulator::{At, Behaviour, Mishap};

#[tokio::test]
async fn statuses_come_with_the_providers_own_body() {
    let simulator = start();
    simulator.always(Behaviour::status(429));
    let answer = call(&simulator, chat("x")).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, "1"));
    assert_eq!(answer.json()["error"]["code"], "rate_limit_exceeded");
    simulator.always(Behaviour::status(529).header("retry-after", "999999999"));
    let answer = call(&simulator, anthropic("/v1/messages", &messages_body("x"))).await;
    assert_eq!((answer.status, answer.header("retry-after")), (529, "999999999"));
    assert_eq!(answer.json()["error"]["type"], "overloaded_error");
}

#[tokio::test]
async fn a_call_can_be_held_and_released() {
    let simulator = start();
    let (held, gate) = Behaviour::hold();
    simulator.script([held]);
    let waiting = tokio::spawn({
        let simulator = simulator.clone();
        async move { call(&simulator, chat("x")).await.status }
    });
    let counts = simulator.until(|counts| counts.received == 1).await;
    assert_eq!(counts.answered, 0);
    gate.open();
    assert_eq!(waiting.await.unwrap(), 200);
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_is_noticed() {
    let simulator = start();
    simulator.script([Behaviour::hold().0]);
    let waiting = tokio::spawn({
        let simulator = simulator.clone();
        async move { send(&simulator, chat("x")).await.map(drop) }
    });
    simulator.until(|counts| counts.received == 1).await;
    waiting.abort();
    simulator.until(|counts| counts.cancelled == 1).await;
    assert_eq!(simulator.cancelled(), 1);
}

#[tokio::test]
async fn heads_can_be_late() {
    let simulator = start();
    simulator.script([Behaviour::default().delay(Duration::from_millis(30))]);
    let before = std::time::Instant::now();
    assert_eq!(call(&simulator, chat("x")).await.status, 200);
    assert!(before.elapsed() >= Duration::from_millis(30));
}

#[tokio::test]
async fn connections_break_where_ordered() {
    let simulator = start();
    for mishap in [Mishap::Close, Mishap::Reset] {
        simulator.script([
            Behaviour::default().at(At::Head, mishap.clone()),
            Behaviour::default().at(At::Byte(100), mishap.clone()),
            Behaviour::default().at(At::Byte(usize::MAX), mishap.clone()),
        ]);
        assert!(send(&simulator, chat("x")).await.is_err());
        let cut = call(&simulator, chat("x")).await;
        let length: usize = cut.header("content-length").parse().unwrap();
        assert!(!cut.complete && cut.body.len() <= 100 && length > 100);
        let cut = call(&simulator, chat("x")).await;
        assert!(!cut.complete && cut.body.len() < length);
    }
    assert_eq!(simulator.counts().answered, 6, "the provider left, not the client");
}

#[tokio::test]
async fn a_close_lets_what_came_before_it_arrive() {
    let cut = stream_as(Behaviour::default().at(At::Byte(321), Mishap::Close)).await;
    assert_eq!((cut.body.len(), cut.complete), (321, false));
    let cut = stream_as(Behaviour::default().at(At::Event(2), Mishap::Close)).await;
    assert_eq!((cut.events().len(), cut.complete), (2, false));
    assert!(cut.text().ends_with("\n\n"));
    let cut = stream_as(Behaviour::default().at(At::Event(99), Mishap::Close)).await;
    assert!(cut.text().ends_with("[DONE]\n\n") && !cut.complete);
}

#[tokio::test]
async fn literal_answers_are_sent_as_they_are() {
    let simulator = start();
    simulator.script([
        Behaviour::garbage(),
        Behaviour::redirect("http://127.0.0.1:1/elsewhere"),
        Behaviour::literal(200, "application/json", "{\"a\":1"),
    ]);
    let answer = call(&simulator, chat("x")).await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(serde_json::from_slice::<serde_json::Value>(&answer.body).is_err());
    let answer = call(&simulator, chat("x")).await;
    assert_eq!((answer.status, answer.header("location")), (302, "http://127.0.0.1:1/elsewhere"));
    assert_eq!(call(&simulator, chat("x")).await.text(), "{\"a\":1");

    simulator.script([Behaviour::wire("HTTP/1.1 banana\r\n\r\n")]);
    let mut stream = TcpStream::connect(simulator.address()).await.unwrap();
    let body = chat_body("x").to_string();
    let head = format!("POST /v1/x HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "HTTP/1.1 banana\r\n\r\n");
}

#[tokio::test]
async fn answers_can_be_large() {
    let simulator = start();
    simulator.script([Behaviour::bytes(3_000_000)]);
    let answer = call(&simulator, chat("x")).await.json();
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(text.len(), 3_000_000);
}

#[tokio::test]
async fn a_header_orders_too() {
    let simulator = start();
    simulator.always(Behaviour::say("scripted"));
    let ask = |order: &str| {
        let headers = [("authorization", "Bearer k"), ("x-simulate", order)];
        request("POST", "/v1/chat/completions", &headers, chat_body("x").to_string())
    };
    let answer = call(&simulator, ask("status=503; retry-after=2")).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "2"));
    let answer = call(&simulator, ask("statsu=503")).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("statsu=503"));
}

#[tokio::test]
async fn it_stops_with_its_last_handle_and_lets_calls_end() {
    let simulator = start();
    let address = simulator.address();
    let gate = crate::simulator::Gate::new();
    simulator.script([Behaviour::default().at(At::Event(1), Mishap::Hold(gate.clone()))]);
    let response = send(&simulator, chat_stream("x")).await.unwrap();
    drop(simulator);
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    gate.open();
    assert!(super::read(response).await.complete);
}
