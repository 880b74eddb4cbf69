//! The stories, end to end: what the caller sent, what the provider received, what came back, and
//! what the ledger says afterwards.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a story that cannot go on fails, and says where"
)]

mod abort;
mod binary;
mod breaker;
mod budgets;
mod canary;
mod faults;
mod fidelity;
mod leak_benchmark;
mod limits;
mod redaction;
mod routing;
mod sdk;
mod stable;
