//! Usage of OpenAI's chat completions, completions and embeddings, and of compatible vendors.
//!
//! Where vendors put it: OpenAI in a last chunk without choices; OpenRouter, Mistral and DeepSeek
//! in the chunk that has the finish reason; vLLM with `continuous_usage_stats` in every chunk;
//! Groq in `x_groq.usage`; Moonshot in `choices[].usage`. The last one seen counts, once.

use iron_policy::json::{JsonError, Reader, Text};
use iron_policy::types::{TokenClass, Usage};

use super::find::{ERROR, FINISH_REASON, USAGE, member};
use super::{Metered, Noted, Progress};
use crate::stream::walk::{count, items, members, skip, string};

/// What an endpoint bills, and so which counts it must report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bills {
    /// What is read and what is made.
    Both,
    /// What is read alone.
    Input,
}

pub(super) fn event(
    data: &[u8],
    metered: &mut Metered,
    progress: &mut Progress,
) -> Result<Noted, JsonError> {
    if data == b"[DONE]" {
        metered.complete = metered.error.is_none();
        metered.usage_is_final = metered.usage.is_some();
        return Ok(Noted::Other);
    }
    let worth_reading = metered.model.is_none()
        || member(&USAGE, data)
        || member(&FINISH_REASON, data)
        || member(&ERROR, data);
    if !worth_reading {
        return Ok(Noted::Other);
    }
    let seen = document(&mut Reader::new(data)?, metered, Bills::Both)?;
    progress.stopped |= seen.stopped;
    if !seen.usage {
        return Ok(Noted::Other);
    }
    // Only the last chunk has no choices; what the others report may be revised.
    let alone = seen.choices == Some(0);
    metered.usage_is_final = alone && metered.usage.is_some();
    Ok(if alone { Noted::UsageOnly } else { Noted::Other })
}

/// What was in a chunk, or in a whole answer, which has the same members.
#[derive(Default)]
pub(super) struct Seen {
    /// There is a `usage` object, whatever is in it.
    usage: bool,
    stopped: bool,
    /// How many choices there are, where there is a list of them.
    choices: Option<u64>,
}

