//! The agents' port: accepts connections, keeps them within their time, drains on stop.

mod control;
mod own;
mod port;
mod via;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;

use crate::body::Body;
use crate::pipeline;
use crate::shared::Shared;
use port::Port;
pub use via::{Stopping, Via};

/// Heads larger than this are refused with 431.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// More headers than this are refused with 431.
const MAX_HEADERS: usize = 100;

/// A port that is bound and not yet served.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    shared: Arc<Shared>,
}

impl Server {
    /// Takes the port.
    pub async fn bind(address: SocketAddr, shared: Arc<Shared>) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, shared })
    }

    /// Where it listens, with the real port where 0 was asked for.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is ready, then lets open calls end within the policy's drain time.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (running, stopping) = Stopping::new();
        let port = Arc::new(Port::new(Arc::clone(&self.shared), stopping));
        tokio::pin!(stop);
        loop {
            let stream = tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // Out of file descriptors, most likely: those in use will come free.
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        continue;
                    }
                },
                () = &mut stop => break,
            };
            tokio::spawn(Arc::clone(&port).accept(stream));
        }
        drop((self.listener, port));
        let _ = running.send(());
        let drain = self.shared.live().policy.proxy.drain;
        if tokio::time::timeout(drain, running.closed()).await.is_err() {
            tracing::warn!(?drain, "calls were still open when the time to drain was over");
        }
    }
}

/// HTTP/1.1 and HTTP/2 with prior knowledge, on one port.
fn connections(read_timeout: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        // Without a timer hyper ignores the header timeout without a word.
        .timer(TokioTimer::new())
        .header_read_timeout(read_timeout)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES.max(256 * 1024))
        .keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HEAD_BYTES as u32)
        .max_concurrent_streams(200)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

async fn answer(port: &Arc<Port>, request: Request<Incoming>) -> Response<Body> {
    let shared = &port.shared;
    if request.uri().path().starts_with(control::PREFIX) {
        return control::answer(shared, request).await;
    }
    if request.uri().path().starts_with("/_iron/") {
        let (head, _) = request.into_parts();
        return own::answer(shared, &head).await;
    }
    pipeline::handle(shared, request).await
}
