//! Wakes whoever waits: live views for events, long polls for a part that changed.
//!
//! Nothing is said but "look": who wakes reads the database, and finds nothing at worst. Take the
//! receiver first, then look, then wait: what changes in between is not missed.

use tokio::sync::watch;

/// The part of `mark` that counts events.
pub const EVENT: &str = "event";

/// Wakes whoever waits.
#[derive(Debug)]
pub struct Wake {
    events: watch::Sender<u64>,
    parts: watch::Sender<u64>,
}

impl Wake {
    /// Changes whenever there may be new events.
    pub fn events(&self) -> watch::Receiver<u64> {
        self.events.subscribe()
    }

    /// Changes whenever a part may have changed that proxies hold a copy of.
    pub fn parts(&self) -> watch::Receiver<u64> {
        self.parts.subscribe()
    }

    /// Wakes those in this process that wait for this part, after the commit of what changed it.
    /// Other replicas are woken by the database.
    pub fn notify(&self, part: &str) {
        let who = if part == EVENT { &self.events } else { &self.parts };
        who.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Whether anybody waits for a part: for tests.
    #[cfg(test)]
    pub(crate) fn somebody_waits(&self) -> bool {
        self.parts.receiver_count() > 0
    }

    /// Wakes everybody in this process.
    pub fn notify_all(&self) {
        self.notify(EVENT);
        self.notify("");
    }
}

impl Default for Wake {
    fn default() -> Self {
        Self { events: watch::Sender::new(0), parts: watch::Sender::new(0) }
    }
}
