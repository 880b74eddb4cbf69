//! A request to a host that is no upstream's, on a connection that is intercepted.
//!
//! No money, no breaker, no meter: who asks, what must not leave, which secrets go in, the answer.
//! The answer is passed on as it comes; placeholders are put back where it is one JSON document or
//! plain text, and a secret that the host echoes is taken out where it is text of any kind.
//!
//! Queries and paths are not looked through, nor is what cannot be read as JSON, a form, parts or
//! text (`connect.opaque_bodies`).

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use http_body::Body as _;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use iron_policy::config::OpaqueBodies;
use iron_policy::connect::OtherHosts;
use iron_policy::json::Text;
use iron_policy::outline::{Multipart, redact_form};
use iron_policy::redact::{Engine, Mode, Redaction, Span, SpanKind, Vault, restore, splice};
use iron_policy::types::{Dialect, Outcome};

use super::identify::strip_own_headers;
use super::other_body::OtherBody;
use super::{Halt, Stopped, Ticket};
use crate::body::{self, Body, CollectError};
use crate::connect::{Hider, Outgoing, Passage, Refused, Swap};
use crate::live::Live;
use crate::rescue::{self, Caller};
use crate::sessions::SessionName;
use crate::shared::Shared;
use crate::stops::Leave;
use crate::stream::answers::AnswerRestorers;
use crate::stream::encoding::{self, Encoding};
use crate::stream::{Metered, plain};
use crate::upstream::strip_hop_headers;

/// Answers one request to a host that is no upstream's.
pub(crate) async fn handle_other(
    shared: &Arc<Shared>,
    live: &Arc<Live>,
    request: Request<Incoming>,
    passage: &Passage,
    rule: OtherHosts,
) -> Response<Body> {
    let ticket = Ticket::open(shared);
    let id = ticket.id();
    let caller = Caller { dialect: Dialect::OpenAi, stops_on_400_only: false };
    let mut response = match pass(live, ticket, request, passage, rule).await {
        Ok(response) => response,
        Err(halt) => halt.answer(live, caller, id),
    };
    rescue::mark(&mut response, id);
    response
}

async fn pass(
    live: &Arc<Live>,
    mut ticket: Ticket,
    request: Request<Incoming>,
    passage: &Passage,
    rule: OtherHosts,
) -> Result<Response<Body>, Box<Halt>> {
    let (mut head, body) = request.into_parts();
    ticket.other_host(&passage.target.host);
    let (session, leave) = match identify(live, &mut ticket, &mut head, passage) {
        Ok(identified) => identified,
        Err(why) => return Err(ticket.halt(why)),
    };
    ticket.mark("identify");
    let asked = Asked { head, body, session, leave: leave.clone() };
    let rest = Box::pin(carry(live, ticket, asked, passage, rule));
    leave.unless_stopped(rest).await.unwrap_or_else(Halt::stopped)
}

/// A request whose agent is known.
struct Asked {
    head: Parts,
    body: Incoming,
    session: SessionName,
    leave: Leave,
}

