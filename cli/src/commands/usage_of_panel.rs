//! `iron usage --panel`: what all proxies of a panel spent.

use anyhow::anyhow;
use jiff::Timestamp;
use serde_json::Value;

use super::Failure;
use crate::args::{At, By, Output};
use crate::console::{connect, money, segment, text};
use crate::output::{say, say_json, table};

/// Which calls are meant, in Unix milliseconds.
pub(super) struct Range {
    pub(super) since_ms: Option<i64>,
    pub(super) until_ms: Option<i64>,
    pub(super) agent: Option<String>,
    pub(super) run: Option<String>,
}

/// Shows the total and one breakdown.
pub(super) async fn usage(at: &At, range: &Range, by: By) -> Result<(), Failure> {
    if range.run.is_some() {
        return Err(Failure::Usage(anyhow!(
            "a panel's sums are not kept by run: leave --run or --panel out"
        )));
    }
    let mut path = format!(
        "/api/v1/usage?metric=spend&top=20&{}",
        match by {
            By::Agent => "group=agent",
            By::Model => "group=model",
            By::Upstream => "group=upstream",
            By::Day => "group=none&rollup=day",
        }
    );
    for (name, moment) in [("from", range.since_ms), ("to", range.until_ms)] {
        let moment = moment.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        if let Some(moment) = moment {
            path = format!("{path}&{name}={}", segment(&moment.to_string()));
        }
    }
    if let Some(agent) = &range.agent {
        path = format!("{path}&agent={}", segment(agent));
    }
    let usage = connect(at).await?.get(&path).await?;
    match at.output {
        Output::Json => say_json(&usage),
        Output::Table => print(&usage, by),
    }
    Ok(())
}

fn print(usage: &Value, by: By) {
    let all = &usage["all"]["total"];
    say(&format!(
        "{} spent on {} calls ({} of it estimated), {} refused; from {} to {}, days in {}\n",
        money(&all["spent"]),
        all["calls"],
        money(&all["estimated"]),
        all["refused"],
        text(&usage["from"]),
        text(&usage["to"]),
        text(&usage["zone"])
    ));
    if by == By::Day {
        let steps = usage["steps"].as_array().into_iter().flatten();
        let values = usage["all"]["values"].as_array().into_iter().flatten();
        let rows = steps.zip(values).map(|(step, value)| {
            let nano = value.as_i64().unwrap_or_default();
            vec![text(step), iron_policy::types::NanoUsd(nano).to_string()]
        });
        return say(&table(&["day", ">spent"], rows));
    }
    let heading = match by {
        By::Model => "model",
        By::Upstream => "upstream",
        _ => "agent",
    };
    let named = usage["top"].as_array().into_iter().flatten().map(|line| (line, "-"));
    let rest = usage["rest"].is_object().then_some((&usage["rest"], "(all others)"));
    let rows = named.chain(rest).map(|(line, nameless)| {
        let (name, total) = (text(&line["name"]), &line["total"]);
        vec![
            if name.is_empty() { nameless.to_owned() } else { name },
            text(&total["calls"]),
            text(&total["input_tokens"]),
            text(&total["output_tokens"]),
            money(&total["spent"]),
        ]
    });
    say(&table(&[heading, ">calls", ">input tokens", ">output tokens", ">spent"], rows));
}
