//! `iron policy`: what the configuration says, and what models cost.

use anyhow::anyhow;
use iron_policy::config::{Limits, Place, Policy, Secret, SecretSource};
use iron_policy::connect::OtherHosts;
use iron_policy::price::{ModelPrice, PriceList};
use iron_policy::redact::Modes;
use iron_policy::types::{CLASSES, NanoUsd, TokenClass};
use serde_json::{Value, json};

use super::Failure;
use crate::args::{Files, Output};
use crate::files::Config;
use crate::output::{say, say_json, table};

/// Checks a configuration and prints what it comes to.
pub(super) fn check(files: &Files, output: Output) -> Result<(), Failure> {
    let config = Config::read(files)?;
    prices_of(&config)?;
    let policy = &config.policy;
    let source = config
        .path
        .as_ref()
        .map_or_else(|| "the defaults".to_owned(), |path| path.display().to_string());
    let upstreams: Vec<Value> = policy
        .upstreams
        .iter()
        .map(|upstream| {
            let key = upstream.api_key_env.as_deref().map(variable);
            json!({
                "name": upstream.name.as_str(),
                "dialect": upstream.dialect.name(),
                "base_url": upstream.base_url,
                "hosts": upstream.hosts.iter().map(place).collect::<Vec<_>>().join(", "),
                "key": key,
            })
        })
        .collect();
    let budgets: Vec<Value> = policy
        .budgets
        .iter()
        .map(|budget| {
            json!({
                "scope": budget.scope.to_string(),
                "window": budget.window.name(),
                "limit": budget.limit.to_string(),
            })
        })
        .collect();
    let names = policy.redact.kinds();
    let kinds = |modes: &Modes| -> serde_json::Map<String, Value> {
        names.iter().map(|kind| (kind.name().to_owned(), json!(modes.of(*kind)))).collect()
    };
    let checked = json!({
        "source": source,
        "time_zone": policy.time_zone.iana_name(),
        "proxy": {
            "listen": policy.proxy.listen.to_string(),
            "passthrough": policy.proxy.passthrough,
            "max_body_mib": policy.proxy.max_body >> 20,
        },
        "upstreams": upstreams,
        "connect": connect(policy),
        "secrets": secrets(policy),
        "budgets": budgets,
        "redact": kinds(&policy.redact.modes),
        "redact_answers": kinds(&policy.redact.answers),
        "placeholder_secret": policy.redact.secret.as_ref().map(kept),
        "limits": limits(&policy.limits),
    });
    match output {
        Output::Json => say_json(&checked),
        Output::Table => {
            say(&format!("The configuration holds together: {source}\n"));
            print(&checked, 0);
        }
    }
    Ok(())
}

/// Where clients believe an upstream to be.
fn place(place: &Place) -> String {
    format!("{}:{}{}", place.host, place.port, place.base_path)
}

/// What agents reach through the proxy besides the upstreams.
fn connect(policy: &Policy) -> Value {
    let connect = &policy.connect;
    let listed = |patterns: Vec<String>| (!patterns.is_empty()).then(|| patterns.join(", "));
    let under = |rule| listed(connect.rules.under(rule).map(ToString::to_string).collect());
    json!({
        "other_hosts": connect.rules.others().name(),
        "deny": under(OtherHosts::Deny),
        "tunnel": under(OtherHosts::Tunnel),
        "intercept": under(OtherHosts::Intercept),
        "private": listed(connect.private.iter().map(ToString::to_string).collect()),
        "ports": listed(connect.ports.iter().map(ToString::to_string).collect()),
    })
}

