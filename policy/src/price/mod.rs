//! What a call can cost at most, and what it did cost.
//!
//! Prices come from a vendored list (`policy/prices/`, with its notice and its cross-check) and,
//! before it, from the operator's `[[price]]` entries. All arithmetic is in integer pico-USD; an
//! amount is rounded up once, when a sum becomes money. What has no price is refused, never free.

mod bound;
mod list;
mod matching;
pub mod media;
mod model;
mod overrides;

pub use bound::{Ask, NoBound};
pub use list::PriceList;
pub use model::{Cost, ModelPrice, ServiceTier};
pub use overrides::{PriceError, PriceOverride};
