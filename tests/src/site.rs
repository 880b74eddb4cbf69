//! A host that is no provider, with a certificate of a CA of its own: it answers what it was sent.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use iron_proxy::connect::{Names, Network};
use iron_proxy::upstream::Tls;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::tls::{Issuer, Leaf, roots};

/// A request that it received.
#[derive(Clone, Debug)]
pub struct Got {
    /// Its path and query.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// The host. Gone when dropped.
pub struct Site {
    /// Where it really is.
    pub address: SocketAddr,
    /// `host:port` by which it is known.
    pub target: String,
    host: String,
    received: Arc<Mutex<Vec<Got>>>,
    folder: TempDir,
    serving: tokio::task::JoinHandle<()>,
}

impl Site {
    /// Serves TLS under this name; without TLS where `tls` is false.
    pub async fn start(host: &'static str, tls: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let issuer = Issuer::default();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        let protocols: Vec<&[u8]> = vec![b"h2", b"http/1.1"];
        let config = issuer.server(&Leaf { names: vec![host], protocols, ..Leaf::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::<Mutex<Vec<Got>>>::default();
        let log = Arc::clone(&received);
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, log) = (TlsAcceptor::from(Arc::clone(&config)), Arc::clone(&log));
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(Arc::clone(&log), request));
                    let builder = Builder::new(TokioExecutor::new());
                    if !tls {
                        let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                    } else if let Ok(stream) = acceptor.accept(stream).await {
                        let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                    }
                });
            }
        });
        let target = format!("{host}:{}", address.port());
        Self { address, target, host: host.to_owned(), received, folder, serving }
    }

    /// What it received, oldest first.
    pub fn received(&self) -> Vec<Got> {
        self.received.lock().unwrap().clone()
    }

    /// The certificate of its CA.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Makes a proxy's network one in which this host has its name and is trusted.
    pub fn join(&self, network: &mut Network) {
        let (host, ip) = (self.host.clone(), self.address.ip());
        network.names =
            Names::Given(Arc::new(move |name| if name == host { vec![ip] } else { Vec::new() }));
        network.tls = Tls::with_roots(roots(&self.ca())).unwrap();
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// `/json`, `/text` and `/stream` say in their form what was sent; anything else is bytes. What is
/// below `/trailers` says it again in a trailer.
async fn answer(
    log: Arc<Mutex<Vec<Got>>>,
    request: Request<Incoming>,
) -> Result<Response<UnsyncBoxBody<Bytes, Infallible>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let got = Got {
        path: head.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        headers: head.headers,
        body,
    };
    log.lock().unwrap().push(got.clone());
    let text = String::from_utf8_lossy(&got.body).into_owned();
    let authorization = got.headers.get("authorization").map_or("", |v| v.to_str().unwrap());
    let (kind, body) = match head.uri.path() {
        "/json" => {
            let said = json!({"authorization": authorization, "body": text});
            ("application/json", Bytes::from(said.to_string()))
        }
        "/text" | "/trailers/text" => {
            ("text/plain", Bytes::from(format!("{authorization} {text}")))
        }
        "/stream" => ("text/event-stream", Bytes::from(format!("data: {authorization}\n\n"))),
        _ => ("application/octet-stream", got.body),
    };
    let mut response = Response::new(Full::new(body).boxed_unsync());
    if head.uri.path().starts_with("/trailers/") {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-last", authorization.parse().unwrap());
        response =
            response.map(|body| body.with_trailers(async { Some(Ok(trailers)) }).boxed_unsync());
        response.headers_mut().insert("trailer", "x-last".parse().unwrap());
    }
    response.headers_mut().insert("content-type", kind.parse().unwrap());
    response.headers_mut().insert("x-echo", authorization.parse().unwrap());
    Ok(response)
}
