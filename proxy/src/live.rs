//! The policy in force, with everything that is built from it once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use iron_policy::config::{self, Place, Policy};
use iron_policy::price::{ModelPrice, PriceList};
use iron_policy::redact::{Engine, Memory};
use iron_policy::types::{Dialect, Name, NameError, Platform};
use zeroize::Zeroizing;

use crate::connect::{Network, Others, Swaps, Target};
use crate::limits::AgentGates;
use crate::recogniser::{Recogniser, RecogniserError};
use crate::sessions::Sessions;
use crate::stream::answers::Answers;
use crate::upstream::{BadKey, ProviderKey, Upstream};

/// Model names whose prices are remembered; more than anyone uses at once.
const MAX_MODELS: usize = 1_000;

/// No model has a longer name, in bytes; what is longer is not remembered.
const LONGEST_NAME: usize = 200;

/// A policy at work. Immutable; a changed configuration makes another.
#[derive(Debug)]
pub struct Live {
    /// What the operator wrote.
    pub policy: Policy,
    /// Finds what must not leave.
    pub engine: Engine,
    /// Looks through answers; none where nothing is looked for in them.
    pub answers: Option<Answers>,
    /// What it found in texts that come again.
    pub memory: Memory,
    /// Finds names and places, where the policy names a service for it.
    pub recogniser: Option<Recogniser>,
    /// What agents reach through the proxy besides the upstreams.
    pub others: Arc<Others>,
    /// The agents' rates.
    pub gates: AgentGates,
    /// The placeholders of open sessions; they outlive a change of policy.
    pub sessions: Arc<Sessions>,
    /// The agent that a call belongs to which names none.
    pub default_agent: Name,
    /// Whether a simulated provider answers for every upstream: its money is not real.
    pub simulated: bool,
    upstreams: Vec<Arc<Upstream>>,
    prices: PriceList,
    /// Prices found before, also the absence of one: callers repeat their models.
    found: Mutex<Found>,
}

/// The places of an upstream that a target is. Whoever asks for the port of plain HTTP there means
/// the same provider: nothing goes out in plain for it.
fn places<'u>(upstream: &'u Upstream, target: &Target) -> impl Iterator<Item = &'u Place> {
    let (host, port) = (target.host.clone(), target.port);
    upstream.config.hosts.iter().filter(move |place| {
        place.host == host && (place.port == port || (place.port == 443 && port == 80))
    })
}

/// The operator's key for an upstream.
pub enum OperatorKey {
    /// This one.
    Given(Zeroizing<String>),
    /// There is one of its name, for another address: no call goes to this one.
    ForAnotherAddress,
    /// There is none.
    None,
}

/// The key, and whether there is one that must not go there.
fn key_for(
    config: &config::Upstream,
    key_of: impl Fn(&config::Upstream) -> OperatorKey,
) -> Result<(Option<ProviderKey>, bool), BadKey> {
    match key_of(config) {
        OperatorKey::Given(key) if !key.trim().is_empty() => {
            Ok((Some(ProviderKey::new(config.dialect, config.platform, &key)?), false))
        }
        OperatorKey::ForAnotherAddress => Ok((None, true)),
        OperatorKey::Given(_) | OperatorKey::None => Ok((None, false)),
    }
}

/// By upstream and model.
type Found = HashMap<(Name, String), Option<Arc<ModelPrice>>>;

