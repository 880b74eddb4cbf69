//! Step 4: the body, within its limits, and what it asks for: JSON documents, and uploads in parts.
//!
//! The body stays the bytes that came. A compressed one is read from a decoded copy; the
//! original is what leaves if nothing has to change.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, header};
use hyper::body::Incoming;
use iron_policy::outline::{BadBody, BadMultipart, Endpoint, MediaAsk, Multipart, Outline};
use iron_policy::types::Platform;
use self_cell::self_cell;

use super::admit::{self, Admitted};
use super::identify::Target;
use super::{Halt, Stopped};
use crate::body::{self, CollectError};
use crate::dialect::{self, Operation};
use crate::live::Live;
use crate::stream::encoding::{self, Encoding};
use crate::upstream::strip_caller;

/// A call whose body is understood.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) admitted: Admitted,
    pub(super) payload: Payload,
}

/// What a call carries.
#[derive(Debug)]
pub(super) enum Payload {
    /// Nothing: the operation has no body.
    Nothing,
    /// A JSON document.
    Document(Content),
    /// A file with the fields beside it.
    Upload(Upload),
}

/// A body and what it asks for.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) endpoint: Endpoint,
    pub(super) parsed: Parsed,
    /// The bytes as they came, where they were compressed.
    pub(super) encoded: Option<Bytes>,
}

/// A multipart body, taken apart.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) parts: Parts,
    /// What it asks for, where it costs something.
    pub(super) paid: Option<(Endpoint, MediaAsk)>,
    /// The bytes as they came, where they were compressed.
    pub(super) encoded: Option<Bytes>,
}

self_cell!(
    pub(super) struct Parts {
        owner: Bytes,
        #[covariant]
        dependent: Multipart,
    }

    impl {Debug}
);

self_cell!(
    pub(super) struct Parsed {
        owner: Bytes,
        #[covariant]
        dependent: Outline,
    }

    impl {Debug}
);

/// Reads the body and finds out what it asks for.
pub(super) async fn decode(
    live: &Arc<Live>,
    mut admitted: Admitted,
    body: Incoming,
) -> Result<Decoded, Box<Halt>> {
    let mut payload = match read(live, &admitted, body).await {
        Ok(payload) => payload,
        Err(why) => return Err(admitted.call.ticket.halt(why)),
    };
    if let Payload::Upload(Upload { paid: Some((_, ask)), .. }) = &payload {
        let routed = route(live, &mut admitted, &ask.model);
        admitted.call.ticket.request(&ask.model, ask.stream);
        if let Err(why) = routed.and_then(|()| admitted.call.target.may_ask_for(&ask.model)) {
            return Err(admitted.call.ticket.halt(why));
        }
        if let Err(why) = admit::take_tokens(&admitted, ask.text_bytes / 4) {
            return Err(admitted.call.ticket.halt(why));
        }
    }
    if let Payload::Document(content) = &mut payload {
        let routed = route(live, &mut admitted, &content.parsed.borrow_dependent().model);
        let target = &admitted.call.target;
        let named = content.parsed.with_dependent_mut(|_, outline| name(live, target, outline));
        let outline = content.parsed.borrow_dependent();
        let model = &outline.model;
        admitted.call.ticket.request(model, outline.stream);
        let allowed = routed.and(named).and_then(|()| admitted.call.target.may_ask_for(model));
        if let Err(why) = allowed {
            return Err(admitted.call.ticket.halt(why));
        }
        let estimate =
            content.parsed.borrow_owner().len() as u64 / 4 + outline.max_output.unwrap_or_default();
        if let Err(why) = admit::take_tokens(&admitted, estimate) {
            return Err(admitted.call.ticket.halt(why));
        }
        let asked = (content.endpoint.name(), &**model, &**content.parsed.borrow_owner());
        if let Err(caught) = admitted.call.ticket.repeats(&live.policy, asked) {
            return Err(admitted.call.ticket.halt(caught.into()));
        }
    }
    admitted.call.ticket.mark("decode");
    Ok(Decoded { admitted, payload })
}

