//! A changed `iron.toml`, and what a panel says of policy and keys, take effect without a restart; a
//! bad one changes nothing.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use iron_policy::config::Policy;
use iron_policy::control::PolicyText;
use iron_proxy::authority::Permitted;
use iron_proxy::control_plane::{Enforce, ProviderKeys};
use iron_proxy::shared::Shared;

use crate::house::Maker;

/// How often the file is looked at. Looking works on every file system and survives editors
/// that replace the file, which notifications do not.
const INTERVAL: Duration = Duration::from_millis(500);

/// Puts policies in force: the proxy's own file, and a panel's text over it.
#[derive(Debug)]
pub struct Enforcer {
    shared: Weak<Shared>,
    maker: Maker,
    /// Where it listens, whatever the file says.
    listen: Option<SocketAddr>,
    texts: Mutex<Texts>,
}

#[derive(Debug, Clone, Default)]
struct Texts {
    own: String,
    panel: Option<String>,
}

impl Enforcer {
    /// For a proxy that runs with this text of `iron.toml`.
    pub fn new(
        shared: &Arc<Shared>,
        maker: Maker,
        own: String,
        listen: Option<SocketAddr>,
    ) -> Arc<Self> {
        let texts = Mutex::new(Texts { own, panel: None });
        Arc::new(Self { shared: Arc::downgrade(shared), maker, listen, texts })
    }

    /// Puts another text of the file in force.
    pub fn own(&self, text: &str) -> Result<(), String> {
        self.change(|texts| text.clone_into(&mut texts.own))
    }

    /// Keeps a change only where what results can be put in force. One at a time: the last one wins.
    fn change(&self, change: impl FnOnce(&mut Texts)) -> Result<(), String> {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = texts.clone();
        change(&mut changed);
        self.apply(&changed)?;
        *texts = changed;
        Ok(())
    }

    fn apply(&self, texts: &Texts) -> Result<(), String> {
        let Some(shared) = self.shared.upgrade() else { return Ok(()) };
        let policy = match &texts.panel {
            Some(panel) => Policy::overlaid(&texts.own, panel),
            None => Policy::parse(&texts.own),
        };
        let mut policy = policy.map_err(|error| error.to_string())?;
        let before = shared.live();
        if let Some(listen) = self.listen {
            policy.proxy.listen = listen;
        }
        for (changed, what) in [
            (policy.proxy.listen != before.policy.proxy.listen, "proxy.listen"),
            (policy.proxy.read_timeout != before.policy.proxy.read_timeout, "proxy.read_timeout"),
            (
                policy.proxy.write_timeout != before.policy.proxy.write_timeout,
                "proxy.write_timeout",
            ),
            (
                policy.proxy.max_connections != before.policy.proxy.max_connections,
                "proxy.max_connections",
            ),
            (policy.proxy.durability != before.policy.proxy.durability, "proxy.durability"),
            (policy.redact.secret != before.policy.redact.secret, "the secret of placeholders"),
        ] {
            if changed {
                tracing::warn!("{what} takes effect at the next start");
            }
        }
        let permitted = Permitted::of(&policy);
        let live = self.maker.live(policy, Some(&before)).map_err(|failure| failure.to_string())?;
        shared.replace(live);
        shared.authority.permit(permitted).map_err(|error| format!("the local CA: {error}"))
    }
}

impl Enforce for Enforcer {
    fn policy(&self, text: &PolicyText) -> Result<(), String> {
        self.change(|texts| texts.panel = Some(text.toml.clone()))
    }

    fn keys(&self, keys: ProviderKeys) {
        // With no policy being built that would still look the old ones up.
        let _texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        self.maker.take_keys(keys);
        if let Some(shared) = self.shared.upgrade() {
            self.maker.rekey(&shared.live());
        }
    }
}

/// Watches the file for as long as the proxy runs.
pub async fn watch(path: PathBuf, enforcer: Arc<Enforcer>) {
    let mut last = Some(enforcer.texts.lock().unwrap_or_else(PoisonError::into_inner).own.clone());
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        ticks.tick().await;
        if enforcer.shared.strong_count() == 0 {
            return;
        }
        let Ok(text) = tokio::fs::read_to_string(&path).await else { continue };
        if last.as_ref() == Some(&text) {
            continue;
        }
        match enforcer.own(&text) {
            Ok(()) => tracing::info!(file = %path.display(), "the new configuration is in force"),
            Err(error) => tracing::error!(
                file = %path.display(),
                "the new configuration is refused, the old one stays in force: {error}"
            ),
        }
        last = Some(text);
    }
}
