//! How much was taken from proxies since the panel started.

use std::sync::atomic::{AtomicU64, Ordering};

use iron_policy::control::Taken;

/// How much was taken from proxies.
#[derive(Debug, Default)]
pub struct Counters {
    new: AtomicU64,
    known: AtomicU64,
    batches: AtomicU64,
    refused: AtomicU64,
}

impl Counters {
    /// Counts a batch that was taken.
    pub fn taken(&self, taken: &Taken) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.new.fetch_add(taken.new, Ordering::Relaxed);
        self.known.fetch_add(taken.known, Ordering::Relaxed);
    }

    /// Counts a batch that was refused.
    pub fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Records that were new, records that were known, batches taken, batches refused.
    pub fn read(&self) -> [u64; 4] {
        [&self.new, &self.known, &self.batches, &self.refused]
            .map(|count| count.load(Ordering::Relaxed))
    }
}
