//! Usage of OpenAI's Responses API.
//!
//! The stream's first and last events carry the whole response object; only those are read. The
//! last one is `response.completed`, `response.incomplete` or `response.failed`. Calls of
//! built-in tools are no usage numbers: they are counted among the output's items.

use iron_policy::json::{JsonError, Reader, Text};
use iron_policy::types::TokenClass;

use super::find::{ERROR, RESPONSE, word};
use super::openai::{Bills, Counts, error};
use super::{Metered, Noted};
use crate::stream::walk::{items, members, skip, string};

pub(super) fn event(data: &[u8], metered: &mut Metered) -> Result<Noted, JsonError> {
    if !word(&RESPONSE, data) && !word(&ERROR, data) {
        return Ok(Noted::Other);
    }
    let mut kind: Option<Text<'_>> = None;
    let mut code = None;
    members(&mut Reader::new(data)?, |key, reader| {
        match key.raw() {
            "type" => kind = string(reader)?,
            "code" => code = string(reader)?,
            "response" => document(reader, metered)?,
            "error" => error(reader, metered)?,
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    match kind.map(|kind| kind.raw()).unwrap_or_default() {
        "response.completed" | "response.incomplete" | "response.failed" | "response.done" => {
            metered.complete = true;
            metered.usage_is_final = metered.usage.is_some();
        }
        "error" => metered.set_error(code.or(kind)),
        _ => {}
    }
    Ok(Noted::Other)
}

/// Reads the response object, from a plain answer or from within an event.
pub(super) fn document(reader: &mut Reader<'_>, metered: &mut Metered) -> Result<(), JsonError> {
    let mut counts = None;
    let mut tool_calls = 0;
    members(reader, |key, reader| {
        match key.raw() {
            "model" => metered.set_model(string(reader)?),
            "service_tier" => metered.set_service_tier(string(reader)?),
            "usage" => counts = Counts::read(reader)?,
            "error" => error(reader, metered)?,
            "output" => {
                items(reader, |_, reader| {
                    tool_calls += u64::from(is_billed_call(reader)?);
                    Ok(())
                })?;
            }
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    let usage = counts.and_then(|counts| counts.usage(Bills::Both));
    metered.set_usage(usage.map(|usage| usage.with(TokenClass::ToolCall, tool_calls)));
    Ok(())
}

/// True for an output item that is billed by the call: a web or file search. Opening a page that
/// a search found is free (<https://platform.openai.com/docs/guides/tools-web-search>).
fn is_billed_call(reader: &mut Reader<'_>) -> Result<bool, JsonError> {
    let mut kind: Option<Text<'_>> = None;
    let mut action: Option<Text<'_>> = None;
    members(reader, |key, reader| {
        match key.raw() {
            "type" => kind = string(reader)?,
            "action" => {
                members(reader, |key, reader| {
                    match key.raw() {
                        "type" => action = string(reader)?,
                        _ => skip(reader)?,
                    }
                    Ok(())
                })?;
            }
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    let free = action.is_some_and(|action| action.is("open_page") || action.is("find_in_page"));
    Ok(match kind.map(|kind| kind.raw()).unwrap_or_default() {
        "web_search_call" => !free,
        "file_search_call" => true,
        _ => false,
    })
}
