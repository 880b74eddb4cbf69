//! The stories, end to end: what the caller sent, what the provider received, what came back, and
//! what the ledger says afterwards.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a story that cannot go on fails, and says where"
)]

mod abort;
mod answers;
mod batches;
mod binary;
mod breaker;
mod budgets;
mod ca;
mod canary;
mod clients;
mod connect;
mod control;
mod corpus;
mod crowd;
mod docs;
mod fallbacks;
mod faults;
mod fidelity;
mod gemini;
mod http2;
mod https;
mod intercept;
mod launcher;
mod leak_benchmark;
mod leases;
mod limits;
mod media;
mod midstream;
mod panel_api;
mod platforms;
mod production;
mod realtime;
mod recogniser;
mod redaction;
mod retries;
mod routing;
mod runaway;
#[cfg(target_os = "linux")]
mod sandboxed;
mod scan;
mod sdk;
mod secrets;
mod stable;
mod stop;
mod telemetry;
mod three_proxies;
mod tokens;
mod uploads;
mod upstream_tls;
mod websocket;
mod websocket_ends;
