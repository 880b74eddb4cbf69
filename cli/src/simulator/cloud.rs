//! The same models at other vendors' paths: Azure OpenAI, Amazon Bedrock, Vertex AI, and Gemini's path
//! for clients of OpenAI's.
//!
//! What is at such a path what the maker serves itself is handed on to the maker's own answers;
//! what differs (deployments, prices, frames, where the usage stands) is here.

mod bedrock;

use hyper::{HeaderMap, Method, header};
use serde_json::{Value, json};

use super::behaviour::Behaviour;
use super::bill::{self, Model, Vendor, model_of};
use super::endpoint::{self, Numbered, Prepared, Written, path};
use super::gemini;
use super::openai::{chat, embeddings};
use super::records::Received;
use super::refusal::Refusal;
use super::request::{self, Asked};
use super::sse::{Event, Piece};
use super::{anthropic, bill::Usage};

/// Deployments of the simulated customer of Azure's.
const DEPLOYMENTS: [(&str, &str); 3] = [
    ("team-chat", "gpt-4o-mini"),
    ("team-chat-large", "gpt-4o"),
    ("team-embeddings", "text-embedding-3-small"),
];

/// Claude in a region of Vertex AI: a tenth above the list price, by Google's price page.
#[rustfmt::skip]
const IN_REGION: [Model; 2] = [
    model_of(Vendor::Anthropic, "claude-haiku-4-5",  [1_100_000, 110_000, 1_375_000, 2_200_000,  5_500_000]),
    model_of(Vendor::Anthropic, "claude-sonnet-5",   [2_200_000, 220_000, 2_750_000, 4_400_000, 11_000_000]),
];

/// What a path of a cloud's is.
enum Place<'a> {
    /// `/openai/deployments/NAME/REST`, or `/openai/v1/REST` with the deployment in the body.
    Azure { deployment: Option<&'a str>, rest: &'a str },
    /// `/model/ID/METHOD`.
    Bedrock { id: String, method: &'a str },
    /// `/v1/projects/P/locations/L/publishers/PUBLISHER/models/MODEL:METHOD`; with an API key the project
    /// and the location are left out.
    Vertex { location: &'a str, publisher: &'a str, model: &'a str, method: &'a str },
    /// `/v1beta/openai/REST`.
    Compatible(&'a str),
}

fn place(call: &Received) -> Option<Place<'_>> {
    let path = path(call);
    if let Some(rest) = path.strip_prefix("/v1beta/openai") {
        return Some(Place::Compatible(rest));
    }
    if let Some(rest) = path.strip_prefix("/openai") {
        let named = rest.strip_prefix("/deployments/").and_then(|rest| rest.split_once('/'));
        let (deployment, rest) = match named {
            Some((name, rest)) => (Some(name), rest),
            None => (None, rest.strip_prefix("/v1").unwrap_or(rest).trim_start_matches('/')),
        };
        return Some(Place::Azure { deployment, rest });
    }
    if let Some(rest) = path.strip_prefix("/model/") {
        let (id, method) = rest.split_once('/')?;
        return Some(Place::Bedrock { id: id.replace("%3A", ":").replace("%2F", "/"), method });
    }
    let rest = path.strip_prefix("/v1/").or_else(|| path.strip_prefix("/v1beta1/"))?;
    let (location, rest) = if let Some(rest) = rest.strip_prefix("publishers/") {
        ("global", rest)
    } else {
        let (_, rest) = rest.strip_prefix("projects/")?.split_once("/locations/")?;
        rest.split_once("/publishers/")?
    };
    let (publisher, rest) = rest.split_once("/models/")?;
    let (model, method) = rest.split_once(':')?;
    Some(Place::Vertex { location, publisher, model, method })
}

/// Whose errors and headers a call of a cloud's gets; none where it is no such call.
pub(super) fn vendor(call: &Received) -> Option<Vendor> {
    Some(match place(call)? {
        Place::Azure { .. } | Place::Compatible(_) => Vendor::OpenAi,
        Place::Bedrock { .. } => Vendor::Bedrock,
        Place::Vertex { publisher: "anthropic", .. } => Vendor::Anthropic,
        Place::Vertex { .. } => Vendor::Gemini,
    })
}

/// The model that a path of a cloud's names.
pub(super) fn model_in(call: &Received) -> Option<String> {
    match place(call)? {
        Place::Azure { deployment, .. } => deployment.map(str::to_owned),
        Place::Bedrock { id, .. } => Some(id),
        Place::Vertex { model, .. } => Some(model.to_owned()),
        Place::Compatible(_) => None,
    }
}

