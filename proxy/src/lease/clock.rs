//! The clock that leases expire by: it goes on while the machine sleeps, and nobody sets it.

use std::fmt::Debug;

/// Tells how long the machine has run, and which run of it that is.
pub trait BootClock: Debug + Send + Sync {
    /// Milliseconds since the machine was started, time asleep included.
    fn now_ms(&self) -> i64;

    /// Names the machine's run. What was counted by another run's clock says nothing now.
    fn boot(&self) -> &str;
}

/// The system's own.
#[derive(Debug)]
pub struct SystemClock {
    boot: String,
}

impl SystemClock {
    /// Reads which run of the machine this is. Where that cannot be told, each process takes its own
    /// start for the machine's: its leases are then confirmed by the panel before they are spent.
    pub fn new() -> Self {
        let named = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        let named = named.ok().map(|boot| boot.trim().to_owned()).filter(|boot| !boot.is_empty());
        Self { boot: named.unwrap_or_else(|| format!("process-{:016x}", fastrand::u64(..))) }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl BootClock for SystemClock {
    fn now_ms(&self) -> i64 {
        #[cfg(target_os = "linux")]
        let clock = rustix::time::ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let clock = rustix::time::ClockId::Monotonic;
        let now = rustix::time::clock_gettime(clock);
        now.tv_sec.saturating_mul(1_000).saturating_add(now.tv_nsec / 1_000_000)
    }

    fn boot(&self) -> &str {
        &self.boot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_goes_on_and_the_boot_stays() {
        let (first, second) = (SystemClock::new(), SystemClock::new());
        let before = first.now_ms();
        assert!(before > 0 && second.now_ms() >= before);
        if cfg!(target_os = "linux") {
            assert_eq!(first.boot(), second.boot());
        }
    }
}
