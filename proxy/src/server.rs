//! The agents' port: accepts connections, keeps them within their time, drains on stop.

mod own;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio_io_timeout::TimeoutStream;

use crate::body::Body;
use crate::pipeline;
use crate::shared::Shared;

/// Heads larger than this are refused with 431.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// More headers than this are refused with 431.
const MAX_HEADERS: usize = 100;

/// A client that takes nothing of its answer for so long is cut off; until then the upstream is
/// read no faster than the client reads.
const SLOW_READER: Duration = Duration::from_mins(1);

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
        let graceful = GracefulShutdown::new();
        let read_timeout = self.shared.live().policy.proxy.read_timeout;
        let builder = connections(read_timeout);
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
            // Without it an answer's last small part waits for the peer's delayed ACK.
            let _ = stream.set_nodelay(true);
            let shared = Arc::clone(&self.shared);
            let service = service_fn(move |request| {
                let shared = Arc::clone(&shared);
                async move { Ok::<_, Infallible>(answer(&shared, request).await) }
            });
            let mut stream = Box::pin(TimeoutStream::new(stream));
            stream.as_mut().set_write_timeout_pinned(Some(SLOW_READER));
            let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection ended early");
                }
            });
        }
        drop(self.listener);
        let drain = self.shared.live().policy.proxy.drain;
        if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
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

async fn answer(shared: &Arc<Shared>, request: Request<Incoming>) -> Response<Body> {
    if request.uri().path().starts_with("/_iron/") {
        let (head, _) = request.into_parts();
        return own::answer(shared, &head).await;
    }
    pipeline::handle(shared, request).await
}
