//! One small HTTP request to a proxy on this machine.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// An answer that is all there.
pub type Answer = Response<Bytes>;

/// Sends a request and reads the whole answer.
pub async fn send(address: SocketAddr, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("no proxy answers at {address}"))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driving = tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let (head, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    driving.abort();
    Ok(Response::from_parts(head, body))
}

/// Gets JSON within a limit of time.
pub async fn get_json(
    address: SocketAddr,
    path: &str,
    limit: Duration,
) -> anyhow::Result<serde_json::Value> {
    let request =
        Request::get(path).header("host", address.to_string()).body(Full::new(Bytes::new()))?;
    let answer = tokio::time::timeout(limit, send(address, request))
        .await
        .with_context(|| format!("{address} did not answer in time"))??;
    if !answer.status().is_success() {
        bail!("{address} answered {}", answer.status());
    }
    Ok(serde_json::from_slice(answer.body())?)
}
