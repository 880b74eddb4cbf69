//! Agents that take the proxy for what `HTTPS_PROXY` says it is.
//!
//! ```text
//! CONNECT host:port ─┬─ an upstream's host ─▶ TLS ends here ─▶ pipeline, as if it were addressed
//!                    ├─ intercept ──────────▶ TLS ends here ─▶ pipeline/other.rs: secrets out, secrets in
//!                    ├─ tunnel ─────────────▶ tunnel.rs: bytes, counted
//!                    └─ deny
//! GET http://host/… ──── the same, one request at a time
//! ```
//!
//! What an agent asks for is resolved and checked here (`network.rs`), and never by a name twice.
//! Not here: what happens to a call to an upstream, which is the pipeline's; who signs for a host,
//! which is the authority's.

mod credentials;
mod log;
mod network;
mod others;
mod refused;
mod stream;
mod swap;
mod target;
mod tunnel;

use std::pin::Pin;
use std::sync::Arc;

use http::{Method, Request, Response, Version, header};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use iron_policy::connect::{OtherHosts, host_name};
use iron_policy::types::{Dialect, Name};
use tokio_rustls::TlsAcceptor;

pub use credentials::{BadCredentials, Credentials};
pub use log::{Connection, Connections, Handling, MOST_OPEN, Meter};
pub use network::{DialError, Names, Network, Own, Resolve};
pub use others::Others;
pub(crate) use others::Outgoing;
pub use refused::Refused;
pub(crate) use swap::Hider;
pub use swap::{BadSecret, Swap, Swaps, placeholder};
pub use target::Target;

use crate::authority::{AuthorityError, Host};
use crate::body::Body;
use crate::live::Live;
use crate::pipeline::{self, Stopped};
use crate::rescue::{self, Caller};
use crate::server::{Port, Stopping, Via};
use stream::Counted;

/// The first byte of a TLS handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 0x16;

/// A request's way through the proxy to a host that it names itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Whom the agent's connection is for.
    pub target: Target,
    /// What the agent says of itself.
    pub credentials: Credentials,
    /// Whether TLS ended here.
    pub tls: bool,
    /// The name that the client asked for within TLS, where it is another than the target's.
    pub other_name: bool,
}

impl Passage {
    /// Whether a request on the connection is for whom the connection is for.
    pub(crate) fn agrees(&self, head: &http::request::Parts) -> Result<(), Refused> {
        let mut hosts = head.headers.get_all(header::HOST).iter();
        let host = hosts.next();
        let said = host.map(|host| host.to_str().unwrap_or_default());
        let named = head.uri.authority().map(http::uri::Authority::as_str);
        let meant = [said, named].into_iter().flatten().all(|text| self.target.is_meant_by(text));
        let none = said.is_none() && named.is_none();
        if self.other_name || none || !meant || hosts.next().is_some() {
            return Err(Refused::Misdirected { target: self.target.clone() });
        }
        Ok(())
    }
}

/// A request to a proxy rather than to a server: `CONNECT`, or an address with its host in it.
///
/// Over HTTP/2 every address has a host in it, so only `CONNECT` is told there.
pub(crate) fn is_asked(request: &Request<Incoming>) -> bool {
    request.method() == Method::CONNECT
        || (request.version() < Version::HTTP_2 && request.uri().authority().is_some())
}

/// Answers a request to a proxy.
pub(crate) async fn answer(port: &Arc<Port>, request: Request<Incoming>) -> Response<Body> {
    let live = port.shared.live();
    if request.method() == Method::CONNECT {
        return match connect(port, &live, request).await {
            // The connection is the agent's from here on.
            Ok(()) => Response::new(Body::empty()),
            Err(refused) => refusal(refused),
        };
    }
    forward(port, &live, request).await
}

/// Answers a request on a connection that is intercepted.
pub(crate) async fn inner(
    port: &Arc<Port>,
    request: Request<Incoming>,
    passage: &Arc<Passage>,
) -> Response<Body> {
    if request.method() == Method::CONNECT {
        return refusal(Refused::Nested);
    }
    let live = port.shared.live();
    if live.serves(&passage.target) {
        return pipeline::handle(&port.shared, request).await;
    }
    // The policy may be another than when the connection was made.
    if let Err(refused) = handling(&live, &passage.target, &passage.credentials) {
        return refusal(refused);
    }
    pipeline::handle_other(&port.shared, &live, request, passage, OtherHosts::Intercept).await
}

