//! Where the configuration and the state are, and what the configuration says.

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use iron_policy::config::Policy;
use iron_proxy::authority::Folder;

use crate::args::Files;
use crate::commands::Failure;
use crate::launch::route::reachable;
use crate::local_http;

/// A configuration and where it came from.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file; none where the defaults apply.
    pub path: Option<PathBuf>,
    /// Its text.
    pub text: String,
    /// What it says.
    pub policy: Policy,
}

/// The file's name in every folder that is looked in.
const CONFIG_FILE: &str = "iron.toml";
const FOLDER: &str = "iron-cage";
const STATE_FILE: &str = "iron_state.db";
const SIMULATED_STATE_FILE: &str = "iron_state.simulated.db";

impl Config {
    /// Reads the file that is named, else `./iron.toml`, else the user's, else the defaults.
    pub fn read(files: &Files) -> Result<Self, Failure> {
        let path = match &files.config {
            Some(path) => Some(path.clone()),
            None => [Some(PathBuf::from(CONFIG_FILE)), user_config()]
                .into_iter()
                .flatten()
                .find(|path| path.exists()),
        };
        match path {
            None => parse(None, ""),
            Some(path) => {
                let text = std::fs::read_to_string(&path)
                    .with_context(|| format!("{} cannot be read", path.display()))
                    .map_err(Failure::Config)?;
                parse(Some(path), &text)
            }
        }
    }
}

fn parse(path: Option<PathBuf>, text: &str) -> Result<Config, Failure> {
    match Policy::parse(text) {
        Ok(policy) => Ok(Config { path, text: text.to_owned(), policy }),
        Err(error) => {
            let file = path.as_deref().unwrap_or(Path::new("the defaults")).display();
            Err(Failure::Config(anyhow!("{file}: {error}")))
        }
    }
}

/// The state file of a proxy that is about to start. Simulated money has a file of its own.
pub fn state_to_run(files: &Files, simulated: bool) -> Result<PathBuf, Failure> {
    if let Some(path) = &files.state {
        return Ok(path.clone());
    }
    let folder = state_folder()?;
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("the state folder {} cannot be made", folder.display()))?;
    Ok(folder.join(if simulated { SIMULATED_STATE_FILE } else { STATE_FILE }))
}

/// The state file to look at: the one named, else that of the proxy that runs, else the default.
pub async fn state_to_read(files: &Files, policy: &Policy) -> Result<PathBuf, Failure> {
    // Asked in any case: a running proxy commits what it holds back before it answers.
    let running = running_state(policy).await;
    if let Some(path) = files.state.clone().or(running) {
        return existing(path);
    }
    let folder = state_folder()?;
    let real = folder.join(STATE_FILE);
    let simulated = folder.join(SIMULATED_STATE_FILE);
    existing(if !real.exists() && simulated.exists() { simulated } else { real })
}

/// The folder of the local CA: beside the state file that is named, else beside that of the proxy
/// that runs, else beside the default one. It may not be there yet.
pub async fn authority(files: &Files, policy: &Policy) -> Result<Folder, Failure> {
    let state = match files.state.clone().or(running_state(policy).await) {
        Some(state) => state,
        None => state_folder()?.join(STATE_FILE),
    };
    Ok(Folder::beside(&state))
}

fn existing(path: PathBuf) -> Result<PathBuf, Failure> {
    if path.exists() {
        return Ok(path);
    }
    Err(Failure::Other(anyhow!(
        "there is no state at {}: start the proxy with `iron up`, or name its file with --state",
        path.display()
    )))
}

/// Where the proxy is: that of the run this program is in, else where the configuration says.
pub fn proxy_address(policy: &Policy) -> SocketAddr {
    let of_run = env::var("IRON_PROXY").ok().and_then(|address| address.parse().ok());
    reachable(of_run.unwrap_or(policy.proxy.listen))
}

async fn running_state(policy: &Policy) -> Option<PathBuf> {
    let status =
        local_http::get_json(proxy_address(policy), "/_iron/status", Duration::from_millis(500));
    status.await.ok()?.get("state")?.as_str().map(PathBuf::from)
}

fn user_config() -> Option<PathBuf> {
    user_folder().map(|folder| folder.join(CONFIG_FILE))
}

/// The user's folder for what they configured.
pub fn user_folder() -> Option<PathBuf> {
    let folder = env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".config")))?;
    Some(folder.join(FOLDER))
}

fn state_folder() -> Result<PathBuf, Failure> {
    let folder = env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".local/state")))
        .ok_or_else(|| {
            anyhow!("neither HOME nor XDG_STATE_HOME is set: name a file with --state")
        })?;
    Ok(folder.join(FOLDER))
}
