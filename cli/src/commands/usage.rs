//! `iron usage`: what was spent, and on what.

use anyhow::anyhow;
use iron_policy::config::Policy;
use iron_proxy::state::{Filter, Group, GroupBy, Store, Totals};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{Failure, usage_of_panel};
use crate::args::{By, Files, Output};
use crate::files::{self, Config};
use crate::output::{say, say_json, table};

/// Which calls are meant.
pub(super) struct Range {
    pub(super) since: Option<String>,
    pub(super) until: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) run: Option<String>,
}

/// Shows the total and its breakdowns.
pub(super) async fn usage(
    files: &Files,
    output: Output,
    range: &Range,
    by: By,
) -> Result<(), Failure> {
    let policy = Config::read(files)?.policy;
    let filter = range.filter(&policy)?;
    let path = files::state_to_read(files, &policy).await?;
    let report = Report::read(&path, &policy, &filter).map_err(anyhow::Error::from)?;
    match output {
        Output::Json => say_json(&report.json(range)),
        Output::Table => report.print(by),
    }
    Ok(())
}

impl Range {
    /// The same for a panel: days begin where the configuration says.
    pub(super) fn of_panel(self, files: &Files) -> Result<usage_of_panel::Range, Failure> {
        let Filter { since_ms, until_ms, .. } = self.filter(&Config::read(files)?.policy)?;
        Ok(usage_of_panel::Range { since_ms, until_ms, agent: self.agent, run: self.run })
    }

    fn filter(&self, policy: &Policy) -> Result<Filter, Failure> {
        let zone = &policy.time_zone;
        let since = self.since.as_deref().map(|day| midnight(day, zone, 0)).transpose()?;
        let until = self.until.as_deref().map(|day| midnight(day, zone, 1)).transpose()?;
        Ok(Filter {
            since_ms: since,
            until_ms: until,
            agent: self.agent.clone(),
            run: self.run.clone(),
        })
    }
}

/// The beginning of a day, or of the one so many days later.
fn midnight(day: &str, zone: &TimeZone, later: i64) -> Result<i64, Failure> {
    let date = day.parse::<Date>().ok();
    let date = date.and_then(|date| date.checked_add(jiff::Span::new().days(later)).ok());
    let start = date.and_then(|date| date.to_zoned_datetime(zone.clone()).ok());
    start
        .map(|start| start.timestamp().as_millisecond())
        .ok_or_else(|| Failure::Usage(anyhow!("`{day}` is not a day: write it as 2026-11-23")))
}

struct Report {
    total: Totals,
    agents: Vec<Group>,
    models: Vec<Group>,
    upstreams: Vec<Group>,
    days: Vec<Group>,
    zone: String,
}

impl Report {
    fn read(
        path: &std::path::Path,
        policy: &Policy,
        filter: &Filter,
    ) -> Result<Self, iron_proxy::state::StoreError> {
        let store = Store::open(path)?;
        Ok(Self {
            total: store.totals_of(filter)?,
            agents: store.grouped(GroupBy::Agent, filter)?,
            models: store.grouped(GroupBy::Model, filter)?,
            upstreams: store.grouped(GroupBy::Upstream, filter)?,
            days: store.by_day(&policy.time_zone, filter)?,
            zone: policy.time_zone.iana_name().unwrap_or("UTC").to_owned(),
        })
    }

    fn json(&self, range: &Range) -> Value {
        let groups = |name: &str, groups: &[Group]| -> Value {
            let rows = groups.iter().map(|group| {
                let mut row = sums(&group.totals);
                row[name] = json!(group.key);
                row
            });
            rows.collect()
        };
        let mut total = sums(&self.total);
        total["reserved_nano_usd"] = json!(self.total.pending.0);
        json!({
            "since": range.since,
            "until": range.until,
            "time_zone": self.zone,
            "total": total,
            "by_agent": groups("agent", &self.agents),
            "by_model": groups("model", &self.models),
            "by_upstream": groups("upstream", &self.upstreams),
            "by_day": groups("day", &self.days),
        })
    }

    fn print(&self, by: By) {
        let (heading, groups) = match by {
            By::Agent => ("agent", &self.agents),
            By::Model => ("model", &self.models),
            By::Upstream => ("upstream", &self.upstreams),
            By::Day => ("day", &self.days),
        };
        let Totals { calls, posted, estimated, pending, .. } = self.total;
        if calls == 0 && pending.0 == 0 {
            say("No calls yet. Point an agent at the proxy: `iron up` says how.");
            return;
        }
        say(&format!(
            "{posted} spent on {calls} calls ({estimated} of it estimated), {pending} reserved; days in {}\n",
            self.zone
        ));
        let rows = groups.iter().map(|group| {
            let totals = &group.totals;
            vec![
                if group.key.is_empty() { "-".to_owned() } else { group.key.clone() },
                totals.calls.to_string(),
                totals.input_tokens.to_string(),
                totals.output_tokens.to_string(),
                totals.posted.to_string(),
            ]
        });
        say(&table(&[heading, ">calls", ">input tokens", ">output tokens", ">spent"], rows));
    }
}

fn sums(totals: &Totals) -> Value {
    json!({
        "calls": totals.calls,
        "nano_usd": totals.posted.0,
        "usd": totals.posted.to_string(),
        "estimated_nano_usd": totals.estimated.0,
        "input_tokens": totals.input_tokens,
        "output_tokens": totals.output_tokens,
    })
}
