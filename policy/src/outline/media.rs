//! Images and speech: what their calls ask for, in JSON and in multipart bodies.
//!
//! Only what decides the price: how many images of which size and quality, how much text is
//! spoken, how long a recording can be. Texts are found by the readers of the bodies themselves.
//!
//! Not here: prices, and how many tokens an image counts as (`price/media.rs`).

use super::{BadBody, Endpoint, Multipart};
use crate::json::{Event, Reader};

/// What a call asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaAsk {
    /// The model's name as the caller wrote it.
    pub model: String,
    /// Whether the answer is to be a stream.
    pub stream: bool,
    /// How many images are wanted.
    pub count: Option<u64>,
    /// How many unfinished images are wanted besides, of each.
    pub partial: u64,
    /// `WIDTHxHEIGHT`, where given.
    pub size: Option<(u64, u64)>,
    /// `low`, `medium`, `high` and what else there is, where given.
    pub quality: Option<String>,
    /// Images that are sent.
    pub images: u64,
    /// Bytes of text that is sent.
    pub text_bytes: u64,
    /// Characters that are to be spoken.
    pub characters: u64,
    /// The most seconds that the recording can have.
    pub seconds: u64,
}

/// The lowest bit rate that recordings are bounded by, in bytes a second: Opus at 6 kbit/s, the
/// lowest of RFC 6716, section 2.1.1. MP3 and AAC have none lower.
const LOWEST_RATE: u64 = 750;
/// Fields whose value decides about money: none may stand twice.
const ONCE: [&str; 8] =
    ["model", "n", "size", "quality", "partial_images", "stream", "input", "prompt"];

impl MediaAsk {
    /// Reads a JSON body.
    pub fn of_json(body: &[u8]) -> Result<Self, BadBody> {
        let mut ask = Self { text_bytes: body.len() as u64, ..Self::default() };
        let mut seen = [false; ONCE.len()];
        let mut reader = Reader::new(body)?;
        if reader.next()? != Some(Event::BeginObject) {
            return Err(BadBody::NotAnObject);
        }
        while let Some(Event::Key(name)) = reader.next()? {
            let Some(place) = ONCE.iter().position(|field| name.is(field)) else {
                reader.skip()?;
                continue;
            };
            if std::mem::replace(&mut seen[place], true) {
                return Err(BadBody::Duplicate(ONCE[place]));
            }
            let mut ahead = reader.clone();
            let value = ahead.next()?;
            reader.skip()?;
            match value {
                Some(Event::Null) => {}
                Some(Event::String(text)) if ONCE[place] == "input" => {
                    ask.characters = text.decode().chars().count() as u64;
                }
                Some(Event::String(text)) => ask.field(ONCE[place], &text.decode())?,
                Some(Event::Number(number)) => ask.field(ONCE[place], number)?,
                Some(Event::Bool(value)) => {
                    ask.field(ONCE[place], if value { "true" } else { "false" })?;
                }
                _ => return Err(BadBody::Field { field: ONCE[place], wanted: "a single value" }),
            }
        }
        if ask.model.is_empty() { Err(BadBody::NoModel) } else { Ok(ask) }
    }

    /// Reads an upload.
    pub fn of_parts(parts: &Multipart<'_>, endpoint: Endpoint) -> Result<Self, BadBody> {
        let mut ask = Self::default();
        let mut seen = [false; ONCE.len()];
        let listens = matches!(endpoint, Endpoint::Transcriptions | Endpoint::Translations);
        let mut recordings = 0;
        for (name, is_file, content) in parts.each() {
            if is_file {
                if listens {
                    recordings += 1;
                    ask.seconds = ask.seconds.saturating_add(seconds(content));
                } else {
                    ask.images += 1;
                }
                continue;
            }
            if listens && matches!(name, "file_url" | "file_id" | "url") {
                // How long it is nobody here can know.
                return Err(BadBody::Field {
                    field: "file",
                    wanted: "sent along with the request",
                });
            }
            ask.text_bytes += content.len() as u64;
            let Some(place) = ONCE.iter().position(|field| *field == name) else { continue };
            if std::mem::replace(&mut seen[place], true) {
                return Err(BadBody::Duplicate(ONCE[place]));
            }
            let wanted = BadBody::Field { field: ONCE[place], wanted: "text" };
            ask.field(ONCE[place], std::str::from_utf8(content).map_err(|_| wanted)?)?;
        }
        if recordings > 1 {
            return Err(BadBody::Duplicate("file"));
        }
        if listens && recordings == 0 {
            return Err(BadBody::Field { field: "file", wanted: "sent along with the request" });
        }
        if ask.model.is_empty() { Err(BadBody::NoModel) } else { Ok(ask) }
    }

    fn field(&mut self, field: &'static str, value: &str) -> Result<(), BadBody> {
        let count = |value: &str| {
            let most = value.parse().ok().filter(|count| *count <= 1_000);
            most.ok_or(BadBody::Field { field, wanted: "a whole number up to a thousand" })
        };
        match field {
            "model" => value.clone_into(&mut self.model),
            "n" => self.count = Some(count(value)?),
            "partial_images" => self.partial = count(value)?,
            "quality" => self.quality = Some(value.to_owned()),
            "stream" => self.stream = value.eq_ignore_ascii_case("true") || value == "1",
            "size" if value == "auto" => {}
            "size" => {
                let side = |text: &str| text.parse().ok().filter(|side| *side <= 100_000);
                let size = value.split_once('x');
                let size = size.and_then(|(width, height)| Some((side(width)?, side(height)?)));
                let wanted = "`auto` or WIDTHxHEIGHT";
                self.size = Some(size.ok_or(BadBody::Field { field, wanted })?);
            }
            _ => {}
        }
        Ok(())
    }
}

