//! The prices of one model, by class of units and by tier, and what a usage costs.

use serde::Deserialize;

use crate::types::{CLASSES, NanoUsd, PicoUsd, TokenClass, Usage};

/// At which of its prices a provider serves a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceTier {
    /// The list price.
    Standard,
    /// Within a day, cheaper.
    Batch,
    /// When there is room, cheaper.
    Flex,
    /// First in the queue, dearer.
    Priority,
    /// On faster machines, dearer.
    Fast,
}

/// Every tier, in the order of its discriminant.
pub(super) const TIERS: [ServiceTier; 5] = [
    ServiceTier::Standard,
    ServiceTier::Batch,
    ServiceTier::Flex,
    ServiceTier::Priority,
    ServiceTier::Fast,
];

impl ServiceTier {
    /// The tier that an answer names.
    pub fn served(name: Option<&str>) -> Self {
        match name {
            Some("batch") => Self::Batch,
            Some("flex") => Self::Flex,
            Some("priority") => Self::Priority,
            None | Some("default" | "standard" | "standard_only" | "auto" | "on_demand") => {
                Self::Standard
            }
            // `fast`; and a tier that is not known is none of the cheap ones.
            Some(_) => Self::Fast,
        }
    }
}

/// Vendors whose batches cost half.
const HALVES: [&str; 2] = ["openai", "anthropic"];

/// Pico-USD per unit: below a first threshold of input tokens, and above each further one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Vec<i64>")]
pub(super) struct Steps {
    base: i64,
    above: Vec<(u64, i64)>,
}

impl From<Vec<i64>> for Steps {
    fn from(list: Vec<i64>) -> Self {
        let (base, rest) = list.split_first().map_or((0, &[][..]), |(base, rest)| (*base, rest));
        let above = rest.chunks_exact(2).map(|step| (step[0].unsigned_abs(), step[1])).collect();
        Self { base, above }
    }
}

impl Steps {
    pub(super) const fn flat(pico: i64) -> Self {
        Self { base: pico, above: Vec::new() }
    }

    /// The price of each unit of a call that reads so many tokens: a call beyond a threshold
    /// pays the dearer price for all of it.
    fn at(&self, input_tokens: u64) -> PicoUsd {
        let step = self.above.iter().rev().find(|(more_than, _)| input_tokens > *more_than);
        PicoUsd(i128::from(step.map_or(self.base, |(_, pico)| *pico)))
    }

    /// The dearest price of a call that reads up to so many tokens.
    fn most(&self, input_tokens: u64) -> PicoUsd {
        let above = self.above.iter().filter(|(more_than, _)| input_tokens > *more_than);
        let most = above.map(|(_, pico)| *pico).fold(self.base, i64::max);
        PicoUsd(i128::from(most))
    }
}

/// Prices by class, in the order of [`CLASSES`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rates(pub(super) [Option<Steps>; CLASSES.len()]);

impl<'de> Deserialize<'de> for Rates {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let named = std::collections::BTreeMap::<TokenClass, Steps>::deserialize(deserializer)?;
        let mut rates = Self::default();
        for (class, steps) in named {
            rates.0[class as usize] = Some(steps);
        }
        Ok(rates)
    }
}

/// A model and everything that its calls are priced by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelPrice {
    pub(super) model: String,
    pub(super) vendor: String,
    pub(super) context_window: Option<u64>,
    pub(super) max_output: Option<u64>,
    /// By tier, in the order of [`TIERS`]; a tier without prices of its own has the standard ones.
    pub(super) rates: [Option<Rates>; TIERS.len()],
}

/// What a call cost, by class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cost([PicoUsd; CLASSES.len()]);

impl Cost {
    /// The sum, rounded up once.
    pub fn total(&self) -> NanoUsd {
        self.0.iter().copied().sum::<PicoUsd>().ceil()
    }

    /// The same at so many percent of the price.
    #[must_use]
    pub fn percent(self, percent: u64) -> Self {
        let scale = |cost: PicoUsd| {
            let scaled = cost.times(percent).0;
            PicoUsd(scaled.div_euclid(100) + i128::from(scaled.rem_euclid(100) != 0))
        };
        Self(self.0.map(scale))
    }

    /// With another cost added, class by class.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = *mine + theirs;
        }
        self
    }

    /// Each class with its exact cost.
    pub fn by_class(&self) -> impl Iterator<Item = (TokenClass, PicoUsd)> + '_ {
        CLASSES.iter().map(|class| (*class, self.0[*class as usize]))
    }
}

impl ModelPrice {
    /// The model's name in the list.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Whose list it is in; `iron.toml` for the operator's own.
    pub fn vendor(&self) -> &str {
        &self.vendor
    }

    /// The most input that a call can have, in tokens; none where the list does not say.
    pub const fn context_window(&self) -> Option<u64> {
        self.context_window
    }

    /// The most output that an answer can have, in tokens. Where the list does not say, an answer
    /// still fits into the context window.
    pub fn max_output(&self) -> Option<u64> {
        self.max_output.or(self.context_window)
    }

