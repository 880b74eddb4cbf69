//! The vendored list, what comes before it, and how a model is found in it.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use super::matching::Clause;
use super::model::{ModelPrice, Rates, ServiceTier, TIERS};
use super::overrides::{PriceError, PriceOverride};
use crate::types::Platform;

/// All known prices. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PriceList {
    list: &'static List,
    own: Vec<(PriceOverride, Arc<ModelPrice>)>,
}

#[derive(Debug)]
struct List {
    date: String,
    vendors: BTreeMap<String, Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    matching: Clause,
    price: Arc<ModelPrice>,
}

#[derive(Deserialize)]
struct RawList {
    date: String,
    vendors: BTreeMap<String, Vec<RawEntry>>,
}

#[derive(Deserialize)]
struct RawEntry {
    model: String,
    #[serde(rename = "match")]
    matching: Clause,
    context_window: Option<u64>,
    max_output: Option<u64>,
    rates: BTreeMap<ServiceTier, Rates>,
}

/// Read when it is first needed; an empty list if it were broken, and then nothing has a price.
static BUILTIN: LazyLock<List> = LazyLock::new(|| {
    parse(include_str!("../../prices/prices.json"))
        .unwrap_or_else(|_| List { date: String::new(), vendors: BTreeMap::new() })
});

/// Vendors that make models of their own, asked in this order where an upstream's name is no
/// vendor's. Resellers are not asked: their prices are theirs alone.
const MAKERS: [&str; 8] =
    ["openai", "anthropic", "google", "deepseek", "mistral", "x-ai", "moonshotai", "cohere"];

/// Names that operators give to upstreams, and the vendor they mean.
const ALIASES: [(&str, &str); 9] = [
    ("gemini", "google"),
    ("xai", "x-ai"),
    ("grok", "x-ai"),
    ("claude", "anthropic"),
    ("moonshot", "moonshotai"),
    ("kimi", "moonshotai"),
    ("together_ai", "together"),
    ("togetherai", "together"),
    ("fireworks_ai", "fireworks"),
];

impl PriceList {
    /// The list that is compiled in.
    pub fn builtin() -> Self {
        Self { list: &BUILTIN, own: Vec::new() }
    }

    /// With the operator's prices before it.
    pub fn with_overrides(mut self, own: Vec<PriceOverride>) -> Result<Self, PriceError> {
        self.own = own
            .into_iter()
            .map(|own| own.price().map(|price| (own, Arc::new(price))))
            .collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// The day of the list, as `2026-11-23`.
    pub fn date(&self) -> &str {
        &self.list.date
    }

    /// The price of a model on an upstream, whose name (or configured vendor) says whose list
    /// applies. A known vendor's model is never priced by another vendor's list.
    pub fn find(&self, upstream: Option<&str>, model: &str) -> Option<Arc<ModelPrice>> {
        if let Some(price) = self.own(upstream, model) {
            return Some(price);
        }
        let name = model.to_ascii_lowercase();
        if let Some(vendor) = upstream.and_then(|upstream| self.vendor(upstream)) {
            // Models are also written with their maker's name before them.
            let bare = || name.split_once('/').filter(|(maker, _)| *maker == vendor);
            return self.listed(vendor, &name).or_else(|| self.listed(vendor, bare()?.1));
        }
        if let Some((maker, bare)) = name.split_once('/') {
            return self.listed(self.vendor(maker)?, bare);
        }
        MAKERS.iter().find_map(|vendor| self.listed(vendor, &name))
    }

    /// The price of a model on a platform, whose own name the operator's prices may name.
    pub fn find_on(
        &self,
        platform: Platform,
        upstream: &str,
        model: &str,
    ) -> Option<Arc<ModelPrice>> {
        let listed = || {
            let name = listed_name(platform, &model.to_ascii_lowercase())?;
            platform.vendors().iter().find_map(|vendor| self.listed(vendor, &name))
        };
        self.own(Some(upstream), model).or_else(listed)
    }

    /// The operator's own price.
    fn own(&self, upstream: Option<&str>, model: &str) -> Option<Arc<ModelPrice>> {
        let own = self.own.iter().find(|(own, _)| own.is_for(upstream, model));
        own.map(|(_, price)| Arc::clone(price))
    }

    /// Models whose name contains a text, by vendor; the operator's own first.
    pub fn search(&self, query: &str) -> Vec<Arc<ModelPrice>> {
        let query = query.to_ascii_lowercase();
        let own = self.own.iter().map(|(_, price)| price);
        let listed = self.list.vendors.values().flatten().map(|entry| &entry.price);
        own.chain(listed).filter(|price| price.model.contains(&query)).cloned().collect()
    }

    /// The vendor that a name means.
    fn vendor(&self, name: &str) -> Option<&str> {
        let name = name.to_ascii_lowercase();
        let meant = ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, vendor)| *vendor);
        let (known, _) = self.list.vendors.get_key_value(meant.unwrap_or(&name))?;
        Some(known)
    }

    /// The entry of a vendor that pins down most of the name.
    fn listed(&self, vendor: &str, name: &str) -> Option<Arc<ModelPrice>> {
        let matching = self.list.vendors.get(vendor)?.iter().filter(|e| e.matching.matches(name));
        // Of two that pin down as much, the first in the list, which the list means to win.
        let best = matching.rev().max_by_key(|entry| entry.matching.precision(name))?;
        Some(Arc::clone(&best.price))
    }
}

/// The name that the lists know a platform's model by; none where its price is not that of a model.
fn listed_name(platform: Platform, name: &str) -> Option<String> {
    match platform {
        Platform::Azure => Some(name.to_owned()),
        // A version stands after an `@`, in the makers' names after a hyphen. Its compatible path
        // writes the publisher before the name.
        Platform::Vertex => {
            let bare = name.strip_prefix("google/").unwrap_or(name);
            Some(bare.replace('@', "-"))
        }
        Platform::Bedrock => match name.strip_prefix("arn:") {
            None => Some(name.to_owned()),
            // Of what an ARN names, models and the profiles that AWS defines have list prices;
            // provisioned throughput, imported models and profiles of one's own have not.
            Some(arn) => {
                let named = |kind: &str| arn.split_once(kind).map(|(_, model)| model.to_owned());
                named(":foundation-model/").or_else(|| named(":inference-profile/"))
            }
        },
    }
}

fn parse(text: &str) -> Result<List, serde_json::Error> {
    let raw: RawList = serde_json::from_str(text)?;
    let entry = |vendor: &str, mut raw: RawEntry| Entry {
        matching: raw.matching,
        price: Arc::new(ModelPrice {
            model: raw.model,
            vendor: vendor.to_owned(),
            context_window: raw.context_window,
            max_output: raw.max_output,
            rates: TIERS.map(|tier| raw.rates.remove(&tier)),
        }),
    };
    let vendors = raw.vendors.into_iter().map(|(vendor, models)| {
        let models = models.into_iter().map(|raw| entry(&vendor, raw)).collect();
        (vendor, models)
    });
    Ok(List { date: raw.date, vendors: vendors.collect() })
}

#[cfg(test)]
mod tests;
