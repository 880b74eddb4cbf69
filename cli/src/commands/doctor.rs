//! `iron doctor`: every check as a line, with its next step.

use serde_json::json;

use super::Failure;
use crate::args::{Files, Output};
use crate::doctor::{self, Check, Level};
use crate::output::{say, say_json};

/// Shows all checks; fails where one does.
pub(super) async fn doctor(files: &Files, output: Output) -> Result<(), Failure> {
    let checks = doctor::examine(files).await;
    let count = |level: Level| checks.iter().filter(|check| check.level == level).count();
    let (warnings, failures) = (count(Level::Warn), count(Level::Fail));
    match output {
        Output::Json => say_json(&json!({
            "ok": failures == 0,
            "checks": checks.iter().map(Check::object).collect::<Vec<_>>(),
        })),
        Output::Table => {
            for Check { name, level, what, next } in &checks {
                say(&format!("{:<5} {name:<14} {what}", level.name()));
                if let Some(next) = next {
                    say(&format!("{:<5} {:<14} → {next}", "", ""));
                }
            }
        }
    }
    if failures > 0 {
        return Err(Failure::Other(anyhow::anyhow!(
            "{failures} failed, {warnings} with a warning"
        )));
    }
    Ok(())
}
