//! Hosts that are no upstream's and whose connections are intercepted: the client that calls them,
//! what is looked for in requests to them, and the secrets that they get.
//!
//! What happens to a single request is in the pipeline (`pipeline/other.rs`).

use std::error::Error as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use iron_policy::config::{Connect, Policy};
use iron_policy::redact::Engine;
use tokio::net::TcpStream;
use tower::Service;

use super::network::{DialError, Network};
use super::refused::Refused;
use super::swap::Swaps;
use super::target::Target;

/// The body of a request: all there, or passed on as it comes.
pub(crate) type Outgoing = Either<Full<Bytes>, Incoming>;

type OtherClient = Client<HttpsConnector<Checked>, Outgoing>;

/// Lives as long as `[connect]` does not change.
#[derive(Debug)]
pub struct Others {
    network: Network,
    policy: Arc<Connect>,
    client: OtherClient,
    /// Finds what must not leave; none where nothing is looked for.
    pub engine: Option<Engine>,
    /// The secrets that agents do not have.
    pub swaps: Swaps,
}

impl Others {
    /// What the policy says; connections that are open stay so where it says the same as before.
    pub fn new(network: &Network, policy: &Policy, swaps: Swaps, before: Option<&Self>) -> Self {
        let engine = policy.connect.engine(&policy.redact);
        let kept = before.filter(|before| *before.policy == policy.connect);
        let (policy, client) = if let Some(before) = kept {
            (Arc::clone(&before.policy), before.client.clone())
        } else {
            let policy = Arc::new(policy.connect.clone());
            let client = client(network, &policy);
            (policy, client)
        };
        Self { network: network.clone(), policy, client, engine, swaps }
    }

    /// The network that agents' connections are made in.
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn send(
        &self,
        target: &Target,
        request: Request<Outgoing>,
    ) -> Result<Response<Incoming>, Refused> {
        let limit = self.policy.idle_timeout;
        match tokio::time::timeout(limit, self.client.request(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(classify(&error, target)),
            Err(_) => Err(Refused::Answer {
                host: target.host.clone(),
                what: "no answer came in time",
                cause: format!("no answer within {limit:?}"),
            }),
        }
    }
}

fn client(network: &Network, policy: &Arc<Connect>) -> OtherClient {
    let checked = Checked { network: network.clone(), policy: Arc::clone(policy) };
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(network.tls.config())
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(checked);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_mins(1))
        .build(https)
}

/// Dials only what agents may reach.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    network: Network,
    policy: Arc<Connect>,
}

impl Service<Uri> for Checked {
    type Response = TokioIo<TcpStream>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let Self { network, policy } = self.clone();
        Box::pin(async move {
            let port = if address.scheme_str() == Some("https") { 443 } else { 80 };
            let target = address.authority().and_then(|named| Target::read(named, Some(port)));
            let none = || DialError::Unresolved(std::io::Error::other("no host"));
            let target = target.ok_or_else(none)?;
            Ok(TokioIo::new(network.dial(&policy, &target).await?))
        })
    }
}

/// What went wrong, from the client's error and what it stems from.
fn classify(error: &hyper_util::client::legacy::Error, target: &Target) -> Refused {
    let mut said = error.to_string();
    let (mut tls, mut dial) = (false, None);
    let mut cause = error.source();
    while let Some(inner) = cause {
        said = inner.to_string();
        tls |= inner.is::<rustls::Error>();
        dial = dial.or_else(|| inner.downcast_ref::<DialError>());
        // An I/O error's `source` skips the error that it wraps.
        cause = match inner.downcast_ref::<std::io::Error>() {
            Some(io) => io.get_ref().map(|held| held as &(dyn std::error::Error + 'static)),
            None => inner.source(),
        };
    }
    let what = if let Some(dial) = dial {
        // The error belongs to the client: what it says is said again.
        let error = dial.again();
        return Refused::Dial { target: target.clone(), error };
    } else if tls {
        "no trusted TLS connection to it can be made"
    } else {
        "the connection broke before an answer came"
    };
    Refused::Answer { host: target.host.clone(), what, cause: said }
}
