//! Step 2: who calls, for what, with which key.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, header};
use iron_policy::config::WebSockets;
use iron_policy::token::Claims;
use iron_policy::types::{Dialect, Name, Platform};

use super::follow::Follow;
use super::{Halt, Stopped, Ticket, intercepted};
use crate::dialect::{self, Address, BadPath, Operation};
use crate::live::Live;
use crate::pinned::Pinned;
use crate::server::Via;
use crate::sessions::SessionName;
use crate::stops::Leave;
use crate::stream::results::Source;
use crate::upstream::{
    GOOGLE_KEY, Upstream, is_presigned, is_signed, strip_credentials, strip_hop_headers,
    take_query_key,
};

/// More headers than this are refused with 431.
pub const MAX_HEADERS: usize = 100;
/// Longer paths and queries, in bytes, are refused with 414.
const MAX_ADDRESS: usize = 16 * 1024;

/// A call whose agent, operation and upstream are known.
#[derive(Debug)]
pub(super) struct Identified {
    pub(super) ticket: Ticket,
    /// The agent's leave to call: the call goes no further once it ends.
    pub(super) leave: Leave,
    pub(super) target: Target,
}

/// Where a call goes, and with what.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) upstream: Arc<Upstream>,
    /// True where the caller named the upstream itself.
    pub(super) addressed: bool,
    pub(super) operation: Operation,
    /// The dialect of the call itself, which its upstream may speak beside another.
    pub(super) dialect: Dialect,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Option<String>,
    /// Headers to send: ours, hop-by-hop ones and, where replaced, credentials are off.
    pub(super) headers: HeaderMap,
    pub(super) session: SessionName,
    /// What the caller's token says; none where it has none.
    pub(super) claims: Option<Arc<Claims>>,
    /// The model, where the body must name it anew.
    pub(super) model: Option<Renamed>,
}

/// A model that is asked for in place of what the body names.
#[derive(Clone, Debug)]
pub(super) struct Renamed {
    /// What it is called where the call goes.
    pub(super) called: String,
    /// The model that this means: its price and its rules apply.
    pub(super) meant: String,
    /// True where it is another one than the caller asked for.
    pub(super) is_other: bool,
}

impl Target {
    /// Whether the caller's token may ask for a model: by the name in the call, or by what that
    /// means at the upstream.
    pub(super) fn may_ask_for(&self, model: &str) -> Result<(), Stopped> {
        let Some(claims) = &self.claims else { return Ok(()) };
        // Operations on no model, such as the list of models, name none.
        let allowed = model.is_empty()
            || claims.allows_model(model)
            || claims.allows_model(self.upstream.config.model(model));
        if allowed {
            return Ok(());
        }
        let model = model.chars().take(80).collect();
        Err(Stopped::ModelNotAllowed { model, allowed: listed(&claims.models) })
    }

    /// Whether the caller's token may call an upstream.
    pub(super) fn may_call(&self, upstream: &Upstream) -> Result<(), Stopped> {
        may_call(self.claims.as_deref(), upstream)
    }
}

fn may_call(claims: Option<&Claims>, upstream: &Upstream) -> Result<(), Stopped> {
    match claims {
        Some(claims) if !claims.allows_upstream(upstream.name()) => {
            Err(Stopped::UpstreamNotAllowed {
                upstream: upstream.name().to_owned(),
                allowed: listed(&claims.upstreams),
            })
        }
        _ => Ok(()),
    }
}

/// A few of what a token names.
fn listed<T: std::fmt::Display>(all: &[T]) -> String {
    let mut shown: Vec<String> = all.iter().take(5).map(|one| format!("`{one}`")).collect();
    if all.len() > shown.len() {
        shown.push(format!("{} more", all.len() - shown.len()));
    }
    shown.join(", ")
}

/// Finds out who calls and where the call belongs.
pub(super) fn identify(
    live: &Arc<Live>,
    mut ticket: Ticket,
    head: Parts,
    spoken: &mut Dialect,
) -> Result<Identified, Box<Halt>> {
    ticket.belongs_to(&head.headers);
    match read(live, &mut ticket, head, spoken) {
        Ok((target, leave)) => {
            ticket.mark("identify");
            Ok(Identified { ticket, leave, target })
        }
        Err(why) => Err(ticket.halt(why)),
    }
}

