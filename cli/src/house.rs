//! Puts the crates together: a proxy with its ledger, its policy and its port.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Context, anyhow};
use iron_policy::config::{Policy, Secret, SecretSource, Upstream};
use iron_proxy::authority::{Authority, Folder, Permitted};
use iron_proxy::connect::{Network, Swaps, placeholder};
use iron_proxy::control::Token;
use iron_proxy::control_plane::ProviderKeys;
use iron_proxy::live::{Live, OperatorKey};
use iron_proxy::runs::Runs;
use iron_proxy::server::Server;
use iron_proxy::sessions::Sessions;
use iron_proxy::shared::Shared;
use iron_proxy::state::Ledger;
use iron_proxy::stops;
use iron_proxy::upstream::Tls;
use zeroize::Zeroizing;

use crate::commands::Failure;
use crate::secret;

/// The file beside the state that keys the placeholders of secrets.
const PLACEHOLDER_KEY: &str = "placeholders.key";

/// A proxy that has its port and its ledger.
pub struct House {
    /// The agents' port, bound and not yet served.
    pub server: Server,
    /// What all calls share.
    pub shared: Arc<Shared>,
}

impl House {
    /// Opens the ledger, builds the policy's parts, takes the port.
    pub async fn start(policy: &Policy, state: &Path, maker: &Maker) -> Result<Self, Failure> {
        maker.keep_beside(state);
        let live = maker.live(policy.clone(), None)?;
        let (ledger, recovery) =
            Ledger::open(state, &policy.into()).map_err(anyhow::Error::from)?;
        if recovery.recovered > 0 {
            tracing::warn!(
                calls = recovery.recovered,
                "calls were open when the proxy last stopped: charged whole, marked as estimated"
            );
        }
        let authority = Authority::open(Folder::beside(state), Permitted::of(policy))
            .context("the local CA cannot be used")?;
        let runs = Runs::of(ledger.path()).map_err(anyhow::Error::from)?;
        let control = Token::create(ledger.path()).with_context(|| {
            format!("no control token can be written beside {}", state.display())
        })?;
        let shared = Shared::new(live, ledger, authority, runs, control, recovery.last);
        // Before the port is there: who was stopped before the restart is so after it.
        stops::refresh(&shared).await.map_err(anyhow::Error::from)?;
        tokio::spawn(stops::watch(Arc::downgrade(&shared)));
        let server = Server::bind(policy.proxy.listen, Arc::clone(&shared)).await.with_context(|| {
        format!(
            "cannot listen on {}: is another proxy running? Choose another port with --listen",
            policy.proxy.listen
        )
    })?;
        let published = server.address().and_then(|address| shared.control.publish(address));
        published.context("the control token cannot be written")?;
        Ok(Self { server, shared })
    }
}

/// The variables that agents get for a policy's secrets, each with its placeholder, as a proxy with
/// this state would give them.
pub fn placeholders(policy: &Policy, state: &Path) -> Result<Vec<(String, String)>, Failure> {
    if policy.secrets.is_empty() {
        return Ok(Vec::new());
    }
    let key = placeholder_key(state.with_file_name(PLACEHOLDER_KEY))?;
    let all = policy.secrets.iter();
    let given =
        all.filter_map(|own| Some((own.agent_env.clone()?, placeholder(&key, own.name.as_str()))));
    Ok(given.collect())
}

/// What keys placeholders; made where there is none.
fn placeholder_key(file: PathBuf) -> Result<Zeroizing<Vec<u8>>, Failure> {
    secret::read(&SecretSource::File(file), |_| None)
        .context("placeholders of [[secret]]")
        .map_err(Failure::Config)
}

/// Makes live policies: what they need besides their text.
#[derive(Clone)]
pub struct Maker {
    network: Network,
    keys: Keys,
    /// Provider keys that a panel handed over, in memory only.
    from_panel: Arc<Mutex<ProviderKeys>>,
    /// The file that keys the placeholders of secrets, once it is known.
    placeholder_key: Arc<OnceLock<PathBuf>>,
    /// Where every upstream is sent instead, with a key that means nothing.
    simulated: Option<String>,
}

impl Maker {
    /// With provider keys from the environment. `simulated` is where every upstream is sent
    /// instead of its own address, with a key that means nothing.
    pub fn new(simulated: Option<String>) -> Result<Self, Failure> {
        Ok(Self { simulated, keys: Keys::Environment, ..Self::with_keys(HashMap::new())? })
    }

    /// With these provider keys, by the name of the variable that would hold them.
    pub fn with_keys(keys: HashMap<String, String>) -> Result<Self, Failure> {
        Ok(Self {
            network: Network::new(Tls::system().context("TLS cannot be set up")?),
            keys: Keys::Given(keys),
            from_panel: Arc::default(),
            placeholder_key: Arc::default(),
            simulated: None,
        })
    }

    /// The same in another network: for tests.
    #[must_use]
    pub fn within(mut self, change: impl FnOnce(&mut Network)) -> Self {
        change(&mut self.network);
        self
    }

    /// The placeholders of secrets are to be the same at every start with this state.
    fn keep_beside(&self, state: &Path) {
        let _ = self.placeholder_key.set(state.with_file_name(PLACEHOLDER_KEY));
    }

