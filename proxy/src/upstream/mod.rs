//! One endpoint of a provider: its client, its key, its breaker, its limits.

mod breakers;
mod connect;
mod key;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use iron_policy::breaker::{Refused, State};
use iron_policy::config;
use iron_policy::types::Platform;

pub use breakers::Health;
pub use connect::Tls;
pub use key::{
    BadKey, GOOGLE_KEY, ProviderKey, is_presigned, is_signed, query_has_key, query_holds,
    strip_caller, strip_credentials, take_query_key,
};

use crate::connect::Network;
use crate::dialect;
use crate::limits::Gate;
use breakers::{Breakers, Permits};
pub(crate) use connect::Connector;

/// An upstream at work. Lives as long as its configuration does not change.
#[derive(Debug)]
pub struct Upstream {
    /// What the operator wrote.
    pub config: Arc<config::Upstream>,
    /// The rates that all agents share.
    pub gate: Arc<Gate>,
    client: Client<Connector, Full<Bytes>>,
    /// For connections that go on as another protocol; each is dialled anew.
    sockets: Client<Connector, Full<Bytes>>,
    key: ArcSwapOption<ProviderKey>,
    withheld: AtomicBool,
    breakers: Breakers,
}

/// Why a call got no answer's head. What it means for the money is decided by [`sent`](Self::sent).
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No connection: refused, no such host, unreachable.
    #[error("no connection: {0}")]
    Connect(String),
    /// A connection, but no trustworthy one.
    #[error("TLS: {0}")]
    Tls(String),
    /// The address is this proxy's own.
    #[error("its base_url leads to this proxy itself")]
    Own,
    /// Connecting took too long.
    #[error("connecting took longer than {0:?}")]
    ConnectTimeout(Duration),
    /// The request was sent, then the connection broke or spoke nonsense.
    #[error("the connection broke before an answer: {0}")]
    Broken(String),
    /// The request was sent and nothing came back in time.
    #[error("no answer within {0:?}")]
    AnswerTimeout(Duration),
    /// The address cannot be called.
    #[error("not a valid address: {0}")]
    Address(String),
}

impl CallError {
    /// What the caller may know: what happened, not where.
    pub fn for_caller(&self) -> String {
        match self {
            Self::Connect(_) => "it cannot be reached".to_owned(),
            Self::Tls(_) => "no trusted TLS connection to it can be made".to_owned(),
            Self::Own => "its base_url leads to this proxy itself, so that the call would go in \
                          circles: correct it in iron.toml"
                .to_owned(),
            Self::ConnectTimeout(limit) => format!("connecting took longer than {limit:?}"),
            Self::Broken(_) => "the connection broke before an answer came".to_owned(),
            Self::AnswerTimeout(limit) => format!("no answer came within {limit:?}"),
            Self::Address(_) => "its base_url is not a valid address".to_owned(),
        }
    }

    /// Whether a byte of the request may have left.
    pub const fn sent(&self) -> bool {
        matches!(self, Self::Broken(_) | Self::AnswerTimeout(_))
    }
}

