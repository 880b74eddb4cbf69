//! Which endpoint a call is for, whether the provider would take it, and what it answers.

use hyper::{HeaderMap, Method, header};
use serde_json::Value;

use super::behaviour::{Behaviour, Form};
use super::bill::{self, Model, Usage, Vendor};
use super::draft::Draft;
use super::openai::{chat, completions, embeddings, models, responses};
use super::records::Received;
use super::refusal::Refusal;
use super::request::{self, Asked};
use super::sse::{self, Event, Piece};
use super::{anthropic, cloud, gemini};

/// An answer, ready to be delivered.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) pieces: Vec<Piece>,
    /// Pieces are generated as they are sent, and the length is not known before.
    pub(super) streamed: bool,
    pub(super) charge: Option<Charge>,
}

/// What a call costs if its whole answer is generated.
#[derive(Debug)]
pub(super) struct Charge {
    pub(super) model: &'static Model,
    /// As the call named it.
    pub(super) name: String,
    pub(super) usage: Usage,
}

/// A call with its place among all calls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbered<'a> {
    pub(super) call: &'a Received,
    pub(super) number: u64,
    /// In Unix seconds.
    pub(super) created: u64,
}

impl Prepared {
    /// A plain body that costs nothing.
    pub(super) fn free(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let whole = Piece { bytes: body.into(), tokens: 0 };
        Self {
            status,
            content_type: content_type.to_owned(),
            pieces: vec![whole],
            streamed: false,
            charge: None,
        }
    }

    pub(super) fn json(body: &Value) -> Self {
        Self::free(200, "application/json", body.to_string())
    }

    pub(super) fn billed(self, charge: Charge) -> Self {
        Self { charge: Some(charge), ..self }
    }

    pub(super) fn stream(events: &[Event], form: Form, charge: Charge) -> Self {
        Self {
            status: 200,
            content_type: "text/event-stream; charset=utf-8".to_owned(),
            pieces: sse::pieces(events, form),
            streamed: true,
            charge: Some(charge),
        }
    }
}

/// The path without its query.
pub(super) fn path(call: &Received) -> &str {
    call.path.split('?').next().unwrap_or_default()
}

/// Whose API a call speaks.
pub(super) fn vendor(call: &Received) -> Vendor {
    if let Some(vendor) = cloud::vendor(call) {
        return vendor;
    }
    if gemini::is_meant(call) {
        return Vendor::Gemini;
    }
    let anthropic = path(call).starts_with("/v1/messages")
        || call.headers.contains_key("anthropic-version")
        || call.headers.contains_key("x-api-key");
    if anthropic { Vendor::Anthropic } else { Vendor::OpenAi }
}

/// Answers as the provider would, in the manner ordered.
pub(super) fn answer(call: Numbered<'_>, behaviour: &Behaviour) -> Result<Prepared, Refusal> {
    if let Some(answer) = cloud::answer(call, behaviour) {
        return answer;
    }
    let Received { method, body, .. } = call.call;
    let path = path(call.call);
    let vendor = vendor(call.call);
    if vendor == Vendor::Gemini {
        return gemini::answer(call, behaviour);
    }
    authenticate(&call.call.headers, vendor)?;
    if method == Method::GET {
        return list_models(path, vendor).ok_or_else(|| unknown_url(call.call, vendor));
    }
    if method != Method::POST || !POSTED.contains(&path) {
        return Err(unknown_url(call.call, vendor));
    }
    let body: Value = serde_json::from_slice(body).map_err(|_| malformed(vendor))?;
    if path == "/v1/moderations" {
        require(&body, "input")?;
        return Ok(Prepared::json(&moderation(call.number)));
    }
    let model = known_model(&body, vendor)?;
    match path {
        "/v1/chat/completions" => {
            require(&body, "messages")?;
            stream_options_need_stream(&body)?;
            let asked = Asked::read(&body, request::last_turn(&body["messages"]));
            let written = Written {
                plain: chat::plain,
                stream: |draft, asked| chat::stream(draft, asked.include_usage),
            };
            Ok(generate(call, &asked, behaviour, model, &written))
        }
        "/v1/completions" => {
            require(&body, "prompt")?;
            stream_options_need_stream(&body)?;
            let asked = Asked::read(&body, completions::turn(&body["prompt"]));
            let written = Written {
                plain: completions::plain,
                stream: |draft, asked| completions::stream(draft, asked.include_usage),
            };
            Ok(generate(call, &asked, behaviour, model, &written))
        }
        "/v1/responses" => {
            require(&body, "input")?;
            let asked = Asked::read(&body, request::last_turn(&body["input"]));
            let written =
                Written { plain: responses::plain, stream: |draft, _| responses::stream(draft) };
            Ok(generate(call, &asked, behaviour, model, &written))
        }
        "/v1/messages" => {
            require_anthropic(&body, "max_tokens")?;
            require_anthropic(&body, "messages")?;
            let asked = Asked::read(&body, request::last_turn(&body["messages"]));
            let written =
                Written { plain: anthropic::plain, stream: |draft, _| anthropic::stream(draft) };
            Ok(generate(call, &asked, behaviour, model, &written))
        }
        "/v1/embeddings" => {
            require(&body, "input")?;
            Ok(embed(&body, behaviour, model))
        }
        _ => {
            require_anthropic(&body, "messages")?;
            let counted = request::input_tokens(&body);
            Ok(Prepared::json(&anthropic::count_tokens(counted)))
        }
    }
}

