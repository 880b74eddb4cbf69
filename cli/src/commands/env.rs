//! `iron env`: what `iron run` would give a program, for the user's own shell.

use anyhow::Context;
use iron_policy::types::Name;
use serde_json::{Value, json};

use super::Failure;
use crate::args::Files;
use crate::files::{self, Config};
use crate::house;
use crate::launch::client::Client;
use crate::launch::plan::{Own, Plan, Ways};
use crate::launch::route::{Route, reachable};
use crate::launch::shell::Shell;
use crate::local_http;

/// Where what clients need as files is kept, beside the state.
const FOLDER: &str = "clients";

/// Prints the settings of a client, or of all that need no more than variables.
pub(super) async fn env(
    files: &Files,
    client: Option<Client>,
    shell: Option<Shell>,
    agent: Option<Name>,
    ways: Ways,
) -> Result<(), Failure> {
    let config = Config::read(files)?;
    let policy = &config.policy;
    let address = files::proxy_address(policy);
    let patience = std::time::Duration::from_millis(500);
    let running = local_http::get_json(address, "/_iron/status", patience).await.ok();
    let variable = |name: &str| std::env::var(name).ok();
    let own = Own { variable: &variable, home: std::env::home_dir() };
    let state = files::state_to_run(files, false)?;
    let status = if let Some(status) = running.clone() {
        status
    } else {
        // What a proxy would say that was started from here.
        let secrets: Vec<Value> = house::placeholders(policy, &state)?
            .into_iter()
            .map(|(variable, text)| json!({"agent_env": variable, "placeholder": text}))
            .collect();
        let upstreams: Vec<Value> = policy
            .upstreams
            .iter()
            .map(|upstream| {
                let key = upstream.api_key_env.as_deref().and_then(variable);
                let own_key = key.is_some_and(|key| !key.is_empty());
                json!({"name": upstream.name, "own_key": own_key})
            })
            .collect();
        json!({"state": state, "upstreams": upstreams, "connections": {}, "secrets": secrets})
    };
    let state = status["state"].as_str().map_or(state, Into::into);
    let folder = state.with_file_name(FOLDER);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    let route = Route { agent, ..Route::to(policy, address, &status) };
    let mut plan = Plan::of(&route, client, &[], ways, &own, &folder)
        .context("a client's settings cannot be written")?;
    if running.is_none() {
        let here = reachable(address);
        plan.notes.push(format!("no proxy runs at {here} yet: start it with `iron up`"));
    }
    let shell = shell.unwrap_or_else(|| Shell::named(&variable("SHELL").unwrap_or_default()));
    raw(&shell.write(&plan, client));
    Ok(())
}

fn raw(text: &str) {
    use std::io::Write;
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}
