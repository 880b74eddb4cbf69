//! The provider's own bill: a literal price table and the sum it leads to.
//!
//! Deliberately ignorant of the prices and the arithmetic of `iron_policy`, so that the two can be
//! held against each other. Prices are the public list prices of November 2026 in pico-USD per
//! token: $0.15 per million tokens is 150,000.

/// What a call used. The classes are disjoint: `input` excludes what a cache gave or took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input tokens that no cache had a part in.
    pub input: u64,
    /// Input tokens read from the prompt cache.
    pub cache_read: u64,
    /// Input tokens written to a cache: Anthropic's of five minutes, or OpenAI's.
    pub cache_write: u64,
    /// Input tokens written to the one-hour cache (Anthropic).
    pub cache_write_1h: u64,
    /// Visible output tokens.
    pub output: u64,
    /// Output tokens spent on reasoning.
    pub reasoning: u64,
    /// Tokens of images read.
    pub image_input: u64,
    /// Tokens of images made.
    pub image_output: u64,
    /// Tokens of sound heard.
    pub audio_input: u64,
    /// Images made.
    pub images: u64,
    /// Seconds of recordings.
    pub seconds: u64,
    /// Characters spoken.
    pub characters: u64,
    /// Tokens of sound heard that came from a cache.
    pub audio_cache_read: u64,
    /// Tokens of sound made.
    pub audio_output: u64,
}

impl Usage {
    /// All tokens read.
    pub(super) fn all_input(&self) -> u64 {
        self.input + self.cache_read + self.cache_write + self.cache_write_1h
    }

    /// All tokens made.
    pub(super) fn all_output(&self) -> u64 {
        self.output + self.reasoning
    }
}

/// What the provider charges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    /// The sum over all calls, in nano-USD.
    pub total_nano_usd: i64,
    /// The single calls, in the order in which they were billed.
    pub by_call: Vec<Billed>,
}

/// What the provider charges for one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Billed {
    /// The id in the answer's `x-request-id` or `request-id` header.
    pub request_id: String,
    /// The model as the call named it.
    pub model: String,
    /// What was used.
    pub usage: Usage,
    /// The charge in nano-USD, rounded up once.
    pub nano_usd: i64,
}

/// Whose model it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vendor {
    OpenAi,
    Anthropic,
    Gemini,
    /// Whoever made it, served by Amazon Bedrock.
    Bedrock,
}

/// A model that the simulator serves.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) name: &'static str,
    pub(super) vendor: Vendor,
    price: Price,
    long: Option<Long>,
    media: Media,
}

/// Pico-USD per token of images read, of images made and of sound heard, per image, per second of
/// a recording, per character spoken.
#[derive(Clone, Copy, Debug)]
struct Media([i64; 6]);

/// The price of all tokens of a call that reads more than `above`.
#[derive(Debug)]
struct Long {
    above: u64,
    price: Price,
}

/// Pico-USD per token.
#[derive(Clone, Copy, Debug)]
struct Price {
    input: i64,
    cache_read: i64,
    cache_write: i64,
    cache_write_1h: i64,
    output: i64,
    /// Of audio: input, read from a cache, output.
    audio: [i64; 3],
}

/// Input, cache read, output; nothing is charged for writing to the cache.
const fn openai(name: &'static str, [input, cache_read, output]: [i64; 3]) -> Model {
    model_of(Vendor::OpenAi, name, [input, cache_read, input, input, output])
}

/// Input, cache read, output; Google's caches write themselves.
const fn gemini(name: &'static str, [input, cache_read, output]: [i64; 3]) -> Model {
    model_of(Vendor::Gemini, name, [input, cache_read, input, input, output])
}

/// Input, cache read, cache write of five minutes, of one hour, output.
const fn claude(name: &'static str, prices: [i64; 5]) -> Model {
    model_of(Vendor::Anthropic, name, prices)
}

pub(super) const fn model_of(vendor: Vendor, name: &'static str, prices: [i64; 5]) -> Model {
    Model { name, vendor, price: price(prices), long: None, media: Media([0; 6]) }
}

const fn price([input, cache_read, cache_write, cache_write_1h, output]: [i64; 5]) -> Price {
    Price { input, cache_read, cache_write, cache_write_1h, output, audio: [0; 3] }
}

impl Model {
    const fn audio(mut self, prices: [i64; 3]) -> Self {
        self.price.audio = prices;
        self
    }

    const fn long(self, above: u64, prices: [i64; 5]) -> Self {
        Self { long: Some(Long { above, price: price(prices) }), ..self }
    }

    const fn media(self, prices: [i64; 6]) -> Self {
        Self { media: Media(prices), ..self }
    }
}