/// Nothing is ever wrong with what is moderated here.
fn moderation(number: u64) -> Value {
    serde_json::json!({
        "id": format!("modr-simulated{number:08}"),
        "model": "omni-moderation-latest",
        "results": [{ "flagged": false, "categories": {}, "category_scores": {} }],
    })
}

const POSTED: [&str; 7] = [
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1/moderations",
];

/// How an endpoint writes an answer down.
pub(super) struct Written {
    pub(super) plain: fn(&Draft) -> Value,
    pub(super) stream: fn(&Draft, &Asked) -> Vec<Event>,
}

pub(super) fn generate(
    call: Numbered<'_>,
    asked: &Asked,
    behaviour: &Behaviour,
    model: &'static Model,
    written: &Written,
) -> Prepared {
    let draft = Draft::new(asked, behaviour, call.number, call.created);
    let charge = Charge { model, name: asked.model.clone(), usage: draft.usage };
    if asked.stream {
        let events = (written.stream)(&draft, asked);
        Prepared::stream(&events, behaviour.form, charge)
    } else {
        Prepared::json(&(written.plain)(&draft)).billed(charge)
    }
}

fn embed(body: &Value, behaviour: &Behaviour, model: &'static Model) -> Prepared {
    let counted = Usage { input: request::input_tokens(body), ..Usage::default() };
    let charge = Charge {
        model,
        name: body["model"].as_str().unwrap_or_default().to_owned(),
        usage: behaviour.usage.unwrap_or(counted),
    };
    let answer = embeddings::plain(body, &charge.usage, behaviour.report);
    Prepared::json(&answer).billed(charge)
}

fn list_models(path: &str, vendor: Vendor) -> Option<Prepared> {
    if path == "/v1/models" {
        return Some(Prepared::json(&match vendor {
            Vendor::OpenAi => models::all(),
            Vendor::Anthropic | Vendor::Gemini | Vendor::Bedrock => anthropic::models(),
        }));
    }
    let name = path.strip_prefix("/v1/models/")?;
    bill::model(name).filter(|model| model.vendor == vendor)?;
    Some(Prepared::json(&match vendor {
        Vendor::OpenAi => models::one(name),
        Vendor::Anthropic | Vendor::Gemini | Vendor::Bedrock => anthropic::model(name),
    }))
}

/// Any key will do, but there must be one.
pub(super) fn authenticate(headers: &HeaderMap, vendor: Vendor) -> Result<(), Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(header::AUTHORIZATION.as_str())
        .and_then(|value| value.strip_prefix("Bearer "))
        .is_some_and(|key| !key.trim().is_empty());
    match vendor {
        _ if bearer => Ok(()),
        Vendor::Anthropic if text("x-api-key").is_some_and(|key| !key.is_empty()) => Ok(()),
        Vendor::Anthropic | Vendor::Gemini | Vendor::Bedrock => {
            Err(Refusal::new(401, "x-api-key header is required"))
        }
        Vendor::OpenAi => Err(Refusal::new(
            401,
            "You didn't provide an API key. You need to provide your API key in an Authorization \
             header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
        )),
    }
}

fn known_model(body: &Value, vendor: Vendor) -> Result<&'static Model, Refusal> {
    let Some(name) = body["model"].as_str() else {
        return Err(match vendor {
            Vendor::OpenAi => Refusal::new(400, "you must provide a model parameter"),
            Vendor::Anthropic | Vendor::Gemini | Vendor::Bedrock => {
                Refusal::new(400, "model: Field required")
            }
        });
    };
    bill::model(name).filter(|model| model.vendor == vendor).ok_or_else(|| match vendor {
        Vendor::OpenAi => {
            let message =
                format!("The model `{name}` does not exist or you do not have access to it.");
            Refusal::new(404, message).code("model_not_found")
        }
        Vendor::Anthropic | Vendor::Gemini | Vendor::Bedrock => {
            Refusal::new(404, format!("model: {name}"))
        }
    })
}

fn require(body: &Value, field: &'static str) -> Result<(), Refusal> {
    if body.get(field).is_some_and(|value| !value.is_null()) {
        return Ok(());
    }
    let message = format!("Missing required parameter: '{field}'.");
    Err(Refusal::new(400, message).param(field).code("missing_required_parameter"))
}

fn require_anthropic(body: &Value, field: &'static str) -> Result<(), Refusal> {
    match body.get(field) {
        Some(_) => Ok(()),
        None => Err(Refusal::new(400, format!("{field}: Field required"))),
    }
}

fn stream_options_need_stream(body: &Value) -> Result<(), Refusal> {
    if body["stream_options"].is_null() || body["stream"] == true {
        return Ok(());
    }
    let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
    Err(Refusal::new(400, message).param("stream_options"))
}

fn malformed(vendor: Vendor) -> Refusal {
    Refusal::new(
        400,
        match vendor {
            Vendor::OpenAi => {
                "We could not parse the JSON body of your request. (HINT: This likely means you \
                 aren't using your HTTP library correctly. The API expects a JSON payload, but \
                 what was sent was not valid JSON.)"
            }
            Vendor::Anthropic | Vendor::Gemini | Vendor::Bedrock => {
                "The request body is not valid JSON"
            }
        },
    )
}

fn unknown_url(call: &Received, vendor: Vendor) -> Refusal {
    match vendor {
        Vendor::OpenAi => {
            Refusal::new(404, format!("Invalid URL ({} {})", call.method, path(call)))
        }
        Vendor::Anthropic | Vendor::Gemini | Vendor::Bedrock => Refusal::new(404, "Not found"),
    }
}
