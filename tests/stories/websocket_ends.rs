//! How WebSockets end, and what bounds them.

use iron_cli::simulator::{At, Behaviour, Gate, Mishap};
use iron_policy::types::NanoUsd;
use iron_tests::World;
use iron_tests::socket::Socket;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio_tungstenite::tungstenite::Message;

use crate::websocket::{ENDS, asked, create, recorded};

#[tokio::test]
async fn limits_and_the_protocol_hold() {
    let world = World::with("[proxy]\nmax_body_mib = 1\n").await;
    let open = || Socket::open(world.address, "/v1/responses");
    let code = |frame: Option<tokio_tungstenite::tungstenite::protocol::CloseFrame>| {
        frame.map(|frame| u16::from(frame.code))
    };
    let mut socket = open().await;
    socket.send(&create(&"x".repeat(2 << 20))).await;
    assert_eq!(code(socket.closed().await), Some(1009));
    let mut socket = open().await;
    socket.send_message(Message::binary(vec![1])).await;
    assert_eq!(code(socket.closed().await), Some(1003));

    // A close code of the client's own comes back, and pings are answered in the middle of it all.
    let mut socket = open().await;
    socket.send_message(Message::Ping("p".into())).await;
    assert_eq!(socket.message().await, Some(Message::Pong("p".into())));
    socket.send(&create("hello")).await;
    assert_eq!(socket.until(&ENDS).await.last().unwrap()["type"], "response.completed");
    socket.close().await;

    // Below the messages: a reserved bit, no mask, bytes that are no text, and a message in pieces
    // with a ping between them.
    let mask = |head: &[u8], payload: &[u8]| {
        let mut frame = head.to_vec();
        frame.push(0x80 | payload.len() as u8);
        frame.extend([0; 4]);
        frame.extend(payload);
        frame
    };
    for (frame, wanted) in [
        (mask(&[0xC1], b"{}"), 1002),
        (vec![0x81, 2, b'{', b'}'], 1002),
        (mask(&[0x81], &[0xFF, 0xFE]), 1007),
        (mask(&[0x8B], b"x"), 1002),
    ] {
        let mut raw = open().await.into_bytes();
        raw.write_all(&frame).await.unwrap();
        let mut answer = Vec::new();
        raw.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer[0], 0x88, "{frame:?} {answer:?}");
        assert_eq!(u16::from_be_bytes([answer[2], answer[3]]), wanted, "{frame:?}");
    }
    let mut raw = open().await.into_bytes();
    let whole = r#"{"type":"response.steer"}"#.as_bytes();
    raw.write_all(&mask(&[0x01], &whole[..10])).await.unwrap();
    raw.write_all(&mask(&[0x89], b"p")).await.unwrap();
    raw.write_all(&mask(&[0x80], &whole[10..])).await.unwrap();
    let mut answer = vec![0; 512];
    let mut read = 0;
    while !String::from_utf8_lossy(&answer[..read]).contains("unsupported_by_proxy") {
        let more = raw.read(&mut answer[read..]).await.unwrap();
        assert!(more > 0);
        read += more;
    }
    assert_eq!(&answer[..3], [0x8A, 1, b'p']);
    assert_eq!(world.totals().await.pending, NanoUsd::ZERO);
}

#[tokio::test]
async fn a_proxy_that_stops_lets_open_answers_end_and_says_so() {
    let world = World::plain().await;
    let gate = Gate::new();
    world.provider.script([Behaviour::bytes(80).at(At::Event(6), Mishap::Hold(gate.clone()))]);
    let mut idle = Socket::open(world.address, "/v1/responses").await;
    let mut busy = Socket::open(world.address, "/v1/responses").await;
    busy.send(&create("hello")).await;
    busy.until(&["response.output_text.delta"]).await;
    let provider = world.provider.clone();
    let stopping = tokio::spawn(world.stop());
    assert_eq!(u16::from(idle.closed().await.unwrap().code), 1001);
    gate.open();
    assert_eq!(busy.until(&ENDS).await.last().unwrap()["type"], "response.completed");
    assert_eq!(u16::from(busy.closed().await.unwrap().code), 1001);
    let folder = stopping.await.unwrap();
    let store = iron_proxy::state::Store::open(&folder.path().join("state.db")).unwrap();
    assert_eq!(store.totals().unwrap().posted.0, provider.bill().total_nano_usd);
}

