//! The Realtime API: money is held before the model may answer, whoever starts the answer.

use iron_cli::simulator::{At, Behaviour, Gate, Mishap};
use iron_policy::types::NanoUsd;
use iron_tests::World;
use iron_tests::socket::{Socket, pieces};
use serde_json::{Value, json};

const PATH: &str = "/agent/voice/v1/realtime?model=gpt-realtime";
const ENDS: [&str; 2] = ["response.done", "error"];
/// A second of sound, and of silence, in base64.
const SOUND: u8 = 7;
const SILENCE: u8 = 0;

fn audio(of: u8) -> Value {
    // Three bytes are four letters: 48,000 bytes of one value.
    let letters = if of == SILENCE { "AAAA" } else { "BwcH" };
    json!({"type": "input_audio_buffer.append", "audio": letters.repeat(16_000)})
}

fn said(text: &str) -> Value {
    json!({"type": "conversation.item.create", "item": {"type": "message", "role": "user",
        "content": [{"type": "input_text", "text": text}]}})
}

async fn written(world: &World) -> Socket {
    let mut socket = Socket::open(world.address, PATH).await;
    assert_eq!(socket.event().await["type"], "session.created");
    let session =
        json!({"type": "realtime", "output_modalities": ["text"], "max_output_tokens": 64});
    socket.send(&json!({"type": "session.update", "session": session})).await;
    assert_eq!(socket.event().await["type"], "session.updated");
    socket
}

async fn asked(world: &World) -> Vec<iron_proxy::state::CallRow> {
    world.calls().await.into_iter().filter(|call| call.status != 101).collect()
}

#[tokio::test]
async fn a_written_conversation_is_redacted_restored_and_billed_by_the_response() {
    let world = World::plain().await;
    let mut socket = written(&world).await;
    for _ in 0..2 {
        socket.send(&said("Mail ada@example.org, please.")).await;
        let echo = socket.until(&["conversation.item.done"]).await;
        // What the provider repeats is the client's own again.
        let item = &echo.last().unwrap()["item"]["content"][0]["text"];
        assert_eq!(*item, "Mail ada@example.org, please.");
        socket.send(&json!({"type": "response.create"})).await;
        let events = socket.until(&ENDS).await;
        let text = pieces(&events, "response.output_text.delta");
        assert_eq!(text, "You said: Mail ada@example.org, please.");
        let whole = &events.last().unwrap()["response"]["output"][0]["content"][0]["text"];
        assert_eq!(*whole, text.as_str());
    }
    socket.close().await;
    for call in world.provider.received() {
        assert!(!call.text().contains("ada@example.org"), "{}", call.text());
    }
    let calls = asked(&world).await;
    assert_eq!(calls.len(), 2);
    for call in &calls {
        assert_eq!((call.outcome.as_str(), call.model.as_str()), ("ok", "gpt-realtime"));
        assert!(!call.estimated && call.posted.0 > 0 && call.posted <= call.reserved);
    }
    let totals = world.totals().await;
    assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd);
    assert_eq!((totals.pending, totals.estimated), (NanoUsd::ZERO, NanoUsd::ZERO));
}

#[tokio::test]
async fn a_pause_in_speech_starts_a_response_for_which_money_was_held() {
    let world = World::plain().await;
    let mut socket = Socket::open(world.address, PATH).await;
    for turn in 1..=2 {
        socket.send(&audio(SOUND)).await;
        socket.send(&audio(SILENCE)).await;
        let events = socket.until(&ENDS).await;
        let transcript = pieces(&events, "response.output_audio_transcript.delta");
        assert_eq!(transcript, "You said: 96000 bytes of audio");
        assert!(events.iter().any(|event| event["type"] == "response.output_audio.delta"));
        assert_eq!(events.last().unwrap()["type"], "response.done", "{turn}");
    }
    socket.close().await;
    let calls = asked(&world).await;
    let reasons: Vec<_> =
        calls.iter().map(|call| (call.reason.as_str(), call.posted.0 > 0)).collect();
    // The third was held in advance, and was not needed.
    assert_eq!(reasons, [("ok", true), ("ok", true), ("not_needed", false)]);
    let totals = world.totals().await;
    assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd);
    assert_eq!((totals.pending, totals.estimated), (NanoUsd::ZERO, NanoUsd::ZERO));
}

