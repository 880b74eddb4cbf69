//! How a request came in: an extension of every request that the server hands on.

use std::sync::Arc;

use tokio::sync::watch;

use super::room::Place;
use crate::connect::Passage;
use crate::pinned::Pinned;

/// How a request came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// Over plain HTTP.
    Plain,
    /// Over TLS, to the port itself.
    Tls,
    /// On a connection whose agent and run are known, whatever its requests say.
    Pinned(Arc<Pinned>),
    /// Through the proxy to a host that it names, by `CONNECT` or in its address.
    Intercepted(Arc<Passage>),
}

impl Via {
    /// Whose the connection is, where that was said when it was made.
    pub fn pinned(&self) -> Option<&Arc<Pinned>> {
        match self {
            Self::Plain | Self::Tls => None,
            Self::Pinned(pinned) => Some(pinned),
            Self::Intercepted(passage) => passage.credentials.pinned.as_ref(),
        }
    }
}

/// Tells whoever outlives a request, such as an upgraded connection, that the proxy stops.
///
/// An extension of every request. While one is held the connection counts as open, and a proxy
/// that stops waits for it, within its time to drain.
#[derive(Clone, Debug)]
pub struct Stopping {
    stopping: watch::Receiver<()>,
    /// Only held.
    _place: Option<Place>,
}

impl Stopping {
    /// A signal, and what sets it off when dropped.
    pub(super) fn new() -> (watch::Sender<()>, Self) {
        let (sender, receiver) = watch::channel(());
        (sender, Self { stopping: receiver, _place: None })
    }

    /// The same, with the place of a connection.
    pub(super) fn with(&self, place: Place) -> Self {
        Self { stopping: self.stopping.clone(), _place: Some(place) }
    }

    /// Ready once the proxy stops.
    pub async fn begun(&mut self) {
        // The sender sends when it stops; where it is gone it has stopped.
        let _ = self.stopping.changed().await;
    }
}
