//! Usage of images, speech and recordings: tokens where they are reported, and what is counted by
//! the piece, of which the price takes what it knows.
//!
//! Images in streams come with a usage each; speech and transcripts with one at their end.

use iron_policy::json::{JsonError, Reader};
use iron_policy::types::{TokenClass, Usage};

use super::find::{ERROR, USAGE, word};
use super::openai::error;
use super::{Metered, Noted, Progress};
use crate::stream::walk::{count, items, members, skip, string};

pub(super) fn event(
    data: &[u8],
    metered: &mut Metered,
    progress: &mut Progress,
) -> Result<Noted, JsonError> {
    let ends = [&b".completed\""[..], b".done\""];
    let last =
        ends.iter().any(|end| memchr::memmem::find(&data[..data.len().min(256)], end).is_some());
    if !last && !word(&USAGE, data) && !word(&ERROR, data) {
        return Ok(Noted::Other);
    }
    let seen = read(&mut Reader::new(data)?, metered)?;
    let image =
        seen.kind.starts_with("image_") && seen.kind.rsplit('.').next() == Some("completed");
    if image {
        progress.reported.set(TokenClass::Image, progress.reported.of(TokenClass::Image) + 1);
    }
    if let Some(counts) = seen.counts {
        progress.reported = progress.reported.plus(&counts.usage(if image {
            TokenClass::ImageOutput
        } else if seen.kind.starts_with("speech.") {
            TokenClass::AudioOutput
        } else {
            TokenClass::Output
        }));
    }
    if image || seen.kind.rsplit('.').next() == Some("done") {
        progress.stopped = true;
        metered.usage = Some(progress.reported).filter(|usage| *usage != Usage::default());
        // There may be more images.
        metered.usage_is_final = !image && metered.usage.is_some();
    }
    Ok(Noted::Other)
}

pub(super) fn document(reader: &mut Reader<'_>, metered: &mut Metered) -> Result<(), JsonError> {
    let seen = read(reader, metered)?;
    let output = if seen.images.is_some() { TokenClass::ImageOutput } else { TokenClass::Output };
    let mut usage = seen.counts.map(|counts| counts.usage(output)).unwrap_or_default();
    if let Some(images) = seen.images {
        usage.set(TokenClass::Image, images);
    }
    if let (Some(seconds), 0) = (seen.seconds, usage.of(TokenClass::AudioSecond)) {
        usage.set(TokenClass::AudioSecond, seconds);
    }
    metered.usage = Some(usage).filter(|usage| *usage != Usage::default());
    Ok(())
}

#[derive(Default)]
struct Seen {
    kind: String,
    counts: Option<Counts>,
    images: Option<u64>,
    /// A recording's length, rounded up.
    seconds: Option<u64>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    input: u64,
    output: u64,
    image_input: u64,
    audio_input: u64,
    /// Output that is said to be an image, or text.
    image_output: Option<u64>,
    text_output: Option<u64>,
    seconds: u64,
}