/// Opens a connection for an agent, or says why not.
async fn connect(
    port: &Arc<Port>,
    live: &Arc<Live>,
    mut request: Request<Incoming>,
) -> Result<(), Refused> {
    let authority = request.uri().authority();
    let target = authority.and_then(|authority| Target::read(authority, None));
    let target = target.ok_or(Refused::Target)?;
    let credentials = credentials(port, &request)?;
    if !live.serves(&target) {
        port.shared.tokens.needed(live, credentials.claims.as_deref())?;
    }
    let agent = credentials.agent.clone().unwrap_or_else(|| live.default_agent.clone());
    let opened = open(port, live, &target, &credentials, &agent, &mut request).await;
    if let Err(refused) = &opened {
        record(port, &target, &agent, refused);
    }
    opened
}

async fn open(
    port: &Arc<Port>,
    live: &Arc<Live>,
    target: &Target,
    credentials: &Credentials,
    agent: &Name,
    request: &mut Request<Incoming>,
) -> Result<(), Refused> {
    let token = credentials.claims.as_ref().map(|claims| &claims.jti);
    let leave = port.shared.stops.leave(agent, token)?;
    // The server puts it into every request.
    let stopping = request.extensions().get::<Stopping>().cloned().ok_or(Refused::Target)?;
    let rule = handling(live, target, credentials)?;
    let note = |handling| {
        let open = port.shared.connections.open(&port.shared.metrics, target, agent, handling);
        open.ok_or(Refused::TooMany { limit: MOST_OPEN })
    };
    if rule == OtherHosts::Tunnel {
        let mut connection = note(Handling::Tunnel)?;
        let policy = &live.policy.connect;
        let dialled = live.others.network().dial(policy, target).await;
        let host = match dialled {
            Ok(host) => host,
            Err(error) => {
                connection.forget();
                return Err(Refused::Dial { target: target.clone(), error });
            }
        };
        if let Some(run) = &credentials.run {
            port.shared.runs.tunnelled(run, &target.host);
        }
        let upgrade = hyper::upgrade::on(request);
        let idle = policy.idle_timeout;
        tokio::spawn(async move {
            match upgrade.await {
                Ok(agent) => {
                    let agent = TokioIo::new(agent);
                    let copying = tunnel::copy(agent, host, &mut connection, idle, stopping);
                    if let Err(why) = leave.unless_stopped(copying).await {
                        connection.ends(why.reason());
                    }
                }
                Err(_) => connection.ends("aborted"),
            }
        });
        return Ok(());
    }
    if !live.serves(target) && !live.policy.connect.allows_port(&target.host, target.port) {
        let error = DialError::Port(target.port);
        return Err(Refused::Dial { target: target.clone(), error });
    }
    let not_permitted = || Refused::NotPermitted { host: target.host.clone() };
    let host: Host = target.host.parse().map_err(|_| not_permitted())?;
    let config = port.shared.authority.server_config(&host).map_err(|error| match error {
        AuthorityError::NotPermitted(_) => not_permitted(),
        error => {
            tracing::warn!(%target, %error, "TLS cannot be ended here");
            not_permitted()
        }
    })?;
    let connection = note(Handling::Intercept)?;
    let upgrade = hyper::upgrade::on(request);
    let passage = Passage {
        target: target.clone(),
        credentials: credentials.clone(),
        tls: true,
        other_name: false,
    };
    let port = Arc::clone(port);
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(config);
        let mut connection = connection;
        let outcome = match upgrade.await {
            Ok(agent) => {
                let stream = Counted::new(TokioIo::new(agent), connection.meter());
                intercept(port, stream, acceptor, passage, stopping).await
            }
            Err(_) => "aborted",
        };
        connection.ends(outcome);
    });
    Ok(())
}

/// Ends TLS, or takes plain HTTP, and serves what comes. Says how the connection ended.
///
/// Boxed, since what is served may be such a connection again as far as the compiler knows.
fn intercept(
    port: Arc<Port>,
    stream: Counted<TokioIo<Upgraded>>,
    acceptor: TlsAcceptor,
    passage: Passage,
    stopping: Stopping,
) -> Pin<Box<dyn Future<Output = &'static str> + Send>> {
    Box::pin(serve(port, stream, acceptor, passage, stopping))
}

async fn serve(
    port: Arc<Port>,
    mut stream: Counted<TokioIo<Upgraded>>,
    acceptor: TlsAcceptor,
    mut passage: Passage,
    stopping: Stopping,
) -> &'static str {
    let Ok(Ok(Some(first))) = port.in_time(stream.peek()).await else { return "silent" };
    if first != HANDSHAKE {
        passage.tls = false;
        port.serve(stream, Via::Intercepted(Arc::new(passage)), stopping).await;
        return "ok";
    }
    let stream = match port.in_time(acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::warn!(
                target = %passage.target,
                %error,
                "TLS with an agent failed: if it does not trust the local CA, point it at ca.pem"
            );
            return "tls_failed";
        }
        Err(_) => return "tls_failed",
    };
    let asked = stream.get_ref().1.server_name();
    // Clients name no addresses within TLS, and some name nothing at all: the request tells then.
    passage.other_name =
        asked.is_some_and(|name| host_name(name).as_ref() != Some(&passage.target.host));
    port.serve(stream, Via::Intercepted(Arc::new(passage)), stopping).await;
    "ok"
}