/// Why a policy cannot be put to work.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// A key that no header can carry.
    #[error("upstream `{0}`: {1}")]
    Key(Name, BadKey),
    /// A recogniser's address that is none.
    #[error("[redact.recogniser]: {0}")]
    Recogniser(RecogniserError),
    /// A price override that says nothing usable.
    #[error("[[price]]: {0}")]
    Price(String),
    /// Never happens with the names in this file.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl Live {
    /// Builds what the policy needs. `key_of` looks up the operator's key for an upstream.
    ///
    /// An upstream whose configuration did not change keeps its connections and its breaker; its key
    /// is looked up anew.
    pub fn build(
        policy: Policy,
        key_of: impl Fn(&config::Upstream) -> OperatorKey,
        network: &Network,
        swaps: Swaps,
        sessions: Arc<Sessions>,
        before: Option<&Self>,
    ) -> Result<Self, LiveError> {
        let upstreams = policy
            .upstreams
            .iter()
            .map(|config| {
                let kept = before
                    .and_then(|live| live.upstream(config.name.as_str()))
                    .filter(|upstream| upstream.config == *config);
                let (key, withheld) = key_for(config, &key_of)
                    .map_err(|error| LiveError::Key(config.name.clone(), error))?;
                if let Some(upstream) = kept {
                    upstream.rekey(key, withheld);
                    return Ok(upstream);
                }
                let upstream = Upstream::new(Arc::clone(config), None, network);
                upstream.rekey(key, withheld);
                Ok(Arc::new(upstream))
            })
            .collect::<Result<_, LiveError>>()?;
        let others = before.map(|live| live.others.as_ref());
        Ok(Self {
            simulated: false,
            others: Arc::new(Others::new(network, &policy, swaps, others)),
            engine: policy.redact.engine(),
            answers: Answers::of(policy.redact.answer_engine(), &policy.redact.kinds()),
            memory: sessions.memory(),
            recogniser: policy
                .redact
                .recogniser
                .as_ref()
                .map(|config| Recogniser::new(config.clone(), network))
                .transpose()
                .map_err(LiveError::Recogniser)?,
            gates: AgentGates::new(policy.limits),
            prices: PriceList::builtin()
                .with_overrides(policy.prices.clone())
                .map_err(|error| LiveError::Price(error.to_string()))?,
            found: Mutex::default(),
            default_agent: "default".parse()?,
            sessions,
            upstreams,
            policy,
        })
    }

    /// Looks the keys of all upstreams up anew. One that no header can carry leaves the old one.
    pub fn rekey(&self, key_of: impl Fn(&config::Upstream) -> OperatorKey) {
        for upstream in &self.upstreams {
            match key_for(&upstream.config, &key_of) {
                Ok((key, withheld)) => upstream.rekey(key, withheld),
                Err(error) => tracing::error!(upstream = upstream.name(), "{error}"),
            }
        }
    }

    /// The upstreams, in the order of the file.
    pub fn upstreams(&self) -> &[Arc<Upstream>] {
        &self.upstreams
    }

    /// The upstream of this name.
    pub fn upstream(&self, name: &str) -> Option<Arc<Upstream>> {
        self.upstreams.iter().find(|upstream| upstream.name() == name).cloned()
    }

    /// Whether connections to this host are an upstream's.
    pub fn serves(&self, target: &Target) -> bool {
        self.upstreams.iter().any(|upstream| places(upstream, target).next().is_some())
    }

    /// The upstream that answers for a path of this host, and the path as it is there.
    ///
    /// The longest base path wins; of several alike, the first that speaks the dialect that
    /// `wanted` reads in the path, else the first.
    pub fn upstream_at<'p>(
        &self,
        target: &Target,
        path: &'p str,
        wanted: impl Fn(&str) -> Dialect,
    ) -> Option<(Arc<Upstream>, &'p str)> {
        let mut best: Option<(usize, &Arc<Upstream>, &'p str)> = None;
        for upstream in &self.upstreams {
            for place in places(upstream, target) {
                let Some(rest) = path.strip_prefix(place.base_path.as_str()) else { continue };
                if !rest.is_empty() && !rest.starts_with('/') {
                    continue;
                }
                let rest = if rest.is_empty() { "/" } else { rest };
                let length = place.base_path.len();
                let better = best.is_none_or(|(kept, other, _)| {
                    let fits = |upstream: &Upstream| upstream.config.dialect == wanted(rest);
                    length > kept || (length == kept && fits(upstream) && !fits(other))
                });
                if better {
                    best = Some((length, upstream, rest));
                }
            }
        }
        best.map(|(_, upstream, rest)| (Arc::clone(upstream), rest))
    }

    /// The upstream for paths that name none: the first that speaks the dialect, on the platform
    /// whose paths they are.
    pub fn default_upstream(
        &self,
        dialect: Dialect,
        platform: Option<Platform>,
    ) -> Option<Arc<Upstream>> {
        let speaks = |upstream: &&Arc<Upstream>| {
            upstream.config.dialect == dialect && upstream.config.platform == platform
        };
        self.upstreams.iter().find(speaks).cloned()
    }

    /// The upstream that the policy chooses for a model, if it has the same paths.
    pub fn route(&self, from: &Upstream, model: &str) -> Option<Arc<Upstream>> {
        self.policy
            .routes
            .iter()
            .filter(|route| route.model.matches(model))
            .filter_map(|route| self.upstream(route.upstream.as_str()))
            .find(|upstream| {
                let (to, from) = (&upstream.config, &from.config);
                (to.dialect, to.platform) == (from.dialect, from.platform)
            })
    }

    /// Whether an answer's text may be kept back, so that it must be readable.
    pub fn guards_answers(&self) -> bool {
        self.answers.as_ref().is_some_and(Answers::guards)
    }

    /// The list of prices in force.
    pub const fn prices(&self) -> &PriceList {
        &self.prices
    }

    /// The price of a model on an upstream.
    pub fn price(&self, upstream: &Upstream, model: &str) -> Option<Arc<ModelPrice>> {
        if model.len() > LONGEST_NAME {
            return None;
        }
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (upstream.config.name.clone(), model.to_owned());
        if let Some(price) = found.get(&key) {
            return price.clone();
        }
        let vendor = upstream.config.vendor.as_deref();
        let price = if let (None, Some(platform)) = (vendor, upstream.config.platform) {
            self.prices.find_on(platform, upstream.name(), model)
        } else {
            self.prices.find(Some(vendor.unwrap_or_else(|| upstream.name())), model)
        };
        if found.len() >= MAX_MODELS {
            found.clear();
        }
        found.insert(key, price.clone());
        price
    }
}
