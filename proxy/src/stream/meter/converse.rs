//! Usage of Amazon Bedrock's `converse`, in one piece and as a stream.
//!
//! `inputTokens` leaves out what the cache gave or took, as Anthropic's does. In a stream each event
//! stands under its name, and the last one, `metadata`, reports the usage:
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html>.

use iron_policy::json::{JsonError, Reader};
use iron_policy::types::{TokenClass, Usage};

use super::find::{ERROR, MESSAGE_STOP_EVENT, USAGE, member};
use super::openai::error;
use super::{Metered, Noted, Progress};
use crate::stream::walk::{count, items, members, skip, string};

pub(super) fn event(
    data: &[u8],
    metered: &mut Metered,
    progress: &mut Progress,
) -> Result<Noted, JsonError> {
    let worth_reading =
        member(&USAGE, data) || member(&MESSAGE_STOP_EVENT, data) || member(&ERROR, data);
    if !worth_reading {
        return Ok(Noted::Other);
    }
    members(&mut Reader::new(data)?, |key, reader| {
        match key.raw() {
            "messageStop" => {
                progress.stopped = true;
                skip(reader)?;
            }
            "metadata" => {
                document(reader, metered)?;
                metered.usage_is_final = metered.usage.is_some() && progress.stopped;
            }
            "error" => error(reader, metered)?,
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    metered.complete = progress.stopped && metered.error.is_none();
    Ok(Noted::Other)
}

/// Reads a whole answer, or the event that has the same members.
pub(super) fn document(reader: &mut Reader<'_>, metered: &mut Metered) -> Result<(), JsonError> {
    members(reader, |key, reader| {
        match key.raw() {
            "usage" => read_usage(reader, metered)?,
            "serviceTier" => {
                members(reader, |key, reader| {
                    match key.raw() {
                        "type" => metered.set_service_tier(string(reader)?),
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

fn read_usage(reader: &mut Reader<'_>, metered: &mut Metered) -> Result<(), JsonError> {
    let (mut input, mut output, mut read, mut write) = (None, None, None, None);
    let mut one_hour = 0;
    members(reader, |key, reader| {
        match key.raw() {
            "inputTokens" => input = count(reader)?,
            "outputTokens" => output = count(reader)?,
            "cacheReadInputTokens" | "cacheReadInputTokenCount" => read = count(reader)?.or(read),
            "cacheWriteInputTokens" | "cacheWriteInputTokenCount" => {
                write = count(reader)?.or(write);
            }
            "cacheDetails" => {
                items(reader, |_, reader| {
                    let (mut hour, mut tokens) = (false, None);
                    members(reader, |key, reader| {
                        match key.raw() {
                            "ttl" => hour = string(reader)?.is_some_and(|ttl| ttl.is("1h")),
                            "inputTokens" => tokens = count(reader)?,
                            _ => skip(reader)?,
                        }
                        Ok(())
                    })?;
                    if hour {
                        one_hour = tokens.unwrap_or_default().saturating_add(one_hour);
                    }
                    Ok(())
                })?;
            }
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    let usage = input.zip(output).map(|(input, output)| {
        Usage::default()
            .with(TokenClass::Input, input)
            .with(TokenClass::Output, output)
            .with(TokenClass::CacheRead, read.unwrap_or_default())
            .with(TokenClass::CacheWrite, write.unwrap_or_default().saturating_sub(one_hour))
            .with(TokenClass::CacheWrite1h, one_hour)
    });
    metered.set_usage(usage);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{Meter, WireKind};

    #[test]
    fn a_stream_is_metered_by_its_last_event() {
        let mut meter = Meter::new(WireKind::Converse);
        for data in [
            r#"{"messageStart":{"role":"assistant"}}"#,
            r#"{"contentBlockDelta":{"delta":{"text":"\"usage\":{}"},"contentBlockIndex":0}}"#,
            r#"{"messageStop":{"stopReason":"end_turn"}}"#,
        ] {
            meter.event(data.as_bytes());
            assert_eq!(meter.metered().usage, None);
        }
        meter.event(
            br#"{"metadata":{"usage":{"inputTokens":5,"outputTokens":7,"totalTokens":42,
            "cacheReadInputTokens":20,"cacheWriteInputTokens":10,
            "cacheDetails":[{"ttl":"5m","inputTokens":6},{"ttl":"1h","inputTokens":4}]},
            "serviceTier":{"type":"flex"}}}"#,
        );
        let metered = meter.metered();
        assert!(metered.complete && metered.usage_is_final);
        let usage = metered.usage.unwrap();
        let units = [
            (TokenClass::Input, 5),
            (TokenClass::Output, 7),
            (TokenClass::CacheRead, 20),
            (TokenClass::CacheWrite, 6),
            (TokenClass::CacheWrite1h, 4),
        ];
        assert!(units.iter().all(|(class, count)| usage.of(*class) == *count), "{usage:?}");
        assert_eq!(metered.service_tier.as_deref(), Some("flex"));
    }

    #[test]
    fn a_stream_that_ends_with_an_exception_is_not_complete() {
        let mut meter = Meter::new(WireKind::Converse);
        meter.event(br#"{"type":"error","error":{"type":"throttlingException"}}"#);
        meter.end();
        assert_eq!(meter.metered().error.as_deref(), Some("throttlingException"));
        assert!(!meter.metered().complete);
    }
}
