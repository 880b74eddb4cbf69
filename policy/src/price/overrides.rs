//! The operator's own prices: `[[price]]` in `iron.toml`.

use serde::Deserialize;

use super::model::{ModelPrice, Rates, Steps};
use crate::budget::Glob;
use crate::types::{NanoUsd, TokenClass};

/// One `[[price]]`. Prices are per million tokens, but for what is counted by the piece.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceOverride {
    /// The models it is for.
    pub model: Glob,
    /// Only on this upstream.
    pub upstream: Option<String>,
    /// Input.
    pub input: Option<Amount>,
    /// Output.
    pub output: Option<Amount>,
    /// Input from the provider's cache.
    pub cache_read: Option<Amount>,
    /// Input into the provider's cache.
    pub cache_write: Option<Amount>,
    /// Input into the provider's cache that lives an hour.
    pub cache_write_1h: Option<Amount>,
    /// Reasoning, where it is not priced as output.
    pub reasoning: Option<Amount>,
    /// Audio input.
    pub audio_input: Option<Amount>,
    /// Audio output.
    pub audio_output: Option<Amount>,
    /// Image input.
    pub image_input: Option<Amount>,
    /// Image output.
    pub image_output: Option<Amount>,
    /// A billed call of a tool.
    pub tool_call: Option<Amount>,
    /// An image that is made.
    pub image: Option<Amount>,
    /// A minute of a recording that is read.
    pub audio_minute: Option<Amount>,
    /// A million characters that are spoken.
    pub characters: Option<Amount>,
    /// The longest answer, in tokens.
    pub max_output_tokens: Option<u64>,
    /// The most input, in tokens.
    pub context_window: Option<u64>,
}

/// An amount written as text: `"0.20 USD"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Amount(#[serde(deserialize_with = "crate::config::amount")] pub NanoUsd);

/// Why a price cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// It is negative or larger than any price.
    #[error("the price of `{0}` is out of range")]
    Range(String),
    /// It says nothing that a call could be charged by.
    #[error(
        "the price of `{0}` needs `input` and `output`, or one of `image`, `audio_minute`, `characters`"
    )]
    Nothing(String),
}

impl PriceOverride {
    /// Whether it is for this model on this upstream.
    pub(super) fn is_for(&self, upstream: Option<&str>, model: &str) -> bool {
        let here = self.upstream.as_deref().is_none_or(|name| Some(name) == upstream);
        here && self.model.matches(model)
    }

    /// What it comes to.
    pub(super) fn price(&self) -> Result<ModelPrice, PriceError> {
        let counted = [self.image, self.audio_minute, self.characters];
        if (self.input.is_none() || self.output.is_none())
            && (counted.iter().all(Option::is_none)
                || self.input.is_some() != self.output.is_some())
        {
            return Err(PriceError::Nothing(self.model.to_string()));
        }
        let mut rates = Rates::default();
        for (class, amount) in [
            (TokenClass::Input, self.input),
            (TokenClass::Output, self.output),
            (TokenClass::CacheRead, self.cache_read),
            (TokenClass::CacheWrite, self.cache_write),
            (TokenClass::CacheWrite1h, self.cache_write_1h),
            (TokenClass::Reasoning, self.reasoning),
            (TokenClass::AudioInput, self.audio_input),
            (TokenClass::AudioOutput, self.audio_output),
            (TokenClass::ImageInput, self.image_input),
            (TokenClass::ImageOutput, self.image_output),
            (TokenClass::ToolCall, self.tool_call),
            (TokenClass::Image, self.image),
            (TokenClass::AudioSecond, self.audio_minute),
            (TokenClass::Character, self.characters),
        ] {
            let Some(Amount(nano)) = amount else { continue };
            // Per million tokens (or characters): a nano-USD is a thousandth of a pico-USD per token.
            let pico = match class {
                TokenClass::ToolCall | TokenClass::Image => nano.0.checked_mul(1_000),
                TokenClass::AudioSecond => {
                    nano.0.checked_mul(1_000).map(|pico| pico / 60 + i64::from(pico % 60 != 0))
                }
                _ => Some(nano.0 / 1_000 + i64::from(nano.0 % 1_000 != 0)),
            };
            let pico = pico.filter(|pico| *pico >= 0);
            let pico = pico.ok_or_else(|| PriceError::Range(self.model.to_string()))?;
            rates.0[class as usize] = Some(Steps::flat(pico));
        }
        Ok(ModelPrice {
            model: self.model.to_string(),
            vendor: "iron.toml".to_owned(),
            context_window: self.context_window,
            max_output: self.max_output_tokens,
            rates: [Some(rates), None, None, None, None],
        })
    }
}
