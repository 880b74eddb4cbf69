//! A proxy with everything around it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use iron_cli::house::{House, Maker};
use iron_cli::reload::Enforcer;
use iron_cli::remote::plane;
use iron_cli::simulator::Simulator;
use iron_policy::config::Policy;
use iron_proxy::authority::Folder;
use iron_proxy::connect::Network;
use iron_proxy::control_plane::ControlPlane;
use iron_proxy::shared::Shared;
use iron_proxy::state::{CallRow, Store, Totals};
use iron_proxy::upstream::Tls;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::client::{CALLER_KEY, Client};
use crate::tls::{Issuer, Leaf};

/// The key that the operator is given for the simulated provider.
pub const OPERATOR_KEY: &str = "operator-key-of-the-story";

/// One proxy, its provider, its state.
pub struct World {
    /// The provider.
    pub provider: Simulator,
    /// Where agents connect.
    pub address: SocketAddr,
    /// What the proxy's calls share.
    pub shared: Arc<Shared>,
    /// Makes another policy live.
    pub maker: Maker,
    /// The text of its `iron.toml`.
    text: String,
    folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl World {
    /// A proxy with the default policy.
    pub async fn plain() -> Self {
        Self::with("").await
    }

    /// A proxy whose `iron.toml` holds these lines besides its upstreams.
    ///
    /// `{provider}` stands for the provider's address in them. Without an `[[upstream]]` of their
    /// own there are `openai`, `anthropic` and `gemini`, all at the provider.
    pub async fn with(lines: &str) -> Self {
        Self::within(lines, &[], |_| {}).await
    }

    /// The same where the proxy finds these variables besides, in a network that is changed.
    pub async fn within(
        lines: &str,
        variables: &[(&str, &str)],
        change: impl FnOnce(&mut Network),
    ) -> Self {
        let provider = Simulator::start(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Self::build(lines, provider, variables, change).await
    }

    /// The same with a provider that speaks TLS, and a proxy that trusts this issuer alone.
    pub async fn over_tls(lines: &str, issuer: &Issuer) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let provider = Simulator::start_tls(any, issuer.server(&Leaf::default())).unwrap();
        Self::built(lines, provider, Some(issuer)).await
    }

    /// With this provider; `issuer` is whom the proxy trusts instead of the system's roots.
    pub async fn built(lines: &str, provider: Simulator, issuer: Option<&Issuer>) -> Self {
        let trust = |network: &mut Network| {
            if let Some(issuer) = issuer {
                network.tls = Tls::with_roots(issuer.roots()).unwrap();
            }
        };
        Self::build(lines, provider, &[], trust).await
    }

    async fn build(
        lines: &str,
        provider: Simulator,
        variables: &[(&str, &str)],
        change: impl FnOnce(&mut Network),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = policy_text(lines, &provider.url());
        Self::in_folder(text, provider, variables, change, folder).await
    }

    async fn in_folder(
        text: String,
        provider: Simulator,
        variables: &[(&str, &str)],
        change: impl FnOnce(&mut Network),
        folder: TempDir,
    ) -> Self {
        let policy = parsed(&text);
        let variables = variables.iter().chain(&[("STORY_KEY", OPERATOR_KEY)]);
        let keys = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let maker = Maker::with_keys(keys.collect()).unwrap().within(change);
        let house = House::start(&policy, &folder.path().join("state.db"), &maker).await;
        let house = house.unwrap_or_else(|failure| panic!("{failure:?}"));
        let address = house.server.address().unwrap();
        let shared = Arc::clone(&house.shared);
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(house.server.run(async {
            let _ = stopped.await;
        }));
        Self { provider, address, shared, maker, text, folder, stop: Some(stop), serving }
    }

    /// Stops the proxy, and starts another with the same file and state.
    pub async fn restarted(self) -> Self {
        let (text, provider) = (self.text.clone(), self.provider.clone());
        let folder = self.stop().await;
        Self::in_folder(text, provider, &[], |_| {}, folder).await
    }

    /// Links the proxy to this control plane, as `iron proxy` is to its panel.
    pub async fn link(&self, plane: Arc<dyn ControlPlane>, tokens_required: bool) {
        let enforcer = Enforcer::new(&self.shared, self.maker.clone(), self.text.clone(), None);
        let panel = "https://panel.example.org";
        plane::follow(&self.shared, plane, enforcer, panel, None, tokens_required).await;
    }

    /// The same, once the proxy has taken what the control plane says.
    pub async fn linked(&self, plane: &crate::Scripted, tokens_required: bool) {
        self.link(Arc::new(plane.clone()), tokens_required).await;
        until("the control plane is heard", || self.shared.panel.is_up() == Some(true)).await;
    }

    /// A client that sends a key of its own.
    pub fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// A client that speaks Anthropic's dialect.
    pub fn anthropic(&self) -> Client {
        self.client()
            .without("authorization")
            .header("x-api-key", CALLER_KEY)
            .header("anthropic-version", "2023-06-01")
    }

    /// A client that speaks Gemini's dialect.
    pub fn gemini(&self) -> Client {
        self.client().without("authorization").header("x-goog-api-key", CALLER_KEY)
    }

    /// The files of the proxy's CA.
    pub fn authority(&self) -> Folder {
        Folder::beside(&self.state())
    }

    /// Where the state is.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state.db")
    }

    /// A folder that is removed with the world.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The body that the provider received last, as text.
    pub fn last_received(&self) -> String {
        self.provider.received().last().map(iron_cli::simulator::Received::text).unwrap_or_default()
    }

    /// The ledger's totals, once everything that was queued is committed.
    pub async fn totals(&self) -> Totals {
        self.shared.ledger.flush().await;
        Store::open(&self.state()).unwrap().totals().unwrap()
    }

    /// All calls on record, oldest first, once everything that was queued is committed.
    pub async fn calls(&self) -> Vec<CallRow> {
        self.shared.ledger.flush().await;
        Store::open(&self.state()).unwrap().calls(None, 10_000).unwrap()
    }

    /// Stops the proxy as SIGTERM would.
    pub async fn stop(mut self) -> TempDir {
        drop(self.stop.take());
        (&mut self.serving).await.unwrap();
        self.shared.ledger.close().await;
        self.folder
    }
}

/// Waits until something is so; for half a minute at most.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..3_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it never came to be that {what}");
}

/// The policy of these lines, on a free port.
pub fn policy(lines: &str, provider: &str) -> Policy {
    parsed(&policy_text(lines, provider))
}

fn parsed(text: &str) -> Policy {
    Policy::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn policy_text(lines: &str, provider: &str) -> String {
    let mut text = lines
        .replace("{provider}", provider)
        .replace("{host}", provider.split_once("://").map_or("", |(_, host)| host));
    if text.contains("[proxy]") {
        text = text.replace("[proxy]", "[proxy]\nlisten = \"127.0.0.1:0\"");
    } else {
        text.push_str("\n[proxy]\nlisten = \"127.0.0.1:0\"\n");
    }
    if !text.contains("[[upstream]]") {
        for (name, dialect) in
            [("openai", "openai"), ("anthropic", "anthropic"), ("gemini", "gemini")]
        {
            text.extend([format!(
                "\n[[upstream]]\nname = \"{name}\"\ndialect = \"{dialect}\"\nbase_url = \"{provider}\"\n"
            )]);
        }
    }
    text
}
