//! Whole streams through the relay: recorded-style answers in, what the client sees out.

mod double;
mod fixtures;
mod gemini;
mod relay;
mod searched;
mod splits;
mod whole;
