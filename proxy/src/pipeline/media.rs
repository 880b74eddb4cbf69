//! Step 6 for images, speech and recordings: what they can cost, by the piece or by tokens.
//!
//! | | by the piece | by tokens |
//! |---|---|---|
//! | images | each image | text and images read, and the most that an image of this quality and size counts as |
//! | speech | each character: known exactly | the longest answer of the price |
//! | recordings | each second: a WAV's by its header, others by the lowest bit rate | the context window, read and written |

use std::sync::Arc;

use iron_policy::outline::{Endpoint, MediaAsk};
use iron_policy::price::{Ask, ModelPrice, NoBound, ServiceTier, media};
use iron_policy::types::{NanoUsd, TokenClass, Usage};

use super::Stopped;
use super::identify::Identified;
use super::reserve::{CALL_OVERHEAD, LARGEST_WINDOW, refused, touched, unpriced};
use crate::live::Live;

/// Holds what the call can cost.
pub(super) async fn hold(
    live: &Live,
    call: &mut Identified,
    endpoint: Endpoint,
    ask: &MediaAsk,
) -> Result<(), Stopped> {
    let upstream = Arc::clone(&call.target.upstream);
    let no = |why: String| unpriced(&upstream, &ask.model, why);
    let price = live.price(&upstream, &ask.model);
    let price = price.ok_or_else(|| no("it is not in the price list".to_owned()))?;
    let (amount, known) = bound(endpoint, ask, &price).map_err(|why| match (why, endpoint) {
        (NoBound::Output, Endpoint::Speech) => {
            no("its longest answer is not known: it needs max_output_tokens".to_owned())
        }
        (why, _) => no(why.to_string()),
    })?;
    call.ticket.price(price, 100);
    call.ticket.known = known;
    call.ticket.keep_pace(&live.policy, amount)?;
    let touched = touched(live, call, &ask.model).map_err(|error| refused(error, amount))?;
    call.ticket.reserve(amount, touched).await.map_err(|error| refused(error, amount))
}

/// The most that the call can cost, and what it will cost where that is known already.
fn bound(
    endpoint: Endpoint,
    ask: &MediaAsk,
    price: &ModelPrice,
) -> Result<(NanoUsd, Option<Usage>), NoBound> {
    let (class, units) = match endpoint {
        Endpoint::Speech => (TokenClass::Character, ask.characters),
        Endpoint::Transcriptions | Endpoint::Translations => (TokenClass::AudioSecond, ask.seconds),
        _ => (TokenClass::Image, ask.count.unwrap_or(1).max(1)),
    };
    if let Some(cost) = price.units_cost(class, units) {
        let known = (endpoint == Endpoint::Speech).then(|| Usage::default().with(class, units));
        return Ok((cost, known));
    }
    let window = price.context_window().unwrap_or(LARGEST_WINDOW);
    let mut tokens = Ask {
        input_tokens: ask.text_bytes + CALL_OVERHEAD,
        image_tokens: 0,
        audio_tokens: 0,
        max_output: None,
        choices: 1,
        tool_calls: None,
        percent: 100,
        tiers: &[ServiceTier::Standard],
    };
    match endpoint {
        Endpoint::Speech => {}
        Endpoint::Transcriptions | Endpoint::Translations => {
            // A recording's text is shorter than what it counts as, and both fit into the window.
            tokens.audio_tokens = window;
            tokens.max_output = Some(window);
        }
        _ => {
            tokens.image_tokens = media::EDITED_IMAGE * ask.images;
            let quality = ask.quality.as_deref();
            let each = media::generated_image(&ask.model, quality, ask.size, ask.partial);
            tokens.max_output = Some(each);
            tokens.choices = units;
        }
    }
    Ok((price.bound(&tokens)?, None))
}
