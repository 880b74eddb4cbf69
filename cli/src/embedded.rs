//! The panel of this machine's proxy: a database and a key beside its state file.
//!
//! `iron up` opens it and serves it. A command opens it as well, for whoever can write these files is
//! the operator: it needs no login, and works while the proxy runs and while it does not.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use std::net::SocketAddr;

use anyhow::Context;
use iron_panel::Panel;
use iron_panel::api::access::Trusted;
use iron_panel::keys::source::Source;
use iron_panel::keys::{Master, unlock};
use iron_panel::proxies::add_local;
use iron_panel::server::Server;
use iron_panel::store::Store;
use iron_panel::tasks::{self, Tasks};
use iron_policy::config;
use iron_proxy::control_plane::{ControlPlane, Spending};
use iron_proxy::lease::Terms;
use iron_proxy::report::Pace;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::commands::Failure;
use crate::house::House;
use crate::reload::Enforcer;
use crate::remote::link::Link;
use crate::remote::plane::{self, Plane};

/// What the proxy in the same process is called at its panel.
pub const PROXY: &str = "local";

/// The files of a panel beside this state file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The database.
    pub database: PathBuf,
    /// The master key.
    pub key: PathBuf,
}

impl Files {
    /// Beside this state file.
    pub fn beside(state: &Path) -> Self {
        Self { database: state.with_extension("panel.db"), key: state.with_extension("panel.key") }
    }

    /// Opens the panel; makes both files where there are none.
    pub async fn open(&self, state: &Path, settings: config::Panel) -> Result<Panel, Failure> {
        let key = Source::File(self.key.clone()).read_or_make().map_err(anyhow::Error::from)?;
        let url = format!("sqlite:{}", self.database.display());
        let store = Store::open_beside(&url, state).await;
        let store = store.context("the panel's database cannot be used")?;
        let master = unlock(&store, Master::new(*key)).await;
        let master = master.with_context(|| {
            format!("{} is not the key of {}", self.key.display(), self.database.display())
        })?;
        Ok(Panel::pilot(store, master, settings))
    }
}

/// A panel that is served in this process.
#[derive(Debug)]
pub struct Served {
    /// The panel.
    pub panel: Panel,
    address: SocketAddr,
    tls: bool,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
    /// Only held: what it runs ends with it.
    #[expect(dead_code, reason = "a guard")]
    tasks: Tasks,
}

impl Served {
    /// Opens the panel beside a state file, and serves it.
    pub async fn start(state: &Path, settings: &config::Panel) -> Result<Self, Failure> {
        let panel = Files::beside(state).open(state, settings.clone()).await?;
        let server = Server::bind(&panel, settings.listen, settings.tls.as_ref());
        let server = server.map_err(|error| Failure::Config(error.into()))?;
        let address = server.address().context("the panel's port is gone")?;
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        let tasks = tasks::start(&panel);
        Ok(Self { panel, address, tls: settings.tls.is_some(), stop, serving, tasks })
    }

    /// Where people reach it.
    pub fn base(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        self.panel.settings.url.clone().unwrap_or_else(|| format!("{scheme}://{}", self.address))
    }

    /// Puts the proxy of this process under it: its policy, its keys, its budgets. Calls need no token
    /// where the file does not say so. To be called before the proxy's port is served.
    pub async fn lead(
        &self,
        house: &House,
        enforce: Arc<Enforcer>,
        address: SocketAddr,
    ) -> Result<Spending, Failure> {
        add_local(&self.panel).await.map_err(anyhow::Error::from)?;
        let link = Link::here(&self.panel, Trusted::proxy(PROXY));
        let plane: Arc<dyn ControlPlane> = Arc::new(Plane::over(link));
        // The panel reads its calls where they are kept, and counts those that it is told of.
        let (terms, pace) = (Terms::default(), Pace::default());
        let spending = Spending::begin(&house.shared, Arc::clone(&plane), terms, pace);
        let spending = spending.await.map_err(anyhow::Error::from)?;
        let listens = Some(format!("http://{address}"));
        plane::follow(&house.shared, plane, enforce, PROXY, listens, false).await;
        Ok(spending)
    }

    /// Ends it once what is under way has ended.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        if !matches!(self.serving.await, Ok(Ok(()))) {
            tracing::warn!("the panel's port did not end well");
        }
        self.panel.store.close().await;
    }
}
