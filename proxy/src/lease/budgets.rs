//! The panel's budgets, read once when they come, and which of them a call touches.

use iron_policy::budget::{Scope, Subject, Window};
use iron_policy::control::LeasedBudget;
use iron_policy::types::NanoUsd;
use jiff::tz::TimeZone;

use crate::state::{LeaseHold, LeaseKey};

/// All of the panel's budgets.
#[derive(Debug, Default)]
pub(super) struct Budgets(Vec<Budget>);

#[derive(Debug)]
struct Budget {
    id: String,
    scope: Scope,
    window: Window,
    zone: TimeZone,
    limit: NanoUsd,
    clamp: bool,
}

/// A budget that this version cannot hold calls to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the panel has a budget ({id}) whose {what} this version does not know, so nothing is spent: \
     update this proxy, or change the budget"
)]
pub struct UnknownBudget {
    id: String,
    what: &'static str,
}

impl Budgets {
    /// Reads them; one that cannot be read is not left out.
    pub(super) fn read(budgets: &[LeasedBudget]) -> Result<Self, UnknownBudget> {
        budgets.iter().map(Budget::read).collect::<Result<_, _>>().map(Self)
    }

    /// Those of `before` that may be spent less of now, or not at all: by id.
    pub(super) fn lowered_since<'b>(&self, before: &'b Self) -> impl Iterator<Item = &'b str> {
        before.0.iter().filter_map(|old| {
            let now = self.0.iter().find(|own| own.id == old.id);
            now.is_none_or(|own| own.limit < old.limit).then_some(old.id.as_str())
        })
    }

    /// What a call must hold of them.
    pub(super) fn touched(&self, call: &Subject<'_>, now_ms: i64) -> Vec<LeaseHold> {
        self.0.iter().filter_map(|budget| budget.hold(call, now_ms)).collect()
    }
}

impl Budget {
    fn read(budget: &LeasedBudget) -> Result<Self, UnknownBudget> {
        let unknown = |what| UnknownBudget { id: budget.id.clone(), what };
        Ok(Self {
            id: budget.id.clone(),
            scope: budget.scope.parse().map_err(|_| unknown("scope"))?,
            window: Window::named(&budget.window).ok_or_else(|| unknown("window"))?,
            zone: TimeZone::get(&budget.zone).map_err(|_| unknown("time zone"))?,
            limit: budget.limit,
            clamp: budget.clamp,
        })
    }

    fn hold(&self, call: &Subject<'_>, now_ms: i64) -> Option<LeaseHold> {
        let account = self.scope.account(call)?;
        let start = self.window.start(now_ms, &self.zone);
        Some(LeaseHold {
            key: LeaseKey { budget: self.id.clone(), account, start },
            window: self.window,
            resets_at: self.window.end(now_ms, &self.zone),
            limit: self.limit,
            clamp: self.clamp,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(scope: &str, window: &str, zone: &str) -> LeasedBudget {
        LeasedBudget {
            id: "bud_1".to_owned(),
            scope: scope.to_owned(),
            window: window.to_owned(),
            zone: zone.to_owned(),
            limit: NanoUsd(5),
            clamp: true,
        }
    }

    #[test]
    fn a_call_touches_what_covers_it_in_the_budgets_own_time_zone() {
        let budgets = Budgets::read(&[
            budget("agent:*", "day", "Europe/Paris"),
            budget("model:claude-*", "total", "UTC"),
        ]);
        let call =
            Subject { agent: "a", project: None, token: None, run: None, model: "gpt-4o-mini" };
        let touched = budgets.unwrap().touched(&call, 1_700_000_000_000);
        assert_eq!(touched.len(), 1);
        assert_eq!(touched[0].key.account, "agent:a");
        // 2023-11-14T22:13:20Z is 23:13 in Paris, whose day began at 23:00 UTC the day before.
        assert_eq!(touched[0].key.start, 1_699_916_400_000);
        assert_eq!(touched[0].resets_at, Some(1_700_002_800_000));
        assert!(touched[0].clamp);
    }

    #[test]
    fn what_cannot_be_read_is_not_left_out() {
        for (scope, window, zone, what) in [
            ("team:x", "day", "UTC", "scope"),
            ("organisation", "hour", "UTC", "window"),
            ("organisation", "day", "Mars/Olympus", "time zone"),
        ] {
            let error = Budgets::read(&[budget(scope, window, zone)]).unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
        }
    }
}
