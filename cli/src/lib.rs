//! The `iron` binary: the one place that puts the crates together.
//!
//! `main.rs` reads the command line; [`commands`] holds one module a command; [`house`] builds a
//! proxy from its parts; [`simulator`] is the provider that answers when there is no key.

pub mod args;
pub mod commands;
pub mod console;
pub mod doctor;
pub mod embedded;
pub mod files;
pub mod house;
pub mod launch;
pub mod local_http;
pub mod otel;
pub mod output;
pub mod reload;
pub mod remote;
pub mod secret;
pub mod simulator;
