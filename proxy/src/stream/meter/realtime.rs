//! Usage of OpenAI's Realtime API: `response.done` carries it, whatever became of the response.
//!
//! Its names differ from the Responses API's by a letter, and cached tokens are told apart by what
//! they hold, since cached audio has a price of its own.

use iron_policy::json::{JsonError, Reader, Text};
use iron_policy::types::{TokenClass, Usage};

use super::find::{ERROR, RESPONSE, word};
use super::openai::error;
use super::{Metered, Noted};
use crate::stream::walk::{count, members, skip, string};

pub(super) fn event(data: &[u8], metered: &mut Metered) -> Result<Noted, JsonError> {
    if !word(&RESPONSE, data) && !word(&ERROR, data) {
        return Ok(Noted::Other);
    }
    let mut kind: Option<Text<'_>> = None;
    let mut usage = None;
    members(&mut Reader::new(data)?, |key, reader| {
        match key.raw() {
            "type" => kind = string(reader)?,
            "response" => {
                members(reader, |key, reader| {
                    match key.raw() {
                        "usage" => usage = Counts::read(reader)?,
                        "model" => metered.set_model(string(reader)?),
                        _ => skip(reader)?,
                    }
                    Ok(())
                })?;
            }
            "error" => error(reader, metered)?,
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    if kind.is_some_and(|kind| kind.is("response.done")) {
        metered.set_usage(usage.and_then(|counts| counts.usage()));
        metered.complete = true;
        metered.usage_is_final = metered.usage.is_some();
    }
    Ok(Noted::Other)
}

/// The numbers as they are reported: cached ones are among the input, details among the totals.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    input: Option<u64>,
    output: Option<u64>,
    audio: u64,
    image: u64,
    cached: u64,
    cached_audio: u64,
    audio_output: u64,
}

impl Counts {
    fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, JsonError> {
        let mut counts = Self::default();
        let object = members(reader, |key, reader| {
            match key.raw() {
                "input_tokens" => counts.input = count(reader)?,
                "output_tokens" => counts.output = count(reader)?,
                "input_token_details" | "input_tokens_details" => counts.input_details(reader)?,
                "output_token_details" | "output_tokens_details" => {
                    members(reader, |key, reader| {
                        match key.raw() {
                            "audio_tokens" => counts.audio_output = count(reader)?.unwrap_or(0),
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

    fn input_details(&mut self, reader: &mut Reader<'_>) -> Result<(), JsonError> {
        members(reader, |key, reader| {
            match key.raw() {
                "audio_tokens" => self.audio = count(reader)?.unwrap_or(0),
                "image_tokens" => self.image = count(reader)?.unwrap_or(0),
                "cached_tokens" => self.cached = count(reader)?.unwrap_or(0),
                "cached_tokens_details" => {
                    members(reader, |key, reader| {
                        match key.raw() {
                            "audio_tokens" => self.cached_audio = count(reader)?.unwrap_or(0),
                            // Cached images are billed as what is cached of text: neither list
                            // has a price of their own, so they must not leave the images' count.
                            _ => skip(reader)?,
                        }
                        Ok(())
                    })?;
                }
                _ => skip(reader)?,
            }
            Ok(())
        })?;
        Ok(())
    }

    /// The disjoint classes. `None` where a total is missing.
    fn usage(&self) -> Option<Usage> {
        let (input, output) = (self.input?, self.output?);
        let cached_audio = self.cached_audio.min(self.cached);
        let audio = self.audio.saturating_sub(cached_audio);
        let cached = self.cached - cached_audio;
        let special = [audio, cached_audio, cached, self.image];
        let text = special.iter().fold(input, |left, part| left.saturating_sub(*part));
        Some(
            Usage::default()
                .with(TokenClass::Input, text)
                .with(TokenClass::CacheRead, cached)
                .with(TokenClass::AudioInput, audio)
                .with(TokenClass::AudioCacheRead, cached_audio)
                .with(TokenClass::ImageInput, self.image)
                .with(TokenClass::Output, output.saturating_sub(self.audio_output))
                .with(TokenClass::AudioOutput, self.audio_output),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_disjoint_and_the_last_word_is_the_end() {
        let mut metered = Metered::default();
        event(br#"{"type":"response.created","response":{"usage":null}}"#, &mut metered).unwrap();
        assert_eq!((metered.usage, metered.complete), (None, false));
        let done = br#"{"type":"response.done","response":{"status":"cancelled","usage":{
            "total_tokens":180,"input_tokens":120,"output_tokens":60,
            "input_token_details":{"text_tokens":50,"audio_tokens":70,"cached_tokens":45,
                "cached_tokens_details":{"text_tokens":20,"audio_tokens":25}},
            "output_token_details":{"text_tokens":20,"audio_tokens":40}}}}"#;
        event(done, &mut metered).unwrap();
        let usage = metered.usage.unwrap();
        let of = |class| usage.iter().find(|(found, _)| *found == class).unwrap().1;
        assert_eq!(
            [
                TokenClass::Input,
                TokenClass::CacheRead,
                TokenClass::AudioInput,
                TokenClass::AudioCacheRead,
                TokenClass::Output,
                TokenClass::AudioOutput
            ]
            .map(of),
            [30, 20, 45, 25, 20, 40]
        );
        assert!(metered.usage_is_final && metered.complete);
    }
}