fn read(reader: &mut Reader<'_>, metered: &mut Metered) -> Result<Seen, JsonError> {
    let mut seen = Seen::default();
    members(reader, |key, reader| {
        match key.raw() {
            "type" => {
                seen.kind =
                    string(reader)?.map(|kind| kind.decode().into_owned()).unwrap_or_default();
            }
            "usage" => seen.counts = counts(reader)?,
            "data" => {
                seen.images = items(reader, |_, reader| {
                    skip(reader)?;
                    Ok(())
                })?;
            }
            "duration" => seen.seconds = count(reader)?,
            "error" => error(reader, metered)?,
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    Ok(seen)
}

fn counts(reader: &mut Reader<'_>) -> Result<Option<Counts>, JsonError> {
    let mut counts = Counts::default();
    let object = members(reader, |key, reader| {
        match key.raw() {
            "input_tokens" => counts.input = count(reader)?.unwrap_or_default(),
            "output_tokens" => counts.output = count(reader)?.unwrap_or_default(),
            "seconds" => counts.seconds = count(reader)?.unwrap_or_default(),
            // Images have the one name, transcripts the other.
            "input_tokens_details" | "input_token_details" => {
                members(reader, |key, reader| {
                    match key.raw() {
                        "image_tokens" => counts.image_input = count(reader)?.unwrap_or_default(),
                        "audio_tokens" => counts.audio_input = count(reader)?.unwrap_or_default(),
                        _ => skip(reader)?,
                    }
                    Ok(())
                })?;
            }
            "output_tokens_details" => {
                members(reader, |key, reader| {
                    match key.raw() {
                        "image_tokens" => counts.image_output = count(reader)?,
                        "text_tokens" => counts.text_output = count(reader)?,
                        _ => skip(reader)?,
                    }
                    Ok(())
                })?;
            }
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    Ok(object.then_some(counts))
}

impl Counts {
    /// The disjoint classes; `output` is that of what the answer does not say.
    fn usage(&self, output: TokenClass) -> Usage {
        let special = self.image_input.saturating_add(self.audio_input);
        let usage = Usage::default()
            .with(TokenClass::Input, self.input.saturating_sub(special))
            .with(TokenClass::ImageInput, self.image_input)
            .with(TokenClass::AudioInput, self.audio_input)
            .with(TokenClass::AudioSecond, self.seconds);
        if output != TokenClass::ImageOutput {
            return usage.with(output, self.output);
        }
        let text = match (self.image_output, self.text_output) {
            (Some(images), _) => self.output.saturating_sub(images),
            (None, Some(text)) => text.min(self.output),
            (None, None) => 0,
        };
        usage
            .with(TokenClass::Output, text)
            .with(TokenClass::ImageOutput, self.output.saturating_sub(text))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Meter, document as meter};
    use super::*;
    use crate::stream::WireKind;

    fn of(body: &str) -> Option<Usage> {
        meter(WireKind::Media, body.as_bytes()).unwrap().usage
    }

    #[test]
    fn images_report_text_and_images_apart() {
        let usage = of(r#"{"created":1,"data":[{"b64_json":"AA"},{"b64_json":"AA"}],"usage":{"total_tokens":1,"input_tokens":50,"output_tokens":4300,"input_tokens_details":{"text_tokens":10,"image_tokens":40},"output_tokens_details":{"image_tokens":4200,"text_tokens":100}}}"#).unwrap();
        let expected = Usage::default()
            .with(TokenClass::Input, 10)
            .with(TokenClass::ImageInput, 40)
            .with(TokenClass::Output, 100)
            .with(TokenClass::ImageOutput, 4_200)
            .with(TokenClass::Image, 2);
        assert_eq!(usage, expected);
        let alone = of(r#"{"data":[{"url":"x"}]}"#).unwrap();
        assert_eq!(alone, Usage::default().with(TokenClass::Image, 1));
    }

    #[test]
    fn recordings_report_tokens_or_seconds() {
        let usage = of(r#"{"text":"t","usage":{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":4,"audio_tokens":10},"output_tokens":9}}"#).unwrap();
        let expected = Usage::default()
            .with(TokenClass::Input, 4)
            .with(TokenClass::AudioInput, 10)
            .with(TokenClass::Output, 9);
        assert_eq!(usage, expected);
        let seconds = |body| of(body).unwrap().of(TokenClass::AudioSecond);
        assert_eq!(seconds(r#"{"text":"t","duration":8.2}"#), 9);
        assert_eq!(seconds(r#"{"duration":8.2,"usage":{"type":"duration","seconds":8}}"#), 8);
        assert_eq!(of(r#"{"text":"t"}"#), None);
    }

    #[test]
    fn streams_are_final_where_their_end_says_so() {
        let mut images = Meter::new(WireKind::Media);
        images.event(br#"{"type":"image_generation.partial_image","b64_json":"AA"}"#);
        assert_eq!(images.metered().usage, None);
        images.event(br#"{"type":"image_generation.completed","usage":{"input_tokens":1,"output_tokens":5}}"#);
        assert!(!images.metered().usage_is_final);
        images.end();
        let usage = images.metered().usage.unwrap();
        assert!(images.metered().usage_is_final && images.metered().complete);
        assert_eq!((usage.of(TokenClass::ImageOutput), usage.of(TokenClass::Image)), (5, 1));

        let mut speech = Meter::new(WireKind::Media);
        speech.event(br#"{"type":"speech.audio.delta","audio":"AA"}"#);
        speech
            .event(br#"{"type":"speech.audio.done","usage":{"input_tokens":1,"output_tokens":5}}"#);
        assert!(speech.metered().usage_is_final);
        assert_eq!(speech.metered().usage.unwrap().of(TokenClass::AudioOutput), 5);
    }
}
