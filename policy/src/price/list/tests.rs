use proptest::prelude::*;

use super::*;
use crate::price::{Ask, NoBound};
use crate::types::{CLASSES, NanoUsd, TokenClass, Usage};

fn price(upstream: &str, model: &str) -> Arc<ModelPrice> {
    PriceList::builtin().find(Some(upstream), model).unwrap_or_else(|| panic!("{model}"))
}

fn per_million(price: &ModelPrice, class: TokenClass) -> Option<i128> {
    price.list_price(class).map(|pico| pico.0)
}

#[test]
fn the_list_is_whole() {
    let list = parse(include_str!("../../../prices/prices.json")).unwrap();
    assert!(list.vendors.values().map(Vec::len).sum::<usize>() > 1_000);
    for entry in list.vendors.values().flatten() {
        for pattern in entry.matching.patterns() {
            assert!(regex::Regex::new(pattern).is_ok(), "{pattern}");
        }
        // Tokens, or one thing that is counted by the piece: never both.
        let priced = CLASSES.iter().filter(|class| entry.price.list_price(**class).is_some());
        let priced: Vec<_> = priced.collect();
        let pieces = [&TokenClass::AudioSecond, &TokenClass::Character];
        let by_piece = priced.len() == 1 && pieces.contains(&priced[0]);
        let tokens = priced.contains(&&TokenClass::Input)
            && !pieces.iter().any(|piece| priced.contains(piece));
        assert!(tokens != by_piece, "{}", entry.price.model);
    }
}

/// Public list prices: openai.com/api/pricing, claude.com/pricing, ai.google.dev/pricing.
#[test]
fn known_models_have_their_public_prices() {
    use TokenClass::{CacheRead, CacheWrite, CacheWrite1h, Input, Output};
    for (upstream, model, prices) in [
        ("openai", "gpt-4o-mini", vec![(Input, 150_000), (CacheRead, 75_000), (Output, 600_000)]),
        ("openai", "gpt-4o-2024-08-06", vec![(Input, 2_500_000), (Output, 10_000_000)]),
        ("openai", "gpt-5", vec![(Input, 1_250_000), (CacheRead, 125_000), (Output, 10_000_000)]),
        ("openai", "text-embedding-3-small", vec![(Input, 20_000)]),
        (
            "anthropic",
            "claude-haiku-4-5-20251001",
            vec![
                (Input, 1_000_000),
                (CacheRead, 100_000),
                (CacheWrite, 1_250_000),
                (CacheWrite1h, 2_000_000),
                (Output, 5_000_000),
            ],
        ),
        ("gemini", "gemini-2.5-pro", vec![(Input, 1_250_000), (Output, 10_000_000)]),
    ] {
        let found = price(upstream, model);
        for (class, pico) in prices {
            assert_eq!(per_million(&found, class), Some(pico), "{model} {}", class.name());
        }
    }
}

/// aws.amazon.com/bedrock/pricing: a call that is kept in a region costs a tenth more.
#[test]
fn a_platforms_models_are_found_by_its_own_names() {
    let list = PriceList::builtin();
    let input = |platform, model: &str| {
        let price = list.find_on(platform, "cloud", model);
        price.and_then(|price| per_million(&price, TokenClass::Input))
    };
    let haiku = "anthropic.claude-haiku-4-5-20251001-v1:0";
    let arn = |resource: &str| format!("arn:aws:bedrock:us-east-1:123456789012:{resource}");
    for (model, price) in [
        (haiku.to_owned(), Some(1_100_000)),
        (format!("us.{haiku}"), Some(1_100_000)),
        (format!("global.{haiku}"), Some(1_000_000)),
        (arn(&format!("inference-profile/global.{haiku}")), Some(1_000_000)),
        (format!("arn:aws:bedrock:us-east-1::foundation-model/{haiku}"), Some(1_100_000)),
        ("amazon.nova-pro-v1:0".to_owned(), Some(800_000)),
        ("openai.gpt-oss-120b-1:0".to_owned(), Some(150_000)),
        (arn("application-inference-profile/abc"), None),
        (arn(&format!("custom-model/us.{haiku}")), None),
        ("gpt-4o".to_owned(), None),
    ] {
        assert_eq!(input(Platform::Bedrock, &model), price, "{model}");
    }
    assert_eq!(input(Platform::Azure, "gpt-4o-mini"), Some(150_000));
    assert_eq!(input(Platform::Azure, "text-embedding-3-large"), Some(130_000));
    assert_eq!(input(Platform::Azure, "claude-haiku-4-5"), None);
    assert_eq!(input(Platform::Vertex, "gemini-2.5-pro"), Some(1_250_000));
    assert_eq!(input(Platform::Vertex, "google/gemini-2.5-pro"), Some(1_250_000));
    assert_eq!(input(Platform::Vertex, "claude-haiku-4-5@20251001"), Some(1_000_000));
}

