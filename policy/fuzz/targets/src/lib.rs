//! What must hold for any bytes whatever: one module a target, each with a `check` that panics
//! where it does not.
//!
//! `make fuzz` runs them under libFuzzer, for as long as one likes. The tests of this crate run
//! them over the seeds and over mutations of these that are the same each time.
//!
//! The first byte or two of an input choose a variant; seeds have a readable character there.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a check that does not hold panics, and says what it saw"
)]

pub mod json_reader;
pub mod outline;
pub mod redact_json;
pub mod redact_text;
pub mod restore_stream;
pub mod sse_relay;

mod cuts;
mod issued;

/// A target by its name.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 6] = [
    ("redact_text", redact_text::check),
    ("redact_json", redact_json::check),
    ("restore_stream", restore_stream::check),
    ("outline", outline::check),
    ("json_reader", json_reader::check),
    ("sse_relay", sse_relay::check),
];
