//! What a run did, for people: a few lines on standard error, exact to the nano-USD.

use std::fmt::Write as _;
use std::time::Duration;

use iron_policy::types::NanoUsd;
use serde_json::{Value, json};

/// What the launcher knows besides the proxy's figures.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The program, by a short name.
    pub program: &'a str,
    /// How long it ran.
    pub took: Duration,
    /// Its exit code.
    pub exit: u8,
    /// Whether the money is not real.
    pub simulated: bool,
}

/// The receipt as one JSON object: the proxy's figures and what the launcher knows.
pub fn object(figures: &Value, told: &Told<'_>) -> Value {
    let mut all = figures.clone();
    all["program"] = json!(told.program);
    all["seconds"] = json!((told.took.as_secs_f64() * 1_000.0).round() / 1_000.0);
    all["exit_code"] = json!(told.exit);
    all["simulated"] = json!(told.simulated);
    all
}

/// The receipt as lines.
pub fn lines(figures: &Value, told: &Told<'_>) -> String {
    let number = |value: &Value| value.as_i64().unwrap_or_default();
    let mut text = String::new();
    let mut line = |label: &str, what: String| {
        let _ = writeln!(text, "  {label:<10} {what}");
    };
    let spent = NanoUsd(number(&figures["nano_usd"]));
    let mut spend = spent.to_string();
    if let Some(budget) = figures["budget"].as_object() {
        let (limit, left) = (number(&budget["limit_nano_usd"]), number(&budget["left_nano_usd"]));
        let _ = write!(spend, " of {}, {} left", NanoUsd(limit), NanoUsd(left));
    }
    let estimated = number(&figures["estimated_nano_usd"]);
    if estimated > 0 {
        let _ = write!(spend, " ({} of it estimated)", NanoUsd(estimated));
    }
    let reserved = number(&figures["reserved_nano_usd"]);
    if reserved > 0 {
        let _ = write!(spend, "; {} held for calls that are open", NanoUsd(reserved));
    }
    if told.simulated {
        spend.push_str("; simulated, not real money");
    }
    line("spent", spend);
    let outcomes = listed(&figures["outcomes"]);
    let calls = number(&figures["calls"]);
    line("requests", if calls == 0 { "none".to_owned() } else { format!("{calls} ({outcomes})") });
    let (input, output) = (number(&figures["input_tokens"]), number(&figures["output_tokens"]));
    if input + output > 0 {
        let cached = number(&figures["cached_tokens"]) * 100 / input.max(1);
        line("tokens", format!("{input} in ({cached}% from a cache), {output} out"));
    }
    for (label, key) in [
        ("redacted", "findings"),
        ("in answers", "answer_findings"),
        ("refused", "refused"),
        ("others", "other_hosts"),
        ("tunnels", "tunnels"),
    ] {
        if figures[key].as_object().is_some_and(|counts| !counts.is_empty()) {
            line(label, listed(&figures[key]));
        }
    }
    let denials = figures["denials"].as_object().into_iter().flatten();
    let denied: i64 = denials.map(|(_, count)| number(count)).sum();
    if denied > 0 {
        line("sandbox", format!("refused {denied} ({})", listed(&figures["denials"])));
    }
    let served = figures["upstreams"].as_object().into_iter().flatten().map(|(name, served)| {
        format!("{name} {} ({})", number(&served["calls"]), NanoUsd(number(&served["nano_usd"])))
    });
    let served: Vec<String> = served.collect();
    if !served.is_empty() {
        line("upstreams", served.join(", "));
    }
    if let Some(micros) = figures["overhead_micros"]["p95"].as_u64() {
        line(
            "overhead",
            format!("{}.{:03} ms before a call left (p95)", micros / 1_000, micros % 1_000),
        );
    }
    let name = figures["id"].as_str().unwrap_or_default();
    let agent = figures["agent"].as_str().unwrap_or_default();
    let seconds = told.took.as_secs_f64();
    format!(
        "iron: {} as agent {agent}, run {name}, {seconds:.1} s, exit {}\n{text}",
        told.program, told.exit
    )
}

/// `EMAIL 2, IBAN 1`
fn listed(counts: &Value) -> String {
    let counts = counts.as_object().into_iter().flatten();
    let words: Vec<String> = counts.map(|(name, count)| format!("{name} {count}")).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_exact_and_says_only_what_there_was() {
        let figures = json!({
            "id": "run-1", "agent": "claude", "calls": 4, "outcomes": {"ok": 3, "refused": 1},
            "nano_usd": 1_234_567, "estimated_nano_usd": 0, "reserved_nano_usd": 0,
            "budget": {"limit_nano_usd": 5_000_000_000_i64, "left_nano_usd": 4_998_765_433_i64},
            "input_tokens": 1000, "cached_tokens": 900, "output_tokens": 20,
            "findings": {"EMAIL": 2}, "answer_findings": {}, "refused": {"budget_exhausted": 1},
            "upstreams": {"anthropic": {"calls": 3, "nano_usd": 1_234_567}}, "tunnels": {},
            "denials": {"connect": 2, "read": 1},
            "overhead_micros": {"p50": 300, "p95": 1207, "max": 1300},
        });
        let told = Told {
            program: "claude",
            took: Duration::from_millis(1_240),
            exit: 0,
            simulated: true,
        };
        insta::assert_snapshot!(lines(&figures, &told), @r"
        iron: claude as agent claude, run run-1, 1.2 s, exit 0
          spent      $0.001234567 of $5.00, $4.998765433 left; simulated, not real money
          requests   4 (ok 3, refused 1)
          tokens     1000 in (90% from a cache), 20 out
          redacted   EMAIL 2
          refused    budget_exhausted 1
          sandbox    refused 3 (connect 2, read 1)
          upstreams  anthropic 3 ($0.001234567)
          overhead   1.207 ms before a call left (p95)
        ");
        let nothing = json!({"id": "run-2", "agent": "x", "calls": 0});
        let told = Told { simulated: false, exit: 3, ..told };
        insta::assert_snapshot!(lines(&nothing, &told), @r"
        iron: claude as agent x, run run-2, 1.2 s, exit 3
          spent      $0.00
          requests   none
        ");
    }
}
