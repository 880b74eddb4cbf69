//! How many connections may be open at once.
//!
//! A connection of an agent needs a file descriptor, and another one to its provider. Were all of
//! them taken by agents that say nothing, no call could be made for those that do. So there are
//! fewer places than descriptors, and who finds none waits to be accepted: a connection that
//! makes no request is closed after the read timeout.

use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Descriptors that are no connections: the state file and its log, the runtime, the log.
const OWN: u64 = 32;

/// Descriptors of a connection: to the agent, and to the provider.
const EACH: u64 = 2;

/// A place of a connection, free again when the last clone is dropped.
pub(super) type Place = Arc<OwnedSemaphorePermit>;

/// The places of a port.
#[derive(Clone, Debug)]
pub(super) struct Room(Arc<Semaphore>);

impl Room {
    /// As many places as wanted, or as descriptors allow.
    pub(super) fn new(wanted: usize) -> Self {
        let places = places(wanted, getrlimit(Resource::Nofile).current);
        if places < wanted {
            tracing::warn!(
                "this process has file descriptors for {places} connections of agents at once, \
                 not for {wanted}: raise `ulimit -n`, or lower proxy.max_connections"
            );
        }
        Self(Arc::new(Semaphore::new(places)))
    }

    /// Waits for a place.
    pub(super) async fn place(&self) -> Option<Place> {
        Arc::clone(&self.0).acquire_owned().await.ok().map(Arc::new)
    }
}

/// Allows this process as many descriptors as its user may have. What is usual, 1,024, is a
/// concession to programs that use `select`.
pub fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some() && limit.current != limit.maximum {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::debug!(%error, "the limit of file descriptors stays as it is");
        }
    }
}

fn places(wanted: usize, descriptors: Option<u64>) -> usize {
    let Some(descriptors) = descriptors else { return wanted };
    let fit = (descriptors.saturating_sub(OWN) / EACH).max(1);
    wanted.min(usize::try_from(fit).unwrap_or(usize::MAX)).min(Semaphore::MAX_PERMITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_places_than_descriptors_for_both_sides() {
        assert_eq!(places(10_000, None), 10_000);
        assert_eq!(places(10_000, Some(1 << 20)), 10_000);
        assert_eq!(places(10_000, Some(1_024)), 496);
        assert_eq!(places(10_000, Some(64)), 16);
        assert_eq!(places(10, Some(8)), 1);
    }
}