/// Where the values of secrets come from, never what they are.
fn secrets(policy: &Policy) -> Vec<Value> {
    let hosts = |secret: &Secret| {
        secret.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    policy
        .secrets
        .iter()
        .map(|secret| {
            json!({
                "name": secret.name.as_str(),
                "value": kept(&secret.source),
                "hosts": hosts(secret),
            })
        })
        .collect()
}

/// A variable's name and whether it is set, never its value.
fn variable(name: &str) -> String {
    let set = std::env::var(name).is_ok_and(|value| !value.is_empty());
    format!("{name} ({})", if set { "set" } else { "not set" })
}

fn kept(secret: &SecretSource) -> String {
    match secret {
        SecretSource::Variable(name) => variable(name),
        SecretSource::File(path) => path.display().to_string(),
    }
}

fn limits(limits: &Limits) -> Value {
    json!({
        "requests_per_minute": limits.requests_per_minute,
        "tokens_per_minute": limits.tokens_per_minute,
        "parallel": limits.parallel,
    })
}

/// Nested values as indented lines; what is not set is left out.
fn print(value: &Value, depth: usize) {
    let pad = "  ".repeat(depth);
    for (name, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::Object(members) if members.values().all(Value::is_null) => {}
            // Eighty kinds that are treated alike are one line.
            Value::Object(members)
                if members.len() > 8 && members.values().all(|mode| mode == "off") =>
            {
                say(&format!("{pad}{name}  off"));
            }
            Value::Object(_) => {
                say(&format!("{pad}{name}"));
                print(value, depth + 1);
            }
            Value::Array(items) => {
                for item in items {
                    let parts: Vec<&str> = item
                        .as_object()
                        .into_iter()
                        .flatten()
                        .filter_map(|(_, v)| v.as_str())
                        .collect();
                    say(&format!("{pad}{name}  {}", parts.join("  ")));
                }
            }
            Value::String(text) => say(&format!("{pad}{name}  {text}")),
            other => say(&format!("{pad}{name}  {other}")),
        }
    }
}

/// Looks models up in the prices that are in force.
pub(super) fn prices(query: Option<&str>, files: &Files, output: Output) -> Result<(), Failure> {
    let list = prices_of(&Config::read(files)?)?;
    let found = list.search(query.unwrap_or_default());
    if output == Output::Json {
        say_json(&json!({
            "date": list.date(),
            "models": found.iter().map(|price| object(price)).collect::<Vec<_>>(),
        }));
        return Ok(());
    }
    if found.is_empty() {
        let query = query.unwrap_or_default();
        return Err(Failure::Other(anyhow!(
            "no model's name contains `{query}`: add a [[price]] to iron.toml to use such a model"
        )));
    }
    say(&format!("Prices of {}, in US dollars per million tokens\n", list.date()));
    let shown =
        [TokenClass::Input, TokenClass::CacheRead, TokenClass::CacheWrite, TokenClass::Output];
    let rows = found.iter().map(|price| {
        let mut row = vec![price.vendor().to_owned(), price.model().to_owned()];
        row.extend(shown.iter().map(|class| per_million(price, *class).unwrap_or_default()));
        row.push(price.max_output().map(|tokens| tokens.to_string()).unwrap_or_default());
        row
    });
    say(&table(
        &["vendor", "model", ">input", ">cache read", ">cache write", ">output", ">longest answer"],
        rows,
    ));
    Ok(())
}

fn prices_of(config: &Config) -> Result<PriceList, Failure> {
    PriceList::builtin()
        .with_overrides(config.policy.prices.clone())
        .map_err(|error| Failure::Config(anyhow!("{error}")))
}

/// As the providers write it. A pico-USD per token is a micro-USD per million.
fn per_million(price: &ModelPrice, class: TokenClass) -> Option<String> {
    let pico = price.list_price(class)?.0;
    Some(NanoUsd(i64::try_from(pico).unwrap_or(i64::MAX).saturating_mul(1_000)).to_string())
}

fn object(price: &ModelPrice) -> Value {
    let classes: serde_json::Map<String, Value> = CLASSES
        .iter()
        .filter_map(|class| {
            let pico = price.list_price(*class)?.0;
            Some((class.name().to_owned(), json!(i64::try_from(pico).ok()?)))
        })
        .collect();
    json!({
        "vendor": price.vendor(),
        "model": price.model(),
        "pico_usd": classes,
        "dearer_above_input_tokens": price.thresholds(),
        "context_window": price.context_window(),
        "max_output": price.max_output(),
    })
}