#[tokio::test]
async fn a_stopped_agent_loses_its_connections_and_opens_no_others() {
    let world = World::plain().await;
    world.provider.script([Behaviour::bytes(400).at(At::Event(6), Mishap::Hold(Gate::new()))]);
    let mut busy = Socket::open(world.address, "/agent/wild/v1/responses").await;
    busy.send(&create("hello")).await;
    busy.until(&["response.output_text.delta"]).await;
    let mut idle = Socket::open(world.address, "/agent/wild/v1/responses").await;
    let mut other = Socket::open(world.address, "/agent/tame/v1/responses").await;
    let wild = iron_proxy::stops::Whom::Agent("wild".parse().unwrap());
    iron_proxy::state::Store::stop(&world.state(), &wild, 1).unwrap();
    iron_proxy::stops::refresh(&world.shared).await.unwrap();
    for socket in [&mut busy, &mut idle] {
        let told = socket.until(&["error"]).await.pop().unwrap();
        assert_eq!(
            (&told["status"], &told["error"]["code"]),
            (&json!(403), &json!("agent_stopped"))
        );
        assert!(told["error"]["message"].as_str().unwrap().contains("iron start wild"), "{told}");
        assert_eq!(u16::from(socket.closed().await.unwrap().code), 1008);
    }
    other.send(&create("hello")).await;
    assert_eq!(other.until(&ENDS).await.last().unwrap()["type"], "response.completed");
    other.close().await;
    let calls = world.calls().await;
    let cut = calls.iter().find(|call| call.agent == "wild" && call.posted.0 > 0).unwrap();
    assert_eq!((cut.outcome.as_str(), cut.reason.as_str()), ("refused", "agent_stopped"));
    assert!(cut.estimated && cut.posted == cut.reserved);
    assert_eq!(world.totals().await.pending, NanoUsd::ZERO);
    let headers = [("authorization", "Bearer k")];
    let again = Socket::try_open(world.address, "/agent/wild/v1/responses", &headers).await;
    assert_eq!(again.err().unwrap().status().as_u16(), 403);
}

#[tokio::test]
async fn a_connection_over_which_nothing_passes_is_closed_and_one_that_waits_is_not() {
    let world = World::with("[websocket]\nidle_timeout = \"1s\"\n").await;
    let gate = Gate::new();
    world.provider.script([Behaviour::bytes(80).at(At::Event(6), Mishap::Hold(gate.clone()))]);
    let mut waiting = Socket::open(world.address, "/v1/responses").await;
    waiting.send(&create("hello")).await;
    waiting.until(&["response.output_text.delta"]).await;
    let mut idle = Socket::open(world.address, "/v1/responses").await;
    let opened = std::time::Instant::now();
    let told = idle.closed().await.unwrap();
    assert_eq!((u16::from(told.code), told.reason.as_str()), (1000, "nothing passed for too long"));
    assert!(opened.elapsed() >= std::time::Duration::from_millis(900), "{:?}", opened.elapsed());
    gate.open();
    assert_eq!(waiting.until(&ENDS).await.last().unwrap()["type"], "response.completed");
    assert_eq!(u16::from(waiting.closed().await.unwrap().code), 1000);
    assert_eq!(asked(&world).await[0].outcome, "ok");
}

/// A connection whose client has little room for what it does not read.
async fn narrow(world: &World) -> Socket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8 << 10).unwrap();
    let stream = socket.connect(world.address).await.unwrap();
    let host = world.address.to_string();
    let headers = [("authorization", "Bearer k")];
    Socket::over(Box::new(stream), &host, "/v1/responses", &headers).await.ok().unwrap()
}

