//! The agents' port: accepts connections, keeps them within their time, drains on stop.

mod answers;
mod attach;
mod control;
mod denials;
mod own;
mod port;
mod room;
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
use crate::connect;
use crate::dialect;
use crate::pipeline;
use crate::shared::Shared;
pub(crate) use port::Port;
use room::Room;
pub use room::raise_descriptors;
pub use via::{Stopping, Via};

/// Heads larger than this are refused with 431.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// So many headers are read; the pipeline refuses fewer, and can say so in the caller's words.
const READ_HEADERS: usize = 2 * pipeline::MAX_HEADERS;

/// Calls at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 200;
/// Bytes of request bodies on one HTTP/2 connection, and on one of its streams, that are not read
/// yet.
const WINDOW: u32 = 1024 * 1024;
/// Bytes of an answer that wait for an HTTP/2 peer to take them, for each stream.
const SEND_BUFFER: usize = 128 * 1024;

/// How often the CA's files are looked at: whoever made a new CA starts programs right after.
const TEND: Duration = Duration::from_millis(500);

/// A port that is bound and not yet served.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    shared: Arc<Shared>,
}

impl Server {
    /// Takes the port.
    pub async fn bind(address: SocketAddr, shared: Arc<Shared>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        shared.live().others.network().own.listens(listener.local_addr()?);
        Ok(Self { listener, shared })
    }

    /// Where it listens, with the real port where 0 was asked for.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is ready, then lets open calls end within the policy's drain time.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (running, stopping) = Stopping::new();
        let port = Arc::new(Port::new(Arc::clone(&self.shared), stopping));
        let room = Room::new(self.shared.live().policy.proxy.max_connections);
        let tending = tokio::spawn(tend(Arc::clone(&self.shared)));
        let unclaimed = tokio::spawn(settle_unclaimed(Arc::clone(&self.shared)));
        tokio::pin!(stop);
        loop {
            let place = tokio::select! {
                place = room.place() => place,
                () = &mut stop => break,
            };
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
            if let Some(place) = place {
                tokio::spawn(Arc::clone(&port).accept(stream, place));
            }
        }
        tending.abort();
        unclaimed.abort();
        drop((self.listener, port));
        let _ = running.send(());
        let drain = self.shared.live().policy.proxy.drain;
        if tokio::time::timeout(drain, running.closed()).await.is_err() {
            tracing::warn!(?drain, "calls were still open when the time to drain was over");
        }
    }
}

/// Keeps the certificates what the files and the time say.
async fn tend(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(TEND);
    loop {
        ticks.tick().await;
        let authority = shared.authority.clone();
        let tended = tokio::task::spawn_blocking(move || authority.tend()).await;
        if let Ok(Err(error)) = tended {
            tracing::error!("the local CA stays as it was: {error}");
        }
    }
}

/// Charges batches whose results nobody fetches, for as long as the proxy runs.
async fn settle_unclaimed(shared: Arc<Shared>) {
    let mut minute = tokio::time::interval(Duration::from_mins(1));
    loop {
        minute.tick().await;
        pipeline::settle_unclaimed(&shared);
    }
}

/// HTTP/1.1 and HTTP/2, told apart by how the peer begins.
fn connections(read_timeout: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        // Without a timer hyper ignores the header timeout without a word.
        .timer(TokioTimer::new())
        .header_read_timeout(read_timeout)
        .max_headers(READ_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES.max(256 * 1024))
        .keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        // Larger heads are a 431, and one that goes on and on in CONTINUATION frames a GOAWAY.
        .max_header_list_size(MAX_HEAD_BYTES as u32)
        .max_concurrent_streams(MAX_STREAMS)
        .max_frame_size(16 * 1024)
        // What a peer may have on its way that nobody has read yet.
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        // Streams that the peer resets before anybody could begin with them (CVE-2023-44487), and
        // those that it has us reset by what it sends (CVE-2025-8671). More are a GOAWAY.
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(100)
        // Also ends a peer that stops in the middle of a head: it cannot answer a ping there.
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

async fn answer(port: &Arc<Port>, request: Request<Incoming>) -> Response<Body> {
    // First of all: nothing of the proxy's own is reached under the name of another host.
    if let Some(Via::Intercepted(passage)) = request.extensions().get() {
        let passage = Arc::clone(passage);
        return connect::inner(port, request, &passage).await;
    }
    if connect::is_asked(&request) {
        return connect::answer(port, request).await;
    }
    answer_own(port, request).await
}

/// Answers what is meant for the proxy itself, or for an upstream by the proxy's address.
async fn answer_own(port: &Arc<Port>, request: Request<Incoming>) -> Response<Body> {
    let shared = &port.shared;
    let pinned = request.extensions().get().and_then(Via::pinned).is_some();
    if request.uri().path().starts_with("/_iron/") && pinned && !own::is_for_anybody(&request) {
        return own::not_from_here();
    }
    if request.uri().path() == attach::PATH {
        return attach::answer(port, request);
    }
    if request.uri().path().starts_with(control::PREFIX) {
        return control::answer(shared, request).await;
    }
    if request.uri().path().starts_with("/_iron/") {
        let (head, _) = request.into_parts();
        return own::answer(shared, &head).await;
    }
    if dialect::is_greeting(request.method(), request.uri().path()) {
        return Response::new(Body::empty());
    }
    pipeline::handle(shared, request).await
}
