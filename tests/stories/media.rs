//! Images, speech and recordings: priced to the nano-USD, redacted, and passed on as they come.

use iron_cli::simulator::{At, Behaviour, Mishap};
use iron_policy::types::NanoUsd;
use iron_tests::World;
use iron_tests::client::{Answer, Client, data};
use serde_json::{Value, json};

const BUDGET: &str = "[[budget]]\nscope = \"organisation\"\nwindow = \"day\"\nlimit = \"1 USD\"\n";

/// A WAV file of so many seconds, 16-bit at 8 kHz in one channel; the header is taken off the sound.
fn wav(seconds: usize) -> Vec<u8> {
    let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    file.extend(8_000_u32.to_le_bytes());
    file.extend(16_000_u32.to_le_bytes());
    file.extend([2, 0, 16, 0]);
    file.extend(b"data\0\0\0\0");
    file.resize(16_000 * seconds, 0x80);
    file
}

async fn form(client: &Client, path: &str, fields: &[(&str, &str)], file: (&str, &[u8])) -> Answer {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                .into_bytes(),
        );
    }
    let (head, content) = file;
    body.extend(format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n").into_bytes());
    body.extend(content);
    body.extend(b"\r\n--b--\r\n");
    let client = client.clone().header("content-type", "multipart/form-data; boundary=b");
    client.post_bytes(path, body).await
}

const SOUND: &str = "name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav";
const PICTURE: &str = "name=\"image\"; filename=\"a.png\"\r\nContent-Type: image/png";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\xff";

/// What was posted is what was billed, and nothing is left open.
async fn exact(world: &World) {
    let totals = world.totals().await;
    let bill = world.provider.bill().total_nano_usd;
    assert!(bill > 0);
    assert_eq!((totals.posted.0, totals.pending.0, totals.estimated.0), (bill, 0, 0));
    assert!(
        world.calls().await.iter().all(|call| call.reserved >= call.posted),
        "a bound was none"
    );
}

#[tokio::test]
async fn images_are_charged_by_their_tokens_and_prompts_are_put_back() {
    let world = World::with(BUDGET).await;
    let client = world.client();
    let prompt = "a portrait of ada@example.org";
    for (model, quality, count) in
        [("gpt-image-1", "low", 1), ("gpt-image-1.5", "high", 2), ("gpt-image-1", "medium", 3)]
    {
        let body = json!({"model": model, "prompt": prompt, "n": count, "quality": quality,
            "size": "1024x1024"});
        let answer = client.post("/v1/images/generations", &body).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
        assert!(!world.last_received().contains("ada@"));
        let images = answer.json()["data"].as_array().unwrap().clone();
        assert_eq!(images.len(), count);
        assert_eq!(images[0]["revised_prompt"], format!("You said: {prompt}"));
        exact(&world).await;
    }
    let call = world.calls().await.pop().unwrap();
    assert_eq!(call.endpoint, "images/generations");
    assert_eq!(call.usage["image_output"], 3 * 1_056);
}

#[tokio::test]
async fn a_large_image_passes_byte_for_byte() {
    let world = World::with(BUDGET).await;
    let client = world.client();
    // A placeholder was issued, so that answers are read for it.
    client.chat("mail ada@example.org").await;
    world.provider.script([Behaviour::bytes(6 << 20)]);
    let body = json!({"model": "gpt-image-1", "prompt": "large", "quality": "low"});
    let answer = client.post("/v1/images/generations", &body).await;
    let picture = answer.json()["data"][0]["b64_json"].as_str().unwrap().len();
    assert_eq!(picture, (6_usize << 20).div_ceil(3) * 4);
    exact(&world).await;
}

#[tokio::test]
async fn images_in_a_stream_are_settled_at_its_end_and_whole_where_it_breaks() {
    let world = World::with(BUDGET).await;
    let client = world.client();
    let body = json!({"model": "gpt-image-1", "prompt": "p", "quality": "low", "stream": true,
        "partial_images": 2});
    let stream = client.stream("/v1/images/generations", &body).await.rest().await;
    let kinds: Vec<Value> = data(&stream).iter().map(|event| event["type"].clone()).collect();
    assert_eq!(kinds.len(), 3, "{kinds:?}");
    assert_eq!(kinds[2], "image_generation.completed");
    exact(&world).await;
    world.provider.script([Behaviour::default().at(At::Event(1), Mishap::Close)]);
    client.stream("/v1/images/generations", &body).await.rest().await;
    let call = world.calls().await.pop().unwrap();
    assert!(call.estimated && call.posted == call.reserved, "{call:?}");
}

