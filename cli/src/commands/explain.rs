//! `iron policy explain` and `iron policy kinds`: why something is found, and what can be.

use std::io::Read;

use anyhow::Context;
use iron_policy::redact::{Engine, Match, Mode, catalogue, validated};
use serde_json::{Value, json};

use super::Failure;
use super::scan::confidence;
use crate::args::{Files, Output};
use crate::files::Config;
use crate::output::{say, say_json, table};

/// Says what is found in a text and why, and what words would change.
pub(super) fn explain(
    text: Option<String>,
    key: Option<&str>,
    files: &Files,
    output: Output,
) -> Result<(), Failure> {
    let engine = Config::read(files)?.policy.redact.engine();
    let text = match text {
        Some(text) if text != "-" => text,
        _ => {
            let mut text = String::new();
            std::io::stdin()
                .lock()
                .read_to_string(&mut text)
                .context("standard input cannot be read as text")?;
            text
        }
    };
    let found = engine.find(&text, key);
    let supposed = engine.suppose(&text, key);
    if output == Output::Json {
        let all = |matches: &[Match]| -> Vec<Value> {
            matches.iter().map(|found| object(&engine, &text, found)).collect()
        };
        say_json(&json!({ "found": all(&found), "would_need_words": all(&supposed) }));
        return Ok(());
    }
    if found.is_empty() {
        say("Nothing is found.");
    }
    for found in &found {
        let value = &text[found.range.clone()];
        say(&format!("{} `{value}`", found.kind));
        say(&format!("  rule        {} ({})", found.rule, validated(found.kind).join("; ")));
        say(&format!("  decided by  {}", confidence(found)));
        say(&format!("  policy      {}", action(engine.modes().of(found.kind))));
    }
    for candidate in &supposed {
        let value = &text[candidate.range.clone()];
        say(&format!("\nnot {} `{value}`", candidate.kind));
        say("  it has the shape, but no label or word near it says what it is, or another does");
    }
    Ok(())
}

const fn action(mode: Mode) -> &'static str {
    match mode {
        Mode::Off => "off: it is not looked for",
        Mode::Detect => "detect: it is reported and leaves as it is",
        Mode::Mask => "mask: it is replaced for good",
        Mode::Reversible => "reversible: it is replaced, and put back in the answer",
        Mode::Block => "block: the request is refused",
    }
}

fn object(engine: &Engine, text: &str, found: &Match) -> Value {
    json!({
        "kind": found.kind,
        "value": &text[found.range.clone()],
        "range": [found.range.start, found.range.end],
        "rule": found.rule,
        "validated": validated(found.kind),
        "confidence": found.confidence,
        "word": found.word,
        "mode": engine.modes().of(found.kind),
    })
}

/// Lists what can be found.
pub(super) fn kinds(files: &Files, output: Output) -> Result<(), Failure> {
    let redact = Config::read(files)?.policy.redact;
    let own = redact.kinds().split_off(catalogue().len());
    if output == Output::Json {
        let kinds: Vec<_> = catalogue()
            .into_iter()
            .map(|entry| {
                json!({
                    "kind": entry.kind,
                    "validated": entry.validated,
                    "needs_words": entry.needs_words,
                    "default": entry.default,
                    "mode": redact.modes.of(entry.kind),
                })
            })
            .chain(own.iter().map(|kind| json!({ "kind": kind, "mode": redact.modes.of(*kind) })))
            .collect();
        say_json(&json!({ "kinds": kinds }));
        return Ok(());
    }
    let mode = |kind| json!(redact.modes.of(kind)).as_str().unwrap_or_default().to_owned();
    let rows = catalogue().into_iter().map(|entry| {
        let words = if entry.needs_words { "; where it is named" } else { "" };
        vec![
            entry.kind.to_string(),
            mode(entry.kind),
            format!("{}{words}", entry.validated.join("; ")),
        ]
    });
    let own =
        own.iter().map(|kind| vec![kind.to_string(), mode(*kind), "a rule of your own".to_owned()]);
    say(&table(&["kind", "mode", "how it is validated"], rows.chain(own)));
    Ok(())
}
