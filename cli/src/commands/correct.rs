//! `iron usage correct`: the one later correction of an estimated call.

use anyhow::{Context, anyhow};
use iron_policy::types::{CallId, NanoUsd};
use iron_proxy::shared::unix_ms;
use iron_proxy::state::Store;

use super::Failure;
use crate::args::Files;
use crate::files::{self, Config};
use crate::output::say;

/// Replaces an estimate by what the provider really billed.
pub(super) async fn correct(
    files: &Files,
    call: &str,
    amount: &str,
    reason: &str,
) -> Result<(), Failure> {
    let usage = |error: &dyn std::fmt::Display| Failure::Usage(anyhow!("{error}"));
    let id: CallId = call.parse().map_err(|_| {
        Failure::Usage(anyhow!("`{call}` is not a call: write it as `iron logs` shows it"))
    })?;
    let actual: NanoUsd = amount.parse().map_err(|error| usage(&error))?;
    let config = Config::read(files)?;
    let path = files::state_to_read(files, &config.policy).await?;
    let before = Store::correct(&path, id, actual, reason, unix_ms())
        .with_context(|| format!("{id} was not corrected"))?;
    say(&format!("{id}: {before} estimated, {actual} billed"));
    Ok(())
}