    /// The policy's secrets with their values.
    fn swaps(&self, policy: &Policy) -> Result<Swaps, Failure> {
        if policy.secrets.is_empty() {
            return Ok(Swaps::default());
        }
        let file = self.placeholder_key.get().cloned();
        let file = file.ok_or_else(|| anyhow!("no state is open to keep placeholders beside"));
        let key = placeholder_key(file.map_err(Failure::Other)?)?;
        let mut values = Vec::new();
        for own in &policy.secrets {
            let value = secret::value(&own.source, |name| self.variable(name));
            let value = value.with_context(|| format!("[[secret]] `{}`", own.name));
            values.push((own.name.clone(), value.map_err(Failure::Config)?));
        }
        let value_of = |own: &Secret| {
            values.iter().find(|(name, _)| *name == own.name).and_then(|(_, value)| value.clone())
        };
        let swaps = Swaps::new(&policy.secrets, value_of, &key);
        let swaps = swaps.map_err(|error| Failure::Config(anyhow!("{error}")))?;
        for swap in swaps.iter().filter(|swap| !swap.is_set()) {
            tracing::warn!(
                secret = %swap.config.name,
                "it has no value: requests that need it are refused until it has, after a restart"
            );
        }
        Ok(swaps)
    }

    /// The operator's key for an upstream: the panel's, where that is for this very address, else that
    /// of its variable. A policy says where upstreams are, and whoever writes it may not send keys
    /// anywhere with it.
    fn key(&self, upstream: &Upstream) -> OperatorKey {
        if self.simulated.is_some() {
            return OperatorKey::Given(Zeroizing::new("simulated".to_owned()));
        }
        let from_panel = self.from_panel.lock().unwrap_or_else(PoisonError::into_inner);
        let bound = from_panel.get(upstream.name.as_str());
        if let Some(bound) = bound.filter(|bound| bound.base_url == upstream.base_url) {
            return OperatorKey::Given(bound.key.clone());
        }
        match upstream.api_key_env.as_deref().and_then(|name| self.variable(name)) {
            Some(key) => OperatorKey::Given(Zeroizing::new(key)),
            None if bound.is_some() => OperatorKey::ForAnotherAddress,
            None => OperatorKey::None,
        }
    }

    /// These are the provider keys of the panel, and no others.
    pub(crate) fn take_keys(&self, keys: ProviderKeys) {
        *self.from_panel.lock().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// Lets a policy that is in force go on with the keys of now.
    pub(crate) fn rekey(&self, live: &Live) {
        live.rekey(|upstream| self.key(upstream));
    }

    fn variable(&self, name: &str) -> Option<String> {
        match &self.keys {
            Keys::Environment => std::env::var(name).ok(),
            Keys::Given(keys) => keys.get(name).cloned(),
        }
    }

    /// The vaults of a proxy that starts.
    fn sessions(&self, policy: &Policy) -> Result<Sessions, Failure> {
        match &policy.redact.secret {
            None => Ok(Sessions::new().map_err(anyhow::Error::from)?),
            Some(source) => {
                let secret = secret::read(source, |name| self.variable(name));
                Ok(Sessions::keyed(&secret.map_err(Failure::Config)?))
            }
        }
    }

    /// A policy at work; what did not change is taken over from the one before, and so are the
    /// placeholders of open sessions, whatever became of the secret that keys them.
    pub fn live(&self, mut policy: Policy, before: Option<&Live>) -> Result<Live, Failure> {
        if let Some(url) = &self.simulated {
            for upstream in &mut policy.upstreams {
                let upstream = Arc::make_mut(upstream);
                upstream.base_url.clone_from(url);
                upstream.api_key_env = Some("SIMULATED".to_owned());
            }
        }
        let sessions = match before {
            Some(live) => Arc::clone(&live.sessions),
            None => Arc::new(self.sessions(&policy)?),
        };
        let swaps = self.swaps(&policy)?;
        let key = |upstream: &Upstream| self.key(upstream);
        let mut live = Live::build(policy, key, &self.network, swaps, sessions, before)
            .map_err(|error| Failure::Config(anyhow!("{error}")))?;
        live.simulated = self.simulated.is_some();
        Ok(live)
    }
}

/// Where provider keys come from.
#[derive(Clone)]
enum Keys {
    Environment,
    Given(HashMap<String, String>),
}

impl std::fmt::Debug for Maker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Maker").field("simulated", &self.simulated).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use iron_proxy::control_plane::Bound;

    use super::*;

    #[test]
    fn a_key_of_the_panel_goes_to_its_own_address_alone() {
        let variables = HashMap::from([("OWN_KEY".to_owned(), "sk-own".to_owned())]);
        let maker = Maker::with_keys(variables).unwrap();
        let kept = Bound {
            base_url: "https://api.openai.com".to_owned(),
            key: Zeroizing::new("sk-panel".to_owned()),
        };
        maker.take_keys(ProviderKeys::from([("openai".to_owned(), kept)]));
        let live = |name: &str, url: &str, more: &str| {
            let text = format!(
                "[[upstream]]\nname = \"{name}\"\ndialect = \"openai\"\nbase_url = \"{url}\"\n{more}"
            );
            maker.live(Policy::parse(&text).unwrap(), None).unwrap()
        };
        let variable = "api_key_env = \"OWN_KEY\"";
        for (name, url, more, keyed, withheld) in [
            ("openai", "https://api.openai.com/", "", true, false),
            ("openai", "https://evil.example", "", false, true),
            ("openai", "https://api.openai.com.evil.example", "", false, true),
            ("openai", "http://api.openai.com", "", false, true),
            ("openai", "https://api.openai.com:444", "", false, true),
            // A variable is the file's word for this very address.
            ("openai", "https://evil.example", variable, true, false),
            ("other", "https://api.openai.com", "", false, false),
        ] {
            let upstream = live(name, url, more).upstream(name).unwrap();
            let found = (upstream.key().is_some(), upstream.is_withheld());
            assert_eq!(found, (keyed, withheld), "{name} {url} {more}");
        }
        let live = live("openai", "https://evil.example", "");
        maker.take_keys(ProviderKeys::new());
        maker.rekey(&live);
        assert!(!live.upstream("openai").unwrap().is_withheld(), "the panel has none any more");
    }
}
