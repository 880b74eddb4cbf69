//! Calls and failures of the last while, in constant memory.

use std::time::Duration;

const BUCKETS: u64 = 10;

/// A sliding window in ten steps.
#[derive(Debug)]
pub(super) struct Window {
    step: u64,
    buckets: [Bucket; BUCKETS as usize],
}

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    /// Which step of time it counts.
    turn: u64,
    calls: u64,
    failed: u64,
}

impl Window {
    pub(super) fn new(length: Duration) -> Self {
        let step = (length.as_millis() as u64 / BUCKETS).max(1);
        Self { step, buckets: [Bucket::default(); BUCKETS as usize] }
    }

    pub(super) const fn add(&mut self, now: u64, failed: bool) {
        let turn = now / self.step;
        let bucket = &mut self.buckets[(turn % BUCKETS) as usize];
        if bucket.turn != turn {
            *bucket = Bucket { turn, calls: 0, failed: 0 };
        }
        bucket.calls += 1;
        bucket.failed += failed as u64;
    }

    /// Calls and failures in the window that ends now.
    pub(super) fn totals(&self, now: u64) -> (u64, u64) {
        let turn = now / self.step;
        self.buckets
            .iter()
            .filter(|bucket| bucket.turn + BUCKETS > turn)
            .fold((0, 0), |(calls, failed), bucket| (calls + bucket.calls, failed + bucket.failed))
    }

    pub(super) fn clear(&mut self) {
        self.buckets = [Bucket::default(); BUCKETS as usize];
    }
}
