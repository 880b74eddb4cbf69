//! What every request of a panel shares.

use std::sync::Arc;

use crate::clock::Clock;
use crate::events::{Hub, Wake};
use crate::keys::Master;
use crate::store::Store;

/// A panel. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct Panel(Arc<Shared>);

/// What is behind a [`Panel`].
#[derive(Debug)]
pub struct Shared {
    /// The database.
    pub store: Store,
    /// The clock.
    pub clock: Clock,
    /// The key that everything secret in the database hangs on.
    pub master: Master,
    /// Wakes those who wait for events, or for a change in what proxies hold a copy of.
    pub wake: Wake,
    /// What live views get events from.
    pub events: Hub,
}

impl Panel {
    /// A panel over this database, whose secrets hang on this key.
    pub fn new(store: Store, master: Master) -> Self {
        let (clock, wake, events) = (Clock::default(), Wake::default(), Hub::default());
        Self(Arc::new(Shared { store, clock, master, wake, events }))
    }
}

impl std::ops::Deref for Panel {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}