/// The rest of the way; dropped where it is when the agent is stopped.
async fn carry(
    live: &Arc<Live>,
    mut ticket: Ticket,
    asked: Asked,
    passage: &Passage,
    rule: OtherHosts,
) -> Result<Response<Body>, Box<Halt>> {
    let Asked { mut head, body, session, leave } = asked;
    let vault = live.sessions.vault(&session, live.policy.redact.remember);
    // A tunnel's requests are plain ones that came one by one: they pass as its bytes would.
    let engine = live.others.engine.as_ref().filter(|_| rule == OtherHosts::Intercept);
    let body = match engine {
        Some(engine) if !body.is_end_stream() => {
            match look(live, engine, &vault, &mut head.headers, &passage.target.host, body).await {
                Ok((body, redaction)) => {
                    ticket.findings(&redaction.findings);
                    if let Some(found) = blocked(&redaction) {
                        return Err(ticket.halt(Stopped::Blocked { found }));
                    }
                    body
                }
                Err(why) => return Err(ticket.halt(why)),
            }
        }
        _ => Either::Right(body),
    };
    ticket.mark("redact");
    let used = match secrets(live, passage, &mut head.headers) {
        Ok(used) => used,
        Err(why) => return Err(ticket.halt(why)),
    };
    let restores = engine.is_some() && !vault.is_empty();
    if restores || !used.is_empty() {
        // Nothing is found in an answer that is compressed.
        head.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    let method = head.method.clone();
    let request = match outgoing(head, body, passage) {
        Ok(request) => request,
        Err(why) => return Err(ticket.halt(why)),
    };
    let answer = match live.others.send(&passage.target, request).await {
        Ok(answer) => answer,
        Err(refused) => return Err(ticket.halt(Stopped::Connect(refused))),
    };
    ticket.mark("upstream");
    let hider = Hider::new(&used);
    let vault = (restores && method != Method::HEAD).then_some(vault);
    relay(live, ticket, answer, vault, hider, &leave).await
}

/// Who asks, and whether the request is for whom its connection is for.
fn identify(
    live: &Live,
    ticket: &mut Ticket,
    head: &mut Parts,
    passage: &Passage,
) -> Result<(SessionName, Leave), Stopped> {
    let pinned = passage.credentials.pinned.as_deref();
    if let Some(pinned) = pinned {
        ticket.pinned(pinned);
    }
    passage.agrees(head)?;
    let claims = passage.credentials.claims.as_deref();
    ticket.shared().tokens.needed(live, claims)?;
    let address = passage.credentials.address();
    let who = super::identify::who(live, &head.headers, &address, claims, pinned)?;
    let session = SessionName { agent: who.agent.clone(), run: who.run.clone() };
    ticket.caller(who.agent, who.project, claims.map(|claims| claims.jti.clone()));
    ticket.run(who.run, who.depth);
    let leave = ticket.ask_leave(&session.agent)?;
    // Any other protocol is an offer that a server may leave aside.
    if super::identify::is_websocket(&head.headers) {
        return Err(Refused::Upgrade { host: passage.target.host.clone() }.into());
    }
    strip_hop_headers(&mut head.headers);
    strip_own_headers(&mut head.headers);
    Ok((session, leave))
}

/// Puts the secrets of the host in; only where nobody reads along.
fn secrets<'l>(
    live: &'l Live,
    passage: &Passage,
    headers: &mut HeaderMap,
) -> Result<Vec<&'l Swap>, Stopped> {
    if !passage.tls {
        return Ok(Vec::new());
    }
    Ok(live.others.swaps.put_in(&passage.target.host, headers)?)
}

/// How a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Json,
    Lines,
    Form,
    Multipart,
    Text,
}

impl Reading {
    fn of(content_type: &str) -> Option<Self> {
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Some(match kind.as_str() {
            "application/json" => Self::Json,
            "application/x-ndjson" | "application/jsonl" | "application/json-seq" => Self::Lines,
            "application/x-www-form-urlencoded" => Self::Form,
            "multipart/form-data" => Self::Multipart,
            "application/graphql" | "application/xml" | "application/yaml" => Self::Text,
            kind if kind.ends_with("+json") => Self::Json,
            kind if kind.ends_with("+xml") || kind.starts_with("text/") => Self::Text,
            _ => return None,
        })
    }
}

/// Why a head says of its body what two readers could take differently, or what is not read here.
fn doubt(headers: &HeaderMap) -> Option<&'static str> {
    let several = |name| headers.get_all(name).iter().nth(1).is_some();
    if several(header::CONTENT_TYPE) {
        return Some("it has more than one content type");
    }
    if several(header::CONTENT_ENCODING) {
        return Some("it has more than one content encoding");
    }
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut said = said.unwrap_or_default().split(';');
    if said.next().is_some_and(|kind| kind.contains(',')) {
        return Some("it has more than one content type");
    }
    let foreign = said
        .filter_map(|parameter| parameter.split_once('='))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .any(|(_, charset)| !is_read(charset));
    foreign.then_some("its charset is none that is read")
}

/// Whether text in this charset is what it looks like in UTF-8: in ASCII at least.
fn is_read(charset: &str) -> bool {
    let charset = charset.trim().trim_matches('"').to_ascii_lowercase();
    ["utf-8", "utf8", "us-ascii", "ascii", "latin1"].contains(&charset.as_str())
        || charset.starts_with("iso-8859-")
        || charset.starts_with("windows-125")
}

