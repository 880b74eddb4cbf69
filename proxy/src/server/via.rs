//! How a request came in: an extension of every request that the server hands on.

use tokio::sync::watch;

/// How a request came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// Over plain HTTP.
    Plain,
    /// Over TLS, to the port itself.
    Tls,
}

/// Tells whoever outlives a request, such as an upgraded connection, that the proxy stops.
///
/// An extension of every request. While one is held the proxy waits, within its time to drain.
#[derive(Clone, Debug)]
pub struct Stopping(watch::Receiver<()>);

impl Stopping {
    /// A signal, and what sets it off when dropped.
    pub(super) fn new() -> (watch::Sender<()>, Self) {
        let (sender, receiver) = watch::channel(());
        (sender, Self(receiver))
    }

    /// Ready once the proxy stops.
    pub async fn begun(&mut self) {
        // The sender sends when it stops; where it is gone it has stopped.
        let _ = self.0.changed().await;
    }
}
