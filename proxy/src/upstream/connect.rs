//! Dialling: TCP without delay, TLS against the system's roots, one time limit over both.

use std::error::Error as _;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower::Service;

use super::CallError;
use crate::authority::system_roots;
use crate::connect::{Network, Own};

/// What a peer's certificate is checked against.
#[derive(Clone, Debug)]
pub struct Tls(Arc<ClientConfig>);

impl Tls {
    /// The system's trusted roots; Mozilla's list where the system has none.
    pub fn system() -> Result<Self, rustls::Error> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(system_roots().iter().cloned());
        Self::with_roots(roots)
    }

    /// These roots only.
    pub fn with_roots(roots: rustls::RootCertStore) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    /// What a client of these roots is set up with.
    pub(crate) fn config(&self) -> ClientConfig {
        (*self.0).clone()
    }
}

/// Connects within a limit of time, TLS handshake included.
#[derive(Clone)]
pub(crate) struct Connector {
    inner: HttpsConnector<Tcp>,
    limit: Duration,
}

impl Connector {
    pub(crate) fn new(network: &Network, limit: Duration) -> Self {
        Self::build(network, limit, false)
    }

    /// One that speaks HTTP/1.1 alone, which can be left for another protocol.
    pub(crate) fn upgradable(network: &Network, limit: Duration) -> Self {
        Self::build(network, limit, true)
    }

    fn build(network: &Network, limit: Duration, only_http1: bool) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let tcp = Tcp { inner: tcp, own: network.own.clone() };
        let https =
            HttpsConnectorBuilder::new().with_tls_config(network.tls.config()).https_or_http();
        let inner = if only_http1 {
            https.enable_http1().wrap_connector(tcp)
        } else {
            https.enable_all_versions().wrap_connector(tcp)
        };
        Self { inner, limit }
    }
}

/// Dials TCP, and hangs up where the proxy itself answers.
#[derive(Clone)]
struct Tcp {
    inner: HttpConnector,
    own: Own,
}

/// A connection that came back to the proxy.
#[derive(Debug, thiserror::Error)]
#[error("the address is this proxy's own")]
struct OwnAddress;

impl Service<Uri> for Tcp {
    type Response = TokioIo<TcpStream>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let dialling = self.inner.call(address);
        let own = self.own.clone();
        Box::pin(async move {
            let stream = dialling.await?;
            // What was reached counts, not what it is called.
            if stream.inner().peer_addr().is_ok_and(|address| own.is(address)) {
                return Err(OwnAddress.into());
            }
            Ok(stream)
        })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let dialling = self.inner.call(address);
        let limit = self.limit;
        Box::pin(async move {
            tokio::time::timeout(limit, dialling)
                .await
                .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
        })
    }
}

/// Tells what went wrong from the client's error and what it stems from.
pub(super) fn classify(
    error: &hyper_util::client::legacy::Error,
    connect_limit: Duration,
) -> CallError {
    let mut cause = error.source();
    let mut said = error.to_string();
    let (mut tls, mut late, mut own) = (false, false, false);
    while let Some(inner) = cause {
        said = inner.to_string();
        tls |= inner.is::<rustls::Error>();
        own |= inner.is::<OwnAddress>();
        // An I/O error's `source` skips the error that it wraps.
        cause = match inner.downcast_ref::<io::Error>() {
            Some(io) => {
                late |= io.kind() == io::ErrorKind::TimedOut;
                io.get_ref().map(|held| held as &(dyn std::error::Error + 'static))
            }
            None => inner.source(),
        };
    }
    if own {
        return CallError::Own;
    }
    match (error.is_connect(), tls, late) {
        (true, true, _) => CallError::Tls(said),
        (true, false, true) => CallError::ConnectTimeout(connect_limit),
        (true, false, false) => CallError::Connect(said),
        (false, ..) => CallError::Broken(said),
    }
}
