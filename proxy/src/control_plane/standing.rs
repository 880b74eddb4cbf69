//! How the link to the panel is, for whoever asks.

use std::sync::{Mutex, MutexGuard, PoisonError};

use iron_policy::control::Marks;
use serde_json::{Value, json};

use super::ControlError;
use crate::shared::unix_ms;
use crate::tokens::Tokens;

/// A clock that is further from the panel's than this is worth a warning, in milliseconds: tokens have
/// half a minute of leeway.
const FAR: i64 = 5_000;

/// What a proxy knows of its panel. Without a panel, nothing.
#[derive(Debug, Default)]
pub struct Standing(Mutex<Link>);

#[derive(Debug, Default)]
struct Link {
    /// Its address; none where there is no panel.
    panel: Option<String>,
    issuer: String,
    marks: Marks,
    /// Whether it answered the last time.
    up: bool,
    /// When it last did, in Unix milliseconds.
    heard_at: Option<i64>,
    /// Why it did not.
    error: Option<String>,
    /// By how much the panel's clock is ahead, in milliseconds.
    ahead_ms: i64,
    /// The policy in force of the panel's, and why a newer one is not.
    policy: Option<i64>,
    policy_error: Option<String>,
    budgets: usize,
    provider_keys: usize,
    broken_keys: usize,
}

impl Standing {
    /// Whether there is a panel, and whether it answered the last time.
    pub fn is_up(&self) -> Option<bool> {
        let link = self.link();
        link.panel.as_ref().map(|_| link.up)
    }

    pub(super) fn linked(&self, panel: &str) {
        self.link().panel = Some(panel.to_owned());
    }

    pub(super) fn budgets_are(&self, count: usize) {
        self.link().budgets = count;
    }

    /// The panel answered.
    pub(super) fn heard(&self, issuer: &str, marks: Marks, now_ms: i64) {
        let mut link = self.link();
        if !link.up {
            tracing::info!(panel = link.panel.as_deref(), "the panel answers");
        }
        let ahead = now_ms.saturating_sub(unix_ms());
        if ahead.abs() > FAR && link.ahead_ms.abs() <= FAR {
            tracing::warn!(
                ahead_ms = ahead,
                "the panel's clock is another: correct the clocks, tokens and windows go by them"
            );
        }
        link.up = true;
        link.error = None;
        link.heard_at = Some(unix_ms());
        link.ahead_ms = ahead;
        issuer.clone_into(&mut link.issuer);
        link.marks = marks;
    }

    /// The panel did not.
    pub(super) fn failed(&self, error: &ControlError) {
        let mut link = self.link();
        let text = error.to_string();
        // Once, not with every attempt.
        if link.error.as_ref() != Some(&text) {
            tracing::warn!(panel = link.panel.as_deref(), "{text}; what it said before holds");
        }
        link.up = false;
        link.error = Some(text);
    }

    pub(super) fn policy_is(&self, version: i64, outcome: Result<(), String>) {
        let mut link = self.link();
        match outcome {
            Ok(()) => {
                tracing::info!(version, "the panel's policy is in force");
                link.policy = Some(version);
                link.policy_error = None;
            }
            Err(error) => {
                tracing::error!(
                    version,
                    "the panel's policy is refused, the old one stays: {error}"
                );
                link.policy_error = Some(format!("version {version} is refused: {error}"));
            }
        }
    }

    pub(super) fn provider_keys_are(&self, known: usize, broken: usize) {
        let mut link = self.link();
        (link.provider_keys, link.broken_keys) = (known, broken);
    }

    /// For `/_iron/status`; null without a panel.
    pub fn shown(&self, tokens: &Tokens) -> Value {
        let link = self.link();
        let Some(panel) = &link.panel else { return Value::Null };
        json!({
            "panel": panel,
            "issuer": link.issuer,
            "up": link.up,
            "error": link.error,
            "heard_at": link.heard_at.and_then(|at| jiff::Timestamp::from_millisecond(at).ok())
                .map(|at| at.to_string()),
            "clock_ahead_ms": link.ahead_ms,
            "marks": link.marks,
            "policy": link.policy,
            "policy_error": link.policy_error,
            "budgets": link.budgets,
            "token_keys": tokens.keys(),
            "revoked_tokens": tokens.revoked(),
            "provider_keys": link.provider_keys,
            "unreadable_provider_keys": link.broken_keys,
        })
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
