//! `iron policy replay`: what another policy would have done with calls that were recorded.
//!
//! The calls are those of this machine's state file, or of a panel. What is counted, and what cannot
//! be said, is [`iron_policy::replay`]'s.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, anyhow};
use iron_policy::config::Policy;
use iron_policy::control::{CallRecord, FindingCount};
use iron_policy::replay::{Found, Replay, Report, Share};
use iron_policy::types::{CallId, NanoUsd};
use iron_proxy::state::{CallRow, Store};
use serde_json::{Value, json};

use super::Failure;
use crate::args::{At, Output};
use crate::console::connect;
use crate::files::{self, Config};
use crate::output::{say, say_json, table};

/// Calls that are read together.
const BATCH: usize = 1000;
/// The longest time that is looked back, in seconds.
const LONGEST_S: i64 = 366 * 86_400;

/// Replays recorded calls through a policy, and prints what came of it.
pub(super) async fn replay(policy: &Path, since: &str, at: &At) -> Result<(), Failure> {
    let text = std::fs::read_to_string(policy)
        .with_context(|| format!("{} cannot be read", policy.display()))
        .map_err(Failure::Config)?;
    let seconds = seconds(since)?;
    let report = if at.panel.is_some() {
        let body = json!({"toml": text, "since_s": seconds});
        let answer = connect(at).await?.post("/api/v1/policies/replay", &body).await?;
        serde_json::from_value(answer).context("the panel's answer cannot be read")?
    } else {
        let new = Policy::parse(&text)
            .map_err(|error| Failure::Config(anyhow!("{}: {error}", policy.display())))?;
        let before = Config::read(&at.files)?.policy;
        let path = files::state_to_read(&at.files, &before).await?;
        let now = jiff::Timestamp::now().as_millisecond();
        of_state(&path, &new, &before, now - seconds * 1000)?
    };
    match at.output {
        Output::Json => say_json(&serde_json::to_value(&report).unwrap_or_default()),
        Output::Table => print(&report, since),
    }
    Ok(())
}

fn seconds(since: &str) -> Result<i64, Failure> {
    let wrong = || {
        Failure::Usage(anyhow!(
            "--since: `{since}` is no time: write `24h` or `7d`, 366 days at most"
        ))
    };
    let span: jiff::Span = since.parse().map_err(|_| wrong())?;
    let days = jiff::SpanRelativeTo::days_are_24_hours();
    let seconds = span.total((jiff::Unit::Second, days)).map_err(|_| wrong())? as i64;
    if (1..=LONGEST_S).contains(&seconds) { Ok(seconds) } else { Err(wrong()) }
}

fn of_state(path: &Path, new: &Policy, before: &Policy, since: i64) -> Result<Report, Failure> {
    let store = Store::open(path).map_err(anyhow::Error::from)?;
    let mut replay = Replay::new(new, Some(before), since)
        .map_err(|error| Failure::Config(anyhow!("{error}")))?;
    let mut after = CallId(CallId::first_at(replay.begin_ms().max(0)).0 - 1);
    loop {
        let calls = store.calls(Some(after), BATCH).map_err(anyhow::Error::from)?;
        let Some(last) = calls.last() else { return Ok(replay.report()) };
        after = last.id;
        for call in &calls {
            replay.take(&record(call));
        }
    }
}

/// A row as a record: what is written down of it.
fn record(row: &CallRow) -> CallRecord {
    CallRecord {
        id: row.id.0,
        agent: Some(row.agent.clone()),
        project: row.project.clone(),
        token: row.token.clone(),
        run: row.run.clone(),
        model: row.model.clone(),
        upstream: Some(row.upstream.clone()).filter(|upstream| !upstream.is_empty()),
        endpoint: row.endpoint.clone(),
        stream: row.stream,
        status: row.status,
        outcome: row.outcome.clone(),
        reason: row.reason.clone(),
        reserved: row.reserved.0,
        posted: row.posted.0,
        estimated: row.estimated,
        usage: counts(&row.usage).collect(),
        findings: counts(&row.findings)
            .chain(counts(&row.answer_findings).map(|(kind, n)| (format!("answer/{kind}"), n)))
            .map(|(kind, n)| FindingCount { kind, count: u32::try_from(n).unwrap_or(u32::MAX) })
            .collect(),
        ..CallRecord::default()
    }
}

fn counts(value: &Value) -> impl Iterator<Item = (String, u64)> + '_ {
    let members = value.as_object().into_iter().flatten();
    members.filter_map(|(name, count)| Some((name.clone(), count.as_u64()?)))
}

fn print(report: &Report, since: &str) {
    let money = |nano: i64| NanoUsd(nano).to_string();
    say(&format!("{} calls of the last {since}, charged {}\n", report.calls, money(report.posted)));
    let refused: u64 = report.refused.values().map(|share| share.calls).sum();
    say(&format!("  would have been refused   {refused}"));
    say(&format!("  would have been charged   {}", money(report.would_post)));
    if report.repriced > 0 {
        say(&format!("  at other prices           {}", report.repriced));
    }
    say(&format!(
        "  refused then              {} (again {}, let through {})",
        report.refused_again + report.let_through,
        report.refused_again,
        report.let_through
    ));
    shares("refused", &report.refused);
    shares("shortened to what is left", &report.shortened);
    shares("would go elsewhere", &report.rerouted);
    findings("redacted", &report.redacted);
    findings("reported, and sent as it is", &report.detected);
    findings("found then, and not looked for any more", &report.not_looked_for);
    say("\nWhat the records cannot say:");
    for words in &report.unknown {
        say(&format!("  - {words}"));
    }
}

fn shares(what: &str, all: &BTreeMap<String, Share>) {
    if !all.is_empty() {
        say("");
        let rows = all.iter().map(|(name, share)| {
            vec![name.clone(), share.calls.to_string(), NanoUsd(share.posted).to_string()]
        });
        say(&table(&[what, ">calls", ">charged"], rows));
    }
}

fn findings(what: &str, all: &BTreeMap<String, Found>) {
    if !all.is_empty() {
        say("");
        let rows = all.iter().map(|(kind, found)| {
            vec![kind.clone(), found.calls.to_string(), found.found.to_string()]
        });
        say(&table(&[what, ">calls", ">found"], rows));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_people_write_it() {
        assert_eq!(seconds("24h").unwrap(), 86_400);
        assert_eq!(seconds("7d").unwrap(), 7 * 86_400);
        for text in ["", "soon", "0s", "-1h", "400d", "1 month"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
