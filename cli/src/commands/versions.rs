//! `iron policy publish`, `versions` and `activate`: the policy that a panel hands out to its proxies.

use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use super::Failure;
use crate::args::{At, Output};
use crate::console::{MOST, connect, text};
use crate::output::{say, say_json, table};

const POLICIES: &str = "/api/v1/policies";

/// Keeps a file as the policy's next version, and puts it in force unless it is only to be kept.
pub(super) async fn publish(file: &Path, note: &str, keep: bool, at: &At) -> Result<(), Failure> {
    let toml = std::fs::read_to_string(file)
        .with_context(|| format!("{} cannot be read", file.display()))
        .map_err(Failure::Config)?;
    let body = json!({"toml": toml, "note": note, "activate": !keep});
    let version = connect(at).await?.post(POLICIES, &body).await?;
    told(&version, at.output);
    Ok(())
}

/// Puts a version in force: a newer one, or an older one again.
pub(super) async fn activate(number: u32, at: &At) -> Result<(), Failure> {
    let path = format!("{POLICIES}/{number}/activate");
    let version = connect(at).await?.post(&path, &json!({})).await?;
    told(&version, at.output);
    Ok(())
}

/// Lists the versions.
pub(super) async fn versions(at: &At) -> Result<(), Failure> {
    let versions = connect(at).await?.list(POLICIES, MOST).await?;
    match at.output {
        Output::Json => say_json(&Value::Array(versions)),
        Output::Table => say(&table(
            &[">version", "", "when", "who", "note"],
            versions.iter().map(|version| {
                let active = version["active"].as_bool().unwrap_or_default();
                vec![
                    text(&version["number"]),
                    if active { "in force" } else { "" }.to_owned(),
                    text(&version["created_at"]),
                    text(&version["author"]),
                    text(&version["note"]),
                ]
            }),
        )),
    }
    Ok(())
}

fn told(version: &Value, output: Output) {
    match output {
        Output::Json => say_json(version),
        Output::Table if version["active"] == Value::Bool(true) => say(&format!(
            "Version {} is in force: proxies that are connected have it within two seconds.",
            version["number"]
        )),
        Output::Table => say(&format!(
            "Version {0} is kept. Put it in force with `iron policy activate {0}`",
            version["number"]
        )),
    }
}
