//! Sums as the API shows them: what of them is measured, what is estimated, what has no price.

use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use super::wire::Money;
use crate::telemetry::report::NoReport;
use crate::telemetry::sums::Sums;

/// Sums over calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Total {
    /// Calls that ended.
    pub calls: i64,
    /// Of them, those that a proxy refused.
    pub refused: i64,
    /// Of them, those that failed, or that an upstream answered with an error.
    pub errors: i64,
    /// What was charged: `measured` and `estimated` together. What is reserved is not in it.
    pub spent: Money,
    /// What of it providers said.
    pub measured: Money,
    /// What of it is an estimate: nobody said what the call used.
    pub estimated: Money,
    /// Calls that used something whose price nobody knows: they are in `spent` with nothing.
    pub unpriced_calls: i64,
    /// Tokens read, cached ones included.
    pub input_tokens: i64,
    /// Tokens written, reasoning included.
    pub output_tokens: i64,
    /// Findings in requests and answers.
    pub findings: i64,
    /// Microseconds to the first byte of the answer that 95 of 100 calls stayed within, read off
    /// buckets; null where no call had one, and on the cards of the first screen.
    pub p95_first_byte_us: Option<i64>,
}

impl From<&Sums> for Total {
    fn from(sums: &Sums) -> Self {
        Self {
            calls: sums.calls(),
            refused: sums.refused(),
            errors: sums.errors(),
            spent: sums.posted().into(),
            measured: (sums.posted() - sums.estimated()).into(),
            estimated: sums.estimated().into(),
            unpriced_calls: sums.unpriced(),
            input_tokens: sums.input_tokens(),
            output_tokens: sums.output_tokens(),
            findings: sums.found(),
            p95_first_byte_us: sums.p95_micros(),
        }
    }
}

impl From<NoReport> for Problem {
    fn from(error: NoReport) -> Self {
        match error {
            NoReport::Question(why) => Self::invalid(why),
            NoReport::Store(error) => error.into(),
        }
    }
}
