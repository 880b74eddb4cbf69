//! WebSockets: each response is a call, held, redacted, restored and billed like any other.

use iron_cli::simulator::{At, Behaviour, Gate, Mishap, When};
use iron_policy::types::NanoUsd;
use iron_tests::client::CALLER_KEY;
use iron_tests::frames::{END_HEADERS, HEADERS, RST_STREAM, Raw, SETTINGS, fields, frame};
use iron_tests::socket::{Socket, pieces};
use iron_tests::tls;
use iron_tests::world::OPERATOR_KEY;
use iron_tests::{Through, World};
use serde_json::{Value, json};
use tokio::net::TcpStream;

pub(crate) const ENDS: [&str; 3] = ["response.completed", "response.incomplete", "error"];

/// A request for an answer to this text.
pub(crate) fn create(text: &str) -> Value {
    json!({
        "type": "response.create", "model": "gpt-4o-mini", "max_output_tokens": 64, "store": false,
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}],
    })
}

/// The calls that asked for an answer: all but the handshakes.
pub(crate) async fn asked(world: &World) -> Vec<iron_proxy::state::CallRow> {
    world.calls().await.into_iter().filter(|call| call.status != 101).collect()
}

/// Waits until so many calls that asked for an answer are on record.
pub(crate) async fn recorded(world: &World, count: usize) -> Vec<iron_proxy::state::CallRow> {
    for _ in 0..1_000 {
        let calls = asked(world).await;
        if calls.len() >= count {
            return calls;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{:?}", world.calls().await)
}

#[tokio::test]
async fn two_responses_on_one_connection_are_two_calls_to_the_last_nano_dollar() {
    let world = World::plain().await;
    let mut socket = Socket::open(world.address, "/agent/w/v1/responses").await;
    assert_eq!(socket.headers["upgrade"], "websocket");
    socket.send(&create("hello")).await;
    let first = socket.until(&ENDS).await;
    assert_eq!(pieces(&first, "response.output_text.delta"), "You said: hello");
    let id = first.last().unwrap()["response"]["id"].clone();
    let mut next = create("again");
    next["previous_response_id"] = id;
    socket.send(&next).await;
    let second = socket.until(&ENDS).await;
    assert_eq!(second.last().unwrap()["type"], "response.completed");
    socket.close().await;

    let calls = asked(&world).await;
    assert_eq!(calls.len(), 2);
    for call in &calls {
        assert_eq!((call.agent.as_str(), call.outcome.as_str()), ("w", "ok"));
        assert!(!call.estimated && call.posted.0 > 0 && call.posted <= call.reserved);
    }
    // What the provider remembers is bounded by the context window alone.
    assert!(calls[1].reserved > calls[0].reserved);
    let totals = world.totals().await;
    assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd);
    assert_eq!((totals.pending, totals.estimated), (NanoUsd::ZERO, NanoUsd::ZERO));
}

#[tokio::test]
async fn text_is_redacted_in_each_message_and_restored_across_the_pieces_of_answers() {
    let world = World::plain().await;
    let mut socket = Socket::open(world.address, "/v1/responses").await;
    let text = "Mail ada@example.org, please.";
    socket.send(&create(text)).await;
    let events = socket.until(&ENDS).await;
    assert_eq!(pieces(&events, "response.output_text.delta"), format!("You said: {text}"));
    let done = &events.last().unwrap()["response"]["output"][0]["content"][0]["text"];
    assert_eq!(*done, format!("You said: {text}"));
    assert!(!world.last_received().contains("ada@example.org"));
    assert!(world.last_received().contains("response.create"));

    let mut tool = create(&format!("call the tool: {text}"));
    tool["tools"] = json!([{"type": "function", "name": "mail", "parameters":
        {"type": "object", "properties": {"text": {"type": "string"}}}}]);
    socket.send(&tool).await;
    let events = socket.until(&ENDS).await;
    let arguments = pieces(&events, "response.function_call_arguments.delta");
    assert!(arguments.contains("ada@example.org"), "{arguments}");

    // A message of a type that is not known is text all the same.
    socket.send(&json!({"type": "note.of.tomorrow", "what": "ask eve@example.org"})).await;
    assert_eq!(socket.until(&ENDS).await.last().unwrap()["status"], 400);
    assert!(!world.last_received().contains("eve@example.org"), "{}", world.last_received());
    socket.close().await;
}

#[tokio::test]
async fn lanes_are_answered_side_by_side_and_each_keeps_its_own_texts() {
    let world = World::plain().await;
    let mut socket = Socket::open(world.address, "/v1/responses").await;
    let gate = Gate::new();
    world.provider.script([Behaviour::default().at(At::Event(6), Mishap::Hold(gate.clone()))]);
    let on = |lane: &str, text: &str| {
        let mut body = create(text);
        body["stream_id"] = json!(lane);
        body
    };
    socket.send(&on("a", "to ada@example.org")).await;
    let mut events = socket.until(&["response.output_text.delta"]).await;
    socket.send(&on("b", "to bob@example.org")).await;
    events.extend(socket.until(&ENDS).await);
    assert_eq!(events.last().unwrap()["stream_id"], "b");
    gate.open();
    events.extend(socket.until(&ENDS).await);
    for (lane, said) in
        [("a", "You said: to ada@example.org"), ("b", "You said: to bob@example.org")]
    {
        let own: Vec<_> =
            events.iter().filter(|event| event["stream_id"] == lane).cloned().collect();
        assert_eq!(pieces(&own, "response.output_text.delta"), said);
    }
    socket.close().await;
    assert_eq!(asked(&world).await.len(), 2);
    assert_eq!(world.totals().await.posted.0, world.provider.bill().total_nano_usd);
}

#[tokio::test]
async fn a_budget_that_is_used_up_stops_the_message_and_not_the_connection() {
    let world = World::with(
        "[[budget]]\nscope = \"agent:poor\"\nwindow = \"day\"\nlimit = \"0.0002 USD\"\n",
    )
    .await;
    let mut socket = Socket::open(world.address, "/agent/poor/v1/responses").await;
    socket.send(&create("hello")).await;
    assert_eq!(socket.until(&ENDS).await.last().unwrap()["type"], "response.completed");
    let mut large = create("hello");
    large["max_output_tokens"] = json!(16_000);
    large["stream_id"] = json!("lane");
    socket.send(&large).await;
    let refused = socket.event().await;
    assert_eq!(
        (&refused["type"], &refused["status"], &refused["error"]["code"], &refused["stream_id"]),
        (&json!("error"), &json!(402), &json!("insufficient_quota"), &json!("lane"))
    );
    assert!(refused["error"]["message"].as_str().unwrap().contains("agent:poor"));
    socket.send(&create("hello")).await;
    assert_eq!(socket.until(&ENDS).await.last().unwrap()["type"], "response.completed");
    socket.close().await;
    let calls = asked(&world).await;
    let reasons: Vec<_> = calls.iter().map(|call| call.reason.as_str()).collect();
    assert_eq!(reasons, ["ok", "budget_exhausted", "ok"]);
    assert_eq!(world.totals().await.posted.0, world.provider.bill().total_nano_usd);

    // The Codex CLI takes an error event for an HTTP answer, and stops on 400 alone.
    let key = format!("Bearer {CALLER_KEY}");
    let headers = [("authorization", key.as_str()), ("user-agent", "codex_cli_rs/0.150.0")];
    let codex = Socket::try_open(world.address, "/agent/poor/v1/responses", &headers).await;
    let mut codex = codex.ok().unwrap();
    codex.send(&large).await;
    let refused = codex.event().await;
    assert_eq!((&refused["status"], &refused["status_code"]), (&json!(400), &json!(400)));
}

#[tokio::test]
async fn what_the_provider_refuses_costs_nothing_and_is_passed_on() {
    let world = World::plain().await;
    let mut socket = Socket::open(world.address, "/v1/responses").await;
    world.provider.script([Behaviour::status(429)]);
    socket.send(&create("hello")).await;
    let refused = socket.event().await;
    assert_eq!((&refused["type"], &refused["status"]), (&json!("error"), &json!(429)));
    let mut lost = create("hello");
    lost["previous_response_id"] = json!("resp_of_another_connection");
    socket.send(&lost).await;
    assert_eq!(socket.event().await["error"]["code"], "previous_response_not_found");
    let mut prepared = create("hello");
    prepared["generate"] = json!(false);
    socket.send(&prepared).await;
    assert_eq!(socket.until(&ENDS).await.last().unwrap()["type"], "response.completed");
    socket.close().await;
    let calls = asked(&world).await;
    let posted: Vec<_> =
        calls.iter().map(|call| (call.outcome.as_str(), call.posted.0 > 0)).collect();
    assert_eq!(posted, [("upstream_error", false), ("upstream_error", false), ("ok", true)]);
    assert_eq!(world.totals().await.posted.0, world.provider.bill().total_nano_usd);
}

#[tokio::test]
async fn what_cannot_be_held_for_or_read_is_refused_and_the_connection_goes_on() {
    let world = World::with(
        "[[route]]\nmodel = \"gpt-5*\"\nupstream = \"anthropic\"\n[redact.kinds]\nIBAN = \"block\"\n",
    )
    .await;
    let mut socket = Socket::open(world.address, "/v1/responses").await;
    let mut unpriced = create("hello");
    unpriced["model"] = json!("model-of-nobody");
    for (message, code) in [
        (unpriced.to_string(), "unpriced_model"),
        (
            r#"{"type":"response.steer","input":"x","previous_response_id":"r"}"#.into(),
            "unsupported_by_proxy",
        ),
        (r#"{"type":"response.create","response":{"model":"gpt-4o-mini"}}"#.into(), "invalid_body"),
        (r#"{"type":"response.create","type":"x"}"#.into(), "invalid_body"),
        ("no json".into(), "invalid_body"),
        (create("pay DE89 3704 0044 0532 0130 00 now").to_string(), "policy_violation"),
        (
            json!({"type": "x", "y": "pay DE89 3704 0044 0532 0130 00"}).to_string(),
            "policy_violation",
        ),
    ] {
        socket.send_text(&message).await;
        let refused = socket.event().await;
        assert_eq!(refused["error"]["code"], code, "{message} {refused}");
        assert_eq!(refused["headers"]["x-iron-refused-by"], "proxy");
    }
    socket.send(&create("hello")).await;
    assert_eq!(socket.until(&ENDS).await.last().unwrap()["type"], "response.completed");
    // Only the handshake and the last message reached the provider.
    assert_eq!(world.provider.counts().received, 2);
    socket.close().await;
}

#[tokio::test]
async fn a_client_that_goes_away_or_a_provider_that_dies_ends_the_call_as_it_then_is() {
    let world = World::plain().await;
    world.provider.script([Behaviour::bytes(400).at(At::Event(6), Mishap::Hold(Gate::new()))]);
    let mut socket = Socket::open(world.address, "/v1/responses").await;
    socket.send(&create("hello")).await;
    socket.until(&["response.output_text.delta"]).await;
    drop(socket);
    let gone = recorded(&world, 1).await.remove(0);
    assert_eq!((gone.outcome.as_str(), gone.reason.as_str()), ("aborted", "client_gone"));
    assert!(gone.estimated && gone.posted == gone.reserved);

    world.provider.script([Behaviour::bytes(400).at(At::Event(6), Mishap::Close)]);
    let mut socket = Socket::open(world.address, "/v1/responses").await;
    socket.send(&create("hello")).await;
    let closed = socket.closed().await.unwrap();
    assert_eq!(u16::from(closed.code), 1011);
    let died = recorded(&world, 2).await.remove(1);
    assert_eq!((died.outcome.as_str(), died.reason.as_str()), ("failed", "upstream_reset"));
    assert!(died.estimated && died.posted == died.reserved);
    let totals = world.totals().await;
    assert_eq!(totals.pending, NanoUsd::ZERO);
    assert!(totals.posted.0 >= world.provider.bill().total_nano_usd);

    // On a connection over which nothing was asked, nothing is charged.
    Socket::open(world.address, "/v1/responses").await.close().await;
    assert_eq!(asked(&world).await.len(), 2);
}

#[tokio::test]
async fn an_answer_is_read_on_for_its_usage_where_the_policy_says_so() {
    let world = World::with("[proxy]\non_abort = \"drain\"\n").await;
    let gate = Gate::new();
    world.provider.script([Behaviour::bytes(200).at(At::Event(6), Mishap::Hold(gate.clone()))]);
    let mut socket = Socket::open(world.address, "/v1/responses").await;
    socket.send(&create("hello")).await;
    socket.until(&["response.output_text.delta"]).await;
    drop(socket);
    gate.open();
    let call = recorded(&world, 1).await.remove(0);
    assert_eq!((call.outcome.as_str(), call.estimated), ("aborted", false));
    assert_eq!(call.posted.0, world.provider.bill().total_nano_usd);
}

#[tokio::test]
async fn who_may_connect_is_decided_as_for_a_call() {
    let world = World::with(
        "[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url = \"{provider}\"\n\
         api_key_env = \"STORY_KEY\"\n\
         [[upstream]]\nname = \"shy\"\ndialect = \"openai\"\nbase_url = \"{provider}\"\nwebsocket = \"refuse\"\n\
         [[upstream]]\nname = \"nowhere\"\ndialect = \"openai\"\nbase_url = \"http://127.0.0.1:9\"\n\
         [[upstream]]\nname = \"anthropic\"\ndialect = \"anthropic\"\nbase_url = \"{provider}\"\n",
    )
    .await;
    let refused = async |path: &str, headers: &[(&'static str, &str)]| {
        let answer = Socket::try_open(world.address, path, headers).await.err().unwrap();
        let body: Value = serde_json::from_slice(answer.body().as_deref().unwrap_or_default())
            .unwrap_or_default();
        (answer.status().as_u16(), body["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    let is = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(refused("/shy/v1/responses", &[]).await, is(426, "websocket_unsupported"));
    assert_eq!(refused("/v1/chat/completions", &[]).await, is(426, "websocket_unsupported"));
    assert_eq!(refused("/anthropic/v1/messages", &[]).await, is(426, "websocket_unsupported"));
    assert_eq!(refused("/nowhere/v1/responses", &[]).await, is(502, "upstream_connect"));
    let foreign = [("origin", "https://evil.example")];
    assert_eq!(refused("/v1/responses", &foreign).await, is(403, "foreign_page"));
    assert_eq!(refused("/v1/realtime", &[]).await, is(400, "invalid_body"));
    assert_eq!(refused("/v1/realtime?model=model-of-nobody", &[]).await, is(403, "unpriced_model"));
    let joined = "/v1/realtime?model=gpt-realtime&call_id=c";
    assert_eq!(refused(joined, &[]).await, is(400, "unsupported_by_proxy"));
    assert_eq!(world.provider.counts().received, 0);

    // The upstream's own refusal is passed on as what it is.
    let down = When::Path("upgrade:/v1/responses".into());
    world.provider.script_when(down, [Behaviour::status(503).header("retry-after", "7")]);
    let answer = Socket::try_open(world.address, "/v1/responses", &[]).await.err().unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (503, &"7".parse().unwrap())
    );

    // A page on this machine sends its key as a protocol, which must not go on as one.
    let offered = "realtime, openai-insecure-api-key.secret-of-the-page, openai-beta.realtime-v1";
    let headers = [("sec-websocket-protocol", offered), ("origin", "http://localhost:3000")];
    let socket = Socket::try_open(world.address, "/v1/realtime?model=gpt-realtime", &headers).await;
    let socket = socket.ok().unwrap();
    assert_eq!(socket.headers["sec-websocket-protocol"], "realtime");
    socket.close().await;
    let received = world.provider.received().pop().unwrap();
    assert_eq!(received.headers["authorization"], format!("Bearer {OPERATOR_KEY}"));
    assert!(!format!("{:?}", received.headers).contains("secret-of-the-page"));
    assert!(!received.headers.contains_key("sec-websocket-extensions"));
}

#[tokio::test]
async fn an_offer_of_another_protocol_is_left_aside() {
    let world = World::plain().await;
    let client = world.client().header("connection", "upgrade").header("upgrade", "h2c");
    assert_eq!(client.chat("hello").await.status, 200);
}

#[tokio::test]
async fn a_websocket_over_http2_is_not_announced_and_refused_at_once() {
    let world = World::plain().await;
    let mut raw = Raw::connect(world.address, &[]).await;
    let head = fields(&[
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", "/v1/responses"),
        ("sec-websocket-version", "13"),
    ]);
    assert!(raw.send(&frame(HEADERS, END_HEADERS, 1, &head)).await);
    let frames = raw.finish().await;
    let refused = frames.iter().any(|frame| frame.kind == RST_STREAM && frame.stream == 1);
    assert!(refused, "{:?}", frames.iter().map(|frame| frame.kind).collect::<Vec<_>>());
    // SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441, section 3).
    let settings = frames.iter().filter(|frame| frame.kind == SETTINGS);
    let announced =
        settings.flat_map(|frame| frame.payload.chunks(6)).any(|one| one[..2] == [0, 8]);
    assert!(!announced);
    assert_eq!(world.provider.counts().received, 0);
}

#[tokio::test]
async fn tls_to_the_port_and_inside_a_connect_carry_the_same_connection() {
    let issuer = tls::Issuer::default();
    // The provider is reached over TLS as well.
    let world = World::over_tls(
        "[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url = \"{provider}\"\n\
         hosts = [\"api.openai.com\"]\n",
        &issuer,
    )
    .await;
    let ca = tls::roots(&world.authority().certificate());
    let plain = TcpStream::connect(world.address).await.unwrap();
    let config = tls::client(ca, &[b"http/1.1"]);
    let port = tls::connect(plain, "localhost", config).await.unwrap();
    let through = Through::new(&world).named("nightly:run=r-1");
    let inside = through.tls("api.openai.com:443", "api.openai.com", &["http/1.1"]).await.unwrap();
    let key = format!("Bearer {CALLER_KEY}");
    let headers = [("authorization", key.as_str())];
    let port = Socket::over(Box::new(port), "localhost", "/v1/responses", &headers).await;
    let inside = Socket::over(Box::new(inside), "api.openai.com", "/v1/responses", &headers).await;
    for mut socket in [port.ok().unwrap(), inside.ok().unwrap()] {
        socket.send(&create("mail ada@example.org")).await;
        let events = socket.until(&ENDS).await;
        assert_eq!(pieces(&events, "response.output_text.delta"), "You said: mail ada@example.org");
        assert!(!world.last_received().contains("ada@example.org"));
        socket.close().await;
    }
    let calls = asked(&world).await;
    let told: Vec<_> =
        calls.iter().map(|call| (call.agent.as_str(), call.run.as_deref())).collect();
    assert_eq!(told, [("default", None), ("nightly", Some("r-1"))]);
    assert!(calls.iter().all(|call| call.outcome == "ok" && !call.estimated));
    assert_eq!(world.totals().await.posted.0, world.provider.bill().total_nano_usd);
}

#[tokio::test]
async fn findings_in_answers_are_kept_back_and_the_connection_goes_on() {
    let world = World::with("[redact]\nanswers = \"block\"\n").await;
    let mut socket = Socket::open(world.address, "/v1/responses").await;
    world.provider.script([Behaviour::say("Pay\nto DE89370400440532013000\nat once")]);
    let mut body = create("hello");
    body["stream_id"] = json!("lane");
    socket.send(&body).await;
    let mut events = socket.until(&ENDS).await;
    let told = events.pop().unwrap();
    assert_eq!(
        (&told["status"], &told["error"]["code"], &told["stream_id"]),
        (&json!(403), &json!("policy_violation"), &json!("lane"))
    );
    assert!(told["error"]["message"].as_str().unwrap().contains("IBAN"), "{told}");
    socket.send(&create("hello")).await;
    events.extend(socket.until(&ENDS).await);
    assert_eq!(events.last().unwrap()["type"], "response.completed");
    assert!(!format!("{events:?}").contains("DE89"), "{events:?}");
    socket.close().await;
    let calls = asked(&world).await;
    let reasons: Vec<_> = calls.iter().map(|call| call.reason.as_str()).collect();
    assert_eq!(reasons, ["answer_blocked", "ok"]);
    assert_eq!(calls[0].answer_findings, json!({"IBAN": 1}));
    // What was kept back is paid for all the same.
    let totals = world.totals().await;
    assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd);
    assert_eq!((totals.pending, totals.estimated), (NanoUsd::ZERO, NanoUsd::ZERO));
}

#[tokio::test]
async fn a_response_that_costs_what_was_reserved_is_incomplete_and_ends_the_connection() {
    let world = World::plain().await;
    // It makes no more at once than what is read of it.
    let pace = std::time::Duration::from_millis(1);
    world.provider.always(Behaviour::bytes(40_000).beyond_limit().gap(pace));
    let mut socket = Socket::open(world.address, "/v1/responses").await;
    let mut body = create("write to ada@example.org");
    body["stream_id"] = json!("lane");
    socket.send(&body).await;
    let events = socket.until(&ENDS).await;
    let [before, last] = &events[events.len() - 2..] else { panic!() };
    assert_eq!(
        (&last["type"], &last["stream_id"]),
        (&json!("response.incomplete"), &json!("lane"))
    );
    let response = &last["response"];
    assert_eq!(
        (&response["status"], &response["id"]),
        (&json!("incomplete"), &events[0]["response"]["id"])
    );
    assert_eq!(response["incomplete_details"]["reason"], "max_output_tokens");
    assert!(response["usage"]["output_tokens"].as_u64().unwrap() > 64, "{response}");
    let number = |event: &Value| event["sequence_number"].as_u64().unwrap();
    assert_eq!(number(last), number(before) + 1);
    assert_eq!(u16::from(socket.closed().await.unwrap().code), 1008);
    world.provider.until(|counts| counts.cancelled == 1).await;
    let call = &recorded(&world, 1).await[0];
    assert_eq!((call.outcome.as_str(), call.reason.as_str()), ("ok", "reservation_spent"));
    assert_eq!((call.estimated, call.posted), (true, call.reserved));
    let bill = world.provider.bill().total_nano_usd;
    assert!(bill < 3 * call.reserved.0, "{bill} billed, {} reserved", call.reserved.0);
    assert_eq!(world.totals().await.pending, NanoUsd::ZERO);
}

#[tokio::test]
async fn responses_count_as_repetitions_and_as_spending() {
    let world = World::with("[runaway]\nrepeats = 3\n").await;
    let mut socket = Socket::open(world.address, "/v1/responses").await;
    for lane in ["a", "b", "c"] {
        let mut body = create("hello");
        body["stream_id"] = json!(lane);
        socket.send(&body).await;
        assert_eq!(socket.until(&ENDS).await.last().unwrap()["type"], "response.completed");
    }
    socket.send(&create("hello")).await;
    let caught = socket.event().await;
    assert_eq!(
        (&caught["error"]["code"], &caught["status"]),
        (&json!("loop_detected"), &json!(403)),
        "{caught}"
    );
    // The same over HTTP is the same.
    let posted = world.client().post("/v1/responses", &create("hello")).await;
    assert_eq!(posted.code(), "loop_detected", "{}", posted.text());
    // What only prepares, and another question, go on.
    let mut prepared = create("hello");
    prepared["generate"] = json!(false);
    for body in [prepared, create("else")] {
        socket.send(&body).await;
        assert_eq!(socket.until(&ENDS).await.last().unwrap()["type"], "response.completed");
    }
    socket.close().await;

    let bound = recorded(&world, 1).await[0].reserved;
    let limit = NanoUsd(bound.0 + bound.0 / 2);
    let world = World::with(&format!("[runaway]\nspend_per_minute = \"{limit}\"\n")).await;
    let (held, gate) = Behaviour::hold();
    world.provider.always(held);
    let mut socket = Socket::open(world.address, "/v1/responses").await;
    socket.send(&create("hello")).await;
    let mut second = create("hello");
    second["stream_id"] = json!("lane");
    socket.send(&second).await;
    let fast = socket.until(&["error"]).await.pop().unwrap();
    assert_eq!(
        (&fast["error"]["code"], &fast["status"], &fast["stream_id"]),
        (&json!("spend_rate"), &json!(429), &json!("lane")),
        "{fast}"
    );
    gate.open();
    assert_eq!(socket.until(&ENDS).await.last().unwrap()["type"], "response.completed");
    socket.close().await;
}
