//! The file as it is written. Every key is known here; what it means is decided in `check`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use super::text::duration;
use super::{
    ConfigError, Durability, Limits, OnAbort, WebSockets, connect, panel, redact, suggest,
};
use crate::breaker;
use crate::budget::{Budget, Glob};
use crate::price::PriceOverride;
use crate::retry::{Retry, Target};
use crate::runaway::Runaway;
use crate::types::{Dialect, Name, Platform};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) time_zone: Option<String>,
    pub(super) proxy: Proxy,
    pub(super) panel: panel::Raw,
    pub(super) tokens: Tokens,
    pub(super) upstream: Vec<Upstream>,
    pub(super) route: Vec<Route>,
    pub(super) retry: Retry,
    pub(super) fallback: Vec<Fallback>,
    pub(super) budget: Vec<Budget>,
    pub(super) reserve: Reserve,
    pub(super) batches: Batches,
    pub(super) websocket: WebSocket,
    pub(super) redact: redact::Raw,
    pub(super) breaker: breaker::Settings,
    pub(super) limits: Limits,
    pub(super) runaway: Runaway,
    pub(super) agent: Vec<Agent>,
    pub(super) connect: connect::Raw,
    pub(super) secret: Vec<connect::RawSecret>,
    pub(super) price: Vec<PriceOverride>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Proxy {
    pub(super) listen: SocketAddr,
    pub(super) names: Vec<String>,
    pub(super) max_connections: usize,
    pub(super) passthrough: bool,
    pub(super) max_body_mib: usize,
    #[serde(deserialize_with = "duration")]
    pub(super) read_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub(super) write_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub(super) drain: Duration,
    pub(super) durability: Durability,
    pub(super) budget_status: u16,
    pub(super) on_abort: OnAbort,
}

impl Default for Proxy {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 4141)),
            names: Vec::new(),
            max_connections: 10_000,
            passthrough: true,
            max_body_mib: 64,
            read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_mins(1),
            drain: Duration::from_secs(10),
            durability: Durability::default(),
            budget_status: 402,
            on_abort: OnAbort::default(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Upstream {
    pub(super) name: Name,
    pub(super) dialect: Option<Dialect>,
    pub(super) platform: Option<Platform>,
    #[serde(default)]
    pub(super) models: BTreeMap<String, String>,
    pub(super) base_url: String,
    pub(super) hosts: Option<Vec<String>>,
    pub(super) api_key_env: Option<String>,
    pub(super) vendor: Option<String>,
    #[serde(default = "connect_timeout", deserialize_with = "duration")]
    pub(super) connect_timeout: Duration,
    #[serde(default = "answer_timeout", deserialize_with = "duration")]
    pub(super) answer_timeout: Duration,
    #[serde(default = "idle_timeout", deserialize_with = "duration")]
    pub(super) idle_timeout: Duration,
    #[serde(default = "yes")]
    pub(super) include_usage: bool,
    pub(super) websocket: Option<WebSockets>,
    pub(super) breaker: Option<breaker::Settings>,
    #[serde(default)]
    pub(super) limits: Limits,
}

const fn connect_timeout() -> Duration {
    Duration::from_secs(10)
}

/// The official SDKs wait ten minutes; waiting less would break calls that work without us.
const fn answer_timeout() -> Duration {
    Duration::from_mins(10)
}

const fn idle_timeout() -> Duration {
    Duration::from_mins(5)
}

const fn yes() -> bool {
    true
}

impl Upstream {
    /// An upstream that needs no mention in the file.
    pub(super) fn builtin(name: Name, dialect: Dialect, base_url: &str, key: &str) -> Self {
        Self {
            name,
            dialect: Some(dialect),
            platform: None,
            models: BTreeMap::new(),
            base_url: base_url.to_owned(),
            hosts: None,
            api_key_env: Some(key.to_owned()),
            vendor: None,
            connect_timeout: connect_timeout(),
            answer_timeout: answer_timeout(),
            idle_timeout: idle_timeout(),
            include_usage: true,
            websocket: None,
            breaker: None,
            limits: Limits::default(),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tokens {
    pub(super) required: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Route {
    pub(super) model: Glob,
    pub(super) upstream: Name,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fallback {
    pub(super) model: Glob,
    pub(super) to: Vec<toml::Spanned<Target>>,
    #[serde(default)]
    pub(super) on_budget: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Reserve {
    pub(super) clamp: bool,
    pub(super) default_max_output: Option<u64>,
    pub(super) tool_calls: u64,
}

impl Default for Reserve {
    fn default() -> Self {
        Self { clamp: false, default_max_output: None, tool_calls: 8 }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Batches {
    #[serde(deserialize_with = "duration")]
    pub(super) settle_after: Duration,
}

impl Default for Batches {
    fn default() -> Self {
        // Providers work on a batch for a day.
        Self { settle_after: Duration::from_hours(48) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WebSocket {
    pub(super) mode: WebSockets,
    #[serde(deserialize_with = "duration")]
    pub(super) idle_timeout: Duration,
}

/// OpenAI closes a connection of its own after an hour.
impl Default for WebSocket {
    fn default() -> Self {
        Self { mode: WebSockets::default(), idle_timeout: Duration::from_hours(1) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Agent {
    pub(super) name: Name,
    pub(super) project: Option<Name>,
    pub(super) limits: Option<Limits>,
    pub(super) runaway: Option<Runaway>,
}

/// Reads the text; an unknown key is answered with the nearest known one.
pub(super) fn parse(text: &str) -> Result<File, ConfigError> {
    toml::from_str(text).map_err(|error| ConfigError {
        line: error.span().map(|span| 1 + text[..span.start].matches('\n').count()),
        message: suggest::with_suggestion(error.message()),
    })
}
