//! Values that are written as text: durations and amounts of money.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::types::NanoUsd;

/// `"500ms"`, `"5s"`, `"2m"`, `"1h 30m"`.
pub(crate) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|span| Duration::try_from(span).ok())
        .ok_or_else(|| {
            serde::de::Error::custom(format!(
                "`{text}` is not a duration: write `500ms`, `5s` or `2m`"
            ))
        })
}

/// `"5 USD"`, `"50 cents"`.
pub(crate) fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NanoUsd, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}