fn read(
    live: &Live,
    ticket: &mut Ticket,
    mut head: Parts,
    spoken: &mut Dialect,
) -> Result<(Target, Leave), Stopped> {
    let pinned = head.extensions.get().and_then(Via::pinned).cloned();
    if let Some(pinned) = &pinned {
        ticket.pinned(pinned);
    }
    is_of_usual_size(&head)?;
    let uri = head.uri.clone();
    let passage = match head.extensions.get() {
        Some(Via::Intercepted(passage)) => Some(Arc::clone(passage)),
        _ => None,
    };
    let (address, intercepted) = if let Some(passage) = &passage {
        let (address, upstream) = intercepted::address(live, passage, &head, uri.path())?;
        (address, Some(upstream))
    } else {
        come_by_right_way(&head, &live.policy.proxy.names)?;
        (Address::parse(uri.path(), |name| live.upstream(name).is_some())?, None)
    };
    let path = address.operation_path();
    let named = intercepted.or_else(|| live.upstream(address.upstream?));
    *spoken = match &named {
        Some(upstream) => upstream.config.dialect,
        None => dialect::dialect_of(path, uri.query(), &head.headers),
    };
    let guessed = *spoken;
    let mut query = uri.query().map(str::to_owned);
    if *spoken == Dialect::Gemini {
        query = query.and_then(|query| take_query_key(&query, &mut head.headers));
    }
    let said = passage.as_ref().and_then(|passage| passage.credentials.claims.as_ref());
    let claims = ticket.shared().tokens.identify(live, &head.headers, query.as_deref(), said)?;
    let who = who(live, &head.headers, &address, claims.as_deref(), pinned.as_deref())?;
    let session = SessionName { agent: who.agent.clone(), run: who.run.clone() };
    let token = claims.as_ref().map(|claims| claims.jti.clone());
    ticket.caller(who.agent.clone(), who.project, token);
    ticket.run(who.run, who.depth);
    let leave = ticket.ask_leave(&who.agent)?;
    live.policy.runaway_of(&who.agent).check_depth(who.depth.unwrap_or_default())?;

    let addressed = named.is_some();
    let upstream = if let Some(upstream) = named {
        upstream
    } else {
        let dialect = guessed;
        let platform = dialect::platform_of(path);
        let wanted = match platform {
            Some(platform) => ("platform", platform.name()),
            None => ("dialect", dialect.name()),
        };
        live.default_upstream(dialect, platform)
            .ok_or(Stopped::NoUpstream { key: wanted.0, name: wanted.1 })?
    };
    ticket.upstream(&upstream);
    may_call(claims.as_deref(), &upstream)?;
    ticket.follow = Follow::of(upstream.config.dialect, &head, address.path, path);
    let mut headers = head.headers;
    let config = &upstream.config;
    let operation = if is_websocket(&headers) {
        // What a message calls a model on a platform is a name of its own.
        dialect::socket(config.dialect, &head.method, path)
            .filter(|_| config.websocket == WebSockets::Allow && config.platform.is_none())
            .map(Operation::Socket)
            .ok_or(Stopped::WebSocket)?
    } else {
        dialect::operation_at(config.dialect, config.platform, &head.method, address.path)
    };
    let dialect = dialect::spoken(&upstream.config, operation, address.path);
    *spoken = dialect;
    ticket.operation(operation);
    if operation == Operation::Unpriced {
        return Err(Stopped::UnpricedEndpoint {
            method: head.method.to_string(),
            path: address.path.chars().take(80).collect(),
        });
    }
    if let Follow::Content { source, .. } = &ticket.follow {
        // Lines can only be read where they are not compressed.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        // Nor where they are a part, which may begin within one; what it says is not all that they
        // cost.
        if *source != Source::Other {
            headers.remove(header::RANGE);
            headers.remove(header::IF_RANGE);
        }
    }
    if upstream.config.dialect == Dialect::Gemini {
        // Google's servers would take the call for another operation than it was priced as.
        headers.remove("x-http-method-override");
    }
    key(live, &upstream, dialect, query.as_deref(), claims.is_some(), &mut headers)?;
    strip_hop_headers(&mut headers);
    strip_own_headers(&mut headers);
    let target = Target {
        operation,
        dialect,
        method: head.method,
        path: address.path.to_owned(),
        query,
        headers,
        session,
        claims,
        addressed,
        model: None,
        upstream,
    };
    Ok((target, leave))
}

