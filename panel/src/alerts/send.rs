//! Sending to addresses that an admin named: checked where it counts, at the address that is
//! connected to.
//!
//! A name is resolved here, once, and what it leads to is looked at: this machine, its networks and a
//! cloud's metadata service are refused unless `[panel] webhook_hosts` names the host. No redirect is
//! followed, no proxy of the environment is asked, and of the answer nothing is read but its status.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use iron_policy::connect::class;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;

use super::sign::Secret;

/// How long one attempt may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// Sends webhooks. Clones are handles to the same one.
#[derive(Clone)]
pub struct Sender {
    client: Client<HttpsConnector<Checked>, Full<Bytes>>,
}

/// A message to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Names it: the same in each attempt.
    pub id: &'a str,
    /// When this attempt is made, in Unix seconds.
    pub timestamp: i64,
    /// What it says.
    pub body: &'a str,
}

/// Why a message did not arrive. What the other side answered is not told, but for its status.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It is no address that can be sent to.
    #[error("the address is none of a web server")]
    Address,
    /// Nobody could be reached, or nobody who may be.
    #[error("{0}")]
    Connect(String),
    /// There was no answer in time.
    #[error("there was no answer within {} seconds", TIMEOUT.as_secs())]
    Late,
}

impl Sender {
    /// A sender that may reach these hosts in whatever network they are.
    pub fn new(allowed: Vec<String>) -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(system_roots().iter().cloned());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(Checked(Arc::new(allowed)));
        let client =
            Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { client })
    }

    /// Sends a message, signed. Returns the status of the answer, whatever it is.
    pub async fn send(
        &self,
        url: &str,
        secret: &Secret,
        message: Message<'_>,
    ) -> Result<StatusCode, SendError> {
        let uri: Uri = url.parse().map_err(|_| SendError::Address)?;
        let body = Bytes::copy_from_slice(message.body.as_bytes());
        let request = Request::builder()
            .method(Method::POST)
            .uri(uri)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("iron-cage/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", message.id)
            .header("webhook-timestamp", message.timestamp)
            .header("webhook-signature", secret.signature(message.id, message.timestamp, &body))
            .body(Full::new(body))
            .map_err(|_| SendError::Address)?;
        match tokio::time::timeout(TIMEOUT, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response.status()),
            Ok(Err(error)) => Err(SendError::Connect(innermost(&error))),
            Err(_) => Err(SendError::Late),
        }
    }
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

/// Connects where it may.
#[derive(Clone)]
struct Checked(Arc<Vec<String>>);

impl Checked {
    /// Connects to the first address that may be reached and answers.
    async fn connect(self, uri: Uri) -> io::Result<TokioIo<TcpStream>> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
        let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(usual);
        let allowed = self.0.contains(&host);
        let mut last = io::Error::other("the name leads nowhere");
        for address in tokio::net::lookup_host((host.as_str(), port)).await? {
            if let Some(refusal) = refusal(address).filter(|_| !allowed) {
                last = io::Error::other(refusal);
                continue;
            }
            match TcpStream::connect(address).await {
                // The address that was checked is the one that is connected to: asked again, since
                // nothing else is as sure.
                Ok(stream) if stream.peer_addr()? == address => return Ok(TokioIo::new(stream)),
                Ok(_) => last = io::Error::other("the connection leads elsewhere"),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// Why this address is not connected to, unless its host is named.
fn refusal(address: SocketAddr) -> Option<String> {
    class(address.ip()).map(|class| {
        format!(
            "it leads to {}, a {} address: name the host in [panel] webhook_hosts if it is meant",
            address.ip(),
            class.name()
        )
    })
}

impl tower::Service<Uri> for Checked {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

/// What is at the bottom of an error, in at most 200 characters.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string().chars().take(200).collect()
}

/// The system's trusted roots; Mozilla's list where the system has none.
fn system_roots() -> &'static [CertificateDer<'static>] {
    static ROOTS: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut roots = rustls_native_certs::load_native_certs().certs;
        if roots.is_empty() {
            roots.extend_from_slice(webpki_root_certs::TLS_SERVER_ROOT_CERTS);
        }
        roots
    })
}
