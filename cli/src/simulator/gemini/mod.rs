//! Google's Gemini API: `models/MODEL:METHOD`, with the model in the path.
//!
//! Streams come as server-sent events with `alt=sse`, their lines ended as Google ends them, else
//! as one JSON list. Every chunk reports the usage so far.

mod answers;

use hyper::{HeaderMap, Method, header};
use serde_json::Value;

use super::behaviour::{Behaviour, Form};
use super::bill::{self, Model, Usage, Vendor};
use super::draft::Draft;
use super::endpoint::{Charge, Numbered, Prepared, path};
use super::records::Received;
use super::refusal::Refusal;
use super::request::{self, Asked, Tool, Turn};
use super::sse::{self, Piece};

/// True for a call that is meant for Google.
pub(super) fn is_meant(call: &Received) -> bool {
    target(path(call)).is_some()
        || call.headers.contains_key("x-goog-api-key")
        || query(call).any(|pair| pair.starts_with("key="))
}

/// The model that a path names.
pub(super) fn model_in(path: &str) -> Option<&str> {
    target(path).map(|(model, _)| model)
}

/// Answers as the provider would, in the manner ordered.
pub(super) fn answer(call: Numbered<'_>, behaviour: &Behaviour) -> Result<Prepared, Refusal> {
    let received = call.call;
    authenticate(received)?;
    let path = path(received);
    if received.method == Method::GET {
        return models(path).ok_or_else(not_found);
    }
    let (name, method) = target(path).ok_or_else(not_found)?;
    if received.method != Method::POST || !METHODS.contains(&method) {
        return Err(not_found());
    }
    let model = known(name, method)?;
    let body: Value = serde_json::from_slice(&received.body)
        .map_err(|_| Refusal::new(400, "Invalid JSON payload received. Unexpected token."))?;
    match method {
        "countTokens" => {
            let counted = body.get("generateContentRequest").unwrap_or(&body);
            Ok(Prepared::json(&answers::count_tokens(input_tokens(counted))))
        }
        "embedContent" | "batchEmbedContents" => {
            let counted = Usage { input: input_tokens(&body), ..Usage::default() };
            let usage = behaviour.usage.unwrap_or(counted);
            let answer = answers::embeddings(&body, &usage, behaviour.report);
            let charge = Charge { model, name: name.to_owned(), usage };
            Ok(Prepared::json(&answer).billed(charge))
        }
        _ if body["contents"].is_null() => {
            Err(Refusal::new(400, "* GenerateContentRequest.contents: contents is not specified\n"))
        }
        _ => Ok(generate(call, &asked(&body, name, method), behaviour, model)),
    }
}

const METHODS: [&str; 5] = [
    "generateContent",
    "streamGenerateContent",
    "countTokens",
    "embedContent",
    "batchEmbedContents",
];

/// Model and method of a path.
fn target(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("/v1beta").or_else(|| path.strip_prefix("/v1"))?;
    rest.strip_prefix("/models/")?.split_once(':')
}

fn query(call: &Received) -> impl Iterator<Item = &str> {
    call.path.split_once('?').map_or("", |(_, query)| query).split('&')
}

/// Any key will do, but there must be one.
fn authenticate(call: &Received) -> Result<(), Refusal> {
    let given =
        |headers: &HeaderMap, name: &str| headers.get(name).is_some_and(|value| !value.is_empty());
    let key = given(&call.headers, "x-goog-api-key")
        || given(&call.headers, header::AUTHORIZATION.as_str())
        || query(call).any(|pair| pair.strip_prefix("key=").is_some_and(|key| !key.is_empty()));
    if key {
        return Ok(());
    }
    Err(Refusal::new(
        403,
        "Method doesn't allow unregistered callers (callers without established identity). Please \
         use API Key or other form of API consumer identity to call this API.",
    ))
}

fn known(name: &str, method: &str) -> Result<&'static Model, Refusal> {
    bill::model(name).filter(|model| model.vendor == Vendor::Gemini).ok_or_else(|| {
        Refusal::new(
            404,
            format!(
                "models/{name} is not found for API version v1beta, or is not supported for \
                 {method}. Call ListModels to see the list of available models and their \
                 supported methods."
            ),
        )
    })
}

fn not_found() -> Refusal {
    Refusal::new(404, "Requested entity was not found.")
}

