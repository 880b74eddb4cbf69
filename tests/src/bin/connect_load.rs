//! The benchmark's client of an intercepting proxy, since `wrk` knows no CONNECT.
//!
//! `connect_load --via ADDRESS --to HOST:PORT --body FILE [--connections N] [--seconds S]
//! [--fresh]` asks the proxy for a tunnel to HOST:PORT, speaks TLS in it and posts the body to
//! `/v1/chat/completions`, again and again. Without `--via` it calls HOST:PORT (on this machine)
//! itself. With `--fresh` each request has a connection and a handshake of its own. Prints
//! requests, microseconds, p50, p99 (microseconds) and errors, as the scripts of `wrk` do.
//!
//! It trusts every certificate: what it measures is the proxy, and it sends nothing secret.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

#[derive(Clone)]
struct Options {
    via: Option<String>,
    to: String,
    body: Bytes,
    connections: usize,
    time: Duration,
    fresh: bool,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> io::Result<Self> {
        let mut options = Self {
            via: None,
            to: String::new(),
            body: Bytes::new(),
            connections: 8,
            time: Duration::from_secs(2),
            fresh: false,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| wrong(&argument));
            match argument.as_str() {
                "--via" => options.via = Some(value()?),
                "--to" => options.to = value()?,
                "--body" => options.body = std::fs::read(value()?)?.into(),
                "--connections" => options.connections = number(&value()?)?,
                "--seconds" => options.time = Duration::from_secs(number(&value()?)? as u64),
                "--fresh" => options.fresh = true,
                _ => return Err(wrong(&argument)),
            }
        }
        if options.to.is_empty() { Err(wrong("--to")) } else { Ok(options) }
    }
}

fn wrong(text: &str) -> io::Error {
    let usage = "usage: connect_load [--via ADDRESS] --to HOST:PORT --body FILE \
                 [--connections N] [--seconds S] [--fresh]";
    io::Error::new(io::ErrorKind::InvalidInput, format!("`{text}`: {usage}"))
}

fn number(text: &str) -> io::Result<usize> {
    text.parse().map_err(|_| wrong(text))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let options = Arc::new(Options::read(std::env::args().skip(1))?);
    let connector = trusting()?;
    let errors = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let end = began + options.time;
    let workers: Vec<_> = (0..options.connections)
        .map(|_| {
            let (options, connector) = (Arc::clone(&options), connector.clone());
            let errors = Arc::clone(&errors);
            tokio::spawn(async move { work(&options, &connector, &errors, end).await })
        })
        .collect();
    let mut times = Vec::new();
    for worker in workers {
        times.extend(worker.await.map_err(io::Error::other)?);
    }
    let took = began.elapsed().as_micros();
    times.sort_unstable();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or(0);
    let failed = errors.load(Ordering::Relaxed);
    println!("{} {took} {} {} {failed}", times.len(), at(0.5), at(0.99));
    Ok(())
}

/// Calls until the time is over; the microseconds that each call took.
async fn work(
    options: &Options,
    connector: &TlsConnector,
    errors: &AtomicU64,
    end: Instant,
) -> Vec<u64> {
    let mut times = Vec::new();
    let mut open = None;
    while Instant::now() < end {
        let began = Instant::now();
        let link = match open.take() {
            Some(link) => Ok(link),
            None => connect(options, connector).await,
        };
        let called = match link {
            Ok(link) => call(link, options).await,
            Err(error) => Err(error),
        };
        match called {
            Ok(link) => {
                times.push(began.elapsed().as_micros() as u64);
                open = (!options.fresh).then_some(link);
            }
            Err(error) => {
                if errors.fetch_add(1, Ordering::Relaxed) == 0 {
                    let _ = writeln!(io::stderr(), "connect_load: {error}");
                }
            }
        }
    }
    times
}

type Link = SendRequest<Full<Bytes>>;

async fn connect(options: &Options, connector: &TlsConnector) -> io::Result<Link> {
    let first = options.via.as_ref().unwrap_or(&options.to);
    let mut stream = TcpStream::connect(first.replace("localhost", "127.0.0.1")).await?;
    stream.set_nodelay(true)?;
    if options.via.is_some() {
        let target = &options.to;
        let request = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        if head.get(9..12) != Some(b"200") {
            return Err(io::Error::other(String::from_utf8_lossy(&head).into_owned()));
        }
    }
    let host = options.to.split(':').next().unwrap_or_default().to_owned();
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    let stream = connector.connect(name, stream).await?;
    let (link, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    Ok(link)
}

async fn call(mut link: Link, options: &Options) -> io::Result<Link> {
    link.ready().await.map_err(io::Error::other)?;
    let request = Request::post("/v1/chat/completions")
        .header("host", &options.to)
        .header("authorization", "Bearer k")
        .header("content-type", "application/json")
        .body(Full::new(options.body.clone()))
        .map_err(io::Error::other)?;
    let answer = link.send_request(request).await.map_err(io::Error::other)?;
    let status = answer.status();
    answer.into_body().collect().await.map_err(io::Error::other)?;
    if status.is_success() { Ok(link) } else { Err(io::Error::other(status.to_string())) }
}

fn trusting() -> io::Result<TlsConnector> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting(provider)))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Takes every certificate.
#[derive(Debug)]
struct Trusting(Arc<CryptoProvider>);

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
