//! JSON over HTTPS to a panel, with a credential in the header.
//!
//! A credential goes over TLS, or to this machine itself: never in plain over a network, and never
//! to another host by a redirect (none is followed).

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use iron_proxy::authority::system_roots;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use zeroize::Zeroizing;

/// The largest answer that is read, in bytes.
const LARGEST: usize = 64 << 20;
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);

/// A client that any number of requests share.
pub(crate) type Pool = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A panel that can be asked.
#[derive(Clone)]
pub struct Https {
    client: Pool,
    base: String,
    bearer: Option<Zeroizing<String>>,
}

/// What a panel answered.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It could not be reached.
    #[error("the panel at {base} cannot be reached: {why}")]
    Unreachable {
        /// Where it should be.
        base: String,
        /// Why.
        why: String,
    },
    /// It took too long.
    #[error("the panel at {base} did not answer within {within:?}")]
    Slow {
        /// Where it is.
        base: String,
        /// How long it had.
        within: Duration,
    },
}

impl Https {
    /// A panel at this address (`https://panel.example.org`), which is trusted where the system's
    /// roots or those in `ca` (PEM) vouch for it.
    pub fn new(
        base: &str,
        ca: Option<&Path>,
        bearer: Option<Zeroizing<String>>,
    ) -> anyhow::Result<Self> {
        let base = base.trim_end_matches('/').to_owned();
        let uri: Uri = base.parse().map_err(|_| anyhow!("`{base}` is no address of a panel"))?;
        let host = uri.host().unwrap_or_default();
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if is_here(host) => {}
            Some("http") => bail!(
                "`{base}` would send credentials in plain: write https://{host}, or use a tunnel to \
                 localhost"
            ),
            _ => bail!(
                "`{base}` is no address of a panel: write https://HOST or http://localhost:PORT"
            ),
        }
        if uri.path() != "/" || uri.query().is_some() {
            bail!("`{base}` has a path: write only the panel's scheme, host and port");
        }
        let client = pool(ca)?;
        Ok(Self { client, base, bearer })
    }

    /// The same panel, asked with this credential.
    #[must_use]
    pub fn with_bearer(&self, bearer: Zeroizing<String>) -> Self {
        Self { bearer: Some(bearer), ..self.clone() }
    }

    /// Where it is, without a slash at the end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request with a JSON body, and reads the whole answer within a time.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, String)],
        body: Option<Bytes>,
        within: Duration,
    ) -> Result<Reply, AskError> {
        let unreachable = |why: String| AskError::Unreachable { base: self.base.clone(), why };
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(bearer) = &self.bearer {
            let text = Zeroizing::new(format!("Bearer {}", bearer.as_str()));
            let mut value = HeaderValue::from_str(&text).map_err(|_| {
                unreachable("the credential holds characters that no header can".into())
            })?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(Full::new(body.unwrap_or_default()))
            .map_err(|error| unreachable(error.to_string()))?;
        let answer = async {
            let response = self.client.request(request).await.map_err(|error| causes(&error))?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, LARGEST).collect().await;
            let body = body.map_err(|error| error.to_string())?.to_bytes();
            Ok::<_, String>(Reply { status: parts.status, headers: parts.headers, body })
        };
        match tokio::time::timeout(within, answer).await {
            Ok(answer) => answer.map_err(unreachable),
            Err(_) => Err(AskError::Slow { base: self.base.clone(), within }),
        }
    }
}

impl Reply {
    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl std::fmt::Debug for Https {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Https").field("base", &self.base).finish_non_exhaustive()
    }
}

/// Connections that requests share, to hosts which the system's roots or those in `ca` (PEM) vouch
/// for, and to hosts that are asked in plain.
pub(crate) fn pool(ca: Option<&Path>) -> anyhow::Result<Pool> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(system_roots().iter().cloned());
    if let Some(path) = ca {
        let certificates = CertificateDer::pem_file_iter(path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        for certificate in certificates {
            let certificate =
                certificate.with_context(|| format!("{} is no PEM", path.display()))?;
            roots.add(certificate).with_context(|| format!("{}", path.display()))?;
        }
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_mins(1))
        .build(connector))
}

fn is_here(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// An error with what led to it: hyper's own text says little.
pub(crate) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_sent_over_tls_or_to_this_machine() {
        let new = |base: &str| Https::new(base, None, None).map(drop);
        for base in ["https://panel.example.org", "http://localhost:8080/", "http://[::1]:8080"] {
            assert!(new(base).is_ok(), "{base}");
        }
        for base in ["http://panel.example.org", "panel", "ftp://localhost", "https://a/b", ""] {
            assert!(new(base).is_err(), "{base}");
        }
    }
}