#[tokio::test]
async fn edits_take_images_as_media_and_redact_the_prompt() {
    let world = World::with(BUDGET).await;
    let client = world.client();
    let fields = [("model", "gpt-image-1"), ("prompt", "as ada@example.org"), ("quality", "low")];
    let answer = form(&client, "/v1/images/edits", &fields, (PICTURE, PNG)).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    let sent = &world.provider.received()[0].body;
    assert!(sent.windows(PNG.len()).any(|window| window == PNG), "the image is as it was");
    assert!(world.last_received().contains("as <EMAIL_"));
    assert_eq!(answer.json()["data"][0]["revised_prompt"], "You said: as ada@example.org");
    exact(&world).await;
    // A second model would be another reader's first.
    let twice = [("model", "gpt-image-1-mini"), ("model", "gpt-image-1")];
    let answer = form(&client, "/v1/images/edits", &twice, (PICTURE, PNG)).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "invalid_body"));
    let json = client.post("/v1/images/edits", &json!({"model": "gpt-image-1"})).await;
    assert_eq!(json.status.as_u16(), 415);
}

#[tokio::test]
async fn images_by_the_piece_need_a_price_of_the_operators() {
    let body = json!({"model": "dall-e-3", "prompt": "p", "n": 2});
    let world = World::plain().await;
    let answer = world.client().post("/v1/images/generations", &body).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "unpriced_model"));
    assert!(world.provider.received().is_empty());
    let world = World::with("[[price]]\nmodel = \"dall-e-3\"\nimage = \"0.04 USD\"\n").await;
    let answer = world.client().post("/v1/images/generations", &body).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    assert_eq!(world.totals().await.posted, NanoUsd(80_000_000));
    exact(&world).await;
    // No tokens are charged by it.
    let answer = world
        .client()
        .post(
            "/v1/chat/completions",
            &json!({"model": "dall-e-3", "messages": [], "max_tokens": 1}),
        )
        .await;
    assert_eq!(answer.code(), "unpriced_model");
}

#[tokio::test]
async fn speech_is_charged_by_the_character_and_passes_as_it_comes() {
    let world = World::with(BUDGET).await;
    let (held, gate) = {
        let gate = iron_cli::simulator::Gate::new();
        (Behaviour::default().at(At::Byte(2_000), Mishap::Hold(gate.clone())), gate)
    };
    world.provider.script([held]);
    let body = json!({"model": "tts-1", "voice": "alloy", "input": "to ada@example.org"});
    let mut sound = world.client().stream("/v1/audio/speech", &body).await;
    let mut came = sound.next().await.unwrap().to_vec();
    assert!(came.starts_with(b"\x01sound of to <EMAIL_"), "what is spoken is redacted");
    assert_eq!(world.totals().await.posted, NanoUsd::ZERO, "the call is still open");
    gate.open();
    while let Some(bytes) = sound.next().await {
        came.extend(bytes);
    }
    assert_eq!(came.len(), 5_000);
    exact(&world).await;
    assert!(world.calls().await[0].usage["character"].as_u64().unwrap() > 3);

    // Broken off, it breaks off here too, and is charged whole.
    world.provider.script([Behaviour::default().at(At::Byte(1_500), Mishap::Close)]);
    assert!(world.client().try_post("/v1/audio/speech", &body).await.is_err());
    let call = world.calls().await.pop().unwrap();
    assert!(call.estimated && call.posted == call.reserved, "{call:?}");
}

#[tokio::test]
async fn a_client_that_leaves_a_speech_pays_for_it() {
    let world = World::with(BUDGET).await;
    let gate = iron_cli::simulator::Gate::new();
    world.provider.script([Behaviour::default().at(At::Byte(2_000), Mishap::Hold(gate))]);
    let body = json!({"model": "tts-1", "voice": "alloy", "input": "a long one"});
    let mut sound = world.client().stream("/v1/audio/speech", &body).await;
    assert!(sound.next().await.is_some());
    drop(sound);
    world.provider.until(|counts| counts.cancelled == 1).await;
    while world.calls().await.is_empty() {
        tokio::task::yield_now().await;
    }
    let call = world.calls().await.remove(0);
    assert_eq!((call.reason.as_str(), call.estimated), ("client_gone", true));
    assert_eq!(call.posted, call.reserved);
}

#[tokio::test]
async fn a_moderation_takes_images_as_they_are() {
    let world = World::plain().await;
    let picture = "data:image/png;base64,YWRhQGV4YW1wbGUub3Jn";
    let body = json!({"model": "omni-moderation-latest", "input": [
        {"type": "text", "text": "of ada@example.org"},
        {"type": "image_url", "image_url": {"url": picture}},
    ]});
    let answer = world.client().post("/v1/moderations", &body).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    let sent: Value = serde_json::from_str(&world.last_received()).unwrap();
    assert_eq!(sent["input"][1], body["input"][1]);
    assert!(sent["input"][0]["text"].as_str().unwrap().starts_with("of <EMAIL_"), "{sent}");
    assert_eq!(world.totals().await.posted, NanoUsd::ZERO);
}

