//! Budgets: whose money, over which time, and which account a call touches.

mod scope;
mod window;

use jiff::tz::TimeZone;
use serde::Deserialize;

pub use scope::{Glob, Scope, ScopeError};
pub use window::Window;

use crate::types::NanoUsd;

/// An allowed amount for a scope in a window: one `[[budget]]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Whose calls it covers.
    pub scope: Scope,
    /// The time after which it begins anew.
    pub window: Window,
    /// What may be spent in that time.
    #[serde(deserialize_with = "crate::config::amount")]
    pub limit: NanoUsd,
    /// Shorten calls to what is left instead of refusing them.
    #[serde(default)]
    pub clamp: bool,
}

/// What decides which budgets a call touches.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The calling agent.
    pub agent: &'a str,
    /// The project it works for.
    pub project: Option<&'a str>,
    /// The id of its token.
    pub token: Option<&'a str>,
    /// The run that the call belongs to.
    pub run: Option<&'a str>,
    /// The model, as the caller wrote it.
    pub model: &'a str,
}

/// One balance: a scope in one window of time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AccountKey {
    /// The scope with its real name: `agent:nightly`, also for a budget of `agent:*`.
    pub scope: String,
    /// The kind of window.
    pub window: Window,
    /// When it began, in Unix milliseconds; 0 for [`Window::Total`].
    pub start: i64,
}

/// An account and what it may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The account.
    pub account: AccountKey,
    /// What may be spent from it.
    pub limit: NanoUsd,
    /// When it begins anew, in Unix milliseconds.
    pub resets_at: Option<i64>,
    /// Whether calls are shortened rather than refused.
    pub clamp: bool,
}

impl Budget {
    /// What a call must hold of this budget; none where the budget does not cover the call.
    pub fn hold(&self, call: &Subject<'_>, now_ms: i64, zone: &TimeZone) -> Option<Hold> {
        let scope = self.scope.account(call)?;
        let start = self.window.start(now_ms, zone);
        Some(Hold {
            account: AccountKey { scope, window: self.window, start },
            limit: self.limit,
            resets_at: self.window.end(now_ms, zone),
            clamp: self.clamp,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_of_every_agent_gives_each_its_own_account() {
        let budget = |scope: &str| Budget {
            scope: scope.parse().unwrap(),
            window: Window::Day,
            limit: NanoUsd::usd(1),
            clamp: false,
        };
        let call = Subject {
            agent: "a",
            project: Some("web"),
            token: None,
            run: Some("r"),
            model: "gpt-4o-mini",
        };
        let account = |scope: &str| {
            budget(scope).hold(&call, 0, &TimeZone::UTC).map(|hold| hold.account.scope)
        };
        for (scope, key) in [
            ("organisation", Some("organisation")),
            ("agent:a", Some("agent:a")),
            ("agent:b", None),
            ("agent:*", Some("agent:a")),
            ("project:web", Some("project:web")),
            ("project:*", Some("project:web")),
            ("token:*", None),
            ("run:*", Some("run:r")),
            ("run:s", None),
            ("model:gpt-4o*", Some("model:gpt-4o*")),
            ("model:claude-*", None),
        ] {
            assert_eq!(account(scope).as_deref(), key, "{scope}");
        }
    }
}