/// Takes out of a body what must not leave.
async fn look(
    live: &Live,
    engine: &Engine,
    vault: &Vault,
    headers: &mut HeaderMap,
    host: &str,
    body: Incoming,
) -> Result<(Outgoing, Redaction), Stopped> {
    let opaque = |what| match live.policy.connect.opaque_bodies {
        OpaqueBodies::Pass => Ok(()),
        OpaqueBodies::Block => Err(Refused::Opaque { host: host.to_owned(), what }),
    };
    if let Some(doubt) = doubt(headers) {
        opaque(doubt)?;
    }
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let said = said.unwrap_or_default().to_owned();
    let Some(reading) = Reading::of(&said) else {
        opaque("its content type is none that is read")?;
        return Ok((Either::Right(body), Redaction::default()));
    };
    let codings = headers.get_all(header::CONTENT_ENCODING).iter();
    let codings: Vec<_> = codings.map(|value| value.to_str().unwrap_or("?")).collect();
    let Ok(coding) = Encoding::parse(&codings.join(", ")) else {
        opaque("its content encoding is none that is read")?;
        return Ok((Either::Right(body), Redaction::default()));
    };
    let limit = live.policy.proxy.max_body;
    let bytes = body::collect(body, limit, live.policy.proxy.read_timeout).await;
    let bytes = bytes.map_err(|error| match error {
        CollectError::TooLarge => Stopped::TooLarge { limit },
        CollectError::Late => Stopped::SlowBody,
        CollectError::Broken => Stopped::BrokenBody,
    })?;
    let plain = match coding {
        Encoding::Identity => Ok(bytes.clone()),
        coding => encoding::decode(coding, &bytes, limit),
    };
    let found = plain.ok().and_then(|plain| {
        let (redaction, whole) = find(reading, &said, &plain, engine, vault)?;
        Some((plain, redaction, whole))
    });
    let Some((plain, redaction, whole)) = found else {
        opaque("it is not what its head says")?;
        return Ok((Either::Left(Full::new(bytes)), Redaction::default()));
    };
    if !whole {
        opaque("a part of it is no text")?;
    }
    let out = if redaction.edits.is_empty() {
        bytes
    } else {
        headers.remove(header::CONTENT_ENCODING);
        splice(&plain, &redaction.edits).into()
    };
    Ok((Either::Left(Full::new(out)), redaction))
}

/// What to change in a body, and whether all of it was read; none where it is not what it says.
fn find(
    reading: Reading,
    content_type: &str,
    plain: &Bytes,
    engine: &Engine,
    vault: &Vault,
) -> Option<(Redaction, bool)> {
    match reading {
        Reading::Form => {
            return Some((redact_form(plain, engine, vault).ok()?, !plain.contains(&0)));
        }
        Reading::Multipart => {
            let parts = Multipart::read(content_type, plain).ok()?;
            return Some((parts.redact(engine, vault), parts.opaque().next().is_none()));
        }
        Reading::Json | Reading::Lines | Reading::Text => {}
    }
    let text = std::str::from_utf8(plain).ok()?;
    let span = |text, kind| Span { text, key: None, kind };
    let mut spans = Vec::new();
    match reading {
        Reading::Lines => {
            let mut start = 0;
            for line in text.split('\n') {
                spans.push(span(Text::plain(line, start), SpanKind::Json));
                start += line.len() + 1;
            }
        }
        Reading::Json => spans.push(span(Text::plain(text, 0), SpanKind::Json)),
        _ => spans.push(span(Text::plain(text, 0), SpanKind::Plain)),
    }
    // Text in UTF-16 looks like UTF-8 with a NUL beside each character; no text has one.
    Some((engine.redact(&spans, vault), !plain.contains(&0)))
}

/// The kinds that the policy blocks, never a value.
fn blocked(redaction: &Redaction) -> Option<String> {
    let blocked = redaction.findings.iter().filter(|finding| finding.action == Mode::Block);
    let kinds: std::collections::BTreeSet<_> =
        blocked.map(|finding| finding.kind.name().to_owned()).collect();
    (!kinds.is_empty()).then(|| kinds.into_iter().take(5).collect::<Vec<_>>().join(", "))
}

fn outgoing(head: Parts, body: Outgoing, passage: &Passage) -> Result<Request<Outgoing>, Stopped> {
    let scheme = if passage.tls { "https" } else { "http" };
    let target = &passage.target;
    let authority = match (passage.tls, target.port) {
        (true, 443) | (false, 80) => {
            let whole = target.to_string();
            whole.rsplit_once(':').map_or(whole.clone(), |(host, _)| host.to_owned())
        }
        _ => target.to_string(),
    };
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let address = Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build();
    let mut request = Request::new(body);
    *request.method_mut() = head.method;
    *request.uri_mut() = address.map_err(|_| Stopped::Connect(Refused::Target))?;
    *request.headers_mut() = head.headers;
    Ok(request)
}

