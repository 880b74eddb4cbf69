//! Images, speech and recordings, as OpenAI answers them.
//!
//! Pictures and sounds are filler; what they cost is counted by the simulator's own rules: an image
//! by its quality, a spoken text by its characters, a recording by its bytes at 16 kB a second.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::Method;
use serde_json::{Value, json};

use super::behaviour::{Behaviour, Text};
use super::bill::{self, Model, Usage, Vendor};
use super::draft;
use super::endpoint::{self, Charge, Numbered, Prepared};
use super::files::{Part, parts};
use super::refusal::Refusal;
use super::sse::{Event, Piece};

/// Tokens of an image that is sent.
const SENT_IMAGE: u64 = 200;
/// Bytes of a recording in a second.
const SECOND: usize = 16_000;
/// Bytes of sound that leave at once.
const SOUND: usize = 1_000;

/// The answer to a call about images or sound; none where it is about something else.
pub(super) fn answer(
    call: Numbered<'_>,
    behaviour: &Behaviour,
) -> Option<Result<Prepared, Refusal>> {
    let path = endpoint::path(call.call);
    let answer: fn(&Form, &Behaviour) -> Result<Prepared, Refusal> = match path {
        "/v1/images/generations" | "/v1/images/edits" | "/v1/images/variations" => images,
        "/v1/audio/speech" => speech,
        "/v1/audio/transcriptions" | "/v1/audio/translations" => transcript,
        _ => return None,
    };
    if call.call.method != Method::POST {
        return None;
    }
    let answered = endpoint::authenticate(&call.call.headers, Vendor::OpenAi);
    Some(answered.and_then(|()| answer(&Form::read(call)?, behaviour)))
}

/// The fields of a call, however they came.
struct Form {
    fields: Value,
    /// Bytes of the files.
    files: Vec<usize>,
}

impl Form {
    fn read(call: Numbered<'_>) -> Result<Self, Refusal> {
        if let Ok(fields) = serde_json::from_slice(&call.call.body) {
            return Ok(Self { fields, files: Vec::new() });
        }
        let parts = parts(call).ok_or_else(|| Refusal::new(400, "the body is no form"))?;
        let (mut fields, mut files) = (json!({}), Vec::new());
        for part in &parts {
            let Part { content, .. } = part;
            match (part.says("filename"), part.says("name")) {
                (Some(_), _) => files.push(content.len()),
                (None, Some(name)) => fields[name] = json!(String::from_utf8_lossy(content)),
                _ => {}
            }
        }
        Ok(Self { fields, files })
    }

    fn text(&self, name: &str) -> &str {
        self.fields[name].as_str().unwrap_or_default()
    }

    fn number(&self, name: &str) -> u64 {
        let field = &self.fields[name];
        field.as_u64().or_else(|| field.as_str()?.parse().ok()).unwrap_or_default()
    }

    fn is_set(&self, name: &str) -> bool {
        self.fields[name] == true || self.text(name) == "true"
    }

    fn model(&self) -> Result<&'static Model, Refusal> {
        let name = self.text("model");
        let known = bill::model(name).filter(|model| model.vendor == Vendor::OpenAi);
        known.ok_or_else(|| Refusal::new(404, format!("The model `{name}` does not exist.")))
    }

    fn charge(&self, model: &'static Model, usage: Usage) -> Charge {
        Charge { model, name: self.text("model").to_owned(), usage }
    }
}

