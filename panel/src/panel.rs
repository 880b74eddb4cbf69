//! What every request of a panel shares.

use std::sync::Arc;

use iron_policy::config;

use crate::api::live::Views;
use crate::api::metrics::Requests;
use crate::audit::Refusals;
use crate::clock::Clock;
use crate::events::{Hub, Wake};
use crate::identity::password::Hashing;
use crate::keys::Master;
use crate::store::Store;
use crate::telemetry::Telemetry;

/// A panel. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct Panel(Arc<Shared>);

/// What is behind a [`Panel`].
#[derive(Debug)]
pub struct Shared {
    /// The database.
    pub store: Store,
    /// What the operator configured.
    pub settings: config::Panel,
    /// The clock.
    pub clock: Clock,
    /// The key that everything secret in the database hangs on.
    pub master: Master,
    /// Wakes those who wait for events, or for a change in what proxies hold a copy of.
    pub wake: Wake,
    /// How many requests were answered.
    pub requests: Requests,
    /// How many live views there are.
    pub views: Views,
    /// What live views get events from.
    pub events: Hub,
    /// What is kept in memory of what proxies tell.
    pub telemetry: Telemetry,
    /// How many refusals are written down.
    pub refusals: Refusals,
    /// Makes and checks what is kept of passwords.
    pub hashing: Hashing,
    /// Whether one person uses it on their own machine.
    is_pilot: bool,
}

impl Panel {
    /// A panel over this database, whose secrets hang on this key, with the usual settings.
    pub fn new(store: Store, master: Master) -> Self {
        Self::configured(store, master, config::Panel::default())
    }

    /// The same with these settings.
    pub fn configured(store: Store, master: Master, settings: config::Panel) -> Self {
        Self::with(store, master, settings, false)
    }

    /// The panel of one person on their own machine: the first admin is signed in with one click.
    pub fn pilot(store: Store, master: Master, settings: config::Panel) -> Self {
        Self::with(store, master, settings, true)
    }

    /// Whether the page of the bootstrap token asks for no name and no password: in pilot mode, and
    /// where only this machine reaches it.
    pub fn signs_in_by_click(&self) -> bool {
        self.is_pilot && self.settings.listen.is_none_or(|address| address.ip().is_loopback())
    }

    fn with(store: Store, master: Master, settings: config::Panel, is_pilot: bool) -> Self {
        Self(Arc::new(Shared {
            store,
            settings,
            clock: Clock::default(),
            master,
            wake: Wake::default(),
            events: Hub::default(),
            requests: Requests::default(),
            views: Views::default(),
            telemetry: Telemetry::default(),
            refusals: Refusals::default(),
            hashing: Hashing::default(),
            is_pilot,
        }))
    }
}

impl std::ops::Deref for Panel {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}
