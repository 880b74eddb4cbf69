//! From the file's words to a policy that holds together.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::raw::{self, File};
use super::{
    Agent, Batches, ConfigError, Policy, Proxy, Reserve, Route, Upstream, WebSockets, connect,
    fallback, panel, redact,
};
use crate::breaker;
use crate::connect::host_name;
use crate::retry::Retry;
use crate::runaway::{MOST_REPEATS, Runaway};
use crate::types::{Dialect, Name, NameError, NanoUsd, Platform};

/// First path segments that mean something else than an upstream.
const RESERVED: [&str; 4] = ["agent", "v1", "v1beta", "_iron"];

pub(super) fn check(file: File, text: &str) -> Result<Policy, ConfigError> {
    let time_zone = match file.time_zone.as_deref() {
        None => TimeZone::UTC,
        Some(name) => TimeZone::get(name).map_err(|_| {
            wrong(format!(
                "time_zone `{name}` is not known: write an IANA name such as `Europe/Paris`"
            ))
        })?,
    };
    let upstreams = upstreams(file.upstream, &file.breaker, file.websocket.mode)?;
    let routes = file
        .route
        .into_iter()
        .map(|route| {
            let known = upstreams.iter().any(|upstream| upstream.name == route.upstream);
            known
                .then_some(Route { model: route.model, upstream: route.upstream.clone() })
                .ok_or_else(|| {
                    wrong(format!(
                        "[[route]] names the upstream `{}`, which no [[upstream]] defines",
                        route.upstream
                    ))
                })
        })
        .collect::<Result<_, _>>()?;
    let secrets = connect::secrets(file.secret, &upstreams)?;
    Ok(Policy {
        connect: connect::check(file.connect, &upstreams, &secrets, text)?,
        secrets,
        proxy: proxy(&file.proxy)?,
        panel: panel::check(file.panel)?,
        tokens_required: file.tokens.required,
        retry: retry(file.retry)?,
        fallbacks: fallback::check(file.fallback, &upstreams, text)?,
        upstreams,
        routes,
        budgets: file.budget,
        time_zone,
        reserve: Reserve {
            clamp: file.reserve.clamp,
            default_max_output: file.reserve.default_max_output,
            tool_calls: file.reserve.tool_calls,
        },
        batches: Batches { settle_after: file.batches.settle_after },
        websocket_idle: file.websocket.idle_timeout,
        redact: redact::check(file.redact, text)?,
        limits: file.limits,
        runaway: runaway(file.runaway)?,
        agents: agents(file.agent)?,
        prices: file.price,
    })
}

fn wrong(message: impl Into<String>) -> ConfigError {
    ConfigError { line: None, message: message.into() }
}

fn proxy(raw: &raw::Proxy) -> Result<Proxy, ConfigError> {
    if ![402, 429].contains(&raw.budget_status) {
        return Err(wrong("proxy.budget_status must be 402 or 429"));
    }
    let max_body = raw
        .max_body_mib
        .checked_mul(1 << 20)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| wrong("proxy.max_body_mib must be at least 1"))?;
    let names = raw.names.iter().map(|name| {
        let error =
            || wrong(format!("proxy.names: `{name}` is neither a host name nor an address"));
        host_name(name).ok_or_else(error)
    });
    if raw.max_connections == 0 {
        return Err(wrong("proxy.max_connections must be at least 1"));
    }
    Ok(Proxy {
        names: names.collect::<Result<_, _>>()?,
        max_connections: raw.max_connections,
        listen: raw.listen,
        passthrough: raw.passthrough,
        max_body,
        read_timeout: raw.read_timeout,
        write_timeout: raw.write_timeout,
        drain: raw.drain,
        durability: raw.durability,
        budget_status: raw.budget_status,
        on_abort: raw.on_abort,
    })
}

fn runaway(runaway: Runaway) -> Result<Runaway, ConfigError> {
    if runaway.repeats.is_some_and(|repeats| repeats.get() > MOST_REPEATS) {
        return Err(wrong(format!("runaway.repeats must be at most {MOST_REPEATS}")));
    }
    if runaway.spend_per_minute.is_some_and(|limit| limit <= NanoUsd::ZERO) {
        return Err(wrong(
            "runaway.spend_per_minute is more than nothing: stop an agent with `iron stop`",
        ));
    }
    Ok(runaway)
}

/// More attempts than this help nobody: what is down so long is for the breaker.
const MOST_ATTEMPTS: u32 = 10;

fn retry(retry: Retry) -> Result<Retry, ConfigError> {
    if retry.attempts > MOST_ATTEMPTS {
        return Err(wrong(format!("retry.attempts must be at most {MOST_ATTEMPTS}")));
    }
    match retry.statuses.iter().find(|status| !(400..600).contains(*status)) {
        Some(status) => Err(wrong(format!(
            "retry.statuses names {status}, which is no status of an error: use 400 to 599"
        ))),
        None => Ok(retry),
    }
}

