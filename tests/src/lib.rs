//! The fake world of the stories: a real proxy on a free port, a simulated provider behind it,
//! and a client that speaks plain HTTP.
//!
//! Nothing here sleeps for a guess: waiting is for an event, with a limit of time after which the
//! story fails.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a story that cannot go on fails, and says where"
)]

pub mod binary;
pub mod client;
pub mod clients;
pub mod collector;
pub mod control_plane;
pub mod frames;
pub mod messages;
pub mod npm;
pub mod plane;
pub mod python;
pub mod site;
pub mod socket;
pub mod through;
pub mod tls;
pub mod world;

pub use client::{Answer, Client, Events};
pub use plane::Scripted;
pub use site::Site;
pub use through::Through;
pub use world::World;

/// Base64, as credentials are written in headers.
pub fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Every file in a folder and those below it.
pub fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}