/// Answers a plain request whose address names a host.
async fn forward(
    port: &Arc<Port>,
    live: &Arc<Live>,
    mut request: Request<Incoming>,
) -> Response<Body> {
    let scheme_is_http = request.uri().scheme_str() == Some("http");
    let target = request.uri().authority().and_then(|authority| Target::read(authority, Some(80)));
    let Some(target) = target.filter(|_| scheme_is_http) else { return refusal(Refused::Target) };
    if live.others.network().own.is_called(&target) {
        // Both a base URL and a proxy were set: the base URL is what was meant.
        return port.answer_own(request).await;
    }
    let credentials = match credentials(port, &request) {
        Ok(credentials) => credentials,
        Err(bad) => return refusal(bad),
    };
    let rule = match handling(live, &target, &credentials) {
        Ok(rule) => rule,
        Err(refused) => {
            let agent = credentials.agent.as_ref().unwrap_or(&live.default_agent);
            record(port, &target, agent, &refused);
            return refusal(refused);
        }
    };
    let passage = Arc::new(Passage { target, credentials, tls: false, other_name: false });
    request.extensions_mut().insert(Via::Intercepted(Arc::clone(&passage)));
    if live.serves(&passage.target) {
        return pipeline::handle(&port.shared, request).await;
    }
    pipeline::handle_other(&port.shared, live, request, &passage, rule).await
}

/// What a client says of itself, and what its token says of it. A run that was announced as strict
/// is so whatever it says.
fn credentials(port: &Port, request: &Request<Incoming>) -> Result<Credentials, Refused> {
    let (mut credentials, token) = Credentials::of(request.headers())?;
    let pinned = request.extensions().get().and_then(Via::pinned);
    if let Some(token) = token {
        let claims = port.shared.tokens.verify(&token)?;
        let said = credentials.agent.replace(claims.sub.clone());
        credentials.claims = Some(claims);
        // Names beside a token mean nothing, but on a connection that is somebody's nobody else's
        // is let pass.
        if pinned.is_some() {
            credentials.agent = said;
        }
    }
    if let Some(pinned) = pinned {
        credentials.pin(pinned)?;
    }
    if let Some(run) = &credentials.run {
        let all = port.shared.runs.upwards(run);
        credentials.strict |= all.iter().any(|run| run.record.strict);
    }
    Ok(credentials)
}

/// What happens to a connection to this host.
fn handling(
    live: &Live,
    target: &Target,
    credentials: &Credentials,
) -> Result<OtherHosts, Refused> {
    if live.others.network().own.is_called(target) {
        return Err(Refused::Dial { target: target.clone(), error: DialError::Own });
    }
    if live.serves(target) {
        return Ok(OtherHosts::Intercept);
    }
    let denied = |by| Err(Refused::Denied { host: target.host.clone(), by });
    match live.policy.connect.rules.of(&target.host) {
        (OtherHosts::Deny, true) => denied("connect.deny in iron.toml: take it out to allow them"),
        (OtherHosts::Deny, false) => denied(
            "connect.other_hosts = \"deny\" in iron.toml: name the host under connect.tunnel or connect.intercept to allow them",
        ),
        (_, false) if credentials.pinned.is_some() => denied(
            "the sandbox: name the host under connect.tunnel or connect.intercept in iron.toml to allow them",
        ),
        (_, false) if credentials.strict => denied(
            "`strict` in the proxy's credentials: name the host under connect.tunnel or connect.intercept in iron.toml to allow them",
        ),
        (rule, _) => Ok(rule),
    }
}

fn record(port: &Port, target: &Target, agent: &Name, refused: &Refused) {
    let shared = &port.shared;
    let opened = shared.connections.open(&shared.metrics, target, agent, Handling::Refuse);
    if let Some(mut connection) = opened {
        connection.ends(refused.reason());
    }
    tracing::warn!(%target, %agent, reason = refused.reason(), "{}", refused.for_operator());
}

/// The answer to a request that no upstream's dialect applies to.
fn refusal(refused: Refused) -> Response<Body> {
    let stopped = Stopped::Connect(refused);
    let refusal = rescue::refusal(&stopped, 402);
    let caller = Caller { dialect: Dialect::OpenAi, stops_on_400_only: false };
    let message = refusal.message.clone();
    let mut response = refusal.into_response(caller, iron_policy::types::CallId(0));
    // Of an answer to CONNECT most programs show the status line alone.
    if let Ok(reason) = ReasonPhrase::try_from(format!("Iron Cage: {message}").into_bytes()) {
        response.extensions_mut().insert(reason);
    }
    response
}