#[test]
fn a_model_is_found_by_the_ways_it_is_written() {
    let list = PriceList::builtin();
    let model = |upstream, name| list.find(upstream, name).map(|price| price.model.clone());
    assert_eq!(model(Some("local"), "gpt-4o-mini").as_deref(), Some("gpt-4o-mini"));
    assert_eq!(model(Some("openai"), "openai/gpt-4o-mini").as_deref(), Some("gpt-4o-mini"));
    assert_eq!(model(None, "anthropic/claude-haiku-4-5").as_deref(), Some("claude-haiku-4-5"));
    assert_eq!(model(Some("openai"), "GPT-4o-mini").as_deref(), Some("gpt-4o-mini"));
    // Another vendor's price is no price.
    assert_eq!(model(Some("openai"), "claude-haiku-4-5"), None);
    assert_eq!(model(Some("local"), "a-model-nobody-knows"), None);
}

#[test]
fn a_long_context_pays_the_dearer_price_for_all_of_it() {
    let gemini = price("google", "gemini-2.5-pro");
    let cost = |input: u64| {
        gemini.cost(&Usage::default().with(TokenClass::Input, input), ServiceTier::Standard).total()
    };
    assert_eq!(cost(200_000), NanoUsd(250_000_000));
    assert_eq!(cost(200_001), NanoUsd(500_002_500));
    assert_eq!(gemini.thresholds(), [200_000]);
}

#[test]
fn a_tier_has_its_own_prices_and_the_standard_ones_for_the_rest() {
    let mini = price("openai", "gpt-4o-mini");
    let usage = Usage::default().with(TokenClass::Input, 1_000).with(TokenClass::CacheRead, 1_000);
    let cost = |tier| mini.cost(&usage, tier).total();
    assert_eq!(cost(ServiceTier::Standard), NanoUsd(225_000));
    assert_eq!(cost(ServiceTier::Batch), NanoUsd(150_000));
    assert_eq!(cost(ServiceTier::Priority), NanoUsd(375_000));
}

#[test]
fn an_operators_price_comes_first_and_only_where_it_applies() {
    let own: PriceOverride = toml::from_str(
        "model = \"llama*\"\nupstream = \"local\"\ninput = \"0 USD\"\noutput = \"0.000001 USD\"\n",
    )
    .unwrap();
    let list = PriceList::builtin().with_overrides(vec![own]).unwrap();
    assert!(list.find(Some("other"), "llama-9").is_none());
    let found = list.find(Some("local"), "llama-9").unwrap();
    assert_eq!(per_million(&found, TokenClass::Input), Some(0));
    assert_eq!(per_million(&found, TokenClass::Output), Some(1));
    let ask = Ask { max_output: None, ..small() };
    assert_eq!(found.bound(&ask), Err(NoBound::Output));
}

#[test]
fn the_longest_affordable_answer_fits_and_one_token_more_does_not() {
    let mini = price("openai", "gpt-4o-mini");
    for left in [100_000, 1_000_000, 123_456_789] {
        let longest = mini.affordable_output(&small(), NanoUsd(left)).unwrap();
        let bound = |max| mini.bound(&Ask { max_output: Some(max), ..small() }).unwrap();
        assert!(bound(longest) <= NanoUsd(left) && bound(longest + 1) > NanoUsd(left));
    }
    assert_eq!(mini.affordable_output(&small(), NanoUsd(1)), None);
}

fn small() -> Ask {
    Ask {
        input_tokens: 100,
        image_tokens: 0,
        audio_tokens: 0,
        max_output: Some(10),
        choices: 1,
        tool_calls: None,
        percent: 100,
        tiers: &[ServiceTier::Standard],
    }
}

proptest! {
    /// The promise that budgets rest on: whatever a provider reports within what was asked for,
    /// it costs no more than the bound.
    #[test]
    fn no_usage_within_the_ask_costs_more_than_its_bound(
        pick in any::<proptest::sample::Index>(),
        parts in proptest::collection::vec(0_u64..60_000, CLASSES.len()),
        choices in 1_u64..4,
        spare in 0_u64..300_000,
        tier in 0_usize..3,
        percent in 100_u64..=110,
    ) {
        use TokenClass::{AudioCacheRead, AudioInput, ImageInput, ToolCall};
        let mut models: Vec<_> = PriceList::builtin().search("");
        models.retain(|model| model.list_price(TokenClass::Input).is_some());
        let model = &models[pick.index(models.len())];
        let tiers: &'static [ServiceTier] = [
            &[ServiceTier::Standard][..],
            &[ServiceTier::Standard, ServiceTier::Flex],
            &[ServiceTier::Standard, ServiceTier::Priority, ServiceTier::Fast],
        ][tier];
        let mut usage = Usage::default();
        for (class, units) in CLASSES.iter().zip(&parts) {
            usage.set(*class, *units);
        }
        if model.list_price(TokenClass::ToolCall).is_none() {
            usage.set(TokenClass::ToolCall, 0);
        }
        let audio = usage.of(AudioInput) + usage.of(AudioCacheRead);
        let ask = Ask {
            input_tokens: usage.input_tokens() - audio - usage.of(ImageInput) + spare,
            image_tokens: usage.of(ImageInput),
            audio_tokens: audio,
            max_output: Some(usage.output_tokens().div_ceil(choices)),
            choices,
            tool_calls: Some(usage.of(ToolCall)).filter(|calls| *calls > 0),
            percent,
            tiers,
        };
        let bound = model.bound(&ask).unwrap();
        for tier in tiers {
            let cost = model.cost(&usage, *tier).percent(percent).total();
            prop_assert!(cost <= bound, "{} {cost} > {bound}", model.model());
        }
    }
}