/// Every model served.
#[rustfmt::skip]
pub(super) const MODELS: [Model; 41] = [
    openai("gpt-4o-mini",            [  150_000,    75_000,    600_000]),
    openai("gpt-4o",                 [2_500_000, 1_250_000, 10_000_000]),
    openai("gpt-4.1",                [2_000_000,   500_000,  8_000_000]),
    openai("gpt-4.1-mini",           [  400_000,   100_000,  1_600_000]),
    openai("gpt-4.1-nano",           [  100_000,    25_000,    400_000]),
    openai("gpt-5",                  [1_250_000,   125_000, 10_000_000]),
    openai("gpt-5-mini",             [  250_000,    25_000,  2_000_000]),
    openai("gpt-5-nano",             [   50_000,     5_000,    400_000]),
    openai("gpt-5.2",                [1_750_000,   175_000, 14_000_000]),
    openai("gpt-5.4-mini",           [  750_000,    75_000,  4_500_000]),
    openai("gpt-5.4-nano",           [  200_000,    20_000,  1_250_000]),
    openai("gpt-5.4",                [2_500_000,   250_000, 15_000_000])
        .long(272_000, [5_000_000, 500_000, 5_000_000, 5_000_000, 22_500_000]),
    openai("gpt-5.3-codex",          [1_750_000,   175_000, 14_000_000]),
    openai("gpt-5.5",                [5_000_000,   500_000, 30_000_000])
        .long(272_000, [10_000_000, 1_000_000, 10_000_000, 10_000_000, 45_000_000]),
    openai("o4-mini",                [1_100_000,   275_000,  4_400_000]),
    openai("gpt-3.5-turbo-instruct", [1_500_000, 1_500_000,  2_000_000]),
    openai("gpt-realtime",           [4_000_000,   400_000, 16_000_000])
        .audio([32_000_000, 400_000, 64_000_000]),
    openai("text-embedding-3-small", [   20_000,    20_000,          0]),
    openai("text-embedding-3-large", [  130_000,   130_000,          0]),
    model_of(Vendor::OpenAi, "gpt-6.1-sol",
                       [2_000_000, 100_000, 2_500_000,  2_500_000, 10_000_000])
        .long(272_000, [4_000_000, 200_000, 5_000_000,  5_000_000, 15_000_000]),
    model_of(Vendor::OpenAi, "gpt-6.1-terra",
                       [1_000_000,  50_000, 1_250_000,  1_250_000,  5_000_000])
        .long(272_000, [2_000_000, 100_000, 2_500_000,  2_500_000,  7_500_000]),
    model_of(Vendor::OpenAi, "gpt-6-sol",
                       [2_000_000, 200_000, 2_500_000,  2_500_000, 10_000_000])
        .long(272_000, [4_000_000, 400_000, 5_000_000,  5_000_000, 15_000_000]),
    model_of(Vendor::OpenAi, "gpt-6-luna",
                       [  100_000,  10_000,   125_000,    125_000,    500_000])
        .long(272_000, [  200_000,  20_000,   250_000,    250_000,    750_000]),
    claude("claude-haiku-4-5",  [1_000_000, 100_000, 1_250_000,  2_000_000,  5_000_000]),
    claude("claude-sonnet-4-5", [3_000_000, 300_000, 3_750_000,  6_000_000, 15_000_000])
        .long(200_000,          [6_000_000, 600_000, 7_500_000, 12_000_000, 22_500_000]),
    claude("claude-opus-4-5",   [5_000_000, 500_000, 6_250_000, 10_000_000, 25_000_000]),
    claude("claude-opus-4-8",   [5_000_000, 500_000, 6_250_000, 10_000_000, 25_000_000]),
    claude("claude-sonnet-5",   [2_000_000, 200_000, 2_500_000,  4_000_000, 10_000_000]),
    claude("claude-sonnet-5-5", [2_000_000, 100_000, 2_500_000,  4_000_000, 10_000_000]),
    claude("claude-haiku-5-5",  [  100_000,  10_000,   125_000,    200_000,    500_000])
        .long(100_000,          [  500_000,  50_000,   625_000,  1_000_000,  2_500_000]),
    claude("claude-opus-5",     [5_000_000, 500_000, 6_250_000, 10_000_000, 25_000_000]),
    claude("claude-opus-5-5",   [4_000_000, 200_000, 5_000_000,  8_000_000, 20_000_000]),
    gemini("gemini-2.5-flash",      [  300_000,  30_000,  2_500_000]),
    gemini("gemini-2.5-flash-lite", [  100_000,  10_000,    400_000]),
    gemini("gemini-2.5-pro",        [1_250_000, 125_000, 10_000_000])
        .long(200_000, [2_500_000, 250_000, 2_500_000, 2_500_000, 15_000_000]),
    gemini("gemini-3.1-pro-preview", [2_000_000, 200_000, 12_000_000])
        .long(200_000, [4_000_000, 400_000, 4_000_000, 4_000_000, 18_000_000]),
    gemini("gemini-3-flash-preview", [  500_000,  50_000,  3_000_000]),
    gemini("gemini-3.5-flash",       [1_500_000, 150_000,  9_000_000]),
    gemini("gemini-3.5-flash-lite",  [  300_000,  30_000,  2_500_000]),
    gemini("gemini-3.8-flash",      [  750_000,  75_000,  3_750_000]),
    gemini("gemini-embedding-001",  [  150_000, 150_000,          0]),
];

