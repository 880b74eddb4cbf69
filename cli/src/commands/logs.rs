//! `iron logs`: calls as they ended.

use std::collections::HashSet;
use std::time::Duration;

use iron_policy::types::CallId;
use iron_proxy::state::{CallRow, Filter, Store};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use super::Failure;
use crate::args::{Files, Output};
use crate::files::{self, Config};
use crate::output::{harmless, say};

/// How often a followed file is read again.
const INTERVAL: Duration = Duration::from_millis(300);
/// Calls are recorded when they end but numbered when they begin: of those that began within the
/// latest so many, none that ends late is missed.
const LATE: usize = 1_000;

/// Shows the latest calls, and with `follow` those that come.
pub(super) async fn logs(
    files: &Files,
    output: Output,
    follow: bool,
    lines: usize,
    filter: &Filter,
) -> Result<(), Failure> {
    let policy = Config::read(files)?.policy;
    let path = files::state_to_read(files, &policy).await?;
    let store = Store::open(&path).map_err(anyhow::Error::from)?;
    let read = |limit| store.latest(limit, filter).map_err(anyhow::Error::from);
    let shown = read(lines)?;
    if shown.is_empty() && !follow {
        say("No calls yet. Point an agent at the proxy: `iron up` says how.");
    }
    if output == Output::Table && (follow || !shown.is_empty()) {
        say(&heading());
    }
    for call in &shown {
        say(&line(call, output, &policy.time_zone));
    }
    if !follow {
        return Ok(());
    }
    let mut seen: HashSet<CallId> = read(LATE)?.iter().map(|call| call.id).collect();
    loop {
        tokio::time::sleep(INTERVAL).await;
        let latest = read(LATE)?;
        for call in latest.iter().filter(|call| !seen.contains(&call.id)) {
            say(&line(call, output, &policy.time_zone));
        }
        seen = latest.iter().map(|call| call.id).collect();
    }
}

fn heading() -> String {
    format!(
        "{:<23} {:<18} {:<12} {:<24} {:>6} {:<28} {:>13} {:>7}  {}",
        "time", "call", "agent", "model", "status", "outcome", "spent", "ms", "findings"
    )
}

fn line(call: &CallRow, output: Output, zone: &TimeZone) -> String {
    if output == Output::Json {
        return object(call).to_string();
    }
    let time = Timestamp::from_millisecond(call.id.unix_ms())
        .map(|time| time.to_zoned_datetime(zone.clone()).strftime("%F %T%.3f").to_string())
        .unwrap_or_default();
    let steps = call.timeline.as_object().into_iter().flatten();
    let micros: u64 = steps.filter_map(|(_, micros)| micros.as_u64()).sum();
    let listed = |findings: &serde_json::Value, place: &str| -> Vec<String> {
        let kinds = findings.as_object().into_iter().flatten();
        kinds.map(|(kind, count)| format!("{kind} x{count}{place}")).collect()
    };
    let findings =
        [listed(&call.findings, ""), listed(&call.answer_findings, " in the answer")].concat();
    let with = call.token.iter().map(|token| format!("with {token}"));
    let findings: Vec<_> = findings.into_iter().chain(with).collect();
    let outcome = if call.outcome == "refused" || call.outcome == "failed" {
        format!("{}: {}", call.outcome, call.reason)
    } else {
        call.outcome.clone()
    };
    format!(
        "{time:<23} {:<18} {:<12} {:<24} {:>6} {outcome:<28} {:>13} {:>7}  {}",
        call.id,
        dash(&call.agent),
        harmless(dash(&call.model), &[]),
        if call.status == 0 { "-".to_owned() } else { call.status.to_string() },
        format!("{}{}", if call.estimated { "~" } else { "" }, call.posted),
        micros / 1_000,
        findings.join(", "),
    )
}

fn dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn object(call: &CallRow) -> serde_json::Value {
    json!({
        "id": call.id.to_string(),
        "time": Timestamp::from_millisecond(call.id.unix_ms()).map(|at| at.to_string()).ok(),
        "agent": call.agent,
        "project": call.project,
        "token": call.token,
        "run": call.run,
        "depth": call.depth,
        "model": call.model,
        "upstream": call.upstream,
        "endpoint": call.endpoint,
        "stream": call.stream,
        "status": call.status,
        "outcome": call.outcome,
        "reason": call.reason,
        "reserved_nano_usd": call.reserved.0,
        "nano_usd": call.posted.0,
        "estimated": call.estimated,
        "usage": call.usage,
        "cost_pico_usd": call.cost,
        "findings": call.findings,
        "answer_findings": call.answer_findings,
        "timeline": call.timeline,
    })
}