/// Reads a request of the Responses API that came as a message of a WebSocket.
///
/// It goes where the connection goes: one whose model the policy sends elsewhere is refused.
/// `generates` is false for one that only prepares, which makes no output.
pub(super) fn message(
    live: &Live,
    mut admitted: Admitted,
    message: Bytes,
    generates: bool,
) -> Result<Decoded, Box<Halt>> {
    let endpoint = Endpoint::Responses;
    let read = Parsed::try_new(message, |message| {
        let mut outline = Outline::read(message, endpoint)?;
        // Whatever the message says: events are the only form of an answer here.
        outline.stream = true;
        if !generates {
            outline.max_output = Some(0);
        }
        Ok(outline)
    });
    let parsed = match read {
        Ok(parsed) => parsed,
        Err(error) => return Err(admitted.call.ticket.halt(Stopped::Body(error))),
    };
    let outline = parsed.borrow_dependent();
    let target = &admitted.call.target;
    admitted.call.ticket.request(&outline.model, true);
    let allowed = target.may_ask_for(&outline.model);
    if let Some(why) = allowed.err().or_else(|| routed(live, target, &outline.model)) {
        return Err(admitted.call.ticket.halt(why));
    }
    let estimate = parsed.borrow_owner().len() as u64 / 4 + outline.max_output.unwrap_or_default();
    if let Err(why) = admit::take_tokens(&admitted, estimate) {
        return Err(admitted.call.ticket.halt(why));
    }
    // What only prepares is sent at the opening of each connection.
    if generates {
        let asked = (endpoint.name(), &*outline.model, &**parsed.borrow_owner());
        if let Err(caught) = admitted.call.ticket.repeats(&live.policy, asked) {
            return Err(admitted.call.ticket.halt(caught.into()));
        }
    }
    admitted.call.ticket.mark("decode");
    let content = Content { endpoint, parsed, encoded: None };
    Ok(Decoded { admitted, payload: Payload::Document(content) })
}

/// Why a model cannot be asked for over a WebSocket to this target: the policy sends it elsewhere.
pub(super) fn routed(live: &Live, target: &Target, model: &str) -> Option<Stopped> {
    if target.addressed {
        return None;
    }
    let elsewhere = live.route(&target.upstream, model)?;
    (elsewhere.name() != target.upstream.name())
        .then(|| Stopped::Routed { upstream: elsewhere.name().to_owned() })
}

async fn read(live: &Live, admitted: &Admitted, body: Incoming) -> Result<Payload, Stopped> {
    let operation = admitted.call.target.operation;
    let kind = media_type(operation, &admitted.call.target.headers)?;
    if matches!(operation, Operation::Free | Operation::Unpriced | Operation::Socket(_)) {
        // Known to carry no text: whatever is there is not sent.
        return Ok(Payload::Nothing);
    }
    let limit = live.policy.proxy.max_body;
    let bytes =
        body::collect(body, limit, live.policy.proxy.read_timeout).await.map_err(|error| {
            match error {
                CollectError::TooLarge => Stopped::TooLarge { limit },
                CollectError::Late => Stopped::SlowBody,
                CollectError::Broken => Stopped::BrokenBody,
            }
        })?;
    let coding = admitted.call.target.headers.get(header::CONTENT_ENCODING);
    let coding = Encoding::parse(coding.map_or("", |value| value.to_str().unwrap_or("?")))?;
    let (plain, encoded) = match coding {
        Encoding::Identity => (bytes, None),
        coding => (encoding::decode(coding, &bytes, limit)?, Some(bytes)),
    };
    if let Operation::Known(endpoint) = operation
        && !endpoint.is_upload()
    {
        let target = &admitted.call.target;
        let model = dialect::model_in(&target.upstream.config, &target.path);
        let parsed =
            Parsed::try_new(plain, |plain| Outline::read_for(plain, endpoint, model.as_deref()))
                .map_err(|error: BadBody| Stopped::Body(error))?;
        return Ok(Payload::Document(Content { endpoint, parsed, encoded }));
    }
    let parts = Parts::try_new(plain, |plain| Multipart::read(kind, plain))
        .map_err(|error: BadMultipart| Stopped::Multipart(error))?;
    let paid = match operation {
        Operation::Known(endpoint) => {
            Some((endpoint, MediaAsk::of_parts(parts.borrow_dependent(), endpoint)?))
        }
        _ => None,
    };
    Ok(Payload::Upload(Upload { parts, paid, encoded }))
}

/// Says which model a call is for and what its path and its headers add to its price, where its
/// upstream has names and rules of its own.
fn name(live: &Live, target: &Target, outline: &mut Outline<'_>) -> Result<(), Stopped> {
    let upstream = &target.upstream;
    let config = &upstream.config;
    let meant = |name: &str| dialect::model_meant(config, target.dialect, name).to_owned();
    let model = meant(&outline.model);
    if let Some(named) = outline.body_model.take().filter(|named| *named != outline.model) {
        // Azure goes by the path, whatever the body says: clients put either name there.
        let same = config.platform == Some(Platform::Azure)
            && live.price(upstream, &meant(&named)) == live.price(upstream, &model);
        if !same {
            let wanted = "the model of the path, or one of the same price";
            return Err(Stopped::Body(BadBody::Field { field: "model", wanted }));
        }
    }
    outline.regional |= dialect::costs_more_in_region(config, &target.path, &model);
    if *outline.model != *model {
        outline.model = Cow::Owned(model);
    }
    match config.platform {
        Some(Platform::Bedrock) => bedrock_headers(&target.headers, outline),
        Some(Platform::Vertex) => vertex_headers(&target.headers, outline),
        Some(Platform::Azure) | None => {}
    }
    Ok(())
}

