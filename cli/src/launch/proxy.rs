//! The proxy of a run: the one that runs, or one of the run's own in this process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request};
use iron_proxy::control;
use iron_proxy::shared::Shared;
use iron_proxy::stops::Whom;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use crate::args::Files;
use crate::commands::Failure;
use crate::files::{self, Config};
use crate::house::{House, Maker};
use crate::local_http;
use crate::simulator::Simulator;

/// How long a proxy may take to say how it is.
pub const STATUS_PATIENCE: Duration = Duration::from_secs(2);

/// A proxy that answers.
pub struct Proxy {
    /// Where.
    pub address: SocketAddr,
    /// What `/_iron/status` says.
    pub status: Value,
    token: Zeroizing<String>,
    own: Option<OwnProxy>,
}

/// A proxy in this process.
struct OwnProxy {
    shared: Arc<Shared>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
    /// Only held: it stops when it is dropped.
    _simulator: Option<Simulator>,
}

impl Proxy {
    /// The proxy that runs at this address, if it is one and this user's.
    pub async fn running(address: SocketAddr) -> Result<Option<Self>, Failure> {
        let Ok(status) = local_http::get_json(address, "/_iron/status", STATUS_PATIENCE).await
        else {
            return Ok(None);
        };
        let Some(state) = status["state"].as_str().map(PathBuf::from) else { return Ok(None) };
        let token = read_token(&state, address)?;
        Ok(Some(Self { address, status, token, own: None }))
    }

    /// Starts one on a free port.
    pub async fn start(files: &Files, config: &Config, simulate: bool) -> Result<Self, Failure> {
        let simulator = if simulate {
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            Some(Simulator::start(any).context("the simulated provider did not start")?)
        } else {
            None
        };
        let state = files::state_to_run(files, simulate)?;
        let maker = Maker::new(simulator.as_ref().map(Simulator::url))?;
        let mut policy = config.policy.clone();
        policy.proxy.listen.set_port(0);
        let house = House::start(&policy, &state, &maker).await?;
        let address = house.server.address().context("the port is gone")?;
        let shared = Arc::clone(&house.shared);
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(house.server.run(async {
            let _ = stopped.await;
        }));
        let address = super::route::reachable(address);
        let status = local_http::get_json(address, "/_iron/status", STATUS_PATIENCE).await?;
        let token = read_token(shared.ledger.path(), address)?;
        let own = Some(OwnProxy { shared, stop, serving, _simulator: simulator });
        Ok(Self { address, status, token, own })
    }

    /// Whether it was started for this run alone.
    pub const fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Whether a simulated provider of ours answers.
    pub fn is_simulated(&self) -> bool {
        self.status["simulated"] == true
    }

    /// Its state file.
    pub fn state(&self) -> PathBuf {
        self.status["state"].as_str().map(PathBuf::from).unwrap_or_default()
    }

    /// Whether it has a key of its own for an upstream.
    pub fn has_key(&self, upstream: &str) -> bool {
        let mut all = self.status["upstreams"].as_array().into_iter().flatten();
        all.any(|told| told["name"] == upstream && told["own_key"] == true)
    }

    /// Announces a run.
    pub async fn announce(&self, run: &Value) -> anyhow::Result<()> {
        self.ask(Method::POST, "/_iron/control/runs", Bytes::from(run.to_string())).await?;
        Ok(())
    }

    /// What a run did until now, with calls that are about to end in it.
    pub async fn figures(&self, run: &str) -> anyhow::Result<Value> {
        let path = format!("/_iron/control/runs/{run}");
        // The program has ended, so its connections are gone or going.
        let mut figures = json!(null);
        for _ in 0..100 {
            figures = self.ask(Method::GET, &path, Bytes::new()).await?;
            if figures["open_calls"] == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(figures)
    }

    /// Whether this is its state file.
    pub fn is_of(&self, state: &Path) -> bool {
        let real = |path: &Path| std::fs::canonicalize(path).ok();
        real(&self.state()).is_some_and(|own| real(state) == Some(own))
    }

    /// Stops somebody at once, or lifts the stop; false where that was so before.
    pub async fn stop(&self, whom: &Whom, lift: bool) -> anyhow::Result<bool> {
        let path = if lift { "/_iron/control/starts" } else { "/_iron/control/stops" };
        let body = json!({"agent": whom.name()}).to_string();
        let told = self.ask(Method::POST, path, Bytes::from(body)).await?;
        Ok(told["changed"] == true)
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> anyhow::Result<Value> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string())
            .header("authorization", format!("Bearer {}", *self.token))
            .body(Full::new(body))?;
        let answer = tokio::time::timeout(STATUS_PATIENCE, local_http::send(self.address, request))
            .await
            .context("the proxy did not answer in time")??;
        let told: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        if !answer.status().is_success() {
            let why = told["error"]["message"].as_str().unwrap_or("it said no more");
            bail!("the proxy answered {}: {why}", answer.status());
        }
        Ok(told)
    }

    /// Ends the proxy that was started for this run; one that ran before runs on.
    pub async fn close(self) {
        let Some(own) = self.own else { return };
        drop(own.stop);
        let _ = own.serving.await;
        own.shared.ledger.close().await;
    }
}

/// The token of the proxy at this address. Whoever has the port and is not that proxy gets nothing.
fn read_token(state: &Path, address: SocketAddr) -> Result<Zeroizing<String>, Failure> {
    let published = control::published(state).map_err(anyhow::Error::from)?;
    if published.address.port() != address.port() {
        return Err(Failure::Other(anyhow!(
            "what answers at {address} says that it is the proxy of {}, which is at {}: end it, or \
             choose another port under proxy.listen in iron.toml",
            state.display(),
            published.address
        )));
    }
    Ok(published.token)
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("address", &self.address).finish_non_exhaustive()
    }
}
