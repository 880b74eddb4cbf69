//! One connection of the port: its first byte, TLS, HTTP, its end.
//!
//! Whatever the peer does before its first request is whole has to be done within the policy's
//! read timeout: saying nothing, half a TLS handshake, half an HTTP/2 preface.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;

use super::answers::{Answers, Standing};
use super::room::Place;
use super::via::{Stopping, Via};
use super::{answer, connections};
use crate::authority::AuthorityError;
use crate::body::Body;
use crate::shared::Shared;

/// A connection over HTTP/2 without a call for so long is asked to close; over HTTP/1.1 it is
/// closed after the read timeout.
const IDLE: Duration = Duration::from_mins(5);

/// Connections are not looked at more often.
const SHORTEST: Duration = Duration::from_millis(50);

/// The first byte of every TLS record that can begin a handshake (RFC 8446, section 5.1). No HTTP
/// method begins with it.
const HANDSHAKE: u8 = 0x16;

/// What all connections of the port share.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) shared: Arc<Shared>,
    builder: Builder<TokioExecutor>,
    /// How long a peer may take until its first request.
    patience: Duration,
    /// How long a peer may take nothing of an answer; until it is cut off the upstream is read no
    /// faster than the peer reads.
    slow_reader: Duration,
    stopping: Stopping,
}

/// Why a connection ended before it could be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Early {
    #[error("no first request within {0:?}")]
    Late(Duration),
    #[error("the proxy stops")]
    Stopping,
    #[error("TLS: {0}")]
    Tls(io::Error),
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Port {
    pub(super) fn new(shared: Arc<Shared>, stopping: Stopping) -> Self {
        let live = shared.live();
        let (patience, slow_reader) =
            (live.policy.proxy.read_timeout, live.policy.proxy.write_timeout);
        drop(live);
        Self { builder: connections(patience), shared, patience, slow_reader, stopping }
    }

    /// Serves a connection that was just accepted, to its end.
    pub(super) async fn accept(self: Arc<Self>, stream: TcpStream, place: Place) {
        let stopping = self.stopping.with(place);
        if let Err(error) = self.tell_apart(stream, stopping).await {
            tracing::debug!(%error, "a connection ended before its first request");
        }
    }

    /// Plain HTTP or TLS, by the first byte.
    async fn tell_apart(
        self: Arc<Self>,
        stream: TcpStream,
        stopping: Stopping,
    ) -> Result<(), Early> {
        // Without it an answer's last small part waits for the peer's delayed ACK.
        let _ = stream.set_nodelay(true);
        let mut first = [0];
        if self.in_time(stream.peek(&mut first)).await?? == 0 {
            return Ok(());
        }
        let reached = stream.local_addr()?.ip();
        let mut stream = Box::pin(TimeoutStream::new(stream));
        stream.as_mut().set_write_timeout_pinned(Some(self.slow_reader));
        if first[0] != HANDSHAKE {
            self.serve(stream, Via::Plain, stopping).await;
            return Ok(());
        }
        let config = self.shared.authority.port_config(reached)?;
        let handshake = TlsAcceptor::from(config).accept(stream);
        let stream = self.in_time(handshake).await?.map_err(Early::Tls)?;
        self.serve(stream, Via::Tls, stopping).await;
        Ok(())
    }

    /// Serves HTTP on a stream to its end; requests carry `via` and `stopping`.
    pub(crate) async fn serve<I>(self: Arc<Self>, stream: I, via: Via, mut stopping: Stopping)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let begun = Arc::new(Notify::new());
        let answers = Answers::default();
        let service = {
            let (port, begun, answers) = (Arc::clone(&self), Arc::clone(&begun), answers.clone());
            let stopping = stopping.clone();
            service_fn(move |mut request: Request<Incoming>| {
                begun.notify_one();
                let (port, held) =
                    (Arc::clone(&port), answers.begin(request.version() == Version::HTTP_2));
                request.extensions_mut().insert(via.clone());
                request.extensions_mut().insert(stopping.clone());
                async move { Ok::<_, Infallible>(held.attend(answer(&port, request).await)) }
            })
        };
        let connection = self.builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let mut late = pin!(tokio::time::sleep(self.patience));
        let (mut fresh, mut open) = (true, true);
        let mut looks = tokio::time::interval((self.slow_reader.min(IDLE) / 2).max(SHORTEST));
        let mut idle_since = Instant::now();
        loop {
            tokio::select! {
                end = &mut connection => {
                    if let Err(error) = end {
                        tracing::debug!(%error, "a connection ended early");
                    }
                    return;
                }
                () = begun.notified(), if fresh => fresh = false,
                () = &mut late, if fresh => {
                    tracing::debug!(after = ?self.patience, "a connection made no request");
                    return;
                }
                now = looks.tick() => match answers.look(self.slow_reader) {
                    Standing::Moving => idle_since = now,
                    Standing::Stuck => {
                        tracing::debug!("a connection is closed: none of its answers is taken");
                        return;
                    }
                    Standing::None if open && !fresh && now - idle_since >= IDLE => {
                        open = false;
                        connection.as_mut().graceful_shutdown();
                    }
                    Standing::None => {}
                },
                () = stopping.begun(), if open => {
                    open = false;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }

    /// Answers a request that is meant for the proxy itself.
    pub(crate) async fn answer_own(self: &Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        super::answer_own(self, request).await
    }

    /// Waits for a step of the peer's.
    pub(crate) async fn in_time<F: Future>(&self, step: F) -> Result<F::Output, Early> {
        let mut stopping = self.stopping.clone();
        tokio::select! {
            done = tokio::time::timeout(self.patience, step) => {
                done.map_err(|_| Early::Late(self.patience))
            }
            () = stopping.begun() => Err(Early::Stopping),
        }
    }
}