pub(super) fn document(
    reader: &mut Reader<'_>,
    metered: &mut Metered,
    bills: Bills,
) -> Result<Seen, JsonError> {
    let mut seen = Seen::default();
    let mut nested = None;
    let mut counts = None;
    members(reader, |key, reader| {
        match key.raw() {
            "model" => metered.set_model(string(reader)?),
            "service_tier" => metered.set_service_tier(string(reader)?),
            "usage" => counts = Counts::read(reader)?.or(counts),
            "x_groq" => {
                members(reader, |key, reader| {
                    match key.raw() {
                        "usage" => nested = Counts::read(reader)?.or(nested),
                        "error" => error(reader, metered)?,
                        _ => skip(reader)?,
                    }
                    Ok(())
                })?;
            }
            "choices" => {
                seen.choices = items(reader, |_, reader| {
                    members(reader, |key, reader| {
                        match key.raw() {
                            "finish_reason" => seen.stopped |= string(reader)?.is_some(),
                            "usage" => nested = Counts::read(reader)?.or(nested),
                            _ => skip(reader)?,
                        }
                        Ok(())
                    })?;
                    Ok(())
                })?;
            }
            "error" => error(reader, metered)?,
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    let counts = counts.or(nested);
    seen.usage = counts.is_some();
    metered.set_usage(counts.and_then(|counts| counts.usage(bills)));
    Ok(seen)
}

/// Reads an `error` member: an object with `code` and `type`, a text, or `null`.
pub(super) fn error(reader: &mut Reader<'_>, metered: &mut Metered) -> Result<(), JsonError> {
    let mut code: Option<Text<'_>> = None;
    let mut kind = None;
    let mut ahead = reader.clone();
    let object = members(reader, |key, reader| {
        match key.raw() {
            "code" => code = string(reader)?,
            "type" => kind = string(reader)?,
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    // A text is a message and may say anything; that there was one is all that is kept.
    if object || string(&mut ahead)?.is_some() {
        metered.set_error(code.or(kind));
    }
    Ok(())
}

/// The numbers as a vendor reports them, before they are made disjoint.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    input: Option<u64>,
    output: Option<u64>,
    total: Option<u64>,
    cached: Option<u64>,
    cache_hit: Option<u64>,
    cache_write: Option<u64>,
    audio_input: Option<u64>,
    audio_output: Option<u64>,
    image_output: Option<u64>,
    reasoning: Option<u64>,
    tool_calls: Option<u64>,
}

impl Counts {
    /// Reads a `usage` member, under the names of either OpenAI API.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, JsonError> {
        let mut counts = Self::default();
        let object = members(reader, |key, reader| {
            match key.raw() {
                "prompt_tokens" | "input_tokens" => counts.input = count(reader)?,
                "completion_tokens" | "output_tokens" => counts.output = count(reader)?,
                "total_tokens" => counts.total = count(reader)?,
                // DeepSeek's and Moonshot's names.
                "prompt_cache_hit_tokens" | "cached_tokens" => counts.cache_hit = count(reader)?,
                "prompt_tokens_details" | "input_tokens_details" => {
                    members(reader, |key, reader| {
                        match key.raw() {
                            "cached_tokens" => counts.cached = count(reader)?,
                            "cache_write_tokens" => counts.cache_write = count(reader)?,
                            "audio_tokens" => counts.audio_input = count(reader)?,
                            _ => skip(reader)?,
                        }
                        Ok(())
                    })?;
                }
                "completion_tokens_details" | "output_tokens_details" => {
                    members(reader, |key, reader| {
                        match key.raw() {
                            "reasoning_tokens" => counts.reasoning = count(reader)?,
                            "audio_tokens" => counts.audio_output = count(reader)?,
                            "image_tokens" => counts.image_output = count(reader)?,
                            _ => skip(reader)?,
                        }
                        Ok(())
                    })?;
                }
                "server_tool_use" => {
                    members(reader, |key, reader| {
                        match key.raw() {
                            "web_search_requests" => counts.tool_calls = count(reader)?,
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

    /// The disjoint classes. `None` where a count that is billed is missing.
    pub(super) fn usage(&self, bills: Bills) -> Option<Usage> {
        let (input, output) = match (bills, self.input, self.output, self.total) {
            (Bills::Both, Some(input), Some(output), _) => (input, output),
            (Bills::Both, Some(input), None, Some(total)) => (input, total.saturating_sub(input)),
            (Bills::Input, Some(input), ..) | (Bills::Input, None, _, Some(input)) => (input, 0),
            _ => return None,
        };
        let cached = self.cached.or(self.cache_hit).unwrap_or(0);
        let cache_write = self.cache_write.unwrap_or(0);
        let audio_input = self.audio_input.unwrap_or(0);
        let audio_output = self.audio_output.unwrap_or(0);
        let image_output = self.image_output.unwrap_or(0);
        let special_input = cached.saturating_add(cache_write).saturating_add(audio_input);
        // OpenAI counts reasoning within the output. xAI and Gemini's compatible endpoint count it
        // beside the output: there the total is larger than its parts by exactly that.
        let beside = match bills {
            Bills::Both => self.total.unwrap_or(0).saturating_sub(input.saturating_add(output)),
            Bills::Input => 0,
        };
        let reasoning = self.reasoning.unwrap_or(0);
        let special_output = reasoning
            .saturating_sub(beside)
            .saturating_add(audio_output)
            .saturating_add(image_output);
        Some(
            Usage::default()
                .with(TokenClass::Input, input.saturating_sub(special_input))
                .with(TokenClass::CacheRead, cached)
                .with(TokenClass::CacheWrite, cache_write)
                .with(TokenClass::AudioInput, audio_input)
                .with(TokenClass::Output, output.saturating_sub(special_output))
                .with(TokenClass::Reasoning, reasoning.max(beside))
                .with(TokenClass::AudioOutput, audio_output)
                .with(TokenClass::ImageOutput, image_output)
                .with(TokenClass::ToolCall, self.tool_calls.unwrap_or(0)),
        )
    }
}
