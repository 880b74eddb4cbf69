//! What a call consumed, in disjoint classes that each have a price of their own.
//!
//! Providers report overlapping numbers (OpenAI's `prompt_tokens` includes the cached ones,
//! Anthropic's `input_tokens` does not). The meter turns both into these classes, so that a cost
//! is one sum of units times price and nothing is counted twice.

use serde::{Deserialize, Serialize};

/// A class of billed units. The discriminant is its place in [`Usage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenClass {
    /// Text input that came from no cache and went to none.
    Input,
    /// Input served from the provider's prompt cache.
    CacheRead,
    /// Input written to a cache that lives five minutes (or the provider's only kind).
    CacheWrite,
    /// Input written to a cache that lives one hour.
    #[serde(rename = "cache_write_1h")]
    CacheWrite1h,
    /// Visible output text.
    Output,
    /// Output spent on reasoning that the caller may not see.
    Reasoning,
    /// Audio input.
    AudioInput,
    /// Audio input served from cache.
    AudioCacheRead,
    /// Audio output.
    AudioOutput,
    /// Image input, where it has a price of its own.
    ImageInput,
    /// Image output.
    ImageOutput,
    /// One web search, or another tool of the provider that is billed by the call.
    ToolCall,
    /// One image made, where images are priced by the piece.
    Image,
    /// One second of a recording that is read.
    AudioSecond,
    /// One character of a text that is spoken.
    Character,
}

/// Every class, in the order of its place in [`Usage`].
pub const CLASSES: [TokenClass; 15] = [
    TokenClass::Input,
    TokenClass::CacheRead,
    TokenClass::CacheWrite,
    TokenClass::CacheWrite1h,
    TokenClass::Output,
    TokenClass::Reasoning,
    TokenClass::AudioInput,
    TokenClass::AudioCacheRead,
    TokenClass::AudioOutput,
    TokenClass::ImageInput,
    TokenClass::ImageOutput,
    TokenClass::ToolCall,
    TokenClass::Image,
    TokenClass::AudioSecond,
    TokenClass::Character,
];

impl TokenClass {
    /// The class's name in configuration, records and JSON output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CacheRead => "cache_read",
            Self::CacheWrite => "cache_write",
            Self::CacheWrite1h => "cache_write_1h",
            Self::Output => "output",
            Self::Reasoning => "reasoning",
            Self::AudioInput => "audio_input",
            Self::AudioCacheRead => "audio_cache_read",
            Self::AudioOutput => "audio_output",
            Self::ImageInput => "image_input",
            Self::ImageOutput => "image_output",
            Self::ToolCall => "tool_call",
            Self::Image => "image",
            Self::AudioSecond => "audio_second",
            Self::Character => "character",
        }
    }

    /// True for tokens that the provider reads.
    pub const fn is_input(self) -> bool {
        !self.is_output() && !self.is_counted()
    }

    /// True for tokens that the provider makes.
    pub const fn is_output(self) -> bool {
        matches!(self, Self::Output | Self::Reasoning | Self::AudioOutput | Self::ImageOutput)
    }

    /// True for what is no token: calls, images, seconds, characters.
    pub const fn is_counted(self) -> bool {
        matches!(self, Self::ToolCall | Self::Image | Self::AudioSecond | Self::Character)
    }
}

/// Units per class: tokens, or what else is counted ([`TokenClass::is_counted`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage([u64; CLASSES.len()]);

impl Usage {
    /// The units of one class.
    pub const fn of(&self, class: TokenClass) -> u64 {
        self.0[class as usize]
    }

    /// Sets the units of one class.
    pub const fn set(&mut self, class: TokenClass, units: u64) {
        self.0[class as usize] = units;
    }

    /// With the units of one class set, for building one in an expression.
    #[must_use]
    pub const fn with(mut self, class: TokenClass, units: u64) -> Self {
        self.set(class, units);
        self
    }

    /// With the units of another usage added, class by class.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = mine.saturating_add(theirs);
        }
        self
    }

    /// All tokens the provider read, cached ones included. Decides long-context tiers.
    pub fn input_tokens(&self) -> u64 {
        self.sum(TokenClass::is_input)
    }

    /// All tokens the provider made, reasoning included.
    pub fn output_tokens(&self) -> u64 {
        self.sum(TokenClass::is_output)
    }

    /// Providers can report anything: a sum that does not fit is the largest that does.
    fn sum(&self, counts: impl Fn(TokenClass) -> bool) -> u64 {
        let units = self.iter().filter(|(class, _)| counts(*class)).map(|(_, units)| units);
        units.fold(0, u64::saturating_add)
    }

    /// Each class with its units, zeros included, in the order of [`CLASSES`].
    pub fn iter(&self) -> impl Iterator<Item = (TokenClass, u64)> + '_ {
        CLASSES.iter().map(|class| (*class, self.of(*class)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_its_own_place() {
        for (place, class) in CLASSES.iter().enumerate() {
            assert_eq!(*class as usize, place, "{}", class.name());
        }
        let usage = Usage::default()
            .with(TokenClass::Input, 1)
            .with(TokenClass::CacheRead, 10)
            .with(TokenClass::Reasoning, 100)
            .with(TokenClass::ToolCall, 1000);
        assert_eq!((usage.input_tokens(), usage.output_tokens()), (11, 100));
    }
}