/// Passes the answer on; `vault` where placeholders are to be put back.
async fn relay(
    live: &Live,
    mut ticket: Ticket,
    answer: Response<Incoming>,
    vault: Option<Arc<Vault>>,
    hider: Option<Hider>,
    leave: &Leave,
) -> Result<Response<Body>, Box<Halt>> {
    let (mut head, body) = answer.into_parts();
    strip_hop_headers(&mut head.headers);
    if let Some(hider) = &hider {
        hider.headers(&mut head.headers);
    }
    let kind = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let reading = Reading::of(kind.unwrap_or_default());
    let coded = head.headers.contains_key(header::CONTENT_ENCODING);
    let limit = live.policy.proxy.max_body;
    let short = body.size_hint().upper().is_none_or(|length| length <= limit as u64);
    let stream = kind.is_some_and(|kind| kind.starts_with("text/event-stream"));
    let whole = vault.filter(|_| {
        short
            && !coded
            && !stream
            && !body.is_end_stream()
            && matches!(reading, Some(Reading::Json | Reading::Text))
    });
    let Some(vault) = whole else {
        let text = !coded && reading.is_some();
        if text && hider.is_some() {
            head.headers.remove(header::CONTENT_LENGTH);
        }
        let idle = live.policy.connect.idle_timeout;
        let other = OtherBody::new(body, idle, hider, text, ticket, head.status, leave);
        return Ok(Response::from_parts(head, Body::Other(Box::new(other))));
    };
    let idle = live.policy.connect.idle_timeout;
    let bytes = match body::collect(body, limit, idle).await {
        Ok(bytes) => bytes,
        Err(error) => {
            let what = match error {
                CollectError::TooLarge => "its answer is larger than proxy.max_body_mib allows",
                CollectError::Late => "its answer fell silent",
                CollectError::Broken => "its answer broke off",
            };
            let host = ticket.host().to_owned();
            let refused = Refused::Answer { host, what, cause: what.to_owned() };
            return Err(ticket.halt(Stopped::Connect(refused)));
        }
    };
    let mut out = restored(reading, &bytes, vault);
    if let Some(hider) = &hider
        && let std::borrow::Cow::Owned(hidden) = hider.whole(&out)
    {
        out = hidden.into();
    }
    head.headers.remove(header::CONTENT_LENGTH);
    ticket.mark("relay");
    ticket.finish(head.status, Outcome::Ok, "ok", &Metered::default());
    Ok(Response::from_parts(head, out.into()))
}

/// The answer with values in the place of placeholders; as it came where it is not what it says.
fn restored(reading: Option<Reading>, bytes: &Bytes, vault: Arc<Vault>) -> Bytes {
    if reading == Some(Reading::Json) {
        let restorers = AnswerRestorers::new(None, vault);
        return plain::restore(bytes, &restorers).unwrap_or_else(|_| bytes.clone());
    }
    match std::str::from_utf8(bytes).map(|text| restore(&vault, text)) {
        Ok(std::borrow::Cow::Owned(text)) => text.into(),
        _ => bytes.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_read_by_what_they_say_they_are() {
        for (said, reading) in [
            ("application/json; charset=utf-8", Some(Reading::Json)),
            ("application/vnd.github+json", Some(Reading::Json)),
            ("application/x-www-form-urlencoded", Some(Reading::Form)),
            ("multipart/form-data; boundary=x", Some(Reading::Multipart)),
            ("text/plain", Some(Reading::Text)),
            ("application/x-git-upload-pack-request", None),
            ("application/octet-stream", None),
            ("", None),
        ] {
            assert_eq!(Reading::of(said), reading, "{said}");
        }
    }

    #[test]
    fn heads_that_leave_open_how_a_body_is_read_are_in_doubt() {
        let doubts = |lines: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, value.parse().unwrap());
            }
            doubt(&headers).is_some()
        };
        for clear in [
            "application/json",
            "application/json; charset=\"UTF-8\"",
            "text/plain;charset=iso-8859-15",
            "multipart/form-data; boundary=\"a,b\"",
        ] {
            assert!(!doubts(&[("content-type", clear), ("content-encoding", "gzip")]), "{clear}");
        }
        for unclear in [
            "application/json; charset=utf-16",
            "text/plain; charset=utf-8; Charset = \"UTF-16LE\"",
            "text/plain; charset=utf-7",
            "text/plain, application/octet-stream",
            "text/plain; charset=utf-8, application/octet-stream",
        ] {
            assert!(doubts(&[("content-type", unclear)]), "{unclear}");
        }
        let json = ("content-type", "application/json");
        assert!(doubts(&[json, json]));
        let plain = ("content-encoding", "identity");
        assert!(doubts(&[json, plain, ("content-encoding", "gzip")]));
    }
}