#[tokio::test]
async fn what_is_refused_says_why_and_what_would_do() {
    let world = World::plain().await;
    for (path, said) in [
        ("/v1/uploads", "POST /v1/files"),
        ("/v1/vector_stores", "by the day"),
        ("/v1/threads/t/runs", "/v1/responses"),
        ("/v1/fine_tuning/jobs", "Training"),
    ] {
        let answer = world.client().post(path, &json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "unpriced_endpoint"));
        assert!(answer.text().contains(said), "{}", answer.text());
    }
    assert!(world.provider.received().is_empty());
}

#[tokio::test]
async fn speech_by_tokens_needs_a_longest_answer() {
    let body = json!({"model": "gpt-4o-mini-tts", "input": "hello", "instructions": "as ada@example.org",
        "stream_format": "sse"});
    let world = World::plain().await;
    let answer = world.client().post("/v1/audio/speech", &body).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "unpriced_model"));
    assert!(answer.text().contains("max_output_tokens"), "{}", answer.text());
    let world = World::with(
        "[[price]]\nmodel = \"gpt-4o-mini-tts\"\ninput = \"0.60 USD\"\noutput = \"12 USD\"\n\
         max_output_tokens = 4000\n",
    )
    .await;
    let stream = world.client().stream("/v1/audio/speech", &body).await.rest().await;
    assert_eq!(data(&stream)[1]["type"], "speech.audio.done");
    assert!(world.last_received().contains("as <EMAIL_"));
    exact(&world).await;
}

#[tokio::test]
async fn recordings_are_charged_by_the_second_or_by_tokens() {
    let world = World::with(BUDGET).await;
    let client = world.client();
    let path = "/v1/audio/transcriptions";
    for model in ["whisper-1", "gpt-4o-transcribe"] {
        let fields = [("model", model), ("prompt", "names: ada@example.org")];
        let answer = form(&client, path, &fields, (SOUND, &wav(7))).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
        assert!(world.last_received().contains("names: <EMAIL_"));
        assert_eq!(answer.json()["text"], "You said: names: ada@example.org");
        exact(&world).await;
    }
    let calls = world.calls().await;
    assert_eq!((&calls[0].usage["audio_second"], calls[0].posted.0), (&json!(7), 700_000));
    // The bound of a WAV is its length.
    assert_eq!(calls[0].reserved, NanoUsd(700_000));

    let streamed = [("model", "gpt-4o-transcribe"), ("stream", "true")];
    let answer = form(&client, path, &streamed, (SOUND, &wav(3))).await;
    assert!(answer.text().contains("transcript.text.done"), "{}", answer.text());
    exact(&world).await;

    // Plain text says nothing of its cost: the bound is charged, as an estimate.
    let plain = [("model", "whisper-1"), ("response_format", "srt")];
    let answer = form(&client, path, &plain, (SOUND, &wav(5))).await;
    assert_eq!(answer.text(), "You said: \n");
    let call = world.calls().await.pop().unwrap();
    assert!(call.estimated && call.posted == NanoUsd(500_000), "{call:?}");
    assert_eq!(world.totals().await.posted.0, world.provider.bill().total_nano_usd);

    let sound = wav(2);
    let fields = [("model", "whisper-1")];
    let translated = form(&client, "/v1/audio/translations", &fields, (SOUND, &sound)).await;
    assert_eq!(translated.status.as_u16(), 200);
    let unpriced = form(&client, path, &[("model", "unheard-of")], (SOUND, &wav(2))).await;
    assert_eq!((unpriced.status.as_u16(), unpriced.code().as_str()), (403, "unpriced_model"));
}

#[tokio::test]
async fn what_a_budget_does_not_cover_is_not_sent() {
    let world = World::with(
        "[[budget]]\nscope = \"organisation\"\nwindow = \"day\"\nlimit = \"0.001 USD\"\n",
    )
    .await;
    let client = world.client();
    let image = json!({"model": "gpt-image-1", "prompt": "p"});
    assert_eq!(client.post("/v1/images/generations", &image).await.status.as_u16(), 402);
    let speech = json!({"model": "tts-1", "input": "x".repeat(100)});
    assert_eq!(client.post("/v1/audio/speech", &speech).await.status.as_u16(), 402);
    let fields = [("model", "whisper-1")];
    let answer = form(&client, "/v1/audio/transcriptions", &fields, (SOUND, &wav(60))).await;
    assert_eq!(answer.status.as_u16(), 402);
    assert!(world.provider.received().is_empty());
    assert_eq!(world.totals().await.pending, NanoUsd::ZERO);
}
