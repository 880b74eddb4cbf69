//! Amazon Bedrock: `converse`, `invoke` with Anthropic's bodies, and both as streams of frames.
//!
//! Frames are written here from the specification, with a CRC of its own, so that the proxy's reader
//! is held against something that it did not write.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::super::anthropic;
use super::super::behaviour::{Behaviour, Report};
use super::super::bill::{Model, Usage, Vendor, model_of};
use super::super::draft::{Content, Draft, Finish, tokens};
use super::super::endpoint::{self, Charge, Numbered, Prepared, Written};
use super::super::openai::chat as openai_chat;
use super::super::refusal::Refusal;
use super::super::request::{self, Asked, Tool, Turn};
use super::super::sse::Piece;
use super::{has_bearer, json_of, piece};

/// Models by the ids that Bedrock gives them, at the prices of aws.amazon.com/bedrock/pricing: input,
/// cache read, cache write of five minutes, of one hour, output.
#[rustfmt::skip]
const MODELS: [Model; 6] = [
    model_of(Vendor::Bedrock, "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        [1_100_000, 110_000, 1_375_000, 2_200_000,  5_500_000]),
    model_of(Vendor::Bedrock, "global.anthropic.claude-haiku-4-5-20251001-v1:0",
        [1_000_000, 100_000, 1_250_000, 2_000_000,  5_000_000]),
    model_of(Vendor::Bedrock, "anthropic.claude-haiku-4-5-20251001-v1:0",
        [1_100_000, 110_000, 1_375_000, 2_200_000,  5_500_000]),
    model_of(Vendor::Bedrock, "amazon.nova-lite-v1:0",
        [   60_000,  15_000,    60_000,    60_000,    240_000]),
    model_of(Vendor::Bedrock, "openai.gpt-oss-120b-1:0",
        [  150_000, 150_000,   150_000,   150_000,    600_000]),
    model_of(Vendor::Bedrock, "arn:aws:bedrock:us-east-1:123456789012:inference-profile/global.anthropic.claude-haiku-4-5-20251001-v1:0",
        [1_000_000, 100_000, 1_250_000, 2_000_000,  5_000_000]),
];

/// The exception that goes with a status.
pub(super) const fn error_type(status: u16) -> &'static str {
    match status {
        400 => "ValidationException",
        403 | 401 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        429 => "ThrottlingException",
        503 => "ServiceUnavailableException",
        _ => "InternalServerException",
    }
}

fn known(id: &str) -> Option<&'static Model> {
    MODELS.iter().find(|model| model.name == id)
}

/// A model of OpenAI's that is served here.
pub(super) fn openai_model(id: &str) -> Option<&'static Model> {
    known(id).filter(|model| model.name.starts_with("openai."))
}

/// `POST /openai/v1/chat/completions`.
pub(super) fn chat(
    call: Numbered<'_>,
    behaviour: &Behaviour,
    body: &Value,
) -> Result<Prepared, Refusal> {
    let asked = Asked::read(body, request::last_turn(&body["messages"]));
    let model = openai_model(&asked.model).ok_or_else(|| Refusal::new(404, "no such model"))?;
    let written = Written {
        plain: openai_chat::plain,
        stream: |draft, asked| openai_chat::stream(draft, asked.include_usage),
    };
    Ok(endpoint::generate(call, &asked, behaviour, model, &written))
}

