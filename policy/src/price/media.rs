//! How many tokens an image counts as at most, by the providers' published rules.

use crate::types::Dialect;

/// OpenAI's tile rule at high detail: an image is scaled into 2048 x 2048, then to 768 pixels on
/// its shorter side, and cut into tiles of 512: at most 2 x 4.
const MOST_TILES: u64 = 8;
/// OpenAI's patch rule: at most so many patches of 32 x 32.
const MOST_PATCHES: u64 = 1_536;
/// `detail: "original"` of later models allows so many.
const MOST_ORIGINAL_PATCHES: u64 = 10_000;
/// Anthropic's highest resolution: 2576 pixels on the longer side, `w x h / 750` tokens.
const ANTHROPIC_MOST: u64 = 4_784;

/// Gemini 3 and later: an image at `MEDIA_RESOLUTION_ULTRA_HIGH`, twice what one has by default.
const GEMINI_MOST: u64 = 2_240;

/// The most tokens that one image counts as; none where only the context window bounds it.
///
/// Sources: OpenAI, "Images and vision", section "Calculating costs" (tiles: a base and a price
/// per tile by model; patches: a multiplier by model); Anthropic, "Vision", section "Evaluate
/// image size"; Google, "Media resolution", section "Token counts" (before Gemini 3, tiles whose
/// number depends on an image's shape, which nobody here looks at). A model that neither names gets the largest of its provider's rules.
pub fn image_tokens(dialect: Dialect, model: &str, detail: Option<&str>) -> Option<u64> {
    match dialect {
        Dialect::Anthropic => Some(ANTHROPIC_MOST),
        // Google's models by its compatible path.
        Dialect::OpenAi if model.starts_with("gemini-") => gemini(model),
        Dialect::OpenAi => Some(openai(model, detail)),
        Dialect::Gemini => gemini(model),
        // `us.anthropic.claude-...`; nothing is published about the images of others there.
        Dialect::Bedrock => model.contains("anthropic.claude").then_some(ANTHROPIC_MOST),
    }
}

fn gemini(model: &str) -> Option<u64> {
    let counted = ["gemini-3", "gemini-4"].iter().any(|name| model.starts_with(name));
    counted.then_some(GEMINI_MOST)
}

fn openai(model: &str, detail: Option<&str>) -> u64 {
    let tiles = |base: u64, each: u64| match detail {
        Some("low") => base,
        _ => base + each * MOST_TILES,
    };
    // Patch multipliers in hundredths; the most specific names first.
    let patches = |hundredths: u64| {
        let most = if detail == Some("original") { MOST_ORIGINAL_PATCHES } else { MOST_PATCHES };
        (most * hundredths).div_ceil(100)
    };
    let starts = |names: &[&str]| names.iter().any(|name| model.starts_with(name));
    if starts(&["gpt-4o-mini"]) {
        tiles(2_833, 5_667)
    } else if starts(&["gpt-4.1-mini", "gpt-5-mini"]) {
        patches(162)
    } else if starts(&["gpt-4.1-nano", "gpt-5-nano"]) {
        patches(246)
    } else if starts(&["o4-mini"]) {
        patches(172)
    } else if starts(&["gpt-4o", "gpt-4.1", "gpt-4.5", "gpt-4-turbo", "o1", "o3"]) {
        tiles(85, 170)
    } else if model == "gpt-5" || starts(&["gpt-5-2025", "gpt-5-chat"]) {
        tiles(70, 140)
    } else {
        tiles(2_833, 5_667).max(patches(246))
    }
}

/// What an image that is sent to be edited counts as at most: a base and up to eight tiles, and for
/// high fidelity 6,240 more (OpenAI, "Image generation", "Input fidelity").
pub const EDITED_IMAGE: u64 = 7_680;
/// What an unfinished image in a stream counts as (the same, "Partial images cost").
const PARTIAL: u64 = 100;
/// Text that a model may write about an image before it makes it; not documented.
const TEXT: u64 = 2_048;
/// The most pixels of `gpt-image-2` and later.
const MOST_PIXELS: u64 = 8_294_400;

/// The most output tokens of one generated image, with its unfinished versions.
///
/// `gpt-image-1` and its kin make three sizes, whose tokens are in a table (OpenAI, "Image
/// generation", "Cost and latency"); the largest of a quality counts. Later models make any size: their
/// tokens follow the factors of OpenAI's own calculator, and a square has the most. What is not
/// said is `auto`, which may be the largest.
pub fn generated_image(
    model: &str,
    quality: Option<&str>,
    size: Option<(u64, u64)>,
    partial: u64,
) -> u64 {
    let grade = match quality {
        Some("low") => 0,
        Some("medium") => 1,
        _ => 2,
    };
    let table = ["gpt-image-1", "chatgpt-image"].iter().any(|name| model.starts_with(name));
    let tokens = if table {
        [408, 1_584, 6_240][grade]
    } else {
        let pixels = size.map_or(MOST_PIXELS, |(width, height)| width.saturating_mul(height));
        let factor: u64 = [16, 48, 96][grade];
        (factor * factor).saturating_mul(pixels.saturating_add(2_000_000)).div_ceil(4_000_000)
    };
    tokens + PARTIAL * partial + TEXT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_images_are_bounded_by_quality_and_size() {
        let of = |model, quality, size| generated_image(model, quality, size, 0) - TEXT;
        assert_eq!(of("gpt-image-1", Some("high"), Some((1024, 1024))), 6_240);
        assert_eq!(of("gpt-image-1.5", Some("low"), None), 408);
        assert_eq!(of("gpt-image-2", Some("high"), Some((1024, 1024))), 7_024);
        assert_eq!(of("gpt-image-2", None, None), 23_719);
        assert_eq!(generated_image("gpt-image-1", Some("low"), None, 3), 408 + 300 + TEXT);
    }

    #[test]
    fn the_published_rules_give_these_bounds() {
        let openai = |model, detail| image_tokens(Dialect::OpenAi, model, detail).unwrap();
        assert_eq!(openai("gpt-4o", Some("low")), 85);
        assert_eq!(openai("gpt-4o", None), 1_445);
        assert_eq!(openai("gpt-4o-mini", Some("high")), 48_169);
        assert_eq!(openai("gpt-4.1-mini", None), 2_489);
        assert_eq!(openai("a-model-of-tomorrow", None), 48_169);
        assert_eq!(image_tokens(Dialect::Anthropic, "claude", None), Some(4_784));
        assert_eq!(image_tokens(Dialect::Gemini, "gemini-3.8-flash", None), Some(2_240));
        assert_eq!(image_tokens(Dialect::Gemini, "gemini-2.5-flash", None), None);
        assert_eq!(image_tokens(Dialect::OpenAi, "gemini-2.5-flash", None), None);
        let bedrock = |model| image_tokens(Dialect::Bedrock, model, None);
        assert_eq!(bedrock("us.anthropic.claude-haiku-4-5-20251001-v1:0"), Some(4_784));
        assert_eq!(bedrock("amazon.nova-pro-v1:0"), None);
    }
}