/// The most seconds that a recording can have: by its header where that is a WAV's in PCM, else by
/// the lowest bit rate.
fn seconds(file: &[u8]) -> u64 {
    let rate = wav_rate(file).unwrap_or(LOWEST_RATE).max(1);
    (file.len() as u64).div_ceil(rate)
}

/// Bytes a second of a WAV file in PCM or floats (RIFF, "WAVEFORMATEX": format tags 1 and 3), by
/// what a player computes it from rather than by what the header says.
fn wav_rate(file: &[u8]) -> Option<u64> {
    if file.get(..4)? != b"RIFF" || file.get(8..16)? != b"WAVEfmt " {
        return None;
    }
    let short = |at: usize| Some(u16::from_le_bytes(file.get(at..at + 2)?.try_into().ok()?));
    let (format, channels, bits) = (short(20)?, short(22)?, short(34)?);
    let samples = u32::from_le_bytes(file.get(24..28)?.try_into().ok()?);
    let known = matches!(format, 1 | 3) && bits >= 8;
    let rate = u64::from(samples) * u64::from(channels) * u64::from(bits / 8);
    (known && rate > 0).then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A WAV file of so many bytes of sound, 16-bit at 8 kHz in one channel.
    fn wav(bytes: usize) -> Vec<u8> {
        let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
        file.extend(8_000_u32.to_le_bytes());
        file.extend(1_u32.to_le_bytes());
        file.extend([2, 0, 16, 0]);
        file.extend(b"data\0\0\0\0");
        file.resize(44 + bytes, 0);
        file
    }

    #[test]
    fn a_recordings_length_is_bounded_by_its_header_or_the_lowest_rate() {
        assert_eq!(seconds(&wav(16_000 * 3)), 4, "the header is counted as sound");
        assert_eq!(seconds(&vec![0xff; 7_500]), 10);
        // What the header says of bytes a second is not believed, only what is played.
        let mut compressed = wav(16_000);
        compressed[20] = 0x31;
        assert_eq!(seconds(&compressed), 16_044_u64.div_ceil(750));
        assert_eq!(seconds(b"RIFF"), 1);
        assert_eq!(seconds(b""), 0);
    }

    fn parts(fields: &[(&str, &str)], endpoint: Endpoint) -> Result<MediaAsk, BadBody> {
        let part = |(name, value): &(&str, &str)| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let body = fields.iter().map(part).collect::<String>() + "--b--\r\n";
        let parts = Multipart::read("multipart/form-data; boundary=b", body.as_bytes()).unwrap();
        MediaAsk::of_parts(&parts, endpoint)
    }

    #[test]
    fn a_recording_comes_with_its_request_and_alone() {
        let sound = "x".repeat(1_500);
        let of = |fields: &[(&str, &str)]| parts(fields, Endpoint::Transcriptions);
        let ask = of(&[("model", "whisper-1"), ("file", &sound), ("stream", "True")]).unwrap();
        assert_eq!((ask.seconds, ask.stream, ask.text_bytes), (2, true, 13));
        for fields in [
            &[("model", "whisper-1")][..],
            &[("model", "whisper-1"), ("file_url", "https://x")],
            &[("model", "whisper-1"), ("file", &sound), ("file_url", "https://x")],
            &[("model", "whisper-1"), ("file", &sound), ("file", &sound)],
            &[("model", "whisper-1"), ("file", &sound), ("model", "gpt-4o-transcribe")],
            &[("file", &sound)],
        ] {
            assert!(of(fields).is_err(), "{fields:?}");
        }
        let images =
            [("model", "m"), ("image[]", "a"), ("image[1]", "b"), ("mask", "c"), ("n", "2")];
        let ask = parts(&images, Endpoint::ImageEdits).unwrap();
        assert_eq!((ask.images, ask.count, ask.text_bytes), (3, Some(2), 2));
    }

    #[test]
    fn what_decides_the_price_is_read_once() {
        let ask = MediaAsk::of_json(
            br#"{"model":"gpt-image-1","prompt":"p","n":2,"size":"1024x1536","quality":"low","stream":true,"partial_images":3}"#,
        )
        .unwrap();
        assert_eq!((ask.count, ask.size, ask.partial), (Some(2), Some((1024, 1536)), 3));
        assert!(ask.stream && ask.quality.as_deref() == Some("low"));
        let speech = MediaAsk::of_json(r#"{"model":"tts-1","input":"h\u00e9é!"}"#.as_bytes());
        assert_eq!(speech.unwrap().characters, 4);
        for body in [
            r#"{"model":"m","n":1,"n":2}"#,
            r#"{"model":"m","size":"1x1","s\u0069ze":"9x9"}"#,
            r#"{"model":"m","size":"large"}"#,
            r#"{"model":"m","n":-1}"#,
            r#"{"model":"m","n":[1]}"#,
            r#"{"prompt":"p"}"#,
            "[]",
        ] {
            assert!(MediaAsk::of_json(body.as_bytes()).is_err(), "{body}");
        }
    }
}
