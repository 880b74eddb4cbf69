//! Whether the panel can be reached, and since when not.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::shared::unix_ms;

/// How the last requests went.
#[derive(Debug, Default)]
pub(super) struct Contact(Mutex<Option<Away>>);

/// The panel cannot be reached.
#[derive(Debug, Clone)]
pub(super) struct Away {
    /// Since when, in Unix milliseconds.
    pub(super) since_ms: i64,
    /// What was wrong the last time.
    pub(super) why: String,
    /// When a call last waited for it in vain.
    pub(super) gave_up: Option<Instant>,
}

impl Away {
    /// What it is taken for where it answers, and not so that anything could be spent.
    pub(super) fn as_good_as(why: &str) -> Self {
        Self { since_ms: unix_ms(), why: why.to_owned(), gave_up: None }
    }
}

impl Contact {
    /// It answered.
    pub(super) fn answered(&self) {
        if let Some(away) = self.lock().take() {
            let seconds = unix_ms().saturating_sub(away.since_ms) / 1_000;
            tracing::info!(seconds, "the panel answers again");
        }
    }

    /// It did not.
    pub(super) fn failed(&self, why: &str) -> Away {
        let mut now = self.lock();
        if now.is_none() {
            tracing::warn!(%why, "the panel cannot be reached; what it granted is spent on");
        }
        let since_ms = now.as_ref().map_or_else(unix_ms, |away| away.since_ms);
        let gave_up = now.as_ref().and_then(|away| away.gave_up);
        let away = Away { since_ms, why: why.to_owned(), gave_up };
        *now = Some(away.clone());
        away
    }

    /// It did not for as long as a call waits for it.
    pub(super) fn gave_up(&self, why: &str) -> Away {
        self.failed(why);
        let mut now = self.lock();
        let away = now.get_or_insert_with(|| Away::as_good_as(why));
        away.gave_up = Some(Instant::now());
        away.clone()
    }

    /// Since when it does not answer, where it does not.
    pub(super) fn away(&self) -> Option<Away> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Away>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
