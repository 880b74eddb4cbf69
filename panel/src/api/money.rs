//! Money in answers: an exact number of nano-USD, and the same for people to read.

use iron_policy::types::NanoUsd;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An amount of money.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Money {
    /// Nano-USD (10⁻⁹ USD).
    pub nano: i64,
    /// The same in words.
    #[schema(example = "$0.000152")]
    pub text: String,
}

impl From<NanoUsd> for Money {
    fn from(amount: NanoUsd) -> Self {
        Self { nano: amount.0, text: amount.to_string() }
    }
}

impl From<i64> for Money {
    fn from(nano: i64) -> Self {
        NanoUsd(nano).into()
    }
}