/// What a header says; of two, which a server might take either of, nothing that is known.
fn said<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?;
    Some(first.to_str().ok().filter(|_| all.next().is_none()).unwrap_or("?"))
}

/// What a header may say on Vertex AI: priority traffic costs more than the list's prices
/// (<https://docs.cloud.google.com/vertex-ai/generative-ai/docs/priority-paygo>), flexible less.
fn vertex_headers(headers: &HeaderMap, outline: &mut Outline<'_>) {
    let traffic = said(headers, "x-vertex-ai-llm-shared-request-type");
    if traffic.is_some_and(|traffic| !traffic.eq_ignore_ascii_case("flex")) {
        outline.unpriced = Some(
            "the price of the traffic that x-vertex-ai-llm-shared-request-type names is not known",
        );
    }
}

/// What may be said in headers on Bedrock instead of in the body.
fn bedrock_headers(headers: &HeaderMap, outline: &mut Outline<'_>) {
    let text = |name| said(headers, name);
    if text("x-amzn-bedrock-guardrailidentifier").is_some() {
        outline.unpriced = Some("guardrails are charged beside the model");
    }
    if text("x-amzn-bedrock-performanceconfig-latency").is_some_and(|said| said != "standard") {
        outline.unpriced = Some("the price of its optimised latency is not known");
    }
    match text("x-amzn-bedrock-service-tier") {
        None | Some("default") => {}
        Some("flex") => outline.service_tier = outline.service_tier.or(Some("flex")),
        Some("priority") => outline.service_tier = Some("priority"),
        Some(_) => outline.unpriced = Some("the price of its service tier is not known"),
    }
}

/// The content type, where the operation takes it; empty where none is said.
fn media_type(operation: Operation, headers: &HeaderMap) -> Result<&str, Stopped> {
    let mut all = headers.get_all(header::CONTENT_TYPE).iter();
    let said = all.next().map_or("", |value| value.to_str().unwrap_or("?"));
    let kind = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (wanted, taken) = match operation {
        Operation::Known(endpoint) if endpoint.is_upload() => {
            ("multipart/form-data", kind == "multipart/form-data")
        }
        // A program that names no type means JSON: nothing else would do.
        Operation::Known(_) => {
            let json = kind.is_empty() || kind == "application/json" || kind.ends_with("+json");
            ("application/json", json)
        }
        Operation::Upload => ("multipart/form-data", kind == "multipart/form-data"),
        Operation::Free | Operation::Unpriced | Operation::Socket(_) => return Ok(""),
    };
    // Of two types a server might take the other one.
    if taken && all.next().is_none() {
        return Ok(said);
    }
    let said = if said.is_empty() { "no content type" } else { said };
    Err(Stopped::MediaType { wanted, said: said.chars().take(80).collect() })
}

/// Sends a model elsewhere where the policy says so and the caller did not name the upstream.
fn route(live: &Live, admitted: &mut Admitted, model: &str) -> Result<(), Stopped> {
    let call = &mut admitted.call;
    if call.target.addressed {
        return Ok(());
    }
    let Some(upstream) = live.route(&call.target.upstream, model) else { return Ok(()) };
    if Arc::ptr_eq(&upstream, &call.target.upstream) {
        return Ok(());
    }
    call.target.may_call(&upstream)?;
    // The caller's key is for the provider that it addressed, not for this one.
    strip_caller(&mut call.target.headers);
    if let Some(key) = upstream.key() {
        key.replace(&mut call.target.headers, call.target.dialect);
    }
    call.ticket.upstream(&upstream);
    call.target.upstream = upstream;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_tiers_in_headers_none_is_believed() {
        let name = "x-amzn-bedrock-service-tier";
        let mut headers = HeaderMap::new();
        let unpriced = |headers: &HeaderMap| {
            let body = br#"{"model":"m","messages":[],"max_tokens":1}"#;
            let mut outline = Outline::read(body, Endpoint::Messages).unwrap();
            bedrock_headers(headers, &mut outline);
            outline.unpriced.is_some()
        };
        headers.append(name, "default".parse().unwrap());
        assert!(!unpriced(&headers));
        headers.append(name, "priority".parse().unwrap());
        assert!(unpriced(&headers));
    }
}