impl Upstream {
    /// Sets up an upstream; nothing is dialled yet.
    pub fn new(config: Arc<config::Upstream>, key: Option<ProviderKey>, network: &Network) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_mins(1))
            // All calls share one connection where the provider speaks HTTP/2: one that died
            // without a word must not take each of them with it.
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_keep_alive_timeout(Duration::from_secs(10))
            .build(Connector::new(network, config.connect_timeout));
        let sockets = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_max_idle_per_host(0)
            .build(Connector::upgradable(network, config.connect_timeout));
        Self {
            client,
            sockets,
            key: ArcSwapOption::from_pointee(key),
            withheld: AtomicBool::new(false),
            breakers: Breakers::new(config.breaker.clone()),
            gate: Arc::new(Gate::new(config.limits)),
            config,
        }
    }

    /// The upstream's name.
    pub fn name(&self) -> &str {
        self.config.name.as_str()
    }

    /// The operator's key for it, if there is one.
    pub fn key(&self) -> Option<Arc<ProviderKey>> {
        self.key.load_full()
    }

    /// Calls that go out from now on go with this key. `withheld` is whether there is one of its
    /// name that is for another address.
    pub fn rekey(&self, key: Option<ProviderKey>, withheld: bool) {
        self.withheld.store(withheld && key.is_none(), Ordering::Relaxed);
        self.key.store(key.map(Arc::new));
    }

    /// Whether the panel's key of its name is for another address, so that calls go nowhere.
    pub fn is_withheld(&self) -> bool {
        self.withheld.load(Ordering::Relaxed)
    }

    /// The address of a path on this upstream.
    ///
    /// A base that ends in a version takes paths with or without one, since both are written in
    /// the wild: `https://api.groq.com/openai/v1` and `/v1/chat/completions`.
    pub fn address(&self, path: &str, query: Option<&str>) -> Result<Uri, CallError> {
        let base = self.config.base_url.as_str();
        let versioned = ["/v1", "/v1beta"].iter().any(|version| base.ends_with(version));
        let path = if versioned { dialect::without_version(path) } else { path };
        let azure = self.config.platform == Some(Platform::Azure);
        let (below, path) = if azure && !path.starts_with("/openai/") {
            // What a client of OpenAI's asks for, at the path where Azure has it.
            ("/openai/v1", dialect::without_version(path))
        } else {
            ("", path)
        };
        let mut text = String::with_capacity(base.len() + path.len() + 1);
        text.push_str(base);
        text.push_str(below);
        text.push_str(path);
        if let Some(query) = query {
            text.push('?');
            text.push_str(query);
        }
        text.parse().map_err(|_| CallError::Address(self.config.base_url.clone()))
    }

    /// Asks the breakers for a permit to call a model.
    pub fn permit(self: &Arc<Self>, model: &str) -> Result<UpstreamPermit, Refused> {
        let permits = self.breakers.admit(model)?;
        Ok(UpstreamPermit { upstream: Arc::clone(self), permits: Some(permits) })
    }

    /// How the breaker of the whole upstream stands, and the models whose own is not closed.
    pub fn state(&self) -> (State, Vec<(String, State)>) {
        self.breakers.state()
    }

    /// Sends a request and waits for the head of its answer.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, CallError> {
        self.ask(&self.client, request).await
    }

    /// The same over a connection of its own, which may go on as another protocol.
    pub async fn upgrade(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, CallError> {
        self.ask(&self.sockets, request).await
    }

    async fn ask(
        &self,
        client: &Client<Connector, Full<Bytes>>,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, CallError> {
        let limit = self.config.answer_timeout;
        match tokio::time::timeout(limit, client.request(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(connect::classify(&error, self.config.connect_timeout)),
            Err(_) => Err(CallError::AnswerTimeout(limit)),
        }
    }
}

/// Leave to call an upstream once. Dropped without a report it counts as neither good nor bad.
#[derive(Debug)]
pub struct UpstreamPermit {
    upstream: Arc<Upstream>,
    permits: Option<Permits>,
}

impl UpstreamPermit {
    /// Tells the breakers how the call went.
    pub fn report(mut self, health: Health) {
        self.tell(health);
    }

    fn tell(&mut self, health: Health) {
        if let Some(permits) = self.permits.take() {
            self.upstream.breakers.record(permits, health);
        }
    }
}

impl Drop for UpstreamPermit {
    fn drop(&mut self) {
        self.tell(Health::Unknown);
    }
}

/// Hop-by-hop headers (RFC 9110, section 7.6.1), those `Connection` names, and those that would
/// tell the provider about the caller's network or about us.
pub fn strip_hop_headers(headers: &mut HeaderMap) {
    use http::header;
    let named: Vec<http::HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [
        header::CONNECTION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
    ] {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers.remove("proxy-connection");
}
