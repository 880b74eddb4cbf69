//! TLS for the stories: an issuer of certificates, clients that trust one, and peers that
//! misbehave in the handshake.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::client::CALLER_KEY;

/// Signs certificates of upstreams.
pub struct Issuer(CertifiedIssuer<'static, KeyPair>);

/// What a certificate says.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// For whom it is.
    pub names: Vec<&'static str>,
    /// When it begins, in days from now.
    pub begins: i32,
    /// When it ends, in days from now.
    pub ends: i32,
    /// What the server offers by ALPN.
    pub protocols: Vec<&'static [u8]>,
}

impl Default for Leaf {
    fn default() -> Self {
        let names = vec!["localhost", "127.0.0.1"];
        Self { names, begins: -1, ends: 1, protocols: vec![b"http/1.1"] }
    }
}

impl Default for Issuer {
    fn default() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }
}

impl Issuer {
    /// Those who trust this issuer alone.
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    /// Its certificate, as files hold it.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A server with such a certificate.
    pub fn server(&self, leaf: &Leaf) -> Arc<ServerConfig> {
        let (certificate, key) = self.signed(leaf);
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        config.alpn_protocols = leaf.protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    }

    /// Such a certificate and its key, as files hold them.
    pub fn files(&self, leaf: &Leaf) -> (String, String) {
        let (certificate, key) = self.signed(leaf);
        (certificate.pem(), key.serialize_pem())
    }

    fn signed(&self, leaf: &Leaf) -> (Certificate, KeyPair) {
        let day = Duration::from_hours(24);
        let at = |days: i32| {
            let distance = day * days.unsigned_abs();
            let now = SystemTime::now();
            if days < 0 { now - distance } else { now + distance }
        };
        let names: Vec<_> = leaf.names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = at(leaf.begins).into();
        params.not_after = at(leaf.ends).into();
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A client that trusts these roots and offers these protocols.
pub fn client(roots: RootCertStore, protocols: &[&[u8]]) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    config
}

/// The roots in a file.
pub fn roots(pem: &Path) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(pem).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    roots
}

/// A handshake with a server that should be `name`.
pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    name: &str,
    config: ClientConfig,
) -> io::Result<TlsStream<S>> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// One chat call over a connection, in the protocol that was agreed on.
pub async fn chat<S>(stream: TlsStream<S>, body: &Value) -> (StatusCode, Bytes)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let io = TokioIo::new(stream);
    let request = Request::post("https://localhost/v1/chat/completions")
        .header("authorization", format!("Bearer {CALLER_KEY}"))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())));
    let mut request = request.unwrap();
    let answer = if h2 {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    } else {
        request.headers_mut().insert("host", "localhost".parse().unwrap());
        *request.uri_mut() = "/v1/chat/completions".parse().unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    };
    let status = answer.status();
    (status, answer.into_body().collect().await.unwrap().to_bytes())
}

/// A server that goes through the handshake, reads, and counts what it read within TLS.
pub struct Recorder {
    /// Where it listens.
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    received: Arc<AtomicUsize>,
}

impl Recorder {
    /// Serves on a free port.
    pub async fn start(config: Arc<ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, received) =
            (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let recorder = Self {
            address,
            connections: Arc::clone(&connections),
            received: Arc::clone(&received),
        };
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                let acceptor = TlsAcceptor::from(Arc::clone(&config));
                let received = Arc::clone(&received);
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut buffer = [0; 1024];
                    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                        received.fetch_add(count, Ordering::SeqCst);
                    }
                });
            }
        });
        recorder
    }

    /// Connections that came in.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Bytes that came within TLS.
    pub fn received(&self) -> usize {
        self.received.load(Ordering::SeqCst)
    }
}

/// A server that answers whatever comes first with these bytes, and then only listens.
pub struct Parrot {
    /// Where it listens.
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Parrot {
    /// Serves on a free port; with no bytes to say it closes the connection.
    pub async fn start(says: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let (says, hearing) = (says.to_vec(), Arc::clone(&heard));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (says, heard) = (says.clone(), Arc::clone(&hearing));
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    let mut first = true;
                    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                        heard.lock().unwrap().extend_from_slice(&buffer[..count]);
                        if std::mem::take(&mut first)
                            && (says.is_empty() || stream.write_all(&says).await.is_err())
                        {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, heard }
    }

    /// Everything that came.
    pub fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap().clone()
    }
}

/// A ClientHello that goes no higher than this version (0x0302 is TLS 1.1).
pub fn client_hello(version: u16) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    body.extend([7; 32]);
    // No session, three suites of that time (RSA and ECDHE with AES-CBC), no compression.
    body.extend([0, 0, 6, 0x00, 0x2f, 0xc0, 0x13, 0xc0, 0x09, 1, 0]);
    record(0x16, version, &handshake(1, &body))
}

/// A ServerHello of this version.
pub fn server_hello(version: u16) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    body.extend([7; 32]);
    body.extend([0, 0xc0, 0x13, 0]);
    record(0x16, version, &handshake(2, &body))
}

/// A fatal alert.
pub fn alert(version: u16, description: u8) -> Vec<u8> {
    record(0x15, version, &[2, description])
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, length[1], length[2], length[3]], body].concat()
}

/// A record of TLS.
pub fn record(kind: u8, version: u16, payload: &[u8]) -> Vec<u8> {
    let (version, length) =
        (version.to_be_bytes(), u16::try_from(payload.len()).unwrap().to_be_bytes());
    [&[kind, version[0], version[1], length[0], length[1]], payload].concat()
}

/// How a stream cuts what is written to it.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    /// Into TCP segments of a byte, for so many bytes.
    Bytes(usize),
    /// The first record into records of a few bytes each.
    Records,
    /// Not at all, but the connection is closed after so many bytes.
    Off(usize),
}

/// A connection that cuts what is written to it.
pub struct Cutting {
    stream: TcpStream,
    cut: Cut,
    written: usize,
    /// What is left to write of the first record's parts.
    parts: Vec<u8>,
}

impl Cutting {
    /// Connects.
    pub async fn connect(address: SocketAddr, cut: Cut) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, cut, written: 0, parts: Vec::new() }
    }
}

impl AsyncRead for Cutting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Cutting {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let cut = match self.cut {
            Cut::Bytes(limit) if self.written < limit => &bytes[..1],
            Cut::Off(limit) if self.written >= limit => {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
            Cut::Off(limit) => &bytes[..bytes.len().min(limit - self.written)],
            Cut::Records if self.written == 0 || !self.parts.is_empty() => {
                if self.written == 0 && self.parts.is_empty() {
                    // The whole of the first write is one record: a ClientHello.
                    self.parts =
                        bytes[5..].chunks(7).flat_map(|part| record(0x16, 0x0301, part)).collect();
                }
                let Self { stream, parts, .. } = &mut *self;
                while !parts.is_empty() {
                    let count =
                        std::task::ready!(Pin::new(&mut *stream).poll_write(context, parts))?;
                    parts.drain(..count);
                }
                self.written += bytes.len();
                return Poll::Ready(Ok(bytes.len()));
            }
            _ => bytes,
        };
        let count = std::task::ready!(Pin::new(&mut self.stream).poll_write(context, cut))?;
        self.written += count;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
