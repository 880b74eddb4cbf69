//! Step 9: the answer on its way to the client. Metered, searched where the policy wants it, restored,
//! and otherwise as it came.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use iron_policy::outline::Endpoint;
use iron_policy::types::{Dialect, Outcome};

use super::batch;
use super::follow::Follow;
use super::forward::Answered;
use super::passing::PassBody;
use super::stream::StreamBody;
use super::{Halt, Stopped};
use crate::body::{self, Body, CollectError};
use crate::live::Live;
use crate::rescue;
use crate::stream::answers::AnswerRestorers;
use crate::stream::encoding::{self, Encoding};
use crate::stream::plain::{self, RestoreError};
use crate::stream::{Framing, Metered, StreamError, WireKind, frame};
use crate::upstream::{Health, strip_hop_headers};

/// Passes the answer on.
pub(super) async fn relay(
    live: &Arc<Live>,
    mut answered: Answered,
) -> Result<Response<Body>, Box<Halt>> {
    strip_hop_headers(answered.answer.headers_mut());
    let status = answered.answer.status();
    let health = health(status, answered.upstream.config.breaker.count_429);
    if let Some(permit) = answered.permit.take() {
        permit.report(health);
    }
    if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
        let upstream = answered.upstream.name().to_owned();
        let mut ticket = answered.ticket;
        ticket.not_sent();
        return Err(ticket.halt(Stopped::Redirect { upstream }));
    }
    tell_who_answered(&mut answered);
    let stream = is_event_stream(answered.answer.headers());
    if stream && status.is_success() {
        return StreamBody::answer(live, answered);
    }
    if status.is_success() && matches!(answered.ticket.follow, Follow::Content { .. }) {
        return Ok(PassBody::answer(live, answered, Metered::default()));
    }
    if status.is_success()
        && answered.endpoint.is_some_and(Endpoint::is_media)
        && !is_json(answered.answer.headers())
    {
        // A recording, or a transcript in plain text: what it costs is known before, or not at all.
        let usage = answered.ticket.known.take();
        let usage_is_final = usage.is_some();
        let metered = Metered { usage, usage_is_final, ..Metered::default() };
        return Ok(PassBody::answer(live, answered, metered));
    }
    whole(live, answered).await
}

/// Marks an answer with whose it is: the upstream, the model where it is another one than the
/// caller asked for, and how many attempts it took. The id is that of the attempt.
fn tell_who_answered(answered: &mut Answered) {
    let Answered { ticket, upstream, model, answer, .. } = answered;
    let headers = answer.headers_mut();
    // Nobody else speaks in our name.
    let ours: Vec<_> =
        headers.keys().filter(|name| name.as_str().starts_with("x-iron-")).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
    let mut tell = |name: HeaderName, value: &str| {
        // A model's name may be no header's value; then it is not told.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    tell(rescue::REQUEST_ID, &ticket.id().to_string());
    tell(rescue::UPSTREAM, upstream.name());
    tell(rescue::ATTEMPTS, &ticket.attempt().to_string());
    if let Some(model) = model {
        tell(rescue::MODEL, model);
    }
}

/// An answer that comes in one piece: read to its end first, so that one that breaks off is an
/// error and not half an answer.
async fn whole(live: &Arc<Live>, answered: Answered) -> Result<Response<Body>, Box<Halt>> {
    let Answered { mut ticket, upstream, answer, endpoint, vault, .. } = answered;
    let (mut head, body) = answer.into_parts();
    let bad = |what| Stopped::BadAnswer { upstream: upstream.name().to_owned(), what };
    let limit = live.policy.proxy.max_body;
    let bytes = match body::collect(body, limit, upstream.config.idle_timeout).await {
        Ok(bytes) => bytes,
        Err(error) => {
            let what = match error {
                CollectError::TooLarge => "is larger than proxy.max_body_mib allows",
                CollectError::Late => "fell silent",
                CollectError::Broken => "broke off",
            };
            return Err(ticket.halt(bad(what)));
        }
    };
    if !head.status.is_success() {
        ticket.refused_upstream(head.status);
        return Ok(Response::from_parts(head, bytes.into()));
    }
    if endpoint.is_none() && !is_json(&head.headers) {
        // A file's content, an empty answer: nothing that could be metered or restored.
        ticket.finish(head.status, Outcome::Ok, "ok", &Metered::default());
        return Ok(Response::from_parts(head, bytes.into()));
    }
    let plain = match decoded(&head.headers, &bytes, limit) {
        Ok(plain) => plain,
        Err(what) => return Err(ticket.halt(bad(what))),
    };
    let kind = wire_kind(endpoint, upstream.config.dialect);
    let Ok(metered) = plain::meter(kind, &plain) else {
        if endpoint.is_none() {
            // JSON lines by the name of JSON, as a file's content may be.
            ticket.finish(head.status, Outcome::Ok, "ok", &Metered::default());
            return Ok(Response::from_parts(head, bytes.into()));
        }
        return Err(ticket.halt(bad("is not JSON")));
    };
    let restorers = AnswerRestorers::new(live.answers.as_ref(), vault);
    let mut shown = plain.clone();
    let body = if restorers.is_idle() {
        bytes
    } else {
        let restored = match kind {
            WireKind::Gemini => plain::restore_gemini(&plain, &restorers),
            _ => plain::restore(&plain, &restorers),
        };
        let findings = restorers.findings();
        ticket.answer_findings(&findings);
        match restored {
            Ok(restored) if restored == plain => bytes,
            Ok(restored) => {
                head.headers.remove(header::CONTENT_ENCODING);
                head.headers.remove(header::CONTENT_LENGTH);
                shown = restored.clone();
                restored
            }
            Err(error) => {
                ticket.metered(metered);
                return Err(ticket.halt(match error {
                    RestoreError::Forbidden(StreamError::Blocked) => {
                        Stopped::BlockedAnswer { found: findings.blocked() }
                    }
                    RestoreError::Forbidden(_) => bad("holds a text too long to be checked"),
                    RestoreError::Json(_) => bad("is not JSON"),
                }));
            }
        }
    };
    let body = match batch::follow(&mut ticket, &shown).await {
        None => body,
        Some(moved) => {
            head.headers.remove(header::CONTENT_ENCODING);
            head.headers.remove(header::CONTENT_LENGTH);
            moved
        }
    };
    ticket.finish(head.status, Outcome::Ok, "ok", &metered);
    Ok(Response::from_parts(head, body.into()))
}

/// A decoded copy of a compressed answer; the answer itself where it can be read as it is.
fn decoded(headers: &HeaderMap, bytes: &Bytes, limit: usize) -> Result<Bytes, &'static str> {
    let Some(coding) = headers.get(header::CONTENT_ENCODING) else { return Ok(bytes.clone()) };
    let coding = coding.to_str().unwrap_or("?");
    Encoding::parse(coding)
        .and_then(|coding| encoding::decode(coding, bytes, limit))
        .map_err(|_| "cannot be decoded as its content-encoding says")
}

