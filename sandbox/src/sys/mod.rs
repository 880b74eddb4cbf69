//! The one place with `unsafe` code: what the kernel offers and no crate wraps.
//!
//! Each function is safe to call, does one thing, and says why its `unsafe` block holds.

pub mod attempt;
pub mod attempts;