/// Headers that only a cloud sends.
pub(super) fn headers(call: &Received, status: u16) -> Vec<(&'static str, String)> {
    match place(call) {
        Some(Place::Azure { deployment, .. }) => vec![
            ("x-ms-region", "Sweden Central".to_owned()),
            ("x-ms-deployment-name", deployment.unwrap_or("v1").to_owned()),
            ("apim-request-id", "simulated".to_owned()),
        ],
        Some(Place::Bedrock { .. }) if status >= 400 => {
            vec![("x-amzn-errortype", bedrock::error_type(status).to_owned())]
        }
        _ => Vec::new(),
    }
}

/// Answers as the cloud would; none where the call is for no cloud.
pub(super) fn answer(
    call: Numbered<'_>,
    behaviour: &Behaviour,
) -> Option<Result<Prepared, Refusal>> {
    let place = place(call.call)?;
    Some(match place {
        Place::Azure { deployment, rest } => azure(call, behaviour, deployment, rest),
        Place::Bedrock { id, method } => bedrock::answer(call, behaviour, &id, method),
        Place::Vertex { location, publisher: "anthropic", model, method } => {
            claude_on_vertex(call, behaviour, location, model, method)
        }
        Place::Vertex { model, method, .. } => gemini_on_vertex(call, behaviour, model, method),
        Place::Compatible(rest) => compatible(call, behaviour, rest),
    })
}

/// Whether a call carries this as a bearer.
pub(super) fn has_bearer(headers: &HeaderMap) -> bool {
    let text = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    text.and_then(|text| text.strip_prefix("Bearer ")).is_some_and(|key| !key.trim().is_empty())
}

fn json_of(call: &Received) -> Result<Value, Refusal> {
    serde_json::from_slice(&call.body).map_err(|_| Refusal::new(400, "The body is not JSON."))
}

fn azure(
    call: Numbered<'_>,
    behaviour: &Behaviour,
    deployment: Option<&str>,
    rest: &str,
) -> Result<Prepared, Refusal> {
    let received = call.call;
    if !received.headers.contains_key("api-key") && !has_bearer(&received.headers) {
        return Err(Refusal::new(
            401,
            "Access denied due to invalid subscription key or wrong API endpoint.",
        )
        .code("401"));
    }
    let mut inner = received.clone();
    inner.path = format!("/v1/{rest}");
    inner.headers.insert(header::AUTHORIZATION, header::HeaderValue::from_static("Bearer azure"));
    if received.method == Method::POST {
        let mut body = json_of(received)?;
        let named = deployment.or(body["model"].as_str()).unwrap_or_default().to_owned();
        if bedrock::openai_model(&named).is_some() {
            return bedrock::chat(call, behaviour, &body);
        }
        if deployment.is_some() && !received.path.contains("api-version=") {
            return Err(Refusal::new(404, "Resource not found").code("404"));
        }
        let model = DEPLOYMENTS.iter().find(|(name, _)| *name == named);
        let model = model.map(|(_, model)| *model).or_else(|| {
            bill::model(&named).filter(|model| model.vendor == Vendor::OpenAi).map(|m| m.name)
        });
        let Some(model) = model else {
            let message = "The API deployment for this resource does not exist.";
            return Err(Refusal::new(404, message).code("DeploymentNotFound"));
        };
        body["model"] = json!(model);
        inner.body = body.to_string().into();
    }
    let mut prepared = endpoint::answer(Numbered { call: &inner, ..call }, behaviour)?;
    if prepared.streamed && rest == "chat/completions" {
        // Azure tells first what its filter thinks of the prompt.
        let first = Event::data(&json!({
            "choices": [], "created": 0, "id": "", "model": "", "object": "",
            "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {
                "hate": {"filtered": false, "severity": "safe"},
            }}],
        }));
        prepared.pieces.splice(0..0, super::sse::pieces(&[first], behaviour.form));
    }
    Ok(prepared)
}