pub(super) fn answer(
    call: Numbered<'_>,
    behaviour: &Behaviour,
    id: &str,
    method: &str,
) -> Result<Prepared, Refusal> {
    if !has_bearer(&call.call.headers) {
        return Err(Refusal::new(403, "Missing Authentication Token"));
    }
    let body = json_of(call.call)?;
    let model =
        known(id).ok_or_else(|| Refusal::new(400, "The provided model identifier is invalid."))?;
    match method {
        "converse" | "converse-stream" => {
            if body["messages"].as_array().is_none_or(Vec::is_empty) {
                return Err(Refusal::new(400, "messages is a required field"));
            }
            let asked = asked(&body, id);
            let draft = Draft::new(&asked, behaviour, call.number, call.created);
            let charge = Charge { model, name: id.to_owned(), usage: draft.usage };
            if method == "converse" {
                return Ok(Prepared::json(&plain(&draft)).billed(charge));
            }
            Ok(stream(converse_frames(&draft), charge))
        }
        "invoke" | "invoke-with-response-stream" => invoke(call, behaviour, body, model, method),
        "count-tokens" => {
            let inner = &body["input"]["converse"];
            let counted =
                request::leaf_tokens(&inner["messages"]) + request::leaf_tokens(&inner["system"]);
            Ok(Prepared::json(&json!({"inputTokens": counted.max(1)})))
        }
        _ => Err(Refusal::new(404, "no such operation")),
    }
}

fn invoke(
    call: Numbered<'_>,
    behaviour: &Behaviour,
    mut body: Value,
    model: &'static Model,
    method: &str,
) -> Result<Prepared, Refusal> {
    // `bedrock-2023-05-31`, or a date of Anthropic's own versions, which its SDKs send.
    if !body["anthropic_version"].is_string() {
        return Err(Refusal::new(400, "anthropic_version: Field required"));
    }
    for extra in ["model", "stream"] {
        if !body[extra].is_null() {
            let message = format!("{extra}: Extra inputs are not permitted");
            return Err(Refusal::new(400, message));
        }
    }
    body["model"] = json!(model.name);
    let asked = Asked::read(&body, request::last_turn(&body["messages"]));
    let draft = Draft::new(&asked, behaviour, call.number, call.created);
    let charge = Charge { model, name: model.name.to_owned(), usage: draft.usage };
    if method == "invoke" {
        return Ok(Prepared::json(&anthropic::plain(&draft)).billed(charge));
    }
    let events = anthropic::stream(&draft);
    let last = events.len().saturating_sub(1);
    let frames = events.iter().enumerate().map(|(place, event)| {
        let mut data: Value = serde_json::from_str(event.text()).unwrap_or_default();
        if place == last && draft.report != Report::Never {
            data["amazon-bedrock-invocationMetrics"] = json!({
                "inputTokenCount": draft.usage.input, "outputTokenCount": draft.usage.all_output(),
                "invocationLatency": 100, "firstByteLatency": 50,
                "cacheReadInputTokenCount": draft.usage.cache_read,
                "cacheWriteInputTokenCount": draft.usage.cache_write + draft.usage.cache_write_1h,
            });
        }
        let payload = json!({"bytes": BASE64.encode(data.to_string()), "p": "abcdefghijk"});
        piece(frame("chunk", &payload.to_string()), event.cost())
    });
    Ok(stream(frames.collect(), charge))
}

fn stream(pieces: Vec<Piece>, charge: Charge) -> Prepared {
    Prepared {
        status: 200,
        content_type: "application/vnd.amazon.eventstream".to_owned(),
        pieces,
        streamed: true,
        charge: Some(charge),
    }
}

/// What a body of `converse` asks for.
fn asked(body: &Value, id: &str) -> Asked {
    let last = body["messages"].as_array().and_then(|messages| messages.last());
    let blocks = last.and_then(|message| message["content"].as_array());
    let turn = blocks.and_then(|blocks| {
        blocks.iter().rev().find_map(|block| {
            let result = &block["toolResult"]["content"][0];
            if result.is_object() {
                let text = result["text"].as_str().map(str::to_owned);
                return Some(Turn::ToolResult(text.unwrap_or_else(|| result["json"].to_string())));
            }
            block["text"].as_str().map(|text| Turn::Said(text.to_owned()))
        })
    });
    let spec = &body["toolConfig"]["tools"][0]["toolSpec"];
    let first = spec["inputSchema"]["json"]["properties"].as_object();
    let argument = first.and_then(|members| members.keys().next());
    let read = ["system", "messages", "toolConfig"].iter();
    Asked {
        schema: None,
        model: id.to_owned(),
        turn: turn.unwrap_or(Turn::Said(String::new())),
        input_tokens: read.map(|field| request::leaf_tokens(&body[*field])).sum::<u64>().max(1),
        max_tokens: body["inferenceConfig"]["maxTokens"].as_u64(),
        choices: 1,
        stream: false,
        include_usage: true,
        tool: spec["name"].as_str().map(|name| Tool {
            name: name.to_owned(),
            argument: argument.map_or("text", String::as_str).to_owned(),
        }),
    }
}