/// Refuses heads of a size that no client sends.
fn is_of_usual_size(head: &Parts) -> Result<(), Stopped> {
    if head.headers.len() > MAX_HEADERS {
        return Err(Stopped::ManyHeaders { limit: MAX_HEADERS });
    }
    let length = head.uri.path_and_query().map_or(0, |address| address.as_str().len());
    if length > MAX_ADDRESS { Err(Stopped::LongAddress { limit: MAX_ADDRESS }) } else { Ok(()) }
}

/// Who calls.
pub(super) struct Who {
    pub(super) agent: Name,
    pub(super) project: Option<Name>,
    pub(super) run: Option<Name>,
    pub(super) depth: Option<u8>,
}

/// Tells who calls: by the token, else by the address, else by the headers.
///
/// Who has a token is who it says, whatever the address and the headers say besides: launchers put
/// a program's name there. Runs stay the caller's to name: they are within the agent. On a connection
/// that is `pinned` all of them can only say the same as that.
pub(super) fn who(
    live: &Live,
    headers: &HeaderMap,
    address: &Address<'_>,
    claims: Option<&Claims>,
    pinned: Option<&Pinned>,
) -> Result<Who, Stopped> {
    if let Some(pinned) = pinned {
        return as_pinned(live, headers, address, claims, pinned);
    }
    let agent = match (claims, address.agent.clone()) {
        (Some(claims), _) => claims.sub.clone(),
        (None, Some(agent)) => agent,
        (None, None) => {
            named(headers, "x-iron-agent")?.unwrap_or_else(|| live.default_agent.clone())
        }
    };
    let known = live.policy.agent(&agent).and_then(|agent| agent.project.clone());
    let project = match claims {
        Some(claims) => claims.project.clone().or(known),
        None if known.is_some() => known,
        None => named(headers, "x-iron-project")?,
    };
    let run = match address.run.clone() {
        Some(run) => Some(run),
        None => named(headers, "x-iron-session")?,
    };
    let depth = match address.depth {
        Some(depth) => Some(depth),
        None => said_depth(headers)?,
    };
    Ok(Who { agent, project, run, depth })
}

/// Who calls on a connection that is somebody's: they, and nobody else.
fn as_pinned(
    live: &Live,
    headers: &HeaderMap,
    address: &Address<'_>,
    claims: Option<&Claims>,
    pinned: &Pinned,
) -> Result<Who, Stopped> {
    pinned.allows(address.agent.as_ref(), address.run.as_ref(), "the path")?;
    pinned.allows_token(claims)?;
    let known = live.policy.agent(&pinned.agent).and_then(|agent| agent.project.clone());
    let project = claims.and_then(|claims| claims.project.clone()).or(known);
    pinned.allows_headers(headers, project.as_ref())?;
    let said = match address.depth {
        Some(depth) => Some(depth),
        None => said_depth(headers)?,
    };
    let (agent, run) = (pinned.agent.clone(), Some(pinned.run.clone()));
    Ok(Who { agent, project, run, depth: pinned.depth(said) })
}

/// Whether a request asks to go on as a WebSocket. Another protocol, like `h2c`, is an offer that a
/// server may leave aside.
pub(super) fn is_websocket(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::UPGRADE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
}

/// Refuses what a web page in some browser sends, and what names two hosts. `names` are those that
/// the operator gave the port.
///
/// The port is open to everything on the machine, and a browser there runs programs of strangers:
/// without this, any page could spend the operator's money. A page may also be served under a name
/// whose owner then makes it lead here, so that to the browser the page and the port are one site: a
/// name that could be such a one is refused.
pub(crate) fn come_by_right_way(head: &Parts, names: &[String]) -> Result<(), Stopped> {
    let foreign = head.headers.get_all(header::ORIGIN).iter().any(|origin| {
        let origin = origin.to_str().unwrap_or_default();
        let host = origin.split_once("://").map_or("", |(_, host)| host);
        !is_local(host)
    });
    let cross = head.headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
    if foreign || cross {
        return Err(Stopped::ForeignPage);
    }
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    let other = head
        .uri
        .authority()
        .is_some_and(|named| host.is_some_and(|host| !host.eq_ignore_ascii_case(named.as_str())));
    if hosts.next().is_some() || other {
        return Err(Stopped::TwoHosts);
    }
    match host.or(head.uri.authority().map(http::uri::Authority::as_str)) {
        Some(host) if !is_own(host, names) => {
            Err(Stopped::ForeignHost { host: host.chars().take(80).collect() })
        }
        _ => Ok(()),
    }
}

