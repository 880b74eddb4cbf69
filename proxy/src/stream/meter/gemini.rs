//! Usage of Google's Gemini API.
//!
//! Every chunk of a stream reports the numbers so far; the last report counts. `promptTokenCount`
//! includes what a cache gave; thoughts are counted beside the candidates and billed as output;
//! what the provider's tools gave the model to read is counted beside the prompt. Searches are no
//! usage numbers: they are counted among the queries that an answer is grounded on.
//!
//! Source: <https://ai.google.dev/api/generate-content#UsageMetadata> and, for searches, the
//! pricing page: a search is billed by the query since Gemini 3, by the prompt before.

use iron_policy::json::{Event, JsonError, Reader};
use iron_policy::types::{TokenClass, Usage};

use super::{Metered, Noted, Progress};
use crate::stream::walk::{count, items, members, skip, string};

pub(super) fn event(
    data: &[u8],
    metered: &mut Metered,
    progress: &mut Progress,
) -> Result<Noted, JsonError> {
    let reported = chunk(&mut Reader::new(data)?, metered, progress)?;
    if reported && progress.stopped {
        metered.usage_is_final = metered.usage.is_some();
    }
    Ok(Noted::Other)
}

/// An answer in one piece, or all chunks of a stream as one list.
pub(super) fn document(reader: &mut Reader<'_>, metered: &mut Metered) -> Result<(), JsonError> {
    let mut progress = Progress::default();
    if reader.clone().next()? == Some(Event::BeginArray) {
        items(reader, |_, reader| chunk(reader, metered, &mut progress).map(|_| ()))?;
    } else {
        chunk(reader, metered, &mut progress)?;
    }
    Ok(())
}

