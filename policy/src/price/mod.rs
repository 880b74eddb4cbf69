//! STUB
pub mod media;
use crate::types::*;
use std::sync::Arc;
#[derive(Debug, Clone)]
pub struct PriceList;
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct PriceError;
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct NoBound;
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceOverride {
    pub model: String,
}
#[derive(Debug, Clone)]
pub struct ModelPrice;
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceTier {
    Standard,
    Batch,
    Flex,
    Priority,
}
impl ServiceTier {
    pub fn served(_: Option<&str>) -> Self {
        Self::Standard
    }
}
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cost;
impl Cost {
    pub fn total(&self) -> NanoUsd {
        NanoUsd(0)
    }
    pub fn by_class(&self) -> impl Iterator<Item = (TokenClass, PicoUsd)> + '_ {
        CLASSES.iter().map(|c| (*c, PicoUsd(0)))
    }
}
pub struct Ask {
    pub input_tokens: u64,
    pub image_tokens: u64,
    pub audio_tokens: u64,
    pub max_output: Option<u64>,
    pub choices: u64,
    pub tool_calls: Option<u64>,
    pub tier: ServiceTier,
}
impl PriceList {
    pub fn builtin() -> Self {
        Self
    }
    pub fn date(&self) -> &str {
        ""
    }
    pub fn with_overrides(self, _: Vec<PriceOverride>) -> Result<Self, PriceError> {
        Ok(self)
    }
    pub fn find(&self, _: Option<&str>, _: &str) -> Option<Arc<ModelPrice>> {
        None
    }
    pub fn search(&self, _q: &str) -> Vec<(String, Arc<ModelPrice>)> {
        vec![]
    }
}
impl ModelPrice {
    pub fn model(&self) -> &str {
        ""
    }
    pub fn context_window(&self) -> u64 {
        0
    }
    pub fn max_output(&self) -> Option<u64> {
        None
    }
    pub fn cost(&self, _: &Usage, _: ServiceTier) -> Cost {
        Cost
    }
    pub fn bound(&self, _: &Ask) -> Result<NanoUsd, NoBound> {
        Err(NoBound)
    }
    pub fn affordable_output(&self, _: &Ask, _: NanoUsd) -> Option<u64> {
        None
    }
}
