//! The policy in force, with everything that is built from it once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use iron_policy::config::Policy;
use iron_policy::price::{ModelPrice, PriceList};
use iron_policy::redact::{Engine, Memory};
use iron_policy::types::{Dialect, Name, NameError};

use crate::limits::AgentGates;
use crate::recogniser::{Recogniser, RecogniserError};
use crate::sessions::Sessions;
use crate::stream::answers::Answers;
use crate::upstream::{BadKey, ProviderKey, Tls, Upstream};

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
    /// The agents' rates.
    pub gates: AgentGates,
    /// The placeholders of open sessions; they outlive a change of policy.
    pub sessions: Arc<Sessions>,
    /// The agent that a call belongs to which names none.
    pub default_agent: Name,
    upstreams: Vec<Arc<Upstream>>,
    prices: PriceList,
    /// Prices found before, also the absence of one: callers repeat their models.
    found: Mutex<Found>,
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
    /// Builds what the policy needs. `key_of` looks up a variable that holds a provider key.
    ///
    /// An upstream whose configuration did not change keeps its connections and its breaker.
    pub fn build(
        policy: Policy,
        key_of: impl Fn(&str) -> Option<String>,
        tls: &Tls,
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
                if let Some(upstream) = kept {
                    return Ok(upstream);
                }
                let key = config
                    .api_key_env
                    .as_deref()
                    .and_then(&key_of)
                    .filter(|key| !key.trim().is_empty())
                    .map(|key| ProviderKey::new(config.dialect, &key))
                    .transpose()
                    .map_err(|error| LiveError::Key(config.name.clone(), error))?;
                Ok(Arc::new(Upstream::new(Arc::clone(config), key, tls)))
            })
            .collect::<Result<_, LiveError>>()?;
        Ok(Self {
            engine: policy.redact.engine(),
            answers: Answers::of(policy.redact.answer_engine(), &policy.redact.kinds()),
            memory: sessions.memory(),
            recogniser: policy
                .redact
                .recogniser
                .as_ref()
                .map(|config| Recogniser::new(config.clone(), tls))
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

    /// The upstreams, in the order of the file.
    pub fn upstreams(&self) -> &[Arc<Upstream>] {
        &self.upstreams
    }

    /// The upstream of this name.
    pub fn upstream(&self, name: &str) -> Option<Arc<Upstream>> {
        self.upstreams.iter().find(|upstream| upstream.name() == name).cloned()
    }

    /// The upstream for paths that name none: the first that speaks the dialect.
    pub fn default_upstream(&self, dialect: Dialect) -> Option<Arc<Upstream>> {
        self.upstreams.iter().find(|upstream| upstream.config.dialect == dialect).cloned()
    }

    /// The upstream that the policy chooses for a model, if it speaks the dialect.
    pub fn route(&self, dialect: Dialect, model: &str) -> Option<Arc<Upstream>> {
        self.policy
            .routes
            .iter()
            .filter(|route| route.model.matches(model))
            .filter_map(|route| self.upstream(route.upstream.as_str()))
            .find(|upstream| upstream.config.dialect == dialect)
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
        let vendor = upstream.config.vendor.as_deref().unwrap_or_else(|| upstream.name());
        let price = self.prices.find(Some(vendor), model);
        if found.len() >= MAX_MODELS {
            found.clear();
        }
        found.insert(key, price.clone());
        price
    }
}