fn images(form: &Form, behaviour: &Behaviour) -> Result<Prepared, Refusal> {
    let model = form.model()?;
    let prompt = form.text("prompt");
    let count = form.number("n").max(1);
    let each = match form.text("quality") {
        "low" => 272,
        "medium" => 1_056,
        _ => 4_160,
    };
    let partial = form.number("partial_images");
    let sent = form.files.len() as u64 * SENT_IMAGE;
    let text = draft::count(prompt);
    let made = count * (each + 100 * partial);
    let charge = form.charge(
        model,
        Usage {
            input: text,
            image_input: sent,
            image_output: made,
            images: count,
            ..Usage::default()
        },
    );
    let usage = json!({
        "total_tokens": text + sent + made,
        "input_tokens": text + sent,
        "output_tokens": made,
        "input_tokens_details": { "text_tokens": text, "image_tokens": sent },
    });
    let size = match behaviour.text {
        Text::Bytes(size) => size,
        _ => 300,
    };
    let picture = BASE64_STANDARD.encode(vec![0x89; size]);
    if form.is_set("stream") {
        let mut events = Vec::new();
        for place in 0..partial {
            events.push(Event::typed(&json!({
                "type": "image_generation.partial_image", "b64_json": picture,
                "partial_image_index": place,
            })));
        }
        events.push(Event::typed(&json!({
            "type": "image_generation.completed", "b64_json": picture, "usage": usage,
        })));
        return Ok(Prepared::stream(&events, behaviour.form, charge));
    }
    let image = json!({ "b64_json": picture, "revised_prompt": format!("You said: {prompt}") });
    let mut body = json!({ "created": 1, "data": vec![image; count as usize] });
    if !model.name.starts_with("dall-e") {
        body["usage"] = usage;
    }
    Ok(Prepared::json(&body).billed(charge))
}

fn speech(form: &Form, behaviour: &Behaviour) -> Result<Prepared, Refusal> {
    let model = form.model()?;
    let input = form.text("input");
    let characters = input.chars().count() as u64;
    let spoken = characters * 2;
    let usage =
        Usage { characters, input: draft::count(input), output: spoken, ..Usage::default() };
    let charge = form.charge(model, usage);
    if form.text("stream_format") == "sse" {
        let events = [
            Event::typed(&json!({ "type": "speech.audio.delta", "audio": "AAAA" })),
            Event::typed(&json!({ "type": "speech.audio.done", "usage": {
                "input_tokens": usage.input, "output_tokens": spoken,
                "total_tokens": usage.input + spoken,
            }}))
            .tokens(spoken),
        ];
        return Ok(Prepared::stream(&events, behaviour.form, charge));
    }
    let sound = format!("\u{1}sound of {input}").into_bytes();
    let sound: Vec<u8> = sound.into_iter().cycle().take(5 * SOUND).collect();
    Ok(Prepared {
        status: 200,
        content_type: "audio/mpeg".to_owned(),
        pieces: sound
            .chunks(SOUND)
            .map(|bytes| Piece { bytes: bytes.to_vec(), tokens: 0 })
            .collect(),
        streamed: true,
        charge: Some(charge),
    })
}

fn transcript(form: &Form, behaviour: &Behaviour) -> Result<Prepared, Refusal> {
    let model = form.model()?;
    let bytes: usize = form.files.iter().sum();
    let seconds = (bytes / SECOND) as u64;
    let text = format!("You said: {}", form.text("prompt"));
    let (heard, written) = (seconds * 10, draft::count(&text));
    let prompt = draft::count(form.text("prompt"));
    let usage =
        Usage { seconds, input: prompt, audio_input: heard, output: written, ..Usage::default() };
    let charge = form.charge(model, usage);
    let told = if model.name.starts_with("whisper") {
        json!({ "type": "duration", "seconds": seconds })
    } else {
        json!({
            "type": "tokens", "input_tokens": prompt + heard, "output_tokens": written,
            "input_token_details": { "text_tokens": prompt, "audio_tokens": heard },
            "total_tokens": prompt + heard + written,
        })
    };
    if form.is_set("stream") {
        let events = [
            Event::typed(&json!({ "type": "transcript.text.delta", "delta": text })),
            Event::typed(&json!({ "type": "transcript.text.done", "text": text, "usage": told }))
                .tokens(written),
        ];
        return Ok(Prepared::stream(&events, behaviour.form, charge));
    }
    Ok(match form.text("response_format") {
        "text" | "srt" | "vtt" => {
            Prepared::free(200, "text/plain; charset=utf-8", format!("{text}\n")).billed(charge)
        }
        _ => Prepared::json(&json!({ "text": text, "usage": told })).billed(charge),
    })
}