/// Asks for answers on lanes of their own, which no buffers on the way can hold together.
async fn ask_for_much(world: &World, socket: &mut Socket, lanes: usize) {
    world.provider.always(Behaviour::bytes(60_000));
    for lane in 0..lanes {
        let mut much = create("hello");
        much["max_output_tokens"] = json!(16_000);
        much["stream_id"] = json!(lane.to_string());
        socket.send(&much).await;
    }
}

#[tokio::test]
async fn a_slow_reader_gets_everything_and_one_that_reads_nothing_is_cut_off() {
    let world = World::with("[proxy]\nwrite_timeout = \"1s\"\n").await;
    let mut slow = narrow(&world).await;
    ask_for_much(&world, &mut slow, 1).await;
    let mut count = 0;
    loop {
        let event = slow.event().await;
        if ENDS.contains(&event["type"].as_str().unwrap()) {
            assert_eq!(event["type"], "response.completed");
            break;
        }
        count += 1;
        if count % 1_000 == 0 {
            // Its pace.
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        }
    }
    assert!(count > 10_000, "{count}");
    slow.close().await;
    let call = recorded(&world, 1).await.remove(0);
    assert_eq!(
        (call.outcome.as_str(), call.posted.0),
        ("ok", world.provider.bill().total_nano_usd)
    );

    let mut stuck = narrow(&world).await;
    ask_for_much(&world, &mut stuck, 3).await;
    let cut = recorded(&world, 4).await.split_off(1);
    // The first may have gone into the buffers whole; how much of the others was made is known
    // where the provider still told.
    let last = cut.last().unwrap();
    assert_eq!((last.outcome.as_str(), last.reason.as_str()), ("aborted", "client_gone"));
    assert!(cut.iter().all(|call| call.posted.0 > 0 && call.posted <= call.reserved), "{cut:?}");
    let totals = world.totals().await;
    assert_eq!(totals.pending, NanoUsd::ZERO);
    assert!(totals.posted.0 >= world.provider.bill().total_nano_usd);
}

#[tokio::test]
async fn an_error_that_names_no_lane_gives_nothing_back_where_it_may_be_about_several_requests() {
    let error = json!({"type": "error", "status": 500, "error": {"message": "Something failed."}});
    let failing = || Behaviour::literal(200, "application/json", error.to_string());
    let on = |lane: &str| -> Value {
        let mut body = create("hello");
        body["stream_id"] = json!(lane);
        body
    };
    let world = World::with("[proxy]\non_abort = \"cancel\"\n").await;
    let (held, gate) = Behaviour::hold();
    world.provider.script([held, failing()]);
    let mut socket = Socket::open(world.address, "/v1/responses").await;
    socket.send(&create("hello")).await;
    socket.send(&on("b")).await;
    assert_eq!(socket.event().await, error);
    gate.open();
    assert_eq!(socket.until(&ENDS).await.last().unwrap()["type"], "response.completed");
    socket.close().await;
    let calls = recorded(&world, 2).await;
    let whole = calls.iter().find(|call| call.outcome == "ok").unwrap();
    assert_eq!(whole.posted.0, world.provider.bill().total_nano_usd);
    let unknown = calls.iter().find(|call| call.outcome != "ok").unwrap();
    assert_eq!((unknown.estimated, unknown.posted), (true, unknown.reserved));

    // Where one request alone was not begun, it is about that one.
    let world = World::plain().await;
    let gate = Gate::new();
    let begun = Behaviour::default().at(At::Event(2), Mishap::Hold(gate.clone()));
    world.provider.script([begun, failing()]);
    let mut socket = Socket::open(world.address, "/v1/responses").await;
    socket.send(&create("hello")).await;
    socket.until(&["response.created"]).await;
    socket.send(&on("b")).await;
    socket.until(&["error"]).await;
    gate.open();
    assert_eq!(socket.until(&ENDS).await.last().unwrap()["type"], "response.completed");
    socket.close().await;
    let calls = recorded(&world, 2).await;
    let refused = calls.iter().find(|call| call.outcome == "upstream_error").unwrap();
    assert_eq!((refused.posted, refused.estimated), (NanoUsd::ZERO, false));
    assert_eq!(world.totals().await.posted.0, world.provider.bill().total_nano_usd);
}
