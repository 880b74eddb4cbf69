//! The clock: one place that reads it, and that tests can turn.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time in Unix milliseconds. Clones are handles to the same one.
#[derive(Clone, Default)]
pub struct Clock(Arc<Hands>);

#[derive(Default)]
struct Hands {
    turned: AtomicI64,
    /// Where it was stopped; 0 while it goes.
    stopped_at: AtomicI64,
}

impl Clock {
    /// Now, in Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        let now = match self.0.stopped_at.load(Ordering::Relaxed) {
            0 => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            }
            stopped_at => stopped_at,
        };
        now.saturating_add(self.0.turned.load(Ordering::Relaxed))
    }

    /// Turns it forward, or back: for tests.
    pub fn turn(&self, by_ms: i64) {
        self.0.turned.fetch_add(by_ms, Ordering::Relaxed);
    }

    /// Stops it where it is, so that it moves only by [`Clock::turn`]: for tests.
    pub fn stop(&self) {
        let turned = self.0.turned.load(Ordering::Relaxed);
        self.0.stopped_at.store(self.now_ms() - turned, Ordering::Relaxed);
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now_ms()).finish()
    }
}