/// The name in `host[:port]`.
fn name_in(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// Whether `host[:port]` can only mean the port: an address, a name that no stranger can own, or
/// one of the operator's.
fn is_own(host: &str, names: &[String]) -> bool {
    let name = name_in(host).trim_end_matches('.').to_ascii_lowercase();
    // Names of containers have no dot; the others are kept from the public (RFC 6761, 6762, 8375).
    let private = [".localhost", ".local", ".internal", ".lan", ".home.arpa"];
    !name.contains('.')
        || private.iter().any(|end| name.ends_with(end))
        || name.parse::<std::net::IpAddr>().is_ok()
        || names.contains(&name)
}

/// Whether `host[:port]` is this machine.
pub(super) fn is_local(host: &str) -> bool {
    let name = name_in(host);
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Puts the operator's key in, or lets the caller's own through where that is allowed.
fn key(
    live: &Live,
    upstream: &Upstream,
    spoken: Dialect,
    query: Option<&str>,
    with_token: bool,
    headers: &mut HeaderMap,
) -> Result<(), Stopped> {
    let signed = || Stopped::Signed { upstream: upstream.name().to_owned() };
    let amazon = upstream.config.platform == Some(Platform::Bedrock);
    if amazon && is_presigned(query) {
        return Err(signed());
    }
    if let Some(key) = upstream.key() {
        key.replace(headers, spoken);
        return Ok(());
    }
    if upstream.is_withheld() {
        return Err(Stopped::NoKey {
            upstream: upstream.name().to_owned(),
            wanted:
                "the panel's is for another base_url than this upstream's; correct the policy, \
                     or have an admin set a new value for this address: `iron secret rotate NAME \
                     --base-url URL`"
                    .to_owned(),
            passthrough: "",
        });
    }
    if amazon && is_signed(query, headers) {
        return Err(signed());
    }
    // A token stands for the operator's key, and never goes on; nor does any key beside it.
    let passthrough = live.policy.proxy.passthrough && !with_token;
    if !passthrough {
        strip_credentials(headers);
    }
    let carried = headers.contains_key(header::AUTHORIZATION)
        || headers.contains_key("x-api-key")
        || headers.contains_key(GOOGLE_KEY)
        || headers.contains_key("api-key");
    match &upstream.config.api_key_env {
        Some(variable) if !carried => Err(Stopped::NoKey {
            upstream: upstream.name().to_owned(),
            wanted: format!("set {variable} where the proxy runs"),
            passthrough: if passthrough {
                ", or send a key of your own"
            } else if with_token {
                ", or keep one for this upstream in the panel; what calls with a token brings no key"
            } else {
                "; keys of callers are not passed on (proxy.passthrough = false)"
            },
        }),
        // Without a variable the upstream may need no key, such as a model server on this machine.
        _ => Ok(()),
    }
}

fn named(headers: &HeaderMap, name: &str) -> Result<Option<Name>, Stopped> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let text = value.to_str().unwrap_or("(not ASCII)");
    Ok(Some(text.parse()?))
}

/// How many agents stand above the caller, where it says so.
fn said_depth(headers: &HeaderMap) -> Result<Option<u8>, Stopped> {
    let Some(value) = headers.get("x-iron-depth") else { return Ok(None) };
    let depth = value.to_str().ok().and_then(|text| text.parse().ok());
    depth.map(Some).ok_or(Stopped::Path(BadPath::Depth))
}

/// What speaks to us, or of the caller's network, is not the provider's business.
pub(super) fn strip_own_headers(headers: &mut HeaderMap) {
    let ours: Vec<_> =
        headers.keys().filter(|name| name.as_str().starts_with("x-iron-")).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
    for name in [
        "host",
        "content-length",
        "expect",
        "forwarded",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-real-ip",
    ] {
        headers.remove(name);
    }
}