#[tokio::test]
async fn without_money_for_the_next_response_the_one_under_way_is_the_last() {
    // A response that may read a whole context of sound costs up to 1.29 USD.
    let world =
        World::with("[[budget]]\nscope = \"agent:voice\"\nwindow = \"day\"\nlimit = \"2 USD\"\n")
            .await;
    let gate = Gate::new();
    world.provider.script([Behaviour::default().at(At::Event(3), Mishap::Hold(gate.clone()))]);
    let mut socket = Socket::open(world.address, PATH).await;
    socket.send(&audio(SOUND)).await;
    socket.send(&audio(SILENCE)).await;
    let refused = socket.until(&["error"]).await;
    assert_eq!(refused.last().unwrap()["error"]["code"], "insufficient_quota");
    // The handshake, two pieces of audio, and what the proxy itself says.
    world.provider.until(|counts| counts.received == 4).await;
    let last = world.last_received();
    assert!(last.contains("input_audio_buffer.clear") && last.len() < 100);
    gate.open();
    let events = socket.until(&["response.done"]).await;
    assert_eq!(events.last().unwrap()["response"]["status"], "completed");
    assert_eq!(u16::from(socket.closed().await.unwrap().code), 1008);
    let totals = world.totals().await;
    assert_eq!(totals.posted.0, world.provider.bill().total_nano_usd);
    assert_eq!(totals.pending, NanoUsd::ZERO);

    // With less than that no sound goes out at all.
    let world =
        World::with("[[budget]]\nscope = \"agent:voice\"\nwindow = \"day\"\nlimit = \"1 USD\"\n")
            .await;
    let mut socket = Socket::open(world.address, PATH).await;
    socket.send(&audio(SOUND)).await;
    let refused = socket.until(&["error"]).await;
    assert_eq!(refused.last().unwrap()["error"]["code"], "insufficient_quota");
    assert_eq!(u16::from(socket.closed().await.unwrap().code), 1008);
    assert_eq!(world.provider.counts().received, 1);
    // What is written is bounded by what was written, and can be paid for.
    let mut socket = written(&world).await;
    socket.send(&said("hello")).await;
    socket.send(&json!({"type": "response.create"})).await;
    assert_eq!(socket.until(&ENDS).await.last().unwrap()["type"], "response.done");
    socket.close().await;
}

#[tokio::test]
async fn what_has_no_bound_is_refused_with_the_event_that_it_is_about() {
    let world = World::plain().await;
    let mut socket = written(&world).await;
    let before = world.provider.counts().received;
    let update =
        |session: Value| json!({"type": "session.update", "event_id": "e7", "session": session});
    for event in [
        update(json!({"audio": {"input": {"transcription": {"model": "whisper-1"}}}})),
        update(json!({"input_audio_transcription": {"model": "whisper-1"}})),
        update(json!({"tools": [{"type": "mcp", "server_label": "s", "server_url": "https://x"}]})),
        update(json!({"model": "gpt-realtime-2"})),
        update(json!({"type": "transcription"})),
        json!({"type": "transcription_session.update", "event_id": "e7"}),
        json!({"type": "response.of_tomorrow", "event_id": "e7"}),
    ] {
        socket.send(&event).await;
        let refused = socket.event().await;
        assert_eq!(
            (&refused["error"]["code"], &refused["error"]["event_id"]),
            (&json!("unsupported_by_proxy"), &json!("e7")),
            "{event}"
        );
    }
    assert_eq!(world.provider.counts().received, before);
    // A request that the provider refuses costs nothing.
    world.provider.script([Behaviour::status(400)]);
    socket.send(&json!({"type": "response.create"})).await;
    assert_eq!(socket.event().await["type"], "error");
    socket.close().await;
    let totals = world.totals().await;
    assert_eq!((totals.posted, totals.pending), (NanoUsd::ZERO, NanoUsd::ZERO));
}