/// What a status says of an upstream's health.
pub(super) fn health(status: StatusCode, count_429: bool) -> Health {
    match status.as_u16() {
        500.. => Health::Failing,
        429 if count_429 => Health::Failing,
        // A provider that limits us is there, and says nothing of its health.
        429 => Health::Unknown,
        _ => Health::Good,
    }
}

/// Whose answers these are, in the words of the meter.
pub(super) const fn wire_kind(endpoint: Option<Endpoint>, dialect: Dialect) -> WireKind {
    match endpoint {
        Some(Endpoint::ChatCompletions) => WireKind::Chat,
        Some(Endpoint::Completions) => WireKind::Completions,
        Some(Endpoint::Responses) => WireKind::Responses,
        Some(Endpoint::Embeddings) => WireKind::Embeddings,
        Some(
            Endpoint::Messages
            | Endpoint::RawPredict
            | Endpoint::StreamRawPredict
            | Endpoint::InvokeModel
            | Endpoint::InvokeModelStream,
        ) => WireKind::Messages,
        Some(Endpoint::Converse | Endpoint::ConverseStream) => WireKind::Converse,
        Some(
            Endpoint::GenerateContent
            | Endpoint::StreamGenerateContent
            | Endpoint::EmbedContent
            | Endpoint::BatchEmbedContents,
        ) => WireKind::Gemini,
        Some(
            Endpoint::ImageGenerations
            | Endpoint::ImageEdits
            | Endpoint::ImageVariations
            | Endpoint::Speech
            | Endpoint::Transcriptions
            | Endpoint::Translations,
        ) => WireKind::Media,
        Some(
            Endpoint::CountTokens
            | Endpoint::Moderations
            | Endpoint::GeminiCountTokens
            | Endpoint::BedrockCountTokens
            | Endpoint::Batches
            | Endpoint::MessageBatches,
        )
        | None => WireKind::Other(dialect),
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    content_type(headers).starts_with("text/event-stream") || framing(headers) == Framing::Frames
}

/// How the events of a stream with this head are held apart.
pub(super) fn framing(headers: &HeaderMap) -> Framing {
    if content_type(headers).starts_with(frame::MEDIA_TYPE) {
        Framing::Frames
    } else {
        Framing::Events
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    content_type(headers).starts_with("application/json")
}

fn content_type(headers: &HeaderMap) -> String {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.unwrap_or_default().trim_start().to_ascii_lowercase()
}