/// Reads one chunk; true where it reports usage.
fn chunk(
    reader: &mut Reader<'_>,
    metered: &mut Metered,
    progress: &mut Progress,
) -> Result<bool, JsonError> {
    let mut reported = None;
    let mut searches = 0;
    members(reader, |key, reader| {
        match key.raw() {
            "modelVersion" => metered.set_model(string(reader)?),
            "usageMetadata" => reported = Counts::read(reader, metered)?.usage(),
            "candidates" => {
                items(reader, |place, reader| {
                    searches += candidate(place, reader, progress)?;
                    Ok(())
                })?;
            }
            "promptFeedback" => {
                members(reader, |key, reader| {
                    match key.raw() {
                        "blockReason" => progress.blocked |= string(reader)?.is_some(),
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
    progress.searches = progress.searches.max(searches);
    progress.stopped =
        progress.blocked || (progress.begun != 0 && progress.begun == progress.finished);
    if let Some(usage) = reported {
        progress.reported = usage;
    }
    if reported.is_some() || metered.usage.is_some() {
        let billed = billed_searches(metered.model.as_deref(), progress.searches);
        metered.set_usage(Some(progress.reported.with(TokenClass::ToolCall, billed)));
    }
    Ok(reported.is_some())
}

/// Notes how far a candidate is; how many searches it is grounded on.
fn candidate(
    place: u64,
    reader: &mut Reader<'_>,
    progress: &mut Progress,
) -> Result<u64, JsonError> {
    let mut index = place;
    let mut finished = false;
    let mut searches = 0;
    members(reader, |key, reader| {
        match key.raw() {
            "index" => index = count(reader)?.unwrap_or(place),
            "finishReason" => finished = string(reader)?.is_some(),
            "groundingMetadata" => searches += grounding(reader)?,
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    let bit = 1_u64 << index.min(63);
    progress.begun |= bit;
    if finished {
        progress.finished |= bit;
    }
    Ok(searches)
}

fn grounding(reader: &mut Reader<'_>) -> Result<u64, JsonError> {
    let mut queries = 0;
    let mut maps = false;
    members(reader, |key, reader| {
        match key.raw() {
            "webSearchQueries" | "imageSearchQueries" => queries += items_of(reader)?,
            "groundingChunks" => {
                items(reader, |_, reader| {
                    members(reader, |key, reader| {
                        maps |= key.is("maps");
                        skip(reader)
                    })?;
                    Ok(())
                })?;
            }
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    Ok(queries + u64::from(maps))
}

fn items_of(reader: &mut Reader<'_>) -> Result<u64, JsonError> {
    Ok(items(reader, |_, reader| skip(reader))?.unwrap_or(0))
}

/// How many searches are billed. A model whose generation is not known is billed by the query.
fn billed_searches(model: Option<&str>, queries: u64) -> u64 {
    let by_prompt = model.is_some_and(|model| {
        ["gemini-1", "gemini-2"].iter().any(|generation| model.starts_with(generation))
    });
    if by_prompt { queries.min(1) } else { queries }
}

/// Reads Google's `error` object, whose `status` is a word and whose `code` is a number.
fn error(reader: &mut Reader<'_>, metered: &mut Metered) -> Result<(), JsonError> {
    let mut status = None;
    let object = members(reader, |key, reader| {
        match key.raw() {
            "status" => status = string(reader)?,
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    if object {
        metered.set_error(status);
    }
    Ok(())
}

/// The numbers as they are reported, before they are made disjoint.
#[derive(Debug, Default)]
struct Counts {
    prompt: Option<u64>,
    cached: u64,
    candidates: u64,
    thoughts: u64,
    tool_use: u64,
    total: u64,
    prompt_audio: u64,
    cached_audio: u64,
    audio: u64,
    image: u64,
}

impl Counts {
    fn read(reader: &mut Reader<'_>, metered: &mut Metered) -> Result<Self, JsonError> {
        let mut counts = Self::default();
        members(reader, |key, reader| {
            match key.raw() {
                "promptTokenCount" => counts.prompt = count(reader)?,
                "cachedContentTokenCount" => counts.cached = number(reader)?,
                "candidatesTokenCount" => counts.candidates = number(reader)?,
                "thoughtsTokenCount" => counts.thoughts = number(reader)?,
                "toolUsePromptTokenCount" => counts.tool_use = number(reader)?,
                "totalTokenCount" => counts.total = number(reader)?,
                "promptTokensDetails" => {
                    counts.prompt_audio = details(reader)?.0;
                }
                "cacheTokensDetails" => counts.cached_audio = details(reader)?.0,
                "candidatesTokensDetails" => {
                    (counts.audio, counts.image) = details(reader)?;
                }
                "serviceTier" => {
                    let tier = string(reader)?.map(|tier| tier.decode().to_ascii_lowercase());
                    metered.service_tier = tier.or(metered.service_tier.take());
                }
                _ => skip(reader)?,
            }
            Ok(())
        })?;
        Ok(counts)
    }

    /// The disjoint classes. `None` where what was read is not reported.
    fn usage(&self) -> Option<Usage> {
        let prompt = self.prompt?;
        let cached_audio = self.cached_audio.min(self.cached);
        let audio = self.prompt_audio.saturating_sub(cached_audio);
        let special = self.cached.saturating_add(audio);
        let special_output = self.audio.saturating_add(self.image);
        // What is in the total and in no part was made or read all the same: never free.
        let parts = [prompt, self.candidates, self.thoughts, self.tool_use];
        let parts = parts.into_iter().fold(0, u64::saturating_add);
        let beside = self.total.saturating_sub(parts);
        Some(
            Usage::default()
                .with(
                    TokenClass::Input,
                    prompt.saturating_sub(special).saturating_add(self.tool_use),
                )
                .with(TokenClass::CacheRead, self.cached - cached_audio)
                .with(TokenClass::AudioInput, audio)
                .with(TokenClass::AudioCacheRead, cached_audio)
                .with(TokenClass::Output, self.candidates.saturating_sub(special_output))
                .with(TokenClass::Reasoning, self.thoughts.saturating_add(beside))
                .with(TokenClass::AudioOutput, self.audio)
                .with(TokenClass::ImageOutput, self.image),
        )
    }
}

fn number(reader: &mut Reader<'_>) -> Result<u64, JsonError> {
    Ok(count(reader)?.unwrap_or(0))
}

/// Tokens of audio and of images in a list of counts by modality.
fn details(reader: &mut Reader<'_>) -> Result<(u64, u64), JsonError> {
    let (mut audio, mut image) = (0_u64, 0_u64);
    items(reader, |_, reader| {
        let mut modality = None;
        let mut tokens = 0;
        members(reader, |key, reader| {
            match key.raw() {
                "modality" => modality = string(reader)?,
                "tokenCount" => tokens = number(reader)?,
                _ => skip(reader)?,
            }
            Ok(())
        })?;
        match modality.map(|modality| modality.raw()) {
            Some("AUDIO") => audio = audio.saturating_add(tokens),
            Some("IMAGE") => image = image.saturating_add(tokens),
            _ => {}
        }
        Ok(())
    })?;
    Ok((audio, image))
}