fn agents(raw: Vec<raw::Agent>) -> Result<Vec<Agent>, ConfigError> {
    let mut names = HashSet::new();
    raw.into_iter()
        .map(|agent| {
            if !names.insert(agent.name.clone()) {
                return Err(wrong(format!("two [[agent]] entries are named `{}`", agent.name)));
            }
            Ok(Agent {
                name: agent.name,
                project: agent.project,
                limits: agent.limits,
                runaway: agent.runaway.map(runaway).transpose()?,
            })
        })
        .collect()
}

fn upstreams(
    mut raw: Vec<raw::Upstream>,
    common: &breaker::Settings,
    websocket: WebSockets,
) -> Result<Vec<Arc<Upstream>>, ConfigError> {
    if raw.is_empty() {
        raw = builtin().map_err(|error| wrong(error.to_string()))?;
    }
    let mut names = HashSet::new();
    raw.into_iter()
        .map(|upstream| {
            let name = &upstream.name;
            if RESERVED.contains(&name.as_str()) {
                return Err(wrong(format!(
                    "the upstream name `{name}` is reserved: choose another"
                )));
            }
            if !names.insert(name.clone()) {
                return Err(wrong(format!("two upstreams are named `{name}`: names must differ")));
            }
            let (dialect, platform) = spoken(name, upstream.dialect, upstream.platform)?;
            let base_url = base_url(name, &upstream.base_url)?;
            let hosts = connect::places(name, &base_url, upstream.hosts)?;
            Ok(Arc::new(Upstream {
                dialect,
                platform,
                models: upstream.models,
                base_url,
                hosts,
                api_key_env: upstream.api_key_env,
                vendor: upstream.vendor,
                connect_timeout: upstream.connect_timeout,
                answer_timeout: upstream.answer_timeout,
                idle_timeout: upstream.idle_timeout,
                include_usage: upstream.include_usage,
                websocket: upstream.websocket.unwrap_or(websocket),
                breaker: upstream.breaker.unwrap_or_else(|| common.clone()),
                limits: upstream.limits,
                name: upstream.name,
            }))
        })
        .collect()
}

/// What an upstream speaks: a platform says it itself, and a dialect that only one platform has
/// says which.
fn spoken(
    name: &Name,
    dialect: Option<Dialect>,
    platform: Option<Platform>,
) -> Result<(Dialect, Option<Platform>), ConfigError> {
    let platform = match (dialect, platform) {
        (Some(Dialect::Bedrock), None) => Some(Platform::Bedrock),
        (_, platform) => platform,
    };
    match (dialect, platform) {
        (Some(dialect), Some(platform)) if dialect != platform.dialect() => Err(wrong(format!(
            "upstream `{name}` is on the platform `{}`, which speaks `{}`: leave its dialect out",
            platform.name(),
            platform.dialect().name()
        ))),
        (_, Some(platform)) => Ok((platform.dialect(), Some(platform))),
        (Some(dialect), None) => Ok((dialect, None)),
        (None, None) => Err(wrong(format!(
            "upstream `{name}` needs a dialect (`openai`, `anthropic`, `gemini`) or a platform \
             (`azure`, `bedrock`, `vertex`)"
        ))),
    }
}

/// OpenAI, Anthropic and Google, for a file that names no upstream: name, dialect, address, variable.
const BUILTIN: [(&str, Dialect, &str, &str); 3] = [
    ("openai", Dialect::OpenAi, "https://api.openai.com", "OPENAI_API_KEY"),
    ("anthropic", Dialect::Anthropic, "https://api.anthropic.com", "ANTHROPIC_API_KEY"),
    ("gemini", Dialect::Gemini, "https://generativelanguage.googleapis.com", "GEMINI_API_KEY"),
];

fn builtin() -> Result<Vec<raw::Upstream>, NameError> {
    let made = |(name, dialect, address, variable): (&str, _, _, _)| {
        Ok(raw::Upstream::builtin(name.parse::<Name>()?, dialect, address, variable))
    };
    BUILTIN.into_iter().map(made).collect()
}

/// The address of an upstream that is there without a file, by its name.
pub fn builtin_address(name: &str) -> Option<&'static str> {
    BUILTIN.iter().find(|(builtin, ..)| *builtin == name).map(|(_, _, address, _)| *address)
}

/// The address of an upstream in the one spelling that addresses are compared in: as
/// [`Upstream::base_url`] holds it. An error where it cannot be one.
pub fn address(name: &Name, url: &str) -> Result<String, ConfigError> {
    base_url(name, url)
}

/// Checks `scheme://host[:port][/path]` and takes a trailing slash off.
fn base_url(name: &Name, url: &str) -> Result<String, ConfigError> {
    let error = |what: &str| wrong(format!("the base_url of upstream `{name}` {what}"));
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
        .ok_or_else(|| error("must start with https:// or http://"))?;
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.is_empty() || authority.starts_with(':') {
        return Err(error("names no host"));
    }
    if authority.contains('@') {
        return Err(error("must not hold credentials: put the key into api_key_env's variable"));
    }
    if url.contains(['?', '#']) || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(error("must be a plain address without a query"));
    }
    Ok(url.trim_end_matches('/').to_owned())
}