/// Models for images and sound.
#[rustfmt::skip]
const MEDIA: [Model; 7] = [
    openai("gpt-image-1",       [5_000_000, 1_250_000, 40_000_000])
        .media([10_000_000, 40_000_000, 0, 0, 0, 0]),
    openai("gpt-image-1.5",     [5_000_000, 1_250_000, 10_000_000])
        .media([8_000_000, 32_000_000, 0, 0, 0, 0]),
    openai("dall-e-3",          [0, 0, 0]).media([0, 0, 0, 40_000_000_000, 0, 0]),
    openai("tts-1",             [0, 0, 0]).media([0, 0, 0, 0, 0, 15_000_000]),
    openai("gpt-4o-mini-tts",   [600_000, 600_000, 12_000_000]),
    openai("whisper-1",         [0, 0, 0]).media([0, 0, 0, 0, 100_000_000, 0]),
    openai("gpt-4o-transcribe", [2_500_000, 2_500_000, 10_000_000])
        .media([0, 0, 6_000_000, 0, 0, 0]),
];

/// The model of this name, also with a date behind it (`gpt-4o-2024-08-06`,
/// `claude-haiku-4-5-20251001`) or `-latest`.
pub(super) fn model(name: &str) -> Option<&'static Model> {
    let dated = |rest: &str| {
        rest.strip_prefix('-').is_some_and(|date| {
            let digits = date.bytes().filter(u8::is_ascii_digit).count();
            let only_date = date.bytes().all(|b| b.is_ascii_digit() || b == b'-');
            date == "latest" || (digits == 8 && only_date)
        })
    };
    MODELS.iter().chain(&MEDIA).find(|model| {
        let rest = name.strip_prefix(model.name);
        rest.is_some_and(|rest| rest.is_empty() || dated(rest))
    })
}

impl Model {
    /// What this usage costs in nano-USD, rounded up once.
    pub(super) fn charge(&self, usage: &Usage) -> i64 {
        i64::try_from((self.pico(usage) + 999) / 1000).unwrap_or(i64::MAX)
    }

    /// What these usages cost in a batch, in nano-USD: half, rounded up once.
    pub(super) fn charge_batch(&self, usages: &[Usage]) -> i64 {
        let pico: i128 = usages.iter().map(|usage| self.pico(usage)).sum();
        i64::try_from((pico + 1999) / 2000).unwrap_or(i64::MAX)
    }

    fn pico(&self, usage: &Usage) -> i128 {
        let price = match &self.long {
            Some(long) if usage.all_input() > long.above => &long.price,
            _ => &self.price,
        };
        [
            (usage.input, price.input),
            (usage.cache_read, price.cache_read),
            (usage.cache_write, price.cache_write),
            (usage.cache_write_1h, price.cache_write_1h),
            (usage.all_output(), price.output),
            (usage.image_input, self.media.0[0]),
            (usage.image_output, self.media.0[1]),
            (usage.audio_input, self.media.0[2]),
            (usage.images, self.media.0[3]),
            (usage.seconds, self.media.0[4]),
            (usage.characters, self.media.0[5]),
            (usage.audio_input, price.audio[0]),
            (usage.audio_cache_read, price.audio[1]),
            (usage.audio_output, price.audio[2]),
        ]
        .into_iter()
        .map(|(tokens, each)| i128::from(tokens) * i128::from(each))
        .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_are_rounded_up_once_per_call() {
        let mini = model("gpt-4o-mini").unwrap();
        // 1 x 150,000 pico = 150 nano exactly; 1 x 75,000 = 75 nano.
        let one = Usage { input: 1, cache_read: 1, ..Usage::default() };
        assert_eq!(mini.charge(&one), 225);
        assert_eq!(mini.charge(&Usage::default()), 0);
        // 1,000 x $3 + 500 x $15 per million = $0.0105.
        let usage = Usage { input: 1_000, output: 300, reasoning: 200, ..Usage::default() };
        let sonnet = model("claude-sonnet-4-5-20250929").unwrap();
        assert_eq!(sonnet.charge(&usage), 10_500_000);
        // Above 200,000 read, every token has the higher price.
        let long = Usage { input: 1, cache_read: 200_000, output: 1, ..Usage::default() };
        assert_eq!(sonnet.charge(&long), 6_000 + 120_000_000 + 22_500);
    }

    #[test]
    fn only_dates_may_follow_a_name() {
        let name = |asked| model(asked).map(|model| model.name);
        assert_eq!(name("gpt-4o-2024-08-06"), Some("gpt-4o"));
        assert_eq!(name("gpt-4o-mini"), Some("gpt-4o-mini"));
        assert_eq!(name("claude-haiku-4-5-latest"), Some("claude-haiku-4-5"));
        assert_eq!(name("claude-sonnet-5-5"), Some("claude-sonnet-5-5"));
        assert_eq!(name("gpt-4o-audio-preview"), None);
        assert_eq!(name("gpt-9"), None);
    }
}
