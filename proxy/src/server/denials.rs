//! `POST /_iron/control/runs/ID/denials`: what a run's sandbox refused, and limits that were reached.
//!
//! The body is a list of events as `iron-sandbox exec --report json` writes them; those of other
//! kinds are passed over. What an agent controls of them — paths, addresses, a program's name — is
//! shortened and rid of what terminals obey. They are kept with the run, told to the panel, and never
//! decide anything.

use std::sync::Arc;

use http::{Response, StatusCode};
use iron_policy::control::Denied;
use iron_policy::types::Name;
use serde::Deserialize;
use serde_json::json;

use super::control::bad;
use super::own::{answer_json, problem};
use crate::body::Body;
use crate::shared::{Shared, unix_ms};
use crate::state::{DenialRecord, SANDBOX_FINDING};

/// The largest body, in bytes.
pub(super) const MAX_BODY: usize = 256 * 1024;
/// Events in one request.
const MOST: usize = 100;
/// Characters of a path or an address, and of what would allow it.
const LONG: usize = 250;
/// Characters of a program's name, and of an action's or a layer's.
const SHORT: usize = 64;

/// An event of a sandbox.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    Denial {
        action: String,
        target: String,
        layer: String,
        program: Option<String>,
        remedy: Option<Remedy>,
    },
    Limit {
        limit: String,
        value: String,
        effect: String,
    },
    #[serde(other)]
    Other,
}

/// What would allow something.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Remedy {
    Allow { flag: String, profile: String },
    Never(String),
}

/// Keeps what is told of this run.
pub(super) async fn keep(shared: &Arc<Shared>, run: &Name, body: &[u8]) -> Response<Body> {
    let events: Vec<Event> = match serde_json::from_slice(body) {
        Ok(events) => events,
        Err(error) => return bad(&error.to_string()),
    };
    if events.len() > MOST {
        return bad("more than 100 events: send several requests");
    }
    let Some(run) = shared.runs.get(run) else {
        return problem(StatusCode::NOT_FOUND, "unknown_run", "no run of this id was announced");
    };
    let live = shared.live();
    let agent = &run.record.agent;
    let project = live.policy.agent(agent).and_then(|agent| agent.project.clone());
    let mut records = Vec::with_capacity(events.len());
    for event in events {
        let Some((is_limit, what, denied)) = event.read() else { continue };
        if !is_word(&what) {
            return bad("an action or a limit is a word of small letters");
        }
        let kind = if is_limit { "limit/" } else { "" };
        let finding = format!("{SANDBOX_FINDING}{kind}{what}");
        tracing::info!(
            run = %run.record.id, %agent, %finding, target = %denied.target,
            layer = denied.layer.as_deref(), program = denied.program.as_deref(),
            "a sandbox refused something"
        );
        records.push(DenialRecord {
            is_limit,
            at_ms: unix_ms(),
            agent: agent.clone(),
            project: project.clone(),
            run: run.record.id.clone(),
            finding,
            denied,
        });
    }
    let told = records.len();
    match shared.ledger.keep_denials(records).await {
        Ok(kept) => answer_json(StatusCode::OK, &json!({"kept": kept, "passed_over": told - kept})),
        Err(error) => {
            problem(StatusCode::SERVICE_UNAVAILABLE, "ledger_unavailable", &error.to_string())
        }
    }
}

impl Event {
    /// Whether it is a limit, which one or what was tried, and the rest; none for other kinds.
    fn read(self) -> Option<(bool, String, Denied)> {
        Some(match self {
            Self::Denial { action, target, layer, program, remedy } => {
                let (remedy, profile) = match remedy {
                    Some(Remedy::Allow { flag, profile }) => (Some(flag), Some(profile)),
                    Some(Remedy::Never(why)) => (Some(why), None),
                    None => (None, None),
                };
                let denied = Denied {
                    target: harmless(&target, LONG),
                    layer: Some(harmless(&layer, SHORT)),
                    program: program.map(|program| harmless(&program, SHORT)),
                    remedy: remedy.map(|remedy| harmless(&remedy, LONG)),
                    profile: profile.map(|profile| harmless(&profile, LONG)),
                };
                (false, action, denied)
            }
            Self::Limit { limit, value, effect } => {
                let denied = Denied {
                    target: harmless(&value, LONG),
                    remedy: Some(harmless(&effect, LONG)),
                    ..Denied::default()
                };
                (true, limit, denied)
            }
            Self::Other => return None,
        })
    }
}

fn is_word(text: &str) -> bool {
    let small = |b: u8| b.is_ascii_lowercase() || b == b'_' || b == b'-';
    (1..=SHORT).contains(&text.len()) && text.bytes().all(small)
}

/// The beginning of a text, without what a terminal obeys.
fn harmless(text: &str, most: usize) -> String {
    let obeyed =
        |c: char| c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    text.chars().take(most).map(|c| if obeyed(c) { '\u{FFFD}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_controls_is_short_and_harmless() {
        let target = format!("/work/\u{1b}[2J\u{202e}{}", "\"".repeat(1_000));
        let event = json!({
            "event": "denial", "action": "read", "target": target, "layer": "landlock",
            "program": "x".repeat(1_000), "remedy": {"allow": {"flag": target, "profile": target}},
        });
        let event: Event = serde_json::from_value(event).unwrap();
        let (_, _, denied) = event.read().unwrap();
        assert!(denied.target.starts_with("/work/\u{fffd}[2J\u{fffd}\""), "{}", denied.target);
        // A panel keeps 2,000 characters.
        let told = serde_json::to_string(&denied).unwrap();
        assert!(told.chars().count() < 2_000, "{}", told.len());
    }

    #[test]
    fn events_of_other_kinds_are_passed_over() {
        let text = r#"[{"event":"started","tier":"namespace"},{"event":"tomorrow","x":[1]},
            {"event":"limit","limit":"wall_time","value":"10 s","effect":"it was ended"}]"#;
        let events: Vec<Event> = serde_json::from_str(text).unwrap();
        let read: Vec<_> = events.into_iter().filter_map(Event::read).collect();
        assert_eq!(read.len(), 1);
        assert!(read[0].0);
        assert!(is_word(&read[0].1) && !is_word("a b") && !is_word(""));
    }
}