fn claude_on_vertex(
    call: Numbered<'_>,
    behaviour: &Behaviour,
    location: &str,
    name: &str,
    method: &str,
) -> Result<Prepared, Refusal> {
    authenticated(call.call)?;
    let mut body = json_of(call.call)?;
    // `vertex-2023-10-16`, or a date of Anthropic's own versions, which its SDKs send.
    if !body["anthropic_version"].is_string() {
        return Err(Refusal::new(400, "anthropic_version: Field required"));
    }
    if name == "count-tokens" {
        return Ok(Prepared::json(&anthropic::count_tokens(request::input_tokens(&body))));
    }
    let plain = name.replace('@', "-");
    let listed = bill::model(&plain).filter(|model| model.vendor == Vendor::Anthropic);
    let model = match location {
        "global" => listed,
        _ => IN_REGION.iter().find(|model| plain.starts_with(model.name)),
    };
    let model = model
        .ok_or_else(|| Refusal::new(404, format!("Publisher Model `{name}` was not found.")))?;
    if !body["model"].is_null() {
        return Err(Refusal::new(400, "model: Extra inputs are not permitted"));
    }
    let written = Written { plain: anthropic::plain, stream: |draft, _| anthropic::stream(draft) };
    body["model"] = json!(name);
    let mut asked = Asked::read(&body, request::last_turn(&body["messages"]));
    asked.stream = method == "streamRawPredict";
    Ok(endpoint::generate(call, &asked, behaviour, model, &written))
}

fn gemini_on_vertex(
    call: Numbered<'_>,
    behaviour: &Behaviour,
    model: &str,
    method: &str,
) -> Result<Prepared, Refusal> {
    authenticated(call.call)?;
    let query = call.call.path.split_once('?').map(|(_, query)| format!("?{query}"));
    let mut inner = call.call.clone();
    inner.path = format!("/v1beta/models/{model}:{method}{}", query.unwrap_or_default());
    gemini::answer(Numbered { call: &inner, ..call }, behaviour)
}

fn authenticated(call: &Received) -> Result<(), Refusal> {
    if has_bearer(&call.headers) || call.headers.contains_key("x-goog-api-key") {
        return Ok(());
    }
    Err(Refusal::new(401, "Request is missing required authentication credential."))
}

/// Gemini's models in the words of OpenAI's API. Thoughts are counted in the total alone.
fn compatible(call: Numbered<'_>, behaviour: &Behaviour, rest: &str) -> Result<Prepared, Refusal> {
    if !has_bearer(&call.call.headers) {
        return Err(Refusal::new(400, "Missing or invalid Authorization header."));
    }
    if call.call.method == Method::GET && rest == "/models" {
        let one = json!({"id": "models/gemini-2.5-flash", "object": "model", "owned_by": "google"});
        return Ok(Prepared::json(&json!({"object": "list", "data": [one]})));
    }
    let body = json_of(call.call)?;
    let named = body["model"].as_str().unwrap_or_default();
    let bare = named.strip_prefix("models/").unwrap_or(named);
    let model = bill::model(bare).filter(|model| model.vendor == Vendor::Gemini);
    let model = model.ok_or_else(|| Refusal::new(404, format!("models/{bare} is not found.")))?;
    if rest == "/embeddings" {
        let counted = Usage { input: request::input_tokens(&body), ..Usage::default() };
        let usage = behaviour.usage.unwrap_or(counted);
        let charge = endpoint::Charge { model, name: bare.to_owned(), usage };
        let answer = embeddings::plain(&body, &usage, behaviour.report);
        return Ok(Prepared::json(&answer).billed(charge));
    }
    let written = Written {
        plain: |draft| without_thoughts(chat::plain(draft)),
        stream: |draft, asked| {
            chat::stream(draft, asked.include_usage)
                .into_iter()
                .map(event_without_thoughts)
                .collect()
        },
    };
    let asked = Asked::read(&body, request::last_turn(&body["messages"]));
    Ok(endpoint::generate(call, &asked, behaviour, model, &written))
}

fn without_thoughts(mut answer: Value) -> Value {
    if let Some(usage) = answer["usage"].as_object_mut() {
        let number = |value: Option<&Value>| value.and_then(Value::as_u64).unwrap_or_default();
        let thoughts = number(
            usage.get("completion_tokens_details").map(|details| &details["reasoning_tokens"]),
        );
        let all = number(usage.get("completion_tokens"));
        usage.insert("completion_tokens".to_owned(), json!(all - thoughts));
        usage.remove("completion_tokens_details");
    }
    answer
}

fn event_without_thoughts(event: Event) -> Event {
    match serde_json::from_str::<Value>(event.text()) {
        Ok(value) if value["usage"].is_object() => Event::data(&without_thoughts(value)),
        _ => event,
    }
}

/// One piece of a stream.
fn piece(bytes: Vec<u8>, tokens: u64) -> Piece {
    Piece { bytes, tokens }
}