fn models(path: &str) -> Option<Prepared> {
    let rest = path.strip_prefix("/v1beta").or_else(|| path.strip_prefix("/v1"))?;
    if rest == "/models" {
        return Some(Prepared::json(&answers::models()));
    }
    let name = rest.strip_prefix("/models/")?;
    bill::model(name).filter(|model| model.vendor == Vendor::Gemini)?;
    Some(Prepared::json(&answers::model(name)))
}

fn asked(body: &Value, model: &str, method: &str) -> Asked {
    let config = either(body, "generationConfig", "generation_config");
    let number = |camel, snake| either(config, camel, snake).as_u64();
    Asked {
        model: model.to_owned(),
        turn: last_turn(&body["contents"]),
        input_tokens: input_tokens(body),
        max_tokens: number("maxOutputTokens", "max_output_tokens"),
        choices: number("candidateCount", "candidate_count").unwrap_or(1).clamp(1, 8),
        stream: method == "streamGenerateContent",
        include_usage: true,
        tool: tool(body),
        schema: ["responseJsonSchema", "responseSchema"]
            .iter()
            .find_map(|name| config.get(*name))
            .cloned(),
    }
}

/// A member under either of its names.
fn either<'a>(object: &'a Value, camel: &str, snake: &str) -> &'a Value {
    object.get(camel).unwrap_or(&object[snake])
}

/// Counted as in the other dialects, over what this one's model reads.
fn input_tokens(body: &Value) -> u64 {
    let fields =
        ["systemInstruction", "system_instruction", "contents", "tools", "content", "requests"];
    fields.iter().map(|field| request::leaf_tokens(&body[*field])).sum::<u64>().max(1)
}

/// The last text, or what a function answered.
fn last_turn(contents: &Value) -> Turn {
    let contents = contents.as_array().map(Vec::as_slice).unwrap_or_default();
    let parts = contents.last().and_then(|content| content["parts"].as_array());
    let parts = parts.map(Vec::as_slice).unwrap_or_default();
    let turn = parts.iter().rev().find_map(|part| {
        let answered = either(part, "functionResponse", "function_response");
        if answered.is_object() {
            let response = &answered["response"];
            let result =
                response["result"].as_str().map_or_else(|| response.to_string(), str::to_owned);
            return Some(Turn::ToolResult(result));
        }
        part["text"].as_str().map(|text| Turn::Said(text.to_owned()))
    });
    turn.unwrap_or(Turn::Said(String::new()))
}

fn tool(body: &Value) -> Option<Tool> {
    let mut declared = body["tools"].as_array()?.iter().filter_map(|tool| {
        either(tool, "functionDeclarations", "function_declarations").as_array()?.first()
    });
    let declared = declared.next()?;
    let schema = either(declared, "parameters", "parametersJsonSchema");
    let first = schema["properties"].as_object().and_then(|members| members.keys().next());
    Some(Tool {
        name: declared["name"].as_str()?.to_owned(),
        argument: first.map_or("text", String::as_str).to_owned(),
    })
}

fn generate(
    call: Numbered<'_>,
    asked: &Asked,
    behaviour: &Behaviour,
    model: &'static Model,
) -> Prepared {
    let draft = Draft::new(asked, behaviour, call.number, call.created);
    let charge = Charge { model, name: asked.model.clone(), usage: draft.usage };
    if !asked.stream {
        return Prepared::json(&answers::plain(&draft)).billed(charge);
    }
    let events = answers::stream(&draft);
    if query(call.call).any(|pair| pair == "alt=sse") {
        let form = Form { crlf: true, ..behaviour.form };
        return Prepared::stream(&events, form, charge);
    }
    let last = events.len().saturating_sub(1);
    let piece = |(place, event): (usize, &sse::Event)| {
        let before = if place == 0 { "[" } else { ",\r\n" };
        let after = if place == last { "]" } else { "" };
        Piece {
            bytes: format!("{before}{}{after}", event.text()).into_bytes(),
            tokens: event.cost(),
        }
    };
    Prepared {
        content_type: "application/json; charset=UTF-8".to_owned(),
        pieces: events.iter().enumerate().map(piece).collect(),
        ..Prepared::stream(&[], behaviour.form, charge)
    }
}
