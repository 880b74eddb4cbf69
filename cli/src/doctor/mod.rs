//! `iron doctor`: what stands between a user and calls that come by the proxy, each with a next step.
//!
//! Looks and changes nothing. Everything is told from this machine; no provider is called.

mod clients;
mod here;
mod kernel;
mod proxy;
mod state;

use iron_policy::config::Policy;
use serde_json::{Value, json};

use crate::args::Files;
use crate::files::{self, Config};
use crate::launch::proxy::STATUS_PATIENCE;
use crate::local_http;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// Works, but not as one would think.
    Warn,
    /// Does not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How it is.
    pub level: Level,
    /// What was found.
    pub what: String,
    /// What to do about it; none where nothing is to be done.
    pub next: Option<String>,
}

impl Level {
    /// As it is shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl Check {
    fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Self { name, level: Level::Ok, what: what.into(), next: None }
    }

    fn warn(name: &'static str, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { name, level: Level::Warn, what: what.into(), next: Some(next.into()) }
    }

    fn fail(name: &'static str, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { name, level: Level::Fail, what: what.into(), next: Some(next.into()) }
    }

    /// For programs.
    pub fn object(&self) -> Value {
        json!({"check": self.name, "level": self.level.name(), "what": self.what, "next": self.next})
    }
}

/// Looks at everything.
pub async fn examine(files: &Files) -> Vec<Check> {
    let config = match Config::read(files) {
        Ok(config) => config,
        Err(failure) => {
            let next = "correct it; `iron policy check` reads it again";
            return vec![Check::fail("configuration", failure.to_string(), next)];
        }
    };
    let from = config.path.as_ref().map_or_else(
        || "the defaults, since there is no iron.toml".to_owned(),
        |path| path.display().to_string(),
    );
    let mut checks = vec![Check::ok("configuration", from)];
    let policy = &config.policy;
    let address = files::proxy_address(policy);
    let status = local_http::get_json(address, "/_iron/status", STATUS_PATIENCE).await.ok();
    checks.extend(proxy::checks(policy, address, status.as_ref()));
    let path = files::state_to_read(files, policy).await.ok();
    checks.extend(state::checks(path.as_deref(), status.is_some()));
    if let Ok(folder) = files::authority(files, policy).await {
        checks.push(state::authority(policy, &folder));
    }
    checks.push(prices(policy));
    checks.push(state::clock(path.as_deref()));
    checks.extend(kernel::checks());
    checks.extend(kernel::sandbox().await);
    let own = here::Surroundings::of_process();
    checks.extend(here::checks(policy, address, &own));
    checks.extend(clients::checks(&own).await);
    checks
}

/// Prices change a few times a year; what a provider bills is then no longer what is reserved.
fn prices(policy: &Policy) -> Check {
    let date = iron_policy::price::PriceList::builtin().date().to_owned();
    let own = policy.prices.len();
    let what = format!("the list of {date}, and {own} of your own");
    let age = date.parse::<jiff::civil::Date>().ok().and_then(|date| {
        let now = jiff::Timestamp::from_millisecond(iron_proxy::shared::unix_ms()).ok()?;
        let today = now.to_zoned_datetime(policy.time_zone.clone()).date();
        today.since(date).ok().map(|span| span.get_days())
    });
    match age {
        Some(days) if days > 120 => Check::warn(
            "prices",
            format!("{what}; it is {days} days old"),
            "update iron, or add a [[price]] for what changed",
        ),
        _ => Check::ok("prices", what),
    }
}
