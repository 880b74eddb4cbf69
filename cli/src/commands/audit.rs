//! `iron audit`: who did what at a panel, and whether the record of it is whole.

use anyhow::anyhow;
use serde_json::Value;

use super::Failure;
use crate::args::{AuditCommand, Output};
use crate::console::{connect, text};
use crate::output::{say, say_json, table};

/// Does what is wanted.
pub(super) async fn audit(command: AuditCommand) -> Result<(), Failure> {
    match command {
        AuditCommand::List { lines, at } => {
            let mut entries = connect(&at).await?.list("/api/v1/audit", lines).await?;
            match at.output {
                Output::Json => say_json(&Value::Array(entries)),
                Output::Table => {
                    // The newest last, where the eye is.
                    entries.reverse();
                    say(&table(
                        &[">no", "when", "who", "what", "to", "how"],
                        entries.iter().map(|entry| {
                            let who = match &entry["actor_name"] {
                                Value::String(name) => name.clone(),
                                _ => text(&entry["actor"]),
                            };
                            vec![
                                text(&entry["sequence"]),
                                text(&entry["at"]),
                                who,
                                text(&entry["action"]),
                                text(&entry["target"]),
                                text(&entry["detail"]),
                            ]
                        }),
                    ));
                }
            }
        }
        AuditCommand::Verify { at } => {
            let verdict = connect(&at).await?.get("/api/v1/audit/verify").await?;
            if at.output == Output::Json {
                say_json(&verdict);
            }
            if verdict["intact"] != Value::Bool(true) {
                return Err(Failure::Other(anyhow!(
                    "the audit log was changed at entry {}: {}",
                    text(&verdict["first_bad"]),
                    text(&verdict["why"])
                )));
            }
            if at.output == Output::Table {
                say(&format!(
                    "{} entries, none changed and none missing.",
                    text(&verdict["entries"])
                ));
            }
        }
    }
    Ok(())
}