fn plain(draft: &Draft) -> Value {
    let choice = &draft.choices[0];
    let content = match &choice.content {
        Content::Text(text) => json!({"text": text}),
        Content::ToolCall { name, arguments, .. } => json!({"toolUse": {
            "toolUseId": format!("tooluse_simulated{:08}", draft.number),
            "name": name,
            "input": serde_json::from_str::<Value>(arguments).unwrap_or_else(|_| json!({})),
        }}),
    };
    let mut body = json!({
        "output": {"message": {"role": "assistant", "content": [content]}},
        "stopReason": stop_reason(choice.finish),
        "metrics": {"latencyMs": 100},
    });
    if draft.report != Report::Never {
        body["usage"] = usage(&draft.usage);
    }
    body
}

fn converse_frames(draft: &Draft) -> Vec<Piece> {
    let choice = &draft.choices[0];
    let of = |name: &str, body: Value| piece(frame(name, &body.to_string()), 0);
    let mut frames = vec![of("messageStart", json!({"role": "assistant", "p": "abcd"}))];
    if let Content::ToolCall { name, .. } = &choice.content {
        frames.push(of(
            "contentBlockStart",
            json!({"contentBlockIndex": 0, "start": {"toolUse": {
                "toolUseId": format!("tooluse_simulated{:08}", draft.number), "name": name,
            }}}),
        ));
    }
    for token in tokens(choice.content.generated()) {
        let delta = match &choice.content {
            Content::Text(_) => json!({"text": token}),
            Content::ToolCall { .. } => json!({"toolUse": {"input": token}}),
        };
        let body = json!({"contentBlockIndex": 0, "delta": delta, "p": "abcdefgh"});
        frames.push(piece(frame("contentBlockDelta", &body.to_string()), 1));
    }
    frames.push(of("contentBlockStop", json!({"contentBlockIndex": 0})));
    frames.push(of("messageStop", json!({"stopReason": stop_reason(choice.finish)})));
    let mut metadata = json!({"metrics": {"latencyMs": 100}});
    if draft.report != Report::Never {
        metadata["usage"] = usage(&draft.usage);
    }
    frames.push(of("metadata", metadata));
    frames
}

fn stop_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::ToolCall => "tool_use",
        Finish::Length => "max_tokens",
    }
}

fn usage(usage: &Usage) -> Value {
    json!({
        "inputTokens": usage.input,
        "outputTokens": usage.all_output(),
        "totalTokens": usage.all_input() + usage.all_output(),
        "cacheReadInputTokens": usage.cache_read,
        "cacheWriteInputTokens": usage.cache_write + usage.cache_write_1h,
        "cacheDetails": [
            {"ttl": "5m", "inputTokens": usage.cache_write},
            {"ttl": "1h", "inputTokens": usage.cache_write_1h},
        ],
    })
}

/// A frame of the event stream encoding.
fn frame(name: &str, payload: &str) -> Vec<u8> {
    let mut headers = Vec::new();
    for (key, value) in
        [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")]
    {
        headers.push(key.len() as u8);
        headers.extend(key.bytes());
        headers.push(7);
        headers.extend((value.len() as u16).to_be_bytes());
        headers.extend(value.bytes());
    }
    let total = 16 + headers.len() + payload.len();
    let mut out = (total as u32).to_be_bytes().to_vec();
    out.extend((headers.len() as u32).to_be_bytes());
    out.extend(crc32(&out).to_be_bytes());
    out.extend(headers);
    out.extend(payload.bytes());
    out.extend(crc32(&out).to_be_bytes());
    out
}

/// CRC-32 bit by bit (RFC 1952, section 8).
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_of_the_specifications_example_is_right() {
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }
}