#[tokio::test]
async fn a_response_that_is_cancelled_or_cut_off_is_charged_as_it_then_is() {
    let world = World::plain().await;
    let mut socket = written(&world).await;
    let gate = Gate::new();
    world.provider.script([Behaviour::bytes(400).at(At::Event(5), Mishap::Hold(gate.clone()))]);
    socket.send(&json!({"type": "response.create"})).await;
    socket.until(&["response.output_text.delta"]).await;
    socket.send(&json!({"type": "response.cancel"})).await;
    let seen = world.provider.counts().received;
    world.provider.until(|counts| counts.received >= seen).await;
    gate.open();
    socket.until(&["response.done"]).await;
    assert_eq!(world.totals().await.posted.0, world.provider.bill().total_nano_usd);

    world.provider.script([Behaviour::bytes(400).at(At::Event(5), Mishap::Close)]);
    socket.send(&json!({"type": "response.create"})).await;
    assert_eq!(u16::from(socket.closed().await.unwrap().code), 1011);
    let calls = asked(&world).await;
    let died = calls.last().unwrap();
    assert_eq!((died.outcome.as_str(), died.reason.as_str()), ("failed", "upstream_reset"));
    assert!(died.estimated && died.posted == died.reserved);
    assert_eq!(world.totals().await.pending, NanoUsd::ZERO);
}

#[tokio::test]
async fn a_spoken_response_that_is_never_announced_is_charged_whole() {
    let unannounced = |mishap| Behaviour::default().at(At::Head, mishap);
    // The provider leaves, politely or not, after it has heard a turn to its end.
    for mishap in [Mishap::Part, Mishap::Close] {
        let world = World::plain().await;
        world.provider.script([unannounced(mishap.clone())]);
        let mut socket = Socket::open(world.address, PATH).await;
        socket.send(&audio(SOUND)).await;
        socket.send(&audio(SILENCE)).await;
        socket.until(&["input_audio_buffer.committed"]).await;
        socket.closed().await;
        charged_whole(&world, "upstream_reset", &format!("{mishap:?}")).await;
    }

    // The client leaves while the answer is due, and the provider says farewell.
    let world = World::plain().await;
    world.provider.script([unannounced(Mishap::Hold(Gate::new()))]);
    let mut socket = Socket::open(world.address, PATH).await;
    socket.send(&audio(SOUND)).await;
    socket.send(&audio(SILENCE)).await;
    socket.until(&["input_audio_buffer.committed"]).await;
    socket.close().await;
    charged_whole(&world, "client_gone", "left by the client").await;

    // In the middle of a turn, which a provider that says farewell did not answer.
    let world = World::plain().await;
    let mut socket = Socket::open(world.address, PATH).await;
    socket.send(&audio(SOUND)).await;
    socket.until(&["input_audio_buffer.speech_started"]).await;
    socket.close().await;
    let call = ended(&world).await;
    assert_eq!((call.reason.as_str(), call.posted), ("not_needed", NanoUsd::ZERO));
    assert_eq!(world.totals().await.pending, NanoUsd::ZERO);
}

/// Waits for the one call of a world that asked for an answer, or might have.
async fn ended(world: &World) -> iron_proxy::state::CallRow {
    for _ in 0..1_000 {
        if let Some(call) = asked(world).await.pop() {
            return call;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{:?}", world.calls().await)
}

async fn charged_whole(world: &World, reason: &str, what: &str) {
    let call = ended(world).await;
    assert_eq!(call.reason, reason, "{what}");
    assert!(call.estimated && call.posted.0 > 0 && call.posted == call.reserved, "{what} {call:?}");
    let totals = world.totals().await;
    assert_eq!(totals.pending, NanoUsd::ZERO, "{what}");
    assert!(totals.posted.0 >= world.provider.bill().total_nano_usd, "{what}");
}
