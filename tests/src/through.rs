//! A client that takes the proxy for its `HTTPS_PROXY`: asks for a connection, speaks TLS in it,
//! trusts the local CA and nothing else.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::{Answer, CALLER_KEY};
use crate::{World, tls};

/// Reaches hosts through one proxy.
#[derive(Clone)]
pub struct Through {
    proxy: SocketAddr,
    credentials: Option<String>,
    ca: std::path::PathBuf,
}

/// What a proxy said to `CONNECT`, where it was not yes.
#[derive(Debug)]
pub struct Refused {
    /// The status.
    pub status: StatusCode,
    /// What stands behind the status in its line.
    pub reason: String,
    /// The body.
    pub body: Value,
}

/// HTTP/1.1 on a connection to a host.
pub struct Inside {
    sender: http1::SendRequest<Full<Bytes>>,
    /// What the `Host` header says.
    pub host: String,
}

impl Through {
    /// Through this world's proxy.
    pub fn new(world: &World) -> Self {
        Self::at(world.address, &world.folder().join("ca/ca.pem"))
    }

    /// Through the proxy at this address, whose CA is in this file.
    pub fn at(proxy: SocketAddr, ca: &std::path::Path) -> Self {
        Self { proxy, credentials: None, ca: ca.to_owned() }
    }

    /// As an agent that names itself to the proxy, `NAME:OPTIONS`.
    #[must_use]
    pub fn named(mut self, credentials: &str) -> Self {
        let encoded = crate::base64(credentials.as_bytes());
        self.credentials = Some(format!("Proxy-Authorization: Basic {encoded}\r\n"));
        self
    }

    /// Asks for a connection to `host:port`.
    pub async fn connect(&self, target: &str) -> Result<TcpStream, Refused> {
        let stream = TcpStream::connect(self.proxy).await.unwrap();
        self.ask(stream, target).await
    }

    /// The same over a connection to the proxy that is there already, such as one with TLS.
    pub async fn ask<S>(&self, mut stream: S, target: &str) -> Result<S, Refused>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let credentials = self.credentials.as_deref().unwrap_or_default();
        let head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{credentials}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        let answer = String::from_utf8(answer).unwrap();
        let (_, line) = answer.lines().next().unwrap().split_once(' ').unwrap();
        let (status, reason) = line.split_once(' ').unwrap_or((line, ""));
        let status = status.parse().unwrap();
        if status == StatusCode::OK {
            return Ok(stream);
        }
        let length = answer.to_ascii_lowercase();
        let length = length.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        stream.read_exact(&mut body).await.unwrap();
        let body = serde_json::from_slice(&body).unwrap();
        Err(Refused { status, reason: reason.to_owned(), body })
    }

    /// TLS on such a connection, with this name in it and these protocols offered.
    pub async fn tls(
        &self,
        target: &str,
        name: &str,
        protocols: &[&str],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = self.connect(target).await.unwrap();
        self.trusting(protocols)
            .connect(ServerName::try_from(name.to_owned()).unwrap(), stream)
            .await
    }

    /// HTTP/1.1 inside TLS to `host:port`.
    pub async fn open(&self, target: &str) -> Inside {
        let (host, port) = target.rsplit_once(':').unwrap();
        let stream = self.tls(target, host, &["http/1.1"]).await.unwrap();
        let host = if port == "443" { host } else { target };
        Inside::new(stream, host).await
    }

    /// What trusts the local CA alone.
    pub fn trusting(&self, protocols: &[&str]) -> TlsConnector {
        let protocols: Vec<&[u8]> = protocols.iter().map(|name| name.as_bytes()).collect();
        TlsConnector::from(Arc::new(tls::client(tls::roots(&self.ca), &protocols)))
    }
}

impl Inside {
    /// HTTP/1.1 on a stream.
    pub async fn new<S>(stream: S, host: &str) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { sender, host: host.to_owned() }
    }

    /// Sends a request with these headers and reads the whole answer.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", &self.host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        self.sender.ready().await.unwrap();
        Answer::read(self.sender.send_request(request).await.unwrap()).await
    }

    /// Posts JSON with a key of the caller's own.
    pub async fn post(&mut self, path: &str, body: &Value) -> Answer {
        let key = format!("Bearer {CALLER_KEY}");
        let headers = [("authorization", key.as_str()), ("content-type", "application/json")];
        self.send(Method::POST, path, &headers, body.to_string()).await
    }

    /// Gets a path.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }
}
