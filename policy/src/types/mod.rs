//! The words that every crate speaks: money, token classes, call ids, outcomes.

mod call;
mod money;
mod usage;

pub use call::{CallId, CallIds, Dialect, Name, NameError, Outcome, Platform};
pub use money::{MoneyError, NanoUsd, PicoUsd};
pub use usage::{CLASSES, TokenClass, Usage};
