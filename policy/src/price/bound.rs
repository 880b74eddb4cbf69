//! The most that a call can cost: sound, so that a budget which admits it cannot be overspent.

use super::model::{ModelPrice, ServiceTier};
use crate::types::{NanoUsd, PicoUsd, TokenClass};

/// What a call asks for at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Tokens of text that the provider reads, its own additions included.
    pub input_tokens: u64,
    /// Tokens that images count as.
    pub image_tokens: u64,
    /// Tokens that audio counts as.
    pub audio_tokens: u64,
    /// The limit on output tokens of one answer; none where only the model limits it.
    pub max_output: Option<u64>,
    /// Answers.
    pub choices: u64,
    /// Calls of tools that the provider bills; none where the call has no such tools.
    pub tool_calls: Option<u64>,
    /// What the call costs of its list price, in percent: 110 for calls kept in a region.
    pub percent: u64,
    /// The tiers that may serve the call; the dearest of them counts.
    pub tiers: &'static [ServiceTier],
}

/// Why a call has no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoBound {
    /// Neither the call nor the list limits the output.
    #[error("its longest answer is not known: set a limit such as max_tokens")]
    Output,
    /// Tools are billed, and nobody knows at what.
    #[error("its provider bills tools whose price is not known")]
    Tools,
    /// Some part is priced, but not the text itself.
    #[error("its list has no price for input")]
    Input,
}

/// The classes that text input can be billed as.
const TEXT: [TokenClass; 4] =
    [TokenClass::Input, TokenClass::CacheRead, TokenClass::CacheWrite, TokenClass::CacheWrite1h];
const IMAGE: [TokenClass; 5] = [
    TokenClass::ImageInput,
    TokenClass::Input,
    TokenClass::CacheRead,
    TokenClass::CacheWrite,
    TokenClass::CacheWrite1h,
];
const AUDIO: [TokenClass; 3] =
    [TokenClass::AudioInput, TokenClass::AudioCacheRead, TokenClass::Input];
/// The classes that output can be billed as.
const OUTPUT: [TokenClass; 4] =
    [TokenClass::Output, TokenClass::Reasoning, TokenClass::AudioOutput, TokenClass::ImageOutput];

impl ModelPrice {
    /// The most that a call can cost.
    pub fn bound(&self, ask: &Ask) -> Result<NanoUsd, NoBound> {
        let fixed = self.input_bound(ask)?;
        let answer = if ask.max_output == Some(0) {
            PicoUsd(0)
        } else {
            let tokens = ask.max_output.or_else(|| self.max_output()).ok_or(NoBound::Output)?;
            self.output_price(ask).times(tokens.saturating_mul(ask.choices))
        };
        Ok(scaled(fixed + answer, ask).ceil())
    }

    /// The longest answer whose bound is not above an amount; none where not even one token is.
    pub fn affordable_output(&self, ask: &Ask, left: NanoUsd) -> Option<u64> {
        let fixed = scaled(self.input_bound(ask).ok()?, ask);
        let each = scaled(self.output_price(ask).times(ask.choices.max(1)), ask).0;
        let rest = PicoUsd::from(left).0 - fixed.0;
        if each <= 0 || rest < each {
            return None;
        }
        u64::try_from(rest / each).ok()
    }

    fn input_bound(&self, ask: &Ask) -> Result<PicoUsd, NoBound> {
        let read = read(ask);
        if self.list_price(TokenClass::Input).is_none() {
            return Err(NoBound::Input);
        }
        let dearest = |classes: &[TokenClass]| self.dearest(classes, ask, read);
        let tools = match ask.tool_calls {
            None => PicoUsd(0),
            Some(calls) => {
                let price = self.list_price(TokenClass::ToolCall).ok_or(NoBound::Tools)?;
                price.times(calls)
            }
        };
        Ok(dearest(&TEXT).times(ask.input_tokens)
            + dearest(&IMAGE).times(ask.image_tokens)
            + dearest(&AUDIO).times(ask.audio_tokens)
            + tools)
    }

    fn output_price(&self, ask: &Ask) -> PicoUsd {
        self.dearest(&OUTPUT, ask, read(ask))
    }

    fn dearest(&self, classes: &[TokenClass], ask: &Ask, read: u64) -> PicoUsd {
        let tiers = if ask.tiers.is_empty() { &[ServiceTier::Standard][..] } else { ask.tiers };
        let prices = tiers
            .iter()
            .flat_map(|tier| classes.iter().map(|class| self.most(*class, *tier, read)));
        prices.max().unwrap_or_default()
    }
}

/// All that the provider reads.
const fn read(ask: &Ask) -> u64 {
    ask.input_tokens.saturating_add(ask.image_tokens).saturating_add(ask.audio_tokens)
}

/// A part of the list price, rounded up.
fn scaled(price: PicoUsd, ask: &Ask) -> PicoUsd {
    let scaled = price.times(ask.percent).0;
    PicoUsd(scaled.div_euclid(100) + i128::from(scaled.rem_euclid(100) != 0))
}