    /// The list price of a class, below any threshold; none where it has no price of its own.
    pub fn list_price(&self, class: TokenClass) -> Option<PicoUsd> {
        self.rates[0].as_ref()?.0[class as usize].as_ref().map(|steps| steps.at(0))
    }

    /// Whether a tier has prices of its own; else the standard ones would be taken for it.
    pub const fn has_tier(&self, tier: ServiceTier) -> bool {
        self.rates[tier as usize].is_some()
    }

    /// Thresholds of input tokens above which other prices hold.
    pub fn thresholds(&self) -> Vec<u64> {
        let mut found: Vec<u64> = self.rates[0]
            .iter()
            .flat_map(|rates| rates.0.iter().flatten())
            .flat_map(|steps| steps.above.iter().map(|(more_than, _)| *more_than))
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// What a usage cost at the tier that served it.
    pub fn cost(&self, usage: &Usage, tier: ServiceTier) -> Cost {
        let input_tokens = usage.input_tokens();
        let mut cost = Cost::default();
        for (class, units) in usage.iter().filter(|(_, units)| *units > 0) {
            let units = self.billed(class, units);
            let price = self.steps(class, tier).map_or(PicoUsd(0), |steps| steps.at(input_tokens));
            cost.0[class as usize] = price.times(units);
        }
        cost
    }

    /// The most that so many units of a class cost; none where it has no price of its own.
    pub fn units_cost(&self, class: TokenClass, units: u64) -> Option<NanoUsd> {
        Some(self.list_price(class)?.times(self.billed(class, units)).ceil())
    }

    /// The units that are billed. Groq bills at least ten seconds of a recording (Groq, "Speech to
    /// text": "Minimum billed length: 10 seconds").
    fn billed(&self, class: TokenClass, units: u64) -> u64 {
        let least = class == TokenClass::AudioSecond && self.vendor == "groq";
        if least { units.max(10) } else { units }
    }

    /// Whether a usage can be charged by these prices: it has units that have one, or none at all.
    pub fn covers(&self, usage: &Usage) -> bool {
        let mut used = usage.iter().filter(|(_, units)| *units > 0).peekable();
        used.peek().is_none()
            || used.any(|(class, _)| self.steps(class, ServiceTier::Standard).is_some())
    }

    /// The tier that a batch's request is served at: its own, where the list has prices for it.
    pub const fn batch_tiers(&self) -> &'static [ServiceTier] {
        if self.has_tier(ServiceTier::Batch) {
            &[ServiceTier::Batch]
        } else {
            &[ServiceTier::Standard]
        }
    }

    /// What one request of a batch cost: at the batch prices of the list, or where it has none, at
    /// half the price for vendors who say so of all their batches (OpenAI, "Batch API": "50% cost
    /// discount compared to synchronous APIs"; Anthropic, "Batch processing": "All usage is charged
    /// at 50% of the standard API prices"). Tools are charged in full.
    pub fn batch_cost(&self, usage: &Usage) -> Cost {
        if self.has_tier(ServiceTier::Batch) || !HALVES.contains(&self.vendor.as_str()) {
            return self.cost(usage, ServiceTier::Batch);
        }
        let mut cost = self.cost(usage, ServiceTier::Standard);
        for (class, pico) in CLASSES.iter().zip(&mut cost.0) {
            if !class.is_counted() {
                *pico = PicoUsd(pico.0.div_euclid(2) + pico.0.rem_euclid(2));
            }
        }
        cost
    }

    /// The dearest price of a class at a tier for calls that read up to so many tokens.
    pub(super) fn most(&self, class: TokenClass, tier: ServiceTier, input_tokens: u64) -> PicoUsd {
        self.steps(class, tier).map_or(PicoUsd(0), |steps| steps.most(input_tokens))
    }

    /// The prices of a class. One without a price of its own has that of the class it is a kind
    /// of, never none: an unknown part of a bill must not be free.
    fn steps(&self, class: TokenClass, tier: ServiceTier) -> Option<&Steps> {
        use TokenClass::{
            AudioCacheRead, AudioInput, AudioOutput, AudioSecond, CacheRead, CacheWrite,
            CacheWrite1h, Character, Image, ImageInput, ImageOutput, Input, Output, Reasoning,
            ToolCall,
        };
        let own = |tier: ServiceTier, class: TokenClass| {
            self.rates[tier as usize].as_ref().and_then(|rates| rates.0[class as usize].as_ref())
        };
        let found = own(tier, class).or_else(|| own(ServiceTier::Standard, class));
        found.or_else(|| {
            let kind_of = match class {
                AudioCacheRead => AudioInput,
                CacheWrite1h => CacheWrite,
                // A model without output has no price for it, and reports none.
                CacheRead | CacheWrite | AudioInput | ImageInput | Output => Input,
                Reasoning | AudioOutput | ImageOutput => Output,
                // Input has a price, and calls with tools that have none are refused; what is
                // counted by the piece is charged only where it has a price.
                Input | ToolCall | Image | AudioSecond | Character => return None,
            };
            self.steps(kind_of, tier)
        })
    }
}
