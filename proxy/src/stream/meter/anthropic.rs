//! Usage of Anthropic's messages.
//!
//! `message_start` reports the input and a first guess of the output; every `message_delta`
//! reports cumulative numbers that replace those before, member by member. `input_tokens` leaves
//! out what the cache gave or took.

use iron_policy::json::{JsonError, Reader, Text};
use iron_policy::types::{TokenClass, Usage};

use super::find::{ERROR, MESSAGE_STOP, USAGE, member, word};
use super::openai::error;
use super::{Metered, Noted, Progress};
use crate::stream::walk::{count, items, members, skip, string};

/// How nearly every event starts; a shortcut, not a rule.
const TEXT_EVENT: &[u8] = b"{\"type\":\"content_block_delta\"";

pub(super) fn event(
    data: &[u8],
    metered: &mut Metered,
    progress: &mut Progress,
) -> Result<Noted, JsonError> {
    let worth_reading = !data.starts_with(TEXT_EVENT)
        && (member(&USAGE, data) || word(&MESSAGE_STOP, data) || member(&ERROR, data));
    if !worth_reading {
        return Ok(Noted::Other);
    }
    let mut kind: Option<Text<'_>> = None;
    let mut usage_seen = false;
    members(&mut Reader::new(data)?, |key, reader| {
        match key.raw() {
            "type" => kind = string(reader)?,
            "message" => message(reader, &mut progress.reported, metered)?,
            "usage" => {
                read_usage(reader, &mut progress.reported, metered)?;
                usage_seen = true;
            }
            "delta" => {
                members(reader, |key, reader| {
                    match key.raw() {
                        "stop_reason" => progress.stopped |= string(reader)?.is_some(),
                        _ => skip(reader)?,
                    }
                    Ok(())
                })?;
            }
            "error" => error(reader, metered)?,
            INVOCATION if metered.usage.is_none() => invocation(reader, metered)?,
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    match kind.map(|kind| kind.raw()).unwrap_or_default() {
        "message_stop" => {
            metered.complete = metered.error.is_none();
            metered.usage_is_final = metered.usage.is_some();
        }
        "message_delta" if usage_seen && progress.stopped => metered.usage_is_final = true,
        _ => {}
    }
    Ok(Noted::Other)
}

/// What Bedrock adds to the last event of a stream
/// (<https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html>).
const INVOCATION: &str = "amazon-bedrock-invocationMetrics";

/// Reads Bedrock's own counts, for a stream whose events reported none.
fn invocation(reader: &mut Reader<'_>, metered: &mut Metered) -> Result<(), JsonError> {
    let mut counts = Counts::default();
    members(reader, |key, reader| {
        match key.raw() {
            "inputTokenCount" => counts.input = count(reader)?,
            "outputTokenCount" => counts.output = count(reader)?,
            "cacheReadInputTokenCount" => counts.cache_read = count(reader)?,
            "cacheWriteInputTokenCount" => counts.cache_write = count(reader)?,
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    let mut usage = Usage::default();
    if counts.input.is_some() && counts.output.is_some() {
        counts.lay_over(&mut usage);
        metered.usage = Some(usage);
    }
    Ok(())
}

pub(super) fn document(reader: &mut Reader<'_>, metered: &mut Metered) -> Result<(), JsonError> {
    message(reader, &mut Usage::default(), metered)
}

/// Reads the message object, from a plain answer or from `message_start`.
fn message(
    reader: &mut Reader<'_>,
    reported: &mut Usage,
    metered: &mut Metered,
) -> Result<(), JsonError> {
    members(reader, |key, reader| {
        match key.raw() {
            "model" => metered.set_model(string(reader)?),
            "usage" => read_usage(reader, reported, metered)?,
            "error" => error(reader, metered)?,
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    Ok(())
}

/// Lays the members of a `usage` object over what was reported before.
fn read_usage(
    reader: &mut Reader<'_>,
    reported: &mut Usage,
    metered: &mut Metered,
) -> Result<(), JsonError> {
    let mut counts = Counts::default();
    let mut compaction = Counts::default();
    let mut fast = None;
    members(reader, |key, reader| {
        match key.raw() {
            "service_tier" => metered.set_service_tier(string(reader)?),
            "speed" => fast = string(reader)?.filter(|speed| speed.is("fast")),
            "server_tool_use" => {
                members(reader, |key, reader| {
                    match key.raw() {
                        "web_search_requests" => {
                            set(reported, TokenClass::ToolCall, count(reader)?);
                        }
                        _ => skip(reader)?,
                    }
                    Ok(())
                })?;
            }
            // The numbers above leave out what summarising the conversation took
            // (<https://docs.claude.com/en/docs/build-with-claude/compaction>).
            "iterations" => {
                items(reader, |_, reader| {
                    let (counts, is_compaction) = iteration(reader)?;
                    if is_compaction {
                        compaction.add(&counts);
                    }
                    Ok(())
                })?;
            }
            _ => counts.member(key, reader)?,
        }
        Ok(())
    })?;
    metered.set_service_tier(fast);
    if counts.lay_over(reported) {
        let mut usage = *reported;
        compaction.add_to(&mut usage);
        metered.usage = Some(usage);
    }
    Ok(())
}

fn iteration(reader: &mut Reader<'_>) -> Result<(Counts, bool), JsonError> {
    let mut counts = Counts::default();
    let mut is_compaction = false;
    members(reader, |key, reader| {
        match key.raw() {
            "type" => is_compaction = string(reader)?.is_some_and(|kind| kind.is("compaction")),
            _ => counts.member(key, reader)?,
        }
        Ok(())
    })?;
    Ok((counts, is_compaction))
}

/// The token counts of one `usage` object or iteration.
#[derive(Default)]
struct Counts {
    input: Option<u64>,
    output: Option<u64>,
    cache_read: Option<u64>,
    /// All that was written to caches, of either life.
    cache_write: Option<u64>,
    five_minutes: Option<u64>,
    one_hour: Option<u64>,
}

impl Counts {
    fn member<'a>(&mut self, key: Text<'a>, reader: &mut Reader<'a>) -> Result<(), JsonError> {
        match key.raw() {
            "input_tokens" => self.input = count(reader)?,
            "output_tokens" => self.output = count(reader)?,
            "cache_read_input_tokens" => self.cache_read = count(reader)?,
            "cache_creation_input_tokens" => self.cache_write = count(reader)?,
            "cache_creation" => {
                members(reader, |key, reader| {
                    match key.raw() {
                        "ephemeral_5m_input_tokens" => self.five_minutes = count(reader)?,
                        "ephemeral_1h_input_tokens" => self.one_hour = count(reader)?,
                        _ => skip(reader)?,
                    }
                    Ok(())
                })?;
            }
            _ => skip(reader)?,
        }
        Ok(())
    }

    /// What was written for five minutes: all that is not said to be written for an hour.
    fn short_write(&self) -> Option<u64> {
        let rest = self.cache_write.map(|all| all.saturating_sub(self.one_hour.unwrap_or(0)));
        rest.max(self.five_minutes)
    }

    /// Replaces what is reported here; false where nothing is.
    fn lay_over(&self, usage: &mut Usage) -> bool {
        set(usage, TokenClass::Input, self.input);
        set(usage, TokenClass::Output, self.output);
        set(usage, TokenClass::CacheRead, self.cache_read);
        // A total without its parts says nothing new about a split that is known already.
        let known = usage.of(TokenClass::CacheWrite) + usage.of(TokenClass::CacheWrite1h);
        let split = self.one_hour.is_some() || self.five_minutes.is_some();
        if split || self.cache_write.is_some_and(|all| all != known) {
            set(usage, TokenClass::CacheWrite, self.short_write());
            set(usage, TokenClass::CacheWrite1h, self.one_hour);
        }
        self.input.is_some() || self.output.is_some()
    }

    fn add(&mut self, other: &Self) {
        let sum = |left: Option<u64>, right: Option<u64>| {
            left.or(right).map(|_| left.unwrap_or(0).saturating_add(right.unwrap_or(0)))
        };
        self.input = sum(self.input, other.input);
        self.output = sum(self.output, other.output);
        self.cache_read = sum(self.cache_read, other.cache_read);
        self.cache_write = sum(self.cache_write, other.cache_write);
        self.five_minutes = sum(self.five_minutes, other.five_minutes);
        self.one_hour = sum(self.one_hour, other.one_hour);
    }

    fn add_to(&self, usage: &mut Usage) {
        for (class, units) in [
            (TokenClass::Input, self.input),
            (TokenClass::Output, self.output),
            (TokenClass::CacheRead, self.cache_read),
            (TokenClass::CacheWrite, self.short_write()),
            (TokenClass::CacheWrite1h, self.one_hour),
        ] {
            usage.set(class, usage.of(class).saturating_add(units.unwrap_or(0)));
        }
    }
}

fn set(usage: &mut Usage, class: TokenClass, units: Option<u64>) {
    if let Some(units) = units {
        usage.set(class, units);
    }
}
